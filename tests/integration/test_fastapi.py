"""S20: the handler, the response made, COMMIT, the response's start; whatever fails before that is the response."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Annotated, Any

import anyio
import pytest
from fastapi import BackgroundTasks, Body, FastAPI, HTTPException, Query, Response, WebSocket
from fastapi.responses import JSONResponse, StreamingResponse

from cormorant import (
    AsyncSession,
    Database,
    ForeignKeyViolation,
    NotLoadedError,
    Page,
    SessionClosedError,
    UnsavedError,
    configure,
)
from cormorant.errors import ConfigurationError, ConnectionLost, PoolClosed
from cormorant.integrations.fastapi import (
    Create,
    DatabaseDep,
    Patch,
    ReadSessionDep,
    SessionDep,
    SyncSessionDep,
    check_scopes,
    get_database,
    lifespan,
)
from tests.support import kept_tables
from tests.support.asgi import RecordedDatabase, ask, talk
from tests.support.newsroom import MODELS, Desk, Label, Story, Ticket, Writer, make_story, make_writer
from tests.support.wire import WireTap


@pytest.fixture
async def database(database_dsn: str, keeps_tables: None) -> AsyncIterator[RecordedDatabase]:
    async with RecordedDatabase(database_dsn) as database:
        await kept_tables.prepare(database, database_dsn, *MODELS)
        database.events.clear()
        yield database


@pytest.fixture
def app(database: Database) -> FastAPI:
    app = FastAPI()
    app.dependency_overrides[get_database] = lambda: database
    return app


def shop(source: str | None) -> FastAPI:
    app = FastAPI(lifespan=None if source is None else lifespan(source))

    @app.post("/labels")
    async def add(name: str, session: SessionDep) -> int:
        session.add(Label(name=name))
        return await session.query(Label).count()

    return app


@pytest.fixture
async def two_files(tmp_path: Path) -> list[str]:
    dsns = [f"sqlite:///{tmp_path / name}.db" for name in ("outer", "inner")]
    for dsn in dsns:
        async with Database(dsn) as database:
            await database.create_all(Label, Story, Writer, Desk)
    return dsns


async def test_a_mounted_application_shares_the_outer_one_s_database(two_files: list[str]) -> None:
    outer = shop(two_files[0])
    outer.mount("/inner", shop(None))
    async with outer.router.lifespan_context(outer) as state:
        assert (await ask(outer, "POST", "/inner/labels?name=one", state=state)).json == 1
        assert (await ask(outer, "POST", "/labels?name=two", state=state)).json == 2


async def test_a_mounted_application_with_a_database_of_its_own_never_takes_the_outer_one_s(
    two_files: list[str],
) -> None:
    outer, inner = map(shop, two_files)
    outer.mount("/inner", inner)
    async with outer.router.lifespan_context(outer) as state:
        answer = await ask(outer, "POST", "/inner/labels?name=one", state=state)
        assert isinstance(answer.raised, ConfigurationError)
        assert "has not run" in answer.raised.message
        assert "inner.router.lifespan_context(inner)" in str(answer.raised.hint)
        async with inner.router.lifespan_context(inner):
            assert (await ask(outer, "POST", "/inner/labels?name=one", state=state)).json == 1
            assert (await ask(outer, "POST", "/labels?name=two", state=state)).json == 1


async def labels(database: Database) -> list[str]:
    async with AsyncSession(database) as session:
        return sorted(await session.query(Label).scalars(Label.name))


async def events_of(database: RecordedDatabase, app: FastAPI, method: str, path: str, body: object = None) -> list[str]:
    """Gives what happened in which order, and looks whether everything was given back."""
    database.events.clear()
    answer = await ask(app, method, path, body, events=database.events)
    assert answer.status == 200, answer
    assert database.adapter.stats.in_use == 0
    return list(database.events)


# ---- the order


async def test_what_is_written_is_committed_before_the_response_starts(
    app: FastAPI, database: RecordedDatabase
) -> None:
    @app.post("/")
    async def post(data: Annotated[Writer, Body()], session: SessionDep) -> dict[str, str]:
        session.add(data, Label(name="new"))
        return {"name": data.name}

    events = await events_of(database, app, "POST", "/", {"name": "Ada"})
    assert events == ["BEGIN", "INSERT", "INSERT", "COMMIT", "start"]


async def test_one_row_is_one_statement_before_the_response_starts(app: FastAPI, database: RecordedDatabase) -> None:
    @app.post("/")
    async def post(session: SessionDep) -> str:
        session.add(Label(name="new"))
        return "done"

    assert await events_of(database, app, "POST", "/") == ["INSERT", "start"]


async def test_a_handler_that_commits_leaves_nothing_to_do(app: FastAPI, database: RecordedDatabase) -> None:
    @app.post("/")
    async def post(data: Create[Writer], session: SessionDep) -> Writer:
        writer = data.build()
        session.add(writer)
        await session.commit()
        return writer

    assert await events_of(database, app, "POST", "/", {"name": "Ada"}) == ["INSERT", "start"]


async def test_a_patch_is_committed_before_the_response_starts(app: FastAPI, database: RecordedDatabase) -> None:
    key = await make_story(database)

    @app.patch("/{key}")
    async def patch(key: int, data: Patch[Story], session: SessionDep) -> dict[str, str]:
        story = data.assign(await session.get_one(Story, key))
        session.add(Label(name="new"))
        return {"title": story.title}

    events = await events_of(database, app, "PATCH", f"/{key}", {"title": "Better"})
    assert (events[0], events[-2:]) == ("SELECT", ["COMMIT", "start"])
    assert {"UPDATE", "INSERT"} <= set(events)


async def test_a_stream_starts_after_the_commit(app: FastAPI, database: RecordedDatabase) -> None:
    @app.post("/")
    async def post(session: SessionDep) -> StreamingResponse:
        session.add(Label(name="one"), Writer(name="Ada"))

        async def lines() -> AsyncIterator[str]:
            database.events.append("first line")
            yield "line"

        return StreamingResponse(lines())

    events = await events_of(database, app, "POST", "/")
    assert events[-3:] == ["COMMIT", "start", "first line"]


async def test_reads_open_no_transaction(app: FastAPI, database: RecordedDatabase) -> None:
    key = await make_writer(database)

    @app.get("/{key}")
    async def get(key: int, session: ReadSessionDep) -> Writer:
        return await session.get_one(Writer, key)

    assert await events_of(database, app, "GET", f"/{key}") == ["SELECT", "start"]


async def test_a_sync_handler_is_committed_before_the_response_starts(app: FastAPI, database: RecordedDatabase) -> None:
    @app.post("/")
    def post(data: Create[Writer], session: SyncSessionDep) -> list[str]:
        session.add(data.build(), Label(name="new"))
        return [writer.name for writer in session.query(Writer)]

    events = await events_of(database, app, "POST", "/", {"name": "Ada"})
    assert events == ["BEGIN", "INSERT", "INSERT", "SELECT", "COMMIT", "start"]


@pytest.mark.parametrize("method", ["POST", "PATCH"])
async def test_the_order_on_the_wire(postgres_database: str, method: str) -> None:
    async with WireTap(postgres_database) as tap, Database(tap.dsn, pool_size=1) as database:
        await database.create_all(*MODELS)
        await make_writer(database, name="Ada")
        app = FastAPI()
        app.dependency_overrides[get_database] = lambda: database
        seen: list[str] = []

        class Started(list[str]):
            def append(self, word: str) -> None:
                seen.extend(tap.words)
                super().append(word)

        async def change(session: SessionDep) -> str:
            (await session.query(Writer).one()).age += 1
            session.add(Label(name="new"))
            return "done"

        async def write(session: SessionDep) -> str:
            session.add(Writer(name="Bob"), Label(name="new"))
            return "done"

        app.add_api_route("/", write if method == "POST" else change, methods=[method])
        tap.reset()
        answer = await ask(app, method, "/", events=Started())
        assert answer.status == 200, answer
        assert seen[-1] == "COMMIT"
        assert seen == tap.words


# ---- what fails


@pytest.mark.parametrize("shape", ["plain", "response", "stream", "sync"])
async def test_a_commit_that_fails_is_the_response(app: FastAPI, database: RecordedDatabase, shape: str) -> None:
    """The constraint is deferred: COMMIT is the first to notice."""
    async with AsyncSession(database) as session:
        await session.execute(
            "CREATE TABLE late_child (id int PRIMARY KEY, label_id bigint "
            "REFERENCES newsroom_label (id) DEFERRABLE INITIALLY DEFERRED)"
        )

    @app.post("/plain")
    async def plain(session: SessionDep) -> str:
        await session.execute("INSERT INTO late_child VALUES (1, 99)")
        return "done"

    @app.post("/response")
    async def response(session: SessionDep) -> Response:
        await session.execute("INSERT INTO late_child VALUES (1, 99)")
        return JSONResponse("done")

    @app.post("/stream")
    async def stream(session: SessionDep) -> StreamingResponse:
        await session.execute("INSERT INTO late_child VALUES (1, 99)")
        return StreamingResponse(iter(["done"]))

    @app.post("/sync")
    def sync(session: SyncSessionDep) -> str:
        session.execute("INSERT INTO late_child VALUES (1, 99)")
        return "done"

    database.events.clear()
    answer = await ask(app, "POST", f"/{shape}", events=database.events)
    assert answer.status == 500
    assert isinstance(answer.raised, ForeignKeyViolation)
    assert database.events.index("INSERT") < database.events.index("start")
    assert b"done" not in answer.body
    async with AsyncSession(database) as session:
        assert (await session.execute("SELECT count(*) AS n FROM late_child")).dicts() == [{"n": 0}]
    assert database.adapter.stats.in_use == 0


async def test_who_raises_rolls_back_and_who_answers_commits(app: FastAPI, database: RecordedDatabase) -> None:
    @app.post("/{name}")
    async def post(name: str, session: SessionDep) -> Response:
        session.add(Label(name=name))
        await session.flush()
        if name == "raised":
            raise HTTPException(409, "no")
        if name == "broken":
            raise ZeroDivisionError
        return JSONResponse({"detail": "no"}, 409 if name == "returned" else 200)

    statuses = [(await ask(app, "POST", f"/{name}")).status for name in ("raised", "broken", "returned", "fine")]
    assert statuses == [409, 500, 409, 200]
    assert await labels(database) == ["fine", "returned"]


async def test_a_request_that_is_cancelled_for_good_leaves_nothing(app: FastAPI, database: RecordedDatabase) -> None:
    reached = anyio.Event()

    @app.post("/")
    async def post(session: SessionDep) -> str:
        session.add(Label(name="cancelled"))
        await session.flush()
        reached.set()
        await anyio.sleep_forever()
        return "never"

    # a scope of anyio cancels again whatever waits in it, the end of the session too
    with anyio.CancelScope() as scope:
        async with anyio.create_task_group() as group:
            group.start_soon(ask, app, "POST", "/")
            await reached.wait()
            scope.cancel()
    assert scope.cancelled_caught
    assert database.adapter.stats.in_use == 0
    assert await labels(database) == []
    # the connection that was written on is of use again
    async with AsyncSession(database) as session:
        session.add(Label(name="later"))
    assert await labels(database) == ["later"]


async def test_a_new_object_is_not_shown_before_it_is_saved(app: FastAPI, database: RecordedDatabase) -> None:
    @app.post("/")
    async def post(data: Create[Writer], session: SessionDep) -> list[Writer]:
        writer = data.build()
        session.add(writer)
        return [writer]

    answer = await ask(app, "POST", "/", {"name": "Ada"})
    assert answer.status == 500
    assert isinstance(answer.raised, UnsavedError)
    assert answer.raised.hint == "before returning it: await session.commit()"
    async with AsyncSession(database) as session:
        assert await session.query(Writer).count() == 0


async def test_a_changed_object_is_not_shown_before_it_is_saved(app: FastAPI, database: RecordedDatabase) -> None:
    """Its version is another one afterwards."""
    key = await make_story(database)

    @app.patch("/{key}")
    async def patch(key: int, data: Patch[Story], session: SessionDep, *, commit: bool = False) -> Story:
        story = data.assign(await session.get_one(Story, key))
        if commit:
            await session.commit()
        return story

    answer = await ask(app, "PATCH", f"/{key}", {"title": "Better"})
    assert isinstance(answer.raised, UnsavedError)
    assert "title" in answer.raised.message
    answer = await ask(app, "PATCH", f"/{key}", {"title": "Notes"})
    assert (answer.status, answer.json["version"]) == (200, 1), "the values are those it has anyway"
    answer = await ask(app, "PATCH", f"/{key}?commit=1", {"title": "Better"})
    assert (answer.status, answer.json["title"], answer.json["version"]) == (200, "Better", 2)


async def test_a_sync_handler_is_told_of_unsaved_objects_too(app: FastAPI) -> None:
    @app.post("/")
    def post(session: SyncSessionDep) -> Ticket:
        ticket = Ticket(seat="A1")
        session.add(ticket)
        return ticket

    answer = await ask(app, "POST", "/")
    assert isinstance(answer.raised, UnsavedError)


async def test_what_the_database_fills_in_is_shown_once_it_is_committed(app: FastAPI) -> None:
    @app.post("/")
    async def post(data: Create[Ticket], session: SessionDep) -> Ticket:
        ticket = data.build()
        session.add(ticket)
        await session.commit()
        return ticket

    answer = await ask(app, "POST", "/", {"seat": "A1"})
    assert (answer.status, answer.json["seat"], answer.json["price"], answer.json["before_id"]) == (200, "A1", 7, None)


async def test_a_read_only_session_refuses_writes(app: FastAPI, database: RecordedDatabase) -> None:
    @app.get("/")
    async def get(session: ReadSessionDep) -> str:
        session.add(Label(name="new"), Writer(name="Ada"))
        return "done"

    assert (await ask(app, "GET", "/")).status == 500
    assert await labels(database) == []


# ---- what outlives the handler


async def test_a_background_task_cannot_use_the_session_of_its_request(app: FastAPI) -> None:
    told: list[BaseException] = []

    @app.post("/")
    async def post(session: SessionDep, tasks: BackgroundTasks) -> str:
        async def later() -> None:
            try:
                await session.query(Label).count()
            except SessionClosedError as error:
                told.append(error)

        tasks.add_task(later)
        return "done"

    assert (await ask(app, "POST", "/")).status == 200
    # by the handler, whose session it was
    place = f"{__file__}:{post.__code__.co_firstlineno}"
    assert "closed" in str(told[0])
    assert f"at {place} ended at {place}" in str(told[0])


async def test_a_handler_may_close_the_session_of_its_request(app: FastAPI, database: Database) -> None:
    @app.post("/")
    async def post(session: SessionDep) -> str:
        session.add(Label(name="given up"))
        await session.close()
        return "done"

    assert (await ask(app, "POST", "/")).status == 200
    assert await labels(database) == []


async def test_a_background_task_opens_a_session_of_its_own(app: FastAPI, database: RecordedDatabase) -> None:
    @app.post("/")
    async def post(session: SessionDep, db: DatabaseDep, tasks: BackgroundTasks) -> str:
        label = Label(name="seen")
        session.add(label)
        await session.commit()

        async def later(key: int) -> None:
            async with db.session() as own:
                (await own.get_one(Label, key)).name += " later"

        tasks.add_task(later, label.id)
        return "done"

    events = await events_of(database, app, "POST", "/")
    assert events.index("start") < events.index("UPDATE")
    assert await labels(database) == ["seen later"]


async def test_a_stream_cannot_use_the_session_of_its_request(app: FastAPI) -> None:
    @app.get("/")
    async def get(session: ReadSessionDep) -> StreamingResponse:
        async def lines() -> AsyncIterator[str]:
            async for label in session.query(Label).stream():
                yield label.name

        return StreamingResponse(lines())

    answer = await ask(app, "GET", "/")
    assert isinstance(answer.raised, SessionClosedError)


async def test_a_stream_opens_a_session_of_its_own(app: FastAPI, database: RecordedDatabase) -> None:
    async with AsyncSession(database) as session:
        session.add(*[Label(name=f"{number}") for number in range(3)])

    @app.get("/")
    async def get(db: DatabaseDep) -> StreamingResponse:
        async def lines() -> AsyncIterator[str]:
            async with db.session(read_only=True) as own:
                async for label in own.query(Label).order_by(Label.id).stream():
                    yield label.name

        return StreamingResponse(lines())

    answer = await ask(app, "GET", "/")
    assert (answer.status, answer.body) == (200, b"012")
    assert database.adapter.stats.in_use == 0


async def test_a_websocket_opens_a_session_for_each_message(app: FastAPI, database: RecordedDatabase) -> None:
    @app.websocket("/")
    async def chat(socket: WebSocket, db: DatabaseDep) -> None:
        await socket.accept()
        while (name := await socket.receive_text()) != "bye":
            async with db.session() as session:
                session.add(Label(name=name))
            async with db.session() as session:
                await socket.send_json(await session.query(Label).count())
        await socket.close()

    assert await talk(app, "/", ["one", "two", "bye"]) == ["1", "2"]
    assert await labels(database) == ["one", "two"]


# ---- which database


async def test_the_database_is_the_applications_then_the_configured_one(database: RecordedDatabase) -> None:
    app = FastAPI(lifespan=lifespan(database, ping=True))

    @app.get("/")
    async def get(db: DatabaseDep) -> bool:
        return db is database

    configure("sqlite:///elsewhere.db")
    try:
        assert (await ask(app, "GET", "/")).json is False
        async with app.router.lifespan_context(app):
            assert (await ask(app, "GET", "/")).json is True
        assert (await ask(app, "GET", "/")).json is False
    finally:
        configure(None)
    answer = await ask(app, "GET", "/")
    assert isinstance(answer.raised, ConfigurationError)
    with pytest.raises(PoolClosed):
        await database.ping()


@pytest.mark.parametrize("session", [SessionDep, ReadSessionDep, SyncSessionDep])
async def test_every_session_is_on_what_overrides_the_database(database: RecordedDatabase, session: Any) -> None:
    app = FastAPI()

    async def other() -> Database:
        return database

    async def get(session: Any) -> bool:
        return session.database is database

    get.__annotations__["session"] = session
    app.get("/")(get)
    for override in (other, lambda: database):
        app.dependency_overrides[get_database] = override
        assert (await ask(app, "GET", "/")).json is True


@pytest.mark.parametrize("dependency", [SessionDep, ReadSessionDep, SyncSessionDep, DatabaseDep])
async def test_what_overrides_the_database_may_yield_it(database: RecordedDatabase, dependency: Any) -> None:
    app = FastAPI()
    ended: list[str] = []

    async def within() -> AsyncIterator[Database]:
        yield database
        ended.append("async")

    def around() -> Iterator[Database]:
        yield database
        ended.append("sync")

    async def get(given: Any) -> bool:
        return (given if isinstance(given, Database) else given.database) is database

    get.__annotations__["given"] = dependency
    app.get("/")(get)
    for override in (within, around):
        app.dependency_overrides[get_database] = override
        assert (await ask(app, "GET", "/")).json is True
    assert ended == ["async", "sync"]


async def test_an_application_may_start_again(database_dsn: str) -> None:
    app = FastAPI(lifespan=lifespan(database_dsn))
    seen: set[Any] = set()

    @app.get("/")
    async def get(session: ReadSessionDep) -> int:
        seen.add(session.database)
        return (await session.execute("SELECT 1 AS one")).dicts()[0]["one"]

    for _ in range(2):
        async with app.router.lifespan_context(app):
            assert (await ask(app, "GET", "/")).json == 1
    assert len(seen) == 2


async def test_starting_opens_no_connection_unless_told_to(postgres_database: str) -> None:
    made: list[Database] = []

    def database() -> Database:
        made.append(Database(postgres_database))
        return made[-1]

    app = FastAPI(lifespan=lifespan(database))
    async with app.router.lifespan_context(app):
        assert made[0].adapter.stats.opened == 0
    app = FastAPI(lifespan=lifespan("postgresql://127.0.0.1:1/nobody", ping=True))
    with pytest.raises(ConnectionLost):
        async with app.router.lifespan_context(app):
            pass


async def test_a_lifespan_of_no_database_is_refused() -> None:
    wrong: Any
    for wrong in (None, 5):
        with pytest.raises(ConfigurationError, match="which is no database"):
            lifespan(wrong)
    for wrong in (lambda: None, lambda: "postgresql://app:secret@localhost/app"):
        app = FastAPI(lifespan=lifespan(wrong))
        with pytest.raises(ConfigurationError, match="a function that returns a Database") as caught:
            async with app.router.lifespan_context(app):
                pass
        assert "secret" not in str(caught.value)


def test_a_fastapi_without_scopes_is_refused() -> None:
    def depends(dependency: object = None, *, use_cache: bool = True) -> None: ...

    with pytest.raises(ConfigurationError, match=r"0\.120\.4 has no dependencies with scopes") as caught:
        check_scopes(depends, "0.120.4")
    assert caught.value.hint == "pip install 'fastapi>=0.121'"


# ---- what is shown


async def test_loaded_relations_are_shown_and_ways_back_are_cut(app: FastAPI, database: RecordedDatabase) -> None:
    key = await make_story(database)

    @app.get("/{key}")
    async def get(key: int, session: ReadSessionDep, load: str = "") -> Story:
        story = await session.get_one(Story, key)
        if "writer" in load:
            await (await story.writer).stories
        if "labels" in load:
            await story.labels
        return story

    plain = {"id": key, "title": "Notes", "views": 0, "version": 1, "writer_id": 1, "editor_id": None}
    assert (await ask(app, "GET", f"/{key}")).json == plain
    answer = await ask(app, "GET", f"/{key}?load=writer,labels")
    writer = {"id": 1, "name": "Ada", "email": None, "age": 0}
    assert answer.json == plain | {"writer": writer, "labels": []}


async def test_a_patch_of_parameters_is_described(app: FastAPI) -> None:
    @app.get("/")
    async def get(data: Annotated[Patch[Label], Query()]) -> dict[str, Any]:
        return data.model_dump()

    assert (await ask(app, "GET", "/?name=new")).json == {"name": "new"}
    # it was a KeyError
    (parameter,) = app.openapi()["paths"]["/"]["get"]["parameters"]
    assert (parameter["name"], parameter["in"], parameter["required"]) == ("name", "query", False)
    assert "default" not in parameter["schema"]


async def test_a_schema_asks_for_what_it_shows(app: FastAPI, database: RecordedDatabase) -> None:
    key = await make_story(database)

    @app.get("/{key}", response_model=Story.schema("read", relations=[Story.writer], keys=[Story.labels]))
    async def get(key: int, session: ReadSessionDep, *, load: bool = False) -> Story:
        story = await session.get_one(Story, key)
        if load:
            await session.load(story, Story.writer, Story.labels)
        return story

    answer = await ask(app, "GET", f"/{key}")
    assert answer.status == 500
    assert "was not loaded" in str(answer.raised)
    answer = await ask(app, "GET", f"/{key}?load=1")
    assert (answer.json["writer"]["name"], answer.json["labels"]) == ("Ada", [])


async def test_pages_are_responses(app: FastAPI, database: RecordedDatabase) -> None:
    async with AsyncSession(database) as session:
        session.add(*[Label(name=f"{number}") for number in range(3)])

    @app.get("/")
    async def get(session: ReadSessionDep, after: str | None = None) -> Page[Label]:
        return await session.query(Label).order_by(Label.name).page(2, after=after)

    first = (await ask(app, "GET", "/")).json
    assert [item["name"] for item in first["items"]] == ["0", "1"]
    second = (await ask(app, "GET", f"/?after={first['next']}")).json
    assert [item["name"] for item in second["items"]] == ["2"]
    assert second["next"] is None
    names = set(app.openapi()["components"]["schemas"])
    assert names == {
        "Desk", "HTTPValidationError", "Label", "LabelPage", "Story", "ValidationError", "Writer",
    }  # fmt: skip


async def test_columns_that_were_not_loaded_are_named(app: FastAPI, database: RecordedDatabase) -> None:
    await make_writer(database)

    @app.get("/")
    async def get(session: ReadSessionDep) -> Writer | None:
        return await session.query(Writer).only(Writer.name).first()

    answer = await ask(app, "GET", "/")
    assert isinstance(answer.raised, NotLoadedError)


# ---- what is sent


async def test_relations_are_given_by_keys(app: FastAPI, database: RecordedDatabase) -> None:
    key = await make_writer(database)
    async with AsyncSession(database) as session:
        session.add(one := Label(name="one"), two := Label(name="two"), three := Label(name="three"))
    ids = [one.id, two.id, three.id]

    create, patch = (Story.schema(mode, keys=[Story.labels]) for mode in ("create", "patch"))

    async def write(data: Any, session: SessionDep) -> Story:
        story: Story = data.build()
        session.add(story)
        await session.commit()
        return story

    async def change(key: int, data: Any, session: SessionDep) -> Story:
        story = await session.get_one(Story, key)
        await story.labels
        data.assign(story)
        await session.commit()
        return story

    write.__annotations__["data"], change.__annotations__["data"] = create, patch
    app.post("/")(write)
    app.patch("/{key}")(change)
    answer = await ask(app, "POST", "/", {"title": "Notes", "writer_id": key, "labels": ids[:2]})
    assert (answer.status, answer.json["writer_id"]) == (200, key), answer
    story = answer.json["id"]
    answer = await ask(app, "PATCH", f"/{story}", {"labels": ids[1:]})
    assert answer.status == 200, answer
    async with AsyncSession(database) as session:
        stored = await session.get_one(Story, story)
        assert sorted(label.name for label in await stored.labels) == ["three", "two"]


async def test_nested_objects_are_made_with_what_they_belong_to(app: FastAPI, database: RecordedDatabase) -> None:
    async def write(data: Any, session: SessionDep) -> str:
        session.add(data.build())
        return "done"

    write.__annotations__["data"] = Writer.schema("create", relations=[Writer.stories, Writer.desk])
    app.post("/")(write)
    body = {"name": "Ada", "stories": [{"title": "one"}, {"title": "two"}], "desk": {"floor": 3}}
    assert (await ask(app, "POST", "/", body)).status == 200
    async with AsyncSession(database) as session:
        assert sorted(await session.query(Story).filter(Story.writer.name == "Ada").scalars(Story.title)) == [
            "one",
            "two",
        ]
        assert await session.query(Desk).scalars(Desk.floor) == [3]


async def test_a_handler_may_take_the_model_itself(app: FastAPI, database: RecordedDatabase) -> None:
    @app.post("/")
    async def post(story: Annotated[Story, Body()], session: SessionDep) -> Story:
        session.add(story)
        await session.commit()
        return story

    key = await make_writer(database)
    answer = await ask(app, "POST", "/", {"title": "Notes", "writer_id": key, "id": 77, "version": 9})
    assert (answer.status, answer.json["writer_id"], answer.json["version"]) == (200, key, 1)
    assert answer.json["id"] != 77
    answer = await ask(app, "POST", "/", {"title": "Notes"})
    assert (answer.status, answer.json["detail"][0]["loc"]) == (422, ["body", "writer_id"])
    assert set(app.openapi()["components"]["schemas"]) >= {"Story", "StoryCreate", "Writer"}


@pytest.mark.parametrize("freeze", [True, False])
async def test_what_an_application_starts_with_is_frozen_until_it_stops(database: Database, freeze: bool) -> None:
    def is_collected() -> bool:
        return any(each is made for each in gc.get_objects())

    app, made, frozen = FastAPI(lifespan=lifespan(database, freeze=freeze)), [database], gc.get_freeze_count()
    limits = gc.get_threshold()
    gc.set_threshold(700, *limits[1:])
    before = gc.get_threshold()
    try:
        assert is_collected()
        async with app.router.lifespan_context(app):
            assert is_collected() is not freeze
            assert gc.get_threshold() == ((10_000, *before[1:]) if freeze else before)
        assert is_collected()
        assert gc.get_threshold() == before
    finally:
        gc.set_threshold(*limits)
        # as the tests have it
        if frozen and not gc.get_freeze_count():
            gc.freeze()
