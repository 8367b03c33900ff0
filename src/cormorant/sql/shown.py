"""What a subquery shows to queries that read it as if it were what it selects."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from cormorant.sql.sameness import identities

if TYPE_CHECKING:
    from cormorant.sql.expr import Expr, Key


class Shown(NamedTuple):
    """A column of a subquery: its name, and whether it can be NULL."""

    name: str
    nullable: bool


class Shows:
    """The columns of a subquery by the expressions they show, values included.

    Args:
        columns: Each column with its expression; of equal expressions the first one counts.
    """

    __slots__ = ("_by_key", "_columns")

    def __init__(self, columns: Iterable[tuple[Expr[Any], Shown]] = ()) -> None:
        self._by_key: dict[Key, list[tuple[list[Any], Shown]]] = {}
        self._columns: tuple[tuple[Expr[Any], Shown], ...] = tuple(columns)
        for expr, shown in self._columns:
            self._by_key.setdefault(expr.key, []).append((identities(expr.binds), shown))

    def __bool__(self) -> bool:
        return bool(self._by_key)

    def nullable_at(self, names: Collection[str]) -> Shows:
        """Gives the same columns, of which those of these names can be NULL."""
        return Shows((expr, shown._replace(nullable=shown.name in names)) for expr, shown in self._columns)

    def find(self, expr: Expr[Any]) -> Shown | None:
        """Gives the column that shows an expression, or None."""
        candidates = self._by_key.get(expr.key)
        if candidates is None:
            return None
        values = identities(expr.binds)
        return next((shown for others, shown in candidates if others == values), None)

    def by(self, name: str) -> list[Expr[Any]]:
        """Gives the expressions that a column shows."""
        return [expr for expr, shown in self._columns if shown.name == name]

    def column(self, key: Key) -> Shown | None:
        """Gives the column that shows a column of a table by that one's key, or None."""
        candidates = self._by_key.get(key)
        return candidates[0][1] if candidates else None


NOTHING = Shows()
"""What a table shows."""
