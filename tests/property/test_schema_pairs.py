"""From any schema to any other: what both have keeps its values, and the database is then what was asked for, and back.

`CORMORANT_SCHEMA_PAIRS` says how many pairs; 500 after a change to `src/cormorant/schema`.
"""

from __future__ import annotations

import asyncio
import os
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from cormorant import Database
from cormorant.schema import snapshot as s
from cormorant.schema import steps as op
from cormorant.schema.builder import SchemaBuilder
from cormorant.schema.diff import diff
from cormorant.schema.json_form import snapshot_from_json, snapshot_to_json
from cormorant.schema.python_form import operations_source
from cormorant.schema.state import apply
from tests.support.schemas import ROWS, Pair, Row, pairs, plain, value

PHASES = (Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink)
EXAMPLES = int(os.environ.get("CORMORANT_SCHEMA_PAIRS", "8"))

Rows = dict[str, dict[int, Row]]
"""The rows of each table, by their numbers."""


def test_there_and_back(database_dsn: str) -> None:
    with asyncio.Runner() as runner:
        database = Database(database_dsn)
        house = House(database)

        @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), phases=PHASES)
        @given(pairs(), st.booleans())
        def check(pair: Pair, reversing: bool) -> None:
            runner.run(house.there_and_back(pair, reversing=reversing))

        try:
            check()
        finally:
            runner.run(database.close())


class House:
    """A database that becomes one schema after the other."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.builder = SchemaBuilder(database)
        self.dialect = database.dialect.name

    async def there_and_back(self, pair: Pair, *, reversing: bool) -> None:
        await self.become(s.SchemaSnapshot(dialect=self.dialect))
        await self.builder.apply(diff(s.SchemaSnapshot(), pair.old))
        await self.fill(pair.old)
        await self.is_(pair.old)
        before = await self.rows()
        operations = diff(pair.old, pair.new)
        assert eval(operations_source(operations), {"op": op, "s": s}) == operations
        reached = apply(pair.old, *operations)
        assert diff(reached, pair.new) == []
        backwards = [operation.reverse() for operation in reversed(operations)]
        assert diff(apply(reached, *backwards), pair.old) == []
        await self.builder.apply(operations)
        await self.is_(pair.new)
        after = await self.rows()
        self.compare(before, after, pair)
        back = pair.back()
        if reversing:
            await self.builder.apply(backwards)
            await self.is_(back.new)
        else:
            await self.become(back.new)
        self.compare(after, await self.rows(), back)
        assert snapshot_from_json(snapshot_to_json(pair.new)) == pair.new

    async def is_(self, wanted: s.SchemaSnapshot) -> None:
        assert diff(await self.builder.live(), await self.builder.normalised(wanted)) == []

    async def become(self, wanted: s.SchemaSnapshot) -> None:
        await self.builder.apply(diff(await self.builder.live(), await self.builder.normalised(wanted)))
        await self.is_(wanted)

    async def fill(self, schema: s.SchemaSnapshot) -> None:
        quote = self.database.dialect.quote
        for table in schema.tables:
            own = [c for c in table.columns if c.name != "id" and not c.name.endswith("_id") and c.computed is None]
            names = ", ".join(quote(name) for name in ("id", *(c.name for c in own)))
            for row in ROWS:
                values = [str(row), *(self.value(c, row) for c in own)]
                await self.execute(f"INSERT INTO {quote(table.name)} ({names}) VALUES ({', '.join(values)})")
        for table in schema.tables:
            for key in table.foreign_keys:
                column = quote(key.columns[0])
                await self.execute(f'UPDATE {quote(table.name)} SET {column} = 4 - "id" WHERE "id" < 3')

    def value(self, column: s.Column, row: int) -> str:
        if row == ROWS[-1] and column.nullable:
            return "NULL"
        return str(value(column.name, column.type, row, self.dialect))

    async def rows(self) -> Rows:
        found: Rows = {}
        for table in (await self.builder.live()).tables:
            names = [column.name for column in table.columns if column.computed is None]
            said = ", ".join(map(self.database.dialect.quote, names))
            rows = await self.execute(f"SELECT {said} FROM {self.database.dialect.quote(table.name)}")
            found[table.name] = {
                int(row["id"]): {name: plain(name, each) for name, each in row.items()}
                for row in (dict(zip(names, values, strict=True)) for values in rows)
            }
        return found

    async def execute(self, sql: str) -> Any:
        connection = await self.database.adapter.acquire(write=True)
        try:
            return (await connection.query(sql)).rows
        finally:
            self.database.adapter.release(connection)

    def compare(self, before: Rows, after: Rows, pair: Pair) -> None:
        """What is in both has the values that it had; NULL where it may be no more is filled."""
        for table in pair.new.tables:
            was = pair.old.table(pair.tables.get(table.key, table.key))
            if was is None:
                assert after[table.name] == {}
                continue
            assert after[table.name].keys() == before[was.name].keys()
            for column in table.columns:
                old = was.column(pair.columns.get((table.key, column.name), column.name))
                if old is None or old.computed is not None or column.computed is not None:
                    continue
                for row, values in before[was.name].items():
                    self.same(column, values[old.name], after[table.name][row][column.name])

    @staticmethod
    def same(column: s.Column, before: Any, after: Any) -> None:
        if before is None and not column.nullable:
            assert after is not None
        else:
            assert before == after
