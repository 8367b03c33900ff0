# no `from __future__ import annotations` here: these annotations are evaluated when the class is made
from typing import Annotated, ClassVar, Optional

import cormorant
from cormorant import Many, Mapped, Model, One, field, foreign_key, generated, many_to_many, reverse


class Shelf(Model, table="linked_shelf"):
    limit: ClassVar[int] = 3

    id: Mapped[int] = generated(primary_key=True)
    label: "Mapped[str]"
    width: Mapped["int | None"] = field(default=None)
    depth: Mapped[Optional[int]] = field(default=None)  # noqa: UP045
    note: cormorant.Mapped[Annotated[str, "anything"]] = field(default="")
    volumes: Many["Volume"] = reverse("shelf")
    above_id: Mapped[int | None] = field(default=None)
    above: One["Shelf | None"] = foreign_key(init=False)


class Topic(Model, table="linked_topic"):
    name: Mapped[str] = field(primary_key=True)
    volumes: Many["Volume"] = reverse("topics")


class Volume(Model, table="linked_volume"):
    id: Mapped[int] = generated(primary_key=True)
    shelf: One[Shelf] = foreign_key()
    topics: Many[Topic] = many_to_many()
