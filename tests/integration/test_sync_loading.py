"""S7, S19: in a sync session what is not loaded loads when it is read, together with its siblings."""

from __future__ import annotations

import copy
from collections.abc import Callable
from contextlib import suppress

import pytest

from cormorant import AsyncSession, Database, Session, ref
from cormorant.errors import (
    NotFoundError,
    NotLoadedError,
    SessionClosedError,
    SessionNotEntered,
    SessionTaskError,
    UnsavedError,
)
from tests.support.newsroom import Folder, Grade, Label, Story, Ticket, Writer, sent, words

N = 100


@pytest.fixture
def filled(database: Database) -> Database:
    """A hundred stories, each with a writer and a label of its own."""
    with Session(database) as session:
        for n in range(N):
            story = Story(title=f"s{n}", writer=Writer(name=f"w{n}"))
            story.labels.add(Label(name=f"l{n}"))
            session.add(story)
    return database


# ---- references


def test_an_attribute_of_a_reference_loads_it_and_its_siblings(filled: Database) -> None:
    with Session(filled) as session:
        stories = session.query(Story).order_by(Story.id).all()
        assert [story.writer.name for story in stories] == [f"w{n}" for n in range(N)]
        assert words(session) == {"SELECT": 2}


def test_the_key_of_a_reference_needs_no_query(filled: Database) -> None:
    with Session(filled) as session:
        assert all(story.writer.id for story in session.query(Story))
        assert sent(session) == 1


def test_a_nullable_reference_is_none_or_loads(database: Database) -> None:
    with Session(database) as session:
        root = Folder(name="root")
        session.add(root, Folder(name="leaf", parent=root))
    with Session(database) as session:
        leaf = session.query(Folder).filter(Folder.name == "leaf").one()
        assert leaf.parent is not None
        assert leaf.parent.name == "root"
        assert leaf.parent.parent is None
    assert sent(session) == 2


def test_references_load_step_by_step(database: Database) -> None:
    with Session(database) as session:
        folders = [Folder(name="0")]
        for n in range(1, 6):
            folders.append(Folder(name=f"{n}", parent=folders[-1]))
        session.add(*folders)
    with Session(database) as session:
        folder: Folder | None = session.query(Folder).filter(Folder.name == "5").one()
        names: list[str] = []
        while folder is not None:
            names.append(folder.name)
            folder = folder.parent
    assert names == ["5", "4", "3", "2", "1", "0"]


def test_a_reference_can_be_changed_before_it_is_read(filled: Database) -> None:
    with Session(filled) as session:
        story = session.query(Story).order_by(Story.id).limit(1).one()
        story.writer.age = 7
        assert story.writer.name == "w0"
        assert story.writer.age == 7
    with Session(filled) as session:
        assert session.query(Writer).filter(Writer.age == 7).one().name == "w0"


def test_a_row_that_is_gone_is_said_to_be(database: Database) -> None:
    with Session(database) as session:
        ticket = session.create(Ticket, seat="1")
        session.create(Ticket, seat="2", before=ticket)
    with Session(database) as session:
        second = session.query(Ticket).filter(Ticket.seat == "2").one()
        reference = second.before
        assert reference is not None
        session.query(Ticket).filter(Ticket.seat == "2").delete()
        session.query(Ticket).delete()
        with pytest.raises(NotFoundError, match="deleted meanwhile"):
            _ = reference.seat


def test_a_name_that_no_column_has_is_no_query(filled: Database) -> None:
    with Session(filled) as session:
        story = session.query(Story).first()
        assert story is not None
        assert not hasattr(story.writer, "surname")
        with pytest.raises(AttributeError, match="surname"):
            _ = story.writer.surname  # type: ignore[attr-defined]
        repr(story.writer)
        copy.copy(story.writer)
        story.writer.to_dict()
        assert sent(session) == 1


def test_a_reference_that_was_expunged_stays_one(filled: Database) -> None:
    with Session(filled) as session:
        story = session.query(Story).order_by(Story.id).limit(1).one()
        writer = story.writer
        session.expunge(writer)
        with pytest.raises(NotLoadedError):
            _ = writer.name
        assert sent(session) == 1


def test_what_cannot_load_names_the_line_of_the_query(filled: Database) -> None:
    with Session(filled) as session:
        story = session.query(Story).order_by(Story.id).limit(1).one()
    with pytest.raises(SessionClosedError, match=r"test_sync_loading\.py:\d+"):
        _ = story.writer.name
    with pytest.raises(SessionClosedError, match=r"test_sync_loading\.py:\d+"):
        len(story.labels)


def test_what_has_no_value_yet_is_not_looked_for(database: Database) -> None:
    with Session(database) as session:
        ada = Writer(name="Ada")
        with pytest.raises(UnsavedError):
            _ = ada.id
        session.add(ada)
        with pytest.raises(UnsavedError):
            _ = ada.id
        assert sent(session) == 0


def test_columns_that_were_left_out_load_for_all_of_the_result(filled: Database) -> None:
    with Session(filled) as session:
        writers = session.query(Writer).defer(Writer.name, Writer.age).order_by(Writer.id).all()
        assert [writer.name for writer in writers] == [f"w{n}" for n in range(N)]
        assert {writer.age for writer in writers} == {0}
        assert words(session) == {"SELECT": 2}
    with Session(filled) as session:
        (writer, *others) = session.query(Writer).only(Writer.age).order_by(Writer.id).limit(3)
        assert (writer.age, writer.name, others[1].name) == (0, "w0", "w2")
        assert words(session) == {"SELECT": 2}


# ---- collections


def test_a_collection_loads_with_those_of_its_siblings(filled: Database) -> None:
    with Session(filled) as session:
        writers = session.query(Writer).order_by(Writer.id).all()
        assert [story.title for writer in writers for story in writer.stories] == [f"s{n}" for n in range(N)]
        assert [len(writer.stories) for writer in writers] == [1] * N
        assert words(session) == {"SELECT": 2}


def test_links_load_the_same_way(filled: Database) -> None:
    with Session(filled) as session:
        stories = session.query(Story).order_by(Story.id).all()
        assert [label.name for story in stories for label in story.labels] == [f"l{n}" for n in range(N)]
        assert words(session) == {"SELECT": 2}


def test_membership_and_length_load(filled: Database) -> None:
    with Session(filled) as session:
        story = session.query(Story).order_by(Story.id).limit(1).one()
        label = session.query(Label).filter(Label.name == "l0").one()
        assert label in story.labels
        assert sent(session) == 3
    with Session(filled) as session:
        assert len(session.query(Story).order_by(Story.id).limit(1).one().labels) == 1


def test_adding_needs_nothing_loaded_and_setting_loads(filled: Database) -> None:
    with Session(filled) as session:
        story = session.query(Story).order_by(Story.id).limit(1).one()
        story.labels.add(Label(name="new"))
        assert sent(session) == 1
        assert sorted(label.name for label in story.labels) == ["l0", "new"]
        story.labels.set([Label(name="only")])
    with Session(filled) as session:
        assert [label.name for label in session.query(Story).order_by(Story.id).limit(1).one().labels] == ["only"]


def test_clearing_loads(filled: Database) -> None:
    with Session(filled) as session:
        session.query(Story).order_by(Story.id).limit(1).one().labels.clear()
    with Session(filled) as session:
        assert sum(len(story.labels) for story in session.query(Story)) == N - 1


def test_relations_load_through_each_other(filled: Database) -> None:
    with Session(filled) as session:
        found = {
            (label.name, story.writer.name)
            for label in session.query(Label)
            for story in label.stories
            if story in story.writer.stories
        }
        assert found == {(f"l{n}", f"w{n}") for n in range(N)}
        # labels, their stories, all writers, and their stories
        assert words(session) == {"SELECT": 4}


def test_collections_of_references_load_together(filled: Database) -> None:
    with Session(filled) as session:
        stories = session.query(Story).order_by(Story.id).all()
        assert [len(story.writer.stories) for story in stories] == [1] * N
        assert words(session) == {"SELECT": 2}


def test_the_query_of_a_collection(filled: Database) -> None:
    with Session(filled) as session:
        writer = session.query(Writer).order_by(Writer.id).limit(1).one()
        members = session.query(writer.stories)
        assert [story.title for story in members] == ["s0"]
        assert members.filter(Story.views > 3).count() == 0
        assert members.filter(title="s0").exists()
        members.update(Story.views.set(5))
        assert members.filter(Story.views > 3).count() == 1
        assert session.query(session.query(Story).filter(title="s7").one().labels).one().name == "l7"
        assert "not loaded" in repr(writer.stories)


def test_the_awaited_verbs_of_a_collection_name_those_that_wait(filled: Database) -> None:
    with Session(filled) as session:
        writer = session.query(Writer).order_by(Writer.id).limit(1).one()
        for verb in (writer.stories.filter, writer.stories.count, writer.stories.exists):
            with pytest.raises(SessionTaskError, match=r"session\.query\(writer\.stories\)"):
                verb()
        assert session.query(writer.stories).count() == 1

        async def on_the_loop() -> int:
            # as in an async hook
            return await writer.stories.count()

        assert session._session.wait(on_the_loop) == 1


def test_a_new_objects_collection_has_no_query(database: Database) -> None:
    with Session(database) as session:
        ada = Writer(name="Ada")
        with pytest.raises(SessionNotEntered):
            session.query(ada.stories)
        session.add(ada)
        assert list(ada.stories) == []
        with pytest.raises(UnsavedError):
            session.query(ada.stories)


def test_a_composite_key_is_no_obstacle(database: Database) -> None:
    with Session(database) as session:
        session.add(Grade(pupil=1, course="art", points=3))
    with Session(database) as session:
        assert session.get_one(Grade, (1, "art")).points == 3


# ---- references that were set by their keys


def test_a_reference_that_was_set_by_its_key_loads_before_the_flush(filled: Database) -> None:
    with Session(filled) as session:
        first, second = session.query(Story).order_by(Story.id).limit(2).all()
        before, key = first.writer, second.writer.id
        first.writer = ref(Writer, key)
        assert first.writer.name == "w1"
        # the session knows it by now
        second.writer = given = ref(Writer, before.id)
        assert second.writer is before is not given
        assert second.writer.name == "w0"
    with Session(filled) as session:
        assert [s.writer.name for s in session.query(Story).order_by(Story.id).limit(2)] == ["w1", "w0"]


def test_a_reference_of_a_new_object_loads_before_the_flush(filled: Database) -> None:
    with Session(filled) as session:
        one, two = session.query(Writer).order_by(Writer.id).limit(2).values(Writer.id)
        session.add(story := Story(title="new", writer=ref(Writer, one[0])))
        assert story.writer.name == "w0"
        story.writer = ref(Writer, two[0])
        assert story.writer.name == "w1"


def test_a_reference_that_was_put_into_a_collection_loads_before_the_flush(filled: Database) -> None:
    with Session(filled) as session:
        story = session.query(Story).order_by(Story.id).limit(1).one()
        ((key,),) = session.query(Label).filter(Label.name == "l5").values(Label.id)
        story.labels.add(ref(Label, key))
        assert sorted(label.name for label in story.labels) == ["l0", "l5"]
    with Session(filled) as session:
        story = session.query(Story).order_by(Story.id).limit(1).one()
        assert sorted(label.name for label in story.labels) == ["l0", "l5"]


def test_a_reference_that_was_set_and_taken_back_is_not_written(filled: Database) -> None:
    with Session(filled) as session:
        story = session.query(Story).order_by(Story.id).limit(1).one()
        before = story.writer
        with suppress(RuntimeError), session.transaction():
            story.writer = ref(Writer, 999_999)
            raise RuntimeError
        assert story.writer is before
        story.writer = ref(Writer, 999_999)
        with pytest.raises(NotFoundError):
            _ = story.writer.name
        session.rollback()


async def test_an_async_session_awaits_a_reference_that_was_set_by_its_key(database: Database) -> None:
    async with AsyncSession(database) as session:
        ada, bob = Writer(name="Ada"), Writer(name="Bob")
        session.add(Story(title="s", writer=ada), bob)
    async with AsyncSession(database) as session:
        story = await session.query(Story).one()
        story.writer = ref(Writer, bob.id)
        assert (await story.writer).name == "Bob"


# ---- what cannot be loaded says what to do without `await`


def test_hints_of_sync_sessions_can_be_followed(filled: Database) -> None:
    with pytest.raises(NotLoadedError) as caught:
        _ = ref(Writer, 1).name
    assert "it belongs to no session: use session.get(Writer, key)" in (caught.value.hint or "")
    with Session(filled) as session:
        story = session.query(Story).order_by(Story.id).limit(1).one()
        bare = session.query(Label).only(Label.id).order_by(Label.id).limit(1).one()
        session.add(new := Writer(name="new"))
        with pytest.raises(UnsavedError) as unsaved:
            _ = new.id
        session.expunge(new)
    assert (unsaved.value.hint or "").endswith("session.add(obj); session.flush()")
    hints: list[str] = []
    asked: list[Callable[[], object]] = [
        lambda: story.writer.name,
        lambda: list(story.labels),
        lambda: bare.name,
        lambda: session.add(Writer(name="late")),
        lambda: session.query(Story).all(),
        lambda: session.in_transaction,
    ]
    for ask in asked:
        with pytest.raises(SessionClosedError) as closed:
            ask()
        hints.append(closed.value.hint or "")
    assert [hint for hint in hints if "await" in hint or "async" in hint.lower() or "with Session(" not in hint] == []


def test_a_collection_that_was_loaded_in_part_names_what_loads_it(filled: Database) -> None:
    with Session(filled) as session:
        part = Story.labels.filter(Label.name == "x")
        story = session.query(Story).order_by(Story.id).prefetch_related(part).limit(1).one()
        with pytest.raises(NotLoadedError) as caught:
            story.labels.clear()
        assert caught.value.hint == "load all of it first: `session.load(story, Story.labels)`"
        session.load(story, Story.labels)
        story.labels.clear()
        assert list(story.labels) == []


# ---- and in an AsyncSession nothing loads by itself


async def test_an_async_session_loads_nothing_by_itself(database: Database) -> None:
    async with AsyncSession(database) as session:
        session.add(Story(title="s", writer=Writer(name="w")))
    async with AsyncSession(database) as session:
        story = await session.query(Story).one()
        with pytest.raises(NotLoadedError, match="await"):
            _ = story.writer.name
        with pytest.raises(NotLoadedError, match="await"):
            len(story.labels)
        assert (await story.writer).name == "w"


def test_a_closed_sync_session_loads_nothing(database: Database) -> None:
    with Session(database) as session:
        session.add(Story(title="s", writer=Writer(name="w")))
    with Session(database) as session:
        story = session.query(Story).one()
    with pytest.raises(SessionClosedError):
        _ = story.writer.name
    with pytest.raises(SessionClosedError):
        list(story.labels)


@pytest.mark.filterwarnings("ignore:a sync Session blocks")
async def test_objects_of_a_sync_session_are_not_awaited_on_another_loop(database: Database) -> None:
    with Session(database) as session:
        session.add(Story(title="s", writer=Writer(name="w")))
        session.commit()
        session.clear()
        story = session.query(Story).one()
        with pytest.raises(SessionTaskError, match="another event loop"):
            await story.writer
