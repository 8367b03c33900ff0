"""The shape of the rows of a planned query, as the hydrator knows it."""

from __future__ import annotations

from cormorant.hydration.shapes import EntityPart, KeyPart, Part, RowShape, ValuePart
from cormorant.query.entities import EntityColumns, OwnerColumns, Selected
from cormorant.query.planner import QueryPlan


def shape_of(made: QueryPlan) -> RowShape:
    """Gives the shape of a plan's rows."""
    return RowShape(tuple(map(_part_of, made.parts)), made.output, made.width, made.names)


def _part_of(part: Selected) -> Part:
    if isinstance(part, EntityColumns):
        return EntityPart(part.info, part.start, part.optional, part.names, part.attached)
    if isinstance(part, OwnerColumns):
        return KeyPart(part.start, part.types)
    return ValuePart(part.start, part.type)
