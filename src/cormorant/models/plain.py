"""The quick test of a column: most values pass it, and only right ones can."""

from __future__ import annotations

import datetime as dt
import decimal
import uuid
from collections.abc import Mapping
from typing import Any

from cormorant.models.metadata import ColumnInfo
from cormorant.models.validation import LIMITS
from cormorant.sql import types as t

NAMES: dict[str, Any] = {
    "Decimal": decimal.Decimal,
    "datetime": dt.datetime,
    "date": dt.date,
    "time": dt.time,
    "UTC": dt.UTC,
    "UUID": uuid.UUID,
}
"""What the tests of simple types refer to."""

_SIMPLE: dict[type[t.SqlType], str] = {
    t.Boolean: "type({}) is bool",
    t.Binary: "type({}) is bytes",
    t.Uuid: "type({}) is UUID",
    t.Date: "type({}) is date",
    t.Time: "type({}) is time and {}.tzinfo is None",
    # those of the first and the last year may be others in UTC
    t.DateTime: "type({}) is datetime and {}.tzinfo is UTC and 1 < {}.year < 9999",
    # NaN is not equal to itself
    t.Float: "type({}) is float and {} == {}",
}


def plainly_right(column: ColumnInfo, value: str = "v") -> str | None:
    """Gives the source of a test that most values pass and only right ones can; None where each must be looked at.

    It refers to `names_of(column)`.

    Args:
        column: The column.
        value: What the source calls the value.
    """
    type_ = column.type
    if column.constrained is not None or not LIMITS.isdisjoint(column.spec.options):
        return None
    if isinstance(type_, t.Integer):
        low, high = type_.bounds
        return f"type({value}) is int and {low} <= {value} <= {high}"
    if isinstance(type_, t.Text):
        short = "" if type_.length is None else f" and len({value}) <= {type_.length}"
        # nothing that is ASCII is a lone surrogate
        return f"type({value}) is str{short} and '\\0' not in {value} and {value}.isascii()"
    if isinstance(type_, t.Numeric):
        return _numeric(type_, value)
    simple = _SIMPLE.get(type(type_))
    return None if simple is None else simple.replace("{}", value)


def names_of(column: ColumnInfo) -> Mapping[str, Any]:
    """Gives what the test of a column refers to."""
    type_ = column.type
    if not isinstance(type_, t.Numeric) or type_.precision is None:
        return NAMES
    step, limit = _numeric_names(type_)
    scale = type_.scale or 0
    return NAMES | {
        step: decimal.Decimal(1).scaleb(-scale),
        limit: (most := decimal.Decimal(10) ** (type_.precision - scale)),
        f"minus_{limit}": -most,
    }


def _numeric(type_: t.Numeric, value: str) -> str | None:
    if type_.precision is None:
        return None
    step, limit = _numeric_names(type_)
    # a number with just the column's places; neither NaN nor infinity has any
    return f"type({value}) is Decimal and {value}.same_quantum({step}) and minus_{limit} < {value} < {limit}"


def _numeric_names(type_: t.Numeric) -> tuple[str, str]:
    return f"step_{type_.scale or 0}", f"limit_{type_.precision}_{type_.scale or 0}"
