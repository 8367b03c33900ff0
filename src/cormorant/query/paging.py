"""Pages by key: an order made total, and the query of the rows behind a place in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from cormorant.errors import QueryError
from cormorant.models.many import count_of_rows
from cormorant.models.metadata import ModelInfo
from cormorant.query.beside import Beside
from cormorant.query.cursors import Cursors, Place
from cormorant.query.entities import entity_of, owner_key, selected
from cormorant.query.grouping import is_aggregate
from cormorant.query.keyset import Step, behind
from cormorant.query.page import Page
from cormorant.query.planner import source_of
from cormorant.query.spec import QuerySpec
from cormorant.sql import types as t
from cormorant.sql.columns import Column
from cormorant.sql.expr import Bind, Expr, Label, Order, gather, is_expr, unlabelled, walk
from cormorant.sql.formulas import Formula
from cormorant.sql.joins import implied_joins, shown_by
from cormorant.sql.restrictions import may_hide
from cormorant.sql.sameness import alike, equal_values
from cormorant.sql.selects import Compound, Select
from cormorant.sql.sources import JoinSource, Source, SubquerySource, TableSource, root_of, statement_of
from cormorant.sql.windows import Over


@dataclass(frozen=True, slots=True)
class Paging:
    """A query in an order in which no two rows are equal.

    Args:
        orders: The order that was asked for, and what tells rows apart that are equal in it.
        folded: The order reads aggregates, which only HAVING can compare.
    """

    spec: QuerySpec
    orders: tuple[Order, ...]
    folded: bool

    @property
    def keys(self) -> Select:
        """A statement of the order alone, by which it is told from others."""
        exprs = tuple(order.expr for order in self.orders)
        spec = self.spec
        return Select(source_of(spec), exprs, order_by=self.orders, joins=spec.joins, ctes=spec.ctes)

    @property
    def types(self) -> tuple[t.SqlType, ...]:
        """The types of the order's expressions."""
        return tuple(order.expr.type for order in self.orders)

    def ask(self, size: int, place: Place | None, *, backwards: bool = False) -> QuerySpec:
        """Gives the query of the rows behind a place, with their order values beside them.

        Args:
            size: The most rows.
            place: The place; None begins with the first row.
            backwards: Give the rows before the place, the nearest first.
        """
        orders = tuple(order.turned() for order in self.orders) if backwards else self.orders
        spec = self.spec if place is None else self._behind(orders, place)
        exprs, limit = tuple(order.expr for order in orders), Bind(size, t.BIG_INTEGER)
        shown = tuple(item for item in spec.columns or () if is_expr(item))
        # which of the order's values are selected anyway depends on the values in them
        equal = equal_values(gather((*shown, *exprs)))
        key = ("paged", place is None, *(order.key for order in orders), equal)
        offset = spec.offset if place is None else None
        return spec.changed(key, (*gather(exprs), limit), order_by=orders, beside=exprs, limit=limit, offset=offset)

    def _behind(self, orders: tuple[Order, ...], place: Place) -> QuerySpec:
        spec, outer = self.spec, _outer_sources(self.spec)
        pairs = zip(orders, place.values, strict=True)
        steps = [Step(order, value, nullable=_may_be_null(order.expr, spec, outer)) for order, value in pairs]
        condition = behind(steps, inclusive=place.inclusive)
        clause = "having" if self.folded else "where"
        parts = (*getattr(spec, clause), condition)
        return spec.changed((clause, condition.key), condition.binds, **{clause: parts})


def paging_of(spec: QuerySpec) -> Paging:
    """Gives the total order of a query's rows.

    Raises:
        QueryError: Its rows cannot be told apart, or not be compared.
    """
    orders = [Order(unlabelled(order.expr), descending=order.descending, nulls=order.nulls) for order in spec.order_by]
    descending = bool(orders) and all(order.descending for order in orders)
    for tie in _ties(spec):
        expr = unlabelled(tie)
        if not any(alike(expr, order.expr) for order in orders):
            orders.append(Order(expr, descending=descending))
    for expr in (*selected(spec)[0], *(order.expr for order in orders)):
        if _has_window(expr):
            raise QueryError(
                f"{unlabelled(expr)!r} looks at other rows, and a page leaves rows out",
                hint="read it as a column: .join(query.subquery(), ...)",
            )
    for order in orders:
        _check_comparable(order.expr, spec.info)
        if _changes(order.expr):
            raise QueryError(
                f"the order of {spec.info.name} by {order.expr!r} is another one for each page",
                hint="order by what stays: a column, or a moment of your own instead of func.now(); "
                "stream() reads the rows in one statement",
            )
    shown = shown_by(source_of(spec))
    folded = any(is_aggregate(order.expr, shown) for order in orders)
    return Paging(spec, tuple(orders), folded)


def goes_on_by_key(spec: QuerySpec) -> bool:
    """Whether a long result is best read page by page: not where each would make all rows, or their order, anew."""
    columns, _ = selected(spec)
    shown = shown_by(source_of(spec))
    folded = any(
        is_aggregate(expr, shown) or _has_window(expr) for expr in (*columns, *(o.expr for o in spec.order_by))
    )
    moving = any(_changes(order.expr) for order in spec.order_by)
    whole = spec.group_by or spec.distinct or spec.distinct_on or folded or moving or _compound(spec) is not None
    return not (whole or any(statement_of(join.source) is not None for join in spec.joins))


def _has_window(expr: Expr[Any]) -> bool:
    return any(isinstance(node, Over) for node in walk(expr))


def _changes(expr: Expr[Any]) -> bool:
    return any(isinstance(node, Formula) and node.name in ("random", "now") for node in walk(expr))


def _check_comparable(expr: Expr[Any], info: ModelInfo) -> None:
    type_ = t.base_of(expr.type)
    if isinstance(type_, (t.Json, t.Array)):
        raise QueryError(
            f"the rows of {info.name} are told apart by {expr!r}, and {type_.name} values have no place in an order",
            hint="order by columns that tell the rows apart",
        )


# ------------------------------------------------------------------ what tells rows apart


def _ties(spec: QuerySpec) -> Iterable[Expr[Any]]:
    """Gives expressions in which no two rows of a query are equal."""
    columns, _ = selected(spec)
    if spec.group_by:
        return spec.group_by
    if any(is_aggregate(column, shown_by(source_of(spec))) for column in columns):
        raise QueryError(f"the query of {spec.info.name} gives one row", hint="await it, or group_by(...)")
    if spec.distinct_on:
        raise QueryError(
            f"the query of {spec.info.name} is distinct in some columns, and the rows left depend on where it begins",
            hint="select the rows to keep in a condition: .filter(Model.id.in_(...))",
        )
    compound = _compound(spec)
    if compound is not None and compound.word.endswith(" ALL"):
        raise QueryError(f"{compound.word} keeps equal rows, which no order tells apart", hint="leave all=True out")
    if spec.distinct or compound is not None:
        return _shown(spec)
    return _row_keys(spec, columns)


def _compound(spec: QuerySpec) -> Compound | None:
    found = spec.source.select if isinstance(spec.source, SubquerySource) else None
    return found if isinstance(found, Compound) else None


def _shown(spec: QuerySpec) -> Iterator[Expr[Any]]:
    """Gives what is selected, of objects their key."""
    for item in spec.columns or (spec.info.cls,):
        if is_expr(item):
            yield from owner_key(item) or (item,)
        else:
            info, columns, _ = entity_of(item)
            yield from (column for column in columns if column.attribute in info.key_set)


def _row_keys(spec: QuerySpec, columns: tuple[Expr[Any], ...]) -> Iterator[Expr[Any]]:
    """Gives the key of the model, and of all that is joined so that there can be several rows for one object."""
    yield from (spec.info.column(name) for name in spec.info.key_attributes)
    select = Select(
        source_of(spec), columns, where=spec.where, order_by=spec.order_by, joins=spec.joins, having=spec.having
    )
    for join in spec.joins:
        if not isinstance(join.source, JoinSource):
            yield from _source_key(join.source)
    for found in implied_joins(select).values():
        for source in found:
            link = source.parent
            behind_link = isinstance(link, JoinSource) and link.many and link.entity is None
            if behind_link or (source.many and source.entity is not None):
                yield from _source_key(source)


def _source_key(source: Source) -> Iterator[Column[Any]]:
    """Gives the key of a joined table, or all columns of a subquery."""
    if isinstance(source, (TableSource, JoinSource)):
        entity: ModelInfo = source.entity
        yield from (entity.column_from(source, name, nullable=True) for name in entity.key_attributes)
    elif (statement := statement_of(source)) is not None:
        for column in statement.columns:
            if isinstance(column, (Label, Column)) and not isinstance(column.type, (t.Json, t.Array)):
                yield Column(source, column.name, column.type, nullable=True, owner=column.name)


# ------------------------------------------------------------------ what can be NULL


def _outer_sources(spec: QuerySpec) -> set[str]:
    return {join.source.key for join in spec.joins if join.outer}


def _may_be_null(expr: Expr[Any], spec: QuerySpec, outer: set[str]) -> bool:
    """Whether rows may have NULL: what is joined from outside or hidden always can, and any part of a union."""
    if expr.nullable or _compound(spec) is not None:
        return True
    sources = [node.source for node in walk(expr) if isinstance(node, Column)]
    return any(root_of(source).key in outer or may_hide(spec.scopes, source, spec.lifted) for source in sources)


# ------------------------------------------------------------------ one page


class PageRequest:
    """One page as it was asked for.

    Args:
        spec: The query.
        cursors: Reads and writes cursors.
        size: The most rows.
        after: The cursor of a page's end.
        before: The cursor of a page's beginning.

    Raises:
        QueryError: The query cannot be paged.
        WrongCursor: A cursor is none of this query.
    """

    def __init__(self, spec: QuerySpec, cursors: Cursors, size: int, after: str | None, before: str | None) -> None:
        _check_request(spec, size, after, before)
        self._paging = paging_of(spec)
        self._cursors = cursors
        self._size = size
        self._backwards = before is not None
        self._order = cursors.order_of(self._paging.keys)
        cursor = before if before is not None else after
        self._place = None if cursor is None else cursors.read(self._order, self._paging.types, cursor)

    @property
    def asked(self) -> QuerySpec:
        """The query to run: a row more than the page has tells whether there is another one."""
        return self._paging.ask(self._size + 1, self._place, backwards=self._backwards)

    def page(self, rows: list[Any], beside: Beside) -> Page[Any]:
        """Gives the page of the rows that were found."""
        kept, make = rows[: self._size], self._paging.spec.into
        nearest = self._cursor(beside[0]) if kept else self._turned_round()
        farthest = self._cursor(beside[len(kept) - 1]) if len(rows) > len(kept) else None
        items = kept if make is None else list(map(make, kept))
        if self._backwards:
            return Page(items[::-1], next=nearest, previous=farthest)
        return Page(items, next=farthest, previous=None if self._place is None else nearest)

    def _turned_round(self) -> str | None:
        """Gives the cursor back from a page without rows: to all that the page's own cursor leaves out."""
        place = self._place
        return None if place is None else self._cursor(place.values, inclusive=not place.inclusive)

    def _cursor(self, values: tuple[Any, ...], *, inclusive: bool = False) -> str:
        return self._cursors.write(self._order, self._paging.types, Place(values, inclusive))


def _check_request(spec: QuerySpec, size: object, after: object, before: object) -> None:
    count_of_rows("page", size)
    if after is not None and before is not None:
        raise QueryError("page() takes after= or before=, not both", hint="page.next goes on, page.previous goes back")
    if spec.limit is not None or spec.offset is not None:
        raise QueryError(
            f"page() of a query of {spec.info.name} with limit or offset", hint="the size is the limit: leave them out"
        )
