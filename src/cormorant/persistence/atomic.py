"""Writes of several statements: all of one is kept, or nothing, and what was written before stays either way."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from cormorant.adapters.base import Connection
from cormorant.adapters.fair_lock import FairLock
from cormorant.errors import SessionTaskError
from cormorant.persistence import context
from cormorant.persistence.blocks import Block
from cormorant.persistence.levels import Options
from cormorant.persistence.shielding import shielded
from cormorant.persistence.transaction import settled

if TYPE_CHECKING:
    from cormorant.persistence.state import SessionState
    from cormorant.persistence.writer import StateWriter

T = TypeVar("T")

ALONE = "let writes of many rows have a session of their own"

StateFrame: TypeAlias = "context.Frame[SessionState]"


class Turn:
    """Lets one task after the other write by several statements.

    Whoever comes from inside of a write has the turn already: its rows may come from a generator that writes itself.
    """

    def __init__(self) -> None:
        self._lock = FairLock()
        self.holder: StateFrame | None = None

    async def take(self, state: SessionState) -> bool:
        """Waits for the turn; gives whether it has to be given back."""
        mine = context.innermost_frame(state) if self.holder is not None else None
        if mine is not None and self.holder in mine.chain:
            return False
        if not self._lock.take():
            await self._lock.acquire()
        return True

    def leave(self) -> None:
        """Lets the next one write."""
        self.holder = None
        self._lock.release()


class Atomic:
    """The block around one write: a savepoint inside of a transaction.

    Outside of one it begins the session's transaction, which stays open for what follows; in autocommit mode it
    commits. While it is open, no other task can end the transaction. If it fails it is undone before anybody else
    has a statement run.

    Args:
        writer: What writes for the session's state.
        verb: What messages call the write.
    """

    def __init__(self, writer: StateWriter, verb: str) -> None:
        self._writer = writer
        self._state = writer.state
        self._verb = verb
        self._block: Block | None = None
        self._cell: context.Cell[SessionState] | None = None
        self._frame: context.Frame[SessionState] | None = None
        self._nested = False
        self._has_turn = False
        self._sent = 0

    @property
    def is_open(self) -> bool:
        """Whether it was entered and not left."""
        return self._cell is not None

    async def __aenter__(self) -> None:
        self._has_turn = await self._writer.turn.take(self._state)
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
        await self._writer.flush()
        # another task may have entered a block meanwhile; from here on nobody can before this one is noted
        state.check_owner(self._verb, alone=False)
        self._nested, self._sent = state.transactions.is_open, self._writer.sent
        frame = state.frame = context.Frame(state, state.frame, "transaction")
        if self._has_turn:
            self._writer.turn.holder = frame
        try:
            self._block = await state.blocks.enter(Options())
        except BaseException:
            context.end_frame(state, frame)
            raise
        self._cell, self._frame = context.enter(frame), frame

    async def use(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Runs a step of the write on the transaction's connection."""

        async def undo(cause: BaseException) -> None:
            await shielded(self._undo(cause), self._state.blocks.patience, undoes=True)

        return await self._state.transactions.use(work, undo=undo)

    async def _undo(self, cause: BaseException | None) -> None:
        """Undoes the write, for who holds the lock."""
        state, block = self._state, self._block
        self._block = None
        assert block is not None
        transactions = state.transactions
        if self._writer.sent == self._sent:
            await state.blocks.undo(block)
            return
        # what others have written meanwhile would be undone with it, and nobody would tell them
        state.unit.history.release_mark(block.mark)
        if self._nested:
            del transactions.levels[transactions.levels.index(block.level) :]
        transactions.fail(cause or SessionTaskError(f"{self._verb} was given up while other tasks wrote", hint=ALONE))

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.leave(error)

    async def leave(self, error: BaseException | None) -> None:
        """Ends the block: keeps what was written, or undoes it after an error."""
        cell, frame = self._cell, self._frame
        assert cell is not None
        assert frame is not None
        try:
            if self._block is not None:
                await self._end(self._block, error)
        finally:
            self._cell = self._block = self._frame = None
            context.end_frame(self._state, frame)
            context.leave(cell)
            self._give_back()
        hooks = self._state.blocks.hooks
        if hooks.due:
            await hooks.run_due(quiet=error is not None)

    async def _end(self, block: Block, error: BaseException | None) -> None:
        blocks, transactions = self._state.blocks, self._state.transactions
        try:
            if error is None:
                await blocks.keep(block, nested=self._nested)
            elif transactions.connection is None:
                await blocks.undo_in_turn(block)
            else:
                await shielded(transactions.use(lambda _: self._undo(error)), blocks.patience, undoes=True)
        except BaseException:
            # another task's statement has failed in it, or its end was refused
            await blocks.undo_in_turn(block)
            if error is None:
                raise

    def _give_back(self) -> None:
        if self._has_turn:
            self._has_turn = False
            self._writer.turn.leave()
