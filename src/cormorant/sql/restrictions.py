"""Conditions that every use of a table gets, whoever wrote the query."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol, TypeAlias

from cormorant.sql.expr import Bind, Expr
from cormorant.sql.raw_source import RawSource
from cormorant.sql.sources import JoinSource, Source, TableSource

Owner: TypeAlias = "tuple[Any, Any]"
"""Whose condition it is: a name, and the entity it is about."""


class Restrictions(Protocol):
    """Gives the conditions of tables; default scopes do."""

    def on(self, entity: Any, source: Source, lifted: frozenset[str]) -> Iterable[tuple[Owner, Expr[Any]]]:
        """Gives the conditions on one use of an entity's table, but for those that are lifted."""
        ...

    def concerns(self, entity: Any, lifted: frozenset[str]) -> bool:
        """Whether there are conditions on an entity's table, but for those that are lifted."""
        ...


def may_hide(restrictions: Restrictions | None, source: Source, lifted: frozenset[str]) -> bool:
    """Whether conditions may hide what a relation leads to, or something on the way to it."""
    while restrictions is not None and isinstance(source, JoinSource):
        if source.entity is not None and restrictions.concerns(source.entity, lifted):
            return True
        source = source.parent
    return False


class Restrainer:
    """Adds conditions to the tables of one statement, and values to its parameters.

    Args:
        restrictions: What gives the conditions; None adds nothing.
        send: Takes a further parameter and gives its position.
    """

    def __init__(self, restrictions: Restrictions | None, send: Callable[[Bind], int]) -> None:
        self._restrictions = restrictions
        self._send = send
        self._positions: dict[Owner, list[int]] = {}
        # positions are kept by identity, so that what they are of must live as long
        self._made: list[Expr[Any]] = []
        self.lifted: frozenset[str] = frozenset()
        self.active: bool = restrictions is not None

    @property
    def in_force(self) -> Restrictions | None:
        """What gives the conditions; inside of one there are no further ones."""
        return self._restrictions if self.active else None

    @property
    def owners(self) -> tuple[Owner, ...]:
        """Whose values the statement sends after its own, in order."""
        return tuple(self._positions)

    def may_hide(self, source: Source) -> bool:
        """Whether what a relation leads to may be hidden in this statement, so that there is none."""
        return may_hide(self.in_force, source, self.lifted)

    def conditions(self, source: Source, positions: dict[int, int]) -> list[Expr[Any]]:
        """Gives the conditions on one use of a table, and notes in `positions` where their values are sent."""
        entity = source.entity if isinstance(source, (TableSource, JoinSource, RawSource)) else None
        if not self.active or entity is None or self._restrictions is None:
            return []
        found: list[Expr[Any]] = []
        for owner, condition in self._restrictions.on(entity, source, self.lifted):
            self._made.append(condition)
            self._place(owner, condition, positions)
            found.append(condition)
        return found

    def _place(self, owner: Owner, condition: Expr[Any], positions: dict[int, int]) -> None:
        binds = tuple(dict.fromkeys(condition.binds))
        sent = self._positions.get(owner)
        if sent is None:
            sent = self._positions[owner] = [self._send(bind) for bind in binds]
        positions.update((id(bind), position) for bind, position in zip(binds, sent, strict=True))
