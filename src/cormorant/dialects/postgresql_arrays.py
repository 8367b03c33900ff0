"""PostgreSQL's text form of arrays, in which whole columns travel.

The driver takes one text as it is. Of an array it asks each item twice whether that is an array too, which costs more
than everything else that is done for a row; and the server reads the text faster than the items one by one.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, TypeAlias

from cormorant._internal.array_text import ArrayText
from cormorant._internal.narrowing import is_list
from cormorant.errors import DataError
from cormorant.sql import types as t

ArrayWriter: TypeAlias = Callable[[Sequence[Any]], ArrayText]
_Words: TypeAlias = Callable[[Sequence[Any]], str]


def array_literal(values: list[Any]) -> str:
    """Gives a list as PostgreSQL's text form of an array: {"a","b",NULL}."""
    return "{" + ",".join(map(_array_item, values)) + "}"


def _array_item(value: Any) -> str:
    if value is None:
        return "NULL"
    if is_list(value):
        return array_literal(value)
    return '"' + array_text(value).replace("\\", "\\\\").replace('"', '\\"') + '"'


_INFINITE: dict[Any, str] = {dt.date.min: "-infinity", dt.date.max: "infinity"}


def array_text(value: Any) -> str:
    """Gives the text form PostgreSQL reads a value from."""
    if isinstance(value, bool):
        return "t" if value else "f"
    if isinstance(value, t.Binary.accepts):
        return "\\x" + bytes(value).hex()
    if value in _INFINITE and not isinstance(value, dt.datetime):
        # what the driver makes of these dates where they are no text
        return _INFINITE[value]
    if isinstance(value, (dt.datetime, dt.date, dt.time)):
        return value.isoformat()
    if isinstance(value, dt.timedelta):
        return f"{value.days} days {value.seconds} seconds {value.microseconds} microseconds"
    return repr(value) if isinstance(value, float) else str(value)


# ------------------------------------------------------------------ columns of one type


def is_written(type_: t.SqlType) -> bool:
    """Whether arrays of a type travel as text."""
    return type(type_) in _WORDS


def array_writer(type_: t.SqlType) -> ArrayWriter | None:
    """Gives what writes the values of a column, NULLs among them, as the text of an array.

    Args:
        type_: The type that the array's items have on the server.

    Returns:
        The writer, which raises DataError for values of another class; None for types whose items travel as they are.
    """
    words = _WORDS.get(type(type_))
    if words is None:
        return None

    def write(values: Sequence[Any]) -> ArrayText:
        try:
            return ArrayText.of("{" + words(values) + "}", values)
        except (TypeError, ValueError, ArithmeticError, AttributeError, KeyError) as error:
            # without the value, and without the error that has it
            reason = "a text has the character NUL" if isinstance(error, _HasNul) else "a value has another class"
            raise DataError(
                f"invalid input for a column of {type_.name}: {reason}", hint="pass values of the column's type"
            ) from None

    return write


class _HasNul(ValueError):
    """A text has the character by which texts are kept apart."""


def _texts(values: Sequence[Any]) -> str:
    """Gives texts in quotes. A handful of passes over one long text takes a fraction of the time of one for each."""
    if not values:
        return ""
    count = 2 * len(values)
    # NUL, which no text has, stands for the quotes until those of the texts are escaped
    try:
        joined = "\0,\0".join(values)
    except TypeError:
        joined = "\0,\0".join(["\0" if value is None else value for value in values])
        count += sum([value is None for value in values])
    joined = f"\0{joined}\0"
    if joined.count("\0") != count:
        raise _HasNul
    escaped = joined.replace("\\", "\\\\").replace('"', '\\"')
    return escaped.replace("\0\0\0", "NULL").replace("\0", '"')


def _each(write: Callable[[Any], str], other: Callable[[Any], str] | None = None) -> _Words:
    """Gives what writes values one by one; `other` takes values of further classes."""
    rare = other or write

    def words(values: Sequence[Any]) -> str:
        try:
            return ",".join(map(write, values))
        except (TypeError, AttributeError):
            return ",".join(["NULL" if value is None else rare(value) for value in values])

    return words


def _dates(values: Sequence[dt.date | None]) -> str:
    text = _plain_dates(values)
    for end, word in _INFINITE.items():
        text = text.replace(end.isoformat(), word)
    return text


def _moment(value: dt.datetime) -> str:
    # in UTC, as the driver sends it: offsets may be finer than the server reads them
    return (value if value.tzinfo is dt.UTC else value.astimezone(dt.UTC)).isoformat()


def _number(value: Decimal | int) -> str:
    return Decimal.__str__(value) if isinstance(value, Decimal) else int.__repr__(value)


_plain_dates = _each(dt.date.isoformat)

# methods of the classes refuse what is no instance, without a look of our own
_WORDS: dict[type[t.SqlType], _Words] = {
    t.Text: _texts,
    t.Integer: _each(int.__repr__),
    t.Float: _each(float.__repr__, lambda value: float.__repr__(value + 0.0)),
    t.Numeric: _each(Decimal.__str__, _number),
    t.Boolean: _each({True: "t", False: "f", None: "NULL"}.__getitem__),
    t.Date: _dates,
    t.Time: _each(dt.time.isoformat),
    t.DateTime: _each(_moment),
    t.Uuid: _each(lambda value: f"{value.int:032x}"),
}
