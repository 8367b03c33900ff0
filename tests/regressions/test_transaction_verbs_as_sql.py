"""COMMIT as SQL of one's own ended the transaction behind the session's back: what it rolled back later was kept."""

from __future__ import annotations

from typing import Any

import pytest

from cormorant import AsyncSession, Database, Mapped, Model, TransactionError, generated, text


class Entry(Model, app="regressions_verbs"):
    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str]


@pytest.mark.parametrize(
    "sql",
    [
        "COMMIT",
        "  commit; ",
        "-- now\ncommit",
        "/* x */ Rollback",
        "begin",
        "START  TRANSACTION",
        "END",
        "abort",
        "savepoint a",
        "RELEASE a",
        "rollback to a",
        "prepare transaction 'a'",
    ],
)
async def test_sql_that_begins_or_ends_a_transaction_is_refused(database_dsn: str, sql: Any) -> None:
    async with Database(database_dsn) as database:
        await database.create_all(Entry)
        async with AsyncSession(database) as session:
            session.add(Entry(name="first"))
            await session.flush()
            with pytest.raises(TransactionError, match="would not know of it") as caught:
                await session.execute(text(sql))
            assert "session.transaction()" in (caught.value.hint or "")
            session.add(Entry(name="second"))
            await session.rollback()
        async with AsyncSession(database) as session:
            assert await session.query(Entry).count() == 0


async def test_names_that_begin_like_a_verb_are_no_verbs(database_dsn: str) -> None:
    async with Database(database_dsn) as database, AsyncSession(database) as session:
        await session.execute("create table commits (ending integer)")
        await session.execute("insert into commits values (1)")
        assert (await session.execute("select ending from commits"))[0][0] == 1
        await session.rollback()
