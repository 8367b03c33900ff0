"""Keeps functions for events, and calls them: sync or async, in the order of their registration."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Coroutine, Iterable, Mapping
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Generic
from weakref import WeakSet

from typing_extensions import TypeIs, TypeVar

from cormorant._internal.narrowing import narrower
from cormorant.errors import HookError
from cormorant.hooks.events import EVENTS, Event

S_co = TypeVar("S_co", covariant=True)
O_co = TypeVar("O_co", covariant=True)

_ON_CLASSES = "__orm_class_hooks__"


class Registrations:
    """Counts registrations: what was found out about hooks holds until the next one.

    Attributes:
        of_targets: Whether somebody has asked for the hooks of a session or a database: most programs have none.
    """

    version: int = 0
    of_targets: bool = False


registrations: Registrations = Registrations()


@dataclass(frozen=True, slots=True)
class Hook:
    """A function for an event.

    Args:
        takes: The facts about the event that it takes, by keyword.
    """

    event: Event
    function: Callable[..., Any]
    takes: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.event.name} hook {name_of(self.function)}"


def name_of(function: object) -> str:
    """Gives a function's name, for messages."""
    return getattr(function, "__qualname__", None) or repr(function)


# ------------------------------------------------------------------ signatures


def called(event: Event, function: object) -> Callable[..., object]:
    """Gives a function that can be called at an event.

    Raises:
        HookError: It is none, or one that would do nothing when it is called.
    """
    if not callable(function):
        hint = "pass a function, not what it gives; session.after_commit(send, user.email) takes its arguments too"
        raise HookError(f"{function!r} is registered for {event.name} and cannot be called", hint=hint)
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise HookError(f"{name_of(function)} is registered for {event.name} and yields", hint="a hook returns")
    return function


def hook_of(event: Event, function: object) -> Hook:
    """Gives the hook of a function, once it is known that it can be called.

    Raises:
        HookError: It cannot be called with an object alone, or an object and facts about the event.
    """
    function = called(event, function)
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        # written in C, and silent about what it takes
        return Hook(event, function, ())
    return Hook(event, function, _taken(event, function, parameters))


def _taken(event: Event, function: object, parameters: list[inspect.Parameter]) -> tuple[str, ...]:
    """Gives the facts that a function takes."""
    kinds = inspect.Parameter
    first = parameters[0] if parameters else None
    if first is None or first.kind in (kinds.KEYWORD_ONLY, kinds.VAR_KEYWORD):
        raise _wrong(event, function, "takes no object")
    taken: list[str] = []
    for parameter in parameters if first.kind is kinds.VAR_POSITIONAL else parameters[1:]:
        if parameter.kind is kinds.VAR_KEYWORD:
            return event.facts
        if parameter.name in event.facts and parameter.kind in (kinds.KEYWORD_ONLY, kinds.POSITIONAL_OR_KEYWORD):
            taken.append(parameter.name)
        elif parameter.default is kinds.empty and parameter.kind is not kinds.VAR_POSITIONAL:
            raise _wrong(event, function, f"wants {parameter.name!r}")
    return tuple(taken)


def _wrong(event: Event, function: object, what: str) -> HookError:
    facts = "".join(f", {name}" for name in event.facts)
    subject = "obj (of a session or database: session)" if event.of_sessions else "obj"
    return HookError(
        f"{name_of(function)} {what}, and is registered for {event.name}",
        hint=f"its parameters: {subject}" + (f", or obj, *{facts}" if facts else ""),
    )


# ------------------------------------------------------------------ where they are kept


class Hooks(Generic[S_co, O_co]):
    """The hooks of one target, in the order of their registration.

    Args:
        face: What session hooks are given; None where it is the session itself.
    """

    __slots__ = ("__weakref__", "_hooks", "face")

    def __init__(self, face: S_co | None = None) -> None:
        self.face: S_co | None = face
        self._hooks: list[Hook] = []
        _all.add(self)

    def __len__(self) -> int:
        return len(self._hooks)

    def add(self, hook: Hook) -> None:
        """Adds one at the end."""
        self._hooks.append(hook)
        registrations.version += 1

    def discard(self, function: object) -> bool:
        """Takes a function out, and tells whether it was there."""
        kept = [hook for hook in self._hooks if hook.function != function]
        found = len(kept) < len(self._hooks)
        self._hooks[:] = kept
        registrations.version += found
        return found

    def of(self, event: Event) -> tuple[Hook, ...]:
        """Gives those of one event."""
        return tuple(hook for hook in self._hooks if hook.event is event)


_all: WeakSet[Hooks[Any, Any]] = WeakSet()


class HookTarget(Generic[S_co, O_co]):
    """What hooks can be registered for besides models: a session, or a database with all its sessions.

    Its type arguments say what session hooks and object hooks are given.
    """

    _own_hooks: Hooks[S_co, O_co] | None = None

    @property
    def __orm_hooks__(self) -> Hooks[S_co, O_co]:
        registrations.of_targets = True
        found = self._own_hooks
        if found is None:
            found = self._own_hooks = Hooks()
        return found


is_target: Callable[[object], TypeIs[HookTarget[Any, Any]]] = narrower(HookTarget)


def hooks_kept_by(*targets: object) -> list[Hooks[Any, Any]]:
    """Gives the hooks of a database and a session, if they have any: most have none, and are asked for each session."""
    return [found for target in targets if (found := getattr(target, "_own_hooks", None))]


def is_class(target: object) -> TypeIs[type[Any]]:
    """Whether it is a class."""
    return isinstance(target, type)


def register(event: Event, target: object, function: object) -> None:
    """Has a function called at an event.

    Args:
        event: The event.
        target: A model, an abstract base or a mixin of models; a session or a database.
        function: The function.

    Raises:
        HookError: It cannot be registered so.
    """
    hook = hook_of(event, function)
    hooks_at(target).add(hook)


def hooks_at(target: object) -> Hooks[Any, Any]:
    """Gives the hooks of one target."""
    if is_target(target):
        return target.__orm_hooks__
    if is_class(target) and not issubclass(target, HookTarget):
        found: Hooks[Any, Any] | None = vars(target).get(_ON_CLASSES)
        if found is not None:
            return found
        made: Hooks[Any, Any] = Hooks()
        # a class of C takes no attributes
        with suppress(TypeError):
            setattr(target, _ON_CLASSES, made)
            return made
    raise HookError(
        f"{target!r} has no events",
        hint="name a model, an abstract base or a mixin; or a session or a database that was made",
    )


def remove(function: object) -> None:
    """Takes a function out of every event that it was registered for.

    Raises:
        HookError: It was registered for none.
    """
    if not sum([hooks.discard(function) for hooks in list(_all)]):
        raise HookError(f"{name_of(function)} is registered for no event", hint="pass the function that was registered")


def check_methods(name: str, namespace: Mapping[str, Any]) -> None:
    """Refuses methods of a class body that have an event's name and cannot be called at it.

    Raises:
        HookError: Naming the method.
    """
    for event in EVENTS:
        if event.name in namespace:
            if not inspect.isfunction(namespace[event.name]):
                raise HookError(f"{name}.{event.name} is no method", hint=f"write def {event.name}(self), or rename it")
            hook_of(event, namespace[event.name])


def hooks_of(cls: type, event: Event) -> tuple[Hook, ...]:
    """Gives what is called for objects of a class: its method, then functions, those of bases first."""
    found: list[Hook] = []
    for base in cls.__mro__:
        method = vars(base).get(event.name)
        if method is not None:
            # a column or relation of that name is no method
            found += [hook_of(event, method)] if inspect.isfunction(method) else []
            break
    for base in reversed(cls.__mro__):
        registered: Hooks[Any, Any] | None = vars(base).get(_ON_CLASSES)
        if registered is not None:
            found += registered.of(event)
    return tuple(found)


# ------------------------------------------------------------------ calls


class Running:
    """A hook that is being called for an owner; emptied afterwards, because tasks it has started inherit it."""

    __slots__ = ("hook", "owner", "parent")

    def __init__(self, owner: object, parent: Running | None) -> None:
        self.owner: object = owner
        self.parent: Running | None = parent
        self.hook: Hook | None = None


running: ContextVar[Running | None] = ContextVar("cormorant_hook", default=None)
"""The innermost hook that the calling code is part of."""


def hook_around(owner: object) -> Hook | None:
    """Gives the hook of an owner that the calling code is part of, or None."""
    cell = running.get()
    while cell is not None and cell.owner is not owner:
        cell = cell.parent
    return None if cell is None else cell.hook


async def call(hooks: Iterable[Hook], subject: object, owner: object, facts: Mapping[str, Any]) -> None:
    """Calls functions one after another.

    Args:
        hooks: The functions.
        subject: The object or the session they are about.
        owner: Whose flush or commit it is: `hook_around` gives them for it.
        facts: What they may take besides.
    """
    cell = Running(owner, running.get())
    running.set(cell)
    try:
        for hook in hooks:
            cell.hook = hook
            result = hook.function(subject, **{name: facts[name] for name in hook.takes})
            # and nothing else that can be awaited: objects of models can
            if isinstance(result, (Coroutine, asyncio.Future)):
                await result
    finally:
        cell.owner = cell.hook = None
        running.set(cell.parent)
