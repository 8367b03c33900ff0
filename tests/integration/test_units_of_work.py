"""S4: `db.run()` does a whole unit of work in a session of its own, and again where the database refused its order."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest

from cormorant import AsyncSession, Database
from cormorant.errors import (
    CommitOutcomeUnknown,
    ConfigurationError,
    DeadlockError,
    SerializationError,
    TransactionError,
    UniqueViolation,
    WrongType,
)
from cormorant.persistence.retry import LONGEST_PAUSE, Retrying, is_conflict, pause
from tests.support.newsroom import Writer


class Work:
    """A unit of work that adds a writer, and meets others as often as it is told."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.sessions: list[AsyncSession] = []

    async def __call__(self, session: AsyncSession, name: str, *, age: int = 0) -> int:
        self.sessions.append(session)
        writer = await session.create(Writer, name=name, age=age)
        if self.errors:
            raise self.errors.pop(0)
        return writer.id


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that were made, each of them none."""
    made: list[float] = []

    async def rest(seconds: float) -> None:
        made.append(seconds)

    init = Retrying.__init__

    def without_sleep(self: Retrying, database: Database, **options: Any) -> None:
        init(self, database, **{"sleep": rest, **options})

    monkeypatch.setattr(Retrying, "__init__", without_sleep)
    return made


async def names(database: Database) -> list[tuple[str, int]]:
    async with database.session() as session:
        return await session.query(Writer).order_by(Writer.name).values(Writer.name, Writer.age)


async def test_it_commits_and_gives_the_result(database: Database) -> None:
    work = Work()
    key = await database.run(work, "Ada", age=3)
    assert await names(database) == [("Ada", 3)]
    async with database.session() as session:
        assert (await session.get_one(Writer, key)).name == "Ada"


@pytest.mark.parametrize("error", [SerializationError("met another"), DeadlockError("met another")])
async def test_a_conflict_has_it_run_again_in_a_fresh_session(
    database: Database, pauses: list[float], error: Exception
) -> None:
    work = Work(error, error, error)
    await database.run(work, "Ada")
    assert len({id(session) for session in work.sessions}) == 4
    assert await names(database) == [("Ada", 0)]
    assert len(pauses) == 3


async def test_after_three_times_the_error_is_raised(database: Database, pauses: list[float]) -> None:
    errors = [SerializationError(f"{n}") for n in range(4)]
    work = Work(*errors)
    with pytest.raises(SerializationError) as caught:
        await database.run(work, "Ada")
    assert caught.value is errors[3]
    assert (len(work.sessions), len(pauses)) == (4, 3)
    assert await names(database) == []


async def test_other_errors_are_raised_at_once(database: Database, pauses: list[float]) -> None:
    for error in (ZeroDivisionError(), CommitOutcomeUnknown("lost"), UniqueViolation("twice")):
        work = Work(error)
        with pytest.raises(type(error)):
            await database.run(work, "Ada")
        assert len(work.sessions) == 1
    assert pauses == []
    assert await names(database) == []


async def test_a_conflict_at_commit_has_it_run_again(
    database: Database, pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    errors: list[Exception] = [SerializationError("at COMMIT"), CommitOutcomeUnknown("no answer")]
    execute = Database.execute

    async def refusing(self: Database, connection: Any, tracker: Any, sql: str, args: Any = ()) -> int:
        if sql == "COMMIT" and errors:
            raise errors.pop(0)
        return await execute(self, connection, tracker, sql, args)

    async def work(session: AsyncSession, log: list[int]) -> None:
        log.append(1)
        async with session.transaction():
            await session.create(Writer, name="Ada")

    monkeypatch.setattr(Database, "execute", refusing)
    log: list[int] = []
    with pytest.raises(CommitOutcomeUnknown):
        await database.run(work, log)
    # once for the conflict, never for what may have happened
    assert len(log) == 2


async def test_a_conflict_that_was_caught_and_failed_the_rest_has_it_run_again(
    database: Database, pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    errors: list[Exception] = [SerializationError("met another")]
    fetch = Database.fetch

    async def refusing(self: Database, *args: Any, **options: Any) -> Any:
        if errors:
            raise errors.pop(0)
        return await fetch(self, *args, **options)

    async def work(session: AsyncSession) -> int:
        await session.begin()
        with contextlib.suppress(SerializationError):
            await session.query(Writer).all()
        return len(await session.query(Writer))

    monkeypatch.setattr(Database, "fetch", refusing)
    assert await database.run(work) == 0
    assert len(pauses) == 1


async def test_conflicts_of_several_tasks_have_it_run_again(database: Database, pauses: list[float]) -> None:
    async def work(session: AsyncSession, errors: list[Exception]) -> int:
        async def fail() -> None:
            if errors:
                raise errors.pop()

        async with asyncio.TaskGroup() as group:
            for _ in range(2):
                group.create_task(fail())
        return 3

    assert await database.run(work, [SerializationError("1"), DeadlockError("2")]) == 3
    assert len(pauses) == 1
    with pytest.raises(ExceptionGroup):
        await database.run(work, [SerializationError("1"), ZeroDivisionError()])


async def test_how_often_and_how_isolated(database: Database, pauses: list[float]) -> None:
    work = Work(SerializationError("1"), SerializationError("2"))
    with pytest.raises(SerializationError):
        await database.retrying(retries=1).run(work, "Ada")
    work = Work(*(SerializationError(f"{n}") for n in range(9)))
    await database.retrying(retries=9, isolation="serializable").run(work, "Ada")
    assert work.sessions[0]._isolation == "serializable"
    work = Work(SerializationError("1"))
    with pytest.raises(SerializationError):
        await database.retrying(retries=0).run(work, "Ada")


async def test_the_options_may_be_given_with_the_arguments(database: Database, pauses: list[float]) -> None:
    work = Work(*(SerializationError(f"{n}") for n in range(5)))
    await database.run(work, "Ada", age=4, retries=5, isolation="repeatable read")  # type: ignore[call-arg]
    assert work.sessions[0]._isolation == "repeatable read"
    assert await names(database) == [("Ada", 4)]


async def test_a_parameter_of_the_function_is_the_functions(database: Database) -> None:
    async def work(session: AsyncSession, retries: int) -> int:
        return retries

    assert await database.run(work, retries=70) == 70


@pytest.mark.parametrize("retries", [-1, 1.5, "3", True])
async def test_a_number_of_retries_is_one(database: Database, retries: Any) -> None:
    with pytest.raises(WrongType, match="int of 0 or more"):
        database.retrying(retries=retries)


async def test_a_level_that_does_not_exist_is_refused(database: Database) -> None:
    with pytest.raises(ConfigurationError):
        database.retrying(isolation="chaos")  # type: ignore[arg-type]


@pytest.mark.parametrize("begin", ["block", "begin", "write"])
async def test_inside_of_a_transaction_it_is_refused(database: Database, begin: str) -> None:
    work = Work()
    async with database.session() as session:
        if begin == "begin":
            await session.begin()
        elif begin == "write":
            await session.create(Writer, name="Eve")
        if begin == "block":
            async with session.transaction():
                with pytest.raises(TransactionError, match=r"test_units_of_work\.py:\d+"):
                    await database.run(work, "Ada")
        else:
            with pytest.raises(TransactionError, match="inside of a transaction"):
                await asyncio.create_task(database.run(work, "Ada"))
    assert work.sessions == []


async def test_inside_of_a_session_without_transaction_it_runs(database: Database) -> None:
    async with database.session() as session:
        await session.query(Writer).count()
        await database.run(Work(), "Ada")
        assert AsyncSession.current() is session
    assert await names(database) == [("Ada", 0)]


async def test_a_cancelled_one_is_rolled_back_and_not_run_again(database: Database) -> None:
    begun: list[int] = []

    async def work(session: AsyncSession) -> None:
        begun.append(1)
        await session.create(Writer, name="Ada")
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await database.run(work)
    assert begun == [1]
    assert await names(database) == []


# ---- two that really meet


async def test_units_that_meet_lose_no_update(database: Database) -> None:
    async with database.session() as session:
        key = (await session.create(Writer, name="Ada", age=0)).id

    async def raise_age(session: AsyncSession) -> None:
        writer = await session.get_one(Writer, key)
        await asyncio.sleep(0)
        writer.age += 1

    units = [database.retrying(retries=200, isolation="serializable").run(raise_age) for _ in range(8)]
    await asyncio.gather(*units)
    assert await names(database) == [("Ada", 8)]


# ---- what counts as a conflict, and how long the pauses are


@pytest.mark.parametrize(
    ("error", "conflict"),
    [
        (SerializationError("x"), True),
        (DeadlockError("x"), True),
        (CommitOutcomeUnknown("x"), False),
        (UniqueViolation("x"), False),
        (ExceptionGroup("x", [SerializationError("x"), DeadlockError("y")]), True),
        (ExceptionGroup("x", [SerializationError("x"), ValueError()]), False),
        (TransactionError("x"), False),
        (ValueError(), False),
    ],
)
def test_what_is_a_conflict(error: Exception, conflict: bool) -> None:
    assert is_conflict(error) is conflict


def test_pauses_grow_and_end_growing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("random.uniform", lambda _, longest: longest)
    pauses = [pause(attempt) for attempt in (0, 1, 2, 3, 50, 5000)]
    assert pauses == [0.01, 0.02, 0.04, 0.08, LONGEST_PAUSE, LONGEST_PAUSE]
    monkeypatch.undo()
    assert all(0 <= pause(3) <= 0.08 for _ in range(50))
    assert len({pause(3) for _ in range(50)}) > 1
