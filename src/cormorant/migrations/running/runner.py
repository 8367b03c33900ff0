"""Runs one migration: what can be done together in one transaction with its record, the rest step by step."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from inspect import isawaitable
from itertools import groupby
from time import perf_counter

from cormorant.dialects.base import Dialect
from cormorant.errors import DeadlockError, InvalidMigration, LockTimeout, MigrationLocked, SerializationError
from cormorant.migrations.historical import HistoricalModels
from cormorant.migrations.migration import MigrationFile
from cormorant.migrations.running import ledger
from cormorant.migrations.running.bound import bound_database
from cormorant.migrations.running.connecting import Place
from cormorant.migrations.running.locking import Lock, taken
from cormorant.migrations.running.moves import Chunk, Move, chunks_of, digest, done_of, moves_of, state_at
from cormorant.migrations.running.outcomes import Progress, Ran, Tell
from cormorant.migrations.running.resuming import remaining, run_alone
from cormorant.migrations.running.stopping import blockers_of, failure
from cormorant.migrations.safety.backfilling import BackfillProgress, run_backfill
from cormorant.migrations.statements import refuse_transactions
from cormorant.migrations.step import Backfill, RunSession, RunSQL
from cormorant.persistence.retry import pause
from cormorant.persistence.session import AsyncSession
from cormorant.schema.introspect import introspect
from cormorant.schema.operations import Operation
from cormorant.schema.plan import begins_to_compute, plan
from cormorant.schema.running import keys_kept, rebuilding, send, send_whole, transaction
from cormorant.schema.snapshot import SchemaSnapshot
from cormorant.schema.state import apply

_MAY_SUCCEED_LATER = (LockTimeout, DeadlockError, SerializationError)
_FIRST_PAUSE = 3


class Overtaken(Exception):
    """Another one has gone on with the migration meanwhile: the records must be read again."""


@dataclass(frozen=True, slots=True)
class Options:
    """How migrations are run.

    Args:
        wait: Seconds to wait for another one who migrates; None waits without end.
        lock_timeout: Seconds that a statement waits for a lock of a table, and lets all others wait behind it; None
            sets no limit.
        retries: How often a transaction is tried again after a lock was not granted.
    """

    wait: float | None = 60.0
    lock_timeout: float | None = 2.0
    retries: int = 20


@dataclass(frozen=True, slots=True)
class Work:
    """One migration that is to be run.

    Args:
        file: The migration.
        before: Gives the schema before it, which most migrations do not need.
        record: What is written down about it; None if nothing is.
        tell: Told how far it is.
        progress: What is told, without the step.
        stands_for: The keys of those that it stands for.
    """

    file: MigrationFile
    before: Callable[[], SchemaSnapshot]
    record: ledger.Record | None
    tell: Tell
    progress: Progress
    stands_for: Sequence[str] = ()

    @property
    def up(self) -> bool:
        """Whether it is to be run to its end, rather than back to its beginning."""
        return not self.progress.down

    def state(self, move: Move) -> SchemaSnapshot:
        """Gives the schema at a step."""
        return state_at(self.before(), self.file, move.number)

    def state_from(self, move: Move) -> SchemaSnapshot:
        """Gives the schema that a step begins with, up or down."""
        return state_at(self.before(), self.file, move.number if self.up else move.number + 1)


@dataclass(slots=True)
class _Way:
    """How far a migration is.

    Args:
        work: The migration.
        done: How many of its steps are in the database.
        noted: What is written down: the record's state and step.
        resumed: The first step may have been begun before.
        first: The number of that step.
        at: The step that is being taken.
    """

    work: Work
    done: int
    noted: tuple[str, int] | None
    resumed: bool
    first: int
    at: Move | None = None

    def take(self, move: Move) -> None:
        """Goes on to a step, and tells of it."""
        self.at = move
        progress = self.work.progress
        self.work.tell(replace(progress, phase="step", step=move.number, words=move.step.describe()))


class Runner:
    """Runs migrations on one connection.

    Args:
        place: Where.
        lock: What is held meanwhile.
        options: How.
    """

    def __init__(self, place: Place, lock: Lock, options: Options) -> None:
        self._place = place
        self._connection = place.connection
        self._dialect = place.dialect
        self._lock = lock
        self._options = options

    async def prepare(self) -> None:
        """Makes the table of the records, unless it is there."""
        if not await ledger.exists(self._connection, self._dialect):
            async with self._transaction(lambda progress: None, rebuilds=False):
                await self._connection.execute(ledger.create_statement(self._dialect))

    async def run(self, work: Work) -> Ran:
        """Runs what is still to be done of a migration.

        Raises:
            MigrationFailed: A step failed.
            Overtaken: Another one has gone on with it meanwhile.
            IrreversibleMigration: It shall be taken back, and a step has no way back; nothing was done.
        """
        moves = moves_of(work.file, work.record, self._dialect, up=work.up)
        chunks = chunks_of(moves, self._dialect) or [Chunk((), outside=False)]
        for chunk in chunks:
            if chunk.outside:
                self._place.refuse_outside(chunk.moves[0].step.describe())
        work.tell(replace(work.progress, phase="started"))
        start, record = perf_counter(), work.record
        noted = None if record is None else (record.state, record.step)
        done = done_of(work.file, record)
        way = _Way(work, done, noted, record is not None and record.state == "started", moves[0].number if moves else 0)
        for chunk in chunks:
            await self._run_chunk(chunk, way, last=chunk is chunks[-1])
        work.tell(replace(work.progress, phase="done"))
        return Ran(work.file.key, perf_counter() - start, len(moves), work.up and record is not None)

    async def _run_chunk(self, chunk: Chunk, way: _Way, *, last: bool) -> None:
        try:
            if chunk.outside:
                await self._outside(chunk.moves[0], way, last=last)
            else:
                await self._again(partial(self._together, chunk, way, last=last), way)
        except (Overtaken, MigrationLocked):
            raise
        except Exception as error:
            waits_for = await blockers_of(self._connection, self._dialect, error, way.at)
            work = way.work
            at, done = way.at, way.done
            raise failure(
                error, work.file, chunk, at, done, up=work.up, blockers=waits_for, dialect=self._dialect
            ) from error
        way.done = chunk.moves[-1].after if chunk.moves else way.done
        way.noted, way.resumed, way.at = ("started", way.done), False, None

    async def _again(self, once: Callable[[], Awaitable[object]], way: _Way) -> None:
        """Does something again whose locks were not granted."""
        attempt = 0
        while True:
            try:
                await once()
                return
            except _MAY_SUCCEED_LATER as error:
                if attempt >= self._options.retries or self._connection.is_closed:
                    raise
                words = f"{error.message} (attempt {attempt + 1} of {self._options.retries + 1})"
                step = 0 if way.at is None else way.at.number
                way.work.tell(replace(way.work.progress, phase="retrying", step=step, words=words))
            # those who were kept waiting have their turn
            await asyncio.sleep(pause(attempt + _FIRST_PAUSE))
            attempt += 1

    # ---- in one transaction

    async def _together(self, chunk: Chunk, way: _Way, *, last: bool) -> None:
        start = perf_counter()
        # data alone is written with foreign keys: what is deleted takes along what points to it
        operates = any(isinstance(move.step, Operation) for move in chunk.moves)
        async with self._transaction(way.work.tell, rebuilds=operates and not self._dialect.supports_add_constraint):
            await self._check(way)
            for is_operation, some in groupby(chunk.moves, key=lambda move: isinstance(move.step, Operation)):
                moves = list(some)
                if is_operation:
                    await self._operate(moves, way)
                else:
                    for move in moves:
                        way.take(move)
                        await self._work(move, way.work)
            after = chunk.moves[-1].after if chunk.moves else way.done
            await self._write(way.work, after, perf_counter() - start, last=last)

    @asynccontextmanager
    async def _transaction(self, tell: Tell, *, rebuilds: bool) -> AsyncGenerator[None]:
        def waiting(holder: str) -> None:
            tell(Progress("waiting", words=holder))

        async with AsyncExitStack() as stack:
            if rebuilds:
                await stack.enter_async_context(rebuilding(self._connection, self._dialect))
            await stack.enter_async_context(transaction(self._connection, self._dialect))
            await self._place.settle(self._options.lock_timeout)
            if not self._lock.lasts:
                where = self._place.config.redacted
                await taken(self._lock.take_in_transaction, self._lock, where, self._options.wait, waiting)
            if rebuilds:
                await stack.enter_async_context(keys_kept(self._connection))
            yield

    async def _check(self, way: _Way) -> None:
        """Looks whether another one has gone on meanwhile, where it is not the lock alone that keeps others away."""
        if self._lock.lasts and self._dialect.supports_add_constraint:
            return
        file = way.work.file
        record = await ledger.read_one(self._connection, file.app, file.name)
        if way.noted != (None if record is None else (record.state, record.step)):
            raise Overtaken

    async def _operate(self, moves: Sequence[Move], way: _Way) -> None:
        if self._dialect.supports_add_constraint:
            for move in moves:
                way.take(move)
                await self._operate_once(move, way)
            return
        # from what is really there: a table that is rebuilt keeps what no migration tells of
        live = state = await introspect(self._connection, self._dialect)
        for move in moves:
            # what cannot be done to the schema is an error of its step, of which nobody is told yet
            way.at = move
            state = apply(state, _operation(move))
        way.at = None
        for operation in plan(live, list(map(_operation, moves)), self._dialect):
            way.take(_move_of(operation, moves))
            await send_whole(self._connection, self._dialect, operation)

    async def _operate_once(self, move: Move, way: _Way) -> None:
        operation = _operation(move)
        if begins_to_compute(operation):
            for each in plan(way.work.state_from(move), [operation], self._dialect):
                await send(self._connection, self._dialect, each)
        elif way.resumed and move.number == way.first:
            for sql in await remaining(self._connection, self._dialect, operation):
                await self._connection.execute(sql)
        else:
            await send(self._connection, self._dialect, operation)

    async def _work(self, move: Move, work: Work, *, inside: bool = True) -> None:
        step = move.step
        if isinstance(step, RunSQL):
            found = step.statements(self._dialect)
            if inside:
                refuse_transactions(found)
            for sql in found:
                await self._connection.execute(sql)
        elif isinstance(step, RunSession):
            database = bound_database(self._connection, self._place.database, inside=inside)
            async with AsyncSession(database) as session:
                working = step.forward(session, HistoricalModels(work.state(move)))
                if not isawaitable(working):
                    raise InvalidMigration("the function is no async one", hint="write async def")
                await working

    # ---- outside of a transaction

    async def _outside(self, move: Move, way: _Way, *, last: bool) -> None:
        certain = min(way.done, move.after)
        if way.noted != ("started", certain):
            # before it begins: whoever comes after a crash knows that something of it may be there, and may be not
            await self._write(way.work, certain, 0.0, last=False)
        start = perf_counter()
        way.take(move)
        if isinstance(move.step, Backfill):
            await self._fill(move, move.step, way, last=last)
            return
        if isinstance(move.step, Operation):
            send = partial(self._send_alone, way)
            await run_alone(self._connection, self._dialect, move.step, send, resumed=way.resumed)
        else:
            await self._work(move, way.work, inside=False)
        await self._write(way.work, move.after, perf_counter() - start, last=last)

    async def _fill(self, move: Move, step: Backfill, way: _Way, *, last: bool) -> None:
        work, start = way.work, perf_counter()
        table = work.state(move).table(step.table)
        if table is None:
            raise InvalidMigration(f"there is no table {step.table} at this step", hint="correct the name")

        def told(so_far: BackfillProgress) -> None:
            words = move.step.describe()
            at = replace(work.progress, phase="rows", step=move.number, words=words)
            work.tell(replace(at, rows=so_far.rows, rows_expected=so_far.expected))

        async def done() -> None:
            await self._write(work, move.after, perf_counter() - start, last=last)

        await self._place.settle(self._options.lock_timeout, outside=True)
        name, again = f"{work.file.key}, step {move.number}", way.resumed and move.number == way.first
        await run_backfill(
            self._connection, self._dialect, step, table, name=name, resume=again, progress=told, done=done
        )

    async def _send_alone(self, way: _Way, sql: str) -> None:
        # what lets others work may wait for all of them; anything else would have them wait behind it
        patient = " CONCURRENTLY " in sql
        await self._place.settle(None if patient else self._options.lock_timeout, outside=True)
        await self._again(partial(self._connection.execute, sql), way)

    # ---- the record

    async def _write(self, work: Work, step: int, seconds: float, *, last: bool) -> None:
        sql = record_statement(self._dialect, work.file, step, seconds, up=work.up, last=last, also=work.stands_for)
        await self._connection.execute(sql)


def _move_of(operation: Operation, moves: Sequence[Move]) -> Move:
    """Gives the step that an operation as SQLite runs it comes from: of a table that is rebuilt, the first one."""

    def distance(move: Move) -> int:
        step = move.step
        if step is operation:
            return 0
        touches = isinstance(step, Operation) and step.touched == operation.touched
        return 1 if touches and type(step) is type(operation) else 2 if touches else 3

    return replace(min(moves, key=distance), step=operation)


def _operation(move: Move) -> Operation:
    assert isinstance(move.step, Operation)
    return move.step


def record_statement(
    dialect: Dialect,
    file: MigrationFile,
    step: int,
    seconds: float,
    *,
    up: bool = True,
    last: bool = True,
    also: Sequence[str] = (),
) -> str:
    """Gives what writes down how far a migration is.

    Args:
        dialect: The database's.
        file: The migration.
        step: How many of its steps, from the first, are in the database.
        seconds: How long that took.
        up: It is on its way up.
        last: It is at its end.
        also: The keys of those that it stands for, which are forgotten with it.
    """
    if last and not up:
        return ledger.forget_statement(file.key, *also)
    done = "" if last else digest(file, step)
    return ledger.write_statement(
        dialect,
        file.app,
        file.name,
        file.checksum,
        seconds=seconds,
        state="done" if last else "started",
        step=step,
        done=done,
    )
