"""Goes through the steps of a migration with the schema as it is before each of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from cormorant.migrations.safety.sizes import Sizes, TableSize
from cormorant.migrations.step import RunSQL, Step
from cormorant.schema import operations as o
from cormorant.schema import snapshot as s
from cormorant.schema.state import apply


@dataclass
class Walk:
    """A schema while steps change it.

    Args:
        state: The schema as it is now.
        sizes: How large tables were before the first step; None if nobody knows.
        new: The keys of the tables that these steps made.
        was: What tables that were renamed on the way were called before.
        keyless: The keys of the tables whose primary key was dropped on the way, and is not there again.
    """

    state: s.SchemaSnapshot
    sizes: Sizes | None = None
    new: set[str] = field(default_factory=set[str])
    was: dict[str, str] = field(default_factory=dict[str, str])
    keyless: set[str] = field(default_factory=set[str])

    def over(self, steps: Sequence[Step]) -> Iterator[tuple[int, Step]]:
        """Gives each step with its place, and takes it once it was looked at."""
        for place, step in enumerate(steps):
            yield place, step
            self.take(step)

    def take(self, step: Step) -> None:
        """Goes past a step."""
        told = step.state if isinstance(step, RunSQL) else ()
        for operation in (step,) if isinstance(step, o.Operation) else told:
            self._note(operation)
            self.state = apply(self.state, operation)

    def _note(self, operation: o.Operation) -> None:
        if isinstance(operation, o.CreateTable):
            self.new.add(operation.table.key)
        elif isinstance(operation, o.RenameTable):
            if operation.old in self.new:
                self.new.add(operation.new)
            self.was[operation.new] = self.was.get(operation.old, operation.old)
        elif isinstance(operation, o.DropConstraint) and isinstance(operation.constraint, s.PrimaryKey):
            self.keyless.add(operation.table)
        elif isinstance(operation, o.AddConstraint) and isinstance(operation.constraint, s.PrimaryKey):
            self.keyless.discard(operation.table)

    def is_new(self, table: str) -> bool:
        """Whether nobody can know a table yet."""
        return table in self.new

    def is_large(self, table: str) -> bool:
        """Whether it takes time to go through a table that others use."""
        if self.is_new(table):
            return False
        size = self._size(table)
        return size is None or not size.is_small

    def is_empty(self, table: str) -> bool:
        """Whether a table is known to have no rows."""
        size = self._size(table)
        return size is not None and not size.rows

    def sized(self, tables: Sequence[str]) -> str:
        """Gives tables in words, with the rows that they have as far as that is known."""
        sizes = ((table, self._size(table)) for table in tables)
        return ", ".join(f"{table} (about {size.rows:,} rows)" if size else table for table, size in sizes)

    def _size(self, table: str) -> TableSize | None:
        return None if self.sizes is None else self.sizes.get(self.was.get(table, table))

    def table(self, key: str) -> s.Table:
        """Gives a table as it is now."""
        return self.state.table(key) or s.Table(key, ())
