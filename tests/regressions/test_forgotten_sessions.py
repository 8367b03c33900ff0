"""A session that nobody closed gives its connection back and says so; a forked child starts afresh."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import gc
import os
import subprocess
import sys
import threading
import warnings
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import Any

import pytest

from cormorant import AsyncSession, Database, Mapped, Model, Session, field, generated

ROOT = Path(__file__).parents[2]
HERE = __file__


class Thing(Model, table="forgotten_thing"):
    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str] = field(default="")


@contextlib.contextmanager
def one_warning() -> Iterator[list[str]]:
    """Collects the warnings of its block and of the garbage it leaves; there has to be exactly one."""
    texts: list[str] = []
    gc.collect()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield texts
        gc.collect()
    assert [warning.category for warning in caught] == [ResourceWarning], [str(each.message) for each in caught]
    assert caught[0].filename == HERE
    texts.append(f"{caught[0].message}")


async def until_free(database: Database) -> None:
    """Waits for the connection, the only one to write with, to be back."""

    async def write() -> None:
        async with AsyncSession(database) as session:
            session.add(Thing(name="afterwards"))

    # who is inside of the session that is being closed would be told that he waits in vain
    await asyncio.create_task(write(), context=contextvars.Context())


async def names(database: Database) -> list[str]:
    async with AsyncSession(database) as session:
        return [thing.name for thing in await session.query(Thing).order_by(Thing.id)]


async def opened(database: Database) -> AsyncSession:
    """Gives a session with an open transaction."""
    session = await AsyncSession(database).__aenter__()
    session.add(Thing(name="lost"), Thing(name="lost too"))
    await session.flush()
    return session


OPENED = f"{HERE}:{opened.__code__.co_firstlineno + 2}"
BEGUN = f"{HERE}:{opened.__code__.co_firstlineno + 4}"


@contextlib.asynccontextmanager
async def one_connection(dsn: str) -> AsyncGenerator[Database, None]:
    """Gives a database whose only connection, to write with, is waited for in vain when it was lost."""
    async with Database(dsn, pool_size=1) as database:
        await database.create_all(Thing)
        yield database
        assert database.adapter.stats.in_use == 0
        assert not database.lending.holders
        assert await names(database) == ["afterwards"]


async def test_dropped_while_its_context_goes_on(database_dsn: str) -> None:
    async with one_connection(database_dsn) as database:
        with one_warning() as texts:
            session = await opened(database)
            task = asyncio.current_task()
            assert task is not None
            del session
        await until_free(database)
    assert texts == [
        f"the session opened by {task.get_name()} at {OPENED} was dropped without being closed; its transaction, "
        f"begun by {task.get_name()} at {BEGUN}, is rolled back"
    ]


async def test_returned_by_a_task_that_has_ended(database_dsn: str) -> None:
    async with one_connection(database_dsn) as database:
        with one_warning() as texts:
            await asyncio.create_task(opened(database), name="opener")
            # until then the loop has the task that it goes on with
            await asyncio.sleep(0)
        await until_free(database)
    assert texts[0].startswith(f"the session opened by opener at {OPENED} was dropped")


async def test_left_by_a_task_that_has_failed(database_dsn: str) -> None:
    async def fail(database: Database) -> None:
        session = await opened(database)
        assert session.in_transaction
        raise LookupError

    async with one_connection(database_dsn) as database:
        with one_warning():
            task = asyncio.create_task(fail(database))
            await asyncio.wait([task])
            assert isinstance(task.exception(), LookupError)
            del task
            await asyncio.sleep(0)
        await until_free(database)


async def test_inside_of_blocks(database_dsn: str) -> None:
    async with one_connection(database_dsn) as database:
        with one_warning():
            session = await opened(database)
            block = await session.transaction().__aenter__()
            session.add(Thing(name="inner"))
            await session.flush()
            del session, block
        await until_free(database)


async def test_a_stream_that_was_abandoned_with_its_session(database_dsn: str) -> None:
    async with one_connection(database_dsn) as database:
        with one_warning():
            session = await opened(database)
            rows = session.stream("select name from forgotten_thing", chunk=1)
            assert await anext(rows) == ("lost",)
            del rows, session
            gc.collect()
            # the loop closes what is left of the generator in a task of its own
            await asyncio.sleep(0)
            await asyncio.wait(asyncio.all_tasks() - {asyncio.current_task()})
            await asyncio.sleep(0)
        await until_free(database)


async def test_a_generator_that_holds_a_session_is_closed_without_a_warning(database_dsn: str) -> None:
    async def things(database: Database) -> AsyncGenerator[str, None]:
        async with AsyncSession(database) as session:
            session.add(Thing(name="lost"), Thing(name="lost too"))
            await session.flush()
            for name in ("a", "b"):
                yield name

    async with one_connection(database_dsn) as database:
        found = things(database)
        assert await anext(found) == "a"
        del found
        gc.collect()
        await until_free(database)


async def test_one_that_holds_nothing_goes_silently(database_dsn: str) -> None:
    async with one_connection(database_dsn) as database:
        session = await AsyncSession(database).__aenter__()
        assert await session.query(Thing).count() == 0
        session.add(Thing(name="never sent"))
        del session
        gc.collect()
        await until_free(database)


async def test_one_that_was_committed_goes_silently(database_dsn: str) -> None:
    async with one_connection(database_dsn) as database:
        await until_free(database)
        session = await opened(database)
        await session.rollback()
        del session
        gc.collect()


async def test_found_by_the_garbage_collection_of_another_thread(database_dsn: str) -> None:
    async with one_connection(database_dsn) as database:
        with one_warning():
            session = await opened(database)
            gc.disable()
            try:
                del session
                thread = threading.Thread(target=gc.collect)
                thread.start()
                thread.join()
            finally:
                gc.enable()
        await until_free(database)


def test_when_its_loop_is_closed(database_dsn: str) -> None:
    async def begin() -> AsyncSession:
        await database.create_all(Thing)
        return await opened(database)

    async def end() -> list[str]:
        await until_free(database)
        found = await names(database)
        await database.close()
        return found

    database = Database(database_dsn, pool_size=1)
    with one_warning():
        asyncio.run(begin())
    assert asyncio.run(end()) == ["afterwards"]


def test_when_its_loop_is_closed_and_the_next_one_has_begun(database_dsn: str) -> None:
    sessions: list[AsyncSession] = []

    async def begin() -> None:
        await database.create_all(Thing)
        sessions.append(await opened(database))

    async def end() -> None:
        await until_free(database)
        with one_warning():
            sessions.clear()
        assert await names(database) == ["afterwards"]
        await database.close()

    database = Database(database_dsn, pool_size=1)
    asyncio.run(begin())
    asyncio.run(end())


def test_a_session_without_await(database_dsn: str) -> None:
    database = Database(database_dsn, pool_size=1)
    with Session(database) as session:
        asyncio.run(database.create_all(Thing))
    with one_warning() as texts:
        session = Session(database).__enter__()
        line = sys._getframe().f_lineno - 1
        session.add(Thing(name="lost"), Thing(name="lost too"))
        session.flush()
        del session
    assert f"at {HERE}:{line} was dropped" in texts[0]
    with Session(database) as session:
        session.add(Thing(name="afterwards"))
        session.flush()
        assert [thing.name for thing in session.query(Thing)] == ["afterwards"]
    asyncio.run(database.close())


async def test_warnings_that_are_errors_keep_no_connection(database_dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    raised: list[Any] = []
    async with one_connection(database_dsn) as database:
        session = await opened(database)
        monkeypatch.setattr(sys, "unraisablehook", raised.append)
        del session
        gc.collect()
        await until_free(database)
    assert [each.exc_type for each in raised] == [ResourceWarning]


async def test_close_ends_after_its_time(database_dsn: str) -> None:
    database = Database(database_dsn)
    await database.create_all(Thing)
    session = await opened(database)
    await database.close(timeout=0)
    async with Database(database_dsn) as again, AsyncSession(again) as other:
        assert await other.query(Thing).count() == 0
    with one_warning():
        del session


FORGETFUL = """
import asyncio, sys
from cormorant import AsyncSession, Database, Mapped, Model, generated
class Thing(Model, table="forgotten_thing"):
    id: Mapped[int] = generated(primary_key=True)
database = Database(sys.argv[1])
async def main():
    global session
    await database.create_all(Thing)
    session = await AsyncSession(database).__aenter__()
    session.add(Thing(), Thing())
    await session.flush()
asyncio.run(main())
print("done")
"""


@pytest.mark.parametrize("action", ["default", "error"])
def test_at_the_end_of_the_program(database_dsn: str, action: str) -> None:
    done = run(FORGETFUL, database_dsn, "-W", action)
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr
    assert done.stderr.count("dropped without being closed") == 1, done.stderr
    # what asyncpg says besides is that the database was not closed
    assert done.stderr.count("ResourceWarning") == 1 or "postgresql" in database_dsn, done.stderr
    assert "<string>:10 was dropped without being closed" in done.stderr
    assert "<string>:12, is rolled back" in done.stderr


FORK = """
import asyncio, os, sys
from cormorant import AsyncSession, Database
database = Database(sys.argv[1])
async def ask():
    async with AsyncSession(database) as session:
        return (await session.execute("SELECT 1")).scalar()
assert asyncio.run(ask()) == 1
child = os.fork()
if child == 0:
    os._exit(0 if asyncio.run(ask()) == 1 else 1)
_, status = os.waitpid(child, 0)
assert asyncio.run(ask()) == 1
os._exit(os.waitstatus_to_exitcode(status))
"""


def run(program: str, dsn: str, *options: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        [sys.executable, *options, "-c", program, dsn],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_forked_child_opens_connections_of_its_own(database_dsn: str) -> None:
    done = run(FORK, database_dsn)
    assert done.returncode == 0, done.stderr
