"""S2: sessions in FastAPI's dependencies: set up, used and left in other tasks, contexts and threads."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any

import pytest

from cormorant import AsyncSession, Database, Session
from cormorant.errors import SessionClosedError, SessionTaskError
from tests.support.newsroom import Label

fastapi = pytest.importorskip("fastapi", reason="fastapi is not installed; pip install 'cormorant[test]'")
httpx = pytest.importorskip("httpx", reason="httpx is not installed; pip install 'cormorant[test]'")


@pytest.fixture
async def client(database: Database) -> AsyncIterator[Any]:
    application = fastapi.FastAPI()
    transport = httpx.ASGITransport(application, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as made:
        made.application = application
        yield made
    assert database.adapter.stats.in_use == 0


async def names(database: Database) -> list[str]:
    async with AsyncSession(database) as session:
        return sorted(await session.query(Label).scalars(Label.name))


async def test_an_async_dependency(client: Any, database: Database) -> None:
    handles: list[AsyncSession] = []

    async def dependency() -> AsyncIterator[AsyncSession]:
        async with AsyncSession(database) as session:
            handles.append(session)
            yield session

    async def count(name: str, session: Annotated[AsyncSession, fastapi.Depends(dependency)]) -> int:
        session.add(Label(name=name))
        if name == "bad":
            raise ZeroDivisionError
        async with session.transaction():
            assert AsyncSession.current() is session
            return await Label.objects.count()

    client.application.get("/{name}")(count)
    for name in ("one", "bad", "two"):
        answer = await client.get(f"/{name}")
        assert answer.status_code == (500 if name == "bad" else 200), answer.text
    assert await names(database) == ["one", "two"]
    for handle in handles:
        with pytest.raises(SessionClosedError):
            await handle.flush()


async def test_a_handler_in_a_thread_is_refused_the_async_session(client: Any, database: Database) -> None:
    refused: list[str] = []

    async def dependency() -> AsyncIterator[AsyncSession]:
        async with AsyncSession(database) as session:
            yield session

    def add(session: Annotated[AsyncSession, fastapi.Depends(dependency)]) -> None:
        with pytest.raises(SessionTaskError) as caught:
            session.add(Label(name="one"))
        refused.append(str(caught.value))

    client.application.get("/")(add)
    assert (await client.get("/")).status_code == 200
    assert "functions that run in threads use Session" in refused[0]
    assert await names(database) == []


async def test_a_sync_dependency_is_a_sync_session(client: Any, database: Database) -> None:
    def dependency() -> Iterator[Session]:
        # entered, used and left in threads of a pool, each time in another copy of the context
        with Session(database) as session:
            yield session

    def add(name: str, session: Annotated[Session, fastapi.Depends(dependency)]) -> int:
        with session.transaction():
            session.add(Label(name=name))
            if name == "bad":
                raise ZeroDivisionError
        return session.query(Label).count()

    client.application.get("/{name}")(add)
    for number, name in enumerate(("one", "bad", "two")):
        answer = await client.get(f"/{name}")
        assert answer.status_code == (500 if name == "bad" else 200), answer.text
        assert name == "bad" or answer.json() == 1 + number // 2
    assert await names(database) == ["one", "two"]


async def test_one_handle_for_all_requests_at_once(client: Any, database: Database) -> None:
    handle = AsyncSession(database)
    all_inside = asyncio.Barrier(5)

    async def dependency() -> AsyncIterator[AsyncSession]:
        async with handle:
            yield handle

    async def add(name: str, session: Annotated[AsyncSession, fastapi.Depends(dependency)]) -> list[str]:
        session.add(Label(name=name))
        await all_inside.wait()
        return [label.name for label in session.new if isinstance(label, Label)]

    client.application.get("/{name}")(add)
    answers = await asyncio.gather(*(client.get(f"/{number}") for number in range(5)))
    assert [answer.json() for answer in answers] == [[f"{number}"] for number in range(5)]
    assert await names(database) == [f"{number}" for number in range(5)]
