"""The names that columns are read from."""

from __future__ import annotations

from typing import Any


class Scope:
    """The names that columns are read from in one SELECT; an inner one sees the outer ones."""

    def __init__(self, parent: Scope | None) -> None:
        self.parent = parent
        self.aliases: dict[str, str] = {}
        # by what a subquery shows: its alias, and the name of the column
        self.shows: dict[Any, tuple[str, str]] = {}

    def find(self, key: str) -> str | None:
        """Gives the alias of a source, from the innermost SELECT outwards."""
        scope: Scope | None = self
        while scope is not None:
            if (alias := scope.aliases.get(key)) is not None:
                return alias
            scope = scope.parent
        return None

    def reserve(self, key: str, wanted: str) -> str:
        """Gives a source an alias that no visible source has."""
        taken = self._taken()
        alias, number = wanted, 2
        while alias in taken:
            alias, number = f"{wanted}_{number}", number + 1
        self.aliases[key] = alias
        return alias

    def _taken(self) -> set[str]:
        inherited = set[str]() if self.parent is None else self.parent._taken()
        return inherited | set(self.aliases.values())
