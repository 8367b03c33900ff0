"""How SQLite says what has a name of ours; the functions named cormorant_... are registered with every connection."""

from __future__ import annotations

from collections.abc import Mapping

from cormorant.sql.formulas import Infix, Template

_ARITHMETIC: dict[str, Template] = {
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

FORMULAS: Mapping[str, Template] = {**_ARITHMETIC, **_MOMENTS, **_CASTS}
