"""The order of single rows, for flushes in which the order of tables is not enough.

Rows need each other: a child its parent's row, a parent that goes its children's leave, a row its unique value from the
row that has it. Rings are opened where a key column may be NULL for a while, by an UPDATE of its own.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any, Literal, TypeAlias

from cormorant._internal.rings import RingError, in_batches, opened, rings
from cormorant.errors import DependencyCycleError
from cormorant.models.links import RelationInfo
from cormorant.models.metadata import ModelInfo
from cormorant.models.state import MISSING
from cormorant.persistence.changes import (
    ChangeSet,
    DeleteChange,
    InsertChange,
    LinkChange,
    PendingKey,
    UpdateChange,
    saved_value,
)
from cormorant.persistence.flush_order import parents_first, to_ones
from cormorant.persistence.unique_values import UniqueSet, handed_over, new_value, perhaps_handed_over

Change: TypeAlias = InsertChange | UpdateChange | DeleteChange | LinkChange
Row: TypeAlias = "Change | Gate"
Key: TypeAlias = tuple[ModelInfo, tuple[Any, ...]]

SHOWN_OF_RING = 6
"""The most objects of a ring that an error shows."""


@dataclass(frozen=True, slots=True)
class Need:
    """Why one row comes before another.

    Args:
        row: The place of the row that comes first.
        why: The relation, or the unique values, between them.
        way: How to do without: "later" writes columns by an UPDATE afterwards, "null" makes those of the other row NULL
            by an UPDATE before, "drop" has no order; None: not at all.
        names: The columns that are written apart.
    """

    row: int
    why: RelationInfo | UniqueSet
    way: Literal["later", "null", "drop"] | None = None
    names: tuple[str, ...] = ()

    @property
    def cost(self) -> int | None:
        """What doing without it costs."""
        return None if self.way is None else 0 if self.way == "drop" else 1


@dataclass(frozen=True, slots=True)
class Gate:
    """A place in the order at which nothing is written: what needs it comes after all that it needs."""


class RowOrder:
    """The rows of one flush with what each needs.

    Args:
        deferrable: The database can look at unique values at the end of the transaction.
    """

    def __init__(self, changes: ChangeSet, *, deferrable: bool) -> None:
        self.deferrable = deferrable
        dropped = [link for link in changes.links if not link.added]
        added = [link for link in changes.links if link.added]
        written: list[Change] = [*dropped, *changes.inserts, *changes.updates, *added, *changes.deletes]
        self.rows: list[Row] = [*written]
        self.needs: list[list[Need]] = [[] for _ in self.rows]
        self.place: dict[int, int] = {id(change): place for place, change in enumerate(self.rows)}
        # who has a key after the flush, and who had it before and lets go of it
        self.comers: dict[Key, int] = {}
        self.leavers: dict[Key, int] = {}
        self.by_instance: dict[int, int] = {}
        # which columns of a row are made NULL before, and by which UPDATE
        self.emptied: dict[tuple[int, tuple[str, ...]], int] = {}
        for place, change in enumerate(written):
            self._note_key(place, change)
        for place, change in enumerate(written):
            self._note_needs(place, change)
        for taker, leaver, unique in handed_over(changes):
            if not (unique.deferrable and deferrable):
                self.needs[self.place[id(taker)]].append(self._need_value(leaver, unique))
        for takers, leavers, unique in perhaps_handed_over(changes):
            if not (unique.deferrable and deferrable):
                # by way of a gate: each for itself would be as many needs as there are pairs
                gate = self._append(Gate(), [Need(self.place[id(leaver)], unique, "drop") for leaver in leavers])
                for taker in takers:
                    self.needs[self.place[id(taker)]].append(Need(gate, unique, "drop"))

    # ---- who needs whom

    def _need_value(self, leaver: UpdateChange | DeleteChange, unique: UniqueSet) -> Need:
        place = self.place[id(leaver)]
        if not unique.certain:
            return Need(place, unique, "drop")
        # a row that goes may have lost the value before
        names = nullable(leaver.info, unique.names)[:1] if isinstance(leaver, DeleteChange) else ()
        return Need(place, unique, "null" if names else None, names)

    def _note_key(self, place: int, change: Change) -> None:
        if isinstance(change, InsertChange):
            self.by_instance[id(change.instance)] = place
            if change.key_given:
                self.comers[(change.info, values_of(change, change.info.key_attributes))] = place
        elif isinstance(change, DeleteChange):
            self.leavers[(change.info, change.key)] = place
        elif isinstance(change, UpdateChange) and not change.info.key_set.isdisjoint(change.values):
            self.by_instance[id(change.instance)] = place
            self.comers[(change.info, values_of(change, change.info.key_attributes))] = place
            self.leavers[(change.info, change.key)] = place

    def _note_needs(self, place: int, change: Change) -> None:
        if isinstance(change, LinkChange):
            ends = [self.by_instance.get(id(end)) for end in change.ends] if change.added else []
            self.needs[place] += [Need(end, _LINK) for end in ends if end is not None]
            return
        if not isinstance(change, DeleteChange):
            self._need_parents(place, change)
        if not isinstance(change, InsertChange):
            self._let_go(place, change)

    def _need_parents(self, place: int, change: InsertChange | UpdateChange) -> None:
        """Notes the rows that a row points to from now on."""
        related = change.instance.__orm_related__ or {}
        for relation in to_ones(change.info):
            if change.values.keys().isdisjoint(relation.local):
                continue
            key = values_of(change, relation.local)
            if None in key:
                continue
            found = self.by_instance.get(id(related.get(relation.name)))
            if found is None:
                found = self.comers.get((relation.target, key))
            if found is None or (found == place and not any(isinstance(value, PendingKey) for value in key)):
                continue
            names = nullable(relation.owner, relation.local)
            self.needs[place].append(Need(found, relation, "later" if names else None, names))

    def _let_go(self, place: int, change: UpdateChange | DeleteChange) -> None:
        """Notes the row that a row has pointed to so far, where that one goes."""
        for relation in to_ones(change.info) if self.leavers else ():
            found = self.leavers.get((relation.target, saved_values(change, relation.local)))
            if found is None or found == place:
                continue
            names = nullable(relation.owner, relation.local)
            way: Literal["null", "drop"] | None = "null" if names else None
            if isinstance(change, UpdateChange) and change.info.key_set.isdisjoint(relation.local):
                follows = relation.on_update == "cascade" and isinstance(self.rows[found], UpdateChange)
                if follows or change.values.keys().isdisjoint(relation.local):
                    way = "drop"
            self.needs[found].append(Need(place, relation, way, names))

    # ---- rings

    def delete_together(self) -> None:
        """Has rows of one table that point to each other deleted by one statement."""
        for members in rings(self._costs()):
            if isinstance(self.rows[members[0]], DeleteChange) and len({_kind(self.rows[row]) for row in members}) == 1:
                inside = set(members)
                # they wait for the same, so they become ready at the same time
                needs = [need for row in sorted(members) for need in self.needs[row] if need.row not in inside]
                for row in members:
                    self.needs[row] = list(needs)

    def _costs(self) -> list[list[tuple[int, int | None]]]:
        return [[(need.row, need.cost) for need in needs] for needs in self.needs]

    def open_rings(self) -> None:
        """Does without needs so that no row needs itself.

        Raises:
            DependencyCycleError: Rows need each other, and nothing between them may be NULL.
        """
        try:
            broken = opened(self._costs())
        except RingError as error:
            raise self._refusal(error.ring) from None
        later: dict[int, list[Need]] = {}
        without: dict[int, set[int]] = {}
        for row, number in broken:
            need = self.needs[row][number]
            without.setdefault(row, set()).add(number)
            if need.way == "later":
                later.setdefault(row, []).append(need)
            elif need.way == "null":
                self._add(row, need)
        for row, numbers in without.items():
            self.needs[row] = [need for number, need in enumerate(self.needs[row]) if number not in numbers]
        for row, needs in later.items():
            self._put_off(row, needs)

    def _put_off(self, row: int, needs: Sequence[Need]) -> None:
        """Has a row written without what it points to, and that by an UPDATE of its own."""
        change = self.rows[row]
        assert isinstance(change, (InsertChange, UpdateChange))
        names = {name for need in needs for name in need.names}
        # NULL by name: the row goes with others that have the same columns
        first = {name: None if name in names else value for name, value in change.values.items()}
        rest = {name: value for name, value in change.values.items() if name in names}
        self.rows[row] = change._replace(values=first)
        keys = [_key_value(change, name) for name in change.info.key_attributes]
        self._append(_part(change, rest, tuple(keys)), [Need(row, needs[0].why), *needs])

    def _add(self, row: int, need: Need) -> None:
        """Has a row let go of another one, or of a value, before it is written itself."""
        change = self.rows[need.row]
        assert isinstance(change, (UpdateChange, DeleteChange))
        place = self.emptied.get((need.row, need.names))
        if place is None:
            place = self._append(_part(change, dict.fromkeys(need.names), change.key), [])
            self.emptied[need.row, need.names] = place
            self.needs[need.row].append(Need(place, need.why))
        self.needs[row].append(Need(place, need.why))

    def _append(self, row: UpdateChange | Gate, needs: list[Need]) -> int:
        self.rows.append(row)
        self.needs.append(needs)
        return len(self.rows) - 1

    def _refusal(self, ring: tuple[int, ...]) -> DependencyCycleError:
        reasons = [self._reason(one, other) for one, other in pairwise(ring)]
        rows = [self.rows[place] for place in ring]
        uniques = [reason for reason in reasons if isinstance(reason, UniqueSet)]
        if uniques:
            return _exchange(rows, uniques[0], deferrable=self.deferrable)
        relations = [reason for reason in reasons if isinstance(reason, RelationInfo)]
        return _ring(rows, relations)

    def _reason(self, row: int, needed: int) -> RelationInfo | UniqueSet:
        return next(need.why for need in self.needs[row] if need.row == needed and need.way is None)

    # ---- batches

    def batches(self) -> Iterator[list[Change]]:
        """Gives changes of one kind, table and set of columns at a time, each after all that it needs."""
        kinds = list(map(_kind, self.rows))
        tables = parents_first(
            list(dict.fromkeys([info for change in self.rows if (info := _info(change)) is not None])), rings=True
        )
        order = {info: place for place, info in enumerate(tables)}
        ranks: dict[Hashable, int] = {}
        for kind in sorted(dict.fromkeys(kinds), key=lambda kind: _rank(kind, order)):
            ranks[kind] = len(ranks)
        needs = [[need.row for need in needs] for needs in self.needs]
        for batch in in_batches([ranks[kind] for kind in kinds], needs):
            if changes := [row for place in batch if not isinstance(row := self.rows[place], Gate)]:
                yield changes


def ordered_rows(changes: ChangeSet, *, deferrable: bool, together: bool) -> Iterator[list[Change]]:
    """Gives all changes in batches of one kind, table and set of columns, in an order that the database accepts.

    Args:
        changes: What is pending.
        deferrable: The database can look at unique values at the end of the transaction.
        together: One statement deletes several rows, and what points to them is looked at when it ends.

    Raises:
        DependencyCycleError: There is none.
    """
    order = RowOrder(changes, deferrable=deferrable)
    if together and changes.deletes:
        order.delete_together()
    order.open_rings()
    return order.batches()


# ------------------------------------------------------------------ values


def values_of(change: InsertChange | UpdateChange, names: tuple[str, ...]) -> tuple[Any, ...]:
    """Gives columns as the row will have them; None where that is not known."""
    values = [new_value(change, name) for name in names]
    return tuple([None if value is MISSING else value for value in values])


def saved_values(change: UpdateChange | DeleteChange, names: tuple[str, ...]) -> tuple[Any, ...]:
    """Gives columns as the row has them."""
    return tuple([saved_value(change.instance, name) for name in names])


@lru_cache(maxsize=1000)
def nullable(info: ModelInfo, names: tuple[str, ...]) -> tuple[str, ...]:
    """Gives the columns that can be NULL for a while: one of them makes a relation point to nothing."""
    return tuple([name for name in names if info.by_attribute[name].nullable and name not in info.key_set])


def _key_value(change: InsertChange | UpdateChange, name: str) -> Any:
    value = new_value(change, name)
    return PendingKey(change.instance, name) if value is MISSING else value


def _part(
    change: InsertChange | UpdateChange | DeleteChange, values: dict[str, Any], key: tuple[Any, ...]
) -> UpdateChange:
    """Gives an UPDATE that is a part of another change of the row."""
    return UpdateChange(change.instance, change.info, values, {}, key, None, part=True)


_LINK = UniqueSet((), ())
"""Why links need their ends: nobody can be in a ring by one."""


# ------------------------------------------------------------------ kinds


def _kind(change: Row) -> tuple[Any, ...]:
    """Gives what the changes of one statement share, the phase of the flush first."""
    if isinstance(change, Gate):
        return (-1, None)
    if isinstance(change, LinkChange):
        return (3 if change.added else 0, None, change.table, change.columns, change.extra)
    if isinstance(change, InsertChange):
        return (1, change.info, tuple(change.values), change.key_given)
    if isinstance(change, UpdateChange):
        return (2, change.info, tuple(change.values), change.version is not None, change.part)
    return (4, change.info, change.version is not None)


def _rank(kind: tuple[Any, ...], order: dict[ModelInfo, int]) -> tuple[int, int]:
    phase, info = kind[0], kind[1]
    place = 0 if info is None else order[info]
    return (phase, -place if phase == 4 else place)


def _info(change: Row) -> ModelInfo | None:
    return None if isinstance(change, (LinkChange, Gate)) else change.info


# ------------------------------------------------------------------ refusals


def _ring(rows: Sequence[Row], relations: Sequence[RelationInfo]) -> DependencyCycleError:
    places = ", ".join(dict.fromkeys(relation.place for relation in relations))
    ring = _shown(rows)
    first = relations[0]
    if any(isinstance(row, DeleteChange) for row in rows):
        return DependencyCycleError(
            f"rows to delete point to each other by {places}, and none may be None: {ring}",
            hint="delete them by queries in a transaction whose constraints wait, or let a relation be None: "
            f"{first.name}: One[{first.target.name} | None]",
        )
    if len(rows) == 2:
        return DependencyCycleError(
            f"{ring.partition(' -> ')[0]} points to itself by {places}, and its key is not made yet",
            hint=f"give it a key, or let the relation be None: {first.name}: One[{first.target.name} | None]",
        )
    return DependencyCycleError(
        f"new objects need each other's keys by {places}, and none may be None: {ring}",
        hint=f"let one relation be None, and it is set by an UPDATE: {first.name}: One[{first.target.name} | None]",
    )


def _exchange(rows: Sequence[Row], unique: UniqueSet, *, deferrable: bool) -> DependencyCycleError:
    info = next(info for row in rows if (info := _info(row)) is not None)
    names = ", ".join(f"{info.name}.{name}" for name in unique.names)
    columns = ", ".join(f"cls.{name}" for name in unique.names)
    if info.key_set == frozenset(unique.names):
        remedy = "flush once with another value in between"
    elif deferrable:
        remedy = f"declare unique({columns}, deferrable=True), or flush once with another value in between"
    else:
        remedy = "this database looks at each row at once: flush once with another value in between"
    return DependencyCycleError(f"rows exchange values of {names}, which are unique: {_shown(rows)}", hint=remedy)


def _shown(rows: Sequence[Row]) -> str:
    shown = [repr(row.instance) for row in rows if not isinstance(row, (LinkChange, Gate))]
    if len(shown) > SHOWN_OF_RING:
        shown = [*shown[:SHOWN_OF_RING], f"... ({len(shown) - 1} objects)"]
    return " -> ".join(shown)
