"""What a row is made of: which slice of it feeds which object."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from cormorant.models.links import RelationInfo
from cormorant.models.metadata import ColumnInfo, ModelInfo
from cormorant.sql.types import SqlType


@dataclass(frozen=True, slots=True)
class EntityPart:
    """An object from consecutive columns, in the order of its model's fields.

    Args:
        optional: The row may hold none: its key is NULL then.
        names: The attributes it gets, its key among them; None for all.
        attached: Which part of the row it belongs to, and by which relation; it is no part of the result then.
    """

    info: ModelInfo
    start: int
    optional: bool = False
    names: tuple[str, ...] | None = None
    attached: tuple[int, RelationInfo] | None = None

    @property
    def columns(self) -> tuple[ColumnInfo, ...]:
        """The columns it is made of."""
        return self.info.columns if self.names is None else tuple(self.info.by_attribute[n] for n in self.names)


@dataclass(frozen=True, slots=True)
class ValuePart:
    """One value."""

    index: int
    type: SqlType


@dataclass(frozen=True, slots=True)
class KeyPart:
    """A key, of one column or of several."""

    start: int
    types: tuple[SqlType, ...]


Part: TypeAlias = EntityPart | ValuePart | KeyPart


@dataclass(frozen=True, slots=True)
class RowShape:
    """How a row becomes a result.

    Args:
        output: "entities" and "scalars" give the one part itself, "tuples" all parts, "dicts" them by name; "groups"
            give one dictionary, of the last part's objects in lists by the parts before it.
        width: The number of columns in a row.
    """

    parts: tuple[Part, ...]
    output: Literal["entities", "tuples", "scalars", "dicts", "groups"]
    width: int
    names: tuple[str, ...] = ()
