"""Tasks that write one row each, on SQLite, do so one after another by the same connection without waiting for it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from cormorant import AsyncSession, Database, IntegrityError, Mapped, Model, field, generated
from cormorant.adapters.sqlite import SQLiteAdapter


class Ticket(Model, table="ticket"):
    id: Mapped[int] = generated(primary_key=True)
    number: Mapped[int] = field(unique=True)


TASKS = 20


async def test_single_rows_and_transactions_of_many_tasks(tmp_path: Path) -> None:
    async with Database(f"sqlite:///{tmp_path / 'tickets.db'}") as db:
        await db.create_all(Ticket)

        async def single(number: int) -> None:
            async with AsyncSession(db) as session:
                session.add(Ticket(number=number))
                await session.commit()

        async def several(number: int) -> None:
            async with AsyncSession(db) as session, session.transaction():
                session.add(Ticket(number=number))
                await session.flush()
                session.add(Ticket(number=number + 1))

        await asyncio.gather(*[(several(n) if n % 4 == 0 else single(n)) for n in range(0, TASKS * 2, 2)])
        async with AsyncSession(db) as session:
            numbers = [ticket.number for ticket in await session.query(Ticket).order_by(Ticket.number)]
        assert numbers == [n for n in range(TASKS * 2) if n % 2 == 0 or n % 4 == 1]
        assert db.adapter.stats.in_use == 0


async def test_what_one_task_is_refused_the_others_do_not_notice(tmp_path: Path) -> None:
    async with Database(f"sqlite:///{tmp_path / 'tickets.db'}") as db:
        await db.create_all(Ticket)

        async def write(number: int) -> None:
            async with AsyncSession(db) as session:
                session.add(Ticket(number=number))

        found = await asyncio.gather(*[write(n // 2) for n in range(TASKS)], return_exceptions=True)
        assert sum(error is None for error in found) == TASKS // 2
        assert all(error is None or isinstance(error, IntegrityError) for error in found)
        async with AsyncSession(db) as session:
            assert await session.query(Ticket).count() == TASKS // 2


async def test_what_is_cancelled_is_written_or_not_and_the_rest_is_there(tmp_path: Path) -> None:
    async with Database(f"sqlite:///{tmp_path / 'tickets.db'}") as db:
        await db.create_all(Ticket)
        done: list[int] = []

        async def write(number: int) -> None:
            async with AsyncSession(db) as session:
                session.add(Ticket(number=number))
            done.append(number)

        tasks = [asyncio.create_task(write(n)) for n in range(TASKS)]
        for turn in range(TASKS):
            await asyncio.sleep(0)
            tasks[turn].cancel()
        await asyncio.wait(tasks)
        async with AsyncSession(db) as session:
            numbers = {ticket.number for ticket in await session.query(Ticket)}
        assert set(done) <= numbers
        assert db.adapter.stats.in_use == 0


@pytest.mark.parametrize("option", ["statement_timeout=5", ""])
async def test_a_writer_with_a_limit_of_time_is_lent_to_one_at_a_time(tmp_path: Path, option: str) -> None:
    adapter = SQLiteAdapter(f"sqlite:///{tmp_path / 'tickets.db'}?{option}")
    first = await adapter.acquire_shared()
    second = asyncio.create_task(adapter.acquire_shared())
    await asyncio.sleep(0)
    assert second.done() is (not option)
    adapter.release(first)
    assert await second is first
    adapter.release(first)
    await adapter.close()
