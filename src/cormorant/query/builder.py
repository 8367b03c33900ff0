"""`Builder`: what every query can be asked for, before anything runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import Any, Concatenate, LiteralString, NoReturn, ParamSpec, Self, TypeAlias, TypeVar

from cormorant._internal.narrowing import narrower
from cormorant.errors import ExpressionUsedAsBool, QueryError, WrongType
from cormorant.models.many import as_order, row_count, sort_key
from cormorant.models.scopes import ALL
from cormorant.query.combining import combined
from cormorant.query.joining import join_of
from cormorant.query.locking import Lockable, lock_of
from cormorant.query.planner import select_of
from cormorant.query.predicates import Q, conditions_of, too_deep
from cormorant.query.protocols import Executor, home_of
from cormorant.query.spec import Keep, QuerySpec
from cormorant.query.subquery import Cte, Subquery, cte_of, cte_source, recursive_cte, scalar_of, subquery_of
from cormorant.sql.calls import Fragment
from cormorant.sql.expr import Binds, Comparison, Expr, Order, gather
from cormorant.sql.nodes import IsNotTrue, Logical
from cormorant.sql.raw_source import raw_source
from cormorant.sql.selectable import Selectable
from cormorant.sql.selects import Join, Select, SetWord

R = TypeVar("R")
T = TypeVar("T")
P = ParamSpec("P")
Condition: TypeAlias = "Expr[bool | None] | Q"


_key_of: Callable[[Any], Any] = attrgetter("key")
_expr_of: Callable[[Order], Expr[Any]] = attrgetter("expr")


class Builder(Selectable[R]):
    """Everything that gives a new query. A query never changes."""

    __slots__ = ("_executor", "_spec")

    def __init__(self, spec: QuerySpec, executor: Executor) -> None:
        self._spec = spec
        self._executor = executor

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._spec.info.name}>"

    def __bool__(self) -> NoReturn:
        raise ExpressionUsedAsBool(
            f"{self!r} has no truth value: it has not been run", hint="ask the database: if await query.exists():"
        )

    def _with(self, key: tuple[Any, ...], binds: Binds = (), **changes: Any) -> Self:
        new = object.__new__(type(self))
        new._spec = self._spec.changed(key, binds, **changes)
        new._executor = self._executor
        return new

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
        parts: tuple[Any, ...] = conditions
        # by far the most filters are plain comparisons, and most of them one
        if len(conditions) == 1 and not lookups and isinstance(conditions[0], Comparison):
            return self._with(("where", conditions[0].key), conditions[0].binds, where=spec.where + parts)
        if lookups or [one for one in conditions if not isinstance(one, Comparison)]:
            parts = conditions_of(spec.info, conditions, lookups)
        return self._with(("where", *map(_key_of, parts)), gather(parts), where=spec.where + parts)

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
        orders = tuple(map(as_order, keys))
        added = gather(map(_expr_of, orders))
        return self._with(("order", *map(_key_of, orders)), added, order_by=self._spec.order_by + orders)

    def group_by(self, *keys: Expr[Any] | type[Any]) -> Self:
        """Folds the rows that agree in these expressions into one."""
        parts = tuple(sort_key("group_by", key) for key in keys)
        return self._with(("group", *(part.key for part in parts)), gather(parts), group_by=self._spec.group_by + parts)

    def having(self, *conditions: Condition) -> Self:
        """Keeps the groups that meet every condition."""
        parts = conditions_of(self._spec.info, conditions, {})
        return self._with(("having", *(part.key for part in parts)), gather(parts), having=self._spec.having + parts)

    def distinct(self, *on: Expr[Any] | type[Any]) -> Self:
        """Drops rows that are equal to another one, or to another one in `on`: the first by the order is kept.

        `on` is PostgreSQL's DISTINCT ON; the order must begin with the same expressions.
        """
        if not on:
            return self._with(("distinct",), distinct=True)
        parts = tuple(sort_key("distinct", key) for key in on)
        return self._with(("distinct on", *(part.key for part in parts)), gather(parts), distinct_on=parts)

    def join(self, target: type[Any] | Subquery, *on: Condition) -> Self:
        """Joins a model, an alias, a relation or a subquery; rows without a partner are left out.

        Args:
            target: What is joined. A relation (`Article.author`) brings its own condition.
            on: The conditions; between two models with one relation they may be left out.

        Raises:
            QueryError: It is joined already, or the condition is missing and not obvious.

        Example:
            >>> boss = alias(Country)
            >>> session.query(Country).join(boss, boss.code == Country.parent.code)
            ... # FROM "country" JOIN "country" AS "country_2" ON "country_2"."code" = "country"."parent_code"
        """
        return self._joined(join_of(self._spec, target, on, outer=False))

    def outer_join(self, target: type[Any] | Subquery, *on: Condition) -> Self:
        """Joins like `join`; rows without a partner stay, and have None in its place."""
        return self._joined(join_of(self._spec, target, on, outer=True))

    def _joined(self, join: Join) -> Self:
        return self._with(("join", join.key), join.binds, joins=(*self._spec.joins, join))

    def with_(self, *ctes: Cte) -> Self:
        """Has common table expressions run although the query reads nothing of them."""
        sources = tuple(cte_source(cte) for cte in ctes)
        binds = tuple(bind for source in sources for bind in source.binds)
        key = ("with", *(source.shape for source in sources))
        return self._with(key, binds, ctes=(*self._spec.ctes, *sources))

    def unscoped(self, *names: str) -> Self:
        """Lifts default scopes for this query: those named, or all of them.

        Example:
            >>> await session.query(Task).unscoped("tenant")
        """
        lifted = self._spec.lifted | frozenset(names or (ALL,))
        return self._with(("unscoped", *sorted(lifted)), lifted=lifted)

    def union(self, *others: Builder[R], all: bool = False) -> Self:
        """Gives the rows of this query and of others, each once.

        What follows, `order_by` and `limit` for instance, is about all rows together, and sees what is selected.

        Args:
            others: Queries that give the same kind of rows.
            all: Keep rows that are equal.

        Raises:
            QueryError: The rows do not go together.

        Example:
            >>> session.query(A).values(A.id).union(session.query(B).values(B.id)).order_by(A.id)
            ... # SELECT "a"."id" FROM (SELECT "a"."id" FROM "a" UNION SELECT "b"."id" FROM "b") AS "a"
            ... # ORDER BY "a"."id"
        """
        return self._combined("UNION ALL" if all else "UNION", others)

    def intersect(self, *others: Builder[R]) -> Self:
        """Gives the rows that are in this query and in each other one."""
        return self._combined("INTERSECT", others)

    def except_(self, *others: Builder[R]) -> Self:
        """Gives the rows of this query that are in none of the others."""
        return self._combined("EXCEPT", others)

    def _combined(self, word: SetWord, others: Sequence[Builder[R]]) -> Self:
        for other in others:
            if not is_builder(other):
                raise WrongType(f"{word} takes queries, not {other!r} ({type(other).__name__})")
        queries: list[Builder[Any]] = [self, *others]
        new = object.__new__(type(self))
        new._executor = self._executor
        try:
            new._spec = combined(word, [(query._spec, home_of(query._executor)) for query in queries])
        except RecursionError:
            raise too_deep(self._spec.info.name) from None
        return new

    def from_sql(self, sql: LiteralString | Fragment, params: Mapping[str, Any] | None = None) -> Self:
        """Reads the objects from a SELECT of your own, which gives the columns of their table; all else goes on.

        Args:
            sql: A literal, with `:name` for parameters; `text(...)` for text that was built.
            params: The values by name.

        Raises:
            QueryError: It is not one SELECT, or the parameters do not fit.

        Example:
            >>> session.query(Article).from_sql("select * from articles where views > :n", {"n": 3}).limit(20)
            ... # SELECT ... FROM (select * from articles where views > $1) AS "articles" LIMIT $2
        """
        spec = self._spec
        if spec.source is not None:
            raise QueryError(f"the query of {spec.info.name} has a source already", hint="call from_sql() once, first")
        source = raw_source(spec.info.source, sql, {} if params is None else params)
        return self._with(("from sql", source.shape), source.binds, source=source)

    def limit(self, count: int) -> Self:
        """Gives at most so many rows."""
        bind = row_count("limit", count)
        return self._with(("limit",), (bind,), limit=bind)

    def offset(self, count: int) -> Self:
        """Leaves out the first rows."""
        bind = row_count("offset", count)
        return self._with(("offset",), (bind,), offset=bind)

    def for_update(self, *, nowait: bool = False, skip_locked: bool = False, of: Lockable = ()) -> Self:
        """Locks the rows that are read until the transaction ends, which is begun for it.

        Objects that are known already take what the rows hold. SQLite locks the whole database for the transaction.

        Args:
            nowait: Raise LockTimeout at a row that another transaction holds, instead of waiting.
            skip_locked: Leave such rows out.
            of: Models or relations the query reads, whose rows are locked instead of its own.

        Raises:
            StaleObjectError: An object has changes that were made before it was locked; raised when it runs.
            CompileError: The database has no such option; raised when it runs.

        Example:
            >>> job = await session.query(Job).filter(Job.done == False).for_update(skip_locked=True).first()
            ... # BEGIN; SELECT ... FROM "job" WHERE NOT "job"."done" LIMIT $1 FOR UPDATE SKIP LOCKED
        """
        lock = lock_of("UPDATE", of, nowait=nowait, skip_locked=skip_locked)
        return self._with(("lock", *lock.key), lock=lock)

    def for_share(self, *, nowait: bool = False, skip_locked: bool = False, of: Lockable = ()) -> Self:
        """Locks the rows that are read against changes; others may read and share them. Else like `for_update`."""
        lock = lock_of("SHARE", of, nowait=nowait, skip_locked=skip_locked)
        return self._with(("lock", *lock.key), lock=lock)

    def cached(self, *, ttl: float | None = None) -> Self:
        """Has the result kept in the second-level cache, if there is one, until a table that it reads is written to.

        It is kept by the statement and its values, with those of default scopes. Inside of a transaction, and with
        unsaved changes to its tables, the query is run. So are streams, and what locks or writes.

        Args:
            ttl: Seconds that it is kept at most; the cache's own if not given.

        Raises:
            QueryError: `ttl` is no number of seconds.

        Example:
            >>> await session.query(Country).order_by(Country.name).cached(ttl=3600)
            ... # SELECT ... FROM "country" ORDER BY "country"."name"; the next session finds it in the cache
        """
        is_number = isinstance(ttl, (int, float)) and not isinstance(ttl, bool)
        if ttl is not None and not (is_number and 0 < ttl < float("inf")):
            raise QueryError(f"cached(ttl={ttl!r})", hint="give seconds, more than 0")
        return self._with(("cached",), keep=Keep(ttl))

    # ---- inside other queries

    def as_select(self) -> Select:
        """Gives the query as a part of another one."""
        return select_of(self._spec, home=home_of(self._executor))

    def as_expr(self) -> Expr[R]:
        """Gives a query of one column as a value in another query, whose columns it may read.

        Raises:
            QueryError: It has several columns.

        Example:
            >>> own = session.query(Article).filter(Article.author.id == Author.id)
            >>> newest = own.scalars(func.max(Article.created))
            >>> session.query(Author).annotate(newest.as_expr())
            ... # SELECT ..., (SELECT max("articles"."created") FROM "articles" WHERE ...) FROM "author"
        """
        return scalar_of(self.as_select())

    def subquery(self, name: str | None = None, *, lateral: bool = False) -> Subquery:
        """Gives the query as a table that others join, and read by what it selects: `per[total]`.

        Args:
            name: Its name in SQL; "subquery" if none is given.
            lateral: It may read the columns of what is joined before it; PostgreSQL has that, SQLite has not.
        """
        return subquery_of(self.as_select(), name, lateral=lateral)

    def cte(
        self,
        name: str,
        *,
        recursive: Callable[[Cte], Selectable[Any]] | None = None,
        distinct: bool = False,
        materialized: bool | None = None,
    ) -> Cte:
        """Gives the query as a common table expression, which others join as they join a subquery.

        Args:
            name: Its name in SQL.
            recursive: Gives, for the rows found so far, the query of those that follow from them.
            distinct: Leave out rows that were found before, which also ends rings; for recursive ones.
            materialized: Whether the database computes it once on its own; it decides itself if not told.

        Example:
            >>> top = session.query(Node).filter(Node.parent == None).values(Node.id)
            >>> tree = top.cte("tree", recursive=lambda tree: session.query(Node)
            ...     .join(tree, tree[Node.id] == Node.parent.id).values(Node.id))
            >>> session.query(Node).join(tree, tree[Node.id] == Node.id)
            ... # WITH RECURSIVE "tree"("id") AS (SELECT ... UNION ALL SELECT ...) SELECT ... JOIN "tree" ON ...
        """
        if recursive is None:
            if distinct:
                raise QueryError(f"cte({name!r}, distinct=True) is not recursive", hint="write .distinct().cte(...)")
            return cte_of(self.as_select(), name, materialized=materialized)
        return recursive_cte(self.as_select(), name, recursive, distinct=distinct, materialized=materialized)

    def pipe(self, function: Callable[Concatenate[Self, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Gives `function(query, ...)`, so that functions over queries can be chained like methods."""
        return function(self, *args, **kwargs)


is_builder: Callable[[object], bool] = narrower(Builder)
