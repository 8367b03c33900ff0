"""Where aggregates and window functions may stand: each database has its own words for it, or none at all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from cormorant.errors import QueryError
from cormorant.sql.columns import Column
from cormorant.sql.expr import Expr, walk
from cormorant.sql.folds import Aggregate
from cormorant.sql.inner import selects_in, selects_of
from cormorant.sql.joins import shown_by, visible
from cormorant.sql.selects import Select
from cormorant.sql.shown import NOTHING, Shows
from cormorant.sql.sources import root_of
from cormorant.sql.statements import DeleteWhere, UpdateWhere
from cormorant.sql.windows import Over, WindowFunction

_NO_AGGREGATES = frozenset({"filter()", "group_by()", "join()", "update()", "delete()"})
_NO_WINDOWS = frozenset({*_NO_AGGREGATES, "having()"})


def check_places(statement: Select | UpdateWhere | DeleteWhere) -> None:
    """Refuses aggregates and window functions where there is nothing to fold, in a statement and those inside of it.

    Raises:
        QueryError: Naming the function and what to do.
    """
    if isinstance(statement, Select):
        selects = selects_of(statement)
    else:
        place = "update()" if isinstance(statement, UpdateWhere) else "delete()"
        _check(statement.expressions, place, {statement.source.key}, NOTHING)
        selects = selects_in(statement.expressions)
    for select in selects:
        own = {root_of(source).key for source in select.sources}
        for where, exprs in _places(select):
            _check(exprs, where, own, shown_by(select.source))


def _places(select: Select) -> Iterator[tuple[str, Iterable[Expr[Any]]]]:
    yield "values()", select.columns
    yield "order_by()", (order.expr for order in select.order_by)
    yield "join()", (part for join in select.joins for part in join.on)
    yield "filter()", select.where
    yield "group_by()", select.group_by
    yield "having()", select.having


def _check(exprs: Iterable[Expr[Any]], place: str, own: set[str], shown: Shows) -> None:
    for node in (node for expr in exprs for node in visible(expr, shown)):
        if isinstance(node, WindowFunction):
            raise QueryError(
                f"{node!r} has no window", hint=f"func.{node.name}(...).over(partition_by=[...], order_by=[...])"
            )
        if isinstance(node, Over) and place in _NO_WINDOWS:
            raise QueryError(
                f"{node!r} in {place} is computed after it",
                hint="select it under a label in a subquery, and filter that",
            )
        if isinstance(node, Over):
            _check_parts(node, Over)
        if isinstance(node, Aggregate):
            _check_aggregate(node, place, own)


def _check_aggregate(node: Aggregate, place: str, own: set[str]) -> None:
    _check_parts(node, (Over, Aggregate))
    # what a surrounding query folds can be compared with in an inner one
    if place in _NO_AGGREGATES and _is_of(node, own):
        raise QueryError(
            f"{node!r} in {place} folds rows that are not chosen yet",
            hint="filter groups with .having(...); the result of another query is .as_expr()",
        )


def _check_parts(node: Over | Aggregate, refused: type[Expr[Any]] | tuple[type[Expr[Any]], ...]) -> None:
    for inner in (inner for child in node.children for inner in walk(child)):
        if isinstance(inner, refused):
            raise QueryError(
                f"{inner!r} is computed after {node!r} and cannot stand in it", hint="compute it in a subquery"
            )


def _is_of(node: Aggregate, own: set[str]) -> bool:
    """Whether an aggregate folds rows of these sources; without a column it counts those of its own query."""
    sources = [root_of(column.source).key for column in walk(node) if isinstance(column, Column)]
    return not sources or any(source in own for source in sources)
