"""`QuerySet` and `Rows`: immutable builders, and the verbs that run them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Generator
from inspect import isclass
from typing import Any, Concatenate, Generic, ParamSpec, TypeAlias, cast, overload

from typing_extensions import Self, TypeVar

from cormorant.errors import MultipleResultsError, NotFoundError, QueryError, WrongType
from cormorant.models.metadata import ModelInfo
from cormorant.models.model import Model
from cormorant.models.paths import Path
from cormorant.query.into import row_maker
from cormorant.query.planner import select_of
from cormorant.query.predicates import Q, conditions_of
from cormorant.query.protocols import Executor
from cormorant.query.spec import Mode, QuerySpec
from cormorant.sql.columns import Assignment, Column
from cormorant.sql.functions import as_expr
from cormorant.sql.nodes import Bind, Binds, Expr, IsNotTrue, Label, Logical, Order, gather
from cormorant.sql.statements import Select
from cormorant.sql.types import BIG_INTEGER

M = TypeVar("M", bound=Model)
R = TypeVar("R")
D = TypeVar("D")
T = TypeVar("T")
T1 = TypeVar("T1")
T2 = TypeVar("T2")
T3 = TypeVar("T3")
T4 = TypeVar("T4")
T5 = TypeVar("T5")
T6 = TypeVar("T6")
T7 = TypeVar("T7")
T8 = TypeVar("T8")
P = ParamSpec("P")
Sel: TypeAlias = Expr[T] | type[T]
Condition: TypeAlias = "Expr[bool | None] | Q"


class Builder(Generic[R]):
    """Everything that gives a new query. A query never changes."""

    __slots__ = ("_executor", "_spec")

    def __init__(self, spec: QuerySpec, executor: Executor) -> None:
        self._spec = spec
        self._executor = executor

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._spec.info.name}>"

    def _with(self, key: tuple[Any, ...], binds: Binds = (), **changes: Any) -> Self:
        new = object.__new__(type(self))
        new._spec = self._spec.changed(key, binds, **changes)
        new._executor = self._executor
        return new

    def _rows(self, columns: tuple[Any, ...], **changes: Any) -> Rows[Any]:
        if not columns:
            raise QueryError("nothing is selected", hint="name columns: .values(Article.id, Article.title)")
        items = tuple(item if isinstance(item, Expr) else _entity_marker(item) for item in columns)
        key = ("select", *(_key_of(item) for item in items), changes.get("output"), changes.get("names"))
        binds = gather(item for item in items if isinstance(item, Expr))
        return Rows(self._spec.changed(key, binds, columns=items, **changes), self._executor)

    def filter(self, *conditions: Condition, **lookups: Any) -> Self:
        """Keeps the rows that meet every condition.

        Args:
            conditions: Expressions and Q objects.
            lookups: Conditions by keyword: `title__icontains="note"`, `author__name="Ada"`.

        Raises:
            WrongType: A bool was given: a comparison of the wrong types is one.
            UnknownName: A lookup names no column or relation.

        Example:
            >>> session.query(Article).filter(Article.views > 3, Article.author.name == "Ada")
            ... # WHERE "articles"."views" > $1 AND "author"."name" = $2
        """
        spec = self._spec
        parts = conditions_of(spec.info, conditions, lookups)
        return self._with(("where", *[part.key for part in parts]), gather(parts), where=spec.where + parts)

    def exclude(self, *conditions: Condition, **lookups: Any) -> Self:
        """Drops the rows that meet every condition; a condition that is NULL is not met."""
        parts = conditions_of(self._spec.info, conditions, lookups)
        if not parts:
            return self
        negated = IsNotTrue(parts[0] if len(parts) == 1 else Logical("AND", parts))
        return self._with(("where", negated.key), negated.binds, where=(*self._spec.where, negated))

    def order_by(self, *keys: Expr[Any] | Order | type[Any]) -> Self:
        """Sorts the rows; further calls add less significant keys. NULL counts as larger than everything.

        Example:
            >>> session.query(Article).order_by(Article.created.desc(), Article.id)
        """
        orders = tuple(map(_order, keys))
        added = gather(order.expr for order in orders)
        key = ("order", *(order.key for order in orders))
        return self._with(key, added, order_by=self._spec.order_by + orders)

    def group_by(self, *keys: Expr[Any] | type[Any]) -> Self:
        """Folds the rows that agree in these expressions into one."""
        parts = tuple(_sort_key("group_by", key) for key in keys)
        return self._with(("group", *(part.key for part in parts)), gather(parts), group_by=self._spec.group_by + parts)

    def having(self, *conditions: Condition) -> Self:
        """Keeps the groups that meet every condition."""
        parts = conditions_of(self._spec.info, conditions, {})
        return self._with(("having", *(part.key for part in parts)), gather(parts), having=self._spec.having + parts)

    def distinct(self) -> Self:
        """Drops rows that are equal to another one."""
        return self._with(("distinct",), distinct=True)

    def limit(self, count: int) -> Self:
        """Gives at most so many rows."""
        bind = _count_bind("limit", count)
        return self._with(("limit",), (bind,), limit=bind)

    def offset(self, count: int) -> Self:
        """Leaves out the first rows."""
        bind = _count_bind("offset", count)
        return self._with(("offset",), (bind,), offset=bind)

    def pipe(self, function: Callable[Concatenate[Self, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Gives `function(query, ...)`, so that functions over queries can be chained like methods."""
        return function(self, *args, **kwargs)


class Terminals(Builder[R]):
    """What runs a query."""

    __slots__ = ()

    async def _fetch(self, spec: QuerySpec) -> list[R]:
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
        """Gives the first row, or None."""
        rows = await self.limit(1)
        return rows[0] if rows else None

    async def one(self) -> R:
        """Gives the only row.

        Raises:
            NotFoundError: There is none.
            MultipleResultsError: There are more.
        """
        found = await self.one_or_none()
        if found is None:
            raise NotFoundError(
                f"no {self._spec.info.name} matches the query", hint="use .first() or .one_or_none() if that can be"
            )
        return found

    async def one_or_none(self) -> R | None:
        """Gives the only row, or None.

        Raises:
            MultipleResultsError: There are more.
        """
        rows = await self.limit(2)
        if len(rows) > 1:
            raise MultipleResultsError(
                f"more than one {self._spec.info.name} matches the query", hint="narrow the filter, or use .first()"
            )
        return rows[0] if rows else None

    async def count(self) -> int:
        """Gives the number of rows: SELECT count(*)."""
        (number,) = await self._executor.fetch(_in_mode(self._spec, "count"))
        return cast(int, number)

    async def exists(self) -> bool:
        """Whether there is a row; reads at most one."""
        return bool(await self._executor.fetch(_in_mode(self.limit(1)._spec, "exists")))

    def as_select(self) -> Select:
        """Gives the query as a part of another one."""
        return select_of(self._spec)


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
        return Rows(self._spec.changed((), (), into=row_maker(shape, column_names(self._spec))), self._executor)


class QuerySet(Terminals[M]):
    """A query of whole objects.

    Example:
        >>> await session.query(Article).filter(Article.views > 3).order_by(Article.id).limit(20)
    """

    __slots__ = ()

    async def get(self, *conditions: Condition, **lookups: Any) -> M:
        """Gives the one object that meets the conditions.

        Raises:
            NotFoundError: There is none.
            MultipleResultsError: There are more.
        """
        return await self.filter(*conditions, **lookups).one()

    async def last(self) -> M | None:
        """Gives the last row of the order, or of the key's order, or None."""
        orders = self._spec.order_by or tuple(map(_order, _key_columns(self._spec.info)))
        turned = tuple(Order(order.expr, descending=not order.descending) for order in orders)
        key = ("last", *(order.key for order in turned))
        rows = await self._with(key, order_by=turned).limit(1)
        return rows[0] if rows else None

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
        return self._rows(chosen, output="dicts", names=_unique_names(chosen))

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
        self, a: Expr[T1], b: Expr[T2], c: Expr[T3], d: Expr[T4], /, *more: Expr[Any]
    ) -> Rows[tuple[M, T1, T2, T3, T4, *tuple[Any, ...]]]: ...
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
    async def aggregate(
        self, a: Expr[T1], b: Expr[T2], c: Expr[T3], d: Expr[T4], /, *more: Expr[Any]
    ) -> tuple[T1, T2, T3, T4, *tuple[Any, ...]]: ...
    async def aggregate(self, *columns: Any) -> Any:
        """Gives aggregates over all rows: one value, or a tuple of several.

        Example:
            >>> await session.query(Article).aggregate(func.sum(Article.views))
        """
        (row,) = await self._rows(columns, output="tuples")
        return row[0] if len(columns) == 1 else row

    async def update(self, *assignments: Assignment) -> int:
        """Changes every matching row in one statement, and gives their number.

        Objects that are loaded already keep their values until they are read again; hooks do not run.

        Example:
            >>> await session.query(Article).filter(Article.views == 0).update(Article.views.set(Article.views + 1))
            ... # UPDATE "articles" SET "views" = "articles"."views" + $1 WHERE "articles"."views" = $2
        """
        if not assignments:
            raise QueryError("update() has nothing to set", hint="pass Model.column.set(value)")
        for item in assignments:
            _check_assignment(self._spec.info, item)
        key = ("update", *((item.column.name, item.value.key) for item in assignments))
        binds = gather(item.value for item in assignments)
        return await self._executor.write(self._spec.changed(key, binds, assignments=assignments, mode="update"))

    async def delete(self) -> int:
        """Deletes every matching row in one statement, and gives their number; hooks do not run."""
        return await self._executor.write(_in_mode(self._spec, "delete"))


class Manager(QuerySet[M]):
    """`Author.objects`: a query of all Authors on the current session."""

    __slots__ = ()


def _in_mode(spec: QuerySpec, mode: Mode) -> QuerySpec:
    return spec.changed((mode,), (), mode=mode)


def _order(key: Any) -> Order:
    return key if isinstance(key, Order) else Order(_sort_key("order_by", key), descending=False)


def _sort_key(what: str, key: Any) -> Expr[Any]:
    """Refuses a plain value: sent as a parameter it would be one and the same for every row, and sort nothing."""
    if isinstance(key, (Expr, Path)):
        return as_expr(key)  # pyright: ignore[reportUnknownArgumentType]
    raise WrongType(
        f"{what}() takes columns and expressions, not {key!r} ({type(key).__name__})",
        hint=f"read them from the model: {what}(Article.title)",
    )


def _count_bind(what: str, count: int) -> Bind:
    if not isinstance(count, int) or isinstance(count, bool) or count < 0:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise WrongType(f"{what}({count!r}): a number of rows is an int of 0 or more")
    return Bind(count, BIG_INTEGER)


def _key_columns(info: ModelInfo) -> tuple[Column[Any], ...]:
    return tuple(info.column(name) for name in info.key_attributes)


def _entity_marker(item: Any) -> Any:
    if isinstance(item, Path) or (isclass(item) and hasattr(item, "__info__")):
        return item
    raise WrongType(f"{item!r} cannot be selected", hint="select columns, expressions, models or relations")


def _key_of(item: Any) -> Any:
    if isinstance(item, Expr):
        return item.key  # pyright: ignore[reportUnknownMemberType]
    info, columns, optional = item.__entity__() if isinstance(item, Path) else (item.__info__, (), False)
    return ("entity", info.source.key, optional, columns[0].source.key if columns else "")


def column_names(spec: QuerySpec) -> tuple[str | None, ...]:
    """Gives the name of each selected item: its label, or its attribute."""
    return tuple(map(_name_of, spec.columns or ()))


def _name_of(item: Any) -> str | None:
    if isinstance(item, Label):
        return item.name  # pyright: ignore[reportUnknownMemberType]
    return item.attribute if isinstance(item, Column) else None  # pyright: ignore[reportUnknownMemberType]


def _unique_names(columns: tuple[Any, ...]) -> tuple[str, ...]:
    names: list[str] = []
    for column in columns:
        name = _name_of(column)
        if name is None or name in names:
            problem = "has no name" if name is None else f"has the name {name!r}, which another one has too"
            raise QueryError(f"{column!r} {problem}", hint='give it one: .label("name")')
        names.append(name)
    return tuple(names)


def _check_assignment(info: ModelInfo, item: Any) -> None:
    if not isinstance(item, Assignment):
        raise WrongType(f"update() takes assignments, not {item!r}", hint="use Model.column.set(value)")
    if item.column.source is not info.source:
        raise QueryError(f"{item.column!r} is not a column of {info.name}")
