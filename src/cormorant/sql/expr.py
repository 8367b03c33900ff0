"""`Expr`: SQL expressions as frozen values, typed by the Python value they give.

Every node carries two things besides its parts: `key`, its shape without values (two nodes of equal key compile to
equal SQL), and `binds`, its values in the order they stand. Both are made when the node is made, so that a warm
query finds its plan without walking the tree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeAlias, overload

from typing_extensions import TypeIs, TypeVar

from cormorant._internal.narrowing import narrower
from cormorant.errors import ExpressionUsedAsBool, WrongType
from cormorant.sql import types as t
from cormorant.sql.operators import PLAIN, check_comparable, typed_operand
from cormorant.sql.selectable import Selectable

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

Key: TypeAlias = "str | tuple[Any, ...]"
Binds: TypeAlias = "tuple[Bind, ...]"

OPERATORS: dict[str, Callable[..., Expr[Any]]] = {}
"""What makes the node of each operator: the modules that define nodes enter them here, `Expr` only names them."""


class Expr(Generic[T_co]):
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

    def between(self, low: T_co | Expr[T_co], high: T_co | Expr[T_co]) -> Expr[bool]:
        """Whether `low <= value <= high`."""
        return OPERATORS["between"](self, low, high)

    def is_null(self) -> Expr[bool]:
        """Whether the value is NULL."""
        return OPERATORS["is null"](self)

    def is_not_null(self) -> Expr[bool]:
        """Whether the value is not NULL."""
        return OPERATORS["is not null"](self)

    # ---- text

    def contains(self: Expr[str | None], part: str | Expr[str]) -> Expr[bool]:
        """Whether the text holds `part`, taken literally: % and _ mean themselves."""
        return OPERATORS["contains"](self, part)

    def startswith(self: Expr[str | None], prefix: str | Expr[str]) -> Expr[bool]:
        """Whether the text begins with `prefix`, taken literally."""
        return OPERATORS["startswith"](self, prefix)

    def endswith(self: Expr[str | None], suffix: str | Expr[str]) -> Expr[bool]:
        """Whether the text ends with `suffix`, taken literally."""
        return OPERATORS["endswith"](self, suffix)

    def icontains(self: Expr[str | None], part: str | Expr[str]) -> Expr[bool]:
        """Like `contains`, without regard to case."""
        return OPERATORS["icontains"](self, part)

    def istartswith(self: Expr[str | None], prefix: str | Expr[str]) -> Expr[bool]:
        """Like `startswith`, without regard to case."""
        return OPERATORS["istartswith"](self, prefix)

    def iendswith(self: Expr[str | None], suffix: str | Expr[str]) -> Expr[bool]:
        """Like `endswith`, without regard to case."""
        return OPERATORS["iendswith"](self, suffix)

    def iexact(self: Expr[str | None], text: str | Expr[str]) -> Expr[bool]:
        """Whether the texts are equal without regard to case."""
        return OPERATORS["iexact"](self, text)

    # ---- boolean

    def __and__(self: Expr[bool | None], other: Expr[bool | None]) -> Expr[bool]:
        return NotImplemented if isinstance(other, Joined) else OPERATORS["AND"](self, other)

    def __or__(self: Expr[bool | None], other: Expr[bool | None]) -> Expr[bool]:
        return NotImplemented if isinstance(other, Joined) else OPERATORS["OR"](self, other)

    def __invert__(self: Expr[bool | None]) -> Expr[bool]:
        return OPERATORS["NOT"](self)

    # ---- arithmetic; the overloads of nullable values overlap for an expression that is always NULL

    @overload
    def __add__(self: Expr[int], other: int | Expr[int]) -> Expr[int]: ...
    @overload
    def __add__(self: Expr[float], other: float | Expr[float]) -> Expr[float]: ...
    @overload
    def __add__(self: Expr[Decimal], other: Decimal | int | Expr[Decimal]) -> Expr[Decimal]: ...
    @overload
    def __add__(self: Expr[str], other: str | Expr[str]) -> Expr[str]: ...
    @overload
    def __add__(self: Expr[datetime], other: timedelta | Expr[timedelta]) -> Expr[datetime]: ...
    @overload
    def __add__(self: Expr[timedelta], other: timedelta | Expr[timedelta]) -> Expr[timedelta]: ...
    @overload
    def __add__(self: Expr[int | None], other: int | Expr[int | None]) -> Expr[int | None]: ...  # type: ignore[overload-overlap]  # pyright: ignore[reportOverlappingOverload]
    @overload
    def __add__(self: Expr[float | None], other: float | Expr[float | None]) -> Expr[float | None]: ...  # type: ignore[overload-overlap]
    @overload
    def __add__(self: Expr[Decimal | None], other: Decimal | int | Expr[Decimal | None]) -> Expr[Decimal | None]: ...  # type: ignore[overload-overlap]
    @overload
    def __add__(self: Expr[str | None], other: str | Expr[str | None]) -> Expr[str | None]: ...
    def __add__(self, other: Any) -> Any:
        return OPERATORS["+"](self, other)

    @overload
    def __sub__(self: Expr[int], other: int | Expr[int]) -> Expr[int]: ...
    @overload
    def __sub__(self: Expr[float], other: float | Expr[float]) -> Expr[float]: ...
    @overload
    def __sub__(self: Expr[Decimal], other: Decimal | int | Expr[Decimal]) -> Expr[Decimal]: ...
    @overload
    def __sub__(self: Expr[datetime], other: Expr[datetime]) -> Expr[timedelta]: ...
    @overload
    def __sub__(self: Expr[datetime], other: timedelta | Expr[timedelta]) -> Expr[datetime]: ...
    @overload
    def __sub__(self: Expr[timedelta], other: timedelta | Expr[timedelta]) -> Expr[timedelta]: ...
    @overload
    def __sub__(self: Expr[int | None], other: int | Expr[int | None]) -> Expr[int | None]: ...  # type: ignore[overload-overlap]  # pyright: ignore[reportOverlappingOverload]
    @overload
    def __sub__(self: Expr[float | None], other: float | Expr[float | None]) -> Expr[float | None]: ...  # type: ignore[overload-overlap]
    @overload
    def __sub__(self: Expr[Decimal | None], other: Decimal | int | Expr[Decimal | None]) -> Expr[Decimal | None]: ...
    def __sub__(self, other: Any) -> Any:
        return OPERATORS["-"](self, other)

    @overload
    def __mul__(self: Expr[int], other: int | Expr[int]) -> Expr[int]: ...
    @overload
    def __mul__(self: Expr[float], other: float | Expr[float]) -> Expr[float]: ...
    @overload
    def __mul__(self: Expr[Decimal], other: Decimal | int | Expr[Decimal]) -> Expr[Decimal]: ...
    @overload
    def __mul__(self: Expr[int | None], other: int | Expr[int | None]) -> Expr[int | None]: ...  # type: ignore[overload-overlap]  # pyright: ignore[reportOverlappingOverload]
    @overload
    def __mul__(self: Expr[float | None], other: float | Expr[float | None]) -> Expr[float | None]: ...  # type: ignore[overload-overlap]
    @overload
    def __mul__(self: Expr[Decimal | None], other: Decimal | int | Expr[Decimal | None]) -> Expr[Decimal | None]: ...
    def __mul__(self, other: Any) -> Any:
        return OPERATORS["*"](self, other)

    # ---- naming, ordering, typing

    def asc(self) -> Order:
        """Smallest first, the default of `order_by`."""
        return Order(self, descending=False)

    def desc(self) -> Order:
        """Largest first."""
        return Order(self, descending=True)

    def label(self, name: str) -> Expr[T_co]:
        """The same value under a name of your own."""
        return Label(self, name)

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
        self.key: Key = "?" + type_.key
        self.binds: Binds = (self,)

    @property
    def nullable(self) -> bool:
        return self.value is None

    def __repr__(self) -> str:
        return f"<value {self.type.name}>"


class Binary(Expr[Any]):
    """`left op right`: a comparison or arithmetic."""

    __slots__ = ("left", "op", "right")

    def __init__(self, op: str, left: Expr[Any], right: Expr[Any], type_: t.SqlType) -> None:
        self.op: str = op
        self.left: Expr[Any] = left
        self.right: Expr[Any] = right
        self.type = type_
        self.key: Key = (op, left.key, right.key)
        self.binds: Binds = left.binds + right.binds

    @property
    def children(self) -> tuple[Expr[Any], ...]:
        return (self.left, self.right)


class Comparison(Binary):
    """`left op right` that gives a boolean."""

    __slots__ = ()


class Order:
    """An expression with a direction, for `order_by` and indexes."""

    __slots__ = ("descending", "expr", "key")

    def __init__(self, expr: Expr[Any], *, descending: bool) -> None:
        self.expr: Expr[Any] = expr
        self.descending: bool = descending
        self.key: Key = ("desc" if descending else "asc", expr.key)


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


def gather(parts: Iterable[Expr[Any]]) -> Binds:
    """Gives the values of several expressions in order."""
    return tuple(bind for part in parts for bind in part.binds)


def walk(expr: Expr[Any]) -> Iterator[Expr[Any]]:
    """Gives an expression and all it is made of, outermost first; inner statements are not entered."""
    yield expr
    for child in expr.children:
        yield from walk(child)


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
        except WrongType:
            comparable(left, right)  # it raises, and names the expression
        return Comparison(op, left, Bind(right, type_), t.BOOLEAN)
    return Comparison(op, left, comparable(left, right), t.BOOLEAN)


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
