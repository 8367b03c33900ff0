"""A safe way in words, for operations that have no safe form."""

from __future__ import annotations

from cormorant.migrations.safety.effects import becomes_required, rewrites
from cormorant.schema import column_operations as c
from cormorant.schema import index_operations as i
from cormorant.schema import operations as o
from cormorant.schema import snapshot as s

_BY_NEW_COLUMN = (
    "add a column of the new type, write both from the release that runs, fill it in batches, read it from the next "
    "release, and drop the old one later"
)


def advice_for(operation: o.Operation) -> str:
    """Gives a safe way in words; "" where there is none to be told."""
    if isinstance(operation, c.AddColumn):
        return _for_new_column(operation.column)
    if isinstance(operation, c.AlterColumn):
        if rewrites(operation):
            return _BY_NEW_COLUMN
        if becomes_required(operation) or operation.after.fill is not None:
            return "fill the column in batches first; a table without a primary key needs Backfill(key=...)"
        return "drop the indexes over the column concurrently, change it, and make them concurrently again"
    if isinstance(operation, i.AlterEnum):
        return "keep the values that nobody uses any more, or fill a column of a new type in batches"
    return _for_constraint(operation) if isinstance(operation, o.AddConstraint) else ""


def _for_new_column(column: s.Column) -> str:
    if column.computed is not None:
        return "add a plain column, let a trigger or the program write it, and fill it in batches"
    if column.identity is not None:
        return "add a plain column that may be NULL, fill it in batches, and let it number rows then"
    return "add it so that it may be NULL, fill it in batches, and make it NOT NULL then"


def _for_constraint(operation: o.AddConstraint) -> str:
    if isinstance(operation.constraint, s.PrimaryKey):
        return "make its columns NOT NULL first"
    return "add it to each partition first, NOT VALID, and validate it there"
