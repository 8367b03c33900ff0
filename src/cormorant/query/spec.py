"""Everything the user has asked of one query, as a value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Literal

from cormorant.models.links import RelationInfo
from cormorant.models.metadata import ModelInfo
from cormorant.models.paths import ManyExpr
from cormorant.models.scopes import Scopes
from cormorant.query.related import NOTHING, Loading, PerOwner
from cormorant.sql.expr import Bind, Binds, Expr, Order
from cormorant.sql.sameness import equal_values
from cormorant.sql.selects import Join, Lock, Select, SetWord
from cormorant.sql.shapes import repeated
from cormorant.sql.sources import CteSource, Source

Mode = Literal["rows", "count", "exists", "update", "delete"]
WRITES: tuple[Mode, ...] = ("update", "delete")
Single = tuple[Literal["get", "columns"], ModelInfo] | tuple[Literal["reference", "relation", "members"], RelationInfo]
"""What a query reads of one object alone: it by its key, columns it lacks, its reference, relation or members."""
Output = Literal["entities", "tuples", "scalars", "dicts", "groups"]


@dataclass(frozen=True, slots=True)
class Keep:
    """That a result may be cached: `ttl` seconds, or as long as the cache keeps one."""

    ttl: float | None = None


class QuerySpec:
    """A query as asked for; every change gives a new one.

    Its key and its values grow with each builder call, so that a finished query finds its plan without being walked.

    Args:
        info: The model it starts from.

    Attributes:
        keep: How long its result may be cached; None for not at all.
        single: What it reads of one object alone, for those who count such queries; no part of its shape.
        united: How it was put together, what its first part asked for, and all parts; None once it goes on.
    """

    info: ModelInfo
    key: tuple[Any, ...]
    binds: Binds
    where: tuple[Expr[Any], ...]
    source: Source | None
    joins: tuple[Join, ...]
    order_by: tuple[Order, ...]
    group_by: tuple[Expr[Any], ...]
    having: tuple[Expr[Any], ...]
    columns: tuple[Any, ...] | None
    names: tuple[str, ...]
    output: Output
    distinct: bool
    distinct_on: tuple[Expr[Any], ...]
    lock: Lock | None
    ctes: tuple[CteSource, ...]
    beside: tuple[Expr[Any], ...]
    lifted: frozenset[str]
    scopes: Scopes | None
    limit: Bind | None
    offset: Bind | None
    into: Callable[[Any], Any] | None
    assignments: tuple[Any, ...]
    mode: Mode
    loading: Loading
    collections: tuple[tuple[int, ManyExpr[Any]], ...]
    per_owner: PerOwner | None
    single: Single | None
    keep: Keep | None
    united: tuple[SetWord, QuerySpec, tuple[Select, ...]] | None

    def __init__(self, info: ModelInfo) -> None:
        values = _EMPTY.copy()
        values["info"], values["key"] = info, ("rows", info.source.key)
        _hold(self, values)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{name}: a query never changes, its methods give new ones")

    def changed(self, key: tuple[Any, ...], binds: Binds, **changes: Any) -> QuerySpec:
        """Gives a copy with some parts replaced.

        Args:
            key: What the change adds to the query's shape.
            binds: The values it adds.
            changes: The new parts, by name.
        """
        new = object.__new__(QuerySpec)
        # a copy is half as dear as what fills another dictionary
        values = self.__dict__.copy()
        values["united"] = None
        values.update(changes)
        values["key"] = self.key + key
        values["binds"] = self.binds + binds
        _hold(new, values)
        return new

    def with_values(self, binds: Binds, where: tuple[Expr[Any], ...]) -> QuerySpec:
        """Gives a query of the same shape with other values in its conditions, and nowhere else."""
        new = object.__new__(QuerySpec)
        values = self.__dict__.copy()
        values["binds"], values["where"] = binds, where
        _hold(new, values)
        return new

    def scoped(self, scopes: Scopes | None) -> QuerySpec:
        """Gives the query with default scopes, which are no part of its shape: they are asked when it is prepared.

        Raises:
            UnknownName: It lifts a scope that there is not.
        """
        if self.lifted:
            (scopes or Scopes(())).check_lifted(self.lifted)
        return self.changed((), (), scopes=scopes)

    @property
    def cache_key(self) -> tuple[Any, ...]:
        """The shape, including which values stand in several places: those are sent once."""
        binds, key = self.binds, self.key
        if binds and (self.group_by or self.distinct or self.distinct_on or self.source):
            # whether an expression stands in the SELECT list too depends on the values in it
            key = (*key, "equal", *equal_values(binds))
        # most queries have each value once
        return key if len(binds) < 2 or len(set(binds)) == len(binds) else (*key, "shared", *repeated(binds))

    @property
    def values(self) -> list[Any]:
        """The values to send, each once."""
        binds = self.binds
        return list(map(_value_of, binds if len(binds) < 2 else dict.fromkeys(binds)))


_value_of: Callable[[Bind], Any] = attrgetter("value")
_hold: Callable[[QuerySpec, dict[str, Any]], None] = QuerySpec.__dict__["__dict__"].__set__

_EMPTY: dict[str, Any] = {
    "binds": (),
    "source": None,
    "joins": (),
    "where": (),
    "order_by": (),
    "group_by": (),
    "having": (),
    "columns": None,
    "names": (),
    "output": "entities",
    "distinct": False,
    "distinct_on": (),
    "lock": None,
    "ctes": (),
    "beside": (),
    "lifted": frozenset(),
    "scopes": None,
    "limit": None,
    "offset": None,
    "into": None,
    "assignments": (),
    "mode": "rows",
    "loading": NOTHING,
    "collections": (),
    "per_owner": None,
    "single": None,
    "keep": None,
    "united": None,
}
