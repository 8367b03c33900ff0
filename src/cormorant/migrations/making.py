"""New migrations: what models want and the migrations before do not make."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TypeAlias

from cormorant._internal.naming import constraint_name
from cormorant.errors import DestructiveMigration, InvalidMigration, Loss
from cormorant.migrations.checking import check_names
from cormorant.migrations.drafting import Draft, draft_of
from cormorant.migrations.history import History
from cormorant.migrations.losses import fill_back, losses_of, rename_hints, retire_hint
from cormorant.migrations.sharing import share_of
from cormorant.migrations.step import Step
from cormorant.schema import column_operations as c
from cormorant.schema import operations as o
from cormorant.schema import snapshot as s
from cormorant.schema.diff import diff
from cormorant.schema.names import key_of
from cormorant.schema.operations import Operation
from cormorant.schema.snapshot import SchemaSnapshot
from cormorant.schema.unsaid import with_unsaid

Rewrite: TypeAlias = Callable[[Sequence[Operation], SchemaSnapshot], Sequence[Step]]
"""Gives steps in another form, for a schema as it is before them."""

__all__ = ["Draft", "Rewrite", "make", "make_all", "merge"]


def make(
    history: History,
    wanted: SchemaSnapshot,
    *,
    name: str | None = None,
    app: str | None = None,
    retired: Iterable[str] = (),
    allow_destructive: bool = False,
    safe: Rewrite | None = None,
) -> Draft | None:
    """Gives the migration that makes the schema what models want; None if it is so already.

    Of several apps, each has migrations of its own: this gives the first one, and the next once that is in the history.

    Args:
        history: The migrations that there are.
        wanted: What the models want, as `SchemaBuilder.wanted()` gives it.
        name: What the migration is about, in words; made of what it does if None.
        app: The app whose migration it shall be; any if None.
        retired: What may be dropped beside what models say: tables, "essay", and columns, "essay.stars".
        allow_destructive: Everything may be dropped.
        safe: Puts operations into a form that a live database can run.

    Raises:
        DestructiveMigration: Rows or values would be lost, and nobody has said that they may.
        InvalidMigration: A name is longer than databases take.

    Example:
        >>> draft = make(History.load("migrations"), SchemaBuilder.wanted())
        >>> if draft is not None:
        ...     draft.write("migrations")
    """
    if wanted.dialect is not None:
        raise InvalidMigration(
            f"this is the schema of a {wanted.dialect} database", hint="make migrations of SchemaBuilder.wanted()"
        )
    before = history.state()
    operations = [tidy(operation) for operation in diff(before, with_unsaid(wanted, before))]
    if not operations:
        return None
    check_names(operations)
    owner, ours = share_of(history, wanted, operations, app)
    if not ours:
        return None
    losses = losses_of(ours)
    if not allow_destructive:
        refuse(losses, [*retired, *_retired(wanted)], ours)
    steps = ours if safe is None else safe(ours, before)
    return draft_of(history, steps, app=owner, name=name, losses=losses, about=ours)


def make_all(
    history: History,
    wanted: SchemaSnapshot,
    *,
    name: str | None = None,
    retired: Iterable[str] = (),
    allow_destructive: bool = False,
    safe: Rewrite | None = None,
) -> tuple[Draft, ...]:
    """Gives the migrations of all apps, in the order in which they are run; `make` says what the arguments are."""
    may_go = tuple(retired)
    drafts: list[Draft] = []
    while True:
        draft = make(history, wanted, name=name, retired=may_go, allow_destructive=allow_destructive, safe=safe)
        if draft is None:
            return tuple(drafts)
        drafts.append(draft)
        history = history.plus(draft.file)


def merge(history: History, *, app: str = "", name: str = "merge") -> Draft | None:
    """Gives the migration that comes after all branches of an app, and does nothing; None if there are no branches.

    Args:
        history: The migrations that there are, loaded with `conflicts_ok=True`.
        app: The app.
        name: What it is about, in words.
    """
    return None if len(history.heads_of(app)) < 2 else draft_of(history, (), app=app, name=name)


def _retired(wanted: SchemaSnapshot) -> list[str]:
    """Gives what models let go: tables, columns, and what kept a relation: its key column, its table of links."""
    found = list(wanted.retired)
    for table in wanted.tables:
        for name in table.retired:
            links = key_of(constraint_name(table.name, name, ()), table.schema)
            found += [f"{table.key}.{name}", f"{table.key}.{name}_id", links]
    return found


def refuse(losses: Sequence[Loss], retired: Iterable[str], operations: Sequence[Step]) -> None:
    """Refuses what would be lost and is not retired.

    Raises:
        DestructiveMigration: Naming all of it.
    """
    may_go = frozenset(retired)
    left = [loss for loss in losses if loss.name not in may_go and loss.table not in may_go]
    if left:
        hints = [*rename_hints(operations), *(retire_hint(loss, operations) for loss in left)]
        raise DestructiveMigration(left, hint="; ".join([*hints, "or allow it for this once"]))


def tidy(operation: Operation) -> Operation:
    """Gives an operation without what only models say, and with a way back for what is dropped."""
    match operation:
        case o.CreateTable(table=table):
            columns = tuple(map(_settled, table.columns))
            return o.CreateTable(replace(table, columns=columns, renamed_from=None, retired=(), app=None))
        case c.AddColumn(table=key, column=column):
            return c.AddColumn(key, _settled(column))
        case c.DropColumn(table=key, column=column):
            return c.DropColumn(key, fill_back(column))
        case c.AlterColumn(before=before, after=after):
            return replace(operation, before=_settled(before), after=_settled(after))
        case _:
            return operation


def _settled(column: s.Column) -> s.Column:
    return replace(column, renamed_from=None)
