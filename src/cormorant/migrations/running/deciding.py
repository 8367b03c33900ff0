"""Which migrations are to be run, or taken back: decided from the files and the records alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from cormorant.errors import ChangedMigration, MissingMigration, WrongType
from cormorant.migrations.branches import ancestors
from cormorant.migrations.history import History
from cormorant.migrations.migration import MigrationFile
from cormorant.migrations.running.ledger import Record
from cormorant.migrations.running.moves import digest
from cormorant.migrations.running.outcomes import Status

ZERO = "zero"
"""The target before the first migration."""


class Standing:
    """The files beside the records of a database.

    Args:
        history: The files.
        records: What the database has written down.
    """

    def __init__(self, history: History, records: Sequence[Record]) -> None:
        self.records: Mapping[str, Record] = {record.key: record for record in records}
        done = {key for key, record in self.records.items() if record.state == "done"}
        # as this database goes through it: squashed migrations, or what they stand for
        self.history: History = _given(history, done, set(self.records) - done)

    @property
    def applied(self) -> list[str]:
        """The keys of the migrations that the database has, in the order of the files."""
        return [file.key for file in self.history.ordered if self.is_applied(file)]

    def is_applied(self, file: MigrationFile) -> bool:
        """Whether the database has a migration, or all that it stands for."""
        record = self.record(file)
        return record is not None and record.state == "done"

    @property
    def settled(self) -> list[MigrationFile]:
        """The squashed migrations of which the database has no record, but all that they stand for."""
        return [file for file in self.history.ordered if file.key in self.history.settled]

    def record(self, file: MigrationFile) -> Record | None:
        """Gives what the database knows of a migration; of a squashed one, that it has all that it stands for."""
        if file.key not in self.history.settled:
            return self.records.get(file.key)
        newest = max((self.records[key] for key in file.replaces if key in self.records), key=lambda r: r.applied_at)
        count = len(file.migration.operations)
        return replace(newest, app=file.app, name=file.name, checksum=file.checksum, step=count, done="")

    def stands_for(self, file: MigrationFile) -> list[str]:
        """Gives the keys of the migrations that a squashed one stands for, and of those that these stand for."""
        files = {each.key: each for each in self.history.files}
        found: list[str] = []
        waiting = list(file.replaces)
        while waiting:
            found.append(waiting.pop())
            waiting += files[found[-1]].replaces if found[-1] in files else ()
        return found

    @property
    def pending(self) -> list[MigrationFile]:
        """The migrations that the database has not, or has half of, in the order in which they are run."""
        return [file for file in self.history.ordered if not self.is_applied(file)]

    def status(self) -> Status:
        """Gives all of it."""
        applied = tuple(self.records[key] for key in self.applied if key in self.records)
        started = tuple(record for record in self.records.values() if record.state == "started")
        return Status(applied, tuple(self.pending), started, tuple(self.changed), tuple(self.missing))

    @property
    def changed(self) -> list[str]:
        """The keys of applied migrations whose files are others now."""
        return [
            file.key
            for file in self.history.ordered
            if (record := self.records.get(file.key)) is not None and _differs(file, record)
        ]

    @property
    def missing(self) -> list[str]:
        """The keys of applied migrations that have no file, of the apps that there are files of."""
        apps = self.history.apps
        return sorted(key for key, record in self.records.items() if record.app in apps and key not in self.history)

    # ---- up

    def ahead(self, target: str | None) -> list[MigrationFile]:
        """Gives the migrations to be run, in order.

        Args:
            target: The last one, with all that it depends on; all if None is named.

        Raises:
            MissingMigration: There is no such target, or the database has migrations that have no file.
            ChangedMigration: The file of one that the database has is another now.
        """
        found = self.pending
        if target is not None:
            wanted = self._with_ancestors(target)
            found = [file for file in found if file.key in wanted]
        if found:
            self._refuse_missing()
        self._refuse_changed()
        return found

    def unchecked(self, target: str | None) -> list[MigrationFile]:
        """Gives the migrations to be written down without being run: the pending ones, and those that were changed.

        Args:
            target: The last one, with all that it depends on; all if None is named.
        """
        wanted = None if target is None else self._with_ancestors(target)
        keys = {file.key for file in self.pending} | set(self.changed)
        return [file for file in self.history.ordered if file.key in keys and (wanted is None or file.key in wanted)]

    def _with_ancestors(self, target: str) -> frozenset[str]:
        return frozenset(ancestors(self.history[target].key, self.history.needs))

    # ---- down

    def behind(self, target: int | str) -> list[MigrationFile]:
        """Gives the migrations to be taken back, the last first.

        Args:
            target: How many, or the migration that shall be the last one: what depends on it goes. "zero" stands
                before the first, "comments/zero" before the first of an app.

        Raises:
            WrongType: It is no number of migrations.
            MissingMigration: There is no such target, or the database has migrations that have no file.
            ChangedMigration: The file of one that would be taken back is another now.
        """
        if not isinstance(target, str):
            _check_number(target)
        self._refuse_missing()
        there = [file for file in self.history.ordered if file.key in self.records or self.is_applied(file)]
        there.reverse()
        found = there[:target] if isinstance(target, int) else self._after(target, there)
        self._refuse_changed({file.key for file in found})
        return found

    def _after(self, target: str, there: Iterable[MigrationFile]) -> list[MigrationFile]:
        app, _, name = target.rpartition("/")
        if name == ZERO:
            gone = {file.key for file in self.history.ordered if not app or file.app == app}
        else:
            gone = self._dependents({self.history[target].key}) - {self.history[target].key}
        gone = self._dependents(gone)
        return [file for file in there if file.key in gone]

    def _dependents(self, keys: set[str]) -> set[str]:
        found = set(keys)
        for file in self.history.ordered:
            if found.intersection(self.history.needs[file.key]):
                found.add(file.key)
        return found

    # ---- refusals

    def _refuse_missing(self) -> None:
        if self.missing:
            raise MissingMigration(
                f"the database has applied {', '.join(self.missing)}, and there is no file of it",
                hint="bring the files back, from the release that has applied them; nothing was changed",
            )

    def _refuse_changed(self, among: set[str] | None = None) -> None:
        changed = [key for key in self.changed if among is None or key in among]
        if not changed:
            return
        record = self.records[changed[0]]
        if record.state == "started":
            raise ChangedMigration(
                f"{record.key} was begun, and its first {record.step} steps, which are in the database, are others now",
                hint="bring them back as they were; the steps after them may be corrected",
            )
        raise ChangedMigration(
            f"{', '.join(changed)} {'is' if len(changed) == 1 else 'are'} applied, and changed since",
            hint="bring the files back as they were, and make another migration for what shall be different; "
            "migrate(fake=True) writes down the new text where the database has what it says",
        )


def _check_number(count: object) -> None:
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise WrongType(
            f"rollback({count!r}): a number of migrations is an int of 1 or more",
            hint='or name the one that shall be the last: rollback("0003_stars"), rollback("zero")',
        )


def _given(history: History, done: set[str], started: set[str]) -> History:
    """Gives the history as a database goes through it; what was begun is gone through to its end."""
    found = history.given(done | started)
    if any(started.intersection(file.replaces) for file in found.ordered if file.key in found.settled):
        return history.given(done)
    return found


def _differs(file: MigrationFile, record: Record) -> bool:
    if record.state == "done":
        return record.checksum != file.checksum
    # what is not done yet may be corrected
    return record.done != digest(file, record.step)
