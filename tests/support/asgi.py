"""Drives an ASGI application by hand, to see in which order things happen."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cormorant import Database
from cormorant.observability.events import StatementEvent


class RecordedDatabase(Database):
    """A database that writes down the first word of each statement that has run."""

    def __init__(self, dsn: str) -> None:
        super().__init__(dsn)
        self.events: list[str] = []
        self.observe(self)

    def statement(self, event: StatementEvent) -> None:
        self.events.append(event.sql.split()[0].upper())


@dataclass
class Answer:
    """What an application has sent.

    Args:
        raised: What it raised after that: a server would log it.
    """

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    raised: BaseException | None = None

    @property
    def json(self) -> Any:
        return json.loads(self.body)


async def ask(
    app: Any,
    method: str,
    path: str,
    body: object = None,
    *,
    events: list[str] | None = None,
    state: Mapping[str, object] | None = None,
) -> Answer:
    """Gives the answer to one request, and writes "start" among the events when it starts.

    Args:
        state: What the application's lifespan gave, which a server passes on with each request.
    """
    written = [] if events is None else events
    answer = Answer()
    path, _, query = path.partition("?")
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(b"content-type", b"application/json")],
        "client": ("127.0.0.1", 1),
        "server": ("test", 80),
        "state": dict(state or {}),
    }
    sent = [{"type": "http.request", "body": b"" if body is None else json.dumps(body).encode(), "more_body": False}]

    async def receive() -> dict[str, Any]:
        return sent.pop() if sent else await asyncio.Future()

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            written.append("start")
            answer.status = message["status"]
            answer.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        elif message["type"] == "http.response.body":
            answer.body += message.get("body", b"")

    try:
        await app(scope, receive, send)
    except Exception as error:
        answer.raised = error
    return answer


async def talk(app: Any, path: str, texts: list[str]) -> list[str]:
    """Sends texts to a websocket, and gives those that came back."""
    scope: dict[str, Any] = {
        "type": "websocket",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "scheme": "ws",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [],
        "subprotocols": [],
    }
    waiting: list[dict[str, Any]] = [{"type": "websocket.receive", "text": text} for text in texts]
    waiting.insert(0, {"type": "websocket.connect"})
    came: list[str] = []

    async def receive() -> dict[str, Any]:
        return waiting.pop(0)

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "websocket.send":
            came.append(message["text"])

    await app(scope, receive, send)
    return came
