"""The nodes that values, comparisons and conditions are made of."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any, Literal, TypeAlias

from cormorant.errors import WrongType
from cormorant.sql import types as t
from cormorant.sql.expr import OPERATORS, Binary, Bind, Binds, Expr, Key, comparable, gather, is_expr
from cormorant.sql.operators import are_whole_numbers, check_comparable, members, searched_text, typed_operand
from cormorant.sql.selectable import Selectable, SelectLike

MatchKind: TypeAlias = Literal["contains", "startswith", "endswith", "exact"]


# ------------------------------------------------------------------ values and columns


class Null(Expr[None]):
    """The literal NULL."""

    __slots__ = ()
    key: Key = "null"
    binds: Binds = ()
    type: t.SqlType = t.UNKNOWN

    @property
    def nullable(self) -> bool:
        return True


# ------------------------------------------------------------------ operators


class Arithmetic(Binary):
    """`left op right` that gives a value of the operands' type."""

    __slots__ = ()


class Logical(Expr[bool]):
    """Conditions joined by AND or OR."""

    __slots__ = ("parts", "sign")
    type: t.SqlType = t.BOOLEAN

    def __init__(self, op: Literal["AND", "OR"], parts: tuple[Expr[Any], ...]) -> None:
        self.sign = op
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
        # keys are looked at all at once: there may be thousands
        for place, item in enumerate(() if are_whole_numbers(item_type, items) else items):
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
        parts = part.children if isinstance(part.type, t.RowType) else (part,)
        if len(select.columns) != len(parts):
            one = len(parts) == 1
            wanted = "one column" if one else f"{len(parts)} columns"
            hint = "name it: query.scalars(Model.id)" if one else "name them: query.values(Model.x, Model.y)"
            raise WrongType(f"in_() takes a query of {wanted}, not of {len(select.columns)}", hint=hint)
        for mine, other in zip(parts, select.columns, strict=True):
            check_comparable((mine, other), mine.type, other.type)
        self.part: Expr[Any] = part
        self.select: SelectLike = select
        self.key: Key = ("in select", part.key, select.key)
        self.binds: Binds = part.binds + select.binds

    @property
    def children(self) -> tuple[Expr[Any], ...]:
        return (self.part,)

    @property
    def nullable(self) -> bool:
        # it is unknown whether something is among unknown values
        return self.part.nullable or any(column.nullable for column in self.select.columns)


class TextMatch(Expr[bool]):
    """A literal text searched in another; no character of it is a wildcard."""

    __slots__ = ("ignore_case", "kind", "part", "text")
    type: t.SqlType = t.BOOLEAN

    def __init__(self, kind: MatchKind, part: Expr[Any], text: Any, *, ignore_case: bool = False) -> None:
        self.kind = kind
        self.part: Expr[Any] = part
        self.ignore_case: bool = ignore_case
        # a value is sent as a pattern, so it is never the parameter that stands in another place
        text = text.value if isinstance(text, Bind) else text
        self.text: Expr[Any] = text if is_expr(text) else Bind(searched_text(part, part.type, text), t.TEXT)
        self.key: Key = (kind, ignore_case, part.key, self.text.key)
        self.binds: Binds = part.binds + self.text.binds

    @property
    def children(self) -> tuple[Expr[Any], ...]:
        return (self.part, self.text)


# ------------------------------------------------------------------ making nodes


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
    first = left.parts if isinstance(left, Logical) and left.sign == op else (left,)
    last = right.parts if isinstance(right, Logical) and right.sign == op else (right,)
    return Logical(op, first + last)


# ------------------------------------------------------------------ what Expr's operators make


def _among(part: Expr[Any], values: Any) -> Expr[bool]:
    if is_expr(values):
        raise WrongType(f"{values!r} is no collection of values", hint="use == to compare two expressions")
    if isinstance(values, Selectable):
        return InSelect(part, values.as_select())
    return OPERATORS["row in"](part, values) if isinstance(part.type, t.RowType) else In(part, values)


def _between(part: Expr[Any], low: Any, high: Any) -> Expr[bool]:
    return Between(part, comparable(part, low), comparable(part, high))


def _joined(op: Literal["AND", "OR"], left: Expr[Any], right: Any) -> Expr[bool]:
    return logical(op, left, condition(right))


OPERATORS.update(
    {
        "in": _among,
        "between": _between,
        "is null": partial(IsNull, negated=False),
        "is not null": partial(IsNull, negated=True),
        **{kind: partial(TextMatch, kind) for kind in ("contains", "startswith", "endswith")},
        **{
            f"i{kind}": partial(TextMatch, kind, ignore_case=True)
            for kind in ("contains", "startswith", "endswith", "exact")
        },
        "AND": partial(_joined, "AND"),
        "OR": partial(_joined, "OR"),
        "NOT": Not,
    }
)
