"""A connection that could not be made leaves no password in the frames of its error."""

from __future__ import annotations

import traceback
from collections.abc import Iterator

import pytest

from cormorant import ConnectionConfig, ConnectionLost, Database
from tests.support import postgres

PASSWORD = "Sekr3t-of-the-dsn"


def chained(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def seen_in(error: BaseException) -> list[str]:
    """What programs that show the locals of each frame would show, but for those of this file."""
    return [
        f"{frame.f_code.co_name}: {values}"
        for each in chained(error)
        for frame, _ in traceback.walk_tb(each.__traceback__)
        if frame.f_code.co_filename != __file__ and PASSWORD in (values := repr(frame.f_locals))
    ]


async def error_of(config: ConnectionConfig) -> BaseException:
    async with Database(config) as database:
        with pytest.raises(ConnectionLost) as caught:
            await database.ping()
    assert caught.value.__cause__ is not None
    return caught.value


async def test_of_a_server_that_is_away() -> None:
    nobody = ConnectionConfig(scheme="postgresql", host="127.0.0.1", port=postgres.free_port(), password=PASSWORD)
    assert seen_in(await error_of(nobody)) == []


async def test_of_a_server_that_refuses(postgres_database: str) -> None:
    config = ConnectionConfig.from_dsn(postgres_database, password=PASSWORD, database="no such")
    assert seen_in(await error_of(config)) == []


@pytest.mark.direct("notifications do not come through it")
async def test_of_a_listener(postgres_database: str) -> None:
    config = ConnectionConfig.from_dsn(postgres_database, password=PASSWORD, database="no such")
    async with Database(config) as database:
        with pytest.raises(ConnectionLost) as caught:
            await anext(aiter(database.listen("orders")))
    assert seen_in(caught.value) == []
