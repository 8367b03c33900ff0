"""Unique values that rows of one flush hand over: what a row lets go of, and what another one takes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Any, TypeAlias

from typing_extensions import TypeIs

from cormorant._internal.narrowing import narrower
from cormorant.models.metadata import ModelInfo
from cormorant.models.state import MISSING
from cormorant.models.tables import table_of
from cormorant.persistence.changes import ChangeSet, DeleteChange, InsertChange, PendingKey, UpdateChange, saved_value
from cormorant.persistence.flush_order import to_ones
from cormorant.persistence.key_changes import Moves, moved, moves_of
from cormorant.sql import types as t
from cormorant.sql.columns import Column
from cormorant.sql.ddl import IndexDef
from cormorant.sql.expr import walk

Leaver: TypeAlias = UpdateChange | DeleteChange
Taker: TypeAlias = InsertChange | UpdateChange

is_column: Callable[[object], TypeIs[Column[Any]]] = narrower(Column)


@dataclass(frozen=True, slots=True)
class UniqueSet:
    """Attributes whose values no two rows share.

    Args:
        readers: For each attribute what makes a value comparable; None where Python compares as the database does.
        certain: Equal values do collide; those of an index over expressions, or over some of the rows, may.
        deferrable: The constraint looks at the end of the transaction.
    """

    names: tuple[str, ...]
    readers: tuple[Callable[[Any], Any] | None, ...]
    certain: bool = True
    deferrable: bool = False

    def key(self, values: Iterable[Any]) -> tuple[Any, ...] | None:
        """Gives values in a form that is equal where the database's are; None where they are not all known or NULL."""
        found: list[Any] = []
        for read, value in zip(self.readers, values, strict=True):
            if value is None or value is MISSING:
                return None
            found.append(value if read is None or isinstance(value, PendingKey) else read(value))
        return tuple(found)


@lru_cache(maxsize=1000)
def unique_sets(info: ModelInfo) -> tuple[UniqueSet, ...]:
    """Gives the sets of attributes whose values no two rows share, the key's first."""
    attributes = {column.name: column.attribute for column in info.columns}
    table = table_of(info)
    found = [_set(info, info.key_attributes)]
    for constraint in table.uniques:
        names = [attributes[name] for name in constraint.columns]
        found.append(_set(info, names, deferrable=constraint.deferrable))
    found += [_set_of_index(info, index, attributes) for index in table.indexes if index.unique]
    return tuple(found)


def _set(info: ModelInfo, names: Iterable[str], *, certain: bool = True, deferrable: bool = False) -> UniqueSet:
    attributes = tuple(names)
    readers = tuple(comparable(info.by_attribute[name].type) for name in attributes)
    return UniqueSet(attributes, readers, certain, deferrable)


def _set_of_index(info: ModelInfo, index: IndexDef, attributes: dict[str, str]) -> UniqueSet:
    expressions = [order.expr for order in index.items]
    columns = [node for expr in expressions for node in walk(expr) if is_column(node)]
    plain = all(map(is_column, expressions))
    names = dict.fromkeys(attributes[column.name] for column in columns)
    found = _set(info, names, certain=plain and index.where is None)
    # lower(email) makes more values equal than email does
    return found if plain else UniqueSet(found.names, tuple([_folded] * len(found.names)), certain=False)


def _folded(value: Any) -> str:
    return str(value).strip().casefold()


def comparable(type_: t.SqlType) -> Callable[[Any], Any] | None:
    """Gives what makes a column's values hashable, and equal where the database finds them equal."""
    if isinstance(type_, t.Custom):
        inner, encode = comparable(type_.base), type_.encode
        return encode if inner is None else lambda value: inner(encode(value))
    if isinstance(type_, t.Json):
        dump = type_.dump
        return lambda value: json.dumps(json.loads(dump(value)), sort_keys=True)
    if isinstance(type_, t.Array):
        item = comparable(type_.item)
        return tuple if item is None else lambda values: tuple([v if v is None else item(v) for v in values])
    return bytes if isinstance(type_, t.Binary) else None


@lru_cache(maxsize=1000)
def unique_names(info: ModelInfo) -> frozenset[str]:
    """Gives every attribute that is in a unique set."""
    return frozenset(chain.from_iterable(unique.names for unique in unique_sets(info)))


def handed_over(changes: ChangeSet) -> Iterator[tuple[Taker, Leaver, UniqueSet]]:
    """Gives each row that takes a unique value, and the row that lets go of it in the same flush."""
    moves = moves_of(moved(changes.updates)) if changes.updates else {}
    for unique, leavers, takers in _meeting(changes):
        yield from _handed_over(unique, leavers, takers, moves)


def perhaps_handed_over(changes: ChangeSet) -> Iterator[tuple[list[Taker], list[Leaver], UniqueSet]]:
    """Gives rows that take unique values, and those of which nobody knows what they let go of in the same flush."""
    for unique, leavers, takers in _meeting(changes):
        unread = [leaver for leaver in leavers if _is_unread(leaver, unique)]
        taking = [taker for taker in takers if _taken(taker, unique) is not None] if unread else []
        if taking:
            yield taking, unread, unique


def _meeting(changes: ChangeSet) -> Iterator[tuple[UniqueSet, list[Leaver], list[Taker]]]:
    """Gives for each unique set of values the rows that may let go of some, and those that may take some."""
    updates = [c for c in changes.updates if not unique_names(c.info).isdisjoint(c.values)] if changes.updates else []
    if not updates and not (changes.deletes and changes.inserts):
        return
    leavers: dict[ModelInfo, list[Leaver]] = {}
    leaving: list[Leaver] = [*updates, *changes.deletes]
    for leaver in leaving:
        leavers.setdefault(leaver.info, []).append(leaver)
    takers: dict[ModelInfo, list[Taker]] = {}
    taking: list[Taker] = [*changes.inserts, *updates]
    for taker in taking:
        if taker.info in leavers:
            takers.setdefault(taker.info, []).append(taker)
    for info, those in takers.items():
        for unique in unique_sets(info):
            yield unique, leavers[info], those


def _keeps(change: InsertChange | UpdateChange | DeleteChange, unique: UniqueSet) -> bool:
    return isinstance(change, UpdateChange) and change.values.keys().isdisjoint(unique.names)


def _is_unread(leaver: Leaver, unique: UniqueSet) -> bool:
    """Whether nobody knows which values a row lets go of: it is a reference, or was not read again."""
    saved = [saved_value(leaver.instance, name) for name in unique.names]
    return not _keeps(leaver, unique) and None not in saved and MISSING in saved


def _taken(taker: Taker, unique: UniqueSet) -> tuple[Any, ...] | None:
    """Gives the values a row takes, in a form that can be compared; None where it takes none."""
    return None if _keeps(taker, unique) else unique.key([new_value(taker, name) for name in unique.names])


def _handed_over(
    unique: UniqueSet, leavers: Iterable[Leaver], takers: Iterable[Taker], moves: Moves
) -> Iterator[tuple[Taker, Leaver, UniqueSet]]:
    free: dict[tuple[Any, ...], Leaver] = {}
    for leaver in leavers:
        if _keeps(leaver, unique):
            continue
        saved = {name: saved_value(leaver.instance, name) for name in unique.names}
        # who takes a key that changes is written after it has changed, and the row has followed by then
        key = unique.key((_followed(leaver, saved, moves) if moves else saved).values())
        if key is not None:
            free[key] = leaver
    if not free:
        return
    for taker in takers:
        key = _taken(taker, unique)
        # whoever keeps its value lets go of nothing
        if key is not None and (found := free.get(key)) is not None and found is not taker:
            yield taker, found, unique


def _followed(leaver: Leaver, saved: Mapping[str, Any], moves: Moves) -> dict[str, Any]:
    """Gives values as they are once the keys have changed that they hold."""
    found = dict(saved)
    for relation in to_ones(leaver.info):
        if relation.on_update == "cascade" and relation.target in moves:
            held = tuple([saved_value(leaver.instance, name) for name in relation.local])
            found.update(zip(relation.local, moves[relation.target].get(held, held), strict=True))
    return {name: found[name] for name in saved}


def new_value(change: InsertChange | UpdateChange, name: str) -> Any:
    """Gives a column's value as the row will have it; MISSING where the database makes it, or it is not known."""
    if name in change.values:
        return change.values[name]
    return MISSING if isinstance(change, InsertChange) else saved_value(change.instance, name)
