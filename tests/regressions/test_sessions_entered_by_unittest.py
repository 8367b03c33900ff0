"""unittest never awaited the end of a session that `enterAsyncContext` had entered: nothing was committed."""

from __future__ import annotations

import inspect
import unittest

import pytest

from cormorant import AsyncSession, Database, Mapped, Model, SyncDatabase, field, generated
from cormorant.testing import Sandbox
from cormorant.testing.queries import assert_queries


class Nest(Model, table="unittest_nest"):
    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str] = field(default="")


def test_what_was_entered_is_committed(database_dsn: str) -> None:
    class Case(unittest.IsolatedAsyncioTestCase):
        async def asyncSetUp(self) -> None:
            database = await self.enterAsyncContext(Database(database_dsn))
            await database.create_all(Nest)
            self.session = await self.enterAsyncContext(AsyncSession(database))

        async def runTest(self) -> None:
            await self.session.create(Nest, name="kept")
            assert await Nest.objects.count() == 1

    result = unittest.TestResult()
    Case().run(result)
    assert (result.testsRun, result.failures, result.errors) == (1, [], [])
    with SyncDatabase(database_dsn) as database, database.session() as session:
        assert session.query(Nest).scalars(Nest.name).all() == ["kept"]


@pytest.mark.parametrize("kind", [AsyncSession, Database, Sandbox, assert_queries])
def test_what_leaves_a_block_tells_that_it_is_awaited(kind: type[object]) -> None:
    assert inspect.iscoroutinefunction(inspect.getattr_static(kind, "__aexit__"))
