"""Waits for what was sent and must be answered, whatever becomes of the caller."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar

from cormorant.adapters.config import COMMIT_TIMEOUT
from cormorant.errors import CommitOutcomeUnknown

T = TypeVar("T")


class Committing(Protocol):
    """Who remembers when the server last said that something is committed."""

    last_commit: datetime | None


async def shielded(
    work: Coroutine[Any, Any, T],
    seconds: float = COMMIT_TIMEOUT,
    *,
    undoes: bool = False,
    told: Committing | None = None,
) -> T:
    """Waits for work to end even if the caller is cancelled meanwhile; the cancellation is raised afterwards.

    Args:
        work: What is waited for.
        seconds: How long, after the cancellation.
        undoes: It takes something back, which a connection that is given up does too.
        told: Whose commit it is; told when it has ended well, whether or not the caller still waits.

    Raises:
        CommitOutcomeUnknown: It did not end in time after the cancellation.
    """
    loop = asyncio.get_running_loop()
    task = loop.create_task(work)
    interrupted: asyncio.CancelledError | None = None
    deadline = 0.0
    while not task.done():
        try:
            await asyncio.wait((task,), timeout=None if interrupted is None else max(0, deadline - loop.time()))
        except asyncio.CancelledError as error:
            deadline = deadline or loop.time() + seconds
            interrupted = error
            continue
        if not task.done():
            task.cancel()
            await asyncio.wait((task,))
    if task.cancelled() and interrupted is not None and not undoes:
        raise CommitOutcomeUnknown(
            f"the server did not answer within {seconds:g} s after the cancellation",
            hint="look in the database whether the change is there before repeating it",
        ) from interrupted
    if interrupted is not None and task.cancelled():
        raise interrupted
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
