"""Keys of documents that are no texts became texts when they were saved: the object and its row differed."""

from __future__ import annotations

from typing import Any

import pytest

from cormorant import AsyncSession, Database, Mapped, Model, ValidationError, field, generated


class Sheet(Model, app="document_keys"):
    id: Mapped[int] = generated(primary_key=True)
    body: Mapped[dict[str, Any]] = field(default_factory=dict)
    typed: Mapped[dict[int, str]] = field(default_factory=dict)


KEYS = [
    ({1: "a"}, "[1]"),
    ({"rows": [{"x": 1}, {True: 2}]}, "['rows'][1][True]"),
    ({"a": {None: 1}}, "['a'][None]"),
    ({"a": ({-1.5: 1},)}, "['a'][0][-1.5]"),
]


@pytest.mark.parametrize(("body", "place"), KEYS)
async def test_a_key_that_is_no_text_is_refused(database_dsn: str, body: dict[Any, Any], place: str) -> None:
    async with Database(database_dsn) as database:
        await database.create_all(Sheet)
        async with AsyncSession(database) as session:
            sheet = Sheet(body=body)
            session.add(sheet)
            with pytest.raises(ValidationError) as refused:
                await session.flush()
            assert f"the key at {place} is no text" in str(refused.value)
            # put right, it is saved
            sheet.body = {"1": "true", "null": {"2": [3]}}
            await session.commit()
            sheet.body[7] = "changed in place"  # type: ignore[index]
            with pytest.raises(ValidationError):
                await session.flush()
            await session.rollback()
            assert sheet.body == {"1": "true", "null": {"2": [3]}}


async def test_keys_of_a_declared_type_come_back_as_they_were(database_dsn: str) -> None:
    async with Database(database_dsn) as database:
        await database.create_all(Sheet)
        async with AsyncSession(database) as session:
            session.add(Sheet(typed={1: "a", -2: "b"}))
        async with AsyncSession(database) as session:
            assert (await session.query(Sheet).one()).typed == {1: "a", -2: "b"}
