"""S6: batches of a flush: how many statements, what travels in arrays unharmed, and how much at once."""

from __future__ import annotations

import enum
import random
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from cormorant import AsyncSession, Database, DataError, Mapped, Model, ValidationError, field, generated
from cormorant.persistence.flush_plan import CHUNK
from tests.support import kept_tables
from tests.support.newsroom import sql_of, words


class Paint(enum.Enum):
    RED = "red"
    ODD = "it's, {odd} \"\\ NULL"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Row(Model, app="batches"):
    id: Mapped[int] = generated(primary_key=True)
    place: Mapped[int] = field(default=0)
    note: Mapped[str | None] = field(default=None)
    version: Mapped[int] = generated(version=True)


class Mixed(Model, app="batches"):
    """Each kind of value that an array could harm."""

    id: Mapped[int] = generated(primary_key=True)
    short: Mapped[str | None] = field(default=None, max_length=5)
    exact: Mapped[Decimal | None] = field(default=None, precision=6, decimal_places=2)
    words: Mapped[list[str] | None] = field(default=None)
    numbers: Mapped[list[int]] = field(default_factory=list)
    paint: Mapped[Paint | None] = field(default=None, native="batches_paint")
    paints: Mapped[list[Paint]] = field(default_factory=list, native="batches_paint")
    level: Mapped[Level | None] = field(default=None)
    body: Mapped[dict[str, Any] | None] = field(default=None)
    raw: Mapped[bytes | None] = field(default=None)
    blobs: Mapped[list[bytes]] = field(default_factory=list)
    moment: Mapped[datetime | None] = field(default=None)
    day: Mapped[date | None] = field(default=None)
    hour: Mapped[time | None] = field(default=None)
    span: Mapped[timedelta | None] = field(default=None)
    uid: Mapped[UUID | None] = field(default=None)
    flag: Mapped[bool | None] = field(default=None)
    ratio: Mapped[float | None] = field(default=None)


@pytest.fixture
async def database(database_dsn: str, keeps_tables: None) -> AsyncIterator[Database]:
    async with Database(database_dsn) as database:
        await kept_tables.prepare(database, database_dsn, Row, Mixed)
        yield database


VALUES: dict[str, list[Any]] = {
    "short": ["", "abcde", "日本語", "a,b", '"{}"', "NULL", None],
    "exact": [Decimal("1234.56"), Decimal("-0.01"), Decimal(0), None],
    "words": [[], ["a,b", "{c}", '"d"', "NULL", "", "\\", "é"], ["x"], None],
    "numbers": [[], [1, -2, 2_147_483_647], [5]],
    "paint": [Paint.RED, Paint.ODD, None],
    "paints": [[], [Paint.ODD, Paint.RED], [Paint.ODD]],
    "level": [Level.LOW, Level.HIGH, None],
    "body": [{}, {"a": [1, None, {"b": "'\"\\"}]}, {"n": 1.5, "t": True}, None],
    "raw": [b"", b"\x00\xff'\\", None],
    "blobs": [[], [b"\x00", b"", b"\\x41"], [b"a"]],
    "moment": [datetime(2024, 1, 2, 3, 4, 5, 678901, UTC), datetime(1900, 1, 1, tzinfo=UTC), None],
    "day": [date(2024, 2, 29), None],
    "hour": [time(23, 59, 59, 999999), None],
    "span": [timedelta(days=-3, microseconds=1), None],
    "uid": [UUID(int=0), UUID(int=2**128 - 1), None],
    "flag": [True, False, None],
    "ratio": [0.1, -0.0, 1e300, None],
}


def some(number: int) -> dict[str, Any]:
    """Gives a row's values: each kind runs through its own."""
    return {name: values[number % len(values)] for name, values in VALUES.items()}


async def test_every_kind_of_value_travels_unharmed(database: Database) -> None:
    count = 84
    async with AsyncSession(database) as session:
        made = [Mixed(**some(number)) for number in range(count)]
        session.add(*made)
        await session.flush()
        inserts = sql_of(session, "INSERT") + sql_of(session, "MERGE")
        assert len(inserts) == 1
        for number, row in enumerate(made):
            for name, value in some(number + 1).items():
                setattr(row, name, value)
        await session.flush()
    async with AsyncSession(database) as session:
        found = await session.query(Mixed).order_by(Mixed.id)
        for number, row in enumerate(found):
            shown = row.to_dict()
            del shown["id"]
            assert shown == some(number + 1)


@pytest.mark.postgresql
async def test_arrays_are_cast_to_types_that_cut_nothing(postgres_database: str) -> None:
    async with Database(postgres_database) as database:
        await database.create_all(Row, Mixed)
        async with AsyncSession(database) as session:
            session.add(Mixed(short="a"), Mixed(short="b"))
            await session.flush()
            (sql,) = sql_of(session, "INSERT") + sql_of(session, "MERGE")
            # varchar(5)[] and numeric(6,2)[] would cut and round what is too long, without a word
            assert "varchar" not in sql
            assert "numeric(" not in sql
            await session.commit()
            for count in (1, 3):
                for values in ({"short": "toolong"}, {"exact": Decimal("1.234")}):
                    session.add(*(Mixed(**values) for _ in range(count)))
                    with pytest.raises(ValidationError):
                        await session.flush()
                    session.clear()
            # where nothing of ours looks, the database's own column does: it refuses, in a batch too
            await session.execute("ALTER TABLE batches_mixed ALTER short TYPE varchar(3)")
            await session.commit()
            session.add(Mixed(short="abcd"), Mixed(short="ab"))
            with pytest.raises(DataError, match="too long"):
                await session.flush()
            await session.rollback()
            assert await session.query(Mixed).filter(Mixed.short == "abc").count() == 0


async def test_a_thousand_changed_objects_are_one_update(database: Database) -> None:
    async with AsyncSession(database) as session:
        session.add(*(Row(place=place) for place in range(1000)))
    assert sum(words(session).values()) == 3
    async with AsyncSession(database) as session:
        found = await session.query(Row)
        for row in found:
            row.place = -row.place - 1
            row.note = f"{row.place}"
        await session.commit()
        assert words(session) == {"SELECT": 1, "BEGIN": 1, "UPDATE": 1, "COMMIT": 1}
        assert {row.version for row in found} == {2}
    async with AsyncSession(database) as session:
        rows = await session.query(Row).values(Row.place, Row.note)
        assert sorted(rows) == [(place, f"{place}") for place in range(-1000, 0)]


async def test_the_text_does_not_tell_the_number_of_rows(database: Database) -> None:
    texts: set[str] = set()
    for count in (2, 7, 500):
        async with AsyncSession(database) as session:
            rows = [Row(place=place) for place in range(count)]
            session.add(*rows)
            await session.flush()
            for row in rows:
                row.note = "x"
            await session.flush()
            session.delete(*rows)
            await session.flush()
            texts |= {stats.sql for stats in session.query_stats() if "batches_row" in stats.sql}
    assert len(texts) == 3


async def test_forty_thousand_rows_in_one_flush(database: Database) -> None:
    count = 40_000
    async with AsyncSession(database) as session:
        rows = [Row(place=place) for place in random.Random(1).sample(range(count), count)]
        session.add(*rows)
        await session.flush()
        assert [row.id for row in rows] == list(range(1, count + 1))
        changed = rows[: 2 * CHUNK + 1]
        for row in changed:
            row.note = f"{row.place}"
        await session.flush()
        counted = words(session)
        assert (counted.get("INSERT", 0) + counted.get("MERGE", 0), counted["UPDATE"]) == (count // CHUNK, 3)
        found = await session.query(Row).filter(Row.place == changed[-1].place).values(Row.note, Row.version)
        assert found == [(f"{changed[-1].place}", 2)]
        # only keys travel: however many, they are one statement
        session.delete(*changed)
        await session.flush()
        assert words(session)["DELETE"] == 1
        assert await session.query(Row).count() == count - len(changed)
