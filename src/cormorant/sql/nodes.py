"""SQL expressions as frozen values, typed by the Python value they give.

Every node carries two things besides its parts: `key`, its shape without values (two nodes of equal key compile to
equal SQL), and `binds`, its values in the order they stand. Both are made when the node is made, so that a warm
query finds its plan without walking the tree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Generic, Literal, NoReturn, TypeAlias, overload

from typing_extensions import TypeIs, TypeVar

from cormorant._internal.narrowing import narrower
from cormorant.errors import ExpressionUsedAsBool, WrongType
from cormorant.sql import types as t
from cormorant.sql.operators import PLAIN, check_comparable, members, result_type, searched_text, typed_operand
from cormorant.sql.selectable import Selectable, SelectLike

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

Key: TypeAlias = "str | tuple[Any, ...]"
Binds: TypeAlias = "tuple[Bind, ...]"
MatchKind: TypeAlias = Literal["contains", "startswith", "endswith", "exact"]


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
        return IsNull(self, negated=False) if other is None else compare("=", self, other)

    @overload  # type: ignore[override]
    def __ne__(self: Expr[Decimal | None], other: int) -> Expr[bool]: ...
    @overload
    def __ne__(self, other: T_co | Expr[T_co]) -> Expr[bool]: ...
    def __ne__(self, other: Any) -> Expr[bool]:  # pyright: ignore[reportIncompatibleMethodOverride]
        return IsNull(self, negated=True) if other is None else compare("<>", self, other)

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
        if is_expr(values):
            raise WrongType(f"{values!r} is no collection of values", hint="use == to compare two expressions")
        return InSelect(self, values.as_select()) if isinstance(values, Selectable) else In(self, values)

    def between(self, low: T_co | Expr[T_co], high: T_co | Expr[T_co]) -> Expr[bool]:
        """Whether `low <= value <= high`."""
        return Between(self, comparable(self, low), comparable(self, high))

    def is_null(self) -> Expr[bool]:
        """Whether the value is NULL."""
        return IsNull(self, negated=False)

    def is_not_null(self) -> Expr[bool]:
        """Whether the value is not NULL."""
        return IsNull(self, negated=True)

    # ---- text

    def contains(self: Expr[str | None], part: str | Expr[str]) -> Expr[bool]:
        """Whether the text holds `part`, taken literally: % and _ mean themselves."""
        return TextMatch("contains", self, part)

    def startswith(self: Expr[str | None], prefix: str | Expr[str]) -> Expr[bool]:
        """Whether the text begins with `prefix`, taken literally."""
        return TextMatch("startswith", self, prefix)

    def endswith(self: Expr[str | None], suffix: str | Expr[str]) -> Expr[bool]:
        """Whether the text ends with `suffix`, taken literally."""
        return TextMatch("endswith", self, suffix)

    def icontains(self: Expr[str | None], part: str | Expr[str]) -> Expr[bool]:
        """Like `contains`, without regard to case."""
        return TextMatch("contains", self, part, ignore_case=True)

    def istartswith(self: Expr[str | None], prefix: str | Expr[str]) -> Expr[bool]:
        """Like `startswith`, without regard to case."""
        return TextMatch("startswith", self, prefix, ignore_case=True)

    def iendswith(self: Expr[str | None], suffix: str | Expr[str]) -> Expr[bool]:
        """Like `endswith`, without regard to case."""
        return TextMatch("endswith", self, suffix, ignore_case=True)

    def iexact(self: Expr[str | None], text: str | Expr[str]) -> Expr[bool]:
        """Whether the texts are equal without regard to case."""
        return TextMatch("exact", self, text, ignore_case=True)

    # ---- boolean

    def __and__(self: Expr[bool | None], other: Expr[bool | None]) -> Expr[bool]:
        return NotImplemented if isinstance(other, Joined) else logical("AND", self, condition(other))

    def __or__(self: Expr[bool | None], other: Expr[bool | None]) -> Expr[bool]:
        return NotImplemented if isinstance(other, Joined) else logical("OR", self, condition(other))

    def __invert__(self: Expr[bool | None]) -> Expr[bool]:
        return Not(self)

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
        return arithmetic("||" if isinstance(self.type, t.Text) else "+", self, other)

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
        return arithmetic("-", self, other)

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
        return arithmetic("*", self, other)

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


# ------------------------------------------------------------------ values and columns


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


class Null(Expr[None]):
    """The literal NULL."""

    __slots__ = ()
    key: Key = "null"
    binds: Binds = ()
    type: t.SqlType = t.UNKNOWN

    @property
    def nullable(self) -> bool:
        return True


class Order:
    """An expression with a direction, for `order_by` and indexes."""

    __slots__ = ("descending", "expr", "key")

    def __init__(self, expr: Expr[Any], *, descending: bool) -> None:
        self.expr: Expr[Any] = expr
        self.descending: bool = descending
        self.key: Key = ("desc" if descending else "asc", expr.key)


# ------------------------------------------------------------------ operators


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


class Arithmetic(Binary):
    """`left op right` that gives a value of the operands' type."""

    __slots__ = ()


class Logical(Expr[bool]):
    """Conditions joined by AND or OR."""

    __slots__ = ("op", "parts")
    type: t.SqlType = t.BOOLEAN

    def __init__(self, op: Literal["AND", "OR"], parts: tuple[Expr[Any], ...]) -> None:
        self.op = op
        self.parts: tuple[Expr[Any], ...] = parts
        self.key: Key = (op, *(part.key for part in parts))
        self.binds: Binds = gather(parts)

    @property
    def children(self) -> tuple[Expr[Any], ...]:
        return self.parts


class Not(Expr[bool]):
    """NOT, with SQL's meaning: NOT NULL is NULL."""

    __slots__ = ("part",)
    type: t.SqlType = t.BOOLEAN

    def __init__(self, part: Expr[Any]) -> None:
        self.part: Expr[Any] = part
        self.key: Key = ("not", part.key)
        self.binds: Binds = part.binds

    @property
    def children(self) -> tuple[Expr[Any], ...]:
        return (self.part,)


class IsNotTrue(Not):
    """False or NULL: what `.exclude()` keeps."""

    __slots__ = ()

    def __init__(self, part: Expr[Any]) -> None:
        super().__init__(part)
        self.key: Key = ("not true", part.key)

    @property
    def nullable(self) -> bool:
        return False


class IsNull(Expr[bool]):
    """IS NULL and IS NOT NULL."""

    __slots__ = ("negated", "part")
    type: t.SqlType = t.BOOLEAN

    def __init__(self, part: Expr[Any], *, negated: bool) -> None:
        self.part: Expr[Any] = part
        self.negated: bool = negated
        self.key: Key = ("is not null" if negated else "is null", part.key)
        self.binds: Binds = part.binds

    @property
    def children(self) -> tuple[Expr[Any], ...]:
        return (self.part,)

    @property
    def nullable(self) -> bool:
        return False


class Between(Expr[bool]):
    """`low <= part <= high`."""

    __slots__ = ("high", "low", "part")
    type: t.SqlType = t.BOOLEAN

    def __init__(self, part: Expr[Any], low: Expr[Any], high: Expr[Any]) -> None:
        self.part: Expr[Any] = part
        self.low: Expr[Any] = low
        self.high: Expr[Any] = high
        self.key: Key = ("between", part.key, low.key, high.key)
        self.binds: Binds = gather((part, low, high))

    @property
    def children(self) -> tuple[Expr[Any], ...]:
        return (self.part, self.low, self.high)


class In(Expr[bool]):
    """Membership in a list of values, sent as one array so that the SQL does not depend on its length."""

    __slots__ = ("part", "values")
    type: t.SqlType = t.BOOLEAN

    def __init__(self, part: Expr[Any], values: Iterable[Any]) -> None:
        items = members(part, values)
        item_type = t.NUMERIC if isinstance(part.type, t.Numeric) else part.type
        for place, item in enumerate(items):
            if item is None:
                raise WrongType(f"{part!r}.in_() got None, which IN never matches", hint="add | column.is_null()")
            items[place], item_type = typed_operand(part, part.type, item)
        self.part: Expr[Any] = part
        self.values: Bind = Bind(items, t.Array(item_type))
        self.key: Key = ("in", part.key, self.values.key)
        self.binds: Binds = (*part.binds, self.values)

    @property
    def children(self) -> tuple[Expr[Any], ...]:
        return (self.part, self.values)


class InSelect(Expr[bool]):
    """Membership in the rows of a query."""

    __slots__ = ("part", "select")
    type: t.SqlType = t.BOOLEAN

    def __init__(self, part: Expr[Any], select: SelectLike) -> None:
        if len(select.columns) != 1:
            wanted = f"in_() takes a query of one column, not of {len(select.columns)}"
            raise WrongType(wanted, hint="name it: query.scalars(Model.id)")
        check_comparable((part, select.columns[0]), part.type, select.columns[0].type)
        self.part: Expr[Any] = part
        self.select: SelectLike = select
        self.key: Key = ("in select", part.key, select.key)
        self.binds: Binds = part.binds + select.binds

    @property
    def children(self) -> tuple[Expr[Any], ...]:
        return (self.part,)


class TextMatch(Expr[bool]):
    """A literal text searched in another; no character of it is a wildcard."""

    __slots__ = ("ignore_case", "kind", "part", "text")
    type: t.SqlType = t.BOOLEAN

    def __init__(self, kind: MatchKind, part: Expr[Any], text: Any, *, ignore_case: bool = False) -> None:
        self.kind = kind
        self.part: Expr[Any] = part
        self.ignore_case: bool = ignore_case
        self.text: Expr[Any] = text if is_expr(text) else Bind(searched_text(part, part.type, text), t.TEXT)
        self.key: Key = (kind, ignore_case, part.key, self.text.key)
        self.binds: Binds = part.binds + self.text.binds

    @property
    def children(self) -> tuple[Expr[Any], ...]:
        return (self.part, self.text)


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


# ------------------------------------------------------------------ making nodes


def gather(parts: Iterable[Expr[Any]]) -> Binds:
    """Gives the values of several expressions in order."""
    return tuple(bind for part in parts for bind in part.binds)


def walk(expr: Expr[Any]) -> Iterator[Expr[Any]]:
    """Gives an expression and all it is made of, outermost first; inner statements are not entered."""
    yield expr
    for child in expr.children:
        yield from walk(child)


_CONDITIONS = (t.Boolean, t.Unknown, t.Custom)


def condition(value: object) -> Expr[Any]:
    """Refuses what is no condition: a bool, above all, which is what a comparison of the wrong types gives.

    Raises:
        WrongType: Saying how a bool comes about.
    """
    if is_expr(value):
        if isinstance(value.type, _CONDITIONS):
            return value
        raise WrongType(f"{value!r} is {value.type.name}, not a condition", hint="compare it: Model.column == value")
    if isinstance(value, bool):
        raise WrongType(
            f"{value} is a Python bool, not a condition",
            hint='write the column first (Author.name == "x", not "x" == Author.name) and compare columns, not objects',
        )
    raise WrongType(f"{value!r} ({type(value).__name__}) is not a condition", hint="use Model.column == value")


def logical(op: Literal["AND", "OR"], left: Expr[Any], right: Expr[Any]) -> Logical:
    """Gives `left op right`; a chain of one operator is one node, however long it is."""
    first = left.parts if isinstance(left, Logical) and left.op == op else (left,)
    last = right.parts if isinstance(right, Logical) and right.op == op else (right,)
    return Logical(op, first + last)


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


def arithmetic(op: str, left: Expr[Any], right: Any) -> Expr[Any]:
    """Gives `left op right`; a plain value takes the type of `left`, but moments take intervals."""
    of_moment = isinstance(right, timedelta) and isinstance(left.type, (t.DateTime, t.Interval))
    other = Bind(right, t.INTERVAL) if of_moment else _widen(operand(left, right))
    return Arithmetic(op, left, other, result_type((left, other), op, left.type, other.type))


def _widen(expr: Expr[Any]) -> Expr[Any]:
    return Bind(expr.value, t.BIG_INTEGER) if isinstance(expr, Bind) and isinstance(expr.type, t.Integer) else expr
