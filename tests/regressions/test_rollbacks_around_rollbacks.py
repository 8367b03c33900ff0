"""An object that an inner block had put back was unloaded when the block around it was rolled back as well."""

from __future__ import annotations

from cormorant import AsyncSession, Database, Mapped, Model, generated


class Kettle(Model, app="rollbacks_around"):
    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str]


async def test_what_was_put_back_twice_is_still_loaded(database_dsn: str) -> None:
    async with Database(database_dsn) as database:
        await database.create_all(Kettle)
        async with AsyncSession(database) as session:
            kettle = await session.create(Kettle, name="red")
            await session.commit()
            try:
                async with session.transaction():
                    await session.create(Kettle, name="other")
                    try:
                        async with session.transaction():
                            kettle.name = "blue"
                            await session.flush()
                            raise KeyError
                    except KeyError:
                        assert kettle.name == "red"
                    raise KeyError
            except KeyError:
                assert kettle.name == "red"
            assert not session.dirty
            kettle.name = "green"
            await session.commit()
            await session.refresh(kettle)
            assert kettle.name == "green"
