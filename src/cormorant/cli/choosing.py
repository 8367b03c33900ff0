"""Which migrations are looked at, what is found in them, and what they would lose; no database is asked here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from cormorant.dialects.base import Dialect
from cormorant.errors import Loss
from cormorant.migrations import History, MigrationFile
from cormorant.migrations.branches import ancestors
from cormorant.migrations.losses import losses_of
from cormorant.migrations.running.outcomes import Plan
from cormorant.migrations.safety.findings import Finding
from cormorant.migrations.safety.lint import lint
from cormorant.migrations.safety.sizes import Sizes, TableSize
from cormorant.schema.snapshot import SchemaSnapshot


@dataclass(frozen=True, slots=True)
class Choice:
    """What was asked for.

    Args:
        names: Migrations by their names.
        every: All of them.
        since: Those that come after one.
    """

    names: tuple[str, ...] = ()
    every: bool = False
    since: str | None = None


@dataclass(frozen=True, slots=True)
class Looked:
    """One migration, and what was found in it."""

    migration: str
    findings: tuple[Finding, ...]


def chosen(history: History, choice: Choice, pending: frozenset[str] | None) -> Sequence[MigrationFile]:
    """Gives migrations in the order in which they are run.

    Args:
        history: All of them.
        choice: What was asked for.
        pending: The keys of those that the database has not; None if none was asked.
    """
    if choice.names:
        keys = {history[name].key for name in choice.names}
    elif choice.since is not None:
        keys = {file.key for file in history.ordered} - ancestors(history[choice.since].key, history.needs)
    elif choice.every or pending is None:
        keys = {file.key for file in history.ordered}
    else:
        keys = set(pending)
    return [file for file in history.ordered if file.key in keys]


def looked_at(
    history: History,
    files: Sequence[MigrationFile],
    dialect: Dialect | None,
    sizes: Sizes | None,
    *,
    running: SchemaSnapshot | None = None,
    ignored: frozenset[str] = frozenset(),
) -> list[Looked]:
    """Gives what is found in migrations.

    Args:
        history: All of them.
        files: Those that are looked at.
        dialect: The database's; PostgreSQL's if None.
        sizes: How large the database's tables are; what it has not yet is empty. None if none was asked.
        running: What the release wants that runs meanwhile.
        ignored: Rules that are silent.
    """
    found: list[Looked] = []
    for file in files:
        before = history.state_before(file.key)
        known = None if sizes is None else {table.key: TableSize(0) for table in before.tables} | dict(sizes)
        findings = lint(file.migration.operations, before, known, dialect, running=running)
        found.append(Looked(file.key, tuple(each for each in findings if each.rule not in ignored)))
    return found


Losses: TypeAlias = Mapping[str, Sequence[Loss]]
"""What would be lost, by the keys of migrations."""


def losses_of_plan(history: History, plan: Plan) -> Losses:
    """Gives what each migration of a plan would take from the database for ever.

    Args:
        history: All migrations.
        plan: Those that would be run, or taken back.
    """
    found: dict[str, Sequence[Loss]] = {}
    for each in plan.migrations:
        steps = history[each.migration].migration.operations
        found[each.migration] = losses_of([step.reverse() for step in reversed(steps)] if each.down else steps)
    return found


def with_rows(losses: Losses, rows: Mapping[str, int]) -> Losses:
    """Gives losses with their numbers of rows, by their names."""
    return {key: [loss._replace(rows=rows.get(loss.name)) for loss in each] for key, each in losses.items()}
