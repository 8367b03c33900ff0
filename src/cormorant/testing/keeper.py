"""An event loop that keeps connections for callers on other loops and in other threads."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future
from contextvars import Context
from typing import Any, Generic, TypeVar

from cormorant.adapters.base import Adapter, Reopenable
from cormorant.errors import ConnectionLost

T = TypeVar("T")

CLOSE_TIMEOUT = 5.0
"""Seconds that connections get to be closed at the end."""


class _Call(Generic[T]):
    """A coroutine on its way through the keeper's loop. Methods run on that loop."""

    def __init__(self, function: Callable[[], Coroutine[Any, Any, T]], answer: Future[T]) -> None:
        self._function = function
        self._answer = answer
        self._task: asyncio.Task[T] | None = None
        self._cancelled = False

    def start(self) -> None:
        if self._cancelled:
            self._answer.set_exception(asyncio.CancelledError())
            return
        self._task = asyncio.get_running_loop().create_task(self._function())
        self._task.add_done_callback(self._finish)

    def cancel(self) -> None:
        self._cancelled = True
        if self._task is not None:
            self._task.cancel()

    def _finish(self, task: asyncio.Task[T]) -> None:
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        if error is None:
            self._answer.set_result(task.result())
        else:
            self._answer.set_exception(error)


class Keeper:
    """Runs coroutines on one loop for whoever asks.

    Args:
        loop: The loop; None starts one in a thread of its own.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self._loop = asyncio.new_event_loop() if loop is None else loop
        self._thread: threading.Thread | None = None
        self._adapters: dict[int, tuple[Adapter, Adapter]] = {}
        self._ended = False
        if loop is None:
            self._thread = threading.Thread(target=self._run, name="cormorant-sandbox", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        self._loop.run_forever()
        self._loop.close()

    def run(self, function: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Has a coroutine run on the loop, and waits in a thread."""
        answer: Future[T] = Future()
        self.post(_Call(function, answer).start)
        return answer.result()

    async def ask(self, function: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Has a coroutine run on the loop; a cancelled caller hears of it once the coroutine has ended."""
        answer: Future[T] = Future()
        call = _Call(function, answer)
        self.post(call.start)
        waiting = asyncio.wrap_future(answer)
        interrupted: asyncio.CancelledError | None = None
        while not waiting.done():
            try:
                await asyncio.wait((waiting,))
            except asyncio.CancelledError as error:
                if interrupted is None:
                    self.post(call.cancel)
                interrupted = error
        if interrupted is not None:
            # whatever it was: who was cancelled does not go on
            waiting.exception()
            raise interrupted
        return waiting.result()

    def start(self, function: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Has a coroutine run on the loop and does not wait."""
        self.post(_Call(function, Future()).start)

    def post(self, function: Callable[[], object]) -> None:
        """Has a function run on the loop and does not wait.

        Raises:
            ConnectionLost: The loop has ended.
        """
        if self._ended or self._loop.is_closed():
            raise ConnectionLost("the sandbox has ended", hint="use the database inside of it")
        # an empty context: what is kept must not keep its first caller's session alive
        self._loop.call_soon_threadsafe(function, context=Context())

    def adapter_for(self, adapter: Adapter) -> Adapter:
        """Gives an adapter to the same database whose connections belong to this loop."""
        if id(adapter) not in self._adapters:
            other = adapter.another() if isinstance(adapter, Reopenable) else None
            self._adapters[id(adapter)] = (adapter, other or adapter)
        return self._adapters[id(adapter)][1]

    async def close(self) -> None:
        """Closes the connections that are the keeper's own; runs on the loop."""
        for given, own in self._adapters.values():
            if own is not given:
                await own.close(CLOSE_TIMEOUT)
        self._adapters.clear()

    def stop(self) -> None:
        """Ends a loop with a thread of its own."""
        if self._thread is not None and not self._ended:
            self.run(self.close)
            self.post(self._loop.stop)
            self._ended = True
            self._thread.join()


async def finished(work: Awaitable[T]) -> T:
    """Waits for work to end even if the caller is cancelled meanwhile, and raises the cancellation afterwards."""
    task = asyncio.ensure_future(work)
    interrupted: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait((task,))
        except asyncio.CancelledError as error:
            interrupted = error
    if interrupted is not None:
        if not task.cancelled():
            task.exception()
        raise interrupted
    return task.result()
