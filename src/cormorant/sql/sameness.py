"""Whether expressions are the same, values included."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cormorant.sql import types as t

if TYPE_CHECKING:
    from cormorant.sql.expr import Binds, Expr


def alike(one: Expr[Any], other: Expr[Any]) -> bool:
    """Whether two expressions are the same, values included."""
    return one.key == other.key and identities(one.binds) == identities(other.binds)


def identities(binds: Binds) -> list[Any]:
    """Gives for each value what it has in common with those that are sent as the same value."""
    return [(bind.type.key, _sent(bind.type, bind.value)) for bind in binds]


def equal_values(binds: Binds) -> tuple[int, ...]:
    """Gives for each value the place of the first one that is sent as the same value."""
    found = identities(binds)
    return tuple(map(found.index, found))


def _sent(type_: t.SqlType, value: Any) -> Any:
    """Gives what tells two values of one type apart: 1, 1.0 and True are equal to Python, and three documents."""
    if value is None:
        return None
    if isinstance(type_, t.Custom):
        return _sent(type_.base, type_.encode(value))
    if isinstance(type_, t.Json):
        return type_.dump(value)
    if isinstance(type_, t.Array):
        return [_sent(type_.item, item) for item in value]
    return (type(value), value) if isinstance(type_, t.Unknown) else value
