"""Many migrations as one, for databases that have none of them yet."""

from __future__ import annotations

from collections.abc import Sequence

from cormorant.errors import InvalidMigration, MigrationCycle
from cormorant.migrations.branches import ancestors
from cormorant.migrations.drafting import Draft
from cormorant.migrations.history import History
from cormorant.migrations.migration import Migration, MigrationFile, said_key
from cormorant.migrations.source import migration_source
from cormorant.migrations.step import Backfill, RunSession, RunSQL, Step
from cormorant.schema.diff import diff
from cormorant.schema.operations import Operation
from cormorant.schema.snapshot import SchemaSnapshot
from cormorant.schema.state import apply


def squash(history: History, upto: str, *, first: str | None = None, name: str | None = None) -> Draft:
    """Gives one migration that stands for several.

    Databases that have applied all of them count it as applied; those that have applied none run it alone; those in
    between go through the old ones to the end. So the old files stay until every database is beyond them.

    Tables that are made on the way are made as they are at the end. Left out are steps that are `elidable`, and
    backfills of tables in which there can be no rows.

    Args:
        history: The migrations that there are.
        upto: The key of the last one.
        first: The key of the first one; the app's first if None.
        name: What it is about, in words.

    Raises:
        InvalidMigration: One of them does work in a session that new databases need, or another app's stands between.

    Example:
        >>> squash(History.load("migrations"), "0007_stars").write("migrations")     # 0001_squashed_0007.py
    """
    files = _chosen(history, upto, first)
    app, keys = files[0].app, frozenset(file.key for file in files)
    before = frozenset(key for file in files for key in ancestors(file.key, history.needs)) - keys
    outside = [key for file in files for key in history.needs[file.key] if key not in keys]
    made = Migration(
        _Squash(history.state_of(before)).steps(files),
        depends=[said_key(key, app) for key in dict.fromkeys(outside)],
        replaces=[said_key(file.key, app) for file in files],
        description=f"{files[0].name} to {files[-1].name} as one.",
    )
    number, last = (file.name.partition("_")[0] for file in (files[0], files[-1]))
    draft = Draft(app, f"{number}_squashed_{last}{f'_{name}' if name else ''}", made, migration_source(made))
    _refuse_between(history, draft)
    return draft


def _chosen(history: History, upto: str, first: str | None) -> list[MigrationFile]:
    last = history[upto]
    wanted = ancestors(last.key, history.needs)
    if first is not None:
        start = history[first]
        wanted -= ancestors(start.key, history.needs) - {start.key}
    files = [file for file in history.ordered if file.key in wanted and file.app == last.app]
    if len(files) < 2:
        raise InvalidMigration(
            f"there is nothing to squash up to {last.key}", hint="name a migration that comes after others"
        )
    return files


def _refuse_between(history: History, draft: Draft) -> None:
    try:
        history.plus(draft.file)
    except MigrationCycle as error:
        raise InvalidMigration(
            f"these cannot be one: migrations of another app stand between them ({error.message})",
            hint="squash a part of them, with first= and upto on one side",
        ) from error


class _Squash:
    """Puts the steps of migrations together."""

    def __init__(self, before: SchemaSnapshot) -> None:
        self.state = before
        # tables in which there may be rows
        self.filled = {table.key for table in before.tables}
        self.waiting: list[Operation] = []
        self.made: list[Step] = []

    def steps(self, files: Sequence[MigrationFile]) -> list[Step]:
        """Gives the steps of all, in order."""
        for file in files:
            for step in file.migration.operations:
                self._take(file, step)
        self._let_go()
        return self.made

    def _take(self, file: MigrationFile, step: Step) -> None:
        match step:
            case RunSQL(elidable=True):
                self.waiting += step.state
            case RunSession(elidable=True):
                pass
            case RunSession():
                raise InvalidMigration(
                    f"{file.key} does work in a session ({step.describe()}), which cannot be put into another file",
                    hint="say elidable=True in it if new databases do not need it, or squash up to the one before",
                )
            case Backfill():
                if step.table in self.filled:
                    self._keep(step)
            case RunSQL():
                self._keep(step)
                self.state = apply(self.state, *step.state)
                self.filled |= {table.key for table in self.state.tables}
            case _:
                self.waiting.append(step)

    def _keep(self, step: Step) -> None:
        self._let_go()
        self.made.append(step)

    def _let_go(self) -> None:
        """Puts down what waits: in short where all of it is about what did not exist before."""
        after = apply(self.state, *self.waiting)
        known = {table.key for table in self.state.tables} | {enum.key for enum in self.state.enums}
        fresh = known.isdisjoint(operation.touched for operation in self.waiting)
        self.made += diff(self.state, after) if fresh else self.waiting
        self.state, self.waiting = after, []
