"""Expressions over the readings, really run: what each gives is compared with what it should."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from cormorant import AsyncSession, CormorantError, Database, Expr
from tests.support.readings import ROWS, Reading

Cases = Mapping[str, tuple[Callable[[], Expr[Any]], Any]]


@asynccontextmanager
async def readings(dsn: str) -> AsyncIterator[AsyncSession]:
    """Gives a session on a database with the readings."""
    async with Database(dsn) as database:
        await database.drop_all(Reading)
        await database.create_all(Reading)
        async with AsyncSession(database) as session:
            session.add(*(Reading(**row) for row in ROWS))
        async with AsyncSession(database) as session:
            yield session


async def column(session: AsyncSession, expr: Expr[Any]) -> list[Any]:
    """Gives an expression's value for each reading; or, of an aggregate, its one value."""
    return await session.query(Reading).order_by(Reading.id).scalars(expr)


async def wrong(dsn: str, cases: Cases) -> dict[str, Any]:
    """Gives the cases that do not give exactly these values, of exactly these types, or an error of this class."""
    found: dict[str, Any] = {}
    async with readings(dsn) as session:
        for name, (build, expected) in cases.items():
            try:
                values: Any = await column(session, build())
            except CormorantError as error:
                values = type(error)
            if values != expected or (
                isinstance(values, list) and list(map(type, values)) != list(map(type, expected))
            ):
                found[name] = values
    return found


async def folded(dsn: str, cases: Cases) -> dict[str, Any]:
    """Gives the aggregates that do not give exactly this value over all readings."""
    found: dict[str, Any] = {}
    async with readings(dsn) as session:
        for name, (build, expected) in cases.items():
            (value,) = await session.query(Reading).scalars(build())
            if value != expected or type(value) is not type(expected):
                found[name] = value
    return found
