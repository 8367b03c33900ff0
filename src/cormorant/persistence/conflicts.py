"""Two objects with one key: found before anything is sent, since the session could not tell them apart afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cormorant.errors import KeyConflictError
from cormorant.models.describing import shown_key
from cormorant.models.metadata import ModelInfo
from cormorant.models.model import Model
from cormorant.models.state import bare_key, is_reference
from cormorant.persistence.changes import ChangeSet, InsertChange, UpdateChange
from cormorant.persistence.key_changes import moved, new_key


def refuse_same_keys(
    changes: ChangeSet, loaded: Mapping[ModelInfo, Mapping[Any, Model]], gone: Mapping[int, Model]
) -> None:
    """Refuses rows whose key another object has.

    Args:
        changes: What is to be written.
        loaded: The session's objects.
        gone: The objects whose rows are deleted first, by id.

    Raises:
        KeyConflictError: Naming both.
    """
    movers = moved(changes.updates) if changes.updates else []
    keyed: list[InsertChange | UpdateChange] = [*[c for c in changes.inserts if c.key_given], *movers]
    if not keyed:
        return
    leaving = gone.keys() | {id(change.instance) for change in movers}
    taken: dict[tuple[ModelInfo, Any], Model] = {}
    for change in keyed:
        key = _new_key(change)
        other = taken.setdefault((change.info, key), change.instance)
        if other is change.instance:
            known = loaded.get(change.info, {}).get(key)
            # a reference is nobody's row yet
            if known is None or known is other or id(known) in leaving or is_reference(known):
                continue
            other = known
        raise _conflict(change, key, other)


def _new_key(change: InsertChange | UpdateChange) -> Any:
    if isinstance(change, InsertChange):
        return bare_key(tuple([change.values[name] for name in change.info.key_attributes]))
    return bare_key(new_key(change))


def _conflict(change: InsertChange | UpdateChange, key: Any, other: Model) -> KeyConflictError:
    name, shown = change.info.name, shown_key(change.info, key)
    return KeyConflictError(
        f"{change.instance!r} has the key {shown}, and so has {other!r}, another {name} of this session",
        hint="change that one instead, await session.merge(...) into it, or delete it in the same flush; "
        "session.expunge(...) takes one of the two out",
    )
