"""S6: what is added, changed and deleted is written, each thing once and nothing else."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from cormorant import (
    AsyncSession,
    Database,
    ForeignKeyViolation,
    UniqueViolation,
    ValidationError,
    WrongType,
    ref,
)
from cormorant.errors import FlushError, ForeignInstanceError, StaleObjectError
from tests.support.newsroom import (
    Desk,
    Folder,
    Grade,
    Label,
    Memo,
    Story,
    Ticket,
    Visit,
    Writer,
    make_story,
    make_writer,
    rolled_back,
    sent,
    sql_of,
    words,
)

# ---- add


async def test_add_takes_parents_along(database: Database) -> None:
    async with AsyncSession(database) as session:
        story = Story(title="Notes", writer=Writer(name="Ada"), editor=Writer(name="Bob"))
        session.add(story)
        assert len(session.new) == 3
    assert {story.writer_id, story.editor_id} == {story.writer.id, story.editor.id}


async def test_add_takes_members_of_collections_along(database: Database) -> None:
    ada = Writer(name="Ada")
    ada.stories.add(Story(title="one", writer=ada))
    async with AsyncSession(database) as session:
        session.add(ada)
        assert len(session.new) == 2
        await session.flush()
        (story,) = ada.stories
        assert story.writer_id == ada.id


async def test_add_takes_objects_along_that_point_to_a_new_one(database: Database) -> None:
    ada = Writer(name="Ada")
    story = Story(title="one", writer=ada)
    assert list(ada.stories) == [story]
    async with AsyncSession(database) as session:
        session.add(ada)
    assert story.id is not None


async def test_what_is_related_after_add_comes_along_too(database: Database) -> None:
    async with AsyncSession(database) as session:
        story = Story(title="one", writer=Writer(name="Ada"))
        session.add(story)
        story.editor = Writer(name="Bob")
        story.labels.add(Label(name="math"))
        await session.flush()
        assert not session.new
    async with AsyncSession(database) as session:
        assert await session.query(Writer).count() == 2
        assert [label.name for label in await (await session.query(Story).one()).labels] == ["math"]


async def test_a_loaded_object_brings_its_new_relations(database: Database) -> None:
    key = await make_story(database)
    async with AsyncSession(database) as session:
        story = await session.get_one(Story, key)
        story.editor = Writer(name="Bob")
        story.labels.add(Label(name="math"))
    async with AsyncSession(database) as session:
        story = await session.get_one(Story, key)
        assert story.editor is not None
        assert (await story.editor).name == "Bob"
        assert len(await story.labels) == 1


async def test_one_to_one_from_the_side_that_holds_the_key(database: Database) -> None:
    async with AsyncSession(database) as session:
        ada = Writer(name="Ada")
        desk = Desk(floor=3, writer=ada)
        assert ada.desk is desk
        session.add(desk)
    async with AsyncSession(database) as session:
        session.add(Desk(floor=4, writer=ref(Writer, ada.id)))
        with pytest.raises(UniqueViolation):
            await session.flush()
        await session.rollback()


async def test_adding_twice_is_adding_once(database: Database) -> None:
    async with AsyncSession(database) as session:
        ada = Writer(name="Ada")
        session.add(ada, ada)
        session.add(ada)
        await session.flush()
        session.add(ada)
        await session.flush()
        assert await session.query(Writer).count() == 1


async def test_add_takes_models_only(database: Database) -> None:
    async with AsyncSession(database) as session:
        with pytest.raises(FlushError, match="no model instance"):
            session.add("Ada")  # type: ignore[arg-type]


async def test_create_makes_and_flushes(database: Database) -> None:
    async with AsyncSession(database) as session:
        ada = await session.create(Writer, name="Ada")
        assert ada.id is not None
        assert words(session)["INSERT"] == 1


async def test_what_the_database_makes_comes_back(database: Database) -> None:
    async with AsyncSession(database) as session:
        one, two = Visit(), Visit()
        ticket, other = Ticket(seat="1"), Ticket(seat="2", price=9)
        session.add(one, two, ticket, other, Story(title="Notes", writer=Writer(name="Ada")))
        await session.flush()
        assert one.moment == two.moment == "now"
        assert one.id != two.id
        assert (ticket.price, other.price) == (7, 9)
        assert (await session.query(Story).one()).version == 1


# ---- many-to-many


async def links(database: Database) -> set[tuple[str, str]]:
    async with AsyncSession(database) as session:
        stories = await session.query(Story)
        return {(story.title, label.name) for story in stories for label in await story.labels}


@pytest.mark.parametrize("loaded", [True, False])
async def test_links_can_be_made_from_either_side(database: Database, loaded: bool) -> None:
    async with AsyncSession(database) as session:
        ada = Writer(name="Ada")
        stories, labels = [Story(title=f"s{n}", writer=ada) for n in range(2)], [Label(name=f"l{n}") for n in range(2)]
        session.add(*stories, *labels)
    async with AsyncSession(database) as session:
        one, two = await session.query(Story).order_by(Story.id)
        red, blue = await session.query(Label).order_by(Label.id)
        if loaded:
            assert [await one.labels, await two.labels, await red.stories, await blue.stories] == [[]] * 4
        one.labels.add(red)
        red.stories.add(two)
        # the same link from both sides, and twice
        blue.stories.add(one, one)
        one.labels.add(blue)
        if loaded:
            assert (list(one.labels), list(two.labels)) == ([red, blue], [red])
            assert (list(red.stories), list(blue.stories)) == ([one, two], [one])
    assert await links(database) == {("s0", "l0"), ("s1", "l0"), ("s0", "l1")}


async def test_links_can_be_dropped_from_either_side(database: Database) -> None:
    async with AsyncSession(database) as session:
        story = Story(title="s", writer=Writer(name="Ada"))
        story.labels.add(*(Label(name=f"l{n}") for n in range(4)))
        session.add(story)
    async with AsyncSession(database) as session:
        story = await session.query(Story).one()
        zero, one, two, three = sorted(await story.labels, key=lambda label: label.name)
        await one.stories
        story.labels.remove(zero)
        one.stories.remove(story)
        assert list(story.labels) == [two, three]
        # taken out on one side and put back on the other: nothing happens
        two.stories.remove(story)
        story.labels.add(two)
        await session.flush()
        assert len(sql_of(session, "DELETE")) == 1
        assert not sql_of(session, "INSERT")
    assert await links(database) == {("s", "l2"), ("s", "l3")}


async def test_a_link_that_is_there_already_stays_once(database: Database) -> None:
    async with AsyncSession(database) as session:
        story, label = Story(title="s", writer=Writer(name="Ada")), Label(name="l")
        story.labels.add(label)
        session.add(story)
    async with AsyncSession(database) as session:
        story, label = await session.query(Story).one(), await session.query(Label).one()
        # nothing is loaded, so only the database knows
        story.labels.add(label)
    async with AsyncSession(database) as session:
        story, label = await session.query(Story).one(), await session.query(Label).one()
        story.labels.add(label, Label(name="m"))
    assert await links(database) == {("s", "l"), ("s", "m")}


async def test_a_link_between_new_objects_needs_no_order(database: Database) -> None:
    async with AsyncSession(database) as session:
        label = Label(name="l")
        label.stories.add(Story(title="s", writer=Writer(name="Ada")))
        session.add(label)
    assert await links(database) == {("s", "l")}


async def test_set_and_clear_write_the_difference(database: Database) -> None:
    async with AsyncSession(database) as session:
        story = Story(title="s", writer=Writer(name="Ada"))
        story.labels.add(Label(name="a"), Label(name="b"))
        session.add(story)
    async with AsyncSession(database) as session:
        story = await session.query(Story).one()
        a, _ = sorted(await story.labels, key=lambda label: label.name)
        story.labels.set([a, Label(name="c")])
        await session.flush()
        assert await links_in(session) == {("s", "a"), ("s", "c")}
        story.labels.clear()
        assert list(story.labels) == []
    assert await links(database) == set()


async def links_in(session: AsyncSession) -> set[tuple[str, str]]:
    rows = await session.execute(
        "SELECT s.title, l.name FROM stories s JOIN stories_labels x ON x.story_id = s.id"
        " JOIN newsroom_label l ON l.id = x.label_id"
    )
    return {(title, name) for title, name in rows}


# ---- the other side of a foreign key


async def test_loaded_collections_follow_a_foreign_key_that_is_written(database: Database) -> None:
    async with AsyncSession(database) as session:
        ada, bob = Writer(name="Ada"), Writer(name="Bob")
        story = Story(title="s", writer=ada)
        session.add(story, bob)
    async with AsyncSession(database) as session:
        ada, bob = await session.query(Writer).order_by(Writer.name)
        (story,) = await ada.stories
        assert await bob.stories == []
        story.writer = bob
        new = Story(title="t", writer=bob)
        session.add(new)
        await session.flush()
        assert list(ada.stories) == []
        assert set(bob.stories) == {story, new}
        session.delete(story)
        await session.flush()
        assert list(bob.stories) == [new]


async def test_a_member_can_be_moved_by_its_collection(database: Database) -> None:
    async with AsyncSession(database) as session:
        ada, bob = Writer(name="Ada"), Writer(name="Bob")
        story = Story(title="s", writer=ada)
        session.add(story, bob)
        await session.flush()
        bob.stories.add(story)
        await session.flush()
        assert story.writer is bob
        assert list(ada.stories) == []
    async with AsyncSession(database) as session:
        assert (await session.query(Story).values(Story.writer.name)) == [("Bob",)]


async def test_a_member_that_needs_its_owner_cannot_be_taken_out(database: Database) -> None:
    key = await make_story(database)
    async with AsyncSession(database) as session:
        story = await session.get_one(Story, key)
        ada = await story.writer
        assert await ada.stories == [story]
        with pytest.raises(WrongType, match=r"Story\.writer cannot be None"):
            ada.stories.remove(story)
        assert list(ada.stories) == [story]
        await session.commit()
    assert story.writer is ada


async def test_removing_what_belongs_elsewhere_changes_nothing(database: Database) -> None:
    async with AsyncSession(database) as session:
        one, two = Folder(name="one"), Folder(name="two")
        child = Folder(name="child", parent=two)
        session.add(one, child)
        await session.flush()
        one.children.remove(child)
        await session.flush()
        assert child.parent is two
        two.children.remove(child)
        await session.flush()
        assert child.parent is None
        assert list(two.children) == []
    async with AsyncSession(database) as session:
        assert await session.query(Folder).filter(Folder.parent.is_null()).count() == 3


async def test_a_pending_member_shows_when_the_collection_is_loaded(database: Database) -> None:
    key = await make_story(database)
    async with AsyncSession(database) as session:
        story = await session.get_one(Story, key)
        ada = await story.writer
        new = Story(title="new", writer=ada)
        session.add(new)
        assert await ada.stories == [story, new]


async def test_a_query_finds_what_a_flush_would_find_on_its_way(database: Database) -> None:
    key = await make_story(database)
    async with AsyncSession(database) as session:
        story = await session.get_one(Story, key)
        label, bob = Label(name="new"), Writer(name="Bob")
        story.labels.add(label)
        assert await session.query(Label) == [label]
        story.writer = bob
        assert bob in await session.query(Writer)


async def test_a_new_object_moves_from_a_new_target_to_a_saved_one(database: Database) -> None:
    key = await make_writer(database)
    async with AsyncSession(database) as session:
        ada, bob = await session.get_one(Writer, key), Writer(name="Bob")
        story = Story(title="s", writer=bob)
        session.add(bob, story)
        story.writer = ada
        assert list(bob.stories) == []
        await session.flush()
        assert await ada.stories == [story]
        assert list(bob.stories) == []


async def test_a_relation_that_was_turned_and_turned_back_leaves_its_collections(database: Database) -> None:
    async with AsyncSession(database) as session:
        ada, bob = Writer(name="Ada"), Writer(name="Bob")
        story = Story(title="s", writer=ada)
        session.add(story, bob)
        await session.flush()
        assert (await ada.stories, await bob.stories) == ([story], [])
        story.writer = bob
        story.writer = ada
        story.views = 1
        await session.flush()
        assert (list(ada.stories), list(bob.stories)) == ([story], [])


async def test_a_deleted_object_leaves_the_collections_it_was_linked_to(database: Database) -> None:
    async with AsyncSession(database) as session:
        story = Story(title="s", writer=Writer(name="Ada"))
        keep, drop = Label(name="keep"), Label(name="drop")
        story.labels.add(keep, drop)
        session.add(story)
    async with AsyncSession(database) as session:
        story = await session.query(Story).one()
        keep, drop = sorted(await story.labels, key=lambda label: label.name, reverse=True)
        async with rolled_back(session.transaction()):
            session.delete(drop)
            await session.flush()
            assert list(story.labels) == [keep]
        assert set(story.labels) == {keep, drop}


# ---- changes


async def test_an_object_that_waits_for_the_key_of_another_can_be_awaited(database: Database) -> None:
    async with AsyncSession(database) as session:
        session.add(*(Story(title=f"{n}", writer=Writer(name=f"w{n}")) for n in range(3)))
    async with AsyncSession(database) as session:
        one, two, three = await session.query(Story).order_by(Story.title)
        one.writer = Writer(name="new")
        session.reset_query_stats()
        assert await one is one
        assert sent(session) == 0
        # its siblings are loaded without it
        assert [(await story.writer).name for story in (two, three)] == ["w1", "w2"]
        assert sent(session) == 1


async def test_a_relation_can_be_set_to_a_new_object(database: Database) -> None:
    key = await make_story(database)
    async with AsyncSession(database) as session:
        story = await session.get_one(Story, key)
        story.writer = Writer(name="Bob")
        # a row met again must not bring the old key back
        await session.query(Writer)
        await session.flush()
        assert story.writer.name == "Bob"
        assert story.writer_id == story.writer.id
    async with AsyncSession(database) as session:
        assert await session.query(Story).values(Story.writer.name) == [("Bob",)]


async def test_a_row_met_again_keeps_a_relation_that_waits_for_its_key(database: Database) -> None:
    key = await make_story(database)
    async with AsyncSession(database) as session:
        story = await session.get_one(Story, key)
        story.editor = Writer(name="Bob")
        # what loads references writes nothing first
        await session.state().fetch(session.query(Story)._spec, autoflush=False)
        await session.flush()
    async with AsyncSession(database) as session:
        assert await session.query(Story).values(Story.editor.name) == [("Bob",)]


async def test_a_primary_key_can_be_changed(database: Database) -> None:
    async with AsyncSession(database) as session:
        grade = await session.create(Grade, pupil=1, course="math", points=3)
        grade.pupil = 2
        await session.flush()
        assert await session.get(Grade, (2, "math")) is grade
        assert await session.get(Grade, (1, "math")) is None
        grade.points = 4
    async with AsyncSession(database) as session:
        assert [g.to_dict() for g in await session.query(Grade)] == [
            {"pupil": 2, "course": "math", "points": 4, "place": None}
        ]


@pytest.mark.parametrize("column", ["version", "id"])
async def test_what_the_database_makes_is_not_set_by_hand(database: Database, column: str) -> None:
    key = await make_story(database)
    async with AsyncSession(database) as session:
        story = await session.get_one(Story, key)
        setattr(story, column, 4711)
        if column == "version":
            with pytest.raises(FlushError, match=r"Story\.version .* counts the row's changes"):
                await session.flush()
            await session.rollback()


# ---- documents and lists


async def test_changes_inside_documents_and_lists_are_written(database: Database) -> None:
    async with AsyncSession(database) as session:
        memo = Memo(body={"a": {"b": [1]}}, words=["x"])
        session.add(memo)
        await session.flush()
        memo.body["a"]["b"].append(2)
        memo.words.append("y")
    async with AsyncSession(database) as session:
        memo = await session.query(Memo).one()
        assert (memo.body, memo.words) == ({"a": {"b": [1, 2]}}, ["x", "y"])
        memo.body["c"] = None
        memo.words.clear()
        assert list(session.dirty) == [memo]
    async with AsyncSession(database) as session:
        memo = await session.query(Memo).one()
        assert (memo.body, memo.words) == ({"a": {"b": [1, 2]}, "c": None}, [])


@pytest.mark.parametrize(("before", "after"), [(1, True), (1, 1.0), (0, False), ([1], [True]), ({"x": 1}, {"x": 1.0})])
async def test_values_that_are_equal_only_to_python_are_changes_of_a_document(
    database: Database, before: Any, after: Any
) -> None:
    async with AsyncSession(database) as session:
        memo = await session.create(Memo, body={"v": before})
        memo.body["v"] = after
        await session.flush()
        assert len(sql_of(session, "UPDATE")) == 1
        memo.body = {"v": before}
        await session.flush()
        assert sum(stats.count for stats in session.query_stats() if stats.sql.startswith("UPDATE")) == 2


async def test_a_document_that_was_changed_in_place_and_assigned_again_is_written(database: Database) -> None:
    async with AsyncSession(database) as session:
        memo = await session.create(Memo, body={"a": 1})
    async with AsyncSession(database) as session:
        memo = await session.get_one(Memo, memo.id)
        memo.body["a"] = 2
        memo.body = memo.body
    async with AsyncSession(database) as session:
        assert (await session.get_one(Memo, memo.id)).body == {"a": 2}


async def test_a_row_met_again_keeps_changes_inside_a_document(database: Database) -> None:
    async with AsyncSession(database) as session:
        memo = await session.create(Memo, body={"a": 1})
        memo.body["a"] = 2
        await session.query(Memo)
        assert memo.body == {"a": 2}
    async with AsyncSession(database) as session:
        assert (await session.get_one(Memo, memo.id)).body == {"a": 2}


async def test_raw_sql_sees_changes_inside_documents(database: Database) -> None:
    async with AsyncSession(database) as session:
        memo = await session.create(Memo, words=["x"], title="a")
        memo.words.append("y")
        await session.execute("SELECT 1")
        assert len(sql_of(session, "UPDATE")) == 1


# ---- versions


async def test_a_version_counts_and_a_stale_change_is_refused(database: Database) -> None:
    key = await make_story(database)
    async with AsyncSession(database) as session:
        story = await session.get_one(Story, key)
        async with AsyncSession(database) as other:
            (await other.get_one(Story, key)).views += 1
        story.title = "mine"
        with pytest.raises(StaleObjectError, match=r"changed or deleted by someone else.*\n.*load it again"):
            await session.flush()
        await session.rollback()
        assert (story.title, story.version) == ("Notes", 1)
        await session.refresh(story)
        assert (story.views, story.version) == (1, 2)
        story.title = "mine"
        await session.flush()
        assert story.version == 3


async def test_a_stale_row_among_several_refuses_them_all(database: Database) -> None:
    async with AsyncSession(database) as session:
        ada = Writer(name="Ada")
        session.add(*(Story(title=f"{n}", writer=ada) for n in range(5)))
    async with AsyncSession(database) as session:
        stories = await session.query(Story).order_by(Story.id)
        async with AsyncSession(database) as other:
            (await other.get_one(Story, stories[3].id)).views = 9
        for story in stories:
            story.title += "!"
        with pytest.raises(StaleObjectError):
            await session.flush()
        await session.rollback()
    async with AsyncSession(database) as session:
        assert [s.title for s in await session.query(Story).order_by(Story.id)] == list("01234")


@pytest.mark.parametrize("count", [1, 3])
async def test_deleting_a_stale_row_is_refused(database: Database, count: int) -> None:
    async with AsyncSession(database) as session:
        ada = Writer(name="Ada")
        session.add(*(Story(title=f"{n}", writer=ada) for n in range(count)))
    async with AsyncSession(database) as session:
        stories = await session.query(Story)
        async with AsyncSession(database) as other:
            (await other.get_one(Story, stories[-1].id)).views = 9
        session.delete(*stories)
        with pytest.raises(StaleObjectError):
            await session.flush()
        await session.rollback()


async def test_a_change_of_a_row_that_is_gone_is_refused(database: Database) -> None:
    key = await make_writer(database)
    async with AsyncSession(database) as session:
        ada = await session.get_one(Writer, key)
        async with AsyncSession(database) as other:
            other.delete(ref(Writer, key))
        ada.name = "Eve"
        with pytest.raises(StaleObjectError, match="deleted by someone else"):
            await session.commit()
        await session.rollback()


# ---- delete


async def test_children_are_deleted_before_their_parents(database: Database) -> None:
    key = await make_story(database)
    async with AsyncSession(database) as session:
        story = await session.get_one(Story, key)
        session.delete(await story.writer, story)
    async with AsyncSession(database) as session:
        assert (await session.query(Story).count(), await session.query(Writer).count()) == (0, 0)


async def test_rows_that_point_to_their_own_table_are_deleted_leaves_first(database: Database) -> None:
    async with AsyncSession(database) as session:
        folders = [Folder(name="0")]
        for n in range(1, 6):
            folders.append(Folder(name=f"{n}", parent=folders[(n - 1) // 2]))
        session.add(*folders)
        await session.flush()
        session.delete(*folders)
        await session.flush()
        assert await session.query(Folder).count() == 0


async def test_deleting_a_new_object_forgets_it(database: Database) -> None:
    async with AsyncSession(database) as session:
        ada = Writer(name="Ada")
        story = Story(title="s", writer=ada)
        session.add(story)
        session.delete(story)
        assert list(session.new) == [ada]
        await session.flush()
        assert await session.query(Story).count() == 0
        with pytest.raises(ForeignInstanceError, match="never saved"):
            session.delete(story)


async def test_a_new_member_that_is_deleted_does_not_come_back(database: Database) -> None:
    key = await make_story(database)
    async with AsyncSession(database) as session:
        story = await session.get_one(Story, key)
        label = Label(name="l")
        story.labels.add(label)
        session.add(label)
        session.delete(label)
        await session.flush()
        assert await session.query(Label).count() == 0
        assert await story.labels == []


async def test_a_delete_can_be_taken_back_by_add(database: Database) -> None:
    key = await make_writer(database)
    async with AsyncSession(database) as session:
        ada = await session.get_one(Writer, key)
        session.delete(ada)
        session.add(ada)
        assert not session.deleted
        await session.flush()
        assert await session.get(Writer, key) is ada


async def test_a_deleted_object_can_be_added_again(database: Database) -> None:
    key = await make_writer(database)
    async with AsyncSession(database) as session:
        ada = await session.get_one(Writer, key)
        session.delete(ada)
        await session.flush()
        assert ada not in session.identity_map
        ada.name = "Eve"
        session.add(ada)
        await session.flush()
        assert await session.get(Writer, key) is ada
    async with AsyncSession(database) as session:
        assert (await session.get_one(Writer, key)).name == "Eve"


async def test_what_a_deleted_row_held_can_be_taken_over_in_the_same_flush(database: Database) -> None:
    async with AsyncSession(database) as session:
        session.add(Writer(name="Ada", email="a@x"), Ticket(seat="1"), Grade(pupil=1, course="math", place=1))
    async with AsyncSession(database) as session:
        old, ticket = await session.query(Writer).one(), await session.query(Ticket).one()
        grade = await session.query(Grade).one()
        session.delete(old, ticket, grade)
        session.add(Writer(name="Bob", email="a@x"), Ticket(id=ticket.id, seat="2"))
        new = Grade(pupil=1, course="math", place=1, points=5)
        session.add(new)
        await session.flush()
        assert await session.get(Grade, (1, "math")) is new
    async with AsyncSession(database) as session:
        assert (await session.query(Writer).one()).name == "Bob"
        assert (await session.query(Ticket).one()).seat == "2"
        assert (await session.query(Grade).one()).points == 5


async def test_what_pointed_to_a_row_that_makes_way_is_turned_or_deleted_before(database: Database) -> None:
    async with AsyncSession(database) as session:
        one, two = Ticket(seat="1"), Ticket(seat="2")
        turned, gone = Ticket(seat="3", before=one), Ticket(seat="4", before=one)
        session.add(one, two, turned, gone)
    async with AsyncSession(database) as session:
        one, two, turned, gone = await session.query(Ticket).order_by(Ticket.seat)
        turned.before = two
        session.delete(one, gone)
        session.add(Ticket(seat="1"))
    async with AsyncSession(database) as session:
        assert [t.seat for t in await session.query(Ticket).order_by(Ticket.seat)] == ["1", "2", "3"]


async def test_rows_of_one_table_that_point_to_each_other_by_given_keys(database: Database) -> None:
    one, two = uuid4(), uuid4()
    async with AsyncSession(database) as session:
        child = Ticket(id=two, seat="2")
        child.before_id = one
        # the child comes first, and nothing but its key tells of its parent
        session.add(child, Ticket(id=one, seat="1"))
    async with AsyncSession(database) as session:
        assert await session.query(Ticket).filter(Ticket.before.seat == "1").scalars(Ticket.seat) == ["2"]


# ---- what cannot be written


async def test_a_unique_value_taken_twice_names_constraint_and_columns(database: Database) -> None:
    async with AsyncSession(database) as session:
        session.add(Writer(name="Ada", email="a@x"))
        await session.commit()
        taken = Writer(name="Eve", email="a@x")
        session.add(taken)
        with pytest.raises(UniqueViolation) as caught:
            await session.commit()
        assert caught.value.columns == ("email",)
        assert caught.value.table == "newsroom_writer"
        await session.rollback()
        assert [*session.new, *session.dirty] == []
        taken.email = "e@x"
        session.add(taken)
        await session.commit()
        assert await session.query(Writer).count() == 2


async def test_a_unique_violation_among_several_rows_leaves_nothing(database: Database) -> None:
    async with AsyncSession(database) as session:
        bob = Writer(name="Bob", email="b@x")
        session.add(Writer(name="Ada", email="a@x"), bob, Writer(name="Eve", email="b@x"))
        with pytest.raises(UniqueViolation):
            await session.commit()
        await session.rollback()
        assert await session.query(Writer).count() == 0
        session.add(bob)
        await session.commit()
        assert bob.id is not None


async def test_other_violations_have_classes_of_their_own(database: Database) -> None:
    async with AsyncSession(database) as session:
        session.add(Story(title="s", writer=ref(Writer, 4711)))
        with pytest.raises(ForeignKeyViolation):
            await session.commit()
        await session.rollback()
        key = await make_story(database)
        session.delete(await (await session.get_one(Story, key)).writer)
        with pytest.raises(ForeignKeyViolation):
            await session.commit()
        await session.rollback()


async def test_validation_lists_every_field_before_anything_is_sent(database: Database) -> None:
    async with AsyncSession(database) as session:
        ada = Writer(name="x" * 51, age=-1)
        story: Story = Story(title=5, writer=Writer(name="Bob"))  # type: ignore[arg-type]
        session.add(ada, story, Grade(pupil=None, course="x"))  # type: ignore[arg-type]
        with pytest.raises(ValidationError) as caught:
            await session.flush()
        assert {place for place, _ in caught.value.problems} == {
            "Writer.name",
            "Writer.age",
            "Story.title",
            "Grade.pupil",
        }
        assert sent(session) == 0
        ada.name, ada.age, story.title = "Ada", 1, "s"
        session.expunge(*[instance for instance in session.new if isinstance(instance, Grade)])
        await session.commit()
        assert await session.query(Writer).count() == 2


async def test_validation_looks_at_changed_fields(database: Database) -> None:
    key = await make_writer(database)
    async with AsyncSession(database) as session:
        ada = await session.get_one(Writer, key)
        ada.name = None  # type: ignore[assignment]
        with pytest.raises(ValidationError, match=r"Writer\.name: is None"):
            await session.flush()
        await session.rollback()
        assert ada.name == "Ada"


async def test_a_relation_that_was_never_set_is_named(database: Database) -> None:
    async with AsyncSession(database) as session:
        story = Story.__new__(Story)
        with pytest.raises(TypeError, match="writer"):
            Story.__init__(story, title="s")  # type: ignore[call-arg]
        ticket = Ticket(seat="1")
        session.add(ticket)
        ticket.id = None  # type: ignore[assignment]
        with pytest.raises(ValidationError, match=r"Ticket\.id: is None"):
            await session.flush()
        session.expunge(ticket)


# ---- what changes while a flush runs


async def test_what_changes_while_a_flush_runs_is_written_by_the_next(database: Database) -> None:
    key = await make_story(database)
    async with AsyncSession(database) as session:
        story, new = await session.get_one(Story, key), Writer(name="new")
        story.views = 1
        session.add(new)
        story.labels.add(Label(name="one"))
        flushing = asyncio.create_task(session.flush())
        await asyncio.sleep(0)
        # the flush has read what it writes, and waits for the database
        story.views, story.title, new.name = 2, "changed", "renamed"
        story.labels.add(Label(name="two"))
        session.add(Label(name="three"))
        await flushing
        assert set(session.dirty) == {story, new}
        assert [label.name for label in session.new if isinstance(label, Label)] == ["three"]
    async with AsyncSession(database) as session:
        story = await session.get_one(Story, key)
        assert (story.views, story.title, story.version) == (2, "changed", 3)
        assert {label.name for label in await story.labels} == {"one", "two"}
        assert await session.query(Label).count() == 3
        assert await session.query(Writer).filter(Writer.name == "renamed").count() == 1


async def test_an_object_deleted_while_it_is_being_inserted_is_deleted_by_the_next_flush(database: Database) -> None:
    async with AsyncSession(database) as session:
        ada, bob = Writer(name="Ada"), Writer(name="Bob")
        session.add(ada, bob)
        flushing = asyncio.create_task(session.flush())
        await asyncio.sleep(0)
        session.delete(ada)
        await flushing
        assert list(session.deleted) == [ada]
    async with AsyncSession(database) as session:
        assert (await session.query(Writer).one()).name == "Bob"


async def test_an_object_added_while_it_is_being_deleted_is_inserted_by_the_next_flush(database: Database) -> None:
    key = await make_writer(database)
    async with AsyncSession(database) as session:
        ada = await session.get_one(Writer, key)
        session.delete(ada)
        flushing = asyncio.create_task(session.flush())
        await asyncio.sleep(0)
        session.add(ada)
        await flushing
    async with AsyncSession(database) as session:
        assert (await session.get_one(Writer, key)).name == "Ada"
