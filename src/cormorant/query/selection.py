"""What a query can select, and under which names."""

from __future__ import annotations

from inspect import isclass
from typing import Any

from cormorant.errors import QueryError, WrongType
from cormorant.models.paths import ManyExpr, Path, is_many
from cormorant.query.spec import QuerySpec
from cormorant.sql.columns import Column
from cormorant.sql.expr import Label, is_expr, unlabelled


def entity_marker(item: Any) -> Any:
    """Refuses what can be selected neither as a value nor as an object."""
    if isinstance(item, Path) or (isclass(item) and hasattr(item, "__info__")):
        return item
    raise WrongType(f"{item!r} cannot be selected", hint="select columns, expressions, models or relations")


def key_of_item(item: Any) -> Any:
    """Gives a selected item's part of the query's shape."""
    if is_expr(item):
        return item.key
    info, columns, optional = item.__entity__() if isinstance(item, Path) else (item.__info__, (), False)
    return ("entity", info.source.key, optional, columns[0].source.key if columns else "")


def collections_among(items: tuple[Any, ...]) -> dict[int, ManyExpr[Any]]:
    """Gives the relations to many among selected items, by their place."""
    shown = enumerate(map(unlabelled, items))
    return {place: item for place, item in shown if is_many(item)}


def column_names(spec: QuerySpec) -> tuple[str | None, ...]:
    """Gives the name of each selected item: its label, or its attribute."""
    return tuple(map(name_of, spec.columns or ()))


def name_of(item: Any) -> str | None:
    """Gives the name of a selected item: its label, or its attribute."""
    if not is_expr(item):
        return None
    if is_many(item):
        return item.__steps__[-1].relation.name
    return item.name if isinstance(item, Label) else item.attribute if isinstance(item, Column) else None


def unique_names(columns: tuple[Any, ...]) -> tuple[str, ...]:
    """Gives the names of selected items, each different from the others."""
    names: list[str] = []
    for column in columns:
        name = name_of(column)
        if name is None or name in names:
            if not is_expr(column):
                raise QueryError(
                    f"{column!r} is a whole object, which has no name among values",
                    hint="name its columns, or use .values(...), which takes objects",
                )
            problem = "has no name" if name is None else f"has the name {name!r}, which another one has too"
            raise QueryError(f"{column!r} {problem}", hint='give it one: .label("name")')
        names.append(name)
    return tuple(names)
