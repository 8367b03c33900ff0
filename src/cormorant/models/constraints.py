"""What `__table_args__` yields: indexes, unique constraints and checks."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from typing_extensions import TypeIs

from cormorant._internal.narrowing import narrower
from cormorant.errors import ModelError, WrongType
from cormorant.sql import types as t
from cormorant.sql.columns import Column
from cormorant.sql.expr import Expr, Order
from cormorant.sql.nodes import condition as as_condition


@dataclass(frozen=True, slots=True)
class IndexSpec:
    """An index as declared."""

    items: tuple[Any, ...]
    where: Expr[bool] | None
    unique: bool
    name: str | None
    using: str | None
    include: tuple[Any, ...] = ()
    operator_classes: tuple[str | None, ...] = ()


@dataclass(frozen=True, slots=True)
class UniqueSpec:
    """A unique constraint as declared."""

    items: tuple[Any, ...]
    name: str | None
    deferrable: bool


@dataclass(frozen=True, slots=True)
class CheckSpec:
    """A check as declared."""

    condition: Expr[bool]
    name: str | None


@dataclass(frozen=True, slots=True)
class SearchSpec:
    """A full text search as declared."""

    columns: tuple[Column[Any], ...]
    language: str
    name: str | None


TableArg: TypeAlias = IndexSpec | UniqueSpec | CheckSpec | SearchSpec
"""What `__table_args__` may yield."""


def index(
    *items: Expr[Any] | Order | type[Any],
    where: Expr[bool] | None = None,
    unique: bool = False,
    name: str | None = None,
    using: str | None = None,
    include: Sequence[Expr[Any]] = (),
    operator_class: str | Sequence[str | None] | None = None,
) -> TableArg:
    """Declares an index.

    Args:
        items: Columns, relations (their key), expressions, each perhaps with `.desc()`.
        where: Index only the rows for which this holds.
        unique: Refuse a second row with the same values.
        name: Its name; made from table and columns otherwise.
        using: An access method of PostgreSQL: "gin" finds what lists and documents contain. SQLite has none, and
            makes no such index.
        include: Columns of the model that PostgreSQL keeps with the index, so that queries need not look them up.
        operator_class: How PostgreSQL compares the items, "gin_trgm_ops": one for all of them, or one for each.

    Example:
        >>> yield index(cls.author, cls.created.desc(), where=cls.views > 0)
        ... # CREATE INDEX ix_articles_author_id_created ON articles (author_id, created DESC) WHERE views > 0
    """
    if not items:
        raise ModelError("index() has nothing to index", hint="name columns: index(cls.author, cls.created.desc())")
    if using is not None and not re.fullmatch("[a-z][a-z0-9_]*", using):
        raise ModelError(f"{using!r} is no access method", hint='use "gin", "gist", "brin" or "hash"')
    if using is not None and unique:
        raise ModelError(f"a {using} index cannot be unique", hint="leave out one of them")
    classes = (operator_class,) * len(items) if isinstance(operator_class, str) else tuple(operator_class or ())
    for each in classes:
        if each is not None and not re.fullmatch(r"[a-z_][a-z0-9_.]*", each):
            raise ModelError(f"{each!r} is no operator class", hint='use one of PostgreSQL, such as "gin_trgm_ops"')
    return IndexSpec(items, where, unique, name, using, tuple(include), classes)


def unique(*items: Expr[Any] | type[Any], name: str | None = None, deferrable: bool = False) -> TableArg:
    """Declares that no two rows have the same values in these columns or relations.

    Args:
        items: Columns, relations (their key).
        name: Its name; made from table and columns otherwise.
        deferrable: PostgreSQL looks when the transaction commits, so that rows may exchange their values in one
            flush; an upsert cannot go by it. SQLite has no such constraint, and looks at every row at once.

    Example:
        >>> yield unique(cls.board, cls.position, deferrable=True)
        ... # CONSTRAINT ... UNIQUE ("board_id", "position") DEFERRABLE INITIALLY DEFERRED
    """
    if not items:
        raise ModelError("unique() names no column", hint="name columns: unique(cls.author, cls.title)")
    return UniqueSpec(items, name, deferrable)


def check(condition: Expr[bool], name: str | None = None) -> TableArg:
    """Declares a condition every row must meet.

    Example:
        >>> yield check(cls.views >= 0)      # CHECK (views >= 0)
    """
    return CheckSpec(as_condition(condition), name)


def search_index(*columns: Expr[str | None], language: str = "simple", name: str | None = None) -> TableArg:
    """Declares that the words of columns are searched together, by `search(...)`.

    PostgreSQL gets a GIN index over the words, SQLite an FTS5 table and triggers that keep it in step.

    Args:
        columns: Columns of text.
        language: Whose forms of words count as one ("note", "notes"); "simple", which every database has, takes words
            as they are. SQLite knows "simple" and "english".
        name: Its name; made from table and columns otherwise.

    Example:
        >>> yield search_index(cls.title, cls.body, language="english")
        ... # CREATE INDEX "fts_articles_title_body" ON "articles" USING gin ((to_tsvector('english', ...)))
    """
    if not columns:
        raise ModelError("search_index() names no column", hint="name columns: search_index(cls.title, cls.body)")
    return SearchSpec(text_columns("search_index()", columns), checked_language(language), name)


_is_column: Callable[[object], TypeIs[Column[Any]]] = narrower(Column)


def text_columns(what: str, columns: tuple[object, ...]) -> tuple[Column[Any], ...]:
    """Gives what is searched, if it is columns of text.

    Raises:
        WrongType: Naming what is none.
    """
    found: list[Column[Any]] = []
    for column in columns:
        if not _is_column(column) or not isinstance(column.type, t.Text):
            raise WrongType(f"{what} got {column!r}, which is no column of text", hint="name columns: Article.title")
        if any(column.key == other.key for other in found):
            raise WrongType(f"{what} got {column!r} twice")
        found.append(column)
    return tuple(found)


def checked_language(language: object) -> str:
    """Refuses what is no name of a text search configuration: it becomes a part of the SQL.

    Raises:
        ModelError: Naming it.
    """
    if not isinstance(language, str) or not re.fullmatch("[a-z][a-z0-9_]{0,62}", language):
        raise ModelError(f"{language!r} is no language", hint='use "simple", "english", ...')
    return language
