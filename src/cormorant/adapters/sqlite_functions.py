"""What every SQLite connection is taught: exact decimals, Unicode case and regular expressions."""

from __future__ import annotations

import sqlite3
from decimal import Decimal, InvalidOperation
from typing import TypeAlias
from uuid import uuid4

from cormorant.adapters import sqlite_content as content
from cormorant.adapters import sqlite_conversions as conversions
from cormorant.adapters import sqlite_folds as folds
from cormorant.adapters import sqlite_moments as moments
from cormorant.adapters import sqlite_numbers as numbers
from cormorant.adapters import sqlite_texts as texts
from cormorant.dialects.sqlite import DECIMAL_COLLATION
from cormorant.dialects.sqlite_content import JSON_COLLATION

_Key: TypeAlias = tuple[bool, Decimal, str]

_ZERO = Decimal(0)


def compare_decimals(left: str, right: str) -> int:
    """Orders two decimal texts by their numbers; texts that are no numbers come last, as texts."""
    a, b = _key(left), _key(right)
    return (a > b) - (a < b)


def _key(text: str) -> _Key:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return True, _ZERO, text
    return (False, number, "") if number.is_finite() else (True, _ZERO, text)


def register(connection: sqlite3.Connection) -> None:
    """Teaches a connection; called in the thread that owns it."""
    connection.create_collation(DECIMAL_COLLATION, compare_decimals)
    connection.create_collation(JSON_COLLATION, content.compare_documents)
    for room in (numbers, texts, moments, content, folds, conversions):
        for name, arity, function in room.FUNCTIONS:
            connection.create_function(name, arity, function, deterministic=True)
    # PostgreSQL's name for it, so that one server_default serves both databases
    connection.create_function("gen_random_uuid", 0, lambda: str(uuid4()))
    for name, arity, aggregate in folds.AGGREGATES:
        connection.create_window_function(name, arity, aggregate)
