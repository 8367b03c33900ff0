"""A declared index over a foreign key met the one that the key has anyway: both had one name."""

from __future__ import annotations

from collections.abc import Iterable

from cormorant import Database, Mapped, Model, One, TableArg, field, foreign_key, generated, index


class Owner(Model, app="regressions"):
    id: Mapped[int] = generated(primary_key=True)


class Pet(Model, app="regressions"):
    id: Mapped[int] = generated(primary_key=True)
    owner: One[Owner] = foreign_key()
    age: Mapped[int] = field(index=True)

    @classmethod
    def __table_args__(cls) -> Iterable[TableArg]:
        yield index(cls.owner)
        yield index(cls.age, where=cls.age > 3)


async def test_tables_with_such_indexes_can_be_made(database_dsn: str) -> None:
    async with Database(database_dsn) as database:
        assert len(database.create_sql(Pet)) == 4
        await database.create_all(Owner, Pet)
