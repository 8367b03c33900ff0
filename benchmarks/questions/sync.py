"""One object by its key without `await`, against `AsyncSession`, and Django and Peewee where they are installed.

`python -m benchmarks --parts questions --only sync` runs it alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Any

from benchmarks.questions.materialise import Narrow
from benchmarks.questions.measure import Comparison
from cormorant import AsyncSession, Database, Session, SyncDatabase

COUNT = 200
ROUNDS = 25
KEYS = range(1, COUNT + 1)

Work = Callable[[], object]


def sync_gets(dsn: str) -> list[Comparison]:
    """Compares getting objects by key: in one session, in a session each, and by others, all in turns."""
    loop, database = asyncio.new_event_loop(), Database(dsn)
    db = SyncDatabase(database)
    with _peers(database) as peers:
        db.drop_all(Narrow)
        db.create_all(Narrow)
        with db.session() as session:
            session.add(*(Narrow(name=f"name {i}", age=i) for i in KEYS))
        works: dict[str, Work] = {
            "awaited": lambda: loop.run_until_complete(_awaited(database)),
            "sync": lambda: _sync(database),
            "awaited, a session each": lambda: loop.run_until_complete(_awaited_each(database)),
            "sync, a session each": lambda: _sync_each(database),
            **peers,
        }
        times = in_turns(works)
        db.drop_all(Narrow)
        loop.run_until_complete(database.close())
    loop.close()
    ours, name = times["sync"], database.dialect.name
    return [
        Comparison(f"sync get / awaited, {name}", "us each", times["awaited"], ours, 2.0),
        Comparison(
            f"the same, a session each, {name}",
            "us each",
            times["awaited, a session each"],
            times["sync, a session each"],
            2.0,
        ),
        *(Comparison(f"sync get / {peer}, {name}", "us each", times[peer], ours, 1.0) for peer in peers),
    ]


def in_turns(works: dict[str, Work]) -> dict[str, float]:
    """Gives the microseconds for a key in the best of each work's rounds.

    Threads that hand over to each other suffer more than others from a machine that is busy otherwise, which is no
    property of theirs; and the rounds take turns, because a machine's speed drifts.
    """
    times: dict[str, list[float]] = {name: [] for name in works}
    for work in works.values():
        work()
    for _ in range(ROUNDS):
        for name, work in works.items():
            start = perf_counter()
            work()
            times[name].append((perf_counter() - start) * 1e6 / COUNT)
    return {name: min(found) for name, found in times.items()}


# ---- ours


async def _awaited(database: Database) -> None:
    async with AsyncSession(database) as session:
        for key in KEYS:
            await session.get(Narrow, key)


async def _awaited_each(database: Database) -> None:
    for key in KEYS:
        async with AsyncSession(database) as session:
            await session.get(Narrow, key)


def _sync(database: Database) -> None:
    with Session(database) as session:
        for key in KEYS:
            session.get(Narrow, key)


def _sync_each(database: Database) -> None:
    for key in KEYS:
        with Session(database) as session:
            session.get(Narrow, key)


# ---- others, each on one connection that stays open


@contextmanager
def _peers(database: Database) -> Iterator[dict[str, Work]]:
    found: dict[str, Work] = {}
    closes: list[Callable[[], object]] = []
    for make in (_peewee, _django):
        try:
            name, work, close = make(database)
        except ImportError:
            continue
        found[name] = work
        closes.append(close)
    yield found
    for close in closes:
        close()


def _peewee(database: Database) -> tuple[str, Work, Callable[[], object]]:
    import peewee

    config = database.config
    if config.scheme == "sqlite":
        theirs = peewee.SqliteDatabase(config.path)
    else:
        server = {"host": config.host, "port": config.port, "user": config.user, "password": config.password}
        theirs = peewee.PostgresqlDatabase(config.database, prefer_psycopg3=True, **server)

    class Theirs(peewee.Model):  # type: ignore[misc, name-defined, unused-ignore]
        name = peewee.TextField()
        age = peewee.IntegerField()
        score = peewee.FloatField()

        class Meta:
            database = theirs
            table_name = "bench_narrow"

    theirs.connect()
    return "Peewee", lambda: [Theirs.get_by_id(key) for key in KEYS], theirs.close


def _django(database: Database) -> tuple[str, Work, Callable[[], object]]:
    import django
    from django.conf import settings
    from django.db import connections, models

    config = database.config
    if not settings.configured:
        settings.configure(DATABASES={"default": {}}, INSTALLED_APPS=[])
        django.setup()
    alias = config.scheme
    sqlite = {"ENGINE": "django.db.backends.sqlite3", "NAME": config.path}
    server = {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": config.database,
        "HOST": config.host,
        "PORT": config.port,
        "USER": config.user,
        "PASSWORD": config.password,
    }
    connections.databases[alias] = connections.configure_settings(
        {"default": {}, alias: sqlite if alias == "sqlite" else server}
    )[alias]

    class Theirs(models.Model):  # type: ignore[misc, name-defined, unused-ignore]
        name: Any = models.TextField()
        age: Any = models.IntegerField()
        score: Any = models.FloatField()

        class Meta:
            app_label = f"bench_{alias}"
            db_table = "bench_narrow"

    rows = Theirs.objects.using(alias)
    return "Django", lambda: [rows.get(pk=key) for key in KEYS], connections[alias].close
