"""A migration, and the file that it is in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cormorant.errors import InvalidMigration
from cormorant.migrations.step import Backfill, RunSession, RunSQL, Step
from cormorant.schema.operations import Operation


@dataclass(frozen=True, init=False)
class Migration:
    """Steps from one schema to the next; a file's `migration = Migration(...)`.

    Args:
        operations: What is done, in order.
        depends: The migrations that come before: their names, "app/name" for those of another app, "/name" for those
            of the program itself.
        replaces: The migrations that it stands for, where they are not applied yet.
        description: What it is about; the file's docstring if empty.

    Example:
        >>> migration = Migration(
        ...     depends=("0001_initial",),
        ...     operations=[op.AddColumn("essay", s.Column("stars", "integer", fill="3"))],
        ... )
    """

    operations: tuple[Step, ...]
    depends: tuple[str, ...]
    replaces: tuple[str, ...]
    description: str

    def __init__(
        self,
        operations: Sequence[Step] = (),
        depends: Sequence[str] = (),
        replaces: Sequence[str] = (),
        description: str = "",
    ) -> None:
        for step in operations:
            _refuse_other(step)
        for name, texts in (("depends", depends), ("replaces", replaces)):
            if isinstance(texts, str):
                raise InvalidMigration(
                    f"Migration({name}={texts!r}) is one text", hint=f"write a tuple: {name}=({texts!r},)"
                )
        self._set(operations=tuple(operations), depends=tuple(depends), replaces=tuple(replaces))
        self._set(description=description)

    def reversed(self) -> tuple[Step, ...]:
        """Gives the steps back, in order.

        Raises:
            IrreversibleMigration: One of them has no way back.
        """
        return tuple(step.reverse() for step in self.operations[::-1])

    def _set(self, **values: Any) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)


def _refuse_other(step: object) -> None:
    if not isinstance(step, (Operation, RunSQL, RunSession, Backfill)):
        raise InvalidMigration(
            f"{step!r} is no step of a migration",
            hint="use cormorant.schema.steps, RunSQL, RunSession or Backfill",
        )


@dataclass(frozen=True, slots=True)
class MigrationFile:
    """A migration with its place.

    Args:
        app: The app whose tables it changes; "" for the program itself.
        name: The file's name without its ending: "0001_initial".
        path: The file; None for one that was never written.
        checksum: That of its source.
        migration: What it does.
    """

    app: str
    name: str
    path: Path | None
    checksum: str
    migration: Migration

    @property
    def key(self) -> str:
        """What stands for it: "0001_initial", "comments/0001_initial"."""
        return key_of(self.app, self.name)

    @property
    def depends(self) -> tuple[str, ...]:
        """The keys of the migrations that come before."""
        return tuple(full_key(name, self.app) for name in self.migration.depends)

    @property
    def replaces(self) -> tuple[str, ...]:
        """The keys of the migrations that it stands for."""
        return tuple(full_key(name, self.app) for name in self.migration.replaces)

    @property
    def title(self) -> str:
        """What it is about, in one line."""
        return self.migration.description.strip().partition("\n")[0]


def key_of(app: str, name: str) -> str:
    """Gives what stands for a migration."""
    return f"{app}/{name}" if app else name


def full_key(name: str, app: str) -> str:
    """Gives the key of a migration that one of an app names."""
    return name.removeprefix("/") if "/" in name else key_of(app, name)


def said_key(key: str, app: str) -> str:
    """Gives what a migration of an app calls another by its key; the opposite of `full_key`."""
    owner, _, name = key.rpartition("/")
    if owner == app:
        return name
    return key if owner else f"/{name}"
