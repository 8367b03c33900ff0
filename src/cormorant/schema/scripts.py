"""Snapshots as SQL: columns, constraints, tables and indexes as statements have them."""

from __future__ import annotations

from collections.abc import Iterable

from cormorant.dialects.base import Dialect
from cormorant.dialects.ddl import compile_operation
from cormorant.dialects.postgresql import PostgreSQLDialect
from cormorant.errors import CompileError
from cormorant.schema import column_types as types
from cormorant.schema import snapshot as s
from cormorant.schema.names import beside, quoted
from cormorant.sql import ddl as d
from cormorant.sql import types as t
from cormorant.sql.columns import Column
from cormorant.sql.sources import TableSource

_ACTIONS: dict[s.Action, str] = {
    "no_action": "NO ACTION",
    "restrict": "RESTRICT",
    "cascade": "CASCADE",
    "set_null": "SET NULL",
    "set_default": "SET DEFAULT",
}
_POSTGRESQL = PostgreSQLDialect()
_WAITS: dict[s.Deferrable, str] = {
    "immediate": " DEFERRABLE INITIALLY IMMEDIATE",
    "deferred": " DEFERRABLE INITIALLY DEFERRED",
}


def text(value: str) -> str:
    """Gives a text as SQL writes it."""
    return "'" + value.replace("'", "''") + "'"


def names(dialect: Dialect, columns: Iterable[str]) -> str:
    """Gives quoted names in a row."""
    return ", ".join(map(dialect.quote, columns))


def numbered_by_key(dialect: Dialect, table: s.Table) -> bool:
    """Whether the primary key stands with its column, because the database numbers rows only so."""
    key = table.primary_key
    if dialect.supports_add_constraint or key is None or len(key.columns) != 1:
        return False
    column = table.column(key.columns[0])
    return column is not None and column.identity is not None


def column(dialect: Dialect, table: s.Table, column: s.Column) -> str:
    """Gives a column as CREATE TABLE has it."""
    by_itself = column.identity == "rowid" and not numbered_by_key(dialect, table)
    if not dialect.supports_add_constraint and column.identity is not None and not by_itself:
        return _numbered(dialect, table, column)
    parts = [dialect.quote(column.name), types.sql(dialect, column.type)]
    if column.identity == "serial":
        parts[1] = {"bigint": "bigserial", "smallint": "smallserial"}.get(column.type, "serial")
    if column.collation is not None and column.collation not in dialect.default_collations:
        parts.append(f"COLLATE {dialect.quote(column.collation)}")
    if column.default is not None:
        parts.append(f"DEFAULT {default(dialect, column.default)}")
    if column.computed is not None:
        parts.append(f"GENERATED ALWAYS AS ({s.said(column.computed, dialect.name)}) STORED")
    if column.identity in ("by default", "always"):
        parts.append(f"GENERATED {column.identity.upper()} AS IDENTITY")
    if not column.nullable:
        parts.append("NOT NULL")
    return " ".join(parts)


def _numbered(dialect: Dialect, table: s.Table, column: s.Column) -> str:
    if not numbered_by_key(dialect, table):
        raise CompileError(
            f"SQLite numbers only a primary key of one column, and {table.name}.{column.name} is not one",
            hint="make it the only primary key, or give the value yourself",
        )
    again = "" if column.identity == "rowid" else " AUTOINCREMENT"
    return f"{dialect.quote(column.name)} INTEGER PRIMARY KEY{again}"


def default(dialect: Dialect, sql: s.Sql) -> str:
    """Gives what stands after DEFAULT."""
    return s.said(sql, dialect.name)


def constraint(dialect: Dialect, constraint: s.Constraint) -> str:
    """Gives a constraint as CREATE TABLE and ADD have it."""
    named = f"CONSTRAINT {dialect.quote(constraint.name)} " if constraint.name else ""
    return named + _body(dialect, constraint)


def _body(dialect: Dialect, constraint: s.Constraint) -> str:
    if isinstance(constraint, s.Check):
        return f"CHECK ({s.said(constraint.condition, dialect.name)})"
    if isinstance(constraint, s.PrimaryKey):
        return f"PRIMARY KEY ({names(dialect, constraint.columns)})"
    if isinstance(constraint, s.Unique):
        waits = constraint.deferrable if dialect.supports_deferrable_unique else None
        said = f"UNIQUE{_nulls(dialect, constraint)} ({names(dialect, constraint.columns)})"
        return f"{said}{_WAITS[waits] if waits else ''}"
    return _references(dialect, constraint)


def _references(dialect: Dialect, key: s.ForeignKey) -> str:
    delete = dialect.restrict if key.on_delete == "restrict" else _ACTIONS[key.on_delete]
    update = "" if key.on_update == "no_action" else f" ON UPDATE {_ACTIONS[key.on_update]}"
    return (
        f"FOREIGN KEY ({names(dialect, key.columns)}) REFERENCES {quoted(dialect, key.target)} "
        f"({names(dialect, key.target_columns)}) ON DELETE {delete}{update}"
        f"{_WAITS[key.deferrable] if key.deferrable else ''}"
    )


def create_table(dialect: Dialect, table: s.Table, name: str | None = None) -> str:
    """Gives CREATE TABLE with its constraints, perhaps under another name."""
    lines = [column(dialect, table, each) for each in table.columns]
    by_column = numbered_by_key(dialect, table)
    lines += [
        constraint(dialect, each) for each in table.constraints if not (by_column and isinstance(each, s.PrimaryKey))
    ]
    body = ",\n  ".join(lines)
    parts = f" PARTITION BY {table.partitioned}" if table.partitioned and dialect.supports_add_constraint else ""
    parts += f" {table.options}" if table.options and not dialect.supports_add_constraint else ""
    return f"CREATE TABLE {quoted(dialect, name or table.key)} (\n  {body}\n){parts}"


def create_index(dialect: Dialect, table: str, index: s.Index, *, concurrently: bool = False) -> list[str]:
    """Gives CREATE INDEX, or nothing where the database has no such index."""
    if index.method is not None and not dialect.supports_access_methods:
        return []
    method = "" if index.method is None else f"USING {index.method} "
    items = ", ".join(_item(dialect, item) for item in index.items)
    include = f" INCLUDE ({names(dialect, index.include)})" if index.include and dialect.supports_include else ""
    where = "" if index.where is None else f" WHERE {s.said(index.where, dialect.name)}"
    alone = "CONCURRENTLY " if concurrently and dialect.supports_add_constraint else ""
    unique = "UNIQUE " if index.unique else ""
    return [
        f"CREATE {unique}INDEX {alone}{dialect.quote(index.name)} ON {quoted(dialect, table)} "
        f"{method}({items}){include}{_nulls(dialect, index)}{where}"
    ]


def _item(dialect: Dialect, item: s.IndexItem) -> str:
    sql = dialect.quote(item.column) if item.column is not None else f"({s.said(item.expression or '', dialect.name)})"
    if item.collation and item.collation not in dialect.default_collations:
        sql += f" COLLATE {dialect.quote(item.collation)}"
    sql += f" {item.operator_class}" if item.operator_class and dialect.supports_access_methods else ""
    sql += " DESC" if item.descending else ""
    return f"{sql} NULLS {item.nulls.upper()}" if item.nulls and dialect.supports_nulls_in_indexes else sql


def _nulls(dialect: Dialect, unique: s.Unique | s.Index) -> str:
    return "" if unique.nulls_distinct or dialect.name == "sqlite" else " NULLS NOT DISTINCT"


def drop_index(dialect: Dialect, table: str, name: str, *, concurrently: bool = False) -> str:
    """Gives DROP INDEX."""
    alone = "CONCURRENTLY " if concurrently and dialect.supports_add_constraint else ""
    return f"DROP INDEX {alone}{quoted(dialect, beside(table, name))}"


def constraint_by_index(dialect: Dialect, table: str, key: s.PrimaryKey | s.Unique, name: str) -> list[str]:
    """Gives what makes the index of a constraint while others write, and then the constraint of it."""
    distinct = isinstance(key, s.PrimaryKey) or key.nulls_distinct
    items = tuple(s.IndexItem(column) for column in key.columns)
    index = s.Index(name, items, unique=True, nulls_distinct=distinct)
    add = f"ALTER TABLE {quoted(dialect, table)} ADD {using_index(dialect, key, name, name)}"
    return [*create_index(dialect, table, index, concurrently=True), add]


def using_index(dialect: Dialect, key: s.PrimaryKey | s.Unique, name: str, index: str) -> str:
    """Gives a constraint that is made of an index, which gets its name."""
    kind = "PRIMARY KEY" if isinstance(key, s.PrimaryKey) else "UNIQUE"
    waits = _WAITS[key.deferrable] if isinstance(key, s.Unique) and key.deferrable else ""
    return f"CONSTRAINT {dialect.quote(name)} {kind} USING INDEX {dialect.quote(index)}{waits}"


def search_index(dialect: Dialect, table: str, search: s.SearchIndex, *, concurrently: bool = False) -> list[str]:
    """Gives what makes the index of a full text search, and keeps it in step."""
    shape, index = _search_values(table, search)
    made: list[d.Operation] = [d.CreateSearchIndex(shape, index)]
    events: tuple[d.SearchEvent, ...] = ("insert", "delete", "update")
    made += [d.MaintainSearchIndex(shape, index, event) for event in events]
    said = [sql for each in made if (sql := compile_operation(dialect, each))]
    if not concurrently or not dialect.supports_access_methods:
        return said
    return [sql.replace("CREATE INDEX ", "CREATE INDEX CONCURRENTLY ", 1) for sql in said]


def search_words(search: s.SearchIndex) -> str:
    """Gives the expression that PostgreSQL indexes for a full text search."""
    _, index = _search_values("", search)
    return _POSTGRESQL.search_indexes.words(_POSTGRESQL.compiler(_POSTGRESQL, inline=True), index)


def drop_search_index(dialect: Dialect, table: str, search: s.SearchIndex, *, concurrently: bool = False) -> list[str]:
    """Gives what drops it again."""
    if dialect.supports_access_methods:
        return [drop_index(dialect, table, search.name, concurrently=concurrently)]
    triggers = (f"{search.name}_{event}" for event in ("insert", "delete", "update"))
    return [
        *(f"DROP TRIGGER IF EXISTS {dialect.quote(name)}" for name in triggers),
        f"DROP TABLE IF EXISTS {dialect.quote(search.name)}",
    ]


def _search_values(table: str, search: s.SearchIndex) -> tuple[d.Table, d.SearchIndexDef]:
    source = TableSource(table, f"table {table}")
    columns = tuple(Column[str](source, each, t.TEXT, nullable=True, owner=each) for each in search.columns)
    key = (search.key,) if search.key else ()
    return (
        d.Table(table, tuple(d.ColumnDef(name, t.INTEGER) for name in key), key),
        d.SearchIndexDef(search.name, columns, search.language),
    )


def comments(dialect: Dialect, table: s.Table) -> list[str]:
    """Gives the comments of a table and its columns."""
    if not dialect.supports_comments:
        return []
    found = [] if table.comment is None else [comment(dialect, table.key, None, table.comment)]
    return found + [
        comment(dialect, table.key, each.name, each.comment) for each in table.columns if each.comment is not None
    ]


def comment(dialect: Dialect, table: str, column: str | None, said: str | None) -> str:
    """Gives COMMENT ON a table, or on a column of it."""
    what = f"TABLE {quoted(dialect, table)}"
    if column is not None:
        what = f"COLUMN {quoted(dialect, table)}.{dialect.quote(column)}"
    return f"COMMENT ON {what} IS {'NULL' if said is None else text(said)}"


def whole_table(dialect: Dialect, table: s.Table) -> list[str]:
    """Gives all statements that make a table: itself, comments, indexes."""
    made = [create_table(dialect, table), *comments(dialect, table)]
    for index in table.indexes:
        made += create_index(dialect, table.key, index)
    for search in table.searches:
        made += search_index(dialect, table.key, search)
    return made
