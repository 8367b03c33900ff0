"""Documents and lists on SQLite: JSON texts, asked by functions that every connection is taught."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from cormorant.sql import arrays as a
from cormorant.sql import documents as d
from cormorant.sql import types as t
from cormorant.sql.expr import Bind, Comparison, Expr, unlabelled
from cormorant.sql.formulas import Piece
from cormorant.sql.json_values import canonical
from cormorant.sql.nodes import Null
from cormorant.sql.query_compiler import QueryCompiler

UNHEX = "cormorant_unhex"
JSON_COLLATION = "cormorant_json"

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


# ------------------------------------------------------------------ the same content in another text


def varies(type_: t.SqlType) -> bool:
    """Whether values that are the same may have several texts: documents, and lists of floats, which have two zeros."""
    base = t.base_of(type_)
    return isinstance(base, t.Json) or (isinstance(base, t.Array) and isinstance(t.base_of(base.item), t.Float))


def told_apart(compiler: QueryCompiler, expr: Expr[Any]) -> str:
    """Gives what rows are put together by; the first of them keeps its text."""
    if not varies(expr.type) or has_one_text(unlabelled(expr)):
        return compiler.expr(expr)
    return f"{compiler.operand(unlabelled(expr))} COLLATE {JSON_COLLATION}"


def comparison(compiler: QueryCompiler, node: Comparison) -> str:
    """Gives a comparison by content."""
    left, right = (one_text(compiler, side) for side in node.children)
    return f"{left} {node.sign} {right}"


def among(compiler: QueryCompiler, part: Expr[Any], values: Bind) -> str:
    """Gives membership in a list by content."""
    if compiler.inline:
        assert isinstance(values.type, t.Array)
        literals = (compiler.words.literal(value, values.type.item) for value in values.value)
        return f"{one_text(compiler, part)} IN ({', '.join(f'cormorant_json({literal})' for literal in literals)})"
    listed = f"SELECT cormorant_json(value) FROM json_each({compiler.placeholder(values)})"
    return f"{one_text(compiler, part)} IN ({listed})"


def nullif(pieces: Sequence[Piece]) -> str:
    """Gives NULL instead of a document of the same content."""
    return f"nullif({pieces[0]:p} COLLATE {JSON_COLLATION}, {pieces[1]})"


def one_text(compiler: QueryCompiler, side: Expr[Any]) -> str:
    """Gives a value in the one text of its content.

    The collation is not for comparisons: a join's Bloom filter takes texts of different length for different.
    """
    return compiler.expr(side) if has_one_text(side) else f"cormorant_json({compiler.expr(side)})"


def has_one_text(side: Expr[Any]) -> bool:
    """Whether a document is one that has a single text for each content: a value read from inside, or beside one."""
    return isinstance(side, d.JsonPath) or (
        isinstance(side, Bind) and isinstance(side.type, t.Json) and side.type.dump is canonical
    )


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
