"""What writing gives: numbers, objects, values and tuples, told by what is passed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import Any, TypedDict, assert_type

from cormorant import AsyncSession, Session, excluded
from cormorant.query.subquery import Cte
from cormorant.sql.columns import Column
from tests.typing.shop import Customer, Order


class CustomerIn(TypedDict):
    name: str
    mail: str


async def updates(s: AsyncSession) -> None:
    q = s.query(Customer)
    assert_type(await q.update(Customer.name.set("x")), int)
    assert_type(await q.update(Customer.name.set("x"), returning=Customer), list[Customer])
    assert_type(await q.update(Customer.name.set("x"), returning=Customer.mail), list[str | None])
    assert_type(await q.update(Customer.name.set("x"), returning=(Customer.id,)), list[tuple[int]])
    assert_type(await q.update(Customer.name.set("x"), returning=(Customer.id, Customer.id + 1)), list[tuple[int, int]])
    assert_type(
        await q.update(Customer.name.set("x"), returning=(Customer.id, Customer.name, Customer.mail)),
        list[tuple[int, str, str | None]],
    )
    assert_type(await q.delete(), int)
    assert_type(await q.delete(returning=Customer), list[Customer])
    assert_type(await q.delete(returning=Customer.id), list[int])
    assert_type(
        await q.delete(returning=(Customer.id, Customer.name, Customer.mail, Customer.id)),
        list[tuple[int, str, str | None, int]],
    )
    own = s.query(Order).filter(Order.customer.id == Customer.id).scalars(Order.note)
    await q.update(Customer.mail.set(own.as_expr()))


async def updates_refuse(s: AsyncSession) -> None:
    q = s.query(Customer)
    await q.update(Customer.name.set("x"), returning=Order)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType, reportCallIssue]
    await q.update(Customer.name.set("x"), returning="id")  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType, reportCallIssue]
    await q.update(Customer.name.set(3))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await q.delete(Customer.name)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]


async def bulk(
    s: AsyncSession,
    rows: Iterable[dict[str, Any]],
    objects: list[Customer],
    typed: list[CustomerIn],
    later: AsyncIterator[Customer],
    later_rows: AsyncIterator[CustomerIn],
) -> None:
    q = s.query(Customer)
    assert_type(await q.bulk_create(objects), list[Customer])
    assert_type(await q.bulk_create(each for each in objects), list[Customer])
    assert_type(await q.bulk_create(later), list[Customer])
    assert_type(await q.bulk_create(rows), int)
    assert_type(await q.bulk_create(typed, batch=3, on_batch=print), int)
    assert_type(await q.bulk_create(later_rows), int)
    assert_type(await q.bulk_create(rows, returning=Customer), list[Customer])
    assert_type(await q.bulk_create(rows, returning=Customer.id), list[int])
    assert_type(await q.bulk_create(rows, returning=(Customer.id, Customer.mail)), list[tuple[int, str | None]])
    assert_type(await q.upsert(objects, on=[Customer.mail]), list[Customer])
    assert_type(await q.upsert(rows, on=[Customer.mail], set=[Customer.name], dedupe="last"), int)
    assert_type(await q.upsert(typed, on=[Customer.mail], set=[]), int)
    name = Customer.name.set(excluded(Customer.name))
    assert_type(await q.upsert(later, on=[Customer.mail], set=[name, Customer.mail]), list[Customer])
    assert_type(await q.upsert(rows, on=[Customer.mail], returning=Customer), list[Customer])
    assert_type(
        await q.upsert(rows, on=[Customer.mail], where=excluded(Customer.id) > 3, returning=Customer.id), list[int]
    )
    both = (Customer.id, Customer.mail)
    assert_type(await q.upsert(rows, on=[Customer.mail], returning=both), list[tuple[int, str | None]])
    assert_type(excluded(Customer.mail), Column[str | None])


async def bulk_refuses(s: AsyncSession, rows: Iterable[dict[str, Any]], orders: list[Order]) -> None:
    q = s.query(Customer)
    await q.bulk_create(orders)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType, reportCallIssue]
    await q.upsert(orders, on=[Customer.mail])  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType, reportCallIssue]
    await q.upsert(rows, on=["mail"])  # type: ignore[arg-type, list-item]  # pyright: ignore[reportArgumentType, reportCallIssue]
    await q.upsert(rows, on=[Customer.mail], dedupe="any")  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType, reportCallIssue]
    await q.upsert(rows, on=[Customer.mail], set=["name"])  # type: ignore[arg-type, list-item]  # pyright: ignore[reportArgumentType, reportCallIssue]


async def one_row(s: AsyncSession) -> None:
    q = s.query(Customer)
    assert_type(await q.get_or_create(mail="a@b", defaults={"name": "x"}), tuple[Customer, bool])
    assert_type(await q.update_or_create(mail="a@b"), tuple[Customer, bool])
    assert_type(await q.insert_from([Customer.name, Customer.mail], s.query(Order).values(Order.note, Order.note)), int)


async def inside(s: AsyncSession) -> None:
    q = s.query(Customer)
    gone = q.delete_cte("gone", returning=(Customer.id, Customer.mail))
    assert_type(gone, Cte)
    assert_type(await q.insert_from([Customer.name, Customer.mail], gone), int)
    older = q.update_cte("older", Customer.name.set("x"), returning=Customer)
    found = q.join(older, older[Customer.id] == Customer.id).values(Customer.id, older[Customer.name])
    assert_type(await found, list[tuple[int, str]])
    q.insert_cte("made", [Customer.name], s.query(Order).scalars(Order.note), returning=Customer.id)
    q.delete_cte("gone", returning="id")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    q.delete_cte("gone", returning=Order)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    q.update_cte("older", Customer.name)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def sync(s: Session, rows: Iterable[dict[str, Any]], objects: list[Customer]) -> None:
    q = s.query(Customer)
    assert_type(q.update(Customer.name.set("x"), returning=Customer.id), list[int])
    assert_type(q.delete(returning=(Customer.id, Customer.name)), list[tuple[int, str]])
    assert_type(q.bulk_create(objects), list[Customer])
    assert_type(q.bulk_create(rows, returning=Customer), list[Customer])
    assert_type(q.upsert(rows, on=[Customer.mail]), int)
    assert_type(q.get_or_create(mail="a@b"), tuple[Customer, bool])
    assert_type(q.insert_from([Customer.name], s.query(Order).scalars(Order.note)), int)
