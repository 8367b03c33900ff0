"""The functions of numbers, and of values of any type."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, TypeVar, overload

from cormorant.errors import WrongType
from cormorant.sql import types as t
from cormorant.sql.arguments import expression, whole
from cormorant.sql.arithmetic import compute, of_one
from cormorant.sql.conversions import NUMBERS, cast, common, converted, unlimited
from cormorant.sql.derived import Scalar
from cormorant.sql.expr import Expr
from cormorant.sql.formulas import Formula
from cormorant.sql.operators import kind_of

T = TypeVar("T")
N = TypeVar("N", int, float, Decimal, "int | None", "float | None", "Decimal | None")

_MOST_DIGITS = 1000


class Values:
    """`func.round`, `func.coalesce` and the like."""

    # ---- numbers

    def abs(self, expr: Expr[N]) -> Expr[N]:
        """The absolute value; Python's `abs()` does the same."""
        return of_one("abs", expression("func.abs()", expr, NUMBERS))

    @overload
    def sign(self, expr: Expr[float | Decimal]) -> Expr[int]: ...
    @overload
    def sign(self, expr: Expr[float | Decimal | None]) -> Expr[int | None]: ...
    def sign(self, expr: Any) -> Any:
        """-1, 0 or 1."""
        return Formula("sign", (expression("func.sign()", expr, NUMBERS),), t.INTEGER)

    def round(self, expr: Expr[N], digits: int = 0) -> Expr[N]:
        """The number rounded to so many decimal places, halves away from zero; it stays of its type.

        Python's `round()` rounds halves to even digits. Of a float the first 15 digits are rounded, which makes 2.68
        of 2.675.

        Args:
            expr: The number.
            digits: The decimal places; -2 rounds to hundreds.
        """
        part = expression("func.round()", expr, NUMBERS)
        places = whole("func.round(digits)", digits, least=-_MOST_DIGITS, most=_MOST_DIGITS)
        return Formula("round", (part, places), _computed(part.type))

    @overload
    def floor(self, expr: Expr[float | Decimal]) -> Expr[int]: ...
    @overload
    def floor(self, expr: Expr[float | Decimal | None]) -> Expr[int | None]: ...
    def floor(self, expr: Any) -> Any:
        """The largest whole number that is not larger."""
        return _whole("floor", expr)

    @overload
    def ceil(self, expr: Expr[float | Decimal]) -> Expr[int]: ...
    @overload
    def ceil(self, expr: Expr[float | Decimal | None]) -> Expr[int | None]: ...
    def ceil(self, expr: Any) -> Any:
        """The smallest whole number that is not smaller."""
        return _whole("ceil", expr)

    @overload
    def sqrt(self, expr: Expr[float | Decimal]) -> Expr[float]: ...
    @overload
    def sqrt(self, expr: Expr[float | Decimal | None]) -> Expr[float | None]: ...
    def sqrt(self, expr: Any) -> Any:
        """The square root; of a negative number an error."""
        return Formula("sqrt", (converted(expression("func.sqrt()", expr, NUMBERS), t.FLOAT),), t.FLOAT)

    @overload
    def power(self, base: Expr[float], exponent: float | Expr[float]) -> Expr[float]: ...
    @overload
    def power(self, base: Expr[float | None], exponent: float | Expr[float | None]) -> Expr[float | None]: ...
    def power(self, base: Any, exponent: Any) -> Any:
        """`base` to the power of `exponent`, the same as `**`."""
        return compute("**", expression("func.power()", base, NUMBERS), exponent)

    def random(self) -> Expr[float]:
        """A random number from 0 to 1, without 1; another one for each row."""
        return Formula("random", (), t.FLOAT, nullable=False)

    # ---- values of any type

    def greatest(self, first: Expr[T], *others: T | Expr[T]) -> Expr[T]:
        """The largest of several values, NULLs left out; NULL if all are."""
        return _extreme("greatest", first, others)

    def least(self, first: Expr[T], *others: T | Expr[T]) -> Expr[T]:
        """The smallest of several values, NULLs left out; NULL if all are."""
        return _extreme("least", first, others)

    @overload
    def coalesce(self, expr: Expr[T | None], default: T | Expr[T], /) -> Expr[T]: ...
    @overload
    def coalesce(self, expr: Expr[T | None], second: Expr[T | None], default: T | Expr[T], /) -> Expr[T]: ...
    @overload
    def coalesce(
        self, expr: Expr[T | None], second: Expr[T | None], third: Expr[T | None], default: T | Expr[T], /
    ) -> Expr[T]: ...
    @overload
    def coalesce(self, expr: Expr[T], /, *others: T | Expr[T]) -> Expr[T]: ...
    def coalesce(self, expr: Any, /, *others: Any) -> Any:
        """The first value that is not NULL.

        Example:
            >>> func.coalesce(Author.nickname, Author.name, "?")
            ... # coalesce("author"."nickname", "author"."name", $1::text)
        """
        first = expression("func.coalesce()", expr)
        parts, type_ = common("func.coalesce()", (first, *others))
        return Formula("coalesce", parts, type_, nullable=all(part.nullable for part in parts))

    def nullif(self, expr: Expr[T], value: T | Expr[T]) -> Expr[T | None]:
        """The value, or NULL where it is `value`."""
        parts, type_ = common("func.nullif()", (expression("func.nullif()", expr), value))
        return Formula("nullif", parts, type_, nullable=True)

    @overload
    def cast(self, expr: Expr[Scalar], type_: type[T]) -> Expr[T]: ...
    @overload
    def cast(self, expr: Expr[Scalar | None], type_: type[T]) -> Expr[T | None]: ...
    def cast(self, expr: Any, type_: Any) -> Any:
        """The value as one of another class, the same as `expr.cast(type_)`."""
        return cast(expression("func.cast()", expr), type_)


def _whole(name: str, expr: object) -> Expr[Any]:
    part = expression(f"func.{name}()", expr, NUMBERS)
    return part if kind_of(part.type) == "integer" else Formula(name, (part,), t.COMPUTED_INTEGER)


def _computed(type_: t.SqlType) -> t.SqlType:
    return t.COMPUTED_INTEGER if kind_of(type_) == "integer" else unlimited(type_)


def _extreme(name: str, first: object, others: tuple[Any, ...]) -> Expr[Any]:
    place = f"func.{name}()"
    parts, type_ = common(place, (expression(place, first), *others))
    if not others:
        raise WrongType(f"{place} of one value", hint=f"of many rows: func.{'max' if name == 'greatest' else 'min'}()")
    if kind_of(type_) in ("json", "array"):
        raise WrongType(f"{place}: {first!r} is {type_.name}, which has no order")
    return Formula(name, parts, type_, nullable=all(part.nullable for part in parts))
