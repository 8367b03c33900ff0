"""get_or_create() found rows by the key of a relation, and failed with the TypeError of `__init__` to make one."""

from __future__ import annotations

import pytest

from cormorant import (
    AsyncSession,
    Database,
    Mapped,
    Model,
    One,
    UnknownName,
    WrongType,
    field,
    foreign_key,
    func,
    generated,
    ref,
)


class Region(Model, app="regressions_making"):
    country: Mapped[str] = field(primary_key=True)
    number: Mapped[int] = field(primary_key=True)


class Depot(Model, app="regressions_making"):
    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str]
    length: Mapped[int] = generated(computed=lambda m: func.length(m.name))
    region: One[Region] = foreign_key()
    parent_id: Mapped[int | None] = field(default=None)
    parent: One[Depot | None] = foreign_key(init=False)


async def test_keys_make_what_they_find(database_dsn: str) -> None:
    async with Database(database_dsn) as database:
        await database.create_all(Region, Depot)
        async with AsyncSession(database) as session:
            session.add(Region(country="CH", number=1))
            await session.flush()
            depots = session.query(Depot)
            key = {"region_country": "CH", "region_number": 1}
            first, made = await depots.get_or_create(name="a", **key)
            assert (made, first.region.number) == (True, 1)
            assert await depots.get_or_create(name="a", region=ref(Region, "CH", 1)) == (first, False)
            second, made = await depots.update_or_create(name="b", parent=first, defaults=key)
            assert (made, second.parent is first, second.region.country) == (True, True, "CH")
            assert await depots.get_or_create(name="b", parent_id=first.id) == (second, False)
            third, made = await depots.get_or_create(name="c", parent_id=second.id, defaults=key)
            assert (made, third.parent is second) == (True, True)


async def test_what_cannot_be_made_is_named(database_dsn: str) -> None:
    async with Database(database_dsn) as database:
        await database.create_all(Region, Depot)
        async with AsyncSession(database) as session:
            depots = session.query(Depot)
            with pytest.raises(UnknownName, match=r"length=: the database computes Depot\.length"):
                await depots.get_or_create(name="a", length=1)
            with pytest.raises(WrongType, match=r"Depot\.region cannot be None"):
                await depots.get_or_create(name="a", region_country=None, region_number=None)
            assert not session.new
