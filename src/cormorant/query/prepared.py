"""A write as it is sent: its text, and what its values have to become."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cormorant.dialects.base import Codec
from cormorant.models.scopes import Scopes, values_of
from cormorant.sql.expr import Binds
from cormorant.sql.restrictions import Owner
from cormorant.sql.statements import InsertSelect, Upsert


@dataclass(frozen=True, slots=True)
class PreparedWrite:
    """A write's text with its encoders, and the decoders of what it returns.

    Args:
        owners: Whose conditions the text holds beside the write's own.
        picks: For each of its first parameters the place of the value among those of the statement's expressions.
        is_plain: The driver takes every value as it is.
    """

    sql: str
    encoders: tuple[Codec | None, ...]
    decoders: tuple[Codec | None, ...]
    owners: tuple[Owner, ...] = ()
    picks: tuple[int, ...] = ()
    is_plain: bool = False

    def first(self, statement: Upsert | InsertSelect) -> list[Any]:
        """Gives the values of a statement's own expressions, its first parameters, as the driver takes them."""
        given = tuple(dict.fromkeys(statement.binds))
        values = [given[place].value for place in self.picks]
        return encoded(self.encoders[: len(values)], values)

    def last(self, scopes: Scopes | None) -> list[Any]:
        """Gives the values of default scopes, its last parameters, as the driver takes them."""
        if not self.owners or scopes is None:
            return []
        conditions = scopes.conditions_of(self.owners)
        values = [value for condition in conditions for value in values_of(condition.binds)]
        return encoded(self.encoders[len(self.encoders) - len(values) :], values)


def places_of(sent: Binds, given: Binds) -> tuple[int, ...]:
    """Gives where the values that are sent stand among those given; what others add is none of them."""
    places = {id(bind): place for place, bind in enumerate(dict.fromkeys(given))}
    return tuple(places[id(bind)] for bind in sent if id(bind) in places)


def encoded(encoders: Sequence[Codec | None], values: Sequence[Any]) -> list[Any]:
    """Gives values as the driver takes them."""
    pairs = zip(encoders, values, strict=True)
    return [value if encode is None or value is None else encode(value) for encode, value in pairs]


def picks_of(sent: Binds, given: Binds) -> tuple[int, ...] | None:
    """Gives where each parameter's value stands among the query's: a count, for one, leaves the order's out."""
    places = {id(bind): place for place, bind in enumerate(dict.fromkeys(given))}
    count = len(places)
    # what the query does not have belongs to scopes, whose values come after its own
    picks = tuple(places.setdefault(id(bind), len(places)) for bind in sent)
    return None if picks == tuple(range(count)) else picks
