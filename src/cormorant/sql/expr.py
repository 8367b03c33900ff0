"""`Expr`: SQL expressions as frozen values, typed by the Python value they give.

Every node carries two things besides its parts: `key`, its shape without values (two nodes of equal key compile to
equal SQL), and `binds`, its values in the order they stand. Both are made when the node is made, so that a warm
query finds its plan without walking the tree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from itertools import chain
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Literal, NoReturn, TypeAlias, overload

from typing_extensions import TypeIs, TypeVar

from cormorant._internal.narrowing import narrower
from cormorant._internal.secrets import about
from cormorant.errors import ExpressionUsedAsBool, WrongType, reworded
from cormorant.sql import types as t
from cormorant.sql.container import Container
from cormorant.sql.derived import Derived
from cormorant.sql.operand import OPERATORS as OPERATORS
from cormorant.sql.operand import Operand
from cormorant.sql.operators import PLAIN, check_comparable, typed_operand
from cormorant.sql.searched import Searched
from cormorant.sql.selectable import Selectable

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

Key: TypeAlias = "str | tuple[Any, ...]"
Binds: TypeAlias = "tuple[Bind, ...]"
Nulls: TypeAlias = Literal["first", "last"]


class Expr(Operand[T_co], Searched[T_co], Container[T_co], Derived[T_co]):
    """Anything that can stand in SELECT, WHERE or ORDER BY and gives a value of the Python type `T_co`.

    Example:
        >>> Article.views > 3          # "articles"."views" > $1
        >>> (Article.views > 3) & Article.title.startswith("A")
    """

    __slots__ = ("binds", "key", "type")

    key: Key
    binds: Binds
    type: t.SqlType

    @property
    def children(self) -> tuple[Expr[Any], ...]:
        """The expressions this one is made of."""
        return ()

    @property
    def nullable(self) -> bool:
        """Whether the value can be NULL."""
        return any(child.nullable for child in self.children)

    def __bool__(self) -> NoReturn:
        raise ExpressionUsedAsBool(
            f"{self!r} is an SQL expression and has no truth value in Python",
            hint="use & | ~ instead of and, or, not; parenthesise comparisons; pass conditions to .filter(...)",
        )

    # == makes SQL, so a node is equal to nothing but itself in sets and as a key
    if TYPE_CHECKING:

        def __hash__(self) -> int: ...

    else:
        __hash__ = object.__hash__

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {' '.join(map(repr, self.children))}>"

    # ---- comparison; a Decimal may also be compared with an int

    @overload  # type: ignore[override]
    def __eq__(self: Expr[Decimal | None], other: int) -> Expr[bool]: ...
    @overload
    def __eq__(self, other: T_co | Expr[T_co]) -> Expr[bool]: ...
    def __eq__(self, other: Any) -> Expr[bool]:  # pyright: ignore[reportIncompatibleMethodOverride]
        return OPERATORS["is null"](self) if other is None else compare("=", self, other)

    @overload  # type: ignore[override]
    def __ne__(self: Expr[Decimal | None], other: int) -> Expr[bool]: ...
    @overload
    def __ne__(self, other: T_co | Expr[T_co]) -> Expr[bool]: ...
    def __ne__(self, other: Any) -> Expr[bool]:  # pyright: ignore[reportIncompatibleMethodOverride]
        return OPERATORS["is not null"](self) if other is None else compare("<>", self, other)

    @overload
    def __lt__(self: Expr[Decimal | None], other: int) -> Expr[bool]: ...
    @overload
    def __lt__(self, other: T_co | Expr[T_co]) -> Expr[bool]: ...
    def __lt__(self, other: Any) -> Expr[bool]:
        return compare("<", self, other)

    @overload
    def __le__(self: Expr[Decimal | None], other: int) -> Expr[bool]: ...
    @overload
    def __le__(self, other: T_co | Expr[T_co]) -> Expr[bool]: ...
    def __le__(self, other: Any) -> Expr[bool]:
        return compare("<=", self, other)

    @overload
    def __gt__(self: Expr[Decimal | None], other: int) -> Expr[bool]: ...
    @overload
    def __gt__(self, other: T_co | Expr[T_co]) -> Expr[bool]: ...
    def __gt__(self, other: Any) -> Expr[bool]:
        return compare(">", self, other)

    @overload
    def __ge__(self: Expr[Decimal | None], other: int) -> Expr[bool]: ...
    @overload
    def __ge__(self, other: T_co | Expr[T_co]) -> Expr[bool]: ...
    def __ge__(self, other: Any) -> Expr[bool]:
        return compare(">=", self, other)

    def in_(self, values: Iterable[T_co] | Selectable[T_co]) -> Expr[bool]:
        """Whether the value is one of `values`, a collection or a query of one column."""
        return OPERATORS["in"](self, values)

    def not_in(self, values: Iterable[T_co] | Selectable[T_co]) -> Expr[bool]:
        """Whether the value is none of `values`; as in SQL, neither a NULL nor a query that gives one is ever kept."""
        return OPERATORS["NOT"](OPERATORS["in"](self, values))

    def is_distinct_from(self, other: T_co | Expr[T_co] | None) -> Expr[bool]:
        """Whether the values differ, NULL being a value like any other: never NULL itself.

        Example:
            >>> Article.editor_id.is_distinct_from(3)      # "articles"."editor_id" IS DISTINCT FROM $1
        """
        return OPERATORS["distinct"](self, other, negated=False)

    def is_not_distinct_from(self, other: T_co | Expr[T_co] | None) -> Expr[bool]:
        """Whether the values are the same, NULL being a value like any other."""
        return OPERATORS["distinct"](self, other, negated=True)

    def between(self, low: T_co | Expr[T_co], high: T_co | Expr[T_co]) -> Expr[bool]:
        """Whether `low <= value <= high`."""
        return OPERATORS["between"](self, low, high)

    def is_null(self) -> Expr[bool]:
        """Whether the value is NULL."""
        return OPERATORS["is null"](self)

    def is_not_null(self) -> Expr[bool]:
        """Whether the value is not NULL."""
        return OPERATORS["is not null"](self)

    # ---- boolean

    def __and__(self: Expr[bool | None], other: Expr[bool | None]) -> Expr[bool]:
        return NotImplemented if isinstance(other, Joined) else OPERATORS["AND"](self, other)

    def __or__(self: Expr[bool | None], other: Expr[bool | None]) -> Expr[bool]:
        return NotImplemented if isinstance(other, Joined) else OPERATORS["OR"](self, other)

    def __invert__(self: Expr[bool | None]) -> Expr[bool]:
        return OPERATORS["NOT"](self)

    # ---- naming, ordering, typing

    def asc(self) -> Order:
        """Smallest first, the default of `order_by`."""
        return Order(self, descending=False)

    def desc(self) -> Order:
        """Largest first."""
        return Order(self, descending=True)

    def label(self, name: str) -> Expr[T_co]:
        """The same value under a name of your own, the last one given; the label can be given to `order_by` too."""
        if not isinstance(name, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise WrongType(f"{self!r}.label({name!r}): a label is a str")
        return Label(unlabelled(self), name)

    def optional(self) -> Expr[T_co | None]:
        """The same SQL, typed as possibly None: for columns reached through a nullable relation."""
        return self


class Joined:
    """Conditions that join themselves to others: Q."""

    __slots__ = ()


is_expr: Callable[[object], TypeIs[Expr[Any]]] = narrower(Expr)


class Bind(Expr[Any]):
    """A value that travels as a parameter; checked against its type when the node is made."""

    __slots__ = ("value",)

    def __init__(self, value: Any, type_: t.SqlType) -> None:
        self.value: Any = value
        self.type = type_
        # whether it can be NULL is seen in the SQL around it
        self.key: Key = "?" + type_.key if value is not None else "? null " + type_.key
        self.binds: Binds = (self,)

    @property
    def nullable(self) -> bool:
        return self.value is None

    def __repr__(self) -> str:
        return f"<value {self.type.name}>"


class Binary(Expr[Any]):
    """`left op right`: a comparison or arithmetic."""

    __slots__ = ("left", "right", "sign")

    def __init__(self, op: str, left: Expr[Any], right: Expr[Any], type_: t.SqlType) -> None:
        self.sign: str = op
        self.left: Expr[Any] = left
        self.right: Expr[Any] = right
        self.type = type_
        # `||` puts texts together, and lists in another way
        self.key: Key = (type(self), op, left.key, right.key)
        self.binds: Binds = left.binds + right.binds

    @property
    def children(self) -> tuple[Expr[Any], ...]:
        return (self.left, self.right)


class Comparison(Binary):
    """`left op right` that gives a boolean."""

    __slots__ = ()


class Order:
    """An expression with a direction, for `order_by` and indexes.

    Args:
        expr: What is sorted by.
        descending: Largest first.
        nulls: Where NULL stands; by default it counts as larger than everything.
    """

    __slots__ = ("descending", "expr", "key", "nulls")

    def __init__(self, expr: Expr[Any], *, descending: bool, nulls: Nulls | None = None) -> None:
        self.expr: Expr[Any] = expr
        self.descending: bool = descending
        self.nulls: Nulls | None = nulls
        self.key: Key = ("desc" if descending else "asc", nulls, expr.key)

    def nulls_first(self) -> Order:
        """The same order with NULL before everything.

        Example:
            >>> session.query(Author).order_by(Author.email.asc().nulls_first())   # ORDER BY "email" NULLS FIRST
        """
        return Order(self.expr, descending=self.descending, nulls="first")

    def nulls_last(self) -> Order:
        """The same order with NULL after everything."""
        return Order(self.expr, descending=self.descending, nulls="last")

    def turned(self) -> Order:
        """The order from the other end."""
        nulls = self.nulls and _OTHER_END[self.nulls]
        return Order(self.expr, descending=not self.descending, nulls=nulls)


_OTHER_END: dict[Nulls, Nulls] = {"first": "last", "last": "first"}


class Label(Expr[T_co]):
    """An expression under a name."""

    __slots__ = ("expr", "name")

    def __init__(self, expr: Expr[T_co], name: str) -> None:
        self.expr: Expr[T_co] = expr
        self.name: str = name
        self.type: t.SqlType = expr.type
        self.key: Key = ("label", name, expr.key)
        self.binds: Binds = expr.binds

    @property
    def children(self) -> tuple[Expr[Any], ...]:
        return (self.expr,)


def unlabelled(expr: Expr[Any]) -> Expr[Any]:
    """Gives an expression without its label."""
    return expr.expr if isinstance(expr, Label) else expr


_binds_of: Callable[[Expr[Any]], Binds] = attrgetter("binds")


def gather(parts: Iterable[Expr[Any]]) -> Binds:
    """Gives the values of several expressions in order."""
    return tuple(chain.from_iterable(map(_binds_of, parts)))


def walk(expr: Expr[Any]) -> Iterator[Expr[Any]]:
    """Gives an expression and all it is made of, outermost first; inner statements are not entered."""
    # by a list, not by calls: a sum of a thousand terms is a thousand levels deep
    waiting = [expr]
    while waiting:
        found = waiting.pop()
        yield found
        waiting += reversed(found.children)


def operand(side: Expr[Any], value: Any) -> Expr[Any]:
    """Gives the other operand of `side` as an expression, a plain value checked against its type."""
    if is_expr(value):
        return value
    return Bind(*typed_operand(side, side.type, value))


def compare(op: str, left: Expr[Any], right: Any) -> Expr[bool]:
    """Gives `left op right`."""
    type_ = left.type
    # a value of exactly the class a column holds can be compared, whatever else its type would check
    if type(type_) in PLAIN and type(right) is type_.accepts[0]:
        try:
            type_.check(right)
        except WrongType as error:
            raise reworded(error, about(f"{left!r}", error.message), hint=error.hint) from None
        return Comparison(op, left, Bind(right, type_), t.BOOLEAN)
    if isinstance(type_, t.RowType):
        return OPERATORS["row compare"](op, left, right)
    if op not in ("=", "<>"):
        check_ordered(left)
    return Comparison(op, left, comparable(left, right), t.BOOLEAN)


def check_ordered(expr: Expr[Any]) -> None:
    """Refuses to sort documents and lists: every database has an order of its own for them.

    Raises:
        WrongType: The expression is one.
    """
    # neither is what most types are
    if not expr.type.mutable:
        return
    if isinstance(expr.type, t.Json):
        raise WrongType(
            f"{expr!r} is a JSON document, which has no order", hint='say what it holds: .path("n", returns=int)'
        )
    if isinstance(expr.type, t.Array):
        raise WrongType(f"{expr!r} is a list, which has no order", hint="sort by an item or by .length()")


def comparable(left: Expr[Any], value: Any) -> Expr[Any]:
    """Gives what `left` is compared with as an expression.

    Raises:
        WrongType: The two are of different kinds.
    """
    if value is None:
        raise WrongType(f"{left!r} is compared with None", hint="use .is_null() or .is_not_null()")
    other = operand(left, value)
    check_comparable((left, other), left.type, other.type)
    return other
