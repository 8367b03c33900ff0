"""What is checked before anything is sent, and what the errors tell."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from typing import Annotated, Any

import annotated_types as at
import pydantic
import pytest

from cormorant import (
    AsyncSession,
    Database,
    HookError,
    Mapped,
    Model,
    ModelError,
    One,
    UnknownName,
    ValidationError,
    WrongType,
    field,
    foreign_key,
    generated,
)
from tests.support import kept_tables
from tests.support.newsroom import rolled_back, sent

Small = Annotated[int, at.Ge(3), at.Lt(10)]


def even(value: int) -> int:
    if value % 2:
        raise ValueError("odd numbers are out")
    return value


class Product(Model, app="checks"):
    id: Mapped[int] = generated(primary_key=True)
    code: Mapped[str] = field(default="AB", min_length=2, max_length=5, pattern="^[A-Z]+$")
    amount: Mapped[int] = field(default=4, gt=0, lt=100, multiple_of=2)
    price: Mapped[Decimal] = field(default=Decimal("1.00"), precision=8, decimal_places=2, multiple_of=Decimal("0.05"))
    weight: Mapped[float] = field(default=1.0, multiple_of=0.1)
    small: Mapped[Small] = field(default=3)
    share: Mapped[Annotated[Decimal, pydantic.Field(gt=0, le=1)]] = field(default=Decimal(1))
    title: Mapped[Annotated[str, pydantic.StringConstraints(min_length=3, pattern="^(?!bad)")]] = field(default="good")
    short: Mapped[Annotated[str, pydantic.Field(max_length=3)]] = field(default="")
    pair: Mapped[Annotated[list[int], at.Len(1, 2)]] = field(default_factory=lambda: [1])
    marks: Mapped[list[Annotated[int, at.Ge(1)]]] = field(default_factory=list)
    even: Mapped[Annotated[int | None, pydantic.AfterValidator(even)]] = field(default=None)
    notes: Mapped[Annotated[dict[str, Any], at.MaxLen(1)]] = field(default_factory=dict)
    plain: Mapped[Annotated[int, pydantic.Field(title="described only")]] = field(default=0)
    secret: Mapped[Annotated[str, at.MinLen(4)]] = field(default="long enough", sensitive=True)


class Booking(Model, app="checks"):
    id: Mapped[int] = generated(primary_key=True)
    starts: Mapped[dt.date]
    ends: Mapped[dt.date]
    guests: Mapped[int] = field(default=1, ge=1)
    product: One[Product | None] = foreign_key(default=None)

    def validate(self) -> Iterator[tuple[str, str]]:
        CALLS.append(self)
        if self.ends < self.starts:
            yield ("ends", f"is before {self.starts}")
        if self.guests > 9:
            yield ("guests", "are too many for one booking")


class Strict(Model, app="checks"):
    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str]

    def validate(self) -> None:
        if self.name == "error":
            raise ValueError("is an error")
        if self.name == "several":
            raise ValidationError([("Strict.name", "is several"), ("Strict", "is wrong")])


CALLS: list[Booking] = []
DAY = dt.date(2026, 1, 2)


@pytest.fixture
async def database(database_dsn: str, keeps_tables: None) -> AsyncIterator[Database]:
    CALLS.clear()
    async with Database(database_dsn) as database:
        await kept_tables.prepare(database, database_dsn, Product, Booking, Strict)
        yield database


async def refused(database: Database, *objects: Model) -> ValidationError:
    async with rolled_back(AsyncSession(database)) as session:
        session.add(*objects)
        with pytest.raises(ValidationError) as caught:
            await session.flush()
        assert sent(session) == 0
        assert set(session.new) == set(objects)
    return caught.value


@pytest.mark.parametrize(
    ("name", "value", "what"),
    [
        ("code", "A", "'A' must have at least 2 characters"),
        ("code", "ABCDEF", "has 6 characters, and at most 5 fit"),
        ("code", "ab", "must match"),
        ("amount", 0, "0 must be more than 0"),
        ("amount", 100, "100 must be less than 100"),
        ("amount", 3, "3 is refused: input should be a multiple of 2"),
        ("amount", True, "is not an int"),
        ("price", Decimal("1.01"), "multiple of 0.05"),
        ("weight", 0.25, "multiple of 0.1"),
        ("small", 2, "2 is refused: input should be greater than or equal to 3"),
        ("small", 10, "input should be less than 10"),
        ("small", "5", "'5' (str) is not an int"),
        ("share", Decimal(0), "greater than 0"),
        ("share", Decimal("1.1"), "less than or equal to 1"),
        ("title", "no", "at least 3 characters"),
        ("title", "badly", "string should match pattern"),
        ("short", "four", "at most 3"),
        ("pair", [], "at least 1 item"),
        ("pair", [1, 2, 3], "at most 2 items"),
        ("marks", [1, 0], "greater than or equal to 1"),
        ("even", 3, "3 is refused: odd numbers are out"),
        ("notes", {"a": 1, "b": 2}, "at most 1 item"),
        ("plain", None, "takes no None"),
        ("secret", "abc", "does not fit its column"),
    ],
)
async def test_values_that_break_a_constraint(database: Database, name: str, value: Any, what: str) -> None:
    product = Product(**{name: value})
    error = await refused(database, product)
    ((place, text),) = error.problems
    assert place == f"Product.{name}"
    assert what in text
    assert error.fields == (("Product", name, text, product, None),)
    assert (error.fields[0].model, error.fields[0].field, error.fields[0].instance) == ("Product", name, product)
    with pytest.raises(ValidationError, match=rf"row 1: Product\.{name}: ") as caught:
        async with AsyncSession(database) as session:
            await session.query(Product).bulk_create([{name: value}])
    assert caught.value.fields[0][:2] == ("Product", name)


async def test_values_that_hold(database: Database) -> None:
    async with AsyncSession(database) as session:
        right = {"weight": 0.3, "price": Decimal("0.15"), "share": 1, "even": 2, "code": "ABCDE", "pair": [1, 2]}
        product = await session.create(Product, **right)
        await session.refresh(product)
        assert (product.weight, product.price, product.share) == (0.3, Decimal("0.15"), Decimal(1))
        await session.query(Product).bulk_create([right])


async def test_changed_fields_alone_are_checked(database: Database) -> None:
    async with AsyncSession(database) as session:
        await session.execute(
            """INSERT INTO checks_product
            (code, amount, price, weight, small, share, title, short, pair, marks, notes, plain, secret)
            VALUES ('none fits', 3, 1, 1, 0, 9, 'x', '', '[1]', '[]', '{}', 0, '')"""
            if database.dialect.name == "sqlite"
            else """INSERT INTO checks_product
            (code, amount, price, weight, small, share, title, short, pair, marks, notes, plain, secret)
            VALUES ('nofit', 3, 1, 1, 0, 9, 'x', '', '{1}', '{}', '{}', 0, '')"""
        )
        product = await session.query(Product).one()
        product.plain = 1
        await session.flush()
        product.small = 1
        with pytest.raises(ValidationError, match=r"Product\.small: 1 is refused"):
            await session.flush()
        product.small = 4
        await session.flush()


async def test_one_error_lists_every_field_of_every_object(database: Database) -> None:
    async with AsyncSession(database) as session:
        kept = await session.create(Booking, starts=DAY, ends=DAY)
        await session.commit()
        kept.guests = 0
        one = Product(code="x", amount=-1, secret="abc")
        two = Booking(starts=DAY, ends=DAY - dt.timedelta(1), guests=10)
        three = Booking(starts="now", ends=DAY - dt.timedelta(1))  # type: ignore[arg-type]
        session.add(one, two, three)
        with pytest.raises(ValidationError) as caught:
            await session.flush()
        assert [(each.model, each.field, each.instance) for each in caught.value.fields] == [
            ("Product", "code", one),
            ("Product", "amount", one),
            ("Product", "secret", one),
            ("Booking", "ends", two),
            ("Booking", "guests", two),
            ("Booking", "starts", three),
            ("Booking", "guests", kept),
        ]
        assert "'abc'" not in str(caught.value)
        assert "7 values cannot be saved" in str(caught.value)
        await session.rollback()


async def test_a_model_checks_its_objects_across_fields(database: Database) -> None:
    async with AsyncSession(database) as session:
        booking = await session.create(Booking, starts=DAY, ends=DAY)
        booking.ends = DAY - dt.timedelta(days=1)
        with pytest.raises(ValidationError, match=r"Booking\.ends: is before 2026-01-02"):
            await session.flush()
        booking.starts = booking.ends
        await session.flush()
        assert [booking] * 3 == CALLS
        await session.flush()
        assert len(CALLS) == 3


async def test_a_check_waits_until_the_fields_are_right_one_by_one(database: Database) -> None:
    error = await refused(database, Booking(starts=None, ends=DAY))  # type: ignore[arg-type]
    assert [place for place, _ in error.problems] == ["Booking.starts"]
    assert CALLS == []


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("error", [("Strict", None, "is an error")]),
        ("several", [("Strict", "name", "is several"), ("Strict", None, "is wrong")]),
    ],
)
async def test_a_check_may_raise(database: Database, name: str, fields: list[tuple[str, str | None, str]]) -> None:
    strict = Strict(name=name)
    error = await refused(database, strict)
    assert [each[:3] for each in error.fields] == fields
    assert all(each.instance is strict for each in error.fields)


async def test_other_errors_of_a_check_pass(database: Database) -> None:
    async with rolled_back(AsyncSession(database)) as session:
        session.add(Booking(starts=DAY, ends=dt.datetime(2026, 1, 1)))
        with pytest.raises(ValidationError, match="is not a date"):
            await session.flush()


@pytest.mark.parametrize(
    ("answer", "error", "what"),
    [
        ([("nmae", "is wrong")], UnknownName, "did you mean 'name'"),
        ("name", WrongType, r"validate\(\) gave 'name'"),
        ([("name",)], WrongType, "give pairs"),
        (3, WrongType, "gave 3"),
    ],
)
async def test_answers_of_a_check_that_say_nothing(
    database: Database, answer: Any, error: type[Exception], what: str
) -> None:
    class Odd(Model, app="checks"):
        id: Mapped[int] = generated(primary_key=True)
        name: Mapped[str]

        def validate(self) -> Any:
            return answer

    async with rolled_back(AsyncSession(database)) as session:
        session.add(Odd(name="x"))
        with pytest.raises(error, match=what):
            await session.flush()


def test_checks_that_cannot_be_called_are_refused() -> None:
    with pytest.raises(HookError, match=r"Later\.validate is async"):

        class Later(Model, app="checks"):
            id: Mapped[int] = generated(primary_key=True)

            async def validate(self) -> None: ...

    with pytest.raises(HookError, match=r"Wanting\.validate wants more"):

        class Wanting(Model, app="checks"):
            id: Mapped[int] = generated(primary_key=True)

            def validate(self, more: int) -> None: ...

    with pytest.raises(HookError, match=r"Fixed\.validate is no method"):

        class Fixed(Model, app="checks"):
            id: Mapped[int] = generated(primary_key=True)

            @staticmethod
            def validate(value: int) -> None: ...


def test_limits_that_do_not_fit_the_column_are_refused() -> None:
    class Limited(Model, app="checks"):
        id: Mapped[int] = generated(primary_key=True)
        age: Mapped[int] = field(ge="0")
        name: Mapped[str] = field(pattern="(")
        count: Mapped[int] = field(min_length=3)
        size: Mapped[str] = field(choices=["s", 1])
        mood: Mapped[str | None] = field(default=None, choices=["good", "bad", None])

    with pytest.raises(ModelError, match=r"Limited\.age has ge='0'"):
        _ = Limited.age
    with pytest.raises(ModelError, match=r"Limited\.name has pattern='\('"):
        _ = Limited.name
    with pytest.raises(ModelError, match=r"Limited\.count has min_length=3"):
        _ = Limited.count
    # no value would be one of those: they were told of by each flush
    with pytest.raises(ModelError, match=r"Limited\.size has choices=\['s', 1\], and 1 \(int\) is not a str"):
        _ = Limited.size
    _ = Limited.mood


async def test_constraints_that_do_not_fit_the_column_are_refused(database: Database) -> None:
    class Misfit(Model, app="checks"):
        id: Mapped[int] = generated(primary_key=True)
        name: Mapped[str] = field(multiple_of=3)

    async with rolled_back(AsyncSession(database)) as session:
        session.add(Misfit(name="x"))
        with pytest.raises(ModelError, match=r"Misfit\.name has constraints that do not fit"):
            await session.flush()


def test_pydantic_is_imported_with_the_first_value_it_checks() -> None:
    code = """
import sys
from typing import Annotated
from annotated_types import Ge
from cormorant import AsyncSession, Database, Mapped, Model, field, generated
import asyncio

class Plain(Model):
    id: Mapped[int] = generated(primary_key=True)
    age: Mapped[int] = field(ge=0, lt=200)

class Checked(Model):
    id: Mapped[int] = generated(primary_key=True)
    age: Mapped[Annotated[int, Ge(0)]]

async def main():
    async with Database("sqlite:///:memory:") as db:
        await db.create_all()
        async with AsyncSession(db) as session:
            await session.create(Plain, age=3)
            assert "pydantic" not in sys.modules
            await session.create(Checked, age=3)
            assert "pydantic" in sys.modules

asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr == ""


def test_refused_rows_of_bulk_writes_have_numbers() -> None:
    error = ValidationError([("row 3: Product.code", "is wrong"), ("Product.code", "is wrong"), ("Product", "is")])
    assert [(each.model, each.field, each.row) for each in error.fields] == [
        ("Product", "code", 3),
        ("Product", "code", None),
        ("Product", None, None),
    ]
