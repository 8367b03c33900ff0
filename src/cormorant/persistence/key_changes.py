"""Keys that change: what points to the row follows, in the same flush and in the objects that are loaded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from cormorant.models.links import RelationInfo
from cormorant.models.metadata import ModelInfo
from cormorant.models.model import Model
from cormorant.models.state import MISSING, bare_key, set_attribute, value_or_missing
from cormorant.persistence.changes import ChangeSet, UpdateChange
from cormorant.persistence.flush_order import to_ones
from cormorant.persistence.history import History
from cormorant.persistence.identity_map import IdentityMap

Key: TypeAlias = tuple[Any, ...]
Moves: TypeAlias = dict[ModelInfo, dict[Key, Key]]
"""For each model its old keys with the new ones."""


def moved(changes: Iterable[UpdateChange]) -> list[UpdateChange]:
    """Gives the changes that give a row another key."""
    found: list[UpdateChange] = []
    # most flushes change one row, for which a comprehension would be another call
    for change in changes:
        if not change.info.key_set.isdisjoint(change.values):
            found.append(change)  # noqa: PERF401
    return found


def new_key(change: UpdateChange) -> Key:
    """Gives the key that a row will have."""
    pairs = zip(change.info.key_attributes, change.key, strict=True)
    return tuple([change.values.get(name, old) for name, old in pairs])


# ------------------------------------------------------------------ what is written


def without_followers(changes: ChangeSet) -> ChangeSet:
    """Gives the changes without those that the database makes by itself, where keys cascade."""
    moves = moves_of(moved(changes.updates))
    if not moves:
        return changes
    updates: list[UpdateChange] = []
    for change in changes.updates:
        own = {
            name for relation in to_ones(change.info) if _follows(change, relation, moves) for name in relation.local
        }
        values = {name: value for name, value in change.values.items() if name not in own}
        if values:
            updates.append(change._replace(values=values) if own else change)
    return changes._replace(updates=tuple(updates))


def moves_of(changes: Iterable[UpdateChange]) -> Moves:
    """Gives the old keys of rows with their new ones."""
    found: Moves = {}
    for change in changes:
        found.setdefault(change.info, {})[change.key] = new_key(change)
    return found


def _follows(change: UpdateChange, relation: RelationInfo, moves: Moves) -> bool:
    if relation.on_update != "cascade" or relation.target not in moves:
        return False
    before = tuple([change.originals.get(name, value_or_missing(change.instance, name)) for name in relation.local])
    after = tuple([change.values.get(name, MISSING) for name in relation.local])
    return moves[relation.target].get(before, MISSING) == after


# ------------------------------------------------------------------ what is loaded


class Follow:
    """Has the objects of a session follow keys that have changed in the database.

    Args:
        identity: The session's objects.
        history: Remembers them as they were.
    """

    def __init__(self, identity: IdentityMap, history: History) -> None:
        self.identity = identity
        self.history = history

    def __call__(self, movers: Sequence[UpdateChange], keys: Sequence[Key]) -> None:
        """Gives objects their new places, and those that point to them the new keys.

        Args:
            movers: The changes of keys.
            keys: The new keys, as the rows have them.
        """
        # all leave before any comes: one may have taken the other's key
        for change in movers:
            self.identity.discard(change.info, bare_key(change.key), change.instance)
        moves: Moves = {}
        for change, key in zip(movers, keys, strict=True):
            self.identity.put(change.info, bare_key(key), change.instance)
            moves.setdefault(change.info, {})[change.key] = key
        while moves:
            moves = self._cascade(moves)

    def _cascade(self, moves: Moves) -> Moves:
        """Has the loaded objects follow whose rows have, and gives those whose own keys change by that."""
        further: Moves = {}
        for info, known in list(self.identity.by_model.items()):
            for relation in to_ones(info):
                if relation.on_update == "cascade" and relation.target in moves:
                    self._follow(info, list(known.values()), relation, moves[relation.target], further)
        return further

    def _follow(
        self, info: ModelInfo, instances: Iterable[Model], relation: RelationInfo, keys: Mapping[Key, Key], more: Moves
    ) -> None:
        in_key = not info.key_set.isdisjoint(relation.local)
        for instance in instances:
            held = tuple([value_or_missing(instance, name) for name in relation.local])
            key = keys.get(held)
            if key is None:
                continue
            self.history.keep(instance)
            old = _key(instance)
            for name, value in zip(relation.local, key, strict=True):
                set_attribute(instance, name, value)
            if in_key:
                self.identity.discard(info, bare_key(old), instance)
                self.identity.put(info, bare_key(_key(instance)), instance)
                more.setdefault(info, {})[old] = _key(instance)


def _key(instance: Model) -> Key:
    return tuple([value_or_missing(instance, name) for name in type(instance).__info__.key_attributes])
