"""What a run would do, in words and in SQL; no database is asked."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from cormorant.dialects.base import Dialect
from cormorant.migrations.history import History, after
from cormorant.migrations.migration import MigrationFile
from cormorant.migrations.running import ledger
from cormorant.migrations.running.deciding import Standing
from cormorant.migrations.running.moves import Chunk, Move, changes_of, chunks_of, done_of, moves_of
from cormorant.migrations.running.outcomes import Plan, PlannedMigration, PlannedStep
from cormorant.migrations.running.runner import record_statement
from cormorant.migrations.step import RunSession
from cormorant.schema.operations import Operation
from cormorant.schema.plan import plan
from cormorant.schema.rebuild import RebuildTable
from cormorant.schema.snapshot import SchemaSnapshot
from cormorant.schema.state import apply


def planned(standing: Standing, files: Sequence[MigrationFile], dialect: Dialect, *, up: bool) -> Plan:
    """Gives what would be done.

    Args:
        standing: What the database has.
        files: The migrations that would be run, in that order.
        dialect: The database's.
        up: To their ends, rather than back to their beginnings.
    """
    made: list[PlannedMigration] = []
    applied = set(standing.applied)
    for file in files:
        record = standing.record(file)
        done = done_of(file, record)
        state = standing.history.state_of(applied - {file.key})
        for step in file.migration.operations[:done]:
            state = apply(state, *changes_of(step))
        chunks = chunks_of(moves_of(file, record, dialect, up=up), dialect)
        steps = [step for step, _ in _steps(chunks, state, dialect)]
        made.append(PlannedMigration(file.key, tuple(steps), down=not up, done=done))
        applied = applied | {file.key} if up else applied - {file.key}
    return Plan(tuple(made))


def _steps(
    chunks: Sequence[Chunk], state: SchemaSnapshot, dialect: Dialect, *, by_hand: bool = False
) -> list[tuple[PlannedStep, SchemaSnapshot]]:
    """Gives steps as the database would take them, each with the schema after it."""
    made: list[tuple[PlannedStep, SchemaSnapshot]] = []
    for chunk in chunks:
        for _, some in groupby(chunk.moves, key=lambda move: isinstance(move.step, Operation)):
            moves = list(some)
            before = state
            state = apply(state, *(each for move in moves for each in changes_of(move.step)))
            made += [(step, state) for step in _together(moves, before, chunk.outside, dialect, by_hand)]
    return made


def _together(
    moves: Sequence[Move], before: SchemaSnapshot, outside: bool, dialect: Dialect, by_hand: bool
) -> list[PlannedStep]:
    operations = [move.step for move in moves if isinstance(move.step, Operation)]
    if not operations or dialect.supports_add_constraint:
        return [_planned(move, outside, dialect) for move in moves]
    number = moves[0].number
    run = plan(before, operations, dialect)
    if by_hand:
        run = [each.by_hand(dialect) if isinstance(each, RebuildTable) else each for each in run]
    return [
        PlannedStep(number, operation.describe(), tuple(operation.statements(dialect)), outside) for operation in run
    ]


def _planned(move: Move, outside: bool, dialect: Dialect) -> PlannedStep:
    step = move.step
    sql = tuple(step.statements(dialect)) if not isinstance(step, RunSession) else ()
    return PlannedStep(move.number, step.describe(), sql, outside, by_program=isinstance(step, RunSession))


# ------------------------------------------------------------------ offline


def offline(history: History, dialect: Dialect, from_: str | None, to: str | None) -> list[str]:
    """Gives the statements of migrations for a database that has nothing but those before.

    Args:
        history: The migrations.
        dialect: The database's.
        from_: The last migration that it has; none if None is named.
        to: The last one to be run; all if None is named.
    """
    first = 0 if from_ is None else history.ordered.index(history[from_]) + 1
    end = len(history) if to is None else history.ordered.index(history[to]) + 1
    state = SchemaSnapshot()
    lines = [] if first else [ledger.create_statement(dialect)]
    for place, file in enumerate(history.ordered[:end]):
        if place >= first:
            lines += _script(file, state, dialect)
        state = after(state, file)
    return lines


def _script(file: MigrationFile, state: SchemaSnapshot, dialect: Dialect) -> list[str]:
    lines = [f"-- {file.key}{f': {file.title}' if file.title else ''}"]
    chunks = chunks_of(moves_of(file, None, dialect, up=True), dialect) or [Chunk((), outside=False)]
    for chunk in chunks:
        found = _steps([chunk], state, dialect, by_hand=True)
        state = found[-1][1] if found else state
        after_chunk = chunk.moves[-1].after if chunk.moves else 0
        record = record_statement(dialect, file, after_chunk, 0.0, last=chunk is chunks[-1])
        body = [sql for step, _ in found for sql in (_by_program(step) if step.by_program else step.sql)]
        operates = any(isinstance(move.step, Operation) for move in chunk.moves)
        lines += [*body, record] if chunk.outside else _in_transaction([*body, record], dialect, operates=operates)
    return lines


def _by_program(step: PlannedStep) -> list[str]:
    return [f"-- step {step.number} is work in a session, which only the program can do: {step.words}"]


def _in_transaction(body: list[str], dialect: Dialect, *, operates: bool) -> list[str]:
    before, behind = dialect.around_drops if operates else ((), ())
    begin = dialect.begin(isolation=None, read_only=False, deferrable=False, write=True)
    return [*before, begin, *body, "COMMIT", *behind]
