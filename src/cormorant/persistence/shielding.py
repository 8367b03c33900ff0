"""Waits for what was sent and must be answered, whatever becomes of the caller."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextvars import Context
from datetime import UTC, datetime
from typing import Any, Generic, NoReturn, Protocol, TypeAlias, TypeVar, cast

from cormorant.adapters.config import COMMIT_TIMEOUT
from cormorant.errors import CommitOutcomeUnknown, ConnectionLost

T = TypeVar("T")
Step: TypeAlias = Callable[[Any], Any]


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
    resumable: bool = False,
) -> T:
    """Waits for work to end even if the caller is cancelled meanwhile; the cancellation is raised afterwards.

    Args:
        work: What is waited for.
        seconds: How long, after the cancellation.
        undoes: It takes something back, which a connection that is given up does too.
        told: Whose commit the work is; told when it has ended well, whether or not the caller still waits.
        of: Whose commit it is, if it is told by others.
        resumable: The work knows nothing of its task, and needs one of its own only once the caller is cancelled.

    Raises:
        CommitOutcomeUnknown: It did not end in time after the cancellation; or it commits, and the connection broke.
    """
    loop = asyncio.get_running_loop()
    if resumable:
        steps = Steps(work, loop)
        try:
            result = await steps
        except asyncio.CancelledError as interrupted:
            if steps.rest is None:
                # the work's own
                raise
            rest = steps.rest if told is None else committing(steps.rest, told)
            await _outlive(loop.create_task(rest), interrupted, seconds, undoes=undoes, told=told, of=of)
        except ConnectionLost as error:
            if told is None or not error.sent:
                raise
            raise unknown(error.message, told, error) from error
    else:
        task = loop.create_task(work if told is None else committing(work, told))
        try:
            await _end(task, loop)
        except asyncio.CancelledError as interrupted:
            await _outlive(task, interrupted, seconds, undoes=undoes, told=told, of=of)
        try:
            result = task.result()
        finally:
            # an error holds this frame by its traceback, and would be held by it
            del task
    if told is not None:
        told.last_commit = datetime.now(UTC)
    return result


def _end(task: asyncio.Task[Any], loop: asyncio.AbstractEventLoop) -> asyncio.Future[None]:
    # as `asyncio.wait` does it, which takes as long as the rest of this
    waiter: asyncio.Future[None] = loop.create_future()
    task.add_done_callback(lambda _: None if waiter.done() else waiter.set_result(None))
    return waiter


async def _outlive(
    task: asyncio.Task[Any],
    interrupted: asyncio.CancelledError,
    seconds: float,
    *,
    undoes: bool,
    told: Committing | None,
    of: Committing | None,
) -> NoReturn:
    """Waits for the end of work whose caller was cancelled, and raises the cancellation."""
    loop = asyncio.get_running_loop()
    deadline, refusal = loop.time() + seconds, None
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
        if task.cancelled():
            if undoes:
                raise interrupted
            late = f"the server did not answer within {seconds:g} s after the cancellation"
            raise unknown(late, told or of) from interrupted
        refusal = task.exception()
        if isinstance(refusal, CommitOutcomeUnknown):
            raise refusal
        if refusal is not None:
            # who was cancelled must not go on, say by trying again
            raise interrupted from refusal
        if told is not None:
            told.last_commit = datetime.now(UTC)
        raise interrupted
    finally:
        # errors hold this frame by their tracebacks, and would be held by it
        del interrupted, refusal


# ------------------------------------------------------------------ work without a task


class Steps(Generic[T]):
    """Work that the task of its caller does, step by step, until the caller is cancelled: `rest` is what is left then.

    A task of its own would take three turns more of the event loop, a quarter of what it costs to write one row. The
    caller's task waits for what the work waits for, but its cancellation does not get there.

    Args:
        work: What is done. It knows nothing of its task: no `asyncio.timeout` in it, no context variable set back.
    """

    __slots__ = ("_loop", "_work", "rest")

    def __init__(self, work: Coroutine[Any, Any, T], loop: asyncio.AbstractEventLoop) -> None:
        self._work = work
        self._loop = loop
        self.rest: Coroutine[Any, Any, T] | None = None

    def __await__(self) -> Generator[Any, None, T]:
        work, loop = self._work, self._loop
        goes_on: Step = work.send
        given: BaseException | None = None
        while True:
            try:
                waits_for = goes_on(given)
            except StopIteration as end:
                result: T = end.value
                return result
            finally:
                # what was raised holds this frame by its traceback, and would be held by it
                given = None
            wait = None if waits_for is None else _Wait(waits_for, loop)
            try:
                yield wait
            except BaseException as error:
                if isinstance(error, asyncio.CancelledError) and (wait is None or wait.is_cut):
                    self.rest = _rest(work, waits_for)
                    raise
                goes_on, given = cast(Step, work.throw), error
            else:
                goes_on = work.send


async def _rest(work: Coroutine[Any, Any, T], waits_for: Any) -> T:
    """Goes on with work that waits for something; the task that does so may be cancelled with it."""
    return await _Rest(work, waits_for)


class _Rest(Generic[T]):
    """Work that another task has begun."""

    __slots__ = ("_waits_for", "_work")

    def __init__(self, work: Coroutine[Any, Any, T], waits_for: Any) -> None:
        self._work = work
        self._waits_for = waits_for

    def __await__(self) -> Generator[Any, None, T]:
        work, waits_for = self._work, self._waits_for
        while True:
            if waits_for is not None:
                # as a future has it that is being awaited
                waits_for._asyncio_future_blocking = True
            goes_on: Step = work.send
            given: BaseException | None = None
            try:
                yield waits_for
            except BaseException as error:
                goes_on, given = cast(Step, work.throw), error
            try:
                waits_for = goes_on(given)
            except StopIteration as end:
                result: T = end.value
                return result
            finally:
                given = None


class _Wait:
    """What a task waits for in the place of what its work waits for: that hears of no cancellation.

    To the task it is what a Future is: the names are those by which asyncio knows what a task may wait for.
    """

    __slots__ = ("_asyncio_future_blocking", "_context", "_loop", "_of", "_wake", "is_cut")

    def __init__(self, of: Any, loop: asyncio.AbstractEventLoop) -> None:
        self._of = of
        self._loop = loop
        self._asyncio_future_blocking: bool = True
        self._wake: Callable[[Any], object] | None = None
        self._context: Context | None = None
        # the task was cancelled while it waited
        self.is_cut: bool = False

    def add_done_callback(self, wake: Callable[[Any], object], *, context: Context | None = None) -> None:
        """Has the task woken when the work can go on."""
        self._wake, self._context = wake, context
        self._of.add_done_callback(wake, context=context)

    def remove_done_callback(self, wake: Callable[[Any], object]) -> int:
        """Has the task not woken any more; gives 0 where it is too late for that."""
        removed: int = self._of.remove_done_callback(wake)
        return removed

    def cancel(self, msg: Any = None) -> bool:
        """Has the task go on with a CancelledError."""
        self.is_cut = True
        wake, self._wake = self._wake, None
        # a task that is being woken, or was cancelled before, raises the error by itself
        if wake is None or not self._of.remove_done_callback(wake):
            return False
        self._loop.call_soon(wake, self, context=self._context)
        return True

    def result(self) -> None:
        """Raises what the task is to go on with, if it was cancelled; it asks when it is woken by this."""
        raise asyncio.CancelledError
