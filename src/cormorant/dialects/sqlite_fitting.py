"""Computed values that are written on SQLite, which by itself keeps what no column of such a type can hold."""

from __future__ import annotations

from typing import Any

from cormorant.sql import types as t
from cormorant.sql.calls import Fragment, ScalarSelect
from cormorant.sql.case import Case
from cormorant.sql.columns import Column
from cormorant.sql.expr import Bind, Expr, unlabelled
from cormorant.sql.folds import Aggregate
from cormorant.sql.formulas import Formula
from cormorant.sql.nodes import Arithmetic, Null
from cormorant.sql.selects import Select

_CHOOSING = frozenset({"coalesce", "nullif", "greatest", "least", "max", "min"})


def is_limited(type_: t.SqlType) -> bool:
    """Whether a column of a type holds some values of its kind only."""
    if isinstance(type_, t.Numeric):
        return type_.precision is not None
    return isinstance(type_, t.Integer) or (isinstance(type_, t.Text) and type_.length is not None)


def fits(expr: Expr[Any], wanted: t.SqlType) -> bool:
    """Whether what an expression gives is held by a column of a type whatever it is, as far as can be told."""
    return not is_limited(wanted) or _is_count(expr) or _chooses(expr, wanted)


def fitted(sql: str, wanted: t.SqlType) -> str:
    """Gives a value that is an error where a column of a type does not hold it; numbers are rounded."""
    if isinstance(wanted, t.Numeric):
        return f"cormorant_fit_decimal({sql}, {wanted.precision}, {wanted.scale or 0})"
    if isinstance(wanted, t.Text):
        return f"cormorant_fit_text({sql}, {wanted.length})"
    assert isinstance(wanted, t.Integer)
    return f"cormorant_fit_integer({sql}, {wanted.bounds[1].bit_length() + 1})"


def _is_count(expr: Expr[Any]) -> bool:
    """Whether it is the next version of a row."""
    return isinstance(expr, Arithmetic) and isinstance(expr.right, Fragment) and expr.right.sql == "1"


def _chooses(expr: Expr[Any], wanted: t.SqlType) -> bool:
    """Whether it is one of several values that all fit."""
    expr = unlabelled(expr)
    if isinstance(expr, Column):
        return _holds(wanted, t.base_of(expr.type))
    if isinstance(expr, Bind):
        # beside an expression it was not checked for a column
        return isinstance(wanted, t.Integer) and _holds(wanted, expr.type)
    if isinstance(expr, Case):
        return all(
            _chooses(part, wanted) for part in (*expr.values, *(() if expr.default is None else (expr.default,)))
        )
    if isinstance(expr, (Formula, Aggregate)) and expr.name in _CHOOSING:
        return all(_chooses(part, wanted) for part in expr.args)
    if isinstance(expr, ScalarSelect) and isinstance(expr.select, Select):
        return _chooses(expr.select.columns[0], wanted)
    return isinstance(expr, Null)


def _holds(wanted: t.SqlType, given: t.SqlType) -> bool:
    if isinstance(wanted, t.Integer) and isinstance(given, t.Integer):
        (low, high), (least, most) = wanted.bounds, given.bounds
        return not given.computed and low <= least and most <= high
    if isinstance(wanted, t.Text) and isinstance(given, t.Text):
        return wanted.length is None or (given.length is not None and given.length <= wanted.length)
    return given == wanted
