"""Where connections go, and how: several hosts, certificates, and settings that the server keeps for them."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from cormorant import AsyncSession, ConnectionConfig, ConnectionLost, Database, LockTimeout, QueryTimeout
from cormorant.adapters.postgresql import READ_SIZE, PostgresConnection
from tests.support import postgres

pytestmark = [pytest.mark.postgresql, pytest.mark.direct("it is about connections to servers")]


async def asked(dsn: str | ConnectionConfig, sql: str) -> object:
    """What a server answers."""
    async with Database(dsn) as database:
        connection = await database.adapter.acquire()
        try:
            return (await connection.fetch(sql))[0][0]
        finally:
            database.adapter.release(connection)


# ---- what the server keeps for a connection


async def test_the_name_of_the_program(postgres_database: str) -> None:
    config = ConnectionConfig.from_dsn(postgres_database, application_name="birds at work")
    assert await asked(config, "SHOW application_name") == "birds at work"


async def test_a_statement_that_takes_too_long(postgres_database: str) -> None:
    config = ConnectionConfig.from_dsn(postgres_database, statement_timeout=0.05)
    async with Database(config) as database:
        async with AsyncSession(database) as session:
            with pytest.raises(QueryTimeout, match="statement timeout"):
                await session.execute("SELECT pg_sleep(60)")
        await database.ping()


async def test_a_lock_that_is_not_granted_in_time(postgres_database: str) -> None:
    config = ConnectionConfig.from_dsn(postgres_database, lock_timeout=0.05)
    async with Database(postgres_database) as holder, Database(config) as database:
        async with AsyncSession(holder) as first, first.transaction():
            await first.execute("CREATE TABLE IF NOT EXISTS connecting_lock (id int)")
        async with AsyncSession(holder) as first, first.transaction():
            await first.execute("LOCK TABLE connecting_lock")
            async with AsyncSession(database) as second:
                with pytest.raises(LockTimeout, match="lock timeout"):
                    await second.execute("DELETE FROM connecting_lock")
                await second.rollback()


# ---- servers of our own


def certificates(folder: Path) -> None:
    """Makes an authority, a certificate of it for 127.0.0.1, and an authority that has nothing to do with it."""
    made = (
        *(f"req -x509 -newkey {KEYS} -nodes -days 2 -subj /CN={n} -keyout {n}.key -out {n}.crt" for n in NAMES),
        f"req -newkey {KEYS} -nodes -subj /CN=127.0.0.1 -keyout server.key -out server.csr",
        "x509 -req -in server.csr -CA ours.crt -CAkey ours.key -CAcreateserial -days 2 -extfile names -out server.crt",
    )
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1")
    for command in made:
        subprocess.run(["openssl", *command.split()], cwd=folder, check=True, capture_output=True)


NAMES = ("ours", "others")
KEYS = "ec -pkeyopt ec_paramgen_curve:prime256v1"


async def _configure(dsn: str, certificate: Path | None) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        if certificate is None:
            await connection.execute("ALTER SYSTEM SET default_transaction_read_only = on")
        else:
            data = Path(await connection.fetchval("SHOW data_directory"))
            owner = data.stat()
            for name in ("server.crt", "server.key"):
                copy = Path(shutil.copy(certificate / name, data))
                copy.chmod(0o600)
                os.chown(copy, owner.st_uid, owner.st_gid)
            await connection.execute("ALTER SYSTEM SET ssl = on")
        await connection.execute("SELECT pg_reload_conf()")
        setting, wanted = ("default_transaction_read_only", "on") if certificate is None else ("ssl", "on")
        while await connection.fetchval(f"SHOW {setting}") != wanted:
            pass
    finally:
        await connection.close()


@pytest.fixture(scope="module")
def authorities(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with ours.crt and others.crt."""
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl on PATH")
    folder = tmp_path_factory.mktemp("certificates")
    certificates(folder)
    return folder


@pytest.fixture(scope="module")
def servers(authorities: Path) -> Iterator[tuple[str, str]]:
    """The DSNs of a server with a certificate, and of one that may be read only."""
    programs = postgres.installed_programs() or postgres.wheel_programs()
    if programs is None:
        pytest.skip(f"there is no server to start: {postgres.REMEDY}")
    with ExitStack() as stack:
        found = [stack.enter_context(postgres.own_server(programs)) for _ in range(2)]
        postgres.run(_configure(found[0], authorities))
        postgres.run(_configure(found[1], None))
        yield found[0], found[1]


@pytest.mark.parametrize(
    ("ssl", "authority", "encrypted"),
    [("disable", None, False), ("prefer", None, True), ("require", None, True), ("verify-ca", "ours", True)],
)
async def test_an_encrypted_connection(
    servers: tuple[str, str], authorities: Path, ssl: str, authority: str | None, encrypted: bool
) -> None:
    root = None if authority is None else str(authorities / f"{authority}.crt")
    config = ConnectionConfig.from_dsn(servers[0], ssl=ssl, ssl_root_cert=root)
    assert await asked(config, "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()") is encrypted


async def test_a_certificate_that_is_verified_in_full(servers: tuple[str, str], authorities: Path) -> None:
    dsn = f"{servers[0]}?sslmode=verify-full&sslrootcert={authorities / 'ours.crt'}"
    assert await asked(dsn, "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()") is True


@pytest.mark.parametrize("ssl", ["verify-ca", "verify-full"])
async def test_a_certificate_of_somebody_else(servers: tuple[str, str], authorities: Path, ssl: str) -> None:
    config = ConnectionConfig.from_dsn(servers[0], ssl=ssl, ssl_root_cert=str(authorities / "others.crt"))
    with pytest.raises(ConnectionLost, match="certificate verify failed") as caught:
        await asked(config, "SELECT 1")
    assert "ssl_root_cert" in str(caught.value.hint)


async def test_a_server_without_a_certificate(servers: tuple[str, str]) -> None:
    with pytest.raises(ConnectionLost, match="SSL"):
        await asked(ConnectionConfig.from_dsn(servers[1], ssl="require"), "SELECT 1")


# ---- what is read of a socket at once


@pytest.mark.parametrize("ssl", ["disable", "require"])
async def test_answers_are_read_in_small_pieces(servers: tuple[str, str], ssl: str) -> None:
    # room for 256 KiB is taken from the system and given back for each of them
    async with Database(ConnectionConfig.from_dsn(servers[0], ssl=ssl)) as database:
        connection = await database.adapter.acquire()
        try:
            assert isinstance(connection, PostgresConnection)
            transport = connection._driver._transport
            reader = transport if ssl == "disable" else transport._ssl_protocol
            assert reader.max_size == READ_SIZE < type(reader).max_size
            # one that is longer comes whole, from a server's answer in many pieces
            ((text,),) = await connection.fetch("SELECT repeat('cormorant', 300000)")
            assert text == "cormorant" * 300_000
        finally:
            database.adapter.release(connection)


def several(*dsns: str, options: str = "") -> str:
    hosts = ",".join(urlsplit(dsn).netloc.rpartition("@")[2] for dsn in dsns)
    return f"postgresql://postgres@{hosts}/postgres{options}"


async def test_a_host_that_is_down_is_passed_over(servers: tuple[str, str]) -> None:
    nobody = f"postgresql://127.0.0.1:{postgres.free_port()}"
    assert await asked(several(nobody, servers[0]), "SHOW ssl") == "on"
    with pytest.raises(ConnectionLost, match="cannot connect to postgresql://postgres@127"):
        await asked(several(nobody, nobody), "SELECT 1")


@pytest.mark.parametrize(
    ("attributes", "ssl"), [("any", "off"), ("read-only", "off"), ("read-write", "on"), ("primary", "off")]
)
async def test_the_server_that_will_do(servers: tuple[str, str], attributes: str, ssl: str) -> None:
    writable, readable = servers
    dsn = several(readable, writable, options=f"?target_session_attrs={attributes}")
    assert await asked(dsn, "SHOW ssl") == ssl


async def test_no_server_will_do(servers: tuple[str, str]) -> None:
    with pytest.raises(ConnectionLost, match="target") as caught:
        await asked(several(servers[1], options="?target_session_attrs=read-write"), "SELECT 1")
    assert "target_session_attrs" in str(caught.value.hint)
