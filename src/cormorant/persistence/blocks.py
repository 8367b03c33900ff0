"""Flush, commit and roll back, for the database and for the objects together."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from cormorant.errors import SessionTaskError, TransactionError
from cormorant.hooks.dispatcher import hook_around, registrations, running
from cormorant.hooks.events import BEFORE_COMMIT
from cormorant.persistence import context
from cormorant.persistence.flush import Flusher
from cormorant.persistence.history import History
from cormorant.persistence.hooking import ROUNDS, SessionHooks, refuse_in_hooks
from cormorant.persistence.levels import DEFAULTS, Level, Options
from cormorant.persistence.marks import Mark
from cormorant.persistence.shielding import shielded
from cormorant.persistence.transaction import TransactionStack, forget, is_unsent, settled
from cormorant.persistence.unit_of_work import UnitOfWork

if TYPE_CHECKING:
    from cormorant.persistence.session import AsyncSession
    from cormorant.persistence.state import SessionState


@dataclass(frozen=True, slots=True)
class Block:
    """An open `transaction()`: the database's side and the objects' side of it."""

    level: Level
    mark: Mark


def check_verb(state: SessionState, verb: str) -> None:
    """Refuses to end a transaction by hand where a block does that.

    Raises:
        FlushError: The caller is part of a hook.
        SessionTaskError: Another task uses the session, or is inside of a block.
        TransactionError: The caller is inside of a block.
    """
    state.check_usable()
    if running.get() is not None:
        refuse_in_hooks(state, verb)
    state.check_owner(verb)
    if state.frame.kind == "transaction":
        raise TransactionError(f"{verb} inside {state.frame}", hint="leave the block instead")


def begin(state: SessionState, options: Options) -> Block:
    """Opens a transaction that is ended by hand.

    Raises:
        TransactionError: One is open.
    """
    state.check_usable()
    refuse_in_hooks(state, "begin()")
    state.check_owner("begin()")
    if state.transactions.is_open:
        raise TransactionError(
            "a transaction is open already", hint="use `async with session.transaction()` for a savepoint"
        )
    return state.blocks.begin(options)


class Transaction:
    """A transaction block: `async with session.transaction() as tx`, or what `session.begin()` gives.

    Leaving the block flushes and commits, or releases the savepoint; leaving it by an exception rolls back.
    """

    __slots__ = ("_begun", "_block", "_cell", "_frame", "_options", "_session")

    def __init__(self, session: AsyncSession, options: Options, begun: Block | None = None) -> None:
        self._session = session
        self._options = options
        self._begun = begun
        self._block: Block | None = None
        self._cell: context.Cell[SessionState] | None = None
        self._frame: context.Frame[SessionState] | None = None

    async def __aenter__(self) -> Self:
        state = self._session.state()
        state.check_usable()
        refuse_in_hooks(state, "transaction()")
        state.check_owner("transaction()")
        # before anything is awaited: nobody else may open a block meanwhile
        frame = state.frame = context.Frame(state, state.frame, "transaction")
        try:
            self._block = await self._open(state.blocks)
        except BaseException:
            context.end_frame(state, frame)
            raise
        self._cell, self._frame = context.enter(frame), frame
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        block, cell, frame = self._block, self._cell, self._frame
        if block is None or cell is None or frame is None:
            raise TransactionError("the transaction was not entered", hint="use `async with session.transaction()`")
        state = frame.state
        inner = state.frame
        try:
            await state.blocks.leave(block, failed=error is not None or inner is not frame or state.closed)
        finally:
            context.end_frame(state, frame)
            context.leave(cell)
            self._frame = None
        if error is None and state.closed:
            raise TransactionError(
                f"{frame} was ended inside of its block: {state.ended}", hint="leave the block before its session ends"
            )
        if error is None and inner is not frame:
            if frame in inner.chain:
                raise SessionTaskError(f"{frame} ended while {inner} was open", hint="end the inner block first")
            raise TransactionError(f"{frame} had ended with the block around it", hint="end the inner block first")

    @property
    def is_open(self) -> bool:
        """Whether its block was entered and not left."""
        return self._cell is not None and self._cell.frame() is not None

    async def _open(self, blocks: Blocks) -> Block:
        begun, self._begun = self._begun, None
        if begun is None:
            return await blocks.enter(self._options)
        if blocks.transactions.levels != [begun.level]:
            raise TransactionError(
                "the transaction that begin() opened is over, or has others inside of it",
                hint="use `async with session.transaction()`",
            )
        return begun

    async def commit(self) -> None:
        """Commits a transaction that `begin()` opened."""
        await self._session.commit()

    async def rollback(self) -> None:
        """Rolls a transaction back that `begin()` opened."""
        await self._session.rollback()


class Blocks:
    """A session's block, and the transactions inside of it.

    Args:
        autocommit: Every flush is a transaction of its own.
    """

    __slots__ = ("autocommit", "flusher", "history", "hooks", "patience", "transactions", "unit")

    def __init__(self, unit: UnitOfWork, transactions: TransactionStack, flusher: Flusher, *, autocommit: bool) -> None:
        self.unit: UnitOfWork = unit
        self.history: History = unit.history
        self.transactions: TransactionStack = transactions
        self.flusher: Flusher = flusher
        self.hooks: SessionHooks = flusher.hooks
        self.autocommit: bool = autocommit
        # seconds that what was sent may still take after a cancellation
        self.patience: float = transactions.database.commit_timeout

    async def flush(self) -> None:
        """Writes what is pending in autocommit mode: in a transaction of its own, unless one is open."""
        await settled(self.transactions)
        if self.transactions.is_open:
            await self.flusher.flush()
            return
        accepted = self.unit.accepted
        try:
            await self.commit()
        except BaseException:
            # what another task has begun meanwhile is its own
            begun = [level for level in self.transactions.levels[:1] if level.implicit]
            if begun and self.unit.accepted != accepted:
                await self.rollback()
            elif begun:
                # what was not accepted stays pending, to be corrected and written again
                await shielded(self.transactions.rollback_to(begun[0]), self.patience, undoes=True)
            raise

    async def commit(self) -> None:
        """Writes what is pending and commits. One row needs no transaction: the server alone decides its success."""
        hooks = self.hooks
        if hooks.version != registrations.version:
            hooks.refresh()
        try:
            is_over = await self.flusher.flush(lone=not hooks.wide or BEFORE_COMMIT not in hooks.wide)
            if hooks.busy or hooks.wide:
                await self._write_rest(outermost=True)
            if self.transactions.levels:
                await self._shielded(self._commit())
            elif not is_over:
                hooks.busy = False
                ends = self.history.committed()
                if ends is not None:
                    hooks.committed(ends, wrote=False)
        except BaseException:
            await hooks.run_due(quiet=True)
            raise
        if hooks.due:
            await hooks.run_due()

    def _shielded(self, work: Coroutine[Any, Any, None]) -> Coroutine[Any, Any, None]:
        """Gives what ends a block well, whether or not the caller still waits."""
        connections, connection = self.transactions.connections, self.transactions.connection
        # where nothing was sent, others get the turn that they get where something was
        resumable = connection is not None and connections.may_change_task(connection)
        return shielded(work, self.patience, of=connections, resumable=resumable)

    async def _write_rest(self, *, outermost: bool) -> None:
        """Writes what hooks have added, and tells of the commit, until nothing is left."""
        told: dict[int, object] = {}
        for _ in range(ROUNDS):
            if not self.hooks.has_news:
                telling = outermost and self.transactions.is_open
                if not (telling and await self.hooks.before_commit(told)):
                    return
            await self.flusher.flush()
        raise self.hooks.endless("commit" if outermost else "block")

    async def _commit(self) -> None:
        try:
            await self.transactions.commit()
        except BaseException:
            # a refused COMMIT has undone everything; a transaction that had failed before waits for rollback()
            if not self.transactions.is_open:
                self._undo(self.history.marks[0], whole=True)
            raise
        self.hooks.committed(self.history.committed())

    async def rollback(self, *, at_end: bool = False) -> None:
        """Undoes everything since the last commit.

        Args:
            at_end: The session ends badly: what hooks raise is logged.
        """
        if not (at_end and is_unsent(self.transactions)):
            await self._finish(self._roll_back(), undoes=True, quiet=at_end)
            return
        # nothing is waited for, and so nothing is to be shielded
        whole = self.transactions.is_open
        self.transactions.end()
        self._undo(self.history.marks[0], whole=whole)
        if self.hooks.due:
            await self.hooks.run_due(quiet=True)

    async def _roll_back(self) -> None:
        whole = self.transactions.is_open
        await self.transactions.rollback()
        self._undo(self.history.marks[0], whole=whole)

    def _undo(self, mark: Mark, *, whole: bool) -> None:
        # one whose block has ended with what was around it, the session for instance, was undone with that
        if mark in self.history.marks:
            self.unit.find_changes_inside()
            self.history.undo(mark, self.unit.origin())
            if whole:
                # nothing that was written is left for a later rollback to undo
                self.history.forget_writes()
            self.hooks.rolled_back(mark.ends, whole=whole)

    async def _finish(self, work: Coroutine[Any, Any, None], *, undoes: bool = False, quiet: bool = False) -> None:
        """Ends a block, whether or not the caller still waits, and calls the hooks that waited for it."""
        await self.hooks.then_due(
            shielded(work, self.patience, undoes=undoes, of=self.transactions.connections), quiet=quiet
        )

    # ---- transaction()

    def begin(self, options: Options) -> Block:
        """Opens a transaction."""
        self.unit.find_changes_inside()
        # what collections and relations lead to is pending too, and goes back to what it is now
        self.unit.cascade()
        return Block(self.transactions.begin(options), self.history.set_mark())

    async def enter(self, options: Options) -> Block:
        """Opens a transaction, or a savepoint in the open one, after writing what is pending."""
        await settled(self.transactions)
        if not self.transactions.is_open:
            return self.begin(options)
        if options is not DEFAULTS and options != DEFAULTS:
            raise TransactionError(
                "isolation, read_only and deferrable belong to the outermost transaction",
                hint="open it with them, before the first write of the session",
            )
        # inside of a hook, a write of several statements makes one
        if running.get() is None or hook_around(self.hooks.owner) is None:
            await self.flusher.flush()
        return Block(await self.transactions.savepoint(), self.history.set_mark())

    async def leave(self, block: Block, *, failed: bool) -> None:
        """Ends a transaction well, or rolls it back."""
        await self.hooks.then_due(self._leave(block, failed=failed), quiet=failed)

    async def _leave(self, block: Block, *, failed: bool) -> None:
        try:
            await self.transactions.drain(cancel=failed)
            if not failed:
                _check_open(self.transactions, block)
                await self.flusher.flush()
                if self.hooks.busy or BEFORE_COMMIT in self.hooks.wide:
                    await self._write_rest(outermost=block.level.savepoint is None)
                await self._shielded(self._release(block))
                return
        except BaseException:
            await self._give_up(block)
            raise
        await self._give_up(block)

    async def _give_up(self, block: Block) -> None:
        if is_unsent(self.transactions):
            # nothing is waited for, and so nothing is to be shielded
            if block.level in self.transactions.levels:
                forget(self.transactions, block.level)
            self._undo(block.mark, whole=block.level.savepoint is None)
        else:
            await shielded(self._roll_back_to(block), self.patience, undoes=True)

    async def _release(self, block: Block) -> None:
        await self.transactions.commit(block.level)
        if self.transactions.is_open:
            self.history.release_mark(block.mark)
        else:
            self.hooks.committed(self.history.committed())

    async def _roll_back_to(self, block: Block) -> None:
        await self.transactions.rollback_to(block.level)
        # also where a refused COMMIT has ended it
        self._undo(block.mark, whole=block.level.savepoint is None)

    # ---- the block of a single write

    async def keep(self, block: Block, *, nested: bool) -> None:
        """Ends a block well; what it began goes on, but for autocommit mode.

        Args:
            block: The block.
            nested: A transaction was open before.
        """
        _check_open(self.transactions, block)
        if nested or self.autocommit:
            if not nested:
                self.hooks.refresh()
                await self._write_rest(outermost=True)
            await self._finish(self._release(block))
            return
        self.transactions.check()
        block.level.implicit = True
        self.history.release_mark(block.mark)

    async def undo(self, block: Block) -> None:
        """Undoes a block for who holds the lock: nobody has a statement run in between."""
        await self.transactions.undo(block.level)
        self._undo(block.mark, whole=block.level.savepoint is None)

    async def undo_in_turn(self, block: Block) -> None:
        """Undoes a block that has failed, or of which nothing was sent."""
        await self._finish(self._roll_back_to(block), undoes=True, quiet=True)


def _check_open(transactions: TransactionStack, block: Block) -> None:
    if block.level not in transactions.levels:
        raise TransactionError("the transaction was ended inside of its block", hint="leave the block instead")


# ------------------------------------------------------------------ the session's own block


def is_over(blocks: Blocks) -> bool:
    """Whether nothing is left to be ended, or told, since the last commit."""
    unit, hooks, work = blocks.unit, blocks.hooks, blocks.transactions
    if work.levels or work.in_flight or work.cursors or unit.identity.documents:
        return False
    if unit.new or unit.dirty or unit.deleted or unit.collections:
        return False
    told = hooks.due or hooks.busy or hooks.wide or hooks.has_news or hooks.version != registrations.version
    marks = blocks.history.marks
    return not (told or unit.forgotten) and len(marks) == 1 and marks[0].is_blank


async def end(blocks: Blocks, check: Callable[[], None], *, failed: bool) -> None:
    """Commits what a session did, or rolls it back.

    Args:
        blocks: The session's.
        check: Refuses to commit, when nobody has a statement in flight any more.
        failed: The session's block was left by an exception.
    """
    transactions = blocks.transactions
    try:
        # what another task begins while the COMMIT is on its way is committed, too: nobody would end it later
        while not failed:
            if transactions.in_flight:
                await transactions.drain(cancel=False)
            check()
            blocks.hooks.has_news = False
            await blocks.commit()
            if blocks.hooks.has_news:
                await _commit_rest(blocks)
            if not transactions.levels:
                return
    except BaseException:
        await _end_badly(blocks)
        raise
    await _end_badly(blocks)


async def _end_badly(blocks: Blocks) -> None:
    while True:
        try:
            await blocks.transactions.drain(cancel=True)
        finally:
            await blocks.rollback(at_end=True)
        if not blocks.transactions.levels:
            return


async def _commit_rest(blocks: Blocks) -> None:
    """Commits what hooks have added after the commit: nobody would do it later."""
    for _ in range(1, ROUNDS):
        blocks.hooks.has_news = False
        await blocks.commit()
        if not blocks.hooks.has_news:
            return
    raise blocks.hooks.endless("end of the session")
