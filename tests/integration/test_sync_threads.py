"""S19: sync sessions in any thread, under a running loop, interrupted, after a fork and at the end of a program."""

from __future__ import annotations

import _thread
import asyncio
import gc
import os
import signal
import subprocess
import sys
import threading
import warnings
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context, ContextVar
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from cormorant import (
    AsyncSession,
    Database,
    Many,
    Mapped,
    Model,
    One,
    Session,
    foreign_key,
    generated,
    many_to_many,
    reverse,
)
from cormorant.errors import (
    SessionClosedError,
    SyncInLoopError,
    TransactionError,
    TransactionFailedError,
    WouldDeadlock,
)
from cormorant.models.registry import registry
from cormorant.persistence.session import AsyncSession as InnerSession
from cormorant.sync.portal import portal
from tests.support.newsroom import MODELS, Story, Writer

ROOT = Path(__file__).parents[2]
Calls: TypeAlias = list[Callable[[], object]]
# counts up for minutes, and is interrupted at once
ENDLESS = """
WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 1000000000)
SELECT count(*) FROM numbers
"""


@pytest.fixture
def on_its_way(monkeypatch: pytest.MonkeyPatch) -> Calls:
    """What is called on the loop once a raw statement has been sent."""
    query = Database.query
    calls: Calls = []

    async def calling(self: Database, *args: Any, **options: Any) -> Any:
        for call in calls:
            asyncio.get_running_loop().call_soon(call)
        return await query(self, *args, **options)

    monkeypatch.setattr(Database, "query", calling)
    return calls


def let_it_turn() -> None:
    """Lets the loop of the sync sessions do what it has to do."""
    portal().run(lambda: asyncio.sleep(0), Context())


# ---- threads


def test_each_thread_has_a_session_of_its_own(database: Database) -> None:
    def work(number: int) -> str:
        with Session(database) as session:
            session.add(Story(title=f"s{number}", writer=Writer(name=f"w{number}")))
            session.flush()
            return session.query(Story).filter(title=f"s{number}").one().writer.name

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(40))) == [f"w{n}" for n in range(40)]
    with Session(database) as session:
        assert session.query(Story).count() == 40


def test_one_session_answers_several_threads(database: Database) -> None:
    with Session(database) as session:
        session.add(*(Writer(name=f"w{n}") for n in range(20)))
    with Session(database) as session, ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda n: session.query(Writer).filter(name=f"w{n}").one(), range(20)))
        assert [writer.name for writer in found] == [f"w{n}" for n in range(20)]
        assert len(set(map(id, found))) == 20
        assert (
            list(pool.map(lambda _: session.query(Writer).order_by(Writer.id).limit(1).one(), range(9)))
            == [found[0]] * 9
        )


def test_objects_load_in_whatever_thread_reads_them(database: Database) -> None:
    with Session(database) as session:
        session.add(Story(title="s", writer=Writer(name="w")))
    with Session(database) as session, ThreadPoolExecutor(1) as pool:
        story = session.query(Story).one()
        assert pool.submit(lambda: story.writer.name).result() == "w"
        assert pool.submit(lambda: [label.name for label in story.labels]).result() == []


def test_a_session_may_be_left_in_another_thread(database: Database) -> None:
    session = Session(database)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(session.__enter__).result()
        session.add(Writer(name="Ada"))
        pool.submit(session.__exit__, None, None, None).result()
    with Session(database) as other:
        assert other.query(Writer).count() == 1


def test_who_waits_while_the_session_is_closed_is_told(database: Database, on_its_way: Calls) -> None:
    begun = threading.Event()
    on_its_way.append(begun.set)
    with Session(database) as session, ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(session.execute, ENDLESS)
        begun.wait()
        session.close()
        with pytest.raises(SessionClosedError, match="another thread"):
            waiting.result()


def test_names_of_threads_and_lines_are_in_messages(database: Database) -> None:
    def work() -> None:
        with Session(database) as session, session.transaction():
            session.create(Writer, name="Ada")
            session.commit()

    with ThreadPoolExecutor(1, thread_name_prefix="worker") as pool:
        done = pool.submit(work)
    with pytest.raises(TransactionError, match=r"opened by worker_0 at .*test_sync_threads\.py:\d+"):
        done.result()


def test_models_are_first_used_by_many_threads_at_once(database: Database) -> None:
    for _ in range(5):
        with registry.isolated():
            first_use_by_many_threads(database)


def first_use_by_many_threads(database: Database) -> None:
    """Has threads find out at the same moment what the annotations of new models mean."""

    class Kennel(Model, table="newsroom_kennel"):
        id: Mapped[int] = generated(primary_key=True)
        dogs: Many[Dog] = reverse("kennel")

    class Dog(Model, table="newsroom_dog"):
        id: Mapped[int] = generated(primary_key=True)
        name: Mapped[str]
        kennel: One[Kennel] = foreign_key()
        friends: Many[Dog] = many_to_many()

    begin = threading.Barrier(8)

    def work(session: Session) -> tuple[str, str]:
        begin.wait()
        dogs = session.query(Dog).filter(Dog.kennel.id > 3, Dog.friends.any(Dog.name == "Rex")).order_by(Dog.kennel.id)
        kennels = session.query(Kennel).filter(Kennel.dogs.any())
        return database.prepare(dogs._spec).sql, database.prepare(kennels._spec).sql

    with Session(database) as session, ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(work, [session] * 8))) == 1


# ---- contexts


who: ContextVar[str] = ContextVar("who", default="nobody")


def test_what_runs_on_the_loop_sees_the_callers_context(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, object]] = []
    flush = InnerSession.flush

    async def spying(self: InnerSession) -> None:
        seen.append((who.get(), AsyncSession.current()))
        await flush(self)

    monkeypatch.setattr(InnerSession, "flush", spying)
    with Session(database) as session:
        token = who.set("Ada")
        session.create(Writer, name="Ada")
        who.reset(token)
        session.create(Writer, name="Eve")
        assert [name for name, _ in seen] == ["Ada", "nobody"]
        assert seen[0][1] is seen[1][1]


@pytest.mark.filterwarnings("ignore:a sync Session blocks")
async def test_the_current_session_of_a_task_stays_its_own(database: Database) -> None:
    async with AsyncSession(database) as mine:
        with Session(database) as session:
            session.query(Writer).count()
            assert AsyncSession.current() is mine
        assert AsyncSession.current() is mine


def test_a_closed_session_is_forgotten(database: Database) -> None:
    class Local:
        pass

    def work() -> tuple[weakref.ref[Any], weakref.ref[Any], weakref.ref[Any]]:
        local = Local()
        with Session(database) as session:
            session.add(Story(title="s", writer=Writer(name="w")))
            session.flush()
            with session.transaction():
                story = session.query(Story).one()
                assert story.writer.name == "w"
            return weakref.ref(session._session.state()), weakref.ref(story), weakref.ref(local)

    kept = work()
    let_it_turn()
    gc.collect()
    assert [each() for each in kept] == [None, None, None]


# ---- under a running loop


async def test_a_running_loop_is_blocked_with_one_warning(database: Database) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for number in range(2):
            with Session(database) as session:
                session.create(Writer, name=f"{number}")
                assert session.query(Writer).count() == number + 1
    (warning,) = caught
    assert warning.category is RuntimeWarning
    assert "use AsyncSession" in str(warning.message)
    assert warning.filename == __file__
    async with AsyncSession(database) as session:
        assert await session.query(Writer).count() == 2


async def test_a_repl_is_not_warned(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "ps1", ">>> ", raising=False)
    with Session(database) as session:
        assert session.query(Writer).count() == 0


async def test_threads_of_an_async_program_are_not_warned(database: Database) -> None:
    def work() -> int:
        with Session(database) as session:
            session.create(Writer, name="Ada")
            return session.query(Writer).count()

    async with AsyncSession(database) as mine:
        counts = await asyncio.gather(asyncio.to_thread(work), mine.query(Story).count())
    assert counts == [1, 0]


async def test_both_worlds_use_one_database_at_once(database: Database) -> None:
    def work(number: int) -> None:
        with Session(database) as session:
            session.add(Writer(name=f"sync {number}"))

    async def wait(number: int) -> None:
        async with AsyncSession(database) as session:
            session.add(Writer(name=f"async {number}"))

    await asyncio.gather(*(asyncio.to_thread(work, n) for n in range(10)), *(wait(n) for n in range(10)))
    async with AsyncSession(database) as session:
        assert await session.query(Writer).count() == 20


async def test_tables_made_anew_are_no_surprise(database: Database) -> None:
    def work() -> int:
        with Session(database) as session:
            session.create(Writer, name="Ada")
            return session.query(Writer).count()

    assert await asyncio.to_thread(work) == 1
    await database.drop_all(*MODELS)
    await database.create_all(*MODELS)
    assert await asyncio.to_thread(work) == 1


async def test_closing_the_database_closes_what_sync_sessions_use(database_dsn: str) -> None:
    database = Database(database_dsn)

    def ask() -> Any:
        with Session(database) as session:
            return session.execute("SELECT 1").scalar()

    assert await asyncio.to_thread(ask) == 1
    await database.close()
    with pytest.raises(Exception, match="closed"):
        await asyncio.to_thread(ask)


async def test_a_closed_database_is_not_opened_again(database_dsn: str) -> None:
    database = Database(database_dsn)
    await database.close()

    def ask() -> None:
        with Session(database) as session:
            session.execute("SELECT 1")

    with pytest.raises(Exception, match="closed"):
        await asyncio.to_thread(ask)


def test_a_database_in_memory_is_one_for_both_worlds() -> None:
    database = Database("sqlite:///:memory:")
    asyncio.run(database.create_all(Writer))
    with Session(database) as session:
        session.add(Writer(name="Ada"))
    with Session(database) as session:
        assert session.query(Writer).one().name == "Ada"
    portal().run(database.close, Context())


# ---- on the loop itself


def test_a_call_on_the_loop_is_refused(database: Database) -> None:
    with Session(database) as session:

        async def on_the_loop() -> None:
            session.query(Writer).count()

        with pytest.raises(SyncInLoopError, match=r"AsyncSession\.current\(\)"):
            session._session.wait(on_the_loop)
        # it did no harm
        assert session.query(Writer).count() == 0


def test_an_attribute_that_is_read_on_the_loop_does_not_load(database: Database) -> None:
    with Session(database) as session:
        session.add(Story(title="s", writer=Writer(name="w")))
        session.commit()
        session.clear()
        story = session.query(Story).one()

        async def on_the_loop() -> str:
            return story.writer.name

        with pytest.raises(Exception, match="was not loaded"):
            session._session.wait(on_the_loop)
        assert story.writer.name == "w"


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), ZeroDivisionError(), StopIteration()])
def test_whatever_is_raised_on_the_loop_arrives_and_the_loop_goes_on(database: Database, error: BaseException) -> None:
    async def fail() -> None:
        raise error

    with Session(database) as session:
        with pytest.raises((type(error), RuntimeError)):
            session._session.wait(fail)
        assert session.query(Writer).count() == 0


# ---- interrupted


@pytest.fixture(params=["while it waits", "just before"])
def interrupted(on_its_way: Calls, request: pytest.FixtureRequest) -> None:
    """Has Ctrl-C pressed once a raw statement is on its way; what comes just before a thread waits does not wake it."""
    main = threading.main_thread().ident
    assert main is not None
    pressed = (
        _thread.interrupt_main if request.param == "just before" else partial(signal.pthread_kill, main, signal.SIGINT)
    )
    on_its_way.append(pressed)


@pytest.mark.usefixtures("interrupted")
def test_ctrl_c_cancels_the_statement_and_the_session_goes_on(database: Database) -> None:
    with Session(database) as session:
        with pytest.raises(KeyboardInterrupt):
            session.execute(ENDLESS, write=False)
        assert session.query(Writer).count() == 0
        session.create(Writer, name="Ada")
    with Session(database) as session:
        assert session.query(Writer).count() == 1


@pytest.mark.usefixtures("interrupted")
def test_ctrl_c_in_a_transaction_rolls_it_back(database: Database) -> None:
    def work() -> None:
        with Session(database) as session:
            session.create(Writer, name="Ada")
            session.execute(ENDLESS)

    with pytest.raises(KeyboardInterrupt):
        work()
    assert portal().connected(database).adapter.stats.in_use == 0
    with Session(database) as session:
        assert session.query(Writer).count() == 0


@pytest.mark.usefixtures("interrupted")
def test_ctrl_c_that_is_caught_leaves_a_failed_transaction(database: Database) -> None:
    with Session(database) as session:
        session.create(Writer, name="Ada")
        with pytest.raises(KeyboardInterrupt):
            session.execute(ENDLESS)
        with pytest.raises(TransactionFailedError):
            session.query(Writer).count()
        session.rollback()
        assert session.query(Writer).count() == 0


def test_ctrl_c_during_commit_waits_for_its_answer(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    execute, main = Database.execute, threading.main_thread().ident
    assert main is not None

    async def interrupting(self: Database, connection: Any, tracker: Any, sql: str, *more: Any, **options: Any) -> int:
        if sql == "COMMIT":
            asyncio.get_running_loop().call_soon(signal.pthread_kill, main, signal.SIGINT)
        return await execute(self, connection, tracker, sql, *more, **options)

    def work() -> None:
        with Session(database) as session, session.transaction():
            session.create(Writer, name="Ada")

    monkeypatch.setattr(Database, "execute", interrupting)
    with pytest.raises(KeyboardInterrupt):
        work()
    monkeypatch.undo()
    with Session(database) as session:
        assert session.query(Writer).count() == 1


@pytest.mark.parametrize("autocommit", [False, True])
async def test_writing_inside_of_an_async_transaction_that_waits(database: Database, autocommit: bool) -> None:
    def write() -> None:
        with Session(database, autocommit=autocommit) as inner:
            inner.add(Writer(name="inner"))

    def count() -> int:
        with Session(database, read_only=True) as inner, inner.transaction():
            return inner.query(Writer).count()

    async with AsyncSession(database) as session:
        session.add(Writer(name="outer"))
        await session.flush()
        assert await asyncio.to_thread(count) == 0
        if database.dialect.name == "sqlite":
            # at once, not when SQLite has waited for its file
            with pytest.raises(WouldDeadlock, match=r"needs a connection to write with, and is inside of the session"):
                await asyncio.wait_for(asyncio.to_thread(write), 4)
        else:
            await asyncio.to_thread(write)
    await asyncio.to_thread(write)
    async with AsyncSession(database) as session:
        # who only reads holds nobody up
        await session.query(Writer).count()
        await asyncio.to_thread(write)


# ---- processes


def run(code: str, dsn: str) -> subprocess.CompletedProcess[str]:
    """Runs a program of its own on a database, with every warning an error."""
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", code, dsn],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


HEAD = """
import logging, os, sys, threading
# a busy machine is slow, of which asyncio's debug mode would warn
logging.getLogger("asyncio").setLevel(logging.ERROR)
from cormorant import Database, Session
from cormorant.errors import SessionTaskError
from tests.support.newsroom import Story, Writer
database = Database(sys.argv[1])
"""

FORK = """
with Session(database) as session:
    session.create(Writer, name="parent")
    session.commit()
    child = os.fork()
    if child == 0:
        try:
            session.query(Writer).count()
        except SessionTaskError as error:
            assert "fork" in str(error), error
        else:
            os._exit(2)
        with Session(database) as own:
            own.create(Writer, name="child")
            assert own.query(Writer).count() == 2
        # the ordinary way out, with everything that runs at exit
        sys.exit(3)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 3, status
    assert session.query(Writer).count() == 2
"""

POOLED = """
import concurrent.futures, multiprocessing
def work(number):
    with Session(database) as session:
        session.create(Writer, name=f"{number}")
        return session.query(Writer).filter(name=f"{number}").one().name
with Session(database) as session:
    session.query(Writer).count()
with concurrent.futures.ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("fork")) as pool:
    assert sorted(pool.map(work, range(6))) == [f"{n}" for n in range(6)]
with Session(database) as session:
    assert session.query(Writer).count() == 6
"""

OTHER_STARTS = """
import concurrent.futures, multiprocessing
from tests.support.newsroom import make_writers
if __name__ == "__main__":
    for method in ("spawn", "forkserver"):
        context = multiprocessing.get_context(method)
        with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:
            assert pool.submit(make_writers, sys.argv[1], 3).result() == 3
"""

LEFT_OPEN = """
session = Session(database).__enter__()
session.create(Writer, name="Ada")
other = Session(database).__enter__()
story = other.query(Writer).first()
stream = session.query(Writer).stream(1)
next(stream)
"""

IN_GENERATORS = """
def rows():
    with Session(database) as session:
        session.create(Writer, name="Ada")
        yield from session.query(Writer).stream(1)
        yield
def blocks():
    with Session(database, read_only=True) as session, session.transaction():
        session.query(Writer).count()
        yield
left = [rows(), blocks()]
for one in left:
    next(one)
"""

USED_AFTER_THE_END = """
from cormorant.errors import SessionClosedError
def rows():
    with Session(database) as session:
        session.create(Writer, name="Ada")
        try:
            yield
        finally:
            try:
                session.flush()
            except SessionClosedError:
                os._exit(3)
left = rows()
next(left)
"""

IN_A_DAEMON = f"""
begun = threading.Event()
def work():
    with Session(database) as session:
        session.create(Writer, name="Ada")
        begun.set()
        session.execute('''{ENDLESS}''')
threading.Thread(target=work, daemon=True).start()
begun.wait()
"""

IN_A_THREAD = """
def work():
    threading.main_thread().join()
    with Session(database) as session:
        session.create(Writer, name="late")
with Session(database) as session:
    session.query(Writer).count()
threading.Thread(target=work).start()
"""

AN_ERROR = """
with Session(database) as session:
    session.create(Writer, name="Ada")
    raise SystemExit(7)
"""


@pytest.mark.parametrize(
    ("code", "exit_code", "rows"),
    [
        (FORK, 0, 2),
        (POOLED, 0, 6),
        (OTHER_STARTS, 0, 6),
        (LEFT_OPEN, 0, 0),
        (IN_GENERATORS, 0, 0),
        (USED_AFTER_THE_END, 3, 0),
        (IN_A_DAEMON, 0, 0),
        (IN_A_THREAD, 0, 1),
        (AN_ERROR, 7, 0),
    ],
    ids=[
        "fork",
        "process pool",
        "spawn",
        "left open",
        "in generators",
        "used",
        "in a daemon",
        "in a thread",
        "an error",
    ],
)
def test_a_program_ends_well(database: Database, database_dsn: str, code: str, exit_code: int, rows: int) -> None:
    done = run(HEAD + code, database_dsn)
    assert (done.stderr, done.returncode) == ("", exit_code)
    with Session(database) as session:
        assert session.query(Writer).count() == rows
