"""A snapshot as one database has it: what it does not know is left out, what it calls otherwise is."""

from __future__ import annotations

from dataclasses import replace

from cormorant.dialects.sqlite import SQLiteDialect
from cormorant.schema import column_types as types
from cormorant.schema.scripts import search_words
from cormorant.schema.snapshot import (
    Action,
    Check,
    Column,
    Deferrable,
    ForeignKey,
    Index,
    IndexItem,
    SchemaSnapshot,
    SearchIndex,
    Sql,
    Table,
    Unique,
    said,
)


def as_seen(snapshot: SchemaSnapshot, dialect: str) -> SchemaSnapshot:
    """Gives a snapshot with what the database named `dialect` can keep of it, in its words.

    Two snapshots that are equal like this make the same database.
    """
    sqlite = dialect == "sqlite"
    return replace(
        snapshot,
        dialect=dialect,
        tables=tuple(_on_sqlite(table) if sqlite else _on_postgresql(table, dialect) for table in snapshot.tables),
        enums=() if sqlite else snapshot.enums,
        schemas=() if sqlite else snapshot.schemas,
    )


def _words(sql: Sql | None, dialect: str) -> str | None:
    return None if sql is None else said(sql, dialect)


def column_seen(column: Column, dialect: str) -> Column:
    """Gives a column as one database has it."""
    sqlite = dialect == "sqlite"
    return replace(
        column,
        type=types.kept_on_sqlite(column.type) if sqlite else types.plain(column.type),
        default=_words(column.default, dialect),
        computed=_words(column.computed, dialect),
        fill=_words(column.fill, dialect),
        # how rows are numbered does not matter to who asks for their numbers
        identity=None if column.identity is None else "by default",
        comment=None if sqlite else column.comment,
        collation=_collation_on_sqlite(column.collation) if sqlite else column.collation,
    )


def _collation_on_sqlite(name: str | None) -> str | None:
    # the order that texts have by themselves need not be said; names are alike in any case
    known = {*SQLiteDialect.default_collations, "BINARY"}
    return None if name is None or name.upper() in known else name.upper()


def _checks(table: Table, dialect: str) -> tuple[Check, ...]:
    return tuple(replace(check, condition=said(check.condition, dialect)) for check in table.checks)


def _index(index: Index, dialect: str) -> Index:
    items = tuple(_item(item, dialect) for item in index.items)
    return replace(index, items=items, where=_words(index.where, dialect))


def _item(item: IndexItem, dialect: str) -> IndexItem:
    # the order that a direction has by itself need not be said
    nulls = None if item.nulls == ("first" if item.descending else "last") else item.nulls
    if dialect == "sqlite":
        item, nulls = replace(item, operator_class=None, collation=_collation_on_sqlite(item.collation)), None
    return replace(item, expression=_words(item.expression, dialect), nulls=nulls)


def _on_postgresql(table: Table, dialect: str) -> Table:
    searches = tuple(_search(search) for search in table.searches)
    return replace(
        table,
        columns=tuple(column_seen(column, dialect) for column in table.columns),
        checks=_checks(table, dialect),
        indexes=(*(_index(index, dialect) for index in table.indexes), *searches),
        searches=(),
        triggers=(),
    )


def _search(search: SearchIndex) -> Index:
    return Index(search.name, (IndexItem(expression=search_words(search)),), method="gin")


_RESTRICT: dict[Action, Action] = {"restrict": "no_action"}
_WAITS: dict[Deferrable | None, Deferrable | None] = {"deferred": "deferred"}


def _on_sqlite(table: Table) -> Table:
    """Here RESTRICT is said as NO ACTION, as SQLite's looks at each row alone."""
    numbered = table.primary_key.columns if table.primary_key is not None else ()
    return replace(
        table,
        columns=tuple(_numbered(column_seen(column, "sqlite"), numbered) for column in table.columns),
        foreign_keys=tuple(map(_key_on_sqlite, table.foreign_keys)),
        uniques=tuple(Unique(unique.name, unique.columns) for unique in table.uniques),
        checks=tuple(replace(check, validated=True) for check in _checks(table, "sqlite")),
        indexes=tuple(
            replace(_index(index, "sqlite"), include=(), method=None, nulls_distinct=True)
            for index in table.indexes
            if index.method is None
        ),
        comment=None,
        partitioned=None,
        triggers=(),
        options=None,
    )


def _numbered(column: Column, key: tuple[str, ...]) -> Column:
    """Gives a column with what SQLite makes of a key of one whole number: it is the number of the row."""
    by_itself = key == (column.name,) and column.type == "INTEGER" and column.identity is None
    return replace(column, identity="rowid") if by_itself else column


def _key_on_sqlite(key: ForeignKey) -> ForeignKey:
    return replace(
        key,
        on_delete=_RESTRICT.get(key.on_delete, key.on_delete),
        on_update=_RESTRICT.get(key.on_update, key.on_update),
        deferrable=_WAITS.get(key.deferrable),
        validated=True,
    )
