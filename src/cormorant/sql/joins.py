"""The joins that the columns of a statement imply."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any

from cormorant.sql.calls import Exists
from cormorant.sql.columns import Column
from cormorant.sql.expr import Binary, Expr, Label
from cormorant.sql.inner import parts_of
from cormorant.sql.nodes import Arithmetic, Between, In, InSelect, IsNull, Logical, TextMatch
from cormorant.sql.selectable import SelectLike
from cormorant.sql.selects import Join, Select
from cormorant.sql.shown import NOTHING, Shows
from cormorant.sql.sources import JoinSource, Source, SubquerySource, column_key, root_of


def implied_joins(select: Select, more: tuple[Column[Any], ...] = ()) -> dict[str, list[JoinSource]]:
    """Gives the joins that a SELECT's columns need, by the source they start from, each after the one it hangs on.

    Sources of the statements around it are theirs to join.
    """
    found: dict[str, dict[str, JoinSource]] = {key: {} for key in _own(select)}
    asked = (join.source for join in select.joins)
    for source in (*asked, *(column.source for column in (*_columns(select), *more))):
        root = _root_in(select, found, source)
        if root is not None:
            _add_with_parents(source, found[root])
    return {root: list(joins.values()) for root, joins in found.items()}


def _own(select: Select) -> set[str]:
    """Gives the keys of what a SELECT reads, but for what is reached along relations."""
    return {source.key for source in select.sources if not isinstance(source, JoinSource)}


def _root_in(select: Select, roots: Collection[str], source: Source) -> str | None:
    """Gives the key of what a source is read from in a SELECT's FROM, or None if that is further out.

    A table that a subquery shows, as a union does, is read from that.
    """
    root = root_of(source)
    if root.key in roots:
        return root.key
    shows = shown_by(select.source)
    if shows and source is not root and all(shows.column(column_key(root, name)) for name in _links(source)):
        return select.source.key
    return None


def _links(source: Source) -> list[str]:
    """Gives the columns of a chain's root by which the first step is joined."""
    names: list[str] = []
    while isinstance(source, JoinSource):
        names, source = [theirs for theirs, _ in source.on], source.parent
    return names


def _add_with_parents(source: Source, found: dict[str, JoinSource]) -> None:
    if isinstance(source, JoinSource) and source.key not in found:
        _add_with_parents(source.parent, found)
        found[source.key] = source


def implied_by(join: Join) -> list[JoinSource]:
    """Gives the joins that a join's own conditions need and that start from what it joins: they stand beside it."""
    found: dict[str, JoinSource] = {}
    for column in _columns_in(join.on, NOTHING):
        if root_of(column.source).key == join.source.key:
            _add_with_parents(column.source, found)
    return list(found.values())


def _columns(select: Select) -> Iterator[Column[Any]]:
    """Gives the columns a SELECT reads itself, those that lateral subqueries take from it among them."""
    for source in select.sources:
        if isinstance(source, SubquerySource) and source.lateral:
            yield from free_columns(source.select)
    yield from _columns_in(select.expressions, shown_by(select.source))


def _columns_in(expressions: Iterable[Expr[Any]], shows: Shows) -> Iterator[Column[Any]]:
    for part in expressions:
        for node in visible(part, shows):
            if isinstance(node, Column):
                yield node
            elif isinstance(node, (Exists, InSelect)):
                yield from free_columns(node.select)


def free_columns(select: SelectLike) -> Iterator[Column[Any]]:
    """Gives the columns an inner SELECT takes from the statement around it."""
    for part in parts_of(select):
        own = _own(part)
        yield from (column for column in _columns(part) if _root_in(part, own, column.source) is None)
        for source in part.sources:
            # a subquery in FROM that is not lateral sees what is around the whole
            if isinstance(source, SubquerySource) and not source.lateral:
                yield from free_columns(source.select)


def shown_by(source: Source) -> Shows:
    """Gives what a subquery shows, where a query reads it as if it were what it selects."""
    return source.shows if isinstance(source, SubquerySource) else NOTHING


def visible(expr: Expr[Any], shows: Shows = NOTHING) -> Iterator[Expr[Any]]:
    """Gives an expression and all it is made of, but for what the source shows as a whole."""
    # by a list, not by calls: a sum of a thousand terms is a thousand levels deep
    waiting = [expr]
    while waiting:
        found = waiting.pop()
        if not (shows and shows.find(found) is not None):
            yield found
            waiting += reversed(found.children)


def is_optional(source: Source, is_outer: Callable[[str], bool], may_hide: Callable[[Source], bool]) -> bool:
    """Whether a source can have no row: once a LEFT JOIN is on the way, all after it must be one.

    Args:
        source: The source.
        is_outer: Tells, by its key, whether a source was joined so.
        may_hide: Tells whether default conditions may hide what relations lead to: then there is none for who asks.
    """
    if may_hide(source):
        return True
    while isinstance(source, JoinSource):
        if source.optional:
            return True
        source = source.parent
    return is_outer(source.key)


def required_sources(select: Select, more: tuple[Column[Any], ...] = ()) -> set[str]:
    """Gives the keys of the sources without which no row meets the conditions: a LEFT JOIN to them would be wasted.

    `more` are columns that must have a value.
    """
    found: set[str] = set()
    for column in more:
        _require(column.source, found)
    for condition in select.where:
        for column in _columns_that_must_be(condition):
            _require(column.source, found)
    for join in select.joins:
        if not join.outer and isinstance(join.source, JoinSource):
            _require(join.source, found)
            found.add(root_of(join.source).key)
    return found


def _require(source: Source, found: set[str]) -> None:
    while isinstance(source, JoinSource):
        found.add(source.key)
        source = source.parent


def _columns_that_must_be(condition: Expr[Any]) -> Iterator[Column[Any]]:
    """Gives columns that, being NULL, keep a condition from being true."""
    if isinstance(condition, Logical):
        if condition.sign == "AND":
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
