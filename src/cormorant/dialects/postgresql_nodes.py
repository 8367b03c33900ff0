"""Nodes that PostgreSQL says in a way of its own: lists of tuples are arrays, one for each place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cormorant.sql import types as t
from cormorant.sql.expr import Expr
from cormorant.sql.query_compiler import QueryCompiler
from cormorant.sql.tuples import RowIn


def row_in(compiler: QueryCompiler, node: RowIn) -> str:
    """Gives membership in a list of tuples."""
    parts = ", ".join(map(compiler.expr, node.row.parts))
    if compiler.inline:
        literal = compiler.words.literal
        items = [column.type.item if isinstance(column.type, t.Array) else column.type for column in node.columns]
        columns = [[literal(value, item) for value in c.value] for c, item in zip(node.columns, items, strict=True)]
        rows = (f"({', '.join(values)})" for values in zip(*columns, strict=True))
        return f"({parts}) IN (VALUES {', '.join(rows)})"
    arrays = ", ".join(map(compiler.bind, node.columns))
    return f"({parts}) IN (SELECT * FROM unnest({arrays}))"


VISITORS: dict[type[Expr[Any]], Callable[[Any, Any], str]] = {RowIn: row_in}
