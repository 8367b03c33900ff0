"""S19: what a program without an event loop does with a database itself: tables, units of work, its life."""

from __future__ import annotations

import asyncio
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from cormorant import (
    AsyncSession,
    Database,
    ForeignKeyViolation,
    PoolClosed,
    SerializationError,
    Session,
    SyncDatabase,
    SyncInLoopError,
    TransactionError,
    WrongType,
    configure,
    ref,
)
from cormorant.sync.database import SyncRetrying
from cormorant.sync.portal import portal
from tests.support.newsroom import MODELS, Desk, Story, Writer

THREADS = 8
UNITS = 1_000 if os.environ.get("CORMORANT_SYNC_FULL") else 25


@pytest.fixture
def db(database_dsn: str) -> SyncDatabase:
    return SyncDatabase(Database(database_dsn, pool_size=5))


# ---- tables and life


def test_a_script_needs_no_event_loop(db: SyncDatabase) -> None:
    with db:
        db.create_all(*MODELS)
        with db.session() as session:
            session.add(Story(title="s", writer=Writer(name="Ada")))
        with Session(db) as session:
            assert session.database is db.database
            assert session.query(Story).one().writer.name == "Ada"
        db.drop_all(*MODELS)
        db.create_all(*MODELS)
        with db.session(read_only=True) as session:
            assert session.query(Story).count() == 0
        assert db.ping() > 0
        assert any("CREATE TABLE" in sql for sql in db.create_sql(Writer))
        assert db.query_stats()
    with pytest.raises(PoolClosed):
        db.ping()
    with pytest.raises(PoolClosed), db.session() as session:
        session.query(Writer).count()


def test_closing_one_closes_no_other_of_the_same_dsn(database_dsn: str) -> None:
    with SyncDatabase(database_dsn) as first:
        assert SyncDatabase(first.database).database is first.database
        assert repr(first) == f"<SyncDatabase {first.database.config.redacted}>"
        first.create_all(Writer)
    with Session(database_dsn) as session:
        session.create(Writer, name="Ada")
    with SyncDatabase(database_dsn) as second, second.session() as session:
        assert session.query(Writer).count() == 1
    SyncDatabase(session.database).close()


def test_the_configured_database_is_that_of_sessions(db: SyncDatabase) -> None:
    configure(db.database)
    try:
        db.create_all(*MODELS)
        with Session() as session:
            session.create(Writer, name="Ada")
    finally:
        configure(None)
        db.close()


def test_a_database_in_memory_has_its_tables() -> None:
    with SyncDatabase("sqlite:///:memory:") as db:
        db.create_all(Writer)
        with db.session() as session:
            session.create(Writer, name="Ada")
        with db.session() as session:
            assert session.query(Writer).count() == 1


async def test_tables_that_a_thread_makes_anew_are_no_surprise_to_a_loop(database: Database) -> None:
    async with AsyncSession(database) as session:
        session.add(Writer(name="Ada"))
    db = SyncDatabase(database)
    await asyncio.to_thread(db.drop_all, *MODELS)
    await asyncio.to_thread(db.create_all, *MODELS)
    async with AsyncSession(database) as session:
        assert await session.query(Writer).count() == 0


@pytest.mark.postgresql
def test_the_outcome_of_a_commit(postgres_database: str) -> None:
    with SyncDatabase(Database(postgres_database, track_commits=True)) as db:
        db.create_all(*MODELS)
        with db.session() as session:
            session.create(Writer, name="Ada")
            xid = session.execute("SELECT pg_current_xact_id()::text::bigint", write=True).scalar()
        assert db.outcome(int(str(xid))) == "committed"


@pytest.mark.direct("a pooler gives nobody notifications")
@pytest.mark.postgresql
def test_notifications(postgres_database: str) -> None:
    with SyncDatabase(postgres_database) as db:
        with db.listen("news", "weather") as notes:
            assert repr(notes) == "<SyncListener 'news', 'weather'>"
            with db.session() as session:
                session.execute("NOTIFY news, 'first'", write=True)
                session.execute("NOTIFY weather, 'second'", write=True)
            assert [(note.channel, note.payload) for note in (next(notes), next(notes))] == [
                ("news", "first"),
                ("weather", "second"),
            ]
            assert db.stats().pool.in_use == 0
        assert list(notes) == []


def test_a_call_on_the_loop_of_sync_sessions_is_refused(db: SyncDatabase) -> None:
    async def on_the_loop() -> None:
        db.ping()

    with db, db.session() as session, pytest.raises(SyncInLoopError, match="async def"):
        session._session.wait(on_the_loop)


async def test_under_a_running_loop_it_warns(db: SyncDatabase) -> None:
    with pytest.warns(RuntimeWarning, match="blocks the event loop"):
        db.ping()
    db.close()


# ---- units of work


def rename(session: Session, key: int, name: str, *, isolation: str = "") -> str:
    session.get_one(Writer, key).name = name + isolation
    return name


@pytest.fixture
def ada(database: Database) -> int:
    with Session(database) as session:
        return session.create(Writer, name="Ada").id


def named(database: Database) -> list[str]:
    with Session(database) as session:
        return session.query(Writer).order_by(Writer.id).scalars(Writer.name).all()


def test_a_unit_of_work_is_committed_and_gives_its_result(database: Database, ada: int) -> None:
    assert SyncDatabase(database).run(rename, ada, "Eve") == "Eve"
    assert named(database) == ["Eve"]


def test_a_unit_of_work_that_raises_is_undone_and_not_repeated(database: Database, ada: int) -> None:
    attempts: list[int] = []

    def fail(session: Session) -> None:
        attempts.append(1)
        rename(session, ada, "Eve")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        SyncDatabase(database).run(fail)
    assert (attempts, named(database)) == ([1], ["Ada"])


def test_a_conflict_is_met_by_another_attempt(database: Database, ada: int) -> None:
    pauses: list[float] = []
    attempts: list[Session] = []

    def meet(session: Session, others: int) -> int:
        attempts.append(session)
        rename(session, ada, f"attempt {len(attempts)}")
        session.flush()
        if len(attempts) <= others:
            raise SerializationError("met another")
        return len(attempts)

    retrying = SyncRetrying(database.retrying(retries=2), sleep=pauses.append)
    assert retrying.run(meet, 2) == 3
    assert (len(pauses), len(set(map(id, attempts)))) == (2, 3)
    assert named(database) == ["attempt 3"]
    attempts.clear()
    with pytest.raises(SerializationError):
        retrying.run(meet, 3)
    assert (len(attempts), named(database)) == (3, ["attempt 3"])


def test_the_options_of_run_are_the_functions_own_first(database: Database, ada: int) -> None:
    db = SyncDatabase(database)
    db.run(rename, ada, "Eve", isolation="!")
    assert named(database) == ["Eve!"]

    def count(session: Session) -> int:
        return session.query(Writer).count()

    assert db.run(count, retries=0, isolation="serializable") == 1  # type: ignore[call-arg]
    with pytest.raises(WrongType, match="number of retries"):
        db.retrying(retries=-1)


def test_a_unit_of_work_that_is_awaited_is_refused(database: Database) -> None:
    async def move(session: AsyncSession) -> None:
        raise AssertionError

    with pytest.raises(WrongType, match=r"move\(\) is awaited"):
        SyncDatabase(database).run(move)  # type: ignore[arg-type]


def test_a_unit_of_work_inside_of_a_transaction_is_refused(database: Database, ada: int) -> None:
    db = SyncDatabase(database)
    with Session(database) as session, session.transaction():
        with pytest.raises(TransactionError, match=r"inside of a transaction: the session opened by MainThread"):
            db.run(rename, ada, "Eve")
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(db.run, rename, ada, "Eve").result() == "Eve"
    with Session(database):
        assert db.run(rename, ada, "Joy") == "Joy"


@pytest.mark.postgresql
def test_writes_that_meet_are_all_done(postgres_database: str) -> None:
    with SyncDatabase(postgres_database) as db:
        db.create_all(*MODELS)
        with db.session() as session:
            key = session.create(Writer, name="Ada").id

        def grow(session: Session) -> None:
            session.get_one(Writer, key).age += 1

        with ThreadPoolExecutor(4) as pool:
            for done in [pool.submit(db.retrying(retries=50, isolation="serializable").run, grow) for _ in range(20)]:
                done.result()
        with db.session() as session:
            assert session.get_one(Writer, key).age == 20


# ---- many threads


def unit_of_work(session: Session, thread: int, number: int) -> None:
    """One of four kinds: written, written with its relations and changed, refused, left by an exception."""
    name = f"{thread}/{number}"
    match number % 4:
        case 0:
            session.add(Writer(name=name))
        case 1:
            story = Story(title=name, writer=Writer(name=name))
            with session.transaction():
                session.add(story)
            story.views += 1
        case 2:
            session.create(Writer, name=name)
            session.add(Desk(writer=ref(Writer, -1)))
        case _:
            session.create(Writer, name=name)
            raise ZeroDivisionError


def test_threads_lose_nothing_and_leave_no_connection(db: SyncDatabase) -> None:
    db.create_all(*MODELS)
    begin = threading.Barrier(THREADS)

    def work(thread: int) -> list[str]:
        begin.wait()
        written: list[str] = []
        for number in range(UNITS):
            try:
                with db.session() as session:
                    unit_of_work(session, thread, number)
                written.append(f"{thread}/{number}")
            except (ForeignKeyViolation, ZeroDivisionError):
                assert number % 4 > 1
        return written

    with ThreadPoolExecutor(THREADS) as pool:
        written = sorted(name for names in pool.map(work, range(THREADS)) for name in names)
    assert len(written) == sum(1 for n in range(UNITS) if n % 4 < 2) * THREADS
    with db.session() as session:
        assert sorted(session.query(Writer).scalars(Writer.name)) == written
        views = session.query(Story).values(Story.title, Story.writer.name, Story.views).all()
        assert sorted(views) == [(name, name, 1) for name in written if int(name.split("/")[1]) % 4 == 1]
    stats = portal().connected(db.database).adapter.stats
    # the pool of a file has a writer besides
    assert (stats.in_use, stats.waiting) == (0, 0)
    assert stats.opened <= 6
    db.close()
