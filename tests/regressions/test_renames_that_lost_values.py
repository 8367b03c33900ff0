"""Names that others take over, links of renamed relations, and links between objects of one renamed model."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from cormorant import (
    AsyncSession,
    Database,
    Many,
    Mapped,
    Model,
    ModelError,
    One,
    SchemaBuilder,
    field,
    foreign_key,
    generated,
    many_to_many,
)
from cormorant.models.registry import registry
from cormorant.schema import snapshot as s
from cormorant.schema import steps as op
from cormorant.schema.diff import diff

A, B, C = (s.Column(name, "integer") for name in "abc")
TABLE = s.Table("shelf", (s.Column("id", "bigint"), A, B), s.PrimaryKey(("id",)))


@pytest.fixture
async def database(database_dsn: str) -> AsyncIterator[Database]:
    async with Database(database_dsn) as database:
        yield database


async def test_a_name_passes_from_one_column_to_the_next(database: Database) -> None:
    before = s.SchemaSnapshot((TABLE,))
    columns = (TABLE.columns[0], replace(B, renamed_from="a"), replace(C, renamed_from="b"))
    after = s.SchemaSnapshot((replace(TABLE, columns=columns),))
    operations = diff(before, after)
    assert [each.describe() for each in operations] == ["rename column shelf.b to c", "rename column shelf.a to b"]
    assert diff(after, after) == []
    builder = SchemaBuilder(database)
    await builder.apply(diff(s.SchemaSnapshot(), before))
    async with AsyncSession(database) as session:
        await session.execute("INSERT INTO shelf (id, a, b) VALUES (1, 10, 20)")
    await builder.apply(operations)
    async with AsyncSession(database) as session:
        assert await session.execute("SELECT b, c FROM shelf") == [(10, 20)]


def test_a_name_passes_from_one_table_to_the_next() -> None:
    before = s.SchemaSnapshot((TABLE, replace(TABLE, name="rack")))
    after = s.SchemaSnapshot((replace(TABLE, renamed_from="rack"), replace(TABLE, name="board", renamed_from="shelf")))
    described = [each.describe() for each in diff(before, after)]
    assert described == ["rename table shelf to board", "rename table rack to shelf"]


def test_columns_that_change_places_are_refused() -> None:
    columns = (TABLE.columns[0], replace(A, renamed_from="b"), replace(B, renamed_from="a"))
    after = s.SchemaSnapshot((replace(TABLE, columns=columns),))
    with pytest.raises(ModelError, match="columns of shelf change places by renamed_from: a, b"):
        diff(s.SchemaSnapshot((TABLE,)), after)


def test_a_name_may_be_taken_by_a_new_column_at_once() -> None:
    columns = (*TABLE.columns, replace(C, renamed_from="b"))
    after = s.SchemaSnapshot((replace(TABLE, columns=columns),))
    assert [each.describe() for each in diff(s.SchemaSnapshot((TABLE,)), after)] == [
        "rename column shelf.b to c",
        "add column shelf.b integer not null",
    ]


async def test_links_of_a_renamed_relation_stay(database: Database) -> None:
    with registry.isolated():

        class Word(Model):
            id: Mapped[int] = generated(primary_key=True)

        class Essay(Model):
            id: Mapped[int] = generated(primary_key=True)
            words: Many[Word] = many_to_many()
            sequels: Many[Essay] = many_to_many()

        before = SchemaBuilder.wanted(Word, Essay)
        await database.create_all(Word, Essay)
        async with AsyncSession(database) as session:
            essay, other = Essay(), Essay()
            essay.words.add(Word())
            essay.sequels.add(other)
            session.add(essay, other)
    with registry.isolated():

        class Label(Model, renamed_from="word"):
            id: Mapped[int] = generated(primary_key=True)

        class Article(Model, renamed_from="essay"):
            id: Mapped[int] = generated(primary_key=True)
            labels: Many[Label] = many_to_many(renamed_from="words")
            sequels: Many[Article] = many_to_many()

        operations = diff(before, SchemaBuilder.wanted(Label, Article))
        assert not [each for each in operations if "with its" in each.describe()]
        await SchemaBuilder(database).apply(operations)
        async with AsyncSession(database) as session:
            assert await session.query(Article).filter(Article.labels.any()).count() == 1
            assert await session.query(Article).filter(Article.sequels.any()).count() == 1


async def test_what_is_called_after_a_renamed_key_follows(database: Database) -> None:
    """No model could say it: the columns of links, and of relations to several columns, are nobody's attributes."""
    with registry.isolated():

        class Word(Model):
            text: Mapped[str] = field(primary_key=True)
            like: Many[Word] = many_to_many()

        class Line(Model):
            poem: Mapped[int] = field(primary_key=True)
            no: Mapped[int] = field(primary_key=True)
            words: Many[Word] = many_to_many()

        class Note(Model):
            id: Mapped[int] = generated(primary_key=True)
            line: One[Line] = foreign_key()

        await database.create_all(Word, Line, Note)
        async with AsyncSession(database) as session:
            line, word = Line(poem=1, no=2), Word(text="sea")
            line.words.add(word)
            word.like.add(Word(text="ocean"))
            session.add(Note(line=line))

    with registry.isolated():

        class Term(Model, renamed_from="word"):
            spelt: Mapped[str] = field(primary_key=True, renamed_from="text")
            like: Many[Term] = many_to_many()

        class Verse(Model, renamed_from="line"):
            poem: Mapped[int] = field(primary_key=True)
            number: Mapped[int] = field(primary_key=True, renamed_from="no")
            words: Many[Term] = many_to_many()

        class Remark(Model, renamed_from="note"):
            id: Mapped[int] = generated(primary_key=True)
            line: One[Verse] = foreign_key()

        builder = SchemaBuilder(database)
        await builder.apply(await builder.difference(Term, Verse, Remark))
        assert await builder.difference(Term, Verse, Remark) == []
        async with AsyncSession(database) as session:
            (note,) = await session.query(Remark)
            words = await (await note.line).words
            assert [(word.spelt, [each.spelt for each in await word.like]) for word in words] == [("sea", ["ocean"])]


def test_what_is_called_after_a_renamed_key_and_is_kept_stays() -> None:
    key = s.ForeignKey("", ("shelf_a",), "shelf", ("a",))
    row = s.Table("row", (s.Column("shelf_a", "integer"),), foreign_keys=(key,))
    before = s.SchemaSnapshot((TABLE, row))
    columns = (TABLE.columns[0], replace(C, renamed_from="a"), B)
    both = replace(key, columns=("shelf_c",), target_columns=("c",))
    kept = replace(row, columns=(*row.columns, s.Column("shelf_c", "integer")), foreign_keys=(both,))
    after = s.SchemaSnapshot((replace(TABLE, columns=columns), kept))
    described = [each.describe() for each in diff(before, after)]
    assert "rename column shelf.a to c" in described
    assert "add column row.shelf_c integer not null" in described


async def test_a_table_gets_the_same_name_in_other_letters(database: Database) -> None:
    """To SQLite the new name is taken, by the table itself."""
    builder = SchemaBuilder(database)
    owner = s.ForeignKey("", ("id",), "shelf", ("id",))
    row = s.Table("row", (s.Column("id", "bigint"),), s.PrimaryKey(("id",)), foreign_keys=(owner,))
    before = s.SchemaSnapshot((TABLE, row))
    await builder.apply(diff(s.SchemaSnapshot(), before))
    async with AsyncSession(database) as session:
        await session.execute("INSERT INTO shelf (id, a, b) VALUES (1, 10, 20)")
        await session.execute("INSERT INTO row (id) VALUES (1)")
    await builder.apply([op.RenameTable("shelf", "Shelf")])
    live = await builder.live()
    assert [table.key for table in live.tables] == ["Shelf", "row"]
    assert [key.target for table in live.tables for key in table.foreign_keys] == ["Shelf"]
    async with AsyncSession(database) as session:
        assert await session.execute('SELECT a, b FROM "Shelf"') == [(10, 20)]
