"""S19: the queries of a sync session run with the same verbs, and what they are given runs in the caller's thread."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

import pytest

from cormorant import AsyncSession, Database, Q, QuerySet, Session, SyncQuerySet, SyncRows, func
from cormorant.errors import MultipleResultsError, NotFoundError, QueryError, SessionClosedError, WrongType
from tests.support.newsroom import Story, Writer, sent


@pytest.fixture
def session(database: Database) -> Iterator[Session]:
    with Session(database) as session:
        ada, eve = Writer(name="Ada", age=36, email="a@x"), Writer(name="Eve", age=20)
        session.add(Story(title="Notes", views=5, writer=ada), Story(title="More", views=7, writer=ada))
        session.add(Story(title="Other", views=1, writer=eve))
        session.commit()
        session.clear()
        session.reset_query_stats()
        yield session


class WriterQuery(SyncQuerySet[Writer]):
    def adults(self) -> Self:
        return self.filter(Writer.age > 21)


class AsyncWriterQuery(QuerySet[Writer]):
    pass


# ---- whole objects


def test_all_and_iteration(session: Session) -> None:
    writers = session.query(Writer).order_by(Writer.name)
    assert [writer.name for writer in writers.all()] == ["Ada", "Eve"]
    assert [writer.name for writer in writers] == ["Ada", "Eve"]
    assert [writer.name for writer in writers.order_by(Writer.id).exclude(name="Eve")] == ["Ada"]
    assert list(writers.filter(Q(name="x") | Q(name="y"))) == []


def test_one_row(session: Session) -> None:
    writers = session.query(Writer).order_by(Writer.name)
    first, last = writers.first(), writers.last()
    assert first is not None
    assert last is not None
    assert (first.name, last.name) == ("Ada", "Eve")
    assert writers.filter(name="Ada").one() is first
    assert writers.get(Writer.age == 20) is last
    assert writers.get(name="Eve") is last
    assert writers.filter(name="x").first() is None
    assert writers.filter(name="x").last() is None
    assert writers.filter(name="x").one_or_none() is None
    with pytest.raises(NotFoundError):
        writers.filter(name="x").one()
    with pytest.raises(MultipleResultsError):
        writers.one()
    with pytest.raises(MultipleResultsError):
        writers.one_or_none()
    with pytest.raises(QueryError):
        writers.limit(1).last()


def test_counts_and_aggregates(session: Session) -> None:
    stories = session.query(Story)
    assert stories.count() == 3
    assert stories.filter(Story.views > 4).count() == 2
    assert stories.filter(Story.views > 4).exists()
    assert not stories.filter(Story.views > 40).exists()
    assert stories.aggregate(func.max(Story.views)) == 7
    assert stories.aggregate(func.max(Story.views), func.min(Story.views)) == (7, 1)
    with pytest.raises(QueryError):
        stories.limit(1).aggregate(func.max(Story.views))


def test_changes_by_conditions(session: Session) -> None:
    stories = session.query(Story)
    assert stories.filter(Story.writer.name == "Ada").update(Story.views.set(Story.views + 10)) == 2
    assert stories.filter(Story.views > 10).delete() == 2
    assert [story.title for story in stories] == ["Other"]
    with pytest.raises(QueryError):
        stories.update()


def test_a_class_of_queries_of_your_own(session: Session) -> None:
    adults = session.query(WriterQuery).adults()
    assert isinstance(adults, WriterQuery)
    assert [writer.name for writer in adults.limit(5)] == ["Ada"]
    with pytest.raises(WrongType, match="SyncQuerySet"):
        session.query(AsyncWriterQuery)  # type: ignore[call-overload]


def test_a_query_has_no_length_and_is_no_coroutine(session: Session) -> None:
    with pytest.raises(TypeError):
        len(session.query(Writer))  # type: ignore[arg-type]
    assert not hasattr(session.query(Writer), "__await__")
    assert repr(session.query(Writer)) == "<SyncQuerySet of Writer>"


def test_queries_are_parts_of_queries(session: Session) -> None:
    popular = session.query(Story).filter(Story.views > 4).scalars(Story.writer.id)
    assert [writer.name for writer in session.query(Writer).filter(Writer.id.in_(popular))] == ["Ada"]


def test_functions_over_queries(session: Session) -> None:
    def named(query: SyncQuerySet[Writer], name: str) -> SyncQuerySet[Writer]:
        return query.filter(Writer.name == name)

    assert session.query(Writer).pipe(named, "Eve").one().age == 20


# ---- rows


def test_tuples_scalars_and_dictionaries(session: Session) -> None:
    writers = session.query(Writer).order_by(Writer.name)
    assert writers.values(Writer.name, Writer.age).all() == [("Ada", 36), ("Eve", 20)]
    assert list(writers.scalars(Writer.age)) == [36, 20]
    assert writers.as_dicts(Writer.name).all() == [{"name": "Ada"}, {"name": "Eve"}]
    assert [(writer.name, n) for writer, n in writers.annotate(Writer.stories.count())] == [("Ada", 2), ("Eve", 1)]
    grouped = session.query(Story).values(Story.writer.name, func.count()).group_by(Story.writer.name)
    assert sorted(grouped) == [("Ada", 2), ("Eve", 1)]
    assert isinstance(grouped, SyncRows)
    with pytest.raises(QueryError):
        writers.values()


def test_one_row_of_values(session: Session) -> None:
    emails = session.query(Writer).order_by(Writer.name).scalars(Writer.email)
    assert emails.all() == ["a@x", None]
    assert emails.first() == "a@x"
    assert emails.filter(Writer.name == "Eve").one() is None
    assert emails.filter(Writer.name == "x").one_or_none() is None
    assert emails.count() == 2
    assert emails.exists()


@dataclass
class Card:
    name: str
    age: int


def test_rows_become_what_is_asked_for(session: Session) -> None:
    cards = session.query(Writer).order_by(Writer.name).values(Writer.name, Writer.age).into(Card)
    assert cards.all() == [Card("Ada", 36), Card("Eve", 20)]
    assert cards.first() == Card("Ada", 36)
    assert cards.filter(name="Eve").one() == Card("Eve", 20)
    assert cards.filter(name="x").first() is None
    assert cards.filter(name="x").one_or_none() is None
    assert cards.count() == 2
    with pytest.raises(NotFoundError):
        cards.filter(name="x").one()
    with pytest.raises(QueryError):
        session.query(Writer).values(Writer.email).into(Card)


def test_what_makes_rows_runs_in_the_callers_thread(session: Session) -> None:
    threads: set[threading.Thread] = set()

    def note(name: str, age: int) -> int:
        threads.add(threading.current_thread())
        # and may use the session itself
        return session.query(Writer).filter(name=name).one().age

    rows = session.query(Writer).order_by(Writer.name).values(Writer.name, Writer.age).into(note)
    assert rows.all() == [36, 20]
    assert rows.first() == 36
    assert rows.filter(name="Eve").one() == 20
    assert threads == {threading.current_thread()}


def test_keys_are_taken_in_the_callers_thread(session: Session) -> None:
    threads: set[threading.Thread] = set()

    def keys() -> Iterator[int]:
        for writer in session.query(Writer):
            threads.add(threading.current_thread())
            yield writer.id

    assert len(session.get_many(Writer, keys())) == 2
    assert threads == {threading.current_thread()}


def test_a_generator_that_fails_harms_nothing(session: Session) -> None:
    def keys() -> Iterator[int]:
        yield 1
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        session.get_many(Writer, keys())
    assert sent(session) == 0
    assert session.query(Writer).count() == 2


# ---- streams


@pytest.fixture
def many(database: Database) -> Database:
    with Session(database) as session:
        session.add(*(Writer(name=f"w{n:02}", age=n) for n in range(25)))
    return database


@pytest.mark.parametrize("chunk", [1, 10, 25, 1000])
@pytest.mark.parametrize("inside", [False, True])
def test_a_stream_gives_every_row_and_keeps_none(many: Database, chunk: int, inside: bool) -> None:
    with Session(many) as session:
        if inside:
            session.begin()
        names = [writer.name for writer in session.query(Writer).order_by(Writer.name).stream(chunk)]
        assert names == [f"w{n:02}" for n in range(25)]
        assert not list(session.identity_map)
        assert session.query(Writer).count() == 25


def test_a_stream_may_be_left_and_used_beside_others(many: Database) -> None:
    with Session(many) as session:
        for writer in session.query(Writer).order_by(Writer.name).stream(5):
            # the session answers meanwhile
            assert session.query(Writer).filter(name=writer.name).count() == 1
            if writer.name == "w07":
                break
        one, other = session.query(Writer).stream(3), session.query(Writer).stream(4)
        assert len([pair for pair in zip(one, other, strict=True) if pair[0] is pair[1]]) == 25
        with session.transaction():
            stream = session.query(Writer).stream(3)
            next(stream)
            stream.close()
            session.create(Writer, name="new")
    with Session(many) as session:
        assert session.query(Writer).count() == 26


def test_changes_made_along_a_stream_are_written(many: Database) -> None:
    with Session(many) as session:
        for writer in session.query(Writer).stream(4):
            writer.age += 100
    with Session(many) as session:
        assert session.query(Writer).aggregate(func.min(Writer.age)) == 100


def test_a_stream_makes_its_rows_in_the_callers_thread(many: Database) -> None:
    threads: set[threading.Thread] = set()

    def note(name: str) -> str:
        threads.add(threading.current_thread())
        return name.upper()

    with Session(many) as session:
        rows = session.query(Writer).order_by(Writer.name).values(Writer.name).into(note)
        assert next(rows.stream(7)) == "W00"
        assert len(list(rows.stream(7))) == 25
    assert threads == {threading.current_thread()}


@pytest.mark.parametrize("inside", [False, True])
def test_a_stream_that_is_forgotten_is_ended(many: Database, inside: bool) -> None:
    with Session(many) as session:
        if inside:
            session.begin()
        stream = session.query(Writer).stream(3)
        next(stream)
        del stream
        gc.collect()
        session.query(Writer).update(Writer.age.set(1))
    with Session(many) as session:
        assert session.query(Writer).aggregate(func.max(Writer.age)) == 1


def test_a_stream_outlives_no_session(many: Database) -> None:
    with Session(many) as session:
        stream = session.query(Writer).stream(3)
        next(stream)
    with pytest.raises(SessionClosedError):
        list(stream)


@pytest.mark.parametrize("bad", [0, -1, None, "3", 1.5, True])
def test_a_chunk_is_a_number_of_rows(many: Database, bad: Any) -> None:
    with Session(many) as session, pytest.raises(WrongType):
        session.query(Writer).stream(bad)


# ---- and asynchronous ones


async def test_sync_and_async_queries_share_their_plans(database: Database) -> None:
    async with AsyncSession(database) as session:
        await session.query(Writer).filter(Writer.age > 3)
    misses = database.plans.misses

    def work() -> None:
        with Session(database) as other:
            other.query(Writer).filter(Writer.age > 4).all()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert database.plans.misses == misses
