"""How PostgreSQL says what has a name of ours: `{0}` is an argument, `{0:p}` one in parentheses where it needs them."""

from __future__ import annotations

from collections.abc import Mapping

from cormorant.sql.formulas import Fold, Infix, Template, joined

_UTC = "{0:p} AT TIME ZONE 'UTC'"

_ARITHMETIC: dict[str, Template] = {
    "widen": "CAST({0} AS bigint)",
    "divide": Infix("{0:p} / {1:p}"),
    # a quotient of 64-bit numbers has a fraction of at least 1e-19: with 20 digits it is never rounded up
    "floor divide": "CAST(floor(CAST({0} AS numeric(39, 20)) / {1:p}) AS bigint)",
    "floor divide of numeric": "div({0}, {1})",
    # the sign of the divisor, as in Python; numeric, because the sum need not fit 64 bits
    "modulo": "CAST(mod(mod(CAST({0} AS numeric), {1}) + {1:p}, {1}) AS bigint)",
    "modulo of numeric": "mod({0}, {1})",
    "power": "power({0}, {1})",
    "negative": Infix("-({0})"),
    "abs": "abs({0})",
}

_MOMENTS: dict[str, Template] = {
    # in UTC: elsewhere a day may have 23 hours
    "moment plus interval": Infix(f"({_UTC} + {{1:p}}) AT TIME ZONE 'UTC'"),
    "moment minus interval": Infix(f"({_UTC} - {{1:p}}) AT TIME ZONE 'UTC'"),
    "moment minus moment": Infix("{0:p} - {1:p}"),
    "date plus days": Infix("{0:p} + {1:p}"),
    "date plus interval": Infix("{0:p} + CAST(floor(EXTRACT(epoch FROM {1}) / 86400) AS integer)"),
    "date minus interval": Infix("{0:p} - CAST(floor(EXTRACT(epoch FROM {1}) / 86400) AS integer)"),
    "date minus date": "make_interval(days => {0:p} - {1:p})",
    "interval times": Infix("{0:p} * {1:p}"),
}

_ISO_MOMENT = 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"'

_CASTS: dict[str, Template] = {
    "whole integer": "CAST({0} AS bigint)",
    "whole numeric": "CAST({0} AS numeric)",
    "whole text": "CAST({0} AS text)",
    "cast to text": "CAST({0} AS text)",
    # without the zeros that only tell a column's scale
    "cast to text of numeric": r"regexp_replace(CAST({0} AS text), '(\.[0-9]*[1-9])0+$|\.0+$', '\1')",
    "cast to text of date": "to_char({0}, 'YYYY-MM-DD')",
    "cast to text of time": "to_char(DATE '2000-01-01' + {0:p}, 'HH24:MI:SS.US')",
    "cast to text of datetime": f"to_char({_UTC}, '{_ISO_MOMENT}')",
    "cast to integer": "CAST({0} AS bigint)",
    "cast to integer of float": "CAST(trunc({0}) AS bigint)",
    "cast to integer of numeric": "CAST(trunc({0}) AS bigint)",
    "cast to integer of boolean": "CAST({0} AS integer)",
    "cast to float": "CAST({0} AS double precision)",
    "cast to float of boolean": "CAST(CAST({0} AS integer) AS double precision)",
    "cast to numeric": "CAST({0} AS numeric)",
    "cast to numeric of boolean": "CAST(CAST({0} AS integer) AS numeric)",
    "cast to boolean": "CAST({0} AS boolean)",
    "cast to boolean of integer": Infix("{0:p} <> 0"),
    "cast to boolean of numeric": Infix("{0:p} <> 0"),
    "cast to date": "CAST({0} AS date)",
    "cast to date of datetime": f"CAST({_UTC} AS date)",
    "cast to time": "CAST({0} AS time)",
    "cast to time of datetime": f"CAST({_UTC} AS time)",
    "cast to datetime": "CAST({0} AS timestamptz)",
    "cast to datetime of date": Infix("CAST({0} AS timestamp) AT TIME ZONE 'UTC'"),
    # a text without an offset is in UTC, whatever the server's TimeZone is
    "cast to datetime of text": (
        "CAST({0:p} || CASE WHEN {0:p} ~* ':.*(z|[-+][0-9]{{2}}(:?[0-9]{{2}})?)\\s*$' THEN '' ELSE ' UTC' END"
        " AS timestamptz)"
    ),
    "cast to uuid": "CAST({0} AS uuid)",
}

_NUMBERS: dict[str, Template] = {
    "sign": "CAST(sign({0}) AS integer)",
    "round": "round({0}, {1})",
    "round of integer": "CAST(round(CAST({0} AS numeric), {1}) AS bigint)",
    "round of float": "CAST(round(CAST({0} AS numeric), {1}) AS double precision)",
    "floor": "CAST(floor({0}) AS bigint)",
    "ceil": "CAST(ceil({0}) AS bigint)",
    "sqrt": "sqrt({0})",
    "random": "random()",
    "greatest": lambda pieces: f"greatest({joined(pieces)})",
    "least": lambda pieces: f"least({joined(pieces)})",
    "coalesce": lambda pieces: f"coalesce({joined(pieces)})",
    "nullif": "nullif({0}, {1})",
}

_TEXTS: dict[str, Template] = {
    "lower": "lower({0})",
    "upper": "upper({0})",
    "length": "length({0})",
    "reverse": "reverse({0})",
    "concat": lambda pieces: f"concat({joined(pieces)})",
    "trim": "btrim({0}, {1})",
    "ltrim": "ltrim({0}, {1})",
    "rtrim": "rtrim({0}, {1})",
    "substr": lambda pieces: f"substr({joined(pieces)})",
    "replace": "replace({0}, {1}, {2})",
    "left": "left({0}, {1})",
    "right": "right({0}, {1})",
    "lpad": "lpad({0}, {1}, {2})",
    "rpad": "rpad({0}, {1}, {2})",
    "strpos": "strpos({0}, {1})",
    "like": Infix("{0:p} LIKE {1:p}"),
    "ilike": Infix("{0:p} ILIKE {1:p}"),
    "matches": Infix("{0:p} ~ {1:p}"),
    "imatches": Infix("{0:p} ~* {1:p}"),
    "cast to small integer": "CAST({0} AS integer)",
}

# the name here, and the field's name there
_FIELDS = {
    "year": "year",
    "quarter": "quarter",
    "month": "month",
    "week": "week",
    "day": "day",
    "weekday": "isodow",
    "day_of_year": "doy",
    "hour": "hour",
    "minute": "minute",
}

_PARTS: dict[str, Template] = {
    "now": "now()",
    "today": "CAST(now() AT TIME ZONE 'UTC' AS date)",
    **{name: f"CAST(EXTRACT({field} FROM {{0}}) AS integer)" for name, field in _FIELDS.items()},
    **{f"{name} of datetime": f"CAST(EXTRACT({field} FROM {_UTC}) AS integer)" for name, field in _FIELDS.items()},
    "second": "CAST(floor(EXTRACT(second FROM {0})) AS integer)",
    "second of datetime": f"CAST(floor(EXTRACT(second FROM {_UTC})) AS integer)",
    "epoch": "CAST(EXTRACT(epoch FROM {0}) AS double precision)",
    **{
        f"trunc {unit}": f"date_trunc('{unit}', {{0}}, 'UTC')"
        for unit in ("year", "quarter", "month", "week", "day", "hour", "minute", "second")
    },
    **{
        f"trunc {unit} of date": f"CAST(date_trunc('{unit}', CAST({{0}} AS timestamp)) AS date)"
        for unit in ("year", "quarter", "month", "week", "day")
    },
    # what an interval can be added to without a time zone
    "measured": "CAST({0} AS timestamp)",
    "measured of datetime": Infix(_UTC),
}

FORMULAS: Mapping[str, Template] = {**_ARITHMETIC, **_NUMBERS, **_TEXTS, **_MOMENTS, **_PARTS, **_CASTS}

FOLDS: Mapping[str, Fold] = {
    # sum(bigint) is numeric and avg(integer) too: cast back to what Python expects
    "sum of integer": Fold("sum({distinct}{0})", "{0}::bigint"),
    "avg of integer": Fold("avg({distinct}{0})", "{0}::double precision"),
    "avg of float": Fold("avg({distinct}{0})", "{0}::double precision"),
    "stddev": Fold("stddev_samp(CAST({0} AS double precision))"),
    "variance": Fold("var_samp(CAST({0} AS double precision))"),
    # booleans, UUIDs and bytes can be compared, and yet have no min and max; "C" sorts byte by byte
    "max of boolean": Fold("bool_or({0})"),
    "min of boolean": Fold("bool_and({0})"),
    **{f"{name} of uuid": Fold(f'{name}(CAST({{0}} AS text) COLLATE "C")', "{0}::uuid") for name in ("min", "max")},
    **{
        f"{name} of binary": Fold(f"{name}(encode({{0}}, 'hex') COLLATE \"C\")", "decode({0}, 'hex')")
        for name in ("min", "max")
    },
    "array_agg": Fold("array_agg({distinct}{0}{order})", "coalesce({0}, '{{}}')"),
    "string_agg": Fold("string_agg({distinct}{0}, {1}{order})"),
}
