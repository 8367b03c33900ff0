"""A program that migrates and is killed at every moment: after each statement, and while it is on its way.

    python -m tests.support.killed_migrations DSN STEP KIND ...

For each moment, or each one in STEP, it forks a child that migrates and kills itself there, then migrates by itself,
and looks whether all is as it would be without the kill. It prints how many moments there were, and what was wrong.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from itertools import count
from typing import Any

from cormorant import Database, MigrationEngine, SchemaBuilder
from cormorant.adapters.postgresql import PostgresConnection
from cormorant.adapters.sqlite import SQLiteConnection
from cormorant.migrations import History
from cormorant.schema.diff import diff
from cormorant.schema.names import OWN
from cormorant.schema.snapshot import SchemaSnapshot
from tests.support.essays import KINDS, execute, rows


async def _migrate(dsn: str, history: History, down: bool) -> None:
    async with Database(dsn) as database:
        engine = MigrationEngine(database, history, wait=30)
        await (engine.rollback("0001_initial") if down else engine.migrate())


def _die_at(moment: int, *, sent: bool) -> None:
    """Has this process kill itself at its n-th statement: once the answer is there, or while it is on its way."""
    calls = 0

    def counted(method: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def call(*args: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls < moment:
                return await method(*args)
            running = asyncio.ensure_future(method(*args))
            # one turn of the loop sends it
            await (asyncio.sleep(0) if sent else asyncio.wait([running]))
            os.kill(os.getpid(), signal.SIGKILL)

        return call

    for kind in (PostgresConnection, SQLiteConnection):
        for name in ("execute", "fetch", "query", "fetch_each"):
            setattr(kind, name, counted(getattr(kind, name)))


def _in_child(dsn: str, history: History, moment: int, *, sent: bool, down: bool) -> bool:
    """Migrates in a child that dies at a moment; whether it died."""
    child = os.fork()
    if not child:
        _die_at(moment, sent=sent)
        try:
            asyncio.run(_migrate(dsn, history, down))
        except BaseException as error:
            print(f"the child failed by itself: {error}", flush=True)
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if not os.WIFSIGNALED(status) and os.WEXITSTATUS(status):
        raise SystemExit(1)
    return os.WIFSIGNALED(status)


async def _prepare(dsn: str, history: History, down: bool) -> None:
    async with Database(dsn) as database:
        engine = MigrationEngine(database, history)
        builder = SchemaBuilder(database)
        await builder.apply(diff(await builder.live(), SchemaSnapshot()))
        await execute(database, *(f"DROP TABLE IF EXISTS {table}" for table in OWN))
        await engine.migrate("0001_initial")
        await execute(database, *(f"INSERT INTO essay (title) VALUES ('essay {n}')" for n in range(3)))
        if down:
            await engine.migrate()


async def _wrong(dsn: str, history: History, query: str, expected: object) -> list[str]:
    """Goes on with the migration, and gives what is not as it should be."""
    await _migrate(dsn, history, down=False)
    async with Database(dsn) as database:
        engine, builder = MigrationEngine(database, history), SchemaBuilder(database)
        found = await rows(database, query)
        wrong = [] if found == expected else [f"rows: {found}"]
        if not (await engine.status()).is_current:
            wrong.append(f"status: {await engine.status()}")
        keys = {table.key for table in history.state().tables}
        live, wanted = (await builder.live()).only(keys), await builder.normalised(history.state())
        wrong += [operation.describe() for operation in diff(live, wanted)]
        if database.dialect.name == "postgresql":
            wrong += [
                f"invalid: {each}"
                for each in await rows(database, "SELECT indexrelid::regclass FROM pg_index WHERE NOT indisvalid")
            ]
        return wrong


def kill_everywhere(dsn: str, name: str, step: int, *, down: bool) -> None:
    """Kills migrations of one kind at every moment, or at some."""
    kind, label, moments = KINDS[name], f"{name}{' down' * down}", 0
    for moment in count(1, step):
        asyncio.run(_prepare(dsn, kind.history, down))
        if not _in_child(dsn, kind.history, (moment + 1) // 2, sent=bool(moment % 2), down=down):
            break
        moments += 1
        for each in asyncio.run(_wrong(dsn, kind.history, kind.query, kind.expected)):
            print(f"wrong: {label}, moment {moment}: {each}", flush=True)
    print(f"{label}: {moments} moments", flush=True)


def run_at_once(dsn: str, processes: int) -> None:
    """Migrates in several processes at once, and prints what each of them has run."""
    go, told = os.pipe()
    children: list[int] = []
    for _ in range(processes):
        child = os.fork()
        if not child:
            os.close(told)
            # all begin when the other end is closed
            os.read(go, 1)
            print(asyncio.run(_ran(dsn)), flush=True)
            os._exit(0)
        children.append(child)
    os.close(told)
    for child in children:
        _, status = os.waitpid(child, 0)
        if status:
            print(f"wrong: a process ended with {status}", flush=True)


async def _ran(dsn: str) -> str:
    async with Database(dsn) as database:
        report = await MigrationEngine(database, KINDS["data"].history, wait=60).migrate()
        return f"ran: {' '.join(report.migrations)}"


def main(dsn: str, step: int, kinds: list[str]) -> None:
    """Runs kinds, each up and, after "-", down."""
    for name in kinds:
        if name == "at-once":
            run_at_once(dsn, 3)
        else:
            kill_everywhere(dsn, name.removesuffix("-"), step, down=name.endswith("-"))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3:])
