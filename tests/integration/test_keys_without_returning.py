"""SQLite tells the keys of many new rows, and what many writes have met, without RETURNING: whatever triggers do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest

from cormorant import AsyncSession, Database, FlushError, Mapped, Model, StaleObjectError, generated, search_index
from cormorant.models.constraints import TableArg
from cormorant.testing import RecordingAdapter


class Letter(Model, app="keyless"):
    id: Mapped[int] = generated(primary_key=True)
    text: Mapped[str]

    @classmethod
    def __table_args__(cls) -> Iterable[TableArg]:
        # kept up to date by triggers, which write to tables of their own
        yield search_index(cls.text)


class Stamp(Model, table="keyless_stamp"):
    """A table of somebody else's, whose key is not the number by which SQLite knows the row."""

    id: Mapped[int] = generated(primary_key=True)
    text: Mapped[str]


NOTING = """
CREATE TRIGGER noting AFTER INSERT ON keyless_letter BEGIN
    INSERT INTO note (text) VALUES (new.text), (new.text);
    UPDATE note SET text = upper(text);
END
"""
DROPPING = """
CREATE TRIGGER dropping BEFORE INSERT ON keyless_letter WHEN new.text = 'c' BEGIN SELECT RAISE(IGNORE); END
"""
FILLING = """
CREATE TABLE keyless_stamp (id INT PRIMARY KEY DEFAULT (abs(random() % 1000000000) + 1000), text TEXT NOT NULL)
"""


@pytest.fixture
def recording(tmp_path: Path) -> RecordingAdapter:
    return RecordingAdapter(f"sqlite:///{tmp_path / 'keys.db'}")


@pytest.fixture
async def db(recording: RecordingAdapter) -> AsyncIterator[Database]:
    async with Database(recording) as db:
        await db.create_all(Letter)
        async with AsyncSession(db) as session:
            await session.execute("CREATE TABLE note (id INTEGER PRIMARY KEY AUTOINCREMENT, text TEXT)")
            await session.execute("INSERT INTO note (id, text) VALUES (1000, 'first')")
        yield db


def letters(texts: str) -> list[Letter]:
    return [Letter(text=text) for text in texts]


async def write(session: AsyncSession, objects: list[Letter], *, bulk: bool) -> None:
    if bulk:
        await session.query(Letter).bulk_create(objects)
    else:
        session.add(*objects)
        await session.commit()


async def rows(db: Database) -> list[tuple[int, str]]:
    async with AsyncSession(db) as session:
        return [(row[0], row[1]) for row in await session.execute("SELECT id, text FROM keyless_letter ORDER BY id")]


@pytest.mark.parametrize("bulk", [False, True])
async def test_keys_are_those_of_the_rows(db: Database, bulk: bool) -> None:
    async with AsyncSession(db) as session:
        await session.execute(NOTING)
        await session.commit()
        made = letters("abcdefgh")
        await write(session, made, bulk=bulk)
        assert [await session.get(Letter, letter.id) for letter in made] == made
    assert await rows(db) == [(letter.id, letter.text) for letter in made]


@pytest.mark.parametrize("bulk", [False, True])
async def test_a_row_that_a_trigger_drops_is_told(db: Database, bulk: bool) -> None:
    async with AsyncSession(db) as session:
        await session.execute(DROPPING)
        await session.commit()
        with pytest.raises(FlushError, match="did not come back"):
            await write(session, letters("abcd"), bulk=bulk)
        await session.rollback()
    assert await rows(db) == []


async def test_a_key_of_another_kind_is_asked_for(recording: RecordingAdapter, db: Database) -> None:
    async with AsyncSession(db) as session:
        await session.execute(FILLING)
        made = [Stamp(text=text) for text in "abcd"]
        session.add(*made)
        await session.commit()
        assert min(stamp.id for stamp in made) >= 1000
        found = await session.execute("SELECT id, text FROM keyless_stamp")
        assert {(row[0], row[1]) for row in found} == {(stamp.id, stamp.text) for stamp in made}


async def test_changes_of_rows_that_are_gone_are_told(recording: RecordingAdapter, db: Database) -> None:
    async with AsyncSession(db) as session:
        made = letters("abcd")
        session.add(*made)
        await session.commit()
        await session.execute("DELETE FROM keyless_letter WHERE text IN ('b', 'd')")
        await session.commit()
        for letter in made:
            letter.text += "!"
        with pytest.raises(StaleObjectError, match=r"text='b!'.* and 1 more was deleted"):
            await session.flush()
        await session.rollback()
        for letter in made:
            session.delete(letter)
        with pytest.raises(StaleObjectError, match=r"text='b'.* and 1 more was deleted"):
            await session.flush()
        await session.rollback()
    assert 'UPDATE "keyless_letter" SET "text" = ?2 WHERE "id" = ?1' in recording.statements
    assert 'DELETE FROM "keyless_letter" WHERE "id" = ?1' in recording.statements


async def test_what_is_cancelled_half_way_leaves_nothing(db: Database) -> None:
    async with AsyncSession(db) as session:
        await session.execute(NOTING)
        await session.commit()
    for count in range(1, 8):
        async with AsyncSession(db) as session:
            task = asyncio.ensure_future(write(session, letters("abcdefgh" * 40), bulk=False))
            for _ in range(count):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
            if not task.cancelled():
                continue
            await session.rollback()
            assert (await session.query(Letter).count()) % 320 == 0
