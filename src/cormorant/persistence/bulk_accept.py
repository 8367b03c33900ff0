"""Writes what a bulk write gave back into the objects, and gives results their places."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import chain, repeat
from operator import attrgetter
from types import NoneType
from typing import TYPE_CHECKING, Any

from cormorant._internal.collector import MANY, without_collector
from cormorant.adapters.base import Row
from cormorant.dialects.base import Dialect
from cormorant.errors import StaleObjectError
from cormorant.hydration.hydrator import Loader, compile_loader
from cormorant.hydration.shapes import EntityPart, Part, RowShape, ValuePart
from cormorant.models.collections import is_collection
from cormorant.models.metadata import ColumnInfo, ModelInfo
from cormorant.models.model import Model
from cormorant.models.state import Origin, bare_key, set_attribute
from cormorant.persistence.accept import Acceptance
from cormorant.persistence.bulk_rows import Group
from cormorant.persistence.changes import ChangeSet, FlushResult, insert_change
from cormorant.persistence.loader import or_hidden
from cormorant.persistence.unit_of_work import UnitOfWork
from cormorant.query.bulk import Returned
from cormorant.query.spec import Output

if TYPE_CHECKING:
    from cormorant.persistence.state import SessionState

# read by C, once for each object
_related_of: Callable[[Model], dict[str, Any] | None] = attrgetter("__orm_related__")
_origin_of: Callable[[Model], Origin | None] = attrgetter("__orm_origin__")


class BulkAcceptance:
    """One statement's results on their way to the caller.

    Args:
        state: The session state.
        info: The rows' model.
        origin: What the written objects come from now.
        results: By the row's number, what the caller gets.
    """

    def __init__(self, state: SessionState, info: ModelInfo, origin: Origin, results: dict[int, Any]) -> None:
        self.state = state
        self.info = info
        self.origin = origin
        self.results = results
        self.dialect: Dialect = state.database.dialect

    # ---- new objects

    def made_columns(self, group: Group) -> list[ColumnInfo]:
        """Gives the columns whose values the database makes."""
        given = {column.attribute for column in group.shape.columns}
        return [column for column in self.info.columns if column.server_made and column.attribute not in given]

    def created(self, group: Group, wanted: Sequence[ColumnInfo], rows: Sequence[Row]) -> None:
        """Makes new objects the session's, with what the database made."""
        batch, unit = group.batch, self.state.unit
        decoders = [self.dialect.returned_decoder(column.type) for column in wanted]
        names = [column.attribute for column in wanted]
        if any(decoders):
            rows = [_decoded(decoders, row) for row in rows]
        if len(names) == 1:
            only = names[0]
            made = [{only: row[0]} for row in rows]
        else:
            made = [dict(zip(names, row, strict=True)) for row in rows]
        _admit(unit, batch.instances)
        result = FlushResult(zip(map(id, batch.instances), made, strict=True))
        key_given = self.info.key_set <= set(group.shape.given)
        same = repeat(self.info), batch.rows, repeat(key_given), repeat(()), repeat(tuple(batch.rows[0]))
        inserts = tuple(map(insert_change, zip(batch.instances, *same, strict=False)))
        acceptance, changes = Acceptance(unit, self.origin, result), ChangeSet(inserts=inserts, keeps_keys=True)
        acceptance.accept(changes) if len(inserts) <= MANY else without_collector(acceptance.accept, changes)
        self.results.update(zip(batch.numbers, batch.instances, strict=True))

    # ---- objects whose row may have been there

    def upserted(self, group: Group, rows: Sequence[Row | None]) -> None:
        """Gives for each object the session's object of its row, as the row is now: itself unless there was one.

        Raises:
            StaleObjectError: A row was neither written nor found.
        """
        found: list[Row] = []
        for instance, row in zip(group.batch.instances, rows, strict=True):
            if row is None:
                meanwhile = "a trigger drops it, or another transaction changes it at the same moment: do it again"
                raise StaleObjectError(
                    f"the row of {instance!r} was not written, and cannot be read either",
                    hint=f"{meanwhile}{or_hidden(self.state, self.info)}",
                )
            found.append(row)
        taken_in = self._take_in(group.batch.instances, found)
        loaded = self._load(self.info.columns, "entities", found)
        acceptance = Acceptance(self.state.unit, self.origin, FlushResult())
        for instance in taken_in:
            acceptance.shown(instance)
        self.results.update(zip(group.batch.numbers, loaded, strict=True))

    def _take_in(self, instances: Sequence[Model], rows: Sequence[Row]) -> list[Model]:
        """Makes new objects stand for rows of which the session has no object yet; they are filled next."""
        unit, known = self.state.unit, self.state.identity.of(self.info)
        names = list(self.info.fields)
        places = [names.index(name) for name in self.info.key_attributes]
        decoders = [self.dialect.returned_decoder(column.type) for column in self.info.key_columns]
        found: list[Model] = []
        for instance, row in zip(instances, rows, strict=True):
            key = bare_key(tuple(_decoded(decoders, [row[place] for place in places])))
            if key in known or instance.__orm_origin__ is not None:
                continue
            unit.history.keep(instance)
            for held in (instance.__orm_related__ or {}).values():
                if is_collection(held):
                    unit.history.keep_collection(held)
                    held.unload()
            unit.admit(instance)
            unit.new.pop(id(instance))
            set_attribute(instance, "__orm_origin__", Origin(self.state, 0))
            known[key] = instance
            found.append(instance)
        return found

    # ---- rows without objects

    def returned(self, group: Group, returning: Returned, rows: Sequence[Row | None]) -> None:
        """Keeps what was asked of each row that was written."""
        pairs = [(n, row) for n, row in zip(group.batch.numbers, rows, strict=True) if row is not None]
        loaded = self._load(returning.columns, returning.output, [row for _, row in pairs])
        self.results.update(zip([number for number, _ in pairs], loaded, strict=True))

    def _load(self, columns: Sequence[ColumnInfo], output: Output, rows: Sequence[Row]) -> list[Any]:
        load = _loader(self.info, tuple(column.attribute for column in columns), output, self.dialect)
        identity = self.state.identity
        return load(rows, identity.of, self.origin, identity.remember)


def _admit(unit: UnitOfWork, instances: Sequence[Model]) -> None:
    """Takes new objects in whose rows are written already."""
    mark, places = unit.history.marks[-1], list(map(id, instances))
    held = chain.from_iterable(map(dict[str, Any].values, filter(None, map(_related_of, instances))))
    is_plain = set(map(type, held)) <= {NoneType} and set(map(_origin_of, instances)) <= {None}
    if not is_plain or not mark.known.keys().isdisjoint(places):
        for instance in instances:
            unit.admit(instance)
        return
    # what they come from is said at once when they are accepted
    fresh = dict(zip(places, instances, strict=True))
    mark.added.update(fresh)
    unit.new.update(fresh)


@lru_cache(maxsize=500)
def _loader(info: ModelInfo, names: tuple[str, ...], output: Output, dialect: Dialect) -> Loader:
    entity: tuple[Part, ...] = (EntityPart(info, 0),)
    values = (ValuePart(place, info.by_attribute[name].type) for place, name in enumerate(names))
    parts = entity if output == "entities" else tuple(values)
    return compile_loader(RowShape(parts, output, len(names)), dialect.returned_decoder)


def _decoded(decoders: Sequence[Any], row: Sequence[Any]) -> list[Any]:
    pairs = zip(decoders, row, strict=True)
    return [value if decode is None or value is None else decode(value) for decode, value in pairs]
