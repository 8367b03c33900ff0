"""An order for queries that were given none, and a warning where it matters that they have none."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

from cormorant._internal.frames import frame_outside
from cormorant.errors import QueryError, QueryWarning
from cormorant.query.grouping import is_aggregate
from cormorant.query.spec import QuerySpec
from cormorant.sql.expr import Bind, Order, is_expr
from cormorant.sql.sources import SubquerySource
from cormorant.sql.types import BIG_INTEGER


def in_order(spec: QuerySpec) -> QuerySpec:
    """Gives a query in the order of its model's key, where it has no order and its rows are rows of the model."""
    if spec.order_by or not _has_key(spec):
        return spec
    return _ordered("by key", spec, _key_order(spec))


def last_row(spec: QuerySpec) -> QuerySpec:
    """Gives the query of the last row of an order, of the model's key where there is no other.

    Raises:
        QueryError: It has neither; or a limit, which would leave out the last row.
    """
    if spec.limit is not None or spec.offset is not None:
        raise QueryError("last() of a query with limit or offset", hint="turn the order round and use .first()")
    if not (spec.order_by or _has_key(spec)):
        raise QueryError(
            f"last() of rows of {spec.info.name} that have no order", hint="say what comes last: .order_by(...)"
        )
    orders = [order.turned() for order in spec.order_by or _key_order(spec)]
    one = Bind(1, BIG_INTEGER)
    return _ordered("last", spec, orders).changed(("limit",), (one,), limit=one)


def _has_key(spec: QuerySpec) -> bool:
    """Whether the model's key can be read beside each row."""
    if spec.group_by or spec.distinct_on:
        return False
    if spec.columns is None:
        return True
    shown_only = spec.distinct or isinstance(spec.source, SubquerySource)
    return not (shown_only or any(is_expr(column) and is_aggregate(column) for column in spec.columns))


def _key_order(spec: QuerySpec) -> list[Order]:
    return [Order(spec.info.column(name), descending=False) for name in spec.info.key_attributes]


def _ordered(kind: str, spec: QuerySpec, orders: Sequence[Order]) -> QuerySpec:
    key: tuple[Any, ...] = (kind, *(order.key for order in orders))
    return spec.changed(key, (), order_by=tuple(orders))


def warn_of_offset(spec: QuerySpec) -> None:
    """Warns, once for each line of the caller's, that an offset without an order skips any rows."""
    frame = frame_outside("cormorant.", "contextlib")
    warnings.warn_explicit(
        f"offset without order: which rows of {spec.info.name} are left out can differ each time; "
        "add .order_by(...), or read page by page: .page(size)",
        QueryWarning,
        "<unknown>" if frame is None else frame.f_code.co_filename,
        1 if frame is None else frame.f_lineno,
        None if frame is None else frame.f_globals.get("__name__"),
        None if frame is None else frame.f_globals.setdefault("__warningregistry__", {}),
    )
