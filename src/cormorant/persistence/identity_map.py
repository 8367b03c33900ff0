"""One instance for each row: the live instances of a session state by model and key."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from cormorant.errors import ForeignInstanceError
from cormorant.models.describing import shown_key
from cormorant.models.late import reads_all_late
from cormorant.models.metadata import ModelInfo
from cormorant.models.model import Model
from cormorant.models.state import is_persistent, row_key_of


class ByModel(dict[ModelInfo, dict[Any, Any]]):
    """Instances by key, by model; a model's dictionary is made when it is first asked for."""

    __slots__ = ("documents",)

    def __init__(self) -> None:
        # by model, those whose JSON or arrays somebody may have changed, of which nobody tells
        self.documents: dict[ModelInfo, dict[Any, Model]] = {}

    def __missing__(self, info: ModelInfo) -> dict[Any, Any]:
        made: dict[Any, Any] = {}
        self[info] = made
        if not reads_all_late(info):
            self.documents[info] = made
        return made


class IdentityMap:
    """Holds instances strongly, so that an object keeps its identity while the session lives.

    A stream lets its objects go: they stay the session's, and whoever changes one of them brings it back.
    """

    __slots__ = ("by_model", "documents", "has_let_go", "of", "remember")

    of: Callable[[ModelInfo], dict[Any, Any]]
    """Gives a model's instances by key; hydration reads and writes them directly."""

    def __init__(self) -> None:
        self.by_model: ByModel = ByModel()
        self.documents: dict[ModelInfo, dict[Any, Model]] = self.by_model.documents
        # every query asks, and a bound method of C costs no Python call
        self.of = self.by_model.__getitem__
        self.has_let_go: bool = False
        # in a transaction that has written, called with an instance before a row goes over it: a rollback puts it back
        self.remember: Callable[[Model], None] | None = None

    def get(self, info: ModelInfo, key: Any) -> Any:
        """Gives an instance, or None."""
        return self.of(info).get(key)

    def put(self, info: ModelInfo, key: Any, instance: Model) -> None:
        """Takes an instance in."""
        self.of(info)[key] = instance
        if info.read_late:
            self.opened(instance)

    def opened(self, instance: Model) -> None:
        """Has changes looked for inside of an instance from now on."""
        info = type(instance).__info__
        if reads_all_late(info):
            self.documents.setdefault(info, {})[id(instance)] = instance

    def discard(self, info: ModelInfo, key: Any, instance: Model) -> None:
        """Forgets an instance, if it is the one held."""
        known = self.of(info)
        if known.get(key) is instance:
            del known[key]
        # where it holds all of a model's objects it is the one that they were just taken out of
        if reads_all_late(info) and info in self.documents:
            self.documents[info].pop(id(instance), None)

    def let_go(self, instance: Model) -> None:
        """Forgets an instance that is still the session's."""
        self.has_let_go = True
        self.discard(type(instance).__info__, row_key_of(instance), instance)

    def take_back(self, instance: Model) -> None:
        """Holds an instance again that was let go.

        Raises:
            ForeignInstanceError: The session has another one for the same row by now.
        """
        if not self.has_let_go or not is_persistent(instance):
            return
        info = type(instance).__info__
        known = self.of(info).setdefault(row_key_of(instance), instance)
        if known is not instance:
            raise ForeignInstanceError(
                f"{instance!r} was streamed, and the session has read its row into another object since",
                hint=f"use that one: await session.get({info.name}, {shown_key(info, row_key_of(instance))})",
            )
        if info.read_late:
            self.opened(instance)

    def __iter__(self) -> Iterator[Model]:
        return (instance for known in list(self.by_model.values()) for instance in list(known.values()))

    def __len__(self) -> int:
        return sum(map(len, self.by_model.values()))

    def __contains__(self, instance: object) -> bool:
        if not isinstance(instance, Model) or not is_persistent(instance):
            return False
        return self.by_model.get(type(instance).__info__, {}).get(row_key_of(instance)) is instance

    def clear(self) -> None:
        """Forgets everything."""
        self.documents.clear()
        self.by_model.clear()
