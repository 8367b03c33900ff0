"""COMMIT, and writes that commit by themselves, on a connection that breaks: unknown exactly when nobody can know."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager

import pytest

from cormorant import (
    AsyncSession,
    CommitOutcomeUnknown,
    ConfigurationError,
    ConnectionLost,
    Database,
    DataError,
    Mapped,
    Model,
    TableArg,
    UniqueViolation,
    field,
    generated,
    unique,
)
from tests.support.faults import Action, FaultProxy, When

POINTS: list[tuple[When, Action]] = [
    (when, action) for when in ("before", "mid", "after", "reply") for action in ("reset", "cut", "blackhole")
]


class Note(Model, table="cut_note"):
    id: Mapped[int] = generated(primary_key=True)
    text: Mapped[str]
    place: Mapped[int | None] = field(default=None)

    @classmethod
    def __table_args__(cls) -> Iterator[TableArg]:
        yield unique(cls.place, deferrable=True)


@asynccontextmanager
async def through(proxy: FaultProxy, *, track_commits: bool = True) -> AsyncGenerator[Database, None]:
    """A database behind the proxy whose connections are open and whose statements are prepared."""
    database = Database(proxy.dsn, track_commits=track_commits, timeout=5, commit_timeout=0.1)
    try:
        await database.create_all(Note)
        yield database
    finally:
        await database.close(timeout=0)


async def ended(database: Database, xid: int) -> str | None:
    """What became of a transaction, once the server has noticed that its connection is gone."""
    while (found := await database.outcome(xid)) == "in progress":
        await asyncio.sleep(0)
    return found


@pytest.mark.parametrize(("when", "action"), POINTS)
async def test_a_commit_that_was_cut_off_is_unknown_and_its_outcome_is_told(
    postgres_database: str, when: When, action: Action
) -> None:
    runs = 0

    async def work(session: AsyncSession) -> None:
        nonlocal runs
        runs += 1
        session.add(Note(text="one"), Note(text="two"))

    async with (
        FaultProxy(postgres_database) as proxy,
        through(proxy) as database,
        Database(postgres_database) as direct,
    ):
        database.timeout = 0.2 if action == "blackhole" else 5
        fault = proxy.arm(b"COMMIT", when=when, action=action)
        with pytest.raises(CommitOutcomeUnknown, match="unknown") as caught:
            await database.retrying(retries=5).run(work)
        assert fault.fired
        assert runs == 1
        xid = caught.value.xid
        assert xid is not None
        assert str(xid) in str(caught.value.hint)
        assert pickle.loads(pickle.dumps(caught.value)).xid == xid
        # what a black hole holds open ends with the proxy's connections
        proxy.break_all("cut")
        outcome = await ended(direct, xid)
        async with AsyncSession(direct) as session:
            written = await session.query(Note).count()
        assert outcome == ("committed" if when in ("after", "reply") else "aborted")
        assert written == (2 if outcome == "committed" else 0)
        # the database goes on
        async with AsyncSession(database) as session:
            assert await session.query(Note).count() == written


@pytest.mark.parametrize("action", ["reset", "cut"])
async def test_a_lone_write_that_was_cut_off_is_unknown(postgres_database: str, action: Action) -> None:
    async with FaultProxy(postgres_database) as proxy, through(proxy, track_commits=False) as database:
        async with AsyncSession(database) as session:
            session.add(Note(text="prepared"))
        fault = proxy.arm(b"lonely", when="reply", action=action)
        with pytest.raises(CommitOutcomeUnknown, match="look in the database") as caught:
            async with AsyncSession(database) as session:
                session.add(Note(text="lonely"))
        assert fault.fired
        assert caught.value.xid is None
        assert "track_commits" in str(caught.value.hint)
        assert isinstance(caught.value.__cause__, ConnectionLost)
        async with AsyncSession(database) as session:
            assert await session.query(Note).filter(Note.text == "lonely").count() == 1


async def test_a_lone_write_that_never_answers_is_unknown_after_its_time(postgres_database: str) -> None:
    async with FaultProxy(postgres_database) as proxy, through(proxy, track_commits=False) as database:
        async with AsyncSession(database) as session:
            session.add(Note(text="prepared"))
        proxy.arm(b"lonely", when="reply", action="blackhole")
        with pytest.raises(CommitOutcomeUnknown, match="did not answer"):
            async with AsyncSession(database, timeout=0.1) as session:
                session.add(Note(text="lonely"))


async def test_a_lone_write_that_was_not_even_prepared_is_lost_and_not_unknown(postgres_database: str) -> None:
    async with FaultProxy(postgres_database) as proxy, through(proxy, track_commits=False) as database:
        proxy.arm(b"INSERT", when="reply", action="reset")
        with pytest.raises(ConnectionLost) as caught:
            async with AsyncSession(database) as session:
                session.add(Note(text="one"))
        assert not caught.value.sent
        async with AsyncSession(database) as session:
            assert await session.query(Note).count() == 0


@pytest.mark.parametrize("when", ["before", "reply"])
async def test_a_statement_cut_off_inside_of_a_transaction_is_lost_and_not_unknown(
    postgres_database: str, when: When
) -> None:
    async with FaultProxy(postgres_database) as proxy, through(proxy) as database:
        proxy.arm(b"INSERT", when=when, action="reset")
        with pytest.raises(ConnectionLost):
            async with AsyncSession(database) as session:
                session.add(Note(text="one"), Note(text="two"))
        async with AsyncSession(database) as session:
            assert await session.query(Note).count() == 0


async def test_a_commit_on_a_connection_known_to_be_gone_is_lost_and_not_unknown(postgres_database: str) -> None:
    async with through_nothing(postgres_database) as database:

        async def work() -> None:
            async with AsyncSession(database) as session:
                session.add(Note(text="one"), Note(text="two"))
                await session.flush()
                pid = (await session.execute("SELECT pg_backend_pid()")).scalar()
                async with Database(postgres_database) as other, AsyncSession(other) as killer:
                    await killer.execute("SELECT pg_terminate_backend(:pid, 5000)", {"pid": pid})
                # what the server said has come by now
                await database.ping()

        with pytest.raises(ConnectionLost) as caught:
            await work()
        assert not caught.value.sent
        async with AsyncSession(database) as session:
            assert await session.query(Note).count() == 0


@asynccontextmanager
async def through_nothing(dsn: str) -> AsyncGenerator[Database, None]:
    """A database on a straight way."""
    async with Database(dsn, track_commits=True) as database:
        await database.create_all(Note)
        yield database


async def test_a_commit_that_the_server_refuses_is_not_unknown(postgres_database: str) -> None:
    async with through_nothing(postgres_database) as database:
        with pytest.raises(UniqueViolation):
            async with AsyncSession(database) as session:
                session.add(Note(text="one", place=1), Note(text="two", place=1))


async def test_outcomes_of_transactions(postgres_database: str) -> None:
    async with through_nothing(postgres_database) as database:
        async with AsyncSession(database) as session, session.transaction():
            number = "SELECT pg_current_xact_id()::text::bigint"
            xid = int((await session.execute(number)).scalar())
            assert await database.outcome(xid) == "in progress"
        assert await database.outcome(xid) == "committed"
        # frozen long ago
        assert await database.outcome(3) is None
        with pytest.raises(DataError, match="future"):
            await database.outcome(10**15)


async def test_sqlite_has_no_outcomes_to_ask_for() -> None:
    async with Database("sqlite://", track_commits=True) as database:
        await database.create_all(Note)
        async with AsyncSession(database) as session:
            session.add(Note(text="one"), Note(text="two"))
        with pytest.raises(ConfigurationError, match="have no numbers"):
            await database.outcome(1)
