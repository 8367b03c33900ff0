"""`merge()`: what objects from outside hold is copied onto the session's own objects of the same rows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from cormorant._internal.copies import own_copy
from cormorant.errors import FlushError, StaleObjectError, WrongType
from cormorant.models.collections import Collection, is_collection
from cormorant.models.inside import same
from cormorant.models.links import RelationInfo
from cormorant.models.metadata import ColumnInfo, ModelInfo
from cormorant.models.model import Model
from cormorant.models.state import (
    DETACHED,
    MISSING,
    is_ghost,
    is_persistent,
    is_reference,
    key_is_set,
    new_ghost,
    row_key_of,
    set_class,
    value_or_missing,
)
from cormorant.query.prefetch import chunks, objects_of

if TYPE_CHECKING:
    from cormorant.persistence.state import SessionState


async def merge(state: SessionState, given: object) -> Model:
    """Gives the session's object of a row, with what an object from outside holds, and its relations' with it.

    Raises:
        StaleObjectError: A row has another version than the object, or is gone.
        FlushError: A row is going to be deleted.
    """
    state.check_usable()
    if not isinstance(given, Model):
        raise WrongType(f"merge() takes a model instance, not {given!r}")
    sources = _graph(state, given)
    await _load(state, [s for s in sources if not _is_own(state, s) and not is_reference(s) and key_is_set(s)])
    # from here on nothing waits, and everything is refused before anything is changed
    merging = _Merging(state, sources)
    merging.check()
    merging.copy()
    return merging.targets[id(given)]


def _is_own(state: SessionState, instance: Model) -> bool:
    origin = instance.__orm_origin__
    return origin is not None and origin.owner is state


def _graph(state: SessionState, given: Model) -> list[Model]:
    """Gives an object and all that is loaded of what it leads to; the session's own are not followed."""
    found, seen = [given], {id(given)}
    for current in found:
        for held in () if _is_own(state, current) else _held(current):
            if id(held) not in seen:
                seen.add(id(held))
                found.append(held)
    return found


def _held(instance: Model) -> Iterable[Model]:
    for held in (instance.__orm_related__ or {}).values():
        if is_collection(held):
            yield from (*held.known, *held.added.values(), *held.removed.values())
        elif held is not None:
            yield held


async def _load(state: SessionState, sources: Iterable[Model]) -> None:
    """Reads the rows that the session does not hold, one query for each model."""
    wanted: dict[ModelInfo, dict[Any, None]] = {}
    for source in sources:
        info, key = type(source).__info__, row_key_of(source)
        known = state.identity.get(info, key)
        if known is None or is_ghost(known):
            wanted.setdefault(info, {})[key] = None
    for info, keys in wanted.items():
        for chunk in chunks(keys, len(info.key_attributes)):
            await state.fetch(objects_of(info, chunk))


class _Merging:
    """The objects from outside, and for each the session's own by the id of the other."""

    def __init__(self, state: SessionState, sources: list[Model]) -> None:
        self.state = state
        self.outside: list[Model] = [s for s in sources if not _is_own(state, s)]
        self.targets: dict[int, Model] = {id(s): s for s in sources if _is_own(state, s)}
        self._made: dict[tuple[ModelInfo, Any], Model] = {}

    def check(self) -> None:
        """Refuses rows that have changed since they were read, or are going."""
        for source in self.outside:
            if is_reference(source):
                continue
            info, target = type(source).__info__, self._known(source)
            if target is not None and id(target) in self.state.unit.deleted:
                raise FlushError(
                    f"{target!r} is going to be deleted, so nothing can be merged into it",
                    hint="session.add(...) takes the deletion back",
                )
            if info.version_column is not None and is_persistent(source):
                _check_version(source, target, info.version_column)

    def _known(self, source: Model) -> Model | None:
        if not key_is_set(source):
            return None
        found: Model | None = self.state.identity.get(type(source).__info__, row_key_of(source))
        return found

    def copy(self) -> None:
        """Copies columns first, and then relations: both ends are there."""
        for source in self.outside:
            self.targets[id(source)] = self._target(source)
        for source in self.outside:
            for name, held in list((source.__orm_related__ or {}).items()):
                relation, target = type(source).__info__.relation(name), self.targets[id(source)]
                if is_collection(held):
                    self._members(source, held, getattr(target, name))
                elif held is not None and relation.kind == "to_one":
                    _relate(target, relation, self.targets[id(held)])

    def _target(self, source: Model) -> Model:
        info, target = type(source).__info__, self._known(source)
        if target is not None:
            if not is_reference(source):
                _copy_columns(source, target)
            return target
        place = (info, row_key_of(source) if key_is_set(source) else id(source))
        target = self._made.get(place)
        if target is None:
            target = self._made[place] = _copy_of(source)
            self.state.unit.add(target)
        return target

    def _members(self, source: Model, theirs: Collection[Any], ours: Collection[Any]) -> None:
        """Adds and removes what was added and removed outside; what a new object holds was added."""
        added = theirs.added.values() if is_persistent(source) else {**theirs.added, **_by_id(theirs.known)}.values()
        for member in added:
            ours.add(self.targets[id(member)])
        for member in theirs.removed.values():
            ours.remove(self.targets[id(member)])


def _by_id(items: Iterable[Model]) -> dict[int, Model]:
    return {id(item): item for item in items}


def _check_version(source: Model, target: Model | None, column: ColumnInfo) -> None:
    version = value_or_missing(source, column.attribute)
    now = MISSING if target is None else value_or_missing(target, column.attribute)
    if version is not MISSING and version != now:
        what = "is gone" if now is MISSING else f"has version {now} by now"
        raise StaleObjectError(
            f"{source!r} was read with version {version}, and its row {what}",
            hint="load it again and repeat the change",
        )


def _copied(source: Model) -> dict[str, Any]:
    """Gives the columns that an object brings along: those with a value, but for what the database makes of a row."""
    found: dict[str, Any] = {}
    for column in type(source).__info__.columns:
        value = value_or_missing(source, column.attribute)
        if value is not MISSING and column.spec.computed is None and not column.spec.version:
            found[column.attribute] = own_copy(value) if column.type.mutable else value
    return found


def _copy_columns(source: Model, target: Model) -> None:
    for name, value in _copied(source).items():
        if not same(value, value_or_missing(target, name)):
            setattr(target, name, value)


def _copy_of(source: Model) -> Model:
    """Gives an object for a row that does not exist yet; of a reference, a reference."""
    info, values = type(source).__info__, _copied(source)
    if is_reference(source) and is_persistent(source):
        reference: Model = new_ghost(info, values, DETACHED)
        return reference
    if info.version_column is not None:
        values[info.version_column.attribute] = info.version_column.spec.default
    made: Model = new_ghost(info, values, None)
    if values.keys() == info.fields.keys():
        set_class(made, info.cls)
    return made


def _relate(target: Model, relation: RelationInfo, held: Model) -> None:
    if (target.__orm_related__ or {}).get(relation.name) is not held:
        setattr(target, relation.name, held)
