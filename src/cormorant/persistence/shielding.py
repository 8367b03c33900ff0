"""Waits for what was sent and must be answered, whatever becomes of the caller."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Coroutine
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar

from cormorant.adapters.config import COMMIT_TIMEOUT
from cormorant.errors import CommitOutcomeUnknown, ConnectionLost

T = TypeVar("T")


class Committing(Protocol):
    """Who remembers when the server last said that something is committed."""

    last_commit: datetime | None
    xid: int | None
    begun: datetime | None


async def committing(work: Awaitable[T], told: Committing, seconds: float | None = None) -> T:
    """Waits for a statement that commits.

    Args:
        work: The statement alone.
        told: Whose transaction it is.
        seconds: How long is waited; None sets no limit.

    Raises:
        CommitOutcomeUnknown: It was sent, and no answer came.
    """
    limit = None if seconds is None else asyncio.timeout(seconds)
    try:
        if limit is None:
            return await work
        async with limit:
            return await work
    except ConnectionLost as error:
        if not error.sent:
            raise
        raise unknown(error.message, told, error) from error
    except TimeoutError as late:
        if limit is None or not limit.expired():
            raise
        raise unknown(f"the server did not answer within {seconds:g} s", told) from late


def unknown(message: str, told: Committing | None, error: ConnectionLost | None = None) -> CommitOutcomeUnknown:
    """Says that nobody knows whether the transaction was committed, and who does."""
    statement, code = (None, None) if error is None else (error.statement, error.code)
    xid, begun = (None, None) if told is None else (told.xid, told.begun)
    look = "look in the database whether the change is there before repeating it"
    hint = (
        f"{look}; with Database(track_commits=True), `await db.outcome(error)` tells"
        if xid is None
        else f"await db.outcome(error) tells whether transaction {xid} was committed; ask before repeating it"
    )
    text = f"whether the changes are committed is unknown: {message}"
    return CommitOutcomeUnknown(text, statement=statement, code=code, xid=xid, begun=begun, hint=hint)


async def shielded(
    work: Coroutine[Any, Any, T],
    seconds: float = COMMIT_TIMEOUT,
    *,
    undoes: bool = False,
    told: Committing | None = None,
    of: Committing | None = None,
) -> T:
    """Waits for work to end even if the caller is cancelled meanwhile; the cancellation is raised afterwards.

    Args:
        work: What is waited for.
        seconds: How long, after the cancellation.
        undoes: It takes something back, which a connection that is given up does too.
        told: Whose commit it is; told when it has ended well, whether or not the caller still waits.
        of: Whose commit it is, if it is told by others.

    Raises:
        CommitOutcomeUnknown: It did not end in time after the cancellation; or it commits, and the connection broke.
    """
    loop = asyncio.get_running_loop()
    task = loop.create_task(work)
    interrupted: asyncio.CancelledError | None = None
    deadline = 0.0
    # as `asyncio.wait` does it, which takes as long as the rest of this
    waiter: asyncio.Future[None] = loop.create_future()
    task.add_done_callback(lambda _: None if waiter.done() else waiter.set_result(None))
    try:
        await waiter
    except asyncio.CancelledError as error:
        deadline = loop.time() + seconds
        interrupted = error
    try:
        while not task.done():
            try:
                await asyncio.wait((task,), timeout=max(0, deadline - loop.time()))
            except asyncio.CancelledError as error:
                interrupted = error
                continue
            if not task.done():
                task.cancel()
                await asyncio.wait((task,))
        if interrupted is not None and task.cancelled():
            if undoes:
                raise interrupted
            late = f"the server did not answer within {seconds:g} s after the cancellation"
            raise unknown(late, told or of) from interrupted
        refusal = task.exception()
        if interrupted is not None and refusal is not None and not isinstance(refusal, CommitOutcomeUnknown):
            # who was cancelled must not go on, say by trying again
            raise interrupted from refusal
        result = task.result()
        if told is not None:
            told.last_commit = datetime.now(UTC)
        if interrupted is not None:
            raise interrupted
        return result
    finally:
        # the error holds this frame by its traceback, and would be held by it
        interrupted = None
