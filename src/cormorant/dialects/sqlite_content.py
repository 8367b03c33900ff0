"""Documents and lists on SQLite: JSON texts, asked by functions that every connection is taught."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cormorant.sql import arrays as a
from cormorant.sql import documents as d
from cormorant.sql import types as t
from cormorant.sql.expr import Bind, Comparison, Expr
from cormorant.sql.nodes import Null
from cormorant.sql.query_compiler import QueryCompiler

UNHEX = "cormorant_unhex"

_HAS = {"?": "cormorant_json_has", "?|": "cormorant_json_has_any", "?&": "cormorant_json_has_all"}


def json_path(compiler: QueryCompiler, node: d.JsonPath) -> str:
    """Gives a value inside a document."""
    return f"cormorant_json_{node.reading.name}({compiler.expr(node.root)}, {compiler.expr(node.parts)})"


def json_put(compiler: QueryCompiler, node: d.JsonPut) -> str:
    """Gives a changed document."""
    name = "without" if node.value is None else "put"
    kind = node.holder.reading.name
    parts = [compiler.expr(node.root), compiler.expr(node.holder.parts), f"'{kind}'", compiler.expr(node.parts)]
    if node.value is not None:
        parts.append(compiler.expr(node.value))
    return f"cormorant_json_{name}({', '.join(parts)})"


def to_json(compiler: QueryCompiler, node: d.ToJson) -> str:
    """Gives a value as a JSON text."""
    if isinstance(node.part, Null):
        return "'null'"
    kind = "json" if isinstance(node.part.type, t.Json) else node.part.type.name
    return f"cormorant_to_json({compiler.expr(node.part)}, '{kind}')"


def has_keys(compiler: QueryCompiler, node: d.HasKeys) -> str:
    """Gives whether a document has keys."""
    return f"{_HAS[node.sign]}({compiler.expr(node.left)}, {compiler.expr(node.right)})"


def json_contains(compiler: QueryCompiler, node: d.JsonContains) -> str:
    """Gives whether one document contains another."""
    whole, part = (node.left, node.right) if node.sign == "@>" else (node.right, node.left)
    return f"cormorant_json_contains({compiler.expr(whole)}, {compiler.expr(part)})"


def array_match(compiler: QueryCompiler, node: a.ArrayMatch) -> str:
    """Gives how two lists compare."""
    left, right = (node.right, node.left) if node.sign == "<@" else (node.left, node.right)
    name = "overlaps" if node.sign == "&&" else "contains"
    return f"cormorant_array_{name}({compiler.expr(left)}, {compiler.expr(right)})"


def concat(compiler: QueryCompiler, node: a.ArrayConcat) -> str:
    """Gives one list after the other."""
    return f"cormorant_array_concat({compiler.expr(node.left)}, {compiler.expr(node.right)})"


def item(compiler: QueryCompiler, node: a.ArrayItem) -> str:
    """Gives an item by its place; JSON holds bytes as hexadecimal text."""
    found = f"cormorant_array_item({compiler.expr(node.part)}, {compiler.expr(node.place)})"
    return f"{UNHEX}({found})" if isinstance(t.base_of(node.type), t.Binary) else found


def length(compiler: QueryCompiler, node: a.ArrayLength) -> str:
    """Gives the number of items."""
    return f"json_array_length({compiler.expr(node.part)})"


def comparison(compiler: QueryCompiler, node: Comparison) -> str | None:
    """Gives the comparison of a value inside a document with another document, both in their one text."""
    if not any(isinstance(side, d.JsonPath) and isinstance(side.type, t.Json) for side in node.children):
        return None
    left, right = (_canonical(compiler, side) for side in node.children)
    return f"{left} {node.sign} {right}"


def _canonical(compiler: QueryCompiler, side: Expr[Any]) -> str:
    if isinstance(side, (d.JsonPath, Bind)):
        return compiler.expr(side)
    return f"cormorant_json({compiler.expr(side)})"


VISITORS: dict[type[Expr[Any]], Callable[[Any, Any], str]] = {
    d.JsonPath: json_path,
    d.JsonPut: json_put,
    d.ToJson: to_json,
    d.HasKeys: has_keys,
    d.JsonContains: json_contains,
    a.ArrayMatch: array_match,
    a.ArrayConcat: concat,
    a.ArrayItem: item,
    a.ArrayLength: length,
}
