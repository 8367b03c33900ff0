"""Keeps one PostgreSQL server, or a PgBouncer, alive exactly as long as the process that asked for it.

Run as `python pg_keeper.py FOLDER ACCOUNT COMMAND...`. It starts COMMAND (a `postgres` process over FOLDER/data, or
`pgbouncer` with FOLDER/pgbouncer.ini) as ACCOUNT ("" for the current one), prints "ready" or the end of its log, and
waits for its standard input to close. That happens when the tests are done, and also when they are killed, so no server
is ever left behind. Then it stops the server and removes FOLDER.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

START_SECONDS = 60.0
STOP_SECONDS = 20.0


def run_as(account: str) -> dict[str, Any]:
    """Gives the arguments of `subprocess` that run a command as another account."""
    if not account:
        return {}
    import pwd  # POSIX only, as other accounts are

    return {"user": account, "group": pwd.getpwnam(account).pw_gid, "extra_groups": []}


def is_ready(folder: Path) -> bool:
    """The eighth line of postmaster.pid is the server's own word on its state; pg_ctl reads it as well."""
    if (folder / "pgbouncer.ini").exists():
        # what it says once it listens
        return b"process up" in (folder / "server.log").read_bytes()
    try:
        lines = (folder / "data" / "postmaster.pid").read_text().splitlines()
    except OSError:
        return False
    return len(lines) >= 8 and lines[7].strip() == "ready"


def wait_until_ready(server: subprocess.Popen[bytes], folder: Path) -> bool:
    """Asks until the server is up, has ended, or takes too long."""
    deadline = time.monotonic() + START_SECONDS
    while not is_ready(folder):
        if time.monotonic() > deadline:
            return False
        try:
            server.wait(0.01)
        except subprocess.TimeoutExpired:
            continue
        return False
    return True


def stop(server: subprocess.Popen[bytes], first: signal.Signals) -> None:
    """Shuts down fast, at once (SIGQUIT) if that takes too long, and by force at last."""
    for sign in (first, signal.SIGQUIT, signal.SIGKILL):
        if server.poll() is None:
            server.send_signal(sign)
        try:
            server.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            continue
        return


def keep(folder: Path, account: str, command: list[str]) -> int:
    """Starts, waits and stops; returns the exit code."""
    log = folder / "server.log"
    with log.open("ab") as out:
        server = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=out, **run_as(account)
        )
    try:
        ready = wait_until_ready(server, folder)
        print("ready" if ready else log.read_text(errors="replace")[-2000:], flush=True)
        if ready:
            sys.stdin.buffer.read()
        return 0 if ready else 1
    finally:
        # PostgreSQL ends open sessions by SIGINT; PgBouncer would wait for them
        stop(server, signal.SIGTERM if (folder / "pgbouncer.ini").exists() else signal.SIGINT)
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # Only the closing of standard input counts. No SIG_IGN: the server would inherit it.
        signal.signal(ignored, lambda *_: None)
    sys.exit(keep(Path(sys.argv[1]), sys.argv[2], sys.argv[3:]))
