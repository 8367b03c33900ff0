"""What a flush is going to write: found among the objects of a session, checked, and read off them once, as values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, ValuesView
from functools import lru_cache
from operator import attrgetter
from typing import Any, NamedTuple, TypeAlias

from cormorant._internal.collector import MANY, without_collector
from cormorant._internal.copies import own_copy
from cormorant._internal.refusals import Refusal
from cormorant.errors import FlushError, ValidationError
from cormorant.models.collections import Collection
from cormorant.models.inside import same
from cormorant.models.metadata import ColumnInfo, ModelInfo
from cormorant.models.model import Model
from cormorant.models.reading import reader_of, tests_of
from cormorant.models.state import MISSING, is_persistent, value_or_missing
from cormorant.models.validation import Problem, check_of, own_problems, problems_of, stamped_columns
from cormorant.persistence.cascades import link_objects, refuse_lost_children, taken_along, without_lost_links
from cormorant.persistence.changes import (
    ChangeSet,
    CollectionChange,
    DeleteChange,
    InsertChange,
    LinkChange,
    PendingKey,
    UpdateChange,
    insert_change,
    link_changes,
    pending_keys,
    saved_key,
    saved_value,
    update_change,
)
from cormorant.persistence.conflicts import refuse_same_keys
from cormorant.persistence.flush_order import to_ones
from cormorant.persistence.key_changes import moved
from cormorant.persistence.orphans import orphans_of
from cormorant.persistence.unique_values import unique_names
from cormorant.persistence.unit_of_work import UnitOfWork
from cormorant.persistence.waiting import Known, filler_of

Objects: TypeAlias = "ValuesView[Model] | Sequence[Model]"

# read by C, once for each row
_key_given: Callable[[InsertChange], bool] = attrgetter("key_given")


def gather(unit: UnitOfWork, delete: Callable[[Model], None]) -> None:
    """Finds what has become pending without anybody telling.

    Args:
        unit: What is pending.
        delete: Notes that an object's row is to be deleted too, or that a new object is forgotten.

    Raises:
        FlushError: A new object that is forgotten can still be reached.
        ForeignInstanceError: An object that can be reached belongs to another session.
    """
    if unit.identity.documents:
        unit.find_changes_inside()
    if unit.cascade() or unit.dirty or unit.deleted or unit.collections:
        for orphan in orphans_of(unit).values():
            delete(orphan)
    if unit.deleted and unit.new:
        for instance in _making_way(unit):
            delete(instance)


def _making_way(unit: UnitOfWork) -> list[Model]:
    """Gives what the database would delete by itself, but perhaps after a new row has taken over a unique value."""
    coming = {type(instance).__info__ for instance in unit.new.values()}
    if not _may_go_along(coming):
        return []
    gone = taken_along(unit.deleted, unit.identity.by_model)
    return [one for key, one in gone.items() if type(one).__info__ in coming and key not in unit.deleted]


def _may_go_along(infos: Iterable[ModelInfo]) -> bool:
    """Whether the database deletes rows of these models with others: asked first, since the rows are looked for."""
    return any(relation.on_delete == "cascade" for info in infos for relation in to_ones(info))


def collected(unit: UnitOfWork) -> ChangeSet:
    """Checks what is pending and gives it as values.

    Raises:
        ValidationError: Listing every value that cannot be saved.
        FlushError: A row would point to one that is deleted.
        KeyConflictError: Two objects have the same key.
    """
    loaded = unit.identity.by_model
    if not (unit.deleted or unit.collections):
        # by far the most flushes
        changes = collect(unit.new.values(), unit.dirty.values(), (), ())
        gone: Mapping[int, Model] = {}
    else:
        changes, gone = _collected_beside_deletes(unit)
    if any(map(_key_given, changes.inserts)) or (not changes.keeps_keys and moved(changes.updates)):
        refuse_same_keys(changes, loaded, gone)
    return changes


def _collected_beside_deletes(unit: UnitOfWork) -> tuple[ChangeSet, Mapping[int, Model]]:
    """Gives what is pending, and the objects whose rows are deleted."""
    loaded = unit.identity.by_model
    along = taken_along(unit.deleted, loaded) if unit.deleted else {}
    gone = {**unit.deleted, **along}
    # what goes by itself, with another row or with its link, has no changes to write
    unlinked: set[int] = set()
    for c in unit.collections.values():
        unlinked.update(map(id, link_objects(c.relation, c.owner, c.removed.values(), loaded)))
    dirty, deleted = list(unit.dirty.values()), list(unit.deleted.values())
    if dirty:
        dirty = [one for one in dirty if id(one) not in gone and id(one) not in unlinked]
    if unlinked:
        deleted = [one for one in deleted if id(one) not in unlinked]
    changes = collect(unit.new.values(), dirty, deleted, unit.collections.values())
    if gone and (changes.inserts or changes.updates or changes.links):
        changes = without_lost_links(changes, gone)
        refuse_lost_children(changes, gone)
    return changes, gone


# ------------------------------------------------------------------ read off the objects


class Findings:
    """What is wrong with the objects that are read."""

    __slots__ = ("instances", "problems")

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        # for each problem its object
        self.instances: list[Model] = []

    def of(self, instance: Model) -> None:
        """Notes whose problems the last ones are."""
        self.instances += [instance] * (len(self.problems) - len(self.instances))


def collect(
    new: Objects,
    dirty: Objects,
    deleted: Iterable[Model],
    collections: Iterable[Collection[Any]],
) -> ChangeSet:
    """Reads pending changes off the objects.

    Raises:
        ValidationError: Listing every value that cannot be saved.
    """
    findings = Findings()
    gone = set(map(id, deleted))
    if gone:
        dirty = [instance for instance in dirty if id(instance) not in gone]
    inserts: Sequence[InsertChange] = ()
    if new:
        inserts = _inserts(new, findings) if len(new) <= MANY else without_collector(_inserts, new, findings)
    updates, unchanged, keeps_keys = (
        _updates(dirty, findings) if len(dirty) <= MANY else without_collector(_updates, dirty, findings)
    )
    if findings.problems:
        raise ValidationError(findings.problems, instances=findings.instances)
    if not (gone or collections):
        return ChangeSet(tuple(inserts), tuple(updates), unchanged=tuple(unchanged), keeps_keys=keeps_keys)
    parts: list[CollectionChange] = []
    for c in collections:
        parts.append(CollectionChange(c, tuple(c.added.values()), tuple(c.removed.values())))  # noqa: PERF401
    return ChangeSet(
        tuple(inserts),
        tuple(updates),
        tuple(map(deletion, deleted)),
        tuple(_links(parts)) if parts else (),
        tuple(parts),
        tuple(unchanged),
        keeps_keys,
    )


def _inserts(new: Iterable[Model], findings: Findings) -> list[InsertChange]:
    found: list[InsertChange] = []
    problems, last, read, fill, checked = findings.problems, None, None, None, False
    like, known = _NOTHING, Known()
    for instance in new:
        info = type(instance).__info__
        if info is not last or read is None:
            # once for all objects of a model that come together
            last, read, fill, checked = info, reader_of(info), filler_of(info), check_of(info) is not None
            like = _NOTHING
        values = read(instance, problems)
        waiting = () if fill is None else fill(instance, values, known)
        if (names := tuple(values)) != like.names or like is _NOTHING:
            like = like_of(info, names)
        if like.lacking:
            problems += like.lacking
        if checked:
            if len(problems) == len(findings.instances):
                problems += own_problems(info, instance)
            # it may have changed others
            known.clear()
        if problems:
            findings.of(instance)
        found.append(insert_change((instance, info, values, like.key_given, waiting, like.names)))
    return found


class Like(NamedTuple):
    """What new objects of a model have in common that have values for the same columns.

    Args:
        names: The attributes.
        key_given: The key is among them.
        lacking: What has to have a value and has none.
    """

    names: tuple[str, ...] = ()
    key_given: bool = False
    lacking: tuple[Problem, ...] = ()


_NOTHING = Like()


@lru_cache(maxsize=1000)
def like_of(info: ModelInfo, names: tuple[str, ...]) -> Like:
    """Gives what new objects with values for these attributes have in common."""
    lacking = [name for name in info.needed_attributes if name not in names]
    problems = [(f"{info.name}.{name}", _no_value(info.by_attribute[name])) for name in lacking]
    return Like(names, info.key_set.issubset(names), tuple(problems))


def _no_value(column: ColumnInfo) -> Refusal:
    if column.spec.relation is not None:
        return Refusal(f"has no value: set {column.spec.relation}")
    return Refusal("has no value")


def _updates(dirty: Iterable[Model], findings: Findings) -> tuple[list[UpdateChange], list[Model], bool]:
    """Gives the changes, the objects that have none in the end, and whether keys and unique values stay as they are."""
    updates: list[UpdateChange] = []
    unchanged: list[Model] = []
    problems, last = findings.problems, None
    names: tuple[str, ...] = ()
    plain: Plain | None = None
    keeps_keys = True
    for instance in dirty:
        info, originals = type(instance).__info__, instance.__orm_changes__ or {}
        if info is not last or tuple(originals) != names:
            # once for all objects that come together and have changed in the same columns
            last, names = info, tuple(originals)
            plain = plain_of(info, names)
            keeps_keys = keeps_keys and plain is not None and plain.keeps_keys
        if plain is not None and instance.__class__ is info.cls and not instance.__orm_related__:
            change = plain_update(instance, info, originals, plain, problems)
        else:
            keeps_keys = False
            change = _update(instance, info, originals, problems)
        unchanged.append(instance) if change is None else updates.append(change)
        if problems:
            findings.of(instance)
    return updates, unchanged, keeps_keys


def _update(
    instance: Model, info: ModelInfo, originals: Mapping[str, Any], problems: list[Problem]
) -> UpdateChange | None:
    waiting = pending_keys(instance, info) if instance.__orm_related__ else {}
    values = _changed_values(instance, info, originals, waiting)
    if not values:
        return None
    if not _generated_names(info).isdisjoint(values):
        _refuse_generated(instance, info, values)
    stamped = tuple([c.attribute for c in stamped_columns(info) if c.attribute not in originals])
    if stamped:
        values |= {name: _stamp(info, name) for name in stamped}
        values = {name: values[name] for name in info.fields if name in values}
    known, tests = len(problems), tests_of(info)
    for name, value in values.items():
        if not (tests[name](value) or isinstance(value, PendingKey)):
            problems += problems_of(info, {name: value})
    if len(problems) == known and check_of(info) is not None:
        problems += own_problems(info, instance)
    column = info.version_column
    version = None if column is None else _version(instance, column)
    return UpdateChange(instance, info, values, dict(originals), saved_key(instance), version, stamped=stamped)


class Plain(NamedTuple):
    """What objects have in common that have changed in the same columns, and of which only those are looked at.

    Args:
        tests: The attributes in the model's order, each with its quick test, and whether values may change in place.
        keeps_keys: None of them is part of a key, or of what is unique.
        version: The attribute of the version.
    """

    tests: tuple[tuple[str, Callable[[Any], bool], bool], ...]
    keeps_keys: bool
    version: str | None


@lru_cache(maxsize=4000)
def plain_of(info: ModelInfo, names: tuple[str, ...]) -> Plain | None:
    """Gives it, where nothing but the values of the changed columns has to be looked at."""
    changed = [name for name in info.fields if name in names]
    others = stamped_columns(info) or check_of(info) is not None
    if others or not _generated_names(info).isdisjoint(changed):
        return None
    tests, version = tests_of(info), info.version_column
    return Plain(
        tuple([(name, tests[name], info.by_attribute[name].type.mutable) for name in changed]),
        info.key_set.isdisjoint(changed) and unique_names(info).isdisjoint(changed),
        None if version is None else version.attribute,
    )


def plain_update(
    instance: Model, info: ModelInfo, originals: Mapping[str, Any], plain: Plain, problems: list[Problem]
) -> UpdateChange | None:
    """Gives the change of a loaded object of which every column has a value."""
    values: dict[str, Any] = {}
    for name, test, mutable in plain.tests:
        value, before = getattr(instance, name), originals[name]
        if value is before or (same(before, value) if mutable else type(value) is type(before) and value == before):
            continue
        if not test(value):
            problems += problems_of(info, {name: value})
        values[name] = own_copy(value) if mutable else value
    if not values:
        return None
    version = None if plain.version is None else getattr(instance, plain.version)
    return update_change((instance, info, values, dict(originals), saved_key(instance), version, False, ()))


def _changed_values(
    instance: Model, info: ModelInfo, originals: Mapping[str, Any], waiting: Mapping[str, Any]
) -> dict[str, Any]:
    """Gives the columns that have another value than their row."""
    values: dict[str, Any] = {}
    names: Iterable[str] = originals
    if waiting or len(originals) > 1:
        # in the model's order, so that the order of writing makes no statements of their own
        names = [name for name in info.fields if name in originals or name in waiting]
    for name in names:
        value = waiting[name] if name in waiting else value_or_missing(instance, name)
        before = originals.get(name, MISSING)
        # an object that is waited for may get the very key that another one gives up
        if value is MISSING or (before is not MISSING and name not in waiting and same(before, value)):
            continue
        values[name] = own_copy(value) if info.by_attribute[name].type.mutable else value
    return values


@lru_cache(maxsize=1000)
def _generated_names(info: ModelInfo) -> frozenset[str]:
    return frozenset(name for name, spec in info.fields.items() if spec.computed is not None or spec.version)


def _stamp(info: ModelInfo, name: str) -> Any:
    make = info.fields[name].on_update
    assert make is not None
    return make()


def _refuse_generated(instance: Model, info: ModelInfo, values: Mapping[str, Any]) -> None:
    for name in values:
        spec = info.fields[name]
        if spec.computed is not None or spec.version:
            what = "the database computes it" if spec.computed is not None else "it counts the row's changes"
            raise FlushError(f"{info.name}.{name} of {instance!r} was set, and {what}", hint="leave it alone")


def _version(instance: Model, column: ColumnInfo) -> int | None:
    value = saved_value(instance, column.attribute)
    # a reference that was never loaded has no version to compare
    return None if value is MISSING else value


def deletion(instance: Model) -> DeleteChange:
    """Gives the row that an object has, to be deleted."""
    info = type(instance).__info__
    column = info.version_column
    return DeleteChange(instance, info, saved_key(instance), None if column is None else _version(instance, column))


def _links(changes: Iterable[CollectionChange]) -> Iterable[LinkChange]:
    """Gives each link once: it may have been made from both ends."""
    seen: set[tuple[str, int, int, bool]] = set()
    for change in changes:
        relation, owner = change.collection.relation, change.collection.owner
        if relation.link is None:
            continue
        # a new object has no link that could be dropped
        removed = [member for member in change.removed if is_persistent(member)]
        for added, members in ((True, change.added), (False, removed)):
            for link in link_changes(relation, owner, members, added=added):
                mark = (link.table, id(link.ends[0]), id(link.ends[1]), added)
                if mark not in seen:
                    seen.add(mark)
                    yield link
