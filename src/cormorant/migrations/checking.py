"""What operations must not say in any database."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cormorant._internal.naming import LONGEST
from cormorant.errors import InvalidMigration
from cormorant.schema import column_operations as c
from cormorant.schema import index_operations as i
from cormorant.schema import operations as o
from cormorant.schema.names import name_of
from cormorant.schema.operations import Operation


def check_names(operations: Iterable[Operation]) -> None:
    """Refuses names that PostgreSQL would cut, so that two could become one.

    Raises:
        InvalidMigration: Naming the first of them.
    """
    for operation in operations:
        for name in _names(operation):
            if len(name.encode()) > LONGEST:
                raise InvalidMigration(
                    f"the name {name!r} of {operation.touched} has {len(name.encode())} bytes",
                    hint=f'PostgreSQL keeps {LONGEST}: give it another one, with table=, column= or name="..."',
                )


def _names(operation: Operation) -> Iterator[str]:
    """Gives the names that an operation brings into the world."""
    match operation:
        case o.CreateTable(table=table):
            parts = (*table.columns, *table.constraints, *table.indexes, *table.searches)
            yield from (table.name, *(part.name for part in parts))
        case o.RenameTable(new=new) | i.RenameEnum(new=new):
            yield name_of(new)
        case c.RenameColumn(new=new) | o.RenameConstraint(new=new) | i.RenameIndex(new=new):
            yield new
        case c.AddColumn(column=column):
            yield column.name
        case o.AddConstraint(constraint=constraint):
            yield constraint.name
        case i.CreateIndex(index=index):
            yield index.name
        case i.CreateEnum(enum=enum):
            yield enum.name
        case _:
            pass
