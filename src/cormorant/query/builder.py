"""`Builder`: what every query can be asked for, before anything runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeAlias, TypeVar

from cormorant.errors import WrongType
from cormorant.models.paths import Path
from cormorant.query.predicates import Q, conditions_of
from cormorant.query.protocols import Executor
from cormorant.query.spec import QuerySpec
from cormorant.sql.expr import Bind, Binds, Comparison, Expr, Order, gather, is_expr
from cormorant.sql.functions import as_expr
from cormorant.sql.nodes import IsNotTrue, Logical
from cormorant.sql.types import BIG_INTEGER

R = TypeVar("R")
T = TypeVar("T")
P = ParamSpec("P")
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
        # by far the most filters are plain comparisons
        if len(conditions) == 1 and not lookups and isinstance(one := conditions[0], Comparison):
            return self._with(("where", one.key), one.binds, where=(*spec.where, one))
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
        orders = tuple(map(as_order, keys))
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


def as_order(key: Any) -> Order:
    """Gives what `order_by` takes with its direction."""
    return key if isinstance(key, Order) else Order(_sort_key("order_by", key), descending=False)


def _sort_key(what: str, key: Any) -> Expr[Any]:
    """Refuses a plain value: sent as a parameter it would be one and the same for every row, and sort nothing."""
    if is_expr(key) or isinstance(key, Path):
        return as_expr(key)
    raise WrongType(
        f"{what}() takes columns and expressions, not {key!r} ({type(key).__name__})",
        hint=f"read them from the model: {what}(Article.title)",
    )


def _count_bind(what: str, count: object) -> Bind:
    if not isinstance(count, int) or isinstance(count, bool) or count < 0:
        raise WrongType(f"{what}({count!r}): a number of rows is an int of 0 or more")
    return Bind(count, BIG_INTEGER)
