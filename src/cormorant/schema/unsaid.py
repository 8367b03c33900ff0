"""What a database has and no model can say: it stays as it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from cormorant.schema import snapshot as s
from cormorant.schema.matching import same_sql

NUMBERING = "pg_get_serial_sequence"
"""By this function the default of a model's column takes its numbers from those of the column itself."""


def with_unsaid(wanted: s.SchemaSnapshot, old: s.SchemaSnapshot) -> s.SchemaSnapshot:
    """Gives what models want, together with what they cannot say and the schema has.

    That is the numbering of columns that are no key, the collations of indexes, and NULLs that unique ones find equal.
    """
    before = {table.key: table for table in old.tables}
    tables = [
        table if (was := before.get(table.key) or before.get(table.renamed_from or "")) is None else _table(table, was)
        for table in wanted.tables
    ]
    return replace(wanted, tables=tuple(tables))


def _table(table: s.Table, was: s.Table) -> s.Table:
    key = () if table.primary_key is None else table.primary_key.columns
    former = {each.name: each.renamed_from for each in table.columns if was.column(each.name) is None}
    indexes = {each.name: each for each in was.indexes}
    uniques = {each.name: each for each in was.uniques}
    return replace(
        table,
        columns=tuple(each if each.name in key else _column(each, was) for each in table.columns),
        indexes=tuple(
            _index(each, indexes[each.name], former) if each.name in indexes else each for each in table.indexes
        ),
        uniques=tuple(_unique(each, uniques[each.name]) if each.name in uniques else each for each in table.uniques),
    )


def _column(column: s.Column, table: s.Table) -> s.Column:
    was = table.column(column.name) or table.column(column.renamed_from or "")
    if was is None or was.identity is None or column.nullable or not is_numbered(column):
        return column
    return replace(column, identity=was.identity, default=None)


def is_numbered(column: s.Column) -> bool:
    """Whether a column's numbers may be those that it has by itself: it has no other default."""
    if isinstance(column.default, s.ByDialect):
        return all(NUMBERING in text for _, text in column.default.texts)
    return column.default is None or NUMBERING in column.default


def _index(index: s.Index, was: s.Index | None, former: Mapping[str, str | None]) -> s.Index:
    if was is None:
        return index
    distinct = index.nulls_distinct and (was.nulls_distinct or not index.unique)
    if len(index.items) != len(was.items):
        return replace(index, nulls_distinct=distinct)
    items = tuple(_item(item, before, former) for item, before in zip(index.items, was.items, strict=True))
    return replace(index, items=items, nulls_distinct=distinct)


def _item(item: s.IndexItem, was: s.IndexItem, former: Mapping[str, str | None]) -> s.IndexItem:
    column = item.column if item.column is None else former.get(item.column) or item.column
    alike = column == was.column and same_sql(item.expression, was.expression)
    return replace(item, collation=was.collation) if alike and item.collation is None else item


def _unique(unique: s.Unique, was: s.Unique) -> s.Unique:
    return replace(unique, nulls_distinct=unique.nulls_distinct and was.nulls_distinct)
