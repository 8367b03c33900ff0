"""What a database's SQL looks like, as named capabilities; each dialect is a diff of this one."""

from __future__ import annotations

import enum
import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, Literal, TypeAlias

from cormorant.dialects.search import SearchIndexes
from cormorant.errors import ConfigurationError, DataError, QueryError
from cormorant.sql import types as t
from cormorant.sql.columns import Column
from cormorant.sql.compiler import Compiler
from cormorant.sql.ddl import ColumnDef, Table
from cormorant.sql.expr import Binds, Expr, Order
from cormorant.sql.restrictions import Restrictions
from cormorant.sql.sharing import shared_binds
from cormorant.sql.statements import Compiled, Delete, Insert, InsertMode, Statement, Update

IsolationLevel: TypeAlias = Literal["read uncommitted", "read committed", "repeatable read", "serializable"]
Codec: TypeAlias = Callable[[Any], Any]

ISOLATION_LEVELS: tuple[IsolationLevel, ...] = ("read uncommitted", "read committed", "repeatable read", "serializable")

SNAPSHOTS: tuple[IsolationLevel, ...] = ("repeatable read", "serializable")
"""The levels whose transactions see one moment."""

_REFUSED_IN_NAMES = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


class Dialect(ABC):
    """The SQL of one database: words, types, codecs and what it can do.

    A dialect is stateless; one instance serves every connection.
    """

    name: ClassVar[str]
    max_identifier_bytes: ClassVar[int] = 63
    supports_native_enum: ClassVar[bool] = False
    supports_array_binds: ClassVar[bool] = False
    """Whether a whole column of values travels as one parameter."""
    supports_access_methods: ClassVar[bool] = False
    """Whether there are other indexes than those that sort, such as GIN."""
    # what a server calls its default is its own, rather than the only level there is
    supports_isolation_levels: ClassVar[bool] = True
    transaction_number: ClassVar[str | None] = None
    notify: ClassVar[str | None] = None
    """Tells listeners of a channel something when the transaction commits; parameters: channel, text."""
    """The query for the number of the open transaction; None where transactions have none."""
    transaction_outcome: ClassVar[str | None] = None
    """The query for what became of the transaction with a number."""
    supports_transactional_ddl: ClassVar[bool] = True
    explain: ClassVar[str] = "EXPLAIN"
    """The words before a statement that is to be explained."""
    explain_analyze: ClassVar[str | None] = None
    """The words before one that is to be run and measured too; None where the database cannot."""
    compiler: ClassVar[type[Compiler]] = Compiler
    search_indexes: ClassVar[SearchIndexes] = SearchIndexes()
    """How the words of texts are kept for full text search."""

    # ---- words

    def quote(self, name: str) -> str:
        """Gives a name as a quoted identifier.

        Raises:
            QueryError: The name is empty, too long, or holds control characters or lone surrogates.
        """
        # the driver would close the connection while encoding a surrogate, and harm its next user
        if not name or _REFUSED_IN_NAMES.search(name):
            raise QueryError(f"{name!r} cannot be a name in SQL", hint="use printable characters")
        if len(name.encode()) > self.max_identifier_bytes:
            raise QueryError(
                f"the name {name!r} is longer than {self.max_identifier_bytes} bytes", hint="choose a shorter name"
            )
        return '"' + name.replace('"', '""') + '"'

    @abstractmethod
    def placeholder(self, index: int) -> str:
        """Gives the numbered placeholder of the parameter at `index`, counted from 0."""

    @abstractmethod
    def type_name(self, type_: t.SqlType) -> str:
        """Gives the type as a column declaration has it, with its length or precision."""

    def cast_name(self, type_: t.SqlType) -> str:
        """Gives the type as a cast has it: the base type, because a cast to varchar(5) cuts silently."""
        return self.type_name(type_)

    # ---- declarations

    supports_drop_cascade: ClassVar[bool] = False
    restrict: ClassVar[str] = "RESTRICT"
    """What refuses to delete a row that others, but for those deleted by the same statement, point to."""
    supports_add_constraint: ClassVar[bool] = True
    supports_deferrable_unique: ClassVar[bool] = False
    """Whether a unique constraint may look at the end of the transaction."""
    supports_nulls_in_indexes: ClassVar[bool] = False
    """Whether an index says where NULL stands; an order that does uses it only then."""
    supports_include: ClassVar[bool] = False
    """Whether an index may keep columns that it is not sorted by."""
    supports_comments: ClassVar[bool] = False
    # collations of other databases that are the order which texts have here by themselves
    default_collations: ClassVar[frozenset[str]] = frozenset()
    """Whether tables and columns may have comments."""
    around_drops: ClassVar[tuple[tuple[str, ...], tuple[str, ...]]] = ((), ())
    """What runs before and after the transaction that drops tables."""

    @abstractmethod
    def identity_column(self, table: Table, column: ColumnDef) -> str:
        """Gives the declaration of a column that the database numbers."""

    def key_is_part_of_column(self, table: Table) -> bool:
        """Whether the primary key is declared with its column rather than after the columns."""
        return False

    def default_expression(self, expr: Expr[Any]) -> str:
        """Gives the expression after DEFAULT."""
        return self.expression(expr)

    def index_item(self, order: Order, operator_class: str | None = None) -> str:
        """Gives one item of an index: a column, or an expression in parentheses."""
        sql = self.expression(order.expr)
        item = sql if isinstance(order.expr, Column) else f"({sql})"
        item += f" {operator_class}" if operator_class and self.supports_access_methods else ""
        item += " DESC" if order.descending else ""
        return f"{item} NULLS {order.nulls.upper()}" if order.nulls and self.supports_nulls_in_indexes else item

    # ---- codecs

    @abstractmethod
    def encoder(self, type_: t.SqlType) -> Codec | None:
        """Gives the function from a checked Python value to what the driver takes; None if they are the same."""

    @abstractmethod
    def decoder(self, type_: t.SqlType) -> Codec | None:
        """Gives the function from what the driver gives to the Python value; None if they are the same."""

    def returned_decoder(self, type_: t.SqlType) -> Codec | None:
        """Gives the decoder of what RETURNING gives, where that is not what a SELECT would."""
        return self.decoder(type_)

    @abstractmethod
    def literal(self, value: Any, type_: t.SqlType) -> str:
        """Gives a value as SQL text, for declarations, which take no parameters."""

    def encode_untyped(self, value: Any) -> Any:
        """Encodes a value of raw SQL, whose column is not known, by its Python class."""
        if value is None:
            return None
        encode = self.encoder(t.type_of_value(value))
        return value if encode is None else encode(value)

    # ---- statements

    def compile(self, statement: Statement, restrictions: Restrictions | None = None) -> Compiled:
        """Gives a statement as text; `restrictions` are conditions that every use of a table gets."""
        binds: Binds = () if isinstance(statement, (Insert, Update, Delete)) else statement.binds
        shared, reserved = shared_binds(statement), frozenset[str]()
        while True:
            compiler = self.compiler(self, binds, shared, restrictions=restrictions)
            compiler.ctes.reserved = reserved
            sql = compiler.statement(statement)
            # the values of what a union shows stand in the union alone
            read = tuple(bind for bind in binds if compiler.positions[id(bind)] in compiler.read)
            hidden = compiler.ctes.hidden_tables
            if len(read) == len(binds) and not hidden:
                return compiler.compiled(sql)
            binds, reserved = read, reserved | hidden

    def expression(self, expr: Expr[Any]) -> str:
        """Gives an expression as a declaration has it: literals inline, columns without their table."""
        return self.compiler(self, inline=True).expr(expr)

    @abstractmethod
    def insert_mode(self, server_version: tuple[int, ...], *, key_given: bool, ascending: bool) -> InsertMode:
        """Gives the way to insert a batch so that every returned row finds its object.

        Args:
            server_version: The server's version.
            key_given: The rows come with their keys.
            ascending: The database makes the key from an identity, which counts up.
        """

    # ---- transactions

    @abstractmethod
    def begin(self, *, isolation: IsolationLevel | None, read_only: bool, deferrable: bool, write: bool) -> str:
        """Gives the statement that opens a transaction."""

    def savepoint(self, name: str) -> str:
        """Gives the statement that sets a savepoint."""
        return f"SAVEPOINT {self.quote(name)}"

    def release_savepoint(self, name: str) -> str:
        """Gives the statement that forgets a savepoint and keeps its work."""
        return f"RELEASE SAVEPOINT {self.quote(name)}"

    def rollback_to_savepoint(self, name: str) -> str:
        """Gives the statement that undoes everything since a savepoint."""
        return f"ROLLBACK TO SAVEPOINT {self.quote(name)}"


class Members(dict[Any, Any]):
    """An enum's members by what the database holds.

    Args:
        python: The enum.
        kept: Gives what is kept of a member.
    """

    def __init__(self, python: type[enum.Enum], kept: Codec) -> None:
        super().__init__((kept(member), member) for member in python)
        self.python = python

    def __missing__(self, kept: Any) -> Any:
        try:
            # flags can be combined
            member = self[kept] = self.python(kept)
        except ValueError:
            raise DataError(
                f"the database holds {kept!r}, which is no {self.python.__name__}",
                hint=f"add it to {self.python.__name__}, or change the rows that have it",
            ) from None
        return member


def kept_member(type_: t.Enumeration) -> Codec:
    """Gives the function from an enum's member to what is kept of it: its value's text, or its whole number."""
    return _value_of if type_.integers else _text_of


def _text_of(member: Any) -> str:
    return str(member.value)


def _value_of(member: Any) -> int:
    return int(member.value)


def check_isolation(level: str | None) -> None:
    """Refuses a name that is no isolation level of the SQL standard."""
    if level is not None and level not in ISOLATION_LEVELS:
        raise ConfigurationError(
            f"{level!r} is no isolation level", hint="use one of " + ", ".join(map(repr, ISOLATION_LEVELS))
        )
