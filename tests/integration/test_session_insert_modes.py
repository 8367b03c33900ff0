"""S6: every returned row finds its object, by whichever way a batch is inserted."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from typing import Any

import pytest

from cormorant import AsyncSession, Database, Model
from cormorant.dialects.postgresql import PostgreSQLDialect
from cormorant.errors import FlushError
from cormorant.sql.statements import InsertMode
from tests.support.newsroom import MODELS, Folder, Label, Memo, Story, Ticket, Writer, sql_of

WORDS = {"row": "INSERT INTO", "ascending": "INSERT INTO", "by_key": "INSERT INTO", "ordinal": "MERGE INTO"}


@pytest.fixture
async def postgres(postgres_database: str) -> AsyncIterator[Database]:
    async with Database(postgres_database) as database:
        await database.create_all(*MODELS)
        yield database


@pytest.fixture(params=["row", "ascending", "ordinal"])
async def mode(request: pytest.FixtureRequest, postgres: Database, monkeypatch: pytest.MonkeyPatch) -> InsertMode:
    """Each way to insert rows whose keys the server makes, as far as it can."""
    wanted: InsertMode = request.param
    await postgres.ping()
    if wanted == "ordinal" and postgres.adapter.server_version < (17,):
        pytest.skip(
            "MERGE returns rows since PostgreSQL 17; CORMORANT_TEST_PG_SOURCE=wheel runs the tests on a newer one"
        )

    def insert_mode(self: Any, version: tuple[int, ...], *, key_given: bool, ascending: bool) -> InsertMode:
        return "by_key" if key_given and wanted != "ordinal" else wanted

    monkeypatch.setattr(PostgreSQLDialect, "insert_mode", insert_mode)
    return wanted


async def names_in(database: Database, model: Any, column: Any) -> dict[Any, Any]:
    async with AsyncSession(database) as session:
        return dict(await session.query(model).values(model.id, column))


@pytest.mark.parametrize("count", [2, 100])
async def test_made_keys_find_their_objects(postgres: Database, mode: InsertMode, count: int) -> None:
    labels = [Label(name=f"{n}") for n in random.Random(count).sample(range(10_000), count)]
    async with AsyncSession(postgres) as session:
        session.add(*labels)
        await session.flush()
        (insert,) = sql_of(session, "INSERT") + sql_of(session, "MERGE")
        assert insert.startswith(WORDS[mode])
        assert ("unnest" in insert) is (mode != "row")
    assert await names_in(postgres, Label, Label.name) == {label.id: label.name for label in labels}
    # rows get their keys in the order in which they were added
    assert [label.id for label in labels] == sorted(label.id for label in labels)


async def test_given_keys_find_their_objects(postgres: Database, mode: InsertMode) -> None:
    tickets = [Ticket(seat=f"{n}") for n in range(20)]
    async with AsyncSession(postgres) as session:
        session.add(*tickets)
    assert {ticket.price for ticket in tickets} == {7}
    assert await names_in(postgres, Ticket, Ticket.seat) == {ticket.id: ticket.seat for ticket in tickets}


async def test_keys_of_parents_reach_their_children(postgres: Database, mode: InsertMode) -> None:
    writers = [Writer(name=f"w{n}") for n in range(20)]
    stories = [Story(title=f"{n}", writer=writers[n * 7 % 20]) for n in range(60)]
    folders = [Folder(name="0")]
    for n in range(1, 30):
        folders.append(Folder(name=f"{n}", parent=folders[n // 2]))
    async with AsyncSession(postgres) as session:
        session.add(*stories, *folders)
    async with AsyncSession(postgres) as session:
        found = await session.query(Story).values(Story.title, Story.writer.name)
        assert sorted(found) == sorted((f"{n}", f"w{n * 7 % 20}") for n in range(60))
        tree = await session.query(Folder).filter(Folder.parent.is_not_null()).values(Folder.name, Folder.parent.name)
        assert sorted(tree) == sorted((f"{n}", f"{n // 2}") for n in range(1, 30))


async def test_documents_and_lists_travel_in_batches(postgres: Database, mode: InsertMode) -> None:
    bodies: list[Any] = [{}, {"a": [1, None, "x'\"\\"]}, {"n": {"m": 1.5}}]
    words = [[], ["a,b", "{c}", '"d"', "NULL", "", "\\"], ["é"]]
    memos = [Memo(body=body, words=list(word)) for body in bodies for word in words]
    async with AsyncSession(postgres) as session:
        session.add(*memos)
        await session.flush()
        for memo in memos:
            memo.words.append("more")
            memo.body["more"] = True
    async with AsyncSession(postgres) as session:
        for memo in memos:
            found = await session.get_one(Memo, memo.id)
            assert (found.body, found.words) == (memo.body, memo.words)


async def test_rows_that_a_trigger_drops_are_missed(postgres: Database, mode: InsertMode) -> None:
    async with AsyncSession(postgres) as session:
        await session.execute(
            "CREATE FUNCTION drop_two() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN IF new.name = '2' THEN RETURN NULL; END IF; RETURN new; END $$"
        )
        await session.execute(
            "CREATE TRIGGER drops BEFORE INSERT ON newsroom_label FOR EACH ROW EXECUTE FUNCTION drop_two()"
        )
        await session.commit()
        session.add(*(Label(name=f"{n}") for n in range(5)))
        with pytest.raises(FlushError, match=r"trigger|did not come back"):
            await session.flush()
        await session.rollback()
        assert await session.query(Label).count() == 0


async def test_a_key_that_a_trigger_changes_is_missed(postgres: Database) -> None:
    async with AsyncSession(postgres) as session:
        await session.execute(
            "CREATE FUNCTION other_key() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN new.id := gen_random_uuid(); RETURN new; END $$"
        )
        await session.execute(
            "CREATE TRIGGER keys BEFORE INSERT ON newsroom_ticket FOR EACH ROW EXECUTE FUNCTION other_key()"
        )
        await session.commit()
        session.add(Ticket(seat="1"), Ticket(seat="2"))
        with pytest.raises(FlushError, match="came back with the key"):
            await session.flush()
        await session.rollback()


async def test_values_that_a_trigger_makes_come_back(postgres: Database, mode: InsertMode) -> None:
    async with AsyncSession(postgres) as session:
        await session.execute(
            "CREATE FUNCTION double() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN new.price := length(new.seat); RETURN new; END $$"
        )
        await session.execute(
            "CREATE TRIGGER prices BEFORE INSERT ON newsroom_ticket FOR EACH ROW EXECUTE FUNCTION double()"
        )
        await session.commit()
        tickets: list[Model] = [Ticket(seat="x" * n) for n in range(1, 6)]
        session.add(*tickets)
        await session.flush()
        assert [ticket.to_dict()["price"] for ticket in tickets] == [1, 2, 3, 4, 5]


async def test_batches_of_changes_and_deletes_find_their_rows(postgres: Database) -> None:
    async with AsyncSession(postgres) as session:
        writer = Writer(name="Ada")
        session.add(*(Story(title=f"{n}", writer=writer) for n in range(50)))
    async with AsyncSession(postgres) as session:
        stories = await session.query(Story)
        random.Random(1).shuffle(stories)
        for place, story in enumerate(stories):
            if place % 3:
                story.title, story.views = f"{story.title}!", place
            else:
                session.delete(story)
        await session.flush()
        kept = [story for place, story in enumerate(stories) if place % 3]
        assert {story.version for story in kept} == {2}
    async with AsyncSession(postgres) as session:
        found = await session.query(Story).values(Story.id, Story.title, Story.views, Story.version)
        assert sorted(found) == sorted((s.id, s.title, s.views, s.version) for s in kept)
