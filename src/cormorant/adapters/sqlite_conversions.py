"""Values of columns that become another type on SQLite, as PostgreSQL makes them: by a cast, or by their text."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from itertools import pairwise
from typing import Any, TypeAlias

from cormorant._internal.narrowing import is_list
from cormorant.adapters import sqlite_numbers as numbers
from cormorant.adapters import sqlite_readings as readings
from cormorant.adapters.sqlite_numbers import EXACT, Registered
from cormorant.adapters.sqlite_reasons import strict
from cormorant.dialects.sqlite import canonical_decimal, decode_datetime, decode_decimal

_Step: TypeAlias = Callable[[Any], Any]

_TYPE = re.compile(r"(?P<base>[^(\[]+)(?:\((?P<size>\d+)(?:,\s*(?P<scale>-?\d+))?\))?(?P<list>\[\])?")
_BITS = {"smallint": 16, "integer": 32, "bigint": 64}
_FLOATS = frozenset({"double precision", "real"})
_TEXTS = frozenset({"text", "varchar"})


@dataclass(frozen=True, slots=True)
class _Type:
    """A type in PostgreSQL's words."""

    base: str
    size: int | None = None
    scale: int | None = None
    is_list: bool = False

    @property
    def is_number(self) -> bool:
        return self.base in _BITS or self.base in _FLOATS or self.base == "numeric"

    @property
    def item(self) -> _Type:
        return _Type(self.base, self.size, self.scale)


def _type(text: str) -> _Type:
    match = _TYPE.fullmatch(text)
    if match is None:
        return _Type(text)
    size, scale = (None if match[name] is None else int(match[name]) for name in ("size", "scale"))
    return _Type(match["base"].strip(), size, scale, match["list"] is not None)


def _converted(value: Any, *types: str) -> Any:
    """Gives a value of the first type as one of the last, by those between; a ValueError where there is none."""
    for before, after in pairwise(types):
        value = _step(before, after)(value)
    return value


def _converts(value: Any, *types: str) -> bool:
    try:
        converted(value, *types)
    except (ValueError, ArithmeticError, TypeError):
        return False
    return True


def _labelled(value: Any, *labels: str) -> Any:
    if value not in labels:
        raise ValueError
    return value


@lru_cache(maxsize=200)
def _step(before: str, after: str) -> _Step:
    old, new = _type(before), _type(after)
    if old.is_list and new.is_list:
        return _of_lists(old, new)
    direct = _direct(old, new)
    if direct is not None:
        return direct
    return lambda value: _read(_text(value, old), new)


# ------------------------------------------------------------------ without the way by text


def _direct(old: _Type, new: _Type) -> _Step | None:
    if old.is_list or new.is_list:
        return _of_documents(new) if old.base == "jsonb" else None
    if old.base == "boolean" and new.is_number:
        return lambda value: _kept(int(value), new)
    if old.is_number and new.is_number:
        return lambda value: _kept(_number(value, old), new)
    if old.base == "interval" and new.is_number:
        return lambda value: _kept(Decimal(value) / 1_000_000, new)
    if old.is_number and new.base == "interval":
        return lambda value: readings.microseconds(_exact(_number(value, old)))
    return None


def _number(value: Any, type_: _Type) -> int | float | Decimal:
    if type_.base == "numeric":
        return decode_decimal(value)
    if type_.base in _FLOATS:
        return float(value)
    return value if isinstance(value, int) else int(readings.whole(str(value)))


def _exact(number: float | Decimal) -> Decimal:
    if isinstance(number, float) and not math.isfinite(number):
        raise ValueError
    # PostgreSQL takes the 15 digits that a float is sure of
    return Decimal(format(number, ".15g")) if isinstance(number, float) else Decimal(number)


def _kept(number: float | Decimal, type_: _Type) -> Any:
    """Gives a number as a column of another type of numbers keeps it."""
    if type_.base == "numeric":
        return _decimal(_exact(number), type_)
    if type_.base in _FLOATS:
        found = float(number)
        if math.isinf(found) and not (isinstance(number, float) and math.isinf(number)):
            raise ValueError
        return found
    # a float that is half-way between two goes to the even one, a decimal away from zero
    whole = round(number) if isinstance(number, float) else int(Decimal(number).quantize(1, ROUND_HALF_UP, EXACT))
    return _within(whole, type_)


def _within(number: int, type_: _Type) -> int:
    most = 1 << (_BITS[type_.base] - 1)
    if not -most <= number < most:
        raise ValueError
    return number


def _decimal(number: Decimal, type_: _Type) -> str:
    if type_.size is None:
        return canonical_decimal(number)
    scale = type_.scale or 0
    rounded = number.quantize(Decimal(1).scaleb(-scale), ROUND_HALF_UP, EXACT)
    if abs(rounded) >= Decimal(1).scaleb(type_.size - scale):
        raise ValueError
    return canonical_decimal(rounded)


# ------------------------------------------------------------------ lists


def _of_lists(old: _Type, new: _Type) -> _Step:
    def convert(value: Any) -> str:
        return _dumped([None if item is None else _item(item, old, new) for item in json.loads(value)], new)

    return convert


def _item(item: Any, old: _Type, new: _Type) -> Any:
    item = bytes.fromhex(item) if old.base == "bytea" else item
    step = _direct(old.item, new.item)
    return _read(_text(item, old.item), new.item) if step is None else step(item)


def _of_documents(new: _Type) -> _Step:
    def convert(value: Any) -> str:
        items: Any = json.loads(value)
        if not is_list(items) or any(isinstance(item, (list, dict)) for item in items):
            raise ValueError
        said = [item if item is None or isinstance(item, str) else json.dumps(item) for item in items]
        return _dumped([None if item is None else _read(item, new.item) for item in said], new)

    return convert


def _dumped(items: list[Any], type_: _Type) -> str:
    if type_.base == "bytea":
        items = [None if item is None else item.hex().upper() for item in items]
    elif type_.base == "boolean":
        items = [None if item is None else bool(item) for item in items]
    return json.dumps(items, allow_nan=False)


def _literal_of(value: Any, type_: _Type) -> str:
    """Writes a list as PostgreSQL does: {a,"b c",NULL}."""
    items = json.loads(value)
    if type_.base == "bytea":
        items = [None if item is None else bytes.fromhex(item) for item in items]
    return readings.list_text([None if item is None else _text(item, type_.item) for item in items])


# ------------------------------------------------------------------ by way of the text


def _text(value: Any, type_: _Type) -> str:
    """Writes a value as PostgreSQL does."""
    if type_.is_list:
        return _literal_of(value, type_)
    if isinstance(value, bytes) and type_.base in (*_TEXTS, "jsonb"):
        return value.decode()
    if isinstance(value, bytes):
        return rf"\x{value.hex()}"
    if type_.base == "numeric":
        number = decode_decimal(value)
        return format(number, "f") if type_.scale is None else f"{number:.{max(type_.scale, 0)}f}"
    if type_.base == "boolean" and value in (0, 1):
        return "true" if value else "false"
    if type_.base == "timestamptz":
        return readings.moment_text(decode_datetime(str(value)))
    if type_.base == "time":
        return readings.without_zeros(str(value))
    if type_.base == "interval":
        return readings.interval_text(int(value))
    return numbers.float_text(value) if isinstance(value, float) else str(value)


def _read(text: str, type_: _Type) -> Any:
    """Reads a text as PostgreSQL does, and gives what SQLite keeps; as it is where the type is not known."""
    if type_.is_list:
        return _dumped([None if item is None else _read(item, type_.item) for item in readings.items_of(text)], type_)
    if type_.base in _BITS:
        return _within(int(readings.whole(text)), type_)
    if type_.base == "numeric":
        return _decimal(Decimal(numbers.parse_decimal(text)), type_)
    if type_.base in _TEXTS:
        return text if type_.size is None else readings.cut(text, type_.size)
    read = _READ.get(type_.base)
    return text if read is None else read(text)


def _document(text: str) -> str:
    def refuse(constant: str) -> Any:
        raise ValueError

    json.loads(text, parse_constant=refuse)
    return text


_READ: dict[str, Callable[[str], Any]] = {
    "double precision": numbers.parse_float,
    "real": numbers.parse_float,
    "boolean": lambda text: int(numbers.parse_boolean(text)),
    "bytea": readings.blob,
    "date": readings.date,
    "time": readings.time,
    "timestamptz": readings.moment,
    "interval": readings.interval,
    "uuid": readings.identifier,
    "jsonb": _document,
    "json": _document,
}

converted: Callable[..., Any] = strict(_converted)

FUNCTIONS: tuple[Registered, ...] = (
    # any number of types, the first of which is the value's
    ("cormorant_converted", -1, converted),
    ("cormorant_converts", -1, _converts),
    # and any number of an enum's values
    ("cormorant_labelled", -1, strict(_labelled)),
)
