"""What the engine says: how far it is, what it did, what it would do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from cormorant.migrations.migration import MigrationFile
from cormorant.migrations.running.ledger import Record
from cormorant.schema.operations import Operation

Phase: TypeAlias = Literal["waiting", "started", "step", "rows", "retrying", "done"]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is.

    Args:
        phase: "waiting" for another one who migrates, "started" or "done" with a migration, "step" before a step of it,
            "rows" within a step, "retrying" after a lock was not granted.
        migration: Its key; "" while waiting.
        number: The migration's number in this run, the first is 1.
        count: How many migrations this run has.
        step: The number of its step, the first is 1; 0 outside of steps.
        steps: How many steps it has.
        words: The step in words, or whom is waited for.
        down: It is taken back.
        rows: How many rows the step has written so far.
        rows_expected: How many it will write, as far as is known.
    """

    phase: Phase
    migration: str = ""
    number: int = 0
    count: int = 0
    step: int = 0
    steps: int = 0
    words: str = ""
    down: bool = False
    rows: int = 0
    rows_expected: int | None = None


Tell: TypeAlias = Callable[[Progress], object]


@dataclass(frozen=True, slots=True)
class Ran:
    """One migration that was run.

    Args:
        migration: Its key.
        seconds: How long it took in this run.
        steps: How many steps were done.
        resumed: It had been begun before.
    """

    migration: str
    seconds: float
    steps: int
    resumed: bool = False


@dataclass(frozen=True, slots=True)
class Report:
    """What a run did.

    Args:
        ran: The migrations, in the order in which they were run.
        down: They were taken back.
        fake: They were only written down.
    """

    ran: tuple[Ran, ...]
    down: bool = False
    fake: bool = False

    @property
    def migrations(self) -> tuple[str, ...]:
        """Their keys."""
        return tuple(each.migration for each in self.ran)

    @property
    def seconds(self) -> float:
        """How long all of them took."""
        return sum(each.seconds for each in self.ran)


@dataclass(frozen=True, slots=True)
class Status:
    """What a database has, compared with the files.

    Args:
        applied: What it has, in the order of the files.
        pending: What it has not, in the order in which it will be run.
        started: Migrations of which some steps are in the database and others are not: they are pending too.
        changed: Keys of applied migrations whose files are others now.
        missing: Keys of applied migrations that have no file.
    """

    applied: tuple[Record, ...]
    pending: tuple[MigrationFile, ...]
    started: tuple[Record, ...] = ()
    changed: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()

    @property
    def is_current(self) -> bool:
        """Whether the database has all migrations, as they are in the files."""
        return not (self.pending or self.changed or self.missing)


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """One step that would be taken.

    Args:
        number: The step's number in its migration, the first is 1; on SQLite that of the first of several that become
            one.
        words: The step in words.
        sql: Its statements; none for work in a session.
        outside: It would run outside of a transaction.
        by_program: It is work in a session.
    """

    number: int
    words: str
    sql: tuple[str, ...]
    outside: bool
    by_program: bool = False


@dataclass(frozen=True, slots=True)
class PlannedMigration:
    """A migration that would be run.

    Args:
        migration: Its key.
        steps: What is to be done, in order.
        down: It would be taken back.
        done: How many of its steps are in the database already.
    """

    migration: str
    steps: tuple[PlannedStep, ...]
    down: bool = False
    done: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run would do.

    Args:
        migrations: The migrations, in the order in which they would be run.
    """

    migrations: tuple[PlannedMigration, ...]

    @property
    def sql(self) -> list[str]:
        """All statements, in order, without those that write down what is done."""
        return [sql for migration in self.migrations for step in migration.steps for sql in step.sql]


@dataclass(frozen=True, slots=True)
class Drift:
    """Where models, migrations and the live database differ.

    Args:
        unmade: What models want and no migration makes: `make` writes it.
        unapplied: Keys of migrations that the database has not: `migrate` runs them.
        repairs: What would make the database what its applied migrations say; somebody has changed it by hand.
        unmanaged: Keys of tables that no migration and no model knows.
        changed: Keys of applied migrations whose files are others now.
        missing: Keys of applied migrations that have no file.
    """

    unmade: tuple[Operation, ...] = ()
    unapplied: tuple[str, ...] = ()
    repairs: tuple[Operation, ...] = ()
    unmanaged: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        # what is nobody's is no difference
        return bool(self.unmade or self.unapplied or self.repairs or self.changed or self.missing)

    def describe(self) -> list[str]:
        """Gives each difference in words: where it is, what it is, and what to do about it."""
        lines = [f"in models and in no migration: {each.describe()}" for each in self.unmade]
        lines += [f"in a migration and not in the database: {key} is not applied" for key in self.unapplied]
        lines += [f"in the database otherwise than in its migrations; to undo it: {x.describe()}" for x in self.repairs]
        lines += [f"applied and changed since: {key}" for key in self.changed]
        return lines + [f"applied and without a file: {key}" for key in self.missing]


@dataclass(frozen=True, slots=True)
class Proof:
    """What became of all migrations on an empty database: up, compared, down, up again.

    Args:
        migrations: The keys of those that were run.
        differences: What the database had otherwise than the migrations say, after the way up.
        left: What was left after the way down.
        again: What was otherwise after the second way up.
        irreversible: Why there was no way down, if there was none: down and up again were not tried then.
    """

    migrations: tuple[str, ...]
    differences: tuple[Operation, ...] = ()
    left: tuple[Operation, ...] = ()
    again: tuple[Operation, ...] = ()
    irreversible: str | None = None

    @property
    def holds(self) -> bool:
        """Whether the way up gives what the migrations say, and the way down leaves nothing."""
        return not (self.differences or self.left or self.again) and self.irreversible is None
