"""SELECT statements as frozen values. Their values are in Bind nodes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from cormorant.sql.expr import Binds, Expr, Key, Order, gather
from cormorant.sql.sameness import equal_values
from cormorant.sql.sources import CteSource, Source, SubquerySource

SetWord: TypeAlias = Literal["UNION", "UNION ALL", "INTERSECT", "INTERSECT ALL", "EXCEPT", "EXCEPT ALL"]


@dataclass(frozen=True)
class Join:
    """A join that was asked for.

    Args:
        source: What is joined; a relation's source needs no condition.
        on: The conditions.
        outer: Rows without a partner stay, with NULL in its place.
    """

    source: Source
    on: tuple[Expr[Any], ...] = ()
    outer: bool = False

    @property
    def key(self) -> Key:
        """The join's shape."""
        return ("outer join" if self.outer else "join", self.source.shape, *(part.key for part in self.on))

    @property
    def binds(self) -> Binds:
        """The values in it."""
        return self.source.binds + gather(self.on)


@dataclass(frozen=True)
class Lock:
    """FOR UPDATE and FOR SHARE.

    Args:
        of: The tables whose rows are locked; the query's own if none is named.
        wait: What happens at rows that others hold.
    """

    strength: Literal["UPDATE", "SHARE"]
    of: tuple[Source, ...] = ()
    wait: Literal["", "NOWAIT", "SKIP LOCKED"] = ""

    @property
    def key(self) -> Key:
        """The lock's shape."""
        return (self.strength, self.wait, *(source.key for source in self.of))


@dataclass(frozen=True)
class Select:
    """SELECT. Joins that columns imply are found when it is compiled.

    Args:
        source: What stands in FROM.
        columns: What is selected; empty selects the constant 1, for EXISTS.
        joins: The joins that were asked for, in order.
        distinct_on: Of the rows equal in these, the first is kept.
        ctes: Common table expressions that must run though nothing reads them.
        lifted: The default scopes that do not apply; None: those of the statement around it.
        home: Tells the database it was made for from others; None where that is not known.
    """

    source: Source
    columns: tuple[Expr[Any], ...] = ()
    where: tuple[Expr[Any], ...] = ()
    group_by: tuple[Expr[Any], ...] = ()
    having: tuple[Expr[Any], ...] = ()
    order_by: tuple[Order, ...] = ()
    distinct: bool = False
    limit: Expr[int] | None = None
    offset: Expr[int] | None = None
    joins: tuple[Join, ...] = ()
    distinct_on: tuple[Expr[Any], ...] = ()
    lock: Lock | None = None
    ctes: tuple[CteSource, ...] = ()
    home: int | None = None
    lifted: frozenset[str] | None = None

    @property
    def folds(self) -> bool:
        """Whether equal values in it must be one parameter: rows that are equal in some way become one."""
        return bool(self.group_by or self.distinct or self.distinct_on)

    @property
    def key(self) -> Key:
        """The statement's shape, and which values are equal where rows are folded or a union is read."""
        depends = self.folds or (isinstance(self.source, SubquerySource) and bool(self.source.shows))
        return (
            "select",
            self.source.shape,
            tuple(expr.key for expr in self.columns),
            tuple(expr.key for expr in self.where),
            tuple(expr.key for expr in self.group_by),
            tuple(expr.key for expr in self.having),
            tuple(order.key for order in self.order_by),
            self.distinct,
            None if self.limit is None else self.limit.key,
            None if self.offset is None else self.offset.key,
            tuple(join.key for join in self.joins),
            tuple(expr.key for expr in self.distinct_on),
            self.lock and self.lock.key,
            tuple(cte.shape for cte in self.ctes),
            self.home,
            self.lifted and tuple(sorted(self.lifted)),
            equal_values(self.binds) if depends else (),
        )

    @property
    def binds(self) -> Binds:
        """The values, in the order of the parts."""
        ctes = tuple(bind for cte in self.ctes for bind in cte.binds)
        joined = tuple(bind for join in self.joins for bind in join.source.binds)
        return ctes + self.source.binds + joined + gather(self.expressions)

    @property
    def expressions(self) -> tuple[Expr[Any], ...]:
        """Every expression the statement is made of."""
        return (
            *self.columns,
            *(part for join in self.joins for part in join.on),
            *self.where,
            *self.group_by,
            *self.having,
            *self.distinct_on,
            *(order.expr for order in self.order_by),
            *(part for part in (self.limit, self.offset) if part is not None),
        )

    @property
    def sources(self) -> tuple[Source, ...]:
        """What it reads in its own FROM, but for the joins that columns imply."""
        return (self.source, *(join.source for join in self.joins))


@dataclass(frozen=True)
class Compound:
    """Rows of several SELECTs: UNION, INTERSECT, EXCEPT. Its columns are named as those of the first one."""

    word: SetWord
    parts: tuple[Select, ...]

    @property
    def key(self) -> Key:
        """The statement's shape."""
        return (self.word, *(part.key for part in self.parts))

    @property
    def binds(self) -> Binds:
        """The values, in the order of the parts."""
        return tuple(bind for part in self.parts for bind in part.binds)

    @property
    def columns(self) -> tuple[Expr[Any], ...]:
        """What it selects."""
        return self.parts[0].columns
