"""What models want, as a snapshot; the same tables that `create_all` makes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from cormorant.dialects.base import Dialect
from cormorant.dialects.postgresql import PostgreSQLDialect
from cormorant.dialects.sqlite import SQLiteDialect
from cormorant.errors import CompileError
from cormorant.models.model import Model
from cormorant.models.registry import registry
from cormorant.models.tables import infos_of, tables_of
from cormorant.schema import column_types as types
from cormorant.schema import snapshot as s
from cormorant.sql import ddl as d
from cormorant.sql import types as t
from cormorant.sql.columns import Column
from cormorant.sql.expr import Expr, Order

DIALECTS: tuple[Dialect, ...] = (PostgreSQLDialect(), SQLiteDialect())
"""The databases whose words expressions of models are put into."""


def from_models(models: Sequence[type[Model]] = ()) -> s.SchemaSnapshot:
    """Gives the tables and enum types of models, of every known one if none is named.

    Raises:
        ModelError: One is no concrete model, or there is none.
    """
    # of a program that gives up all of its models
    none = not models and bool(registry.retired) and not list(registry)
    tables = tables_of([] if none else infos_of(models))
    enums: dict[str, s.Enum] = {}
    for table in tables:
        for column in table.columns:
            item = column.type.item if isinstance(column.type, t.Array) else column.type
            if isinstance(item, t.Enumeration) and item.native:
                enums[item.native] = s.Enum(item.native, item.labels)
    gone = tuple(dict.fromkeys(retired.table for retired in registry.retired))
    return s.SchemaSnapshot(tuple(map(_table, tables)), tuple(enums.values()), retired=gone)


def _table(table: d.Table) -> s.Table:
    return s.Table(
        name=table.name,
        columns=tuple(map(_column, table.columns)),
        primary_key=s.PrimaryKey(table.primary_key),
        foreign_keys=tuple(map(_foreign_key, table.foreign_keys)),
        uniques=tuple(s.Unique(u.name, u.columns, "deferred" if u.deferrable else None) for u in table.uniques),
        checks=tuple(s.Check(check.name, _words(check.condition)) for check in table.checks),
        indexes=tuple(map(_index, table.indexes)),
        searches=tuple(_search(table, search) for search in table.searches),
        comment=table.comment,
        renamed_from=table.renamed_from,
        retired=table.retired,
        app=table.app,
    )


def _column(column: d.ColumnDef) -> s.Column:
    default = column.default
    return s.Column(
        name=column.name,
        type=types.plain(DIALECTS[0].type_name(column.type)),
        nullable=column.nullable,
        default=None if default is None else _each(lambda dialect: dialect.default_expression(default)),
        identity="by default" if column.identity else None,
        computed=None if column.computed is None else _words(column.computed),
        collation=column.collation,
        comment=column.comment,
        fill=None if column.fill is None else _words(column.fill),
        renamed_from=column.renamed_from,
    )


def _foreign_key(key: d.ForeignKeyDef) -> s.ForeignKey:
    return s.ForeignKey(
        name=key.name,
        columns=key.columns,
        target=key.target,
        target_columns=key.target_columns,
        on_delete=key.on_delete,
        on_update=key.on_update,
        deferrable="deferred" if key.deferrable else None,
    )


def _index(index: d.IndexDef) -> s.Index:
    classes = (*index.operator_classes, *([None] * len(index.items)))
    return s.Index(
        name=index.name,
        items=tuple(_item(order, each) for order, each in zip(index.items, classes, strict=False)),
        unique=index.unique,
        method=index.using,
        where=None if index.where is None else _words(index.where),
        include=index.include,
    )


def _item(order: Order, operator_class: str | None) -> s.IndexItem:
    plain = isinstance(order.expr, Column)
    return s.IndexItem(
        column=order.expr.name if isinstance(order.expr, Column) else None,
        expression=None if plain else _words(order.expr),
        descending=order.descending,
        nulls=order.nulls,
        operator_class=operator_class,
    )


def _search(table: d.Table, search: d.SearchIndexDef) -> s.SearchIndex:
    numbers = [c.name for c in table.columns if c.name in table.primary_key and isinstance(c.type, t.Integer)]
    return s.SearchIndex(
        name=search.name,
        columns=tuple(column.name for column in search.columns),
        language=search.language,
        key=numbers[0] if len(table.primary_key) == 1 and numbers else "",
    )


def _words(expr: Expr[Any]) -> s.Sql:
    return _each(lambda dialect: dialect.expression(expr))


def _each(say: Callable[[Dialect], str]) -> s.Sql:
    """Gives an expression in every database's words; those that cannot say it are left out."""
    texts: dict[str, str] = {}
    failure: CompileError | None = None
    for dialect in DIALECTS:
        try:
            texts[dialect.name] = say(dialect)
        except CompileError as error:
            failure = error
    if failure is not None and not texts:
        raise failure
    return _one(texts.items(), every=failure is None)


def _one(texts: Iterable[tuple[str, str]], *, every: bool) -> s.Sql:
    pairs = tuple(texts)
    return pairs[0][1] if every and len({text for _, text in pairs}) == 1 else s.ByDialect(pairs)
