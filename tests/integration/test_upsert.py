"""Rows inserted, or changed where they are there: what is set, which row counts, and which object shows it."""

from __future__ import annotations

import asyncio
import gc
import random
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import uuid4

import pytest

from cormorant import (
    AsyncSession,
    Database,
    DatabaseError,
    DeadlockError,
    FlushError,
    ForeignInstanceError,
    Mapped,
    Model,
    One,
    Scope,
    StaleObjectError,
    StatementError,
    UniqueViolation,
    ValidationError,
    excluded,
    field,
    foreign_key,
    func,
    generated,
    index,
    ref,
)
from tests.support import kept_tables
from tests.support.newsroom import (
    MODELS,
    Grade,
    Label,
    Memo,
    Story,
    Ticket,
    Writer,
    rolled_back,
    sent,
    sql_of,
    words,
)


class Stock(Model, app="upsert"):
    """Things that are counted."""

    id: Mapped[int] = generated(primary_key=True)
    code: Mapped[str] = field(unique=True)
    amount: Mapped[int] = field(default=0)
    note: Mapped[str | None] = field(default=None)
    version: Mapped[int] = generated(version=True)
    double: Mapped[int] = generated(computed=lambda m: m.amount + m.amount)
    active: Mapped[bool] = field(default=True)
    slot: Mapped[str | None] = field(default=None)
    parent: One[Stock | None] = foreign_key(default=None)

    @classmethod
    def __table_args__(cls) -> Any:
        yield index(cls.slot, unique=True, where=cls.active)


@pytest.fixture
async def database(database_dsn: str, keeps_tables: None) -> AsyncIterator[Database]:
    async with Database(database_dsn) as database:
        await kept_tables.prepare(database, database_dsn, *MODELS, Stock)
        yield database


async def amounts(database: Database) -> dict[str, int]:
    async with AsyncSession(database) as session:
        return dict(await session.query(Stock).values(Stock.code, Stock.amount))


async def have(database: Database, **codes: int) -> None:
    async with AsyncSession(database) as session:
        await session.query(Stock).bulk_create([{"code": code, "amount": n} for code, n in codes.items()])


def rows(**codes: int) -> list[dict[str, Any]]:
    return [{"code": code, "amount": n} for code, n in codes.items()]


# ------------------------------------------------------------------ what is set


async def test_rows_are_inserted_or_changed(database: Database) -> None:
    await have(database, a=1, b=2)
    async with AsyncSession(database) as session:
        assert await session.query(Stock).upsert(rows(b=20, c=30), on=[Stock.code]) == 2
        assert words(session) == {"BEGIN": 1, "INSERT": 1}
    assert await amounts(database) == {"a": 1, "b": 20, "c": 30}


async def test_the_statement(database: Database) -> None:
    async with AsyncSession(database) as session:
        await session.query(Stock).upsert(rows(a=1), on=[Stock.code])
        (insert,) = sql_of(session, "INSERT")
    expected = {
        "sqlite": 'INSERT INTO "upsert_stock" ("code", "amount", "note", "version", "active", "slot", "parent_id")'
        ' VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT ("code") DO UPDATE SET "amount" = "excluded"."amount",'
        ' "version" = "upsert_stock"."version" + 1 RETURNING "code"',
        "postgresql": 'INSERT INTO "upsert_stock" ("code", "amount", "note", "version", "active", "slot", "parent_id")'
        ' SELECT d."code", d."amount", d."note", d."version", d."active", d."slot", d."parent_id"'
        " FROM unnest($1::text::text[], $2::text::integer[], $3::text::text[],"
        " $4::text::integer[], $5::text::boolean[], $6::text::text[], $7::text::bigint[])"
        ' WITH ORDINALITY AS d("code", "amount", "note", "version", "active", "slot", "parent_id", ord)'
        ' ORDER BY d.ord ON CONFLICT ("code") DO UPDATE SET "amount" = "excluded"."amount",'
        ' "version" = "upsert_stock"."version" + 1',
    }
    assert insert == expected[database.dialect.name]


async def test_only_what_is_given_is_changed(database: Database) -> None:
    async with AsyncSession(database) as session:
        stock = session.query(Stock)
        await stock.upsert([{"code": "a", "amount": 1, "note": "first"}], on=[Stock.code])
        await stock.upsert([{"code": "a", "amount": 2}, {"code": "b", "note": "n"}], on=[Stock.code])
        assert await stock.values(Stock.code, Stock.amount, Stock.note, Stock.version).order_by(Stock.code) == [
            ("a", 2, "first", 2),
            ("b", 0, "n", 1),
        ]


async def test_set_names_columns_and_expressions(database: Database) -> None:
    await have(database, a=1, b=2)
    async with AsyncSession(database) as session:
        stock = session.query(Stock)
        given = [{"code": "a", "amount": 10, "note": "x"}, {"code": "c", "amount": 30, "note": "y"}]
        assert await stock.upsert(given, on=[Stock.code], set=[Stock.note]) == 2
        await stock.upsert(rows(b=20), on=[Stock.code], set=[Stock.amount.set(Stock.amount + excluded(Stock.amount))])
        joined = func.coalesce(Stock.note, "") + "+" + func.coalesce(excluded(Stock.note), "nothing")
        await stock.upsert(given[:1], on=[Stock.code], set=[Stock.amount, Stock.note.set(joined)])
        assert await stock.values(Stock.code, Stock.amount, Stock.note).order_by(Stock.code) == [
            ("a", 10, "x+x"),
            ("b", 22, None),
            ("c", 30, "y"),
        ]


async def test_where_limits_what_is_changed(database: Database) -> None:
    await have(database, a=1, b=2, c=3)
    async with AsyncSession(database) as session:
        stock = session.query(Stock)
        changed = await stock.upsert(
            rows(a=10, b=1, c=3, d=4), on=[Stock.code], where=excluded(Stock.amount) > Stock.amount
        )
        assert changed == 2
        found = await stock.upsert(
            rows(a=11, b=0), on=[Stock.code], where=Stock.amount > 5, returning=(Stock.code, Stock.amount)
        )
        assert found == [("a", 11)]
    assert await amounts(database) == {"a": 11, "b": 2, "c": 3, "d": 4}


async def test_nothing_is_set_where_nothing_is_to_be(database: Database) -> None:
    await have(database, a=1)
    async with AsyncSession(database) as session:
        stock = session.query(Stock)
        assert await stock.upsert(rows(a=10, b=2), on=[Stock.code], set=[]) == 1
        assert await stock.upsert([{"code": "a"}, {"code": "c"}], on=[Stock.code]) == 1
        assert await stock.filter(Stock.code == "a").scalars(Stock.version) == [1]
    assert await amounts(database) == {"a": 1, "b": 2, "c": 0}


async def test_keys_of_several_columns_and_keys_by_relation(database: Database) -> None:
    async with AsyncSession(database) as session:
        grades = session.query(Grade)
        given = [{"pupil": n % 3, "course": f"{n // 3}", "points": n} for n in range(6)]
        await grades.upsert(given, on=[Grade.pupil, Grade.course])
        made = await grades.upsert(
            [Grade(pupil=1, course="0", points=50), Grade(pupil=9, course="9", points=9)],
            on=[Grade.course, Grade.pupil],
        )
        assert [(g.pupil, g.points) for g in made] == [(1, 50), (9, 9)]
        assert await grades.count() == 7


async def test_a_unique_index_over_some_rows(database: Database) -> None:
    async with AsyncSession(database) as session:
        stock = session.query(Stock)
        await stock.bulk_create([{"code": "a", "slot": "s"}, {"code": "old", "slot": "s", "active": False}])
        assert await stock.upsert([{"code": "b", "slot": "s", "amount": 5}], on=[Stock.slot], set=[Stock.amount]) == 1
        assert await stock.values(Stock.code, Stock.amount).order_by(Stock.code) == [("a", 5), ("old", 0)]


async def test_columns_that_are_not_unique_are_refused_by_name(database: Database) -> None:
    async with AsyncSession(database) as session:
        with pytest.raises(StatementError, match=r"ON CONFLICT(.|\n)*Hint: on= names the primary key, or columns that"):
            await session.query(Stock).upsert(rows(a=1), on=[Stock.amount])
        assert await session.query(Stock).upsert(rows(a=1), on=[Stock.code]) == 1


async def test_null_is_equal_to_nothing(database: Database) -> None:
    async with AsyncSession(database) as session:
        writers = session.query(Writer)
        given = [{"name": "a", "email": None}, {"name": "b", "email": None}, {"name": "c", "email": "c"}]
        for _ in range(2):
            assert await writers.upsert(given, on=[Writer.email]) == 3
        assert await writers.upsert(given, on=[Writer.email], returning=Writer.name) == ["a", "b", "c"]
        assert await writers.count() == 7
        made = await writers.upsert(
            [Writer(name="d"), Writer(name="e", email="c"), Writer(name="f")], on=[Writer.email]
        )
        assert [(w.name, w.email) for w in made] == [("d", None), ("e", "c"), ("f", None)]
        assert await writers.count() == 9


# ------------------------------------------------------------------ objects


async def test_objects_show_their_rows(database: Database) -> None:
    await have(database, a=1)
    async with AsyncSession(database) as session:
        given = [Stock(code="b", amount=2), Stock(code="a", amount=10, note="new")]
        made = await session.query(Stock).upsert(given, on=[Stock.code])
        assert made == given
        assert [(s.code, s.amount, s.double, s.version) for s in made] == [("b", 2, 4, 1), ("a", 10, 20, 2)]
        assert await session.get(Stock, given[1].id) is given[1]
        assert not session.new
        assert not session.dirty
        given[1].amount = 11
        await session.commit()
        assert (given[1].double, given[1].version) == (22, 3)
    assert await amounts(database) == {"a": 11, "b": 2}


async def test_what_is_not_set_is_read_from_the_row(database: Database) -> None:
    await have(database, a=1)
    async with AsyncSession(database) as session:
        (stock,) = await session.query(Stock).upsert(
            [Stock(code="a", amount=9, note="n")], on=[Stock.code], set=[Stock.note]
        )
        assert (stock.amount, stock.note, stock.version) == (1, "n", 2)


@pytest.mark.parametrize("known", [False, True])
async def test_rows_that_are_left_alone_are_read(database: Database, known: bool) -> None:
    await have(database, a=1, b=2)
    async with AsyncSession(database) as session:
        loaded = await session.query(Stock).order_by(Stock.code) if known else []
        given = [Stock(code="a", amount=10), Stock(code="c", amount=30), Stock(code="b", amount=20)]
        made = await session.query(Stock).upsert(given, on=[Stock.code], set=[])
        assert [(s.code, s.amount, s.version) for s in made] == [("a", 1, 1), ("c", 30, 1), ("b", 2, 1)]
        assert made == ([loaded[0], given[1], loaded[1]] if known else given)
        assert await session.query(Stock).order_by(Stock.code) == [made[0], made[2], made[1]]


async def test_loaded_objects_are_given_and_refreshed(database: Database) -> None:
    await have(database, a=1)
    async with AsyncSession(database) as session:
        (loaded,) = await session.query(Stock)
        new = Stock(code="a", amount=5)
        assert await session.query(Stock).upsert([new], on=[Stock.code]) == [loaded]
        assert (loaded.amount, loaded.double, loaded.version) == (5, 10, 2)
        assert new not in session.identity_map
        assert new.amount == 5
        found = await session.query(Stock).upsert(rows(a=6), on=[Stock.code], returning=Stock)
        assert found == [loaded]
        assert loaded.amount == 6


async def test_an_object_of_the_session_is_written_again(database: Database) -> None:
    async with AsyncSession(database) as session:
        stock = await session.create(Stock, code="a", amount=1)
        stock.amount = 2
        assert await session.query(Stock).upsert([stock], on=[Stock.code]) == [stock]
        assert (stock.amount, stock.version) == (2, 3)


async def test_references_and_strangers_are_refused(database: Database) -> None:
    await have(database, a=1)
    async with AsyncSession(database) as session:
        session.add(reference := ref(Stock, 1))
        with pytest.raises(ForeignInstanceError, match=r"upsert\(\): row 1, <Stock id=1 \(reference\)>, is not loaded"):
            await session.query(Stock).upsert([reference], on=[Stock.code])
        async with AsyncSession(database) as other:
            stranger = await other.get_one(Stock, 1)
            with pytest.raises(
                ForeignInstanceError, match=r"row 1, <Stock .*>, belongs to another session, or to none"
            ):
                await session.query(Stock).upsert([stranger], on=[Stock.code])


async def test_objects_find_their_rows_among_many(database: Database) -> None:
    numbers = random.Random(2).sample(range(100_000), 2000)
    await have(database, **{f"k{n}": n for n in numbers[::2]})
    async with AsyncSession(database) as session:
        given = [Stock(code=f"k{n}", amount=-n) for n in numbers]
        made = await session.query(Stock).upsert(given, on=[Stock.code], batch=300)
        assert made == given
    async with AsyncSession(database) as session:
        found = await session.query(Stock).values(Stock.id, Stock.code, Stock.amount)
        assert sorted(found) == sorted((s.id, s.code, -int(s.code[1:])) for s in given)


async def test_relations_and_collections_of_objects(database: Database) -> None:
    async with AsyncSession(database) as session:
        (parent,) = await session.query(Stock).upsert([Stock(code="p")], on=[Stock.code])
        (child,) = await session.query(Stock).upsert([Stock(code="c", parent=parent)], on=[Stock.code])
        assert child.parent is parent
        ada = await session.create(Writer, name="Ada")
        await ada.stories
        (story,) = await session.query(Story).upsert([Story(id=3, title="x", writer=ada)], on=[Story.id])
        assert list(ada.stories) == [story]
        memo = Memo(body={"a": 1})
        with pytest.raises(ValidationError, match=r"row 1: Memo\.id: has no value, and on="):
            await session.query(Memo).upsert([memo], on=[Memo.id])
        memo.id = 7
        (made,) = await session.query(Memo).upsert([memo], on=[Memo.id])
        made.body["a"] = 2
        await session.commit()
        assert await session.query(Memo).scalars(Memo.body) == [{"a": 2}]


async def test_a_rollback_restores_objects(database: Database) -> None:
    await have(database, a=1)
    new, given = Stock(code="n", amount=3), Stock(code="a", amount=5)
    async with AsyncSession(database) as session:
        async with rolled_back(session.transaction()):
            assert await session.query(Stock).upsert([new, given], on=[Stock.code]) == [new, given]
            assert given.version == 2
        assert (given.amount, given.version) == (5, 1)
        assert new not in session.identity_map
        with pytest.raises(Exception, match=r"Stock\.id of <Stock .*> has no value yet"):
            _ = given.id
        (loaded,) = await session.query(Stock)
        assert loaded.amount == 1
        with pytest.raises(UniqueViolation):
            await session.query(Stock).upsert([Stock(id=loaded.id, code="z")], on=[Stock.code])
        assert await session.query(Stock).upsert([new, given], on=[Stock.code]) == [new, loaded]
    assert await amounts(database) == {"a": 5, "n": 3}


async def test_a_key_changed_by_the_database_is_no_silent_mistake(database: Database) -> None:
    if database.dialect.name != "postgresql":
        # there each row is a statement of its own
        return
    async with AsyncSession(database) as session:
        await session.execute(
            "create function shout() returns trigger language plpgsql as "
            "$$ begin new.code = upper(new.code); return new; end $$",
            write=True,
        )
        await session.execute(
            "create trigger shout before insert on upsert_stock for each row execute function shout()", write=True
        )
        with pytest.raises(FlushError, match=r"upsert\(\) into 'upsert_stock' gave back a row that was not sent: 'A'"):
            await session.query(Stock).upsert([Stock(code="a"), Stock(code="b")], on=[Stock.code])
        await session.execute(
            "create or replace function shout() returns trigger language plpgsql as $$ begin return null; end $$",
            write=True,
        )
        with pytest.raises(StaleObjectError, match=r"the row of <Stock .*> was not written, and cannot be read either"):
            await session.query(Stock).upsert([Stock(code="a"), Stock(code="b")], on=[Stock.code])
        assert await session.query(Stock).count() == 0


# ------------------------------------------------------------------ which row counts


async def test_equal_keys_are_an_error_that_names_the_rows(database: Database) -> None:
    async with AsyncSession(database) as session:
        given = [*rows(a=1, b=2), *rows(a=3)]
        with pytest.raises(ValidationError, match=r'row 3: Stock: has the key .a. of row 1\nHint: pass dedupe="last"'):
            await session.query(Stock).upsert(given, on=[Stock.code])
        assert sent(session) == 0
        with pytest.raises(ValidationError, match="row 2: Stock: has the key"):
            await session.query(Stock).upsert([Stock(code="a"), Stock(code="a")], on=[Stock.code])


MANY: list[dict[str, Any]] = [
    {"code": "a", "amount": 1},
    {"code": "b", "amount": 2, "note": "first"},
    {"code": "a", "amount": 3, "note": "second"},
    {"code": "c", "amount": 4},
    {"code": "b", "amount": 5},
    {"code": "a", "amount": 6},
]


@pytest.mark.parametrize("batch", [1, 2, 4, None])
@pytest.mark.parametrize(
    ("dedupe", "expected"), [("first", {"a": 1, "b": 2, "c": 4}), ("last", {"a": 6, "b": 5, "c": 4})]
)
async def test_one_of_several_rows_counts_in_the_whole_call(
    database: Database, batch: int | None, dedupe: Any, expected: dict[str, int]
) -> None:
    async with AsyncSession(database) as session:
        stock = session.query(Stock)
        assert await stock.upsert(iter(MANY), on=[Stock.code], batch=batch, dedupe=dedupe) == 3
        assert dict(await stock.values(Stock.code, Stock.amount)) == expected
        # what was written once in the call was not changed by it a second time
        assert await stock.scalars(Stock.version) == [1, 1, 1]
        await stock.upsert(
            iter(MANY), on=[Stock.code], batch=batch, dedupe=dedupe, set=[Stock.amount.set(Stock.amount + 100)]
        )
        assert dict(await stock.values(Stock.code, Stock.amount)) == {k: n + 100 for k, n in expected.items()}
        await stock.delete()
        assert await stock.upsert(iter(MANY), on=[Stock.code], batch=batch, dedupe=dedupe, set=[]) == 3
        assert dict(await stock.values(Stock.code, Stock.amount)) == expected


@pytest.mark.parametrize("batch", [1, 4, None])
@pytest.mark.parametrize("dedupe", ["first", "last"])
async def test_each_object_gets_the_object_of_its_row(database: Database, batch: int | None, dedupe: Any) -> None:
    async with AsyncSession(database) as session:
        given = [Stock(code=row["code"], amount=row["amount"]) for row in MANY]
        made = await session.query(Stock).upsert(given, on=[Stock.code], batch=batch, dedupe=dedupe)
        winners = {"first": [0, 1, 0, 3, 1, 0], "last": [5, 4, 5, 3, 4, 5]}[dedupe]
        assert made == [given[place] for place in winners]
        assert len(session.identity_map) == 3


async def test_without_dedupe_a_later_batch_changes_the_row_again(database: Database) -> None:
    async with AsyncSession(database) as session:
        assert await session.query(Stock).upsert(MANY, on=[Stock.code], batch=1) == 6
    assert await amounts(database) == {"a": 6, "b": 5, "c": 4}


async def test_progress_and_no_rows(database: Database) -> None:
    async with AsyncSession(database) as session:
        done: list[int] = []
        stock = session.query(Stock)
        await stock.upsert(iter(MANY), on=[Stock.code], batch=4, dedupe="first", on_batch=done.append)
        assert done == [4, 6]
        done.clear()
        await stock.upsert(iter(MANY), on=[Stock.code], batch=2, dedupe="last", on_batch=done.append)
        assert done == [6, 6]
        for dedupe in (None, "first", "last"):
            assert await stock.upsert([], on=[Stock.code], dedupe=dedupe) == 0  # type: ignore[arg-type]
            assert await stock.upsert([], on=[Stock.code], dedupe=dedupe, returning=Stock.id) == []  # type: ignore[arg-type]


# ------------------------------------------------------------------ many rows, large rows, hostile rows


async def test_a_long_generator_needs_little_memory(database: Database) -> None:
    def made(count: int) -> Iterator[dict[str, Any]]:
        for n in range(count):
            yield {"code": f"code {n}", "amount": n}

    async with AsyncSession(database) as session:
        stock = session.query(Stock)
        await stock.upsert(made(1000), on=[Stock.code])
        gc.collect()
        tracemalloc.start()
        try:
            before, _ = tracemalloc.get_traced_memory()
            assert await stock.upsert(made(30_000), on=[Stock.code]) == 30_000
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert await stock.aggregate(func.count(), func.max(Stock.amount)) == (30_000, 29_999)
        # the dictionaries alone would take half as much again
        assert peak - before < 6 << 20


async def test_large_texts(database: Database) -> None:
    async with AsyncSession(database) as session:
        given = [{"code": f"{n}", "note": chr(97 + n) * (1 << 20)} for n in range(12)]
        assert await session.query(Stock).upsert(given, on=[Stock.code]) == 12
        # a batch holds 8 MiB of text
        assert words(session)["INSERT"] == 2
        assert await session.query(Stock).filter(Stock.code == "3").scalars(func.length(Stock.note)) == [1 << 20]


@pytest.mark.parametrize("text", ["a\0b", "a\ud800b", "\udfff"])
async def test_texts_that_cannot_be_kept_are_refused_before_anything_is_sent(database: Database, text: str) -> None:
    async with AsyncSession(database) as session:
        stock = session.query(Stock)
        for given in ([{"code": "a", "note": text}], [Stock(code="a", note=text)], [{"code": text}]):
            with pytest.raises(ValidationError, match=r"row 1: Stock\.(note|code): "):
                await stock.upsert(given, on=[Stock.code])  # type: ignore[arg-type]
            with pytest.raises(ValidationError, match=r"row 1: Stock\.(note|code): "):
                await stock.bulk_create(given)  # type: ignore[arg-type]
        assert sent(session) == 0
        assert await stock.upsert(rows(a=1), on=[Stock.code]) == 1
    async with AsyncSession(database) as session:
        assert await session.query(Stock).count() == 1


# ------------------------------------------------------------------ scopes


async def test_rows_of_others_are_not_changed(database: Database) -> None:
    async with AsyncSession(database) as session:
        await session.query(Stock).bulk_create([{"code": "mine", "note": "me"}, {"code": "theirs", "note": "them"}])
    scope = Scope(Stock, lambda stock: stock.note == "me", name="owner")
    given = [{"code": "mine", "amount": 1}, {"code": "theirs", "amount": 1}]
    async with AsyncSession(database, scopes=[scope]) as session:
        stock = session.query(Stock)
        for _ in range(2):
            assert await stock.upsert(given, on=[Stock.code]) == 1
        with pytest.raises(StaleObjectError):
            await stock.upsert([Stock(code="theirs", note="me")], on=[Stock.code])
        assert await stock.upsert(given, on=[Stock.code], returning=Stock.code) == ["mine"]
        assert dict(await stock.unscoped("owner").values(Stock.code, Stock.amount)) == {"mine": 1, "theirs": 0}
        assert await stock.unscoped("owner").upsert(given, on=[Stock.code]) == 2
    assert await amounts(database) == {"mine": 1, "theirs": 1}


# ------------------------------------------------------------------ at the same time


async def test_two_sessions_write_the_same_rows_in_opposite_order(database: Database) -> None:
    codes = [f"{n}" for n in range(50)]

    async def write(order: list[str]) -> int:
        async with AsyncSession(database) as session, session.transaction():
            given = [{"code": code, "amount": 1} for code in order]
            return await session.query(Stock).upsert(given, on=[Stock.code])

    for _ in range(5):
        assert await asyncio.gather(write(codes), write(codes[::-1]), write(codes)) == [50] * 3
    assert len(await amounts(database)) == 50


async def test_a_deadlock_is_one_of_ours(postgres_database: str) -> None:
    async with Database(postgres_database) as database:
        await database.create_all(Label)
        await make(database, "a", "b")
        first, second = asyncio.Event(), asyncio.Event()

        async def write(names: list[str], mine: asyncio.Event, other: asyncio.Event) -> None:
            async with AsyncSession(database) as session, session.transaction():
                for name in names:
                    given = [{"name": name}]
                    await session.query(Label).upsert(given, on=[Label.name])
                    await session.query(Label).filter(Label.name == name).update(Label.name.set(Label.name))
                    mine.set()
                    await other.wait()

        found = await asyncio.gather(
            write(["a", "b"], first, second), write(["b", "a"], second, first), return_exceptions=True
        )
        assert sorted(type(each).__name__ for each in found) == ["DeadlockError", "NoneType"]
        assert issubclass(DeadlockError, DatabaseError)


async def make(database: Database, *names: str) -> None:
    async with AsyncSession(database) as session:
        await session.query(Label).bulk_create([{"name": name} for name in names])


async def test_keys_of_the_program_stay_with_their_rows(database: Database) -> None:
    async with AsyncSession(database) as session:
        tickets = session.query(Ticket)
        (first,) = await tickets.upsert([Ticket(seat="1")], on=[Ticket.seat])
        key = first.id
        (again,) = await tickets.upsert([Ticket(seat="1", price=9)], on=[Ticket.seat])
        assert again is first
        assert (first.id, first.price) == (key, 9)
        assert await tickets.upsert([{"id": uuid4(), "seat": "1"}], on=[Ticket.seat], returning=Ticket.id) == []
