"""The joins that the columns of a statement imply."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from cormorant.sql.calls import Exists
from cormorant.sql.columns import Column
from cormorant.sql.expr import Binary, Expr, Label
from cormorant.sql.nodes import Arithmetic, Between, In, InSelect, IsNull, Logical, TextMatch
from cormorant.sql.selectable import SelectLike
from cormorant.sql.selects import Compound, Select
from cormorant.sql.sources import CteSource, JoinSource, Source, SubquerySource, root_of


def implied_joins(select: Select, more: tuple[Column[Any], ...] = ()) -> dict[str, list[JoinSource]]:
    """Gives the joins that a SELECT's columns need, by the source they start from, each after the one it hangs on.

    Sources of the statements around it are theirs to join.
    """
    found: dict[str, dict[str, JoinSource]] = {root_of(source).key: {} for source in select.sources}
    asked = (join.source for join in select.joins)
    for source in (*asked, *_sources(select), *(column.source for column in more)):
        root = root_of(source).key
        if root in found:
            _add_with_parents(source, found[root])
    return {root: list(joins.values()) for root, joins in found.items()}


def _add_with_parents(source: Source, found: dict[str, JoinSource]) -> None:
    if isinstance(source, JoinSource) and source.key not in found:
        _add_with_parents(source.parent, found)
        found[source.key] = source


def _sources(select: Select) -> Iterator[Source]:
    for source in select.sources:
        if isinstance(source, SubquerySource) and source.lateral:
            yield from _free_sources(source.select)
    shown = shown_by(select.source)
    for part in select.expressions:
        for node in visible(part, shown):
            if isinstance(node, Column):
                yield node.source
            elif isinstance(node, (Exists, InSelect)):
                yield from _free_sources(node.select)


def _free_sources(select: SelectLike) -> Iterator[Source]:
    """Gives the sources an inner SELECT takes from the statement around it."""
    for part in parts_of(select):
        own = {root_of(source).key for source in part.sources}
        yield from (source for source in _sources(part) if root_of(source).key not in own)


def parts_of(select: SelectLike) -> tuple[Select, ...]:
    """Gives the SELECTs a statement is made of: itself, or those of a UNION."""
    if isinstance(select, Compound):
        return select.parts
    assert isinstance(select, Select)
    return (select,)


def shown_by(source: Source) -> dict[Any, str]:
    """Gives the names of what a subquery shows, where a query reads it as if it were what it selects."""
    return source.shows if isinstance(source, SubquerySource) else {}


def visible(expr: Expr[Any], shown: dict[Any, str]) -> Iterator[Expr[Any]]:
    """Gives an expression and all it is made of, but for what the source shows as a whole."""
    if expr.key in shown:
        return
    yield expr
    for child in expr.children:
        yield from visible(child, shown)


def is_optional(source: Source, outer: set[str]) -> bool:
    """Whether a source can have no row: once a LEFT JOIN is on the way, all after it must be one.

    Args:
        source: The source.
        outer: The keys of the sources that were joined so.
    """
    while isinstance(source, JoinSource):
        if source.optional:
            return True
        source = source.parent
    return source.key in outer


def required_sources(select: Select) -> set[str]:
    """Gives the keys of the sources without which no row meets the conditions: a LEFT JOIN to them would be wasted."""
    found: set[str] = set()
    for condition in select.where:
        for column in _columns_that_must_be(condition):
            _require(column.source, found)
    for join in select.joins:
        if not join.outer:
            _require(join.source, found)
    return found


def _require(source: Source, found: set[str]) -> None:
    while isinstance(source, JoinSource):
        found.add(source.key)
        source = source.parent


def _columns_that_must_be(condition: Expr[Any]) -> Iterator[Column[Any]]:
    """Gives columns that, being NULL, keep a condition from being true."""
    if isinstance(condition, Logical):
        if condition.op == "AND":
            for part in condition.parts:
                yield from _columns_that_must_be(part)
    elif isinstance(condition, (Between, In, InSelect, TextMatch)) or (
        isinstance(condition, IsNull) and condition.negated
    ):
        yield from _strict_columns(condition.part)
    elif isinstance(condition, Binary):
        yield from _strict_columns(condition.left)
        yield from _strict_columns(condition.right)


def _strict_columns(expr: Expr[Any]) -> Iterator[Column[Any]]:
    """Gives the columns that make an expression NULL by being NULL."""
    if isinstance(expr, Column):
        yield expr
    elif isinstance(expr, (Arithmetic, Label)):
        for child in expr.children:
            yield from _strict_columns(child)


def tables_of(select: SelectLike) -> Iterator[str]:
    """Gives the tables a statement reads, inner statements included."""
    for part in parts_of(select):
        for source in (*part.sources, *part.ctes):
            yield from _tables_of_source(source)
        yield from tables_in(part.expressions)


def homes_of(select: SelectLike) -> Iterator[int]:
    """Gives the numbers of the databases that the parts of a statement were made for."""
    for part in parts_of(select):
        if part.home is not None:
            yield part.home
        for source in (*part.sources, *part.ctes):
            if isinstance(source, (SubquerySource, CteSource)):
                yield from homes_of(source.select)
        yield from homes_in(part.expressions)


def homes_in(expressions: Iterable[Expr[Any]]) -> Iterator[int]:
    """Gives the numbers of the databases that queries inside expressions were made for."""
    for part in expressions:
        for node in visible(part, {}):
            if isinstance(node, (Exists, InSelect)):
                yield from homes_of(node.select)


def tables_in(expressions: Iterable[Expr[Any]]) -> Iterator[str]:
    """Gives the tables that expressions read."""
    for part in expressions:
        for node in visible(part, {}):
            if isinstance(node, Column):
                yield from _tables_of_source(node.source)
            elif isinstance(node, (Exists, InSelect)):
                yield from tables_of(node.select)
                if isinstance(node, Exists):
                    yield from (table for inner, _ in node.links for table in _tables_of_source(inner.source))


def _tables_of_source(source: Any) -> Iterator[str]:
    while isinstance(source, JoinSource):
        yield source.table
        source = source.parent
    if isinstance(source, (SubquerySource, CteSource)):
        yield from tables_of(source.select)
    elif (table := getattr(source, "table", None)) is not None:
        yield table
