"""A unit of work with hooks is cancelled at each of its awaits: all is written or nothing, and the hooks know which."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cormorant import AsyncSession, Database, Mapped, Model, field, generated
from tests.support import databases, kept_tables
from tests.support.cancelling import When, cancelled_at


class Step(Model, app="cancelled_hooks"):
    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str]
    number: Mapped[int] = field(default=0)

    async def before_save(self) -> None:
        await asyncio.sleep(0)
        self.number = await AsyncSession.current().query(Step).count()

    async def after_save(self, *, created: bool) -> None:
        await asyncio.sleep(0)
        if self.name == "one":
            AsyncSession.current().add(Step(name="added"))

    async def before_commit(self) -> None:
        await asyncio.sleep(0)

    async def after_commit(self) -> None:
        LOG.append(f"committed {self.name}")
        await asyncio.sleep(0)

    async def after_rollback(self) -> None:
        LOG.append(f"undone {self.name}")
        await asyncio.sleep(0)


LOG: list[str] = []
ALL = ["added", "one", "two"]


@pytest.fixture(params=databases.ALL)
def database_dsn(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Also of SQLite in threads, where there is more to wait for."""
    return databases.dsn_of(request, tmp_path)


@pytest.fixture
async def database(database_dsn: str, keeps_tables: None) -> AsyncIterator[Database]:
    async with Database(database_dsn) as database:
        await kept_tables.prepare(database, database_dsn, Step)
        yield database


@pytest.mark.parametrize("when", ["waiting", "answered"])
@pytest.mark.parametrize("block", [False, True])
async def test_hooks_know_what_became_of_a_cancelled_unit_of_work(database: Database, when: When, block: bool) -> None:
    async def unit() -> None:
        async with AsyncSession(database) as session:
            if not block:
                session.add(Step(name="one"), Step(name="two"))
                return
            async with session.transaction():
                session.add(Step(name="one"))
                async with session.transaction():
                    session.add(Step(name="two"))

    outcomes: set[bool] = set()
    number, came = 0, True
    while came:
        number += 1
        LOG.clear()
        came = await cancelled_at(unit(), number, when)
        async with AsyncSession(database) as session:
            names = sorted(await session.query(Step).scalars(Step.name))
            await session.query(Step).delete()
        assert names in ([], ALL)
        outcomes.add(bool(names))
        committed = sorted(line.removeprefix("committed ") for line in LOG if line.startswith("committed"))
        assert committed == names
        # what was never written has nothing to be undone
        assert not (names and len(LOG) > len(names))
        assert len(LOG) == len(set(LOG))
        stats = database.adapter.stats
        assert (stats.in_use, stats.waiting) == (0, 0)
    assert number > databases.fewest_waits(database)
    assert outcomes == {False, True}
