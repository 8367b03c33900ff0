"""Calls the users' hooks: before and after a flush writes, before and after the end of a transaction."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, ParamSpec

from typing_extensions import TypeVar

from cormorant.database import Database
from cormorant.errors import AfterHookError, FlushError
from cormorant.hooks.dispatcher import (
    Hook,
    HookTarget,
    call,
    called,
    hook_around,
    hooks_kept_by,
    is_target,
    name_of,
    registrations,
)
from cormorant.hooks.events import (
    AFTER_COMMIT,
    AFTER_DELETE,
    AFTER_ROLLBACK,
    AFTER_SAVE,
    AFTER_VALIDATE,
    BEFORE_COMMIT,
    BEFORE_DELETE,
    BEFORE_SAVE,
    BEFORE_VALIDATE,
    EVENTS,
    Event,
)
from cormorant.models.metadata import ModelInfo, hooks_for
from cormorant.models.model import Model
from cormorant.persistence.changes import ChangeSet, is_changed
from cormorant.persistence.collecting import collected, gather
from cormorant.persistence.ends import Ends, joined
from cormorant.persistence.orphans import show_again
from cormorant.persistence.transaction import TransactionStack
from cormorant.persistence.unit_of_work import UnitOfWork

if TYPE_CHECKING:
    from cormorant.persistence.state import SessionState

T = TypeVar("T")
S_co = TypeVar("S_co", covariant=True)
P = ParamSpec("P")

ROUNDS = 100
"""How often hooks may give one flush, or one commit, more to do."""

_ENDS = (BEFORE_COMMIT, AFTER_COMMIT, AFTER_ROLLBACK)
_INSIDE = (AFTER_SAVE, AFTER_DELETE, BEFORE_COMMIT)
_NOTHING: Mapping[str, Any] = {}

_log = logging.getLogger("cormorant.hooks")


class SessionHooks:
    """The hooks that one session calls.

    Args:
        owner: The session state.
        handle: The session as users have it.
        database: Its database.
        unit: What is pending.
        transactions: What fails with a hook.
    """

    __slots__ = (
        "_database",
        "busy",
        "due",
        "handle",
        "has_news",
        "last",
        "owner",
        "transactions",
        "unit",
        "version",
        "wide",
    )

    def __init__(
        self, owner: object, handle: object, database: Database, unit: UnitOfWork, transactions: TransactionStack
    ) -> None:
        self.owner: object = owner
        self.handle: object = handle
        self.unit: UnitOfWork = unit
        self.transactions: TransactionStack = transactions
        # the hooks of the database and of the session, as of a number of registrations
        self.version: int = -1
        self.wide: dict[Event, tuple[Hook, ...]] = {}
        self.due: list[tuple[Event, Ends | None, bool]] = []
        # a flush of the open transaction had hooks
        self.busy: bool = False
        # hooks have left something that is pending
        self.has_news: bool = False
        self.last: Hook | None = None
        self._database = database

    def refresh(self) -> None:
        """Finds out which hooks the database and the session have, after a registration."""
        if self.version == registrations.version:
            return
        self.version = registrations.version
        # by far the most sessions have none
        self.wide = {}
        if registrations.of_targets and (kept := hooks_kept_by(self._database, self.handle)):
            self.wide = {event: found for event in EVENTS if (found := sum((hooks.of(event) for hooks in kept), ()))}

    def of(self, info: ModelInfo, event: Event) -> tuple[Hook, ...]:
        """Gives what is called for an object of a model: the model's, the database's, the session's."""
        hooks = hooks_for(info).get(event, ())
        return hooks if event.of_sessions else hooks + self.wide.get(event, ())

    def run_for(self, infos: Iterable[ModelInfo]) -> HookRun | None:
        """Gives the hooks of one flush; None where nothing that is pending has any."""
        self.refresh()
        own = [found for info in infos if (found := hooks_for(info))]
        if not own and all(event.of_sessions for event in self.wide):
            return None
        self.busy = True
        return HookRun(self)

    async def tell(self, hooks: tuple[Hook, ...], subject: object, facts: Mapping[str, Any] = _NOTHING) -> None:
        """Calls hooks."""
        if hooks:
            self.last = hooks[-1]
            await call(hooks, subject, self.owner, facts)

    def endless(self, what: str) -> FlushError:
        """Gives the error for hooks that come to no end."""
        return FlushError(
            f"hooks gave the {what} more to do {ROUNDS} times, the last one was the {self.last}",
            hint="it adds or changes objects each time: have it tell those it made from the others",
        )

    # ---- the end of a transaction

    def call_once(self, event: Event, function: Callable[[], object], name: str) -> None:
        """Has a function called once, at the end of the innermost block or of the transaction around it."""

        def once(_: object) -> object:
            return function()

        once.__qualname__ = name
        mark = self.unit.history.marks[-1]
        ends = mark.ends = mark.ends or Ends()
        (ends.on_commit if event is AFTER_COMMIT else ends.on_rollback).append(Hook(event, once, ()))

    async def before_commit(self, told: dict[int, object]) -> bool:
        """Tells of a commit all those that were not told yet; gives whether there were any."""
        ends = joined(mark.ends for mark in self.unit.history.marks)
        subjects: list[tuple[object, tuple[Hook, ...]]] = [
            (instance, self.of(type(instance).__info__, BEFORE_COMMIT))
            for instance in (ends or Ends()).written.values()
        ]
        subjects += [(self._face(hook), (hook,)) for hook in self.wide.get(BEFORE_COMMIT, ()) if not told]
        fresh = [(subject, hooks) for subject, hooks in subjects if hooks and id(subject) not in told]
        told[id(self)] = self
        for subject, hooks in fresh:
            told[id(subject)] = subject
            await self.tell(hooks, subject)
        return bool(fresh)

    def _face(self, hook: Hook) -> object:
        """Gives the session as a session hook is to see it."""
        own = self.handle.__orm_hooks__ if is_target(self.handle) else None
        if own is not None and own.face is not None and hook in own.of(hook.event):
            return own.face
        return self.handle

    def committed(self, ends: Ends | None, *, wrote: bool = True) -> None:
        """Notes that a transaction was committed; the hooks are called by `run_due`, where they may wait."""
        self.refresh()
        if ends is not None or (wrote and AFTER_COMMIT in self.wide):
            self.due.append((AFTER_COMMIT, ends, wrote))
        self.busy = False

    def rolled_back(self, ends: Ends | None, *, whole: bool) -> None:
        """Notes that a block was undone.

        Args:
            ends: What waited for its end.
            whole: It was the transaction itself.
        """
        self.refresh()
        if ends is not None or (whole and AFTER_ROLLBACK in self.wide):
            self.due.append((AFTER_ROLLBACK, ends, whole))
        self.busy = self.busy and not whole

    async def run_due(self, *, quiet: bool = False) -> None:
        """Calls the hooks of what has ended; all of them, whatever one of them raises.

        Args:
            quiet: Another error is on its way: what hooks raise is logged.

        Raises:
            AfterHookError: Hooks raised errors; what was committed or rolled back stays so.
        """
        errors: list[tuple[Hook, Exception]] = []
        interrupted: asyncio.CancelledError | None = None
        while self.due:
            event, ends, whole = self.due.pop(0)
            for subject, hook in self._told_of(event, ends or Ends(), whole=whole):
                try:
                    await self.tell((hook,), subject)
                except asyncio.CancelledError as error:
                    interrupted = error
                except Exception as error:
                    errors.append((hook, error))
        self.has_news = not self.unit.is_empty
        quiet = quiet or interrupted is not None
        for hook, cause in errors if quiet else ():
            _log.error("the %s failed, while another error was raised", hook, exc_info=cause)
        if interrupted is not None:
            raise interrupted
        if errors and not quiet:
            raise _failed(errors)

    async def then_due(self, work: Coroutine[Any, Any, T], *, quiet: bool = False) -> T:
        """Waits for work that may end a transaction, and calls the hooks that waited for its end."""
        try:
            result = await work
        except BaseException:
            await self.run_due(quiet=True)
            raise
        if self.due:
            await self.run_due(quiet=quiet)
        return result

    def _told_of(self, event: Event, ends: Ends, *, whole: bool) -> list[tuple[object, Hook]]:
        found: list[tuple[object, Hook]] = [
            (instance, hook) for instance in ends.written.values() for hook in self.of(type(instance).__info__, event)
        ]
        found += [(None, hook) for hook in (ends.on_commit if event is AFTER_COMMIT else ends.on_rollback)]
        if whole:
            found += [(self._face(hook), hook) for hook in self.wide.get(event, ())]
        return found


def _failed(errors: list[tuple[Hook, Exception]]) -> AfterHookError:
    event = errors[0][0].event
    what = "was committed" if event is AFTER_COMMIT else "was rolled back"
    causes = [error for _, error in errors]
    lines = "".join(f"\n  {hook}: {type(error).__name__}: {error}" for hook, error in errors)
    error = AfterHookError(
        f"the transaction {what}, and then {len(errors)} hook{'s'[: len(errors) != 1]} failed:{lines}",
        causes,
        hint=f"do not repeat what {what}; the other hooks were called, and the session goes on",
    )
    error.__cause__ = causes[0] if len(causes) == 1 else ExceptionGroup(f"hooks of {event.name}", causes)
    return error


class HookedSession(HookTarget[S_co, Model]):
    """What users ask of a session to be called once."""

    if TYPE_CHECKING:

        def state(self) -> SessionState: ...

    def after_commit(self, fn: Callable[P, object], /, *args: P.args, **kwargs: P.kwargs) -> None:
        """Has a function called once after what is going on is committed; forgotten if it is rolled back.

        Inside of a savepoint it waits for the outermost commit.

        Args:
            fn: A sync or async function.
            args: What it is called with.
            kwargs: What it is called with by name.

        Raises:
            HookError: It cannot be called.

        Example:
            >>> session.after_commit(send_welcome, user.email)
        """
        work = partial(called(AFTER_COMMIT, fn), *args, **kwargs)
        self.state().blocks.hooks.call_once(AFTER_COMMIT, work, name_of(fn))

    def after_rollback(self, fn: Callable[P, object], /, *args: P.args, **kwargs: P.kwargs) -> None:
        """Has a function called once after the innermost block, or one around it, is rolled back.

        Args:
            fn: A sync or async function.
            args: What it is called with.
            kwargs: What it is called with by name.

        Raises:
            HookError: It cannot be called.
        """
        work = partial(called(AFTER_ROLLBACK, fn), *args, **kwargs)
        self.state().blocks.hooks.call_once(AFTER_ROLLBACK, work, name_of(fn))


class HookRun:
    """The hooks of one flush.

    Args:
        hooks: The session's.
    """

    def __init__(self, hooks: SessionHooks) -> None:
        self.hooks = hooks
        self.unit: UnitOfWork = hooks.unit
        # by id, and whether it was to be deleted; held, so that no other object gets the id
        self._seen: dict[tuple[int, bool], Model] = {}
        self._checked: dict[int, Model] = {}
        self._found: dict[tuple[ModelInfo, Event], tuple[Hook, ...]] = {}

    async def prepare(self) -> ChangeSet:
        """Calls the hooks before a write, until they give nothing more to do, and gives what is to be written.

        Raises:
            FlushError: Hooks come to no end.
        """
        for _ in range(ROUNDS):
            todo = self._todo()
            if todo:
                for instance, deleting in todo:
                    await self._before(instance, deleting=deleting)
            else:
                changes = collected(self.unit)
                if not await self._after_validate(changes):
                    return changes
            gather(self.unit, self.unit.delete)
        raise self.hooks.endless("flush")

    def _of(self, info: ModelInfo, event: Event) -> tuple[Hook, ...]:
        """Gives what is called for an object of a model: found out once for a flush."""
        found = self._found.get((info, event))
        if found is None:
            found = self._found[info, event] = self.hooks.of(info, event)
        return found

    def _todo(self) -> list[tuple[Model, bool]]:
        unit, seen = self.unit, self._seen
        saved = [(instance, False) for instance in unit.new.values() if (id(instance), False) not in seen]
        saved += [
            (instance, False)
            for key, instance in unit.dirty.items()
            if (key, False) not in seen and key not in unit.deleted and is_changed(instance)
        ]
        return saved + [(gone, True) for gone in unit.deleted.values() if (id(gone), True) not in seen]

    async def _before(self, instance: Model, *, deleting: bool) -> None:
        unit, hooks, key = self.unit, self.hooks, id(instance)
        self._seen[key, deleting] = instance
        info = type(instance).__info__
        if deleting:
            found = self._of(info, BEFORE_DELETE)
            # another hook may have taken the delete back
            if found and key in unit.deleted:
                await hooks.tell(found, instance)
                if key not in unit.deleted and not is_changed(instance):
                    show_again(instance)
            return
        for event in (BEFORE_VALIDATE, BEFORE_SAVE):
            found, created = self._of(info, event), key in unit.new
            if found and (created or (key in unit.dirty and key not in unit.deleted)):
                await hooks.tell(found, instance, {"created": created})

    async def _after_validate(self, changes: ChangeSet) -> bool:
        """Tells of objects that were found right; gives whether anybody was told, and may have changed something."""
        told = False
        for created, part in ((True, changes.inserts), (False, changes.updates)):
            for change in part:
                found = self._of(change.info, AFTER_VALIDATE)
                if found and id(change.instance) not in self._checked:
                    self._checked[id(change.instance)] = change.instance
                    told = True
                    await self.hooks.tell(found, change.instance, {"created": created})
        return told

    def needs_transaction(self, changes: ChangeSet) -> bool:
        """Whether hooks are called between the write and its commit."""
        models = {change.info for part in (changes.inserts, changes.updates, changes.deletes) for change in part}
        return any(self.hooks.of(info, event) for info in models for event in _INSIDE)

    def note(self, changes: ChangeSet) -> None:
        """Remembers the objects that want to know how the transaction ends."""
        mark = self.unit.history.marks[-1]
        wanting: dict[ModelInfo, bool] = {}
        for part in (changes.inserts, changes.updates, changes.deletes):
            for change in part:
                wants = wanting.get(change.info)
                if wants is None:
                    wants = wanting[change.info] = any(map(hooks_for(change.info).get, _ENDS))
                if wants:
                    ends = mark.ends = mark.ends or Ends()
                    ends.written[id(change.instance)] = change.instance

    async def after(self, changes: ChangeSet) -> None:
        """Tells of what was written, in the transaction, which fails if a hook does."""
        hooks = self.hooks
        try:
            for created, part in ((True, changes.inserts), (False, changes.updates)):
                for change in part:
                    if found := self._of(change.info, AFTER_SAVE):
                        await hooks.tell(found, change.instance, {"created": created})
            for gone in changes.deletes:
                if found := self._of(gone.info, AFTER_DELETE):
                    await hooks.tell(found, gone.instance)
        except BaseException as error:
            hooks.transactions.fail(error)
            raise
        if self.needs_transaction(changes):
            hooks.has_news = not self.unit.is_empty


def refuse_in_hooks(owner: object, verb: str) -> None:
    """Refuses what a hook must not do: it is part of a flush, or of the end of a transaction.

    Raises:
        FlushError: The calling code is part of a hook of this session.
    """
    hook = hook_around(owner)
    if hook is not None:
        raise FlushError(
            f"{verb} inside of the {hook}, which is part of a flush or commit itself",
            hint="session.add() and changes are enough, they are written with it; "
            "for work of its own open a session: async with AsyncSession()",
        )
