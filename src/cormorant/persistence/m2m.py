"""Links of many-to-many relations that are made and dropped at once, whatever is loaded."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from typing import Any, Protocol

from cormorant.adapters.base import Connection
from cormorant.database import Database
from cormorant.database.invalidation import Invalidation
from cormorant.errors import UnsavedError, WrongType
from cormorant.models.collections import Collection, is_collection
from cormorant.models.links import RelationInfo
from cormorant.models.model import Model
from cormorant.models.state import LinkVerb, is_persistent, row_key_of
from cormorant.models.through import check_fillable
from cormorant.observability.performance import asking
from cormorant.persistence.cascades import link_objects
from cormorant.persistence.changes import ChangeSet, PendingKey, end_columns, link_changes
from cormorant.persistence.flush import Flusher, FlushRun
from cormorant.persistence.flush_plan import FlushPlan, LinkStep
from cormorant.persistence.identity_map import IdentityMap
from cormorant.persistence.transaction import TransactionStack
from cormorant.persistence.unit_of_work import UnitOfWork
from cormorant.persistence.writer import StateWriter
from cormorant.sql.statements import Delete


class Linker(Protocol):
    """What links are written with; session states have it."""

    database: Database
    identity: IdentityMap
    unit: UnitOfWork
    flusher: Flusher
    transactions: TransactionStack
    writer: StateWriter

    def check_usable(self) -> None:
        """Refuses once the session has ended."""
        ...

    async def flush(self) -> None:
        """Writes what is pending."""
        ...


class Done:
    """What there is to await of work that is done: nothing."""

    def __await__(self) -> Generator[None, None, None]:
        yield from ()


DONE = Done()


async def link(
    state: Linker, verb: LinkVerb, owner: Model, relation: RelationInfo, items: Sequence[Model] = ()
) -> None:
    """Makes links, or drops some or all of an object's; new objects among the ends are saved first.

    Raises:
        WrongType: The relation is none of the owner's, or not many-to-many, or an object is no member of it.
        ForeignInstanceError: An object belongs to another session.
    """
    state.check_usable()
    _check(owner, relation, items)
    if verb == "add":
        check_fillable(relation)
    owner, *members = map(state.unit.known, (owner, *items))
    # several references may stand for one row
    members = list({_row_of(item): item for item in members}.values())
    await _save_ends(state, relation, owner, members, new=verb == "add")
    if verb == "clear":
        await _run(state, FlushPlan(tuple(_deletes_of(relation, owner))))
        _forget_links(state, owner, relation, None)
        _show_none(state, owner, relation)
        return
    # what has no row has no links either
    known = [member for member in members if is_persistent(member)]
    if known:
        changes = tuple(link_changes(relation, owner, known, added=verb == "add"))
        await _run(state, state.flusher.plan(ChangeSet(links=changes)))
        if verb == "remove":
            _forget_links(state, owner, relation, known)
        _show(state, owner, relation, known, shown=verb == "add")


def _row_of(item: Model) -> tuple[bool, Any]:
    has_row = is_persistent(item)
    return (has_row, row_key_of(item) if has_row else id(item))


def _check(owner: Model, relation: RelationInfo, items: Iterable[object]) -> None:
    if not isinstance(owner, relation.owner.cls):
        raise WrongType(f"{relation.place} is no relation of {owner!r} ({type(owner).__name__})")
    if relation.link is None:
        raise WrongType(
            f"{relation.place} has no links: {relation.target.name} objects hold its key",
            hint=f"use .{relation.name}.add(...) and .remove(...)",
        )
    for item in items:
        if not isinstance(item, relation.target.cls):
            name = relation.target.name
            raise WrongType(f"{relation.place} holds {name} objects, not {item!r} ({type(item).__name__})")


async def _save_ends(
    state: Linker, relation: RelationInfo, owner: Model, members: Iterable[Model], *, new: bool
) -> None:
    """Writes the ends that have no row, and links that wait for the next flush: what is asked for now comes last."""
    assert relation.link is not None
    # an object that nobody has added has no links to drop, and is not added by that
    ends = [end for end in (owner, *members) if new or end.__orm_origin__ is not None]
    for end in ends:
        state.unit.add(end)
    if not all(map(is_persistent, ends)) or state.unit.concerns(frozenset({relation.link.table})):
        await state.flush()
    for end in ends if new else (owner,):
        if not is_persistent(end):
            raise UnsavedError(
                f"{end!r} has no row, so it has no links",
                hint="add it to the session first; inside of a hook, which flushes nothing, use the collection's add()",
            )


def _deletes_of(relation: RelationInfo, owner: Model) -> Iterable[LinkStep]:
    """Gives the statements that drop every link of an object."""
    link = relation.link
    assert link is not None
    row = tuple(PendingKey(owner, name) for name in relation.owner.key_attributes)
    for names in (link.near, link.far) if relation.is_symmetrical else (link.near,):
        # there may be many, and nobody asks for them
        yield LinkStep(Delete(link.table, end_columns(names, relation.owner), silent=True), (), (row,))


async def _run(state: Linker, plan: FlushPlan) -> None:
    caller = asking()

    async def write(connection: Connection) -> None:
        await FlushRun(state.database, connection, state.transactions.tracker, caller).run(plan)

    def written(what: Invalidation) -> None:
        what.add_tables(step.statement.table for step in plan.steps)

    if len(plan.steps) == 1:
        await state.writer.send(write, written)
        return
    async with state.writer.atomic("clear_m2m()"):
        await state.writer.send(write, written)


# ---- what is loaded


def _show(state: Linker, owner: Model, relation: RelationInfo, members: Sequence[Model], *, shown: bool) -> None:
    """Shows in collections that are loaded, on both sides, what was linked or is linked no more."""
    pairs: list[tuple[Collection[Any] | None, Model]] = [(_held(owner, relation.name), item) for item in members]
    if relation.inverse is not None:
        pairs += [(_held(item, relation.inverse), owner) for item in members]
    for collection, item in pairs:
        if collection is not None:
            state.unit.history.keep_collection(collection)
            collection.show(item) if shown else collection.exclude(item)


def _forget_links(state: Linker, owner: Model, relation: RelationInfo, members: Sequence[Model] | None) -> None:
    """Takes the objects of dropped links, of all of an object's or of those to some members, out of the session."""
    through = None if relation.link is None else relation.link.through
    if through is not None:
        state.writer.forget(through, link_objects(relation, owner, members, state.identity.by_model))


def _show_none(state: Linker, owner: Model, relation: RelationInfo) -> None:
    """Empties an object's collection, and takes the object out of those on the other side that show it."""
    mine = _held(owner, relation.name)
    if mine is not None:
        state.unit.history.keep_collection(mine)
        mine.fill(())
    for other in list(state.identity.of(relation.target).values()) if relation.inverse is not None else ():
        held = _held(other, relation.inverse or "")
        if held is not None and held.shows(owner):
            state.unit.history.keep_collection(held)
            held.exclude(owner)


def _held(instance: Model, name: str) -> Collection[Any] | None:
    held: Any = (instance.__orm_related__ or {}).get(name)
    return held if is_collection(held) else None
