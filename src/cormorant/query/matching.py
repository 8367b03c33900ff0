"""Columns of several statements made to fit each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from cormorant.errors import QueryError
from cormorant.sql import types as t
from cormorant.sql.columns import Column
from cormorant.sql.conversions import common, unlimited
from cormorant.sql.expr import Expr, Label, unlabelled
from cormorant.sql.formulas import Formula
from cormorant.sql.operators import kind_of
from cormorant.sql.selects import Select


def in_common(what: str, selects: Sequence[Select]) -> tuple[list[Select], list[t.SqlType]]:
    """Gives statements whose rows are of the same types, and these types: numbers become the widest of their kinds.

    Args:
        what: What puts them together, for messages.
        selects: The statements.

    Raises:
        QueryError: They differ in the number of columns.
        WrongType: The types of a column have nothing in common.
    """
    width = len(selects[0].columns)
    for select in selects:
        if len(select.columns) != width:
            raise QueryError(
                f"{what}: {width} columns and {len(select.columns)} do not go together",
                hint="select the same columns in each",
            )
    found = [_alike(what, exprs) for exprs in zip(*(select.columns for select in selects), strict=True)]
    columns = zip(*(exprs for exprs, _ in found), strict=True)
    return [replace(s, columns=exprs) for s, exprs in zip(selects, columns, strict=True)], [type_ for _, type_ in found]


def _alike(what: str, exprs: tuple[Expr[Any], ...]) -> tuple[tuple[Expr[Any], ...], t.SqlType]:
    if len({expr.type.key for expr in exprs}) == 1:
        return exprs, exprs[0].type
    made, type_ = common(f"{what}: {exprs[0]!r}", map(unlabelled, exprs))
    return tuple(map(_named_as, exprs, made)), type_


def same_types(selects: Sequence[Select], types: Sequence[t.SqlType]) -> tuple[list[Select], list[t.SqlType]]:
    """Gives statements whose columns are of one type to the database too, whatever their lengths and digits.

    PostgreSQL takes no varchar(9) after a text for the rows of a recursion, and no bigint after an integer.
    """
    given = zip(*(select.columns for select in selects), strict=True)
    found = list(map(_whole, given, types))
    columns = zip(*(exprs for exprs, _ in found), strict=True)
    return [replace(s, columns=exprs) for s, exprs in zip(selects, columns, strict=True)], [type_ for _, type_ in found]


def _whole(exprs: tuple[Expr[Any], ...], type_: t.SqlType) -> tuple[tuple[Expr[Any], ...], t.SqlType]:
    whole = _WHOLE.get(type(type_))
    plain = all(isinstance(unlabelled(expr), Column) and expr.type.key == type_.key for expr in exprs)
    if whole is None or (plain and unlimited(type_).key == type_.key):
        return exprs, type_
    made = (Formula(f"whole {kind_of(whole)}", (unlabelled(expr),), whole) for expr in exprs)
    return tuple(map(_named_as, exprs, made)), whole


def _named_as(expr: Expr[Any], made: Expr[Any]) -> Expr[Any]:
    """Gives what an expression was made under the name the expression had."""
    if made is unlabelled(expr):
        return expr
    return Label(made, expr.name) if isinstance(expr, (Label, Column)) else made


_WHOLE: dict[type[t.SqlType], t.SqlType] = {
    t.Integer: t.BIG_INTEGER,
    t.Numeric: t.NUMERIC,
    t.Text: t.TEXT,
}
