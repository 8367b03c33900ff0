"""Statements that write, in the place of queries in WITH."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cormorant.sql.expr import Binds, Expr, Key
from cormorant.sql.selects import Select
from cormorant.sql.statements import DeleteWhere, InsertSelect, UpdateWhere


@dataclass(frozen=True)
class Written:
    """A statement that writes and gives what its rows return.

    Args:
        statement: The statement.
        reads: The table it writes and what it gives, as a query of it would.
    """

    statement: UpdateWhere | DeleteWhere | InsertSelect
    reads: Select

    @property
    def key(self) -> Key:
        """The statement's shape."""
        return ("written", self.statement.key, self.reads.lifted)

    @property
    def binds(self) -> Binds:
        """The values in it."""
        return self.statement.binds

    @property
    def columns(self) -> tuple[Expr[Any], ...]:
        """What it gives."""
        return self.reads.columns
