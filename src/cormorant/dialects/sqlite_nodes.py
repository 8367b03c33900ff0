"""Nodes that SQLite says otherwise: comparisons of tuples, equality that knows NULL, lists of rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cormorant.dialects.sqlite_content import UNHEX, one_text, varies
from cormorant.errors import CompileError
from cormorant.sql import types as t
from cormorant.sql.expr import Bind, Expr, Order
from cormorant.sql.folds import Aggregate
from cormorant.sql.operators import kind_of
from cormorant.sql.own_operators import Distinctness, Op
from cormorant.sql.query_compiler import QueryCompiler
from cormorant.sql.rendering import own_operator
from cormorant.sql.tuples import RowComparison, RowIn

# anything else would be a parameter, or a word that SQLite does not know
_SYMBOLS = (
    "||",
    "->",
    "->>",
    "*",
    "/",
    "%",
    "+",
    "-",
    "&",
    "|",
    "<<",
    ">>",
    "<",
    "<=",
    ">",
    ">=",
    "=",
    "==",
    "<>",
    "!=",
)
_WORDS = ("IS", "IS NOT", "LIKE", "NOT LIKE", "GLOB", "NOT GLOB", "REGEXP", "NOT REGEXP", "MATCH")
_OPERATORS = frozenset({*_SYMBOLS, *_WORDS})


def operator(compiler: QueryCompiler, node: Op) -> str:
    """Gives an operator of the database."""
    if node.sign not in _OPERATORS:
        raise CompileError(f"SQLite has no operator {node.sign}", hint=f"it has {' '.join(sorted(_OPERATORS))}")
    return own_operator(compiler, node)


def distinctness(compiler: QueryCompiler, node: Distinctness) -> str:
    """Gives IS and IS NOT, which here compare any two values."""
    if any(varies(side.type) for side in node.children):
        sides = [one_text(compiler, side) for side in node.children]
    else:
        sides = [decimal(compiler, side) if _has_decimal(node) else compiler.operand(side) for side in node.children]
    return f"{sides[0]} IS {'' if node.negated else 'NOT '}{sides[1]}"


def _has_decimal(node: Expr[Any]) -> bool:
    return any(kind_of(child.type) == "numeric" for child in node.children)


def decimal(compiler: QueryCompiler, expr: Expr[Any]) -> str:
    """Gives an operand as canonical decimal text; whole numbers are turned into it."""
    if isinstance(expr, Bind) or kind_of(expr.type) == "numeric":
        return compiler.operand(expr)
    return f"CAST({compiler.expr(expr)} AS TEXT)"


def row_comparison(compiler: QueryCompiler, node: RowComparison) -> str:
    """Gives a comparison of tuples; decimals in it are compared as numbers."""
    lefts: list[str] = []
    rights: list[str] = []
    for left, right in zip(node.left.parts, node.right.parts, strict=True):
        if "numeric" in (kind_of(left.type), kind_of(right.type)):
            lefts.append(f"{decimal(compiler, left)} COLLATE cormorant_decimal")
            rights.append(decimal(compiler, right))
        else:
            as_sides = one_text if varies(left.type) or varies(right.type) else type(compiler).expr
            lefts.append(as_sides(compiler, left))
            rights.append(as_sides(compiler, right))
    return f"({', '.join(lefts)}) {node.sign} ({', '.join(rights)})"


def row_in(compiler: QueryCompiler, node: RowIn) -> str:
    """Gives membership in a list of tuples: the arrays of their places are put together row by row."""
    parts = ", ".join(map(compiler.expr, node.row.parts))
    items = [column.type.item if isinstance(column.type, t.Array) else column.type for column in node.columns]
    if compiler.inline:
        literal = compiler.words.literal
        columns = [[literal(value, item) for value in c.value] for c, item in zip(node.columns, items, strict=True)]
        rows = (f"({', '.join(values)})" for values in zip(*columns, strict=True))
        return f"({parts}) IN (VALUES {', '.join(rows)})"
    places = ", ".join(map(_place, range(len(items)), items))
    arrays = ", ".join(map(compiler.placeholder, node.columns))
    return f"({parts}) IN (SELECT {places} FROM json_each(cormorant_rows({arrays})))"


def _place(number: int, item: t.SqlType) -> str:
    # JSON holds no bytes: they travel as hexadecimal text
    value = f"json_extract(value, '$[{number}]')"
    return f"{UNHEX}({value})" if isinstance(item, t.Binary) else value


# ------------------------------------------------------------------ aggregates that take rows in an order


def string_agg(compiler: QueryCompiler, node: Aggregate) -> str:
    """Gives texts in one."""
    return f"cormorant_string_agg({_ordered(compiler, node, *map(compiler.expr, node.args))})"


def array_agg(compiler: QueryCompiler, node: Aggregate) -> str:
    """Gives a list."""
    value = compiler.expr(node.args[0])
    return f"cormorant_list({_ordered(compiler, node, f'hex({value})' if _is_binary(node) else value)})"


def _is_binary(node: Aggregate) -> bool:
    return kind_of(node.args[0].type) == "binary"


def _ordered(compiler: QueryCompiler, node: Aggregate, *args: str) -> str:
    words = " ".join(["distinct" if node.distinct else "all", *map(_word, node.order_by)])
    return ", ".join([f"'{words}'", *args, *(compiler.expr(order.expr) for order in node.order_by)])


def _word(order: Order) -> str:
    """Gives an order as three letters; see `cormorant_list`."""
    nulls = order.nulls or ("first" if order.descending else "last")
    kind = "n" if kind_of(order.expr.type) == "numeric" else "v"
    return f"{'d' if order.descending else 'a'}{nulls[0]}{kind}"


VISITORS: dict[type[Expr[Any]], Callable[[Any, Any], str]] = {
    Op: operator,
    Distinctness: distinctness,
    RowComparison: row_comparison,
    RowIn: row_in,
}
