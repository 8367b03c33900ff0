"""The flush that writes one row, which by far the most are: what the other stages find out for many is found at once.

Nothing is decided here that they would decide otherwise: what needs them is left to them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple

from cormorant._internal.tuples import maker
from cormorant.models.collections import is_collection
from cormorant.models.metadata import ColumnInfo, ModelInfo
from cormorant.models.model import Model
from cormorant.models.reading import Reader, reader_of
from cormorant.models.state import is_persistent
from cormorant.models.validation import Problem, check_of
from cormorant.persistence.cascades import taken_along
from cormorant.persistence.changes import DeleteChange, InsertChange, UpdateChange, insert_change, pending_keys
from cormorant.persistence.collecting import deletion, like_of, plain_of, plain_update
from cormorant.persistence.flush_plan import delete_statement, insert_statement, update_statement
from cormorant.persistence.orphans import owned_by, owning
from cormorant.persistence.unit_of_work import UnitOfWork
from cormorant.persistence.waiting import Fill, Known, filler_of
from cormorant.sql.statements import Delete, Insert, Update


class SingleWrite(NamedTuple):
    """The statement for one row.

    Args:
        statement: It, giving back what tells whether the row is written.
        returned: The columns that the database makes, which it gives back.
        silent: The same giving nothing back, for connections that count and know keys; None where that is too little.
    """

    statement: Insert | Update | Delete
    returned: tuple[ColumnInfo, ...]
    silent: Insert | Update | Delete | None


class Single(NamedTuple):
    """One row to write.

    Args:
        row: The statement's values.
        write: The statement.
    """

    change: InsertChange | UpdateChange | DeleteChange
    row: tuple[Any, ...]
    write: SingleWrite


_single: Callable[[tuple[Any, ...]], Single] = maker(Single)


def single_of(unit: UnitOfWork) -> Single | None:
    """Gives the one row that is all that is pending; None where more is, or may be, or something is wrong with it."""
    new, dirty, deleted = unit.new, unit.dirty, unit.deleted
    if len(new) + len(dirty) + len(deleted) != 1 or unit.collections or unit.forgotten:
        return None
    if unit.identity.documents:
        unit.find_changes_inside()
        if len(new) + len(dirty) + len(deleted) != 1:
            return None
    if dirty:
        for instance in dirty.values():
            return _update(unit, instance)
    if new:
        for instance in new.values():
            return _insert(unit, instance)
    for instance in deleted.values():
        return _delete(unit, instance)
    return None


def _insert(unit: UnitOfWork, instance: Model) -> Single | None:
    info, related = type(instance).__info__, instance.__orm_related__
    ways = _ways_of(info)
    if ways is None or (related and not _leads_nowhere(unit, related)):
        return None
    read, fill = ways
    problems: list[Problem] = []
    values = read(instance, problems)
    if fill is not None and fill(instance, values, Known()):
        return None
    write = _insert_of(info, tuple(values))
    if problems or write is None:
        return None
    return _single((insert_change((instance, info, values, False, (), ())), tuple(values.values()), write))


def _update(unit: UnitOfWork, instance: Model) -> Single | None:
    info, related, originals = type(instance).__info__, instance.__orm_related__, instance.__orm_changes__ or {}
    plain = plain_of(info, tuple(originals))
    if plain is None or type(instance) is not info.cls or owned_by(info) or not info.key_set.isdisjoint(originals):
        return None
    if related and (not _leads_nowhere(unit, related) or pending_keys(instance, info)):
        return None
    problems: list[Problem] = []
    change = plain_update(instance, info, originals, plain, problems)
    if change is None or problems:
        return None
    checked = change.version is not None
    found_by = (*change.key, change.version) if checked else change.key
    write = _update_of(info, tuple(change.values), checked)
    return _single((change, (*found_by, *change.values.values()), write))


def _delete(unit: UnitOfWork, instance: Model) -> Single | None:
    if owning(type(instance).__info__) or taken_along(unit.deleted, unit.identity.by_model):
        return None
    change = deletion(instance)
    checked = change.version is not None
    row = (*change.key, change.version) if checked else change.key
    return _single((change, row, _delete_of(change.info, checked)))


def _leads_nowhere(unit: UnitOfWork, related: Mapping[str, Any]) -> bool:
    """Whether an object leads to nothing that would be written with it."""
    owner = unit.origin_of_new.owner
    for held in related.values():
        if is_collection(held):
            # all members of a new object are
            if held.added or (held.known and not is_persistent(held.owner)):
                return False
        elif held is not None:
            origin = held.__orm_origin__
            if origin is None or origin.pending or origin.owner is not owner:
                return False
    return True


# ------------------------------------------------------------------ statements


@lru_cache(maxsize=1000)
def _ways_of(info: ModelInfo) -> tuple[Reader, Fill | None] | None:
    """Gives how a new object's values are read; None where more is to be looked at."""
    return None if check_of(info) is not None or owned_by(info) else (reader_of(info), filler_of(info))


@lru_cache(maxsize=4000)
def _insert_of(info: ModelInfo, names: tuple[str, ...]) -> SingleWrite | None:
    like = like_of(info, names)
    if like.lacking or like.key_given:
        # who brings his key may be another one's double
        return None
    statement, returned = insert_statement(info, names, "row")
    numbered = len(returned) == 1 and returned[0].identity
    return SingleWrite(statement, returned, replace(statement, returning=()) if numbered else None)


@lru_cache(maxsize=4000)
def _update_of(info: ModelInfo, names: tuple[str, ...], checked: bool) -> SingleWrite:
    statement, returned = update_statement(info, names, checked, False)
    return SingleWrite(statement, returned, None if returned else replace(statement, silent=True))


@lru_cache(maxsize=2000)
def _delete_of(info: ModelInfo, checked: bool) -> SingleWrite:
    statement = delete_statement(info, checked, False)
    return SingleWrite(statement, (), replace(statement, silent=True))
