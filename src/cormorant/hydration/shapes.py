"""What a row is made of: which slice of it feeds which object."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from cormorant.models.metadata import ModelInfo
from cormorant.sql.types import SqlType


@dataclass(frozen=True, slots=True)
class EntityPart:
    """An object from consecutive columns, in the order of its model's fields.

    Args:
        optional: The row may hold none: its key is NULL then.
    """

    info: ModelInfo
    start: int
    optional: bool = False


@dataclass(frozen=True, slots=True)
class ValuePart:
    """One value."""

    index: int
    type: SqlType


Part: TypeAlias = EntityPart | ValuePart


@dataclass(frozen=True, slots=True)
class RowShape:
    """How a row becomes a result.

    Args:
        output: "entities" and "scalars" give the one part itself, "tuples" all parts, "dicts" them by name.
        width: The number of columns in a row.
    """

    parts: tuple[Part, ...]
    output: Literal["entities", "tuples", "scalars", "dicts"]
    width: int
    names: tuple[str, ...] = ()
