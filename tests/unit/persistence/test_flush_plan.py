"""A flush is planned without a database: what is written, in which order, in how many statements."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import Any
from uuid import uuid4

import pytest

from cormorant import Model, ref
from cormorant.dialects.postgresql import PostgreSQLDialect
from cormorant.dialects.sqlite import SQLiteDialect
from cormorant.persistence.changes import ChangeSet, PendingKey
from cormorant.persistence.collecting import collect
from cormorant.persistence.flush_plan import FlushPlan, InsertStep, plan_flush
from cormorant.sql.statements import Insert
from tests.support.newsroom import Egg, Folder, Grade, Hen, Label, Memo, Story, Ticket, Visit, Writer
from tests.unit.persistence.conftest import Listener


def changes_of(owner: Listener, *new: Model) -> ChangeSet:
    """Gives what is pending after adding some objects."""
    unit = owner.unit
    for instance in new:
        unit.add(instance)
    unit.find_changes_inside()
    unit.cascade()
    return collect(unit.new.values(), unit.dirty.values(), unit.deleted.values(), unit.collections.values())


def plan(owner: Listener, *new: Model, version: tuple[int, ...] = (17,)) -> FlushPlan:
    """Gives the plan for PostgreSQL of what is pending after adding some objects."""
    dialect = PostgreSQLDialect()
    return plan_flush(changes_of(owner, *new), partial(dialect.insert_mode, version), batches=True)


def lines(found: FlushPlan) -> list[str]:
    return str(found).splitlines()


def insert_of(found: FlushPlan, place: int = 0) -> Insert:
    step = found.steps[place]
    assert isinstance(step, InsertStep)
    return step.statement


def test_nothing_pending_is_nothing_to_write(owner: Listener) -> None:
    found = plan(owner)
    assert (found.steps, found.rows, str(found)) == ((), 0, "nothing to write")


def test_a_plan_can_be_printed_before_it_is_run(owner: Listener) -> None:
    writer = owner.loaded(Writer, id=1, name="Ada")
    writer.name = "Eve"
    old = owner.loaded(Label, id=1, name="old")
    owner.unit.delete(old)
    story = Story(title="s", writer=writer)
    story.labels.add(Label(name="new"))
    assert lines(plan(owner, story)) == [
        "INSERT stories: 1 rows",
        "INSERT newsroom_label: 1 rows",
        "UPDATE newsroom_writer: 1 rows",
        "INSERT stories_labels: 1 rows",
        "DELETE newsroom_label: 1 rows",
    ]


# ---- order


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_parents_tables_come_before_their_childrens(owner: Listener, order: tuple[int, ...]) -> None:
    writer = Writer(name="Ada")
    instances = [Story(title="s", writer=writer), writer, Label(name="l")]
    tables = [step.statement.table for step in plan(owner, *(instances[place] for place in order)).steps]
    assert tables.index("newsroom_writer") < tables.index("stories")


def test_rows_of_a_table_that_points_to_itself_come_level_by_level(owner: Listener) -> None:
    root = Folder(name="root")
    leaf = Folder(name="leaf", parent=Folder(name="branch", parent=root))
    other = Folder(name="other")
    found = plan(owner, leaf, other)
    names = [[change.instance.name for change in step.changes] for step in found.steps]  # type: ignore[attr-defined]
    assert sorted(names[0]) == ["other", "root"]
    assert names[1:] == [["branch"], ["leaf"]]


def test_a_loaded_parent_needs_no_level(owner: Listener) -> None:
    root = owner.loaded(Folder, id=1, name="root", parent_id=None)
    assert len(plan(owner, *(Folder(name=f"{n}", parent=root) for n in range(5))).steps) == 1


def test_given_keys_tell_the_order_too(owner: Listener) -> None:
    one, two, three = uuid4(), uuid4(), uuid4()
    tickets = [Ticket(id=key, seat=f"{n}") for n, key in enumerate((one, two, three))]
    tickets[0].before_id, tickets[1].before_id = two, three
    found = plan(owner, *tickets)
    assert [step.changes[0].instance for step in found.steps] == list(reversed(tickets))  # type: ignore[union-attr]


def test_a_row_may_point_to_itself(owner: Listener) -> None:
    key = uuid4()
    ticket = Ticket(id=key, seat="1")
    ticket.before_id = key
    assert plan(owner, ticket, Ticket(seat="2")).rows == 2


def test_tables_that_point_to_each_other_are_ordered_by_their_objects(owner: Listener) -> None:
    hen = Hen()
    egg = Egg(hen=hen)
    chick = Hen(egg=egg)
    tables = [step.statement.table for step in plan(owner, chick, egg).steps]
    assert tables == ["newsroom_hen", "newsroom_egg", "newsroom_hen"]


def test_children_are_deleted_before_their_parents(owner: Listener) -> None:
    writer = owner.loaded(Writer, id=1, name="Ada")
    story = owner.loaded(Story, id=1, title="s", writer_id=1, version=1)
    owner.unit.delete(writer)
    owner.unit.delete(story)
    assert lines(plan(owner)) == ["DELETE stories: 1 rows", "DELETE newsroom_writer: 1 rows"]


def test_leaves_are_deleted_before_the_rows_of_their_own_table(owner: Listener) -> None:
    folders = [owner.loaded(Folder, id=n, name=f"{n}", parent_id=n // 2 or None) for n in range(1, 8)]
    for folder in folders:
        owner.unit.delete(folder)
    found = plan_flush(changes_of(owner), partial(SQLiteDialect().insert_mode, ()), batches=False)
    keys = [sorted(change.key[0] for change in step.changes) for step in found.steps]  # type: ignore[union-attr]
    assert keys == [[4, 5, 6, 7], [2, 3], [1]]
    # PostgreSQL looks at what points to the rows when the one statement ends
    assert lines(plan(owner)) == ["DELETE newsroom_folder: 7 rows"]


def test_the_order_of_a_delete_is_that_of_the_rows_and_not_of_unsaved_changes(owner: Listener) -> None:
    parent, child = (
        owner.loaded(Folder, id=1, name="1", parent_id=None),
        owner.loaded(Folder, id=2, name="2", parent_id=1),
    )
    child.parent = None
    owner.unit.delete(parent)
    owner.unit.delete(child)
    found = plan_flush(changes_of(owner), partial(SQLiteDialect().insert_mode, ()), batches=False)
    assert [step.changes[0].instance for step in found.steps] == [child, parent]  # type: ignore[union-attr]


def test_rows_that_hold_a_value_for_a_new_one_go_first(owner: Listener) -> None:
    kept = owner.loaded(Writer, id=1, name="a", email="a@x")
    gone = owner.loaded(Writer, id=2, name="b", email="b@x")
    owner.unit.delete(kept)
    owner.unit.delete(gone)
    assert lines(plan(owner, Writer(name="new", email="b@x"))) == [
        "DELETE newsroom_writer: 2 rows",
        "INSERT newsroom_writer: 1 rows",
    ]


def test_null_is_no_value_that_could_be_taken_over(owner: Listener) -> None:
    owner.unit.delete(owner.loaded(Writer, id=1, name="a", email=None))
    assert lines(plan(owner, Writer(name="new"))) == [
        "INSERT newsroom_writer: 1 rows",
        "DELETE newsroom_writer: 1 rows",
    ]


def test_several_columns_may_be_unique_together(owner: Listener) -> None:
    owner.unit.delete(owner.loaded(Grade, pupil=1, course="a", points=0, place=1))
    assert lines(plan(owner, Grade(pupil=2, course="a", place=1)))[0].startswith("DELETE")


# ---- batches


def test_rows_of_one_table_with_the_same_columns_are_one_statement(owner: Listener) -> None:
    writer = owner.loaded(Writer, id=1, name="Ada")
    stories = [Story(title=f"{n}", writer=writer if n % 2 else Writer(name=f"{n}")) for n in range(10)]
    found = plan(owner, *stories)
    assert lines(found) == ["INSERT newsroom_writer: 5 rows", "INSERT stories: 10 rows"]
    assert insert_of(found).mode == "ordinal"


def test_rows_with_other_columns_are_another_statement(owner: Listener) -> None:
    found = plan(owner, *(Ticket(seat=f"{n}", **({"price": n} if n % 2 else {})) for n in range(10)))
    assert [len(step.rows) for step in found.steps] == [5, 5]


def test_rows_without_any_value_are_written_one_by_one(owner: Listener) -> None:
    found = plan(owner, Visit(), Visit())
    assert insert_of(found).mode == "row"
    assert found.steps[0].rows == ((), ())


@pytest.mark.parametrize(
    ("version", "instances", "mode"),
    [
        ((15,), lambda: [Label(name="a"), Label(name="b")], "ascending"),
        ((17, 2), lambda: [Label(name="a"), Label(name="b")], "ordinal"),
        ((15,), lambda: [Ticket(seat="a"), Ticket(seat="b")], "by_key"),
        ((17, 2), lambda: [Ticket(seat="a"), Ticket(seat="b")], "by_key"),
        ((17, 2), lambda: [Label(name="a")], "row"),
    ],
)
def test_how_returned_rows_find_their_objects(
    owner: Listener, version: tuple[int, ...], instances: Callable[[], list[Model]], mode: str
) -> None:
    assert insert_of(plan(owner, *instances(), version=version)).mode == mode


def test_sqlite_writes_rows_one_by_one(owner: Listener) -> None:
    found = plan_flush(
        changes_of(owner, Label(name="a"), Label(name="b")), partial(SQLiteDialect().insert_mode, ()), batches=False
    )
    assert (insert_of(found).mode, len(found.steps)) == ("row", 1)


def test_changes_of_the_same_columns_are_one_statement_however_they_were_written(owner: Listener) -> None:
    for number in range(6):
        writer = owner.loaded(Writer, id=number, name="Ada", age=1)
        if number % 2:
            writer.name, writer.age = "Eve", 2
        else:
            writer.age, writer.name = 2, "Eve"
    assert lines(plan(owner)) == ["UPDATE newsroom_writer: 6 rows"]


def test_a_version_is_compared_and_counted(owner: Listener) -> None:
    story = owner.loaded(Story, id=3, title="s", version=7, writer_id=1)
    story.title = "t"
    (step,) = plan(owner).steps
    assert step.rows == ((3, 7, "t"),)
    assert step.statement.bumped == "version"  # type: ignore[union-attr]


def test_links_made_on_both_sides_are_written_once_and_together(owner: Listener) -> None:
    story = owner.loaded(Story, id=1, title="s", version=1, writer_id=1)
    red, blue = owner.loaded(Label, id=1, name="red"), owner.loaded(Label, id=2, name="blue")
    for collection in (story.labels, red.stories, blue.stories):
        collection.fill([])
    story.labels.add(red)
    red.stories.add(story)
    blue.stories.add(story)
    (step,) = plan(owner).steps
    assert step.statement.table == "stories_labels"
    ends = {tuple(value.instance for value in row) for row in step.rows}
    assert ends == {(red, story), (blue, story)}


def test_a_link_taken_back_is_not_written(owner: Listener) -> None:
    story, red = owner.loaded(Story, id=1, title="s", version=1, writer_id=1), owner.loaded(Label, id=1, name="red")
    story.labels.add(red)
    story.labels.remove(red)
    assert plan(owner).steps == ()


# ---- what is read off the objects


def test_a_key_that_is_still_to_be_made_is_waited_for(owner: Listener) -> None:
    writer = Writer(name="Ada")
    changes = changes_of(owner, Story(title="s", writer=writer))
    (story,) = [change for change in changes.inserts if change.info is Story.__info__]
    assert story.values["writer_id"] == PendingKey(writer, "id")
    assert list(story.values) == ["title", "views", "version", "writer_id", "editor_id"]


def test_a_reference_brings_its_key_at_once(owner: Listener) -> None:
    (story,) = changes_of(owner, Story(title="s", writer=ref(Writer, 4))).inserts
    assert story.values["writer_id"] == 4


def test_a_change_set_is_not_changed_by_later_changes(owner: Listener) -> None:
    memo = owner.loaded(Memo, id=1, body={"a": 1}, words=[], title="")
    memo.body = {"a": 2}
    new = Memo(words=["x"])
    changes = changes_of(owner, new)
    memo.body["a"] = 3
    new.words.append("y")
    assert changes.updates[0].values == {"body": {"a": 2}}
    assert changes.inserts[0].values["words"] == ["x"]


def test_a_change_that_ended_where_it_began_is_none(owner: Listener) -> None:
    writer = owner.loaded(Writer, id=1, name="Ada", age=1)
    writer.name = "Eve"
    writer.name = "".join(["A", "da"])
    changes = changes_of(owner)
    assert (changes.rows, changes.unchanged) == (0, (writer,))


@pytest.mark.parametrize(("before", "after"), [(1, True), (0, False)])
def test_equal_values_of_other_types_are_changes(owner: Listener, before: Any, after: Any) -> None:
    memo = owner.loaded(Memo, id=1, body={"v": before}, words=[], title="")
    memo.body = {"v": after}
    assert changes_of(owner).rows == 1


# ---- size


def calls_of(work: Callable[[], object]) -> int:
    """Counts the Python calls of some work."""
    count = 0

    def note(frame: FrameType, event: str, argument: object) -> None:
        nonlocal count
        count += event == "call"

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


def new_stories(count: int) -> list[Model]:
    writers = [Writer(name=f"{n}") for n in range(count // 10)]
    stories: list[Model] = []
    for n in range(count):
        story = Story(title=f"{n}", writer=writers[n % len(writers)])
        story.labels.add(Label(name=f"{n}"))
        stories.append(story)
    return stories


def new_tree(count: int) -> list[Model]:
    folders = [Folder(name="0")]
    for n in range(1, count):
        folders.append(Folder(name=f"{n}", parent=folders[n // 2]))
    return list(folders)


@pytest.mark.parametrize("make", [new_stories, new_tree])
def test_ten_times_the_objects_are_about_ten_times_the_work(make: Callable[[int], list[Model]]) -> None:
    plan(Listener(), *make(100))  # what is made once for each model
    small, large = (partial(plan, Listener(), *make(count)) for count in (500, 5_000))
    assert calls_of(large) < 11 * calls_of(small)


def test_ten_times_the_changes_are_about_ten_times_the_work() -> None:
    def work(count: int) -> Callable[[], object]:
        owner = Listener()
        for n in range(count):
            owner.loaded(Folder, id=n, name=f"{n}", parent_id=n // 2 or None).name = "x"
            owner.unit.delete(owner.loaded(Folder, id=count + n, name="y", parent_id=count + n // 2 if n else None))
        return partial(plan, owner)

    work(100)()
    assert calls_of(work(5_000)) < 11 * calls_of(work(500))


def test_a_chain_of_ten_thousand_objects_can_be_planned(owner: Listener) -> None:
    folder = Folder(name="0")
    for n in range(1, 10_000):
        folder = Folder(name=f"{n}", parent=folder)
    assert len(plan(owner, folder).steps) == 10_000
