"""`excluded`: the row that an upsert was going to insert, beside the row that is there already."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from typing_extensions import TypeIs

from cormorant._internal.narrowing import narrower
from cormorant.errors import WrongType
from cormorant.sql.columns import Column
from cormorant.sql.sources import Source, TableSource

T = TypeVar("T")

is_column: Callable[[object], TypeIs[Column[Any]]] = narrower(Column)


def excluded(column: Column[T]) -> Column[T]:
    """The value that an upsert was going to insert; the column itself is the value of the row that is there.

    Args:
        column: A column of the model that is written.

    Raises:
        WrongType: It is no column.

    Example:
        >>> await session.query(Country).upsert(rows, on=[Country.code], set=[
        ...     Country.gdp.set(func.coalesce(excluded(Country.gdp), Country.gdp)),
        ... ])  # ... DO UPDATE SET "gdp" = coalesce("excluded"."gdp", "country"."gdp")
    """
    if not is_column(column):
        raise WrongType(f"excluded() takes a column, not {column!r}", hint="excluded(Country.gdp)")
    return Column(
        TableSource("excluded", excluded_key(column.source)),
        column.name,
        column.type,
        nullable=column.nullable,
        owner=f"excluded({column.owner})",
        attribute=column.attribute,
        collation=column.collation,
    )


def excluded_key(source: Source) -> str:
    """Gives the key of the source that a table's proposed rows are read from."""
    return f"excluded {source.key}"
