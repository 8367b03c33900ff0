"""Functions on their way through the thread of an SQLite connection, and their answers on the way back."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Generator
from contextvars import Context, copy_context
from functools import partial
from typing import Any, Generic, TypeVar
from weakref import WeakKeyDictionary, WeakSet, ref

R = TypeVar("R")

LOOK_EVERY = 0.002
"""Seconds that an answer waits at most while its thread goes on with what others have sent."""

STUCK_AFTER = 4
"""So many looks in a row at a thread that is still with one statement show that it is slow."""


class TurnedAway(Exception):
    """What a hop gets in place of an answer: its thread has not come to it, and does not any more."""


class Answers:
    """What threads have for one loop, which is woken once for all that comes until it looks.

    A thread that has more to do goes on with it, and the last answer of several wakes the loop: waking it, and handing
    over the interpreter and taking it back, takes longer than most statements. In case that one of them is slow, the
    loop looks by itself now and then while somebody waits behind another.
    """

    # nothing here leads to the loop, by which it is kept
    __slots__ = ("_crowded", "_told", "_watches", "come")

    def __init__(self) -> None:
        # what threads have done
        self.come: deque[Hop[Any]] = deque()
        self._told = False
        self._crowded: WeakSet[Line] = WeakSet()
        self._watches = False

    # ---- in threads

    def tell(self, loop: asyncio.AbstractEventLoop | None) -> None:
        """Wakes the loop, if it is still there."""
        if not self._told:
            self._told = True
            try:
                if loop is not None:
                    loop.call_soon_threadsafe(self.look, loop)
            except RuntimeError:
                # the loop is closed: nobody waits for an answer any more, and none is to keep it
                self.come.clear()

    # ---- on the loop

    def look(self, loop: asyncio.AbstractEventLoop) -> None:
        """Hands over all that has come."""
        # before the first is taken: what comes from now on wakes the loop again
        self._told = False
        come = self.come
        try:
            while come:
                come.popleft().arrive()
        finally:
            if come:
                # a task has ended the loop
                loop.call_soon(self.look, loop)

    def watch(self, line: Line, loop: asyncio.AbstractEventLoop) -> None:
        """Looks now and then until a line has no more than one hop."""
        if not line.watched:
            line.begin_watch()
        self._crowded.add(line)
        if not self._watches:
            self._watches = True
            # an empty context: the loop keeps the timer until its time has come
            loop.call_later(LOOK_EVERY, self._look_again, loop, context=Context())

    def _look_again(self, loop: asyncio.AbstractEventLoop) -> None:
        self._watches = False
        watched = list(self._crowded)
        self._crowded.clear()
        for line in watched:
            if line.under_way > 1:
                self.watch(line, loop)
            else:
                line.watched = False
        for line in watched:
            line.note_progress()
        self.look(loop)


_answers: WeakKeyDictionary[asyncio.AbstractEventLoop, Answers] = WeakKeyDictionary()


def answers_of(loop: asyncio.AbstractEventLoop) -> Answers:
    """Gives what threads answer a loop by."""
    found = _answers.get(loop)
    if found is None:
        found = _answers[loop] = Answers()
    return found


def nobody() -> None:
    """Gives nothing, as a weak reference to what is gone does."""


class Line:
    """The hops that one loop has sent to one thread, in order; the thread calls it once for each.

    Args:
        loop: The loop.
        put: Hands something to the driver's thread, after the Future that it answers by.
        may_leave: Gives what tells whether somebody else can do what waits behind a slow statement, as long as there
            is somebody: the thread remembers its line, and must not keep others.
    """

    __slots__ = (
        "__weakref__",
        "_answers",
        "_may_leave",
        "_put",
        "_seen",
        "_still",
        "_taken",
        "_waiting",
        "loop",
        "now",
        "under_way",
        "watched",
    )

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        put: Callable[[tuple[None, Line]], object],
        may_leave: Callable[[], Callable[[], bool] | None] = nobody,
    ) -> None:
        # an idle connection must not keep a closed loop
        self.loop: ref[asyncio.AbstractEventLoop] = ref(loop)
        # what the thread is doing
        self.now: Hop[Any] | None = None
        # whether the loop looks at it now and then
        self.watched: bool = False
        self._put = put
        self._may_leave = may_leave
        self._answers = answers_of(loop)
        self._waiting: deque[Hop[Any]] = deque()
        # how many are not back
        self.under_way: int = 0
        # how many the thread has begun, at the last look too, and how many looks in a row have seen no more
        self._taken = self._seen = self._still = 0

    def __repr__(self) -> str:
        # the driver logs it
        return "<hops>"

    def send(self, loop: asyncio.AbstractEventLoop, function: Callable[..., R], args: tuple[Any, ...]) -> Hop[R]:
        """Sends a function to the thread; gives what is to be awaited, by the caller."""
        hop = Hop(self, loop, function, args)
        if self.under_way and not self.watched:
            self._answers.watch(self, loop)
        self.under_way += 1
        self._waiting.append(hop)
        self._put((None, self))
        return hop

    # ---- in the thread

    def __call__(self) -> None:
        """Does the next one; there is none if it has left."""
        try:
            hop = self._waiting.popleft()
        except IndexError:
            return
        self._taken += 1
        self.now = hop
        hop.run()
        self.now = None
        self._answers.come.append(hop)
        # looked at afterwards: who leaves meanwhile looks for the answers that were left to him
        if not self._waiting:
            self._answers.tell(self.loop())

    # ---- on the loop

    def leave(self, hop: Hop[Any]) -> bool:
        """Takes a hop out, and gives whether that went: the thread may have begun with it."""
        try:
            self._waiting.remove(hop)
        except ValueError:
            return False
        self.under_way -= 1
        # the one before may rely on its answer
        loop = asyncio.get_running_loop()
        loop.call_soon(self._answers.look, loop)
        return True

    def begin_watch(self) -> None:
        """Notes what the thread has done before somebody looks."""
        self.watched, self._seen, self._still = True, self._taken, 0

    def note_progress(self) -> None:
        """Turns those away who wait behind a slow statement, if somebody else can do what they want."""
        self._still = self._still + 1 if self._taken == self._seen else 0
        self._seen = self._taken
        if self._still < STUCK_AFTER or (may_leave := self._may_leave()) is None:
            return
        if may_leave():
            # whoever goes on at once may come back, and is not meant
            for _ in range(len(self._waiting)):
                with contextlib.suppress(IndexError):
                    self._waiting.popleft().turn_away()


class Route:
    """The way to the thread of a connection, from the loop that uses it.

    Args:
        driver: The driver's connection.
        may_leave: What a line asks.
    """

    __slots__ = ("_driver", "_may_leave", "_put", "line")

    def __init__(self, driver: Any, may_leave: Callable[[], Callable[[], bool] | None] = nobody) -> None:
        self._driver = driver
        self._may_leave = may_leave
        # to whom the driver hands what its thread does; one of other insides does that in its own way
        queue: Any = getattr(driver, "_tx", None)
        self._put: Callable[[Any], object] = partial(have_put, ref(driver)) if queue is None else queue.put_nowait
        # of the loop that used the connection last
        self.line: Line | None = None

    @property
    def is_taken(self) -> bool:
        """Whether the thread has something to do."""
        return self.line is not None and self.line.under_way > 0

    @property
    def is_stopped(self) -> bool:
        """Whether the rest of what the thread does is not to be done."""
        now = None if self.line is None else self.line.now
        return now is not None and now.stopped

    def send(self, function: Callable[..., R], *args: Any) -> Hop[R]:
        """Sends a function to the thread; gives what is to be awaited, at once and by the caller."""
        # the driver's public methods take a hop for each step: cursor, execute, fetch
        if not self._driver._running:
            raise ValueError("the thread has ended")
        loop = asyncio.get_running_loop()
        line = self.line
        if line is None or line.loop() is not loop:
            line = self.line = Line(loop, self._put, self._may_leave)
        return line.send(loop, function, args)

    def turn(self) -> Hop[None]:
        """Gives what is to be awaited to let every other task have its turn; the thread is not asked."""
        loop = asyncio.get_running_loop()
        hop: Hop[None] = Hop(Line(loop, self._put), loop, nobody, ())
        loop.call_soon(hop.land)
        return hop


def have_put(driver: Callable[[], Any], item: tuple[None, Callable[[], None]]) -> None:
    """Has a driver's thread call something, by the driver's own method."""
    # an empty context: the task must not keep its maker's session alive
    asyncio.get_running_loop().create_task(driver()._execute(item[1]), context=Context())


class Hop(Generic[R]):
    """A function on its way through a connection's thread, to be awaited once by the task that has sent it.

    The driver answers by a Future, whose result is set in one turn of the loop and read in the next. This wakes its
    task in the turn in which the answer comes, which spares a third of what a short statement costs. To the task it
    is what a Future is: the names are those by which asyncio knows what a task may wait for.

    Args:
        line: In which it is sent.
        loop: The loop of the task.
        function: What the thread does.
        args: What it takes.
    """

    __slots__ = (
        "_args",
        "_arrived",
        "_asyncio_future_blocking",
        "_cancelled",
        "_error",
        "_function",
        "_line",
        "_loop",
        "_result",
        "_waiting",
        "stopped",
    )

    def __init__(
        self, line: Line, loop: asyncio.AbstractEventLoop, function: Callable[..., R], args: tuple[Any, ...]
    ) -> None:
        self._line = line
        # where asyncio looks whose it is
        self._loop = loop
        self._function: Callable[..., R] | None = function
        self._args = args
        # written by the loop, read by the thread before each step: the rest is not to be done
        self.stopped: bool = False
        self._asyncio_future_blocking: bool = False
        self._waiting: list[tuple[Callable[[Any], object], Context]] = []
        self._result: Any = None
        self._error: BaseException | None = None
        self._cancelled: tuple[Any, ...] | None = None
        self._arrived = False

    # ---- in the thread

    def run(self) -> None:
        """Calls the function."""
        function, args = self._function, self._args
        self._function, self._args = None, ()
        assert function is not None
        try:
            self._result = function(*args)
        except BaseException as error:
            self._error = error

    # ---- on the loop

    def arrive(self) -> None:
        """Takes note of the answer, and wakes the task."""
        self._line.under_way -= 1
        self.land()

    def land(self) -> None:
        """Wakes the task."""
        self._arrived = True
        if self._cancelled is not None:
            # the task has gone on without it
            self._result = self._error = None
        self._wake()

    def turn_away(self) -> None:
        """Has the task go on with a TurnedAway."""
        self._error = TurnedAway()
        self.arrive()

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, []
        for wake, context in waiting:
            context.run(wake, self)

    def __await__(self) -> Generator[Any, None, R]:
        self._asyncio_future_blocking = True
        # an error is thrown in here
        yield self
        result: R = self._result
        self._result = None
        return result

    def add_done_callback(self, wake: Callable[[Any], object], *, context: Context | None = None) -> None:
        """Has the task woken when the answer is there."""
        context = copy_context() if context is None else context
        if self._arrived:
            # while another task took over what waits for it
            self._loop.call_soon(wake, self, context=context)
        else:
            self._waiting.append((wake, context))

    def remove_done_callback(self, wake: Callable[[Any], object]) -> int:
        """Has a task not woken any more; gives how often it would have been."""
        left = [(other, context) for other, context in self._waiting if other != wake]
        removed = len(self._waiting) - len(left)
        self._waiting = left
        return removed

    def cancel(self, msg: Any = None) -> bool:
        """Has the task go on with a CancelledError; what is in the thread goes on all the same."""
        if not self._waiting or self._cancelled is not None:
            return False
        self._cancelled = () if msg is None else (msg,)
        self._loop.call_soon(self._wake)
        return True

    def result(self) -> None:
        """Raises what there was instead of an answer; the task asks for that when it is woken."""
        if self._cancelled is not None:
            raise asyncio.CancelledError(*self._cancelled)
        error, self._error = self._error, None
        if error is not None:
            try:
                raise error
            finally:
                # its traceback leads back here
                del error
