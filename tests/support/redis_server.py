"""Redis servers for tests: the one that is there, or one of our own, which a test may end and start again."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import redis

HOW = (
    "no Redis: set CORMORANT_TEST_REDIS_URL, start one on 127.0.0.1:6379, "
    "or put redis-server on PATH (apt-get install redis-server)"
)


class RedisUnavailable(Exception):
    """There is no server, and none can be started."""


def answers(host: str, port: int) -> bool:
    """Whether a Redis is there that needs no password."""
    try:
        with socket.create_connection((host, port), timeout=1) as wire:
            wire.sendall(b"PING\r\n")
            return wire.recv(16).startswith(b"+PONG")
    except OSError:
        return False


class OwnRedis:
    """A server in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._folder)]
        # nothing is saved but by SAVE
        command += ["--save", "", "--appendonly", "no"]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until = time.monotonic() + 20
        while not answers("127.0.0.1", self.port):
            if time.monotonic() > until or self._process.poll() is not None:
                raise RedisUnavailable("redis-server did not start")
            time.sleep(0.02)

    def kill(self) -> None:
        """Ends it as a crash does: what was not saved is lost."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Has it answer nothing, and take connections all the same."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)


@contextmanager
def own_redis() -> Iterator[OwnRedis]:
    """A server that nobody else uses."""
    if shutil.which("redis-server") is None:
        raise RedisUnavailable(HOW)
    with TemporaryDirectory(prefix="cormorant_redis_") as folder:
        server = OwnRedis(Path(folder))
        server.start()
        try:
            yield server
        finally:
            server.kill()


def forget(url: str, prefix: str) -> None:
    """Takes a test's keys out of a server that others use too."""
    with redis.Redis.from_url(url) as client:
        keys = list(client.scan_iter(f"{prefix}:*", count=1_000))
        if keys:
            client.unlink(*keys)


@contextmanager
def some_redis() -> Iterator[str]:
    """The address of a server: keys of other users may be in it."""
    given = os.environ.get("CORMORANT_TEST_REDIS_URL")
    if given:
        yield given
    elif answers("127.0.0.1", 6379):
        yield "redis://127.0.0.1:6379/9"
    else:
        with own_redis() as server:
            yield server.url
