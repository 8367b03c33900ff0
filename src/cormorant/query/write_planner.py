"""Turns an update or a delete by query into a statement; pure, and done once for each shape."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from cormorant.errors import QueryError
from cormorant.models.metadata import ModelInfo
from cormorant.query.entities import EntityColumns, Selected, ValueColumn
from cormorant.query.placement import check_places
from cormorant.query.planner import QueryPlan, check_all
from cormorant.query.related import NOTHING
from cormorant.query.spec import QuerySpec
from cormorant.sql.calls import Exists, ScalarSelect
from cormorant.sql.columns import Assignment, Column
from cormorant.sql.expr import Expr
from cormorant.sql.inner import selects_in, tables_in
from cormorant.sql.joins import implied_joins
from cormorant.sql.nodes import InSelect
from cormorant.sql.raw_source import RawSource
from cormorant.sql.selects import Select
from cormorant.sql.statements import DeleteWhere, UpdateWhere


def plan_write(spec: QuerySpec) -> QueryPlan:
    """Gives the plan of an update or a delete.

    Raises:
        QueryError: The query cannot be said in SQL as it is.
    """
    refuse_limits(spec, f"{spec.mode}()")
    info, where = spec.info, _own_conditions(spec)
    assignments = tuple(_own_value(info, item) for item in spec.assignments)
    returning, parts = _returned(spec)
    if spec.mode == "update":
        statement: UpdateWhere | DeleteWhere = UpdateWhere(
            info.source, info.table, assignments, where, returning, spec.lifted
        )
    else:
        statement = DeleteWhere(info.source, info.table, where, returning, spec.lifted)
    read = (*where, *(item.value for item in assignments), *returning)
    check_all(selects_in(read))
    check_places(statement)
    tables = frozenset({info.table, *tables_in(read)})
    return QueryPlan(statement, parts, spec.output, (), tables, max(len(returning), 1))


def refuse_limits(spec: QuerySpec, verb: str) -> None:
    """Refuses what a statement that writes cannot have."""
    if spec.info is not spec.info.plain:
        raise QueryError(
            f"{verb} of {spec.info.cls!r}, a second name that only reads have",
            hint=f"start from session.query({spec.info.name})",
        )
    if spec.source is not None:
        what = "SQL of your own" if isinstance(spec.source, RawSource) else "a query of several"
        raise QueryError(f"{verb} of {what}", hint="filter by key: .filter(Model.id.in_(...))")
    parts = {
        "limit": spec.limit is not None,
        "offset": spec.offset is not None,
        "distinct": spec.distinct or spec.distinct_on,
        "group_by": spec.group_by or spec.having,
        "order_by": spec.order_by,
        "for_update": spec.lock,
        "related objects or chosen columns": spec.loading is not NOTHING,
    }
    found = [name for name, part in parts.items() if part]
    if found:
        key = f"{spec.info.name}.{spec.info.key_attributes[0]}"
        raise QueryError(
            f"{verb} of {spec.info.name} has {' and '.join(found)}, which a statement that writes cannot have",
            hint=f"choose the rows by key: session.query({spec.info.name}).filter({key}.in_(query.scalars({key})))",
        )


def _own_conditions(spec: QuerySpec) -> tuple[Expr[Any], ...]:
    """Gives the conditions of a write; those along relations find the rows by key in a SELECT of their own."""
    select = Select(spec.info.source, where=spec.where, joins=spec.joins, ctes=spec.ctes)
    if not (spec.joins or spec.ctes or any(implied_joins(select).values())):
        return spec.where
    keys = _keys(spec.info)
    if len(keys) == 1:
        return (InSelect(keys[0], replace(select, columns=keys)),)
    return (Exists(select, tuple((key, key) for key in keys)),)


def _own_value(info: ModelInfo, item: Assignment) -> Assignment:
    """Gives a value; one read along a relation is read by a SELECT of its own."""
    select = Select(info.source, (item.value,))
    if not any(implied_joins(select).values()):
        return item
    links = tuple((key, key) for key in _keys(info))
    return Assignment(item.column, ScalarSelect(select, links, type_=item.value.type))


def _returned(spec: QuerySpec) -> tuple[tuple[Expr[Any], ...], tuple[Selected, ...]]:
    info = spec.info
    if spec.columns is None:
        return info.entity, (EntityColumns(info, 0),)
    if any(implied_joins(Select(info.source, spec.columns)).values()):
        raise QueryError(
            f"{spec.mode}(returning=...) of {info.name} reads along a relation, and only the row itself comes back",
            hint="return the key, and query for the rest",
        )
    return spec.columns, tuple(ValueColumn(place, column.type) for place, column in enumerate(spec.columns))


def _keys(info: ModelInfo) -> tuple[Column[Any], ...]:
    return tuple(info.column(name) for name in info.key_attributes)
