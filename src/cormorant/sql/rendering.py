"""The SQL of nodes that every dialect says by a table of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cormorant.sql.expr import Expr
from cormorant.sql.formulas import Formula, Piece, template_of
from cormorant.sql.query_compiler import QueryCompiler


def piece(compiler: QueryCompiler, expr: Expr[Any]) -> Piece:
    """Gives an argument for a template."""
    return Piece(compiler.expr(expr), compound=compiler.is_compound(expr))


def formula(compiler: QueryCompiler, node: Formula) -> str:
    """Gives a formula."""
    template = template_of(compiler.formulas, node)
    pieces = [piece(compiler, arg) for arg in node.args]
    return template.format(*pieces) if isinstance(template, str) else template(pieces)


VISITORS: dict[type[Expr[Any]], Callable[[Any, Any], str]] = {
    Formula: formula,
}
