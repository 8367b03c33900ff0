"""Documents and lists in queries. Checked, never run; each ignored line must be an error."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any, assert_type
from uuid import UUID

from cormorant import Expr, Q, TableArg, search, search_index
from cormorant.sql.columns import Assignment
from tests.typing.shop import Customer, Product


def paths() -> None:
    extra = Product.extra
    assert_type(extra.path("a", 0), Expr[Any])
    assert_type(extra.path("a", returns=str), Expr[str | None])
    assert_type(extra.path("a", returns=int), Expr[int | None])
    assert_type(extra.path("a", returns=bool), Expr[bool | None])
    assert_type(extra.path("a", returns=float), Expr[float | None])
    assert_type(extra.path("a", returns=Decimal), Expr[Decimal | None])
    assert_type(extra.path("a", returns=datetime), Expr[datetime | None])
    assert_type(extra.path("a", returns=date), Expr[date | None])
    assert_type(extra.path("a", returns=UUID), Expr[UUID | None])
    assert_type(extra.path("a", returns=list), Expr[list[Any] | None])
    assert_type(extra.path("a", returns=dict), Expr[dict[str, Any] | None])
    assert_type(extra.path("a").path("b", returns=int) > 3, Expr[bool])
    assert_type(extra.path("a", returns=str) == "x", Expr[bool])
    assert_type(extra.path("a", returns=str).startswith("x"), Expr[bool])
    assert_type(extra.path("a", returns=int) + 1, Expr[int | None])
    assert_type(extra.path("a", returns=list).length(), Expr[int | None])
    assert_type(Customer.home.path("city", returns=str), Expr[str | None])


def documents() -> None:
    extra = Product.extra
    assert_type(extra.has_key("a"), Expr[bool])
    assert_type(extra.has_any_keys({"a", "b"}), Expr[bool])
    assert_type(extra.has_all_keys(["a"]), Expr[bool])
    assert_type(extra.contains({"a": 1}), Expr[bool])
    assert_type(extra.contained_by({"a": 1}), Expr[bool])
    assert_type(Customer.home.contains({"city": "x"}), Expr[bool])
    assert_type(extra.put("a", 0, value=[1]), Expr[dict[str, Any]])
    assert_type(extra.without("a").put("b", value=Product.title), Expr[dict[str, Any]])
    assert_type(extra.set(extra.put("a", value=1)), Assignment)
    assert_type(Customer.home.set(Customer.home.put("city", value="x")), Assignment)


def lists() -> None:
    words = Product.words
    assert_type(words.contains("a"), Expr[bool])
    assert_type(words.contains(["a", "b"]), Expr[bool])
    assert_type(words.contained_by(["a"]), Expr[bool])
    assert_type(words.overlaps(["a"]), Expr[bool])
    assert_type(words.overlaps(words), Expr[bool])
    assert_type(words.length(), Expr[int])
    assert_type(words[0], Expr[str | None])
    assert_type(words[-1] == "a", Expr[bool])
    assert_type(words.concat(["a"]), Expr[list[str]])
    assert_type(words.set(words.concat(["a"])), Assignment)
    assert_type(Customer.name.contains("a"), Expr[bool])
    assert_type(Customer.mail.contains(Customer.name), Expr[bool])


def searches() -> None:
    found = search(Product.title, Customer.mail)
    assert_type(found.matches("ada or grace"), Expr[bool])
    assert_type(found.rank("ada"), Expr[float])
    assert_type(search_index(Product.title, Customer.mail, language="english"), TableArg)


def refused() -> None:
    extra, words = Product.extra, Product.words
    extra.path("a", returns=bytes)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType, reportCallIssue]
    extra.path("a", returns="str")  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType, reportCallIssue]
    extra.path(1.5)  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]
    Q(extra.path("a", returns=int) == "x")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    extra.path("a", returns=str) > 3  # type: ignore[operator]  # pyright: ignore[reportOperatorIssue, reportUnusedExpression]
    extra.set(extra.path("a", returns=int))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    extra.has_key(1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    extra.has_any_keys(1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    words.contains(3)  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType, reportCallIssue]
    words.contains([3])  # type: ignore[list-item]  # pyright: ignore[reportArgumentType, reportCallIssue]
    words.overlaps("a")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    words.overlaps([3])  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]
    words["a"]  # type: ignore[index]  # pyright: ignore[reportArgumentType]
    words.concat("a")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    words.concat([3])  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]
    Q(words[0] == 3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    Customer.name.overlaps(["a"])  # type: ignore[arg-type, misc]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
    Customer.name[0]  # type: ignore[misc]  # pyright: ignore[reportIndexIssue]
    Customer.name.concat(["a"])  # type: ignore[arg-type, misc]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
    Customer.id.contains("x")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    list(words)  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]
    search(Product.price)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    search(Product.words)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    search(Product.title).matches(Product.title)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    search(Product.title).matches(3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    search_index(Product.price)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    search_index(Product.title, language=3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
