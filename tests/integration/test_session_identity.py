"""S5: one instance for each row and session, and what refreshes it."""

from __future__ import annotations

import asyncio
import gc
import weakref
from pathlib import Path
from typing import Any

import pytest

from cormorant import AsyncSession, Database, NotFoundError, ref
from cormorant.errors import ForeignInstanceError, SessionNotEntered, StaleObjectError, WrongType
from tests.support.newsroom import MODELS, Grade, Label, Memo, Story, Writer, make_story, make_writer, sent


async def rename(database: Database, key: int, name: str) -> None:
    """Renames a writer in another session."""
    async with AsyncSession(database) as other:
        await other.query(Writer).filter(Writer.id == key).update(Writer.name.set(name))


async def test_a_row_has_one_instance_in_a_session(database: Database) -> None:
    key = await make_story(database)
    async with AsyncSession(database) as session:
        story = await session.get_one(Story, key)
        (again,) = await session.query(Story)
        (with_writer,) = await session.query(Story).values(Story, Story.writer)
        assert story is again is with_writer[0]
        assert story.writer is with_writer[1]
        assert await session.query(Writer).one() is story.writer
        assert len(session.identity_map) == 2
        assert story in session.identity_map


async def test_sessions_have_instances_of_their_own(database: Database) -> None:
    key = await make_writer(database)
    async with AsyncSession(database) as one, AsyncSession(database) as other:
        assert await one.get(Writer, key) is not await other.get(Writer, key)


async def test_a_row_met_again_refreshes_a_clean_instance(database: Database) -> None:
    key = await make_writer(database)
    async with AsyncSession(database) as session:
        ada = await session.get_one(Writer, key)
        await rename(database, key, "Eve")
        await session.query(Writer)
        assert ada.name == "Eve"


async def test_a_row_met_again_leaves_a_changed_instance_alone(database: Database) -> None:
    key = await make_writer(database)
    async with AsyncSession(database) as session:
        ada = await session.get_one(Writer, key)
        ada.age = 7
        await rename(database, key, "Eve")
        # what is read as a part of another table's query does not write pending changes first
        assert await ada.stories == []
        await session.get(Writer, key)
        assert (ada.name, ada.age) == ("Ada", 7)
        assert list(session.dirty) == [ada]


async def test_a_reference_is_filled_in_place(database: Database) -> None:
    key = await make_story(database)
    async with AsyncSession(database) as session:
        story = await session.get_one(Story, key)
        reference = story.writer
        assert reference is story.writer
        assert await reference is reference
        assert reference.name == "Ada"
        before = sent(session)
        assert await reference is reference
        assert sent(session) == before


async def test_get_fills_a_reference(database: Database) -> None:
    key = await make_story(database)
    async with AsyncSession(database) as session:
        story = await session.get_one(Story, key)
        reference = story.writer
        assert await session.get(Writer, story.writer_id) is reference
        assert reference.name == "Ada"


async def test_the_first_await_loads_the_references_of_all_siblings(database: Database) -> None:
    async with AsyncSession(database) as session:
        session.add(*(Story(title=f"{n}", writer=Writer(name=f"w{n}")) for n in range(5)))
    async with AsyncSession(database) as session:
        stories = await session.query(Story)
        session.reset_query_stats()
        assert {(await story.writer).name for story in stories} == {f"w{n}" for n in range(5)}
        assert sent(session) == 1


async def test_get_gives_none_where_there_is_no_row(database: Database) -> None:
    async with AsyncSession(database) as session:
        assert await session.get(Writer, 4711) is None
        with pytest.raises(NotFoundError, match="Writer 4711 does not exist"):
            await session.get_one(Writer, 4711)


async def test_get_asks_each_database_in_its_own_words(database: Database, tmp_path: Path) -> None:
    key = await make_writer(database)
    async with Database(f"sqlite:///{tmp_path / 'other.db'}") as other:
        await other.create_all(*MODELS)
        assert key == await make_writer(other, name="Eve")
        for _ in range(2):
            async with AsyncSession(database) as one, AsyncSession(other) as two:
                assert (await one.get_one(Writer, key)).name == "Ada"
                assert (await two.get_one(Writer, key)).name == "Eve"


async def test_a_reference_to_no_row_says_so_when_awaited(database: Database) -> None:
    async with AsyncSession(database) as session:
        nobody = ref(Writer, 4711)
        session.add(nobody)
        with pytest.raises(NotFoundError, match="Writer 4711 does not exist"):
            await nobody


@pytest.mark.parametrize("key", ["1", 1.0, True, None, (1, 2)])
async def test_a_key_of_the_wrong_type_is_refused(database: Database, key: Any) -> None:
    async with AsyncSession(database) as session:
        with pytest.raises(WrongType, match="Writer"):
            await session.get(Writer, key)
    assert sent(session) == 0


@pytest.mark.parametrize("key", [1, (1,), (1, "a", 2), ("a", 1)])
async def test_a_composite_key_is_a_tuple_of_the_right_types(database: Database, key: Any) -> None:
    async with AsyncSession(database) as session:
        with pytest.raises(WrongType, match="Grade"):
            await session.get(Grade, key)


async def test_objects_with_composite_keys_are_identical_too(database: Database) -> None:
    async with AsyncSession(database) as session:
        grade = await session.create(Grade, pupil=1, course="math", points=3)
        assert await session.get(Grade, (1, "math")) is grade
        assert await session.query(Grade).one() is grade
        assert await session.get(Grade, (1, "art")) is None


async def test_get_many_gives_objects_in_the_order_of_the_keys_with_one_query(database: Database) -> None:
    async with AsyncSession(database) as session:
        writers = [Writer(name=f"{n}") for n in range(5)]
        session.add(*writers)
    keys = [writer.id for writer in writers]
    async with AsyncSession(database) as session:
        first = await session.get_one(Writer, keys[2])
        session.reset_query_stats()
        found = await session.get_many(Writer, [keys[4], 4711, keys[2], keys[0], keys[4]])
        assert [writer.name for writer in found] == ["4", "2", "0", "4"]
        assert found[1] is first
        assert sent(session) == 1
        assert await session.get_many(Writer, keys[:1]) == [found[2]]
        assert await session.get_many(Writer, []) == []
        assert sent(session) == 1


async def test_get_many_takes_composite_keys(database: Database) -> None:
    async with AsyncSession(database) as session:
        session.add(*(Grade(pupil=n, course="math") for n in range(4)))
    async with AsyncSession(database) as session:
        found = await session.get_many(Grade, [(3, "math"), (1, "art"), (0, "math")])
        assert [grade.pupil for grade in found] == [3, 0]


async def test_what_is_to_be_deleted_is_not_found(database: Database) -> None:
    key = await make_writer(database)
    async with AsyncSession(database) as session:
        ada = await session.get_one(Writer, key)
        session.delete(ada)
        assert await session.get(Writer, key) is None
        assert await session.get_many(Writer, [key]) == []


async def test_a_pending_object_is_found_by_the_key_it_was_given(database: Database) -> None:
    async with AsyncSession(database) as session:
        grade = Grade(pupil=1, course="math")
        session.add(grade)
        assert await session.get(Grade, (1, "math")) is grade


async def test_refresh_reads_again_over_what_the_object_holds(database: Database) -> None:
    key = await make_story(database)
    async with AsyncSession(database) as session:
        story = await session.get_one(Story, key)
        writer = await story.writer
        await story.labels
        await rename(database, writer.id, "Eve")
        async with AsyncSession(database) as other:
            (await other.get_one(Story, key)).labels.add(Label(name="new"))
        await session.refresh(story, writer)
        assert writer.name == "Eve"
        assert [label.name for label in await story.labels] == ["new"]


async def test_refresh_refuses_to_lose_changes(database: Database) -> None:
    async with AsyncSession(database) as session:
        memo = await session.create(Memo, body={"a": 1})
        memo.body["a"] = 2
        with pytest.raises(StaleObjectError, match="unsaved changes to body"):
            await session.refresh(memo)
        assert memo.body == {"a": 2}


async def test_refresh_of_a_row_that_is_gone_says_so_and_keeps_the_object(database: Database) -> None:
    key = await make_writer(database)
    async with AsyncSession(database) as session:
        ada = await session.get_one(Writer, key)
        async with AsyncSession(database) as other:
            other.delete(ref(Writer, key))
        with pytest.raises(StaleObjectError, match=f"Writer {key} does not exist any more"):
            await session.refresh(ada)
        assert ada.name == "Ada"


async def test_refresh_takes_objects_of_this_session_only(database: Database) -> None:
    key = await make_writer(database)
    async with AsyncSession(database) as session:
        ada = await session.get_one(Writer, key)
        async with AsyncSession(database) as other:
            with pytest.raises(ForeignInstanceError):
                await other.refresh(ada)
        with pytest.raises(ForeignInstanceError):
            await session.refresh(Writer(name="new"))


async def test_expunged_objects_are_no_longer_watched(database: Database) -> None:
    key = await make_writer(database)
    async with AsyncSession(database) as session:
        ada, new = await session.get_one(Writer, key), Writer(name="new")
        ada.age = 3
        session.add(new)
        session.expunge(ada, new)
        ada.name = "Eve"
        assert ada not in session.identity_map
        assert [*session.new, *session.dirty] == []
        session.reset_query_stats()
        await session.commit()
        assert sent(session) == 0
        assert await session.get(Writer, key) is not ada
    async with AsyncSession(database) as session:
        session.add(new)
        assert await session.query(Writer).count() == 2


async def test_clear_forgets_everything(database: Database) -> None:
    key = await make_story(database)
    async with AsyncSession(database) as session:
        story = await session.get_one(Story, key)
        new = Label(name="math")
        story.labels.add(new)
        story.views = 3
        session.add(Label(name="art"))
        session.clear()
        assert len(session.identity_map) == 0
        story.title = "other"
        await session.commit()
        assert await session.query(Label).count() == 0
        again = await session.get_one(Story, key)
        assert (again.title, again.views) == ("Notes", 0)
        assert again is not story


async def test_an_object_outside_of_a_session_cannot_be_awaited(database: Database) -> None:
    key = await make_story(database)
    async with AsyncSession(database) as session:
        story = await session.get_one(Story, key)
        session.expunge(story)
        with pytest.raises(SessionNotEntered):
            await story.writer
    with pytest.raises(SessionNotEntered):
        await ref(Writer, 1)


async def test_an_object_of_another_session_is_refused(database: Database) -> None:
    key = await make_writer(database)
    async with AsyncSession(database) as one, AsyncSession(database) as other:
        ada = await one.get_one(Writer, key)
        for use in (other.add, other.delete):
            with pytest.raises(ForeignInstanceError, match="belongs to another session"):
                use(ada)
        with pytest.raises(ForeignInstanceError):
            other.add(Story(title="Notes", writer=ada))


async def test_an_object_of_a_closed_session_is_refused(database: Database) -> None:
    key = await make_writer(database)
    async with AsyncSession(database) as session:
        ada = await session.get_one(Writer, key)
    async with AsyncSession(database) as session:
        with pytest.raises(ForeignInstanceError, match="another session, which is closed"):
            session.add(ada)
        story = Story(title="Notes", writer=ref(Writer, ada.id))
        session.add(story)
    assert story.writer.id == key


async def test_a_foreign_object_found_on_the_way_of_a_flush_is_refused(database: Database) -> None:
    key = await make_writer(database)
    async with AsyncSession(database) as one, AsyncSession(database) as other:
        ada = await one.get_one(Writer, key)
        story = await other.create(Story, title="Notes", writer=Writer(name="Bob"))
        story.editor = ada
        with pytest.raises(ForeignInstanceError):
            await other.flush()
        await other.rollback()


async def test_a_reference_from_outside_gives_way_to_the_known_instance(database: Database) -> None:
    key = await make_writer(database)
    async with AsyncSession(database) as session:
        ada = await session.get_one(Writer, key)
        story = Story(title="Notes", writer=ref(Writer, key))
        session.add(story)
        assert story.writer is ada
        await session.flush()
        assert story.writer is ada
        with pytest.raises(ForeignInstanceError, match="has an object for"):
            session.add(ref(Writer, key))
        session.delete(story)
        await session.flush()
        session.delete(ref(Writer, key))
        assert list(session.deleted) == [ada]


async def test_an_adopted_reference_becomes_the_sessions_instance(database: Database) -> None:
    key = await make_writer(database)
    async with AsyncSession(database) as session:
        reference = ref(Writer, key)
        session.add(Story(title="Notes", writer=reference))
        assert await session.get(Writer, key) is reference
        assert reference.name == "Ada"


async def test_a_slow_answer_does_not_overwrite_what_was_saved_meanwhile(database: Database) -> None:
    key = await make_writer(database)
    async with AsyncSession(database) as session:
        ada = await session.get_one(Writer, key)
        connection = await database.adapter.acquire()
        database.adapter.release(connection)
        answered, go_on = asyncio.Event(), asyncio.Event()
        real = type(connection).fetch

        async def slow(self: Any, sql: str, args: Any = ()) -> Any:
            rows = await real(self, sql, args)
            if sql.startswith("SELECT") and not answered.is_set():
                answered.set()
                await go_on.wait()
            return rows

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(type(connection), "fetch", slow)
            reading = asyncio.create_task(session.query(Writer).all())
            await answered.wait()
            ada.name = "Eve"
            # the row was read before this is written, and comes later
            await session.flush()
            go_on.set()
            await reading
        assert ada.name == "Eve"


async def test_a_closed_session_frees_its_objects(database: Database) -> None:
    key = await make_story(database)

    async def use() -> list[weakref.ref[Any]]:
        async with AsyncSession(database) as session:
            story = await session.get_one(Story, key)
            await story.writer
            await story.labels
            async with session.transaction():
                story.views += 1
            await asyncio.gather(session.query(Writer).all(), session.query(Label).all())
            return [weakref.ref(story), weakref.ref(session.state()), weakref.ref(session)]

    references = await asyncio.create_task(use())
    gc.collect()
    assert [reference() for reference in references] == [None] * 3


async def test_a_kept_object_does_not_keep_the_others(database: Database) -> None:
    async with AsyncSession(database) as session:
        session.add(*(Writer(name=f"{n}") for n in range(3)))
    async with AsyncSession(database) as session:
        kept, *others = await session.query(Writer)
        watched = [weakref.ref(other) for other in others]
        del others
    gc.collect()
    assert kept.name == "0"
    assert [reference() for reference in watched] == [None, None]
