"""What texts are searched for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic

from typing_extensions import TypeVar

from cormorant.sql.operand import OPERATORS

if TYPE_CHECKING:
    from cormorant.sql.expr import Expr

T_co = TypeVar("T_co", covariant=True)


class Searched(Generic[T_co]):
    """The searches in texts."""

    __slots__ = ()

    def startswith(self: Searched[str | None], prefix: str | Expr[str]) -> Expr[bool]:
        """Whether the text begins with `prefix`, taken literally."""
        return OPERATORS["startswith"](self, prefix)

    def endswith(self: Searched[str | None], suffix: str | Expr[str]) -> Expr[bool]:
        """Whether the text ends with `suffix`, taken literally."""
        return OPERATORS["endswith"](self, suffix)

    def icontains(self: Searched[str | None], part: str | Expr[str]) -> Expr[bool]:
        """Like `contains`, without regard to case."""
        return OPERATORS["icontains"](self, part)

    def istartswith(self: Searched[str | None], prefix: str | Expr[str]) -> Expr[bool]:
        """Like `startswith`, without regard to case."""
        return OPERATORS["istartswith"](self, prefix)

    def iendswith(self: Searched[str | None], suffix: str | Expr[str]) -> Expr[bool]:
        """Like `endswith`, without regard to case."""
        return OPERATORS["iendswith"](self, suffix)

    def iexact(self: Searched[str | None], text: str | Expr[str]) -> Expr[bool]:
        """Whether the texts are equal without regard to case."""
        return OPERATORS["iexact"](self, text)

    def like(self: Searched[str | None], pattern: str | Expr[str | None]) -> Expr[bool]:
        r"""Whether the whole text meets a pattern: % is any text, _ one character, \ takes the next one literally.

        Upper and lower case differ, on SQLite too.

        Example:
            >>> Article.title.like("A_a%")                 # "articles"."title" LIKE $1::text
        """
        return OPERATORS["like"](self, pattern)

    def ilike(self: Searched[str | None], pattern: str | Expr[str | None]) -> Expr[bool]:
        """Like `like`, without regard to case."""
        return OPERATORS["ilike"](self, pattern)

    def not_like(self: Searched[str | None], pattern: str | Expr[str | None]) -> Expr[bool]:
        """Whether the whole text does not meet a pattern; NULL for NULL, as `~x.like(pattern)` is."""
        return OPERATORS["NOT"](OPERATORS["like"](self, pattern))

    def not_ilike(self: Searched[str | None], pattern: str | Expr[str | None]) -> Expr[bool]:
        """Like `not_like`, without regard to case."""
        return OPERATORS["NOT"](OPERATORS["ilike"](self, pattern))

    def matches(self: Searched[str | None], pattern: str | Expr[str | None]) -> Expr[bool]:
        r"""Whether a part of the text meets a regular expression, of the database's own kind.

        PostgreSQL reads its advanced regular expressions, SQLite those of Python's `re`; a dot is any character.

        Raises:
            DataError: When the query runs: the expression is none.

        Example:
            >>> Article.title.matches(r"^[A-Z]\w+$")       # "articles"."title" ~ $1::text
        """
        return OPERATORS["matches"](self, pattern)

    def imatches(self: Searched[str | None], pattern: str | Expr[str | None]) -> Expr[bool]:
        """Like `matches`, without regard to case."""
        return OPERATORS["imatches"](self, pattern)
