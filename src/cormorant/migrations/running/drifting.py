"""Where models, migrations and a live database differ."""

from __future__ import annotations

from dataclasses import replace

from cormorant.migrations.running.connecting import Place
from cormorant.migrations.running.deciding import Standing
from cormorant.migrations.running.moves import changes_of
from cormorant.migrations.running.outcomes import Drift
from cormorant.schema.diff import diff
from cormorant.schema.introspect import introspect, normalised
from cormorant.schema.operations import Operation
from cormorant.schema.snapshot import SchemaSnapshot
from cormorant.schema.state import apply
from cormorant.schema.unsaid import with_unsaid


async def repairs(place: Place, wanted: SchemaSnapshot) -> tuple[list[Operation], list[str]]:
    """Gives what would make a database what a schema says, and the tables of which the schema says nothing.

    Args:
        place: Where to ask; the scratch schema that PostgreSQL needs for it is rolled back.
        wanted: The schema.
    """
    found = await introspect(place.connection, place.dialect, wanted.schemas)
    keys = {table.key for table in wanted.tables}
    said = await normalised(place.connection, place.dialect, wanted)
    others = [table.key for table in found.tables if table.key not in keys]
    enums = tuple(enum for enum in found.enums if wanted.enum(enum.key) is not None)
    return diff(replace(found.only(keys), enums=enums), said), others


async def compared(place: Place, standing: Standing, models: SchemaSnapshot | None) -> Drift:
    """Compares models, migrations and a database.

    Args:
        place: Where to ask.
        standing: The migrations, and which of them the database has.
        models: What the models want; None if there are none.
    """
    applied = state_of(standing)
    differences, others = await repairs(place, applied)
    made = standing.history.state()
    unmade = [] if models is None else diff(made, with_unsaid(models, made))
    return Drift(
        unmade=tuple(unmade),
        unapplied=tuple(file.key for file in standing.pending),
        repairs=tuple(differences),
        unmanaged=tuple(others),
        changed=tuple(standing.changed),
        missing=tuple(standing.missing),
    )


def state_of(standing: Standing) -> SchemaSnapshot:
    """Gives the schema that a database should have by what it has written down, half migrations included."""
    state = standing.history.state_of(standing.applied)
    for file in standing.pending:
        record = standing.record(file)
        for step in file.migration.operations[: 0 if record is None else record.step]:
            state = apply(state, *changes_of(step))
    return state
