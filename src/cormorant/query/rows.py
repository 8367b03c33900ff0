"""What runs a query, whatever its rows are; and `Rows`, those that are not whole objects."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator
from contextlib import aclosing
from typing import Any, cast

from typing_extensions import TypeVar

from cormorant.errors import MultipleResultsError, NotFoundError
from cormorant.models.many import count_of_rows
from cormorant.query.builder import Builder
from cormorant.query.explaining import CompiledQuery, Explanation
from cormorant.query.into import row_maker
from cormorant.query.ordering import in_order, last_row, warn_of_offset
from cormorant.query.page import Page
from cormorant.query.paging import PageRequest
from cormorant.query.selection import column_names
from cormorant.query.spec import Mode, QuerySpec
from cormorant.sql.expr import Bind
from cormorant.sql.types import BIG_INTEGER

R = TypeVar("R")
D = TypeVar("D")


class Terminals(Builder[R]):
    """What runs a query."""

    __slots__ = ()

    async def _fetch(self, spec: QuerySpec) -> list[R]:
        if spec.offset is not None and not spec.order_by:
            warn_of_offset(spec)
        rows = await self._executor.fetch(spec)
        return rows if spec.into is None else list(map(spec.into, rows))

    def __await__(self) -> Generator[Any, Any, list[R]]:
        return self._fetch(self._spec).__await__()

    async def __aiter__(self) -> AsyncIterator[R]:
        for row in await self._fetch(self._spec):
            yield row

    async def all(self) -> list[R]:
        """Runs the query and gives all rows; the same as awaiting it."""
        return await self._fetch(self._spec)

    async def first(self) -> R | None:
        """Gives the first row, or None: of the order, or of the key's order where there is no other."""
        rows = await self._fetch(in_order(self._at_most(1)))
        return rows[0] if rows else None

    async def last(self) -> R | None:
        """Gives the last row, or None: of the order, or of the key's order where there is no other.

        Raises:
            QueryError: The query has a limit or an offset, or rows without any order.
        """
        rows = await self._fetch(last_row(self._spec))
        return rows[0] if rows else None

    async def one(self) -> R:
        """Gives the only row.

        Raises:
            NotFoundError: There is none.
            MultipleResultsError: There are more.
        """
        rows = await self._fetch(self._at_most(2))
        if len(rows) > 1:
            raise self._too_many()
        if not rows:
            raise NotFoundError(
                f"no {self._spec.info.name} matches the query", hint="use .first() or .one_or_none() if that can be"
            )
        return rows[0]

    async def one_or_none(self) -> R | None:
        """Gives the only row, or None.

        Raises:
            MultipleResultsError: There are more.
        """
        rows = await self._fetch(self._at_most(2))
        if len(rows) > 1:
            raise self._too_many()
        return rows[0] if rows else None

    def _too_many(self) -> MultipleResultsError:
        return MultipleResultsError(
            f"more than one {self._spec.info.name} matches the query", hint="narrow the filter, or use .first()"
        )

    def _at_most(self, count: int) -> QuerySpec:
        """Gives the query with a limit that is no higher; without another object for it."""
        spec = self._spec
        if spec.limit is not None and spec.limit.value <= count:
            return spec
        bind = Bind(count, BIG_INTEGER)
        return spec.changed(("limit",), (bind,), limit=bind)

    async def count(self) -> int:
        """Gives the number of rows."""
        (number,) = await self._executor.fetch(in_mode(self._spec, "count"))
        return cast(int, number)

    async def page(self, size: int, *, after: str | None = None, before: str | None = None) -> Page[R]:
        """Gives some rows of the order, found by their place in it: no row is skipped or met twice, however far.

        The primary key, or what else tells the rows apart, is added to the order.

        Args:
            size: The most rows.
            after: The `next` of the page before.
            before: The `previous` of the page behind.

        Raises:
            WrongCursor: The cursor belongs to another query or order, or was changed.
            QueryError: The query has a limit or an offset, or its rows cannot be told apart.

        Example:
            >>> page = await session.query(Article).order_by(Article.views.desc()).page(20, after=cursor)
            ... # SELECT ... WHERE ("articles"."views", "articles"."id") < ($1, $2)
            ... # ORDER BY "articles"."views" DESC, "articles"."id" DESC LIMIT $3
        """
        request = PageRequest(
            self._executor.reader.scoped(self._spec), self._executor.database.cursors, size, after, before
        )
        return request.page(*await self._executor.reader.fetch_beside(request.asked))

    def stream(self, chunk: int = 1000) -> AsyncGenerator[R, None]:
        """Gives the rows one after another, reading a chunk at a time, with memory that does not grow.

        Before the next chunk is read, the session forgets the objects of the last one and what was loaded along with
        them; what it knew before stays, and so does what was changed. Outside of a transaction each chunk goes on
        behind the last row, without a connection in between. Inside of one, or where rows are grouped, distinct or put
        together, one statement is read bit by bit, and opens the transaction.

        Args:
            chunk: Rows read at a time.

        Raises:
            WrongType: `chunk` is no number of rows.

        Example:
            >>> async for article in session.query(Article).stream():
            ...     archive(article)
            ... # SELECT ... FROM "articles" ORDER BY "articles"."id" LIMIT $1
            ... # SELECT ... FROM "articles" WHERE "articles"."id" > $1 ORDER BY "articles"."id" LIMIT $2
        """
        return self._stream(count_of_rows("stream", chunk))

    async def _stream(self, chunk: int) -> AsyncGenerator[R, None]:
        make = self._spec.into
        # closed here, where the loop is left: nobody else knows of it
        async with aclosing(self._executor.reader.chunks(self._spec, chunk)) as chunks:
            async for rows in chunks:
                for row in rows:
                    yield row if make is None else make(row)

    def compile(self) -> CompiledQuery:
        """Gives the SQL and the values that the query would send; nothing is run.

        Example:
            >>> session.query(Article).filter(Article.views > 3).compile().sql
            ... # SELECT ... FROM "articles" WHERE "articles"."views" > $1
        """
        return self._executor.reader.compiled(self._spec)

    async def explain(self, *, analyze: bool = False) -> Explanation:
        """Gives how the database would run the query; it is not run, and nothing is written before.

        Args:
            analyze: Run it, and give what was measured too; PostgreSQL can.

        Raises:
            CompileError: The database cannot analyze.

        Example:
            >>> print(await session.query(Article).filter(Article.views > 3).explain())
            ... # EXPLAIN (FORMAT JSON) SELECT ...; on SQLite EXPLAIN QUERY PLAN SELECT ...
        """
        return await self._executor.reader.explain(self._spec, analyze=analyze)

    async def exists(self) -> bool:
        """Whether there is a row; reads at most one."""
        return bool(await self._executor.fetch(in_mode(self._at_most(1), "exists")))


class Rows(Terminals[R]):
    """Rows that are not single objects."""

    __slots__ = ()

    def into(self, shape: Callable[..., D]) -> Rows[D]:
        """Makes each row an instance of `shape`.

        Args:
            shape: A dataclass, TypedDict, NamedTuple, pydantic or msgspec class is filled by column name or label;
                anything else is called with the values in order.

        Raises:
            QueryError: The names do not fit; raised when the query is built.
        """
        return Rows(
            self._spec.changed((), (), into=row_maker(shape, column_names(self._spec), self._spec.output)),
            self._executor,
        )


def in_mode(spec: QuerySpec, mode: Mode) -> QuerySpec:
    """Gives a query that is run in another way: to count its rows, say."""
    return spec.changed((mode,), (), mode=mode)
