"""What a statement is made of: the SELECTs inside of it, and what they read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from cormorant.sql.calls import Exists, Fragment
from cormorant.sql.columns import Column
from cormorant.sql.expr import Expr, walk
from cormorant.sql.nodes import InSelect
from cormorant.sql.raw_source import ANY_TABLE, RawSource
from cormorant.sql.selectable import SelectLike
from cormorant.sql.selects import Compound, Select
from cormorant.sql.sources import CteUse, JoinSource, Source, TableSource, statement_of
from cormorant.sql.statements import InsertSelect
from cormorant.sql.written import Written


def parts_of(select: SelectLike) -> tuple[Select, ...]:
    """Gives the SELECTs a statement is made of: itself, or those of a UNION."""
    if isinstance(select, Compound):
        return select.parts
    if isinstance(select, Written):
        return (select.reads,)
    assert isinstance(select, Select)
    return (select,)


def output_names(select: SelectLike) -> list[str]:
    """Gives the names of a statement's columns, as far as they have any."""
    return [getattr(column, "name", "") for column in select.columns]


def selects_of(statement: SelectLike, seen: set[str] | None = None) -> Iterator[Select]:
    """Gives every SELECT of a statement, outermost first: its parts, and all that stand inside of them.

    What stands in WITH is entered once; `seen` has what was entered before.
    """
    seen = set() if seen is None else seen
    for part in parts_of(statement):
        yield part
        for source in (*part.sources, *part.ctes):
            inner = statement_of(source)
            key = source.cte.key if isinstance(source, CteUse) else source.key
            if inner is not None and key not in seen:
                seen.add(key)
                yield from selects_of(inner, seen)
        yield from selects_in(part.expressions, seen)
    if isinstance(statement, Written):
        written = statement.statement
        yield from (
            selects_of(written.select, seen)
            if isinstance(written, InsertSelect)
            else selects_in(written.expressions, seen)
        )


def writes_inside(statement: SelectLike) -> bool:
    """Whether a statement that writes stands in WITH."""
    return any(
        isinstance(statement_of(source), Written)
        for select in selects_of(statement)
        for source in (*select.sources, *select.ctes)
    )


def selects_in(expressions: Iterable[Expr[Any]], seen: set[str] | None = None) -> Iterator[Select]:
    """Gives every SELECT that stands inside of expressions."""
    for node in _nodes(expressions):
        if isinstance(node, (Exists, InSelect)):
            yield from selects_of(node.select, seen)


def homes_in(selects: Iterable[Select]) -> Iterator[int]:
    """Gives the numbers of the databases that SELECTs were made for, as far as they are known."""
    return (select.home for select in selects if select.home is not None)


def tables_of(statement: SelectLike) -> Iterator[str]:
    """Gives the tables a statement reads, inner statements included."""
    return _tables_read(selects_of(statement))


def tables_in(expressions: Iterable[Expr[Any]]) -> Iterator[str]:
    """Gives the tables that expressions read."""
    parts = tuple(expressions)
    yield from _tables_of_columns(parts)
    yield from _tables_read(selects_in(parts))


def _tables_read(selects: Iterable[Select]) -> Iterator[str]:
    for select in selects:
        for source in select.sources:
            yield from _tables_of_source(source)
        yield from _tables_of_columns(select.expressions)


def _tables_of_columns(expressions: Iterable[Expr[Any]]) -> Iterator[str]:
    for node in _nodes(expressions):
        if isinstance(node, Column):
            yield from _tables_of_source(node.source)
        elif isinstance(node, Exists):
            yield from (table for inner, _ in node.links for table in _tables_of_source(inner.source))


def _tables_of_source(source: Source) -> Iterator[str]:
    while isinstance(source, JoinSource):
        yield source.table
        source = source.parent
    if isinstance(source, TableSource):
        yield source.table
    elif isinstance(source, RawSource):
        yield ANY_TABLE


def has_own_text(statement: SelectLike) -> bool:
    """Whether a part of a statement is the user's own text, which may read any table."""
    return any(isinstance(node, Fragment) for select in selects_of(statement) for node in _nodes(select.expressions))


def _nodes(expressions: Iterable[Expr[Any]]) -> Iterator[Expr[Any]]:
    return (node for part in expressions for node in walk(part))
