"""Statements in logs, on the screen, before observers and with comments."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import pytest

from cormorant import (
    AsyncSession,
    ConfigurationError,
    Database,
    Observer,
    Session,
    StatementError,
    StatementEvent,
    WrongType,
    correlation_id,
    query_tags,
    set_correlation_id,
)
from cormorant._internal import secrets
from tests.support.newsroom import Writer


class Listener:
    def __init__(self) -> None:
        self.events: list[StatementEvent] = []

    def statement(self, event: StatementEvent, /) -> None:
        self.events.append(event)


async def test_every_statement_is_logged_with_facts_for_machines(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    async def work() -> None:
        set_correlation_id("request-7")
        async with AsyncSession(database) as session:
            session.add(Writer(name="Ada"))
            await session.commit()
            await session.query(Writer).filter(Writer.name == "Ada")

    with caplog.at_level(logging.DEBUG, "cormorant.sql"):
        await asyncio.create_task(work())
    assert correlation_id() is None
    found = [record for record in caplog.records if record.name == "cormorant.sql"]
    facts = [json.loads(json.dumps({k: v for k, v in vars(r).items() if k.startswith(("db_", "corr"))})) for r in found]
    assert [item["db_operation"] for item in facts] == ["INSERT", "SELECT"]
    assert {item["correlation_id"] for item in facts} == {"request-7"}
    assert {item["db_system"] for item in facts} == {database.dialect.name}
    assert [item["db_rows"] for item in facts] == [1, 1]
    assert all(item["db_error"] is None and item["db_ms"] > 0 for item in facts)
    assert "1 rows: SELECT" in found[1].getMessage()
    assert "Ada" not in caplog.text


async def test_errors_are_facts_too(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "cormorant.sql"):
        async with AsyncSession(database) as session:
            with pytest.raises(StatementError):
                await session.execute("SELECT nothing FROM nowhere")
    assert [getattr(record, "db_error", "") for record in caplog.records if record.name == "cormorant.sql"] == [
        "StatementError"
    ]


async def test_nothing_is_put_into_words_that_nobody_hears(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> str:
        raise AssertionError

    monkeypatch.setattr("cormorant.observability.events.readable", refuse)
    monkeypatch.setattr(StatementEvent, "__init__", refuse)
    async with AsyncSession(database, slow_query_ms=1e9) as session:
        await session.query(Writer)


@pytest.mark.parametrize(
    ("own", "databases", "slow"), [(None, 0, True), (None, 1e9, False), (0, 1e9, True), (1e9, 0, False)]
)
async def test_slow_statements_are_logged_apart(
    database: Database, caplog: pytest.LogCaptureFixture, own: float | None, databases: float, slow: bool
) -> None:
    other = Database(database.adapter, slow_query_ms=databases)
    async with AsyncSession(other, slow_query_ms=own) as session:
        await session.execute("SELECT 1")
    found = [record for record in caplog.records if record.name == "cormorant.sql.slow"]
    assert len(found) == slow
    assert all(record.levelname == "WARNING" and "slow: " in record.getMessage() for record in found)


async def test_the_environment_says_what_is_slow(
    database: Database, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CORMORANT_SLOW_QUERY_MS", "0")
    for track in (True, False):
        async with AsyncSession(Database(database.adapter, track_queries=track)) as session:
            await session.execute("SELECT 1")
    assert [record.name for record in caplog.records if record.levelno >= logging.WARNING] == ["cormorant.sql.slow"] * 2
    for wrong in ("soon", "-1", "nan"):
        monkeypatch.setenv("CORMORANT_SLOW_QUERY_MS", wrong)
        with pytest.raises(ConfigurationError, match="CORMORANT_SLOW_QUERY_MS="):
            Database("sqlite://")


@pytest.mark.parametrize("wrong", [-1, "5", True, float("nan")])
def test_slow_is_a_number_of_milliseconds(wrong: Any) -> None:
    with pytest.raises(ConfigurationError, match="slow_query_ms="):
        Database("sqlite://", slow_query_ms=wrong)
    with pytest.raises(ConfigurationError, match="slow_query_ms="):
        AsyncSession("sqlite://", slow_query_ms=wrong)


async def test_an_echo_is_for_people(database: Database, capsys: pytest.CaptureFixture[str]) -> None:
    async with AsyncSession(Database(database.adapter, echo=True)) as session:
        await session.execute("SELECT :a AS \n  first", {"a": "Ada"})
        await session.execute("SELECT 1 WHERE :password = ''", {"password": "hunter2"})
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].endswith(" 1 rows] SELECT $1 AS first  -- 'Ada'".replace("$1", database.dialect.placeholder(0)))
    assert lines[1].endswith(f"  -- {secrets.HIDDEN}")
    assert "hunter2" not in "".join(lines)


async def test_observers_are_told_of_everything(database: Database) -> None:
    listener: Observer = Listener()
    assert isinstance(listener, Listener)
    database.observe(listener)
    async with AsyncSession(database) as session:
        session.add(*(Writer(name=f"writer {n}") for n in range(3)))
        await session.commit()
        assert len([writer async for writer in session.query(Writer).stream(chunk=2)]) == 3
        with pytest.raises(StatementError):
            await session.execute("SELECT nothing FROM nowhere")
    told = [(event.operation, event.rows) for event in listener.events if event.operation in ("INSERT", "SELECT")]
    assert told == [("INSERT", 3), ("SELECT", 2), ("SELECT", 1), ("SELECT", 0)]
    insert = next(event for event in listener.events if event.operation == "INSERT")
    assert insert.runs == (1 if database.dialect.name == "postgresql" else 3)
    assert isinstance(listener.events[-1].error, StatementError)
    assert listener.events[-1].target.system == database.dialect.name
    assert listener.events[-1].parameters == ()


async def test_an_observer_that_fails_hurts_nobody(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    class Broken:
        def statement(self, event: StatementEvent, /) -> None:
            raise ZeroDivisionError(event.operation)

    database.observe(Broken())
    async with AsyncSession(database) as session:
        assert await session.query(Writer) == []
    assert [record.name for record in caplog.records if record.exc_info] == ["cormorant.observers"]


def test_sync_sessions_are_observed() -> None:
    database, listener = Database("sqlite://"), Listener()
    database.observe(listener)
    with Session(database) as session:
        session.execute("SELECT 1")
    assert [event.sql for event in listener.events] == ["SELECT 1"]


# ---- comments


async def sent(database: Database, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts that reach the driver."""
    found: list[str] = []
    connection = await database.adapter.acquire()
    cls: Any = type(connection)
    database.adapter.release(connection)
    # the last one goes along with what comes next, and some connections have no such thing
    for verb in ("fetch", "execute", "query", "send_later"):
        real = getattr(cls, verb, None)

        def spy(self: Any, sql: str, *args: Any, real: Any = real) -> Any:
            found.append(sql)
            return real(self, sql, *args)

        if real is not None:
            monkeypatch.setattr(cls, verb, spy)
    return found


async def test_tags_end_statements_where_it_is_asked_for(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    tagged = Database(database.adapter, query_comments=True)
    texts = await sent(database, monkeypatch)
    with query_tags(route="/writers/{id}", task="it's */ done"):
        for each in (tagged, database):
            async with AsyncSession(each) as session, session.transaction():
                assert await session.query(Writer).count() == 0
                await session.query(Writer).update(Writer.age.set(1))
                with query_tags(task="inner"):
                    await session.execute("SELECT 1")
    async with AsyncSession(tagged) as session:
        await session.execute("SELECT 1")
    comment = " /*route='%2Fwriters%2F%7Bid%7D',task='it%27s%20%2A%2F%20done'*/"
    comments = [text[text.index(" /*") :] if " /*" in text else "" for text in texts]
    inner = comment.replace("it%27s%20%2A%2F%20done", "inner")
    assert comments == ["", comment, comment, inner, "", *[""] * 5, ""]
    # statistics know the statement without it
    assert all("/*" not in stats.sql for stats in tagged.query_stats())


async def test_tags_are_texts(database: Database) -> None:
    route: Any = 5
    with pytest.raises(WrongType, match="the tag route is 5"), query_tags(route=route):
        pass
    tagged = Database(database.adapter, query_comments=True)
    # as a path has them whose bytes are no text
    with query_tags(route="/\udcff"):
        async with AsyncSession(tagged) as session:
            assert (await session.execute("SELECT 1")).scalar() == 1


async def test_nothing_in_a_statement_steers_a_terminal(
    database_dsn: str, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG, "cormorant.sql")
    async with Database(database_dsn, echo=True) as database, AsyncSession(database) as session:
        await session.execute("SELECT 'a\x1b[2Jb\x07'")
    assert "SELECT 'a\N{REPLACEMENT CHARACTER}[2Jb\N{REPLACEMENT CHARACTER}'" in caplog.text
    assert "\x1b" not in caplog.text + capsys.readouterr().err
