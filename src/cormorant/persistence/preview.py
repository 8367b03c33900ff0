"""What a flush would do, told without doing it: its statements, and what the database does by itself."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from cormorant.database import Database
from cormorant.errors import ModelError
from cormorant.models.describing import shown_value
from cormorant.models.links import RelationInfo
from cormorant.models.metadata import ModelInfo
from cormorant.models.model import Model
from cormorant.models.state import set_attribute
from cormorant.persistence.changes import PendingKey
from cormorant.persistence.collecting import collected, gather
from cormorant.persistence.flush import Flusher
from cormorant.persistence.flush_plan import DeleteStep, FlushPlan, InsertStep, LinkStep, Step, UpdateStep
from cormorant.persistence.unit_of_work import UnitOfWork
from cormorant.sql.ddl import OnDelete
from cormorant.sql.statements import Delete, Insert, TypedColumn, Update

SHOWN_ROWS = 3
"""The most rows whose values are shown."""

Action: TypeAlias = Literal["delete", "set null", "set default", "follow"]

_VERBS: dict[Action, str] = {
    "delete": "deletes",
    "set null": "sets NULL in",
    "set default": "sets the default in",
    "follow": "updates",
}
_ACTIONS: dict[OnDelete, Action] = {"cascade": "delete", "set_null": "set null", "set_default": "set default"}


@dataclass(frozen=True, slots=True)
class PlannedStatement:
    """One statement of a flush.

    Args:
        kind: What it does.
        table: The table's name.
        sql: Its text.
        rows: How many rows it writes.
        repeated: It is sent for each row by itself.
        values: For each parameter the column's name and the values of the first rows, as text, sensitive ones hidden.
    """

    kind: Literal["insert", "update", "delete"]
    table: str
    sql: str
    rows: int
    repeated: bool
    values: tuple[tuple[str, tuple[str, ...]], ...]

    def __str__(self) -> str:
        each = ", one by one" if self.repeated else ""
        more = ", ..." if self.rows > SHOWN_ROWS else ""
        lines = [f"{self.kind.upper()} {self.table}: {_rows(self.rows)}{each}", f"   {self.sql}"]
        lines += [f"   {name} = {', '.join(shown)}{more}" for name, shown in self.values]
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Consequence:
    """What the database does to rows that point to others; how many there are is not known before.

    Args:
        action: What becomes of the rows; "follow": they get the key that the others have from now on.
        table: The table they are in.
        columns: The columns by which they point.
        because: The table whose rows go, or get another key.
    """

    action: Action
    table: str
    columns: tuple[str, ...]
    because: str

    def __str__(self) -> str:
        columns = ", ".join(self.columns)
        why = "whose key changes" if self.action == "follow" else "that go"
        target = f"rows of {self.because} {why}"
        return f"the database {_VERBS[self.action]} {self.table} by {columns}, where it points to {target}"


@dataclass(frozen=True, slots=True)
class FlushPreview:
    """What the next flush would do, as far as it is known before; `session.preview()` gives it, and it can be printed.

    Args:
        statements: The statements in order.
        consequences: What the database does by itself, to rows whose number is not known.
        notes: What was assumed.
    """

    statements: tuple[PlannedStatement, ...]
    consequences: tuple[Consequence, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """How many rows the statements write."""
        return sum(statement.rows for statement in self.statements)

    def __str__(self) -> str:
        if not self.statements:
            return "nothing to write"
        count = len(self.statements)
        lines = [f"{count} statement{'s'[: count != 1]}, {_rows(self.rows)}"]
        lines += [f"{number}. {statement}" for number, statement in enumerate(self.statements, 1)]
        lines += [f"- {consequence}: an unknown number of rows" for consequence in self.consequences]
        lines += [f"- {note}" for note in self.notes]
        return "\n".join(lines)


def preview(flusher: Flusher) -> FlushPreview:
    """Gives what a flush would do; writes nothing, runs no hooks, and leaves what is pending as it is.

    Raises:
        ValidationError: A value cannot be saved.
        DependencyCycleError: Rows need each other in a ring.
    """
    unit = flusher.unit

    def delete(instance: Model) -> None:
        # as the unit of work does, but without touching the object
        if unit.new.pop(id(instance), None) is None:
            unit.deleted[id(instance)] = instance

    with _put_back(unit):
        # changes inside of documents are noted for good, as reading `session.dirty` does: nobody notes them again
        gather(unit, delete)
        plan = flusher.plan(collected(unit))
        statements = tuple([_statement(flusher.database, step) for step in plan.steps])
    return FlushPreview(
        statements,
        (*consequences(_gone(plan)), *consequences(_moved(plan), moved=True)),
        tuple(_notes(flusher.database, plan)),
    )


@contextmanager
def _put_back(unit: UnitOfWork) -> Generator[None]:
    """Undoes what collecting changes does: it takes in new objects that have become reachable."""
    new, deleted, collections = dict(unit.new), dict(unit.deleted), dict(unit.collections)
    mark = unit.history.begin_look()
    try:
        yield
    finally:
        for instance in [held for key, held in unit.new.items() if key not in new]:
            set_attribute(instance, "__orm_origin__", None)
        unit.history.end_look(mark)
        for pending in (unit.new, unit.deleted, unit.collections):
            pending.clear()
        unit.new.update(new)
        unit.deleted.update(deleted)
        unit.collections.update(collections)


# ------------------------------------------------------------------ statements


def _statement(database: Database, step: Step) -> PlannedStatement:
    statement = step.statement
    columns = _columns(statement)
    secret = _secrets(step, columns)
    values = [
        (column.name, tuple([_shown(row[place], sensitive=column.name in secret) for row in step.rows[:SHOWN_ROWS]]))
        for place, column in enumerate(columns)
    ]
    batch = statement.mode != "row" if isinstance(statement, Insert) else statement.batch
    return PlannedStatement(
        _KINDS[type(statement)],
        statement.table,
        database.prepare_write(statement).sql,
        len(step.rows),
        len(step.rows) > 1 and not batch,
        tuple(values),
    )


_KINDS: dict[type, Literal["insert", "update", "delete"]] = {Insert: "insert", Update: "update", Delete: "delete"}


def _columns(statement: Insert | Update | Delete) -> tuple[TypedColumn, ...]:
    """Gives the columns of a statement's parameters, in their order."""
    if isinstance(statement, Insert):
        return statement.columns
    return (*statement.matched, *statement.assigned) if isinstance(statement, Update) else statement.matched


def _secrets(step: Step, columns: Sequence[TypedColumn]) -> set[str]:
    """Gives the columns whose values are shown to nobody."""
    if not isinstance(step, LinkStep):
        return {column.name for column in step.changes[0].info.columns if column.spec.sensitive}
    ends = [column for end in step.changes[0].ends for column in type(end).__info__.key_columns] if step.changes else []
    found = {column.name for column, key in zip(columns, ends, strict=False) if key.spec.sensitive}
    # what a model of links has beside them may be anything
    return found | {column.name for column in columns[len(ends) :]}


def _shown(value: Any, *, sensitive: bool) -> str:
    if isinstance(value, PendingKey):
        return f"(the {value.attribute} of {value.instance!r})"
    return shown_value(value, sensitive=sensitive)


def _rows(count: int) -> str:
    return f"{count} row{'s'[: count != 1]}"


def _notes(database: Database, plan: FlushPlan) -> Iterator[str]:
    several = any(isinstance(step, InsertStep) and len(step.rows) > 1 for step in plan.steps)
    if several and not database.adapter.server_version and database.dialect.supports_array_binds:
        yield "not connected yet, so the server's version is not known: rows are inserted as an old one needs it"


# ------------------------------------------------------------------ what the database does


def _gone(plan: FlushPlan) -> list[ModelInfo]:
    return list(dict.fromkeys([step.changes[0].info for step in plan.steps if isinstance(step, DeleteStep)]))


def _moved(plan: FlushPlan) -> list[ModelInfo]:
    updates = [step.changes[0] for step in plan.steps if isinstance(step, UpdateStep)]
    return list(dict.fromkeys([first.info for first in updates if not first.info.key_set.isdisjoint(first.values)]))


def consequences(infos: Iterable[ModelInfo], *, moved: bool = False) -> Iterator[Consequence]:
    """Gives what the database does by itself to what points to rows of some models, and then to what points to that.

    Args:
        infos: The models.
        moved: Their rows get other keys, rather than go.
    """
    consequence = _of_key if moved else _of_delete
    waiting = list(infos)
    seen = set(waiting)
    told: set[Consequence] = set()
    for info in waiting:
        for owner in info.registry:
            for relation in _relations(owner):
                found = consequence(owner, relation, info)
                if found is None or found in told:
                    continue
                told.add(found)
                yield found
                further = not owner.key_set.isdisjoint(relation.local) if moved else found.action == "delete"
                if further and relation.link is None and owner not in seen:
                    seen.add(owner)
                    waiting.append(owner)


def _relations(owner: ModelInfo) -> Iterable[RelationInfo]:
    try:
        return owner.relations.values()
    except ModelError:
        # a model that cannot be used has no rows either
        return ()


def _of_delete(owner: ModelInfo, relation: RelationInfo, gone: ModelInfo) -> Consequence | None:
    if relation.kind == "many_to_many":
        return _of_link(owner, relation, gone, "delete")
    if relation.kind != "to_one" or relation.target is not gone or relation.on_delete not in _ACTIONS:
        return None
    return Consequence(_ACTIONS[relation.on_delete], owner.table, _names(owner, relation), gone.table)


def _of_key(owner: ModelInfo, relation: RelationInfo, moved: ModelInfo) -> Consequence | None:
    if relation.kind == "many_to_many":
        return _of_link(owner, relation, moved, "follow")
    if relation.kind != "to_one" or relation.target is not moved or relation.on_update != "cascade":
        return None
    return Consequence("follow", owner.table, _names(owner, relation), moved.table)


def _of_link(owner: ModelInfo, relation: RelationInfo, changed: ModelInfo, action: Action) -> Consequence | None:
    link = relation.link
    # once, from the side that declares it; a model of links has relations of its own
    declared = owner.relation_specs[relation.name].kind == "many_to_many"
    if link is None or link.through is not None or not declared or changed not in (owner, relation.target):
        return None
    return Consequence(action, link.table, link.near if owner is changed else link.far, changed.table)


def _names(owner: ModelInfo, relation: RelationInfo) -> tuple[str, ...]:
    return tuple(owner.by_attribute[name].name for name in relation.local)
