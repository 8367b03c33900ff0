"""A column with a collation of its own folded case by it, and the text beside it by the database's."""

from __future__ import annotations

import pytest

from cormorant import AsyncSession, Database, Mapped, Model, field, func, generated


class Name(Model, app="regressions_collation"):
    id: Mapped[int] = generated(primary_key=True)
    plain: Mapped[str]
    own: Mapped[str] = field(collation="C")


class Nocase(Model, app="regressions_collation"):
    id: Mapped[int] = generated(primary_key=True)
    own: Mapped[str] = field(collation="NOCASE")


@pytest.mark.parametrize("lookup", ["exact", "iexact", "icontains", "istartswith", "iendswith"])
async def test_both_sides_are_folded_alike_on_postgresql(postgres_database: str, lookup: str) -> None:
    async with Database(postgres_database) as database:
        await database.create_all(Name)
        async with AsyncSession(database) as session:
            session.add(Name(plain="Über", own="Über"))
            names = session.query(Name)
            assert await names.filter(**{f"own__{lookup}": "Über"}).count() == 1
            if lookup != "exact":
                compare = getattr(Name.own, lookup)
                for text in (Name.plain, Name.own, Name.plain + ""):
                    assert await names.filter(compare(text)).count() == 1
                assert await names.filter(getattr(Name.plain, lookup)(Name.own)).count() == 1
                assert await names.filter(getattr(func.trim(Name.own), lookup)("Über")).count() == 1
                per = names.values(Name.id, Name.own).subquery("per")
                joined = names.join(per, per[Name.id] == Name.id)
                assert await joined.filter(getattr(per[Name.own], lookup)(Name.plain)).count() == 1
                assert await names.filter(compare("über")).count() == 0


async def test_a_column_as_it_stands_can_use_an_index(postgres_database: str) -> None:
    async with Database(postgres_database) as database, AsyncSession(database) as session:
        names = session.query(Name)
        own, plain = (names.filter(column.iexact("x")).compile().sql for column in (Name.own, Name.plain))
        assert own.endswith('lower("regressions_collation_name"."own") = lower($1::text COLLATE "C")')
        assert plain.endswith('lower("regressions_collation_name"."plain") = lower($1::text)')


async def test_sqlite_folds_all_texts_alike() -> None:
    async with Database("sqlite://") as database:
        await database.create_all(Nocase)
        async with AsyncSession(database) as session:
            session.add(Nocase(own="Über"))
            for lookup in ("iexact", "icontains", "istartswith", "iendswith"):
                assert await session.query(Nocase).filter(**{f"own__{lookup}": "ÜBER"}).count() == 1
