"""Constraints in two steps: they hold for new rows at first, and then for those from before."""

from __future__ import annotations

from dataclasses import replace

from cormorant.migrations.step import Step
from cormorant.schema import operations as o
from cormorant.schema import snapshot as s
from cormorant.schema.names import name_of

_NAME = 63
"""Bytes that a name may have."""


def in_two(table: str, constraint: s.Check | s.ForeignKey) -> list[Step]:
    """Gives how a constraint is added, and how rows from before are looked at while others write."""
    later = replace(constraint, validated=False)
    return [o.AddConstraint(table, later), o.ValidateConstraint(table, later, alone=True)]


def named(table: str, key: s.ForeignKey) -> s.ForeignKey:
    """Gives a foreign key with a name, as it takes one to validate it."""
    return key if key.name else replace(key, name=o.default_name(table, key))


def not_null(table: s.Table, column: str) -> s.Check:
    """Gives a check that a column holds no NULL, under a name that the table does not have."""
    return s.Check(_free_name(table, column), f"{quoted_name(column)} IS NOT NULL", validated=False)


def _free_name(table: s.Table, column: str) -> str:
    taken = {check.name for check in table.checks}
    names = (f"ck_{name_of(table.key)}_{column}_given{again or ''}" for again in range(len(taken) + 1))
    return next(name for each in names if (name := _short(each)) not in taken)


def _short(name: str) -> str:
    return name if len(name.encode()) <= _NAME else "ck_" + name.encode()[3 - _NAME :].decode(errors="ignore")


def quoted_name(column: str) -> str:
    """Gives a column's name as expressions have it, on every database."""
    return '"' + column.replace('"', '""') + '"'
