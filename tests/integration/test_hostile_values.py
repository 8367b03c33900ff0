"""Texts that break programs: each comes back exactly, or is refused by an error of ours, and nothing else is harmed."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from cormorant import AsyncSession, CormorantError, Database, Mapped, Model, QueryError, field, func, generated
from tests.support import kept_tables


class Note(Model, app="hostile"):
    id: Mapped[int] = generated(primary_key=True)
    text: Mapped[str]
    short: Mapped[str | None] = field(default=None, max_length=10)
    words: Mapped[list[str]] = field(default_factory=list)
    extra: Mapped[dict[str, Any]] = field(default_factory=dict)
    data: Mapped[bytes] = field(default=b"")


class Named(Model, app="hostile"):
    key: Mapped[str] = field(primary_key=True)


class Weird(Model, table="we\"ird 'table'; drop table x --"):
    id: Mapped[int] = generated(primary_key=True, column='i"d')
    name: Mapped[str] = field(column="select", index=True)
    value: Mapped[int] = field(column="a b; -- $1 ?1 :x %s", unique=True)
    umlaut: Mapped[str | None] = field(column="größe 日本 😀", default=None)


KEPT = {
    "empty": "",
    "quotes": "it's \"quoted\" `so` ''twice''",
    "backslashes": r"\ \\ \n \x00 \'",
    "percent": "% %% %s %(x)s %d",
    "underscore": "_ __",
    "placeholders": "$1 $2 ?1 ? :name ::text @x",
    "injection": "'; DROP TABLE hostile_note; --",
    "comment": "/* */ -- \n#",
    "format": "{} {0} {x!r} ${x}",
    "lines": "a\nb\r\nc\td\ve\fg",
    "controls": "".join(map(chr, range(1, 32))) + "\x7f\x80\x9f",
    "spaces": "  lead and trail \u00a0\u2003\u3000",
    "combining": "e\u0301 \u00e9 \u1e9b\u0323",
    "bidi": "\u202eabc\u202c \u200f\u200e\u2066x\u2069",
    "invisible": "a\u200bb\u200c\u200d\ufeff\u2060",
    "emoji": "👩\u200d👩\u200d👧\u200d👦 🏳️\u200d🌈 😀",
    "noncharacters": "\ufffe\uffff\U0010ffff",
    "null": "NULL null None",
    "number": "1e5 Infinity NaN 0x10",
    "array": '{a,"b",NULL} [1]',
    "json": '{"a": "b"} \\u0041',
    "case": "İıßſŉǰΐ",
    "megabyte": "é'" * 350_000,
}

REFUSED = {
    "nul": "a\0b",
    "nul alone": "\0",
    "surrogate": "a\ud800b",
    "surrogates": "\ud83d\ude00",
    "last surrogate": "\udfff",
}


@pytest.fixture
async def database(database_dsn: str, keeps_tables: None) -> AsyncIterator[Database]:
    # one connection: what one statement leaves behind, the next one meets
    async with Database(database_dsn, pool_size=1) as database:
        await kept_tables.prepare(database, database_dsn, Note, Named, Weird)
        yield database


async def assert_usable(database: Database) -> None:
    async with AsyncSession(database) as session:
        session.add(note := Note(text="after"))
        await session.flush()
        assert await session.query(Note).filter(Note.id == note.id).scalars(Note.text) == ["after"]
        assert await session.execute("select 1") == [(1,)]
        await session.rollback()


@pytest.mark.parametrize("name", KEPT)
async def test_a_text_comes_back_exactly(database: Database, name: str) -> None:
    text = KEPT[name]
    async with AsyncSession(database) as session:
        session.add(Note(text=text, words=[text, ""], extra={"key": text, text: [text]}, data=text.encode()))
        await session.commit()
        session.add(Note(text=text), Note(text="x", words=[text]))
        if len(text) < 1000:
            # PostgreSQL indexes no megabytes
            session.add(Named(key=text))
    async with AsyncSession(database) as session:
        first, second, third = await session.query(Note).order_by(Note.id)
        assert first.text == second.text == text
        assert (first.words, third.words) == ([text, ""], [text])
        assert first.extra == {"key": text, text: [text]}
        assert first.data == text.encode()
        assert len(text) > 1000 or (await session.get_one(Named, text)).key == text
        third.text = text
        await session.commit()
        first.text = second.text = "y"
        await session.flush()
        first.text = second.text = text
        await session.flush()
        notes = session.query(Note)
        assert await notes.filter(Note.text == text).count() == 3
        assert await notes.filter(text=text).count() == 3
        assert await notes.filter(Note.text.in_([text, "other"])).count() == 3
        assert await notes.filter(Note.text.between(text, text)).count() == 3
        assert await notes.filter(Note.words == [text]).count() == 1
        assert await notes.update(Note.text.set(text)) == 3
        assert await notes.scalars(Note.text) == [text] * 3
        assert (
            await session.execute("select text from hostile_note where text = :text", {"text": text}) == [(text,)] * 3
        )
        assert await notes.filter(Note.text != text).count() == 0
    await assert_usable(database)


@pytest.mark.parametrize("name", [name for name in KEPT if name not in ("case", "megabyte")])
async def test_a_text_is_searched_for_literally(database: Database, name: str) -> None:
    text = KEPT[name]
    async with AsyncSession(database) as session:
        session.add(Note(text=f"<{text}>"), Note(text=text + "!"), Note(text="nothing of it, surely"))
        await session.flush()
        notes = session.query(Note)
        if text:
            assert await notes.filter(Note.text.contains(text)).count() == 2
            assert await notes.filter(Note.text.startswith(text)).count() == 1
            assert await notes.filter(Note.text.endswith(text + ">")).count() == 1
            assert await notes.filter(Note.text.icontains(text)).count() == 2
            assert await notes.filter(Note.text.iexact(f"<{text}>")).count() == 1
        assert await notes.filter(Note.text.startswith("<" + text)).scalars(func.length(Note.text)) == [len(text) + 2]


USES: dict[str, Any] = {
    "insert": lambda session, text: add(session, Note(text=text)),
    "insert many": lambda session, text: add(session, Note(text="x"), Note(text=text), Note(text="y")),
    "insert list": lambda session, text: add(session, Note(text="x", words=["a", text])),
    "insert document": lambda session, text: add(session, Note(text="x", extra={"a": [text]})),
    "insert document's key": lambda session, text: add(session, Note(text="x", extra={text: 1})),
    "insert key": lambda session, text: add(session, Named(key=text)),
    "filter": lambda session, text: session.query(Note).filter(Note.text == text),
    "lookup": lambda session, text: session.query(Note).filter(text=text),
    "in": lambda session, text: session.query(Note).filter(Note.text.in_(["a", text])),
    "contains": lambda session, text: session.query(Note).filter(Note.text.contains(text)),
    "icontains": lambda session, text: session.query(Note).filter(Note.text.icontains(text)),
    "list": lambda session, text: session.query(Note).filter(Note.words == [text]),
    "document": lambda session, text: session.query(Note).filter(Note.extra == {"a": text}),
    "update": lambda session, text: session.query(Note).update(Note.text.set(text)),
    "get": lambda session, text: session.get(Named, text),
    "raw": lambda session, text: session.execute("select :text", {"text": text}),
    "raw text": lambda session, text: session.execute(f"select '{text}'"),
    "label": lambda session, text: session.query(Note).values(Note.text.label(text)),
}


async def add(session: AsyncSession, *objects: Model) -> None:
    session.add(*objects)
    await session.flush()


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("name", REFUSED)
async def test_a_text_that_cannot_be_kept_is_refused_and_harms_nothing(database: Database, name: str, use: str) -> None:
    text = REFUSED[name]
    async with AsyncSession(database) as session:
        session.add(Note(text="before"))
        await session.flush()
        result: Any = None
        with contextlib.suppress(CormorantError):
            result = await use_of(session, use, text)
        # what is not refused finds nothing, or gives back what it was given
        assert result in (None, [], [(text,)])
        await session.rollback()
        assert await session.query(Note).count() == 0
    await assert_usable(database)


async def use_of(session: AsyncSession, use: str, text: str) -> Any:
    return await USES[use](session, text)


@pytest.mark.parametrize("use", ["insert", "insert many", "insert list", "insert key", "filter", "in", "update", "get"])
async def test_a_null_character_is_refused_before_anything_is_sent(database: Database, use: str) -> None:
    async with AsyncSession(database) as session:
        with pytest.raises(CormorantError, match="NUL"):
            await use_of(session, use, "a\0b")
        assert session.query_stats() == []
        await session.rollback()


# ------------------------------------------------------------------ names


async def test_names_may_be_anything_that_can_be_quoted(database: Database) -> None:
    async with AsyncSession(database) as session:
        session.add(*(Weird(name=f"n{number}", value=number, umlaut="ü") for number in range(3)))
        await session.commit()
        rows = session.query(Weird)
        assert await rows.filter(Weird.name == "n1", value__gte=1).order_by(Weird.umlaut, Weird.value).count() == 1
        assert await rows.filter(Weird.value.in_([1, 2])).update(Weird.umlaut.set("x")) == 2
        assert await rows.values(Weird.umlaut, func.count()).group_by(Weird.umlaut).order_by(Weird.umlaut) == [
            ("x", 2),
            ("ü", 1),
        ]
        one = await rows.get(name="n0")
        one.name = "changed"
        await session.commit()
        for row in await rows:
            row.value += 10
        await session.commit()
        assert sorted(await rows.scalars(Weird.value)) == [10, 11, 12]
        session.delete(one)
        await session.commit()
        assert await rows.delete() == 2


@pytest.mark.parametrize("label", ['a"b', "a'b", "a; drop table x", "select", "%s", "$1", "日本", "a b"])
async def test_labels_may_be_anything_that_can_be_quoted(database: Database, label: str) -> None:
    async with AsyncSession(database) as session:
        await add(session, Note(text="x"))
        assert await session.query(Note).as_dicts(Note.text.label(label)) == [{label: "x"}]


@pytest.mark.parametrize("label", ["", "\0", "a\nb", "\ud800", "x" * 2000])
async def test_other_labels_are_refused(database: Database, label: str) -> None:
    async with AsyncSession(database) as session:
        with pytest.raises(QueryError, match=r"name.*\nHint: "):
            await session.query(Note).as_dicts(Note.text.label(label))
    await assert_usable(database)


@pytest.mark.parametrize(
    "lookup",
    [
        "text; drop table x",
        "text__",
        "__",
        "",
        "text__contains__x",
        "__class__",
        "\0",
        "\ud800",
        "text__\0",
        "x" * 10_000,
    ],
)
async def test_hostile_lookups_are_refused(database: Database, lookup: str) -> None:
    async with AsyncSession(database) as session:
        with pytest.raises(QueryError) as caught:
            session.query(Note).filter(**{lookup: "x"})
        assert caught.value.hint
    await assert_usable(database)
