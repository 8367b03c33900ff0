"""`SyncQuerySet` and `SyncRows`: queries whose verbs wait for the answer."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator, Iterator
from contextlib import closing
from typing import Any, ParamSpec, Self, cast, overload

from typing_extensions import TypeIs, TypeVar

from cormorant.errors import ForeignInstanceError, SessionNotEntered, WrongType
from cormorant.models.collections import Collection, is_collection
from cormorant.models.many import count_of_rows
from cormorant.models.model import Model
from cormorant.persistence import loader
from cormorant.persistence.arguments import is_queryset, model_of
from cormorant.query.builder import Builder, Condition
from cormorant.query.explaining import CompiledQuery, Explanation
from cormorant.query.following import Following
from cormorant.query.page import Page
from cormorant.query.queryset import T1, T2, T3, T4, T5, T6, T7, T8, QuerySet, Sel
from cormorant.query.rows import Rows, Terminals
from cormorant.query.spec import QuerySpec
from cormorant.sql.expr import Expr
from cormorant.sync.bridge import LoopSession, each_of
from cormorant.sync.writing import SyncWriting

M = TypeVar("M", bound=Model)
R = TypeVar("R")
D = TypeVar("D")
T = TypeVar("T")
P = ParamSpec("P")


class SyncTerminals(Builder[R]):
    """What runs a query and waits."""

    __slots__ = ()

    def __iter__(self) -> Iterator[R]:
        return iter(self.all())

    def all(self) -> list[R]:
        """Runs the query and gives all rows; the same as iterating over it."""
        return self._made(self._wait(self._rows_of().all))

    def first(self) -> R | None:
        """Gives the first row, or None: of the order, or of the key's order where there is no other."""
        return self._one_made(self._wait(self._rows_of().first))

    def last(self) -> R | None:
        """Gives the last row, or None: of the order, or of the key's order where there is no other.

        Raises:
            QueryError: The query has a limit or an offset, or rows without any order.
        """
        return self._one_made(self._wait(self._rows_of().last))

    def one(self) -> R:
        """Gives the only row.

        Raises:
            NotFoundError: There is none.
            MultipleResultsError: There are more.
        """
        return self._made([self._wait(self._rows_of().one)])[0]

    def one_or_none(self) -> R | None:
        """Gives the only row, or None.

        Raises:
            MultipleResultsError: There are more.
        """
        return self._one_made(self._wait(self._rows_of().one_or_none))

    def page(self, size: int, *, after: str | None = None, before: str | None = None) -> Page[R]:
        """Gives some rows of the order, found by their place in it: no row is skipped or met twice, however far.

        Args:
            size: The most rows.
            after: The `next` of the page before.
            before: The `previous` of the page behind.

        Raises:
            WrongCursor: The cursor belongs to another query or order, or was changed.
            QueryError: The query has a limit or an offset, or its rows cannot be told apart.
        """
        page = self._wait(self._rows_of().page, size, after=after, before=before)
        return Page(self._made(page.items), next=page.next, previous=page.previous)

    def stream(self, chunk: int = 1000) -> Generator[R, None, None]:
        """Gives the rows one after another, reading a chunk at a time, with memory that does not grow.

        Args:
            chunk: Rows read at a time.

        Raises:
            WrongType: `chunk` is no number of rows.
        """
        return self._stream(count_of_rows("stream", chunk))

    def _stream(self, chunk: int) -> Generator[R, None, None]:
        make = self._spec.into
        # closed here, where the loop is left: nobody else knows of it
        with closing(
            each_of(cast(LoopSession, self._executor), self._executor.reader.chunks(self._spec, chunk))
        ) as rows:
            for row in rows:
                yield row if make is None else make(row)

    def compile(self) -> CompiledQuery:
        """Gives the SQL and the values that the query would send; nothing is run."""
        return self._executor.reader.compiled(self._spec)

    def explain(self, *, analyze: bool = False) -> Explanation:
        """Gives how the database would run the query; it is not run, and nothing is written before.

        Args:
            analyze: Run it, and give what was measured too; PostgreSQL can.

        Raises:
            CompileError: The database cannot analyze.
        """
        return self._wait(self._rows_of().explain, analyze=analyze)

    def count(self) -> int:
        """Gives the number of rows."""
        return self._wait(self._rows_of().count)

    def exists(self) -> bool:
        """Whether there is a row; reads at most one."""
        return self._wait(self._rows_of().exists)

    # ---- the same query for the loop

    def _wait(self, verb: Callable[P, Coroutine[Any, Any, T]], /, *args: P.args, **kwargs: P.kwargs) -> T:
        return cast(LoopSession, self._executor).wait(verb, *args, **kwargs)

    def _rows_of(self) -> Terminals[Any]:
        """Gives the query without what makes other shapes of its rows: that is done in the caller's thread."""
        spec = self._spec
        return Rows[Any](spec if spec.into is None else spec.changed((), (), into=_boxed), self._executor)

    def _made(self, rows: list[Any]) -> list[R]:
        make = self._spec.into
        return rows if make is None else [make(row) for (row,) in rows]

    def _one_made(self, row: Any) -> R | None:
        return row if row is None else self._made([row])[0]


def _boxed(row: Any) -> tuple[Any]:
    # a NULL among scalars is told from no row
    return (row,)


class SyncRows(SyncTerminals[R]):
    """Rows that are not single objects."""

    __slots__ = ()

    def into(self, shape: Callable[..., D]) -> SyncRows[D]:
        """Makes each row an instance of `shape`.

        Args:
            shape: A dataclass, TypedDict, NamedTuple, pydantic or msgspec class is filled by column name or label;
                anything else is called with the values in order.

        Raises:
            QueryError: The names do not fit; raised when the query is built.
        """
        return SyncRows(Rows[R](self._spec, self._executor).into(shape)._spec, self._executor)


class SyncQuerySet(Following[M], SyncWriting[M], SyncTerminals[M]):
    """A query of whole objects.

    Example:
        >>> for article in session.query(Article).filter(Article.views > 3).order_by(Article.id): ...
    """

    __slots__ = ()

    @classmethod
    def of(cls, query: QuerySet[M], session: LoopSession) -> Self:
        """Gives the same query, on a sync session."""
        return cls(query._spec, session)

    @property
    def _queryset(self) -> QuerySet[M]:
        return QuerySet(self._spec, self._executor)

    def _selected(self, rows: Rows[T]) -> SyncRows[T]:
        return SyncRows(rows._spec, self._executor)

    def get(self, *conditions: Condition, **lookups: Any) -> M:
        """Gives the one object that meets the conditions.

        Raises:
            NotFoundError: There is none.
            MultipleResultsError: There are more.
        """
        return self.filter(*conditions, **lookups).one()

    def scalars(self, expr: Sel[T], /) -> SyncRows[T]:
        """Gives one value of each row."""
        return self._selected(self._queryset.scalars(expr))

    @overload
    def values(self, a: Sel[T1], /) -> SyncRows[tuple[T1]]: ...
    @overload
    def values(self, a: Sel[T1], b: Sel[T2], /) -> SyncRows[tuple[T1, T2]]: ...
    @overload
    def values(self, a: Sel[T1], b: Sel[T2], c: Sel[T3], /) -> SyncRows[tuple[T1, T2, T3]]: ...
    @overload
    def values(self, a: Sel[T1], b: Sel[T2], c: Sel[T3], d: Sel[T4], /) -> SyncRows[tuple[T1, T2, T3, T4]]: ...
    @overload
    def values(
        self, a: Sel[T1], b: Sel[T2], c: Sel[T3], d: Sel[T4], e: Sel[T5], /
    ) -> SyncRows[tuple[T1, T2, T3, T4, T5]]: ...
    @overload
    def values(
        self, a: Sel[T1], b: Sel[T2], c: Sel[T3], d: Sel[T4], e: Sel[T5], f: Sel[T6], /
    ) -> SyncRows[tuple[T1, T2, T3, T4, T5, T6]]: ...
    @overload
    def values(
        self, a: Sel[T1], b: Sel[T2], c: Sel[T3], d: Sel[T4], e: Sel[T5], f: Sel[T6], g: Sel[T7], /
    ) -> SyncRows[tuple[T1, T2, T3, T4, T5, T6, T7]]: ...
    @overload
    def values(
        self, a: Sel[T1], b: Sel[T2], c: Sel[T3], d: Sel[T4], e: Sel[T5], f: Sel[T6], g: Sel[T7], h: Sel[T8], /
    ) -> SyncRows[tuple[T1, T2, T3, T4, T5, T6, T7, T8]]: ...
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
    ) -> SyncRows[tuple[T1, T2, T3, T4, T5, T6, T7, T8, *tuple[Any, ...]]]: ...
    def values(self, *columns: Any) -> Any:
        """Gives tuples of the selected columns, expressions, models or relations.

        Example:
            >>> session.query(Article).values(Article.author.name, func.count()).group_by(Article.author.name).all()
        """
        return self._selected(self._queryset.values(*columns))

    def as_dicts(self, *columns: Expr[Any]) -> SyncRows[dict[str, Any]]:
        """Gives dictionaries by attribute name or label; all columns if none is named."""
        return self._selected(self._queryset.as_dicts(*columns))

    @overload
    def annotate(self, a: Expr[T1], /) -> SyncRows[tuple[M, T1]]: ...
    @overload
    def annotate(self, a: Expr[T1], b: Expr[T2], /) -> SyncRows[tuple[M, T1, T2]]: ...
    @overload
    def annotate(self, a: Expr[T1], b: Expr[T2], c: Expr[T3], /) -> SyncRows[tuple[M, T1, T2, T3]]: ...
    @overload
    def annotate(self, a: Expr[T1], b: Expr[T2], c: Expr[T3], d: Expr[T4], /) -> SyncRows[tuple[M, T1, T2, T3, T4]]: ...
    @overload
    def annotate(
        self, a: Expr[T1], b: Expr[T2], c: Expr[T3], d: Expr[T4], e: Expr[T5], /
    ) -> SyncRows[tuple[M, T1, T2, T3, T4, T5]]: ...
    @overload
    def annotate(
        self, a: Expr[T1], b: Expr[T2], c: Expr[T3], d: Expr[T4], e: Expr[T5], f: Expr[T6], /
    ) -> SyncRows[tuple[M, T1, T2, T3, T4, T5, T6]]: ...
    @overload
    def annotate(
        self, a: Expr[T1], b: Expr[T2], c: Expr[T3], d: Expr[T4], e: Expr[T5], f: Expr[T6], g: Expr[T7], /
    ) -> SyncRows[tuple[M, T1, T2, T3, T4, T5, T6, T7]]: ...
    @overload
    def annotate(
        self, a: Expr[T1], b: Expr[T2], c: Expr[T3], d: Expr[T4], e: Expr[T5], f: Expr[T6], g: Expr[T7], h: Expr[T8], /
    ) -> SyncRows[tuple[M, T1, T2, T3, T4, T5, T6, T7, T8]]: ...
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
    ) -> SyncRows[tuple[M, T1, T2, T3, T4, T5, T6, T7, T8, *tuple[Any, ...]]]: ...
    def annotate(self, *columns: Any) -> Any:
        """Gives tuples of the object and further values.

        Example:
            >>> for author, n in session.query(Author).annotate(Author.articles.count()): ...
        """
        return self._selected(self._queryset.annotate(*columns))

    @overload
    def aggregate(self, a: Expr[T1], /) -> T1: ...
    @overload
    def aggregate(self, a: Expr[T1], b: Expr[T2], /) -> tuple[T1, T2]: ...
    @overload
    def aggregate(self, a: Expr[T1], b: Expr[T2], c: Expr[T3], /) -> tuple[T1, T2, T3]: ...
    @overload
    def aggregate(self, a: Expr[T1], b: Expr[T2], c: Expr[T3], d: Expr[T4], /) -> tuple[T1, T2, T3, T4]: ...
    @overload
    def aggregate(
        self, a: Expr[T1], b: Expr[T2], c: Expr[T3], d: Expr[T4], e: Expr[T5], /
    ) -> tuple[T1, T2, T3, T4, T5]: ...
    @overload
    def aggregate(
        self, a: Expr[T1], b: Expr[T2], c: Expr[T3], d: Expr[T4], e: Expr[T5], f: Expr[T6], /
    ) -> tuple[T1, T2, T3, T4, T5, T6]: ...
    @overload
    def aggregate(
        self, a: Expr[T1], b: Expr[T2], c: Expr[T3], d: Expr[T4], e: Expr[T5], f: Expr[T6], g: Expr[T7], /
    ) -> tuple[T1, T2, T3, T4, T5, T6, T7]: ...
    @overload
    def aggregate(
        self, a: Expr[T1], b: Expr[T2], c: Expr[T3], d: Expr[T4], e: Expr[T5], f: Expr[T6], g: Expr[T7], h: Expr[T8], /
    ) -> tuple[T1, T2, T3, T4, T5, T6, T7, T8]: ...
    @overload
    def aggregate(
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
    def aggregate(self, *columns: Any) -> Any:
        """Gives aggregates over all rows: one value, or a tuple of several.

        Example:
            >>> session.query(Article).aggregate(func.sum(Article.views))
        """
        return self._wait(self._queryset.aggregate, *columns)


def sync_query(source: Any, session: LoopSession) -> SyncQuerySet[Any]:
    """Gives the query of a model's objects, of a collection's members, or of a class of queries."""
    if is_collection(source):
        return SyncQuerySet[Any].of(_members_of(source, session), session)
    if _is_sync(source):
        return source(QuerySpec(model_of(source)), session)
    if is_queryset(source):
        raise WrongType(
            f"{source.__name__} is awaited, and a sync session waits by itself",
            hint=f"derive it from SyncQuerySet: class {source.__name__}(SyncQuerySet[...])",
        )
    return SyncQuerySet[Any].of(session.query(source), session)


def _members_of(collection: Collection[Any], session: LoopSession) -> QuerySet[Any]:
    origin = collection.owner.__orm_origin__
    if origin is None:
        raise SessionNotEntered(
            f"{collection!r} belongs to no session, so it cannot be loaded",
            hint="add its owner to one: session.add(obj)",
        )
    members = QuerySet[Any](loader.members(collection.relation, collection.owner), session)
    if origin.owner is not session.state():
        raise ForeignInstanceError(
            f"{collection!r} belongs to another session", hint="load its owner in this one: session.get(Model, key)"
        )
    return members


def _is_sync(source: object) -> TypeIs[type[SyncQuerySet[Any]]]:
    return isinstance(source, type) and issubclass(source, SyncQuerySet)
