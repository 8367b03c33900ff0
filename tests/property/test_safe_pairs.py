"""From any schema to any other in safe steps: the same database comes of it, with the same values, and back.

`CORMORANT_SCHEMA_PAIRS` says how many pairs; 500 after a change to `src/cormorant/migrations/safety/safe_form.py`.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence

from hypothesis import HealthCheck, Phase, given, settings

from cormorant import Database
from cormorant.migrations import Backfill, Step
from cormorant.migrations.safety.backfilling import run_backfill
from cormorant.migrations.safety.safe_form import safe
from cormorant.schema import snapshot as s
from cormorant.schema.diff import diff
from cormorant.schema.operations import Operation
from cormorant.schema.running import run
from cormorant.schema.state import apply
from tests.property.test_schema_pairs import House
from tests.support.schemas import Pair, pairs

PHASES = (Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink)
EXAMPLES = int(os.environ.get("CORMORANT_SCHEMA_PAIRS", "4"))


def test_there_and_back_safely(database_dsn: str) -> None:
    with asyncio.Runner() as runner:
        database = Database(database_dsn)
        house = SafeHouse(database)

        @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), phases=PHASES)
        @given(pairs())
        def check(pair: Pair) -> None:
            runner.run(house.there_and_back_safely(pair))

        try:
            check()
        finally:
            runner.run(database.close())


class SafeHouse(House):
    """A database that becomes one schema after the other, while others could use it."""

    async def there_and_back_safely(self, pair: Pair) -> None:
        await self.become(s.SchemaSnapshot(dialect=self.dialect))
        await self.builder.apply(diff(s.SchemaSnapshot(), pair.old))
        await self.fill(pair.old)
        before = await self.rows()
        steps = safe(diff(pair.old, pair.new), pair.old)
        await self.take(pair.old, steps)
        await self.is_(pair.new)
        after = await self.rows()
        self.compare(before, after, pair)
        back = pair.back()
        reached = apply(pair.old, *(step for step in steps if isinstance(step, Operation)))
        await self.take(reached, [step.reverse() for step in reversed(steps)])
        await self.is_(back.new)
        self.compare(after, await self.rows(), back)

    async def take(self, state: s.SchemaSnapshot, steps: Sequence[Step]) -> None:
        """Runs steps: operations together up to the next backfill."""
        waiting: list[Operation] = []
        for step in steps:
            if isinstance(step, Operation):
                waiting.append(step)
            elif isinstance(step, Backfill):
                state = await self.together(state, waiting)
                waiting = []
                await self.in_batches(state, step)
        await self.together(state, waiting)

    async def together(self, state: s.SchemaSnapshot, operations: Sequence[Operation]) -> s.SchemaSnapshot:
        connection = await self.database.adapter.acquire(write=True)
        try:
            await run(connection, self.database.dialect, state, operations)
        finally:
            self.database.adapter.release(connection)
            self.database.schema_changed()
        return apply(state, *operations)

    async def in_batches(self, state: s.SchemaSnapshot, backfill: Backfill) -> None:
        table = state.table(backfill.table)
        assert table is not None
        connection = await self.database.adapter.acquire(write=True)
        try:
            await run_backfill(connection, self.database.dialect, backfill, table, name="pair")
        finally:
            self.database.adapter.release(connection)
