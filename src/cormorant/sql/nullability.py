"""Which columns of a statement can be NULL for those who read it from outside."""

from __future__ import annotations

from typing import Any

from cormorant.sql.columns import Column
from cormorant.sql.expr import Expr, walk
from cormorant.sql.inner import output_names, parts_of
from cormorant.sql.joins import shown_by
from cormorant.sql.restrictions import Restrictions, may_hide
from cormorant.sql.selectable import SelectLike
from cormorant.sql.selects import Select
from cormorant.sql.shown import Shows
from cormorant.sql.sources import Source, SubquerySource, root_of, statement_of


def nullable_columns(
    statement: SelectLike, restrictions: Restrictions | None = None, lifted: frozenset[str] = frozenset()
) -> tuple[bool, ...]:
    """Tells of each column whether it can be NULL: in any part of a union, and by what may be missing.

    Args:
        statement: The statement.
        restrictions: Gives the conditions that hide what relations lead to.
        lifted: Those that do not apply, unless the statement says otherwise.
    """
    columns = [
        [_nullable(select, column, restrictions, lifted) for column in select.columns] for select in parts_of(statement)
    ]
    return tuple(map(any, zip(*columns, strict=True)))


def _nullable(select: Select, expr: Expr[Any], restrictions: Restrictions | None, lifted: frozenset[str]) -> bool:
    lifted = lifted if select.lifted is None else select.lifted
    outer = {join.source.key for join in select.joins if join.outer}
    shows = shown_in(select.source, restrictions, lifted)
    if expr.nullable or not (outer or shows or restrictions):
        return expr.nullable
    for node in walk(expr):
        if isinstance(node, Column) and (root_of(node.source).key in outer or is_hidden(node, restrictions, lifted)):
            return True
        if (shown := shows.find(node)) is not None and shown.nullable:
            return True
    return False


def is_hidden(column: Column[Any], restrictions: Restrictions | None, lifted: frozenset[str]) -> bool:
    """Whether conditions may hide what a column is read from: on the way to it, or inside the statement it shows."""
    if restrictions is None:
        return False
    statement = statement_of(column.source)
    if statement is None:
        return may_hide(restrictions, column.source, lifted)
    return column.name in _nullable_names(statement, restrictions, lifted)


def shown_in(source: Source, restrictions: Restrictions | None, lifted: frozenset[str]) -> Shows:
    """Gives what a subquery shows, where a query reads it as if it were what it selects."""
    shows = shown_by(source)
    if not shows or restrictions is None:
        return shows
    assert isinstance(source, SubquerySource)
    return shows.nullable_at(_nullable_names(source.select, restrictions, lifted))


def _nullable_names(statement: SelectLike, restrictions: Restrictions, lifted: frozenset[str]) -> set[str]:
    names = zip(output_names(statement), nullable_columns(statement, restrictions, lifted), strict=True)
    return {name for name, nullable in names if nullable}
