"""All migrations of a program, in order, and what the schema is after each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path

from cormorant._internal.topological import CycleError, sort
from cormorant.errors import InvalidMigration, MigrationCycle, MissingMigration, ModelError, suggest
from cormorant.migrations import files as reading
from cormorant.migrations.branches import refuse_conflicts
from cormorant.migrations.migration import MigrationFile
from cormorant.migrations.replacing import active
from cormorant.migrations.step import RunSQL
from cormorant.schema.operations import Operation
from cormorant.schema.snapshot import SchemaSnapshot
from cormorant.schema.state import apply


class History:
    """Migrations in the order in which they are run.

    Branches that have nothing to do with each other are merged by themselves: they are run one after the other.

    Args:
        files: The migrations, of one app or of several.
        apps: The apps that have a place for migrations, those without any included.
        applied: What a database has applied; it decides whether squashed migrations are run, or what they stand for.
        conflicts_ok: Branches may change the same thing, as when the one that merges them is yet to be made.

    Raises:
        InvalidMigration: Two have one name.
        MissingMigration: One depends on a migration that is not there.
        MigrationCycle: Some depend on each other in a ring.
        MigrationConflict: Two branches change the same thing.

    Example:
        >>> history = History.load("migrations")
        >>> [file.key for file in history.ordered]
        ['0001_initial', '0002_stars']
    """

    def __init__(
        self,
        files: Iterable[MigrationFile] = (),
        *,
        apps: Iterable[str] = (),
        applied: Iterable[str] = (),
        conflicts_ok: bool = False,
    ) -> None:
        self.files: tuple[MigrationFile, ...] = tuple(files)
        self.apps: tuple[str, ...] = tuple(dict.fromkeys([*apps, *(file.app for file in self.files)])) or ("",)
        _refuse_same_names(self.files)
        found = active(self.files, frozenset(applied))
        self.settled: frozenset[str] = found.settled
        self._stands_for: Mapping[str, str] = found.stands_for
        self._by_key: dict[str, MigrationFile] = {file.key: file for file in found.files}
        self._states: dict[str, SchemaSnapshot] = {}
        self.needs: Mapping[str, tuple[str, ...]] = {file.key: self._needs(file) for file in found.files}
        self.ordered: tuple[MigrationFile, ...] = self._in_order()
        if not conflicts_ok:
            for app in self.apps:
                refuse_conflicts(self.heads_of(app), self._by_key, self.needs)

    @classmethod
    def load(
        cls,
        directories: str | Path | Mapping[str, str | Path],
        *,
        missing_ok: bool = False,
        conflicts_ok: bool = False,
    ) -> History:
        """Gives the migrations of a directory, or those of several apps.

        Args:
            directories: One directory, or the directory of each app; that of the program itself is "".
            missing_ok: A directory that is not there has no migrations; else that is an error.
            conflicts_ok: Branches may change the same thing.

        Raises:
            MissingMigration: There is no such directory, or a migration depends on one that is not there.
        """
        places = directories if isinstance(directories, Mapping) else {"": directories}
        found = [(app, Path(place)) for app, place in places.items() if not missing_ok or Path(place).exists()]
        files = [file for app, place in found for file in reading.load(place, app)]
        return cls(files, apps=places, conflicts_ok=conflicts_ok)

    def given(self, applied: Iterable[str]) -> History:
        """Gives the history as a database goes through it that has applied some migrations.

        `settled` are then the squashed ones that it has applied by what they stand for: they are to be recorded, and
        not to be run.

        Args:
            applied: The keys of what it has applied.
        """
        return History(self.files, apps=self.apps, applied=applied)

    def plus(self, *files: MigrationFile) -> History:
        """Gives the history with more migrations."""
        return History([*self.files, *files], apps=self.apps)

    def __getitem__(self, key: str) -> MigrationFile:
        """Gives a migration by its key, or by the number that its name begins with if no other has it."""
        found = self._by_key.get(self.current(key))
        if found is not None:
            return found
        app, _, name = key.rpartition("/")
        near = [file for file in self.ordered if file.app == app and file.name.partition("_")[0] == name]
        if len(near) != 1:
            hint = suggest(key, self._by_key) if not near else f"several are: {', '.join(file.key for file in near)}"
            raise MissingMigration(f"there is no migration {key!r}", hint=hint)
        return near[0]

    def __contains__(self, key: object) -> bool:
        """Whether a migration is run, or another stands for it."""
        return key in self._by_key or key in self._stands_for

    def current(self, key: str) -> str:
        """Gives the key of the migration that is run for one: its own, or that of the one that stands for it."""
        while key in self._stands_for and key not in self._by_key:
            key = self._stands_for[key]
        return key

    def __len__(self) -> int:
        return len(self.ordered)

    # ---- order

    def _needs(self, file: MigrationFile) -> tuple[str, ...]:
        """Gives the keys of those that come right before a migration, as they are run."""
        if file.key in file.depends:
            raise MigrationCycle(f"{file.key} depends on itself", hint="correct its depends=")
        found = [self.current(key) for key in file.depends]
        for key, named in zip(found, file.depends, strict=True):
            if key not in self._by_key:
                raise MissingMigration(
                    f"{file.key} depends on {named}, and there is no file of it",
                    hint=f"bring the file back, or correct depends=; {suggest(named, self._by_key)}",
                )
        return tuple(dict.fromkeys(found))

    def _in_order(self) -> tuple[MigrationFile, ...]:
        try:
            return tuple(self._by_key[key] for key in sort(sorted(self._by_key, key=_place), self.needs))
        except CycleError as error:
            ring = " -> ".join(map(str, error.cycle))
            raise MigrationCycle(
                f"migrations depend on each other in a ring: {ring}", hint="correct depends= in one of them"
            ) from error

    @cached_property
    def heads(self) -> tuple[str, ...]:
        """The keys of the migrations that no other of the same app depends on."""
        needed = {key for file in self.ordered for key in self.needs[file.key] if self._by_key[key].app == file.app}
        return tuple(file.key for file in self.ordered if file.key not in needed)

    def heads_of(self, app: str) -> tuple[str, ...]:
        """The heads of one app."""
        return tuple(key for key in self.heads if self._by_key[key].app == app)

    # ---- schemas

    def state(self, upto: str | None = None) -> SchemaSnapshot:
        """Gives the schema after a migration and all before it in order; after all if None is named.

        Args:
            upto: A migration's key.
        """
        if upto is None:
            return self._state_after(len(self.ordered))
        return self._state_after(self.ordered.index(self[upto]) + 1)

    def state_before(self, key: str) -> SchemaSnapshot:
        """Gives the schema before a migration, and after all before it in order."""
        return self._state_after(self.ordered.index(self[key]))

    def state_of(self, applied: Iterable[str]) -> SchemaSnapshot:
        """Gives the schema of a database that has applied some of the migrations.

        Args:
            applied: Their keys, in any order.
        """
        keys = frozenset(map(self.current, applied))
        state = SchemaSnapshot()
        for file in self.ordered:
            state = after(state, file) if file.key in keys else state
        return state

    def _state_after(self, number: int) -> SchemaSnapshot:
        if not number:
            return SchemaSnapshot()
        file = self.ordered[number - 1]
        if file.key not in self._states:
            state = SchemaSnapshot()
            for each in self.ordered[:number]:
                state = self._states[each.key] = self._states.get(each.key) or after(state, each)
        return self._states[file.key]


def _refuse_same_names(files: Iterable[MigrationFile]) -> None:
    found: dict[str, MigrationFile] = {}
    for file in files:
        other = found.setdefault(file.key, file)
        if other is not file:
            raise InvalidMigration(
                f"two migrations are called {file.key}: {other.path} and {file.path}", hint="rename one of them"
            )


def _place(key: str) -> tuple[str, str]:
    app, _, name = key.rpartition("/")
    return name, app


def after(state: SchemaSnapshot, file: MigrationFile) -> SchemaSnapshot:
    """Gives the schema after a migration.

    Raises:
        InvalidMigration: It changes what is not there.
    """
    try:
        return apply(state, *schema_operations(file))
    except ModelError as error:
        raise InvalidMigration(
            f"{file.key} does not fit what is before it: {error.message}",
            hint="correct its operations, or depends=",
        ) from error


def schema_operations(file: MigrationFile) -> list[Operation]:
    """Gives what a migration does to the schema: its operations, and what its SQL says of itself."""
    made: list[Operation] = []
    for step in file.migration.operations:
        if isinstance(step, Operation):
            made.append(step)
        elif isinstance(step, RunSQL):
            made += step.state
    return made
