"""Objects that pass: a stream's session forgets them, chunk by chunk."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeAlias

from cormorant._internal.narrowing import is_dict, is_list, is_tuple
from cormorant.models.collections import is_collection
from cormorant.models.inside import Decode, find_changes_inside, readers
from cormorant.models.metadata import ModelInfo
from cormorant.models.model import Model
from cormorant.models.state import is_persistent
from cormorant.persistence.marks import Decoder
from cormorant.persistence.unit_of_work import UnitOfWork

Readers: TypeAlias = "Callable[[ModelInfo], Sequence[tuple[str, Decode]]]"


class Passing:
    """The objects of a stream that are at hand.

    What the session knew before stays, and so does what was changed, until that is committed.

    Args:
        unit: What the session holds, and what waits for a flush.
        decoder: Makes Python values of the driver's, to find changes inside documents.
    """

    def __init__(self, unit: UnitOfWork, decoder: Decoder) -> None:
        self._unit = unit
        self._identity = unit.identity
        self._decoder = decoder
        self._columns: dict[ModelInfo, Sequence[tuple[str, Decode]]] = {}
        self._changed: list[Model] = []
        self._known: set[int] = set()
        self._commits = unit.history.commits
        self._look()

    def release(self, rows: Iterable[Any]) -> None:
        """Forgets the objects in rows, and those that came along with them."""
        unit = self._unit
        waiting = self._changed
        if unit.history.commits == self._commits:
            # nothing has been committed: what was changed is needed to roll back
            waiting = []
        else:
            self._commits, self._changed = unit.history.commits, []
        for instance in self._reached([*waiting, *objects_in(rows)]):
            if self._may_go(instance):
                self._identity.let_go(instance)
                self._forget_collections(instance)
            else:
                self._changed.append(instance)
        if len(self._identity) != len(self._known) + len(self._changed):
            # what was loaded by other queries meanwhile stays too
            self._look()

    def _look(self) -> None:
        """Notes what the session holds."""
        changed = set(map(id, self._changed))
        self._known = {id(instance) for instance in self._identity if id(instance) not in changed}

    def _reached(self, objects: Iterable[Model]) -> Iterator[Model]:
        """Gives objects, and those they hold, each once; neither what was known before nor what is new."""
        seen, found = set[int](), list(objects)
        for instance in found:
            key = id(instance)
            if key in seen or key in self._known or not is_persistent(instance):
                continue
            seen.add(key)
            for held in (instance.__orm_related__ or {}).values():
                if is_collection(held):
                    found += held.known
                elif held is not None:
                    found.append(held)
            yield instance

    def _may_go(self, instance: Model) -> bool:
        unit, key = self._unit, id(instance)
        if key in unit.dirty or key in unit.deleted or any(key in mark.known for mark in unit.history.marks):
            return False
        info = type(instance).__info__
        if info.mutable_columns:
            columns = self._columns.get(info) or self._columns.setdefault(info, readers(info, self._decoder))
            if find_changes_inside(instance, columns):
                return False
        held = (instance.__orm_related__ or {}).values()
        return not any(id(collection) in unit.collections for collection in held)

    def _forget_collections(self, instance: Model) -> None:
        for mark in self._unit.history.marks:
            if mark.collections:
                for held in (instance.__orm_related__ or {}).values():
                    mark.collections.pop(id(held), None)


def objects_in(rows: Iterable[Any]) -> Iterator[Model]:
    """Gives the objects in rows of any form, those of lists in them too."""
    for row in rows:
        if isinstance(row, Model):
            yield row
        elif is_dict(row):
            yield from objects_in(row.values())
        elif is_tuple(row) or is_list(row):
            yield from objects_in(row)
