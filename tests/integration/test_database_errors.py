"""S9: what a database refuses has one class, with constraint and columns, whichever database it is."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest

from cormorant import (
    AsyncSession,
    ConnectionConfig,
    Database,
    DatabaseError,
    Many,
    Mapped,
    Model,
    One,
    TableArg,
    check,
    errors,
    field,
    foreign_key,
    func,
    generated,
    index,
    reverse,
    text,
    unique,
)
from tests.support import kept_tables

TABLE = "err_thing"


class Owner(Model, table="err_owner"):
    id: Mapped[int] = generated(primary_key=True)
    things: Many[Thing] = reverse("owner")


class Thing(Model, table=TABLE):
    id: Mapped[int] = field(primary_key=True)
    email: Mapped[str | None] = field(default=None, unique=True)
    shelf: Mapped[int | None] = field(default=None)
    place: Mapped[int | None] = field(default=None)
    code: Mapped[str | None] = field(default=None)
    name: Mapped[str] = field(default="x")
    price: Mapped[Decimal] = field(default=Decimal(0), precision=5, decimal_places=2)
    count: Mapped[int] = field(default=0)
    owner: One[Owner | None] = foreign_key(default=None)

    @classmethod
    def __table_args__(cls) -> Iterator[TableArg]:
        yield unique(cls.shelf, cls.place)
        yield index(cls.code, where=cls.count > 0, unique=True)
        yield index(func.lower(cls.name), where=cls.name != "x", unique=True)
        yield check(cls.count >= 0)


@pytest.fixture
async def database(database_dsn: str, keeps_tables: None) -> AsyncIterator[Database]:
    """A database with one owner, who has one thing."""
    async with Database(database_dsn) as database:
        await kept_tables.prepare(database, database_dsn, Owner, Thing)
        async with AsyncSession(database) as session:
            owner = Owner()
            thing = Thing(id=1, email="ada@example.org", shelf=1, place=1, code="one", name="Ada", count=1, owner=owner)
            session.add(thing)
        yield database


async def refused(database: Database, sql: str) -> DatabaseError:
    """Runs what must fail; the session goes on after its rollback."""
    async with AsyncSession(database) as session:
        with pytest.raises(DatabaseError) as caught:
            await session.execute(text(sql))
        await session.rollback()
        assert await session.query(Thing).count() == 1
    return caught.value


@pytest.mark.parametrize(
    ("values", "constraint", "columns"),
    [
        ({"id": 1}, None, ("id",)),
        ({"email": "ada@example.org"}, "uq_err_thing_email", ("email",)),
        ({"shelf": 1, "place": 1}, "uq_err_thing_shelf_place", ("shelf", "place")),
        ({"code": "one", "count": 7}, "ix_err_thing_code", ("code",)),
        ({"name": "ADA"}, "ix_err_thing_name", ()),
    ],
    ids=["key", "column", "columns", "part", "expression"],
)
async def test_a_value_that_is_taken(
    database: Database, values: dict[str, Any], constraint: str | None, columns: tuple[str, ...]
) -> None:
    async with AsyncSession(database) as session:
        session.add(Thing(**{"id": 2, **values}))
        with pytest.raises(errors.UniqueViolation) as caught:
            await session.commit()
        assert type(caught.value) is errors.UniqueViolation
        assert caught.value.columns == columns
        if constraint is None:
            # a key of ours has no name; PostgreSQL makes one
            assert caught.value.constraint in (None, "err_thing_pkey")
        else:
            assert caught.value.constraint == constraint
        await session.rollback()
        assert await session.query(Thing).count() == 1


async def test_a_constraint_named_in_sql_of_ones_own(database: Database) -> None:
    async with AsyncSession(database) as session:
        await session.execute(
            'CREATE TABLE err_own (a integer, b integer, "c, d" integer, '
            'CONSTRAINT "the ""pair""" UNIQUE (a, b), CONSTRAINT plain UNIQUE (b), UNIQUE ("c, d"))'
        )
        await session.execute("INSERT INTO err_own VALUES (1, 1, 1)")
    assert (await refused(database, "INSERT INTO err_own VALUES (2, 1, 2)")).constraint == "plain"
    async with AsyncSession(database) as session:
        await session.execute("CREATE UNIQUE INDEX twice ON err_own (b, a)")
        await session.execute("INSERT INTO err_own VALUES (5, 6, 7)")
    # two constraints over the same columns: which one is not told, or it is one of them
    found = await refused(database, "INSERT INTO err_own VALUES (6, 7, 7)")
    assert found.constraint in (None, "err_own_c, d_key")


async def test_a_reference_to_nothing(database: Database) -> None:
    found = await refused(
        database, "INSERT INTO err_thing (id, name, price, count, owner_id) VALUES (2, 'x', 0, 0, 99)"
    )
    assert type(found) is errors.ForeignKeyViolation
    if database.dialect.name == "postgresql":
        assert (found.table, found.constraint, found.columns) == (TABLE, "fk_err_thing_owner_id", ("owner_id",))
    else:
        # SQLite tells that there is one, and no more
        assert (found.table, found.constraint, found.columns) == (None, None, ())


async def test_a_row_that_is_pointed_to(database: Database) -> None:
    found = await refused(database, "DELETE FROM err_owner")
    assert type(found) is errors.ForeignKeyViolation
    if database.dialect.name == "postgresql":
        assert (found.table, found.constraint) == (TABLE, "fk_err_thing_owner_id")


async def test_a_reference_that_is_looked_at_with_the_commit(database: Database) -> None:
    reference = "integer REFERENCES err_owner (id) DEFERRABLE INITIALLY DEFERRED"
    async with AsyncSession(database) as session:
        await session.execute(text(f"CREATE TABLE err_late (owner {reference})"))
    async with AsyncSession(database) as session:
        await session.execute("INSERT INTO err_late VALUES (99)")
        with pytest.raises(errors.ForeignKeyViolation) as caught:
            await session.commit()
        assert type(caught.value) is errors.ForeignKeyViolation
        assert session.last_commit is None
        assert not session.in_transaction
        assert (await session.execute("SELECT count(*) FROM err_late")).scalar() == 0


TWO = "INSERT INTO err_thing (id, name, price, count) VALUES (2, 'x', "


@pytest.mark.parametrize(
    ("sql", "cls", "constraint", "columns"),
    [
        ("INSERT INTO err_thing (id, price, count) VALUES (2, 0, 0)", errors.NotNullViolation, None, ("name",)),
        (TWO + "0, -1)", errors.CheckViolation, "ck_err_thing_count", ()),
        ("SELECT missing FROM err_thing", errors.StatementError, None, ()),
        ("SELECT * FROM err_missing", errors.StatementError, None, ()),
        ("SELEKT 1", errors.StatementError, None, ()),
        ("SELECT err_missing(1)", errors.StatementError, None, ()),
    ],
)
async def test_what_both_databases_refuse(
    database: Database, sql: str, cls: type[DatabaseError], constraint: str | None, columns: tuple[str, ...]
) -> None:
    found = await refused(database, sql)
    assert (type(found), found.constraint, found.columns) == (cls, constraint, columns)
    assert found.statement is not None
    if cls is errors.StatementError and "missing" in sql and "(" not in sql:
        assert "create_all" in str(found.hint)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1 / 0",
        "SELECT CAST('one' AS integer)",
        "SELECT 9223372036854775807 + 1",
        "SELECT CAST('2026-13-01' AS date)",
        "INSERT INTO err_thing (id, name, price, count) VALUES (2, 'x', 123456, 0)",
        "SELECT CAST('{' AS jsonb)",
        "SELECT sqrt(-1)",
    ],
)
@pytest.mark.postgresql
async def test_values_that_postgresql_refuses(postgres_database: str, sql: str) -> None:
    async with Database(postgres_database) as database:
        await database.create_all(Owner, Thing)
        async with AsyncSession(database) as session:
            with pytest.raises(errors.DataError) as caught:
                await session.execute(text(sql))
            assert type(caught.value) is errors.DataError
            await session.rollback()


@pytest.mark.parametrize("sql", ["SELECT abs(-9223372036854775807 - 1)", "SELECT json('{')"])
async def test_values_that_sqlite_refuses(sql: str) -> None:
    async with Database("sqlite://") as database, AsyncSession(database) as session:
        with pytest.raises(errors.DataError) as caught:
            await session.execute(text(sql))
        assert type(caught.value) is errors.DataError
        await session.rollback()


async def test_a_read_only_transaction(database: Database) -> None:
    async with AsyncSession(database, read_only=True) as session:
        with pytest.raises(errors.StatementError) as caught:
            await session.execute("DELETE FROM err_thing")
        assert type(caught.value) is errors.StatementError
        assert caught.value.code in ("25006", "SQLITE_READONLY")
        await session.rollback()
        assert await session.query(Thing).count() == 1


# ---- what has to do with others


@pytest.mark.direct("a pooler's connections take no settings")
async def test_a_lock_that_is_not_granted(database_dsn: str) -> None:
    config = ConnectionConfig.from_dsn(database_dsn, lock_timeout=0.05)
    async with Database(database_dsn) as first, Database(config) as second:
        await first.create_all(Owner, Thing)
        async with AsyncSession(first) as holder, AsyncSession(second) as session:
            holder.add(Thing(id=1))
            await holder.flush()
            with pytest.raises(errors.LockTimeout) as caught:
                await session.execute(
                    "LOCK TABLE err_thing" if first.dialect.name == "postgresql" else "DELETE FROM err_thing"
                )
            assert type(caught.value) is errors.LockTimeout
            await session.rollback()
            await holder.commit()
            assert await session.query(Thing).count() == 1


async def test_a_file_that_another_program_has_locked(tmp_path: Path) -> None:
    path = tmp_path / "locked.db"
    async with Database(ConnectionConfig.from_dsn(f"sqlite:///{path}", busy_timeout=0.05)) as database:
        await database.create_all(Owner, Thing)
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            async with AsyncSession(database) as session:
                session.add(Thing(id=1))
                with pytest.raises(errors.LockTimeout, match="locked") as caught:
                    await session.flush()
                assert "another connection, of this program or of another one" in str(caught.value.hint)
                await session.rollback()
            other.execute("ROLLBACK")
        async with AsyncSession(database) as session:
            session.add(Thing(id=1))


@pytest.mark.direct("a pooler's connections take no settings")
async def test_a_statement_that_takes_too_long(database_dsn: str) -> None:
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i FROM n) SELECT count(*) FROM n"
    async with (
        Database(ConnectionConfig.from_dsn(database_dsn, statement_timeout=0.05)) as database,
        AsyncSession(database) as session,
    ):
        with pytest.raises(errors.QueryTimeout) as caught:
            await session.execute(endless, write=False)
        assert type(caught.value) is errors.QueryTimeout
        assert (await session.execute("SELECT 1")).scalar() == 1


async def test_two_transactions_that_cannot_be_put_in_an_order(postgres_database: str) -> None:
    async with Database(postgres_database) as database:
        await database.create_all(Owner, Thing)
        async with AsyncSession(database) as session:
            session.add(Thing(id=1), Thing(id=2))
        async with AsyncSession(database, isolation="repeatable read") as one:
            thing = await one.get_one(Thing, 1)
            async with AsyncSession(database) as two:
                (await two.get_one(Thing, 1)).count = 5
            thing.count = 6
            with pytest.raises(errors.SerializationError) as caught:
                await one.flush()
            assert type(caught.value) is errors.SerializationError
            await one.rollback()


@pytest.mark.direct("a pooler's connections take no settings")
async def test_two_transactions_that_wait_for_each_other(postgres_database: str) -> None:
    config = ConnectionConfig.from_dsn(postgres_database, server_settings={"deadlock_timeout": "10ms"})
    async with Database(config) as database:
        await database.create_all(Owner, Thing)
        async with AsyncSession(database) as session:
            session.add(Thing(id=1), Thing(id=2))
        both = asyncio.Barrier(2)

        async def change(first: int, second: int) -> DatabaseError | None:
            async with AsyncSession(database) as session:
                await session.query(Thing).filter(Thing.id == first).update(Thing.count.set(1))
                await both.wait()
                try:
                    await session.query(Thing).filter(Thing.id == second).update(Thing.count.set(2))
                except DatabaseError as error:
                    await session.rollback()
                    return error
            return None

        ends = await asyncio.gather(change(1, 2), change(2, 1))
        assert sorted(map(repr, map(type, ends))) == sorted(map(repr, [errors.DeadlockError, type(None)]))


# ---- the way to the database


@pytest.fixture
async def role(postgres_database: str) -> AsyncIterator[str]:
    """The DSN of a role that may read nothing and have one connection."""
    parts = urlsplit(postgres_database)
    name = f"err_role_{parts.path[1:]}"
    async with Database(postgres_database) as database:
        try:
            async with AsyncSession(database) as session:
                await session.execute(text(f"CREATE ROLE \"{name}\" LOGIN PASSWORD 'p4ss' CONNECTION LIMIT 1"))
        except errors.StatementError as error:
            pytest.skip(f"roles cannot be made here: {error.message}")
        try:
            yield urlunsplit(parts._replace(netloc=f"{name}:p4ss@{parts.netloc.rpartition('@')[2]}"))
        finally:
            async with AsyncSession(database) as session:
                await session.execute(text(f'DROP OWNED BY "{name}"'))
                await session.execute(text(f'DROP ROLE "{name}"'))


@pytest.mark.direct("a pooler has roles of its own")
async def test_what_a_role_may_not_do(postgres_database: str, role: str) -> None:
    async with Database(postgres_database) as owner, Database(role) as database:
        await owner.create_all(Owner, Thing)
        async with AsyncSession(owner) as session:
            await session.execute("GRANT USAGE ON SCHEMA public TO PUBLIC")
        async with AsyncSession(database) as session:
            with pytest.raises(errors.StatementError, match="permission denied") as caught:
                await session.query(Thing).count()
            assert caught.value.code == "42501"


@pytest.mark.direct("a pooler has limits of its own")
async def test_more_connections_than_a_server_gives(role: str) -> None:
    async with Database(role) as first, Database(role) as second:
        await first.ping()
        with pytest.raises(errors.ConnectionLost, match="too many connections") as caught:
            await second.ping()
        assert caught.value.code == "53300"
        assert "pool_size" in str(caught.value.hint)
        await first.ping()


async def test_an_exclusion(postgres_database: str) -> None:
    async with Database(postgres_database) as database, AsyncSession(database) as session:
        await session.execute(
            "CREATE TABLE err_span (span int4range, CONSTRAINT apart EXCLUDE USING gist (span WITH &&))"
        )
        await session.execute("INSERT INTO err_span VALUES ('[1, 5)')")
        with pytest.raises(errors.IntegrityError) as caught:
            await session.execute("INSERT INTO err_span VALUES ('[4, 6)')")
        assert (type(caught.value), caught.value.constraint) == (errors.IntegrityError, "apart")
        assert caught.value.columns == ("span",)
        await session.rollback()


async def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("these are notes, and many of them\n" * 100)
    async with Database(f"sqlite:///{path}") as database:
        with pytest.raises(errors.ConnectionLost, match="not a database") as caught:
            await database.ping()
        assert "path" in str(caught.value.hint)


async def test_a_damaged_file(tmp_path: Path) -> None:
    path = tmp_path / "damaged.db"
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE t (a text)")
        other.executemany("INSERT INTO t VALUES (?)", [("word " * 100,)] * 100)
        other.commit()
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 4096 * 3)
    async with Database(f"sqlite:///{path}") as database, AsyncSession(database) as session:
        with pytest.raises(DatabaseError, match="malformed") as caught:
            await session.execute("SELECT a FROM t")
        assert type(caught.value) is DatabaseError
        assert caught.value.code is not None
        assert caught.value.code.startswith("SQLITE_CORRUPT")
        assert "backup" in str(caught.value.hint)
