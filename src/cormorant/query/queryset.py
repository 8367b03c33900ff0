"""`QuerySet`: queries of whole objects, and what they can select instead."""

from __future__ import annotations

from typing import Any, TypeAlias, overload

from typing_extensions import TypeVar

from cormorant.errors import QueryError
from cormorant.models.model import Model
from cormorant.query.builder import Condition
from cormorant.query.following import Following, check_loading
from cormorant.query.grouping import is_aggregate
from cormorant.query.related import NOTHING
from cormorant.query.rows import Rows
from cormorant.query.selection import collections_among, entity_marker, key_of_item, unique_names
from cormorant.query.writing import Writing
from cormorant.sql.expr import Expr, gather, is_expr

M = TypeVar("M", bound=Model)
T = TypeVar("T")
T1 = TypeVar("T1")
T2 = TypeVar("T2")
T3 = TypeVar("T3")
T4 = TypeVar("T4")
T5 = TypeVar("T5")
T6 = TypeVar("T6")
T7 = TypeVar("T7")
T8 = TypeVar("T8")
Sel: TypeAlias = Expr[T] | type[T]


class QuerySet(Following[M], Writing[M]):
    """A query of whole objects.

    Example:
        >>> await session.query(Article).filter(Article.views > 3).order_by(Article.id).limit(20)
    """

    __slots__ = ()

    def _rows(self, columns: tuple[Any, ...], **changes: Any) -> Rows[Any]:
        if not columns:
            raise QueryError("nothing is selected", hint="name columns: .values(Article.id, Article.title)")
        items = tuple(item if is_expr(item) else entity_marker(item) for item in columns)
        check_loading(self._spec, items)
        key = ("select", *(key_of_item(item) for item in items), changes.get("output"), changes.get("names"))
        collections = collections_among(items)
        # their values are sent with the statements that load them
        own = [item for place, item in enumerate(items) if is_expr(item) and place not in collections]
        changes["collections"] = tuple(collections.items())
        return Rows(self._spec.changed(key, gather(own), columns=items, **changes), self._executor)

    async def get(self, *conditions: Condition, **lookups: Any) -> M:
        """Gives the one object that meets the conditions.

        Raises:
            NotFoundError: There is none.
            MultipleResultsError: There are more.
        """
        return await self.filter(*conditions, **lookups).one()

    def scalars(self, expr: Sel[T], /) -> Rows[T]:
        """Gives one value of each row."""
        return self._rows((expr,), output="scalars")

    @overload
    def values(self, a: Sel[T1], /) -> Rows[tuple[T1]]: ...
    @overload
    def values(self, a: Sel[T1], b: Sel[T2], /) -> Rows[tuple[T1, T2]]: ...
    @overload
    def values(self, a: Sel[T1], b: Sel[T2], c: Sel[T3], /) -> Rows[tuple[T1, T2, T3]]: ...
    @overload
    def values(self, a: Sel[T1], b: Sel[T2], c: Sel[T3], d: Sel[T4], /) -> Rows[tuple[T1, T2, T3, T4]]: ...
    @overload
    def values(
        self, a: Sel[T1], b: Sel[T2], c: Sel[T3], d: Sel[T4], e: Sel[T5], /
    ) -> Rows[tuple[T1, T2, T3, T4, T5]]: ...
    @overload
    def values(
        self, a: Sel[T1], b: Sel[T2], c: Sel[T3], d: Sel[T4], e: Sel[T5], f: Sel[T6], /
    ) -> Rows[tuple[T1, T2, T3, T4, T5, T6]]: ...
    @overload
    def values(
        self, a: Sel[T1], b: Sel[T2], c: Sel[T3], d: Sel[T4], e: Sel[T5], f: Sel[T6], g: Sel[T7], /
    ) -> Rows[tuple[T1, T2, T3, T4, T5, T6, T7]]: ...
    @overload
    def values(
        self, a: Sel[T1], b: Sel[T2], c: Sel[T3], d: Sel[T4], e: Sel[T5], f: Sel[T6], g: Sel[T7], h: Sel[T8], /
    ) -> Rows[tuple[T1, T2, T3, T4, T5, T6, T7, T8]]: ...
    @overload
    def values(
        self,
        a: Sel[T1],
        b: Sel[T2],
        c: Sel[T3],
        d: Sel[T4],
        e: Sel[T5],
        f: Sel[T6],
        g: Sel[T7],
        h: Sel[T8],
        /,
        *more: Sel[Any],
    ) -> Rows[tuple[T1, T2, T3, T4, T5, T6, T7, T8, *tuple[Any, ...]]]: ...
    def values(self, *columns: Any) -> Any:
        """Gives tuples of the selected columns, expressions, models or relations.

        Example:
            >>> await session.query(Article).values(Article.author.name, func.count()).group_by(Article.author.name)
            ... # SELECT "author"."name", count(*) FROM "articles" JOIN "author" ON ... GROUP BY "author"."name"
        """
        return self._rows(columns, output="tuples")

    def as_dicts(self, *columns: Expr[Any]) -> Rows[dict[str, Any]]:
        """Gives dictionaries by attribute name or label; all columns if none is named."""
        chosen = columns or self._spec.info.entity
        return self._rows(chosen, output="dicts", names=unique_names(chosen))

    @overload
    def annotate(self, a: Expr[T1], /) -> Rows[tuple[M, T1]]: ...
    @overload
    def annotate(self, a: Expr[T1], b: Expr[T2], /) -> Rows[tuple[M, T1, T2]]: ...
    @overload
    def annotate(self, a: Expr[T1], b: Expr[T2], c: Expr[T3], /) -> Rows[tuple[M, T1, T2, T3]]: ...
    @overload
    def annotate(self, a: Expr[T1], b: Expr[T2], c: Expr[T3], d: Expr[T4], /) -> Rows[tuple[M, T1, T2, T3, T4]]: ...
    @overload
    def annotate(
        self, a: Expr[T1], b: Expr[T2], c: Expr[T3], d: Expr[T4], e: Expr[T5], /
    ) -> Rows[tuple[M, T1, T2, T3, T4, T5]]: ...
    @overload
    def annotate(
        self, a: Expr[T1], b: Expr[T2], c: Expr[T3], d: Expr[T4], e: Expr[T5], f: Expr[T6], /
    ) -> Rows[tuple[M, T1, T2, T3, T4, T5, T6]]: ...
    @overload
    def annotate(
        self, a: Expr[T1], b: Expr[T2], c: Expr[T3], d: Expr[T4], e: Expr[T5], f: Expr[T6], g: Expr[T7], /
    ) -> Rows[tuple[M, T1, T2, T3, T4, T5, T6, T7]]: ...
    @overload
    def annotate(
        self, a: Expr[T1], b: Expr[T2], c: Expr[T3], d: Expr[T4], e: Expr[T5], f: Expr[T6], g: Expr[T7], h: Expr[T8], /
    ) -> Rows[tuple[M, T1, T2, T3, T4, T5, T6, T7, T8]]: ...
    @overload
    def annotate(
        self,
        a: Expr[T1],
        b: Expr[T2],
        c: Expr[T3],
        d: Expr[T4],
        e: Expr[T5],
        f: Expr[T6],
        g: Expr[T7],
        h: Expr[T8],
        /,
        *more: Expr[Any],
    ) -> Rows[tuple[M, T1, T2, T3, T4, T5, T6, T7, T8, *tuple[Any, ...]]]: ...
    def annotate(self, *columns: Any) -> Any:
        """Gives tuples of the object and further values.

        Example:
            >>> async for author, n in session.query(Author).annotate(Author.articles.count()): ...
        """
        return self._rows((self._spec.info.cls, *columns), output="tuples")

    @overload
    async def aggregate(self, a: Expr[T1], /) -> T1: ...
    @overload
    async def aggregate(self, a: Expr[T1], b: Expr[T2], /) -> tuple[T1, T2]: ...
    @overload
    async def aggregate(self, a: Expr[T1], b: Expr[T2], c: Expr[T3], /) -> tuple[T1, T2, T3]: ...
    @overload
    async def aggregate(self, a: Expr[T1], b: Expr[T2], c: Expr[T3], d: Expr[T4], /) -> tuple[T1, T2, T3, T4]: ...
    @overload
    async def aggregate(
        self, a: Expr[T1], b: Expr[T2], c: Expr[T3], d: Expr[T4], e: Expr[T5], /
    ) -> tuple[T1, T2, T3, T4, T5]: ...
    @overload
    async def aggregate(
        self, a: Expr[T1], b: Expr[T2], c: Expr[T3], d: Expr[T4], e: Expr[T5], f: Expr[T6], /
    ) -> tuple[T1, T2, T3, T4, T5, T6]: ...
    @overload
    async def aggregate(
        self, a: Expr[T1], b: Expr[T2], c: Expr[T3], d: Expr[T4], e: Expr[T5], f: Expr[T6], g: Expr[T7], /
    ) -> tuple[T1, T2, T3, T4, T5, T6, T7]: ...
    @overload
    async def aggregate(
        self, a: Expr[T1], b: Expr[T2], c: Expr[T3], d: Expr[T4], e: Expr[T5], f: Expr[T6], g: Expr[T7], h: Expr[T8], /
    ) -> tuple[T1, T2, T3, T4, T5, T6, T7, T8]: ...
    @overload
    async def aggregate(
        self,
        a: Expr[T1],
        b: Expr[T2],
        c: Expr[T3],
        d: Expr[T4],
        e: Expr[T5],
        f: Expr[T6],
        g: Expr[T7],
        h: Expr[T8],
        /,
        *more: Expr[Any],
    ) -> tuple[T1, T2, T3, T4, T5, T6, T7, T8, *tuple[Any, ...]]: ...
    async def aggregate(self, *columns: Any) -> Any:
        """Gives aggregates over all rows: one value, or a tuple of several.

        Example:
            >>> await session.query(Article).aggregate(func.sum(Article.views))
        """
        spec = self._spec
        if spec.limit is not None or spec.offset is not None or spec.distinct or spec.group_by:
            raise QueryError(
                "aggregate() of a query with limit, offset, distinct or group_by",
                hint="it folds all rows into one; use .values(...) for groups",
            )
        for column in columns:
            if not is_expr(column) or not is_aggregate(column):
                raise QueryError(f"{column!r} in aggregate() is no aggregate", hint="use func.count(), func.max(...)")
        # an order means nothing to the one row there is
        (row,) = await self._with(("unordered",), order_by=(), loading=NOTHING)._rows(columns, output="tuples")
        return row[0] if len(columns) == 1 else row


class Manager(QuerySet[M]):
    """`Author.objects`: a query of all Authors on the current session."""

    __slots__ = ()
