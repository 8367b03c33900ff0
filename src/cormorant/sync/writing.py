"""What queries of sync sessions write: their rows, or new ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast, overload

from typing_extensions import TypeVar

from cormorant.models.model import Model
from cormorant.persistence.bulk import BulkRun
from cormorant.persistence.bulk_feed import Feed
from cormorant.query.builder import Builder, Condition
from cormorant.query.bulk import BulkWrite, Dedupe, Progress, bulk_write, conflict_of
from cormorant.query.queryset import QuerySet
from cormorant.query.subquery import Subquery
from cormorant.query.writing import T1, T2, T3, T4, Four, Pair, Settable, Triple, Values
from cormorant.query.writing_inside import Named, WritingInside
from cormorant.sql.columns import Assignment, Column
from cormorant.sql.expr import Expr
from cormorant.sync.bridge import LoopSession

M = TypeVar("M", bound=Model)


class SyncWriting(WritingInside[M]):
    """Writes by query and in bulk. Hooks of instances do not run."""

    __slots__ = ()

    @property
    def _asked(self) -> QuerySet[M]:
        return QuerySet(self._spec, self._executor)

    @property
    def _session(self) -> LoopSession:
        return cast(LoopSession, self._executor)

    def _write_many(self, write: BulkWrite, rows: object) -> Any:
        """Takes the rows in the calling thread, portion by portion, and has each of them written on the loop."""
        session = self._session
        feed, run = Feed(rows, write), session.writer.bulk_run(write)
        try:
            while taken := feed.take_now():
                if session.wait(run.add, taken):
                    _report(run)
            while session.wait(run.more, feed):
                _report(run)
        except BaseException as error:
            session.wait(run.close, error)
            raise
        session.wait(run.close)
        return run.answer()

    # ---- the query's rows

    @overload
    def update(self, *assignments: Assignment) -> int: ...
    @overload
    def update(self, *assignments: Assignment, returning: type[M]) -> list[M]: ...
    @overload
    def update(self, *assignments: Assignment, returning: Expr[T1]) -> list[T1]: ...
    @overload
    def update(self, *assignments: Assignment, returning: tuple[Expr[T1]]) -> list[tuple[T1]]: ...
    @overload
    def update(self, *assignments: Assignment, returning: Pair[T1, T2]) -> list[tuple[T1, T2]]: ...
    @overload
    def update(self, *assignments: Assignment, returning: Triple[T1, T2, T3]) -> list[tuple[T1, T2, T3]]: ...
    @overload
    def update(self, *assignments: Assignment, returning: Four[T1, T2, T3, T4]) -> list[tuple[T1, T2, T3, T4]]: ...
    def update(self, *assignments: Assignment, returning: Any = None) -> Any:
        """Changes every row of the query in one statement.

        A version column counts up. Loaded objects whose rows change show it, unless they have changes of their own.

        Args:
            assignments: What the columns get: values, expressions, queries of one value.
            returning: What comes back of each row: the model, an expression, or a tuple of up to four.

        Returns:
            The number of rows, or a list of what was asked for.

        Example:
            >>> session.query(Article).filter(Article.views == 0).update(Article.views.set(Article.views + 1))
            ... # UPDATE "articles" SET "views" = "articles"."views" + $1 WHERE "articles"."views" = $2
        """
        return self._session.wait(self._asked.update, *assignments, returning=returning)

    @overload
    def delete(self) -> int: ...
    @overload
    def delete(self, *, returning: type[M]) -> list[M]: ...
    @overload
    def delete(self, *, returning: Expr[T1]) -> list[T1]: ...
    @overload
    def delete(self, *, returning: tuple[Expr[T1]]) -> list[tuple[T1]]: ...
    @overload
    def delete(self, *, returning: Pair[T1, T2]) -> list[tuple[T1, T2]]: ...
    @overload
    def delete(self, *, returning: Triple[T1, T2, T3]) -> list[tuple[T1, T2, T3]]: ...
    @overload
    def delete(self, *, returning: Four[T1, T2, T3, T4]) -> list[tuple[T1, T2, T3, T4]]: ...
    def delete(self, *, returning: Any = None) -> Any:
        """Deletes every row of the query in one statement; loaded objects of these rows leave the session.

        Args:
            returning: What comes back of each row: the model, an expression, or a tuple of up to four.

        Returns:
            The number of rows, or a list of what was asked for.

        Example:
            >>> session.query(Article).filter(Article.views == 0).delete(returning=Article.id)
            ... # DELETE FROM "articles" WHERE "articles"."views" = $1 RETURNING "articles"."id"
        """
        return self._session.wait(self._asked.delete, returning=returning)

    # ---- new rows

    @overload
    def bulk_create(
        self, rows: Iterable[M], *, batch: int | None = None, on_batch: Progress | None = None
    ) -> list[M]: ...
    @overload
    def bulk_create(
        self, rows: Iterable[Values], *, batch: int | None = None, on_batch: Progress | None = None
    ) -> int: ...
    @overload
    def bulk_create(
        self, rows: Iterable[Values], *, returning: type[M], batch: int | None = None, on_batch: Progress | None = None
    ) -> list[M]: ...
    @overload
    def bulk_create(
        self,
        rows: Iterable[Values],
        *,
        returning: Column[T1],
        batch: int | None = None,
        on_batch: Progress | None = None,
    ) -> list[T1]: ...
    @overload
    def bulk_create(
        self,
        rows: Iterable[Values],
        *,
        returning: tuple[Column[T1], Column[T2]],
        batch: int | None = None,
        on_batch: Progress | None = None,
    ) -> list[tuple[T1, T2]]: ...
    @overload
    def bulk_create(
        self,
        rows: Iterable[Values],
        *,
        returning: tuple[Column[Any], ...],
        batch: int | None = None,
        on_batch: Progress | None = None,
    ) -> list[tuple[Any, ...]]: ...
    def bulk_create(
        self, rows: Any, *, batch: int | None = None, returning: Any = None, on_batch: Progress | None = None
    ) -> Any:
        """Inserts many rows, all of them or none, batch by batch: a generator is never held as a whole.

        Objects get what the database makes and belong to the session afterwards. Mappings by attribute name take no
        way through objects; a column they leave out gets its default. From 1,000 rows of which nothing comes back,
        PostgreSQL takes a batch by COPY.

        Args:
            rows: New objects, or mappings; in any iterable; a generator runs in the calling thread.
            batch: Rows in one statement at most; 5,000, or 8 MiB of long texts.
            returning: What comes back of mappings: the model, a column, or a tuple of columns.
            on_batch: Told after each batch how many rows are done.

        Returns:
            The objects; of mappings their number, or a list of what was asked for, in the order of the rows.

        Raises:
            ValidationError: Naming rows and columns with values that cannot be saved.

        Example:
            >>> session.query(Country).bulk_create({"code": c, "gdp": g} for c, g in read())
            ... # COPY "country" ("code", "gdp") FROM STDIN
        """
        write = bulk_write(self._spec, None, returning=returning, batch=batch, on_batch=on_batch)
        return self._write_many(write, rows)

    @overload
    def upsert(
        self,
        rows: Iterable[M],
        *,
        on: Named,
        set: Settable | None = None,
        where: Condition | None = None,
        batch: int | None = None,
        dedupe: Dedupe | None = None,
        on_batch: Progress | None = None,
    ) -> list[M]: ...
    @overload
    def upsert(
        self,
        rows: Iterable[Values],
        *,
        on: Named,
        set: Settable | None = None,
        where: Condition | None = None,
        batch: int | None = None,
        dedupe: Dedupe | None = None,
        on_batch: Progress | None = None,
    ) -> int: ...
    @overload
    def upsert(
        self,
        rows: Iterable[Values],
        *,
        on: Named,
        set: Settable | None = None,
        where: Condition | None = None,
        batch: int | None = None,
        dedupe: Dedupe | None = None,
        returning: type[M],
        on_batch: Progress | None = None,
    ) -> list[M]: ...
    @overload
    def upsert(
        self,
        rows: Iterable[Values],
        *,
        on: Named,
        set: Settable | None = None,
        where: Condition | None = None,
        batch: int | None = None,
        dedupe: Dedupe | None = None,
        returning: Column[T1],
        on_batch: Progress | None = None,
    ) -> list[T1]: ...
    @overload
    def upsert(
        self,
        rows: Iterable[Values],
        *,
        on: Named,
        set: Settable | None = None,
        where: Condition | None = None,
        batch: int | None = None,
        dedupe: Dedupe | None = None,
        returning: tuple[Column[T1], Column[T2]],
        on_batch: Progress | None = None,
    ) -> list[tuple[T1, T2]]: ...
    @overload
    def upsert(
        self,
        rows: Iterable[Values],
        *,
        on: Named,
        set: Settable | None = None,
        where: Condition | None = None,
        batch: int | None = None,
        dedupe: Dedupe | None = None,
        returning: tuple[Column[Any], ...],
        on_batch: Progress | None = None,
    ) -> list[tuple[Any, ...]]: ...
    def upsert(
        self,
        rows: Any,
        *,
        on: Any,
        set: Any = None,
        where: Condition | None = None,
        batch: int | None = None,
        dedupe: Dedupe | None = None,
        returning: Any = None,
        on_batch: Progress | None = None,
    ) -> Any:
        """Inserts rows, and changes those that are there already; all of them or none, batch by batch.

        Args:
            rows: Objects, or mappings by attribute name; in any iterable; a generator runs in the calling thread.
            on: The columns that tell whether a row is there: the key, or columns that are unique together.
            set: What a row that is there gets: a column stands for its new value, `Country.gdp.set(Country.gdp + 1)`
                reads the row that is there, `excluded(Country.gdp)` the new value. All given columns but keys
                unless told otherwise; `[]` leaves it as it is.
            where: Change only the rows for which this holds.
            batch: Rows in one statement at most; 5,000, or 8 MiB of long texts.
            dedupe: Which of several rows with the same key counts, in the whole call: "first" remembers the keys,
                "last" reads all rows before it writes. Without it they are an error if they meet in one batch.
            returning: What comes back of mappings that were inserted or changed: the model, a column or a tuple.
            on_batch: Told after each batch how many rows are done.

        Returns:
            For each object the session's object of its row, as the row is now; of mappings the number of rows that
            were inserted or changed, or a list of what was asked for.

        Raises:
            ValidationError: Naming rows and columns with values that cannot be saved, or equal keys.

        Example:
            >>> session.query(Country).upsert(rows, on=[Country.code], set=[Country.gdp])
            ... # INSERT INTO "country" (...) SELECT ... FROM unnest($1::text::text[], $2::text::numeric[]) ...
            ... # ON CONFLICT ("code") DO UPDATE SET "gdp" = "excluded"."gdp"
        """
        conflict = conflict_of(self._spec, on, set, where)
        write = bulk_write(self._spec, conflict, returning=returning, batch=batch, dedupe=dedupe, on_batch=on_batch)
        return self._write_many(write, rows)

    def insert_from(self, columns: Named, rows: Builder[Any] | Subquery) -> int:
        """Inserts what another query selects, and gives the number of rows.

        Args:
            columns: The columns that get the query's columns, in its order. Columns that are left out get their
                default; one that is made anew for each object has to be selected.
            rows: The query, or a common table expression.

        Example:
            >>> old = session.query(Article).filter(Article.views == 0).values(Article.id, Article.title)
            >>> session.query(Archive).insert_from([Archive.id, Archive.title], old)
            ... # INSERT INTO "archive" ("id", "title") SELECT "articles"."id", "articles"."title" FROM "articles" ...
        """
        return self._session.wait(self._asked.insert_from, columns, rows)

    # ---- one row

    def get_or_create(self, *, defaults: Mapping[str, Any] | None = None, **values: Any) -> tuple[M, bool]:
        """Gives the one object with these values, made if there is none, and whether it was made.

        Two who do so at the same time get the same row, where a unique constraint says that there is only one.

        Args:
            defaults: Further values for a new object.
            values: What it is found by, and made with: columns and relations by name.

        Raises:
            MultipleResultsError: There are several.
            UnknownName: A name is no column or relation of the model.

        Example:
            >>> author, made = session.query(Author).get_or_create(email="x@y.z", defaults={"name": "Ada"})
        """
        return self._session.wait(self._asked.get_or_create, defaults=defaults, **values)

    def update_or_create(self, *, defaults: Mapping[str, Any] | None = None, **values: Any) -> tuple[M, bool]:
        """Gives the one object with these values, changed or made, and whether it was made.

        Args:
            defaults: What the object gets, whether it was there or not.
            values: What it is found by, and made with: columns and relations by name.

        Raises:
            MultipleResultsError: There are several.
            UnknownName: A name is no column or relation of the model.

        Example:
            >>> author, made = session.query(Author).update_or_create(email="x@y.z", defaults={"name": "Ada"})
        """
        return self._session.wait(self._asked.update_or_create, defaults=defaults, **values)


def _report(run: BulkRun) -> None:
    if run.write.on_batch is not None:
        run.write.on_batch(run.taken)
