"""A query as a description, which two interpreters turn into one for Cormorant and one for SQLAlchemy."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

Kind: TypeAlias = Literal["int", "text", "bool"]
Path: TypeAlias = tuple[str, ...]


# ------------------------------------------------------------------ values


@dataclass(frozen=True)
class Column:
    """A column of what `source` stands for, perhaps along relations."""

    source: int
    path: Path
    name: str


@dataclass(frozen=True)
class Output:
    """What a subquery, or queries put together, give at a place."""

    source: int
    place: int


@dataclass(frozen=True)
class Value:
    value: int | str | bool | None


@dataclass(frozen=True)
class Math:
    op: Literal["+", "-", "*"]
    left: Expr
    right: Expr


@dataclass(frozen=True)
class Concat:
    left: Expr
    right: Expr


@dataclass(frozen=True)
class Lower:
    part: Expr


@dataclass(frozen=True)
class Coalesce:
    part: Expr
    other: Value


@dataclass(frozen=True)
class Case:
    condition: Condition
    then: Expr
    otherwise: Expr


@dataclass(frozen=True)
class CountOf:
    """How many objects of a relation to many meet a condition; they are read as `inner`."""

    source: int
    path: Path
    relation: str
    inner: int
    condition: Condition | None


@dataclass(frozen=True)
class ScalarOf:
    """The one value of a query."""

    query: Query


@dataclass(frozen=True)
class Fold:
    name: Literal["count", "sum", "min", "max"]
    part: Expr | None
    distinct: bool = False
    only: Condition | None = None


@dataclass(frozen=True)
class Window:
    """A place in an order, or an aggregate of the rows around; rows that are equal in the order count as one."""

    name: Literal["rank", "dense_rank", "count", "sum", "min", "max"]
    part: Expr | None
    partition_by: tuple[Expr, ...]
    order_by: tuple[tuple[Expr, bool], ...]


Expr: TypeAlias = (
    "Column | Output | Value | Math | Concat | Lower | Coalesce | Case | CountOf | ScalarOf | Fold | Window | Condition"
)


# ------------------------------------------------------------------ conditions


@dataclass(frozen=True)
class Compare:
    op: Literal["=", "<>", "<", "<=", ">", ">="]
    left: Expr
    right: Expr


@dataclass(frozen=True)
class Between:
    part: Expr
    low: Expr
    high: Expr


@dataclass(frozen=True)
class Among:
    part: Expr
    values: tuple[int | str, ...]


@dataclass(frozen=True)
class IsNull:
    part: Expr
    negated: bool


@dataclass(frozen=True)
class Holds:
    """A search for a text."""

    how: Literal["contains", "startswith", "endswith"]
    part: Expr
    text: str


@dataclass(frozen=True)
class Junction:
    word: Literal["and", "or"]
    parts: tuple[Condition, ...]


@dataclass(frozen=True)
class Negation:
    part: Condition


@dataclass(frozen=True)
class Quantified:
    """What any, none or all objects of a relation to many meet; they are read as `inner`."""

    which: Literal["any", "none", "every"]
    source: int
    path: Path
    relation: str
    inner: int
    condition: Condition | None


@dataclass(frozen=True)
class Exists:
    query: Query


@dataclass(frozen=True)
class AmongRows:
    part: Expr
    query: Query


Condition: TypeAlias = (
    "Compare | Between | Among | IsNull | Holds | Junction | Negation | Quantified | Exists | AmongRows | Column"
)


# ------------------------------------------------------------------ queries


@dataclass(frozen=True)
class Entity:
    """An object: what `source` stands for, or what a relation leads to from there."""

    source: int
    path: Path


@dataclass(frozen=True)
class Named:
    """A selected value, perhaps under a label."""

    expr: Expr
    label: str | None


Item: TypeAlias = "Entity | Named"


@dataclass(frozen=True)
class JoinModel:
    source: int
    model: str
    aliased: bool
    outer: bool
    on: tuple[Condition, ...]


@dataclass(frozen=True)
class JoinRelation:
    """A relation that is followed for the sake of its rows."""

    source: int
    path: Path
    outer: bool


@dataclass(frozen=True)
class JoinQuery:
    source: int
    query: Query
    form: Literal["subquery", "cte", "lateral"]
    outer: bool
    on: tuple[Condition, ...]


Join: TypeAlias = "JoinModel | JoinRelation | JoinQuery"


@dataclass(frozen=True)
class Combined:
    """Queries put together."""

    word: Literal["union", "union all", "intersect", "except"]
    parts: tuple[Query, ...]


@dataclass(frozen=True)
class Query:
    """A query of a model, or of what other queries give together.

    Args:
        source: What its model's rows are read as.
        items: What it selects; nothing for whole objects.
        together: What it reads instead of its model's table.
    """

    source: int
    model: str
    joins: tuple[Join, ...] = ()
    where: tuple[Condition, ...] = ()
    exclude: tuple[Condition, ...] = ()
    items: tuple[Item, ...] = ()
    group_by: tuple[Expr, ...] = ()
    having: tuple[Condition, ...] = ()
    distinct: bool = False
    distinct_on: tuple[Expr, ...] = ()
    order_by: tuple[tuple[Expr, bool], ...] = ()
    limit: int | None = None
    offset: int | None = None
    together: Combined | None = None
    ordered: bool = field(default=False, compare=False)
    """Whether its order leaves nothing open."""


OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
}
"""What both languages have Python's operators for."""
