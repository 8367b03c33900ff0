"""What may be read from groups, and from distinct rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from cormorant.errors import QueryError
from cormorant.sql.calls import Exists
from cormorant.sql.columns import Column
from cormorant.sql.expr import Expr, unlabelled
from cormorant.sql.joins import free_columns, shown_by, visible
from cormorant.sql.nodes import InSelect
from cormorant.sql.sameness import alike
from cormorant.sql.selects import Select
from cormorant.sql.shown import NOTHING, Shows
from cormorant.sql.sources import JoinSource, Source, SubquerySource, TableSource, column_key


def is_aggregate(expr: Expr[Any], shown: Shows = NOTHING) -> bool:
    """Whether an expression folds rows; what the source `shows` as a column of its own does not."""
    return any(getattr(node, "aggregate", False) for node in visible(expr, shown))


def _same_in(source: Source, one: Expr[Any], other: Expr[Any]) -> bool:
    """Whether two expressions are the same, values included; one may stand for a column that `source` shows."""
    if one.key == other.key:
        return alike(one, other)
    return isinstance(source, SubquerySource) and None is not _shown_name(one, source) == _shown_name(other, source)


def _shown_name(expr: Expr[Any], source: SubquerySource) -> str | None:
    if isinstance(expr, Column) and expr.source is source:
        return expr.name
    shown = source.shows.find(expr)
    return None if shown is None else shown.name


def check_grouping(select: Select) -> None:
    """Refuses columns that are not the same for all rows of a group: SQLite would give any row's, in silence.

    Raises:
        QueryError: Naming the column.
    """
    shown = shown_by(select.source)
    read = (*select.columns, *select.having, *select.distinct_on, *(order.expr for order in select.order_by))
    if not (select.group_by or select.having) and not any(is_aggregate(expr, shown) for expr in read):
        return
    groups = _Groups([unlabelled(expr) for expr in select.group_by], select.source)
    for expr in read:
        if not groups.decide(expr):
            raise QueryError(
                f"{expr!r} is read from groups without being grouped by",
                hint=f"add .group_by({expr!r}), or fold it: func.max(...)",
            )


def grouped_through(select: Select) -> Select:
    """Groups by the keys of to-one relations too, where the groups hold them and their objects are read.

    The groups stay the same ones, and databases know then that each has one such object.
    """
    if not select.group_by:
        return select
    keys = [unlabelled(expr) for expr in select.group_by]
    groups = _Groups(keys, select.source)
    more: list[Column[Any]] = []
    for expr in (*select.columns, *select.having, *(order.expr for order in select.order_by)):
        if not groups.decide(expr):
            for node in visible(expr, shown_by(select.source)):
                if isinstance(node, Column):
                    more += groups.reach(node.source)
    return replace(select, group_by=(*select.group_by, *more)) if more else select


def check_distinct(select: Select) -> None:
    """Refuses an order of distinct rows by what they do not show, which SQLite would take.

    Raises:
        QueryError: Naming the expression; or DISTINCT ON has another order than what it keeps the first of.
    """
    first = [unlabelled(order.expr) for order in select.order_by[: len(select.distinct_on)]]
    on = [unlabelled(expr) for expr in select.distinct_on]
    if first and not all(any(_same_in(select.source, expr, other) for other in on) for expr in first):
        raise QueryError(
            "distinct(...) keeps the first row of an order that begins with other expressions",
            hint="begin .order_by(...) with what distinct(...) names",
        )
    shown = [unlabelled(expr) for expr in select.columns]
    for order in select.order_by:
        expr = unlabelled(order.expr)
        if select.distinct and not any(_same_in(select.source, expr, other) for other in shown):
            raise QueryError(
                f"distinct rows are ordered by {expr!r}, which they do not show",
                hint="select it too, or group by what is selected and order by func.min(...)",
            )


class _Groups:
    """What is the same for all rows of a group."""

    def __init__(self, keys: Sequence[Expr[Any]], source: Source) -> None:
        self._keys = keys
        self._source = source
        self._whole = set(_decided_sources(keys))

    def decide(self, expr: Expr[Any]) -> bool:
        """Whether the groups decide an expression's value."""
        if any(_same_in(self._source, expr, key) for key in self._keys):
            return True
        if shown_by(self._source).find(expr) is not None:
            return False
        if getattr(expr, "aggregate", False):
            return True
        if isinstance(expr, Column):
            return expr.source.key in self._whole
        inner = free_columns(expr.select) if isinstance(expr, (Exists, InSelect)) else ()
        return all(map(self.decide, (*expr.children, *inner)))

    def reach(self, source: Source) -> list[Column[Any]]:
        """Gives the keys of what to-one relations lead to, up to `source`, and counts them among the groups."""
        if not isinstance(source, JoinSource) or source.key in self._whole:
            return []
        before = self.reach(source.parent)
        entity = source.entity
        if entity is None or {mine for _, mine in source.on} != {column.name for column in entity.key_columns}:
            return before
        held = {column_key(key.source, key.name) for key in self._keys if isinstance(key, Column)}
        decided = source.parent.key in self._whole
        if not (decided or held.issuperset(column_key(source.parent, theirs) for theirs, _ in source.on)):
            return before
        self._whole.add(source.key)
        return [*before, *(entity.column_from(source, name, nullable=True) for name in entity.key_attributes)]


def _decided_sources(keys: Sequence[Expr[Any]]) -> Iterator[str]:
    """Gives the tables whose primary key is grouped by: it decides every column of theirs."""
    by_source: dict[str, tuple[Any, set[str]]] = {}
    for key in keys:
        if isinstance(key, Column) and isinstance(key.source, (TableSource, JoinSource)):
            by_source.setdefault(key.source.key, (key.source.entity, set()))[1].add(key.name)
    for source, (entity, names) in by_source.items():
        if entity is not None and names.issuperset(column.name for column in entity.key_columns):
            yield source
