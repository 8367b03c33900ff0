"""The SQL of nodes that every dialect says by a table of its own, or that all say in the same way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cormorant.errors import CompileError, QueryError
from cormorant.sql.calls import Function
from cormorant.sql.case import Case
from cormorant.sql.expr import Bind, Expr
from cormorant.sql.folds import Aggregate
from cormorant.sql.formulas import Fold, Formula, Piece, find, template_of
from cormorant.sql.operators import kind_of
from cormorant.sql.own_operators import Distinctness, Op
from cormorant.sql.query_compiler import QueryCompiler
from cormorant.sql.tuples import Row, RowComparison
from cormorant.sql.windows import Frame, Over, WindowFunction


def piece(compiler: QueryCompiler, expr: Expr[Any]) -> Piece:
    """Gives an argument for a template."""
    return Piece(compiler.expr(expr), compound=compiler.is_compound(expr), nullable=compiler.nullable(expr))


def formula(compiler: QueryCompiler, node: Formula) -> str:
    """Gives a formula."""
    template = template_of(compiler.formulas, node)
    pieces = [piece(compiler, arg) for arg in node.args]
    return template.format(*pieces) if isinstance(template, str) else template(pieces)


def case(compiler: QueryCompiler, node: Case) -> str:
    """Gives CASE."""
    pairs = zip(node.conditions, node.values, strict=True)
    whens = "".join(f" WHEN {compiler.expr(asked)} THEN {compiler.expr(value)}" for asked, value in pairs)
    default = "" if node.default is None else f" ELSE {compiler.expr(node.default)}"
    return f"CASE{whens}{default} END"


# ------------------------------------------------------------------ aggregates and windows


def fold_of(compiler: QueryCompiler, node: Aggregate) -> Fold:
    """Gives how the dialect says an aggregate: by its table, or by the name it has everywhere."""
    kind = kind_of(node.args[0].type) if node.args else "nothing"
    found = find(compiler.folds, node.name, kind) if node.known else None
    return found or Fold(node.name + "({distinct}{args}{order})")


def fold_call(compiler: QueryCompiler, node: Function) -> str:
    """Gives the call of an aggregate, without what is done with its result."""
    if not isinstance(node, Aggregate):
        return compiler.expr(node)
    call = fold_of(compiler, node).call
    if isinstance(call, str):
        pieces = [_argument(compiler, arg, distinct=node.distinct) for arg in node.args]
        args = ", ".join(map(str, pieces)) or ("*" if node.aggregate else "")
        call = call.format(
            *pieces, args=args, distinct="DISTINCT " if node.distinct else "", order=_order_by(compiler, node)
        )
    else:
        call = call(compiler, node)
    return call if node.where is None else f"{call} FILTER (WHERE {compiler.expr(node.where)})"


def _argument(compiler: QueryCompiler, expr: Expr[Any], *, distinct: bool) -> Piece:
    return Piece(compiler.told_apart(expr), compound=True, nullable=True) if distinct else piece(compiler, expr)


def _order_by(compiler: QueryCompiler, node: Aggregate | Over) -> str:
    return f" ORDER BY {', '.join(map(compiler.order, node.order_by))}" if node.order_by else ""


def aggregate(compiler: QueryCompiler, node: Aggregate) -> str:
    """Gives an aggregate."""
    return fold_of(compiler, node).finish.format(fold_call(compiler, node))


def window_function(_: QueryCompiler, node: WindowFunction) -> str:
    """Refuses a window function without its window."""
    raise QueryError(f"{node!r} has no window", hint=f"func.{node.name}(...).over(partition_by=[...], order_by=[...])")


def over(compiler: QueryCompiler, node: Over) -> str:
    """Gives a function with its window."""
    keys = ", ".join(map(compiler.told_apart, node.partition_by))
    parts = [f"PARTITION BY {keys}"] if keys else []
    parts += [_order_by(compiler, node)[1:]] if node.order_by else []
    parts += [_frame(compiler, node.frame)] if node.frame else []
    sql = f"{fold_call(compiler, node.function)} OVER ({' '.join(parts)})"
    return fold_of(compiler, node.function).finish.format(sql) if isinstance(node.function, Aggregate) else sql


def _frame(compiler: QueryCompiler, frame: Frame) -> str:
    ends = zip((frame.start, frame.end), frame.directions, ("UNBOUNDED PRECEDING", "UNBOUNDED FOLLOWING"), strict=True)
    start, end = (_bound(compiler, *end) for end in ends)
    return f"{frame.mode} BETWEEN {start} AND {end}"


def _bound(compiler: QueryCompiler, side: Bind | None, direction: int, unbounded: str) -> str:
    if side is None:
        return unbounded
    if not direction:
        return "CURRENT ROW"
    return f"{compiler.expr(side)} {'PRECEDING' if direction < 0 else 'FOLLOWING'}"


# ------------------------------------------------------------------ operators and tuples


def own_operator(compiler: QueryCompiler, node: Op) -> str:
    """Gives an operator of the database."""
    return f"{compiler.operand(node.left)} {node.sign} {compiler.operand(node.right)}"


def distinctness(compiler: QueryCompiler, node: Distinctness) -> str:
    """Gives IS DISTINCT FROM."""
    return f"{compiler.operand(node.left)} IS {'NOT ' if node.negated else ''}DISTINCT FROM {compiler.bare(node.right)}"


def row(_: QueryCompiler, node: Row) -> str:
    """Refuses a tuple that is not compared."""
    raise CompileError(
        f"{node!r} stands where a single value belongs", hint="compare it (==, <, .in_(...)), or name its parts"
    )


def row_comparison(compiler: QueryCompiler, node: RowComparison) -> str:
    """Gives a comparison of tuples."""
    left = ", ".join(map(compiler.expr, node.left.parts))
    right = ", ".join(map(compiler.bare, node.right.parts))
    return f"({left}) {node.sign} ({right})"


VISITORS: dict[type[Expr[Any]], Callable[[Any, Any], str]] = {
    Formula: formula,
    Case: case,
    Aggregate: aggregate,
    WindowFunction: window_function,
    Over: over,
    Op: own_operator,
    Distinctness: distinctness,
    Row: row,
    RowComparison: row_comparison,
}
