"""How SQLite says what has a name of ours; the functions named cormorant_... are registered with every connection."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from cormorant.dialects import sqlite_content as content
from cormorant.dialects import sqlite_nodes as nodes
from cormorant.sql.formulas import Fold, Infix, Piece, Template, joined

_ARITHMETIC: dict[str, Template] = {
    # its whole numbers have 64 bits anyway
    "widen": "{0:p}",
    # the operators would give NULL for a divisor of zero
    "divide": "cormorant_divide({0}, {1})",
    "divide of numeric": "cormorant_decimal_div({0}, {1})",
    "floor divide": "cormorant_floor_divide({0}, {1})",
    "floor divide of numeric": "cormorant_decimal_floor_div({0}, {1})",
    "modulo": "cormorant_modulo({0}, {1})",
    "modulo of numeric": "cormorant_decimal_mod({0}, {1})",
    "power": "cormorant_power({0}, {1})",
    "negative": Infix("-({0})"),
    "negative of numeric": "cormorant_decimal_sub('0', {0})",
    "abs": "abs({0})",
    "abs of numeric": "ltrim({0}, '-')",
}

_DAY = "86400000000"

_MOMENTS: dict[str, Template] = {
    "moment plus interval": "cormorant_moment_add({0}, {1})",
    "moment minus interval": "cormorant_moment_add({0}, -({1}))",
    "moment minus moment": "cormorant_moment_diff({0}, {1})",
    "date plus days": "cormorant_date_add({0}, {1})",
    "date plus interval": f"cormorant_date_add({{0}}, cormorant_floor_divide({{1}}, {_DAY}))",
    "date minus interval": f"cormorant_date_add({{0}}, -cormorant_floor_divide({{1}}, {_DAY}))",
    "date minus date": Infix(f"CAST(julianday({{0}}) - julianday({{1}}) AS INTEGER) * {_DAY}"),
    "interval times": Infix("{0:p} * {1:p}"),
}

_CASTS: dict[str, Template] = {
    "whole integer": "{0}",
    "whole numeric": "{0}",
    "whole text": "{0}",
    "cast to text": "CAST({0} AS TEXT)",
    "cast to text of float": "cormorant_float_text({0})",
    "cast to text of boolean": "CASE {0:p} WHEN 1 THEN 'true' WHEN 0 THEN 'false' END",
    "cast to integer": "CAST({0} AS INTEGER)",
    "cast to integer of float": "cormorant_to_integer({0})",
    "cast to integer of numeric": "cormorant_to_integer({0})",
    "cast to integer of text": "cormorant_parse_integer({0})",
    "cast to float": "CAST({0} AS REAL)",
    "cast to float of numeric": "cormorant_parse_float({0})",
    "cast to float of text": "cormorant_parse_float({0})",
    "cast to numeric": "CAST({0} AS TEXT)",
    "cast to numeric of float": "cormorant_float_decimal({0})",
    "cast to numeric of text": "cormorant_parse_decimal({0})",
    "cast to boolean": "cormorant_parse_boolean({0})",
    "cast to boolean of boolean": "{0:p}",
    "cast to boolean of integer": Infix("{0:p} <> 0"),
    "cast to boolean of numeric": Infix("{0:p} <> '0'"),
    "cast to date": "cormorant_parse_date({0})",
    "cast to date of datetime": "substr({0}, 1, 10)",
    "cast to time": "cormorant_parse_time({0})",
    "cast to time of datetime": "substr({0}, 12, 15)",
    "cast to datetime": "cormorant_parse_moment({0})",
    "cast to datetime of date": Infix("{0:p} || 'T00:00:00.000000+00:00'"),
    "cast to uuid": "cormorant_parse_uuid({0})",
}


def _extreme(word: str, collation: str = "") -> Callable[[Sequence[Piece]], str]:
    """Gives greatest() or least(): here max() of several values is NULL where one of them is."""

    def function(pieces: Sequence[Piece]) -> str:
        sides = [str(piece) for piece in pieces]
        if any(piece.nullable for piece in pieces):
            turns = ([*sides[place:], *sides[:place]] for place in range(len(sides)))
            sides = [f"coalesce({', '.join(turn)})" for turn in turns]
        # the first collation there is decides for all
        return f"{word}({', '.join([sides[0] + collation, *sides[1:]])})"

    return function


def _concat(pieces: Sequence[Piece]) -> str:
    sides = (f"coalesce({piece}, '')" if piece.nullable else f"{piece:p}" for piece in pieces)
    return f"({' || '.join(sides)})"


_NUMBERS: dict[str, Template] = {
    "sign": "sign({0})",
    "sign of numeric": "cormorant_sign({0})",
    "round": "cormorant_round({0}, {1})",
    "round of integer": "cormorant_round_whole({0}, {1})",
    "round of numeric": "cormorant_decimal_round({0}, {1})",
    "floor": "cormorant_floor({0})",
    "ceil": "cormorant_ceil({0})",
    "sqrt": "cormorant_sqrt({0})",
    # 53 random bits
    "random": "((random() & 9007199254740991) / 9007199254740992.0)",
    "greatest": _extreme("max"),
    "greatest of numeric": _extreme("max", " COLLATE cormorant_decimal"),
    "least": _extreme("min"),
    "least of numeric": _extreme("min", " COLLATE cormorant_decimal"),
    "coalesce": lambda pieces: f"coalesce({joined(pieces)})",
    "nullif": "nullif({0}, {1})",
    "nullif of json": content.nullif,
}

_TEXTS: dict[str, Template] = {
    # built in, lower() and upper() only know ASCII
    "lower": "cormorant_lower({0})",
    "upper": "cormorant_upper({0})",
    "length": "length({0})",
    "reverse": "cormorant_reverse({0})",
    "concat": _concat,
    "trim": "trim({0}, {1})",
    "ltrim": "ltrim({0}, {1})",
    "rtrim": "rtrim({0}, {1})",
    "substr": lambda pieces: f"cormorant_substr({joined(pieces)})",
    "replace": "replace({0}, {1}, {2})",
    "left": "substr({0}, 1, {1})",
    "right": "cormorant_right({0}, {1})",
    "lpad": "cormorant_lpad({0}, {1}, {2})",
    "rpad": "cormorant_rpad({0}, {1}, {2})",
    "strpos": "instr({0}, {1})",
    # built in, LIKE takes upper and lower case of ASCII as equal
    "like": "cormorant_like({0}, {1})",
    "ilike": "cormorant_ilike({0}, {1})",
    "matches": "cormorant_matches({0}, {1})",
    "imatches": "cormorant_imatches({0}, {1})",
    "cast to small integer": "{0}",
}


def _digits(start: int, count: int = 2) -> Template:
    return f"CAST(substr({{0}}, {start}, {count}) AS INTEGER)"


_MIDNIGHT = "T00:00:00.000000+00:00"
_FIRST_OF_QUARTER = (
    "substr({0}, 1, 5) || substr('01040710', (CAST(substr({0}, 6, 2) AS INTEGER) - 1) / 3 * 2 + 1, 2) || '-01"
)
# the beginning of each unit, without what ends a date or a moment
_BEGINNINGS = {
    "year": "substr({0}, 1, 4) || '-01-01",
    "quarter": _FIRST_OF_QUARTER,
    "month": "substr({0}, 1, 7) || '-01",
    "week": "date(substr({0}, 1, 10), 'weekday 0', '-6 days') || '",
    "day": "substr({0}, 1, 10) || '",
}

# of a moment only the date is given to the functions of SQLite: they round to milliseconds, perhaps into the next day
_PARTS: dict[str, Template] = {
    "now": ("strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000+00:00'"),
    "today": "date('now')",
    "year": _digits(1, 4),
    "month": _digits(6),
    "day": _digits(9),
    "hour": _digits(12),
    "minute": _digits(15),
    "second": _digits(18),
    "hour of time": _digits(1),
    "minute of time": _digits(4),
    "second of time": _digits(7),
    "quarter": "((CAST(substr({0}, 6, 2) AS INTEGER) + 2) / 3)",
    "weekday": "((CAST(strftime('%w', substr({0}, 1, 10)) AS INTEGER) + 6) % 7 + 1)",
    # the Thursday of a week tells its year
    "week": "((CAST(strftime('%j', substr({0}, 1, 10), '-3 days', 'weekday 4') AS INTEGER) + 6) / 7)",
    "day_of_year": "CAST(strftime('%j', substr({0}, 1, 10)) AS INTEGER)",
    "epoch": "cormorant_epoch({0})",
    "epoch of interval": Infix("{0:p} / 1000000.0"),
    **{f"trunc {unit}": Infix(f"{start}{_MIDNIGHT}'") for unit, start in _BEGINNINGS.items()},
    **{f"trunc {unit} of date": Infix(f"{start}'") for unit, start in _BEGINNINGS.items()},
    "trunc hour": Infix("substr({0}, 1, 13) || ':00:00.000000+00:00'"),
    "trunc minute": Infix("substr({0}, 1, 16) || ':00.000000+00:00'"),
    "trunc second": Infix("substr({0}, 1, 19) || '.000000+00:00'"),
    "measured": "cormorant_moment_diff({0}, '1970-01-01')",
}

FORMULAS: Mapping[str, Template] = {**_ARITHMETIC, **_NUMBERS, **_TEXTS, **_MOMENTS, **_PARTS, **_CASTS}

FOLDS: Mapping[str, Fold] = {
    "sum of numeric": Fold("cormorant_decimal_sum({distinct}{0})"),
    "avg of numeric": Fold("cormorant_decimal_avg({distinct}{0})"),
    "max of numeric": Fold("max({0:p} COLLATE cormorant_decimal)"),
    "min of numeric": Fold("min({0:p} COLLATE cormorant_decimal)"),
    "stddev": Fold("cormorant_stddev({0})"),
    "variance": Fold("cormorant_variance({0})"),
    "bool_and": Fold("min({0})"),
    "bool_or": Fold("max({0})"),
    "string_agg": Fold(nodes.string_agg),
    "array_agg": Fold(nodes.array_agg, "coalesce({0}, '[]')"),
}
