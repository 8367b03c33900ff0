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
from cormorant.query.grouping import alike, check_distinct, check_grouping, is_aggregate
from cormorant.query.spec import Output, QuerySpec
from cormorant.sql import types as t
from cormorant.sql.columns import Column
from cormorant.sql.expr import Expr, Label
from cormorant.sql.functions import func
from cormorant.sql.joins import implied_joins, shown_by, tables_in, tables_of
from cormorant.sql.nodes import InSelect
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
    if spec.mode in ("update", "delete"):
        return _plan_write(spec)
    if spec.mode == "count":
        return _plan_count(spec)
    if spec.mode == "exists":
        select = replace(_select(spec, ()), order_by=(), lock=None)
        return _planned(select, [ValueColumn(0, t.UNKNOWN)], "scalars")
    columns, parts = with_related(spec, *selected(spec))
    columns, beside = _with_beside(columns, spec.beside)
    select = _select(spec, columns)
    check_grouping(select)
    check_distinct(select)
    if spec.per_owner is not None:
        select = limited_per_owner(select, spec.per_owner)
    return _planned(select, parts, spec.output, spec.names, beside)


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


def _select(spec: QuerySpec, columns: tuple[Expr[Any], ...]) -> Select:
    return Select(
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
        bare = [column.expr if isinstance(column, Label) else column for column in columns]
        place = next((place for place, column in enumerate(bare) if alike(expr, column)), len(columns))
        columns = columns if place < len(columns) else (*columns, expr)
        places.append((place, expr.type))
    return columns, tuple(places)


def _plan_count(spec: QuerySpec) -> QueryPlan:
    """Counts rows; a query that limits, groups, folds or multiplies its rows is counted from outside."""
    columns, _ = selected(spec)
    # what is selected matters only where it makes more rows or fewer
    needed = (
        spec.distinct
        or bool(spec.distinct_on)
        or _multiplies(spec, columns)
        or (any(is_aggregate(column, shown_by(source_of(spec))) for column in columns) and not spec.group_by)
    )
    limited = spec.limit is not None or spec.offset is not None
    if not (needed or limited or spec.group_by or spec.having):
        select = replace(_select(spec, (func.count(),)), order_by=(), lock=None)
    else:
        ordered = limited or spec.distinct_on or _multiplies(spec, ())
        inner = _select(spec, with_names(columns) if needed else ())
        inner = replace(inner, order_by=spec.order_by if ordered else (), lock=None, ctes=())
        select = Select(SubquerySource(inner, "counted"), (func.count(),), ctes=spec.ctes)
    return _planned(select, [ValueColumn(0, t.BIG_INTEGER)], "scalars")


def _multiplies(spec: QuerySpec, columns: tuple[Expr[Any], ...]) -> bool:
    """Whether reading the columns, or the order, joins a relation to many."""
    joins = implied_joins(Select(source_of(spec), columns, order_by=spec.order_by, joins=spec.joins))
    return any(join.many for found in joins.values() for join in found)


def with_names(columns: Iterable[Expr[Any]]) -> tuple[Expr[Any], ...]:
    """Gives columns under the names that a subquery shows them by, no two alike: label, attribute, or a number."""
    found: dict[str, Expr[Any]] = {}
    for number, column in enumerate(columns):
        inner = column.expr if isinstance(column, Label) else column
        name = column.name if isinstance(column, (Label, Column)) else f"c{number}"
        name = f"c{number}" if name in found else name
        found[name] = inner if isinstance(inner, Column) and inner.name == name else Label(inner, name)
    return tuple(found.values())


def _plan_write(spec: QuerySpec) -> QueryPlan:
    if spec.source is not None:
        raise QueryError(f"{spec.mode}() of a query of several", hint="filter by key: .filter(Model.id.in_(...))")
    if spec.limit is not None or spec.offset is not None or spec.distinct or spec.group_by:
        raise QueryError(
            f"{spec.mode}() of {spec.info.name} cannot have limit, offset, distinct or group_by",
            hint="filter by key: .filter(Model.id.in_(...))",
        )
    where = _without_joins(spec)
    if spec.mode == "update":
        statement: UpdateWhere | DeleteWhere = UpdateWhere(
            spec.info.source, spec.info.table, spec.assignments, where, lifted=spec.lifted
        )
    else:
        statement = DeleteWhere(spec.info.source, spec.info.table, where, lifted=spec.lifted)
    return QueryPlan(
        statement,
        (),
        "tuples",
        (),
        frozenset({spec.info.table, *tables_in(where), *tables_in(item.value for item in spec.assignments)}),
        1,
    )


def _without_joins(spec: QuerySpec) -> tuple[Expr[Any], ...]:
    """Gives the conditions of a write; those along relations find the rows by key in a SELECT of their own."""
    select = Select(spec.info.source, where=spec.where, joins=spec.joins)
    if not spec.joins and not any(implied_joins(select).values()):
        return spec.where
    if len(spec.info.key_attributes) != 1:
        raise QueryError(
            f"{spec.mode}() of {spec.info.name} has conditions along a relation, and its key has several columns",
            hint="use .any() conditions, or load the objects and change them",
        )
    key = spec.info.column(spec.info.key_attributes[0])
    return (InSelect(key, replace(select, columns=(key,))),)
