"""Joins, aliases, subqueries, common table expressions and unions for type checkers; never run."""

from __future__ import annotations

from typing import assert_type

from cormorant import AsyncSession, Column, Cte, Expr, QuerySet, Rows, Subquery, alias, exists, func, literal
from tests.typing.shop import Customer, Order


async def joins(s: AsyncSession) -> None:
    q = s.query(Order)
    other = alias(Order)
    assert_type(s.query(other).filter(other.id == Order.id), QuerySet[Order])
    assert_type(other, type[Order])
    assert_type(other.id, Column[int])
    assert_type(q.join(other, other.id == Order.id), QuerySet[Order])
    assert_type(q.outer_join(Order.paid_with), QuerySet[Order])
    assert_type(await q.join(other, other.id > Order.id).values(Order.id, other.note), list[tuple[int, str | None]])
    assert_type(await q.outer_join(Customer).values(Order, Customer), list[tuple[Order, Customer]])
    q.join(other, other.id == "x")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    q.join("orders")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    q.join(Customer, Customer.id)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def subqueries(s: AsyncSession) -> None:
    total = func.count().label("total")
    rows = s.query(Order).values(Order.customer.id, total).group_by(Order.customer.id)
    per = rows.subquery("per")
    assert_type(per, Subquery)
    assert_type(per.alias(), Subquery)
    assert_type(per[total], Expr[int])
    assert_type(
        await s.query(Customer).join(per, per[total] > 1).values(Customer.name, per[total]), list[tuple[str, int]]
    )
    depth = literal(0).label("depth")
    tree = (
        s.query(Order)
        .values(Order.id, depth)
        .cte(
            "tree",
            recursive=lambda up: s.query(Order).join(up, up[Order.id] == Order.id).values(Order.id, up[depth] + 1),
        )
    )
    assert_type(tree, Cte)
    assert_type(tree.alias("other"), Cte)
    assert_type(s.query(Customer).with_(tree), QuerySet[Customer])
    assert_type(exists(rows), Expr[bool])
    assert_type(s.query(Order).scalars(Order.note).as_expr(), Expr[str | None])
    s.query(Customer).with_(per)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    exists(Order)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    per["total"]  # type: ignore[index]  # pyright: ignore[reportArgumentType]


async def unions(s: AsyncSession) -> None:
    q = s.query(Order)
    assert_type(q.union(q, q), QuerySet[Order])
    assert_type(q.values(Order.id).union(s.query(Customer).values(Customer.id), all=True), Rows[tuple[int]])
    assert_type(await q.intersect(q).except_(q), list[Order])
    q.union(s.query(Customer))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    q.values(Order.id).union(q.values(Order.note))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    q.union([q])  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
