"""How SQLite turns the values of a column into those of another type: as PostgreSQL's casts do."""

from __future__ import annotations

from cormorant.schema import column_types as types

_MOMENTS = frozenset({"timestamptz", "timestamp"})
_FRACTIONS = frozenset({"double precision", "real", "numeric"})
_WHOLE = frozenset({"smallint", "integer", "bigint"})
_TEXTS = frozenset({"text", "varchar"})

# everything else is read as it stands
_PAIRS = (
    (_MOMENTS, frozenset({"date"}), "substr({0}, 1, 10)"),
    (frozenset({"date"}), frozenset({"timestamptz"}), "{0} || 'T00:00:00.000000+00:00'"),
    # a whole number stays exact, however long
    (_FRACTIONS, _WHOLE, "CASE WHEN {0} GLOB '*[.eE]*' THEN CAST(round({0}) AS INTEGER) ELSE {0} END"),
    (
        _TEXTS,
        frozenset({"boolean"}),
        "CASE WHEN lower(trim({0})) IN ('true', 't', 'yes', 'y', 'on', '1') THEN 1 "
        "WHEN lower(trim({0})) IN ('false', 'f', 'no', 'n', 'off', '0') THEN 0 ELSE {0} END",
    ),
    (frozenset({"boolean"}), _TEXTS, "CASE {0} WHEN 1 THEN 'true' WHEN 0 THEN 'false' ELSE {0} END"),
)


def converted(before: str, after: str, name: str) -> str | None:
    """Gives what makes a value of the type `after` from the column `name` of the type `before`; None if nothing does.

    Example:
        >>> converted("timestamptz", "date", '"born"')
        'substr("born", 1, 10)'
    """
    one, other = types.base(before), types.base(after)
    return next((made.format(name) for old, new, made in _PAIRS if one in old and other in new), None)
