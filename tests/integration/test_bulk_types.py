"""Every column type by every way of writing in bulk: the same Python values come back, of the same class."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from cormorant import AsyncSession, Database, Mapped, Model, field, generated, types
from cormorant.models.registry import registry
from cormorant.persistence import bulk_send
from tests.integration import test_column_types as column_types
from tests.integration.test_column_types import KINDS, Kind, assert_same, every_kind, kept
from tests.support.newsroom import sql_of


@pytest.fixture
async def database(database_dsn: str) -> AsyncIterator[Database]:
    async with Database(database_dsn) as database:
        yield database


def rows_of(kind: Kind) -> list[dict[str, Any]]:
    return [*({"value": value, "other": value} for value in kind.values), {"value": kind.values[0], "other": None}]


async def check_kept(database: Database, kind: Kind) -> None:
    *found, last = await kept(database, kind)
    assert len(found) == len(kind.values)
    for row, value in zip(found, kind.values, strict=True):
        assert_same(row.value, value)
        assert_same(row.other, value)
    assert last.other is None


@every_kind
async def test_mappings(database: Database, kind: Kind) -> None:
    await database.create_all(kind.model)
    async with AsyncSession(database) as session:
        made = await session.query(kind.model).bulk_create(rows_of(kind), returning=kind.model.value)
        for found, value in zip(made, [*kind.values, kind.values[0]], strict=True):
            assert_same(found, value)
        await session.query(kind.model).delete()
        assert await session.query(kind.model).bulk_create(rows_of(kind)) == len(kind.values) + 1
    await check_kept(database, kind)


@every_kind
async def test_copied(database: Database, kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk_send, "COPY_FROM", 1)
    await database.create_all(kind.model)
    async with AsyncSession(database) as session:
        assert await session.query(kind.model).bulk_create(rows_of(kind)) == len(kind.values) + 1
        assert len(sql_of(session, "COPY")) == (1 if database.dialect.name == "postgresql" else 0)
    await check_kept(database, kind)


@every_kind
async def test_objects_and_their_upserts(database: Database, kind: Kind) -> None:
    await database.create_all(kind.model)
    model = kind.model
    async with AsyncSession(database) as session:
        made = await session.query(model).bulk_create([model(**row) for row in rows_of(kind)])
        turned = [model(id=old.id, value=new.value, other=new.other) for old, new in zip(made, made[::-1], strict=True)]
        changed = await session.query(model).upsert(turned, on=[model.id])
        assert changed == made
        for found, value in zip(changed, [kind.values[0], *reversed(kind.values)], strict=True):
            assert_same(found.value, value)
        assert made[0].other is None
        assert not session.dirty
        await session.query(model).upsert(
            [{"id": row.id, **given} for row, given in zip(made, rows_of(kind), strict=True)], on=[model.id]
        )
    await check_kept(database, kind)


@every_kind
async def test_updates_that_give_back(database: Database, kind: Kind) -> None:
    await database.create_all(kind.model)
    model = kind.model
    async with AsyncSession(database) as session:
        (row,) = await session.query(model).bulk_create([model(value=kind.values[0])])
        for value in kind.values:
            assert_same((await session.query(model).update(model.value.set(value), returning=model.value))[0], value)
            assert_same(row.value, value)
            ((found, other),) = await session.query(model).update(
                model.other.set(model.value), returning=(model.value, model.other)
            )
            assert_same(found, value)
            assert_same(other, value)
            assert_same(row.other, value)
            assert not session.dirty
        (gone,) = await session.query(model).delete(returning=model)
        assert gone is row
        assert_same(gone.value, kind.values[-1])


@every_kind
async def test_rows_from_another_query(database: Database, kind: Kind) -> None:
    await database.create_all(kind.model)
    model = kind.model
    async with AsyncSession(database) as session:
        await session.query(model).bulk_create(rows_of(kind))
        rows = session.query(model).order_by(model.id).values(model.id + 1000, model.value, model.other)
        assert (
            await session.query(model).insert_from([model.id, model.value, model.other], rows) == len(kind.values) + 1
        )
        await session.query(model).filter(model.id < 1000).delete()
    await check_kept(database, kind)


# ------------------------------------------------------------------ as a key


# a document tells no rows apart, and PostgreSQL indexes no long texts
KEYS = [
    kind
    for kind in KINDS
    if kind.name != "word" and not isinstance(kind.model.__info__.by_attribute["value"].type, types.Json)
]


def keyed(kind: Kind) -> Any:
    """Gives a model whose rows are known by a value of this type."""
    body = {
        "__module__": column_types.__name__,
        "__qualname__": f"Keyed_{kind.name}",
        "__annotations__": {"id": Mapped[int], "key": Mapped[kind.annotation], "n": Mapped[int]},
        "id": generated(primary_key=True),
        "key": field(unique=True, **kind.options),
        "n": field(),
    }
    with registry.isolated():
        return type(Model)(f"Keyed_{kind.name}", (Model,), body, table=f"keyed_{kind.name}")


@pytest.mark.parametrize("kind", KEYS, ids=[kind.name for kind in KEYS])
async def test_keys(database: Database, kind: Kind) -> None:
    model = keyed(kind)
    await database.create_all(model)
    async with AsyncSession(database) as session:
        rows = [model(key=value, n=n) for n, value in enumerate(kind.values)]
        made = await session.query(model).upsert(rows, on=[model.key])
        assert made == rows
        again = await session.query(model).upsert(
            [model(key=value, n=n + 100) for n, value in enumerate(kind.values)], on=[model.key], dedupe="first"
        )
        assert again == rows
        assert [row.n for row in rows] == list(range(100, 100 + len(rows)))
        left = await session.query(model).upsert(
            [model(key=value, n=0) for value in kind.values], on=[model.key], set=[]
        )
        assert left == rows
        session.clear()
        new = [model(key=value, n=0) for value in kind.values]
        assert await session.query(model).upsert(new, on=[model.key], set=[]) == new
        assert [row.n for row in new] == list(range(100, 100 + len(rows)))
