"""Updates, deletes and inserts in WITH, on PostgreSQL: one statement, in the transaction; SQLite refuses them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from cormorant import AsyncSession, CompileError, Database, QueryError
from tests.support.newsroom import MODELS, Folder, Label, Ticket, Writer, rolled_back, sql_of, words


@pytest.fixture
async def database(postgres_database: str) -> AsyncIterator[Database]:
    """SQLite has no such statements; what it says is the last test's."""
    async with Database(postgres_database) as database:
        await database.create_all(*MODELS)
        async with AsyncSession(database) as session:
            rows = [("Ada", 1), ("Bob", 2), ("Eve", 3)]
            await session.query(Writer).bulk_create([{"name": name, "age": age} for name, age in rows])
        yield database


async def names(database: Database, model: Any) -> list[str]:
    async with AsyncSession(database) as session:
        return sorted(await session.query(model).scalars(model.name))


async def test_rows_move_in_one_statement(database: Database) -> None:
    async with AsyncSession(database) as session:
        gone = session.query(Writer).filter(Writer.age < 3).delete_cte("gone", returning=Writer)
        assert await session.query(Label).insert_from([Label.name], session.query(Label).scalars(Label.name)) == 0
        moved = session.query(Writer).join(gone, gone[Writer.id] == Writer.id).scalars(gone[Writer.name])
        assert await session.query(Label).insert_from([Label.name], moved) == 2
        assert words(session) == {"BEGIN": 1, "INSERT": 1, "WITH": 1}
    assert await names(database, Writer) == ["Eve"]
    assert await names(database, Label) == ["Ada", "Bob"]


async def test_what_was_changed_is_read(database: Database) -> None:
    async with AsyncSession(database) as session:
        older = (
            session.query(Writer)
            .filter(Writer.age > 1)
            .update_cte("older", Writer.age.set(Writer.age + 10), returning=(Writer.id, Writer.age))
        )
        found = session.query(Writer).join(older, older[Writer.id] == Writer.id).order_by(Writer.name)
        # the rest of the statement sees what was before
        assert await found.values(Writer.name, Writer.age, older[Writer.age]) == [("Bob", 2, 12), ("Eve", 3, 13)]
    async with AsyncSession(database) as session:
        assert sorted(await session.query(Writer).scalars(Writer.age)) == [1, 12, 13]


async def test_what_was_inserted_is_read(database: Database) -> None:
    async with AsyncSession(database) as session:
        writers = session.query(Writer).filter(Writer.age > 1).scalars(Writer.name)
        made = session.query(Folder).insert_cte("made", [Folder.name], writers, returning=(Folder.id, Folder.name))
        pairs = session.query(Writer).join(made, made[Folder.name] == Writer.name)
        found = await pairs.order_by(Writer.name).values(Writer.name, made[Folder.id])
        assert found == [("Bob", 1), ("Eve", 2)]
    assert await names(database, Folder) == ["Bob", "Eve"]


@pytest.mark.parametrize("autocommit", [False, True])
async def test_it_is_a_write(database: Database, autocommit: bool) -> None:
    async with AsyncSession(database, autocommit=autocommit) as session:
        session.add(Writer(name="Zoe", age=0))
        gone = session.query(Writer).filter(Writer.age < 2).delete_cte("gone", returning=Writer.name)
        # what is pending is written before, and the rows are deleted once however often they are read
        two = gone.alias("two")
        query = session.query(Folder).with_(gone)
        assert await query.count() == 0
        assert await names(database, Writer) == (["Bob", "Eve"] if autocommit else ["Ada", "Bob", "Eve"])
        assert two.columns[0].name == "name"
    assert await names(database, Writer) == ["Bob", "Eve"]


async def test_a_rollback_takes_it_back(database: Database) -> None:
    async with rolled_back(AsyncSession(database)) as session:
        await session.query(Folder).with_(session.query(Writer).delete_cte("gone"))
        assert await session.query(Writer).count() == 0
    assert await names(database, Writer) == ["Ada", "Bob", "Eve"]


async def test_rows_are_locked_and_read_once(database: Database) -> None:
    async with AsyncSession(database) as session:
        gone = session.query(Writer).filter(Writer.age == 1).delete_cte("gone", returning=Writer.id)
        left = session.query(Writer).filter(Writer.age != 1).order_by(Writer.id)
        assert [w.name for w in await left.with_(gone).for_update()] == ["Bob", "Eve"]
        again = left.with_(session.query(Writer).filter(Writer.age == 2).delete_cte("gone"))
        with pytest.raises(QueryError, match="gives all of its rows at once, and is no page, stream or measurement"):
            await again.page(2)
        with pytest.raises(QueryError, match="gives all of its rows at once"):
            async for _ in again.stream():
                pass
        with pytest.raises(QueryError, match="gives all of its rows at once"):
            await again.explain(analyze=True)
        assert "ModifyTable on" in (await again.explain()).text
        assert await session.query(Writer).count() == 2


async def test_it_runs_once_whatever_is_loaded_up_front(database: Database) -> None:
    async with AsyncSession(database) as session:
        added = session.query(Writer).filter(Writer.age == 1).update_cte("older", Writer.age.set(Writer.age + 1))
        query = session.query(Writer).with_(added)
        await query.prefetch_related(Writer.stories)
        await query.exists()
        assert await query.filter(Writer.age == 2).count() == 2
    async with AsyncSession(database) as session:
        assert sorted(await session.query(Writer).scalars(Writer.age)) == [2, 2, 3]


async def test_values_are_those_of_each_run(database: Database) -> None:
    async with AsyncSession(database) as session:
        for age, name in ((1, "Ada"), (3, "Eve")):
            gone = session.query(Writer).filter(Writer.age == age).delete_cte("gone", returning=Writer.name)
            found = session.query(Writer).join(gone, gone[Writer.name] == Writer.name).scalars(gone[Writer.name])
            assert await found == [name]
        assert len(sql_of(session, "WITH")) == 1


async def test_a_query_of_another_database_is_refused(database: Database, postgres_database: str) -> None:
    async with Database(postgres_database) as other, AsyncSession(other) as foreign, AsyncSession(database) as session:
        gone = foreign.query(Writer).delete_cte("gone", returning=Writer.name)
        with pytest.raises(QueryError, match=r"holds a query that was made for another database"):
            await session.query(Writer).with_(gone)
        with pytest.raises(QueryError, match=r"insert_from\(\) of a query that was made for another database"):
            await session.query(Label).insert_from([Label.name], gone)
        with pytest.raises(QueryError, match=r"insert_from\(\) of a query that was made for another database"):
            await session.query(Label).insert_from([Label.name], foreign.query(Writer).scalars(Writer.name))


async def test_sqlite_refuses() -> None:
    async with Database("sqlite://") as database, AsyncSession(database) as session:
        await database.create_all(Writer, Ticket)
        with pytest.raises(CompileError, match="SQLite has no statements that write in WITH"):
            await session.query(Ticket).with_(session.query(Writer).delete_cte("gone"))
