"""Documents and lists on PostgreSQL: jsonb with JSON paths, and arrays."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from cormorant.sql import arrays as a
from cormorant.sql import documents as d
from cormorant.sql.expr import Expr
from cormorant.sql.json_values import LARGEST_FLOAT, LARGEST_INT, READINGS, SMALLEST_FLOAT, SMALLEST_INT, Reading
from cormorant.sql.nodes import Null
from cormorant.sql.query_compiler import QueryCompiler

# What is read as a kind: a filter on the value, so that a cast never meets one that it would refuse.
_FILTERS = {
    "json": '@.type() != "null"',
    "list": '@.type() == "array"',
    "dict": '@.type() == "object"',
    "str": '@.type() == "string"',
    "bool": '@.type() == "boolean"',
    "int": f"@ >= {SMALLEST_INT} && @ <= {LARGEST_INT} && @ == @.floor()",
    "float": f"@ == 0 || @.abs() >= {SMALLEST_FLOAT} && @.abs() <= {LARGEST_FLOAT}",
    "decimal": '@.type() == "number"',
}

# What makes the kind's type of the value.
_CASTS = {
    "str": "({} #>> '{{}}')",
    "bool": "{}::boolean",
    "int": "{}::bigint",
    "float": "{}::double precision",
    "decimal": "({} #>> '{{}}')::numeric",
    "date": "({} #>> '{{}}')::date",
    "uuid": "({} #>> '{{}}')::uuid",
    # a moment without a zone is in UTC, not in the connection's zone
    "datetime": "regexp_replace({} #>> '{{}}', '^(.{{11}}[0-9:.]+)$', '\\1Z')::timestamptz",
    "size": "{}::integer",
}


def jsonpath_encoder(reading: str) -> Callable[[d.Parts], str]:
    """Gives the function from a path to its text in PostgreSQL's language, with the filter of what is read."""
    end = _END[reading]
    return lambda parts: "strict $" + "".join(map(_step, parts)) + end


def _step(part: str | int) -> str:
    if isinstance(part, str):
        return "." + json.dumps(part, ensure_ascii=False)
    return f"[{part}]" if part >= 0 else f"[last - {-part - 1}]"


def _end(reading: Reading) -> str:
    if reading.name == "size":
        return ".size()"
    tests = [_FILTERS[reading.name]] if reading.name in _FILTERS else []
    if reading.pattern is not None:
        tests.append(f"@ like_regex {json.dumps(f'^(?:{reading.pattern})$')}")
    return f" ? ({' || '.join(tests)})"


_END = {reading.name: _end(reading) for reading in READINGS}


def json_path(compiler: QueryCompiler, node: d.JsonPath) -> str:
    """Gives a value inside a document; errors on the way, such as a key of a list, are NULL."""
    found = f"jsonb_path_query_first({compiler.expr(node.root)}, {compiler.bind(node.parts)}, '{{}}', true)"
    return _CASTS.get(node.reading.name, "{}").format(found)


def json_put(compiler: QueryCompiler, node: d.JsonPut) -> str:
    """Gives a changed document."""
    # OFFSET keeps the planner from writing the document out three times, and changes of changes 3^n times
    holder = f"jsonb_path_exists(v.d, {compiler.bind(node.holder.parts)}, '{{}}', true)"
    keys = compiler.bind(node.parts)
    changed = f"v.d #- {keys}" if node.value is None else f"jsonb_set(v.d, {keys}, {compiler.expr(node.value)})"
    once = f"(SELECT {compiler.expr(node.root)} AS d OFFSET 0) AS v"
    return f"(SELECT CASE WHEN {holder} THEN {changed} ELSE v.d END FROM {once})"


def to_json(compiler: QueryCompiler, node: d.ToJson) -> str:
    """Gives a value as jsonb: a NULL in jsonb_set would make the whole document NULL."""
    if isinstance(node.part, Null):
        return "'null'::jsonb"
    return f"coalesce(to_jsonb({compiler.expr(node.part)}), 'null'::jsonb)"


def infix(compiler: QueryCompiler, node: Any) -> str:
    """Gives `left op right`."""
    return f"{compiler.operand(node.left)} {node.sign} {compiler.bare(node.right)}"


def concat(compiler: QueryCompiler, node: a.ArrayConcat) -> str:
    """Gives one list after the other; without a type a value would be taken for a single item."""
    return f"{compiler.operand(node.left)} || {compiler.operand(node.right)}"


def item(compiler: QueryCompiler, node: a.ArrayItem) -> str:
    """Gives an item by its place, which PostgreSQL counts from 1."""
    part, place = compiler.expr(node.part), compiler.bind(node.place)
    return f"({part})[{f'cardinality({part}) + ' if node.from_end else ''}{place} + 1]"


def length(compiler: QueryCompiler, node: a.ArrayLength) -> str:
    """Gives the number of items."""
    return f"cardinality({compiler.expr(node.part)})"


VISITORS: dict[type[Expr[Any]], Callable[[Any, Any], str]] = {
    d.JsonPath: json_path,
    d.JsonPut: json_put,
    d.ToJson: to_json,
    d.HasKeys: infix,
    d.JsonContains: infix,
    a.ArrayMatch: infix,
    a.ArrayConcat: concat,
    a.ArrayItem: item,
    a.ArrayLength: length,
}
