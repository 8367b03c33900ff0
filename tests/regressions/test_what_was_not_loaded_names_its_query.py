"""Relations of references, and objects of which only the key was read, did not say which query had left them out."""

from __future__ import annotations

import pytest

from cormorant import (
    AsyncSession,
    Database,
    Many,
    Mapped,
    Model,
    NotLoadedError,
    One,
    foreign_key,
    generated,
    reverse,
)


class Owner(Model, app="regressions_whence"):
    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str]
    pets: Many[Pet] = reverse("owner")
    house: One[House | None] = reverse("owner")


class House(Model, app="regressions_whence"):
    id: Mapped[int] = generated(primary_key=True)
    owner: One[Owner] = foreign_key(unique=True)


class Pet(Model, app="regressions_whence"):
    id: Mapped[int] = generated(primary_key=True)
    owner: One[Owner] = foreign_key()


async def test_the_line_of_the_query_is_named(database_dsn: str) -> None:
    async with Database(database_dsn) as database:
        await database.create_all(Owner, House, Pet)
        async with AsyncSession(database) as session:
            session.add(Pet(owner=Owner(name="Ada")))
        async with AsyncSession(database) as session:
            pet = await session.query(Pet).one()
            with pytest.raises(
                NotLoadedError, match=r"it is the Pet\.owner of what was read at .*names_its_query\.py:\d+"
            ):
                len(pet.owner.pets)
            with pytest.raises(NotLoadedError, match=r"read at .*names_its_query\.py:\d+") as caught:
                _ = pet.owner.house
            assert ".select_related(Pet.owner.house)" in (caught.value.hint or "")
        async with AsyncSession(database) as session:
            owner = await session.query(Owner).only(Owner.id).one()
            with pytest.raises(NotLoadedError, match=r"was not loaded by the query at .*names_its_query\.py:\d+"):
                _ = owner.name
