"""A column whose enum type was made anew, and which became another type, has lost its default on the way back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cormorant import Database
from cormorant.schema import snapshot as s
from cormorant.schema.builder import SchemaBuilder
from cormorant.schema.diff import diff

MOOD = s.Column("mood", '"mood"', nullable=True, default="'calm'")
MOODS = s.Column("moods", '"mood"[]', nullable=True, default="'{}'")
TABLE = s.Table("shelf", (s.Column("id", "bigint"), MOOD, MOODS), s.PrimaryKey(("id",)))
BEFORE = s.SchemaSnapshot((TABLE,), (s.Enum("mood", ("calm", "cross")),))
CASES = {
    "another type": (replace(MOOD, type="text", default=None), replace(MOODS, type="text[]", default=None)),
    "another default": (replace(MOOD, default="'cross'"), replace(MOODS, default=None)),
    "the same": (MOOD, MOODS),
}


@pytest.mark.parametrize("name", CASES)
async def test_the_default_comes_back(postgres_database: str, name: str) -> None:
    table = replace(TABLE, columns=(TABLE.columns[0], *CASES[name]))
    after = s.SchemaSnapshot((table,), (s.Enum("mood", ("cross", "calm")),))
    async with Database(postgres_database) as database:
        builder = SchemaBuilder(database)
        await builder.apply(diff(s.SchemaSnapshot(), BEFORE))
        operations = diff(BEFORE, after)
        await builder.apply(operations)
        assert diff(await builder.live(), await builder.normalised(after)) == []
        await builder.apply([operation.reverse() for operation in reversed(operations)])
        assert diff(await builder.live(), await builder.normalised(BEFORE)) == []
        assert [operation.reverse().reverse() for operation in operations] == operations


@pytest.mark.parametrize("kind", ["mood", "text"])
async def test_a_default_that_goes_with_its_value_comes_back(postgres_database: str, kind: str) -> None:
    moods = replace(MOODS, default=None)
    before = replace(TABLE, columns=(TABLE.columns[0], MOOD, moods))
    changed = replace(MOOD, type=kind, default="'cross'")
    table = replace(before, columns=(before.columns[0], changed, moods))
    after = s.SchemaSnapshot((table,), (s.Enum("mood", ("cross", "new")),))
    first = s.SchemaSnapshot((before,), BEFORE.enums)
    async with Database(postgres_database) as database:
        builder = SchemaBuilder(database)
        await builder.apply(diff(s.SchemaSnapshot(), first))
        operations = diff(first, after)
        await builder.apply(operations)
        assert diff(await builder.live(), await builder.normalised(after)) == []
        await builder.apply([operation.reverse() for operation in reversed(operations)])
        assert diff(await builder.live(), await builder.normalised(first)) == []
