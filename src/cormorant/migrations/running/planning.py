"""What a run would do, in words and in SQL; no database is asked."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, groupby

from cormorant.dialects.base import Dialect
from cormorant.migrations.migration import MigrationFile
from cormorant.migrations.running.deciding import Standing
from cormorant.migrations.running.moves import Chunk, Move, changes_of, chunks_of, done_of, moves_of
from cormorant.migrations.running.outcomes import Plan, PlannedMigration, PlannedStep
from cormorant.migrations.step import RunSession
from cormorant.schema.operations import Operation
from cormorant.schema.plan import plan
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
    chunks: Sequence[Chunk], state: SchemaSnapshot, dialect: Dialect
) -> list[tuple[PlannedStep, SchemaSnapshot]]:
    """Gives steps as the database would take them, each with the schema after it."""
    made: list[tuple[PlannedStep, SchemaSnapshot]] = []
    for chunk in chunks:
        for _, some in groupby(chunk.moves, key=lambda move: isinstance(move.step, Operation)):
            moves = list(some)
            before = state
            state = apply(state, *(each for move in moves for each in changes_of(move.step)))
            made += [(step, state) for step in _together(moves, before, chunk.outside, dialect)]
    return made


def _together(moves: Sequence[Move], before: SchemaSnapshot, outside: bool, dialect: Dialect) -> list[PlannedStep]:
    operations = [move.step for move in moves if isinstance(move.step, Operation)]
    if not operations or dialect.supports_add_constraint:
        states = accumulate(moves, lambda state, move: apply(state, *changes_of(move.step)), initial=before)
        return [_planned(move, outside, dialect, state) for move, state in zip(moves, states, strict=False)]
    number = moves[0].number
    return [
        PlannedStep(number, operation.describe(), tuple(operation.statements(dialect)), outside)
        for operation in plan(before, operations, dialect)
    ]


def _planned(move: Move, outside: bool, dialect: Dialect, before: SchemaSnapshot) -> PlannedStep:
    step = move.step
    if isinstance(step, RunSession):
        return PlannedStep(move.number, step.describe(), (), outside, by_program=True)
    steps = plan(before, [step], dialect) if isinstance(step, Operation) else [step]
    sql = tuple(sql for each in steps for sql in each.statements(dialect))
    return PlannedStep(move.number, step.describe(), sql, outside)
