"""A column gets another type while others write: what they write meanwhile is there afterwards, in the new type."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from cormorant import Database, DataError
from cormorant.adapters.base import Connection
from cormorant.migrations import Backfill, Step
from cormorant.migrations.safety.backfilling import run_backfill
from cormorant.migrations.safety.safe_form import safe
from cormorant.schema import snapshot as s
from cormorant.schema import steps as op
from cormorant.schema.builder import SchemaBuilder
from cormorant.schema.diff import diff
from cormorant.schema.state import apply

CODE = s.Column("code", "varchar(20)", nullable=True)
IX = s.Index("ix_code", (s.IndexItem("code"),))
BOOK = s.Table("book", (s.Column("id", "bigint"), CODE), s.PrimaryKey(("id",)), indexes=(IX,))
BEFORE = s.SchemaSnapshot((BOOK,))


async def rows(connection: Connection) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await connection.fetch("SELECT id, code FROM book ORDER BY id")]


async def test_others_write_between_the_steps(database_dsn: str) -> None:
    number = replace(CODE, type="integer", nullable=False, default="7", fill="0", comment="a number")
    operations = [op.DropIndex("book", IX), op.AlterColumn("book", CODE, number), op.CreateIndex("book", IX)]
    steps = safe(operations, BEFORE)
    assert any(isinstance(step, op.SwapColumn) for step in steps)
    async with Database(database_dsn) as database:
        builder, state = SchemaBuilder(database), BEFORE
        await builder.apply(diff(s.SchemaSnapshot(), BEFORE))
        other = await database.adapter.acquire(write=True)
        for row, code in enumerate(("'1'", "'22'", "NULL", "'4'"), 1):
            await other.execute(f"INSERT INTO book VALUES ({row}, {code})")
        for number_of_step, step in enumerate(steps):
            if isinstance(step, Backfill):
                await fill(other, database, step, state)
            else:
                assert isinstance(step, op.Operation)
                database.adapter.release(other)
                await builder.apply([step])
                state = apply(state, step)
                other = await database.adapter.acquire(write=True)
            if not isinstance(step, op.SwapColumn) and any(
                isinstance(x, op.SwapColumn) for x in steps[number_of_step:]
            ):
                # whoever runs now knows the old column alone
                await other.execute(f"INSERT INTO book (id, code) VALUES ({100 + number_of_step}, '5')")
                await other.execute("UPDATE book SET code = '33' WHERE id = 2")
        found = await rows(other)
        assert found[:4] == [(1, 1), (2, 33), (3, 0), (4, 4)]
        assert {code for _, code in found[4:]} == {5}
        await other.execute("INSERT INTO book (id) VALUES (500)")
        assert (await rows(other))[-1] == (500, 7)
        database.adapter.release(other)
        assert diff(await builder.live(), await builder.normalised(apply(BEFORE, *operations))) == []
        back = [step.reverse() for step in reversed(steps)]
        for step in back:
            if isinstance(step, op.Operation):
                await builder.apply([step])
        assert diff(await builder.live(), await builder.normalised(BEFORE)) == []
        connection = await database.adapter.acquire()
        assert (await rows(connection))[:2] == [(1, "1"), (2, "33")]
        assert not await functions(connection, database)
        database.adapter.release(connection)


async def fill(connection: Connection, database: Database, step: Backfill, state: s.SchemaSnapshot) -> None:
    table = state.table(step.table)
    assert table is not None
    await run_backfill(connection, database.dialect, step, table, name="second")


async def functions(connection: Connection, database: Database) -> bool:
    """Whether a function of ours is left over."""
    if not database.dialect.supports_add_constraint:
        return False
    return bool(await connection.fetch("SELECT 1 FROM pg_proc WHERE pronamespace = 'public'::regnamespace"))


async def test_what_does_not_fit_is_refused_as_it_is_written(postgres_database: str) -> None:
    first, *_ = safe([op.AlterColumn("book", CODE, replace(CODE, type="varchar(3)"))], BEFORE)
    assert isinstance(first, op.ShadowColumn)
    async with Database(postgres_database) as database:
        builder = SchemaBuilder(database)
        await builder.apply(diff(s.SchemaSnapshot(), BEFORE))
        await builder.apply([first])
        connection = await database.adapter.acquire(write=True)
        with pytest.raises(DataError, match="too long"):
            await connection.execute("INSERT INTO book VALUES (1, 'abcd')")
        database.adapter.release(connection)


class Walker:
    """Takes steps one by one, as what runs migrations does."""

    def __init__(self, database: Database, state: s.SchemaSnapshot) -> None:
        self.database, self.state = database, state
        self.builder = SchemaBuilder(database)

    async def take(self, steps: Sequence[Step]) -> None:
        for step in steps:
            if isinstance(step, Backfill):
                connection = await self.database.adapter.acquire(write=True)
                await fill(connection, self.database, step, self.state)
                self.database.adapter.release(connection)
            elif isinstance(step, op.Operation):
                await self.builder.apply([step])
                self.state = apply(self.state, step)

    async def ask(self, *statements: str) -> list[tuple[Any, ...]]:
        connection = await self.database.adapter.acquire(write=True)
        found = [await connection.fetch(sql) for sql in statements]
        self.database.adapter.release(connection)
        return [tuple(row) for row in found[-1]]


async def test_names_that_need_quotes(database_dsn: str) -> None:
    column = s.Column('It\'s "odd"', "integer", nullable=True)
    index = s.Index("ix " + "i" * 59, (s.IndexItem(column.name),))
    table = s.Table("t" * 63, (s.Column("id", "bigint"), column), s.PrimaryKey(("id",)), indexes=(index,))
    before = s.SchemaSnapshot((table,))
    operations = [op.AlterColumn(table.key, column, replace(column, type="bigint", nullable=False, fill="-1"))]
    async with Database(database_dsn) as database:
        walker = Walker(database, before)
        await walker.builder.apply(diff(s.SchemaSnapshot(), before))
        await walker.ask(f'INSERT INTO "{table.name}" VALUES (1, 10), (2, NULL)')
        steps = safe(operations, before)
        await walker.take(steps)
        wanted = await walker.builder.normalised(apply(before, *operations))
        assert diff(await walker.builder.live(), wanted) == []
        assert await walker.ask(f'SELECT * FROM "{table.name}" ORDER BY id') == [(1, 10), (2, -1)]
        await walker.take([step.reverse() for step in reversed(steps)])
        assert diff(await walker.builder.live(), await walker.builder.normalised(before)) == []


async def test_tables_of_other_schemas(postgres_database: str) -> None:
    table = replace(BOOK, schema="audit")
    before = s.SchemaSnapshot((table,), schemas=("audit",))
    operations = [op.AlterColumn("audit.book", CODE, replace(CODE, type="varchar(5)"))]
    async with Database(postgres_database) as database:
        walker = Walker(database, before)
        await walker.builder.apply(diff(s.SchemaSnapshot(), before))
        await walker.ask("INSERT INTO audit.book VALUES (1, 'abc')")
        await walker.take(safe(operations, before))
        live = await walker.builder.live(["audit"])
        assert diff(live, await walker.builder.normalised(apply(before, *operations))) == []
        assert await walker.ask("SELECT * FROM audit.book") == [(1, "abc")]
        assert await walker.ask("SELECT 1 FROM pg_proc WHERE pronamespace = 'audit'::regnamespace") == []


async def test_a_value_for_each_row(database_dsn: str) -> None:
    token = s.ByDialect((("postgresql", "gen_random_uuid()::text"), ("sqlite", "(hex(randomblob(16)))")))
    column = s.Column("token", "text", default=token)
    unique = s.Unique("book_token", ("token",))
    operations = [op.AddColumn("book", column), op.AddConstraint("book", unique)]
    async with Database(database_dsn) as database:
        walker = Walker(database, BEFORE)
        await walker.builder.apply(diff(s.SchemaSnapshot(), BEFORE))
        await walker.ask(*(f"INSERT INTO book (id) VALUES ({row})" for row in range(10)))
        steps = safe(operations, BEFORE)
        assert sum(isinstance(step, Backfill) for step in steps) == 2
        await walker.take(steps)
        assert diff(await walker.builder.live(), await walker.builder.normalised(apply(BEFORE, *operations))) == []
        assert await walker.ask("SELECT count(DISTINCT token) FROM book") == [(10,)]
        await walker.take([step.reverse() for step in reversed(steps)])
        assert diff(await walker.builder.live(), await walker.builder.normalised(BEFORE)) == []


async def test_a_key_gets_another_type_while_others_point_to_it(database_dsn: str) -> None:
    small = s.Column("id", "integer", identity="by default")
    large = replace(small, type="bigint")
    parent = s.Column("parent_id", "integer", nullable=True)
    author = s.Table(
        "author",
        (small, parent, s.Column("code", "integer")),
        s.PrimaryKey(("id",)),
        (s.ForeignKey("author_parent", ("parent_id",), "author", ("id",)),),
        (s.Unique("author_code", ("code", "id")),),
        (s.Check("author_id", "id > 0"),),
    )
    book = s.Table(
        "book",
        (replace(small), s.Column("author_id", "integer")),
        s.PrimaryKey(("id",)),
        (s.ForeignKey("book_author", ("author_id",), "author", ("id",), "cascade"),),
        indexes=(s.Index("ix_author", (s.IndexItem("author_id"),)),),
    )
    before = s.SchemaSnapshot((author, book))
    columns = (("author", small), ("author", parent), ("book", book.columns[1]))
    operations = [op.AlterColumn(table, column, replace(column, type="bigint")) for table, column in columns]
    async with Database(database_dsn) as database:
        walker = Walker(database, before)
        await walker.builder.apply(diff(s.SchemaSnapshot(), before))
        await walker.ask("INSERT INTO author (parent_id, code) VALUES (NULL, 1), (1, 2), (2, 3)")
        await walker.ask("INSERT INTO book (author_id) VALUES (1), (2), (3), (3)")
        steps = safe(operations, before)
        assert sum(isinstance(step, op.SwapColumn) for step in steps) == 3
        written = 0
        for step in steps:
            await walker.take([step])
            # others go on inserting, with numbers that the database gives
            written += 1
            await walker.ask(f"INSERT INTO author (parent_id, code) VALUES (1, {written + 10})")
        assert await walker.ask("SELECT count(*), count(DISTINCT id), max(id) FROM author") == [(3 + written,) * 3]
        assert await walker.ask("SELECT count(*) FROM author WHERE parent_id = 1") == [(written + 1,)]
        wanted = await walker.builder.normalised(apply(before, *operations))
        assert diff(await walker.builder.live(), wanted) == []
        assert large in (table.columns[0] for table in walker.state.tables)
        await walker.take([step.reverse() for step in reversed(steps)])
        assert diff(await walker.builder.live(), await walker.builder.normalised(before)) == []
        await walker.ask("INSERT INTO author (code) VALUES (99)")
        assert await walker.ask("SELECT max(id) FROM author") == [(4 + written,)]
