"""Functions of your own that are called when objects are validated, saved and deleted, and transactions end.

    @hooks.before_save(Task)
    async def slug(task: Task, *, created: bool) -> None: ...

A target is a model, or an abstract base or mixin of several; a session; or a database with all its sessions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, Protocol, overload

from typing_extensions import TypeVar

from cormorant.hooks import events
from cormorant.hooks.dispatcher import HookTarget, hooks_at, register, remove
from cormorant.hooks.events import Event

T = TypeVar("T")
S = TypeVar("S")
R = TypeVar("R")
T_contra = TypeVar("T_contra", contravariant=True)
R_co = TypeVar("R_co", covariant=True)


class SaveHook(Protocol[T_contra, R_co]):
    """A function that wants to know whether the object is new."""

    def __call__(self, obj: T_contra, /, *, created: bool) -> R_co:
        """Is called with the object."""
        ...


class Registering(Generic[T]):
    """Registers the function it decorates, and gives it back."""

    __slots__ = ("_event", "_target")

    def __init__(self, event: Event, target: object) -> None:
        hooks_at(target)
        self._event = event
        self._target = target

    def __call__(self, function: Callable[[T], R], /) -> Callable[[T], R]:
        register(self._event, self._target, function)
        return function


class RegisteringSave(Generic[T]):
    """Registers the function it decorates, which may take `created`, and gives it back."""

    __slots__ = ("_event", "_target")

    def __init__(self, event: Event, target: object) -> None:
        hooks_at(target)
        self._event = event
        self._target = target

    @overload
    def __call__(self, function: Callable[[T], R], /) -> Callable[[T], R]: ...
    @overload
    def __call__(self, function: SaveHook[T, R], /) -> SaveHook[T, R]: ...
    def __call__(self, function: Any, /) -> Any:
        register(self._event, self._target, function)
        return function


class SaveEvent:
    """`@hooks.before_save(Task)`: registers a function of an object, and of whether it is new."""

    __slots__ = ("_event",)

    def __init__(self, event: Event) -> None:
        self._event = event

    @overload
    def __call__(self, target: type[T], /) -> RegisteringSave[T]: ...
    @overload
    def __call__(self, target: HookTarget[S, T], /) -> RegisteringSave[T]: ...
    def __call__(self, target: object, /) -> RegisteringSave[Any]:
        return RegisteringSave(self._event, target)


class ObjectEvent:
    """`@hooks.before_delete(Task)`: registers a function of an object."""

    __slots__ = ("_event",)

    def __init__(self, event: Event) -> None:
        self._event = event

    @overload
    def __call__(self, target: type[T], /) -> Registering[T]: ...
    @overload
    def __call__(self, target: HookTarget[S, T], /) -> Registering[T]: ...
    def __call__(self, target: object, /) -> Registering[Any]:
        return Registering(self._event, target)


class TransactionEvent:
    """`@hooks.after_commit(db)`: registers a function of the session, or `@hooks.after_commit(Task)` of an object."""

    __slots__ = ("_event",)

    def __init__(self, event: Event) -> None:
        self._event = event

    @overload
    def __call__(self, target: type[T], /) -> Registering[T]: ...
    @overload
    def __call__(self, target: HookTarget[S, T], /) -> Registering[S]: ...
    def __call__(self, target: object, /) -> Registering[Any]:
        return Registering(self._event, target)


before_validate: SaveEvent = SaveEvent(events.BEFORE_VALIDATE)
"""Before an object's values are checked: the place to fill in and to tidy up."""
after_validate: SaveEvent = SaveEvent(events.AFTER_VALIDATE)
"""After every object of the flush was found right, before anything is sent."""
before_save: SaveEvent = SaveEvent(events.BEFORE_SAVE)
"""Before a new or changed object is checked and written; an exception stops the flush, and nothing is sent."""
after_save: SaveEvent = SaveEvent(events.AFTER_SAVE)
"""After an object's row was written, inside the transaction."""
before_delete: ObjectEvent = ObjectEvent(events.BEFORE_DELETE)
"""Before a row is deleted; an exception stops the flush, and `session.add(obj)` takes the delete back."""
after_delete: ObjectEvent = ObjectEvent(events.AFTER_DELETE)
"""After a row was deleted, inside the transaction."""
before_commit: TransactionEvent = TransactionEvent(events.BEFORE_COMMIT)
"""Before COMMIT, when all is written; what is added is written too."""
after_commit: TransactionEvent = TransactionEvent(events.AFTER_COMMIT)
"""After a successful COMMIT: of a session or database once, of a model for each object that was written."""
after_rollback: TransactionEvent = TransactionEvent(events.AFTER_ROLLBACK)
"""After a rollback: of a session or database once for a transaction, of a model for each object it undoes."""

__all__ = [
    "after_commit",
    "after_delete",
    "after_rollback",
    "after_save",
    "after_validate",
    "before_commit",
    "before_delete",
    "before_save",
    "before_validate",
    "remove",
]
