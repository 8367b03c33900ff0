"""Writes of several statements: all of one is kept, or nothing, and what was written before stays either way."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeAlias

from cormorant.persistence import context
from cormorant.persistence.blocks import Block
from cormorant.persistence.transaction import Options, settled

if TYPE_CHECKING:
    from types import TracebackType

    from cormorant.persistence.state import SessionState

StateFrame: TypeAlias = "context.Frame[SessionState]"


class Turn:
    """Lets one task after the other write by several statements.

    Whoever comes from inside of a write has the turn already: its rows may come from a generator that writes itself.
    """

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self.holder: StateFrame | None = None

    async def take(self, state: SessionState) -> bool:
        """Waits for the turn; gives whether it has to be given back."""
        mine = context.innermost_frame(state) if self.holder is not None else None
        if mine is not None and self.holder in mine.chain:
            return False
        await self._lock.acquire()
        return True

    def leave(self) -> None:
        """Lets the next one write."""
        self.holder = None
        self._lock.release()


class Atomic:
    """The block around one write: a savepoint inside of a transaction.

    Outside of one it begins the session's transaction, which stays open for what follows; in autocommit mode it
    commits. While it is open, no other task can end the transaction.

    Args:
        state: The session's state.
        turn: The state's turn.
        verb: What messages call the write.
    """

    def __init__(self, state: SessionState, turn: Turn, verb: str) -> None:
        self._state = state
        self._turn = turn
        self._verb = verb
        self._block: Block | None = None
        self._cell: context.Cell[SessionState] | None = None
        self._nested = False
        self._has_turn = False

    @property
    def is_open(self) -> bool:
        """Whether it was entered and not left."""
        return self._cell is not None

    async def __aenter__(self) -> None:
        self._has_turn = await self._turn.take(self._state)
        try:
            await self._enter()
        except BaseException:
            self._give_back()
            raise

    async def _enter(self) -> None:
        state = self._state
        state.check_usable()
        await settled(state.transactions)
        state.check_owner(self._verb, alone=False)
        self._nested = state.transactions.is_open
        # before anything is awaited: nobody else may open a block meanwhile
        frame = state.frame = context.Frame(state, state.frame, "transaction")
        if self._has_turn:
            self._turn.holder = frame
        try:
            self._block = await state.blocks.enter(Options())
        except BaseException:
            state.end_frame(frame)
            raise
        self._cell = context.enter(frame)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.leave(failed=error is not None)

    async def leave(self, *, failed: bool) -> None:
        """Ends the block: keeps what was written, or undoes it."""
        block, cell = self._block, self._cell
        assert block is not None
        assert cell is not None
        frame = cell.frame
        try:
            await self._state.blocks.settle(block, failed=failed, nested=self._nested)
        finally:
            self._cell = None
            if frame is not None:
                self._state.end_frame(frame)
            context.leave(cell)
            self._give_back()

    def _give_back(self) -> None:
        if self._has_turn:
            self._has_turn = False
            self._turn.leave()
