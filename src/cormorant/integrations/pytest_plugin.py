"""Fixtures for pytest: `pytest_plugins = ["cormorant.integrations.pytest_plugin"]` in the topmost conftest.py.

It is not loaded by itself, so that it costs those nothing who do not use it.
"""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Generator, Sequence
from typing import Any

import pytest

from cormorant.database import Database
from cormorant.database.configured import configure
from cormorant.models.model import Model
from cormorant.persistence.session import AsyncSession
from cormorant.testing.keeper import Keeper
from cormorant.testing.late_session import LateSession
from cormorant.testing.own_database import own_database
from cormorant.testing.sandbox import Sandbox

pytest.register_assert_rewrite("cormorant.testing.conformance")

_HELP = "the DSN of a database beside which the tests' own ones are made"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the ways to say where the database is."""
    parser.addini("cormorant_dsn", _HELP, default="")
    parser.addoption("--cormorant-dsn", default="", metavar="DSN", help=_HELP)


@pytest.fixture(scope="session")
def cormorant_keeper() -> Generator[Keeper, None, None]:
    """An event loop in a thread of its own, which keeps the connection of the sandboxes."""
    keeper = Keeper()
    yield keeper
    keeper.stop()


@pytest.fixture(scope="session")
def cormorant_dsn(pytestconfig: pytest.Config) -> str:
    """Where the tests' databases are made: --cormorant-dsn, CORMORANT_TEST_DSN or the ini option cormorant_dsn."""
    found = (
        pytestconfig.getoption("--cormorant-dsn")
        or os.environ.get("CORMORANT_TEST_DSN")
        or pytestconfig.getini("cormorant_dsn")
    )
    if not found:
        raise pytest.UsageError(
            "no database is named for the tests: give --cormorant-dsn, set CORMORANT_TEST_DSN, write cormorant_dsn "
            "into the ini file, or override the fixture cormorant_dsn"
        )
    return str(found)


@pytest.fixture(scope="session")
def cormorant_models() -> Sequence[type[Model]]:
    """The models whose tables are made; none stands for every known one."""
    return ()


@pytest.fixture(scope="session")
def cormorant_database(
    cormorant_dsn: str, cormorant_models: Sequence[type[Model]], cormorant_keeper: Keeper
) -> Generator[Database, None, None]:
    """The process's own database, with its tables; the configured one while the tests run."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "test")
    with own_database(cormorant_dsn, worker, cormorant_keeper) as config:
        database = Database(config)
        try:
            cormorant_keeper.run(lambda: _create_tables(database, cormorant_models))
            configure(database)
            yield database
        finally:
            configure(None)
            cormorant_keeper.run(cormorant_keeper.close)
            cormorant_keeper.run(database.close)


async def _create_tables(database: Database, models: Sequence[type[Model]]) -> None:
    beside = database.beside()
    try:
        await beside.create_all(*models)
    finally:
        if beside is not database:
            await beside.close()


@pytest.fixture(scope="session")
def cormorant_programs() -> Sequence[Database]:
    """The databases that the program under test has made; in a sandbox they work on the tests' database."""
    return ()


@pytest.fixture
def cormorant_sandbox(
    cormorant_database: Database, cormorant_programs: Sequence[Database], cormorant_keeper: Keeper
) -> Generator[Database, None, None]:
    """The database for one test: whatever is done to it is undone, also what is committed."""
    with Sandbox(cormorant_database, also=cormorant_programs, keeper=cormorant_keeper) as database:
        yield database


@pytest.fixture
def cormorant_session(cormorant_sandbox: Database) -> Generator[AsyncSession, None, None]:
    """A session in the test's sandbox, entered already; it belongs to the loop it is first used on."""
    session = LateSession(cormorant_sandbox)
    yield session
    session.abandon()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """Has a coroutine test run inside of its session, so that what it calls finds that as the current one."""
    session = getattr(item, "funcargs", {}).get("cormorant_session")
    test = getattr(item, "obj", None)
    if not isinstance(item, pytest.Function) or not isinstance(session, LateSession):
        return (yield)
    if not inspect.iscoroutinefunction(test):
        return (yield)

    @functools.wraps(test)
    async def inside(*args: Any, **keywords: Any) -> Any:
        async with session.block():
            return await test(*args, **keywords)

    item.obj = inside
    try:
        return (yield)
    finally:
        item.obj = test
