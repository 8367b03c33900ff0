"""assert_queries: how many statements a block may send."""

from __future__ import annotations

import asyncio

import pytest

from cormorant import AsyncSession, ConfigurationError, Database, Session, SessionNotEntered
from cormorant.testing import assert_queries
from tests.support.newsroom import Label, Story, Writer


async def test_what_is_within_the_limit_passes(database: Database) -> None:
    async with AsyncSession(database) as session:
        async with assert_queries(max=2), assert_queries(session, exact=2), assert_queries(database, exact=2) as seen:
            await session.query(Label)
            await session.query(Label)
        assert seen.count == 2
        assert list(seen.statements.values()) == [2]
        with assert_queries(exact=0):
            Label(name="x")


async def test_what_is_more_is_shown(database: Database) -> None:
    async with AsyncSession(database) as session:
        session.add(*(Story(title=str(number), writer=Writer(name="Ada")) for number in range(3)))
        await session.commit()
        session.clear()
        stories = await session.query(Story)
        counted = assert_queries(session, max=2)
        async with counted:
            await session.query(Label).count()
            await session.query(Label).count()
        await stories[0].writer
        with pytest.raises(AssertionError) as caught:
            await counted.__aexit__(None, None, None)
    lines = str(caught.value).splitlines()
    assert lines[0] == "3 statements were sent, and at most 2 expected:"
    assert sorted(line.split(" x ")[0].strip() for line in lines[1:]) == ["1", "2"]
    assert any("2 x SELECT count(*)" in line for line in lines)


async def test_what_is_less_than_exact_fails(database: Database) -> None:
    complaint = "0 statements were sent, and exactly 1 expected:\n    none"
    async with AsyncSession(database) as session:
        with pytest.raises(AssertionError, match=complaint), assert_queries(session, exact=1):
            pass


async def test_words_of_transactions_are_not_counted(database: Database) -> None:
    async with AsyncSession(database) as session, assert_queries(session, exact=2), session.transaction():
        await session.create(Label, name="one")
        async with session.transaction():
            await session.create(Label, name="two")


async def test_a_database_counts_for_all_of_its_sessions(database: Database) -> None:
    async def count() -> None:
        async with AsyncSession(database) as session:
            await session.query(Label).count()

    async with assert_queries(database, exact=3):
        await asyncio.gather(count(), count(), count())


def count_in(session: Session) -> int:
    with assert_queries(session, exact=1):
        return session.query(Label).count()


async def test_sync_sessions_are_counted_too(database: Database) -> None:
    def use() -> int:
        with Session(database) as session:
            return count_in(session)

    assert await asyncio.to_thread(use) == 0


async def test_a_sync_session_has_to_be_named(database: Database) -> None:
    def use() -> None:
        with Session(database), assert_queries(exact=1):
            pass

    with pytest.raises(SessionNotEntered, match=r"assert_queries\(session, max=3\), of a session, sync or not"):
        await asyncio.to_thread(use)


async def test_a_limit_is_used_again_in_another_session(database: Database) -> None:
    counting = assert_queries(exact=1)
    for _ in range(2):
        async with AsyncSession(database) as session, counting:
            await session.query(Label).count()


async def test_an_exception_goes_on(database: Database) -> None:
    async with AsyncSession(database) as session:
        with pytest.raises(ZeroDivisionError), assert_queries(session, exact=5):
            raise ZeroDivisionError


async def test_misuse_is_named() -> None:
    for limits in ({}, {"max": 1, "exact": 1}):
        with pytest.raises(ConfigurationError, match="one of max= and exact="):
            assert_queries(**limits)
    with pytest.raises(SessionNotEntered):
        assert_queries(max=1).__enter__()
    assert assert_queries(max=1).statements == {}
