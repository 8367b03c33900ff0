"""S6: what has changed and is not written yet can be seen; changes inside documents are seen by queries too."""

from __future__ import annotations

import pytest

from cormorant import AsyncSession, Change, Database, ForeignInstanceError
from tests.support.households import House, Room
from tests.support.newsroom import Label, Memo, Story, Writer, make_story, make_writer, sent, sql_of


async def test_changed_columns_have_old_and_new(database: Database) -> None:
    key = await make_writer(database)
    async with AsyncSession(database) as session:
        ada = await session.get_one(Writer, key)
        assert session.changes(ada) == {}
        ada.name, ada.age = "Eve", 3
        ada.email = ada.email
        assert session.changes(ada) == {"name": Change("Ada", "Eve"), "age": Change(0, 3)}
        ada.age = 0
        assert list(session.changes(ada)) == ["name"]
        await session.flush()
        assert session.changes(ada) == {}
        ada.name = "Bob"
        await session.rollback()
        assert session.changes(ada) == {}


async def test_a_new_object_has_new_values(database: Database) -> None:
    async with AsyncSession(database) as session:
        ada = Writer(name="Ada")
        session.add(ada)
        assert session.changes(ada) == {"name": Change(None, "Ada"), "email": Change(), "age": Change(None, 0)}


async def test_relations_and_collections(database: Database) -> None:
    key = await make_story(database)
    async with AsyncSession(database) as session:
        story = await session.get_one(Story, key)
        label, before = Label(name="a"), story.writer_id
        story.labels.add(label)
        story.writer = Writer(name="Bob")
        assert session.changes(story) == {"writer_id": Change(before, None), "labels": Change(added=(label,))}
        await session.flush()
        story.labels.remove(label)
        assert session.changes(story) == {"labels": Change(removed=(label,))}


async def test_changes_inside_a_document_are_told(database: Database) -> None:
    async with AsyncSession(database) as session:
        memo = await session.create(Memo, body={"a": 1}, words=["x"])
        memo.body["a"] = 2
        assert session.changes(memo) == {"body": Change({"a": 1}, {"a": 2})}
        assert list(session.dirty) == [memo]


async def test_only_the_sessions_own_objects_have_changes(database: Database) -> None:
    key = await make_writer(database)
    async with AsyncSession(database) as one, AsyncSession(database) as other:
        ada = await one.get_one(Writer, key)
        for foreign in (ada, Writer(name="new")):
            with pytest.raises(ForeignInstanceError):
                other.changes(foreign)


# ---- documents and autoflush


async def test_a_query_sees_changes_inside_documents(database: Database) -> None:
    async with AsyncSession(database) as session:
        session.add(Memo(title="a", words=["x"]), Memo(title="b"))
    async with AsyncSession(database) as session:
        memo = await session.query(Memo).filter(Memo.title == "a").one()
        memo.words.append("y")
        assert await session.query(Memo).filter(Memo.words.contains(["y"])).all() == [memo]
        memo.body["k"] = 1
        assert await session.query(Memo).filter(Memo.body.has_key("k")).count() == 1
        memo.words.append("z")
        assert await session.query(Memo).filter(Memo.words.contains(["z"])).update(Memo.title.set("z")) == 1
        assert memo.title == "z"


async def test_a_query_of_other_tables_writes_no_documents(database: Database) -> None:
    async with AsyncSession(database) as session:
        memo = await session.create(Memo, words=["x"])
        memo.words.append("y")
        await session.query(Writer)
        assert sql_of(session, "UPDATE") == []
        await session.query(Memo)
        assert len(sql_of(session, "UPDATE")) == 1


async def test_documents_that_have_not_changed_are_not_written(database: Database) -> None:
    async with AsyncSession(database) as session:
        memo = await session.create(Memo, body={"a": [1, {"b": 2}]}, words=["x"])
        await session.commit()
        session.reset_query_stats()
        memo.words.append("y")
        memo.words.pop()
        await session.query(Memo)
        assert sent(session) == 1
        assert not session.dirty


async def test_in_autocommit_mode_too(database: Database) -> None:
    async with AsyncSession(database, autocommit=True) as session:
        memo = await session.create(Memo, words=["x"])
        memo.words.append("y")
        await session.query(Writer)
        assert len(sql_of(session, "UPDATE")) == 1


# ---- new, dirty, deleted


async def test_each_list_holds_what_it_says(database: Database) -> None:
    async with AsyncSession(database) as session:
        house = await session.create(House, name="a")
        assert [*session.new, *session.dirty, *session.deleted] == []
        house.name = "b"
        room = Room(house=house)
        session.add(room)
        assert (list(session.new), list(session.dirty), list(session.deleted)) == ([room], [house], [])
        await session.flush()
        session.delete(room)
        assert (list(session.new), list(session.dirty), list(session.deleted)) == ([], [], [room])
        session.expunge(room)
        assert list(session.deleted) == []
        await session.flush()
        assert await session.query(Room).count() == 1
        house.name = "c"
        session.clear()
        assert [*session.new, *session.dirty, *session.deleted] == []
