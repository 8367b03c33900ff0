"""A PgBouncer of our own in transaction mode, in front of the tests' PostgreSQL; it ends with the tests.

    with pgbouncer.started(dsn, pool_size=2) as pooled:
        database = Database(pooled)         # postgresql://...:6543/name?pooler=transaction

With `CORMORANT_TEST_PGBOUNCER=1` every test that asks for a PostgreSQL gets the DSN of one, with prepared statements if
it knows them. The path of a program in place of the 1 names that one, also for the tests that always use a PgBouncer.
It runs as an unprivileged account (PgBouncer refuses root), in a temporary folder, on a free port of 127.0.0.1.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from tests.support import postgres

VARIABLE = "CORMORANT_TEST_PGBOUNCER"
REMEDY = "there is no pgbouncer on PATH; Debian's: apt-get install pgbouncer"

SETTINGS: dict[str, object] = {
    "listen_addr": "127.0.0.1",
    "unix_socket_dir": "",
    # whoever reaches the port of a test may come in, as the user of the test's server
    "auth_type": "any",
    "pool_mode": "transaction",
    "max_client_conn": 500,
    # a test may have ended a server's connection a moment ago
    "server_check_delay": 0,
    "server_check_query": "select 1",
    # drivers that know no such option send it to the server
    "ignore_startup_parameters": "pooler",
}


def is_wanted() -> bool:
    """Whether the tests are to run through a PgBouncer."""
    return os.environ.get(VARIABLE, "") not in ("", "0")


def program() -> str | None:
    """Gives the path of the program, None if it is not installed."""
    named = os.environ.get(VARIABLE, "")
    if os.sep in named:
        return named
    return shutil.which("pgbouncer", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")


def knows_prepared_statements() -> bool:
    """Whether the program can keep track of prepared statements: from 1.21."""
    found = program()
    if found is None:
        return False
    said = subprocess.run([found, "--version"], capture_output=True, text=True, check=True).stdout
    major, minor = re.findall(r"\d+", said)[:2]
    return (int(major), int(minor)) >= (1, 21)


_servers: dict[str, str] = {}


def server_of(dsn: str) -> str:
    """Gives the DSN of the server behind a PgBouncer of ours; any other DSN is given back."""
    return _servers.get(dsn, dsn)


@contextmanager
def started(dsn: str, pool_size: int = 20, **settings: object) -> Iterator[str]:
    """Gives the DSN of a PgBouncer in front of the server of another DSN, to the same database.

    Args:
        dsn: Where the server is.
        pool_size: Connections to the server at most, for each database.
        settings: Others of pgbouncer.ini; with `max_prepared_statements` the DSN asks for them.
    """
    found = program()
    if found is None:
        raise postgres.PostgresBroken(REMEDY)
    account = "nobody" if os.geteuid() == 0 else ""
    for attempts_left in (2, 1, 0):
        folder = postgres.make_folder(account)
        port = postgres.free_port()
        own: dict[str, object] = {"listen_port": port, "default_pool_size": pool_size}
        if knows_prepared_statements():
            own["max_prepared_statements"] = 0
        chosen = SETTINGS | own | settings
        _configure(folder / "pgbouncer.ini", dsn, chosen, account)
        keeper = postgres.keep(folder, account, [found, str(folder / "pgbouncer.ini")])
        answer = postgres.first_line(keeper)
        if answer == "ready":
            break
        log = f"{answer}\n{keeper.communicate()[0]}"
        # somebody may have taken the port between our look and PgBouncer's
        if not attempts_left:
            raise postgres.PostgresBroken(f"{found} did not start:\n{log}")
    try:
        options = "pooler=transaction" + (
            "&statement_cache_size=100" if settings.get("max_prepared_statements") else ""
        )
        pooled = urlunsplit(urlsplit(dsn)._replace(netloc=f"pooled@127.0.0.1:{port}", query=options))
        _servers[pooled] = dsn
        yield pooled
    finally:
        keeper.communicate()


def _configure(path: Path, dsn: str, settings: Mapping[str, object], account: str) -> None:
    parts = urlsplit(dsn)
    server = {"host": parts.hostname or "127.0.0.1", "port": parts.port or 5432, "user": unquote(parts.username or "")}
    if parts.password:
        server["password"] = unquote(parts.password)
    lines = [
        "[databases]",
        f"* = {' '.join(f'{name}={value}' for name, value in server.items() if value)}",
        "[pgbouncer]",
        *(f"{name} = {value}" for name, value in settings.items()),
    ]
    path.write_text("\n".join(lines) + "\n")
    path.chmod(0o600)
    if account:
        shutil.chown(path, account)
