"""Every operation takes on PostgreSQL the locks that the linter names, and goes through the tables that it names."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import asyncpg
import pytest

from cormorant.dialects.postgresql import PostgreSQLDialect
from cormorant.migrations import Backfill, Step
from cormorant.migrations.safety.effects import Effect, effects_of, rewrites
from cormorant.migrations.safety.locks import MODES, Lock, LockMode, strongest
from cormorant.migrations.safety.volatility import is_volatile
from cormorant.schema import snapshot as s
from cormorant.schema import steps as op
from cormorant.schema.diff import diff
from cormorant.schema.state import apply

pytestmark = pytest.mark.direct("locks are asked of the server's own connections")
DIALECT = PostgreSQLDialect()

ID = s.Column("id", "bigint", identity="by default")
TITLE = s.Column("title", "varchar(20)")
VIEWS = s.Column("views", "integer", nullable=True)
PRICE = s.Column("price", "numeric(10, 2)", nullable=True)
AT = s.Column("at", "timestamptz", nullable=True)
MOOD = s.Column("mood", '"mood"', nullable=True)
TAGS = s.Column("tags", "varchar(10)[]", nullable=True)
NOTE = s.Column("note", "text", nullable=True)
ISBN = s.Column("isbn", "varchar(9)", nullable=True)
FULL = s.Column("full", "integer", nullable=True)
AUTHOR = s.Column("author_id", "bigint")
CODE = s.Column("code", "integer", nullable=True)

TO_AUTHOR = s.ForeignKey("book_author_id_fkey", ("author_id",), "author", ("id",))
TO_CODE = s.ForeignKey("book_views_fkey", ("views",), "author", ("code",))
TO_CODE_LATER = replace(TO_CODE, name="book_full_fkey", columns=("full",), validated=False)
TO_ITSELF = s.ForeignKey("book_views_itself", ("views",), "book", ("id",))
CK_TITLE = s.Check("ck_title", "length(title) > 0")
CK_FULL = s.Check("ck_full", '"full" IS NOT NULL')
CK_VIEWS = s.Check("ck_views", "views >= 0")
CK_LATER = s.Check("ck_later", "views < 1000", validated=False)
U_ISBN = s.Unique("isbn_u", ("isbn",))
U_CODE = s.Unique("code_u", ("code",))
IX_VIEWS = s.Index("ix_views", (s.IndexItem("views"),))
IX_NOTE = s.Index("ix_note", (s.IndexItem("note"),))
WORDS = s.SearchIndex("book_words", ("title",), "english")

AUTHORS = s.Table("author", (ID, s.Column("name", "text"), CODE), s.PrimaryKey(("id",)), uniques=(U_CODE,))
PLAIN_BOOKS = s.Table(
    "book",
    (ID, AUTHOR, TITLE, VIEWS, PRICE, AT, MOOD, TAGS, NOTE, ISBN, FULL),
    s.PrimaryKey(("id",)),
    (TO_AUTHOR,),
    (U_ISBN,),
    (CK_TITLE, CK_FULL),
    (IX_VIEWS, IX_NOTE),
)
LOOSE = s.Table("loose", (s.Column("id", "bigint"), s.Column("n", "integer", nullable=True)))
MOODS = s.Enum("mood", ("calm", "cross"))
MAKING = (
    *diff(s.SchemaSnapshot(), s.SchemaSnapshot((AUTHORS, PLAIN_BOOKS, LOOSE), (MOODS,))),
    op.AddConstraint("book", TO_CODE_LATER),
    op.AddConstraint("book", CK_LATER),
)
BEFORE = apply(s.SchemaSnapshot(), *MAKING)
BOOKS = BEFORE.tables[1]
ROWS = (
    "INSERT INTO author (name, code) SELECT 'x' || i, i FROM generate_series(1, 9) i",
    'INSERT INTO book (author_id, title, views, price, at, mood, "full") '
    "SELECT i, 't' || i, i, 1, now(), 'calm', i FROM generate_series(1, 9) i",
    "INSERT INTO loose SELECT i, i FROM generate_series(1, 9) i",
)


def add(type_: str, **parts: Any) -> op.Operation:
    return op.AddColumn("book", s.Column("x", type_, **parts))


def alter(before: s.Column, *, table: str = "book", using: str | None = None, **parts: Any) -> op.Operation:
    return op.AlterColumn(table, before, replace(before, **parts), using)


MOODY = s.Enum("mood", ("cross", "calm"))
CASES: dict[str, op.Operation] = {
    "schema": op.CreateSchema("audit"),
    "table": op.CreateTable(s.Table("leaf", (s.Column("id", "bigint"),), s.PrimaryKey(("id",)))),
    "table that refers to another": op.CreateTable(
        s.Table("leaf", (s.Column("book_id", "bigint"),), None, (s.ForeignKey("f", ("book_id",), "book", ("id",)),))
    ),
    "drop table": op.DropTable(BOOKS),
    "rename table": op.RenameTable("book", "volume"),
    "comment table": op.CommentTable("book", None, "all of them"),
    "column": add("integer", nullable=True),
    "column with a value": add("integer", default="3"),
    "column with a value for old rows": add("integer", fill="3"),
    "column with a moment": add("timestamptz", default="now()"),
    "column with a value for each row": add("uuid", default="gen_random_uuid()"),
    "column with another value for each old row": add("double precision", fill="random()"),
    "column that numbers": add("bigint", identity="by default"),
    "column that is computed": add("integer", nullable=True, computed="views + 1"),
    "column with a comment": add("integer", nullable=True, comment="how many"),
    "drop column": op.DropColumn("book", VIEWS),
    "drop column that refers": op.DropColumn("book", AUTHOR),
    "rename column": op.RenameColumn("book", "views", "seen"),
    "larger number": alter(VIEWS, type="bigint"),
    "larger number that refers": alter(FULL, type="bigint"),
    "larger number that is referred to": alter(CODE, table="author", type="bigint"),
    "smaller number that is referred to": alter(ID, table="author", type="integer"),
    "longer text, under a check": alter(TITLE, type="varchar(30)"),
    "shorter text": alter(TITLE, type="varchar(10)"),
    "text of any length": alter(ISBN, type="text"),
    "longer text": alter(ISBN, type="varchar(13)"),
    "text with a limit": alter(NOTE, type="varchar(50)"),
    "text as varchar": alter(NOTE, type="varchar"),
    "another order of texts": alter(NOTE, collation="C"),
    "another order of texts that no index has": alter(
        replace(TITLE, name="name", type="text"), table="author", collation="C"
    ),
    "more digits": alter(PRICE, type="numeric(12, 2)"),
    "more digits behind the point": alter(PRICE, type="numeric(12, 3)"),
    "any digits": alter(PRICE, type="numeric"),
    "fewer digits of a moment": alter(AT, type="timestamptz(3)"),
    "moment without a zone": alter(AT, type="timestamp"),
    "list of texts": alter(TAGS, type="text[]"),
    "enum as text": alter(MOOD, type="text"),
    "text as a number": alter(NOTE, type="integer"),
    "type by an expression": alter(PRICE, type="text", using="price::text"),
    "not null": alter(VIEWS, nullable=False),
    "not null that a check has shown": alter(FULL, nullable=False),
    "not null with values": alter(VIEWS, nullable=False, fill="0"),
    "larger and not null": alter(CODE, table="author", type="bigint", nullable=False),
    "null": alter(TITLE, nullable=True),
    "default": alter(VIEWS, default="7"),
    "numbers no more": alter(ID, identity=None),
    "numbers from now on": alter(AUTHOR, identity="by default"),
    "numbers from now on, without an index": alter(s.Column("id", "bigint"), table="loose", identity="by default"),
    "comment column": alter(VIEWS, comment="how many"),
    "nothing of a column": alter(VIEWS),
    "check": op.AddConstraint("book", CK_VIEWS),
    "check for new rows": op.AddConstraint("book", replace(CK_VIEWS, validated=False)),
    "validate check": op.ValidateConstraint("book", CK_LATER),
    "leave check": op.UnvalidateConstraint("book", CK_LATER),
    "foreign key": op.AddConstraint("book", TO_CODE),
    "foreign key to itself": op.AddConstraint("book", TO_ITSELF),
    "foreign key for new rows": op.AddConstraint("book", replace(TO_CODE, validated=False)),
    "validate foreign key": op.ValidateConstraint("book", TO_CODE_LATER, alone=True),
    "unique": op.AddConstraint("book", s.Unique("views_u", ("views",))),
    "primary key": op.AddConstraint("loose", s.PrimaryKey(("id",))),
    "drop primary key": op.DropConstraint("book", s.PrimaryKey(("id",))),
    "drop unique": op.DropConstraint("book", U_ISBN),
    "drop check": op.DropConstraint("book", CK_TITLE),
    "drop foreign key": op.DropConstraint("book", TO_AUTHOR),
    "rename constraint": op.RenameConstraint("book", "ck_title", "ck_name"),
    "index": op.CreateIndex("book", s.Index("ix_at", (s.IndexItem("at"),))),
    "unique index": op.CreateIndex("book", s.Index("ix_at", (s.IndexItem("views"),), unique=True)),
    "drop index": op.DropIndex("book", IX_VIEWS),
    "rename index": op.RenameIndex("book", IX_VIEWS, "ix_seen"),
    "search index": op.CreateSearchIndex("book", WORDS),
    "enum": op.CreateEnum(s.Enum("colour", ("red",))),
    "new value of an enum": op.AlterEnum(MOODS, s.Enum("mood", ("calm", "glad", "cross")), (("book", MOOD),)),
    "other values of an enum": op.AlterEnum(MOODS, MOODY, (("book", MOOD),)),
    "second column": op.ShadowColumn("book", VIEWS, replace(VIEWS, type="bigint")),
    "column that is as it was": op.UnswapColumn("book", replace(VIEWS, type="bigint"), VIEWS),
    "rename enum": op.RenameEnum("mood", "temper"),
}
LARGER = replace(VIEWS, type="bigint")
SECOND = op.ShadowColumn("book", VIEWS, LARGER)
REQUIRED = replace(FULL, type="bigint", nullable=False)
SECOND_FULL = op.ShadowColumn("book", replace(FULL, name="views"), replace(REQUIRED, name="views"))
GIVEN = s.Check("ck_given", "views__new IS NOT NULL")
FILLED = (SECOND_FULL, Backfill("book", (("views__new", "coalesce(views, 0)"),)), op.AddConstraint("book", GIVEN))
SWAP_REQUIRED = op.SwapColumn("book", VIEWS, replace(REQUIRED, name="views"))
SMALL_ID = replace(ID, type="integer")
SMALLER: tuple[Step, ...] = (
    op.DropConstraint("book", TO_AUTHOR),
    op.ShadowColumn("author", ID, SMALL_ID),
    Backfill("author", (("id__new", "id"),)),
    op.CreateIndex("author", s.Index("author_pkey__new", (s.IndexItem("id__new"),), unique=True)),
    op.AddConstraint("author", s.Check("ck_given", "id__new IS NOT NULL")),
)
SWAP_KEY = op.SwapColumn(
    "author", ID, SMALL_ID, given=s.Check("ck_given", ""), keys=(s.PrimaryKey(("id",), "author_pkey"),)
)
RED = s.Enum("colour", ("red",))
AFTER: dict[str, tuple[tuple[Step, ...], op.Operation]] = {
    "column that takes the place of another": ((SECOND,), op.SwapColumn("book", VIEWS, LARGER)),
    "column that may not be null and takes the place of another": (FILLED[:2], SWAP_REQUIRED),
    "the same, as a check has shown": (FILLED, replace(SWAP_REQUIRED, given=GIVEN)),
    "key that takes the place of another": (SMALLER, SWAP_KEY),
    "no second column": ((SECOND,), SECOND.reverse()),
    "drop schema": ((op.CreateSchema("audit"),), op.DropSchema("audit")),
    "drop enum": ((op.CreateEnum(RED),), op.DropEnum(RED)),
    "drop search index": ((op.CreateSearchIndex("book", WORDS),), op.DropSearchIndex("book", WORDS)),
}
"""What needs something to be there first."""


@dataclass(frozen=True)
class Seen:
    """What an operation did: the strongest lock on each table, what was read from end to end, what got a new file."""

    locks: frozenset[Lock]
    scans: frozenset[str]
    rewrites: frozenset[str]


def named(effects: Sequence[Effect]) -> Seen:
    """What the linter says of an operation; stages of one transaction are seen together."""
    rewrites = frozenset(table for effect in effects for table in effect.rewrites)
    locks = strongest(tuple(lock for effect in effects for lock in effect.locks))
    # of few rows, and without statistics, PostgreSQL reads all instead of looking for each
    read = frozenset(table for effect in effects for table in (*effect.scans, *effect.looks_in))
    return Seen(frozenset(locks), read - rewrites, rewrites)


@dataclass
class Watched:
    """A connection that works, and another one that watches it.

    Args:
        oids: The tables, and indexes, that were there before.
    """

    worker: asyncpg.Connection[Any]
    watcher: asyncpg.Connection[Any]
    pid: int
    oids: dict[int, str]

    async def figures(self) -> tuple[dict[str, int], dict[str, int]]:
        """Gives how often each table was read from end to end by this transaction, and which file it is in."""
        rows = await self.worker.fetch(
            "SELECT o, pg_stat_get_xact_numscans(o), pg_relation_filenode(o) FROM unnest($1::oid[]) o", list(self.oids)
        )
        return {self.oids[r[0]]: r[1] for r in rows}, {self.oids[r[0]]: r[2] for r in rows if r[2] is not None}

    async def locks(self) -> frozenset[Lock]:
        """Gives the strongest lock on each table, and on indexes whose table is not locked."""
        rows = await self.watcher.fetch(
            """
            SELECT l.relation, l.mode, x.indrelid FROM pg_locks l LEFT JOIN pg_index x ON x.indexrelid = l.relation
            WHERE l.pid = $1 AND l.granted AND l.relation = ANY($2::oid[])
              AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
            """,
            self.pid,
            list(self.oids),
        )
        tables = {row[0] for row in rows if row[2] is None}
        kept = [row for row in rows if row[2] not in tables]
        return frozenset(strongest(tuple(Lock(mode(row[1]), self.oids[row[0]]) for row in kept)))

    async def run(self, steps: Sequence[Step]) -> None:
        """Runs steps that are not looked at."""
        for step in steps:
            if isinstance(step, (op.Operation, Backfill)):
                for sql in step.statements(DIALECT):
                    await self.worker.execute(sql)

    async def during(self, statements: Sequence[str]) -> Seen:
        """Gives what statements do in one transaction, which is then rolled back."""
        transaction = self.worker.transaction()
        await transaction.start()
        try:
            scans, files = await self.figures()
            for sql in statements:
                await self.worker.execute(sql)
            locks = await self.locks()
            scans_after, files_after = await self.figures()
        finally:
            await transaction.rollback()
        new = frozenset(name for name, file in files_after.items() if files[name] != file and is_table(name))
        read = frozenset(name for name, count in scans_after.items() if count > scans.get(name, 0))
        return Seen(locks, read - new, new)


def changes(steps: Sequence[Step]) -> list[op.Operation]:
    return [step for step in steps if isinstance(step, op.Operation)]


def is_table(name: str) -> bool:
    return BEFORE.table(name) is not None


def mode(name: str) -> LockMode:
    """Gives a lock's name as the documentation has it, of the one that pg_locks has."""
    return next(each for each in MODES if each.replace(" ", "").lower() == name.removesuffix("Lock").lower())


@asynccontextmanager
async def watched(dsn: str) -> AsyncIterator[Watched]:
    worker, watcher = await asyncpg.connect(dsn), await asyncpg.connect(dsn)
    try:
        # in UTC a moment may lose its zone for nothing
        await worker.execute("SET timezone TO 'Europe/Oslo'")
        for operation in MAKING:
            for sql in operation.statements(DIALECT):
                await worker.execute(sql)
        for sql in ROWS:
            await worker.execute(sql)
        rows = await worker.fetch(
            "SELECT oid, relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'i')"
        )
        yield Watched(worker, watcher, worker.get_server_pid(), {row[0]: row[1] for row in rows})
    finally:
        await worker.close()
        await watcher.close()


async def test_locks_reads_and_writes_are_those_that_are_named(postgres_database: str) -> None:
    seen: dict[str, Seen] = {}
    said: dict[str, Seen] = {}
    async with watched(postgres_database) as pair:
        for name, operation in CASES.items():
            seen[name] = await pair.during(operation.statements(DIALECT))
            said[name] = named(effects_of(operation, BEFORE))
        for name, (steps, operation) in AFTER.items():
            await pair.run(steps)
            seen[name] = await pair.during(operation.statements(DIALECT))
            said[name] = named(effects_of(operation, apply(BEFORE, *changes(steps))))
            await pair.run([step.reverse() for step in reversed(steps)])
    assert said == seen


def test_there_is_a_case_for_each_operation() -> None:
    known = {getattr(op, name) for name in op.__all__} - {op.Operation, op.RebuildTable}
    assert {type(operation) for operation in (*CASES.values(), *(last for _, last in AFTER.values()))} == known


# ------------------------------------------------------------------ what runs outside of transactions

READING = "SELECT count(*) FROM book"
WRITING = "UPDATE book SET views = views WHERE id = 1"
CONCURRENT: dict[str, tuple[op.Operation, str]] = {
    "index": (op.CreateIndex("book", s.Index("ix_at", (s.IndexItem("at"),)), concurrently=True), WRITING),
    "search index": (op.CreateSearchIndex("book", WORDS, concurrently=True), WRITING),
    "unique": (op.AddConstraint("book", s.Unique("price_u", ("views",)), concurrently=True), WRITING),
    "drop index": (op.DropIndex("book", IX_VIEWS, concurrently=True), READING),
}
"""Operations, each with a statement of others for whose end it waits."""


@pytest.mark.parametrize("name", CONCURRENT)
async def test_locks_of_what_others_do_not_wait_for(postgres_database: str, name: str) -> None:
    operation, sql = CONCURRENT[name]
    effects = effects_of(operation, BEFORE)
    first, *rest = operation.statements(DIALECT)
    async with watched(postgres_database) as pair:
        other: asyncpg.Connection[Any] = await asyncpg.connect(postgres_database)
        transaction = other.transaction()
        await transaction.start()
        await other.execute(sql)
        running = asyncio.ensure_future(pair.worker.execute(first))
        await is_waiting(pair)
        assert await pair.locks() == frozenset(effects[0].locks)
        await transaction.rollback()
        await other.close()
        await running
        assert len(rest) == len(effects) - 1
        for statement, effect in zip(rest, effects[1:], strict=True):
            assert await pair.during([statement]) == named([effect])


async def is_waiting(pair: Watched) -> None:
    while not await pair.watcher.fetchval(
        "SELECT EXISTS (SELECT FROM pg_locks WHERE pid = $1 AND NOT granted AND locktype = 'virtualxid')", pair.pid
    ):
        await asyncio.sleep(0)


# ------------------------------------------------------------------ facts that the names stand on


async def test_who_waits_for_a_lock(postgres_database: str) -> None:
    async with watched(postgres_database) as pair:
        for mode in MODES:
            async with pair.worker.transaction():
                await pair.worker.execute(f"LOCK TABLE book IN {mode} MODE")
                lock = Lock(mode, "book")
                for needs, stopped in (("ACCESS SHARE", lock.stops_reads), ("ROW EXCLUSIVE", lock.stops_writes)):
                    assert (await is_refused(pair, needs)) is stopped, (mode, needs)


async def is_refused(pair: Watched, mode: str) -> bool:
    try:
        async with pair.watcher.transaction():
            await pair.watcher.execute(f"LOCK TABLE book IN {mode} MODE NOWAIT")
    except asyncpg.LockNotAvailableError:
        return True
    return False


FAMILIES = (
    ("smallint", "integer", "bigint", "numeric", "numeric(10, 2)", "numeric(12, 2)", "numeric(12, 4)", "real"),
    ("text", "varchar", "varchar(10)", "varchar(20)", "char(10)", '"mood"'),
    ("timestamptz", "timestamptz(3)", "timestamptz(6)", "timestamp", "timestamp(3)", "time", "time(3)", "date"),
    ("bit(8)", "varbit(8)", "varbit(16)", "varbit"),
    ("text[]", "varchar(10)[]", "varchar(20)[]", "integer[]", "bigint[]"),
    ("inet", "cidr", "uuid", "jsonb", "json", "bytea", "boolean", "integer", "text", "interval"),
)


async def test_changes_of_type_write_the_table_where_it_is_said(postgres_database: str) -> None:
    wrong: dict[tuple[str, str], bool] = {}
    compared = 0
    async with watched(postgres_database) as pair:
        for before, after in (both for family in FAMILIES for both in product(family, family)):
            column = s.Column("kept", before, nullable=True)
            change = op.AlterColumn("shelf", column, replace(column, type=after))
            made = [f"CREATE TABLE shelf (kept {before})", "INSERT INTO shelf VALUES (NULL)"]
            written = await is_written(pair.worker, made, change.statements(DIALECT))
            compared += written is not None
            if written not in (None, rewrites(change)):
                wrong[before, after] = written is True
    assert wrong == {}
    assert compared > 200


async def is_written(worker: asyncpg.Connection[Any], made: Sequence[str], changed: Sequence[str]) -> bool | None:
    """Whether a table gets a new file; None if PostgreSQL does not know how to change the type."""
    if not changed:
        return None
    file = "SELECT pg_relation_filenode('shelf'::regclass)"
    transaction = worker.transaction()
    await transaction.start()
    try:
        await worker.execute("; ".join(made))
        before = await worker.fetchval(file)
        await worker.execute("; ".join(changed))
        return bool(await worker.fetchval(file) != before)
    except asyncpg.PostgresError:
        return None
    finally:
        await transaction.rollback()


async def test_functions_that_give_one_value_are_not_volatile(postgres_database: str) -> None:
    async with watched(postgres_database) as pair:
        rows = await pair.worker.fetch("SELECT DISTINCT proname, provolatile = 'v' FROM pg_proc WHERE prokind = 'f'")
    volatile = {row[0] for row in rows if row[1]}
    assert {name for name in volatile if not is_volatile(f"{name}(1)")} == set()
    assert {"random", "gen_random_uuid", "clock_timestamp", "nextval"} <= volatile
