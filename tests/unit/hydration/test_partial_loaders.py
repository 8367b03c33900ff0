"""Rows of some columns, rows with the objects that belong to others, and keys in the place of lists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from cormorant import DataError
from cormorant._internal.json_text import load_json
from cormorant.dialects.sqlite import SQLiteDialect
from cormorant.hydration.shapes import EntityPart, KeyPart, RowShape, ValuePart
from cormorant.models.inside import saved_value_of
from cormorant.models.state import Origin, is_ghost, is_set, new_ghost
from cormorant.sql import types as t
from tests.support.newsroom import Desk, Folder, Memo, Story, Writer
from tests.unit.hydration.test_loaders import ADA, entities, load, unreadable
from tests.unit.persistence.conftest import Listener

NAMED = (1, "Ada")


@pytest.fixture
def owner() -> Listener:
    return Listener()


def some(model: Any, *names: str) -> RowShape:
    """Gives the shape of objects with these columns."""
    return RowShape((EntityPart(model.__info__, 0, names=names),), "entities", len(names))


def columns_of(instance: Any) -> dict[str, Any]:
    return {name: getattr(instance, name) for name in type(instance).__info__.fields if is_set(instance, name)}


# ---- some columns


def test_an_object_gets_the_columns_of_its_row(owner: Listener) -> None:
    origin = owner.origin()
    (ada,) = load(owner, some(Writer, "id", "name"), [NAMED], origin)
    assert is_ghost(ada)
    assert isinstance(ada, Writer)
    assert columns_of(ada) == {"id": 1, "name": "Ada"}
    assert (ada.__orm_origin__, ada.__orm_changes__, ada.__orm_related__) == (origin, None, None)
    assert owner.unit.is_empty


def test_a_whole_row_completes_it(owner: Listener) -> None:
    (ada,) = load(owner, some(Writer, "id", "name"), [NAMED])
    load(owner, entities(Writer), [(1, "Eve", "e@x", 7)])
    assert (type(ada), columns_of(ada)) == (Writer, {"id": 1, "name": "Eve", "email": "e@x", "age": 7})


def test_an_older_whole_row_fills_what_it_lacks(owner: Listener) -> None:
    earlier, later = owner.origin(), owner.origin()
    (ada,) = load(owner, some(Writer, "id", "name"), [NAMED], later)
    load(owner, entities(Writer), [(1, "old", "e@x", 7)], earlier)
    assert (type(ada), columns_of(ada)) == (Writer, {"id": 1, "name": "Ada", "email": "e@x", "age": 7})
    assert ada.__orm_origin__ is later


def test_a_partial_row_never_changes_a_whole_object(owner: Listener) -> None:
    (ada,) = load(owner, entities(Writer), [ADA])
    origin = ada.__orm_origin__
    load(owner, some(Writer, "id", "name"), [(1, "Eve")])
    assert (ada.name, type(ada), ada.__orm_origin__) == ("Ada", Writer, origin)


def test_a_partial_row_refreshes_one_of_the_same_columns_or_fewer(owner: Listener) -> None:
    (ada,) = load(owner, some(Writer, "id", "name"), [NAMED])
    origin = owner.origin()
    load(owner, some(Writer, "id", "name", "age"), [(1, "Eve", 9)], origin)
    assert columns_of(ada) == {"id": 1, "name": "Eve", "age": 9}
    assert ada.__orm_origin__ is origin


def test_a_partial_row_of_other_columns_fills(owner: Listener) -> None:
    (ada,) = load(owner, some(Writer, "id", "name"), [NAMED])
    load(owner, some(Writer, "id", "age"), [(1, 9)])
    load(owner, some(Writer, "id", "email", "age"), [(1, "e@x", 10)])
    assert (type(ada), columns_of(ada)) == (Writer, {"id": 1, "name": "Ada", "age": 9, "email": "e@x"})


def test_a_reference_takes_a_partial_row(owner: Listener) -> None:
    reference = new_ghost(Writer.__info__, {"id": 1}, Origin(owner, 0))
    owner.identity.put(Writer.__info__, 1, reference)
    assert load(owner, some(Writer, "id", "name"), [NAMED]) == [reference]
    assert columns_of(reference) == {"id": 1, "name": "Ada"}


def test_a_changed_object_is_filled_around_its_changes(owner: Listener) -> None:
    (ada,) = load(owner, some(Writer, "id", "name"), [NAMED])
    ada.name, ada.age = "mine", 3
    load(owner, entities(Writer), [(1, "Eve", "e@x", 7)])
    assert (type(ada), columns_of(ada)) == (Writer, {"id": 1, "name": "mine", "age": 3, "email": "e@x"})
    assert set(ada.__orm_changes__) == {"name", "age"}


def kept(memo: Memo) -> list[Any]:
    """Gives what was read of the mutable columns."""
    return [saved_value_of(saved, load_json) for saved in memo.__orm_raw__]


def test_documents_of_a_partial_row_are_compared_with_what_came(owner: Listener) -> None:
    decoders = SQLiteDialect().decoder
    (memo,) = load(owner, some(Memo, "id", "words"), [(1, '["x"]')], decoders=decoders)
    assert kept(memo) == [None, ["x"]]
    memo.words.append("y")
    load(owner, some(Memo, "id", "words"), [(1, '["z"]')], decoders=decoders)
    assert memo.words == ["x", "y"]
    assert memo.__orm_changes__ == {"words": ["x"]}
    load(owner, entities(Memo), [(1, '{"a": 1}', '["z"]', "")], decoders=decoders)
    assert (memo.body, memo.words) == ({"a": 1}, ["x", "y"])
    assert kept(memo) == [{"a": 1}, ["x"]]


def test_a_partial_row_that_cannot_be_read_leaves_the_object_as_it_is(owner: Listener) -> None:
    shape = some(Writer, "id", "name", "email")
    (ada,) = load(owner, some(Writer, "id", "name"), [NAMED], decoders=unreadable)
    for rows in ([(1, "Eve", "bad")], [(2, "x", None), (1, "Eve", "bad")]):
        with pytest.raises(DataError, match=r"Writer\.\w+ cannot be read"):
            load(owner, shape, rows, decoders=unreadable)
        assert columns_of(ada) == {"id": 1, "name": "Ada"}
    ada.age = 3
    with pytest.raises(DataError, match=r"Writer\.\w+ cannot be read"):
        load(owner, shape, [(1, "Eve", "bad")], decoders=unreadable)
    assert columns_of(ada) == {"id": 1, "name": "Ada", "age": 3}


def test_rows_of_one_object_in_one_result(owner: Listener) -> None:
    one, two = load(owner, some(Writer, "id", "name"), [NAMED, (1, "other")])
    assert one is two
    assert one.name == "Ada"


# ---- objects that belong to others


def story_and_writer(*, optional: bool = False, names: tuple[str, ...] | None = None) -> RowShape:
    stories, writers = Story.__info__, Writer.__info__
    width = len(stories.fields)
    relation = stories.relation("editor" if optional else "writer")
    attached = EntityPart(writers, width, optional, names, (0, relation))
    return RowShape((EntityPart(stories, 0), attached), "entities", width + len(names or writers.fields))


def rows_of(writer_id: int, *writer: Any, editor_id: int | None = None) -> list[Sequence[Any]]:
    return [(1, "s", 0, 1, writer_id, editor_id, *writer)]


def test_the_object_is_attached_and_no_part_of_the_result(owner: Listener) -> None:
    (story,) = load(owner, story_and_writer(), rows_of(1, *ADA))
    assert isinstance(story, Story)
    assert story.__orm_related__ == {"writer": story.writer}
    assert story.writer.name == "Ada"
    assert owner.unit.is_empty


def test_no_object_is_told_by_the_key(owner: Listener) -> None:
    (story,) = load(owner, story_and_writer(optional=True), rows_of(1, None, None, None, None))
    assert story.__orm_related__ is None
    assert story.editor is None


def test_a_changed_owner_keeps_what_it_points_to(owner: Listener) -> None:
    (story,) = load(owner, story_and_writer(), rows_of(1, *ADA))
    eve = owner.loaded(Writer, id=2, name="Eve")
    story.writer = eve
    load(owner, story_and_writer(), rows_of(1, *ADA))
    assert story.writer is eve
    story.title = "changed too"
    load(owner, story_and_writer(), rows_of(2, 2, "Eve", None, 0))
    assert story.writer is eve


def test_an_owner_that_saw_a_newer_row_keeps_what_it_points_to(owner: Listener) -> None:
    earlier, later = owner.origin(), owner.origin()
    (story,) = load(owner, story_and_writer(), rows_of(2, 2, "Eve", None, 0), later)
    load(owner, story_and_writer(), rows_of(1, *ADA), earlier)
    assert story.writer.name == "Eve"
    assert owner.identity.of(Writer.__info__)[1].name == "Ada"


def test_a_refreshed_owner_points_to_what_came_with_it(owner: Listener) -> None:
    (story,) = load(owner, story_and_writer(), rows_of(1, *ADA))
    load(owner, story_and_writer(), rows_of(2, 2, "Eve", None, 0))
    assert story.writer.name == "Eve"


def test_columns_of_attached_objects_may_be_left_out(owner: Listener) -> None:
    (story,) = load(owner, story_and_writer(names=("id", "name")), rows_of(1, 1, "Ada"))
    assert columns_of(story.writer) == {"id": 1, "name": "Ada"}


def test_the_other_side_is_an_object_or_known_to_be_none(owner: Listener) -> None:
    writers, desks = Writer.__info__, Desk.__info__
    width = len(writers.fields)
    parts = (EntityPart(writers, 0), EntityPart(desks, width, True, None, (0, writers.relation("desk"))))
    shape = RowShape(parts, "entities", width + len(desks.fields))
    ada, eve = load(owner, shape, [(*ADA, 5, 1, 1), (2, "Eve", None, 0, None, None, None)])
    assert (ada.desk.id, eve.desk) == (5, None)
    assert ada.desk.writer is ada
    # an owner that changed learns what it did not know, and forgets nothing
    eve.age, ada.age = 9, 9
    load(owner, shape, [(2, "Eve", None, 0, 6, 1, 2), (*ADA, None, None, None)])
    assert (eve.desk.id, ada.desk.id) == (6, 5)


def test_objects_are_attached_to_attached_ones(owner: Listener) -> None:
    folders = Folder.__info__
    parent, width = folders.relation("parent"), len(folders.fields)
    parts = (
        EntityPart(folders, 0),
        EntityPart(folders, width, True, None, (0, parent)),
        EntityPart(folders, 2 * width, True, None, (1, parent)),
    )
    nothing = (None,) * width
    rows = [(3, "leaf", 2, 2, "branch", 1, 1, "root", None), (1, "root", None, *nothing, *nothing)]
    leaf, root = load(owner, RowShape(parts, "entities", 3 * width), rows)
    assert leaf.parent.parent is root
    assert root.parent is None


def test_the_same_model_whole_and_in_part(owner: Listener) -> None:
    folders = Folder.__info__
    width = len(folders.fields)
    attached = EntityPart(folders, 2, True, None, (0, folders.relation("parent")))
    part = EntityPart(folders, 0, names=("id", "parent_id"))
    shape = RowShape((part, attached), "entities", 2 + width)
    leaf, root = load(owner, shape, [(2, 1, 1, "root", None), (1, None, None, None, None)])
    assert columns_of(root) == {"id": 1, "name": "root", "parent_id": None}
    assert leaf.parent is root


# ---- keys


def test_keys_stand_where_lists_are_going_to(owner: Listener) -> None:
    parts = (ValuePart(0, t.Text()), KeyPart(1, (t.Integer(),)), KeyPart(2, (t.Integer(), t.Text())))
    assert load(owner, RowShape(parts, "tuples", 4), [("x", 1, 2, "b")]) == [("x", 1, (2, "b"))]
    alone = RowShape((KeyPart(0, (t.Integer(),)),), "scalars", 1)
    assert load(owner, alone, [(7,)]) == [7]
    assert load(owner, alone, [("7",)], decoders=lambda _: int) == [7]
