"""The columns that the model of a table of links has beside the keys of both ends."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from cormorant.errors import WrongType
from cormorant.models.links import LinkTable, RelationInfo
from cormorant.models.metadata import ColumnInfo
from cormorant.models.state import MISSING


def check_fillable(relation: RelationInfo) -> None:
    """Refuses links whose model needs values that only the program knows.

    Raises:
        WrongType: Naming the model and the values.
    """
    link = relation.link
    if link is None or link.through is None:
        return
    needed = [
        column.spec.relation or column.attribute
        for column in _extra(link)
        if not (column.nullable or column.server_made or _has_default(column))
    ]
    if needed:
        raise WrongType(
            f"{relation.place} goes through {link.through.name}, which needs {', '.join(needed)}",
            hint=f"add a {link.through.name} object to the session instead",
        )


@lru_cache(maxsize=1000)
def filled_columns(link: LinkTable) -> tuple[ColumnInfo, ...]:
    """Gives the columns of a link that the program has a default for."""
    return () if link.through is None else tuple(column for column in _extra(link) if _has_default(column))


def default_values(columns: Iterable[ColumnInfo]) -> tuple[Any, ...]:
    """Gives the values that a new link gets."""
    factories = ((column.spec.default_factory, column.spec.default) for column in columns)
    return tuple(default if factory is None else factory() for factory, default in factories)


def _extra(link: LinkTable) -> list[ColumnInfo]:
    ends = {*link.near, *link.far}
    return [] if link.through is None else [column for column in link.through.columns if column.name not in ends]


def _has_default(column: ColumnInfo) -> bool:
    return column.spec.default_factory is not None or column.spec.default is not MISSING
