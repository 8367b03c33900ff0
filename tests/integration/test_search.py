"""Full text search finds the same rows on both databases, whatever is typed and however the rows were written."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cormorant import (
    AsyncSession,
    CormorantError,
    Database,
    Many,
    Mapped,
    Model,
    One,
    field,
    foreign_key,
    generated,
    reverse,
    search,
    search_index,
)
from cormorant.models.constraints import TableArg
from cormorant.sql.search_text import IGNORED
from tests.support import kept_tables
from tests.support.sql import sql


class Writer(Model, app="library"):
    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str]
    essays: Many[Essay] = reverse("writer")

    @classmethod
    def __table_args__(cls) -> Iterable[TableArg]:
        yield search_index(cls.name)


class Essay(Model, app="library"):
    id: Mapped[int] = generated(primary_key=True)
    title: Mapped[str] = field(max_length=200)
    body: Mapped[str | None] = field(default=None)
    words: Mapped[int] = field(default=0)
    writer: One[Writer | None] = foreign_key(default=None)

    @classmethod
    def __table_args__(cls) -> Iterable[TableArg]:
        yield search_index(cls.title, cls.body)
        yield search_index(cls.title, cls.body, language="english", name="essay_english")


class Odd(Model, table="o\"dd 'table'; drop table x --"):
    id: Mapped[int] = generated(primary_key=True, column="i\"d'")
    text: Mapped[str] = field(column="a b; -- $1 ?1 :x")
    other: Mapped[str] = field(column="größe", default="")

    @classmethod
    def __table_args__(cls) -> Iterable[TableArg]:
        yield search_index(cls.text, cls.other, name="o'd\"d")


@pytest.fixture
async def database(database_dsn: str, keeps_tables: None) -> AsyncIterator[Database]:
    async with Database(database_dsn) as database:
        await kept_tables.prepare(database, database_dsn, Writer, Essay, Odd)
        yield database


ESSAYS = [
    ("Ada Lovelace", "Notes on the analytical engine; e-mail ada@example.com"),
    ("Grace Hopper", None),
    ("The cats", "sat on the mats, 3.14 times"),
    ("Café 日本", "e\u0301clair naïve ÉTUDE"),
    ("engine", "Ada"),
]
simple = search(Essay.title, Essay.body, language="simple")
english = search(Essay.title, Essay.body, language="english")


async def fill(session: AsyncSession) -> Any:
    session.add(*(Essay(title=title, body=body) for title, body in ESSAYS))
    await session.flush()
    return session.query(Essay).order_by(Essay.id)


FOUND: list[tuple[str, list[int], list[int]]] = [
    # what is typed, the places found by words as they are, and by their english forms
    ("ada", [0, 4], [0, 4]),
    ("ADA Engine", [0, 4], [0, 4]),
    ("engine -notes", [4], [4]),
    ("ada or grace", [0, 1, 4], [0, 1, 4]),
    ("grace OR nobody", [1], [1]),
    ('"analytical engine"', [0], [0]),
    ('"engine analytical"', [], []),
    ('"lovelace notes"', [], []),
    ('"engine ada"', [], []),
    ('ada -"analytical engine"', [4], [4]),
    ("cat", [], [2]),
    ("cats", [2], [2]),
    ("mat", [], [2]),
    ("the cats", [2], [2]),
    ("the", [0, 2], []),
    ("sitting", [], []),
    ("noted engines", [], [0]),
    ("ada@example.com", [0], [0]),
    ("example.com", [0], [0]),
    ("e-mail", [0], [0]),
    ("mail", [0], [0]),
    ("3.14", [2], [2]),
    ("14", [2], [2]),
    ("CAFÉ", [3], [3]),
    ("cafe", [], []),
    ("日本", [3], [3]),
    ("日", [], []),
    ("étude naïve", [3], [3]),
    ("ad", [], []),
    ("ad*", [], []),
    ("-ada", [], []),
    ("", [], []),
]


@pytest.mark.parametrize(("typed", "as_they_are", "in_english"), FOUND, ids=[typed for typed, *_ in FOUND])
async def test_what_is_typed_is_found(
    database: Database, typed: str, as_they_are: list[int], in_english: list[int]
) -> None:
    async with AsyncSession(database) as session:
        essays = await fill(session)
        titles = [title for title, _ in ESSAYS]
        for found, places in ((simple, as_they_are), (english, in_english)):
            expected = [titles[place] for place in places]
            assert await essays.filter(found.matches(typed)).scalars(Essay.title) == expected
            assert await essays.filter(~found.matches(typed)).count() == len(ESSAYS) - len(places)
            assert await essays.exclude(found.matches(typed)).count() == len(ESSAYS) - len(places)
            ranks = await essays.scalars(found.rank(typed))
            assert [place for place, rank in enumerate(ranks) if rank > 0] == places
            assert all(isinstance(rank, float) for rank in ranks)


async def test_better_matches_come_first(database: Database) -> None:
    async with AsyncSession(database) as session:
        session.add(
            Essay(title="filler", body="some other words, and ada once among them, in a text that is long"),
            Essay(title="ada", body="ada ada"),
            Essay(title="nothing"),
        )
        await session.flush()
        order = session.query(Essay).order_by(simple.rank("ada").desc(), Essay.id)
        assert await order.scalars(Essay.title) == ["ada", "filler", "nothing"]
        assert await order.filter(simple.matches("ada")).limit(1).scalars(Essay.title) == ["ada"]
        rows = await order.values(Essay.title, simple.rank("ada").label("rank"))
        assert rows[0][1] > rows[1][1] > rows[2][1] == 0


async def test_an_index_follows_every_way_to_write(database: Database) -> None:
    async with AsyncSession(database) as session:

        async def titles(typed: str) -> list[str]:
            return await session.query(Essay).filter(simple.matches(typed)).order_by(Essay.title).scalars(Essay.title)

        one = Essay(title="one", body="first")
        session.add(one)
        await session.commit()
        assert await titles("first") == ["one"]
        one.body = "second"
        await session.flush()
        assert (await titles("first"), await titles("second")) == ([], ["one"])
        await session.query(Essay).update(Essay.body.set(Essay.title + " third"))
        assert (await titles("second"), await titles('"one third"')) == ([], ["one"])
        one.words = 5
        await session.flush()
        session.add(*(Essay(title=f"more {n}", body="third") for n in range(5)))
        await session.flush()
        assert len(await titles("third")) == 6
        await session.commit()
        await session.query(Essay).filter(simple.matches("more")).delete()
        assert await titles("third") == ["one"]
        await session.rollback()
        assert len(await titles("third")) == 6
        session.delete(one)
        await session.commit()
        assert len(await titles("third")) == 5
        await session.execute("update library_essay set body = null", write=True)
        assert await titles("third") == []
        assert len(await titles("more")) == 5


async def test_texts_along_relations_are_searched(database: Database) -> None:
    async with AsyncSession(database) as session:
        ada, grace = Writer(name="Ada Lovelace"), Writer(name="Grace Hopper")
        session.add(Essay(title="a", writer=ada), Essay(title="b", writer=grace), Essay(title="c"))
        await session.flush()
        essays = session.query(Essay).order_by(Essay.title)
        by_name = search(Essay.writer.name)
        assert await essays.filter(by_name.matches("ada")).scalars(Essay.title) == ["a"]
        assert await essays.filter(~by_name.matches("ada")).scalars(Essay.title) == ["b", "c"]
        assert await essays.values(Essay.title, by_name.matches("hopper")) == [("a", False), ("b", True), ("c", False)]
        writers = session.query(Writer).filter(Writer.essays.any(simple.matches("a")))
        assert await writers.scalars(Writer.name) == ["Ada Lovelace"]
        both = essays.filter(simple.matches("b") | by_name.matches("lovelace"))
        assert await both.scalars(Essay.title) == ["a", "b"]


HOSTILE = [
    '"',
    "'",
    '"""',
    "' OR 1=1 --",
    "NEAR(ada, 2)",
    "title : ada",
    "{title body} : ada",
    "^ada",
    "ada*",
    "ada AND",
    "AND OR NOT",
    "ada NOT",
    "-",
    "--",
    '-"',
    "( ( (",
    "a & b | !c <-> d :*",
    "\\",
    "\\' \\\" %s %(x)s {} $1 ?1 :x",
    "\x01\x02\x7f",
    "\u202e\u200b\ufeff\u2028",
    "😀 👩\u200d👩",
    "or or or",
    'or -or -"or"',
    "a " * 500,
    "x" * 1000,
    "日" * 1000,
    '-"a" ' * 200,
    "a or " * 200,
    " ".join(map(str, range(250))),
    " or ".join(map(str, range(130))),
    "é\"'" * 333,
]


@pytest.mark.parametrize("typed", HOSTILE, ids=[repr(typed[:20]) for typed in HOSTILE])
async def test_nothing_that_can_be_typed_is_an_error(database: Database, typed: str) -> None:
    async with AsyncSession(database) as session:
        session.add(Essay(title="nothing of it", body="plain"), Essay(title="x" + typed[:50], body=typed))
        await session.flush()
        for found in (simple, english):
            matching = await session.query(Essay).filter(found.matches(typed)).scalars(Essay.title)
            assert "nothing of it" not in matching
            await session.query(Essay).order_by(found.rank(typed).desc()).all()
        assert await session.query(Essay).count() == 2


@pytest.mark.parametrize("typed", ["a\0b", "\ud800", "x" * 1001, None, 3, b"x"])
async def test_what_no_database_takes_is_refused(database: Database, typed: Any) -> None:
    async with AsyncSession(database) as session:
        with pytest.raises(CormorantError):
            simple.matches(typed)
        assert session.query_stats() == []


async def test_names_may_be_anything_that_can_be_quoted(database: Database) -> None:
    found = search(Odd.text, Odd.other)
    async with AsyncSession(database) as session:
        session.add(odd := Odd(text="ada", other="lovelace"), Odd(text="grace"))
        await session.flush()
        assert await session.query(Odd).filter(found.matches("ada lovelace")).scalars(Odd.id) == [odd.id]
        odd.text = "hopper"
        await session.flush()
        assert await session.query(Odd).filter(found.matches("ada")).count() == 0
        assert await session.query(Odd).filter(found.matches("hopper")).delete() == 1
        await session.commit()
    await database.drop_all(Odd)
    await database.create_all(Odd)
    async with AsyncSession(database) as session:
        assert await session.query(Odd).filter(found.matches("grace")).count() == 0


async def test_tables_are_dropped_and_made_again_with_their_indexes(database: Database) -> None:
    async with AsyncSession(database) as session:
        await fill(session)
    for _ in range(2):
        await database.drop_all(Writer, Essay)
        await database.drop_all(Writer, Essay)
        await database.create_all(Writer, Essay)
        async with AsyncSession(database) as session:
            assert await session.query(Essay).filter(simple.matches("ada")).count() == 0
            await fill(session)
            assert await session.query(Essay).filter(simple.matches("ada")).count() == 2


async def test_without_an_index_postgresql_searches_and_sqlite_names_the_remedy(database: Database) -> None:
    async with AsyncSession(database) as session:
        await fill(session)
        found = session.query(Essay).filter(search(Essay.body).matches("ada"))
        if database.dialect.name == "postgresql":
            assert await found.count() == 2
        else:
            with pytest.raises(CormorantError, match=r"Hint: yield search_index\(cls\.body\) in __table_args__"):
                await found.count()


async def test_the_index_is_used(postgres_database: str) -> None:
    async with Database(postgres_database) as database:
        await database.create_all(Writer, Essay)
        async with AsyncSession(database) as session:
            text, [typed] = sql(session.query(Essay).filter(english.matches("ada")))
            await session.execute("set local enable_seqscan = off", write=True)
            shown = text.replace("$1", f"'{typed}'").replace("::", "\\:\\:")
            plan = await session.execute(f"explain {shown}")  # type: ignore[arg-type]
            assert any("essay_english" in line for (line,) in plan)


async def test_the_words_left_out_are_those_of_postgresql(postgres_database: str) -> None:
    async with Database(postgres_database) as database, AsyncSession(database) as session:
        for word in IGNORED["english"]:
            found = await session.execute("select to_tsvector('english', :word)\\:\\:text", {"word": word})
            assert found == [("",)], word


async def test_random_searches_find_what_python_finds(database: Database) -> None:
    vocabulary = ["ada", "bob", "cat", "dog"]
    phrases = st.lists(st.sampled_from(vocabulary), min_size=1, max_size=2)
    terms = st.tuples(st.booleans(), phrases)
    searches = st.lists(st.lists(terms, min_size=1, max_size=3), min_size=1, max_size=3)
    texts = st.lists(st.sampled_from(vocabulary), max_size=5)
    tried: list[tuple[list[str], list[str], list[list[tuple[bool, list[str]]]]]] = []

    @settings(max_examples=80, suppress_health_check=[HealthCheck.too_slow])
    @given(texts, texts, searches)
    def draw(title: list[str], body: list[str], wanted: list[list[tuple[bool, list[str]]]]) -> None:
        tried.append((title, body, wanted))

    draw()

    def has(words: list[str], phrase: list[str]) -> bool:
        return any(words[start : start + len(phrase)] == phrase for start in range(len(words)))

    def holds(title: list[str], body: list[str], wanted: list[list[tuple[bool, list[str]]]]) -> bool:
        return any(
            any(not negative for negative, _ in terms)
            and all((has(title, phrase) or has(body, phrase)) is not negative for negative, phrase in terms)
            for terms in wanted
        )

    def typed(wanted: list[list[tuple[bool, list[str]]]]) -> str:
        return " or ".join(
            " ".join(f'{"-" if negative else ""}"{" ".join(phrase)}"' for negative, phrase in terms) for terms in wanted
        )

    async with AsyncSession(database) as session:
        for title, body, wanted in tried:
            essay = Essay(title=" ".join(title), body=" ".join(body))
            session.add(essay)
            await session.flush()
            one = session.query(Essay).filter(Essay.id == essay.id)
            assert await one.scalars(simple.matches(typed(wanted))) == [holds(title, body, wanted)], typed(wanted)
