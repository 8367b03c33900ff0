"""Whether the models of one release work on the schema of the next."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cormorant import Mapped, Model, One, field, foreign_key, generated
from cormorant.dialects.postgresql import PostgreSQLDialect
from cormorant.dialects.sqlite import SQLiteDialect
from cormorant.migrations.safety.compatibility import compatibility
from cormorant.models.registry import registry
from cormorant.schema import snapshot as s
from cormorant.schema.builder import SchemaBuilder

ID = s.Column("id", "bigint", identity="by default")
TITLE = s.Column("title", "varchar(20)")
VIEWS = s.Column("views", "integer", nullable=True)
MOOD = s.Column("mood", '"mood"', default="'calm'")
STARS = s.Column("stars", "integer")
KEY = s.PrimaryKey(("id",))
U_TITLE = s.Unique("u_title", ("title",))
BOOK = s.Table("book", (ID, TITLE, VIEWS, MOOD), KEY, uniques=(U_TITLE,))
MOODS = s.Enum("mood", ("calm", "cross"))
OLD = s.SchemaSnapshot((BOOK,), (MOODS,))


def with_(*columns: s.Column) -> s.Table:
    """The table with some columns in place of those of the same name, or beside them."""
    there = {column.name: column for column in (*BOOK.columns, *columns)}
    return replace(BOOK, columns=tuple(there.values()))


def without(*names: str) -> s.Table:
    return replace(BOOK, columns=tuple(column for column in BOOK.columns if column.name not in names))


CASES: dict[str, tuple[s.Table | None, list[tuple[str, str]]]] = {
    "nothing": (BOOK, []),
    "no table": (None, [("error", "drops-table")]),
    "a column less": (without("views"), [("error", "drops-column")]),
    "another name of a column": (
        replace(BOOK, columns=(ID, TITLE, s.Column("seen", "integer", nullable=True, renamed_from="views"), MOOD)),
        [("error", "renames-column")],
    ),
    "a column that may be null": (with_(replace(STARS, nullable=True)), []),
    "a column with a default": (with_(replace(STARS, default="0")), []),
    "a column that is computed": (with_(replace(STARS, computed="1 + 1")), []),
    "a column that nothing gives a value": (with_(STARS), [("error", "no-default")]),
    "a column that old rows alone get a value for": (with_(replace(STARS, fill="0")), [("error", "no-default")]),
    "not null": (with_(replace(VIEWS, nullable=False)), [("error", "not-null")]),
    "null": (with_(replace(TITLE, nullable=True)), [("warning", "nullable")]),
    "no default any more": (with_(replace(MOOD, default=None)), [("error", "no-default")]),
    "no numbers any more": (with_(replace(ID, identity=None)), [("error", "no-default")]),
    "numbers that nobody may give": (with_(replace(ID, identity="always")), [("error", "made-by-database")]),
    "a longer text": (with_(replace(TITLE, type="varchar(50)")), []),
    "any text": (with_(replace(TITLE, type="text")), []),
    "a shorter text": (with_(replace(TITLE, type="varchar(10)")), [("warning", "narrower-type")]),
    "a larger number": (with_(replace(VIEWS, type="bigint")), []),
    "a smaller number": (with_(replace(VIEWS, type="smallint")), [("warning", "narrower-type")]),
    "a number as a text": (with_(replace(VIEWS, type="text")), [("error", "other-type")]),
    "a check": (replace(BOOK, checks=(s.Check("c", "views >= 0"),)), [("warning", "new-check")]),
    "a check over a column that is new": (
        replace(with_(replace(STARS, default="0")), checks=(s.Check("c", "stars >= 0"),)),
        [],
    ),
    "a unique constraint": (replace(BOOK, uniques=(U_TITLE, s.Unique("u", ("views",)))), [("warning", "new-unique")]),
    "a unique index": (
        replace(BOOK, indexes=(s.Index("ix", (s.IndexItem("views"),), unique=True),)),
        [("warning", "new-unique")],
    ),
    "an index": (replace(BOOK, indexes=(s.Index("ix", (s.IndexItem("views"),)),)), []),
    "no unique constraint any more": (replace(BOOK, uniques=()), [("warning", "unique-gone")]),
    "a unique index in its place": (
        replace(BOOK, uniques=(), indexes=(s.Index("ix", (s.IndexItem("title"),), unique=True),)),
        [("warning", "new-unique")],
    ),
    "a foreign key": (
        replace(BOOK, foreign_keys=(s.ForeignKey("f", ("views",), "book", ("id",)),)),
        [("warning", "new-foreign-key")],
    ),
    "another key": (replace(BOOK, primary_key=s.PrimaryKey(("id", "title"))), [("error", "other-key")]),
}


@pytest.mark.parametrize("name", CASES)
def test_what_the_release_before_meets(name: str) -> None:
    table, expected = CASES[name]
    new = s.SchemaSnapshot(() if table is None else (table,), (MOODS,))
    assert [(finding.level, finding.rule) for finding in compatibility(OLD, new)] == expected


def test_a_former_name_that_another_table_has_now() -> None:
    review = s.Table(
        "review", (ID, s.Column("book_id", "bigint")), KEY, (s.ForeignKey("fk", ("book_id",), "book", ("id",)),)
    )
    novel = replace(BOOK, name="novel", uniques=(), renamed_from="book")
    release = s.SchemaSnapshot((BOOK, novel, review), (MOODS,))
    assert compatibility(release, replace(release, tables=tuple(replace(each) for each in release.tables))) == []


def test_tables_that_are_new_or_renamed() -> None:
    leaf = s.Table("leaf", (ID, STARS), KEY)
    assert compatibility(OLD, replace(OLD, tables=(BOOK, leaf))) == []
    (found,) = compatibility(OLD, replace(OLD, tables=(replace(BOOK, name="volume", renamed_from="book"),)))
    assert str(found) == (
        "error: rename table book to volume: the release that runs knows the old name alone. keep the old one beside "
        "the new one for a release that writes both, and drop it in the release after that"
    )


def test_values_of_enums() -> None:
    more = replace(OLD, enums=(s.Enum("mood", ("calm", "glad", "cross")),))
    less = replace(OLD, enums=(s.Enum("mood", ("calm",)),))
    assert [(x.level, x.rule, x.operation) for x in compatibility(OLD, more)] == [
        ("warning", "enum-value-new", "enum mood with glad")
    ]
    assert [(x.level, x.rule, x.operation) for x in compatibility(OLD, less)] == [
        ("error", "enum-value-gone", "enum mood without cross")
    ]
    assert [x.rule for x in compatibility(OLD, replace(OLD, enums=()))] == ["enum-gone"]


def test_sqlite_knows_no_lengths() -> None:
    shorter = s.SchemaSnapshot((with_(replace(TITLE, type="varchar(5)"), replace(VIEWS, type="smallint")),), (MOODS,))
    assert compatibility(OLD, shorter, SQLiteDialect()) == []
    assert len(compatibility(OLD, shorter, PostgreSQLDialect())) == 2


def test_models_of_two_releases() -> None:
    with registry.isolated():

        class Writer(Model):
            id: Mapped[int] = generated(primary_key=True)
            name: Mapped[str] = field(max_length=50)

        class Essay(Model):
            id: Mapped[int] = generated(primary_key=True)
            headline: Mapped[str]
            writer: One[Writer] = foreign_key()

        before = SchemaBuilder.wanted(Writer, Essay)
    with registry.isolated():

        class Author(Model, renamed_from="writer"):
            id: Mapped[int] = generated(primary_key=True)
            name: Mapped[str] = field(max_length=50)

        class Text(Model, table="essay"):
            id: Mapped[int] = generated(primary_key=True)
            title: Mapped[str] = field(renamed_from="headline")
            stars: Mapped[int] = field(default=3)
            writer: One[Author] = foreign_key()

        after = SchemaBuilder.wanted(Author, Text)
    assert {(x.level, x.operation) for x in compatibility(before, after)} == {
        ("error", "rename table writer to author"),
        ("error", "rename column essay.headline to title"),
        ("error", "add column essay.stars not null"),
    }
    assert compatibility(before, before) == []
