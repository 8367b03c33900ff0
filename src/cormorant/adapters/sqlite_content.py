"""What SQLite connections are taught of documents and lists, with the meaning PostgreSQL gives them."""

from __future__ import annotations

import datetime as dt
import json
import math
import re
from collections.abc import Callable, Iterable
from decimal import Decimal
from functools import lru_cache, partial
from typing import Any, NoReturn

from cormorant._internal.narrowing import is_dict, is_list
from cormorant.dialects.sqlite import encode_datetime
from cormorant.sql.json_values import (
    LARGEST_FLOAT,
    LARGEST_INT,
    READINGS,
    SMALLEST_FLOAT,
    SMALLEST_INT,
    canonical_number,
    text_of,
)

_MISSING: Any = object()
_SURROGATES = re.compile("[\ud800-\udfff]")
# more digits than Python turns into an int
_LONG = 4000
_SMALLEST, _LARGEST = Decimal(SMALLEST_FLOAT), Decimal(LARGEST_FLOAT)
_PATTERNS = {reading.name: re.compile(reading.pattern) for reading in READINGS if reading.pattern is not None}


# ------------------------------------------------------------------ documents


def _refuse(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON")


def _integer(digits: str) -> int | Decimal:
    return int(digits) if len(digits) < _LONG else Decimal(digits)


_decode = json.JSONDecoder(parse_float=Decimal, parse_int=_integer, parse_constant=_refuse).decode


# several values are often read from one document: it is parsed once; nobody changes what is kept here
@lru_cache(maxsize=8)
def _document(text: str | bytes) -> Any:
    """Gives a document with exact numbers; what is no JSON holds nothing."""
    try:
        return _decode(text if isinstance(text, str) else text.decode())
    except (ValueError, RecursionError):
        return _MISSING


@lru_cache(maxsize=100)
def _path(text: str) -> tuple[str | int, ...]:
    return tuple(json.loads(text))


def _at(value: Any, parts: Iterable[str | int]) -> Any:
    """Gives what stands at a path: a key is looked for in objects only, and a place in lists."""
    for part in parts:
        if isinstance(part, str):
            value = value.get(part, _MISSING) if is_dict(value) else _MISSING
        elif is_list(value) and -len(value) <= part < len(value):
            value = value[part]
        else:
            return _MISSING
    return value


def _reader(read: Callable[[Any], Any]) -> Callable[[Any, Any], Any]:
    def function(document: Any, path: Any) -> Any:
        if document is None or path is None:
            return None
        found = _at(_document(document), _path(path))
        return None if found is None or found is _MISSING else _sendable(read(found))

    return function


def _canonical(document: Any) -> str | None:
    value = _MISSING if document is None else _document(document)
    return None if value is _MISSING else text_of(value)


def compare_documents(left: str, right: str) -> int:
    """Tells documents of another content apart, in an order of its own; texts that are no documents come last."""
    # by far the most that are the same have the same text
    a, b = (None, None) if left == right else (_content(left), _content(right))
    return 0 if a is None or b is None else (a > b) - (a < b)


# rows that are sorted out meet the same few again and again
@lru_cache(maxsize=200)
def _content(text: str) -> tuple[bool, str]:
    try:
        found = _canonical(text)
    except (ValueError, ArithmeticError, RecursionError):
        found = None
    return (True, text) if found is None else (False, found)


def _sendable(value: Any) -> Any:
    """Gives a value, or None for a text with lone surrogates, which only other programs write."""
    return None if isinstance(value, str) and not value.isascii() and _SURROGATES.search(value) else value


def _json_of(kind: type[Any], value: Any) -> str | None:
    return text_of(value) if isinstance(value, kind) else None


def _number(value: Any) -> Decimal | None:
    return Decimal(value) if isinstance(value, (int, Decimal)) and not isinstance(value, bool) else None


def _int(value: Any) -> int | None:
    number = _number(value)
    if number is None or not SMALLEST_INT <= number <= LARGEST_INT or number != number.to_integral_value():
        return None
    return int(number)


def _float(value: Any) -> float | None:
    number = _number(value)
    if number is None or (number and not _SMALLEST <= number.copy_abs() <= _LARGEST):
        return None
    return float(number)


def _matched(reading: str, value: Any) -> str | None:
    return value if isinstance(value, str) and _PATTERNS[reading].fullmatch(value) else None


def _decimal(value: Any) -> str | None:
    number = _number(value)
    if number is None and (text := _matched("decimal", value)) is not None:
        number = Decimal(text)
    return None if number is None else canonical_number(number)


def _datetime(value: Any) -> str | None:
    text = _matched("datetime", value)
    if text is None:
        return None
    moment = dt.datetime.fromisoformat(text)
    return encode_datetime(moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment)


def _uuid(value: Any) -> str | None:
    text = _matched("uuid", value)
    return None if text is None else text.lower()


_READERS: dict[str, Callable[[Any], Any]] = {
    "json": text_of,
    "list": partial(_json_of, list),
    "dict": partial(_json_of, dict),
    "size": lambda value: len(value) if is_list(value) else None,
    "str": lambda value: value if isinstance(value, str) else None,
    "bool": lambda value: value if isinstance(value, bool) else None,
    "int": _int,
    "float": _float,
    "decimal": _decimal,
    "datetime": _datetime,
    "date": partial(_matched, "date"),
    "uuid": _uuid,
}


def contains(whole: Any, part: Any, *, outermost: bool = True) -> bool:
    """Whether a document contains another as jsonb's @> has it: objects by key, lists by item in any order."""
    if is_dict(whole) and is_dict(part):
        return all(key in whole and contains(whole[key], part[key], outermost=False) for key in part)
    if is_list(whole) and is_list(part):
        return all(any(contains(ours, theirs, outermost=False) for ours in whole) for theirs in part)
    if outermost and is_list(whole) and not is_dict(part):
        # the one exception: a list contains a text, number or boolean of its own
        return any(_same(item, part) for item in whole)
    return _same(whole, part)


def _same(one: Any, other: Any) -> bool:
    # True is 1 to Python; lists and objects have been told apart before
    return isinstance(one, bool) is isinstance(other, bool) and not isinstance(one, (list, dict)) and one == other


def _has(value: Any, key: str) -> bool:
    if is_dict(value):
        return key in value
    return any(isinstance(item, str) and item == key for item in (value if is_list(value) else [value]))


def _changed(document: str, path: str, kind: str, change: Callable[[Any], None]) -> str:
    """Gives a document after a change of what stands at a path; as it was if something else stands there."""
    try:
        value: Any = json.loads(document, parse_constant=_refuse)
        holder = _at(value, _path(path))
        if not isinstance(holder, dict if kind == "dict" else list):
            return document
        change(holder)
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (ValueError, RecursionError):
        # no document, or one with numbers that would not come back as they are
        return document


def _put(document: Any, path: Any, kind: str, keys: Any, new: Any) -> str | None:
    if document is None:
        return None
    key, value = json.loads(keys)[-1], json.loads(new)

    def change(holder: Any) -> None:
        if is_dict(holder):
            was_sorted = list(holder) == sorted(holder)
            holder[key] = value
            if was_sorted:
                # as the texts of plain documents are; a unique constraint compares them as texts
                ordered = {name: holder[name] for name in sorted(holder)}
                holder.clear()
                holder.update(ordered)
        else:
            _put_item(holder, int(key), value)

    return _changed(document, path, kind, change)


def _put_item(items: list[Any], place: int, value: Any) -> None:
    """Replaces an item, or adds one at the end that the place lies beyond of."""
    if -len(items) <= place < len(items):
        items[place] = value
    else:
        items.insert(len(items) if place >= 0 else 0, value)


def _without(document: Any, path: Any, kind: str, keys: Any) -> str | None:
    if document is None:
        return None
    key = json.loads(keys)[-1]

    def change(holder: Any) -> None:
        if is_dict(holder):
            holder.pop(key, None)
        elif -len(holder) <= int(key) < len(holder):
            del holder[int(key)]

    return _changed(document, path, kind, change)


def _to_json(value: Any, kind: str) -> str:
    if value is None:
        return "null"
    if kind in ("json", "numeric"):
        return str(value)
    if kind == "float" and math.isinf(value):
        # as PostgreSQL writes it
        return json.dumps("Infinity" if value > 0 else "-Infinity")
    return json.dumps(bool(value) if kind == "boolean" else value, ensure_ascii=False)


# ------------------------------------------------------------------ lists


@lru_cache(maxsize=8)
def _list(text: str) -> tuple[Any, ...]:
    return tuple(json.loads(text))


def _contains_all(whole: tuple[Any, ...], part: tuple[Any, ...]) -> bool:
    # NULL is equal to nothing, not even to itself
    return all(item is not None and item in whole for item in part)


def _overlaps(one: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    return any(item is not None and item in one for item in other)


def _concat(left: str | None, right: str | None) -> str | None:
    if left is None or right is None:
        return right if left is None else left
    inside = [text.strip()[1:-1] for text in (left, right)]
    return f"[{', '.join(filter(None, inside))}]"


def _item(text: Any, place: Any) -> Any:
    if text is None or place is None:
        return None
    items = _list(text)
    return items[place] if -len(items) <= place < len(items) else None


# ------------------------------------------------------------------ all of them


def _strict(parse: Callable[[Any], Any], parse_second: Callable[[Any], Any], test: Callable[[Any, Any], Any]) -> Any:
    """Gives a function of two texts that gives NULL for NULL."""

    def function(one: Any, other: Any) -> Any:
        return None if one is None or other is None else test(parse(one), parse_second(other))

    return function


FUNCTIONS: tuple[tuple[str, int, Callable[..., Any]], ...] = (
    *((f"cormorant_json_{name}", 2, _reader(read)) for name, read in _READERS.items()),
    ("cormorant_json", 1, _canonical),
    ("cormorant_json_contains", 2, _strict(_document, _document, contains)),
    ("cormorant_json_has", 2, _strict(_document, str, _has)),
    ("cormorant_json_has_any", 2, _strict(_document, _list, lambda value, keys: any(_has(value, k) for k in keys))),
    ("cormorant_json_has_all", 2, _strict(_document, _list, lambda value, keys: all(_has(value, k) for k in keys))),
    ("cormorant_json_put", 5, _put),
    ("cormorant_json_without", 4, _without),
    ("cormorant_to_json", 2, _to_json),
    ("cormorant_array_contains", 2, _strict(_list, _list, _contains_all)),
    ("cormorant_array_overlaps", 2, _strict(_list, _list, _overlaps)),
    ("cormorant_array_concat", 2, _concat),
    ("cormorant_array_item", 2, _item),
)
