"""Sessions of ASGI and WSGI applications: committed before a response starts, rolled back with a refusal."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, StreamingResponse
from starlette.routing import Mount, Route

from cormorant import AsyncSession, Database, Session, UniqueViolation
from cormorant.errors import SessionNotEntered
from cormorant.integrations.asgi import SessionMiddleware
from tests.support.newsroom import Label

Handler = Callable[[Request], Awaitable[Any]]


def application(database: Database, handler: Handler, **options: Any) -> Starlette:
    async def taken(request: Request, error: Exception) -> JSONResponse:
        return JSONResponse({"error": type(error).__name__}, status_code=409)

    # around the routes, and inside of what answers errors
    middleware = [Middleware(SessionMiddleware, database=database, **options)]
    routes = [Mount("/", routes=[Route("/{name}", handler, methods=["GET", "POST"])], middleware=middleware)]
    return Starlette(routes=routes, exception_handlers={UniqueViolation: taken})


def client(app: Any) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://test")


async def names(database: Database) -> list[str]:
    async with AsyncSession(database) as session:
        return sorted(await session.query(Label).scalars(Label.name))


async def add(request: Request) -> JSONResponse:
    label = Label(name=request.path_params["name"])
    AsyncSession.current().add(label)
    return JSONResponse({"number": await Label.objects.count()}, status_code=201)


# ---- ASGI


async def test_the_order_is_handler_commit_response(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    commit = AsyncSession.commit

    async def committing(self: AsyncSession) -> None:
        await commit(self)
        order.append("commit")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        AsyncSession.current().add(Label(name="x"))
        order.append("handler")
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def send(message: Any) -> None:
        order.append(message["type"])

    async def receive() -> Any:
        return {"type": "http.request", "body": b""}

    monkeypatch.setattr(AsyncSession, "commit", committing)
    await SessionMiddleware(app, database)({"type": "http"}, receive, send)
    assert order == ["handler", "commit", "http.response.start", "http.response.body"]
    assert await names(database) == ["x"]


async def test_requests_write_and_read_in_sessions_of_their_own(database: Database) -> None:
    async with client(application(database, add)) as asking:
        assert [(await asking.post(f"/l{n}")).json() for n in range(3)] == [{"number": n + 1} for n in range(3)]
    assert await names(database) == ["l0", "l1", "l2"]
    assert database.adapter.stats.in_use == 0


async def test_a_refused_commit_is_the_response(database: Database) -> None:
    async def add_later(request: Request) -> JSONResponse:
        AsyncSession.current().add(Label(name=request.path_params["name"]))
        return JSONResponse({})

    async with client(application(database, add_later)) as asking:
        answers = [await asking.post("/same"), await asking.post("/same"), await asking.post("/other")]
    assert [answer.status_code for answer in answers] == [200, 409, 200]
    assert answers[1].json() == {"error": "UniqueViolation"}
    assert await names(database) == ["other", "same"]
    assert database.adapter.stats.in_use == 0


async def test_a_refused_commit_runs_no_background_task(database: Database) -> None:
    ran: list[str] = []

    async def add_later(request: Request) -> JSONResponse:
        AsyncSession.current().add(Label(name="same"))
        return JSONResponse({}, background=BackgroundTask(ran.append, request.path_params["name"]))

    around_all = Starlette(
        routes=[Route("/{name}", add_later, methods=["POST"])],
        middleware=[Middleware(SessionMiddleware, database=database)],
    )
    for app in (application(database, add_later), around_all):
        async with client(app) as asking:
            statuses = [(await asking.post(f"/{n}")).status_code for n in range(2)]
        assert statuses in ([200, 409], [500, 500])
    assert ran == ["0"]
    assert database.adapter.stats.in_use == 0


async def test_what_refuses_or_fails_is_rolled_back(database: Database) -> None:
    async def refuse(request: Request) -> PlainTextResponse:
        await AsyncSession.current().create(Label, name="x")
        if request.path_params["name"] == "fails":
            raise ZeroDivisionError
        return PlainTextResponse("no", status_code=422)

    async with client(application(database, refuse)) as asking:
        assert (await asking.post("/refused")).status_code == 422
        assert (await asking.post("/fails")).status_code == 500
    assert await names(database) == []
    assert database.adapter.stats.in_use == 0


async def test_background_tasks_and_streams_are_committed_at_the_end(database: Database) -> None:
    async def later() -> None:
        AsyncSession.current().add(Label(name="later"))

    async def parts() -> Any:
        for n in range(2):
            AsyncSession.current().add(Label(name=f"part {n}"))
            yield str(await Label.objects.count())

    async def stream(request: Request) -> StreamingResponse:
        return StreamingResponse(parts(), background=BackgroundTask(later))

    async with client(application(database, stream)) as asking:
        assert (await asking.get("/x")).text == "12"
    assert await names(database) == ["later", "part 0", "part 1"]


async def test_options_are_the_sessions(database: Database) -> None:
    async with client(application(database, add, read_only=True)) as asking:
        assert (await asking.post("/x")).status_code == 500
    assert await names(database) == []


async def test_other_scopes_have_no_session(database: Database) -> None:
    seen: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        with pytest.raises(SessionNotEntered):
            AsyncSession.current()
        seen.append(scope["type"])

    await SessionMiddleware(app, database)({"type": "lifespan"}, None, None)  # type: ignore[arg-type]
    assert seen == ["lifespan"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
async def test_litestar(database: Database) -> None:
    litestar = pytest.importorskip("litestar", reason="litestar is not installed; pip install 'cormorant[frameworks]'")
    from litestar.di import Provide
    from litestar.middleware import DefineMiddleware

    async def add_label(name: str, session: AsyncSession) -> dict[str, int]:
        session.add(Label(name=name))
        if name == "counted":
            await session.flush()
        return {"number": await session.query(Label).count()}

    def taken(request: Any, error: Exception) -> Any:
        return litestar.Response({"error": type(error).__name__}, status_code=409)

    app = litestar.Litestar(
        route_handlers=[litestar.post("/{name:str}")(add_label)],
        middleware=[DefineMiddleware(SessionMiddleware, database=database)],
        dependencies={"session": Provide(AsyncSession.current, sync_to_thread=False)},
        exception_handlers={UniqueViolation: taken},
        openapi_config=None,
    )
    async with client(app) as asking:
        answers = [await asking.post("/counted"), await asking.post("/counted"), await asking.post("/other")]
    assert [answer.status_code for answer in answers] == [201, 409, 201]
    assert await names(database) == ["counted", "other"]
    assert database.adapter.stats.in_use == 0


# ---- WSGI


class Requests:
    """The recipe of docs/web.md: a sync session for each request, committed before the response starts."""

    def __init__(self, app: Callable[..., Any], database: Database) -> None:
        self.app = app
        self.database = database

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        started: list[tuple[Any, ...]] = []
        with Session(self.database) as session:
            environ["cormorant.session"] = session
            body = [*self.app(environ, lambda *head: started.append(head))]
            if started[-1][0] >= "400":
                session.rollback()
        start_response(*started[-1])
        return body


def test_wsgi_workers(database: Database) -> None:
    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        session: Session = environ["cormorant.session"]
        name = environ["PATH_INFO"]
        session.create(Label, name=name)
        start_response("404 Not Found" if name.endswith("7") else "200 OK", [])
        return [str(session.query(Label).filter(name=name).one().name).encode()]

    wrapped = Requests(app, database)
    answers: list[tuple[str, bytes]] = []

    def work(worker: int) -> None:
        for n in range(10):
            heads: list[Any] = []
            (body,) = wrapped({"PATH_INFO": f"/{worker}/{n}"}, lambda *head, heads=heads: heads.append(head))
            answers.append((heads[0][0], body))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 60
    assert sum(status == "404 Not Found" for status, _ in answers) == 6
    with Session(database) as session:
        expected = sorted(f"/{worker}/{n}" for worker in range(6) for n in range(10) if n != 7)
        assert sorted(session.query(Label).scalars(Label.name)) == expected
