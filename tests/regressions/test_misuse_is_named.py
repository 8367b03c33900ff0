"""Misuse that once came out as an error of Python's own is named, with what to do instead."""

from __future__ import annotations

from typing import Any

import pytest

from cormorant import (
    AsyncSession,
    ConfigurationError,
    Database,
    ExpressionUsedAsBool,
    FlushError,
    Many,
    Mapped,
    Model,
    ModelError,
    One,
    QueryError,
    StatementEvent,
    UnknownName,
    WrongType,
    field,
    foreign_key,
    func,
    generated,
    reverse,
)


class Node(Model, table="misused_node"):
    id: Mapped[int] = generated(primary_key=True)
    number: Mapped[int] = field(default=0)
    parent: One[Node | None] = foreign_key(default=None)
    children: Many[Node] = reverse("parent")


NOTHING: Any = None


async def test_what_is_no_model(database_dsn: str) -> None:
    async with Database(database_dsn) as database:
        with pytest.raises(ModelError, match="no concrete model"):
            await database.create_all(NOTHING, int)  # type: ignore[arg-type]
        async with AsyncSession(database) as session:
            with pytest.raises(FlushError, match="no model instance"):
                session.delete(NOTHING)
            with pytest.raises(WrongType, match="no concrete model"):
                await session.get(NOTHING, 1)


class Sleeper:
    async def statement(self, event: StatementEvent, /) -> None: ...


@pytest.mark.parametrize(("observer", "message"), [(NOTHING, "is no observer"), (Sleeper(), "is async")])
async def test_what_cannot_observe(observer: Any, message: str) -> None:
    async with Database("sqlite://") as database:
        with pytest.raises(ConfigurationError, match=message):
            database.observe(observer)


def test_a_column_of_many_objects() -> None:
    many: Any = Node.children
    with pytest.raises(UnknownName, match=r"Node\.children\.any"):
        many.number  # noqa: B018


def test_a_function_nobody_knows() -> None:
    functions: Any = func
    with pytest.raises(UnknownName, match=r"func\.call\('median'"):
        functions.median(Node.number)


async def test_long_chains_and_deep_nests(database_dsn: str) -> None:
    async with Database(database_dsn) as database:
        await database.create_all(Node)
        chain = Node.number == 0
        nest = Node.number == 0
        for number in range(400):
            chain = chain | (Node.number == number)
            nest = (nest | (Node.number == number)) if number % 2 else (nest & (Node.number >= 0))
        async with AsyncSession(database) as session:
            assert await session.query(Node).filter(chain).count() == 0
            with pytest.raises(QueryError, match="nested too deeply"):
                await session.query(Node).filter(nest).count()


def test_a_class_made_by_calling_its_metaclass() -> None:
    made: Any = type(Node)("Dynamic", (Model,), {"__annotations__": {"id": Mapped[int]}, "id": field(primary_key=True)})
    assert made(id=3).id == 3


async def test_a_query_that_was_not_run_has_no_truth_value() -> None:
    async with AsyncSession("sqlite://") as session:
        with pytest.raises(ExpressionUsedAsBool, match=r"has not been run\nHint: .*exists"):
            bool(session.query(Node))
