"""The place of a row among those of its group."""

from __future__ import annotations

from typing import Any

from cormorant.sql import types as t
from cormorant.sql.expr import Binds, Expr, Key, Order, gather


class RowNumber(Expr[int]):
    """Counts the rows of each group in an order, from 1.

    Args:
        partition_by: What the rows of a group have in common.
        order_by: The order they are counted in.
    """

    __slots__ = ("order_by", "partition_by")

    def __init__(self, partition_by: tuple[Expr[Any], ...], order_by: tuple[Order, ...]) -> None:
        self.partition_by: tuple[Expr[Any], ...] = partition_by
        self.order_by: tuple[Order, ...] = order_by
        self.type = t.BIG_INTEGER
        self.key: Key = ("row number", *(part.key for part in partition_by), *(order.key for order in order_by))
        self.binds: Binds = gather(self.children)

    @property
    def children(self) -> tuple[Expr[Any], ...]:
        return (*self.partition_by, *(order.expr for order in self.order_by))

    @property
    def nullable(self) -> bool:
        return False
