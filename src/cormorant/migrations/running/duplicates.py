"""What to do where rows have the same values, and a migration wants them to differ."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from cormorant.dialects.base import Dialect
from cormorant.errors import UniqueViolation
from cormorant.migrations.running.moves import Chunk, Move
from cormorant.schema import column_operations as c
from cormorant.schema import index_operations as i
from cormorant.schema import operations as o
from cormorant.schema import snapshot as s
from cormorant.schema.names import quoted


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What rows must differ in.

    Args:
        table: The table's key.
        name: The name of the constraint or index.
        items: What it is over.
        where: The rows that it is about; all if None.
    """

    table: str
    name: str
    items: tuple[s.IndexItem, ...]
    where: s.Sql | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """Its columns, without expressions."""
        return tuple(item.column for item in self.items if item.column is not None)


def duplicates_remedy(error: UniqueViolation, chunk: Chunk, at: Move | None, dialect: Dialect) -> str | None:
    """Gives what finds the rows that have the same values; None if no step of these wants them to differ.

    Args:
        error: What the database said.
        chunk: What was being done, and is rolled back.
        at: The step that was being taken.
        dialect: The database's.
    """
    wanted = [(place, each) for place, move in enumerate(chunk.moves) for each in _wanted(move)]
    own = [pair for pair in wanted if chunk.moves[pair[0]] is at]
    said = [pair for pair in wanted if error.constraint and pair[1].name == error.constraint]
    alike = [pair for pair in wanted if error.columns and pair[1].columns == tuple(error.columns)]
    # SQLite takes all of a table's steps at once
    found = said or alike or own or (wanted if len(wanted) == 1 else [])
    return _remedy(chunk, *found[0], dialect) if found else None


def _wanted(move: Move) -> Iterator[_Wanted]:
    match move.step:
        case o.AddConstraint(table=table, constraint=s.Unique() | s.PrimaryKey() as key):
            items = tuple(s.IndexItem(column) for column in key.columns)
            yield _Wanted(table, key.name or o.default_name(table, key), items)
        case i.CreateIndex(table=table, index=index) if index.unique:
            yield _Wanted(table, index.name, index.items, index.where)
        case _:
            pass


def _remedy(chunk: Chunk, place: int, wanted: _Wanted, dialect: Dialect) -> str:
    words = ", ".join(item.column or s.said(item.expression or "", dialect.name) for item in wanted.items)
    # nothing of these steps is in the database: it has the names from before
    for move in reversed(chunk.moves[:place]):
        match move.step:
            case c.AddColumn(table=table, column=column) if table == wanted.table and column.name in wanted.columns:
                return (
                    f"every row would get the same value in {wanted.table}.{column.name}: add the column, give each "
                    "row a value of its own, and make it unique then"
                )
            case c.RenameColumn(table=table, old=old, new=new) if table == wanted.table:
                items = (replace(item, column=old) if item.column == new else item for item in wanted.items)
                wanted = replace(wanted, items=tuple(items))
            case o.RenameTable(old=old, new=new) if new == wanted.table:
                wanted = replace(wanted, table=old)
            case _:
                pass
    said = [_said(item, dialect) for item in wanted.items]
    conditions = [f"{each} IS NOT NULL" for each in said]
    conditions += [] if wanted.where is None else [f"({s.said(wanted.where, dialect.name)})"]
    columns = ", ".join(said)
    return (
        f"rows of {wanted.table} have the same {words}; this finds them: SELECT {columns}, count(*) FROM "
        f"{quoted(dialect, wanted.table)} WHERE {' AND '.join(conditions)} GROUP BY {columns} HAVING count(*) > 1"
    )


def _said(item: s.IndexItem, dialect: Dialect) -> str:
    return dialect.quote(item.column) if item.column is not None else f"({s.said(item.expression or '', dialect.name)})"
