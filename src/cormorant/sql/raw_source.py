"""The developer's own SELECT in the place of a model's table."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast

from cormorant._internal.secrets import about
from cormorant.errors import QueryError, WrongType, reworded
from cormorant.sql import types as t
from cormorant.sql.calls import Fragment
from cormorant.sql.expr import Bind, Binds, Key
from cormorant.sql.raw import LOCKS, TOKENS, check_params, parse
from cormorant.sql.sources import Source, TableSource

_READS = re.compile(r"\s*(?:select|with|values|table)\b", re.I)
_WRITES = re.compile(
    r"\b(?:insert\s+into|merge\s+into|delete\s+from|update\s+(?:only\s+)?\S+(?:\s+(?:as\s+)?\w+)?\s+set)\b", re.I
)


ANY_TABLE = "*"
"""Stands among the tables a statement reads for those that nobody knows."""


class RawSource(Source):
    """SQL that gives the columns of a table; queries read it as if it were that table.

    Args:
        table: The table it stands for.
        pieces: The SQL between the parameters.
        values: The parameters in order; one that stands in two places is one object.
    """

    __slots__ = ("alias", "entity", "pieces", "values")

    def __init__(self, table: TableSource, pieces: tuple[str, ...], values: Binds) -> None:
        self.pieces: tuple[str, ...] = pieces
        self.values: Binds = values
        self.alias: str = table.alias
        self.entity: Any = table.entity
        # the same key: columns of the table, and joins along its relations, are read from here
        self.key: str = table.key

    @property
    def shape(self) -> Key:
        return (self.key, "raw", self.pieces, tuple(bind.key for bind in self.values))

    @property
    def binds(self) -> Binds:
        return self.values


def raw_source(table: TableSource, sql: object, params: object) -> RawSource:
    """Gives SQL that stands for a table.

    Raises:
        QueryError: It is not one SELECT, or the parameters do not fit.
        WrongType: A value cannot be sent.
    """
    text = sql.sql if isinstance(sql, Fragment) else sql
    if not isinstance(text, str):
        raise WrongType(f"from_sql() takes SQL, not {sql!r} ({type(sql).__name__})", hint="a literal, or text(...)")
    if not isinstance(params, Mapping):
        raise WrongType(f"parameters are given by name, not as {type(params).__name__}", hint='{"id": 1}')
    given = cast("Mapping[str, Any]", params)
    statement = parse(one_select(text, "from_sql()"))
    check_params(statement, given)
    binds = {name: _bind(name, given[name]) for name in statement.names}
    return RawSource(table, statement.pieces, tuple(binds[name] for name in statement.names))


def _bind(name: str, value: Any) -> Bind:
    type_ = t.UNKNOWN if value is None else t.type_of_value(value)
    try:
        type_.check(value)
    except WrongType as error:
        raise reworded(error, about(f"the parameter :{name}", error.message), hint=error.hint) from None
    return Bind(value, type_)


def _blank(found: re.Match[str]) -> str:
    if found["name"]:
        return found[0]
    return (" " if found[0][:2] in ("--", "/*") else "'") * len(found[0])


def one_select(sql: str, verb: str) -> str:
    """Gives SQL without a semicolon at its end, which may not stand inside another statement.

    Raises:
        QueryError: It is not one SELECT that does nothing but read; `verb` is named in messages.
    """
    # what is quoted, or a comment, says nothing
    code = TOKENS.sub(_blank, sql)
    end = code.rindex(";") if code.rstrip().endswith(";") else len(code)
    if ";" in code[:end]:
        raise QueryError(f"{verb} takes one statement, and this is several", hint="leave ; out")
    if _READS.match(code) is None or _WRITES.search(code) is not None:
        raise QueryError(f"{verb} takes a SELECT", hint="run what writes with session.execute(...)")
    if LOCKS.search(code) is not None:
        raise QueryError(f"{verb} takes a SELECT that locks nothing", hint="lock by .for_update()")
    kept = sql[:end]
    # a comment would take the rest of the line with it
    return f"{kept}\n" if "--" in kept else kept
