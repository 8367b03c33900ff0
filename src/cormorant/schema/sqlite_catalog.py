"""SQLite's catalog: what to ask, and what the rows mean."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from cormorant.schema import snapshot as s
from cormorant.schema.sqlite_tables import ReadColumn, ReadTable, read_index, read_table
from cormorant.schema.words import unquoted

MASTER = "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE substr(name, 1, 7) <> 'sqlite_' ORDER BY rowid"

_SHADOWS = ("data", "idx", "content", "docsize", "config")
_FTS = re.compile(
    r"CREATE VIRTUAL TABLE .*? USING fts5\((?P<columns>.*?), content='(?P<table>(?:[^']|'')*)', "
    r"content_rowid='(?P<key>(?:[^']|'')*)', tokenize='(?P<words>[^']*)'\)$",
    re.DOTALL,
)

Rows = Sequence[Sequence[Any]]


def snapshot_of(master: Rows) -> s.SchemaSnapshot:
    """Gives the schema that the rows of `MASTER` tell of."""
    texts = {(kind, name): (table, sql or "") for kind, name, table, sql in master}
    searches = {name: found for (_, name), (_, sql) in texts.items() if (found := _search(name, sql)) is not None}
    virtual = [name for (_, name), (_, sql) in texts.items() if sql.upper().startswith("CREATE VIRTUAL")]
    hidden = {*virtual, *(f"{name}_{part}" for name in virtual for part in _SHADOWS)}
    own = {f"{name}_{event}" for name in searches for event in ("insert", "delete", "update")}
    tables = {
        name: _table(name, read_table(sql))
        for (kind, name), (_, sql) in texts.items()
        if kind == "table" and name not in hidden
    }
    for (kind, name), (table, sql) in texts.items():
        owner = tables.get(table)
        if owner is None:
            continue
        if kind == "index" and sql:
            tables[table] = replace(owner, indexes=(*owner.indexes, read_index(sql)))
        elif kind == "trigger" and name not in own:
            tables[table] = replace(owner, triggers=(*owner.triggers, s.Trigger(name, sql)))
    for table, search in searches.values():
        if table in tables:
            tables[table] = replace(tables[table], searches=(*tables[table].searches, search))
    views = tuple(s.View(name, sql) for (kind, name), (_, sql) in texts.items() if kind == "view")
    return s.SchemaSnapshot(_with_targets(tables), views=views, dialect="sqlite")


def _search(name: str, sql: str) -> tuple[str, s.SearchIndex] | None:
    match = _FTS.match(sql)
    if match is None:
        return None
    columns = tuple(unquoted(column.strip()) for column in match["columns"].split(","))
    language = "english" if match["words"].startswith("porter") else "simple"
    return match["table"].replace("''", "'"), s.SearchIndex(name, columns, language, match["key"].replace("''", "'"))


def _table(name: str, read: ReadTable) -> s.Table:
    key = read.primary_key
    return s.Table(
        name=name,
        columns=tuple(_column(column, key) for column in read.columns),
        primary_key=key,
        foreign_keys=tuple(read.foreign_keys),
        uniques=tuple(read.uniques),
        checks=tuple(read.checks),
        options=read.options,
    )


def _column(column: ReadColumn, key: s.PrimaryKey | None) -> s.Column:
    in_key = key is not None and column.name in key.columns
    # a key of one column of exactly this type is the number of the row
    numbered = in_key and key is not None and len(key.columns) == 1 and column.type.upper() == "INTEGER"
    return s.Column(
        name=column.name,
        type=column.type.upper(),
        nullable=not (column.not_null or in_key),
        default=column.default,
        identity=("by default" if column.autoincrement else "rowid") if numbered else None,
        computed=column.computed,
        collation=column.collation,
    )


def _with_targets(tables: dict[str, s.Table]) -> tuple[s.Table, ...]:
    """Gives the tables, their foreign keys with the columns that REFERENCES may leave out, and names as declared."""
    by_name = {name.lower(): table for name, table in tables.items()}

    def complete(key: s.ForeignKey) -> s.ForeignKey:
        target = by_name.get(key.target.lower())
        if target is None:
            return key
        columns = key.target_columns or (target.primary_key.columns if target.primary_key is not None else ())
        return replace(key, target=target.key, target_columns=columns)

    return tuple(replace(table, foreign_keys=tuple(map(complete, table.foreign_keys))) for table in tables.values())
