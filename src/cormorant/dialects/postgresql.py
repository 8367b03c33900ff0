"""PostgreSQL: what it says differently, and the statements that carry whole columns as arrays."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping
from math import inf
from typing import Any, ClassVar

from cormorant._internal.narrowing import is_list
from cormorant.dialects import postgresql_content as content
from cormorant.dialects import postgresql_formulas, search
from cormorant.dialects import postgresql_nodes as nodes
from cormorant.dialects.base import Codec, Dialect, IsolationLevel, Members, kept_member
from cormorant.dialects.postgresql_arrays import array_literal, array_text, array_writer, is_written
from cormorant.dialects.postgresql_outcomes import NUMBER, OUTCOME
from cormorant.sql import expr as e
from cormorant.sql import nodes as n
from cormorant.sql import types as t
from cormorant.sql.columns import Column, collation_of
from cormorant.sql.compiler import Compiler
from cormorant.sql.ddl import ColumnDef, Table
from cormorant.sql.formulas import Fold, Template
from cormorant.sql.full_text import SearchType
from cormorant.sql.json_values import PathType
from cormorant.sql.statements import Delete, Insert, InsertMode, TypedColumn, Update

_WILDCARD = re.compile(r"([\\%_])")


class PostgreSQLCompiler(Compiler):
    """PostgreSQL's differences: numbered dollars, casts for bare values, arrays for lists and batches."""

    formulas: ClassVar[Mapping[str, Template]] = postgresql_formulas.FORMULAS
    folds: ClassVar[Mapping[str, Fold]] = postgresql_formulas.FOLDS

    visitors: ClassVar[dict[type[e.Expr[Any]], Callable[[Any, Any], str]]] = {
        **Compiler.visitors,
        **content.VISITORS,
        **search.POSTGRESQL,
        **nodes.VISITORS,
    }

    def bind(self, bind: e.Bind) -> str:
        if self.inline or isinstance(bind.type, t.Unknown):
            return self.placeholder(bind)
        return f"{self.placeholder(bind)}::{self.words.cast_name(bind.type)}"

    def in_(self, node: n.In) -> str:
        part, values = self.operand(node.part), node.values
        item = values.type.item if isinstance(values.type, t.Array) else values.type
        if self.inline and not values.value:
            # in no list is anything, and PostgreSQL has no empty one
            return "false"
        if self.inline:
            return f"{part} IN ({', '.join(self.words.literal(value, item) for value in values.value)})"
        if isinstance(t.base_of(item), t.Array):
            # lists in a list would be one array of two dimensions: the inner ones travel as text
            cast = self.words.cast_name(item)
            return f"{part} IN (SELECT v::{cast} FROM unnest({self.placeholder(values)}::text[]) AS v)"
        return f"{part} = ANY({self.bind(values)})"

    def text_match(self, node: n.TextMatch) -> str:
        if isinstance(node.text, e.Bind) and not self.inline and node.kind != "exact":
            self.transforms[self.positions[id(node.text)]] = _PATTERNS[node.kind]
            word = "ILIKE" if node.ignore_case else "LIKE"
            return f"{self.operand(node.part)} {word} {self.placeholder(node.text)}"
        if node.ignore_case:
            part, text = self._folded(node.part, node.text)
        else:
            part, text = self.operand(node.part), self.operand(node.text)
        return {
            "contains": f"strpos({part}, {text}) > 0",
            "startswith": f"starts_with({part}, {text})",
            "endswith": f"right({part}, length({text})) = {text}",
            "exact": f"{part} = {text}",
        }[node.kind]

    def _folded(self, *texts: e.Expr[Any]) -> tuple[str, ...]:
        """Gives texts in lower case by the same rules: each for itself, a column would have its own collation's."""
        collation = next(filter(None, map(collation_of, texts)), None)
        return tuple(f"lower({self._collated(text, collation)})" for text in texts)

    def _collated(self, text: e.Expr[Any], collation: str | None) -> str:
        # a column as it stands can use an index
        if collation is None or (isinstance(text, Column) and text.collation == collation):
            return self.operand(text)
        return f"{self.operand(text)} COLLATE {self.quote(collation)}"

    # ---- batches: one array for each column, so that the text does not depend on the number of rows

    def insert(self, statement: Insert) -> str:
        if statement.mode == "row":
            return super().insert(statement)
        rows = self.batch(statement.columns)
        table, names = self.quote(statement.table), self.names(statement.columns)
        values = ", ".join(self.batch_value(column) for column in statement.columns)
        if statement.mode == "ordinal":
            # MERGE may return the source's columns: each row comes back with its ordinal
            # (PostgreSQL 17 release notes, "Allow MERGE to use the RETURNING clause").
            returned = "".join(f", t.{self.quote(column.name)}" for column in statement.returning)
            return (
                f"MERGE INTO {table} AS t USING {rows} ON false "
                f"WHEN NOT MATCHED THEN INSERT ({names}) VALUES ({values}) RETURNING d.ord{returned}"
            )
        # With ORDER BY in the SELECT, defaults such as an identity's next value are computed in that order
        # (INSERT evaluates its target list above the sort); what RETURNING gives may come in any order.
        sql = f"INSERT INTO {table} ({names}) SELECT {values} FROM {rows} ORDER BY d.ord"
        conflict = " ON CONFLICT DO NOTHING" if statement.skip_existing else ""
        return sql + conflict + self.returning(statement.returning)

    def update(self, statement: Update) -> str:
        if not statement.batch:
            return super().update(statement)
        rows = self.batch((*statement.matched, *statement.assigned), prefix=len(statement.matched))
        table = self.quote(statement.table)
        sets = [f"{self.quote(column.name)} = {self.batch_value(column)}" for column in statement.assigned]
        sets += self.bump(statement, "t.")
        where = " AND ".join(
            f"t.{self.quote(column.name)} = {self.batch_value(column, key=True)}" for column in statement.matched
        )
        returned = "".join(f", t.{self.quote(column.name)}" for column in statement.returning)
        return f"UPDATE {table} AS t SET {', '.join(sets)} FROM {rows} WHERE {where} RETURNING d.ord{returned}"

    def delete(self, statement: Delete) -> str:
        if not statement.batch:
            return super().delete(statement)
        rows = self.batch(statement.matched, prefix=len(statement.matched))
        where = " AND ".join(
            f"t.{self.quote(column.name)} = {self.batch_value(column, key=True)}" for column in statement.matched
        )
        return f"DELETE FROM {self.quote(statement.table)} AS t USING {rows} WHERE {where} RETURNING d.ord"

    def rows(self, columns: tuple[TypedColumn, ...]) -> str:
        rows = self.batch(columns)
        return f"SELECT {', '.join(map(self.batch_value, columns))} FROM {rows} ORDER BY d.ord"

    def batch(self, columns: tuple[TypedColumn, ...], prefix: int = 0) -> str:
        """Gives the rows of a batch as a table `d` with an ordinal; the first `prefix` columns are keys."""
        arrays: list[str] = []
        names: list[str] = []
        for index, column in enumerate(columns):
            place = len(self.types)
            self.types.append(t.Batch(column.type))
            sent = "::text" if is_written(carrier(column.type)) else ""
            arrays.append(f"{self.words.placeholder(place)}{sent}::{self.words.cast_name(carrier(column.type))}[]")
            names.append(self.quote(("key_" if index < prefix else "") + column.name))
        return f"unnest({', '.join(arrays)}) WITH ORDINALITY AS d({', '.join(names)}, ord)"

    def batch_value(self, column: TypedColumn, *, key: bool = False) -> str:
        """Gives a column of the batch, cast where its values travel as text."""
        value = f"d.{self.quote(('key_' if key else '') + column.name)}"
        wanted = self.words.cast_name(column.type)
        return value if self.words.cast_name(carrier(column.type)) == wanted else f"{value}::{wanted}"


def carrier(type_: t.SqlType) -> t.SqlType:
    """Gives the type whose array carries a column: unnest would flatten arrays of arrays, so those go as text."""
    base = t.base_of(type_)
    if isinstance(base, (t.Enumeration, t.Literals)) and base.integers:
        return t.BIG_INTEGER
    if isinstance(base, (t.Array, t.Json, t.Enumeration, t.Literals)):
        return t.TEXT
    return base


class PostgreSQLDialect(Dialect):
    """PostgreSQL 12 or newer."""

    name = "postgresql"
    transaction_number: ClassVar[str | None] = NUMBER
    notify: ClassVar[str | None] = "SELECT pg_notify($1, $2)"
    transaction_outcome: ClassVar[str | None] = OUTCOME
    supports_native_enum = True
    supports_array_binds = True
    supports_access_methods = True
    supports_drop_cascade = True
    supports_include = True
    supports_comments = True
    supports_deferrable_unique = True
    explain = "EXPLAIN (FORMAT JSON)"
    explain_analyze: ClassVar[str | None] = "EXPLAIN (ANALYZE, FORMAT JSON)"
    supports_nulls_in_indexes = True
    compiler: ClassVar[type[Compiler]] = PostgreSQLCompiler
    search_indexes: ClassVar[search.SearchIndexes] = search.PostgreSQLSearch()

    def placeholder(self, index: int) -> str:
        return f"${index + 1}"

    def type_name(self, type_: t.SqlType) -> str:
        if isinstance(type_, t.Custom):
            return self.type_name(type_.base)
        if isinstance(type_, t.Text) and type_.length is not None:
            return f"varchar({type_.length})"
        if isinstance(type_, t.Numeric) and type_.precision is not None:
            return f"numeric({type_.precision}, {type_.scale or 0})"
        return self.cast_name(type_)

    def cast_name(self, type_: t.SqlType) -> str:
        if isinstance(type_, t.Integer):
            return _INTEGERS[type_.size]
        if isinstance(type_, t.Native):
            return type_.sql
        if isinstance(type_, t.Array):
            return f"{self.cast_name(type_.item)}[]"
        if isinstance(type_, t.Custom):
            return self.cast_name(type_.base)
        if isinstance(type_, t.Enumeration):
            return self.quote(type_.native) if type_.native else "bigint" if type_.integers else "text"
        if isinstance(type_, t.Literals):
            return "bigint" if type_.integers else "text"
        return _TYPE_NAMES[type(type_)]

    # ---- declarations

    def identity_column(self, table: Table, column: ColumnDef) -> str:
        # BY DEFAULT: a key given by the program is taken, as on SQLite
        return f"{self.quote(column.name)} {self.type_name(column.type)} GENERATED BY DEFAULT AS IDENTITY NOT NULL"

    # ---- codecs: asyncpg takes and gives most Python values itself

    def encoder(self, type_: t.SqlType) -> Codec | None:
        if isinstance(type_, t.Custom):
            then = self.encoder(type_.base)
            return type_.encode if then is None else lambda value: then(type_.encode(value))
        if isinstance(type_, t.Json):
            return type_.dump
        if isinstance(type_, PathType):
            return content.jsonpath_encoder(type_.reading)
        if isinstance(type_, SearchType):
            return search.websearch
        if isinstance(type_, t.Enumeration):
            return kept_member(type_)
        if isinstance(type_, t.Batch):
            return self._batch_encoder(type_.item)
        if isinstance(type_, t.Array):
            item = self._carried(type_.item)
            return None if item is None else _item_wise(item)
        return None

    def _batch_encoder(self, type_: t.SqlType) -> Codec | None:
        encode, write = self._carried(type_), array_writer(carrier(type_))
        if encode is None or write is None:
            return write if encode is None else _item_wise(encode)
        return lambda values: write([None if value is None else encode(value) for value in values])

    def _carried(self, type_: t.SqlType) -> Codec | None:
        """Gives the encoder of a value inside an array: one that is an array itself goes as a text literal."""
        encode = self.encoder(type_)
        base = t.base_of(type_)
        if not isinstance(base, t.Array):
            return encode
        return lambda value: array_literal(value if encode is None else encode(value))

    def decoder(self, type_: t.SqlType) -> Codec | None:
        if isinstance(type_, t.Custom):
            first = self.decoder(type_.base)
            return type_.decode if first is None else lambda value: type_.decode(first(value))
        if isinstance(type_, t.Json):
            return type_.load
        if isinstance(type_, t.Uuid):
            return plain_uuid
        if isinstance(type_, t.Enumeration):
            return Members(type_.python, kept_member(type_)).__getitem__
        if isinstance(type_, t.Array):
            item = self.decoder(type_.item)
            return None if item is None else _item_wise(item)
        return None

    def literal(self, value: Any, type_: t.SqlType) -> str:
        encode = self.encoder(type_)
        raw = value if encode is None or value is None else encode(value)
        if raw is None:
            return "NULL"
        if isinstance(raw, bool):
            return "true" if raw else "false"
        if isinstance(raw, (int, float)) and raw not in (inf, -inf):
            return repr(raw)
        text = array_literal(raw) if is_list(raw) else array_text(raw)
        quoted = "'" + text.replace("'", "''") + "'"
        return quoted if isinstance(type_, t.Unknown) else f"{quoted}::{self.cast_name(type_)}"

    def insert_mode(self, server_version: tuple[int, ...], *, key_given: bool, ascending: bool) -> InsertMode:
        if key_given:
            return "by_key"
        if server_version >= (17,):
            return "ordinal"
        return "ascending" if ascending else "row"

    def begin(self, *, isolation: IsolationLevel | None, read_only: bool, deferrable: bool, write: bool) -> str:
        words = ["BEGIN"]
        if isolation is not None:
            words.append(f"ISOLATION LEVEL {isolation.upper()}")
        if read_only:
            words.append("READ ONLY")
        if deferrable:
            words.append("DEFERRABLE")
        return " ".join(words)


_INTEGERS: dict[t.IntegerSize, str] = {"small": "smallint", "normal": "integer", "big": "bigint"}

_TYPE_NAMES: dict[type[t.SqlType], str] = {
    t.Float: "double precision",
    t.Numeric: "numeric",
    t.Boolean: "boolean",
    t.Text: "text",
    t.Binary: "bytea",
    t.Date: "date",
    t.Time: "time",
    t.DateTime: "timestamptz",
    t.Interval: "interval",
    t.Uuid: "uuid",
    t.Json: "jsonb",
    PathType: "jsonpath",
    SearchType: "text",
    t.Unknown: "text",
}

_PATTERNS: dict[str, Callable[[str], str]] = {
    "contains": lambda text: f"%{_escape(text)}%",
    "startswith": lambda text: f"{_escape(text)}%",
    "endswith": lambda text: f"%{_escape(text)}",
}


def _escape(text: str) -> str:
    return _WILDCARD.sub(r"\\\1", text)


def _item_wise(codec: Codec) -> Codec:
    """Gives what puts the items of a list through a codec."""
    return lambda values: [None if value is None else codec(value) for value in values]


def plain_uuid(value: uuid.UUID) -> uuid.UUID:
    """Gives the standard library's UUID for the driver's own, which serializers do not know."""
    plain = object.__new__(uuid.UUID)
    # its __init__ would take four times as long, for checks that the driver has made
    object.__setattr__(plain, "int", value.int)
    object.__setattr__(plain, "is_safe", uuid.SafeUUID.unknown)
    return plain
