"""All migrations on an empty database: up, compared with what they say, down, and up again."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from cormorant.database import Database
from cormorant.errors import IrreversibleMigration
from cormorant.migrations.running.connecting import connected
from cormorant.migrations.running.deciding import ZERO
from cormorant.migrations.running.drifting import repairs
from cormorant.migrations.running.outcomes import Proof, Report, Tell
from cormorant.schema.diff import diff
from cormorant.schema.introspect import introspect
from cormorant.schema.operations import Operation
from cormorant.schema.snapshot import SchemaSnapshot


class Runs(Protocol):
    """What runs migrations on the empty database."""

    async def migrate(self, target: str | None = None, *, fake: bool = False, progress: Tell) -> Report:
        """Runs all of them."""
        ...

    async def rollback(self, target: int | str = 1, *, fake: bool = False, progress: Tell) -> Report:
        """Takes all of them back."""
        ...


async def proof(scratch: Database, engine: Runs, wanted: SchemaSnapshot, tell: Tell) -> Proof:
    """Tries migrations on an empty database.

    Args:
        scratch: The database.
        engine: Runs the migrations on it.
        wanted: The schema that they say there is afterwards.
        tell: Told how far it is.

    Raises:
        MigrationFailed: One of them does not run, or cannot be taken back.
    """
    empty = await _schema(scratch, wanted)
    report = await engine.migrate(progress=tell)
    first = await _schema(scratch, wanted)
    found = Proof(report.migrations, differences=tuple(await _differences(scratch, wanted)))
    try:
        await engine.rollback(ZERO, progress=tell)
    except IrreversibleMigration as error:
        return replace(found, irreversible=error.message)
    left = tuple(diff(await _schema(scratch, wanted), empty))
    if left:
        # the way up would meet it
        return replace(found, left=left)
    await engine.migrate(progress=tell)
    again = diff(await _schema(scratch, wanted), first)
    return replace(found, again=tuple(again))


async def _schema(database: Database, wanted: SchemaSnapshot) -> SchemaSnapshot:
    async with connected(database) as place:
        return await introspect(place.connection, place.dialect, wanted.schemas)


async def _differences(database: Database, wanted: SchemaSnapshot) -> list[Operation]:
    async with connected(database) as place:
        differences, others = await repairs(place, wanted)
        found = await introspect(place.connection, place.dialect, wanted.schemas)
        return [*differences, *diff(found.only(others), SchemaSnapshot(enums=found.enums, schemas=found.schemas))]
