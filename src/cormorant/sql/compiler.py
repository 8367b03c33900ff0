"""Turns every statement into SQL text; what a dialect says otherwise, it overrides."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from cormorant.sql import columns as c
from cormorant.sql import expr as e
from cormorant.sql import rendering
from cormorant.sql import types as t
from cormorant.sql.excluded import excluded_key
from cormorant.sql.formulas import chained
from cormorant.sql.query_compiler import QueryCompiler
from cormorant.sql.selectable import SelectLike
from cormorant.sql.selects import Select
from cormorant.sql.sources import CteReference
from cormorant.sql.statements import (
    Delete,
    DeleteWhere,
    Insert,
    InsertSelect,
    Statement,
    TypedColumn,
    Update,
    UpdateWhere,
    Upsert,
)
from cormorant.sql.written import Written


class Compiler(QueryCompiler):
    """Compiles one statement; made anew for each."""

    visitors: ClassVar[dict[type[e.Expr[Any]], Callable[[Any, Any], str]]] = {
        **QueryCompiler.visitors,
        **rendering.VISITORS,
    }

    def statement(self, statement: Statement) -> str:
        """Gives any statement."""
        return self.statements[type(statement)](self, statement)

    def insert(self, statement: Insert) -> str:
        """Gives an INSERT of one row."""
        table = self.quote(statement.table)
        if statement.columns:
            values = ", ".join(self.parameter(i, column) for i, column in enumerate(statement.columns))
            body = f"({self.names(statement.columns)}) VALUES ({values})"
        else:
            body = "DEFAULT VALUES"
        conflict = " ON CONFLICT DO NOTHING" if statement.skip_existing else ""
        return f"INSERT INTO {table} {body}{conflict}{self.returning(statement.returning)}"

    def update(self, statement: Update) -> str:
        """Gives an UPDATE of one row: the parameters are first what it is found by, then what it gets."""
        start = len(statement.matched)
        for column in statement.matched:
            self.types.append(column.type)
        sets = [
            f"{self.quote(column.name)} = {self.parameter(start + i, column)}"
            for i, column in enumerate(statement.assigned)
        ]
        sets += self.bump(statement, "")
        where = " AND ".join(
            f"{self.quote(column.name)} = {self.words.placeholder(i)}" for i, column in enumerate(statement.matched)
        )
        sql = f"UPDATE {self.quote(statement.table)} SET {', '.join(sets)} WHERE {where}"
        return sql if statement.silent else sql + self.returning(statement.returning or statement.matched[:1])

    def bump(self, statement: Update, prefix: str) -> list[str]:
        """Gives the assignment that counts a version up."""
        if statement.bumped is None:
            return []
        name = self.quote(statement.bumped)
        return [f"{name} = {prefix}{name} + 1"]

    def delete(self, statement: Delete) -> str:
        """Gives a DELETE of one row."""
        where = " AND ".join(
            f"{self.quote(column.name)} = {self.parameter(i, column)}" for i, column in enumerate(statement.matched)
        )
        returned = "" if statement.silent else self.returning(statement.matched)
        return f"DELETE FROM {self.quote(statement.table)} WHERE {where}{returned}"

    def update_where(self, statement: UpdateWhere) -> str:
        """Gives an UPDATE by conditions."""
        self._reserve(statement)
        self.restrainer.lifted = statement.lifted
        sets = ", ".join(f"{self.quote(item.column.name)} = {self.assigned(item)}" for item in statement.assignments)
        sql = f"UPDATE {self.quote(statement.table)} SET {sets}{self.values_first(statement)}{self._where(statement)}"
        return sql + self._returned(statement.returning)

    def values_first(self, statement: UpdateWhere) -> str:
        """Gives what has all new values computed before the first row changes, where the database needs that said."""
        return ""

    def assigned(self, item: c.Assignment) -> str:
        """Gives the value of an assignment as the column keeps it."""
        return self.expr(item.value)

    def delete_where(self, statement: DeleteWhere) -> str:
        """Gives a DELETE by conditions."""
        self._reserve(statement)
        self.restrainer.lifted = statement.lifted
        return f"DELETE FROM {self.quote(statement.table)}{self._where(statement)}{self._returned(statement.returning)}"

    def _reserve(self, statement: UpdateWhere | DeleteWhere) -> None:
        self.scope.reserve(statement.source.key, statement.table)
        self.ctes.tables.add(statement.table.lower())

    def _where(self, statement: UpdateWhere | DeleteWhere | Upsert) -> str:
        where = [*map(self.condition, statement.where), *self.restricted(statement.source)]
        return " WHERE " + chained("AND", where) if where else ""

    def _returned(self, returning: tuple[e.Expr[Any], ...]) -> str:
        return f" RETURNING {', '.join(map(self.returned, returning))}" if returning else ""

    def returned(self, expr: e.Expr[Any]) -> str:
        """Gives an item of RETURNING."""
        return self.selected(expr)

    def statement_inside(self, statement: SelectLike) -> str:
        if not isinstance(statement, Written):
            return super().statement_inside(statement)
        self.need_writes_inside()
        lifted = self.restrainer.lifted
        try:
            return self.statement(statement.statement)
        finally:
            self.restrainer.lifted = lifted

    def need_writes_inside(self) -> None:
        """Refuses statements that write in WITH where the database has none."""

    # ---- many rows at once

    def upsert(self, statement: Upsert) -> str:
        """Gives INSERT ... ON CONFLICT."""
        # the database has a name of its own for the row that was to be inserted
        self.scope.reserve(excluded_key(statement.source), "excluded")
        alias = self.scope.reserve(statement.source.key, statement.table)
        self.ctes.tables.add(statement.table.lower())
        self.restrainer.lifted = statement.lifted
        name = self.quote(statement.table)
        into = name if alias == statement.table else f"{name} AS {self.quote(alias)}"
        sql = f"INSERT INTO {into} ({self.names(statement.columns)}) {self.rows(statement.columns)}"
        return sql + self._conflict(statement) + self.returning(statement.returning)

    def rows(self, columns: tuple[TypedColumn, ...]) -> str:
        """Gives the rows of an upsert: here one, elsewhere a batch."""
        return f"VALUES ({', '.join(self.parameter(len(self.types), column) for column in columns)})"

    def _conflict(self, statement: Upsert) -> str:
        sql = f" ON CONFLICT ({', '.join(map(self.quote, statement.on))})"
        if statement.on_where is not None:
            sql += f" WHERE {type(self)(self.words, inline=True).expr(statement.on_where)}"
        if not statement.assignments:
            return f"{sql} DO NOTHING"
        sets = ", ".join(f"{self.quote(item.column.name)} = {self.assigned(item)}" for item in statement.assignments)
        return f"{sql} DO UPDATE SET {sets}{self._where(statement)}"

    def insert_select(self, statement: InsertSelect) -> str:
        """Gives INSERT ... SELECT, with a step between where values have to be added or made to fit."""
        self.ctes.tables.add(statement.table.lower())
        into = f"INSERT INTO {self.quote(statement.table)}"
        names = [column.name for column in statement.columns] + [item.column.name for item in statement.added]
        inner = self.statement_inside(statement.select)
        places = [self.quote(f"c{number}") for number in range(len(statement.columns))]
        triples = zip(places, statement.select.columns, statement.columns, strict=True)
        kept = [self.kept(place, given, column.type) for place, given, column in triples]
        if kept != places or statement.added:
            name = self.quote(self.ctes.name_of(CteReference("selected")))
            self.ctes.definitions.append(f"{name}({', '.join(places)}) AS ({inner})")
            kept += [self.assigned(item) for item in statement.added]
            inner = f"SELECT {', '.join(kept)} FROM {name}"
        if statement.source is not None:
            self.scope.reserve(statement.source.key, statement.table)
        return f"{into} ({', '.join(map(self.quote, names))}) {inner}{self._returned(statement.returning)}"

    def kept(self, sql: str, value: e.Expr[Any], wanted: t.SqlType) -> str:
        """Gives a value, which is read under a name, as a column of a type keeps it."""
        return sql

    def parameter(self, index: int, column: TypedColumn) -> str:
        """Gives the placeholder of a column's value and notes its type."""
        self.types.append(column.type)
        return self.words.placeholder(index)

    def names(self, columns: Iterable[TypedColumn]) -> str:
        """Gives quoted column names."""
        return ", ".join(self.quote(column.name) for column in columns)

    def returning(self, columns: tuple[TypedColumn, ...]) -> str:
        """Gives RETURNING."""
        return f" RETURNING {self.names(columns)}" if columns else ""

    statements: ClassVar[dict[type, Callable[[Any, Any], str]]] = {
        Select: lambda self, statement: self.select(statement),
        Insert: lambda self, statement: self.insert(statement),
        Update: lambda self, statement: self.update(statement),
        Delete: lambda self, statement: self.delete(statement),
        UpdateWhere: lambda self, statement: self.update_where(statement),
        DeleteWhere: lambda self, statement: self.delete_where(statement),
        Upsert: lambda self, statement: self.upsert(statement),
        InsertSelect: lambda self, statement: self.insert_select(statement),
    }
