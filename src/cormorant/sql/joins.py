"""The joins that the columns of a statement imply."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cormorant.sql.calls import Exists
from cormorant.sql.columns import Column, JoinSource, Source
from cormorant.sql.expr import walk
from cormorant.sql.nodes import InSelect
from cormorant.sql.selectable import SelectLike
from cormorant.sql.statements import Select


def implied_joins(select: Select, more: tuple[Column[Any], ...] = ()) -> list[JoinSource]:
    """Gives the joins that a SELECT's columns need, each after the one it hangs on.

    Sources of the statements around it are theirs to join.
    """
    found: dict[str, JoinSource] = {}
    for source in (*_sources(select), *(column.source for column in more)):
        if root_of(source).key == select.source.key:
            _add_with_parents(source, found)
    return list(found.values())


def _add_with_parents(source: Source, found: dict[str, JoinSource]) -> None:
    if isinstance(source, JoinSource) and source.key not in found:
        _add_with_parents(source.parent, found)
        found[source.key] = source


def _sources(select: Select) -> Iterable[Source]:
    for part in select.expressions:
        for node in walk(part):
            if isinstance(node, Column):
                yield node.source
            elif isinstance(node, (Exists, InSelect)):
                yield from _free_sources(node.select)


def _free_sources(select: SelectLike) -> Iterable[Source]:
    """Gives the sources an inner SELECT takes from the statement around it."""
    assert isinstance(select, Select)
    return (source for source in _sources(select) if root_of(source).key != select.source.key)


def root_of(source: Source) -> Source:
    """Gives the table a chain of joins starts from."""
    while isinstance(source, JoinSource):
        source = source.parent
    return source


def is_optional(source: Source) -> bool:
    """Whether a source can have no row: once a LEFT JOIN is on the way, all after it must be one."""
    while isinstance(source, JoinSource):
        if source.optional:
            return True
        source = source.parent
    return False
