"""S7: what is awaited is loaded together with what came with it, once, however many tasks ask."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator
from typing import Any

import pytest

from cormorant import AsyncSession, Database, NotFoundError, NotLoadedError, SessionClosedError
from cormorant.errors import StatementError
from cormorant.query import prefetch
from tests.support.gallery import MODELS, City, Painter, Painting, Style, Wall
from tests.support.newsroom import sent, words

N = 100


@pytest.fixture
async def many(database_dsn: str) -> AsyncIterator[Database]:
    """A hundred paintings, each with a painter and a style of its own."""
    async with Database(database_dsn) as database:
        await database.create_all(*MODELS)
        async with AsyncSession(database) as session:
            for n in range(N):
                painting = Painting(title=f"p{n}", painter=Painter(name=f"a{n}"))
                painting.styles.add(Style(name=f"s{n}"))
                session.add(painting)
        yield database


async def test_a_hundred_references_and_collections_in_a_loop_are_three_statements(many: Database) -> None:
    async with AsyncSession(many) as session:
        seen: list[tuple[str, str]] = []
        for painting in await session.query(Painting).order_by(Painting.id):
            painter = await painting.painter
            seen += [(painter.name, style.name) for style in await painting.styles]
        assert seen == [(f"a{n}", f"s{n}") for n in range(N)]
        assert words(session) == {"SELECT": 3}


async def test_a_hundred_tasks_share_three_statements(many: Database) -> None:
    async def names(painting: Painting) -> tuple[str, list[str]]:
        painter, styles = await asyncio.gather(painting.painter, _await(painting.styles))
        return painter.name, [style.name for style in styles]

    async with AsyncSession(many) as session:
        paintings = await session.query(Painting).order_by(Painting.id)
        found = await asyncio.gather(*map(names, paintings))
        assert found == [(f"a{n}", [f"s{n}"]) for n in range(N)]
        assert words(session) == {"SELECT": 3}


async def _await(awaitable: Any) -> Any:
    return await awaitable


async def test_the_same_reference_awaited_by_many(many: Database) -> None:
    async with AsyncSession(many) as session:
        painting = await session.query(Painting).order_by(Painting.id).limit(1).one()
        found = await asyncio.gather(*[_await(painting.painter) for _ in range(20)])
        assert len({id(painter) for painter in found}) == 1
        assert sent(session) == 2


async def test_results_of_their_own_overlap_and_load_nothing_twice(many: Database) -> None:
    async with AsyncSession(many) as session:
        first = await session.query(Painter).filter(Painter.id <= 60).order_by(Painter.id)
        second = await session.query(Painter).filter(Painter.id > 40).order_by(Painter.id)
        # the painters 41 to 60 came again, with others
        one, other = await asyncio.gather(_await(first[0].paintings), _await(second[0].paintings))
        assert [p.title for p in (*one, *other)] == ["p0", "p40"]
        assert sent(session) == 4
        assert all(painter.paintings.is_loaded for painter in (*first, *second))


async def test_level_after_level(database: Database) -> None:
    async with AsyncSession(database) as session:
        cities = await session.query(City).order_by(City.id)
        titles = [
            painting.title
            for city in cities
            for painter in await city.painters
            for painting in await painter.paintings
            for _ in await painting.styles
        ]
        assert len(titles) == 14
        assert sent(session) == 4


async def test_a_cancelled_load_is_taken_over_by_one_who_waits(many: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    async with AsyncSession(many) as session:
        paintings = await session.query(Painting).order_by(Painting.id)
        state, started = session.state(), asyncio.Event()
        real = state.transactions.fetch

        async def slow(*args: Any) -> Any:
            if not started.is_set():
                started.set()
                await asyncio.Event().wait()
            return await real(*args)

        monkeypatch.setattr(state.transactions, "fetch", slow)
        first = asyncio.create_task(_await(paintings[0].painter))
        await started.wait()
        others = [asyncio.create_task(_await(painting.painter)) for painting in paintings[1:4]]
        cancelled = asyncio.create_task(_await(paintings[4].painter))
        await asyncio.sleep(0)
        cancelled.cancel()
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        with pytest.raises(asyncio.CancelledError):
            await cancelled
        assert [painter.name for painter in await asyncio.gather(*others)] == ["a1", "a2", "a3"]
        assert sent(session) == 2


async def test_an_error_reaches_all_who_wait_and_later_ones_try_again(
    many: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with AsyncSession(many) as session:
        paintings = await session.query(Painting).order_by(Painting.id)
        state, calls = session.state(), 0
        real = state.transactions.fetch

        async def failing(*args: Any) -> Any:
            nonlocal calls
            calls += 1
            await asyncio.sleep(0)
            raise StatementError("no such table")

        monkeypatch.setattr(state.transactions, "fetch", failing)
        results = await asyncio.gather(*[_await(p.styles) for p in paintings[:5]], return_exceptions=True)
        assert {type(result) for result in results} == {StatementError}
        assert calls == 1
        monkeypatch.setattr(state.transactions, "fetch", real)
        assert [style.name for style in await paintings[1].styles] == ["s1"]


async def test_who_waits_while_the_session_ends_is_told(many: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    async with AsyncSession(many) as session:
        paintings = await session.query(Painting).order_by(Painting.id).limit(2)
        state = session.state()

        async def never(*args: Any) -> Any:
            await asyncio.Event().wait()

        monkeypatch.setattr(state.transactions, "fetch", never)
        first = asyncio.create_task(_await(paintings[0].styles))
        await asyncio.sleep(0)
        other = asyncio.create_task(_await(paintings[1].styles))
        await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(SessionClosedError):
        await other


async def test_more_keys_than_one_statement_asks_for(many: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prefetch, "CHUNK", 40)
    async with AsyncSession(many) as session:
        paintings = await session.query(Painting).order_by(Painting.id)
        assert [(await painting.painter).name for painting in paintings] == [f"a{n}" for n in range(N)]
        assert sent(session) == 1 + 3
        assert [len(await painting.styles) for painting in paintings] == [1] * N
        assert sent(session) == 1 + 3 + 3
    async with AsyncSession(many) as session:
        paintings = await session.query(Painting).prefetch_related(Painting.painter.paintings.each.styles)
        assert all(painting.painter.paintings.is_loaded for painting in paintings)
        assert sent(session) == 1 + 3 + 3 + 3


async def test_keys_of_several_columns(database: Database) -> None:
    async with AsyncSession(database) as session:
        paintings = await session.query(Painting).order_by(Painting.id)
        walls = [await painting.wall for painting in paintings if painting.wall is not None]
        assert [(wall.room, wall.side) for wall in walls] == [
            (1, "n"),
            (1, "s"),
            (2, "n"),
            (2, "s"),
            (1, "n"),
            (1, "s"),
        ]
        assert [len(await wall.paintings) for wall in walls[:4]] == [2, 2, 1, 1]
        assert sent(session) == 3
        assert await session.get(Wall, (1, "n")) is walls[0]


async def test_collections_of_references_need_no_row(database: Database) -> None:
    async with AsyncSession(database) as session:
        paintings = await session.query(Painting).order_by(Painting.id)
        assert [len(await painting.painter.paintings) for painting in paintings] == [4] * 4 + [3] * 3
        assert sent(session) == 2


async def test_counting_and_asking_need_nothing_loaded(database: Database) -> None:
    async with AsyncSession(database) as session:
        ada, _, cy = await session.query(Painter).order_by(Painter.id)
        assert (await ada.paintings.count(), await cy.paintings.count()) == (4, 0)
        assert (await ada.paintings.exists(), await cy.paintings.exists()) == (True, False)
        assert await ada.paintings.filter(Painting.price > 10).count() == 2
        ada.paintings.add(Painting(title="new", painter=ada))
        assert await ada.paintings.count() == 5
        assert not ada.paintings.is_loaded


async def test_what_is_not_loaded_never_looks_empty(database: Database) -> None:
    async with AsyncSession(database) as session:
        ada = await session.query(Painter).get(name="Ada")
        for read in (lambda: len(ada.paintings), lambda: list(ada.paintings), lambda: 1 in ada.paintings):
            with pytest.raises(
                NotLoadedError, match=r"Painter\.paintings of <Painter id=1.* by the query at .*test_siblings\.py:\d+"
            ) as raised:
                read()
            assert raised.value.hint == (
                "await it: `await painter.paintings`, or load it up front: .prefetch_related(Painter.paintings)"
            )
        with pytest.raises(NotLoadedError):
            bool(ada.paintings)


async def test_a_reference_says_where_it_comes_from(database: Database) -> None:
    async with AsyncSession(database) as session:
        painting = await session.query(Painting).get(title="p0")
        with pytest.raises(
            NotLoadedError,
            match=r"Painter\.name of <Painter id=1 \(reference\)> was not loaded: "
            r"it is the Painting\.painter of what was read at .*test_siblings\.py:\d+",
        ) as raised:
            _ = painting.painter.name
        assert raised.value.hint == (
            "await it first: `painter = await painting.painter`, or read it up front: .select_related(Painting.painter)"
        )
    with pytest.raises(SessionClosedError, match=r"Painter\.name of .* its session is closed"):
        _ = painting.painter.name


async def test_a_query_that_a_task_began_has_no_line_of_its_own(database: Database) -> None:
    async with AsyncSession(database) as session:
        (paintings,) = await asyncio.gather(session.query(Painting).all())
        with pytest.raises(NotLoadedError) as raised:
            len(paintings[0].styles)
        assert "events.py" not in str(raised.value)


async def test_a_reference_to_a_row_that_is_gone(database: Database) -> None:
    async with AsyncSession(database) as session:
        paintings = await session.query(Painting).filter(Painting.owner.is_not_null())
        async with AsyncSession(database) as other:
            await other.query(Painting).update(Painting.owner.id.set(None))
            await other.query(Painter).filter(name="Cy").delete()
        for painting in paintings[:2]:
            owner = painting.owner
            assert owner is not None
            with pytest.raises(NotFoundError, match="Painter 3 does not exist"):
                await owner


async def test_siblings_are_not_kept_alive(many: Database) -> None:
    async with AsyncSession(many) as session:
        paintings = await session.query(Painting).order_by(Painting.id)
        kept = paintings[0]
        await kept.painter
        await kept.styles
        watched = [weakref.ref(painting) for painting in paintings[1:]]
        session.expunge(*paintings[1:])
        del paintings
        gc.collect()
        assert [reference() for reference in watched] == [None] * (N - 1)
        assert sent(session) == 3


async def test_a_collection_read_during_a_flush_is_not_deadlocked(database: Database) -> None:
    async with AsyncSession(database) as session:
        ada, bob, _ = await session.query(Painter).order_by(Painter.id)
        ada.paintings.add(Painting(title="new", painter=ada))
        loaded, other, _ = await asyncio.gather(_await(ada.paintings), _await(bob.paintings), session.flush())
        assert (len(loaded), len(other)) == (5, 3)
