"""Turns what was asked into a statement and the parts its rows are made of; pure, and done once for each shape."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

from cormorant.errors import QueryError, WrongType
from cormorant.models.metadata import ModelInfo
from cormorant.models.paths import Path
from cormorant.query.spec import Output, QuerySpec
from cormorant.sql import types as t
from cormorant.sql.calls import Exists
from cormorant.sql.columns import Column, JoinSource, SubquerySource, TableSource
from cormorant.sql.expr import Expr, Label, is_expr, walk
from cormorant.sql.functions import func
from cormorant.sql.joins import implied_joins
from cormorant.sql.nodes import InSelect
from cormorant.sql.selectable import SelectLike
from cormorant.sql.statements import DeleteWhere, Select, UpdateWhere

Selected: TypeAlias = "tuple[ModelInfo, int, bool] | tuple[int, t.SqlType]"


@dataclass(frozen=True, slots=True)
class QueryPlan:
    """A statement with the meaning of its rows.

    Args:
        parts: In order, an object as (model, first column, may be none), or a value as (column, type).
        tables: Every table read or written.
    """

    statement: Select | UpdateWhere | DeleteWhere
    parts: tuple[Selected, ...]
    output: Output
    names: tuple[str, ...]
    tables: frozenset[str]
    width: int


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
        select = Select(
            spec.info.source,
            where=spec.where,
            group_by=spec.group_by,
            having=spec.having,
            limit=spec.limit,
            offset=spec.offset,
        )
        return _planned(select, [(0, t.UNKNOWN)], "scalars")
    columns, parts = _selected(spec)
    select = _select(spec, columns)
    _check_grouping(select, spec.info)
    _check_distinct(select)
    return _planned(select, parts, spec.output, spec.names)


def select_of(spec: QuerySpec) -> Select:
    """Gives a query as a statement inside another one."""
    return _select(spec, _selected(spec)[0])


def _select(spec: QuerySpec, columns: tuple[Expr[Any], ...]) -> Select:
    return Select(
        source=spec.info.source,
        columns=columns,
        where=spec.where,
        group_by=spec.group_by,
        having=spec.having,
        order_by=spec.order_by,
        distinct=spec.distinct,
        limit=spec.limit,
        offset=spec.offset,
    )


def _planned(select: Select, parts: list[Selected], output: Output, names: tuple[str, ...] = ()) -> QueryPlan:
    width = max(len(select.columns), 1)
    return QueryPlan(select, tuple(parts), output, names, frozenset(tables_of(select)), width)


def _selected(spec: QuerySpec) -> tuple[tuple[Expr[Any], ...], list[Selected]]:
    """Gives the SELECT list and what its columns make up."""
    if spec.columns is None:
        return spec.info.entity, [(spec.info, 0, False)]
    columns: list[Expr[Any]] = []
    parts: list[Selected] = []
    for item in spec.columns:
        if is_expr(item):
            parts.append((len(columns), item.type))
            columns.append(item)
        else:
            info, entity, optional = _entity(item)
            parts.append((info, len(columns), optional))
            columns += entity
    return tuple(columns), parts


def _entity(item: Any) -> tuple[ModelInfo, tuple[Column[Any], ...], bool]:
    if isinstance(item, Path):
        return item.__entity__()
    info = getattr(item, "__info__", None)
    if isinstance(info, ModelInfo):
        return info, info.entity, False
    raise WrongType(f"{item!r} cannot be selected", hint="select columns, expressions, models or relations")


def _plan_count(spec: QuerySpec) -> QueryPlan:
    """Counts rows; a query that limits, groups, folds or multiplies its rows is counted from outside."""
    columns, _ = _selected(spec)
    # what is selected matters only where it makes more rows or fewer
    needed = spec.distinct or _multiplies(spec, columns) or (any(map(is_aggregate, columns)) and not spec.group_by)
    limited = spec.limit is not None or spec.offset is not None
    if not (needed or limited or spec.group_by or spec.having):
        select = Select(spec.info.source, (func.count(),), spec.where)
    else:
        inner = Select(
            spec.info.source,
            _with_names(columns) if needed else (),
            spec.where,
            spec.group_by,
            spec.having,
            spec.order_by if limited or _multiplies(spec, ()) else (),
            spec.distinct,
            spec.limit,
            spec.offset,
        )
        select = Select(SubquerySource(inner, "counted"), (func.count(),))
    return _planned(select, [(0, t.BIG_INTEGER)], "scalars")


def _multiplies(spec: QuerySpec, columns: tuple[Expr[Any], ...]) -> bool:
    """Whether reading the columns, or the order, joins a relation to many."""
    joins = implied_joins(Select(spec.info.source, columns, order_by=spec.order_by))
    return any(join.many for join in joins)


def _with_names(columns: Iterable[Expr[Any]]) -> tuple[Expr[Any], ...]:
    # a subquery may not have two columns of one name
    return tuple(Label(column, f"c{number}") for number, column in enumerate(columns))


def _plan_write(spec: QuerySpec) -> QueryPlan:
    if spec.limit is not None or spec.offset is not None or spec.distinct or spec.group_by:
        raise QueryError(
            f"{spec.mode}() of {spec.info.name} cannot have limit, offset, distinct or group_by",
            hint="filter by key: .filter(Model.id.in_(...))",
        )
    where = _without_joins(spec)
    if spec.mode == "update":
        statement: UpdateWhere | DeleteWhere = UpdateWhere(spec.info.source, spec.info.table, spec.assignments, where)
    else:
        statement = DeleteWhere(spec.info.source, spec.info.table, where)
    return QueryPlan(
        statement,
        (),
        "tuples",
        (),
        frozenset({spec.info.table, *_tables_in(where), *_tables_in(item.value for item in spec.assignments)}),
        1,
    )


def _without_joins(spec: QuerySpec) -> tuple[Expr[Any], ...]:
    """Gives the conditions of a write; those along relations find the rows by key in a SELECT of their own."""
    if not implied_joins(Select(spec.info.source, where=spec.where)):
        return spec.where
    if len(spec.info.key_attributes) != 1:
        raise QueryError(
            f"{spec.mode}() of {spec.info.name} has conditions along a relation, and its key has several columns",
            hint="use .any() conditions, or load the objects and change them",
        )
    key = spec.info.column(spec.info.key_attributes[0])
    return (InSelect(key, Select(spec.info.source, (key,), spec.where)),)


def _check_grouping(select: Select, info: ModelInfo) -> None:
    """Refuses columns that are not the same for all rows of a group: SQLite would give any row's, in silence."""
    if not select.group_by and not any(map(is_aggregate, select.columns)):
        return
    grouped = {expr.expr.key if isinstance(expr, Label) else expr.key for expr in select.group_by}
    if grouped.issuperset(info.column(name).key for name in info.key_attributes):
        # its key decides every column of a table
        grouped.update(column.key for column in info.entity)
    for expr in (*select.columns, *select.having, *(order.expr for order in select.order_by)):
        if not _covered(expr, grouped):
            raise QueryError(
                f"{expr!r} is read from groups without being grouped by",
                hint=f"add .group_by({expr!r}), or fold it: func.max(...)",
            )


def _check_distinct(select: Select) -> None:
    """Refuses an order of distinct rows by what they do not show, which SQLite would take."""
    shown = {expr.expr.key if isinstance(expr, Label) else expr.key for expr in select.columns}
    for order in select.order_by:
        expr = order.expr.expr if isinstance(order.expr, Label) else order.expr
        if select.distinct and expr.key not in shown:
            raise QueryError(
                f"distinct rows are ordered by {expr!r}, which they do not show",
                hint="select it too, or group by what is selected and order by func.min(...)",
            )


def _covered(expr: Expr[Any], grouped: set[Any]) -> bool:
    if expr.key in grouped or getattr(expr, "aggregate", False):
        return True
    return not isinstance(expr, Column) and all(_covered(child, grouped) for child in expr.children)


def is_aggregate(expr: Expr[Any]) -> bool:
    """Whether an expression folds rows."""
    return any(getattr(node, "aggregate", False) for node in walk(expr))


def tables_of(select: SelectLike) -> Iterable[str]:
    """Gives the tables a statement reads, inner statements included."""
    assert isinstance(select, Select)
    source = select.source
    if isinstance(source, SubquerySource):
        yield from tables_of(source.select)
    elif isinstance(source, TableSource):
        yield source.table
    yield from _tables_in(select.expressions)


def _tables_in(expressions: Iterable[Expr[Any]]) -> Iterable[str]:
    for part in expressions:
        for node in walk(part):
            if isinstance(node, Column):
                yield from _tables_on_the_way(node.source)
            elif isinstance(node, (Exists, InSelect)):
                yield from tables_of(node.select)
                if isinstance(node, Exists):
                    for inner, _ in node.links:
                        yield from _tables_on_the_way(inner.source)


def _tables_on_the_way(source: Any) -> Iterable[str]:
    while isinstance(source, JoinSource):
        yield source.table
        source = source.parent
    if isinstance(source, TableSource):
        yield source.table
