"""A session that enters itself where it is first used: fixtures and tests run in different tasks, on some loop."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

from cormorant._internal.frames import place
from cormorant.errors import SessionNotEntered
from cormorant.persistence import context
from cormorant.persistence.blocks import end
from cormorant.persistence.parts import finish, is_untouched
from cormorant.persistence.session import AsyncSession
from cormorant.persistence.state import SessionState


class LateSession(AsyncSession):
    """A session that needs no `async with`; what it has not committed is rolled back in the end."""

    _was_entered = False

    def state(self) -> SessionState:
        """Gives the caller's state; the first one who asks enters the session."""
        self.enter()
        return super().state()

    def enter(self) -> None:
        """Enters the session on the running loop, unless it was entered before.

        Raises:
            SessionNotEntered: No loop is running.
        """
        if self._was_entered:
            return
        if context.running_loop() is None:
            raise SessionNotEntered(
                "the session is used outside of an event loop",
                hint="make the test a coroutine, or use `with Session(cormorant_sandbox) as session`",
            )
        self._was_entered = True
        entering = self.__aenter__()
        # entering does no I/O: it never waits
        with suppress(StopIteration):
            entering.send(None)

    @asynccontextmanager
    async def block(self) -> AsyncGenerator[None, None]:
        """Makes the session the current one of a test's own task, and rolls back in the end what that did not commit.

        It stays open: the fixtures around the test may use it, and its objects, when they are torn down.
        """
        self.enter()
        opened = self._entrances.open
        cell = context.enter(opened[0].state.frame) if opened else None
        try:
            yield
        finally:
            if cell is not None:
                context.leave(cell)
            # the test may have closed it
            for entrance in self._entrances.open:
                state = entrance.state
                if not is_untouched(state):
                    await end(state.blocks, state.frame.check_ended, failed=True)

    def abandon(self) -> None:
        """Closes the session, if it is still open, from outside of its loop."""
        if not self._entrances.open:
            return
        state = self._entrances.open[0].state
        if state.loop is not None and not (state.loop.is_closed() or state.loop.is_running()):
            state.loop.run_until_complete(self.close())
            return
        # the sandbox undoes what was done, and takes its connection back from any thread: nothing is waited for
        state.transactions.end()
        finish(state, place())
        self._entrances.leave(state, inside=False)
