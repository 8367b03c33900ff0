"""Updates, deletes and inserts as common table expressions: run with the query that has them, and read by it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from cormorant._internal.narrowing import is_tuple
from cormorant.errors import WrongType
from cormorant.models.metadata import ModelInfo
from cormorant.query.bulk import checked_assignments
from cormorant.query.insert_select import insert_select
from cormorant.query.planner import with_names
from cormorant.query.spec import Mode, QuerySpec
from cormorant.query.subquery import Cte, checked_name
from cormorant.query.write_planner import plan_write
from cormorant.sql.expr import Expr, is_expr
from cormorant.sql.inner import output_names
from cormorant.sql.selects import Select
from cormorant.sql.sources import CteReference, CteSource
from cormorant.sql.statements import InsertSelect
from cormorant.sql.written import Written


def changed_rows(
    name: str, spec: QuerySpec, mode: Mode, assignments: tuple[Any, ...], returning: Any, *, home: int | None
) -> Cte:
    """Gives an update or a delete by query as a common table expression."""
    asked = _asked(spec.info, returning)
    checked = checked_assignments(spec.info, assignments) if mode == "update" else ()
    made = plan_write(spec.changed((), (), mode=mode, assignments=checked, columns=with_names(asked), output="tuples"))
    statement = made.statement
    assert not isinstance(statement, Select)
    reads = Select(spec.info.source, statement.returning, statement.where, lifted=spec.lifted, home=home)
    return _cte(name, Written(statement, reads), asked)


def inserted_rows(name: str, spec: QuerySpec, columns: Any, rows: Any, returning: Any, *, home: int | None) -> Cte:
    """Gives an insert of another query's rows as a common table expression."""
    asked = _asked(spec.info, returning)
    statement, _ = insert_select(spec, columns, rows)
    written: InsertSelect = replace(statement, source=spec.info.source, returning=with_names(asked))
    reads = Select(spec.info.source, written.returning, lifted=spec.lifted, home=home)
    return _cte(name, Written(written, reads), asked)


def _asked(info: ModelInfo, returning: Any) -> tuple[Expr[Any], ...]:
    if returning is None:
        return ()
    if returning is info.cls:
        return info.entity
    items = returning if is_tuple(returning) else (returning,)
    for item in items:
        if not is_expr(item):
            raise WrongType(
                f"returning={returning!r} is no column of {info.name}",
                hint=f"returning={info.name}, a column, or a tuple of columns",
            )
    return items


def _cte(name: str, written: Written, asked: tuple[Expr[Any], ...]) -> Cte:
    source = CteSource(CteReference(checked_name(name)), written)
    types = ((column.type, column.nullable) for column in written.columns)
    output = [(shown, *rest) for shown, rest in zip(output_names(written), types, strict=True)]
    return Cte(source, name, asked, output)
