"""JSON values: the one text of each, and what a value inside a document can be read as."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID

from cormorant._internal.narrowing import is_dict, is_list
from cormorant.errors import ValueOutOfRange, WrongType
from cormorant.sql import types as t

# PostgreSQL keeps neither in its texts
_REFUSED = re.compile("[\0\ud800-\udfff]")
_SHOWN = 40


def check_document_text(text: str) -> None:
    """Refuses a text that no document of PostgreSQL can hold.

    Raises:
        ValueOutOfRange: It has the character NUL or a lone surrogate.
    """
    if _REFUSED.search(text):
        raise ValueOutOfRange(
            f"{text[:_SHOWN]!r} has NUL or a lone surrogate, which no document holds", hint="remove it"
        )


def canonical(value: Any) -> str:
    """Gives the one JSON text of a value that a program gives.

    Raises:
        WrongType: Something in it is no JSON, or no text that a document of PostgreSQL can hold.
    """
    try:
        text = text_of(value)
    except RecursionError:
        raise WrongType("the document is nested too deeply", hint="a document must end somewhere") from None
    if "\\u0000" in text or not text.isascii():
        _check_texts(value)
    return text


def _check_texts(value: Any) -> None:
    if isinstance(value, str):
        check_document_text(value)
    elif is_dict(value):
        for key, item in value.items():
            check_document_text(key)
            _check_texts(item)
    elif is_list(value):
        for item in value:
            _check_texts(item)


def text_of(value: Any) -> str:
    """Gives the one JSON text of a value: keys sorted, numbers without exponents; equal values have equal texts."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, (int, float, Decimal)):
        return canonical_number(Decimal(repr(value)) if isinstance(value, float) else Decimal(value))
    if is_dict(value):
        return "{" + ",".join(f"{_key(key)}:{text_of(value[key])}" for key in sorted(value, key=str)) + "}"
    if is_list(value):
        return "[" + ",".join(map(text_of, value)) + "]"
    raise WrongType(
        f"{value!r} ({type(value).__name__}) is no JSON", hint="use dict, list, str, numbers, bool and None"
    )


def _key(key: object) -> str:
    if isinstance(key, str):
        return text_of(key)
    raise WrongType(f"{key!r} ({type(key).__name__}) is no key of a document", hint="keys are texts")


def canonical_number(number: Decimal) -> str:
    """Gives the one text of a number: no exponent, no trailing zeros, no minus zero.

    Raises:
        ValueOutOfRange: It is NaN or infinite.
    """
    if not number.is_finite():
        raise ValueOutOfRange(f"{number} is no JSON number")
    if not number:
        return "0"
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


# ------------------------------------------------------------------ what a value can be read as

SMALLEST_FLOAT = "4.9406564584124654e-324"
LARGEST_FLOAT = "1.7976931348623157e308"
SMALLEST_INT, LARGEST_INT = t.BIG_INTEGER.bounds

_YEAR = "(?!0000)[0-9]{4}"
_LEAP_YEAR = "(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:0[48]|[2468][048]|[13579][26])00)"
_DAY = (
    "(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])"
    "|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
    "|02-(?:0[1-9]|1[0-9]|2[0-8]))"
)
_DATE = f"(?:{_YEAR}-{_DAY}|{_LEAP_YEAR}-02-29)"
_TIME = "(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:[.][0-9]{1,6})?"
_ZONE = "(?:Z|[+-](?:0[0-9]|1[0-5]):?[0-5][0-9])?"
_DECIMAL = "[+-]?(?:[0-9]{1,255}(?:[.][0-9]{0,255})?|[.][0-9]{1,255})(?:[eE][+-]?[0-9]{1,4})?"
_UUID = "[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
# in another zone, moments of the first and the last year may fall outside of both
_NO_EDGES = "(?!(?:0001|9999)-.*[+-](?!00:?00$)[0-9:]+$)"


@dataclass(frozen=True, slots=True)
class PathType(t.SqlType):
    """A path into a document, with what is looked for at its end; a tuple of keys and places."""

    name = "JSON path"
    accepts: ClassVar[tuple[type[Any], ...]] = (tuple,)
    reading: str

    @property
    def key(self) -> str:
        return f"path:{self.reading}"


@dataclass(frozen=True, slots=True)
class Reading:
    """What a value inside a document is read as; a value of another kind is NULL.

    Args:
        name: Tells readings apart.
        type: The type of what is read.
        pattern: The texts that are read, as a regular expression that both databases understand, without anchors.
    """

    name: str
    type: t.SqlType
    pattern: str | None = None
    path_type: PathType = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "path_type", PathType(self.name))


def _json(name: str, python: type[Any] | None, dump: Callable[[Any], str] = canonical) -> t.Json:
    load: Callable[[str | bytes], Any] = json.loads
    return t.Json(name, dump, load, python)


def written(value: Any) -> str:
    """Gives a value's JSON text as documents are written: a float stays one.

    Raises:
        WrongType: Something in it is no JSON.
    """
    canonical(value)
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    except TypeError as error:
        raise WrongType(f"a {type(value).__name__} is no JSON document: {error}") from None


JSON: t.Json = _json("JSON", None)
"""Any JSON value, compared by content."""

NEW_JSON: t.Json = _json("new JSON", None, written)
"""A JSON value that is put into a document."""

ANYTHING = Reading("json", JSON)
ARRAY = Reading("list", _json("list", list))
OBJECT = Reading("dict", _json("dict", dict))
SIZE = Reading("size", t.INTEGER)
"""The number of items of a list."""

_READINGS: dict[Any, Reading] = {
    list: ARRAY,
    dict: OBJECT,
    str: Reading("str", t.TEXT),
    int: Reading("int", t.BIG_INTEGER),
    float: Reading("float", t.FLOAT),
    bool: Reading("bool", t.BOOLEAN),
    # pydantic writes decimals as texts, to keep their digits
    Decimal: Reading("decimal", t.NUMERIC, _DECIMAL),
    dt.datetime: Reading("datetime", t.DATETIME, f"{_NO_EDGES}{_DATE}[T ]{_TIME}{_ZONE}"),
    dt.date: Reading("date", t.DATE, _DATE),
    UUID: Reading("uuid", t.UUID, _UUID),
}

READINGS: tuple[Reading, ...] = (ANYTHING, SIZE, *_READINGS.values())


def reading_of(returns: object) -> Reading:
    """Gives the reading for a Python class; None reads any value as JSON.

    Raises:
        WrongType: Nothing in a document is read as that class.
    """
    if returns is None:
        return ANYTHING
    try:
        return _READINGS[returns]
    except (KeyError, TypeError):
        names = ", ".join(cls.__name__ for cls in _READINGS)
        raise WrongType(f"no value of a document is read as {returns!r}", hint=f"returns= takes {names}") from None
