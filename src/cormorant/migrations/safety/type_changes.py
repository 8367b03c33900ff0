"""Which changes of a column's type leave its values as they are kept, so that PostgreSQL writes no row."""

from __future__ import annotations

import re

from cormorant.schema import column_types as types

_SIZE = re.compile(r"\(\s*(\d+)\s*(?:,\s*(-?\d+)\s*)?\)")
# "varchar" without a length and "text" are the same bytes; a moment without digits has six of them
_MOMENTS = frozenset({"timestamp", "timestamptz", "time", "timetz"})
_LENGTHS = frozenset({"varchar", "varbit"})
_WHOLE = ("smallint", "integer", "bigint")


def size_of(type_: str) -> tuple[int, int] | None:
    """Gives the numbers in a type's parentheses, the second 0 if it has one; None if it has none."""
    found = _SIZE.search(type_)
    return None if found is None else (int(found[1]), int(found[2] or 0))


def keeps_bytes(before: str, after: str) -> bool:
    """Whether PostgreSQL takes values of one type for those of the other as they are.

    From `timestamptz` to `timestamp` and back it does so only in a session whose time zone is UTC, which is not counted
    on.
    """
    before, after = types.plain(before), types.plain(after)
    if before == after:
        return True
    if before.endswith("[]") or after.endswith("[]"):
        return False
    one, other = types.base(before), types.base(after)
    if other == "text":
        return one in ("varchar", "text")
    if one == "text":
        return after == "varchar"
    return one == other and _is_wider(one, size_of(before), size_of(after))


def _is_wider(base: str, before: tuple[int, int] | None, after: tuple[int, int] | None) -> bool:
    if base == "numeric":
        return after is None or (before is not None and before[0] <= after[0] and before[1] == after[1])
    if base in _MOMENTS:
        return (after or (6, 0))[0] >= (before or (6, 0))[0]
    return base in _LENGTHS and (after is None or (before is not None and before[0] <= after[0]))


def is_narrower(before: str, after: str) -> bool:
    """Whether some values of one type do not fit the other, of the same kind."""
    before, after = types.plain(before), types.plain(after)
    one, other = types.base(before), types.base(after)
    if one in _WHOLE and other in _WHOLE:
        return _WHOLE.index(one) > _WHOLE.index(other)
    first, second = size_of(before), size_of(after)
    if second is None:
        return False
    if first is None:
        return True
    return second[0] - second[1] < first[0] - first[1] or second[1] < first[1]
