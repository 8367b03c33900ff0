"""The functions of texts, and what texts are searched for by patterns."""

from __future__ import annotations

from functools import partial
from typing import Any, TypeVar, overload

from cormorant.errors import QueryError
from cormorant.sql import types as t
from cormorant.sql.arguments import TEXTS, expression, text_argument, whole
from cormorant.sql.expr import OPERATORS, Expr, is_expr
from cormorant.sql.formulas import Formula

S = TypeVar("S", str, "str | None")

_MOST_CHARACTERS = 1_000_000


class Texts:
    """`func.lower`, `func.substr` and the like."""

    def lower(self, expr: Expr[S]) -> Expr[S]:
        """The text in lower case."""
        return _of_text("lower", expr)

    def upper(self, expr: Expr[S]) -> Expr[S]:
        """The text in upper case."""
        return _of_text("upper", expr)

    @overload
    def length(self, expr: Expr[str]) -> Expr[int]: ...
    @overload
    def length(self, expr: Expr[str | None]) -> Expr[int | None]: ...
    def length(self, expr: Any) -> Any:
        """The number of characters."""
        return Formula("length", (expression("func.length()", expr, TEXTS),), t.INTEGER)

    def concat(self, *parts: str | Expr[str] | Expr[str | None]) -> Expr[str]:
        """The texts in one; NULL counts as an empty text, where `+` would give NULL.

        Example:
            >>> func.concat(Author.name, " <", Author.email, ">")
            ... # concat("author"."name", $1::text, "author"."email", $2::text)
        """
        if not parts:
            raise QueryError("func.concat() of nothing", hint="func.concat(Author.first, Author.last)")
        texts = tuple(text_argument("func.concat()", part) for part in parts)
        return Formula("concat", texts, t.TEXT, nullable=False)

    def trim(self, expr: Expr[S], characters: str = " ") -> Expr[S]:
        """The text without any of these characters at its ends."""
        return _trimmed("trim", expr, characters)

    def ltrim(self, expr: Expr[S], characters: str = " ") -> Expr[S]:
        """The text without any of these characters at its beginning."""
        return _trimmed("ltrim", expr, characters)

    def rtrim(self, expr: Expr[S], characters: str = " ") -> Expr[S]:
        """The text without any of these characters at its end."""
        return _trimmed("rtrim", expr, characters)

    def substr(self, expr: Expr[S], start: int | Expr[int], count: int | Expr[int] | None = None) -> Expr[S]:
        """A part of the text.

        Args:
            expr: The text.
            start: The first character's place, counted from 1. An expression may give less: what would stand before
                the first character is counted and is empty.
            count: How many characters, to the end if not given. A negative expression is an error.

        Raises:
            WrongType: A plain start is less than 1, or a plain count less than 0.

        Example:
            >>> func.substr(Author.name, 1, 3)       # substr("author"."name", $1::integer, $2::integer)
        """
        text = expression("func.substr()", expr, TEXTS)
        places: list[Expr[Any]] = [_count("func.substr(start)", start, least=1)]
        if count is not None:
            places.append(_count("func.substr(count)", count, least=0))
        return Formula("substr", (text, *places), t.TEXT)

    def replace(self, expr: Expr[S], old: str | Expr[str], new: str | Expr[str]) -> Expr[S]:
        """The text with every `old` in it made `new`; an empty `old` is found nowhere."""
        place = "func.replace()"
        texts = (expression(place, expr, TEXTS), text_argument(place, old), text_argument(place, new))
        return Formula("replace", texts, t.TEXT)

    def left(self, expr: Expr[S], count: int) -> Expr[S]:
        """The first characters, at most `count`."""
        return _cut("left", expr, count)

    def right(self, expr: Expr[S], count: int) -> Expr[S]:
        """The last characters, at most `count`."""
        return _cut("right", expr, count)

    def lpad(self, expr: Expr[S], length: int, fill: str = " ") -> Expr[S]:
        """The text in exactly `length` characters: filled at its beginning, or cut at its end."""
        return _padded("lpad", expr, length, fill)

    def rpad(self, expr: Expr[S], length: int, fill: str = " ") -> Expr[S]:
        """The text in exactly `length` characters: filled, or cut, at its end."""
        return _padded("rpad", expr, length, fill)

    @overload
    def strpos(self, expr: Expr[str], part: str | Expr[str]) -> Expr[int]: ...
    @overload
    def strpos(self, expr: Expr[str | None], part: str | Expr[str]) -> Expr[int | None]: ...
    def strpos(self, expr: Any, part: Any) -> Any:
        """The place, counted from 1, where `part` begins in the text; 0 if it is not there."""
        texts = (expression("func.strpos()", expr, TEXTS), text_argument("func.strpos()", part))
        return Formula("strpos", texts, t.INTEGER)

    def reverse(self, expr: Expr[S]) -> Expr[S]:
        """The text from its end to its beginning, character by character."""
        return _of_text("reverse", expr)


def _of_text(name: str, expr: object) -> Expr[Any]:
    return Formula(name, (expression(f"func.{name}()", expr, TEXTS),), t.TEXT)


def _trimmed(name: str, expr: object, characters: object) -> Expr[Any]:
    place = f"func.{name}()"
    return Formula(name, (expression(place, expr, TEXTS), text_argument(place, characters)), t.TEXT)


def _cut(name: str, expr: object, count: object) -> Expr[Any]:
    place = f"func.{name}()"
    return Formula(name, (expression(place, expr, TEXTS), whole(place, count, least=0)), t.TEXT)


def _padded(name: str, expr: object, length: object, fill: object) -> Expr[Any]:
    place = f"func.{name}()"
    size = whole(place, length, least=0, most=_MOST_CHARACTERS)
    return Formula(name, (expression(place, expr, TEXTS), size, text_argument(place, fill)), t.TEXT)


def _count(place: str, value: Any, *, least: int) -> Expr[Any]:
    if is_expr(value):
        # the functions of texts take 32 bits
        return Formula("cast to small integer", (expression(place, value, frozenset({"integer"})),), t.INTEGER)
    return whole(place, value, least=least)


def _searched(name: str, expr: Expr[Any], pattern: object) -> Expr[Any]:
    place = f"{expr!r}.{name}()"
    texts = (expression(place, expr, TEXTS), text_argument(place, pattern))
    return Formula(name, texts, t.BOOLEAN)


OPERATORS.update({name: partial(_searched, name) for name in ("like", "ilike", "matches", "imatches")})
