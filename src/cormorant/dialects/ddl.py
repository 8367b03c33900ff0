"""Declarations as SQL: CREATE and DROP for the values of `cormorant.sql.ddl`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cormorant.dialects.base import Dialect
from cormorant.sql import ddl as d

_ON_DELETE: dict[d.OnDelete, str] = {
    "cascade": "CASCADE",
    "set_null": "SET NULL",
    "set_default": "SET DEFAULT",
    "no_action": "NO ACTION",
}


def compile_operation(dialect: Dialect, operation: d.Operation) -> str:
    """Gives one declaration as SQL; empty where the database has no such thing."""
    return _COMPILERS[type(operation)](dialect, operation)


def create_table(dialect: Dialect, operation: d.CreateTable) -> str:
    """Gives CREATE TABLE with its constraints."""
    table = operation.table
    lines = [column_definition(dialect, table, column) for column in table.columns]
    if not dialect.key_is_part_of_column(table):
        lines.append(f"PRIMARY KEY ({_names(dialect, table.primary_key)})")
    lines += [unique(dialect, constraint) for constraint in table.uniques]
    lines += [
        f"CONSTRAINT {dialect.quote(check.name)} CHECK ({dialect.expression(check.condition)})"
        for check in table.checks
    ]
    lines += [foreign_key(dialect, key) for key in table.foreign_keys if key not in operation.deferred]
    body = ",\n  ".join(lines)
    return f"CREATE TABLE {dialect.quote(table.name)} (\n  {body}\n)"


def unique(dialect: Dialect, constraint: d.UniqueDef) -> str:
    """Gives a UNIQUE constraint."""
    sql = f"CONSTRAINT {dialect.quote(constraint.name)} UNIQUE ({_names(dialect, constraint.columns)})"
    deferrable = constraint.deferrable and dialect.supports_deferrable_unique
    return f"{sql} DEFERRABLE INITIALLY DEFERRED" if deferrable else sql


def column_definition(dialect: Dialect, table: d.Table, column: d.ColumnDef) -> str:
    """Gives one column of CREATE TABLE."""
    if column.identity:
        return dialect.identity_column(table, column)
    parts = [dialect.quote(column.name), dialect.type_name(column.type)]
    if column.collation is not None and column.collation not in dialect.default_collations:
        parts.append(f"COLLATE {dialect.quote(column.collation)}")
    if column.default is not None:
        parts.append(f"DEFAULT {dialect.default_expression(column.default)}")
    if column.computed is not None:
        parts.append(f"GENERATED ALWAYS AS ({dialect.expression(column.computed)}) STORED")
    if not column.nullable:
        parts.append("NOT NULL")
    return " ".join(parts)


def foreign_key(dialect: Dialect, key: d.ForeignKeyDef) -> str:
    """Gives a FOREIGN KEY constraint."""
    follows = " ON UPDATE CASCADE" if key.on_update == "cascade" else ""
    waits = " DEFERRABLE INITIALLY DEFERRED" if key.deferrable else ""
    return (
        f"CONSTRAINT {dialect.quote(key.name)} FOREIGN KEY ({_names(dialect, key.columns)}) "
        f"REFERENCES {dialect.quote(key.target)} ({_names(dialect, key.target_columns)}) "
        f"ON DELETE {_ON_DELETE.get(key.on_delete, dialect.restrict)}{follows}{waits}"
    )


def add_foreign_key(dialect: Dialect, operation: d.AddForeignKey) -> str:
    """Gives ALTER TABLE ... ADD CONSTRAINT."""
    return f"ALTER TABLE {dialect.quote(operation.table)} ADD {foreign_key(dialect, operation.foreign_key)}"


def create_index(dialect: Dialect, operation: d.CreateIndex) -> str:
    """Gives CREATE INDEX, or nothing where the database has no such index."""
    index = operation.index
    if index.using is not None and not dialect.supports_access_methods:
        return ""
    using = "" if index.using is None else f"USING {index.using} "
    classes = (*index.operator_classes, *([None] * len(index.items)))
    items = ", ".join(
        dialect.index_item(order, operator_class) for order, operator_class in zip(index.items, classes, strict=False)
    )
    include = f" INCLUDE ({_names(dialect, index.include)})" if index.include and dialect.supports_include else ""
    sql = (
        f"CREATE {'UNIQUE ' if index.unique else ''}INDEX {dialect.quote(index.name)} "
        f"ON {dialect.quote(operation.table.name)} {using}({items}){include}"
    )
    return sql if index.where is None else f"{sql} WHERE {dialect.expression(index.where)}"


def comment(dialect: Dialect, operation: d.Comment) -> str:
    """Gives COMMENT ON, or nothing where the database keeps no comments."""
    if not dialect.supports_comments:
        return ""
    column = "" if operation.column is None else f".{dialect.quote(operation.column)}"
    what = "TABLE" if operation.column is None else "COLUMN"
    text = operation.text.replace("'", "''")
    return f"COMMENT ON {what} {dialect.quote(operation.table)}{column} IS '{text}'"


def drop_table(dialect: Dialect, operation: d.DropTable) -> str:
    """Gives DROP TABLE."""
    cascade = " CASCADE" if operation.cascade and dialect.supports_drop_cascade else ""
    return f"DROP TABLE IF EXISTS {dialect.quote(operation.name)}{cascade}"


def create_search_index(dialect: Dialect, operation: d.CreateSearchIndex) -> str:
    """Gives the statement that makes the index of a full text search."""
    return dialect.search_indexes.create(dialect.compiler(dialect, inline=True), operation.table, operation.index)


def maintain_search_index(dialect: Dialect, operation: d.MaintainSearchIndex) -> str:
    """Gives a trigger, or nothing where the database keeps the index in step."""
    compiler = dialect.compiler(dialect, inline=True)
    return dialect.search_indexes.maintain(compiler, operation.table, operation.index, operation.event)


def drop_search_index(dialect: Dialect, operation: d.DropSearchIndex) -> str:
    """Gives DROP, or nothing where the index goes with its table."""
    return dialect.search_indexes.drop(dialect.compiler(dialect, inline=True), operation.name)


def create_enum(dialect: Dialect, operation: d.CreateEnum) -> str:
    """Gives CREATE TYPE, or nothing where enums are kept as text."""
    if not dialect.supports_native_enum:
        return ""
    labels = ", ".join("'" + label.replace("'", "''") + "'" for label in operation.labels)
    return f"CREATE TYPE {dialect.quote(operation.name)} AS ENUM ({labels})"


def drop_enum(dialect: Dialect, operation: d.DropEnum) -> str:
    """Gives DROP TYPE, or nothing where enums are kept as text."""
    return f"DROP TYPE IF EXISTS {dialect.quote(operation.name)}" if dialect.supports_native_enum else ""


def _names(dialect: Dialect, columns: tuple[str, ...]) -> str:
    return ", ".join(map(dialect.quote, columns))


_COMPILERS: dict[type, Callable[[Dialect, Any], str]] = {
    d.CreateTable: create_table,
    d.AddForeignKey: add_foreign_key,
    d.CreateIndex: create_index,
    d.Comment: comment,
    d.CreateSearchIndex: create_search_index,
    d.MaintainSearchIndex: maintain_search_index,
    d.DropSearchIndex: drop_search_index,
    d.DropTable: drop_table,
    d.CreateEnum: create_enum,
    d.DropEnum: drop_enum,
}
