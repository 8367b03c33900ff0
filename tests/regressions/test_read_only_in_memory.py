"""A database in memory has one connection for readers and writers, and refuses the writes of who only reads."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from cormorant import AsyncSession, Database, Mapped, Model, StatementError, field, generated
from cormorant.testing import Sandbox


class MemoryNote(Model, table="memory_notes"):
    id: Mapped[int] = generated(primary_key=True)
    text: Mapped[str] = field()


@pytest.fixture
async def memory() -> AsyncIterator[Database]:
    async with Database("sqlite:///:memory:") as made:
        await made.create_all(MemoryNote)
        yield made


async def refused(database: Database) -> None:
    with pytest.raises(StatementError) as caught:
        async with AsyncSession(database, read_only=True) as session:
            session.add(MemoryNote(text="refused"))
    assert caught.value.code == "SQLITE_READONLY"


async def texts(database: Database) -> list[str]:
    async with AsyncSession(database, read_only=True) as session:
        return await session.query(MemoryNote).order_by(MemoryNote.id).scalars(MemoryNote.text)


async def test_who_reads_only_cannot_write(memory: Database) -> None:
    async with AsyncSession(memory) as session:
        session.add(MemoryNote(text="before"))
    await refused(memory)
    assert await texts(memory) == ["before"]


async def test_who_comes_after_can(memory: Database) -> None:
    assert await texts(memory) == []
    async with AsyncSession(memory) as session:
        assert await session.query(MemoryNote).count() == 0
        with pytest.raises(StatementError):
            async with session.transaction(read_only=True):
                session.add(MemoryNote(text="refused"))
        session.clear()
        async with session.transaction():
            session.add(MemoryNote(text="after"))
    await memory.drop_all(MemoryNote)
    await memory.create_all(MemoryNote)
    assert await texts(memory) == []


async def test_it_is_the_same_in_a_sandbox(memory: Database) -> None:
    async with Sandbox(memory):
        await refused(memory)
        async with AsyncSession(memory) as session:
            session.add(MemoryNote(text="written"))
        assert await texts(memory) == ["written"]
    assert await texts(memory) == []
