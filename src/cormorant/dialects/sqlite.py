"""SQLite: what it says differently, and how Python values are kept in its five storage classes."""

from __future__ import annotations

import datetime as dt
import decimal
import json
import uuid
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from cormorant._internal.json_text import load_json
from cormorant.dialects import search, sqlite_formulas
from cormorant.dialects import sqlite_content as content
from cormorant.dialects import sqlite_fitting as fitting
from cormorant.dialects import sqlite_nodes as nodes
from cormorant.dialects.base import Codec, Dialect, IsolationLevel, Members, kept_member
from cormorant.errors import CompileError, DataError
from cormorant.sql import calls as k
from cormorant.sql import expr as e
from cormorant.sql import nodes as n
from cormorant.sql import types as t
from cormorant.sql.columns import Assignment, Column
from cormorant.sql.compiler import Compiler
from cormorant.sql.ddl import ColumnDef, Table
from cormorant.sql.formulas import Fold, Template
from cormorant.sql.full_text import SearchType
from cormorant.sql.json_values import PathType
from cormorant.sql.rereading import reads_again
from cormorant.sql.selects import Select
from cormorant.sql.statements import InsertMode, TypedColumn, UpdateWhere

DECIMAL_COLLATION = "cormorant_decimal"

_ORDERED = frozenset({"<", "<=", ">", ">="})
_NOT_ROUNDED = frozenset({"TEXT", "BLOB", "REAL"})
_DECIMAL_OPERATORS = {"+": "cormorant_decimal_add", "-": "cormorant_decimal_sub", "*": "cormorant_decimal_mul"}


_WITHOUT_WAITING = {
    "NOWAIT": ("nowait", "give the DSN a short lock_timeout: sqlite:///app.db?lock_timeout=0.1"),
    "SKIP LOCKED": ("skip_locked", "leave it out: those who lock take turns, and none meets a row of another"),
}


class SQLiteCompiler(Compiler):
    """SQLite's differences: decimals are texts with a collation of their own, lists are JSON arrays."""

    formulas: ClassVar[Mapping[str, Template]] = sqlite_formulas.FORMULAS
    folds: ClassVar[Mapping[str, Fold]] = sqlite_formulas.FOLDS
    visitors: ClassVar[dict[type[e.Expr[Any]], Callable[[Any, Any], str]]] = {
        **Compiler.visitors,
        **content.VISITORS,
        **search.SQLITE,
        **nodes.VISITORS,
    }

    def values_first(self, statement: UpdateWhere) -> str:
        # it changes row after row, and a SELECT for each would meet what was changed before; FROM has it read all first
        read = (*(item.value for item in statement.assignments), *statement.where)
        return " FROM (SELECT 1)" if reads_again(statement.table, read) else ""

    def order(self, order: e.Order) -> str:
        sql = self.expr(order.expr)
        if is_decimal(order.expr.type):
            sql += f" COLLATE {DECIMAL_COLLATION}"
        # PostgreSQL sorts NULL as larger than everything, SQLite as smaller: one order on both
        nulls = order.nulls or ("first" if order.descending else "last")
        sql += " DESC" if order.descending else ""
        return f"{sql} NULLS {nulls.upper()}" if self.nullable(order.expr) else sql

    def lock_clause(self, select: Select) -> str:
        # the transaction of a query that locks begins as a write, which holds off every other
        if select.lock is not None and select.lock.wait:
            word, hint = _WITHOUT_WAITING[select.lock.wait]
            raise CompileError(f"SQLite locks the whole database, no rows: it has no {word}", hint=hint)
        if select.lock is not None and select.lock.of:
            raise CompileError("SQLite locks the whole database, no rows: it has no of=", hint="leave it out")
        return ""

    def need_writes_inside(self) -> None:
        raise CompileError(
            "SQLite has no statements that write in WITH", hint="run them one after the other, in one transaction"
        )

    def need_lateral(self) -> None:
        raise CompileError(
            "SQLite has no LATERAL: a subquery in FROM cannot read what is joined before it",
            hint="use a value (.as_expr()), a condition (exists(...)), or a window function in a plain subquery",
        )

    def distinct_clause(self, select: Select) -> str:
        if select.distinct_on:
            raise CompileError(
                "SQLite has no DISTINCT ON",
                hint="keep the rows whose func.row_number().over(partition_by=..., order_by=...) is 1, in a subquery",
            )
        return super().distinct_clause(select)

    def exists(self, node: k.Exists) -> str:
        select = node.select
        if isinstance(select, Select) and select.distinct and select.offset is not None:
            # SQLite forgets DISTINCT in EXISTS, although OFFSET counts the rows
            return f"EXISTS (SELECT 1 FROM ({self.correlated(node)}))"
        return super().exists(node)

    def limit_clause(self, select: Any) -> str:
        if select.limit is None and select.offset is not None:
            return f" LIMIT -1 OFFSET {self.bare(select.offset)}"
        return super().limit_clause(select)

    def comparison(self, node: e.Comparison) -> str:
        if any(content.varies(side.type) for side in node.children):
            return content.comparison(self, node)
        if not (is_decimal(node.left.type) or is_decimal(node.right.type)):
            return super().comparison(node)
        collate = f" COLLATE {DECIMAL_COLLATION}" if node.sign in _ORDERED else ""
        return f"{self._decimal(node.left)}{collate} {node.sign} {self._decimal(node.right)}"

    def between(self, node: n.Between) -> str:
        if not any(is_decimal(expr.type) for expr in node.children):
            return super().between(node)
        part, low, high = map(self._decimal, node.children)
        return f"{part} COLLATE {DECIMAL_COLLATION} BETWEEN {low} AND {high}"

    def arithmetic(self, node: n.Arithmetic) -> str:
        if is_decimal(node.type):
            function = _DECIMAL_OPERATORS[node.sign]
            return f"{function}({self._decimal(node.left)}, {self._decimal(node.right)})"
        return super().arithmetic(node)

    def _decimal(self, expr: e.Expr[Any]) -> str:
        return nodes.decimal(self, expr)

    def in_(self, node: n.In) -> str:
        part, values = self.operand(node.part), node.values
        if content.varies(node.part.type) and not content.has_one_text(node.part):
            return content.among(self, node.part, values)
        if self.inline:
            item = _item_type(values.type)
            return f"{part} IN ({', '.join(self.words.literal(value, item) for value in values.value)})"
        # JSON holds no bytes: they travel as hexadecimal text
        value = f"{content.UNHEX}(value)" if isinstance(_item_type(values.type), t.Binary) else "value"
        return f"{part} IN (SELECT {value} FROM json_each({self.placeholder(values)}))"

    def in_select(self, node: n.InSelect) -> str:
        if not content.varies(node.part.type):
            return super().in_select(node)
        return f"{self.operand(node.part)} COLLATE {content.JSON_COLLATION} IN ({self.statement_inside(node.select)})"

    def told_apart(self, expr: e.Expr[Any]) -> str:
        return content.told_apart(self, expr)

    def select_list(self, select: Select) -> str:
        if not (select.distinct or id(select) in self.folded) or not any(
            content.varies(c.type) for c in select.columns
        ):
            return super().select_list(select)
        return ", ".join(self._told_apart_in_list(expr) for expr in select.columns)

    def _told_apart_in_list(self, expr: e.Expr[Any]) -> str:
        if not content.varies(expr.type):
            return self.selected(expr)
        # with an operator it has no name of its own
        name = getattr(expr, "name", "")
        return content.told_apart(self, expr) + (f" AS {self.quote(name)}" if name else "")

    def text_match(self, node: n.TextMatch) -> str:
        part, text = self.operand(node.part), self.operand(node.text)
        if node.ignore_case:
            part, text = f"cormorant_lower({part})", f"cormorant_lower({text})"
        if node.kind == "contains":
            return f"instr({part}, {text}) > 0"
        if node.kind == "startswith":
            return f"substr({part}, 1, length({text})) = {text}"
        if node.kind == "endswith":
            return f"substr({part}, length({part}) - length({text}) + 1) = {text}"
        return f"{part} = {text}"

    def returning(self, columns: tuple[TypedColumn, ...]) -> str:
        names = ", ".join(self._exact(self.quote(column.name), column.type) for column in columns)
        return f" RETURNING {names}" if columns else ""

    def returned(self, expr: e.Expr[Any]) -> str:
        sql, inner = self.selected(expr), expr.expr if isinstance(expr, e.Label) else expr
        return self._exact(sql, expr.type) if isinstance(inner, Column) else sql

    def _exact(self, column: str, type_: t.SqlType) -> str:
        # of a table whose first column is REAL, a bare column in RETURNING gives 7 as 7.0, and large numbers rounded
        return column if self.words.cast_name(type_) in _NOT_ROUNDED else f"+{column}"

    def kept(self, sql: str, value: e.Expr[Any], wanted: t.SqlType) -> str:
        given, wanted = value.type, t.base_of(wanted)
        if not fitting.fits(value, wanted):
            return fitting.fitted(sql, wanted)
        if not isinstance(wanted, t.Numeric) or wanted.scale is None or not is_decimal(given) or given == wanted:
            return sql
        return f"cormorant_decimal_round({sql}, {wanted.scale})"

    def assigned(self, item: Assignment) -> str:
        type_ = t.base_of(item.column.type)
        if isinstance(item.value, (e.Bind, n.Null)):
            return super().assigned(item)
        is_safe = fitting.fits(item.value, type_)
        if not isinstance(type_, t.Numeric):
            return super().assigned(item) if is_safe else fitting.fitted(super().assigned(item), type_)
        value = self._decimal(item.value)
        if not is_safe:
            return fitting.fitted(value, type_)
        return value if type_.scale is None else f"cormorant_decimal_round({value}, {type_.scale})"


def is_decimal(type_: t.SqlType) -> bool:
    """Whether values are kept as decimal text, perhaps under a type of the user's own."""
    return isinstance(t.base_of(type_), t.Numeric)


class SQLiteDialect(Dialect):
    """SQLite 3.35 or newer, for RETURNING."""

    name = "sqlite"
    max_identifier_bytes = 1000
    compiler: ClassVar[type[Compiler]] = SQLiteCompiler
    search_indexes: ClassVar[search.SearchIndexes] = search.SQLiteSearch()
    supports_add_constraint = False
    supports_isolation_levels = False
    # texts are compared byte by byte
    default_collations: ClassVar[frozenset[str]] = frozenset({"C", "POSIX"})
    explain = "EXPLAIN QUERY PLAN"
    # tables that point to each other could not be dropped one after another, and a transaction ignores the pragma
    around_drops: ClassVar[tuple[tuple[str, ...], tuple[str, ...]]] = (
        ("PRAGMA foreign_keys = OFF",),
        ("PRAGMA foreign_keys = ON",),
    )
    # its RESTRICT looks at each row alone: a parent and its child could not be deleted together
    restrict = "NO ACTION"

    def placeholder(self, index: int) -> str:
        return f"?{index + 1}"

    def type_name(self, type_: t.SqlType) -> str:
        if isinstance(type_, t.Custom):
            return self.type_name(type_.base)
        if isinstance(type_, (t.Enumeration, t.Literals)):
            return "INTEGER" if type_.integers else "TEXT"
        if isinstance(type_, t.Native):
            return type_.sql
        return _TYPE_NAMES[type(type_)]

    # ---- declarations

    def identity_column(self, table: Table, column: ColumnDef) -> str:
        # AUTOINCREMENT: a key is never given twice, as on every other database
        if self.key_is_part_of_column(table):
            return f"{self.quote(column.name)} INTEGER PRIMARY KEY AUTOINCREMENT"
        raise CompileError(
            f"SQLite numbers only a primary key of one column, and {table.name}.{column.name} is not one",
            hint="make it the only primary key, or give the value yourself",
        )

    def key_is_part_of_column(self, table: Table) -> bool:
        return len(table.primary_key) == 1 and any(
            column.identity and column.name == table.primary_key[0] for column in table.columns
        )

    def default_expression(self, expr: e.Expr[Any]) -> str:
        sql = self.expression(expr)
        return sql if isinstance(expr, (e.Bind, n.Null)) else f"({sql})"

    # ---- codecs

    def encoder(self, type_: t.SqlType) -> Codec | None:
        if isinstance(type_, t.Array):
            return _array_encoder(self.encoder(type_.item), type_.item)
        if isinstance(type_, t.Custom):
            return compose(type_.encode, self.encoder(type_.base))
        if isinstance(type_, t.Json):
            return type_.dump
        if isinstance(type_, t.Enumeration):
            return kept_member(type_)
        if isinstance(type_, t.Numeric):
            return decimal_encoder(type_.scale)
        return _ENCODERS.get(type(type_))

    def decoder(self, type_: t.SqlType) -> Codec | None:
        if isinstance(type_, t.Array):
            return _array_decoder(bytes.fromhex if isinstance(type_.item, t.Binary) else self.decoder(type_.item))
        if isinstance(type_, t.Custom):
            return compose(self.decoder(type_.base), type_.decode)
        if isinstance(type_, t.Json):
            return type_.load
        if isinstance(type_, t.Enumeration):
            return Members(type_.python, kept_member(type_)).__getitem__
        if isinstance(type_, t.Numeric):
            return _decimal_decoder(type_.scale)
        if isinstance(type_, t.Integer) and type_.computed:
            return decode_whole
        return _DECODERS.get(type(type_))

    def returned_decoder(self, type_: t.SqlType) -> Codec | None:
        # RETURNING gives 2 for the 2.0 of a REAL column, as the row has it inside
        return float if isinstance(type_, t.Float) else self.decoder(type_)

    def literal(self, value: Any, type_: t.SqlType) -> str:
        encode = self.encoder(type_)
        raw = value if encode is None or value is None else encode(value)
        if raw is None:
            return "NULL"
        if isinstance(raw, t.Binary.accepts):
            return f"X'{bytes(raw).hex()}'"
        if isinstance(raw, bool):
            return str(int(raw))
        if isinstance(type_, t.Float):
            # a whole number would stay one until it is stored
            return repr(float(raw)).replace("inf", "9e999")
        return repr(raw) if isinstance(raw, (int, float)) else "'" + str(raw).replace("'", "''") + "'"

    def insert_mode(self, server_version: tuple[int, ...], *, key_given: bool, ascending: bool) -> InsertMode:
        # a loop of single rows inside one thread hop: SQLite has no round trips to save
        return "row"

    def begin(self, *, isolation: IsolationLevel | None, read_only: bool, deferrable: bool, write: bool) -> str:
        # SQLite is serializable and nothing else; taking the write lock at once avoids SQLITE_BUSY half-way
        return "BEGIN IMMEDIATE" if write and not read_only else "BEGIN"


_TYPE_NAMES: dict[type[t.SqlType], str] = {
    t.Integer: "INTEGER",
    t.Float: "REAL",
    t.Numeric: "TEXT",
    t.Boolean: "BOOLEAN",
    t.Text: "TEXT",
    t.Binary: "BLOB",
    t.Date: "TEXT",
    t.Time: "TEXT",
    t.DateTime: "TEXT",
    t.Interval: "INTEGER",
    t.Uuid: "TEXT",
    t.Json: "TEXT",
    t.Array: "TEXT",
    t.Unknown: "BLOB",
}


def compose(first: Codec | None, then: Codec | None) -> Codec | None:
    """Gives the function that applies both, or the one there is."""
    if first is None or then is None:
        return first or then
    return lambda value: then(first(value))


def encode_datetime(value: dt.datetime) -> str:
    """Gives a moment as text of fixed width in UTC, so that texts sort like moments."""
    return value.astimezone(dt.UTC).isoformat(timespec="microseconds")


def decode_datetime(value: str) -> dt.datetime:
    """Gives the moment of a text; one without an offset, as SQLite's own functions write it, is UTC."""
    moment = dt.datetime.fromisoformat(value)
    # which it is if we have written it
    if moment.tzinfo is dt.UTC:
        return moment
    return moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment.astimezone(dt.UTC)


def encode_interval(value: dt.timedelta) -> int:
    """Gives a length of time in microseconds."""
    return (value.days * 86_400 + value.seconds) * 1_000_000 + value.microseconds


def decode_interval(value: int) -> dt.timedelta:
    """Gives the length of time of so many microseconds."""
    try:
        return dt.timedelta(microseconds=value)
    except OverflowError:
        raise DataError("interval out of range", hint="292,271 years are the most") from None


def canonical_decimal(value: decimal.Decimal | int) -> str:
    """Gives the one text of a number: no exponent, no trailing zeros, no minus zero."""
    number = decimal.Decimal(value)
    if not number:
        return "0"
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def decimal_encoder(scale: int | None) -> Callable[[Any], str]:
    """Gives the function from a number to its text, rounded to so many decimal places."""
    if scale is None:
        return canonical_decimal
    step = decimal.Decimal(1).scaleb(-scale)
    # with up to six places there is never an exponent
    is_short = 0 < scale <= 6

    def encode(value: decimal.Decimal | int) -> str:
        if is_short and type(value) is decimal.Decimal and value.same_quantum(step):
            # by far the most, which need no rounding
            return str(value).rstrip("0").rstrip(".") if value else "0"
        # PostgreSQL rounds half away from zero, and a wide context keeps every digit before the point
        context = decimal.Context(prec=1000, rounding=decimal.ROUND_HALF_UP)
        return canonical_decimal(decimal.Decimal(value).quantize(step, context=context))

    return encode


def _decimal_decoder(scale: int | None) -> Callable[[Any], decimal.Decimal]:
    if scale is None:
        return decode_decimal
    step = decimal.Decimal(1).scaleb(-scale)
    context = decimal.Context(prec=1000)
    return lambda value: decode_decimal(value).quantize(step, context=context)


def decode_whole(value: int | float) -> int:
    """Gives a computed whole number; SQLite goes on with a float where 64 bits are too few."""
    if isinstance(value, float):
        raise DataError("a whole number does not fit 64 bits", hint="compute it with Decimals: .cast(Decimal)")
    return value


def decode_decimal(value: Any) -> decimal.Decimal:
    """Gives the number of a text, or of a number another program wrote."""
    return decimal.Decimal(value if type(value) is str or isinstance(value, (str, int)) else repr(value))


def _array_encoder(item: Codec | None, type_: t.SqlType) -> Codec:
    if isinstance(type_, t.Binary):
        item = _hex
    elif isinstance(type_, t.Float):
        return _dump_floats
    if item is None:
        return json.dumps
    return lambda values: json.dumps([None if value is None else item(value) for value in values])


def _dump_floats(values: list[Any]) -> str:
    # JSON tells 1 from 1.0, and has no word for infinity: a number beyond every other is read as it
    text = json.dumps([None if value is None else float(value) for value in values])
    return text.replace("Infinity", "9e999") if "I" in text else text


def _array_decoder(item: Codec | None) -> Codec:
    if item is None:
        return load_json
    return lambda text: [None if value is None else item(value) for value in load_json(text)]


def _hex(value: bytes) -> str:
    return bytes(value).hex().upper()


def _item_type(type_: t.SqlType) -> t.SqlType:
    return type_.item if isinstance(type_, t.Array) else type_


_ENCODERS: dict[type[t.SqlType], Codec] = {
    t.Date: dt.date.isoformat,
    t.Time: lambda value: value.isoformat(timespec="microseconds"),
    t.DateTime: encode_datetime,
    t.Interval: encode_interval,
    t.Uuid: str,
    PathType: json.dumps,
    SearchType: search.match_text,
}

_DECODERS: dict[type[t.SqlType], Codec] = {
    t.Boolean: bool,
    t.Date: dt.date.fromisoformat,
    t.Time: dt.time.fromisoformat,
    t.DateTime: decode_datetime,
    t.Interval: decode_interval,
    t.Uuid: uuid.UUID,
}
