"""What is computed from columns: numbers, texts, moments, cases, aggregates, windows. Checked, never run."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import assert_type
from uuid import UUID

from cormorant import Expr, case, func, literal, tuple_
from cormorant.sql.expr import Order as Sorted
from tests.typing.shop import Customer, Line, Order, Product


def numbers(days: Expr[date], maybe: Expr[int | None], when: Expr[datetime | None]) -> None:
    assert_type(1 + Customer.id, Expr[int])
    assert_type(1 - Customer.id, Expr[int])
    assert_type(2 * Customer.id, Expr[int])
    assert_type(2 / Customer.id, Expr[float])
    assert_type(7 // Customer.id, Expr[int])
    assert_type(7 % Customer.id, Expr[int])
    assert_type(2**Customer.id, Expr[float])
    assert_type(1.5 * Customer.id, Expr[float])
    assert_type(Decimal(1) - Product.price, Expr[Decimal])
    assert_type(1 - Product.price, Expr[Decimal])
    assert_type(1 - Product.discount, Expr[Decimal | None])
    assert_type(1 + maybe, Expr[int | None])
    assert_type(Customer.id / 2, Expr[float])
    assert_type(Customer.id // 2, Expr[int])
    assert_type(Customer.id % 2, Expr[int])
    assert_type(Customer.id**2, Expr[float])
    assert_type(maybe / 2, Expr[float | None])
    assert_type(maybe // Customer.id, Expr[int | None])
    assert_type(Customer.id % maybe, Expr[int | None])
    assert_type(Product.volume / 2, Expr[float | None])
    assert_type(Product.price / 3, Expr[Decimal])
    assert_type(Product.price // Customer.id, Expr[Decimal])
    assert_type(Product.price % Decimal(2), Expr[Decimal])
    assert_type(Product.price / Product.discount, Expr[Decimal | None])
    assert_type(Customer.id * Product.price, Expr[Decimal])
    assert_type(Customer.id + Decimal(1), Expr[Decimal])
    assert_type(-Customer.id, Expr[int])
    assert_type(-Product.discount, Expr[Decimal | None])
    assert_type(abs(Product.weight), Expr[float])
    assert_type(-Product.delivery, Expr[timedelta])
    assert_type("Dr. " + Customer.name, Expr[str])
    assert_type("x" + Customer.mail, Expr[str | None])
    assert_type(days + timedelta(days=1), Expr[date])
    assert_type(timedelta(days=1) + days, Expr[date])
    assert_type(days - days, Expr[timedelta])
    assert_type(date(2024, 1, 1) - days, Expr[timedelta])
    assert_type(days - date(2024, 1, 1), Expr[timedelta])
    assert_type(Customer.made - datetime.now(), Expr[timedelta])
    assert_type(datetime.now() - Customer.made, Expr[timedelta])
    assert_type(timedelta(1) + Customer.made, Expr[datetime])
    assert_type(datetime.now() + Product.delivery, Expr[datetime])
    assert_type(Product.delivery + Customer.made, Expr[datetime])
    assert_type(Product.delivery * 2, Expr[timedelta])
    assert_type(2 * Product.delivery, Expr[timedelta])
    assert_type(Customer.id * timedelta(hours=1), Expr[timedelta])
    assert_type(when - Customer.made, Expr[timedelta | None])
    assert_type(when + timedelta(1), Expr[datetime | None])


def numbers_refused(days: Expr[date]) -> None:
    Customer.name / 2  # type: ignore[operator]  # pyright: ignore[reportOperatorIssue, reportUnusedExpression]
    Product.weight // 2  # type: ignore[operator]  # pyright: ignore[reportOperatorIssue, reportUnusedExpression]
    Product.weight % 2  # type: ignore[operator]  # pyright: ignore[reportOperatorIssue, reportUnusedExpression]
    Product.price**2  # type: ignore[operator]  # pyright: ignore[reportOperatorIssue, reportUnusedExpression]
    Product.price * 1.5  # type: ignore[operator]  # pyright: ignore[reportOperatorIssue, reportUnusedExpression]
    Product.price + Product.weight  # type: ignore[operator]  # pyright: ignore[reportOperatorIssue, reportUnusedExpression]
    1 + Customer.name  # type: ignore[operator]  # pyright: ignore[reportOperatorIssue, reportUnusedExpression]
    days + 1  # type: ignore[operator]  # pyright: ignore[reportOperatorIssue, reportUnusedExpression]
    days + days  # type: ignore[operator]  # pyright: ignore[reportOperatorIssue, reportUnusedExpression]
    -Customer.name  # type: ignore[misc]  # pyright: ignore[reportOperatorIssue, reportUnusedExpression]
    abs(Customer.name)  # pyright: ignore[reportArgumentType]


def number_functions(maybe: Expr[int | None]) -> None:
    assert_type(func.abs(maybe), Expr[int | None])
    assert_type(func.sign(Product.price), Expr[int])
    assert_type(func.round(Product.price, 1), Expr[Decimal])
    assert_type(func.round(Product.volume), Expr[float | None])
    assert_type(func.floor(Product.weight), Expr[int])
    assert_type(func.ceil(Product.discount), Expr[int | None])
    assert_type(func.sqrt(Customer.id), Expr[float])
    assert_type(func.power(Product.weight, 2), Expr[float])
    assert_type(func.random(), Expr[float])
    assert_type(func.greatest(maybe, Customer.id, 3), Expr[int | None])
    assert_type(func.least(Product.price, Product.price), Expr[Decimal])
    assert_type(func.coalesce(Customer.mail, Customer.mail, "?"), Expr[str])
    assert_type(func.coalesce(Customer.mail, Customer.mail), Expr[str | None])
    assert_type(func.nullif(Customer.name, ""), Expr[str | None])
    func.round(Customer.name)  # type: ignore[type-var]  # pyright: ignore[reportArgumentType]
    func.sqrt("x")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]


def texts() -> None:
    assert_type(func.length(Customer.name), Expr[int])
    assert_type(func.length(Customer.mail), Expr[int | None])
    assert_type(func.trim(Customer.mail), Expr[str | None])
    assert_type(func.substr(Customer.name, 1, Customer.id), Expr[str])
    assert_type(func.replace(Customer.name, "a", Customer.name), Expr[str])
    assert_type(func.left(Customer.name, 3), Expr[str])
    assert_type(func.lpad(Customer.mail, 3, "x"), Expr[str | None])
    assert_type(func.strpos(Customer.mail, "x"), Expr[int | None])
    assert_type(func.reverse(Customer.name), Expr[str])
    assert_type(func.concat(Customer.name, " ", Customer.mail), Expr[str])
    assert_type(Customer.name.like("a%"), Expr[bool])
    assert_type(Customer.mail.ilike("a%"), Expr[bool])
    assert_type(Customer.mail.not_like("a%"), Expr[bool])
    assert_type(Customer.name.matches("^a"), Expr[bool])
    assert_type(Customer.name.imatches(Customer.mail), Expr[bool])
    func.lower(Customer.id)  # type: ignore[type-var]  # pyright: ignore[reportArgumentType]
    func.left(Customer.name, "x")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    func.concat(Customer.id)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    Customer.id.like("x")  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]


def moments(days: Expr[date], hours: Expr[time], when: Expr[datetime | None]) -> None:
    assert_type(func.year(Customer.made), Expr[int])
    assert_type(func.week(days), Expr[int])
    assert_type(func.weekday(when), Expr[int | None])
    assert_type(func.hour(hours), Expr[int])
    assert_type(func.minute(when), Expr[int | None])
    assert_type(func.epoch(Product.delivery), Expr[float])
    assert_type(func.epoch(Customer.made), Expr[float])
    assert_type(func.date(Customer.made), Expr[date])
    assert_type(func.date(when), Expr[date | None])
    assert_type(func.trunc("month", Customer.made), Expr[datetime])
    assert_type(func.trunc("month", days), Expr[date])
    assert_type(func.trunc("month", when), Expr[datetime | None])
    assert_type(func.now(), Expr[datetime])
    assert_type(func.today(), Expr[date])
    func.year(Customer.name)  # type: ignore[arg-type]  # pyright: ignore[reportCallIssue, reportArgumentType]
    func.hour(days)  # type: ignore[arg-type]  # pyright: ignore[reportCallIssue, reportArgumentType]
    func.trunc("moth", Customer.made)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def casts() -> None:
    assert_type(Customer.name.cast(int), Expr[int])
    assert_type(Customer.mail.cast(int), Expr[int | None])
    assert_type(Customer.id.cast(str), Expr[str])
    assert_type(Product.discount.cast(float), Expr[float | None])
    assert_type(Product.sku.cast(str), Expr[str])
    assert_type(func.cast(Customer.made, date), Expr[date])
    assert_type(func.cast(Customer.mail, UUID), Expr[UUID | None])
    assert_type(literal(3), Expr[int])
    assert_type(literal("x") + Customer.name, Expr[str])
    assert_type(literal(None), Expr[None])


def cases() -> None:
    assert_type(case((Customer.id > 3, "a"), (Customer.id > 1, "b"), default="c"), Expr[str])
    assert_type(case((Customer.id > 3, "a")), Expr[str | None])
    assert_type(case((Customer.id > 3, Customer.name), default=""), Expr[str])
    assert_type(case((Customer.id > 3, Customer.name)), Expr[str | None])
    assert_type(case((Customer.id > 3, 1), default=2.5), Expr[float])
    assert_type(case((Customer.id > 3, Customer.id), default=0), Expr[int])
    assert_type(case((Customer.id > 3, Product.price), default=Decimal(0)), Expr[Decimal])
    assert_type(func.sum(case((Customer.id > 3, 1), default=0)), Expr[int | None])
    case((True, "a"))  # type: ignore[arg-type]  # pyright: ignore[reportCallIssue, reportArgumentType]
    case(Customer.id > 3, "a")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]


def comparisons() -> None:
    assert_type(Customer.mail.is_distinct_from(None), Expr[bool])
    assert_type(Customer.mail.is_not_distinct_from("x"), Expr[bool])
    assert_type(Customer.id.not_in([1, 2]), Expr[bool])
    assert_type(tuple_(Customer.id, Customer.name), Expr[tuple[int, str]])
    assert_type(tuple_(Customer.id, Customer.name).in_([(1, "x")]), Expr[bool])
    assert_type(tuple_(Customer.id, Customer.name) > (1, "x"), Expr[bool])
    assert_type(tuple_(Customer.id, Customer.name) == tuple_(Order.id, Customer.name), Expr[bool])
    assert_type(Customer.name.op("@@", "x", returns=bool), Expr[bool])
    tuple_(Customer.id, Customer.name).in_([("x", 1)])  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]
    tuple_(Customer.id, Customer.name) > 3  # type: ignore[operator]  # pyright: ignore[reportOperatorIssue, reportUnusedExpression]
    Customer.id.is_distinct_from("x")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    Customer.name.op("@@", "x")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


def aggregates() -> None:
    assert_type(func.count(filter=Customer.id > 3), Expr[int])
    assert_type(func.sum(Line.amount, distinct=True, filter=Customer.id > 3), Expr[int | None])
    assert_type(func.sum(Product.delivery), Expr[timedelta | None])
    assert_type(func.avg(Product.price), Expr[Decimal | None])
    assert_type(func.avg(Line.amount), Expr[float | None])
    assert_type(func.max(Product.on_sale), Expr[bool | None])
    assert_type(func.stddev(Product.price), Expr[float | None])
    assert_type(func.bool_and(Product.on_sale), Expr[bool | None])
    assert_type(func.string_agg(Customer.name, ", ", order_by=[Customer.id.desc()]), Expr[str | None])
    assert_type(func.array_agg(Customer.id, distinct=True), Expr[list[int]])
    assert_type(func.array_agg(Customer.mail), Expr[list[str | None]])
    assert_type(func.call("every", Product.on_sale, returns=bool, aggregate=True), Expr[bool])
    func.count(filter=True)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    func.bool_or(Customer.id)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    func.string_agg(Customer.id, ",")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def windows() -> None:
    assert_type(func.row_number().over(partition_by=[Order.customer], order_by=[Order.id.desc()]), Expr[int])
    assert_type(func.rank().over(order_by=[Customer.id]) + 1, Expr[int])
    assert_type(func.percent_rank().over(), Expr[float])
    assert_type(func.lag(Customer.name).over(order_by=[Customer.id]), Expr[str | None])
    assert_type(func.lag(Customer.name, 2, default="").over(order_by=[Customer.id]), Expr[str])
    assert_type(func.first_value(Customer.id).over(), Expr[int | None])
    assert_type(func.sum(Line.amount).over(order_by=[Line.amount], rows=(-2, 0)), Expr[int | None])
    assert_type(func.count().over(order_by=[Customer.made], range=(timedelta(days=-7), timedelta(0))), Expr[int])
    assert_type(func.count().over(order_by=[Customer.id], groups=(None, 0)), Expr[int])
    func.count().over(order_by=["x"])  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]
    func.count().over(rows=3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    func.ntile("x")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def orders() -> None:
    assert_type(Customer.mail.desc().nulls_last(), Sorted)
    assert_type(Customer.mail.asc().nulls_first().turned(), Sorted)
