"""Which columns of a statement can be NULL for those who read it from outside."""

from __future__ import annotations

from typing import Any

from cormorant.sql.columns import Column
from cormorant.sql.expr import Expr, walk
from cormorant.sql.inner import parts_of
from cormorant.sql.joins import shown_by
from cormorant.sql.selectable import SelectLike
from cormorant.sql.selects import Select
from cormorant.sql.sources import root_of


def nullable_columns(statement: SelectLike) -> tuple[bool, ...]:
    """Tells of each column whether it can be NULL: in any part of a union, and by what is joined from outside."""
    columns = [[_nullable(select, column) for column in select.columns] for select in parts_of(statement)]
    return tuple(map(any, zip(*columns, strict=True)))


def _nullable(select: Select, expr: Expr[Any]) -> bool:
    outer = {join.source.key for join in select.joins if join.outer}
    shows = shown_by(select.source)
    if expr.nullable or not (outer or shows):
        return expr.nullable
    for node in walk(expr):
        if isinstance(node, Column) and root_of(node.source).key in outer:
            return True
        if (shown := shows.find(node)) is not None and shown.nullable:
            return True
    return False
