"""S6: a unique value that a row lets go of may be taken by another one in the same flush."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from cormorant import AsyncSession, Database, DependencyCycleError, UniqueViolation
from tests.support import kept_tables
from tests.support.newsroom import sql_of, words
from tests.support.rings import MODELS, Card, Seat


@pytest.fixture
async def database(database_dsn: str, keeps_tables: None) -> AsyncIterator[Database]:
    async with Database(database_dsn) as database:
        await kept_tables.prepare(database, database_dsn, *MODELS)
        yield database


async def seats(database: Database, *codes: str | None) -> None:
    async with AsyncSession(database) as session:
        session.add(*(Seat(code=code, place=place) for place, code in enumerate(codes)))


async def codes(database: Database) -> dict[int, Any]:
    async with AsyncSession(database) as session:
        return dict(await session.query(Seat).order_by(Seat.id).values(Seat.id, Seat.code))


async def all_seats(session: AsyncSession) -> list[Seat]:
    return await session.query(Seat).order_by(Seat.id).all()


async def test_a_new_row_takes_the_value_of_one_that_goes(database: Database) -> None:
    await seats(database, "a", "b")
    async with AsyncSession(database) as session:
        first, _ = await all_seats(session)
        session.delete(first)
        session.add(Seat(code="a", place=7))
    assert await codes(database) == {2: "b", 3: "a"}


async def test_a_changed_row_takes_the_value_of_one_that_goes(database: Database) -> None:
    await seats(database, "a", "b")
    async with AsyncSession(database) as session:
        first, second = await all_seats(session)
        session.delete(first)
        second.code = "a"
    assert await codes(database) == {2: "a"}


async def test_a_new_row_takes_the_value_of_one_that_changes(database: Database) -> None:
    await seats(database, "a")
    async with AsyncSession(database) as session:
        (first,) = await all_seats(session)
        first.code = "b"
        session.add(Seat(code="a", place=7))
        await session.commit()
        assert words(session) == {"SELECT": 1, "BEGIN": 1, "UPDATE": 1, "INSERT": 1, "COMMIT": 1}
    assert await codes(database) == {1: "b", 2: "a"}


@pytest.mark.parametrize("turned", [False, True])
async def test_values_move_along_a_chain(database: Database, turned: bool) -> None:
    await seats(database, *(f"{n}" for n in range(30)))
    async with AsyncSession(database) as session:
        found = await all_seats(session)
        for number, seat in reversed(list(enumerate(found))) if turned else enumerate(found):
            seat.code = f"{number + 1}"
        session.add(Seat(code="0", place=100))
        await session.commit()
        # one statement, sent row by row: each row finds its value free
        assert sql_of(session, "UPDATE")[0].replace("?", "$").replace("RETURNING +", "RETURNING ") == (
            'UPDATE "rings_seat" SET "code" = $2 WHERE "id" = $1 RETURNING "id"'
        )
    assert await codes(database) == {**{n + 1: f"{n + 1}" for n in range(30)}, 31: "0"}


async def test_several_columns_are_unique_together(database: Database) -> None:
    await seats(database, "a", "b")
    async with AsyncSession(database) as session:
        first, second = await all_seats(session)
        # (1, 0) is free once the first one is in hall 2, where 1 is still free
        second.place = 0
        first.hall, first.place = 2, 1
        session.add(Seat(hall=1, place=1))
    async with AsyncSession(database) as session:
        rows = await session.query(Seat).order_by(Seat.id).values(Seat.hall, Seat.place)
        assert rows == [(2, 1), (1, 0), (1, 1)]


async def test_null_is_no_value(database: Database) -> None:
    await seats(database, None, None)
    async with AsyncSession(database) as session:
        first, second = await all_seats(session)
        first.place, second.place = None, None
        session.delete(first)
        session.add(Seat(place=None), Seat(place=None))
        await session.commit()
        # nothing has to wait for anything: the usual order, deletes last
        assert [stats.sql.split()[0] for stats in session.query_stats() if "rings_seat" in stats.sql].count(
            "DELETE"
        ) == 1
        assert await session.query(Seat).count() == 3


async def test_an_exchange_is_refused_before_anything_is_sent(database: Database) -> None:
    await seats(database, "a", "b", "c")
    async with AsyncSession(database) as session:
        first, second, third = await all_seats(session)
        first.code, second.code, third.code = "b", "c", "a"
        fresh = Seat(code="d", place=9)
        session.add(fresh)
        with pytest.raises(
            DependencyCycleError, match=r"exchange values of Seat\.code, which are unique: <Seat id"
        ) as caught:
            await session.flush()
        deferrable = database.dialect.supports_deferrable_unique
        hint = "unique(cls.code, deferrable=True)" if deferrable else "this database looks at each row at once"
        assert hint in (caught.value.hint or "")
        assert words(session) == {"SELECT": 1}
        assert (set(session.new), set(session.dirty)) == ({fresh}, {first, second, third})
        # the way round
        first.code = "x"
        await session.flush()
        first.code = "b"
        await session.commit()
    assert await codes(database) == {1: "b", 2: "c", 3: "a", 4: "d"}


async def test_a_constraint_that_waits_lets_rows_exchange_their_values(database: Database) -> None:
    async with AsyncSession(database) as session:
        session.add(*(Card(name=f"{n}", place=n) for n in range(5)))
    async with AsyncSession(database) as session:
        cards = await session.query(Card).order_by(Card.place)
        for card in cards:
            card.place = 4 - card.place
        if not database.dialect.supports_deferrable_unique:
            with pytest.raises(DependencyCycleError, match=r"Card\.place"):
                await session.commit()
            await session.rollback()
            return
        await session.commit()
        assert words(session) == {"SELECT": 1, "BEGIN": 1, "UPDATE": 1, "COMMIT": 1}
        assert await session.query(Card).order_by(Card.place).values(Card.name) == [(f"{n}",) for n in (4, 3, 2, 1, 0)]


async def test_a_constraint_that_waits_still_refuses(database: Database) -> None:
    async with AsyncSession(database) as session:
        session.add(Card(name="1", place=1), Card(name="2", place=1))
        with pytest.raises(UniqueViolation):
            await session.commit()
        await session.rollback()
        assert await session.query(Card).count() == 0


async def test_a_row_that_changes_back_and_forth_lets_go_of_nothing(database: Database) -> None:
    await seats(database, "a")
    async with AsyncSession(database) as session:
        (first,) = await all_seats(session)
        first.code = "b"
        first.code = "a"
        first.note = "x"
        session.add(Seat(code="a", place=9))
        with pytest.raises(UniqueViolation):
            await session.flush()
        await session.rollback()
