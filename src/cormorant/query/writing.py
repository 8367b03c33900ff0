"""`Writing`: what a query of whole objects can write: its rows, or new ones."""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias, overload

from typing_extensions import TypeVar

from cormorant._internal.narrowing import is_tuple
from cormorant.errors import MultipleResultsError, QueryError, UnknownName, WrongType, suggest
from cormorant.models.metadata import ModelInfo
from cormorant.models.model import Model, ref
from cormorant.query.builder import Builder, Condition
from cormorant.query.bulk import Dedupe, Progress, bulk_write, checked_assignments, conflict_of
from cormorant.query.insert_select import insert_select
from cormorant.query.rows import Terminals
from cormorant.query.spec import Mode, QuerySpec
from cormorant.query.subquery import Subquery
from cormorant.query.writing_inside import Named, WritingInside
from cormorant.sql.columns import Assignment, Column
from cormorant.sql.expr import Expr, gather, is_expr

M = TypeVar("M", bound=Model)
T1 = TypeVar("T1")
T2 = TypeVar("T2")
T3 = TypeVar("T3")
T4 = TypeVar("T4")
Many: TypeAlias = "Iterable[T1] | AsyncIterable[T1]"
Values: TypeAlias = Mapping[str, object]
Settable: TypeAlias = "Sequence[Column[object] | Assignment]"
Pair: TypeAlias = "tuple[Expr[T1], Expr[T2]]"
Triple: TypeAlias = "tuple[Expr[T1], Expr[T2], Expr[T3]]"
Four: TypeAlias = "tuple[Expr[T1], Expr[T2], Expr[T3], Expr[T4]]"


class Writing(Terminals[M], WritingInside[M]):
    """Writes by query and in bulk. Hooks of instances do not run."""

    __slots__ = ()

    # ---- the query's rows

    @overload
    async def update(self, *assignments: Assignment) -> int: ...
    @overload
    async def update(self, *assignments: Assignment, returning: type[M]) -> list[M]: ...
    @overload
    async def update(self, *assignments: Assignment, returning: Expr[T1]) -> list[T1]: ...
    @overload
    async def update(self, *assignments: Assignment, returning: tuple[Expr[T1]]) -> list[tuple[T1]]: ...
    @overload
    async def update(self, *assignments: Assignment, returning: Pair[T1, T2]) -> list[tuple[T1, T2]]: ...
    @overload
    async def update(self, *assignments: Assignment, returning: Triple[T1, T2, T3]) -> list[tuple[T1, T2, T3]]: ...
    @overload
    async def update(
        self, *assignments: Assignment, returning: Four[T1, T2, T3, T4]
    ) -> list[tuple[T1, T2, T3, T4]]: ...
    async def update(self, *assignments: Assignment, returning: Any = None) -> Any:
        """Changes every row of the query in one statement.

        A version column counts up. Loaded objects whose rows change show it, unless they have changes of their own.

        Args:
            assignments: What the columns get: values, expressions, queries of one value.
            returning: What comes back of each row: the model, an expression, or a tuple of up to four.

        Returns:
            The number of rows, or a list of what was asked for.

        Example:
            >>> await session.query(Article).filter(Article.views == 0).update(Article.views.set(Article.views + 1))
            ... # UPDATE "articles" SET "views" = "articles"."views" + $1 WHERE "articles"."views" = $2
        """
        info = self._spec.info
        checked = checked_assignments(info, assignments)
        key = ("update", *((item.column.name, item.value.key) for item in checked))
        binds = gather(item.value for item in checked)
        return await self._write("update", key, binds, returning, assignments=checked)

    @overload
    async def delete(self) -> int: ...
    @overload
    async def delete(self, *, returning: type[M]) -> list[M]: ...
    @overload
    async def delete(self, *, returning: Expr[T1]) -> list[T1]: ...
    @overload
    async def delete(self, *, returning: tuple[Expr[T1]]) -> list[tuple[T1]]: ...
    @overload
    async def delete(self, *, returning: Pair[T1, T2]) -> list[tuple[T1, T2]]: ...
    @overload
    async def delete(self, *, returning: Triple[T1, T2, T3]) -> list[tuple[T1, T2, T3]]: ...
    @overload
    async def delete(self, *, returning: Four[T1, T2, T3, T4]) -> list[tuple[T1, T2, T3, T4]]: ...
    async def delete(self, *, returning: Any = None) -> Any:
        """Deletes every row of the query in one statement; loaded objects of these rows leave the session.

        Args:
            returning: What comes back of each row: the model, an expression, or a tuple of up to four.

        Returns:
            The number of rows, or a list of what was asked for.

        Example:
            >>> await session.query(Article).filter(Article.views == 0).delete(returning=Article.id)
            ... # DELETE FROM "articles" WHERE "articles"."views" = $1 RETURNING "articles"."id"
        """
        return await self._write("delete", ("delete",), (), returning)

    async def _write(self, mode: Mode, key: tuple[Any, ...], binds: Any, returning: Any, **changes: Any) -> Any:
        spec = self._spec
        if spec.columns is not None:
            raise QueryError(f"{mode}() of a query that selects columns", hint="start from session.query(Model)")
        spec = spec.changed(key, binds, mode=mode, **changes)
        if returning is None:
            return await self._executor.write(spec.changed((), (), columns=()))
        return await self._executor.writer.write_rows(_returning(spec, returning))

    # ---- new rows

    @overload
    async def bulk_create(
        self, rows: Many[M], *, batch: int | None = None, on_batch: Progress | None = None
    ) -> list[M]: ...
    @overload
    async def bulk_create(
        self, rows: Many[Values], *, batch: int | None = None, on_batch: Progress | None = None
    ) -> int: ...
    @overload
    async def bulk_create(
        self, rows: Many[Values], *, returning: type[M], batch: int | None = None, on_batch: Progress | None = None
    ) -> list[M]: ...
    @overload
    async def bulk_create(
        self, rows: Many[Values], *, returning: Column[T1], batch: int | None = None, on_batch: Progress | None = None
    ) -> list[T1]: ...
    @overload
    async def bulk_create(
        self,
        rows: Many[Values],
        *,
        returning: tuple[Column[T1], Column[T2]],
        batch: int | None = None,
        on_batch: Progress | None = None,
    ) -> list[tuple[T1, T2]]: ...
    @overload
    async def bulk_create(
        self,
        rows: Many[Values],
        *,
        returning: tuple[Column[Any], ...],
        batch: int | None = None,
        on_batch: Progress | None = None,
    ) -> list[tuple[Any, ...]]: ...
    async def bulk_create(
        self, rows: Any, *, batch: int | None = None, returning: Any = None, on_batch: Progress | None = None
    ) -> Any:
        """Inserts many rows, all of them or none, batch by batch: a generator is never held as a whole.

        Objects get what the database makes and belong to the session afterwards. Mappings by attribute name take no
        way through objects; a column they leave out gets its default. From 1,000 rows of which nothing comes back,
        PostgreSQL takes a batch by COPY.

        Args:
            rows: New objects, or mappings; an iterable or an async iterable.
            batch: Rows in one statement at most; 5,000, or 8 MiB of long texts.
            returning: What comes back of mappings: the model, a column, or a tuple of columns.
            on_batch: Told after each batch how many rows are done.

        Returns:
            The objects; of mappings their number, or a list of what was asked for, in the order of the rows.

        Raises:
            ValidationError: Naming rows and columns with values that cannot be saved.

        Example:
            >>> await session.query(Country).bulk_create({"code": c, "gdp": g} for c, g in read())
            ... # COPY "country" ("code", "gdp") FROM STDIN
        """
        write = bulk_write(self._spec, None, returning=returning, batch=batch, on_batch=on_batch)
        return await self._executor.writer.write_many(write, rows)

    @overload
    async def upsert(
        self,
        rows: Many[M],
        *,
        on: Named,
        set: Settable | None = None,
        where: Condition | None = None,
        batch: int | None = None,
        dedupe: Dedupe | None = None,
        on_batch: Progress | None = None,
    ) -> list[M]: ...
    @overload
    async def upsert(
        self,
        rows: Many[Values],
        *,
        on: Named,
        set: Settable | None = None,
        where: Condition | None = None,
        batch: int | None = None,
        dedupe: Dedupe | None = None,
        on_batch: Progress | None = None,
    ) -> int: ...
    @overload
    async def upsert(
        self,
        rows: Many[Values],
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
    async def upsert(
        self,
        rows: Many[Values],
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
    async def upsert(
        self,
        rows: Many[Values],
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
    async def upsert(
        self,
        rows: Many[Values],
        *,
        on: Named,
        set: Settable | None = None,
        where: Condition | None = None,
        batch: int | None = None,
        dedupe: Dedupe | None = None,
        returning: tuple[Column[Any], ...],
        on_batch: Progress | None = None,
    ) -> list[tuple[Any, ...]]: ...
    async def upsert(
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
            rows: Objects, or mappings by attribute name; an iterable or an async iterable.
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
            >>> await session.query(Country).upsert(rows, on=[Country.code], set=[Country.gdp])
            ... # INSERT INTO "country" (...) SELECT ... FROM unnest($1::text::text[], $2::text::numeric[]) ...
            ... # ON CONFLICT ("code") DO UPDATE SET "gdp" = "excluded"."gdp"
        """
        conflict = conflict_of(self._spec, on, set, where)
        write = bulk_write(self._spec, conflict, returning=returning, batch=batch, dedupe=dedupe, on_batch=on_batch)
        return await self._executor.writer.write_many(write, rows)

    async def insert_from(self, columns: Named, rows: Builder[Any] | Subquery) -> int:
        """Inserts what another query selects, and gives the number of rows.

        Args:
            columns: The columns that get the query's columns, in its order. Columns that are left out get their
                default; one that is made anew for each object has to be selected.
            rows: The query, or a common table expression.

        Example:
            >>> old = session.query(Article).filter(Article.views == 0).values(Article.id, Article.title)
            >>> await session.query(Archive).insert_from([Archive.id, Archive.title], old)
            ... # INSERT INTO "archive" ("id", "title") SELECT "articles"."id", "articles"."title" FROM "articles" ...
        """
        statement, tables = insert_select(self._spec, columns, rows)
        return await self._executor.writer.insert_select(statement, tables)

    # ---- one row

    async def get_or_create(self, *, defaults: Mapping[str, Any] | None = None, **values: Any) -> tuple[M, bool]:
        """Gives the one object with these values, made if there is none, and whether it was made.

        Two who do so at the same time get the same row, where a unique constraint says that there is only one.

        Args:
            defaults: Further values for a new object.
            values: What it is found by, and made with: columns and relations by name.

        Raises:
            MultipleResultsError: There are several.
            UnknownName: A name is no column or relation of the model.

        Example:
            >>> author, made = await session.query(Author).get_or_create(email="x@y.z", defaults={"name": "Ada"})
        """
        given = _checked_names(self._spec.info, values, defaults)
        found = await self._one_with(values)
        return (found, False) if found is not None else await self._made(values, given)

    async def update_or_create(self, *, defaults: Mapping[str, Any] | None = None, **values: Any) -> tuple[M, bool]:
        """Gives the one object with these values, changed or made, and whether it was made.

        Args:
            defaults: What the object gets, whether it was there or not.
            values: What it is found by, and made with: columns and relations by name.

        Raises:
            MultipleResultsError: There are several.
            UnknownName: A name is no column or relation of the model.

        Example:
            >>> author, made = await session.query(Author).update_or_create(email="x@y.z", defaults={"name": "Ada"})
        """
        given = _checked_names(self._spec.info, values, defaults)
        found, made = await self._one_with(values), False
        if found is None:
            found, made = await self._made(values, given)
        if not made:
            for name, value in (defaults or {}).items():
                setattr(found, name, value)
            await self._executor.writer.flush()
        return found, made

    async def _one_with(self, values: Mapping[str, Any]) -> M | None:
        rows: list[M] = await self.filter(**values).limit(2).all()
        if len(rows) > 1:
            raise MultipleResultsError(
                f"more than one {self._spec.info.name} has these values: {', '.join(values)}",
                hint="name columns that are unique together",
            )
        return rows[0] if rows else None

    async def _made(self, values: Mapping[str, Any], given: Mapping[str, Any]) -> tuple[M, bool]:
        instance: M = _new(self._spec.info.plain, given)
        taken = await self._executor.writer.try_insert(instance)
        if taken is None:
            return instance, True
        # somebody else was faster, unless another unique column is taken
        found = await self._one_with(values)
        if found is None:
            raise taken
        return found, False


def _checked_names(info: ModelInfo, values: Mapping[str, Any], defaults: object) -> dict[str, Any]:
    """Gives the values of a new object.

    Raises:
        UnknownName: A name is no column or relation to one object.
    """
    if not values:
        raise QueryError(f"nothing tells which {info.name} is meant", hint="name unique columns: email=...")
    if defaults is not None and not isinstance(defaults, Mapping):
        raise WrongType(f"defaults={defaults!r} is no mapping", hint='defaults={"name": "Ada"}')
    given: dict[str, Any] = {**values, **(defaults or {})}
    known = [*info.fields, *(name for name, spec in info.relation_specs.items() if not spec.many)]
    for name in given:
        if name not in known:
            error = info.unknown(name)
            raise type(error)(f"{name}=: {error.message}", hint=suggest(name, known))
        if name in info.fields and info.fields[name].computed is not None:
            raise UnknownName(f"{name}=: the database computes {info.name}.{name}", hint="name what it is made of")
    return given


def _new(info: ModelInfo, given: Mapping[str, Any]) -> Any:
    """Makes an object of values by name, also of the keys of relations and of what `__init__` does not take."""
    values = dict(given)
    for name, spec in info.relation_specs.items():
        keys = [key for key in spec.keys if key in values and not info.fields[key].init]
        if keys and spec.init and name not in values and len(keys) == len(spec.keys):
            key = [values.pop(attribute) for attribute in keys]
            values[name] = None if None in key else ref(info.relation(name).target.cls, *key)
    takes = {name: (info.fields.get(name) or info.relation_specs[name]).init for name in values}
    instance = info.cls(**{name: value for name, value in values.items() if takes[name]})
    for name, value in values.items():
        if not takes[name]:
            setattr(instance, name, value)
    return instance


def _returning(spec: QuerySpec, returning: Any) -> QuerySpec:
    if returning is spec.info.cls:
        return spec.changed(("returning", "entity"), ())
    items = returning if is_tuple(returning) else (returning,)
    for item in items:
        if not is_expr(item):
            raise WrongType(
                f"returning={returning!r} is no column of {spec.info.name}",
                hint=f"returning={spec.info.name}, a column, or a tuple of columns",
            )
    if not items:
        raise QueryError("returning=() names nothing", hint=f"returning={spec.info.name}")
    output = "tuples" if is_tuple(returning) else "scalars"
    key = ("returning", output, *(item.key for item in items))
    return spec.changed(key, gather(items), columns=items, output=output)
