"""A relation that was None stayed None for its reader after its key column had been set."""

from __future__ import annotations

from cormorant import Mapped, Model, One, field, foreign_key, generated


class Shelf(Model, app="regressions"):
    id: Mapped[int] = generated(primary_key=True)


class Book(Model, app="regressions"):
    id: Mapped[int] = generated(primary_key=True)
    title: Mapped[str] = field(default="")
    shelf: One[Shelf | None] = foreign_key(default=None)


def test_the_key_counts_that_was_set_last() -> None:
    book = Book(shelf=None)
    assert book.shelf is None
    book.shelf_id = 3
    assert book.shelf is not None
    assert book.shelf.id == 3
    book.shelf_id = None
    assert book.shelf is None
