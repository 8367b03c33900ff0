"""Which changes of a column's type leave its values as they are kept, so that PostgreSQL writes no row."""

from __future__ import annotations

from cormorant.schema import column_types as types

# "varchar" without a length and "text" are the same bytes; a moment without digits has six of them
_MOMENTS = frozenset({"timestamp", "timestamptz", "time", "timetz"})
_LENGTHS = frozenset({"varchar", "varbit"})


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
    return one == other and _is_wider(one, types.size_of(before), types.size_of(after))


def _is_wider(base: str, before: tuple[int, int] | None, after: tuple[int, int] | None) -> bool:
    if base == "numeric":
        return after is None or (before is not None and before[0] <= after[0] and before[1] == after[1])
    if base in _MOMENTS:
        return (after or (6, 0))[0] >= (before or (6, 0))[0]
    return base in _LENGTHS and (after is None or (before is not None and before[0] <= after[0]))
