"""A session for each request of an ASGI application: Starlette, Litestar, Quart and the like."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

from typing_extensions import Unpack

from cormorant.database import Database, SessionOptions
from cormorant.persistence.session import AsyncSession

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Application: TypeAlias = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]


class SessionMiddleware:
    """Opens a session for each HTTP request, and commits before the response starts.

    Handlers find it by `AsyncSession.current()`, and `Article.objects` uses it. A response of status 400 or higher
    rolls back instead, and so does an exception that leaves the application. A commit that fails is raised in the
    place of the response, for the error handlers inside of the application or around this. What is written while a
    response streams, or in a background task, is committed at the end.

    Args:
        app: The application.
        database: A Database or a DSN; the configured one if none is given.
        options: `autocommit`, `isolation`, `read_only`, `scopes` and `timeout`, as for AsyncSession.

    Example:
        >>> Mount("/", routes=routes, middleware=[Middleware(SessionMiddleware, database=db)])
    """

    def __init__(
        self, app: Application, database: Database | str | None = None, **options: Unpack[SessionOptions]
    ) -> None:
        self.app: Application = app
        self._database = database
        self._options = options

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        async with AsyncSession(self._database, **self._options) as session:
            answer = _Answer(session, send)
            try:
                await self.app(scope, receive, answer.send)
            except Exception:
                if answer.refused is not None:
                    # frameworks say that the response had started, and it had not
                    raise answer.refused from None
                raise


class _Answer:
    """What an application sends, held back until its session has committed."""

    def __init__(self, session: AsyncSession, send: Send) -> None:
        self._session = session
        self._send = send
        # what the commit failed with, until the application answers that
        self.refused: Exception | None = None

    async def send(self, message: Message) -> None:
        """Sends a message; before the first one the transaction ends."""
        if message["type"] == "http.response.start":
            await self._end(refuses=self.refused is not None or message["status"] >= 400)
        await self._send(message)

    async def _end(self, *, refuses: bool) -> None:
        self.refused = None
        if refuses:
            await self._session.rollback()
            return
        try:
            await self._session.commit()
        except Exception as error:
            self.refused = error
            raise
