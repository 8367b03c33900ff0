from __future__ import annotations

from typing import TYPE_CHECKING

from cormorant import Mapped, Model, One, foreign_key, generated

if TYPE_CHECKING:
    from tests.unit.models.linked.authors import Author


class Article(Model, app="linked", table="linked_article"):
    id: Mapped[int] = generated(primary_key=True)
    title: Mapped[str]
    author: One[Author] = foreign_key()
