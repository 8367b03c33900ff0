"""Objects that were loaded before a block became unreadable when it failed, if it had only read their rows again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest

from cormorant import AsyncSession, Database, Many, Mapped, Model, One, field, foreign_key, generated, reverse
from cormorant.errors import NotLoadedError
from cormorant.models.state import is_reference
from tests.support import kept_tables


class Jar(Model, app="read_again"):
    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str] = field(unique=True)
    grams: Mapped[int] = field(default=0)
    notes: Mapped[dict[str, int]] = field(default_factory=dict)
    version: Mapped[int] = generated(version=True)
    sweets: Many[Sweet] = reverse("jar")


class Sweet(Model, app="read_again"):
    id: Mapped[int] = generated(primary_key=True)
    colour: Mapped[str] = field(default="red")
    jar: One[Jar] = foreign_key()


class ChangedMyMind(Exception):
    pass


@pytest.fixture
async def database(database_dsn: str, keeps_tables: None) -> AsyncIterator[Database]:
    async with Database(database_dsn) as database:
        await kept_tables.prepare(database, database_dsn, Jar, Sweet)
        async with AsyncSession(database) as session:
            jar = Jar(name="one", grams=1, notes={"a": 1})
            session.add(jar, Jar(name="two", grams=2), Sweet(jar=jar), Sweet(jar=jar))
        yield database


Work = Callable[[AsyncSession, Jar], Awaitable[object]]


async def beside(session: AsyncSession) -> None:
    session.add(Jar(name="new"))
    await session.flush()


async def raw(session: AsyncSession) -> None:
    await session.execute(
        "UPDATE read_again_jar SET grams = 9, notes = '{\"b\": 2}', version = version + 1", write=True
    )


async def query(session: AsyncSession, jar: Jar) -> None:
    await beside(session)
    await session.query(Jar)


async def refresh(session: AsyncSession, jar: Jar) -> None:
    await beside(session)
    await session.refresh(jar)


async def lock(session: AsyncSession, jar: Jar) -> None:
    await beside(session)
    await session.get(Jar, jar.id, for_update=True)


async def stream(session: AsyncSession, jar: Jar) -> None:
    await beside(session)
    async for _ in session.query(Jar).order_by(Jar.id).stream(chunk=1):
        pass


async def join(session: AsyncSession, jar: Jar) -> None:
    await beside(session)
    await session.query(Sweet).select_related(Sweet.jar)


async def own(session: AsyncSession, jar: Jar) -> None:
    jar.grams = 3
    await session.flush()
    await session.query(Jar)


async def raw_query(session: AsyncSession, jar: Jar) -> None:
    await raw(session)
    await session.query(Jar)


async def raw_refresh(session: AsyncSession, jar: Jar) -> None:
    await raw(session)
    await session.refresh(jar)
    jar.grams += 1
    await session.flush()
    await session.refresh(jar)


async def by_query(session: AsyncSession, jar: Jar) -> None:
    await session.query(Jar).update(Jar.grams.set(9))
    await session.query(Jar)


async def returning(session: AsyncSession, jar: Jar) -> None:
    await session.query(Jar).update(Jar.grams.set(9), returning=Jar)


async def upsert(session: AsyncSession, jar: Jar) -> None:
    await session.query(Jar).upsert([Jar(name="one", grams=9)], on=[Jar.name])


async def upsert_returning(session: AsyncSession, jar: Jar) -> None:
    await session.query(Jar).upsert([{"name": "one", "grams": 9}], on=[Jar.name], returning=Jar)


WAYS: list[Work] = [
    query,
    refresh,
    lock,
    stream,
    join,
    own,
    raw_query,
    raw_refresh,
    by_query,
    returning,
    upsert,
    upsert_returning,
]


def shown(jar: Jar) -> tuple[object, ...]:
    return jar.name, jar.grams, dict(jar.notes), jar.version


FIRST = ("one", 1, {"a": 1}, 1)


@pytest.mark.parametrize("work", WAYS)
@pytest.mark.parametrize("end", ["block", "savepoint", "by hand", "around a savepoint"])
async def test_values_are_as_they_were(database: Database, work: Work, end: str) -> None:
    async with AsyncSession(database) as session:
        jar = await session.query(Jar).filter(Jar.name == "one").one()
        assert shown(jar) == FIRST
        await fail(session, lambda: work(session, jar), end)
        assert shown(jar) == FIRST
        assert session.state().unit.is_empty
        # and it is saved as what it shows
        jar.grams = 100
    async with AsyncSession(database) as session:
        found = await session.query(Jar).filter(Jar.name == "one").one()
        assert (found.grams, found.version) == (100, 2)


async def fail(session: AsyncSession, work: Callable[[], Awaitable[object]], end: str) -> None:
    if end == "by hand":
        await session.begin()
        await work()
        await session.rollback()
        return
    if end == "block":
        with suppress(ChangedMyMind):
            async with session.transaction():
                await work()
                raise ChangedMyMind
        return
    async with session.transaction():
        with suppress(ChangedMyMind):
            async with session.transaction():
                if end == "savepoint":
                    await work()
                else:
                    async with session.transaction():
                        await work()
                raise ChangedMyMind


async def test_each_block_goes_back_to_what_was_read_before_it(database: Database) -> None:
    async with AsyncSession(database) as session:
        jar = await session.query(Jar).filter(Jar.name == "one").one()
        with suppress(ChangedMyMind):
            async with session.transaction():
                await raw(session)
                await session.query(Jar)
                second = shown(jar)
                assert second == ("one", 9, {"b": 2}, 2)
                other = await session.query(Jar).filter(Jar.name == "two").one()
                with suppress(ChangedMyMind):
                    async with session.transaction():
                        await session.execute("UPDATE read_again_jar SET grams = 10", write=True)
                        await session.query(Jar)
                        assert (jar.grams, other.grams) == (10, 10)
                        raise ChangedMyMind
                assert shown(jar) == second
                assert other.grams == 9
                raise ChangedMyMind
        assert shown(jar) == FIRST
        # this one was read for the first time after the write
        assert is_reference(other)
        assert (await other).grams == 2


async def test_a_savepoint_that_only_reads_takes_nothing_back_that_it_has_read(database: Database) -> None:
    async with AsyncSession(database) as session:
        jar = await session.query(Jar).filter(Jar.name == "one").one()
        with suppress(ChangedMyMind):
            async with session.transaction():
                await raw(session)
                with suppress(ChangedMyMind):
                    async with session.transaction():
                        await session.query(Jar)
                        raise ChangedMyMind
                # the row is so, and the write is not undone
                assert jar.grams == 9
                raise ChangedMyMind
        assert shown(jar) == FIRST


async def test_what_was_read_again_stays_where_the_block_ends_well(database: Database) -> None:
    async with AsyncSession(database) as session:
        jar = await session.query(Jar).filter(Jar.name == "one").one()
        async with session.transaction():
            await raw_query(session, jar)
        assert jar.grams == 9
        await session.rollback()
        assert jar.grams == 9
        assert session.state().identity.remember is None


async def test_relations_and_collections_are_as_they_were(database: Database) -> None:
    async with AsyncSession(database) as session:
        (sweet, _) = await session.query(Sweet).order_by(Sweet.id).select_related(Sweet.jar)
        jar = sweet.jar
        two = await session.query(Jar).filter(Jar.name == "two").one()
        before = list(await jar.sweets)
        with suppress(ChangedMyMind):
            async with session.transaction():
                await session.execute(f"UPDATE read_again_sweet SET jar_id = {two.id}", write=True)
                await session.refresh(sweet, jar)
                assert sweet.jar is two
                assert list(await jar.sweets) == []
                raise ChangedMyMind
        assert sweet.jar is jar
        assert sweet.jar_id == jar.id
        assert list(jar.sweets) == before


async def test_columns_that_were_loaded_in_the_block_are_not_there_after_it(database: Database) -> None:
    async with AsyncSession(database) as session:
        jar = await session.query(Jar).only(Jar.name).filter(Jar.name == "one").one()
        with suppress(ChangedMyMind):
            async with session.transaction():
                await raw(session)
                assert (await jar).grams == 9
                raise ChangedMyMind
        assert jar.name == "one"
        with pytest.raises(NotLoadedError):
            _ = jar.grams
        assert (await jar).grams == 1


async def test_nothing_is_remembered_of_reads_before_the_first_write(database: Database) -> None:
    async with AsyncSession(database) as session:
        jar = await session.query(Jar).filter(Jar.name == "one").one()
        async with session.transaction():
            await session.query(Jar)
            await session.refresh(jar)
            marks: list[Any] = session.state().unit.history.marks
            assert [mark for mark in marks if mark.known] == []
            assert session.state().identity.remember is None
