from __future__ import annotations

from typing import TYPE_CHECKING

from cormorant import Many, Mapped, Model, One, field, foreign_key, generated, reverse

if TYPE_CHECKING:
    from tests.unit.models.linked import articles
    from tests.unit.models.linked.articles import Article


class Author(Model, app="linked", table="linked_author"):
    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str]
    articles: Many[Article] = reverse("author")
    favourite_id: Mapped[int | None] = field(default=None)
    favourite: One[articles.Article | None] = foreign_key(init=False)
