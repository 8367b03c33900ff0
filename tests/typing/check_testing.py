"""What tests are made with. Checked, never run; each ignored line must be an error."""

from __future__ import annotations

import re
from typing import assert_type

from cormorant import AsyncSession, Database, PostgresAdapter, Session
from cormorant.adapters.base import Adapter
from cormorant.testing import Recorded, RecordingAdapter, Sandbox, assert_queries
from cormorant.testing.conformance import AdapterConformance
from cormorant.testing.factories import ModelFactory
from tests.typing.shop import Customer


class CustomerFactory(ModelFactory[Customer]): ...


async def sandboxes(db: Database) -> None:
    async with Sandbox(db, also=[db]) as inside:
        assert_type(inside, Database)
    with Sandbox("sqlite://") as inside:
        assert_type(inside, Database)
    Sandbox(3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def counts(session: AsyncSession, sync: Session, db: Database) -> None:
    async with assert_queries(session, max=3) as seen:
        assert_type(seen.statements, dict[str, int])
        assert_type(seen.count, int)
    with assert_queries(sync, exact=1), assert_queries(db, max=1), assert_queries(exact=0):
        pass
    assert_queries(db, max="3")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    assert_queries(3, max=3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def recordings() -> None:
    recording = RecordingAdapter()
    adapter: Adapter = recording
    RecordingAdapter(adapter)
    RecordingAdapter(PostgresAdapter("postgresql://"))
    RecordingAdapter(dialect="sqlite")
    recording.answer("SELECT", [(1, "Ada")], columns=["id", "name"])
    recording.answer(re.compile("INSERT"), lambda sql, args: [(len(args),)])
    assert_type(recording.recorded, list[Recorded])
    assert_type(recording.statements, list[str])
    assert_type(recording.round_trips, int)
    RecordingAdapter(dialect="oracle")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    recording.answer(3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def factories() -> None:
    assert_type(CustomerFactory.build(name="x"), Customer)
    assert_type(CustomerFactory.batch(3), list[Customer])
    assert_type(await CustomerFactory.create_async(name="x"), Customer)
    assert_type(await CustomerFactory.create_batch_async(3), list[Customer])


class TestMine(AdapterConformance):
    placeholder = "$"
