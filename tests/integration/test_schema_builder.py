"""Models change, and the database follows: renames, rebuilds, and what nobody has told the models about."""

from __future__ import annotations

import enum
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any

import pytest

from cormorant import (
    AsyncSession,
    Database,
    ForeignKeyViolation,
    Many,
    Mapped,
    Model,
    One,
    SchemaBuilder,
    TableArg,
    UniqueViolation,
    check,
    field,
    foreign_key,
    func,
    generated,
    index,
    many_to_many,
    search,
    search_index,
    unique,
)
from cormorant.models.registry import registry
from cormorant.schema import snapshot as s
from cormorant.schema.declared import from_models
from cormorant.schema.diff import diff
from cormorant.schema.plan import plan
from cormorant.schema.snapshot import SchemaSnapshot
from tests.support import museum
from tests.unit.query import models as newsroom


@pytest.fixture(autouse=True)
def own_registry() -> Iterator[None]:
    with registry.isolated():
        yield


@pytest.fixture
async def database(database_dsn: str) -> AsyncIterator[Database]:
    async with Database(database_dsn) as database:
        yield database


async def execute(database: Database, *statements: str) -> list[Any]:
    found: list[Any] = []
    async with AsyncSession(database) as session:
        for sql in statements:
            found = [tuple(row) for row in await session.execute(sql)]  # type: ignore[arg-type]
    return found


def all_models() -> list[type[Model]]:
    found = [value for module in (museum, newsroom) for value in vars(module).values() if hasattr(value, "__info__")]
    return list({model.__info__.table: model for model in found}.values())


async def test_it_says_of_tables_what_create_all_says(database: Database) -> None:
    models = all_models()
    operations = diff(SchemaSnapshot(), from_models(models))
    planned = plan(SchemaSnapshot(), operations, database.dialect)
    said = [sql for operation in planned for sql in operation.statements(database.dialect)]
    assert sorted(said) == sorted(database.create_sql(*models))


async def test_what_create_all_has_made_is_what_models_want(database: Database) -> None:
    models = all_models()
    await database.create_all(*models)
    assert await SchemaBuilder(database).difference(*models) == []


def first_release() -> tuple[type[Model], type[Model]]:
    class Mood(enum.Enum):
        GOOD = "good"
        BAD = "bad"

    class Writer(Model):
        id: Mapped[int] = generated(primary_key=True)
        name: Mapped[str] = field(max_length=100, unique=True)

    class Essay(Model):
        id: Mapped[int] = generated(primary_key=True)
        headline: Mapped[str] = field(index=True)
        body: Mapped[str] = field(default="")
        stars: Mapped[int | None] = field(default=None)
        mood: Mapped[Mood] = field(default=Mood.GOOD, native="essay_mood")
        writer: One[Writer] = foreign_key(on_delete="cascade")
        similar: Many[Essay] = many_to_many()

        @classmethod
        def __table_args__(cls) -> Iterable[TableArg]:
            yield check(cls.headline != "")
            yield search_index(cls.headline, cls.body)

    return Writer, Essay


def second_release() -> tuple[type[Model], type[Model]]:
    class Mood(enum.Enum):
        BAD = "bad"
        GOOD = "good"
        ODD = "odd"

    class Author(Model, table="author", renamed_from="writer", comment="who writes"):
        id: Mapped[int] = generated(primary_key=True)
        name: Mapped[str] = field(unique=True)

    class Essay(Model):
        id: Mapped[int] = generated(primary_key=True)
        title: Mapped[str] = field(index=True, renamed_from="headline", comment="in large type")
        body: Mapped[str] = field(default="")
        stars: Mapped[int] = field(default=3, size="big")
        mood: Mapped[Mood] = field(default=Mood.GOOD, native="essay_mood")
        length: Mapped[int] = generated(computed=lambda essay: func.length(essay.body))
        author: One[Author] = foreign_key(on_delete="restrict", renamed_from="writer", deferrable=True)
        similar: Many[Essay] = many_to_many()

        @classmethod
        def __table_args__(cls) -> Iterable[TableArg]:
            yield check(cls.title != "")
            yield search_index(cls.title, cls.body)
            yield unique(cls.author, cls.title)
            yield index(func.lower(cls.title), cls.stars.desc(), where=cls.stars > 1)

    return Author, Essay


async def test_a_release_and_the_next(database: Database) -> None:
    writers, essays = first_release()
    builder = SchemaBuilder(database)
    await builder.apply(await builder.difference())
    async with AsyncSession(database) as session:
        ada = writers(name="Ada")  # type: ignore[call-arg]
        one, other = (essays(headline=text, writer=ada) for text in ("Notes", "Letters"))  # type: ignore[call-arg]
        one.similar.add(other)  # type: ignore[attr-defined]
        session.add(one, other)
    with registry.isolated():
        _, essays = second_release()
        operations = await builder.difference()
        told = [operation.describe() for operation in operations]
        assert {"rename table writer to author", "rename column essay.headline to title"} <= set(told)
        assert "rename column essay.writer_id to author_id" in told
        assert not [each for each in told if each.startswith(("drop table", "drop column"))]
        await builder.apply(operations)
        assert await builder.difference() == []
        async with AsyncSession(database) as session:
            query: Any = session.query(essays).order_by(essays.title)  # type: ignore[attr-defined]
            found = await query
            assert [(each.title, each.stars, each.length) for each in found] == [("Letters", 3, 0), ("Notes", 3, 0)]
            assert {(await each.author).name for each in found} == {"Ada"}
            assert [each.title for each in await found[1].similar] == ["Letters"]
            words: Any = essays
            assert await query.filter(search(words.title, words.body).matches("notes")).count() == 1
            session.add(essays(title="Rhymes", author=found[0].author))  # type: ignore[call-arg]
            await session.flush()
            assert await query.filter(search(words.title, words.body).matches("rhymes")).count() == 1
    first_release()
    with registry.isolated():
        first_release()
        # on the way back nobody says what was renamed
        assert [each.describe() for each in await builder.difference() if each.describe().startswith("drop table")]


@pytest.mark.parametrize("renamed", ["table", "column"])
async def test_words_are_found_after_a_rename(database: Database, renamed: str) -> None:
    class Note(Model):
        id: Mapped[int] = generated(primary_key=True)
        body: Mapped[str]

        @classmethod
        def __table_args__(cls) -> Iterable[TableArg]:
            yield search_index(cls.body, name="words")

    await database.create_all()
    async with AsyncSession(database) as session:
        session.add(Note(body="an old letter"))
    with registry.isolated():
        table, column = ("letter", "body") if renamed == "table" else ("note", "content")

        class Letter(Model, table=table, renamed_from="note"):
            id: Mapped[int] = generated(primary_key=True)
            text: Mapped[str] = field(column=column, renamed_from="body")

            @classmethod
            def __table_args__(cls) -> Iterable[TableArg]:
                yield search_index(cls.text, name="words")

        builder = SchemaBuilder(database)
        operations = await builder.difference()
        assert [operation.describe().split()[:2] for operation in operations] == [["rename", renamed]]
        await builder.apply(operations)
        assert await builder.difference() == []
        async with AsyncSession(database) as session:
            session.add(Letter(text="a new letter"))
            await session.flush()
            assert await session.query(Letter).filter(search(Letter.text).matches("letter")).count() == 2


async def test_sqlite_rebuilds_keep_triggers_indexes_views_and_numbers(tmp_path: Any) -> None:
    async with Database(f"sqlite:///{tmp_path / 'kept.db'}") as database:

        class Shelf(Model):
            id: Mapped[int] = generated(primary_key=True)
            room: Mapped[str]

        class Book(Model):
            id: Mapped[int] = generated(primary_key=True)
            title: Mapped[str]
            shelf: One[Shelf | None] = foreign_key(default=None, on_delete="cascade")

        await database.create_all()
        await execute(
            database,
            "CREATE TABLE log (text TEXT)",
            "CREATE TRIGGER shelf_log AFTER UPDATE ON shelf BEGIN INSERT INTO log VALUES (new.room); END",
            "CREATE INDEX by_hand ON shelf (room DESC)",
            "CREATE VIEW rooms AS SELECT room FROM shelf",
            "INSERT INTO shelf (id, room) VALUES (1, 'red'), (9, 'green')",
            "INSERT INTO book (title, shelf_id) VALUES ('Notes', 1)",
            "DELETE FROM shelf WHERE id = 9",
        )
        with registry.isolated():

            class Later(Model, table="shelf"):
                id: Mapped[int] = generated(primary_key=True)
                room: Mapped[str | None] = field(default=None)

                @classmethod
                def __table_args__(cls) -> Iterable[TableArg]:
                    yield check(cls.room != "blue")

            # the index, the trigger and the view are in no model
            await SchemaBuilder(database).apply(diff(from_models([Shelf]), from_models([Later])))
        await execute(database, "UPDATE shelf SET room = 'black'", "INSERT INTO shelf (room) VALUES (NULL)")
        assert await execute(database, "SELECT text FROM log") == [("black",)]
        assert await execute(database, "SELECT id, room FROM shelf ORDER BY id") == [(1, "black"), (10, None)]
        assert await execute(database, "SELECT room FROM rooms ORDER BY room") == [(None,), ("black",)]
        assert await execute(database, "SELECT name FROM pragma_index_list('shelf')") == [("by_hand",)]
        assert await execute(database, "SELECT shelf_id FROM book") == [(1,)]
        await execute(database, "DELETE FROM shelf")
        assert await execute(database, "SELECT count(*) FROM book") == [(0,)]


async def test_sqlite_refuses_what_would_leave_rows_that_point_to_nothing(tmp_path: Any) -> None:
    async with Database(f"sqlite:///{tmp_path / 'broken.db'}") as database:
        await execute(
            database,
            "CREATE TABLE shelf (id INTEGER PRIMARY KEY)",
            "CREATE TABLE book (id INTEGER PRIMARY KEY AUTOINCREMENT, shelf_id INTEGER)",
            "INSERT INTO book (shelf_id) VALUES (7)",
        )

        class Shelf(Model):
            id: Mapped[int] = generated(primary_key=True)

        class Book(Model):
            id: Mapped[int] = generated(primary_key=True)
            shelf: One[Shelf | None] = foreign_key(default=None)

        builder = SchemaBuilder(database)
        operations = await builder.difference()
        with pytest.raises(ForeignKeyViolation, match=r"1 rows would point to nothing: book \(row 1\) to shelf"):
            await builder.apply(operations)
        assert await execute(database, "SELECT shelf_id FROM book") == [(7,)]
        assert await execute(database, "PRAGMA foreign_keys") == [(1,)]
        assert (await builder.live()).table("book") == (await builder.live()).only(["book"]).tables[0]
        assert [op.describe() for op in await builder.difference()] == [op.describe() for op in operations]


@pytest.mark.postgresql
async def test_other_schemas_are_asked_for_by_name(postgres_database: str) -> None:
    async with Database(postgres_database) as database:
        await execute(
            database,
            'CREATE SCHEMA "Audit log"',
            "CREATE TYPE \"Audit log\".state AS ENUM ('new', 'seen')",
            "CREATE TABLE person (id bigint PRIMARY KEY)",
            'CREATE TABLE "Audit log".entry (id serial PRIMARY KEY, state "Audit log".state DEFAULT \'new\' NOT NULL,'
            " person_id bigint REFERENCES person, CHECK (person_id > 0))",
        )
        builder = SchemaBuilder(database)
        assert [table.key for table in (await builder.live()).tables] == ["person"]
        live = await builder.live(["Audit log"])
        assert [table.key for table in live.tables] == ["Audit log.entry", "person"]
        assert diff(live, await builder.normalised(live)) == []
        assert await execute(database, "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'cormorant%'") == []


@pytest.mark.postgresql
async def test_constants_of_expressions_follow_the_types_of_columns(postgres_database: str) -> None:
    async with Database(postgres_database) as database:
        builder = SchemaBuilder(database)
        before = SchemaSnapshot()
        # a constant stays of the type that it was compared with, unless the expression is said anew
        for text, number in [
            ("varchar(50)", "bigint"),
            ("text", "integer"),
            ("varchar(20)", "smallint"),
            ("text", "text"),
        ]:
            columns = (s.Column("id", "bigint"), s.Column("title", text), s.Column("size", number))
            table = s.Table(
                "book",
                columns,
                s.PrimaryKey(("id",)),
                checks=(s.Check("sized", "coalesce(size, '0') <> '7'"),),
                indexes=(s.Index("titles", (s.IndexItem(expression="coalesce(title, '')"),)),),
                searches=(s.SearchIndex("words", ("title",), "english", "id"),),
            )
            wanted = SchemaSnapshot((table,))
            await builder.apply(diff(before, wanted))
            assert diff(await builder.live(), await builder.normalised(wanted)) == []
            before = wanted


@pytest.mark.postgresql
async def test_what_is_to_be_together_is_done_together_or_not_at_all(postgres_database: str) -> None:
    async with Database(postgres_database) as database:

        class Shelf(Model):
            id: Mapped[int] = generated(primary_key=True)
            room: Mapped[str] = field(unique=True)

        await execute(database, "CREATE TABLE shelf (id bigint PRIMARY KEY, room text NOT NULL)")
        await execute(database, "INSERT INTO shelf VALUES (1, 'red'), (2, 'red')")
        builder = SchemaBuilder(database)
        operations = await builder.difference()
        with pytest.raises(UniqueViolation, match="uq_shelf_room"):
            await builder.apply(operations)
        assert await builder.difference() == operations
        await execute(database, "DELETE FROM shelf WHERE id = 2")
        await builder.apply(operations)
        async with AsyncSession(database) as session:
            session.add(shelf := Shelf(room="green"))
        assert shelf.id == 2


async def test_the_order_of_bytes_is_sqlites_own(database: Database) -> None:
    class Filed(Model, app="bytes"):
        id: Mapped[int] = generated(primary_key=True)
        name: Mapped[str] = field(collation="C", unique=True)
        other: Mapped[str] = field(collation="POSIX")

    await database.create_all(Filed)
    assert await SchemaBuilder(database).difference(Filed) == []
    async with AsyncSession(database) as session:
        session.add(*(Filed(name=name, other=name) for name in ("b", "é", "A", "a", "_")))
        await session.flush()
        assert await session.query(Filed).order_by(Filed.name).scalars(Filed.name) == ["A", "_", "a", "b", "é"]
