"""Texts on SQLite as PostgreSQL has them: case beyond ASCII, patterns, positions and padding."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from cormorant.adapters.sqlite_numbers import Registered
from cormorant.adapters.sqlite_patterns import compiled
from cormorant.adapters.sqlite_reasons import Refused, strict

_WILDCARDS = {"%": ".*", "_": "."}


def _of_text(compute: Callable[[str], Any]) -> Callable[[Any], Any]:
    def function(value: Any) -> Any:
        return compute(str(value))

    return strict(function)


def _reverse(text: str) -> str:
    return text[::-1]


def _regexp(pattern: Any, value: Any) -> bool:
    return re.search(str(pattern), str(value)) is not None


def _matches(value: Any, pattern: str) -> bool:
    return compiled(pattern, 0).search(str(value)) is not None


def _imatches(value: Any, pattern: str) -> bool:
    return compiled(pattern, re.IGNORECASE).search(str(value)) is not None


@lru_cache(maxsize=100)
def _like_pattern(pattern: str) -> re.Pattern[str]:
    """Gives LIKE's pattern as a regular expression; a backslash takes the next character literally."""
    parts: list[str] = []
    characters = iter(pattern)
    for character in characters:
        if character != "\\":
            parts.append(_WILDCARDS.get(character) or re.escape(character))
        elif (literal := next(characters, None)) is not None:
            parts.append(re.escape(literal))
        else:
            raise Refused("a pattern of LIKE must not end with its escape character")
    return re.compile("".join(parts), re.DOTALL)


def _like(value: Any, pattern: str) -> bool:
    return _like_pattern(pattern).fullmatch(str(value)) is not None


def _ilike(value: Any, pattern: str) -> bool:
    return _like_pattern(pattern.lower()).fullmatch(str(value).lower()) is not None


def _substr(value: Any, start: int, count: int | None = None) -> str:
    """Cuts a part out; positions before the first are counted and hold nothing."""
    text = str(value)
    if count is not None and count < 0:
        raise Refused("negative length of a part of a text")
    stop = len(text) if count is None else max(start - 1 + count, 0)
    return text[max(start - 1, 0) : stop]


def _left(value: Any, count: int) -> str:
    return str(value)[:count]


def _right(value: Any, count: int) -> str:
    # a negative number leaves so many out at the other end, as on PostgreSQL
    text = str(value)
    return text[-count:] if count < 0 else text[max(len(text) - count, 0) :]


def _padding(text: str, length: int, fill: str) -> str:
    missing = max(length - len(text), 0)
    return (fill * missing)[:missing] if fill else ""


def _lpad(value: Any, length: int, fill: str) -> str:
    text = str(value)
    return (_padding(text, length, fill) + text)[: max(length, 0)]


def _rpad(value: Any, length: int, fill: str) -> str:
    text = str(value)
    return (text + _padding(text, length, fill))[: max(length, 0)]


def _fit(value: Any, length: int) -> str:
    text = str(value)
    if len(text) > length:
        # PostgreSQL cuts spaces off that are too many
        if text[length:].strip(" "):
            raise Refused(f"value too long for type character varying({length})")
        text = text[:length]
    return text


FUNCTIONS: tuple[Registered, ...] = (
    ("cormorant_lower", 1, _of_text(str.lower)),
    ("cormorant_upper", 1, _of_text(str.upper)),
    ("cormorant_reverse", 1, _of_text(_reverse)),
    ("cormorant_like", 2, strict(_like)),
    ("cormorant_ilike", 2, strict(_ilike)),
    ("cormorant_matches", 2, strict(_matches)),
    ("cormorant_imatches", 2, strict(_imatches)),
    ("cormorant_substr", 2, strict(_substr)),
    ("cormorant_substr", 3, strict(_substr)),
    ("cormorant_left", 2, strict(_left)),
    ("cormorant_right", 2, strict(_right)),
    ("cormorant_lpad", 3, strict(_lpad)),
    ("cormorant_rpad", 3, strict(_rpad)),
    ("cormorant_fit_text", 2, strict(_fit)),
    ("cormorant_unhex", 1, strict(bytes.fromhex)),
    ("regexp", 2, strict(_regexp)),
)
