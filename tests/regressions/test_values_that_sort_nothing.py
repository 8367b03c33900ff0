"""`order_by("name")` sent the text as a parameter, which is the same for every row and sorts nothing."""

from __future__ import annotations

from typing import Any

import pytest

from cormorant import AsyncSession, Mapped, Model, WrongType, field


class Sorted(Model):
    name: Mapped[str] = field(primary_key=True)


@pytest.mark.parametrize("verb", ["order_by", "group_by"])
@pytest.mark.parametrize("key", ["name", 1, None])
async def test_plain_values_are_refused(verb: str, key: Any) -> None:
    async with AsyncSession("sqlite://") as session:
        query = session.query(Sorted)
        with pytest.raises(WrongType, match=rf"{verb}\(\) takes columns and expressions, not {key!r}") as caught:
            getattr(query, verb)(key)
        assert caught.value.hint == f"read them from the model: {verb}(Article.title)"
