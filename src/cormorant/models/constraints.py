"""What `__table_args__` yields: indexes, unique constraints and checks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

from cormorant.errors import ModelError
from cormorant.sql.expr import Expr, Order
from cormorant.sql.nodes import condition as as_condition


@dataclass(frozen=True, slots=True)
class IndexSpec:
    """An index as declared."""

    items: tuple[Any, ...]
    where: Expr[bool] | None
    unique: bool
    name: str | None


@dataclass(frozen=True, slots=True)
class UniqueSpec:
    """A unique constraint as declared."""

    items: tuple[Any, ...]
    name: str | None


@dataclass(frozen=True, slots=True)
class CheckSpec:
    """A check as declared."""

    condition: Expr[bool]
    name: str | None


TableArg: TypeAlias = IndexSpec | UniqueSpec | CheckSpec
"""What `__table_args__` may yield."""


def index(
    *items: Expr[Any] | Order | type[Any],
    where: Expr[bool] | None = None,
    unique: bool = False,
    name: str | None = None,
) -> TableArg:
    """Declares an index.

    Args:
        items: Columns, relations (their key), expressions, each perhaps with `.desc()`.
        where: Index only the rows for which this holds.
        unique: Refuse a second row with the same values.
        name: Its name; made from table and columns otherwise.

    Example:
        >>> yield index(cls.author, cls.created.desc(), where=cls.views > 0)
        ... # CREATE INDEX ix_articles_author_id_created ON articles (author_id, created DESC) WHERE views > 0
    """
    if not items:
        raise ModelError("index() has nothing to index", hint="name columns: index(cls.author, cls.created.desc())")
    return IndexSpec(items, where, unique, name)


def unique(*items: Expr[Any] | type[Any], name: str | None = None) -> TableArg:
    """Declares that no two rows have the same values in these columns or relations."""
    if not items:
        raise ModelError("unique() names no column", hint="name columns: unique(cls.author, cls.title)")
    return UniqueSpec(items, name)


def check(condition: Expr[bool], name: str | None = None) -> TableArg:
    """Declares a condition every row must meet.

    Example:
        >>> yield check(cls.views >= 0)      # CHECK (views >= 0)
    """
    return CheckSpec(as_condition(condition), name)
