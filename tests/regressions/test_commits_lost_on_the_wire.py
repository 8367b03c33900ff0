"""A COMMIT, or a single write without one, that was never answered was said to have failed for certain."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import LiteralString

import pytest

from cormorant import AsyncSession, CommitOutcomeUnknown, ConnectionLost, Database, Mapped, Model, generated, text

FUNCTION = """
create function lost_commits_dies() returns trigger language plpgsql as $$
begin perform pg_terminate_backend(pg_backend_pid()); perform pg_sleep(10); return null; end $$
"""
TRIGGER = "create constraint trigger dies after insert on payments {} for each row execute function lost_commits_dies()"


class Payment(Model, app="lost_commits", table="payments"):
    id: Mapped[int] = generated(primary_key=True)
    amount: Mapped[int]


@pytest.fixture
async def database(postgres_database: str) -> AsyncIterator[Database]:
    """A database with no payments, on PostgreSQL."""
    async with Database(postgres_database) as database:
        await database.create_all(Payment)
        yield database


async def dies(database: Database, when: LiteralString) -> None:
    """Has the server end the connection that inserts a payment, at once or at the commit."""
    async with AsyncSession(database) as session:
        await session.execute("drop function if exists lost_commits_dies cascade")
        await session.execute(text(FUNCTION))
        await session.execute(text(TRIGGER.format(when)))


async def test_a_commit_without_an_answer_is_told_apart(database: Database) -> None:
    await dies(database, "deferrable initially deferred")
    async with AsyncSession(database) as session:
        session.add(Payment(amount=1))
        await session.flush()
        with pytest.raises(CommitOutcomeUnknown, match="whether the changes are committed is unknown") as caught:
            await session.commit()
        assert "look in the database" in str(caught.value.hint)
        assert not session.new
        assert await session.query(Payment).count() == 0


async def test_a_single_write_without_an_answer_is_told_apart(database: Database) -> None:
    await dies(database, "")
    async with AsyncSession(database) as session:
        session.add(payment := Payment(amount=1))
        with pytest.raises(CommitOutcomeUnknown) as caught:
            await session.commit()
        assert "insert" in str(caught.value.statement).lower()
        assert list(session.new) == [payment]
        await session.rollback()


async def test_a_statement_before_the_commit_has_certainly_failed(database: Database) -> None:
    await dies(database, "")
    async with AsyncSession(database) as session:
        session.add(Payment(amount=1), Payment(amount=2))
        with pytest.raises(ConnectionLost) as caught:
            await session.flush()
        assert "run the whole unit of work again" in str(caught.value.hint)
        await session.rollback()
        assert await session.query(Payment).count() == 0
