"""A transaction was ended while another task was about to open it: what that task wrote came back from the dead."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest

from cormorant import AsyncSession, Database
from cormorant.adapters.postgresql import PostgresConnection
from cormorant.errors import SessionTaskError, StatementError, TransactionFailedError, UniqueViolation
from cormorant.models.state import is_persistent
from tests.support.newsroom import MODELS, Label, Writer, rolled_back


class Gate:
    """Holds BEGIN back, or the statement that it goes along with."""

    def __init__(self, database: Database) -> None:
        self._execute: Any = database.execute
        self._sends: dict[str, Any] = {"fetch": database.fetch, "query": database.query}
        self.reached, self.opened = asyncio.Event(), asyncio.Event()

    async def execute(self, connection: Any, tracker: Any, sql: str) -> Any:
        if sql.startswith("BEGIN"):
            await self._pass()
        return await self._execute(connection, tracker, sql)

    async def send(self, way: str, connection: Any, *args: Any, **named: Any) -> Any:
        if isinstance(connection, PostgresConnection) and connection._ahead.waiting:
            await self._pass()
        return await self._sends[way](connection, *args, **named)

    async def _pass(self) -> None:
        self.reached.set()
        await self.opened.wait()

    async def let_through(self) -> None:
        """Opens it once everybody else waits."""
        await self.reached.wait()
        for _ in range(10):
            await asyncio.sleep(0)
        self.opened.set()


@pytest.fixture
async def gated(database_dsn: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Database, Gate]]:
    async with Database(database_dsn) as database:
        await database.create_all(*MODELS)
        gate = Gate(database)
        with monkeypatch.context() as patched:
            patched.setattr(database, "execute", gate.execute)
            for way in ("fetch", "query"):
                patched.setattr(database, way, partial(gate.send, way))
            yield database, gate


async def names(database: Database) -> list[str]:
    async with AsyncSession(database) as session:
        return sorted([writer.name for writer in await session.query(Writer)])


async def adding(session: AsyncSession, name: str) -> None:
    session.add(Writer(name=name))
    await session.flush()


async def test_a_rollback_undoes_what_another_task_is_about_to_begin(gated: tuple[Database, Gate]) -> None:
    database, gate = gated
    async with AsyncSession(database) as session:
        # it is asked for before the other task has anything in flight, and carried out after
        ending = asyncio.create_task(session.rollback())
        other = asyncio.create_task(adding(session, "Ada"))
        await asyncio.gather(ending, other, gate.let_through())
        assert not session.in_transaction
        await adding(session, "Bea")
    assert await names(database) == ["Bea"]
    assert database.adapter.stats.in_use == 0


async def test_a_flush_that_waits_while_another_task_rolls_back_writes_nothing_that_was_undone(
    gated: tuple[Database, Gate],
) -> None:
    database, gate = gated
    async with AsyncSession(database) as session:
        writers = [Writer(name="Ada"), Writer(name="Bea")]

        async def add(writer: Writer) -> None:
            session.add(writer)
            await session.flush()

        ending = asyncio.create_task(session.rollback())
        adding = [asyncio.create_task(add(writer)) for writer in writers]
        await asyncio.gather(ending, *adding, gate.let_through())
        assert not [*session.new, *session.deleted]
        # the second was read off before the rollback, and its turn came after
        assert [is_persistent(writer) for writer in writers] == [False, False]
        session.add(writers[1])
    assert await names(database) == ["Bea"]


async def test_a_commit_keeps_what_another_task_is_about_to_begin(gated: tuple[Database, Gate]) -> None:
    database, gate = gated
    async with AsyncSession(database) as session:
        await session.begin()
        ending = asyncio.create_task(session.commit())
        other = asyncio.create_task(adding(session, "Ada"))
        await asyncio.gather(ending, other, gate.let_through())
        await session.rollback()
    assert await names(database) == ["Ada"]
    assert database.adapter.stats.in_use == 0


async def test_a_commit_ends_no_block_that_another_task_opens_meanwhile(database_dsn: str) -> None:
    async with Database(database_dsn) as database:
        await database.create_all(*MODELS)
        async with AsyncSession(database) as session:
            await session.begin()
            done = asyncio.Event()

            async def block() -> None:
                async with session.transaction():
                    await done.wait()
                    await adding(session, "Ada")

            ending = asyncio.create_task(session.commit())
            other = asyncio.create_task(block())
            with pytest.raises(SessionTaskError, match="another task has opened a block"):
                await ending
            done.set()
            await other
        assert await names(database) == ["Ada"]


async def test_a_block_that_is_entered_while_another_task_rolls_back_is_a_transaction(
    gated: tuple[Database, Gate],
) -> None:
    database, gate = gated
    async with AsyncSession(database) as session:
        gate.opened.set()
        await adding(session, "lost")

        async def block() -> None:
            async with rolled_back(session.transaction()):
                await adding(session, "lost too")

        await asyncio.gather(session.rollback(), block())
        assert not session.in_transaction
        await adding(session, "Ada")
    assert await names(database) == ["Ada"]


async def test_a_savepoint_is_sent_though_another_task_sends_begin(gated: tuple[Database, Gate]) -> None:
    database, gate = gated
    async with AsyncSession(database) as session:
        await session.begin()
        other = asyncio.ensure_future(session.query(Writer).count())
        await gate.reached.wait()
        writing = session.query(Writer).bulk_create([Writer(name="Ada"), Writer(name="Bea")])
        await asyncio.gather(other, writing, gate.let_through())
        await session.commit()
    assert await names(database) == ["Ada", "Bea"]


async def test_a_commit_finds_out_that_another_task_has_failed_meanwhile(gated: tuple[Database, Gate]) -> None:
    database, gate = gated
    async with AsyncSession(database) as session:
        await session.begin()
        ending = asyncio.create_task(session.commit())
        other = asyncio.ensure_future(session.execute("insert into nowhere values (1)"))
        found = await asyncio.gather(ending, other, gate.let_through(), return_exceptions=True)
        assert [type(error) for error in found] == [TransactionFailedError, StatementError, type(None)]
        await adding(session, "Bea")
    assert await names(database) == ["Bea"]


async def test_a_flush_that_fails_in_autocommit_mode_undoes_nobody_elses(
    database_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = asyncio.Event()
    async with Database(database_dsn) as database:
        await database.create_all(*MODELS)
        async with AsyncSession(database) as session:
            session.add(Label(name="taken"))
        with monkeypatch.context() as patched:
            for name in ("fetch", "run_each"):
                real: Any = getattr(database, name)

                async def telling(*args: Any, real: Any = real, **options: Any) -> Any:
                    sent.set()
                    return await real(*args, **options)

                patched.setattr(database, name, telling)
            async with AsyncSession(database, autocommit=True) as session:
                # one row that is refused, which needs no transaction, and meanwhile two others that do
                failing = asyncio.create_task(session.create(Label, name="taken"))
                await sent.wait()
                session.expunge(*session.new)
                session.add(Writer(name="Ada"), Writer(name="Bea"))
                writing = asyncio.create_task(session.flush())
                found = await asyncio.gather(failing, writing, return_exceptions=True)
                assert [type(error) for error in found] == [UniqueViolation, type(None)]
                assert not session.new
        assert await names(database) == ["Ada", "Bea"]
