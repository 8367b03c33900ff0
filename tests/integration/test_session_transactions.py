"""S4 and S8: blocks, savepoints, and objects that go back with the database."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from cormorant import AsyncSession, Database, UniqueViolation, UnsavedError, ValidationError
from cormorant.errors import (
    ConfigurationError,
    DatabaseError,
    NotLoadedError,
    SessionNotEntered,
    TransactionError,
    TransactionFailedError,
)
from tests.support.newsroom import (
    Folder,
    Grade,
    Label,
    Memo,
    Story,
    Ticket,
    Writer,
    make_story,
    make_writer,
    rolled_back,
    sent,
    sql_of,
    words,
)


async def rows_of(database: Database) -> dict[str, list[Any]]:
    """Gives all that a fresh session sees."""
    async with AsyncSession(database) as session:
        return {
            "writers": sorted(await session.query(Writer).values(Writer.id, Writer.name, Writer.age)),
            "stories": sorted(
                await session.query(Story).values(Story.id, Story.title, Story.views, Story.version, Story.writer_id)
            ),
            "labels": sorted(await session.query(Label).scalars(Label.name)),
            "links": sorted(
                [(story.title, label.name) for story in await session.query(Story) for label in await story.labels]
            ),
        }


async def rows_in(session: AsyncSession) -> dict[str, list[Any]]:
    """Gives what the objects in memory say, of which every row must be loaded."""
    instances = list(session.identity_map)
    writers = [instance for instance in instances if isinstance(instance, Writer)]
    stories = [instance for instance in instances if isinstance(instance, Story)]
    labels = [instance for instance in instances if isinstance(instance, Label)]
    for instance in (*writers, *stories, *labels):
        await instance
    return {
        "writers": sorted((w.id, w.name, w.age) for w in writers),
        "stories": sorted((s.id, s.title, s.views, s.version, s.writer_id) for s in stories),
        "labels": sorted(label.name for label in labels),
        "links": sorted([(s.title, label.name) for s in stories for label in await s.labels]),
    }


# ---- commit


async def test_leaving_a_block_commits(database: Database) -> None:
    async with AsyncSession(database) as session:
        async with session.transaction():
            session.add(Writer(name="Ada"))
        assert not session.in_transaction
        assert (await rows_of(database))["writers"] != []


async def test_a_block_inside_another_is_a_savepoint(database: Database) -> None:
    async with AsyncSession(database) as session, session.transaction():
        session.add(Writer(name="Ada"))
        async with session.transaction():
            session.add(Writer(name="Bob"))
        assert words(session) == {"BEGIN": 1, "INSERT": 2, "SAVEPOINT": 1, "RELEASE": 1}
    assert len((await rows_of(database))["writers"]) == 2


async def test_blocks_that_failed_are_not_inside_of_each_other_on_the_server(database: Database) -> None:
    async with AsyncSession(database) as session, session.transaction():
        for number in range(3):
            async with rolled_back(session.transaction()):
                session.add(Label(name=f"undone {number}"))
                await session.flush()
        async with session.transaction():
            session.add(Label(name="kept"))
        # what a savepoint leaves behind that was gone back to goes before the next one comes
        assert words(session) == {"BEGIN": 1, "INSERT": 4, "SAVEPOINT": 4, "ROLLBACK": 3, "RELEASE": 4}
    assert (await rows_of(database))["labels"] == ["kept"]


async def test_a_block_in_a_transaction_that_a_write_began_is_a_savepoint_too(database: Database) -> None:
    async with AsyncSession(database) as session:
        session.add(Writer(name="Ada"))
        await session.flush()
        async with rolled_back(session.transaction()):
            session.add(Writer(name="Bob"))
        assert session.in_transaction
    assert [name for _, name, _ in (await rows_of(database))["writers"]] == ["Ada"]


async def test_begin_commit_and_rollback_by_hand(database: Database) -> None:
    async with AsyncSession(database) as session:
        await session.begin()
        assert session.in_transaction
        session.add(Writer(name="Ada"))
        await session.commit()
        assert not session.in_transaction
        transaction = await session.begin()
        session.add(Writer(name="Bob"))
        await session.flush()
        await transaction.rollback()
        transaction = await session.begin()
        session.add(Writer(name="Eve"))
        await transaction.commit()
    assert [name for _, name, _ in (await rows_of(database))["writers"]] == ["Ada", "Eve"]


async def test_begin_twice_is_refused(database: Database) -> None:
    async with AsyncSession(database) as session:
        await session.begin()
        with pytest.raises(TransactionError, match="open already"):
            await session.begin()
        await session.rollback()


@pytest.mark.parametrize("verb", ["commit", "rollback", "begin"])
async def test_verbs_by_hand_are_refused_inside_a_block(database: Database, verb: str) -> None:
    async with AsyncSession(database) as session, session.transaction() as transaction:
        session.add(Writer(name="Ada"))
        await session.flush()
        with pytest.raises(TransactionError, match=r"inside the transaction opened by|open already"):
            await getattr(session, verb)()
        if verb != "begin":
            with pytest.raises(TransactionError):
                await getattr(transaction, verb)()
    assert len((await rows_of(database))["writers"]) == 1


async def test_a_transaction_object_must_be_entered(database: Database) -> None:
    async with AsyncSession(database) as session:
        with pytest.raises(TransactionError, match="not entered"):
            await session.transaction().__aexit__(None, None, None)


async def test_close_inside_a_block_rolls_back(database: Database) -> None:
    async def close_inside() -> None:
        async with AsyncSession(database) as session, session.transaction():
            session.add(Writer(name="Ada"))
            await session.flush()
            await session.close()

    with pytest.raises(TransactionError, match="ended inside of its block"):
        await close_inside()
    assert (await rows_of(database))["writers"] == []


async def test_commit_and_rollback_without_anything_are_free(database: Database) -> None:
    async with AsyncSession(database) as session:
        await session.commit()
        await session.rollback()
    assert sent(session) == 0


async def test_after_a_commit_the_next_write_begins_a_new_transaction(database: Database) -> None:
    async with AsyncSession(database) as session:
        for name in ("Ada", "Bob"):
            session.add(Writer(name=name), Label(name=name))
            await session.commit()
    assert words(session) == {"BEGIN": 2, "INSERT": 4, "COMMIT": 2}


# ---- options


async def test_isolation_and_its_friends_are_in_begin(database: Database) -> None:
    async with AsyncSession(database, isolation="repeatable read") as session:
        async with session.transaction():
            await session.query(Writer).count()
        async with session.transaction(isolation="serializable", read_only=True, deferrable=True):
            await session.query(Writer).count()
        session.add(Writer(name="Ada"))
        await session.commit()
        begins = sql_of(session, "BEGIN")
    if database.dialect.name == "postgresql":
        assert sorted(begins) == [
            "BEGIN ISOLATION LEVEL REPEATABLE READ",
            "BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE",
        ]
        assert words(session)["BEGIN"] == 3
    else:
        assert sorted(begins) == ["BEGIN", "BEGIN IMMEDIATE"]


async def test_a_snapshot_begins_with_the_first_read(database: Database) -> None:
    async with AsyncSession(database, isolation="serializable") as session:
        assert await session.query(Writer).count() == 0
        assert session.in_transaction
        if database.dialect.name == "postgresql":
            await make_writer(database)
        assert await session.query(Writer).count() == 0
    assert words(session) == {"BEGIN": 1, "SELECT": 2, "COMMIT": 1}


async def test_read_only_refuses_writes_also_of_a_single_row(database: Database) -> None:
    key = await make_writer(database)
    async with AsyncSession(database, read_only=True) as session:
        ada = await session.get_one(Writer, key)
        ada.name = "Eve"
        with pytest.raises(DatabaseError):
            await session.commit()
        await session.rollback()
        assert ada.name == "Ada"
    async with AsyncSession(database) as session:
        with pytest.raises(DatabaseError):
            async with session.transaction(read_only=True):
                session.add(Writer(name="Bob"))
    assert [name for _, name, _ in (await rows_of(database))["writers"]] == ["Ada"]


async def test_options_belong_to_the_outermost_transaction(database: Database) -> None:
    async with AsyncSession(database) as session, session.transaction():
        with pytest.raises(TransactionError, match="outermost"):
            async with session.transaction(isolation="serializable"):
                pass
        # the refused block has left nothing behind
        async with session.transaction():
            session.add(Writer(name="Ada"))
    assert len((await rows_of(database))["writers"]) == 1


async def test_a_name_that_is_no_level_is_refused(database: Database) -> None:
    async with AsyncSession(database) as session:
        with pytest.raises(ConfigurationError, match="no isolation level"):
            session.transaction(isolation="snapshot")  # type: ignore[arg-type]


# ---- rollback: objects go back


async def test_a_rolled_back_object_is_new_again(database: Database) -> None:
    async with AsyncSession(database) as session:
        story = Story(title="s", writer=Writer(name="Ada"))
        session.add(story)
        await session.flush()
        story.title = "changed"
        await session.flush()
        assert story.version == 2
        await session.rollback()
        assert not session.new
        assert len(session.identity_map) == 0
        for read in (lambda: story.id, lambda: story.writer_id, lambda: story.writer.id):
            with pytest.raises(UnsavedError):
                read()
        assert (story.title, story.version, story.writer.name) == ("changed", 1, "Ada")
        story.title = "again"
    async with AsyncSession(database) as session:
        session.add(story)
    assert [title for _, title, *_ in (await rows_of(database))["stories"]] == ["again"]


async def test_a_rolled_back_change_is_undone(database: Database) -> None:
    key = await make_story(database)
    async with AsyncSession(database) as session:
        story = await session.get_one(Story, key)
        story.title, story.views = "one", 1
        await session.flush()
        story.title, story.editor = "two", Writer(name="Bob")
        await session.flush()
        story.title = "three"
        await session.rollback()
        assert (story.title, story.views, story.version, story.editor, story.editor_id) == ("Notes", 0, 1, None, None)
        assert not session.dirty
        story.views = 7
    assert (await rows_of(database))["stories"] == [(key, "Notes", 7, 2, story.writer_id)]


async def test_a_rolled_back_delete_is_undone(database: Database) -> None:
    key = await make_story(database)
    async with AsyncSession(database) as session:
        story = await session.get_one(Story, key)
        session.delete(story)
        await session.flush()
        await session.rollback()
        assert await session.get(Story, key) is story
        assert story.title == "Notes"
        session.delete(story)
        await session.rollback()
        assert not session.deleted
        story.views = 1
    assert [views for _, _, views, *_ in (await rows_of(database))["stories"]] == [1]


async def test_a_rolled_back_key_change_is_undone(database: Database) -> None:
    async with AsyncSession(database) as session:
        grade = await session.create(Grade, pupil=1, course="math")
    async with AsyncSession(database) as session:
        grade = await session.query(Grade).one()
        grade.pupil = 2
        await session.flush()
        await session.rollback()
        assert await session.get(Grade, (1, "math")) is grade
        assert await session.get(Grade, (2, "math")) is None
        grade.points = 5
    async with AsyncSession(database) as session:
        assert (await session.get_one(Grade, (1, "math"))).points == 5


async def test_a_rolled_back_change_inside_a_document_is_undone(database: Database) -> None:
    async with AsyncSession(database) as session:
        memo = await session.create(Memo, body={"a": [1]}, words=["x"])
    async with AsyncSession(database) as session:
        memo = await session.get_one(Memo, memo.id)
        memo.body["a"].append(2)
        memo.words.append("y")
        await session.flush()
        memo.body["a"].append(3)
        await session.rollback()
        assert (memo.body, memo.words) == ({"a": [1]}, ["x"])
        memo.body["a"].append(4)
        await session.rollback()
        assert memo.body == {"a": [1]}
        assert not session.dirty
        memo.body["b"] = 1
    async with AsyncSession(database) as session:
        assert (await session.get_one(Memo, memo.id)).body == {"a": [1], "b": 1}


async def test_rolled_back_links_and_members_are_undone_on_both_sides(database: Database) -> None:
    async with AsyncSession(database) as session:
        story = Story(title="s", writer=Writer(name="Ada"))
        story.labels.add(Label(name="old"))
        session.add(story)
    async with AsyncSession(database) as session:
        story = await session.query(Story).one()
        (old,) = await story.labels
        ada = await story.writer
        assert await ada.stories == [story]
        assert await old.stories == [story]
        story.labels.remove(old)
        new = Label(name="new")
        new.stories.add(story)
        added = Story(title="t", writer=ada)
        session.add(added)
        await session.flush()
        assert (list(story.labels), list(old.stories)) == ([new], [])
        await session.rollback()
        assert (list(story.labels), list(old.stories), list(ada.stories)) == ([old], [story], [story])
        # what was taken back can be made again
        session.add(new)
        new.stories.add(story)
        await session.commit()
        assert set(await story.labels) == {old, new}
    assert (await rows_of(database))["links"] == [("s", "new"), ("s", "old")]


async def test_members_that_were_never_written_are_undone(database: Database) -> None:
    key = await make_story(database)
    async with AsyncSession(database) as session:
        story = await session.get_one(Story, key)
        story.labels.add(Label(name="never"))
        await session.rollback()
        assert await story.labels == []
        story.labels.add(Label(name="now"))
    assert (await rows_of(database))["links"] == [("Notes", "now")]


async def test_what_was_first_read_after_a_write_is_unloaded(database: Database) -> None:
    key = await make_story(database)
    async with AsyncSession(database) as session:
        before = await session.get_one(Writer, (await session.query(Writer).one()).id)
        await session.execute("UPDATE stories SET title = 'changed'")
        story = await session.get_one(Story, key)
        await session.execute("UPDATE newsroom_writer SET name = 'Eve'")
        await session.refresh(before)
        assert (story.title, before.name) == ("changed", "Eve")
        await session.rollback()
        with pytest.raises(NotLoadedError):
            story.title  # noqa: B018
        assert (await story).title == "Notes"
        assert (await before).name == "Ada"


async def test_what_was_read_before_the_first_write_stays_loaded(database: Database) -> None:
    key = await make_story(database)
    async with AsyncSession(database) as session:
        await session.begin()
        story = await session.get_one(Story, key)
        await session.execute("UPDATE stories SET title = 'changed'")
        await session.rollback()
        before = sent(session)
        assert story.title == "Notes"
        assert sent(session) == before


async def test_collections_read_after_a_write_are_read_again(database: Database) -> None:
    async with AsyncSession(database) as session:
        story, label = Story(title="s", writer=Writer(name="Ada")), Label(name="l")
        session.add(story, label)
    async with AsyncSession(database) as session:
        story, label = await session.query(Story).one(), await session.query(Label).one()
        await session.execute(
            "INSERT INTO stories_labels (story_id, label_id) VALUES (:s, :l)", {"s": story.id, "l": label.id}
        )
        assert await story.labels == [label]
        await session.rollback()
        assert await story.labels == []


# ---- nested blocks


@pytest.mark.parametrize("level", [1, 2, 3, 4])
@pytest.mark.parametrize("flushed", [True, False])
async def test_a_rollback_at_any_depth_leaves_memory_as_the_database_is(
    database: Database, level: int, flushed: bool
) -> None:
    async with AsyncSession(database) as session:
        stories = [Story(title=f"s{n}", writer=Writer(name=f"w{n}")) for n in range(5)]
        stories[0].labels.add(Label(name="first"))
        session.add(*stories)
    async with AsyncSession(database) as session:
        await session.query(Writer)
        stories = await session.query(Story).order_by(Story.id)
        for story in stories:
            await story.labels
        added: list[Any] = []

        async def work(depth: int) -> None:
            """Changes everything there is, once for each depth."""
            stories[0].title += f"/{depth}"
            stories[0].views += depth
            new = Story(title=f"new{depth}", writer=Writer(name=f"new{depth}"))
            stories[0].labels.add(Label(name=f"label{depth}"))
            stories[depth].writer = stories[0].writer
            added.append(new)
            session.add(new)
            if depth > 1:
                added[depth - 2].title += "!"
                added[depth - 2].writer.age += 1
                session.delete(stories[depth])
            if flushed:
                await session.flush()

        async def nest(depth: int) -> None:
            block = session.transaction()
            async with rolled_back(block) if depth == level else block:
                await work(depth)
                if depth < 4:
                    await nest(depth + 1)
                    await session.flush()
                    stories[0].views += 100

        await nest(1)
        await session.flush()
        assert [*session.new, *session.dirty, *session.deleted] == []
        seen = await rows_in(session)
        for depth, story in enumerate(added, 1):
            assert (story in session.identity_map) is (depth < level)
            if depth >= level:
                with pytest.raises(UnsavedError):
                    story.id  # noqa: B018
        await session.commit()
    assert seen == await rows_of(database)


async def test_objects_added_before_a_block_are_pending_again(database: Database) -> None:
    key = await make_story(database)
    async with AsyncSession(database) as session:
        story = await session.get_one(Story, key)
        writer, label = Writer(name="before"), Label(name="before")
        session.add(writer)
        story.labels.add(label)
        story.title = "before"
        async with rolled_back(session.transaction()):
            inside = Writer(name="inside")
            session.add(inside)
            story.title, writer.name = "inside", "renamed"
            await session.flush()
            assert writer.id is not None
        assert writer in session.new
        assert inside not in session.new
        assert list(session.dirty) == [story]
        assert (story.title, writer.name) == ("before", "before")
        with pytest.raises(UnsavedError):
            writer.id  # noqa: B018
    rows = await rows_of(database)
    assert [name for _, name, _ in rows["writers"]] == ["Ada", "before"]
    assert rows["links"] == [("before", "before")]


async def test_what_pointed_to_a_pending_object_inside_a_rolled_back_block_does_not_come_along(
    database: Database,
) -> None:
    async with AsyncSession(database) as session:
        ada = Writer(name="Ada")
        session.add(ada)
        async with rolled_back(session.transaction()):
            session.add(Story(title="s", writer=ada))
        assert list(ada.stories) == []
    rows = await rows_of(database)
    assert (len(rows["writers"]), rows["stories"]) == (1, [])


async def test_a_delete_before_a_block_is_pending_again(database: Database) -> None:
    key = await make_story(database)
    async with AsyncSession(database) as session:
        story = await session.get_one(Story, key)
        session.delete(story)
        async with rolled_back(session.transaction()):
            await session.flush()
            assert not session.deleted
        assert list(session.deleted) == [story]
    assert (await rows_of(database))["stories"] == []


async def test_an_inner_block_writes_what_is_pending_before_it_begins(database: Database) -> None:
    async with AsyncSession(database) as session, session.transaction():
        ada = Writer(name="Ada")
        session.add(ada)
        async with rolled_back(session.transaction()):
            assert ada.id is not None
            ada.name = "Eve"
        assert ada.name == "Ada"
        assert ada in session.identity_map
    assert [name for _, name, _ in (await rows_of(database))["writers"]] == ["Ada"]


async def test_an_inner_rollback_also_undoes_what_its_own_inner_blocks_kept(database: Database) -> None:
    async with AsyncSession(database) as session:
        ada = await session.create(Writer, name="Ada")
        await session.commit()
        async with session.transaction():
            ada.age = 1
            async with rolled_back(session.transaction()):
                ada.age = 2
                async with session.transaction():
                    ada.age = 3
                    session.add(Writer(name="Bob"))
            assert ada.age == 1
        assert ada.age == 1
    assert [(name, age) for _, name, age in (await rows_of(database))["writers"]] == [("Ada", 1)]


async def test_an_object_inserted_and_deleted_inside_a_rolled_back_block_is_new(database: Database) -> None:
    async with AsyncSession(database) as session:
        ada = Writer(name="Ada")
        async with rolled_back(session.transaction()):
            session.add(ada)
            await session.flush()
            session.delete(ada)
            await session.flush()
        with pytest.raises(UnsavedError):
            ada.id  # noqa: B018
        session.add(ada)
    assert len((await rows_of(database))["writers"]) == 1


async def test_a_key_that_the_program_made_stays_after_a_rollback(database: Database) -> None:
    async with AsyncSession(database) as session:
        ticket = Ticket(seat="1")
        key = ticket.id
        session.add(ticket)
        await session.flush()
        assert ticket.price == 7
        await session.rollback()
        assert ticket.id == key
        with pytest.raises(UnsavedError):
            ticket.price  # noqa: B018
        session.add(ticket)
    async with AsyncSession(database) as session:
        assert (await session.get_one(Ticket, key)).seat == "1"


async def test_a_tree_that_was_rolled_back_can_be_added_elsewhere(database: Database) -> None:
    root = Folder(name="root")
    async with AsyncSession(database) as session:
        leaf = Folder(name="leaf", parent=Folder(name="branch", parent=root))
        session.add(leaf)
        await session.flush()
        await session.rollback()
    async with AsyncSession(database) as session:
        session.add(leaf)
    async with AsyncSession(database) as session:
        found = await session.query(Folder).filter(Folder.parent.parent.name == "root").scalars(Folder.name)
        assert found == ["leaf"]


# ---- failed blocks


async def test_a_failed_flush_fails_the_transaction_until_rollback(database: Database) -> None:
    await make_writer(database, email="a@x")
    async with AsyncSession(database) as session:
        session.add(Label(name="l"))
        await session.flush()
        session.add(Writer(name="Eve", email="a@x"))
        with pytest.raises(UniqueViolation) as first:
            await session.flush()
        for statement in (
            lambda: session.query(Label).count(),
            lambda: session.execute("SELECT 1"),
            lambda: session.flush(),
            lambda: session.commit(),
        ):
            with pytest.raises(TransactionFailedError, match="failed earlier: UniqueViolation") as caught:
                await statement()
            assert caught.value.__cause__ is first.value
        await session.rollback()
        assert await session.query(Label).count() == 0
        session.add(Label(name="l"))
    assert (await rows_of(database))["labels"] == ["l"]


async def fail_inside(session: AsyncSession) -> None:
    async with session.transaction():
        session.add(Label(name="inner"))
        await session.execute("SELECT no_such_column FROM newsroom_label")


async def test_a_failed_statement_fails_the_innermost_block_only(database: Database) -> None:
    async with AsyncSession(database) as session, session.transaction():
        session.add(Label(name="outer"))
        with pytest.raises(DatabaseError):
            await fail_inside(session)
        session.add(Label(name="after"))
    assert (await rows_of(database))["labels"] == ["after", "outer"]


async def test_leaving_a_failed_block_as_if_nothing_had_happened_raises(database: Database) -> None:
    async def swallow(session: AsyncSession) -> None:
        async with session.transaction():
            session.add(Label(name="l"))
            with pytest.raises(DatabaseError):
                await session.execute("SELECT no_such_column FROM newsroom_label")
            with pytest.raises(TransactionFailedError):
                await session.query(Label).count()

    async with AsyncSession(database) as session:
        with pytest.raises(TransactionFailedError):
            await swallow(session)
        assert await session.query(Label).count() == 0
        session.add(Label(name="m"))
    assert (await rows_of(database))["labels"] == ["m"]


async def test_a_failed_inner_block_can_be_tried_again(database: Database) -> None:
    await make_writer(database, email="a@x")
    async with AsyncSession(database) as session, session.transaction():
        for email in ("a@x", "b@x"):
            try:
                async with session.transaction():
                    session.add(Writer(name="Eve", email=email))
            except UniqueViolation:
                continue
    assert len((await rows_of(database))["writers"]) == 2


async def test_a_statement_that_fails_outside_of_a_transaction_harms_nothing(database: Database) -> None:
    async with AsyncSession(database) as session:
        with pytest.raises(DatabaseError):
            await session.execute("SELECT no_such_column FROM newsroom_label")
        assert await session.query(Label).count() == 0


async def test_an_invalid_object_does_not_fail_the_transaction(database: Database) -> None:
    async with AsyncSession(database) as session, session.transaction():
        await session.query(Label).count()
        ada = Writer(name="Ada", age=-1)
        session.add(ada)
        with pytest.raises(ValidationError):
            await session.flush()
        ada.age = 1
    assert len((await rows_of(database))["writers"]) == 1


# ---- autocommit


async def test_in_autocommit_mode_every_flush_is_a_transaction(database: Database) -> None:
    async with AsyncSession(database, autocommit=True) as session:
        session.add(Writer(name="Ada"), Label(name="l"))
        await session.flush()
        assert not session.in_transaction
        assert words(session) == {"BEGIN": 1, "INSERT": 2, "COMMIT": 1}
        assert len((await rows_of(database))["writers"]) == 1
        session.add(Label(name="m"))
        # the next statement, over whatever table, writes first
        assert await session.query(Writer).count() == 1
        assert (await rows_of(database))["labels"] == ["l", "m"]
        session.add(Label(name="n"))
    assert (await rows_of(database))["labels"] == ["l", "m", "n"]


async def test_in_autocommit_mode_a_failed_flush_leaves_its_objects_pending(database: Database) -> None:
    await make_writer(database, email="a@x")
    async with AsyncSession(database, autocommit=True) as session:
        eve, label = Writer(name="Eve", email="a@x"), Label(name="l")
        session.add(label, eve)
        with pytest.raises(UniqueViolation):
            await session.flush()
        assert not session.in_transaction
        assert set(session.new) == {eve, label}
        eve.email = "e@x"
    rows = await rows_of(database)
    assert (len(rows["writers"]), rows["labels"]) == (2, ["l"])


async def test_in_autocommit_mode_blocks_work_as_always(database: Database) -> None:
    async with AsyncSession(database, autocommit=True) as session:
        label = Label(name="before")
        session.add(label)
        async with rolled_back(session.transaction()):
            session.add(Label(name="inside"))
            await session.flush()
            assert session.in_transaction
        assert label in session.new
        async with session.transaction():
            session.add(Label(name="kept"))
    assert (await rows_of(database))["labels"] == ["before", "kept"]


async def test_in_autocommit_mode_writes_by_condition_are_committed_at_once(database: Database) -> None:
    key = await make_writer(database)
    async with AsyncSession(database, autocommit=True) as session:
        await session.query(Writer).filter(Writer.id == key).update(Writer.name.set("Eve"))
        await session.execute("UPDATE newsroom_writer SET age = 3")
        assert [(name, age) for _, name, age in (await rows_of(database))["writers"]] == [("Eve", 3)]
    assert words(session) == {"UPDATE": 2}


# ---- cancellation


async def test_a_cancelled_flush_fails_the_session_by_name_until_rollback(database: Database) -> None:
    async with AsyncSession(database) as session:
        session.add(Label(name="first"))
        await session.flush()
        session.add(*(Label(name=f"{n}") for n in range(500)), *(Writer(name=f"{n}") for n in range(500)))
        flushing = asyncio.create_task(session.flush())
        await asyncio.sleep(0)
        flushing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await flushing
        with pytest.raises(TransactionFailedError, match="failed earlier: CancelledError"):
            await session.query(Label).count()
        await session.rollback()
        assert await session.query(Label).count() == 0
        session.add(Label(name="after"))
    assert (await rows_of(database))["labels"] == ["after"]
    stats = database.adapter.stats
    assert (stats.in_use, stats.waiting) == (0, 0)


async def test_a_cancelled_statement_fails_its_block_and_no_more_than_the_database_lost(database: Database) -> None:
    async with AsyncSession(database) as session:

        async def inner() -> None:
            async with session.transaction():
                session.add(*(Label(name=f"{n}") for n in range(500)))
                await session.flush()

        async def outer() -> None:
            async with session.transaction():
                session.add(Label(name="outer"))
                await session.flush()
                task = asyncio.create_task(inner())
                while "SAVEPOINT" not in words(session):
                    await asyncio.sleep(0)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                await session.query(Label).count()

        try:
            await outer()
        except TransactionFailedError:
            # SQLite undoes the whole transaction when a write is interrupted
            assert database.dialect.name == "sqlite"
            expected = []
        else:
            expected = ["outer"]
        assert [label.name for label in session.identity_map if isinstance(label, Label)] == expected
    assert (await rows_of(database))["labels"] == expected
    assert database.adapter.stats.in_use == 0


@pytest.mark.parametrize("rows", [1, 2])
async def test_a_commit_that_was_sent_counts_although_its_caller_was_cancelled(database: Database, rows: int) -> None:
    async with AsyncSession(database) as session:
        labels = [Label(name=f"{n}") for n in range(rows)]
        session.add(*labels)
        word = "INSERT" if rows == 1 else "COMMIT"
        connection = await database.adapter.acquire(write=True)
        database.adapter.release(connection)
        sent_, cls = asyncio.Event(), type(connection)
        with pytest.MonkeyPatch.context() as patch:
            for name in ("fetch", "execute", "insert_each"):
                real = getattr(cls, name, None)
                if real is None:
                    continue

                async def note(self: Any, sql: str, *args: Any, real: Any = real) -> Any:
                    if sql.startswith(word):
                        sent_.set()
                    return await real(self, sql, *args)

                patch.setattr(cls, name, note)
            committing = asyncio.create_task(session.commit())
            await sent_.wait()
            committing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await committing
        assert not session.in_transaction
        assert not session.new
        assert all(label in session.identity_map for label in labels)
    assert len((await rows_of(database))["labels"]) == rows


async def test_the_pool_is_whole_after_sessions_that_ended_in_every_way(database: Database) -> None:
    async def end(how: int) -> None:
        async with AsyncSession(database) as session:
            session.add(Label(name=f"{how}"), Writer(name="w"))
            await session.flush()
            if how % 3 == 1:
                raise ZeroDivisionError
            if how % 3 == 2:
                await session.execute("SELECT no_such_column FROM newsroom_label")

    results = await asyncio.gather(*(end(n) for n in range(12)), return_exceptions=True)
    assert {type(result) for result in results} - {type(None), ZeroDivisionError} != set()
    stats = database.adapter.stats
    assert (stats.in_use, stats.waiting) == (0, 0)
    assert (await rows_of(database))["labels"] == sorted(["0", "3", "6", "9"])


async def test_current_knows_blocks(database: Database) -> None:
    async with AsyncSession(database) as session:
        async with session.transaction():
            assert AsyncSession.current() is session
        assert AsyncSession.current() is session
    with pytest.raises(SessionNotEntered):
        AsyncSession.current()
