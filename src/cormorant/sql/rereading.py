"""Statements that change a table and read it again for each row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from cormorant.sql.calls import Exists
from cormorant.sql.columns import Column
from cormorant.sql.expr import Expr
from cormorant.sql.inner import selects_of
from cormorant.sql.joins import free_columns, implied_joins, visible
from cormorant.sql.nodes import InSelect
from cormorant.sql.selects import Select
from cormorant.sql.sources import TableSource


def reads_again(table: str, expressions: Iterable[Expr[Any]]) -> bool:
    """Whether inner statements read other rows of a table for each of its rows; what is read once is read before."""
    inner = (node for expr in expressions for node in visible(expr) if isinstance(node, (Exists, InSelect)))
    return any(table in _tables(node) for node in inner if _is_correlated(node))


def _is_correlated(node: Exists | InSelect) -> bool:
    return (isinstance(node, Exists) and bool(node.links)) or any(True for _ in free_columns(node.select))


def _tables(node: Exists | InSelect) -> Iterator[str]:
    own = node.select if isinstance(node, Exists) and _is_own_row(node) else None
    for select in selects_of(node.select):
        if select is not own:
            yield from (source.table for source in select.sources if isinstance(source, TableSource))
        yield from (join.table for joins in implied_joins(select).values() for join in joins)


def _is_own_row(node: Exists) -> bool:
    """Whether the statement reads the very row outside, by its key."""
    select = node.select
    if not isinstance(select, Select) or not node.links:
        return False
    return all(
        isinstance(outer, Column) and inner.source is select.source and inner.name == outer.name
        for inner, outer in node.links
    )
