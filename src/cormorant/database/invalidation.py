"""What a transaction has written, as caches have to know it: rows by key, whole tables, or anything at all."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, date, datetime, time
from decimal import Decimal
from enum import Enum
from hashlib import blake2b
from typing import Any, cast
from uuid import UUID, uuid4

from cormorant._internal.narrowing import is_dict, is_list, is_tuple

ANY_WRITE = "*"
"""Stands for every table, for what may read any."""

LONGEST = 40
"""Characters of a key that are kept as they are; of longer ones a digest."""

PAYLOAD_BYTES = 7_900
"""What one notification may hold; the server takes less than 8,000 bytes."""


def digest(text: str) -> str:
    """Gives a short text that no other text has."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def key_text(key: Any) -> str | None:
    """Gives a primary key as a text that equal keys have, also of other types; None of what is no usual key."""
    if type(key) is int:
        return f"n{key}"
    if is_tuple(key):
        parts = [key_text(part) for part in key]
        return None if None in parts else json.dumps(parts)
    if isinstance(key, Enum):
        return key_text(key.value)
    if isinstance(key, (int, float, Decimal)):
        number = Decimal(key)
        return f"n{number.normalize():f}" if number.is_finite() else f"n{number}"
    if isinstance(key, datetime):
        return f"t{key.astimezone(UTC).isoformat() if key.tzinfo else key.isoformat()}"
    for letter, kinds in (("u", UUID), ("d", (date, time))):
        if isinstance(key, kinds):
            return f"{letter}{key}"
    if isinstance(key, bytes):
        return f"b{key.hex()}"
    return f"s{key}" if isinstance(key, str) else None


def group_text(text: str) -> str:
    """Gives what rows are dropped by together: texts that a database may find equal have the same."""
    if len(text) <= LONGEST and text[0] == "n":
        return text
    folded = " ".join(text.casefold().split())
    return folded if len(folded) <= LONGEST and folded.isascii() else digest(folded)


class Invalidation:
    """What has to be dropped; it grows while a transaction writes.

    Attributes:
        number: Tells it from all others.
        rows: Keys of changed rows by table.
        tables: Tables of which any row may have changed.
        written: Tables with any change, also of new rows.
        everything: Anything may have changed.
    """

    __slots__ = ("everything", "number", "rows", "tables", "written")

    def __init__(self) -> None:
        self.number: str = ""
        self.rows: dict[str, set[str]] = {}
        self.tables: set[str] = set()
        self.written: set[str] = set()
        self.everything: bool = False

    def add_key(self, table: str, key: Any) -> None:
        """Notes a row that was changed or deleted."""
        self.written.add(table)
        text = key_text(key)
        if text is None:
            self.tables.add(table)
        else:
            self.rows.setdefault(table, set()).add(group_text(text))

    def add_tables(self, tables: Iterable[str]) -> None:
        """Notes tables of which any row may have changed."""
        self.tables.update(tables)

    def add_new(self, table: str) -> None:
        """Notes a table that got new rows."""
        self.written.add(table)

    # ---- as backends take it

    def groups(self, space: str) -> list[str]:
        """Gives the groups to drop."""
        if self.everything:
            return []
        rows = [(t, keys) for t, keys in self.rows.items() if t not in self.tables]
        return [row_group(space, table, key) for table, keys in rows for key in keys]

    def tags(self, space: str) -> list[str]:
        """Gives the tags to drop."""
        if self.everything:
            return [everything_tag(space)]
        rows = [rows_tag(space, table) for table in self.tables]
        return [*rows, *(reads_tag(space, table) for table in (*(self.tables | self.written), ANY_WRITE))]

    # ---- as notifications carry it

    def payload(self) -> str:
        """Gives it as the text of a notification: less exact where it would be too long."""
        self.number = self.number or uuid4().hex
        rows = {table: sorted(keys) for table, keys in self.rows.items() if table not in self.tables}
        whole, new = sorted(self.tables), sorted(self.written - self.tables)
        for told in (
            {"n": self.number, "r": rows, "t": whole, "w": new},
            {"n": self.number, "t": sorted({*whole, *rows}), "w": new},
        ):
            text = json.dumps(told, separators=(",", ":"))
            if len(text) <= PAYLOAD_BYTES and not self.everything:
                return text
        return json.dumps({"n": self.number, "a": 1})


def heard(payload: str) -> Invalidation:
    """Gives what a notification tells; everything where it tells nothing that is understood."""
    found = Invalidation()
    try:
        told: Any = json.loads(payload)
        found.number = str(told["n"])
        found.everything = "a" in told
        found.tables = _texts(told.get("t", []))
        found.written = _texts(told.get("w", []))
        rows = told.get("r", {})
        if not is_dict(rows):
            raise ValueError(payload)
        found.rows = {str(table): _texts(keys) for table, keys in rows.items()}
        found.written |= found.rows.keys()
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        found = Invalidation()
        found.everything = True
    return found


def _texts(given: Any) -> set[str]:
    if not is_list(given) or not all(isinstance(item, str) for item in given):
        raise ValueError(given)
    return set(cast("list[str]", given))


# ------------------------------------------------------------------ names


def row_group(space: str, table: str, key: str) -> str:
    """Gives the group of a row: all that is kept of it."""
    return f"{space}:row:{table}:{key}"


def everything_tag(space: str) -> str:
    """Gives the tag that everything of a database rests on."""
    return f"{space}:all"


def rows_tag(space: str, table: str) -> str:
    """Gives the tag that each row of a table rests on: dropped where any of them may have changed."""
    return f"{space}:rows:{table}"


def reads_tag(space: str, table: str) -> str:
    """Gives the tag that results of queries rest on: dropped at any change of a table."""
    return f"{space}:reads:{table}"
