"""A disk that is full: what was acknowledged is there, the error says so, and all goes on when there is space again."""

from __future__ import annotations

import secrets
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cormorant import (
    AsyncSession,
    CommitOutcomeUnknown,
    ConnectionLost,
    Database,
    DiskFullError,
    Mapped,
    Model,
    generated,
)
from tests.support import postgres


class Page(Model, table="disk_page"):
    id: Mapped[int] = generated(primary_key=True)
    number: Mapped[int]
    words: Mapped[str]


@contextmanager
def small_disk(folder: Path, megabytes: int, account: str = "") -> Iterator[Path]:
    """Mounts a file system of a few megabytes; skips the test where that is not permitted."""
    folder.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0700", "tmpfs", folder]
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except OSError as error:
        pytest.skip(f"a small file system cannot be mounted: {error}")
    if done.returncode:
        pytest.skip(f"a small file system cannot be mounted: {done.stderr.strip()}")
    try:
        if account:
            shutil.chown(folder, account)
        yield folder
    finally:
        # a connection that is being closed may hold a file for a moment: it is let go of with the last one
        subprocess.run(["umount", "--lazy", folder], check=True)


async def fill(database: Database, *, rows: int = 1) -> set[int]:
    """Writes pages until there is no space; gives the numbers of those whose commit was acknowledged."""
    written: set[int] = set()

    async def write() -> None:
        for number in range(0, 100_000 * rows, rows):
            async with AsyncSession(database) as session:
                pages = range(number, number + rows)
                session.add(*[Page(number=page, words=secrets.token_hex(10_000)) for page in pages])
            written.update(pages)

    with pytest.raises(DiskFullError) as caught:
        await write()
    assert type(caught.value) is DiskFullError
    assert "space" in str(caught.value.hint)
    return written


async def numbers(database: Database) -> list[int]:
    async with AsyncSession(database) as session:
        return sorted(await session.query(Page).scalars(Page.number))


async def check_full(database: Database, ballast: Path, rows: int) -> None:
    """Fills the disk twice; what takes up space between is removed."""
    acknowledged = await fill(database, rows=rows)
    assert acknowledged
    assert await numbers(database) == sorted(acknowledged)
    # one session that goes on after its error
    async with AsyncSession(database) as session:
        session.add(*[Page(number=-1, words=secrets.token_hex(1_000_000))])
        with pytest.raises(DiskFullError):
            await session.commit()
        await session.rollback()
        assert not session.in_transaction
        assert await session.query(Page).count() == len(acknowledged)
        ballast.unlink()
        session.add(Page(number=-2, words="there is space"))
    assert await numbers(database) == [-2, *sorted(acknowledged)]
    stats = database.adapter.stats
    assert (stats.in_use, stats.waiting) == (0, 0)


@pytest.mark.parametrize("rows", [1, 3])
async def test_an_sqlite_file_on_a_full_disk(tmp_path: Path, rows: int) -> None:
    with small_disk(tmp_path / "disk", 4) as disk:
        ballast = disk / "ballast"
        async with Database(f"sqlite:///{disk / 'app.db'}") as database:
            await database.create_all(Page)
            ballast.write_bytes(bytes(2_000_000))
            await check_full(database, ballast, rows)
            async with AsyncSession(database) as session:
                assert (await session.execute("PRAGMA integrity_check", write=False)).scalar() == "ok"


@pytest.mark.parametrize("rows", [1, 3])
async def test_an_sqlite_file_that_may_not_grow(tmp_path: Path, rows: int) -> None:
    async with Database(f"sqlite:///{tmp_path / 'app.db'}") as database:
        await database.create_all(Page)
        await limit_pages(database, 200)
        acknowledged = await fill(database, rows=rows)
        assert await numbers(database) == sorted(acknowledged)
        await limit_pages(database, 1_000_000)
        async with AsyncSession(database) as session:
            session.add(Page(number=-1, words="there is space"))
        assert await numbers(database) == [-1, *sorted(acknowledged)]


async def limit_pages(database: Database, pages: int) -> None:
    writer = await database.adapter.acquire(write=True)
    await writer.fetch(f"PRAGMA max_page_count = {pages}")
    database.adapter.release(writer)


async def outside(database: Database, sql: str) -> None:
    """Runs what no transaction may hold."""
    connection = await database.adapter.acquire()
    await connection.execute(sql)
    database.adapter.release(connection)


@pytest.mark.postgresql
@pytest.mark.parametrize("rows", [1, 3])
async def test_a_tablespace_on_a_full_disk(own_cluster: postgres.Cluster, rows: int) -> None:
    account = postgres.server_account()
    # below a folder that the server's account can enter
    folder = postgres.make_folder(account)
    try:
        with small_disk(folder / "disk", 8, account) as disk:
            (disk / "space").mkdir()
            if account:
                shutil.chown(disk / "space", account)
            async with Database(own_cluster.dsn) as database:
                await outside(database, f"CREATE TABLESPACE small LOCATION '{disk / 'space'}'")
                await database.create_all(Page)
                try:
                    async with AsyncSession(database) as session:
                        await session.execute("ALTER TABLE disk_page SET TABLESPACE small")
                    ballast = disk / "ballast"
                    ballast.write_bytes(bytes(5_000_000))
                    await check_full(database, ballast, rows)
                finally:
                    await database.drop_all(Page)
                    await outside(database, "DROP TABLESPACE small")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.postgresql
async def test_a_server_without_space_for_its_log() -> None:
    """It ends itself; what it has acknowledged is there when it is started again on a disk with space."""
    programs = postgres.installed_programs() or postgres.wheel_programs()
    if programs is None:
        pytest.skip("a server of our own needs PostgreSQL's programs")
    account = postgres.server_account()
    folder = postgres.make_folder(account)
    settings = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "restart_after_crash": "off"}
    try:
        with (
            small_disk(folder / "disk", 60, account) as disk,
            postgres.own_cluster(programs, **settings) as cluster,
        ):
            await move_log(cluster, disk)
            ballast = disk / "ballast"
            async with Database(cluster.dsn) as database:
                await database.create_all(Page)
                ballast.write_bytes(bytes(shutil.disk_usage(disk).free - 1_000_000))
                acknowledged, unknown = await fill_log(database)
            cluster.end("panic")
            ballast.unlink()
            cluster.start()
            async with Database(cluster.dsn) as database:
                found = set(await numbers(database))
            assert acknowledged
            assert acknowledged <= found <= acknowledged | unknown
            cluster.end("immediate")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def move_log(cluster: postgres.Cluster, disk: Path) -> None:
    """Moves the write-ahead log to another disk."""
    async with Database(cluster.dsn) as database, AsyncSession(database) as session:
        log = Path((await session.execute("SHOW data_directory")).scalar()) / "pg_wal"
    cluster.end("fast")
    subprocess.run(["cp", "-a", f"{log}/.", disk], check=True)
    shutil.rmtree(log)
    log.symlink_to(disk)
    cluster.start()


async def fill_log(database: Database) -> tuple[set[int], set[int]]:
    """Writes until the server is gone; gives what was acknowledged, and of what nobody knows."""
    written: set[int] = set()
    for number in range(100_000):
        try:
            async with AsyncSession(database) as session:
                session.add(Page(number=number, words=secrets.token_hex(50_000)))
        except (DiskFullError, ConnectionLost):
            return written, set()
        except CommitOutcomeUnknown:
            return written, {number}
        written.add(number)
    raise AssertionError("the disk is never full")
