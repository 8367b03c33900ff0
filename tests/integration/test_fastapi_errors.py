"""Errors as responses: the right status, the place, and nothing of SQL or of values."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextvars import Context
from typing import Any

import pytest
from fastapi import FastAPI, WebSocket

from cormorant import (
    AsyncSession,
    Database,
    Many,
    Mapped,
    Model,
    NotFoundError,
    One,
    Page,
    TableArg,
    check,
    errors,
    field,
    foreign_key,
    generated,
    reverse,
)
from cormorant.integrations.fastapi import (
    Create,
    Patch,
    ReadSessionDep,
    SessionDep,
    add_exception_handlers,
    get_database,
)
from tests.support import kept_tables
from tests.support.asgi import Answer, ask, talk


class Account(Model, table="web_account"):
    id: Mapped[int] = generated(primary_key=True)
    email: Mapped[str] = field(unique=True, column="mail", max_length=40)
    password: Mapped[str] = field(default="", sensitive=True)
    level: Mapped[int] = field(default=0)
    version: Mapped[int] = generated(version=True)
    orders: Many[Order] = reverse("account")

    def validate(self) -> Iterable[tuple[str, str]]:
        if self.level > 100:
            yield "level", "is more than an account has"

    @classmethod
    def __table_args__(cls) -> Iterable[TableArg]:
        yield check(cls.level >= 0)


class Order(Model, table="web_order"):
    id: Mapped[int] = generated(primary_key=True)
    note: Mapped[str] = field(default="", max_length=5)
    account: One[Account] = foreign_key()


@pytest.fixture
async def database(database_dsn: str, keeps_tables: None) -> AsyncIterator[Database]:
    async with Database(database_dsn) as database:
        await kept_tables.prepare(database, database_dsn, Account, Order)
        async with AsyncSession(database) as session:
            session.add(Account(email="ada@example.org", password="hunter2"))
        yield database


@pytest.fixture
def app(database: Database) -> FastAPI:
    app = FastAPI()
    add_exception_handlers(app, retry_after=7)
    app.dependency_overrides[get_database] = lambda: database

    @app.post("/accounts")
    async def create(data: Create[Account], session: SessionDep) -> str:
        session.add(data.build())
        return "done"

    @app.post("/orders")
    async def order(data: Create[Order], session: SessionDep) -> str:
        session.add(data.build())
        return "done"

    @app.patch("/accounts/{key}")
    async def change(key: int, data: Patch[Account], session: SessionDep, version: int | None = None) -> str:
        account = data.assign(await session.get_one(Account, key))
        if version is not None:
            async with AsyncSession(database) as other:
                (await other.get_one(Account, key)).email = "other@example.org"
        account.password = "changed"
        return "done"

    @app.delete("/accounts/{key}")
    async def delete(key: int, session: SessionDep) -> str:
        session.delete(await session.get_one(Account, key))
        return "done"

    @app.get("/accounts")
    async def listed(session: ReadSessionDep, after: str) -> Page[Account]:
        return await session.query(Account).order_by(Account.id).page(2, after=after)

    return app


def problems(answer: Answer, status: int) -> list[tuple[str, list[str], str]]:
    """Gives (type, place, message) of each problem, and looks that nothing else is told."""
    assert (answer.status, answer.raised) == (status, None), answer
    for secret in (b"INSERT", b"UPDATE", b"web_account", b"hunter2", b"example.org", b"mail,", b"CHECK"):
        assert secret not in answer.body
    return [(each["type"], each["loc"], each["msg"]) for each in answer.json["detail"]]


async def test_a_missing_row_is_404(app: FastAPI) -> None:
    answer = await ask(app, "PATCH", "/accounts/99", {"level": 1})
    assert (answer.status, answer.json) == (404, {"detail": "Not Found"})


async def test_a_value_that_is_there_already_is_409(app: FastAPI) -> None:
    answer = await ask(app, "POST", "/accounts", {"email": "ada@example.org"})
    assert problems(answer, 409) == [("unique", ["body", "email"], "exists already")]


async def test_a_row_that_others_have_changed_is_409(app: FastAPI) -> None:
    answer = await ask(app, "PATCH", "/accounts/1?version=1", {"level": 1})
    assert problems(answer, 409) == [("stale", ["body"], "was changed or deleted by someone else meanwhile")]


async def test_a_reference_to_nothing_is_422_and_a_row_that_is_pointed_to_409(app: FastAPI) -> None:
    answer = await ask(app, "POST", "/orders", {"account_id": 99})
    assert [problem[0] for problem in problems(answer, 422)] == ["foreign_key"]
    assert (await ask(app, "POST", "/orders", {"account_id": 1})).status == 200
    answer = await ask(app, "DELETE", "/accounts/1")
    assert problems(answer, 409) == [("foreign_key", ["body"], "is still pointed to")]


async def test_what_a_check_refuses_is_422(app: FastAPI) -> None:
    answer = await ask(app, "POST", "/accounts", {"email": "bob@example.org", "level": -1})
    assert [problem[0] for problem in problems(answer, 422)] == ["check"]


async def test_what_a_model_refuses_is_422_without_its_values(app: FastAPI, database: Database) -> None:
    answer = await ask(app, "POST", "/accounts", {"email": "bob@example.org", "level": 101})
    assert problems(answer, 422) == [("value_error", ["body", "level"], "is more than an account has")]

    @app.post("/long")
    async def long(session: SessionDep) -> str:
        order = Order(note="hunter2 is long", account=await session.get_one(Account, 1))
        account = Account(email="a" * 41, password="hunter2\0")
        session.add(order, account)
        account.level = "hunter2 hunter2 hunter2"  # type: ignore[assignment]
        return "done"

    found = {place[-1]: message for _, place, message in problems(await ask(app, "POST", "/long"), 422)}
    assert found["note"] == "has 15 characters, and at most 5 fit"
    assert found["email"] == "has 41 characters, and at most 40 fit"
    assert found["password"] == "does not fit its column"
    assert "is not an int" in found["level"]


async def test_rows_of_bulk_writes_are_refused_without_their_values(app: FastAPI) -> None:
    @app.post("/many")
    async def many(session: SessionDep) -> str:
        await session.query(Account).bulk_create([{"email": "hunter2" * 20}])
        return "done"

    assert problems(await ask(app, "POST", "/many"), 422) == [("value_error", ["body", "email"], "is refused")]


@pytest.mark.parametrize("key", [2**31, 2**63, -(2**80)])
async def test_a_key_that_no_column_holds_is_no_fault_of_the_server(app: FastAPI, key: int) -> None:
    answer = await ask(app, "PATCH", f"/accounts/{key}", {"level": 1})
    if abs(key) < 2**63:
        assert answer.status == 404
    else:
        assert problems(answer, 422) == [("value_error", [], "is out of range")]


async def test_a_cursor_that_is_none_is_422(app: FastAPI) -> None:
    answer = await ask(app, "GET", "/accounts?after=hunter2")
    assert problems(answer, 422) == [("cursor", ["query"], "is no cursor of this list")]


BUSY = [
    "PoolTimeout",
    "PoolClosed",
    "ConnectionLost",
    "SerializationError",
    "DeadlockError",
    "LockTimeout",
    "QueryTimeout",
]


@pytest.mark.parametrize("name", BUSY)
async def test_a_database_that_is_busy_is_503(app: FastAPI, name: str) -> None:
    kind: type[errors.DatabaseError] = getattr(errors, name)

    @app.get("/busy")
    async def busy() -> str:
        raise kind("hunter2", statement="SELECT hunter2")

    answer = await ask(app, "GET", "/busy")
    assert (answer.status, answer.headers["retry-after"]) == (503, "7")
    assert answer.json == {"detail": "Service Unavailable"}


async def test_a_full_pool_is_503(database_dsn: str, app: FastAPI) -> None:
    other = "&" if "?" in database_dsn else "?"
    async with Database(f"{database_dsn}{other}acquire_timeout=0.5", pool_size=1) as small:
        app.dependency_overrides[get_database] = lambda: small
        async with small.session() as session, session.transaction():
            await session.execute("UPDATE web_account SET level = 1")
            answer = await asyncio.create_task(ask(app, "PATCH", "/accounts/1", {"level": 2}), context=Context())
    assert answer.status == 503, answer


async def test_other_errors_stay_what_they_are(app: FastAPI) -> None:
    @app.get("/mistake")
    async def mistake(session: ReadSessionDep) -> str:
        await session.execute("SELECT no_such_column FROM web_account")
        return "done"

    answer = await ask(app, "GET", "/mistake")
    assert (answer.status, answer.body) == (500, b"Internal Server Error")
    assert isinstance(answer.raised, errors.StatementError)


async def test_without_the_handlers_errors_are_500(database: Database) -> None:
    app = FastAPI()
    app.dependency_overrides[get_database] = lambda: database

    @app.get("/{key}")
    async def get(key: int, session: ReadSessionDep) -> Any:
        await session.get_one(Account, key)

    answer = await ask(app, "GET", "/99")
    assert (answer.status, type(answer.raised)) == (500, NotFoundError)


async def test_websockets_are_told_nothing(app: FastAPI) -> None:
    @app.websocket("/")
    async def broken(socket: WebSocket) -> None:
        raise NotFoundError("no Account")

    with pytest.raises(NotFoundError):
        await talk(app, "/", [])


async def test_sensitive_columns_are_taken_and_not_shown(app: FastAPI, database: Database) -> None:
    @app.get("/accounts/{key}")
    async def get(key: int, session: ReadSessionDep) -> Account:
        return await session.get_one(Account, key)

    answer = await ask(app, "POST", "/accounts", {"email": "bob@example.org", "password": "hunter2"})
    assert answer.status == 200
    async with AsyncSession(database) as session:
        bob = await session.query(Account).filter(email="bob@example.org").one()
    assert bob.password == "hunter2"
    answer = await ask(app, "GET", f"/accounts/{bob.id}")
    assert answer.json == {"id": bob.id, "email": "bob@example.org", "level": 0, "version": 1}
