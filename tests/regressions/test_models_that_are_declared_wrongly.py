"""A refused delete was told as the mistake of a model that had nothing to do with it."""

from __future__ import annotations

import pytest

from cormorant import (
    AsyncSession,
    Database,
    ForeignKeyViolation,
    Many,
    Mapped,
    Model,
    One,
    foreign_key,
    generated,
    reverse,
)
from cormorant.models.registry import registry


async def test_an_error_is_not_hidden_by_a_wrong_model(database_dsn: str) -> None:
    with registry.isolated():

        class Owner(Model, app="declared_wrongly"):
            id: Mapped[int] = generated(primary_key=True)

        class Thing(Model, app="declared_wrongly"):
            id: Mapped[int] = generated(primary_key=True)
            owner: One[Owner] = foreign_key()

        class Wrong(Model, app="declared_wrongly"):
            id: Mapped[int] = generated(primary_key=True)
            things: Many[Thing] = reverse("nothing_of_this_name")

        async with Database(database_dsn) as database:
            await database.create_all(Owner, Thing)
            async with AsyncSession(database) as session:
                owner = Owner()
                session.add(owner, Thing(owner=owner))
                await session.commit()
                session.clear()
                session.delete(await session.get_one(Owner, owner.id))
                with pytest.raises(ForeignKeyViolation, match=r"delete what points there by Thing\.owner"):
                    await session.flush()
                await session.rollback()
        assert Wrong
