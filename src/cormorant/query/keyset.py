"""The condition that a row comes behind another one in an order: keyset pagination."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

from cormorant.errors import WrongCursor, WrongType
from cormorant.sql import types as t
from cormorant.sql.expr import Comparison, Expr, Order, comparable
from cormorant.sql.nodes import In, IsNull, Logical
from cormorant.sql.tuples import Row, RowComparison

Op: TypeAlias = Literal["<", ">"]


class Step:
    """One expression of an order, with the value it has in the row that others come behind.

    NULL is larger than everything, unless the order says where it stands.

    Args:
        order: The expression and its direction.
        value: The value.
        nullable: Whether other rows may have NULL.

    Raises:
        WrongCursor: The value is of another type.
    """

    __slots__ = ("bind", "expr", "nullable", "nulls_behind", "op")

    def __init__(self, order: Order, value: Any, *, nullable: bool) -> None:
        self.expr: Expr[Any] = order.expr
        self.op: Op = "<" if order.descending else ">"
        self.nullable: bool = nullable or value is None
        self.nulls_behind: bool = (order.nulls or ("first" if order.descending else "last")) == "last"
        # the one node of the value is sent once, however often it stands in the condition
        self.bind: Expr[Any] | None = None if value is None else _operand(order.expr, value)

    def beyond(self) -> Expr[Any] | None:
        """Gives the condition that a row comes behind by this expression alone; None if none can."""
        if self.bind is None:
            return None if self.nulls_behind else IsNull(self.expr, negated=True)
        compared = Comparison(self.op, self.expr, self.bind, t.BOOLEAN)
        if self.nullable and self.nulls_behind:
            return Logical("OR", (compared, IsNull(self.expr, negated=False)))
        return compared

    def equal(self) -> Expr[Any]:
        """Gives the condition that a row has the same value."""
        if self.bind is None:
            return IsNull(self.expr, negated=False)
        return Comparison("=", self.expr, self.bind, t.BOOLEAN)

    def not_before(self) -> Expr[Any] | None:
        """Gives what every row behind has in common, where an index can use it; None where there is nothing."""
        if self.bind is None or (self.nullable and self.nulls_behind):
            return None
        return Comparison(f"{self.op}=", self.expr, self.bind, t.BOOLEAN)


def _operand(expr: Expr[Any], value: Any) -> Expr[Any]:
    try:
        return comparable(expr, value)
    except WrongType as error:
        raise WrongCursor(
            f"the cursor does not fit the order: {error.message}", hint="begin again with the first page: .page(size)"
        ) from None


def behind(steps: Sequence[Step], *, inclusive: bool = False) -> Expr[Any]:
    """Gives the condition that a row comes behind the one whose values the steps have.

    Args:
        steps: The order, the most significant expression first.
        inclusive: That row itself is meant too.
    """
    whole = _row_comparison(steps)
    found = _expanded(steps) if whole is None else whole
    if inclusive:
        same = [step.equal() for step in steps]
        found = Logical("OR", (found, Logical("AND", tuple(same)) if len(same) > 1 else same[0]))
    return found


def _row_comparison(steps: Sequence[Step]) -> Expr[Any] | None:
    """Gives the comparison of all values at once, where one direction holds for all and none is NULL."""
    values = [step.bind for step in steps if step.bind is not None and not step.nullable]
    if len(values) < 2 or len(values) < len(steps) or len({step.op for step in steps}) > 1:
        return None
    left = Row(tuple(step.expr for step in steps))
    return RowComparison(steps[0].op, left, Row(tuple(values)))


def _expanded(steps: Sequence[Step]) -> Expr[Any]:
    """Gives `a > 1 OR (a = 1 AND (b > 2 OR ...))`, with what all of it has in common before it."""
    rest: Expr[Any] | None = None
    for step in reversed(steps):
        beyond = step.beyond()
        if rest is not None:
            tied = Logical("AND", (step.equal(), rest))
            beyond = tied if beyond is None else Logical("OR", (beyond, tied))
        rest = beyond
    if rest is None:
        # nothing comes behind NULL
        return In(steps[0].expr, ())
    common = steps[0].not_before() if len(steps) > 1 else None
    return rest if common is None else Logical("AND", (common, rest))
