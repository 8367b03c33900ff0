"""SQLite kept texts in lists and documents that PostgreSQL refuses; what was wrong was said in other words on each."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from cormorant import AsyncSession, Database, Mapped, Model, ValidationError, WrongType, field, generated

REFUSED = ["\ud800", "a\udfffb", "\ud83d\ude00"]
DOCUMENTS: list[dict[str, Any]] = [{"k": "a\0"}, {"\0": 1}, {"k": ["\ud800"]}, {"\udfff": {}}, {"k": "\\\0"}]
KEPT: list[dict[str, Any]] = [{"k": "\\u0000"}, {"\\\\u0000": "\U0001f600é"}, {"k": "\\ud800"}]


class Shape(BaseModel):
    text: str


class Letter(Model, app="regressions_texts"):
    id: Mapped[int] = generated(primary_key=True)
    text: Mapped[str] = field(default="")
    words: Mapped[list[str]] = field(default_factory=list)
    extra: Mapped[dict[str, Any]] = field(default_factory=dict)
    shape: Mapped[Shape | None] = field(default=None)


async def refused(session: AsyncSession, letter: Letter, what: str) -> None:
    session.add(letter)
    with pytest.raises(ValidationError, match=what):
        await session.flush()
    await session.rollback()


@pytest.mark.parametrize("text", REFUSED, ids=ascii)
async def test_lone_surrogates_are_refused_before_anything_is_sent(database_dsn: str, text: str) -> None:
    async with Database(database_dsn) as database:
        await database.create_all(Letter)
        async with AsyncSession(database) as session:
            letters = session.query(Letter)
            await refused(session, Letter(text=text), "lone surrogate")
            await refused(session, Letter(words=[text]), "lone surrogate")
            with pytest.raises(WrongType, match="lone surrogate"):
                letters.filter(Letter.text == text)
            with pytest.raises(WrongType, match="lone surrogate"):
                letters.filter(Letter.text.in_(["a", text]))
            with pytest.raises(WrongType, match="lone surrogate"):
                letters.filter(Letter.words.contains(text))
            assert session.query_stats() == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=ascii)
async def test_documents_of_what_postgresql_does_not_keep(database_dsn: str, document: dict[str, Any]) -> None:
    async with Database(database_dsn) as database:
        await database.create_all(Letter)
        async with AsyncSession(database) as session:
            await refused(session, Letter(extra=document), "NUL or a lone surrogate")
            with pytest.raises(WrongType, match="NUL or a lone surrogate"):
                await session.query(Letter).update(Letter.extra.set(document))
            await refused(session, Letter(shape=Shape(text="\0")), "NUL or a lone surrogate")
            assert await session.query(Letter).count() == 0


@pytest.mark.parametrize("document", KEPT, ids=ascii)
async def test_what_only_looks_like_it_is_kept(database_dsn: str, document: dict[str, Any]) -> None:
    async with Database(database_dsn) as database:
        await database.create_all(Letter)
        text = "\\u0000 \\ud800 \U0001f600"
        async with AsyncSession(database) as session:
            session.add(letter := Letter(text=text, words=[text], extra=document, shape=Shape(text=text)))
        async with AsyncSession(database) as session:
            found = await session.get_one(Letter, letter.id)
            assert (found.text, found.words, found.extra, found.shape) == (text, [text], document, Shape(text=text))
