"""What is loaded and looked at is not written: a flush after a load sends nothing."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cormorant import AsyncSession, Database
from tests.support.newsroom import MODELS, Grade, Label, Memo, Story, Ticket, Writer, sent, words

texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
numbers = st.integers(-(2**53), 2**53) | st.floats(-1e15, 1e15, allow_subnormal=False)
documents = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
memos = st.builds(
    Memo, body=st.dictionaries(texts, documents, max_size=4), words=st.lists(texts, max_size=4), title=texts
)


class Bench:
    """A database that the examples of one test share."""

    def __init__(self, dsn: str) -> None:
        self.runner = asyncio.Runner()
        self.database = Database(dsn)
        self.runner.run(self.database.create_all(*MODELS))

    def close(self) -> None:
        self.runner.run(self.database.close())
        self.runner.close()


@pytest.fixture
def bench(database_dsn: str) -> Any:
    bench = Bench(database_dsn)
    yield bench
    bench.close()


async def look_at_everything(session: AsyncSession) -> None:
    for model in (Writer, Story, Label, Memo, Ticket, Grade):
        for instance in await session.query(model):
            repr(instance)
            instance.to_dict(relations=True)
            for relation in type(instance).__info__.relations:
                related = getattr(instance, relation, None) if relation != "desk" else None
                if related is not None:
                    await related


async def keep(database: Database, *instances: Any) -> None:
    async with AsyncSession(database) as session:
        session.add(*instances)


async def change_nothing(database: Database) -> None:
    async with AsyncSession(database) as session:
        await look_at_everything(session)
        session.reset_query_stats()
        await session.flush()
        assert sent(session) == 0
        for instance in session.identity_map:
            for name, column in type(instance).__info__.by_attribute.items():
                if column.spec.computed is None and not column.spec.version:
                    # the same value again, in another object
                    setattr(instance, name, copy_of(getattr(instance, name)))
        await session.commit()
        assert sent(session) == 0
        assert not session.dirty


def copy_of(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: copy_of(item) for key, item in reversed(value.items())}
    return list(map(copy_of, value)) if isinstance(value, list) else value


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(memos, min_size=1, max_size=3))
def test_documents_and_lists_are_equal_to_themselves(bench: Bench, kept: list[Memo]) -> None:
    bench.runner.run(keep(bench.database, *(Memo(body=m.body, words=m.words, title=m.title) for m in kept)))
    bench.runner.run(change_nothing(bench.database))


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(texts.filter(bool), texts, st.integers(0, 99), st.booleans())
def test_rows_and_their_relations_are_equal_to_themselves(
    bench: Bench, title: str, name: str, age: int, labelled: bool
) -> None:
    writer = Writer(name=name, age=age)
    story = Story(title=title, writer=writer, editor=writer if labelled else None)
    bench.runner.run(keep(bench.database, story, Ticket(seat=f"{id(story)} {title}")))
    bench.runner.run(change_nothing(bench.database))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.dictionaries(texts, documents, max_size=3), st.dictionaries(texts, documents, max_size=3))
def test_a_document_that_became_another_is_written_and_comes_back(
    bench: Bench, before: dict[str, Any], after: dict[str, Any]
) -> None:
    async def change() -> None:
        async with AsyncSession(bench.database) as session:
            memo = await session.create(Memo, body=before)
            await session.commit()
            session.reset_query_stats()
            memo.body.clear()
            memo.body.update(after)
            await session.commit()
            assert words(session).get("UPDATE", 0) <= 1
        async with AsyncSession(bench.database) as session:
            assert (await session.get_one(Memo, memo.id)).body == after

    bench.runner.run(change())
