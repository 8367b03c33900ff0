"""Turns what was asked into a statement and the parts its rows are made of; pure, and done once for each shape."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from cormorant.errors import QueryError
from cormorant.query.entities import (
    OwnerColumns,
    Selected,
    ValueColumn,
    limited_per_owner,
    selected,
    with_related,
)
from cormorant.query.grouping import check_distinct, check_grouping, grouped_through, is_aggregate
from cormorant.query.locking import check_lock
from cormorant.query.placement import check_places
from cormorant.query.spec import Output, QuerySpec
from cormorant.sql import types as t
from cormorant.sql.columns import Column
from cormorant.sql.expr import Expr, Label, unlabelled
from cormorant.sql.functions import func
from cormorant.sql.inner import homes_in, selects_in, selects_of, tables_of
from cormorant.sql.joins import implied_joins, shown_by
from cormorant.sql.sameness import alike
from cormorant.sql.scope import free_name
from cormorant.sql.selects import Select
from cormorant.sql.sources import Source, SubquerySource
from cormorant.sql.statements import DeleteWhere, UpdateWhere


@dataclass(frozen=True, slots=True)
class QueryPlan:
    """A statement with the meaning of its rows.

    Args:
        parts: What its columns make up, in order.
        beside: Values that are read beside the rows, and are no part of them.
        tables: Every table read or written.
    """

    statement: Select | UpdateWhere | DeleteWhere
    parts: tuple[Selected, ...]
    output: Output
    names: tuple[str, ...]
    tables: frozenset[str]
    width: int
    beside: tuple[tuple[int, t.SqlType], ...] = ()


def plan(spec: QuerySpec) -> QueryPlan:
    """Gives the plan of a query.

    Raises:
        QueryError: The query cannot be said in SQL as it is.
    """
    made = _plan(spec)
    check_places(made.statement)
    return made


def _plan(spec: QuerySpec) -> QueryPlan:
    columns, parts = selected(spec)
    beside: tuple[tuple[int, t.SqlType], ...] = ()
    if spec.mode == "rows":
        columns, parts = with_related(spec, columns, parts)
        columns, beside = _with_beside(columns, spec.beside)
    select = _select(spec, columns)
    check_all(selects_of(select))
    if spec.mode == "count":
        return _planned(_counted(select), [ValueColumn(0, t.BIG_INTEGER)], "scalars")
    if spec.mode == "exists":
        return _planned(for_existence(select), [ValueColumn(0, t.UNKNOWN)], "scalars")
    if spec.per_owner is not None:
        select = limited_per_owner(select, spec.per_owner)
    return _planned(select, parts, spec.output, spec.names, beside)


def check_all(selects: Iterable[Select]) -> None:
    """Refuses what may not be read from groups, and from distinct rows."""
    for select in selects:
        check_grouping(select)
        check_distinct(select)
        check_lock(select)


def select_of(spec: QuerySpec, *, home: int | None = None) -> Select:
    """Gives a query as a statement inside another one; `home` tells the database it was made for."""
    columns, parts = selected(spec)
    if any(isinstance(part, OwnerColumns) for part in parts):
        raise QueryError(
            f"a query of {spec.info.name} with the objects of a relation to many stands inside another query",
            hint="they are no value in SQL: leave them out there",
        )
    return replace(_select(spec, columns), home=home)


def named(select: Select) -> Select:
    """Gives a statement whose columns all have names of their own, to be read from outside."""
    return replace(select, columns=with_names(select.columns))


def for_existence(select: Select) -> Select:
    """Gives a statement that has rows where another one has, without what only tells what they show."""
    bare = replace(select, lock=None)
    return bare if _columns_matter(select) else replace(bare, columns=(), order_by=())


def _select(spec: QuerySpec, columns: tuple[Expr[Any], ...]) -> Select:
    select = Select(
        source=source_of(spec),
        columns=columns,
        where=spec.where,
        group_by=spec.group_by,
        having=spec.having,
        order_by=spec.order_by,
        distinct=spec.distinct,
        limit=spec.limit,
        offset=spec.offset,
        joins=spec.joins,
        distinct_on=spec.distinct_on,
        lock=spec.lock,
        ctes=spec.ctes,
        lifted=spec.lifted,
    )
    return grouped_through(select)


def source_of(spec: QuerySpec) -> Source:
    """Gives what a query reads first: its model's table, unless it was told another source."""
    return spec.source or spec.info.source


def _planned(
    select: Select,
    parts: list[Selected],
    output: Output,
    names: tuple[str, ...] = (),
    beside: tuple[tuple[int, t.SqlType], ...] = (),
) -> QueryPlan:
    width = max(len(select.columns), 1)
    return QueryPlan(select, tuple(parts), output, names, frozenset(tables_of(select)), width, beside)


def _with_beside(
    columns: tuple[Expr[Any], ...], beside: tuple[Expr[Any], ...]
) -> tuple[tuple[Expr[Any], ...], tuple[tuple[int, t.SqlType], ...]]:
    """Adds what is read beside the rows to the SELECT list, as far as it is not selected anyway."""
    places: list[tuple[int, t.SqlType]] = []
    for expr in beside:
        bare = [unlabelled(column) for column in columns]
        place = next((place for place, column in enumerate(bare) if alike(expr, column)), len(columns))
        columns = columns if place < len(columns) else (*columns, expr)
        places.append((place, expr.type))
    return columns, tuple(places)


def _counted(select: Select) -> Select:
    """Counts rows; a query that limits, groups, folds or multiplies its rows is counted from outside."""
    matter = _columns_matter(select)
    limited = select.limit is not None or select.offset is not None
    if not (matter or limited or select.group_by or select.having):
        return replace(select, columns=(func.count(),), order_by=(), lock=None)
    ordered = limited or select.distinct_on or _multiplies(replace(select, columns=()))
    columns, order = with_names(select.columns) if matter else (), select.order_by if ordered else ()
    inner = replace(select, columns=columns, order_by=order, lock=None, ctes=())
    return Select(SubquerySource(inner, "counted"), (func.count(),), ctes=select.ctes)


def _columns_matter(select: Select) -> bool:
    """Whether what is selected makes more rows or fewer."""
    if select.distinct or select.distinct_on or _multiplies(select):
        return True
    shown = shown_by(select.source)
    return not select.group_by and any(is_aggregate(column, shown) for column in select.columns)


def _multiplies(select: Select) -> bool:
    """Whether reading the columns, or the order, joins a relation to many."""
    read = Select(select.source, select.columns, order_by=select.order_by, joins=select.joins)
    return any(join.many for found in implied_joins(read).values() for join in found)


def with_names(columns: Iterable[Expr[Any]]) -> tuple[Expr[Any], ...]:
    """Gives columns under the names that a subquery shows them by, no two alike: label, attribute, or a number."""
    found: list[Expr[Any]] = []
    taken: set[str] = set()
    for number, column in enumerate(columns):
        inner = unlabelled(column)
        name = column.name if isinstance(column, (Label, Column)) else f"c{number}"
        if name.lower() in taken:
            name = free_name(f"c{number}", taken)
        taken.add(name.lower())
        found.append(inner if isinstance(inner, Column) and inner.name == name else Label(inner, name))
    return tuple(found)


def refuse_parts_of_others(made: QueryPlan, number: int, name: str) -> None:
    """Refuses a query that holds one of another database, whose number is another."""
    statement = made.statement
    selects = selects_of(statement) if isinstance(statement, Select) else selects_in(statement.expressions)
    if any(home != number for home in homes_in(selects)):
        raise QueryError(
            f"the query of {name} holds a query that was made for another database",
            hint="run that one first, and pass its values: .in_([...])",
        )
