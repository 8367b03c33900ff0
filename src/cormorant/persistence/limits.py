"""The time that a statement has: to wait for its turn and for a connection, and to be answered."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

from cormorant.adapters.base import Connection, Interruptible
from cormorant.errors import ConnectionLost, DatabaseError, PoolTimeout, QueryTimeout

T = TypeVar("T")

A_CONNECTION = "a connection"
AN_ANSWER = "the database's answer"
"""What a statement may be waiting for, for messages."""

_HINT = "raise timeout, or make what it waits for end sooner: transactions that hold rows or connections"


class Limit:
    """Ends what runs in it when its time is up, by the error that says what it was doing.

    Args:
        seconds: Its time.
    """

    __slots__ = ("_error", "_scope", "_seconds", "doing")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._scope = asyncio.timeout(seconds)
        self._error: DatabaseError | None = None
        self.doing: str = "its turn behind other statements of the session"

    async def __aenter__(self) -> Self:
        await self._scope.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            await self._scope.__aexit__(kind, error, traceback)
        except TimeoutError as late:
            raise self.error from late

    def take_rest(self) -> float:
        """Gives the seconds that are left, and counts no more: somebody else does from now on."""
        when = self._scope.when()
        self._scope.reschedule(None)
        return self._seconds if when is None else max(0.0, when - asyncio.get_running_loop().time())

    @property
    def error(self) -> DatabaseError:
        """What is raised when the time is up."""
        if self._error is None:
            cls = PoolTimeout if self.doing == A_CONNECTION else QueryTimeout
            message = f"the session's timeout of {self._seconds:g} s is over: it waited for {self.doing}"
            self._error = cls(message, hint=_HINT)
        return self._error

    def cause(self, error: BaseException) -> BaseException:
        """Gives what has ended the work: the time, rather than the cancellation it was ended by."""
        late = isinstance(error, asyncio.CancelledError) and self._scope.expired()
        return self.error if late else error


async def answered_in_time(work: Coroutine[Any, Any, T], seconds: float, connection: Connection, patience: float) -> T:
    """Waits for a write that commits by itself; after its time the server is asked to stop it; its answer counts.

    Args:
        work: The write.
        seconds: Its time.
        connection: Where it runs.
        patience: Seconds that the server has then to stop it, and to answer.

    Raises:
        ConnectionLost: The server did not answer.
    """
    task = asyncio.ensure_future(work)
    asking: asyncio.Future[None] | None = None
    try:
        done, _ = await asyncio.wait((task,), timeout=seconds)
        if not done and isinstance(connection, Interruptible):
            # a task of its own: a driver may take the end of its time for the end of what it waits for
            asking = asyncio.ensure_future(connection.interrupt())
            await asyncio.wait((task, asking), timeout=patience)
            if not task.done():
                await _ended(task, asking)
            if task.cancelled():
                raise ConnectionLost(
                    f"the server did not answer within {seconds:g} s, nor to the request to stop", sent=True
                )
        return await task
    finally:
        # nobody else may get the connection before the driver has let go of it
        await _ended(task, asking)


async def _ended(*tasks: asyncio.Future[Any] | None) -> None:
    running = [task for task in tasks if task is not None and not task.done()]
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
