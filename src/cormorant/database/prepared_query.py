"""A query's text and what its rows become, kept for every query of the same shape."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cormorant.dialects.base import Codec
from cormorant.hydration.hydrator import Loader
from cormorant.models.scopes import values_of
from cormorant.query.beside import Pick
from cormorant.query.prepared import encoded
from cormorant.query.spec import QuerySpec
from cormorant.sql.restrictions import Owner


@dataclass(frozen=True, slots=True)
class PreparedQuery:
    """A query's text with its encoders and its loader, kept for every query of the same shape.

    Args:
        encoders: For each parameter its encoder or None; None if no parameter has one.
        owners: Whose conditions the text holds beside the query's own.
        beside: What is read beside the rows.
        picks: For each parameter the place of its value in the query; None if they are in the query's order.
        writes: A part of it writes.
        rests_on: The tables whose changes change its result; "*" where it may be any.
    """

    sql: str
    picks: tuple[int, ...] | None
    encoders: tuple[Codec | None, ...] | None
    loader: Loader
    tables: frozenset[str]
    owners: tuple[Owner, ...] = ()
    beside: tuple[Pick, ...] = ()
    writes: bool = False
    rests_on: frozenset[str] = frozenset()

    def arguments(self, spec: QuerySpec) -> list[Any]:
        """Gives a query's values as the driver takes them, and after them those of default scopes."""
        if not self.owners and self.picks is None and self.encoders is None:
            return spec.values
        values = spec.values
        if self.owners and spec.scopes is not None:
            for condition in spec.scopes.conditions_of(self.owners):
                values += values_of(condition.binds)
        return self.encode(values)

    def encode(self, values: list[Any]) -> list[Any]:
        """Gives the values as the driver takes them."""
        if self.picks is not None:
            values = [values[place] for place in self.picks]
        return values if self.encoders is None else encoded(self.encoders, values)
