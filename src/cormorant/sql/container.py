"""What lists, documents and texts are asked about their content."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Generic, NoReturn, overload
from uuid import UUID

from typing_extensions import TypeVar

from cormorant.errors import ExpressionUsedAsBool
from cormorant.sql.operand import OPERATORS

if TYPE_CHECKING:
    from cormorant.sql.expr import Expr

T_co = TypeVar("T_co", covariant=True)
E = TypeVar("E")
R = TypeVar("R", bool, int, float, str, Decimal, datetime, date, UUID)


class Container(Generic[T_co]):
    """The questions about content; which of them an expression answers depends on its type."""

    __slots__ = ()

    # ---- documents

    @overload
    def path(self, *parts: str | int) -> Expr[Any]: ...
    @overload
    def path(self, *parts: str | int, returns: type[list[Any]]) -> Expr[list[Any] | None]: ...
    @overload
    def path(self, *parts: str | int, returns: type[dict[Any, Any]]) -> Expr[dict[str, Any] | None]: ...
    @overload
    def path(self, *parts: str | int, returns: type[R]) -> Expr[R | None]: ...
    def path(self, *parts: str | int, returns: Any = None) -> Any:
        """A value inside a JSON document; NULL where there is nothing, JSON's null, or a value of another kind.

        Args:
            parts: Keys of objects and places in lists, one by one; the last place of a list is -1.
            returns: What the value is read as: str, int, float, bool, Decimal, datetime (without a zone: UTC), date,
                UUID, list or dict. Without it any JSON value is given, which can be compared but has no order.

        Example:
            >>> Country.extra.path("capital", "people", returns=int) > 1_000_000
            ... # jsonb_path_query_first("country"."extra", $1::jsonpath, '{}', true)::bigint > $2
        """
        return OPERATORS["path"](self, parts, returns)

    def has_key(self, key: str) -> Expr[bool]:
        """Whether a document has the key at its top, or a list in it the text.

        Example:
            >>> Country.extra.has_key("capital")        # "country"."extra" ? $1
        """
        return OPERATORS["has key"](self, key)

    def has_any_keys(self, keys: Iterable[str]) -> Expr[bool]:
        """Whether a document has one of the keys at its top."""
        return OPERATORS["has any key"](self, keys)

    def has_all_keys(self, keys: Iterable[str]) -> Expr[bool]:
        """Whether a document has all of the keys at its top."""
        return OPERATORS["has all keys"](self, keys)

    def put(self, *parts: str | int, value: Any) -> Expr[T_co]:
        """The document with a value put in at a path, for `.set(...)`.

        A missing last key is added; a place beyond a list's end adds an item there. A document that has no object or
        list to put it into stays as it is.

        Args:
            parts: Keys and places, one by one.
            value: A JSON value, or an expression.

        Example:
            >>> Country.extra.set(Country.extra.put("capital", "name", value="Paris"))
        """
        return OPERATORS["put"](self, parts, value)

    def without(self, *parts: str | int) -> Expr[T_co]:
        """The document without what stands at a path, for `.set(...)`."""
        return OPERATORS["without"](self, parts)

    # ---- lists, documents and texts

    @overload
    def contains(self: Container[str | None], part: str | Expr[str]) -> Expr[bool]: ...
    @overload
    def contains(self: Container[list[E] | None], part: E | list[E] | Expr[list[E]]) -> Expr[bool]: ...
    @overload
    def contains(self, part: dict[str, Any] | Expr[dict[str, Any]]) -> Expr[bool]: ...
    def contains(self, part: Any) -> Expr[bool]:
        """Whether the text holds `part`, the list all of these items, or the document all of this one.

        In a text, % and _ mean themselves. A document contains another if it has its keys with values that contain
        the other's; a list in it contains another if it has items that contain each of the other's, in any order.

        Example:
            >>> Article.tags.contains("math")                  # "articles"."tags" @> $1
            >>> Article.tags.contains(["math", "logic"])
            >>> Country.extra.contains({"capital": {"name": "Paris"}})
        """
        return OPERATORS["contains"](self, part)

    @overload
    def contained_by(self: Container[list[E] | None], whole: list[E] | Expr[list[E]]) -> Expr[bool]: ...
    @overload
    def contained_by(self, whole: dict[str, Any] | Expr[dict[str, Any]]) -> Expr[bool]: ...
    def contained_by(self, whole: Any) -> Expr[bool]:
        """Whether every item of the list is one of these, or the document is contained in this one."""
        return OPERATORS["contained by"](self, whole)

    def overlaps(self: Container[list[E] | None], items: list[E] | Expr[list[E]]) -> Expr[bool]:
        """Whether the list has one of these items at least."""
        return OPERATORS["overlaps"](self, items)

    def concat(self: Container[list[E] | None], items: list[E] | Expr[list[E]]) -> Expr[list[E]]:
        """The list column with more items after its own, for `.set(...)`; NULL has none of its own.

        Example:
            >>> Article.tags.set(Article.tags.concat(["new"]))     # SET "tags" = "articles"."tags" || $1::text[]
        """
        return OPERATORS["concat"](self, items)

    @overload
    def length(self: Container[list[Any]]) -> Expr[int]: ...
    @overload
    def length(self) -> Expr[int | None]: ...
    def length(self) -> Expr[Any]:
        """The number of items of a list; NULL for a document that is none. Texts have `func.length`."""
        return OPERATORS["length"](self)

    def __getitem__(self: Container[list[E] | None], place: int) -> Expr[E | None]:
        """One item of a list column, counted from 0, the last being -1; NULL where there is none."""
        return OPERATORS["item"](self, place)

    # with __getitem__ alone Python would try [0], [1], [2] for ever
    __iter__: None = None

    def __contains__(self, item: object) -> NoReturn:
        raise ExpressionUsedAsBool(
            f"{item!r} in {self!r}: Python makes a truth value of `in`", hint="use .contains(item), or .in_([...])"
        )
