"""Keeps one PostgreSQL server, or a PgBouncer, alive exactly as long as the process that asked for it.

Run as `python pg_keeper.py FOLDER ACCOUNT COMMAND...`. It starts COMMAND (a `postgres` process over FOLDER/data, or
`pgbouncer` with FOLDER/pgbouncer.ini) as ACCOUNT ("" for the current one), prints "ready" or the end of its log, and
waits for its standard input to close. That happens when the tests are done, and also when they are killed, so no server
is ever left behind. Then it stops the server and removes FOLDER.

Until then each line of its standard input is a way to end the server: "fast" and "immediate" as pg_ctl knows them,
"kill" for SIGKILL to all of its processes, and "panic" to wait until it has ended by itself. "start" starts it again,
and is answered like the first start; the others print "ended".
"""

from __future__ import annotations

import os
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


SIGNALS = {"fast": signal.SIGINT, "immediate": signal.SIGQUIT, "kill": signal.SIGKILL}


def children(pid: int) -> list[int]:
    """Gives the processes that a process has started."""
    found: list[int] = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            words = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(words[1]) == pid:
            found.append(int(status.parent.name))
    return found


def end(server: subprocess.Popen[bytes], how: str) -> None:
    """Ends the server in one of the ways that the head of this file names."""
    processes = children(server.pid) if how == "kill" else []
    if how in SIGNALS:
        server.send_signal(SIGNALS[how])
    for process in processes:
        try:
            os.kill(process, signal.SIGKILL)
        except ProcessLookupError:
            continue
    server.wait()


class Keeper:
    """A server over a folder.

    Args:
        folder: Where its data are.
        account: Whose processes they are.
        command: How it is started.
    """

    def __init__(self, folder: Path, account: str, command: list[str]) -> None:
        self.folder = folder
        self.account = account
        self.command = command
        self.server: subprocess.Popen[bytes] | None = None

    def start(self) -> bool:
        """Starts the server, and says how that went."""
        log = self.folder / "server.log"
        with log.open("ab") as out:
            self.server = subprocess.Popen(
                self.command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=out, stderr=out, **run_as(self.account)
            )
        ready = wait_until_ready(self.server, self.folder)
        print("ready" if ready else log.read_text(errors="replace")[-2000:], flush=True)
        return ready

    def keep(self) -> int:
        """Starts, waits and stops; returns the exit code."""
        try:
            if not self.start():
                return 1
            for line in sys.stdin:
                if line.strip() == "start":
                    self.start()
                elif self.server is not None:
                    end(self.server, line.strip())
                    # what it says of itself is out of date, and would be believed
                    (self.folder / "data" / "postmaster.pid").unlink(missing_ok=True)
                    print("ended", flush=True)
            return 0
        finally:
            if self.server is not None:
                # PostgreSQL ends open sessions by SIGINT; PgBouncer would wait for them
                is_pooler = (self.folder / "pgbouncer.ini").exists()
                stop(self.server, signal.SIGTERM if is_pooler else signal.SIGINT)
            shutil.rmtree(self.folder, ignore_errors=True)


if __name__ == "__main__":
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # Only the closing of standard input counts. No SIG_IGN: the server would inherit it.
        signal.signal(ignored, lambda *_: None)
    sys.exit(Keeper(Path(sys.argv[1]), sys.argv[2], sys.argv[3:]).keep())
