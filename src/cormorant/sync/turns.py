"""Who runs the loop of sync sessions: the thread that waits for an answer, or one of the loop's own.

Waking a thread and being woken by it takes longer than most statements. So a thread that calls alone runs the loop
itself until it has its answer, as in the leader/followers pattern (Schmidt, O'Ryan, Kircher, Pyarali: Leader/Followers,
2000). While several threads call, tasks go on by themselves, or nobody calls, the loop's own thread runs it, and
callers wait.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from contextvars import Context
from time import monotonic
from types import FrameType
from typing import Any

from cormorant.persistence.context import running_loop
from cormorant.sync.calls import LOOK_UP, Call, Crowd
from cormorant.sync.loop import SharedLoop

PAUSE = 0.02
"""Seconds without a call, or since several threads have called at once, after which it is another's turn."""

PATIENCE = 1.0
"""Seconds for which a call that Ctrl-C has cancelled is waited for, whatever comes; after that until the next one."""

DEPTH = 200
"""Frames that a caller must have left to run the loop, which takes fewer."""

_NAMES = "SIGINT SIGALRM SIGTERM SIGHUP SIGUSR1 SIGUSR2 SIGQUIT SIGABRT SIGVTALRM SIGPROF SIGXCPU SIGCHLD SIGBREAK"

# the module behind `signal` takes a tenth of the time: that one looks for the names of what it gives back
_signals: Any = sys.modules.get("_signal", signal)

_SIGNALS = tuple(int(getattr(signal, name)) for name in _NAMES.split() if hasattr(signal, name))


class Turns(Crowd):
    """Has calls done on one loop, by the thread that calls or by one that is there for all."""

    def __init__(self) -> None:
        super().__init__()
        self.loop: SharedLoop = SharedLoop()
        self.is_ended: bool = False
        # the loop's own thread is there; to ask that one itself takes four calls
        self.is_served: bool = True
        # who runs the loop is its one value: `setdefault` and `pop` do all or nothing, and can be asked again
        self._holder: dict[None, object] = {}
        # released to tell something: an Event has a lock inside, and an interruption could leave that taken
        self._told = threading.Lock()
        self._told.acquire()
        self._is_wanted = False
        self._is_asleep = False
        self._parks = False
        # since the loop's own thread has last looked
        self._is_used = True
        self._shared_until = 0.0
        # those of signals, and of them what is Python's
        self._handlers: tuple[Any, ...] = ()
        self._usual: dict[int, Callable[..., object]] = {}
        self._signals = _Signals(self.loop, {})
        # a daemon, so that a program may end without saying so
        self.thread: threading.Thread = threading.Thread(target=self._serve, name="cormorant-sync", daemon=True)
        self.thread.start()

    def wake(self) -> None:
        """Has the loop's own thread run it, if nobody does: something is to be done that nobody waits for."""
        if not self._holder:
            self._tell()

    def end(self) -> None:
        """Closes the loop, on which nothing is left to do."""
        self.is_ended = True
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._tell()
        self.thread.join()

    # ---- for one thread

    def do(self, call: Call[Any], context: Context) -> None:
        """Has a call done.

        Raises:
            BaseException: What interrupted the waiting, as Ctrl-C does; the call was cancelled, and has ended.
        """
        self._is_used = True
        try:
            if not self._leads(call, context):
                self.waiting.add(call)
                if len(self.waiting) > 1 or self._holder.get(None) is not self:
                    self._share()
                call.then = self._answered
                call.send(self.loop, context)
                self.wake()
            call.wait()
        except BaseException as interruption:
            self._let_go(call)
            self.waiting.add(call)
            self.loop.call_soon_threadsafe(call.cancel)
            self.wake()
            _wait_patiently(call)
            if call.failure is not None:
                raise interruption from call.failure
            raise

    def _leads(self, call: Call[Any], context: Context) -> bool:
        """Runs the loop until a call is done, or must be left to others, and tells whether it did."""
        if self._is_wanted or self._holder or running_loop() is not None or _is_deep():
            return False
        if call.thread is not threading.main_thread():
            return self._lead(call, context, ())
        return self._lead_under_signals(call, context)

    def _lead(self, call: Call[Any], context: Context, came: Sequence[object]) -> bool:
        """Does so until something has come, too."""
        loop = self.loop
        try:
            if came or self._holder.setdefault(None, call) is not call:
                return False
            loop.begin(threading.get_ident(), LOOK_UP)
            if loop.needs_no_turn:
                # most calls of SQLite are done with it
                loop.start(call.send, context)
            else:
                call.send(loop, context)
            call.then = loop.stop
            while not (call.is_done or came or self.is_ended):
                try:
                    loop.run_forever()
                except (KeyboardInterrupt, SystemExit) as error:
                    # what somebody's task has raised is told to who waits for that
                    if not loop.has_raised(error):
                        raise
        finally:
            if not call.is_done and self._holder.get(None) is call:
                call.then = self._answered
                self.waiting.add(call)
            self._let_go(call)
        return True

    def _lead_under_signals(self, call: Call[Any], context: Context) -> bool:
        """Leads where Python calls handlers of signals between any two steps: they are called once it does not."""
        handler_of: Callable[[int], Any] = _signals.getsignal
        handlers = tuple(map(handler_of, _SIGNALS))
        if handlers != self._handlers:
            self._handlers = handlers
            self._usual = {number: each for number, each in zip(_SIGNALS, handlers, strict=True) if callable(each)}
            self._signals = _Signals(self.loop, self._usual)
        usual, signals = self._usual, self._signals
        signals.is_over = False
        try:
            try:
                for number in usual:
                    _signals.signal(number, signals)
            except ValueError:
                # an interpreter inside of another one hears no signals, and may not say who is to
                usual = {}
            led = self._lead(call, context, signals.came)
        finally:
            signals.is_over = True
            for number, found in usual.items():
                # somebody may have put another one in its place
                if _signals.getsignal(number) is signals:
                    _signals.signal(number, found)
        if signals.came:
            # another one from now on: handlers may call, and nothing is to keep the frames alive
            self._signals = _Signals(self.loop, usual)
            for number, frame in signals.came:
                usual[number](number, frame)
        return led

    def _let_go(self, holder: object) -> None:
        if self._holder.get(None) is holder:
            self.loop.thread = None
            self._holder.pop(None)
            # looked at afterwards: who did not get the loop before has said that he waits
            if self.waiting or self._is_asleep or self.loop.is_busy:
                self._tell()

    # ---- for all threads

    def _share(self) -> None:
        """Has the loop's own thread keep it for a while."""
        self._shared_until = monotonic() + PAUSE

    def _tell(self) -> None:
        self._is_wanted = True
        # it was told already, but has not heard it yet
        with suppress(RuntimeError):
            self._told.release()

    def _serve(self) -> None:
        try:
            self._take()
            while not self.is_ended:
                try:
                    self.loop.run_forever()
                except (KeyboardInterrupt, SystemExit):
                    # raised by somebody's task: who waits for it is told, and the loop is there for the others
                    continue
                if self._parks:
                    self._parks = False
                    self._let_go(self)
                    self._take()
            self.loop.close()
        finally:
            self.is_served = False

    def _take(self) -> None:
        """Waits until somebody wants this thread to run the loop, or nobody has called for a while."""
        while True:
            told = self._told.acquire(timeout=-1 if self._is_asleep else PAUSE)
            if self._is_used and not told:
                self._is_used = False
                continue
            # whoever has the loop tells when he lets go
            self._is_asleep = True
            if self._holder.setdefault(None, self) is self:
                self.loop.begin(threading.get_ident(), None)
                self._is_asleep = self._is_wanted = False
                return

    def _answered(self) -> None:
        """Leaves the loop to whoever calls next, if he seems to be alone; called with the answer to one who waits."""
        is_alone = not self.waiting and monotonic() >= self._shared_until
        if is_alone and not self.loop.is_busy and self._holder.get(None) is self:
            self._parks = True
            self.loop.stop()


def _wait_patiently(call: Call[Any]) -> None:
    """Waits until a cancelled call has ended, also when it is interrupted again, unless that takes long."""
    end = monotonic() + PATIENCE
    while not call.is_done:
        try:
            call.wait()
        except BaseException:
            if monotonic() >= end:
                raise


class _Signals:
    """What is called in the place of the handlers of signals while the main thread runs the loop.

    They may raise errors, take locks, and use sessions: so they are called once the loop was left to another thread. If
    that takes long, because a hook does not come back, the next one is called where it is.

    Args:
        loop: The loop.
        usual: The handlers, by the numbers of their signals.
    """

    __slots__ = ("_end", "_loop", "_pid", "_usual", "came", "is_over")

    def __init__(self, loop: asyncio.AbstractEventLoop, usual: dict[int, Callable[..., object]]) -> None:
        self.came: list[tuple[int, FrameType | None]] = []
        # one that could not be taken away, because another signal came, does what the usual one does; so does a fork's
        self.is_over: bool = True
        self._end = 0.0
        self._loop = loop
        self._pid = os.getpid()
        self._usual = usual

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if self.is_over or os.getpid() != self._pid or (self.came and monotonic() >= self._end):
            self._usual[number](number, frame)
            return
        self._end = self._end or monotonic() + PATIENCE
        self.came.append((number, frame))
        self._loop.call_soon_threadsafe(self._loop.stop)


def _is_deep() -> bool:
    """Whether so little is left of the stack that what runs on the loop might not have enough."""
    try:
        sys._getframe(sys.getrecursionlimit() - DEPTH)  # pyright: ignore[reportPrivateUsage]
    except ValueError:
        return False
    return True
