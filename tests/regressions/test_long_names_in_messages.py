"""What strangers type came back as a whole: a megabyte in a message and in every log, a cursor with something added."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from cormorant import AsyncSession, Database, Mapped, Model, QueryError, WrongCursor, func, generated

LONG = "z" * 1_000_000


class Note(Model, app="regressions_long"):
    id: Mapped[int] = generated(primary_key=True)
    title: Mapped[str]


@pytest.mark.parametrize(
    "ask",
    [
        lambda notes: notes.filter(**{LONG: 1}),
        lambda notes: notes.filter(Note.title.in_(LONG)),
        lambda notes: notes.order_by(LONG),
        lambda notes: notes.limit(LONG),
        lambda notes: notes.unscoped(LONG).compile(),
        lambda notes: notes.values(Note.title.label("\n" * 1_000_000)).compile(),
        lambda notes: func.trunc(LONG, Note.title),
    ],
)
async def test_messages_stay_short(ask: Callable[[Any], object]) -> None:
    async with Database("sqlite://") as database, AsyncSession(database) as session:
        with pytest.raises(QueryError) as caught:
            ask(session.query(Note))
        assert len(str(caught.value)) < 4_000
        assert len(caught.value.message) < 4_000


async def test_only_the_very_cursor_is_taken(database_dsn: str) -> None:
    async with Database(database_dsn) as database:
        await database.create_all(Note)
        async with AsyncSession(database) as session:
            session.add(*(Note(title=f"note {n}") for n in range(4)))
        async with AsyncSession(database) as session:
            notes = session.query(Note).order_by(Note.title)
            cursor = (await notes.page(2)).next
            assert cursor is not None
            assert [note.title for note in await notes.page(2, after=cursor)] == ["note 2", "note 3"]
            for other in (f"{cursor}=", f"{cursor}===", f"{cursor}\n", f" {cursor}", f"{cursor[:8]}\n{cursor[8:]}"):
                with pytest.raises(WrongCursor):
                    await notes.page(2, after=other)
