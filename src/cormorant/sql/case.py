"""CASE: the value of the first condition that holds."""

from __future__ import annotations

from typing import Any, TypeVar, overload

from cormorant._internal.narrowing import is_tuple
from cormorant.errors import QueryError, WrongType
from cormorant.sql import types as t
from cormorant.sql.conversions import common
from cormorant.sql.expr import Binds, Expr, Key, gather
from cormorant.sql.nodes import condition

T = TypeVar("T")


class Case(Expr[Any]):
    """CASE WHEN ... THEN ... ELSE ... END.

    Args:
        conditions: What is asked, in order.
        values: The value of each condition.
        default: The value where none holds; NULL if not given.
        type_: The type of all values.
    """

    __slots__ = ("conditions", "default", "values")

    def __init__(
        self,
        conditions: tuple[Expr[Any], ...],
        values: tuple[Expr[Any], ...],
        default: Expr[Any] | None,
        type_: t.SqlType,
    ) -> None:
        self.conditions: tuple[Expr[Any], ...] = conditions
        self.values: tuple[Expr[Any], ...] = values
        self.default: Expr[Any] | None = default
        self.type = type_
        self.key: Key = ("case", len(conditions), type_.key, *(child.key for child in self.children))
        self.binds: Binds = gather(self.children)

    @property
    def children(self) -> tuple[Expr[Any], ...]:
        pairs = zip(self.conditions, self.values, strict=True)
        parts = tuple(part for pair in pairs for part in pair)
        return parts if self.default is None else (*parts, self.default)

    @property
    def nullable(self) -> bool:
        return self.default is None or self.default.nullable or any(value.nullable for value in self.values)

    def __repr__(self) -> str:
        return f"case({', '.join(map(repr, self.conditions))})"


_MISSING: Any = object()


@overload
def case(*whens: tuple[Expr[bool | None], T | Expr[T]], default: T | Expr[T]) -> Expr[T]: ...
@overload
def case(*whens: tuple[Expr[bool | None], Expr[T]]) -> Expr[T | None]: ...
@overload
def case(*whens: tuple[Expr[bool | None], T | Expr[T]]) -> Expr[T | None]: ...
def case(*whens: tuple[Expr[bool | None], Any], default: Any = _MISSING) -> Expr[Any]:
    """Gives the value of the first condition that holds.

    Args:
        whens: Pairs of a condition and its value, plain or an expression. The values are of one type; whole numbers
            may stand among floats or among Decimals, and None among all.
        default: The value where no condition holds; NULL if not given.

    Raises:
        QueryError: There is no pair.
        WrongType: A pair is none, or the values have no type in common.

    Example:
        >>> case((Article.views > 100, "hot"), (Article.views > 10, "warm"), default="cold")
        ... # CASE WHEN "articles"."views" > $1 THEN $2::text WHEN ... THEN $4::text ELSE $5::text END
    """
    if not whens:
        raise QueryError("case() has no condition", hint='case((Article.views > 100, "hot"), default="cold")')
    pairs = [_pair(when) for when in whens]
    ends = [] if default is _MISSING else [default]
    values, type_ = common("case()", [*(value for _, value in pairs), *ends])
    conditions = tuple(condition(asked) for asked, _ in pairs)
    return Case(conditions, values[: len(pairs)], values[-1] if ends else None, type_)


def _pair(when: object) -> tuple[Any, Any]:
    if not is_tuple(when) or len(when) != 2:
        raise WrongType(f"case() takes pairs of a condition and a value, not {when!r}", hint="(condition, value)")
    return when[0], when[1]
