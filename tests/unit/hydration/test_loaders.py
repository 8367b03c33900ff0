"""Rows become objects: one loader for each shape, and what a row may do to an object that is known already."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from cormorant import DataError, NotLoadedError
from cormorant._internal.collector import MANY
from cormorant._internal.json_text import load_json
from cormorant.dialects.sqlite import SQLiteDialect
from cormorant.hydration.hydrator import compile_loader
from cormorant.hydration.shapes import EntityPart, Part, RowShape, ValuePart
from cormorant.models.inside import saved_value_of
from cormorant.models.state import Origin, is_ghost, new_ghost
from cormorant.sql import types as t
from tests.support.newsroom import Folder, Grade, Memo, Story, Ticket, Writer
from tests.unit.persistence.conftest import Listener

ADA = (1, "Ada", None, 7)


@pytest.fixture
def owner() -> Listener:
    return Listener()


def entities(model: Any, **options: Any) -> RowShape:
    return RowShape((EntityPart(model.__info__, 0, **options),), "entities", len(model.__info__.fields))


def load(
    owner: Listener,
    shape: RowShape,
    rows: Sequence[Any],
    origin: Origin | None = None,
    decoders: Callable[[t.SqlType], Any] = lambda _: None,
) -> list[Any]:
    return compile_loader(shape, decoders)(rows, owner.identity.of, origin or owner.origin())


# ---- objects


def test_a_row_becomes_an_object(owner: Listener) -> None:
    origin = owner.origin()
    (ada,) = load(owner, entities(Writer), [ADA], origin)
    assert type(ada) is Writer
    assert ada.to_dict() == {"id": 1, "name": "Ada", "email": None, "age": 7}
    assert (ada.__orm_origin__, ada.__orm_changes__, ada.__orm_related__) == (origin, None, None)
    assert owner.identity.of(Writer.__info__) == {1: ada}


def test_nothing_is_tracked_while_rows_become_objects(owner: Listener) -> None:
    load(owner, entities(Writer), [ADA])
    assert owner.unit.is_empty


def test_rows_of_one_key_are_one_object(owner: Listener) -> None:
    one, two, other = load(owner, entities(Writer), [ADA, ADA, (2, "Bob", None, 0)])
    assert one is two
    assert other is not one


def test_all_objects_of_a_result_share_their_origin(owner: Listener) -> None:
    found = load(owner, entities(Writer), [(n, "w", None, 0) for n in range(5)])
    assert len({id(writer.__orm_origin__) for writer in found}) == 1


def test_keys_of_several_columns_are_tuples(owner: Listener) -> None:
    (grade,) = load(owner, entities(Grade), [(1, "math", 3, None)])
    assert owner.identity.of(Grade.__info__) == {(1, "math"): grade}


def test_keys_are_decoded_before_they_are_looked_up(owner: Listener) -> None:
    (ticket,) = load(
        owner,
        entities(Ticket),
        [("00000000-0000-0000-0000-000000000007", "1", 7, None)],
        decoders=SQLiteDialect().decoder,
    )
    assert owner.identity.of(Ticket.__info__) == {ticket.id: ticket}
    assert ticket.id.int == 7


def test_an_object_that_may_be_missing_is_none(owner: Listener) -> None:
    width = len(Writer.__info__.fields)
    assert load(owner, entities(Writer, optional=True), [(None,) * width, ADA])[0] is None


# ---- rows of objects that are known


def test_a_row_refreshes_a_clean_object(owner: Listener) -> None:
    (ada,) = load(owner, entities(Writer), [ADA])
    origin = owner.origin()
    (again,) = load(owner, entities(Writer), [(1, "Eve", "e@x", 8)], origin)
    assert again is ada
    assert (ada.name, ada.email, ada.age, ada.__orm_origin__) == ("Eve", "e@x", 8, origin)
    assert type(ada) is Writer


def test_a_row_leaves_a_changed_object_alone(owner: Listener) -> None:
    (ada,) = load(owner, entities(Writer), [ADA])
    ada.age = 9
    load(owner, entities(Writer), [(1, "Eve", "e@x", 8)])
    assert (ada.name, ada.email, ada.age) == ("Ada", None, 9)


def test_a_row_that_was_asked_for_earlier_is_not_applied(owner: Listener) -> None:
    earlier, later = owner.origin(), owner.origin()
    (ada,) = load(owner, entities(Writer), [ADA], later)
    load(owner, entities(Writer), [(1, "old", None, 0)], earlier)
    assert ada.name == "Ada"
    load(owner, entities(Writer), [(1, "same", None, 0)], later)
    assert ada.name == "Ada"


def test_a_row_fills_a_reference_in_place(owner: Listener) -> None:
    reference = new_ghost(Writer.__info__, {"id": 1}, Origin(owner, 0))
    owner.identity.put(Writer.__info__, 1, reference)
    with pytest.raises(NotLoadedError):
        reference.name  # noqa: B018
    (ada,) = load(owner, entities(Writer), [ADA])
    assert ada is reference
    assert (type(reference), reference.name) == (Writer, "Ada")


def test_a_row_fills_what_a_changed_reference_lacks(owner: Listener) -> None:
    reference = new_ghost(Writer.__info__, {"id": 1}, Origin(owner, 0))
    owner.identity.put(Writer.__info__, 1, reference)
    reference.name = "Eve"
    load(owner, entities(Writer), [ADA])
    assert (type(reference), reference.name, reference.age) == (Writer, "Eve", 7)
    assert owner.unit.dirty == {id(reference): reference}


def test_a_row_does_not_bring_back_the_key_of_a_relation_that_waits(owner: Listener) -> None:
    (story,) = load(owner, entities(Story), [(1, "s", 0, 1, 4, None)])
    story.writer = Writer(name="new")
    load(owner, entities(Story), [(1, "s", 0, 1, 4, None)])
    assert is_ghost(story)
    assert "writer_id" not in story.to_dict()
    assert story.writer.name == "new"


def test_a_refresh_forgets_related_objects_of_another_key(owner: Listener) -> None:
    (story,) = load(owner, entities(Story), [(1, "s", 0, 1, 4, 5)])
    writer, editor = story.writer, story.editor
    load(owner, entities(Story), [(1, "s", 0, 2, 6, 5)])
    assert story.writer is not writer
    assert (story.writer.id, story.editor) == (6, editor)


# ---- values that change in place


def test_documents_are_decoded_and_what_came_is_kept(owner: Listener) -> None:
    (memo,) = load(owner, entities(Memo), [(1, '{"a": 1}', '["x"]', "")], decoders=SQLiteDialect().decoder)
    assert (memo.body, memo.words) == ({"a": 1}, ["x"])
    memo.body["a"] = 2
    memo.words.append("y")
    assert [saved_value_of(saved, load_json) for saved in memo.__orm_raw__] == [{"a": 1}, ["x"]]


def test_lists_of_the_driver_are_copied(owner: Listener) -> None:
    words = ["x"]
    (memo,) = load(owner, entities(Memo), [(1, {}, words, "")])
    memo.words.append("y")
    assert words == ["x"]


def test_a_row_leaves_an_object_alone_that_changed_inside_of_a_value(owner: Listener) -> None:
    (memo,) = load(owner, entities(Memo), [(1, '{"a": 1}', "[]", "")], decoders=SQLiteDialect().decoder)
    memo.body["a"] = 2
    load(owner, entities(Memo), [(1, '{"a": 3}', "[]", "x")], decoders=SQLiteDialect().decoder)
    assert (memo.body, memo.title) == ({"a": 2}, "")
    assert memo.__orm_changes__ == {"body": {"a": 1}}
    assert owner.unit.dirty == {id(memo): memo}


# ---- rows that cannot be read


def unreadable(type_: t.SqlType) -> Any:
    def decode(value: Any) -> Any:
        if value == "bad":
            raise ValueError(value)
        return value

    return decode if isinstance(type_, t.Text) else None


def test_an_object_whose_row_cannot_be_read_is_never_met(owner: Listener) -> None:
    with pytest.raises(DataError, match=r"Writer\.\w+ cannot be read"):
        load(owner, entities(Writer), [ADA, (2, "bad", None, 0)], decoders=unreadable)
    assert list(owner.identity.of(Writer.__info__)) == [1]


def test_an_object_keeps_its_values_if_a_newer_row_cannot_be_read(owner: Listener) -> None:
    (ada,) = load(owner, entities(Writer), [ADA], decoders=unreadable)
    with pytest.raises(DataError, match=r"Writer\.\w+ cannot be read"):
        load(owner, entities(Writer), [(1, "Eve", "bad", 9)], decoders=unreadable)
    assert type(ada) is Writer
    assert (ada.name, ada.age) == ("Ada", 7)


# ---- other results


@pytest.mark.parametrize(
    ("output", "expected"),
    [("tuples", [(1, "x"), (2, None)]), ("dicts", [{"a": 1, "b": "x"}, {"a": 2, "b": None}])],
)
@pytest.mark.parametrize("decoded", [True, False])
def test_values(owner: Listener, output: Any, expected: list[Any], decoded: bool) -> None:
    shape = RowShape((ValuePart(0, t.Integer()), ValuePart(1, t.Text())), output, 2, ("a", "b"))
    rows = [(1, "x"), (2, None)]
    found = load(
        owner, shape, rows, decoders=lambda type_: str.lower if decoded and isinstance(type_, t.Text) else None
    )
    assert found == expected
    assert all(type(row) is type(expected[0]) for row in found)


@pytest.mark.parametrize("decoded", [True, False])
def test_scalars(owner: Listener, decoded: bool) -> None:
    shape = RowShape((ValuePart(0, t.Integer()),), "scalars", 1)
    assert load(owner, shape, [(1,), (None,)], decoders=lambda _: int if decoded else None) == [1, None]


def test_objects_beside_objects_and_values(owner: Listener) -> None:
    folders, width = Folder.__info__, len(Folder.__info__.fields)
    parts: tuple[Part, ...] = (
        EntityPart(folders, 0),
        EntityPart(folders, width, optional=True),
        ValuePart(2 * width, t.Integer()),
    )
    rows = [(2, "leaf", 1, 1, "root", None, 5), (1, "root", None, None, None, None, 6)]
    (leaf, parent, five), (root, nothing, six) = load(owner, RowShape(parts, "tuples", 2 * width + 1), rows)
    assert (leaf.name, parent.name, five, nothing, six) == ("leaf", "root", 5, None, 6)
    assert root is parent
    assert leaf.parent is root


def test_no_rows_are_no_results(owner: Listener) -> None:
    assert load(owner, entities(Writer), []) == []


@pytest.mark.parametrize("enabled", [True, False])
def test_the_collector_rests_while_a_large_result_is_built(owner: Listener, enabled: bool) -> None:
    seen: list[bool] = []

    def note(value: str) -> str:
        seen.append(gc.isenabled())
        return value

    def decoders(type_: t.SqlType) -> Any:
        return note if isinstance(type_, t.Text) else None

    before = gc.isenabled()
    gc.enable() if enabled else gc.disable()
    try:
        load(owner, entities(Writer), [(n, "w", None, 0) for n in range(MANY + 1)], decoders=decoders)
        assert gc.isenabled() is enabled
    finally:
        gc.enable() if before else gc.disable()
    assert set(seen) == {False}


def test_the_collector_comes_back_after_an_error(owner: Listener) -> None:
    def fail(value: Any) -> Any:
        raise ZeroDivisionError

    rows = [(n, "w", None, 0) for n in range(MANY + 1)]
    with pytest.raises(DataError, match="ZeroDivisionError"):
        load(owner, entities(Writer), rows, decoders=lambda _: fail)
    assert gc.isenabled()


def test_a_traceback_shows_the_line_of_the_loader(owner: Listener) -> None:
    with pytest.raises(ValueError, match="not enough values") as caught:
        load(owner, entities(Writer), [(1,)])
    assert any("for v0, v1" in str(entry.statement) for entry in caught.traceback)
