"""The names that columns are read from."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from cormorant.errors import QueryError
from cormorant.sql.columns import Column
from cormorant.sql.expr import Expr, walk
from cormorant.sql.shown import Shown, Shows
from cormorant.sql.sources import Source, column_key, root_of

ALIAS_BYTES = 50
"""So long is a name at most before a number is added to it: the longest names leave no room for one."""


class Scope:
    """The names that columns are read from in one SELECT; an inner one sees the outer ones."""

    def __init__(self, parent: Scope | None) -> None:
        self.parent = parent
        self.aliases: dict[str, str] = {}
        # what was joined so that there may be no row
        self.outer: set[str] = set()
        # the same, and what relations lead to by a LEFT JOIN
        self.missing: set[str] = set()
        # subqueries that are read as what they show, by their aliases
        self.shows: list[tuple[str, Shows]] = []

    def _outwards(self) -> Iterator[Scope]:
        scope: Scope | None = self
        while scope is not None:
            yield scope
            scope = scope.parent

    def find(self, key: str) -> str | None:
        """Gives the alias of a source, from the innermost SELECT outwards."""
        return next((scope.aliases[key] for scope in self._outwards() if key in scope.aliases), None)

    def is_outer(self, key: str) -> bool:
        """Whether a source was joined so that there may be no row of it."""
        return next((key in scope.outer for scope in self._outwards() if key in scope.aliases), False)

    def is_missing(self, key: str) -> bool:
        """Whether there may be no row of a source, however it is joined."""
        return next((key in scope.missing for scope in self._outwards() if key in scope.aliases), False)

    def shown(self, expr: Expr[Any]) -> tuple[str, Shown] | None:
        """Gives the column that shows an expression: its subquery's alias, and the column."""
        for scope in self._outwards():
            for alias, shows in scope.shows:
                if (shown := shows.find(expr)) is not None:
                    return alias, shown
            if scope.parent is not None and scope.parent.has_shows and scope.reads(expr):
                return None
        return None

    def named(self, source: Source, name: str) -> tuple[str, str]:
        """Gives the alias of a source and the name that a column of it has there.

        Raises:
            QueryError: The query does not read it.
        """
        if (alias := self.find(source.key)) is not None:
            return alias, name
        # what a relation is followed from may be a column that a union shows
        found = self.shown_column(column_key(source, name))
        if found is None:
            raise QueryError(
                f"the column {name!r} belongs to a table that the query does not read",
                hint="start from its model, reach it along a relation (Article.author.name), or .join(...) it"
                " before what reads it",
            )
        return found[0], found[1].name

    def shown_column(self, key: str) -> tuple[str, Shown] | None:
        """Gives the column that shows a column of a table, by that one's key."""
        found = ((alias, shows.column(key)) for scope in self._outwards() for alias, shows in scope.shows)
        return next(((alias, shown) for alias, shown in found if shown is not None), None)

    @property
    def has_shows(self) -> bool:
        """Whether a subquery is read as what it shows, here or further out."""
        return any(scope.shows for scope in self._outwards())

    def reads(self, expr: Expr[Any]) -> bool:
        """Whether an expression reads a source of this SELECT's own."""
        return any(isinstance(node, Column) and root_of(node.source).key in self.aliases for node in walk(expr))

    def reserve(self, key: str, wanted: str) -> str:
        """Gives a source an alias that no visible source has."""
        alias = free_name(wanted, {name.lower() for scope in self._outwards() for name in scope.aliases.values()})
        self.aliases[key] = alias
        return alias


def free_name(wanted: str, taken: Collection[str]) -> str:
    """Gives a name as it is wanted, or with a number if it is taken.

    Args:
        wanted: The name.
        taken: Names in lower case: to SQLite, letters of both cases are the same.
    """
    if wanted.lower() not in taken:
        return wanted
    short, number = wanted.encode()[:ALIAS_BYTES].decode(errors="ignore"), 2
    while f"{short}_{number}".lower() in taken:
        number += 1
    return f"{short}_{number}"
