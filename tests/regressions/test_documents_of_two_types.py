"""A document and a part of it were said to mix "json and json", and there is no cast between the two."""

from __future__ import annotations

from typing import Any

import pytest
from typing_extensions import TypedDict

from cormorant import AsyncSession, Database, Mapped, Model, WrongType, case, field, func, generated


class Size(TypedDict):
    wide: int


class Box(Model, app="regressions_documents"):
    id: Mapped[int] = generated(primary_key=True)
    content: Mapped[dict[str, Any]]
    size: Mapped[Size | None] = field(default=None)


async def test_documents_of_two_types_are_one_document(database_dsn: str) -> None:
    async with Database(database_dsn) as database:
        await database.create_all(Box)
        async with AsyncSession(database) as session:
            session.add(Box(content={"a": {"b": [1]}}), Box(content={"a": 2}, size={"wide": 3}))
            boxes = session.query(Box).order_by(Box.id)
            part: Any = Box.content.path("a", "b")
            whole: Any = Box.content
            assert await boxes.scalars(func.coalesce(part, whole)) == [[1], {"a": 2}]
            assert await boxes.scalars(func.coalesce(Box.size, whole)) == [{"a": {"b": [1]}}, {"wide": 3}]
            assert await boxes.scalars(case((Box.id == 1, part), default=whole)) == [[1], {"a": 2}]
            same = boxes.values(Box.id, part).union(boxes.values(Box.id, whole))
            assert await same.count() == 4
            with pytest.raises(WrongType, match="mixes json and integer"):
                func.coalesce(whole, Box.id)
