"""What every test can ask for: a database, empty and real.

`database_dsn` runs a test once on each database; `postgres_database` once, on an empty PostgreSQL database;
`postgres_dsn` is the session's PostgreSQL database as the test before left it. With `CORMORANT_TEST_PGBOUNCER=1` the
way there leads through a PgBouncer in transaction mode; tests marked `direct` need the server itself, and are left out.
"""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.support import databases, pgbouncer, postgres, redis_server, temporary

pytest_plugins = ["pytester"]

# the tests that adapters inherit tell what differed
pytest.register_assert_rewrite("cormorant.testing.conformance")

# A deadline per example would be a timing assertion.
settings.register_profile("local", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")


def pytest_configure(config: pytest.Config) -> None:
    """Lets a terminated run end like an interrupted one, so that its databases are dropped; says where files go."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # a shell starts what runs in the background deaf to Ctrl-C, which tests send themselves
    signal.signal(signal.SIGINT, signal.default_int_handler)
    temporary.keep_in_memory()
    config.add_cleanup(temporary.keep_bytecode())


@pytest.fixture(scope="session")
def postgres_dsn(worker_label: str) -> Iterator[str]:
    """The DSN of a PostgreSQL database made for this session and dropped at its end."""
    try:
        with postgres.fresh_database(worker_label) as dsn:
            if pgbouncer.is_wanted():
                prepared = {"max_prepared_statements": 100} if pgbouncer.knows_prepared_statements() else {}
                with pgbouncer.started(dsn, **prepared) as pooled:
                    yield pooled
            else:
                yield dsn
    except postgres.PostgresUnavailable as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def worker_label() -> str:
    """Tells the workers of pytest-xdist apart: "gw0_", or "" without it."""
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    return f"{worker}_" if worker else ""


@pytest.fixture
def keeps_tables() -> None:
    """For fixtures that empty the session's PostgreSQL database by themselves, and keep the tables that they want."""


@pytest.fixture
def postgres_database(postgres_dsn: str, request: pytest.FixtureRequest) -> str:
    """The DSN of the session's PostgreSQL database, emptied for this test."""
    if "keeps_tables" not in request.fixturenames:
        postgres.clean(pgbouncer.server_of(postgres_dsn))
    return postgres_dsn


@pytest.fixture(params=databases.BOTH)
def database_dsn(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The DSN of an empty database: the test runs once on SQLite and once on PostgreSQL."""
    return databases.dsn_of(request, tmp_path)


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """The address of a Redis, which others may use too."""
    try:
        with redis_server.some_redis() as url:
            yield url
    except redis_server.RedisUnavailable as error:
        pytest.skip(str(error))


@pytest.fixture
def own_redis() -> Iterator[redis_server.OwnRedis]:
    """A Redis that the test may end and start again."""
    try:
        with redis_server.own_redis() as server:
            yield server
    except redis_server.RedisUnavailable as error:
        pytest.skip(str(error))


def pytest_collection_finish() -> None:
    # tests that collect garbage would go through every module and model of all the others each time
    gc.collect()
    gc.freeze()


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Takes what the tests of a file leave out of the collector's sight, too: parsed sources are a million objects."""
    if nextitem is None or nextitem.path != item.path:
        gc.collect()
        gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks the tests that name a PostgreSQL fixture, so that `-m 'not postgresql'` leaves them out."""
    for item in items:
        if "postgres_dsn" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.postgresql)
        direct = item.get_closest_marker("direct")
        if direct is not None and pgbouncer.is_wanted():
            item.add_marker(pytest.mark.skip(reason=f"not through PgBouncer: {direct.args[0]}"))
