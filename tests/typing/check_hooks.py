"""Hooks, validation and timestamps. Checked, never run; each ignored line must be an error."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any, assert_type

from annotated_types import Ge

from cormorant import (
    AfterHookError,
    AsyncSession,
    Database,
    InvalidField,
    Mapped,
    Model,
    Session,
    ValidationError,
    field,
    generated,
    hooks,
    utcnow,
)
from tests.typing.shop import Customer, Order


class Stamped(Model, abstract=True):
    created: Mapped[datetime] = field(default_factory=utcnow)
    updated: Mapped[datetime] = field(default_factory=utcnow, on_update=utcnow)


class Visit(Stamped):
    id: Mapped[int] = generated(primary_key=True)
    guests: Mapped[Annotated[int, Ge(1)]] = field(default=1, lt=10, multiple_of=1)

    async def before_save(self, *, created: bool) -> None: ...

    def validate(self) -> Iterator[tuple[str, str]]:
        yield ("guests", "are too many")


def columns(visit: Visit) -> None:
    Visit()
    Visit(guests=3, updated=utcnow())
    assert_type(visit.updated, datetime)
    assert_type(visit.guests, int)
    Visit(updated="now")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    field(default=3, on_update=int)
    field(default=3, on_update=utcnow)  # type: ignore[arg-type]
    field(min_size=3)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]


@hooks.before_save(Customer)
async def with_created(customer: Customer, *, created: bool) -> None: ...


@hooks.before_save(Customer)
def without_created(customer: Customer) -> None: ...


@hooks.before_save(Visit)
def of_an_abstract_base(stamped: Stamped) -> None: ...


@hooks.before_validate(Customer)
@hooks.after_save(Customer)
@hooks.after_commit(Customer)
def at_several_events(customer: Customer) -> None: ...


@hooks.before_save(Customer)
@hooks.after_save(Customer)
async def at_several_events_with_created(customer: Customer, *, created: bool) -> None: ...


def of_several(obj: Customer | Order) -> None: ...


hooks.before_validate(Customer)(of_several)
hooks.before_delete(Order)(of_several)


async def calls(customer: Customer, order: Order) -> None:
    await with_created(customer, created=True)
    assert_type(without_created(customer), None)
    await with_created(customer)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    without_created(order)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    hooks.remove(without_created)


def targets(session: AsyncSession, sync: Session, db: Database) -> None:
    @hooks.after_commit(session)
    async def of_a_session(told: AsyncSession) -> None:
        await told.query(Customer)

    @hooks.before_commit(sync)
    def of_a_sync_session(told: Session) -> None:
        told.query(Customer)

    @hooks.after_rollback(db)
    def of_a_database(told: AsyncSession) -> None: ...

    @hooks.before_save(db)
    def of_each_object(obj: Model, *, created: bool) -> None: ...

    @hooks.after_commit(Customer)
    def of_an_object(customer: Customer) -> None: ...

    registered = [of_a_session, of_a_sync_session, of_a_database, of_each_object, of_an_object]
    assert_type(len(registered), int)


def of_order(order: Order) -> None: ...
def with_text(customer: Customer, *, created: str) -> None: ...
def with_more(customer: Customer, more: int) -> None: ...
def of_a_sync_session(session: Session) -> None: ...


def wrong(session: AsyncSession, db: Database) -> None:
    hooks.before_save(Customer)(of_order)  # type: ignore[arg-type]  # pyright: ignore[reportCallIssue, reportArgumentType]
    hooks.before_save(Customer)(with_text)  # type: ignore[arg-type]  # pyright: ignore[reportCallIssue, reportArgumentType]
    hooks.before_delete(Customer)(of_order)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    hooks.before_delete(Customer)(with_more)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    hooks.after_commit(session)(of_a_sync_session)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    hooks.after_commit(db)(of_order)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    hooks.before_save(3)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
    hooks.before_write(Customer)  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]


async def mail(to: str, *, subject: str = "") -> None: ...


def once(session: AsyncSession, sync: Session) -> None:
    session.after_commit(mail, "ada", subject="hello")
    sync.after_rollback(mail, "ada")
    session.after_commit(mail)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    sync.after_commit(mail, 3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def errors(error: ValidationError, after: AfterHookError) -> None:
    assert_type(error.fields, tuple[InvalidField, ...])
    assert_type(error.fields[0].model, str)
    assert_type(error.fields[0].field, str | None)
    assert_type(error.fields[0].row, int | None)
    assert_type(error.problems, tuple[tuple[str, str], ...])
    assert_type(after.errors, tuple[Exception, ...])
    values: list[Any] = [error.fields[0].instance]
    assert_type(values, list[Any])
