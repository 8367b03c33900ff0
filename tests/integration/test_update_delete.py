"""Updates and deletes by query: what they give back, and the loaded objects that follow them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from cormorant import (
    AsyncSession,
    Database,
    ForeignInstanceError,
    Mapped,
    Model,
    NotFoundError,
    One,
    QueryError,
    StaleObjectError,
    field,
    foreign_key,
    func,
    generated,
    ref,
)
from tests.support import kept_tables
from tests.support.newsroom import (
    MODELS,
    Folder,
    Grade,
    Label,
    Memo,
    Story,
    Writer,
    make_story,
    make_writer,
    rolled_back,
    sent,
    sql_of,
    words,
)


class Shelf(Model, app="writes"):
    row: Mapped[int] = field(primary_key=True)
    place: Mapped[int] = field(primary_key=True)
    name: Mapped[str]
    upper: Mapped[str] = generated(computed=lambda m: func.upper(m.name))
    weight: Mapped[float] = field(default=0.0)
    writer: One[Writer | None] = foreign_key(default=None)


@pytest.fixture
async def database(database_dsn: str, keeps_tables: None) -> AsyncIterator[Database]:
    async with Database(database_dsn) as database:
        await kept_tables.prepare(database, database_dsn, *MODELS, Shelf)
        await fill(database)
        yield database


async def fill(database: Database) -> None:
    async with AsyncSession(database) as session:
        await session.query(Writer).bulk_create([{"name": "Ada", "age": 1}, {"name": "Bob", "age": 2}])
        names = [(1, 1, "a"), (1, 2, "b"), (2, 1, "c")]
        await session.query(Shelf).bulk_create(
            {"row": row, "place": place, "name": name, "writer_id": row} for row, place, name in names
        )


# ------------------------------------------------------------------ what comes back


async def test_without_returning_the_number_of_rows(database: Database) -> None:
    async with AsyncSession(database) as session:
        assert await session.query(Shelf).filter(Shelf.row == 1).update(Shelf.name.set("x")) == 2
        assert await session.query(Shelf).filter(Shelf.row == 9).update(Shelf.name.set("x")) == 0
        assert await session.query(Shelf).filter(Shelf.row == 1).delete() == 2
        assert await session.query(Shelf).delete() == 1


@pytest.mark.parametrize("known", [False, True])
async def test_values_and_tuples(database: Database, known: bool) -> None:
    async with AsyncSession(database) as session:
        kept = await session.query(Shelf) if known else []
        shelves = session.query(Shelf).filter(Shelf.row == 1)
        assert sorted(await shelves.update(Shelf.weight.set(2), returning=Shelf.place)) == [1, 2]
        found = await shelves.update(Shelf.weight.set(Shelf.weight + 1.0), returning=(Shelf.name, Shelf.weight))
        assert sorted(found) == [("a", 3.0), ("b", 3.0)]
        assert all(type(weight) is float for _, weight in found)
        assert await shelves.filter(Shelf.place == 2).update(Shelf.name.set("z"), returning=Shelf.upper) == ["Z"]
        one = await shelves.filter(Shelf.place == 1).delete(
            returning=(Shelf.row, Shelf.place, Shelf.name + "!", Shelf.weight * 2)
        )
        assert one == [(1, 1, "a!", 6.0)]
        assert await shelves.delete(returning=Shelf.name) == ["z"]
        assert await session.query(Shelf).count() == 1
        assert len(session.identity_map) == (1 if kept else 0)


async def test_objects_come_back_as_they_are_now(database: Database) -> None:
    async with AsyncSession(database) as session:
        loaded = await session.get_one(Shelf, (1, 1))
        made = await session.query(Shelf).filter(Shelf.row == 1).update(Shelf.name.set("x"), returning=Shelf)
        assert sorted((s.place, s.name, s.upper) for s in made) == [(1, "x", "X"), (2, "x", "X")]
        assert loaded in made
        assert loaded.name == "x"
        assert len(session.identity_map) == 2
        # they are the session's own
        made[0].name = "y"
        await session.commit()
        assert made[0].upper == "Y"


async def test_deleted_objects_come_back_and_belong_to_nobody(database: Database) -> None:
    async with AsyncSession(database) as session:
        loaded = await session.get_one(Shelf, (1, 1))
        gone = await session.query(Shelf).filter(Shelf.row == 1).delete(returning=Shelf)
        assert sorted(s.name for s in gone) == ["a", "b"]
        assert loaded in gone
        assert not session.identity_map
        session.add(loaded)
        await session.flush()
        assert await session.query(Shelf).filter(Shelf.row == 1).scalars(Shelf.name) == ["a"]


# ------------------------------------------------------------------ loaded objects


async def test_loaded_objects_follow_an_update(database: Database) -> None:
    async with AsyncSession(database) as session:
        a, b, c = await session.query(Shelf).order_by(Shelf.row, Shelf.place)
        assert await session.query(Shelf).filter(Shelf.row == 1).update(Shelf.name.set(Shelf.name + "!")) == 2
        assert [(s.name, s.upper) for s in (a, b, c)] == [("a!", "A!"), ("b!", "B!"), ("c", "C")]
        assert not session.dirty
        assert (
            sql_of(session, "UPDATE")[0]
            .replace("+", "")
            .endswith(
                ' RETURNING "writes_shelf"."row", "writes_shelf"."place", "writes_shelf"."name", "writes_shelf"."upper"'
            )
        )


async def test_without_loaded_objects_nothing_comes_back(database: Database) -> None:
    async with AsyncSession(database) as session:
        await session.get(Writer, 1)
        await session.query(Shelf).update(Shelf.name.set("x"))
        assert "RETURNING" not in sql_of(session, "UPDATE")[0]
        await session.query(Shelf).delete()
        assert "RETURNING" not in sql_of(session, "DELETE")[0]


async def test_changes_are_written_before_and_kept(database: Database) -> None:
    async with AsyncSession(database) as session:
        shelf = await session.get_one(Shelf, (1, 1))
        shelf.weight = 5.0
        await session.query(Shelf).update(Shelf.weight.set(Shelf.weight + 1.0))
        assert shelf.weight == 6.0
        assert not session.dirty


async def test_what_changes_meanwhile_stays_changed(database: Database) -> None:
    async with AsyncSession(database) as session, session.transaction():
        shelf = await session.get_one(Shelf, (1, 1))
        task = asyncio.create_task(session.query(Shelf).update(Shelf.name.set("x")))
        await asyncio.sleep(0)
        shelf.weight = 5.0
        assert await task == 3
        assert (shelf.name, shelf.weight) == ("a", 5.0)
        await session.flush()
        await session.refresh(shelf)
        assert (shelf.name, shelf.weight) == ("x", 5.0)


async def test_versions_count_up_and_stale_objects_are_found_out(database: Database) -> None:
    key = await make_story(database)
    async with AsyncSession(database) as session, AsyncSession(database) as other:
        story, stale = await session.get_one(Story, key), await other.get_one(Story, key)
        await session.query(Story).update(Story.views.set(Story.views + 1))
        assert (story.views, story.version) == (1, 2)
        story.title = "mine"
        await session.commit()
        assert story.version == 3
        stale.title = "theirs"
        with pytest.raises(StaleObjectError):
            await other.flush()
        await other.rollback()


async def test_keys_of_relations_follow_with_their_objects(database: Database) -> None:
    async with AsyncSession(database) as session:
        ada, bob = await session.query(Writer).order_by(Writer.id)
        story = await session.create(Story, title="x", writer=ada)
        assert list(await ada.stories) == [story]
        assert list(await bob.stories) == []
        await session.query(Story).update(Story.writer.id.set(bob.id))
        assert story.writer is bob
        assert (list(ada.stories), list(bob.stories)) == ([], [story])
        await session.query(Shelf).filter(Shelf.row == 2).update(Shelf.writer.id.set(ada.id))
        assert await session.query(Shelf).filter(Shelf.writer == ada).count() == 3


async def test_documents_and_lists_follow(database: Database) -> None:
    async with AsyncSession(database) as session:
        memo = await session.create(Memo, body={"a": 1}, words=["x"])
        await session.query(Memo).update(Memo.body.set({"b": 2}), Memo.words.set(["y"]))
        assert (memo.body, memo.words) == ({"b": 2}, ["y"])
        memo.words.append("z")
        await session.commit()
        assert await session.query(Memo).scalars(Memo.words) == [["y", "z"]]


async def test_references_stay_references(database: Database) -> None:
    async with AsyncSession(database) as session:
        shelf = await session.get_one(Shelf, (1, 1))
        reference = shelf.writer
        assert reference is not None
        await session.query(Writer).update(Writer.name.set("new"))
        assert (await reference).name == "new"


async def test_deleted_objects_leave_the_session(database: Database) -> None:
    async with AsyncSession(database) as session:
        ada = await session.get_one(Writer, 1)
        story = await session.create(Story, title="x", writer=ada)
        label = await session.create(Label, name="l")
        story.labels.add(label)
        await session.flush()
        assert list(await ada.stories) == [story]
        assert list(await label.stories) == [story]
        assert await session.query(Story).delete() == 1
        assert (list(ada.stories), list(label.stories)) == ([], [])
        assert story not in session.identity_map
        assert story.title == "x"
        assert await session.get(Story, story.id) is None
        with pytest.raises(ForeignInstanceError, match="was never saved"):
            session.delete(story)


async def test_a_reference_whose_row_is_gone(database: Database) -> None:
    async with AsyncSession(database) as session:
        shelf = await session.get_one(Shelf, (2, 1))
        reference = shelf.writer
        assert reference is not None
        await session.query(Shelf).filter(Shelf.row == 2).update(Shelf.writer_id.set(None))  # type: ignore[attr-defined]
        await session.query(Writer).filter(Writer.id == 2).delete()
        with pytest.raises(NotFoundError):
            await reference


async def test_a_rollback_puts_loaded_objects_back(database: Database) -> None:
    async with AsyncSession(database) as session:
        a, b, _ = await session.query(Shelf).order_by(Shelf.row, Shelf.place)
        async with rolled_back(session.transaction()):
            await session.query(Shelf).update(Shelf.name.set("x"))
            assert a.name == "x"
            await session.query(Shelf).filter(Shelf.place == 2).delete()
            assert b not in session.identity_map
        assert (a.name, a.upper, b.name) == ("a", "A", "b")
        assert await session.get(Shelf, (1, 2)) is b
        a.name = "y"
        await session.commit()
        assert a.upper == "Y"


async def test_in_autocommit_mode_a_later_rollback_changes_nothing(database: Database) -> None:
    async with AsyncSession(database, autocommit=True) as session:
        shelf = await session.get_one(Shelf, (1, 1))
        await session.query(Shelf).update(Shelf.name.set("x"))
        assert words(session) == {"SELECT": 1, "UPDATE": 1}
        await session.rollback()
        assert shelf.name == "x"
        await session.query(Shelf).delete()
        await session.rollback()
        assert shelf not in session.identity_map


async def test_keys_are_changed_where_no_object_would_lose_its_row(database: Database) -> None:
    async with AsyncSession(database) as session:
        assert await session.query(Shelf).update(Shelf.row.set(Shelf.row + 10)) == 3
        shelf = await session.get_one(Shelf, (11, 1))
        with pytest.raises(
            QueryError, match=r"update\(\) sets Shelf\.row, a key, while the session holds Shelf objects"
        ):
            await session.query(Shelf).update(Shelf.row.set(1))
        session.expunge(shelf)
        assert await session.query(Shelf).filter(Shelf.place == 1, Shelf.row == 11).update(Shelf.row.set(1)) == 1


# ------------------------------------------------------------------ values and conditions


async def test_values_come_from_queries_and_relations(database: Database) -> None:
    async with AsyncSession(database) as session:
        own = session.query(Shelf).filter(Shelf.writer.id == Writer.id).scalars(func.coalesce(func.max(Shelf.place), 0))
        assert await session.query(Writer).update(Writer.age.set(own.as_expr())) == 2
        assert await session.query(Writer).order_by(Writer.id).scalars(Writer.age) == [2, 1]
        await session.query(Shelf).update(Shelf.name.set(func.coalesce(Shelf.writer.name, "none") + "'s"))
        assert await session.query(Shelf).order_by(Shelf.row, Shelf.place).scalars(Shelf.name) == [
            "Ada's",
            "Ada's",
            "Bob's",
        ]


async def test_rows_of_a_key_of_two_columns_are_found_along_a_relation(database: Database) -> None:
    async with AsyncSession(database) as session:
        shelves = session.query(Shelf).filter(Shelf.writer.name == "Ada", Shelf.place > 1)
        assert await shelves.update(Shelf.name.set("x"), returning=(Shelf.row, Shelf.place)) == [(1, 2)]
        assert await session.query(Shelf).filter(Shelf.writer.name == "Bob").delete() == 1
        assert await session.query(Grade).filter(Grade.points > 3).delete() == 0
        assert await session.query(Shelf).count() == 2


async def test_the_rows_of_a_collection(database: Database) -> None:
    await make_story(database, writer=ref(Writer, 1))
    await make_story(database, title="b", writer=ref(Writer, 2))
    async with AsyncSession(database) as session:
        ada = await session.get_one(Writer, 1)
        stories = ada.stories.filter(Story.views == 0)
        assert await stories.update(Story.views.set(5), returning=Story.title) == ["Notes"]
        assert await stories.delete() == 0
        assert await ada.stories.filter(Story.views == 5).delete() == 1
        assert await session.query(Story).scalars(Story.title) == ["b"]


async def test_one_statement(database: Database) -> None:
    async with AsyncSession(database) as session:
        await session.query(Folder).update(Folder.name.set("x"))
        assert words(session) == {"BEGIN": 1, "UPDATE": 1}
        await session.query(Folder).delete(returning=Folder.id)
        assert sent(session) == 3


async def test_hostile_values(database: Database) -> None:
    text = "'; DROP TABLE x; -- \\ $1 ?1 :x %s"
    async with AsyncSession(database) as session:
        shelves = session.query(Shelf).filter(Shelf.row == 1)
        assert await shelves.update(Shelf.name.set(text), returning=Shelf.name) == [text] * 2
        for value in ("a\0b", 3, None):
            with pytest.raises(QueryError):
                await shelves.update(Shelf.name.set(value))  # type: ignore[arg-type]
        assert await session.query(Shelf).filter(Shelf.name == text).delete() == 2


async def test_managers_write_too(database: Database) -> None:
    async with AsyncSession(database) as session:
        assert await Writer.objects.filter(name="Ada").update(Writer.age.set(7), returning=Writer.age) == [7]
        assert await Label.objects.bulk_create([{"name": "a"}]) == 1
        assert await Label.objects.upsert([{"name": "a"}], on=[Label.name], returning=Label.name) == []
        label, made = await Label.objects.get_or_create(name="a")
        assert (label.name, made) == ("a", False)
        assert await Label.objects.insert_from([Label.name], Writer.objects.scalars(Writer.name)) == 2
        assert await Label.objects.delete() == 3
        assert not session.identity_map


async def test_writers_of_other_rows_are_left_alone(database: Database) -> None:
    key = await make_writer(database, name="Eve")
    async with AsyncSession(database) as session:
        writers = {writer.name: writer for writer in await session.query(Writer)}
        expected: dict[str, Any] = {"Ada": 1, "Bob": 2, "Eve": 9}
        await session.query(Writer).filter(Writer.id == key).update(Writer.age.set(9))
        assert {name: writer.age for name, writer in writers.items()} == expected
