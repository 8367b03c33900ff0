"""What can go wrong with migrations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from cormorant.errors.base import CormorantError


class MigrationError(CormorantError):
    """Migrations cannot be read, made, put in order or run."""


class InvalidMigration(MigrationError):
    """A migration's file, its name or one of its steps cannot be used."""


class MissingMigration(MigrationError, LookupError):
    """There is no file of a migration that another depends on, that a database has applied, or that was asked for."""


class MigrationCycle(MigrationError):
    """Migrations depend on each other in a ring."""


class MigrationConflict(MigrationError):
    """Branches of migrations change the same thing, and none of them comes before the other.

    Args:
        message: What they change.
        heads: The last migration of each branch.
        things: What they all change: "essay", "essay.stars".
        hint: What to do about it.
    """

    def __init__(
        self, message: str, *, heads: Sequence[str] = (), things: Sequence[str] = (), hint: str | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.heads: tuple[str, ...] = tuple(heads)
        self.things: tuple[str, ...] = tuple(things)


class ChangedMigration(MigrationError):
    """The file of an applied migration is not the one that was applied."""


class IrreversibleMigration(MigrationError):
    """A step has no way back."""


class Loss(NamedTuple):
    """What a database would lose.

    Args:
        table: The table's key.
        column: The column; None for the whole table.
        rows: How many rows, or values that are not NULL; None if nobody has counted them.
        narrowed: What becomes of values that stay, "numeric(10, 4) to integer"; None if they go.
    """

    table: str
    column: str | None = None
    rows: int | None = None
    narrowed: str | None = None

    @property
    def name(self) -> str:
        """What is lost: "essay", "essay.stars"."""
        return self.table if self.column is None else f"{self.table}.{self.column}"

    def describe(self) -> str:
        """Gives it in words for people."""
        if self.narrowed is not None:
            return f"column {self.name} from {self.narrowed}" + self._counted("value")
        kind = "table" if self.column is None else "column"
        return f"{kind} {self.name}" + self._counted("row" if self.column is None else "value")

    def _counted(self, kind: str) -> str:
        return "" if self.rows is None else f" with {self.rows:,} {kind}{'s'[: self.rows != 1]}"


class DestructiveMigration(MigrationError):
    """Rows or values would be lost, and nobody has said that they may.

    Args:
        losses: What would be lost.
        hint: What to do about it.
    """

    def __init__(self, losses: Sequence[Loss], *, hint: str | None = None) -> None:
        lines = "".join(f"\n  {loss.describe()}" for loss in losses)
        super().__init__(f"the migration would lose what is in:{lines}", hint=hint)
        self.losses: tuple[Loss, ...] = tuple(losses)

    def counted(self, rows: Mapping[str, int]) -> DestructiveMigration:
        """Gives the same error with numbers of rows.

        Args:
            rows: By the names of losses.
        """
        losses = [loss._replace(rows=rows.get(loss.name, loss.rows)) for loss in self.losses]
        return DestructiveMigration(losses, hint=self.hint)


class MigrationLocked(MigrationError):
    """Somebody else migrates the same database, and has not ended in time."""


class MigrationFailed(MigrationError):
    """A migration stopped.

    Args:
        message: Which one, where, and why.
        migration: Its key.
        step: The number of the step that failed, the first is 1.
        statement: The SQL text.
        hint: How to go on.
    """

    def __init__(
        self,
        message: str,
        *,
        migration: str = "",
        step: int | None = None,
        statement: str | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.migration: str = migration
        self.step: int | None = step
        self.statement: str | None = statement


class SchemaOutdated(MigrationError):
    """The database is not at the migration that the program was written for."""
