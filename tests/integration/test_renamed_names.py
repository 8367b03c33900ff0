"""Former names are free for others, and rows stay with what was renamed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from cormorant import Database, Many, Mapped, MigrationEngine, Model, One, field, foreign_key, generated, many_to_many
from cormorant.migrations import History, make
from cormorant.models.registry import registry
from cormorant.schema.builder import SchemaBuilder
from tests.support.essays import execute, rows

Release = Callable[[], None]


@pytest.fixture(autouse=True)
def own_registry() -> Iterator[None]:
    with registry.isolated():
        yield


@pytest.fixture
async def database(database_dsn: str) -> AsyncIterator[Database]:
    async with Database(database_dsn) as database:
        yield database


async def migrated(database: Database, folder: Path, release: Release) -> MigrationEngine:
    """Makes the migration of a release and runs it, after which there is nothing left to be made."""
    with registry.isolated():
        release()
        history = History.load(folder, missing_ok=True)
        draft = make(history, SchemaBuilder.wanted(), allow_destructive=True)
        assert draft is not None
        draft.write(folder)
        engine = MigrationEngine(database, folder)
        await engine.migrate()
        assert make(engine.history, SchemaBuilder.wanted()) is None
        assert not await engine.drift()
    return engine


# ---- relations


def with_author() -> None:
    class Author(Model):
        id: Mapped[int] = generated(primary_key=True)

    class Post(Model):
        id: Mapped[int] = generated(primary_key=True)
        author: One[Author] = foreign_key()


def with_writer() -> None:
    class Author(Model):
        id: Mapped[int] = generated(primary_key=True)

    class Post(Model):
        id: Mapped[int] = generated(primary_key=True)
        writer: One[Author] = foreign_key(renamed_from="author")


def with_both() -> None:
    class Author(Model):
        id: Mapped[int] = generated(primary_key=True)

    class Post(Model):
        id: Mapped[int] = generated(primary_key=True)
        writer: One[Author] = foreign_key(renamed_from="author")
        author: One[Author | None] = foreign_key(default=None)


async def test_a_new_relation_has_the_former_name_of_another_one(database: Database, tmp_path: Path) -> None:
    for release in (with_author, with_writer, with_both):
        engine = await migrated(database, tmp_path, release)
    assert [key.name for key in engine.history.state().tables[1].foreign_keys] == [
        "fk_post_writer_id",
        "fk_post_author_id",
    ]
    await engine.rollback()
    found = (await SchemaBuilder(database).live()).table("post")
    assert found is not None
    assert [(key.name, key.columns) for key in found.foreign_keys] == [("fk_post_writer_id", ("writer_id",))]
    await engine.rollback()
    assert (await engine.prove()).holds


RENAME_ALONE = '''"""Renames, as before foreign keys went with their columns."""

from cormorant.migrations import Migration
from cormorant.schema import steps as op

migration = Migration(depends=("0001_initial",), operations=[op.RenameColumn("post", "author_id", "writer_id")])
'''


async def test_databases_whose_foreign_keys_were_not_renamed(database: Database, tmp_path: Path) -> None:
    await migrated(database, tmp_path, with_author)
    (tmp_path / "0002_post.py").write_text(RENAME_ALONE)
    engine = await migrated(database, tmp_path, with_both)
    assert [key.name for key in engine.history.state().tables[1].foreign_keys] == [
        "fk_post_writer_id",
        "fk_post_author_id",
    ]
    await engine.rollback("0001_initial")
    assert (await engine.prove()).holds


# ---- columns and tables


def with_name() -> None:
    class Person(Model):
        id: Mapped[int] = generated(primary_key=True)
        name: Mapped[str]


def with_full_name() -> None:
    class Person(Model):
        id: Mapped[int] = generated(primary_key=True)
        full_name: Mapped[str] = field(renamed_from="name")
        name: Mapped[str | None] = field(default=None, unique=True)


async def test_a_column_takes_the_former_name_of_another_one(database: Database, tmp_path: Path) -> None:
    engine = await migrated(database, tmp_path, with_name)
    await execute(database, "INSERT INTO person (name) VALUES ('Ada')")
    engine = await migrated(database, tmp_path, with_full_name)
    assert await rows(database, "SELECT full_name, name FROM person") == [("Ada", None)]
    await engine.rollback()
    assert await rows(database, "SELECT name FROM person") == [("Ada",)]


def with_post() -> None:
    class User(Model, table="users"):
        id: Mapped[int] = generated(primary_key=True)

    class Post(Model):
        id: Mapped[int] = generated(primary_key=True)
        title: Mapped[str] = field(unique=True)
        user: One[User] = foreign_key()
        users: Many[User] = many_to_many()


def with_article() -> None:
    class User(Model, table="users"):
        id: Mapped[int] = generated(primary_key=True)

    class Article(Model, renamed_from="post"):
        id: Mapped[int] = generated(primary_key=True)
        title: Mapped[str] = field(unique=True)
        user: One[User] = foreign_key()
        users: Many[User] = many_to_many()

    class Post(Model):
        id: Mapped[int] = generated(primary_key=True)
        title: Mapped[str] = field(unique=True)
        user: One[User] = foreign_key()
        users: Many[User] = many_to_many()


async def test_a_table_takes_the_former_name_of_another_one(database: Database, tmp_path: Path) -> None:
    await migrated(database, tmp_path, with_post)
    await execute(database, "INSERT INTO users (id) VALUES (1)")
    await execute(database, "INSERT INTO post (title, user_id) VALUES ('Notes', 1)")
    await execute(database, "INSERT INTO post_users (post_id, user_id) VALUES (1, 1)")
    engine = await migrated(database, tmp_path, with_article)
    assert await rows(database, "SELECT title FROM article") == [("Notes",)]
    assert await rows(database, "SELECT article_id FROM article_users") == [(1,)]
    assert await rows(database, "SELECT title FROM post UNION ALL SELECT 'link' FROM post_users") == []
    assert (await engine.prove()).holds
    await engine.rollback()
    assert await rows(database, "SELECT title FROM post") == [("Notes",)]
