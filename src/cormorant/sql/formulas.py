"""Functions and operators that every dialect says in its own words, under a name of ours."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from cormorant.errors import CompileError
from cormorant.sql import types as t
from cormorant.sql.expr import Binds, Expr, Key, gather
from cormorant.sql.operators import kind_of

T = TypeVar("T")


class Formula(Expr[Any]):
    """A function or an operator by the name that the dialects' tables have it under.

    Args:
        name: Its name in those tables.
        args: What it is applied to.
        type_: The type of its value.
        nullable: Whether it can give NULL; None: when an argument can.
    """

    __slots__ = ("_nullable", "args", "name")

    def __init__(
        self, name: str, args: tuple[Expr[Any], ...], type_: t.SqlType, *, nullable: bool | None = None
    ) -> None:
        self.name: str = name
        self.args: tuple[Expr[Any], ...] = args
        self.type = type_
        self._nullable = nullable
        self.key: Key = ("formula", name, nullable, type_.key, *(arg.key for arg in args))
        self.binds: Binds = gather(args)

    @property
    def children(self) -> tuple[Expr[Any], ...]:
        return self.args

    @property
    def nullable(self) -> bool:
        return super().nullable if self._nullable is None else self._nullable

    def __repr__(self) -> str:
        return f"{self.name}({', '.join(map(repr, self.args))})"


class Infix(str):
    """A template of operators: inside another expression it stands in parentheses."""

    __slots__ = ()


class Piece:
    """An argument as SQL: `{0}` in a template gives it as it is, `{0:p}` in parentheses where it needs them."""

    __slots__ = ("compound", "nullable", "sql")

    def __init__(self, sql: str, *, compound: bool, nullable: bool) -> None:
        self.sql: str = sql
        self.compound: bool = compound
        self.nullable: bool = nullable

    def __str__(self) -> str:
        return self.sql

    def __format__(self, spec: str) -> str:
        return f"({self.sql})" if spec and self.compound else self.sql


Template: TypeAlias = str | Callable[[Sequence[Piece]], str]
"""How a dialect says a formula: a text with the arguments' places, or a function of them."""


def joined(pieces: Sequence[Piece]) -> str:
    """Gives arguments with commas between them."""
    return ", ".join(map(str, pieces))


LONG = 250
"""So many conditions stand in one chain; SQLite counts each AND and OR of one as a level, and takes 1,000 levels."""


def chained(word: str, conditions: Sequence[str]) -> str:
    """Joins conditions by AND or OR, very many in groups."""
    while len(conditions) > LONG:
        groups = (conditions[start : start + LONG] for start in range(0, len(conditions), LONG))
        conditions = [f"({f' {word} '.join(group)})" for group in groups]
    return f" {word} ".join(conditions)


@dataclass(frozen=True, slots=True)
class Fold:
    """How a dialect says an aggregate.

    Args:
        call: A template with the arguments' places, `{args}`, `{distinct}` and `{order}`; or a function of the
            compiler and the node.
        finish: What is done with the result, after FILTER and OVER.
    """

    call: str | Callable[[Any, Any], str]
    finish: str = "{0}"


def find(table: Mapping[str, T], name: str, kind: str) -> T | None:
    """Gives what a dialect has for a name: first for arguments of this kind, then for all; None if it has nothing."""
    found = table.get(f"{name} of {kind}")
    return table.get(name) if found is None else found


def template_of(table: Mapping[str, Template], node: Formula) -> Template:
    """Gives how a dialect says a formula.

    Raises:
        CompileError: It cannot.
    """
    kind = kind_of(node.args[0].type) if node.args else "nothing"
    found = find(table, node.name, kind)
    if found is None:
        raise CompileError(f"this database has no {node.name!r} for {kind}: {node!r}")
    return found


def is_infix(table: Mapping[str, Template], expr: Expr[Any]) -> bool:
    """Whether an expression is a formula that needs parentheses inside another expression."""
    return isinstance(expr, Formula) and isinstance(template_of(table, expr), Infix)
