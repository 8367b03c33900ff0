"""A key that no row can have is the client's mistake: a 422 that says where, and not a 500."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from cormorant import Many, Mapped, Model, One, WrongType, foreign_key, generated, many_to_many
from cormorant.sql import types as t

TOO_LARGE = 2**70


class KeyedTag(Model, table="keyed_tags"):
    id: Mapped[int] = generated(primary_key=True)


class KeyedNote(Model, table="keyed_notes"):
    id: Mapped[int] = generated(primary_key=True)
    tag: One[KeyedTag | None] = foreign_key(default=None)
    tags: Many[KeyedTag] = many_to_many()


@pytest.mark.parametrize("mode", ["create", "patch"])
@pytest.mark.parametrize(
    ("sent", "place"), [({"tag_id": TOO_LARGE}, ("tag_id",)), ({"tags": [1, TOO_LARGE]}, ("tags", 1))]
)
def test_a_key_that_fits_no_column_is_refused_where_it_stands(mode: Any, sent: dict[str, Any], place: object) -> None:
    schema: type[BaseModel] = KeyedNote.schema(mode, keys=[KeyedNote.tags])
    with pytest.raises(ValidationError) as caught:
        schema.model_validate(sent)
    (error,) = caught.value.errors()
    assert (error["loc"], error["msg"]) == (place, "does not fit 64 bits")
    assert schema.model_validate({"tag_id": 7, "tags": [7]}).model_dump() == {"tag_id": 7, "tags": [7]}
    assert schema.model_validate({"tag_id": None}).model_dump()["tag_id"] is None


def test_the_largest_column_is_not_to_be_declared_larger() -> None:
    with pytest.raises(WrongType) as caught:
        t.Integer("big").check(TOO_LARGE)
    assert caught.value.hint is None
    with pytest.raises(WrongType) as caught:
        t.Integer("normal").check(2**40)
    assert caught.value.hint == 'declare the column with field(size="big")'
