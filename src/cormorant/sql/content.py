"""What is asked of the content of texts, lists and documents: each operator is told apart by the type."""

from __future__ import annotations

from functools import partial
from typing import Any

from cormorant.errors import WrongType
from cormorant.sql import types as t
from cormorant.sql.arrays import ArrayLength, array_concat, array_item, array_match
from cormorant.sql.documents import at_path, json_contained_by, json_contains
from cormorant.sql.expr import OPERATORS, Expr
from cormorant.sql.json_values import SIZE
from cormorant.sql.nodes import TextMatch

_text_contains = partial(TextMatch, "contains")


def _contains(part: Expr[Any], value: Any) -> Expr[bool]:
    base = t.base_of(part.type)
    if isinstance(base, t.Array):
        return array_match("@>", part, value)
    return json_contains(part, value) if isinstance(base, t.Json) else _text_contains(part, value)


def _contained_by(part: Expr[Any], value: Any) -> Expr[bool]:
    base = t.base_of(part.type)
    if isinstance(base, t.Array):
        return array_match("<@", part, value)
    if isinstance(base, t.Json):
        return json_contained_by(part, value)
    raise _no_list(part, "use .in_([...]) for single values")


def _overlaps(part: Expr[Any], value: Any) -> Expr[bool]:
    if isinstance(t.base_of(part.type), t.Array):
        return array_match("&&", part, value)
    raise _no_list(part, "ask a document for .has_any_keys([...]), or for several .contains(...) with |")


def _length(part: Expr[Any]) -> Expr[Any]:
    base = t.base_of(part.type)
    if isinstance(base, t.Array):
        return ArrayLength(part)
    if isinstance(base, t.Json):
        return at_path(part, (), SIZE)
    raise _no_list(part, "use func.length(...) for texts")


def _item(part: Expr[Any], place: Any) -> Expr[Any]:
    if isinstance(t.base_of(part.type), t.Array):
        return array_item(part, place)
    raise _no_list(part, "read documents with .path(0), .path('key')")


def _concat(left: Expr[Any], right: Any) -> Expr[Any]:
    if isinstance(t.base_of(left.type), t.Array):
        return array_concat(left, right)
    raise _no_list(left, "change documents with .put(...)")


def _no_list(part: Expr[Any], hint: str) -> WrongType:
    return WrongType(f"{part!r} is {part.type.name}, not a list", hint=hint)


OPERATORS.update(
    {
        "contains": _contains,
        "contained by": _contained_by,
        "overlaps": _overlaps,
        "length": _length,
        "item": _item,
        "concat": _concat,
    }
)
