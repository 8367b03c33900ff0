"""What `bulk_create` and `upsert` are asked, checked and frozen before a row is read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, NoReturn, Self, TypeAlias

from cormorant._internal.narrowing import is_iterable, is_tuple
from cormorant._internal.secrets import about
from cormorant.errors import QueryError, ValueOutOfRange, WrongType
from cormorant.models.constraints import IndexSpec
from cormorant.models.metadata import ColumnInfo, ModelInfo
from cormorant.models.paths import Path
from cormorant.models.validation import problem_of, stamped_columns
from cormorant.query.predicates import conditions_of
from cormorant.query.spec import Output, QuerySpec
from cormorant.query.write_planner import refuse_limits
from cormorant.sql import types as t
from cormorant.sql.calls import Fragment
from cormorant.sql.columns import Assignment, Column
from cormorant.sql.excluded import excluded, excluded_key
from cormorant.sql.expr import Bind, Expr, Order, walk

Dedupe: TypeAlias = Literal["first", "last"]
Progress: TypeAlias = Callable[[int], object]


@dataclass(frozen=True, slots=True)
class Conflict:
    """What an upsert does with a row that is there already.

    Args:
        on: The columns whose values tell that it is there.
        index_where: The condition of the unique index over them, if it has one.
        assignments: What it gets; None stands for the new values of all given columns.
        taken: The attributes that get the new row's value because `set=` names them.
        where: Which rows are changed.
        lifted: The default scopes that do not hide rows from it.
    """

    on: tuple[ColumnInfo, ...]
    index_where: Expr[Any] | None
    assignments: tuple[Assignment, ...] | None
    taken: frozenset[str]
    where: tuple[Expr[Any], ...]
    lifted: frozenset[str]


@dataclass(frozen=True, slots=True)
class Returned:
    """What comes back of the rows that were written."""

    columns: tuple[ColumnInfo, ...]
    output: Output


@dataclass(frozen=True, slots=True)
class BulkWrite:
    """A write of many rows.

    Args:
        conflict: What an upsert does with rows that are there; None for a plain insert.
        returning: What comes back of mappings; objects come back themselves.
        batch: Rows in one statement at most; None leaves it to the session.
        dedupe: Which one of several rows with the same key counts.
        on_batch: Told after each batch how many rows are done.
    """

    info: ModelInfo
    conflict: Conflict | None
    returning: Returned | None
    batch: int | None
    dedupe: Dedupe | None
    on_batch: Progress | None

    @property
    def verb(self) -> str:
        """What messages call it."""
        return "bulk_create()" if self.conflict is None else "upsert()"


class NoRows(int):
    """The answer to no rows, of which nobody knows whether they would have been objects or mappings: none, and 0."""

    def __new__(cls) -> Self:
        return super().__new__(cls, 0)

    def __iter__(self) -> Iterator[Any]:
        return iter(())

    def __len__(self) -> int:
        return 0

    def __getitem__(self, index: int) -> NoReturn:
        raise IndexError("there are no rows")

    def __eq__(self, other: object) -> bool:
        return other == 0 or other == []

    def __hash__(self) -> int:
        return hash(0)

    def __radd__(self, other: Any) -> Any:
        return other

    def __repr__(self) -> str:
        return "<no rows>"


def bulk_write(
    spec: QuerySpec,
    conflict: Conflict | None,
    *,
    returning: Any,
    batch: Any,
    dedupe: Any = None,
    on_batch: Any,
) -> BulkWrite:
    """Gives a write of many rows.

    Raises:
        QueryError: The query has conditions, which mean nothing to new rows, or an argument makes no sense.
    """
    verb = "bulk_create()" if conflict is None else "upsert()"
    refuse_conditions(spec, verb)
    if batch is not None and (not isinstance(batch, int) or isinstance(batch, bool) or batch < 1):
        raise WrongType(f"{verb}: batch={batch!r} is no number of rows", hint="give an int of 1 or more")
    if dedupe not in (None, "first", "last"):
        raise WrongType(f"{verb}: dedupe={dedupe!r}", hint='use "first", "last" or None')
    if on_batch is not None and not callable(on_batch):
        raise WrongType(f"{verb}: on_batch={on_batch!r} cannot be called", hint="pass a function of the rows done")
    returned = None if returning is None else _returned(spec.info, returning)
    return BulkWrite(spec.info, conflict, returned, batch, dedupe, on_batch)


def refuse_conditions(spec: QuerySpec, verb: str) -> None:
    """Refuses conditions and the like on a query that inserts."""
    refuse_limits(spec, verb)
    if spec.where or spec.joins or spec.ctes or spec.columns is not None:
        raise QueryError(
            f"{verb} of a query with conditions: they mean nothing to new rows",
            hint=f"start from session.query({spec.info.name})",
        )


def conflict_of(spec: QuerySpec, on: Any, set_: Any, where: Any) -> Conflict:
    """Gives what an upsert does with rows that are there.

    Raises:
        QueryError: A column is none of the model's, or cannot be written.
    """
    info = spec.info
    columns = _conflict_columns(info, on)
    taken: set[str] = set()
    assignments: tuple[Assignment, ...] | None = None
    if set_ is not None:
        assignments = tuple(_assignment(info, item, columns, taken) for item in _items("set", set_, "Country.gdp"))
        _refuse_twice(info, assignments)
    conditions = () if where is None else conditions_of(info, (where,), {})
    for expr in (*conditions, *(item.value for item in assignments or ())):
        _refuse_other_tables(info, expr)
    names = tuple(column.attribute for column in columns)
    return Conflict(columns, index_condition(info, names), assignments, frozenset(taken), conditions, spec.lifted)


def _conflict_columns(info: ModelInfo, on: Any) -> tuple[ColumnInfo, ...]:
    found = [column for item in _items("on", on, "Country.code") for column in columns_of(info, item, "on")]
    if not found:
        raise QueryError("upsert(on=[]) names no column", hint="name the key, or unique columns: on=[Country.code]")
    for column in found:
        if isinstance(column.type, t.Json):
            raise WrongType(f"upsert(on=...): {info.name}.{column.attribute} is a document, which tells no rows apart")
    return tuple({column.attribute: column for column in found}.values())


def _items(name: str, given: Any, example: str) -> list[Any]:
    if isinstance(given, (str, Column, Path, Assignment)) or not is_iterable(given):
        raise WrongType(f"upsert({name}=...) takes a list, not {given!r}", hint=f"{name}=[{example}]")
    return list(given)


def columns_of(info: ModelInfo, item: Any, name: str) -> tuple[ColumnInfo, ...]:
    """Gives the columns that a column, or a relation by its key, stands for."""
    nodes: tuple[Any, ...] = item.__key_columns__() if isinstance(item, Path) else (item,)
    for node in nodes:
        if not isinstance(node, Column):
            raise WrongType(f"{name}= takes columns, not {item!r} ({type(item).__name__})", hint=f"{info.name}.name")
        if node.source is not info.source:
            raise QueryError(f"{name}={item!r} is not a column of {info.name}", hint=f"name columns of {info.name}")
    return tuple(info.by_attribute[node.attribute] for node in nodes)


def _assignment(info: ModelInfo, given: Any, on: tuple[ColumnInfo, ...], taken: set[str]) -> Assignment:
    item = given if isinstance(given, Assignment) else _new_value(info, given)
    if item is not given:
        taken.add(item.column.attribute)
    check_assignment(info, item, "upsert(set=...)")
    if item.column.attribute in {*info.key_attributes, *(column.attribute for column in on)}:
        raise QueryError(
            f"upsert(set=...) cannot change {item.column!r}: the row is known by it", hint="leave it out of set="
        )
    return item


def _new_value(info: ModelInfo, item: Any) -> Assignment:
    (column, *more) = columns_of(info, item, "set")
    if more:
        raise QueryError(f"set={item!r} has a key of several columns", hint="name each of them")
    node = info.column(column.attribute)
    return Assignment(node, excluded(node))


def check_assignment(info: ModelInfo, item: Any, verb: str) -> None:
    """Refuses an assignment to what is no column of the model, or not the program's to set."""
    if not isinstance(item, Assignment):
        raise WrongType(f"{verb} takes assignments, not {item!r}", hint="use Model.column.set(value)")
    if item.column.source is not info.source:
        raise QueryError(
            f"{verb}: {item.column!r} is not a column of {info.name}",
            hint=f"query the model that has it; {info.name} holds the keys of its relations: Article.author.id.set(3)",
        )
    spec = info.fields[item.column.attribute]
    if spec.computed is not None or spec.version:
        why = "the database computes it" if spec.computed is not None else "every write counts it up"
        raise QueryError(f"{verb} cannot set {item.column!r}: {why}", hint="leave it out")
    # what is computed is the database's to judge
    if isinstance(item.value, Bind) and (
        problem := problem_of(info.by_attribute[item.column.attribute], item.value.value)
    ):
        raise ValueOutOfRange(about(f"{item.column!r}", problem))


def _refuse_twice(info: ModelInfo, assignments: Iterable[Assignment]) -> None:
    names = [item.column.name for item in assignments]
    for item in assignments:
        if names.count(item.column.name) > 1:
            raise QueryError(f"{item.column!r} is set twice", hint="set it once")


def with_version(info: ModelInfo, assignments: tuple[Assignment, ...]) -> tuple[Assignment, ...]:
    """Gives assignments with the one that counts the model's version up, so that stale objects are found out."""
    if info.version_column is None or not assignments:
        return assignments
    node = info.column(info.version_column.attribute)
    return (*assignments, Assignment(node, node + Fragment("1", t.BIG_INTEGER)))


def with_stamps(info: ModelInfo, assignments: tuple[Assignment, ...]) -> tuple[Assignment, ...]:
    """Gives assignments with new values for the columns that get one with every change, unless they are set too."""
    if not assignments or not stamped_columns(info):
        return assignments
    assigned = {item.column.attribute for item in assignments}
    stamps = [
        info.column(column.attribute).set(column.spec.on_update())
        for column in stamped_columns(info)
        if column.spec.on_update is not None and column.attribute not in assigned
    ]
    return (*assignments, *stamps)


def checked_assignments(info: ModelInfo, assignments: tuple[Any, ...]) -> tuple[Assignment, ...]:
    """Gives what an update sets, the version included."""
    if not assignments:
        raise QueryError("update() has nothing to set", hint="pass Model.column.set(value)")
    for item in assignments:
        check_assignment(info, item, "update()")
    _refuse_twice(info, assignments)
    return with_version(info, with_stamps(info, assignments))


def _refuse_other_tables(info: ModelInfo, expr: Expr[Any]) -> None:
    own = {info.source.key, excluded_key(info.source)}
    for node in walk(expr):
        if isinstance(node, Column) and node.source.key not in own:
            raise QueryError(
                f"upsert() of {info.name} reads {node!r}, a column of another table",
                hint="set= and where= see the row that is there and excluded(...), the one that was to be inserted",
            )


def _returned(info: ModelInfo, returning: Any) -> Returned:
    if returning is info.cls:
        return Returned(info.columns, "entities")
    if is_tuple(returning):
        columns = tuple(column for item in returning for column in columns_of(info, item, "returning"))
        if not columns:
            raise QueryError("returning=() names nothing", hint=f"returning={info.name}")
        return Returned(columns, "tuples")
    columns = columns_of(info, returning, "returning")
    if len(columns) != 1:
        raise QueryError(f"returning={returning!r} has a key of several columns", hint="name each of them in a tuple")
    return Returned(columns, "scalars")


@lru_cache(maxsize=1000)
def index_condition(info: ModelInfo, names: tuple[str, ...]) -> Expr[Any] | None:
    """Gives the condition of a unique index over these columns, if only such a one makes them unique."""
    for spec in info.cls.__table_args__():
        if isinstance(spec, IndexSpec) and spec.unique and _names_of(spec.items) == set(names):
            return spec.where
    return None


def _names_of(items: Iterable[Any]) -> set[str | None]:
    found: set[str | None] = set()
    for item in items:
        expr = item.expr if isinstance(item, Order) else item
        nodes: tuple[Any, ...] = expr.__key_columns__() if isinstance(expr, Path) else (expr,)
        found.update(node.attribute if isinstance(node, Column) else None for node in nodes)
    return found
