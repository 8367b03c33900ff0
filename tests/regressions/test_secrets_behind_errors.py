"""Changes showed the values of sensitive columns, and errors had them in the error that they were raised for."""

from __future__ import annotations

import pickle
import traceback
from collections.abc import Callable
from typing import Any, cast

import pytest

from cormorant import (
    AsyncSession,
    CormorantError,
    Database,
    DataError,
    Mapped,
    Model,
    field,
    generated,
    ref,
    text,
    tuple_,
)

SECRET = "S3CRET"


class Login(Model, app="behind"):
    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str] = field(default="")
    password: Mapped[str] = field(default="")
    note: Mapped[str] = field(default="", sensitive=True)
    tokens: Mapped[list[str]] = field(default_factory=list)
    credentials: Mapped[dict[str, Any]] = field(default_factory=dict)


class Ticket(Model, app="behind"):
    token: Mapped[int] = field(primary_key=True)


async def test_changes(database_dsn: str) -> None:
    async with Database(database_dsn) as database:
        await database.drop_all(Login)
        await database.create_all(Login)
        async with AsyncSession(database) as session:
            login = await session.create(Login, password=f"{SECRET}1", note=f"{SECRET}1")
            login.password = login.note = f"{SECRET}2"
            login.tokens.append(SECRET)
            login.name = "shown"
            changes = session.changes(login)
            assert SECRET not in repr(changes)
            assert repr(changes["note"]) == "Change(old=***, new=***, added=(), removed=())"
            assert repr(changes["name"]) == "Change(old='', new='shown', added=(), removed=())"
            assert (changes["note"].old, changes["note"].new) == (f"{SECRET}1", f"{SECRET}2")
            new = Login(password=SECRET)
            session.add(new)
            assert SECRET not in repr(session.changes(new))
            await session.rollback()
        await database.drop_all(Login)


@pytest.mark.parametrize("value", [SECRET, f"{{{SECRET}"])
@pytest.mark.parametrize("sql", ["SELECT CAST(:token AS integer)", "SELECT CAST(:token AS json)"])
async def test_what_the_driver_has_beside_its_message(postgres_database: str, sql: str, value: str) -> None:
    async with Database(postgres_database) as database:
        with pytest.raises(DataError) as caught:
            async with AsyncSession(database) as session:
                await session.execute(text(sql), {"token": value})
    left: list[BaseException | None] = [caught.value]
    while left:
        found = left.pop()
        if found is not None:
            assert SECRET not in f"{found!r} {found} {found.__dict__}"
            left += (found.__cause__, found.__context__)


WRONG = cast(Any, [SECRET])
NULL = cast(Any, f"{SECRET}\0")
REFUSED: list[Callable[[], object]] = [
    lambda: Login.password == WRONG,
    lambda: Login.password == NULL,
    lambda: Login.note != WRONG,
    lambda: Login.note < WRONG,
    lambda: Login.password.in_([WRONG]),
    lambda: Login.password.in_(cast(Any, SECRET)),
    lambda: Login.password.not_in(cast(Any, SECRET)),
    lambda: tuple_(Login.id, Login.note) == cast(Any, SECRET),
    lambda: Login.password.like(WRONG),
    lambda: Login.password.contains(NULL),
    lambda: Login.password.set(WRONG),
    lambda: Login.password.set(NULL),
    lambda: Login.password.op("~", NULL, returns=bool),
    lambda: Login.tokens.contains(cast(Any, {SECRET: 1})),
    lambda: Login.credentials.contains(cast(Any, {SECRET: object()})),
    lambda: ref(Ticket, SECRET),
]


@pytest.mark.parametrize("work", REFUSED)
def test_errors(work: Callable[[], object]) -> None:
    with pytest.raises(CormorantError) as caught:
        work()
    found: BaseException | None = caught.value
    while found is not None:
        assert SECRET not in f"{found!r} {found} {found.__dict__}"
        assert found.__cause__ is None
        found = found.__context__
    assert SECRET not in "".join(traceback.format_exception(caught.value))
    assert SECRET not in repr(pickle.dumps(caught.value))
