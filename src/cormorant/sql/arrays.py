"""List columns in queries: what they contain, their items and their length."""

from __future__ import annotations

from typing import Any

from cormorant._internal.narrowing import is_list
from cormorant._internal.secrets import about
from cormorant.errors import WrongType, reworded
from cormorant.sql import types as t
from cormorant.sql.expr import Binary, Bind, Binds, Expr, Key, is_expr
from cormorant.sql.operators import check_comparable


class ArrayMatch(Binary):
    """Whether one list contains another (@>), is contained in it (<@), or shares an item with it (&&)."""

    __slots__ = ()


class ArrayConcat(Binary):
    """One list after the other."""

    __slots__ = ()


class ArrayItem(Expr[Any]):
    """One item of a list; NULL where there is none.

    Args:
        part: The list.
        place: The item's place, the first being 0 and the last -1.
    """

    __slots__ = ("from_end", "part", "place")

    def __init__(self, part: Expr[Any], place: int) -> None:
        self.part: Expr[Any] = part
        self.place: Bind = Bind(place, t.INTEGER)
        self.from_end: bool = place < 0
        self.type: t.SqlType = items_of(part)
        self.key: Key = ("item", self.from_end, part.key)
        self.binds: Binds = (*part.binds, self.place)

    @property
    def children(self) -> tuple[Expr[Any], ...]:
        return (self.part, self.place)

    @property
    def nullable(self) -> bool:
        return True


class ArrayLength(Expr[Any]):
    """The number of a list's items."""

    __slots__ = ("part",)
    type: t.SqlType = t.INTEGER

    def __init__(self, part: Expr[Any]) -> None:
        self.part: Expr[Any] = part
        self.key: Key = ("length of list", part.key)
        self.binds: Binds = part.binds

    @property
    def children(self) -> tuple[Expr[Any], ...]:
        return (self.part,)


def items_of(part: Expr[Any]) -> t.SqlType:
    """Gives the type of a list's items."""
    base = t.base_of(part.type)
    return base.item if isinstance(base, t.Array) else t.UNKNOWN


def array_match(op: str, part: Expr[Any], value: Any) -> Expr[bool]:
    """Gives a comparison of a list with an item or with several."""
    return ArrayMatch(op, part, _items(part, value), t.BOOLEAN)


def array_concat(left: Expr[Any], right: Any) -> Expr[Any]:
    """Gives a list with the items of another after its own."""
    if not is_expr(right) and not is_list(right):
        raise WrongType(f"{left!r}.concat({right!r}) ({type(right).__name__})", hint="give a list: .concat([item])")
    return ArrayConcat("||", left, _items(left, right), left.type)


def array_item(part: Expr[Any], place: Any) -> Expr[Any]:
    """Gives an item of a list."""
    if not isinstance(place, int) or isinstance(place, bool):
        raise WrongType(f"{part!r}[{place!r}]: the place of an item is an int", hint="the first is [0], the last [-1]")
    t.INTEGER.check(place)
    return ArrayItem(part, place)


def _items(part: Expr[Any], value: Any) -> Expr[Any]:
    """Gives one item, several, or another list as a list."""
    if is_expr(value):
        one = not isinstance(t.base_of(value.type), (t.Array, t.Unknown))
        if one:
            raise WrongType(f"{value!r} is {value.type.name}, not a list", hint="compare lists with lists")
        check_comparable((part, value), part.type, value.type)
        return value
    if isinstance(part.type, t.Custom) and isinstance(value, part.type.python):
        return Bind(value, part.type)
    items: list[Any] = value if is_list(value) else [value]
    type_ = t.Array(items_of(part))
    if None in items:
        raise WrongType(f"{part!r} is asked for None, which no list is found by", hint="leave it out")
    try:
        type_.check(items)
    except WrongType as error:
        raise reworded(error, about(f"{part!r}", error.message), hint=error.hint) from None
    return Bind(items, type_)
