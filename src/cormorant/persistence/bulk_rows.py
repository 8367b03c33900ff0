"""Reads the rows of a bulk write: objects and mappings become columns of checked values, grouped by what they give."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter, itemgetter
from typing import Any, TypeAlias

from cormorant._internal.collector import MANY, without_collector
from cormorant._internal.narrowing import is_list, is_mapping
from cormorant.errors import ForeignInstanceError, UnknownName, ValidationError, WrongType
from cormorant.models.bulk_checks import default_of, is_text_alone, problems_in, texts_in
from cormorant.models.collections import is_collection
from cormorant.models.metadata import ColumnInfo, ModelInfo
from cormorant.models.model import Model
from cormorant.models.reading import reader_of
from cormorant.models.state import DETACHED, MISSING, Origin, is_ghost, is_persistent, is_set, value_or_missing
from cormorant.models.validation import Problem
from cormorant.persistence.changes import PendingKey, pending_keys
from cormorant.query.bulk import BulkWrite
from cormorant.sql import types as t

Values: TypeAlias = Mapping[str, Any]

# read by C, once for each object
_origin_of: Callable[[Any], Origin | None] = attrgetter("__orm_origin__")

RowProblem: TypeAlias = "tuple[int, str, str]"
"""A row's number, the place, and what is wrong."""

PROBLEMS = 20
"""So many values that cannot be saved are listed."""

HINT = "correct the rows and call again; nothing of the call was kept"


@dataclass(slots=True)
class Batch:
    """Rows that are written together.

    Args:
        numbers: Each row's number in the call, counted from 1.
        rows: Its values by attribute; PendingKey where an object's relation has the key.
        instances: The objects; none for mappings.
        texts: By the id of a document among the values, its text, as far as that was made already.
    """

    numbers: list[int]
    rows: list[Values]
    instances: list[Model]
    texts: dict[int, str | None] = field(default_factory=dict[int, "str | None"])

    def chosen(self, places: Iterable[int]) -> Batch:
        """Gives some of the rows, in the order of `places`."""
        wanted = list(places)
        instances = [self.instances[place] for place in wanted] if self.instances else []
        return Batch([self.numbers[p] for p in wanted], [self.rows[p] for p in wanted], instances, self.texts)


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """What the rows of one group have in common.

    Args:
        given: The attributes that have values, in the model's order.
        columns: Those, and the columns that get a default.
        problems: What rows like these lack.
    """

    given: tuple[str, ...]
    columns: tuple[ColumnInfo, ...]
    problems: tuple[Problem, ...]


@dataclass(slots=True)
class Group:
    """Rows with values for the same columns.

    Args:
        columns: The values, by column.
        texts: By the place of a column of documents, their texts: made once, to see that there are some.
    """

    shape: Shape
    batch: Batch
    columns: list[list[Any]]
    texts: dict[int, list[str | None]]


class RowReader:
    """Reads the rows of one call.

    Args:
        write: What was asked.
        owner: The session state that objects must belong to, or come to belong to.
    """

    def __init__(self, write: BulkWrite, owner: object) -> None:
        self.write = write
        self.info: ModelInfo = write.info
        self.owner = owner
        self.objects: bool | None = None
        self._shapes: dict[tuple[Any, ...], Shape] = {}
        # the columns that hold keys of related objects
        self._unset: list[str] = [name for name in self.info.fields if name in self.info.holders]

    # ---- rows

    def batch(self, rows: Sequence[object], first: int) -> Batch:
        """Gives rows as values by attribute.

        Args:
            rows: Objects or mappings.
            first: The number of the first one in the call.

        Raises:
            ValidationError: Listing the values of objects that cannot be saved.
            WrongType: A row is neither an object of the model nor a mapping.
        """
        numbers = list(range(first, first + len(rows)))
        if self.objects is None:
            self.objects = isinstance(rows[0], Model)
        if not self.objects:
            plain: set[type[Any]] = set(map(type, rows))
            if plain == {dict}:
                mappings: list[Any] = list(rows)
            else:
                mappings = [self._mapping(row, number) for number, row in enumerate(rows, first)]
            return Batch(numbers, mappings, [])
        # by far the most are new objects, whose keys the database makes
        if set(map(type, rows)) == {self.info.ghost} and set(map(_origin_of, rows)) == {None}:
            instances: list[Any] = list(rows)
        else:
            instances = [self._instance(row, number) for number, row in enumerate(rows, first)]
        self._refuse_twice(instances, first)
        read = self._read
        batch = Batch(numbers, [], instances)
        read(batch) if len(rows) <= MANY else without_collector(read, batch)
        return batch

    def _mapping(self, row: object, number: int) -> Values:
        if is_mapping(row):
            return row
        raise self._wrong(row, number)

    def _wrong(self, row: object, number: int) -> WrongType:
        text = f"{row!r:.60}"
        name = self.info.name
        hint = "put a single row in a list" if isinstance(row, str) else f"rows are all {name} objects or all mappings"
        return WrongType(f"{self.write.verb}: row {number} is {text} ({type(row).__name__})", hint=hint)

    def _instance(self, row: Any, number: int) -> Model:
        if not isinstance(row, Model) or not isinstance(row, self.info.cls):
            raise self._wrong(row, number)
        instance: Model = row
        origin = instance.__orm_origin__
        if origin is not None:
            self._check_saved(instance, origin, number)
        return instance

    def _check_saved(self, instance: Model, origin: Origin, number: int) -> None:
        place = f"{self.write.verb}: row {number}, {instance!r},"
        if origin.pending:
            hint = "leave it to that, or take it out of its session first: session.expunge(obj)"
            raise ForeignInstanceError(f"{place} was added to a session and waits for its flush", hint=hint)
        if self.write.conflict is None:
            raise ForeignInstanceError(f"{place} was saved before", hint="it has a row already; see upsert()")
        if origin.owner is not self.owner:
            hint = "make a new object of its values, or load it here"
            raise ForeignInstanceError(f"{place} belongs to another session, or to none", hint=hint)
        if is_ghost(instance):
            raise ForeignInstanceError(f"{place} is not loaded", hint="await it first, or pass a mapping")

    def _refuse_twice(self, instances: list[Model], first: int) -> None:
        if len(set(map(id, instances))) == len(instances) or self.write.dedupe is not None:
            return
        seen: dict[int, int] = {}
        for number, instance in enumerate(instances, first):
            if id(instance) in seen:
                where = f"row {number} is the object of row {seen[id(instance)]}"
                raise WrongType(f"{self.write.verb}: {where}, {instance!r}", hint="pass each object once")
            seen[id(instance)] = number

    def _read(self, batch: Batch) -> None:
        """Reads the values of objects.

        Raises:
            ValidationError: Listing those that cannot be saved.
        """
        documents = [column for column in self.info.mutable_columns if is_text_alone(column)]
        read = reader_of(self.info, frozenset([column.attribute for column in documents]))
        unset, found, result = self._unset, list[Problem](), batch.rows
        problems: list[RowProblem] = []
        for number, instance in zip(batch.numbers, batch.instances, strict=True):
            values = read(instance, found)
            if instance.__orm_related__:
                # in the model's order already
                values.update(self._related_keys(instance, found))
            for name in unset:
                if values[name] is MISSING:
                    del values[name]
            if found:
                problems += [(number, place, text) for place, text in found]
                found.clear()
            result.append(values)
        for column in documents:
            places = [place for place, values in enumerate(result) if column.attribute in values]
            given = [result[place][column.attribute] for place in places]
            texts, wrong = texts_in(column, given)
            problems += self._problems(batch, column, [(places[at], text) for at, text in wrong])
            batch.texts.update(zip(map(id, given), texts, strict=True))
        refuse(problems)

    def _related_keys(self, instance: Model, problems: list[Problem]) -> dict[str, PendingKey]:
        """Gives the keys that related objects got after they were set; refuses what only a flush writes."""
        for name, held in (instance.__orm_related__ or {}).items():
            place = f"{self.info.name}.{name}"
            if is_collection(held):
                if held.added:
                    problems.append((place, "has new members, which are not written here: add() the object instead"))
            elif isinstance(held, Model) and not self._is_ours(held):
                problems.append((place, f"is {held!r}, which belongs to another session"))
        waiting = pending_keys(instance, self.info)
        for local, pending in waiting.items():
            if not is_set(pending.instance, pending.attribute):
                problems.append((f"{self.info.name}.{local}", f"waits for {pending.instance!r}: save that first"))
        return waiting

    def _is_ours(self, held: Model) -> bool:
        origin = held.__orm_origin__
        if origin is None or origin.owner is self.owner:
            return True
        return origin is DETACHED and is_ghost(held) and is_persistent(held)

    # ---- keys

    def keys(self, batch: Batch) -> list[Hashable | None]:
        """Gives what tells each row from others, None where it is NULL and nothing else is equal to it.

        Raises:
            ValidationError: A row has no such value, or a wrong one.
            UnknownName: What a row has instead is no column.
        """
        conflict = self.write.conflict
        assert conflict is not None
        problems: list[RowProblem] = []
        columns: list[list[Any]] = []
        for column in conflict.on:
            values = [sent_value(row.get(column.attribute, MISSING)) for row in batch.rows]
            missing = [place for place, value in enumerate(values) if value is MISSING]
            for place in missing:
                # a relation, or a name with a slip: that is what to say
                for name in batch.rows[place]:
                    self._check_name(name, batch.numbers[place])
            text = "has no value, and on= tells rows apart by it"
            problems += self._problems(batch, column, [(place, text) for place in missing])
            if not missing:
                problems += self._problems(batch, column, problems_in(self.info, column, values))
            columns.append(values)
        refuse(problems)
        return key_values([column.type for column in conflict.on], columns)

    def _problems(self, batch: Batch, column: ColumnInfo, found: Iterable[tuple[int, str]]) -> list[RowProblem]:
        name = f"{self.info.name}.{column.attribute}"
        return [(batch.numbers[place], name, text) for place, text in found]

    # ---- groups

    def groups(self, batch: Batch) -> list[Group]:
        """Gives the rows by the columns they have values for, in columns, defaults filled in.

        Raises:
            ValidationError: Listing the values that cannot be saved.
            UnknownName: A mapping has a key that is no column.
        """
        given = list(map(tuple, batch.rows))
        problems: list[RowProblem] = []
        if given and given.count(given[0]) == len(given):
            # by far the most: all alike
            shape = self._shape_of(given[0], batch.numbers[0])
            groups = [self._group(shape, batch, problems)]
        else:
            places = self._places(given, batch.numbers)
            whole = len(places) == 1
            groups = [
                self._group(shape, batch if whole else batch.chosen(found), problems) for shape, found in places.items()
            ]
        refuse(problems)
        return groups

    def _places(self, given: Sequence[tuple[Any, ...]], numbers: Sequence[int]) -> dict[Shape, list[int]]:
        places: dict[Shape, list[int]] = {}
        last: tuple[Any, ...] | None = None
        same: list[int] = []
        for place, names in enumerate(given):
            # most come together, and a comparison costs less than a hash
            if names != last:
                last = names
                same = places.setdefault(self._shape_of(names, numbers[place]), [])
            same.append(place)
        return places

    def _shape_of(self, names: tuple[Any, ...], number: int) -> Shape:
        shape = self._shapes.get(names)
        if shape is None:
            shape = self._shapes[names] = self._shape(names, number)
        return shape

    def _shape(self, names: tuple[Any, ...], number: int) -> Shape:
        for name in names:
            self._check_name(name, number)
        given = tuple(name for name in self.info.fields if name in names)
        known = next((shape for shape in self._shapes.values() if shape.given == given), None)
        if known is not None:
            return known
        columns = [
            c for c in self.info.columns if c.attribute in names or not (self.objects or self._default(c) is None)
        ]
        have = {column.attribute for column in columns}
        lacking = [name for name in self.info.needed_attributes if name not in have]
        problems = [(f"{self.info.name}.{name}", "has no value") for name in lacking]
        taken = self.write.conflict.taken if self.write.conflict else frozenset[str]()
        needed = taken.difference(given, lacking)
        problems += [(f"{self.info.name}.{name}", "has no value, and set= takes it") for name in needed]
        return Shape(given, tuple(columns), tuple(problems))

    def _check_name(self, name: object, number: int) -> None:
        spec = self.info.fields.get(name) if isinstance(name, str) else None
        if spec is not None and spec.computed is None:
            return
        place = f"{self.write.verb}: row {number}"
        if spec is not None:
            raise UnknownName(
                f"{place} has {self.info.name}.{name}, which the database computes", hint=f"leave {name!r} out"
            )
        relation = self.info.relation_specs.get(str(name))
        if relation is not None and relation.keys:
            hint = f"give the key: {', '.join(map(repr, relation.keys))}"
            raise UnknownName(f"{place} has the relation {name!r}", hint=hint)
        error = self.info.unknown(str(name))
        raise UnknownName(f"{place}: {error.message}", hint=error.hint)

    def _default(self, column: ColumnInfo) -> Callable[[], Any] | None:
        return default_of(self.info, column.attribute)

    def _defaults(self, column: ColumnInfo, count: int) -> list[Any]:
        make = self._default(column)
        if make is None:
            return []
        return [make()] * count if column.spec.default_factory is None else [make() for _ in range(count)]

    def _group(self, shape: Shape, batch: Batch, problems: list[RowProblem]) -> Group:
        problems += [(number, *problem) for number in batch.numbers for problem in shape.problems]
        group = Group(shape, batch, [], {})
        for place, column in enumerate(shape.columns):
            name = column.attribute
            if name in shape.given:
                values = [row[name] for row in batch.rows]
                if batch.instances and name in self.info.holders:
                    values = list(map(sent_value, values))
            else:
                values = self._defaults(column, len(batch.rows))
            group.columns.append(values)
            problems += self._problems(batch, column, self._checked(group, place))
        return group

    def _checked(self, group: Group, place: int) -> Iterable[tuple[int, str]]:
        """Gives what is wrong with the values of a column; keeps the texts of documents."""
        column, values, texts = group.shape.columns[place], group.columns[place], group.batch.texts
        if is_text_alone(column):
            known = group.batch.instances and all(map(texts.__contains__, map(id, values)))
            found = [texts[id(value)] for value in values] if known else None
            if found is None:
                found, wrong = texts_in(column, values)
                if wrong:
                    return wrong
            group.texts[place] = found
            return ()
        # reading an object has checked all but the characters of texts that are made of values
        if group.batch.instances and type(column.type) not in _MADE_TEXTS:
            return ()
        return problems_in(self.info, column, values)


def refuse(problems: Sequence[RowProblem], hint: str = HINT) -> None:
    """Raises what was found wrong.

    Raises:
        ValidationError: Listing the first problems.
    """
    if problems:
        listed = sorted(problems, key=itemgetter(0))[:PROBLEMS]
        more = f"{len(problems) - PROBLEMS} more are not listed; " if len(problems) > PROBLEMS else ""
        raise ValidationError([(f"row {number}: {place}", text) for number, place, text in listed], hint=more + hint)


def sent_value(value: Any) -> Any:
    """Gives a value as it is sent: a related object's key instead of the wait for it."""
    return value_or_missing(value.instance, value.attribute) if isinstance(value, PendingKey) else value


def key_values(types: Sequence[t.SqlType], columns: Sequence[Sequence[Any]]) -> list[Hashable | None]:
    """Gives each row's key in a form that is equal where the database finds it equal; None where a part is NULL."""
    told = [_told(type_, values) for type_, values in zip(types, columns, strict=True)]
    if len(told) == 1:
        return list(told[0])
    return [None if None in key else key for key in zip(*told, strict=True)]


def _told(type_: t.SqlType, values: Sequence[Any]) -> Sequence[Any]:
    tell = _TELLING.get(type(type_))
    if tell is None:
        return values
    return [None if value is None else tell(type_, value) for value in values]


def _told_custom(type_: Any, value: Any) -> Any:
    # the user's class need not know when two values are equal
    return _told(type_.base, [type_.encode(value)])[0]


def _told_list(_: Any, value: Any) -> Any:
    return tuple(map(_frozen, value))


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if is_list(value) else value


_MADE_TEXTS = (t.Array, t.Custom)

_TELLING: dict[type[t.SqlType], Callable[[Any, Any], Any]] = {
    t.Custom: _told_custom,
    t.Array: _told_list,
    t.Binary: lambda _, value: bytes(value),
    t.Enumeration: lambda _, value: value.value,
}
