"""Full text search: the SQL of conditions and of indexes, and what a search text is understood as."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cormorant import (
    CompileError,
    Many,
    Mapped,
    Model,
    ModelError,
    One,
    WrongType,
    alias,
    field,
    foreign_key,
    func,
    generated,
    reverse,
    search,
    search_index,
)
from cormorant.dialects.search import match_text, websearch
from cormorant.models.constraints import TableArg
from cormorant.sql.search_text import IGNORED, understood
from tests.support.sql import DATABASES, query, sql, where


class Shelf(Model, app="books", table="shelf"):
    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str]
    books: Many[Book] = reverse("shelf")

    @classmethod
    def __table_args__(cls) -> Iterable[TableArg]:
        yield search_index(cls.name)


class Book(Model, app="books", table="book"):
    id: Mapped[int] = generated(primary_key=True)
    title: Mapped[str] = field(max_length=100)
    blurb: Mapped[str | None] = field(default=None)
    pages: Mapped[int] = field(default=0)
    shelf: One[Shelf | None] = foreign_key(default=None)

    @classmethod
    def __table_args__(cls) -> Iterable[TableArg]:
        yield search_index(cls.title, cls.blurb, language="english")
        yield search_index(cls.title, name="book_words")


MARKS = "'!\"#$%&''()*+,-./:;<=>?@[\\]^_`{|}~', repeat(' ', 32)"


def words(name: str, language: str) -> str:
    column = ".".join(f'"{part}"' for part in name.split("."))
    return f"to_tsvector('{language}', translate(coalesce({column}, ''), {MARKS}))"


BOTH = f"{words('book.title', 'english')} || '''.'':1'::tsvector || {words('book.blurb', 'english')}"


# ------------------------------------------------------------------ conditions


def test_columns_are_searched_in_the_words_of_each_database() -> None:
    built = query(Book).filter(search(Book.title, Book.blurb).matches("ada notes"))
    assert where(built) == (f"({BOTH}) @@ websearch_to_tsquery('english', $1)", ['"ada" "notes"'])
    assert where(built, "sqlite") == (
        '"book"."id" IN (SELECT rowid FROM "fts_book_title_blurb" WHERE "fts_book_title_blurb" MATCH ?1)',
        ['("ada" AND "notes")'],
    )


def test_the_order_of_columns_is_that_of_their_index() -> None:
    one, other = (
        query(Book).filter(search(*c).matches("x")) for c in ((Book.title, Book.blurb), (Book.blurb, Book.title))
    )
    assert sql(one) == sql(other)


def test_the_language_chooses_an_index() -> None:
    assert where(query(Book).filter(search(Book.title).matches("x")), "sqlite")[0].startswith(
        '"book"."id" IN (SELECT rowid FROM "book_words"'
    )
    text, _ = where(query(Book).filter(search(Book.title).matches("x")))
    assert text == f"""({words("book.title", "simple")}) @@ websearch_to_tsquery('simple', $1)"""
    text, _ = where(query(Book).filter(search(Book.title, language="german").matches("x")))
    assert text == f"""({words("book.title", "german")}) @@ websearch_to_tsquery('german', $1)"""


def test_rows_are_ordered_by_rank() -> None:
    found = search(Book.title, Book.blurb)
    built = query(Book).order_by(found.rank("ada").desc()).scalars(Book.id)
    asked = "websearch_to_tsquery('english', $1)"
    assert sql(built) == (
        'SELECT "book"."id" FROM "book" ORDER BY '
        f"CASE WHEN ({BOTH}) @@ {asked} THEN ts_rank({BOTH}, {asked})::double precision ELSE 0 END DESC",
        ['"ada"'],
    )
    assert sql(built, "sqlite") == (
        'SELECT "book"."id" FROM "book" ORDER BY coalesce((SELECT -rank FROM "fts_book_title_blurb" '
        'WHERE "fts_book_title_blurb" MATCH ?1 AND rowid = "book"."id"), 0.0) DESC',
        ['("ada")'],
    )


def test_texts_of_every_content_share_a_plan() -> None:
    found = search(Book.title)
    keys = {query(Book).filter(found.matches(text))._spec.cache_key for text in ("", "a", "a or b -c", '"')}
    assert len(keys) == 1
    others = [search(Book.title, language="english").matches("a"), found.rank("a") > 1, search(Shelf.name).matches("a")]
    assert len({*keys, *(query(Book).filter(other)._spec.cache_key for other in others)}) == 4


def test_related_texts_are_searched() -> None:
    related = query(Book).filter(search(Book.shelf.name).matches("x"))
    assert where(related, "sqlite")[0] == (
        'coalesce("shelf"."id" IN (SELECT rowid FROM "fts_shelf_name" WHERE "fts_shelf_name" MATCH ?1), 0)'
    )
    assert where(related)[0].startswith("""(to_tsvector('simple', translate(coalesce("shelf"."name", ''),""")
    assert " LEFT JOIN " in sql(related)[0]
    shelves = query(Shelf).filter(Shelf.books.any(search(Book.title).matches("x")))
    assert where(shelves, "sqlite")[0] == (
        'EXISTS (SELECT 1 FROM "book" WHERE "book"."shelf_id" = "shelf"."id" AND '
        '"book"."id" IN (SELECT rowid FROM "book_words" WHERE "book_words" MATCH ?1))'
    )
    other = alias(Book)
    built = query(Book).join(other, other.id == Book.pages).filter(search(other.title).matches("x"))
    assert where(built, "sqlite")[0].startswith('"book_2"."id" IN (SELECT rowid')


def test_conditions_of_searches_are_combined() -> None:
    found = search(Book.title)
    built = query(Book).filter(~found.matches("a") & (Book.pages > 3), found.matches("b").is_null())
    text, _ = where(built, "sqlite")
    inner = '"book"."id" IN (SELECT rowid FROM "book_words" WHERE "book_words" MATCH ?{})'
    assert text == f'NOT ({inner.format(1)}) AND "book"."pages" > ?2 AND ({inner.format(3)}) IS NULL'
    grouped = query(Book).values(found.matches("a"), func.count()).group_by(found.matches("a"))
    assert sql(grouped, "sqlite")[1] == ['("a")']


# ------------------------------------------------------------------ declarations


def create(model: type[Model], database: str) -> list[str]:
    return DATABASES[database].create_sql(model)[1:]


def test_postgresql_gets_an_index_over_the_words() -> None:
    body = f"{words('title', 'english')} || '''.'':1'::tsvector || {words('blurb', 'english')}"
    assert create(Book, "postgresql")[-2:] == [
        f'CREATE INDEX "fts_book_title_blurb" ON "book" USING gin (({body}))',
        f'CREATE INDEX "book_words" ON "book" USING gin (({words("title", "simple")}))',
    ]


def test_sqlite_gets_a_table_of_words_that_triggers_keep_in_step() -> None:
    made = [statement for statement in create(Book, "sqlite") if "fts_book_title_blurb" in statement]
    name = '"fts_book_title_blurb"'
    forget = (
        f"""INSERT INTO {name}({name}, rowid, "title", "blurb") """
        """VALUES ('delete', old."id", old."title", old."blurb"); """
    )
    learn = f'INSERT INTO {name}(rowid, "title", "blurb") VALUES (new."id", new."title", new."blurb"); '
    assert made == [
        f"""CREATE VIRTUAL TABLE {name} USING fts5("title", "blurb", content='book', content_rowid='id', """
        "tokenize='porter unicode61 remove_diacritics 0')",
        f'CREATE TRIGGER "fts_book_title_blurb_insert" AFTER INSERT ON "book" BEGIN {learn}END',
        f'CREATE TRIGGER "fts_book_title_blurb_delete" AFTER DELETE ON "book" BEGIN {forget}END',
        f'CREATE TRIGGER "fts_book_title_blurb_update" AFTER UPDATE OF "id", "title", "blurb" ON "book" '
        f"BEGIN {forget}{learn}END",
    ]


def declared(body: Callable[[Any], Iterable[Any]], **attributes: Any) -> type[Model]:
    namespace: dict[str, Any] = {
        "__module__": __name__,
        "__qualname__": "declared.<locals>.Found",
        "__annotations__": {
            "id": Mapped[attributes.pop("key", int)],
            "text": Mapped[str | None],
            "number": Mapped[int],
            "words": Mapped[list[str]],
        },
        "id": attributes.pop("id", generated(primary_key=True)),
        "text": field(default=None, **attributes),
        "__table_args__": classmethod(body),
    }
    return type(Model)("Found", (Model,), namespace, app="books")


REFUSED: list[tuple[Callable[[Any], Any], str]] = [
    (lambda cls: search_index(), "names no column"),
    (lambda cls: search_index(cls.number), r"Found\.number, which is no column of text"),
    (lambda cls: search_index(cls.words), r"Found\.words, which is no column of text"),
    (lambda cls: search_index(func.lower(cls.text)), "which is no column of text"),
    (lambda cls: search_index("text"), "'text', which is no column of text"),  # type: ignore[arg-type]
    (lambda cls: search_index(cls.text, cls.text), r"Found\.text twice"),
    (lambda cls: search_index(cls.text, language="x'y"), "is no language"),
    (lambda cls: search_index(cls.text, language=""), "is no language"),
    (lambda cls: search_index(cls.text, language=None), "None is no language"),  # type: ignore[arg-type]
    (lambda cls: search_index(Book.title), r"search_index\(\) of Found reads Book\.title, which is in another table"),
]


@pytest.mark.parametrize(("build", "message"), REFUSED)
def test_declarations_that_are_refused(build: Callable[[Any], Any], message: str) -> None:
    model = declared(lambda cls: [build(cls)])
    with pytest.raises((ModelError, WrongType), match=message):
        create(model, "postgresql")


def test_two_indexes_of_one_name_are_refused() -> None:
    model = declared(lambda cls: [search_index(cls.text), search_index(cls.text, language="english")])
    with pytest.raises(ModelError, match="two indexes named 'fts_books_found_text'"):
        create(model, "postgresql")


def test_what_sqlite_cannot_search_is_named() -> None:
    german = declared(lambda cls: [search_index(cls.text, language="german")])
    with pytest.raises(CompileError, match=r"'german'.*\nHint: use language=.simple."):
        create(german, "sqlite")
    of_text = declared(lambda cls: [search_index(cls.text)], key=str, id=field(primary_key=True))
    with pytest.raises(CompileError, match=r"fts_books_found_text by number.*\nHint: give the model a key"):
        create(of_text, "sqlite")
    assert create(of_text, "postgresql")
    reserved = declared(lambda cls: [search_index(cls.text)], column="Rank")
    with pytest.raises(CompileError, match=r"keeps the name 'Rank' for itself.*\nHint: give the column another name"):
        create(reserved, "sqlite")
    with pytest.raises(CompileError, match=r"Book\.blurb.*none is declared\nHint: yield search_index\(cls\.blurb\)"):
        sql(query(Book).filter(search(Book.blurb).matches("x")), "sqlite")
    assert sql(query(Book).filter(search(Book.blurb).matches("x")))


ASKED: list[tuple[Callable[[], Any], str]] = [
    (lambda: search(), "names no column"),
    (lambda: search(Book.pages), "no column of text"),  # type: ignore[arg-type]
    (lambda: search(Book), "no column of text"),  # type: ignore[arg-type]
    (lambda: search(func.lower(Book.title)), "no column of text"),
    (lambda: search(Book.title, Shelf.name), r"search\(\) got Book\.title, Shelf\.name"),
    (lambda: search(Book.title, Book.shelf.name), "search columns of one model"),
    (lambda: search(Book.title).matches(3), r"a search for 3 \(int\)"),  # type: ignore[arg-type]
    (lambda: search(Book.title).matches(None), "a search for None"),  # type: ignore[arg-type]
    (lambda: search(Book.title).matches(Book.title), "which is no text"),  # type: ignore[arg-type]
    (lambda: search(Book.title).matches("a\0b"), "NUL"),
    (lambda: search(Book.title).rank("a\ud800b"), "lone surrogate"),
    (lambda: search(Book.title).matches("x" * 1001), "1001 characters"),
]


@pytest.mark.parametrize(("build", "message"), ASKED)
def test_searches_that_are_refused(build: Callable[[], Any], message: str) -> None:
    with pytest.raises(WrongType, match=message):
        build()


def test_a_language_is_checked_before_it_is_sql() -> None:
    with pytest.raises(ModelError, match="is no language"):
        search(Book.title, language="english'; drop table book; --")


# ------------------------------------------------------------------ search texts

TEXTS: list[tuple[str, str, str]] = [
    ("ada", '"ada"', '("ada")'),
    ("ada lovelace", '"ada" "lovelace"', '("ada" AND "lovelace")'),
    ('"ada lovelace" notes', '"ada lovelace" "notes"', '("ada lovelace" AND "notes")'),
    ("ada or grace OR hopper", '"ada" or "grace" or "hopper"', '("ada") OR ("grace") OR ("hopper")'),
    ("ada -babbage", '"ada" -"babbage"', '(("ada") NOT ("babbage"))'),
    ('ada -"b c" -d', '"ada" -"b c" -"d"', '(("ada") NOT ("b c" OR "d"))'),
    ("-x or ada", '"ada"', '("ada")'),
    ("or", "", '""'),
    ("", "", '""'),
    (" \t\n ", "", '""'),
    ("-ada", "", '""'),
    ("- ada", '"ada"', '("ada")'),
    ("!!! ? \"...\" ''", "", '""'),
    ("foo-bar a_b", '"foo bar" "a b"', '("foo bar" AND "a b")'),
    ("ada@example.com", '"ada example com"', '("ada example com")'),
    ("AND NOT NEAR(a b)", '"AND" "NOT" "NEAR a" "b"', '("AND" AND "NOT" AND "NEAR a" AND "b")'),
    ("title:ada ^x y*", '"title ada" "x" "y"', '("title ada" AND "x" AND "y")'),
    ('"unfinished phrase', '"unfinished phrase"', '("unfinished phrase")'),
    ('a"b c"d', '"a" "b c" "d"', '("a" AND "b c" AND "d")'),
    ("'; DROP TABLE book; --", '"DROP" "TABLE" "book"', '("DROP" AND "TABLE" AND "book")'),
    ("日本 😀 é", '"日本" "é"', '("日本" AND "é")'),
    ('"or" the', '"or" "the"', '("or" AND "the")'),
    (
        "Ada ada or ADA -b -B or c ADA c",
        '"Ada" or "ADA" -"b" or "c" "ADA"',
        '("Ada") OR (("ADA") NOT ("b")) OR ("c" AND "ADA")',
    ),
    ("a " + "日" * 700, '"a"', '("a")'),
]


@pytest.mark.parametrize(("text", "postgresql", "sqlite"), TEXTS, ids=[text[:20] for text, *_ in TEXTS])
def test_what_a_text_is_understood_as(text: str, postgresql: str, sqlite: str) -> None:
    wanted = understood(text, "simple")
    assert (websearch(wanted), match_text(wanted)) == (postgresql, sqlite)


def test_unimportant_words_of_a_language_are_left_out() -> None:
    assert websearch(understood('The cats or "the" or "the cat" -and don\'t', "english")) == (
        '"cats" or "the cat" "don t"'
    )
    assert len(IGNORED["english"]) == 127


@given(st.text())
def test_no_text_makes_an_operator(text: str) -> None:
    try:
        wanted = understood(text, "simple")
    except WrongType:
        return
    for alternative in wanted:
        assert alternative.wanted
        for term in (*alternative.wanted, *alternative.unwanted):
            assert not set(term) & set("\"'\\()*:^-&|!<>")
            assert term == " ".join(term.split())
