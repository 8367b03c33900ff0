"""INSERT of what another query selects: checked, and completed by the model's plain defaults."""

from __future__ import annotations

from typing import Any

from cormorant._internal.narrowing import is_iterable
from cormorant.errors import QueryError, WrongType
from cormorant.models.bulk_checks import default_of
from cormorant.models.metadata import ColumnInfo, ModelInfo
from cormorant.query.bulk import columns_of, refuse_conditions
from cormorant.query.placement import check_places
from cormorant.query.planner import check_all
from cormorant.query.spec import QuerySpec
from cormorant.query.subquery import Subquery, is_selectable
from cormorant.sql import types as t
from cormorant.sql.columns import Assignment, Column
from cormorant.sql.expr import Expr
from cormorant.sql.inner import selects_of, tables_of
from cormorant.sql.operators import family_of
from cormorant.sql.selectable import Selectable
from cormorant.sql.selects import Select
from cormorant.sql.statements import InsertSelect


def insert_select(spec: QuerySpec, columns: Any, rows: Any) -> tuple[InsertSelect, frozenset[str]]:
    """Gives the statement, and the tables that it reads and writes.

    Raises:
        QueryError: The columns do not fit, or one that has no value is needed.
    """
    info = spec.info
    refuse_conditions(spec, "insert_from()")
    if not isinstance(rows, Subquery) and not is_selectable(rows):
        raise WrongType(f"insert_from() takes a query, not {rows!r:.60}", hint="for rows use bulk_create(rows)")
    if not is_iterable(columns) or isinstance(columns, (str, Column)):
        raise WrongType(f"insert_from() takes a list of columns, not {columns!r}", hint=f"[{info.name}.name]")
    given = [column for item in columns for column in columns_of(info, item, "insert_from(columns=...)")]
    select = _selected(rows)
    _check_columns(info, given, select.columns)
    statement = InsertSelect(info.table, tuple(column.typed for column in given), select, _defaults(info, given))
    return statement, frozenset({info.table, *tables_of(select)})


def _selected(rows: Subquery | Selectable[Any]) -> Select:
    """Gives what is inserted; a query is checked as if it were run."""
    if isinstance(rows, Subquery):
        return Select(rows.source, rows.columns)
    select = rows.as_select()
    assert isinstance(select, Select)
    check_all(selects_of(select))
    check_places(select)
    return select


def _check_columns(info: ModelInfo, given: list[ColumnInfo], selected: tuple[Expr[Any], ...]) -> None:
    if len(given) != len(selected):
        raise QueryError(
            f"insert_from() names {len(given)} columns of {info.name}, and the query selects {len(selected)}",
            hint="select one value for each column: query.values(...)",
        )
    names = [column.attribute for column in given]
    for column, expr in zip(given, selected, strict=True):
        place = f"{info.name}.{column.attribute}"
        if names.count(column.attribute) > 1:
            raise QueryError(f"insert_from() names {place} twice", hint="name each column once")
        if column.spec.computed is not None:
            raise QueryError(f"insert_from() cannot set {place}: the database computes it", hint="leave it out")
        if not _fits(expr.type, column.type):
            raise WrongType(
                f"insert_from(): {place} is {column.type.name} and gets {expr!r}, which is {expr.type.name}",
                hint="select a value of the column's type",
            )


def _fits(given: t.SqlType, wanted: t.SqlType) -> bool:
    """Whether a column keeps a value of another type as if the program had written it, on every database."""
    if given.key == wanted.key or isinstance(given, t.Unknown):
        return True
    families = family_of(given), family_of(wanted)
    if None in families or families[0] != families[1]:
        return False
    return families[0] != "number" or type(given) is type(wanted) or isinstance(given, t.Integer)


def _defaults(info: ModelInfo, given: list[ColumnInfo]) -> tuple[Assignment, ...]:
    """Gives the plain defaults of columns that are left out.

    Raises:
        QueryError: A column has no default, or one that is made for each object.
    """
    names = {column.attribute for column in given}
    added: list[Assignment] = []
    for column in info.columns:
        if column.attribute in names or column.server_made:
            continue
        make = default_of(info, column.attribute)
        if make is None or column.spec.default_factory is not None:
            what = "has no default" if make is None else "gets its default from the program, row by row"
            raise QueryError(
                f"insert_from() leaves {info.name}.{column.attribute} out, which {what}", hint="select a value for it"
            )
        added.append(info.column(column.attribute).set(make()))
    return tuple(added)
