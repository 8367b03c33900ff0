"""The first row, the last one, and rows that are left out."""

from __future__ import annotations

import warnings
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cormorant import AsyncSession, Database, QueryError, QueryWarning, Session, func
from tests.support.newsroom import Grade, Writer, sql_of


@pytest.fixture
async def session(database: Database) -> AsyncIterator[AsyncSession]:
    async with AsyncSession(database) as session:
        session.add(*(Writer(name=name, age=age) for name, age in (("Cy", 30), ("Ada", 40), ("Bob", 20))))
        session.add(*(Grade(pupil=n, course=course) for n in (2, 1) for course in "ba"))
    async with AsyncSession(database) as session:
        yield session


async def test_without_an_order_the_key_decides(session: AsyncSession) -> None:
    writers = session.query(Writer)
    first, last = await writers.first(), await writers.last()
    assert first is not None
    assert last is not None
    assert (first.name, last.name) == ("Cy", "Bob")
    assert any(
        sql.endswith(('ORDER BY "newsroom_writer"."id" LIMIT ?1', "LIMIT $1")) for sql in sql_of(session, "SELECT")
    )
    grade = await session.query(Grade).first()
    assert grade is not None
    assert (grade.pupil, grade.course) == (1, "a")
    assert await writers.scalars(Writer.name).first() == "Cy"
    assert await writers.values(Writer.name, Writer.age).last() == ("Bob", 20)
    assert await writers.as_dicts(Writer.name).last() == {"name": "Bob"}
    assert await writers.filter(Writer.age > 100).first() is None
    assert await writers.filter(Writer.age > 100).last() is None


async def test_an_order_decides(session: AsyncSession) -> None:
    writers = session.query(Writer).order_by(Writer.name)
    first, last = await writers.first(), await writers.last()
    assert first is not None
    assert last is not None
    assert (first.name, last.name) == ("Ada", "Cy")
    assert await writers.scalars(Writer.age).last() == 30
    assert (
        await session.query(Writer).order_by(Writer.email.asc().nulls_last(), Writer.id).scalars(Writer.id).last() == 3
    )


async def test_limits(session: AsyncSession) -> None:
    writers = session.query(Writer)
    assert await writers.limit(2).scalars(Writer.name).first() == "Cy"
    assert await writers.limit(0).first() is None
    assert await writers.offset(1).scalars(Writer.name).first() == "Ada"
    for limited in (writers.limit(2), writers.offset(1)):
        with pytest.raises(QueryError, match=r"last\(\) of a query with limit or offset"):
            await limited.last()


async def test_rows_that_have_no_key(session: AsyncSession) -> None:
    writers = session.query(Writer)
    # nothing decides which row is the first, and there need not be two
    assert await writers.scalars(func.max(Writer.age)).first() == 40
    assert await writers.scalars(Writer.age).distinct().first() in (20, 30, 40)
    assert await writers.values(Writer.age, func.count()).group_by(Writer.age).order_by(Writer.age).first() == (20, 1)
    for keyless in (
        writers.scalars(Writer.age).distinct(),
        writers.values(Writer.age, func.count()).group_by(Writer.age),
        writers.scalars(func.max(Writer.age)),
        writers.scalars(Writer.age).union(writers.scalars(Writer.age)),
    ):
        with pytest.raises(QueryError, match="rows of Writer that have no order") as caught:
            await keyless.last()
        assert caught.value.hint == "say what comes last: .order_by(...)"
    both = writers.filter(Writer.age > 25).union(writers.filter(Writer.age < 35))
    last = await both.last()
    assert last is not None
    assert last.name == "Bob"
    assert await writers.distinct().last() is last


# ------------------------------------------------------------------ an offset without an order


async def test_an_offset_without_an_order_warns(session: AsyncSession) -> None:
    writers = session.query(Writer).offset(1)
    with pytest.warns(QueryWarning, match="offset without order: which rows of Writer are left out") as caught:
        assert len(await writers) == 2
    assert [item.filename for item in caught] == [__file__]
    with pytest.warns(QueryWarning):
        assert [writer async for writer in writers]
    with pytest.warns(QueryWarning):
        await writers.scalars(Writer.name).all()


async def test_it_warns_once_for_each_line(session: AsyncSession) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        for _ in range(3):
            await session.query(Writer).offset(1)
        await session.query(Writer).offset(1)
    assert len({item.lineno for item in caught}) == len(caught) == 2


async def test_what_needs_no_order_does_not_warn(session: AsyncSession) -> None:
    writers = session.query(Writer).offset(1)
    await writers.order_by(Writer.id)
    await writers.first()
    assert await writers.count() == 2
    assert await writers.exists()
    assert len([writer async for writer in writers.stream(2)]) == 2
    assert await session.query(Writer).filter(Writer.id.in_(writers.scalars(Writer.id))).count() == 2


def test_a_sync_session_warns_too(tmp_path: Path) -> None:
    with Session(f"sqlite:///{tmp_path / 'sync.db'}") as session:
        session.execute("CREATE TABLE newsroom_writer (id integer primary key, name text, email text, age integer)")
        with pytest.warns(QueryWarning) as caught:
            assert list(session.query(Writer).offset(1)) == []
    assert [item.filename for item in caught] == [__file__]
