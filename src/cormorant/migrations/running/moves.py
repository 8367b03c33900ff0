"""What is still to be done of one migration, in pieces that are done together or not at all; no database is asked."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from cormorant.dialects.base import Dialect
from cormorant.migrations.migration import MigrationFile
from cormorant.migrations.running.ledger import Record
from cormorant.migrations.step import RunSQL, Step
from cormorant.schema.operations import Operation
from cormorant.schema.snapshot import SchemaSnapshot
from cormorant.schema.state import apply


@dataclass(frozen=True, slots=True)
class Move:
    """One step to be done, up or down.

    Args:
        number: The step's number in the migration, the first is 1.
        step: What is done; on the way down the step back.
        after: How many steps of the migration, from the first, are in the database afterwards.
    """

    number: int
    step: Step
    after: int


@dataclass(frozen=True, slots=True)
class Chunk:
    """Moves that follow each other.

    Args:
        moves: In order; one if it is outside of transactions.
        outside: It must not be in a transaction.
    """

    moves: tuple[Move, ...]
    outside: bool

    @property
    def after(self) -> int:
        """How many steps of the migration are in the database afterwards."""
        return self.moves[-1].after


def done_of(file: MigrationFile, record: Record | None) -> int:
    """Gives how many steps of a migration, from the first, are in the database for certain.

    Of one that was begun, the next step may be there too, or half of it, if it runs outside of transactions.
    """
    if record is None:
        return 0
    return len(file.migration.operations) if record.state == "done" else record.step


def moves_of(file: MigrationFile, record: Record | None, dialect: Dialect, *, up: bool) -> list[Move]:
    """Gives what is still to be done.

    Args:
        file: The migration.
        record: What the database has written down about it; None if nothing is.
        dialect: The database's.
        up: To its end, rather than back to its beginning.

    Raises:
        IrreversibleMigration: A step has no way back; asked before any of them is taken.
    """
    steps, done = file.migration.operations, done_of(file, record)
    if up:
        return [Move(place + 1, steps[place], place + 1) for place in range(done, len(steps))]
    moves = [Move(place + 1, steps[place].reverse(), place) for place in range(done - 1, -1, -1)]
    if record is not None and record.state == "started" and done < len(steps):
        back = steps[done].reverse()
        if is_outside(steps[done], dialect) or is_outside(back, dialect):
            moves.insert(0, Move(done + 1, back, done))
    return moves


def chunks_of(moves: Sequence[Move], dialect: Dialect) -> list[Chunk]:
    """Gives moves in pieces: what must be outside of a transaction stands alone."""
    made: list[Chunk] = []
    for outside, some in groupby(moves, key=lambda move: is_outside(move.step, dialect)):
        together = tuple(some)
        made += [Chunk((move,), True) for move in together] if outside else [Chunk(together, False)]
    return made


def is_outside(step: Step, dialect: Dialect) -> bool:
    """Whether a step must not be in a transaction; SQLite has no operation of such a kind."""
    return step.outside and (dialect.supports_add_constraint or not isinstance(step, Operation))


def state_at(before: SchemaSnapshot, file: MigrationFile, number: int) -> SchemaSnapshot:
    """Gives the schema at a step.

    Args:
        before: The schema before the migration.
        file: The migration.
        number: The step's number; its own changes are not made yet.
    """
    return apply(before, *(each for step in file.migration.operations[: number - 1] for each in changes_of(step)))


def changes_of(step: Step) -> Sequence[Operation]:
    """Gives what a step does to the schema."""
    if isinstance(step, Operation):
        return (step,)
    return step.state if isinstance(step, RunSQL) else ()


def digest(file: MigrationFile, done: int) -> str:
    """Gives what tells the first steps of a migration from others: they must not change once they are done."""
    words = "\n".join(step.describe() for step in file.migration.operations[:done])
    return hashlib.sha256(words.encode()).hexdigest() if done else ""
