"""New migrations: what models want and the migrations before do not make."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from cormorant.errors import DestructiveMigration, Loss
from cormorant.migrations import files as writing
from cormorant.migrations.history import History
from cormorant.migrations.losses import losses_of, rename_hints
from cormorant.migrations.migration import Migration, key_of, said_key
from cormorant.migrations.naming import automatic_title, automatic_words, file_name
from cormorant.migrations.source import migration_source
from cormorant.migrations.step import Step
from cormorant.schema import column_operations as c
from cormorant.schema import operations as o
from cormorant.schema import snapshot as s
from cormorant.schema.diff import diff
from cormorant.schema.operations import Operation
from cormorant.schema.snapshot import SchemaSnapshot

Rewrite: TypeAlias = Callable[[Sequence[Operation], SchemaSnapshot], Sequence[Step]]
"""Gives steps in another form, for a schema as it is before them."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A migration that is not written yet.

    Args:
        app: The app whose tables it changes.
        name: What its file will be called.
        migration: What it does.
        source: The text of its file.
        losses: What a database would lose by it.
    """

    app: str
    name: str
    migration: Migration
    source: str
    losses: tuple[Loss, ...] = ()

    @property
    def key(self) -> str:
        """What will stand for it."""
        return key_of(self.app, self.name)

    def describe(self) -> list[str]:
        """Gives what it does in words, step by step."""
        return [step.describe() for step in self.migration.operations]

    def write(self, directory: str | Path) -> Path:
        """Writes its file, and gives the path; the directory is made if it is not there.

        Raises:
            InvalidMigration: There is such a file already.
        """
        return writing.write(directory, self.name, self.source)


def make(
    history: History,
    wanted: SchemaSnapshot,
    *,
    name: str | None = None,
    app: str = "",
    retired: Iterable[str] = (),
    allow_destructive: bool = False,
    safe: Rewrite | None = None,
) -> Draft | None:
    """Gives the migration that makes the schema what models want; None if it is so already.

    Args:
        history: The migrations that there are.
        wanted: What the models want, as `SchemaBuilder.wanted()` gives it.
        name: What the migration is about, in words; made of what it does if None.
        app: The app whose migration it is.
        retired: What may be dropped: tables, "essay", and columns, "essay.stars".
        allow_destructive: Everything may be dropped.
        safe: Puts operations into a form that a live database can run.

    Raises:
        DestructiveMigration: Rows or values would be lost, and nobody has said that they may.

    Example:
        >>> draft = make(History.load("migrations"), SchemaBuilder.wanted())
        >>> if draft is not None:
        ...     draft.write("migrations")
    """
    before = history.state()
    operations = [tidy(operation) for operation in diff(before, wanted)]
    if not operations:
        return None
    losses = losses_of(operations)
    if not allow_destructive:
        refuse(losses, retired, operations)
    steps = operations if safe is None else safe(operations, before)
    return draft_of(history, steps, app=app, name=name, losses=losses)


def draft_of(
    history: History, steps: Sequence[Step], *, app: str, name: str | None, losses: Sequence[Loss] = ()
) -> Draft:
    """Gives steps as the next migration of an app."""
    heads = history.heads_of(app)
    words = automatic_words(steps, first=not heads) if name is None else name
    title = automatic_title(steps) if name is None else f"{name[:1].upper()}{name[1:]}."
    made = Migration(steps, depends=[said_key(key, app) for key in heads], description=title)
    return Draft(app, file_name(history, app, words), made, migration_source(made), tuple(losses))


def refuse(losses: Sequence[Loss], retired: Iterable[str], operations: Sequence[Step]) -> None:
    """Refuses what would be lost and is not retired.

    Raises:
        DestructiveMigration: Naming all of it.
    """
    may_go = frozenset(retired)
    left = [loss for loss in losses if loss.name not in may_go and loss.table not in may_go]
    if left:
        hints = [*rename_hints(operations), "say retired() in the model for what may go, or allow it for this once"]
        raise DestructiveMigration(left, hint="; ".join(hints))


def tidy(operation: Operation) -> Operation:
    """Gives an operation without what models say of former names."""
    match operation:
        case o.CreateTable(table=table):
            columns = tuple(map(_settled, table.columns))
            return o.CreateTable(replace(table, columns=columns, renamed_from=None))
        case c.AddColumn(table=key, column=column):
            return c.AddColumn(key, _settled(column))
        case c.AlterColumn(before=before, after=after):
            return replace(operation, before=_settled(before), after=_settled(after))
        case _:
            return operation


def _settled(column: s.Column) -> s.Column:
    return replace(column, renamed_from=None)
