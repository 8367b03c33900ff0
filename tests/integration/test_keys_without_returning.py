"""SQLite tells the keys of many new rows, and what many writes have met, without RETURNING: whatever triggers do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest

from cormorant import (
    AsyncSession,
    Database,
    FlushError,
    Mapped,
    Model,
    StaleObjectError,
    UniqueViolation,
    field,
    generated,
    search_index,
    text,
)
from cormorant.models.constraints import TableArg


class Letter(Model, app="keyless"):
    id: Mapped[int] = generated(primary_key=True)
    text: Mapped[str]

    @classmethod
    def __table_args__(cls) -> Iterable[TableArg]:
        # kept up to date by triggers, which write to tables of their own
        yield search_index(cls.text)


class Card(Model, app="keyless"):
    id: Mapped[int] = generated(primary_key=True)
    text: Mapped[str]


class Seen(Model, table="keyless_seen"):
    """A view, whose rows are written by triggers."""

    id: Mapped[int] = field(primary_key=True)
    text: Mapped[str]


class Stamp(Model, table="keyless_stamp"):
    """A table of somebody else's, whose key is not the number by which SQLite knows the row."""

    id: Mapped[int] = generated(primary_key=True)
    text: Mapped[str]


TRIGGERS = {
    "nothing": "SELECT 1",
    "noting": """CREATE TRIGGER noting AFTER INSERT ON {table} BEGIN
        INSERT INTO note (text) VALUES (new.text), (new.text);
        UPDATE note SET text = upper(text);
    END""",
    "sometimes": """CREATE TRIGGER sometimes AFTER INSERT ON {table} WHEN new.text = 'e' BEGIN
        INSERT INTO note (text) VALUES (new.text);
    END""",
    "doubling": """CREATE TRIGGER doubling AFTER INSERT ON {table} WHEN new.text = 'c' BEGIN
        INSERT INTO {table} (text) VALUES ('of a trigger');
    END""",
    "before": """CREATE TRIGGER doubling BEFORE INSERT ON {table} WHEN new.text = 'c' BEGIN
        INSERT INTO {table} (text) VALUES ('of a trigger');
    END""",
    "deleting": """CREATE TRIGGER deleting AFTER INSERT ON {table} WHEN new.text = 'c' BEGIN
        DELETE FROM {table} WHERE text = 'b';
        INSERT INTO {table} (text) VALUES ('of a trigger');
    END""",
}
DROPPING = """
CREATE TRIGGER dropping BEFORE INSERT ON {table} WHEN new.text = 'c' BEGIN SELECT RAISE(IGNORE); END
"""
VIEW = (
    "CREATE VIEW keyless_seen AS SELECT id, text FROM keyless_card",
    """CREATE TRIGGER seen_new INSTEAD OF INSERT ON keyless_seen BEGIN
        INSERT INTO keyless_card (id, text) VALUES (new.id, new.text);
    END""",
    """CREATE TRIGGER seen_change INSTEAD OF UPDATE ON keyless_seen BEGIN
        UPDATE keyless_card SET text = new.text WHERE id = old.id;
    END""",
    """CREATE TRIGGER seen_end INSTEAD OF DELETE ON keyless_seen BEGIN
        DELETE FROM keyless_card WHERE id = old.id;
    END""",
)
FILLING = """
CREATE TABLE keyless_stamp (id INT PRIMARY KEY DEFAULT (abs(random() % 1000000000) + 1000), text TEXT NOT NULL)
"""


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    async with Database(f"sqlite:///{tmp_path / 'keys.db'}") as db:
        await db.create_all(Letter, Card)
        async with AsyncSession(db) as session:
            await session.execute("CREATE TABLE note (id INTEGER PRIMARY KEY AUTOINCREMENT, text TEXT)")
            await session.execute("INSERT INTO note (id, text) VALUES (1000, 'first')")
        yield db


Text = Letter | Card
models = pytest.mark.parametrize("model", [Letter, Card])
bulk_or_not = pytest.mark.parametrize("bulk", [False, True])


def texts(model: type[Text], given: str) -> list[Text]:
    return [model(text=letter) for letter in given]


async def write(session: AsyncSession, objects: list[Text], *, bulk: bool) -> None:
    if bulk:
        await session.query(type(objects[0])).bulk_create(objects)
    else:
        session.add(*objects)
        await session.commit()


async def trigger(db: Database, model: type[Text], sql: str) -> None:
    async with AsyncSession(db) as session:
        await session.execute(text(sql.replace("{table}", model.__info__.table)), write=True)


async def rows(db: Database, model: type[Text]) -> dict[int, str]:
    async with AsyncSession(db) as session:
        return {row[0]: row[1] for row in await session.execute(text(f"SELECT id, text FROM {model.__info__.table}"))}


@models
@bulk_or_not
@pytest.mark.parametrize("what", TRIGGERS)
async def test_keys_are_those_of_the_rows(db: Database, model: type[Text], bulk: bool, what: str) -> None:
    await trigger(db, model, TRIGGERS[what])
    async with AsyncSession(db) as session:
        made = texts(model, "abcdefgh")
        await write(session, made, bulk=bulk)
        assert [await session.get(model, one.id) for one in made] == made
    gone = {"b"} if what == "deleting" else set[str]()
    found = {key: value for key, value in (await rows(db, model)).items() if value != "of a trigger"}
    assert found == {one.id: one.text for one in made if one.text not in gone}


@models
@bulk_or_not
async def test_a_row_that_a_trigger_drops_is_told(db: Database, model: type[Text], bulk: bool) -> None:
    await trigger(db, model, DROPPING)
    async with AsyncSession(db) as session:
        with pytest.raises(FlushError, match="did not come back"):
            await write(session, texts(model, "abcd"), bulk=bulk)
        await session.rollback()
    assert await rows(db, model) == {}


@models
@bulk_or_not
async def test_a_row_that_is_refused_takes_the_others_along(db: Database, model: type[Text], bulk: bool) -> None:
    await trigger(db, model, "CREATE UNIQUE INDEX one_each ON {table} (text)")
    async with AsyncSession(db) as session:
        await write(session, texts(model, "ab"), bulk=bulk)
        await session.commit()
        with pytest.raises(UniqueViolation):
            await write(session, texts(model, "cdefbg"), bulk=bulk)
        await session.rollback()
        made = texts(model, "xyz")
        await write(session, made, bulk=bulk)
    assert sorted((await rows(db, model)).values()) == ["a", "b", "x", "y", "z"]
    assert {one.id: one.text for one in made}.items() <= (await rows(db, model)).items()


async def test_a_key_of_another_kind_is_asked_for(db: Database) -> None:
    async with AsyncSession(db) as session:
        await session.execute(FILLING)
        made = [Stamp(text=letter) for letter in "abcd"]
        session.add(*made)
        await session.commit()
        assert min(stamp.id for stamp in made) >= 1000
        found = await session.execute("SELECT id, text FROM keyless_stamp")
        assert {(row[0], row[1]) for row in found} == {(stamp.id, stamp.text) for stamp in made}


async def test_changes_of_rows_that_are_gone_are_told(db: Database) -> None:
    async with AsyncSession(db) as session:
        made = texts(Card, "abcd")
        await write(session, made, bulk=False)
        await session.execute("DELETE FROM keyless_card WHERE text IN ('b', 'd')")
        await session.commit()
        for card in made:
            card.text += "!"
        with pytest.raises(StaleObjectError, match=r"text='b!'.* and 1 more was deleted"):
            await session.flush()
        await session.rollback()
        for card in made:
            session.delete(card)
        with pytest.raises(StaleObjectError, match=r"text='b'.* and 1 more was deleted"):
            await session.flush()
        await session.rollback()


@models
async def test_what_is_cancelled_half_way_leaves_nothing(db: Database, model: type[Text]) -> None:
    for count in range(1, 8):
        async with AsyncSession(db) as session:
            task = asyncio.ensure_future(write(session, texts(model, "abcdefgh" * 80), bulk=False))
            for _ in range(count):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
            await session.rollback()
            assert await session.query(model).count() % 640 == 0


async def test_rows_of_a_view_are_written_by_its_triggers(db: Database) -> None:
    for statement in VIEW:
        await trigger(db, Card, statement)
    async with AsyncSession(db) as session:
        session.add(*(Seen(id=n, text=f"{n}") for n in range(1, 5)))
        await session.commit()
        assert await session.query(Seen).bulk_create({"id": n, "text": f"{n}"} for n in (5, 6)) == 2
        seen = await session.query(Seen).order_by(Seen.id)
        for one in seen[:3]:
            one.text += "!"
        for one in seen[3:5]:
            session.delete(one)
        await session.commit()
    assert await rows(db, Card) == {1: "1!", 2: "2!", 3: "3!", 6: "6"}


# ---- one row at a time


@models
@pytest.mark.parametrize("what", TRIGGERS)
async def test_keys_of_single_rows_are_theirs(db: Database, model: type[Text], what: str) -> None:
    async with AsyncSession(db) as session:
        # the statement is known when the trigger comes
        await write(session, texts(model, "y"), bulk=False)
        await write(session, texts(model, "z"), bulk=False)
    await trigger(db, model, TRIGGERS[what])
    async with AsyncSession(db) as session:
        made = texts(model, "abcdefgh")
        for one in made:
            await write(session, [one], bulk=False)
        gone = {"b"} if what == "deleting" else set[str]()
        found = {
            key: value for key, value in (await rows(db, model)).items() if value not in ("of a trigger", "y", "z")
        }
        assert found == {one.id: one.text for one in made if one.text not in gone}


@models
async def test_a_single_row_that_a_trigger_drops_is_told(db: Database, model: type[Text]) -> None:
    async with AsyncSession(db) as session:
        for letter in "ab":
            await write(session, texts(model, letter), bulk=False)
        await trigger(db, model, DROPPING)
        with pytest.raises(FlushError, match="did not come back"):
            await write(session, texts(model, "c"), bulk=False)
        await session.rollback()
    assert sorted((await rows(db, model)).values()) == ["a", "b"]


async def test_single_rows_that_are_gone_are_told(db: Database) -> None:
    async with AsyncSession(db) as session:
        made = texts(Card, "abcd")
        await write(session, made, bulk=False)
        for card in made[:2]:
            card.text += "!"
            await session.commit()
        await session.execute("DELETE FROM keyless_card WHERE text IN ('c', 'd')")
        await session.commit()
        made[2].text += "!"
        with pytest.raises(StaleObjectError, match=r"text='c!'"):
            await session.commit()
        await session.rollback()
        session.delete(made[0])
        await session.commit()
        session.delete(made[3])
        with pytest.raises(StaleObjectError, match=r"text='d'"):
            await session.commit()
        await session.rollback()
    assert await rows(db, Card) == {made[1].id: "b!"}


async def test_single_rows_of_a_view_are_written_by_its_triggers(db: Database) -> None:
    async with AsyncSession(db) as session:
        for statement in VIEW:
            await session.execute(text(statement), write=True)
        cards = texts(Card, "abcd")
        await write(session, cards, bulk=False)
    async with AsyncSession(db) as session:
        seen = await session.query(Seen).order_by(Seen.id)
        for one in seen[:3]:
            one.text += "!"
            await session.commit()
        for one in seen[2:]:
            session.delete(one)
            await session.commit()
    assert await rows(db, Card) == {cards[0].id: "a!", cards[1].id: "b!"}


async def test_a_table_made_anew_is_asked_anew_what_its_keys_are(db: Database) -> None:
    async with AsyncSession(db) as session:
        await session.execute("CREATE TABLE keyless_stamp (id INTEGER PRIMARY KEY, text TEXT NOT NULL)")
        for letter in "ab":
            session.add(Stamp(text=letter))
            await session.commit()
    await db.drop_all(Stamp)
    async with AsyncSession(db) as session:
        await session.execute(FILLING)
        made = Stamp(text="c")
        session.add(made)
        await session.commit()
        assert made.id >= 1000
