"""Deferred foreign keys of SQLite inside of a transaction that never ends: which ones a COMMIT would have refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TypeAlias

from cormorant.adapters.base import Connection, Row
from cormorant.errors import ForeignKeyViolation, StatementError

Broken: TypeAlias = Counter[tuple[object, ...]]
"""Keys that point to nothing: table, number of the key there, number of the row, values."""

# other keys are looked at by each statement; where a table has both kinds, none of the others is broken anew
_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' AND sql LIKE '%INITIALLY%DEFERRED%'"
_BROKEN = "SELECT DISTINCT fkid FROM pragma_foreign_key_check(?)"
_ROWS = "SELECT rowid FROM pragma_foreign_key_check(?) WHERE fkid = ?"
_COLUMNS = 'SELECT "from" FROM pragma_foreign_key_list(?) WHERE id = ? ORDER BY seq'


class DeferredKeys:
    """Tells the keys that were broken inside of a transaction from those that were broken before.

    SQLite says which keys are broken, and not since when; a COMMIT refuses what its own transaction has done.

    Args:
        real: The connection.
    """

    def __init__(self, real: Connection) -> None:
        self.before: Broken | None = None
        """What was broken when the last transaction ended; None as long as nobody has written."""
        self._real = real
        self._changed = False

    async def prepare(self) -> None:
        """Has a look before something is written."""
        if self.before is None:
            self.before = await self._broken()
        self._changed = True

    async def check(self) -> None:
        """Looks at the keys as a COMMIT does.

        Raises:
            ForeignKeyViolation: One points to nothing that did not do so before.
        """
        if not self._changed or self.before is None:
            return
        broken = await self._broken()
        if anew := broken - self.before:
            table = str(next(iter(anew))[0])
            raise ForeignKeyViolation("FOREIGN KEY constraint failed", statement="COMMIT", table=table)
        # what was mended is not to be broken again
        self.before, self._changed = broken, False

    def go_back(self, before: Broken | None) -> None:
        """Notes that a transaction was rolled back, before which these keys were broken."""
        # one around it may have changed something
        self.before, self._changed = before, True

    async def _broken(self) -> Broken:
        found: Broken = Counter()
        for (table,) in await self._real.fetch(_TABLES):
            for key in await self._keys(table):
                found.update((table, key, *row) for row in await self._rows(table, key))
        return found

    async def _keys(self, table: str) -> list[int]:
        try:
            return [key for (key,) in await self._real.fetch(_BROKEN, (table,))]
        except StatementError:
            # a key to columns that are not unique: SQLite refuses whatever would look at it, and no COMMIT
            return []

    async def _rows(self, table: str, key: int) -> Sequence[Row]:
        numbers = await self._real.fetch(_ROWS, (table, key))
        if any(number is None for (number,) in numbers):
            # a table WITHOUT ROWID does not say which rows: they are counted
            return numbers
        columns = [_quoted(name) for (name,) in await self._real.fetch(_COLUMNS, (table, key))]
        # a row that was broken before may be given another value that points to nothing
        sql = f"SELECT rowid, {', '.join(columns)} FROM {_quoted(table)} WHERE rowid IN ({_ROWS})"
        rows = await self._real.fetch(sql, (table, key))
        # a column of the program's may be called rowid
        return rows if len(rows) == len(numbers) else numbers


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
