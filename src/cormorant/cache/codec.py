"""Rows as bytes: JSON of the drivers' values, each other type under a letter. Nothing read can name a class or code."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, TypeAlias
from uuid import UUID

from cormorant._internal.narrowing import is_list

Row: TypeAlias = tuple[Any, ...]

_PLAIN = frozenset({int, str, float, bool, type(None)})
_KNOWN = frozenset({Decimal, UUID, datetime, date, time, timedelta, bytes})


class NotKept(Exception):
    """A value has a type that is not kept: the row stays out of caches."""


def encode(rows: Sequence[Sequence[Any]]) -> bytes:
    """Gives rows as bytes.

    Raises:
        NotKept: A value has a type that is not among those which come back exactly.
    """
    plain = [list(row) for row in rows]
    for row in plain:
        _check(row)
    try:
        return json.dumps(plain, default=_tagged, separators=(",", ":"), check_circular=False).encode()
    except (RecursionError, ValueError) as error:
        raise NotKept(str(error)) from error


def _check(values: Sequence[Any]) -> None:
    for value in values:
        if type(value) in _PLAIN:
            continue
        if is_list(value):
            _check(value)
        elif type(value) not in _KNOWN and not isinstance(value, UUID):
            # a driver's own class of UUIDs is one; of others nobody knows what they would come back as
            raise NotKept(type(value).__name__)


def _tagged(value: Any) -> dict[str, Any]:
    if isinstance(value, datetime):
        return {"t": value.isoformat()}
    if isinstance(value, timedelta):
        return {"l": [value.days, value.seconds, value.microseconds]}
    if isinstance(value, bytes):
        return {"b": b64encode(value).decode()}
    for letter, kind in (("n", Decimal), ("u", UUID)):
        if isinstance(value, kind):
            return {letter: str(value)}
    return {"c" if isinstance(value, time) else "d": value.isoformat()}


_READ: dict[str, Callable[[Any], Any]] = {
    "t": datetime.fromisoformat,
    "l": lambda given: timedelta(*given),
    "b": lambda given: b64decode(given, validate=True),
    "n": Decimal,
    "u": UUID,
    "d": date.fromisoformat,
    "c": time.fromisoformat,
}


def _untagged(found: dict[str, Any]) -> Any:
    ((letter, value),) = found.items()
    return _READ[letter](value)


_DECODER = json.JSONDecoder(object_hook=_untagged)


def decode(data: bytes) -> list[Row] | None:
    """Gives rows of bytes; None where they are no rows, whoever wrote them."""
    try:
        found: Any = _DECODER.decode(data.decode())
        if not is_list(found):
            return None
        return [tuple(row) if is_list(row) else _refuse() for row in found]
    except (ValueError, TypeError, LookupError, ArithmeticError, RecursionError, AttributeError):
        return None


def _refuse() -> Row:
    raise ValueError("no row")
