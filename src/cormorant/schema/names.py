"""Tables by one text: "articles", or "audit.articles" in a schema that is not the default one."""

from __future__ import annotations

import re

from cormorant.dialects.base import Dialect

MIGRATIONS = "cormorant_migrations"
"""The table of what was migrated."""

BACKFILLS = "cormorant_backfills"
"""The table of how far backfills are."""

OWN = frozenset({MIGRATIONS, BACKFILLS})
"""Tables that are no part of any schema: neither seen nor changed."""

_KEY = re.compile(r'(?:(?P<schema>"[^"]*"|[^".]+)\.)?(?P<name>"[^"]*"|[^"]+)', re.DOTALL)


def key_of(name: str, schema: str | None = None) -> str:
    """Gives the text that stands for a table, or an enum type, in snapshots and operations."""
    return _part(name) if schema is None else f"{_part(schema)}.{_part(name)}"


def _part(name: str) -> str:
    return f'"{name}"' if "." in name else name


def split(key: str) -> tuple[str | None, str]:
    """Gives the schema, None for the default one, and the name."""
    match = _KEY.fullmatch(key)
    if match is None:
        return None, key
    schema = match["schema"]
    return schema and schema.strip('"'), match["name"].strip('"')


def name_of(key: str) -> str:
    """Gives the name without its schema."""
    return split(key)[1]


def quoted(dialect: Dialect, key: str) -> str:
    """Gives a table as statements name it."""
    schema, name = split(key)
    return dialect.quote(name) if schema is None else f"{dialect.quote(schema)}.{dialect.quote(name)}"


def beside(key: str, name: str) -> str:
    """Gives another name in the same schema."""
    return key_of(name, split(key)[0])


_LONGEST = 63
"""Bytes that a name may have."""


def short(name: str, suffix: str = "") -> str:
    """Gives a name with something after it, of which the name itself is cut where both would be too long."""
    return name.encode()[: _LONGEST - len(suffix.encode())].decode(errors="ignore") + suffix
