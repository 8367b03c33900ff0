"""Which app an operation belongs to, and what of a list of operations one app can do first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from cormorant.errors import InvalidMigration
from cormorant.migrations.footprint import Footprint, footprint
from cormorant.migrations.history import History, schema_operations
from cormorant.schema import column_types as types
from cormorant.schema import index_operations as i
from cormorant.schema import operations as o
from cormorant.schema import snapshot as s
from cormorant.schema.operations import Operation


def share_of(
    history: History, wanted: s.SchemaSnapshot, operations: Sequence[Operation], app: str | None
) -> tuple[str, list[Operation]]:
    """Gives an app, and its operations that need no operation of another app before them.

    Args:
        history: The migrations that there are.
        wanted: What models want.
        operations: All that is to be done, in order.
        app: The app that is asked for; the first one that has anything to do if None.
    """
    if len(history.apps) == 1:
        return history.apps[0], list(operations)
    owners = _owners(history, wanted)
    apps = [_owner(operation, owners, history.apps) for operation in operations]
    chosen = app if app is not None else apps[0]
    waiting = Footprint()
    ready: list[Operation] = []
    for operation, owner in zip(operations, apps, strict=True):
        each = footprint([operation])
        if owner == chosen and not each.clashes(waiting):
            ready.append(operation)
        else:
            waiting |= each
    if chosen in apps and not ready:
        raise InvalidMigration(
            f"what app {chosen!r} needs stands on changes of {', '.join(sorted({*apps} - {chosen}))!r}",
            hint="make the migrations of the other app first, or of all apps together",
        )
    return chosen, ready


def _owner(operation: Operation, owners: Mapping[str, str], apps: Sequence[str]) -> str:
    key = operation.old if isinstance(operation, (o.RenameTable, i.RenameEnum)) else operation.touched
    return owners.get(key, "" if "" in apps else apps[0])


def _owners(history: History, wanted: s.SchemaSnapshot) -> dict[str, str]:
    """Gives the app of each table and enum type: that of its model, or that whose migration has made it."""
    found = dict(_made(history))
    for table in wanted.tables:
        if table.key not in found and table.app in history.apps:
            found[table.key] = table.app
    for table in wanted.tables:
        for column in table.columns:
            enum = types.enum_of(column.type)
            if enum is not None and table.key in found:
                found.setdefault(enum, found[table.key])
    return found


def _made(history: History) -> Iterable[tuple[str, str]]:
    for file in history.ordered:
        for operation in schema_operations(file):
            match operation:
                case o.CreateTable() | i.CreateEnum():
                    yield operation.touched, file.app
                case o.RenameTable(new=new) | i.RenameEnum(new=new):
                    yield new, file.app
                case _:
                    pass
