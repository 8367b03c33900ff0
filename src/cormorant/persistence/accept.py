"""Writes what a flush did into the objects; the only place where a flush touches them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cormorant.hydration.known import prune_related
from cormorant.models.collections import is_collection
from cormorant.models.inside import remember_raw, same
from cormorant.models.links import RelationInfo
from cormorant.models.metadata import ModelInfo
from cormorant.models.model import Model
from cormorant.models.sides import held_by, hide
from cormorant.models.state import (
    MISSING,
    Origin,
    bare_key,
    is_ghost,
    set_attribute,
    set_class,
    unset_silently,
    value_or_missing,
)
from cormorant.persistence.accept_shapes import changes_alone, is_as_written, shape_of
from cormorant.persistence.cascades import acting_among, consequences, default_of, link_objects
from cormorant.persistence.changes import (
    ChangeSet,
    CollectionChange,
    DeleteChange,
    FlushResult,
    InsertChange,
    PendingKey,
    UpdateChange,
    pending_keys,
    row_key,
    saved_key,
    saved_value,
)
from cormorant.persistence.key_changes import Follow, moved, new_key
from cormorant.persistence.linking import (
    is_shown_nowhere,
    linked,
    mirrored,
    show_gone,
    show_links,
    shower,
    watching_of,
)
from cormorant.persistence.unit_of_work import UnitOfWork


class Acceptance:
    """One flush's results on their way into the objects.

    Objects may have changed while the flush ran: what did stays changed, against what was written.

    Args:
        origin: What the written objects come from now.
    """

    __slots__ = ("_shown", "origin", "result", "unit")

    def __init__(self, unit: UnitOfWork, origin: Origin, result: FlushResult) -> None:
        self.unit: UnitOfWork = unit
        self.origin: Origin = origin
        self.result: FlushResult = result
        self._shown: dict[RelationInfo, dict[int, list[Model]]] = {}

    def accept(self, changes: ChangeSet) -> None:
        """Takes the whole flush over."""
        self.unit.accepted += bool(changes.inserts or changes.updates or changes.deletes or changes.links)
        if not changes.keeps_keys and (movers := moved(changes.updates)):
            keys = [tuple([self.result.known(value) for value in new_key(change)]) for change in movers]
            Follow(self.unit.identity, self.unit.history)(movers, keys)
        if changes.inserts:
            self._inserts(changes.inserts)
        if changes.updates:
            self._updates(changes.updates)
        for part in changes.collections:
            self._written(part)
        for delete in changes.deletes:
            self._deleted(delete)
        if changes.deletes:
            gone = {id(delete.instance): delete.instance for delete in changes.deletes}
            show_gone(self.unit, gone | self._take_along(changes))
        self.unit.forgotten.clear()
        if self.unit.spared:
            self.unit.keep_spared()

    def accept_one(self, change: InsertChange | UpdateChange | DeleteChange) -> None:
        """Takes over a flush that wrote one row, whose key stays what it was."""
        if isinstance(change, DeleteChange):
            self.accept(ChangeSet(deletes=(change,)))
            return
        self.unit.accepted += 1
        if isinstance(change, UpdateChange):
            self._updates((change,))
        else:
            self._inserts((change,))
        self.unit.forgotten.clear()
        if self.unit.spared:
            self.unit.keep_spared()

    # ---- rows

    def _inserts(self, changes: Sequence[InsertChange]) -> None:
        unit, origin, results = self.unit, self.origin, self.result
        new, dirty, marked = unit.new, unit.dirty, unit.history.marks[-1].made
        by_model = unit.identity.by_model
        last: tuple[str, ...] = ()
        model, count = None, -1
        filled: tuple[str, ...] = ()
        waits: tuple[str, ...] = ()
        settle, shows, opened, single, known = None, None, None, "", {}
        for change in changes:
            instance, info, values, _, waiting, names = change
            place = id(instance)
            made = results.get(place, _NOTHING)
            # what is made goes by what is written, as far as its number is the same
            if not names or names is not last or info is not model or len(made) != count or waiting is not waits:
                # once for all rows of a statement
                last, model, count, waits, known = names, info, len(made), waiting, by_model[info]
                opened = unit.identity.opened if info.read_late else None
                settle, watching, single, filled = shape_of(info, names or tuple(values), tuple(made), waiting)
                shows = None if watching is None else shower(watching, info, by_model)
            if settle is None or not settle(instance, values, made, origin, results):
                self._inserted(change, made)
                continue
            marked[place] = filled
            known[made[single] if single else _key_of(change, made, self.result)] = instance
            if opened is not None:
                opened(instance)
            if dirty:
                dirty.pop(place, None)
            if new.pop(place, None) is None:
                # deleted while it was being written: now there is a row to delete
                unit.delete(instance)
            if shows is not None and not shows(instance):
                self._mirror(instance, info, {}, info.fields)

    def _inserted(self, change: InsertChange, made: Mapping[str, Any]) -> None:
        """Does so for an object that has changed meanwhile, or has waited for the keys of others."""
        instance, info, unit = change.instance, change.info, self.unit
        changed, keys = self._take_values(instance, change.values)
        for name, value in made.items():
            if value_or_missing(instance, name) is MISSING:
                set_attribute(instance, name, value)
            else:
                changed[name] = value
        self._settle(instance, info, change.values, made, changed)
        unit.history.marks[-1].made[id(instance)] = (*made, *keys)
        unit.identity.put(info, _key_of(change, made, self.result), instance)
        if unit.new.pop(id(instance), None) is None:
            unit.delete(instance)
        self._mirror(instance, info, {}, info.fields)

    def _updates(self, changes: Sequence[UpdateChange]) -> None:
        result, origin, dirty = self.result, self.origin, self.unit.dirty
        last: tuple[Any, ...] = ()
        alone = False
        for change in changes:
            instance, info, values = change.instance, change.info, change.values
            shape = (info, tuple(values), change.stamped)
            if shape != last:
                # once for all rows of a statement
                last, alone = shape, not change.stamped and changes_alone(info, tuple(values))
            place = id(instance)
            if not alone or place in result or not is_as_written(instance, info, values):
                self._updated(change, result.get(place, _NOTHING))
                continue
            if info.mutable_columns:
                remember_raw(instance, info, values, _NOTHING)
            set_attribute(instance, "__orm_changes__", None)
            set_attribute(instance, "__orm_origin__", origin)
            dirty.pop(place, None)

    def _updated(self, change: UpdateChange, made: Mapping[str, Any]) -> None:
        """Does so for an object that has changed meanwhile, or has more to it than its own columns."""
        instance, info = change.instance, change.info
        for name in change.stamped:
            if name in change.values and name not in (instance.__orm_changes__ or ()):
                set_attribute(instance, name, change.values[name])
        changed, _ = self._take_values(instance, change.values)
        for name, before in (instance.__orm_changes__ or {}).items():
            if name not in change.values and not same(before, value_or_missing(instance, name)):
                changed[name] = before
        for name, value in made.items():
            set_attribute(instance, name, value)
        self._settle(instance, info, change.values, made, changed)
        before = {name: value for name, value in change.originals.items() if name in change.values}
        self._mirror(instance, info, before, change.values.keys())

    def refreshed(self, instance: Model, values: Mapping[str, Any]) -> None:
        """Shows in a clean object what a statement by query has changed in its row."""
        info = type(instance).__info__
        self.unit.history.keep(instance)
        before = {name: value_or_missing(instance, name) for name in values}
        for name, value in values.items():
            set_attribute(instance, name, value)
        if info.mutable_columns:
            remember_raw(instance, info, {}, values)
        set_attribute(instance, "__orm_origin__", self.origin)
        self._mirror(instance, info, before, values)
        if instance.__orm_related__ is not None:
            prune_related(instance)

    def shown(self, instance: Model) -> None:
        """Shows an object that has come by in the loaded collections it belongs to."""
        info = type(instance).__info__
        self._mirror(instance, info, {}, info.fields)

    def _take_values(self, instance: Model, values: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
        """Fills in the keys that were waited for.

        Returns:
            The columns that have changed since with what was written, and the columns that were filled in.
        """
        changed: dict[str, Any] = {}
        filled: list[str] = []
        get = object.__getattribute__
        for name, value in values.items():
            if isinstance(value, PendingKey):
                filled.append(name)
                self._fill_in(instance, name, value, changed)
                continue
            try:
                current = get(instance, name)
            except AttributeError:
                current = MISSING
            # a change inside of a document is found by its copy
            if current is value or same(value, current):
                continue
            if pending_keys(instance, type(instance).__info__).get(name, MISSING) == value:
                # a related object has another key since they were related
                set_attribute(instance, name, value)
            else:
                changed[name] = value
        return changed, filled

    def _fill_in(self, instance: Model, name: str, pending: PendingKey, changed: dict[str, Any]) -> None:
        written, current = self.result.value(pending), value_or_missing(instance, name)
        related = (instance.__orm_related__ or {}).values()
        if current is MISSING and (
            any(held is pending.instance for held in related)
            or self.result.known(pending_keys(instance, type(instance).__info__).get(name)) == written
        ):
            set_attribute(instance, name, written)
        elif current != written:
            changed[name] = written

    def _settle(
        self,
        instance: Model,
        info: ModelInfo,
        written: Mapping[str, Any],
        made: Mapping[str, Any],
        changed: dict[str, Any],
    ) -> None:
        """Makes an object one that stands for its row: clean, but for what has changed since."""
        if info.mutable_columns:
            remember_raw(instance, info, written, made)
        set_attribute(instance, "__orm_changes__", changed or None)
        set_attribute(instance, "__orm_origin__", self.origin)
        self.unit.dirty.pop(id(instance), None)
        if changed:
            self.unit.touched(instance)
        if is_ghost(instance) and is_complete(instance, info):
            set_class(instance, info.cls)

    def _deleted(self, change: DeleteChange) -> None:
        self._leave(change)
        if self.unit.deleted.pop(id(change.instance), None) is None:
            # added again while its row was being deleted
            self.unit.add(change.instance)

    def _leave(self, change: DeleteChange) -> None:
        """Makes an object one without a row."""
        instance, unit = change.instance, self.unit
        watching = watching_of(change.info)
        if watching is not None and not is_shown_nowhere(instance, watching, unit.identity.by_model):
            saved = {name: saved_value(instance, name) for name in change.info.fields}
            self._mirror(instance, change.info, saved, ())
            for relation in mirrored(change.info):
                # where it was given to another that was not written, that one shows it
                if instance.__orm_changes__ and (held := held_by(instance, relation)) is not None:
                    hide(held, relation, instance)
        unit.dirty.pop(id(instance), None)
        unit.identity.discard(change.info, bare_key(change.key), instance)
        set_attribute(instance, "__orm_origin__", None)
        set_attribute(instance, "__orm_changes__", None)

    def _take_along(self, changes: ChangeSet) -> dict[int, Model]:
        """Does to loaded objects what the database has done to their rows by `on_delete`; gives those deleted."""
        unit, deletes = self.unit, changes.deletes
        if not acting_among(unit.identity.by_model):
            return {}
        rows = [(delete.info, bare_key(delete.key)) for delete in deletes]
        written: dict[int, Mapping[str, Any]] = {id(change.instance): change.values for change in changes.inserts}
        written |= {id(change.instance): change.values for change in changes.updates}

        def value_of(instance: Model, name: str) -> Any:
            # what was written beside a delete points to who has taken the key over
            return MISSING if name in written.get(id(instance), ()) else saved_value(instance, name)

        found = consequences(unit.identity.by_model, rows, value_of)
        targets = {row: delete.instance for row, delete in zip(rows, deletes, strict=True)}
        # by the keys that their rows had: who leaves is told them no more
        targets |= {(type(child).__info__, row_key(child)): child for child in found.deleted.values()}
        for child in found.deleted.values():
            unit.history.keep(child)
            info = type(child).__info__
            self._leave(DeleteChange(child, info, tuple([saved_value(child, n) for n in info.key_attributes]), None))
            unit.deleted.pop(id(child), None)
        for child, relation in found.turned:
            key = bare_key(tuple([saved_value(child, name) for name in relation.local]))
            self._turned(child, relation, targets[relation.target, key])
        return found.deleted

    def _turned(self, child: Model, relation: RelationInfo, target: Model) -> None:
        """Shows in an object that its row has lost the target of a relation; what is pending for it stays so."""
        history, info, changes = self.unit.history, relation.owner, child.__orm_changes__ or {}
        history.keep(child)
        if relation.inverse in (target.__orm_related__ or {}):
            history.keep_side(target, relation.inverse or "")
            hide(target, relation, child)
        for name in relation.local:
            value = None if relation.on_delete == "set_null" else default_of(info.by_attribute[name])
            if name in changes:
                changes[name] = value
            elif value is MISSING:
                unset_silently(child, name)
                set_class(child, info.ghost)
            else:
                set_attribute(child, name, value)
        set_attribute(child, "__orm_origin__", self.origin)
        if child.__orm_related__ is not None:
            prune_related(child)
        self._mirror(child, info, {}, relation.local)

    # ---- the other side of relations

    def _written(self, change: CollectionChange) -> None:
        collection = change.collection
        self.unit.history.keep_collection(collection)
        for instance in link_objects(
            collection.relation, collection.owner, change.removed, self.unit.identity.by_model
        ):
            # the database has dropped the row with the link
            self.unit.history.keep(instance)
            self._leave(DeleteChange(instance, type(instance).__info__, saved_key(instance), None))
            self.unit.deleted.pop(id(instance), None)
        collection.written(change.added, change.removed)
        if not (collection.added or collection.removed):
            self.unit.collections.pop(id(collection), None)

    def _mirror(self, instance: Model, info: ModelInfo, before: Mapping[str, Any], written: Iterable[str]) -> None:
        """Shows in loaded collections what has come and gone by a foreign key."""
        for relation in mirrored(info):
            comes = not set(relation.local).isdisjoint(written)
            if not before.keys().isdisjoint(relation.local):
                old = [before.get(name, value_or_missing(instance, name)) for name in relation.local]
                if any(value is MISSING for value in old):
                    self._hide_unread(relation, instance, held_by(instance, relation) if comes else None)
                else:
                    self._show(relation, instance, old, shown=False)
            if comes:
                new = [value_or_missing(instance, name) for name in relation.local]
                self._show(relation, instance, new, shown=True)
        if linked(info):
            show_links(self.unit, instance, before, written)

    def _hide_unread(self, relation: RelationInfo, instance: Model, comes_to: Model | None) -> None:
        """Takes a reference, of which nobody knows where it pointed to, out of what shows it."""
        name = relation.inverse or ""
        for target in self._showing(relation).get(id(instance), ()):
            if target is comes_to:
                continue
            related: dict[str, Any] = target.__orm_related__ or {}
            held = related.get(name)
            if is_collection(held):
                self.unit.history.keep_collection(held)
                held.exclude(instance)
            elif held is instance:
                self._show(relation, instance, [value_or_missing(target, n) for n in relation.remote], shown=False)

    def _showing(self, relation: RelationInfo) -> Mapping[int, list[Model]]:
        """Gives the objects that showed each member of the other side of a relation when this was first asked."""
        found = self._shown.get(relation)
        if found is None:
            found = self._shown[relation] = {}
            for target in self.unit.identity.of(relation.target).values():
                related: dict[str, Any] = target.__orm_related__ or {}
                held = related.get(relation.inverse or "")
                for member in held.known if is_collection(held) else () if held is None else (held,):
                    found.setdefault(id(member), []).append(target)
        return found

    def _show(self, relation: RelationInfo, instance: Model, key: list[Any], *, shown: bool) -> None:
        target: Model | None = self.unit.identity.get(relation.target, bare_key(tuple(key)))
        related = target.__orm_related__ if target is not None else None
        held = related.get(relation.inverse or "", MISSING) if related else MISSING
        if is_collection(held):
            self.unit.history.keep_collection(held)
            held.include(instance) if shown else held.exclude(instance)
        elif target is not None and related and held is not MISSING and (shown or held is instance):
            self.unit.history.keep(target)
            related[relation.inverse or ""] = instance if shown else None


def _key_of(change: InsertChange, made: Mapping[str, Any], result: FlushResult) -> Any:
    """Gives the key of a new row, as identity maps hold it."""
    values = change.values
    parts = [made[name] if name in made else values[name] for name in change.info.key_attributes]
    return bare_key(tuple([result.known(part) for part in parts]))


def settle_unchanged(unit: UnitOfWork, instances: Iterable[Model]) -> None:
    """Forgets the changes of objects that have their first values again."""
    for instance in instances:
        changes = instance.__orm_changes__ or {}
        if all(same(before, value_or_missing(instance, name)) for name, before in changes.items()):
            set_attribute(instance, "__orm_changes__", None)
            unit.dirty.pop(id(instance), None)
            if is_ghost(instance) and is_complete(instance, type(instance).__info__):
                set_class(instance, type(instance).__info__.cls)
            unit.history.forget_unchanged(instance)


def is_complete(instance: Model, info: ModelInfo) -> bool:
    """Whether every column has a value."""
    get = object.__getattribute__
    try:
        for name in info.fields:
            get(instance, name)
    except AttributeError:
        return False
    return True


_NOTHING: Mapping[str, Any] = {}
