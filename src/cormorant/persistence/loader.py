"""Loads references and collections, each with its siblings: the objects that came from the same result."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias
from weakref import ref

from cormorant.database import Database
from cormorant.errors import NotFoundError, StaleObjectError
from cormorant.models.collections import Collection, is_collection, loaded_collection
from cormorant.models.describing import shown_key
from cormorant.models.links import RelationInfo
from cormorant.models.many import WHOLE, Part
from cormorant.models.metadata import ModelInfo
from cormorant.models.model import Model
from cormorant.models.scopes import Scopes
from cormorant.models.state import (
    MISSING,
    Origin,
    bare_key,
    is_ghost,
    is_set,
    keep_related,
    row_key_of,
    set_attribute,
    value_or_missing,
)
from cormorant.persistence.history import History
from cormorant.persistence.identity_map import IdentityMap
from cormorant.persistence.unit_of_work import UnitOfWork
from cormorant.query.prefetch import by_key, chunks, members_of, objects_of
from cormorant.query.related import NOTHING, Loading
from cormorant.query.spec import QuerySpec, Single

if TYPE_CHECKING:
    from cormorant.persistence.cached import CachedReads

Batch: TypeAlias = dict[Any, Model]
"""Objects by the key that they, or what they lack, are loaded by."""


class Reader(Protocol):
    """Runs queries for the loader; session states do."""

    database: Database
    identity: IdentityMap
    scopes: Scopes | None
    cached: CachedReads | None

    @property
    def unit(self) -> UnitOfWork:
        """The session's unit of work."""
        ...

    @property
    def made_unit(self) -> UnitOfWork | None:
        """The unit of work, if anything has asked for it yet."""
        ...

    def check_usable(self) -> None:
        """Refuses once the session has ended."""
        ...

    async def fetch(self, spec: QuerySpec, *, autoflush: bool = True) -> list[Any]:
        """Runs a query."""
        ...

    async def flush(self) -> None:
        """Writes what is pending."""
        ...


def not_there(reader: Reader, info: ModelInfo, instance: Model) -> NotFoundError:
    """Gives the error about an object whose row is not found."""
    hint = f"it was deleted meanwhile{or_hidden(reader, info)}"
    return NotFoundError(f"{info.name} {shown_key(info, row_key_of(instance))} does not exist", hint=hint)


def or_hidden(reader: Reader, info: ModelInfo) -> str:
    """Gives a further reason why a row is not found, where default scopes may be it."""
    scoped = reader.scopes is not None and reader.scopes.concerns(info)
    return ", or a default scope hides it from this session" if scoped else ""


async def flush_before(reader: Reader, spec: Callable[[], QuerySpec]) -> None:
    """Writes what is pending, if the query reads tables that it is for; nothing is, as a rule."""
    unit = reader.made_unit
    pending = (unit is not None and not unit.is_empty) or bool(reader.identity.documents)
    if pending and reader.unit.concerns(reader.database.prepare(spec()).tables):
        await reader.flush()


class Loads:
    """Loads what a session's objects lack, each thing once, however many tasks ask for it at the same time.

    Args:
        reader: Runs the queries.
    """

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self._running: defaultdict[Any, dict[Any, asyncio.Future[Exception | None]]] = defaultdict(dict)

    async def reference(self, instance: Model) -> None:
        """Fills a reference, or an object with deferred columns, and its siblings with it, in one query.

        Raises:
            NotFoundError: The row does not exist.
        """
        info, asked = type(instance).__info__, False
        origin = instance.__orm_origin__
        beside = None if origin is None else origin.beside
        single: Single = ("columns", info) if beside is None else ("reference", beside[1])

        async def load(batch: Batch) -> None:
            cached, keys = self.reader.cached, list(batch)
            left = keys if cached is None else await cached.load(info, keys, single=single)
            await load_objects(self.reader, info, left, single=single)

        while lacks_columns(instance):
            if asked:
                raise not_there(self.reader, info, instance)
            asked = await self._once(info, instance, lambda: _references(self.reader, instance), load)

    async def relation(self, instance: Model, relation: RelationInfo) -> None:
        """Loads a relation on the other side for an object and its siblings that have not loaded it, in one query."""

        async def load(batch: Batch) -> None:
            await load_members(self.reader, relation, batch, single=("relation", relation))

        while not is_loaded(instance, relation):
            # before the others: a flush that waits for one of them must not be waited for
            await flush_before(self.reader, lambda: members_of(relation, [row_key_of(instance)]))
            kind = (relation.owner, relation.name)
            await self._once(kind, instance, lambda: _owners(self.reader, instance, relation), load)
        await load_references(self.reader, relation, [instance])

    async def _once(
        self, kind: Any, instance: Model, batch: Callable[[], Batch], load: Callable[[Batch], Awaitable[None]]
    ) -> bool:
        """Loads something, or waits for the task that is loading it already.

        Args:
            kind: What is loaded.
            instance: The object it is loaded for.
            batch: Gives everything that can be loaded at once.
            load: Loads that.

        Returns:
            Whether it was loaded: it was not if the task that did so was cancelled.
        """
        self.reader.check_usable()
        running = self._running[kind]
        awaited = running.get(row_key_of(instance))
        if awaited is not None:
            return await _answer(awaited)
        mine = {key: item for key, item in batch().items() if key not in running}
        done = asyncio.get_running_loop().create_future()
        running.update(dict.fromkeys(mine, done))
        try:
            await load(mine)
            done.set_result(None)
        except Exception as error:
            done.set_result(error)
            raise
        finally:
            # does nothing unless this task was cancelled: then one of those who wait goes on
            done.cancel()
            for key in mine:
                del running[key]
        return True


async def _answer(awaited: asyncio.Future[Exception | None]) -> bool:
    # not awaited itself: a caller that is cancelled would cancel it for all
    await asyncio.wait((awaited,))
    if awaited.cancelled():
        return False
    error = awaited.result()
    if error is not None:
        raise error
    return True


# ---- what is missing


def lacks_columns(instance: Model) -> bool:
    """Whether there are columns to load; one that waits for the key of a new object is none."""
    changes = instance.__orm_changes__ or ()
    names = type(instance).__info__.fields
    return is_ghost(instance) and any(not is_set(instance, name) and name not in changes for name in names)


def is_loaded(instance: Model, relation: RelationInfo) -> bool:
    """Whether a relation on the other side is known as a whole."""
    held = (instance.__orm_related__ or {}).get(relation.name, MISSING)
    return held.is_loaded if is_collection(held) else held is not MISSING


def _references(reader: Reader, instance: Model) -> Batch:
    """Gives an object that lacks columns and its siblings that do, by key."""
    known = reader.identity.of(type(instance).__info__)
    keys = dict.fromkeys([row_key_of(instance), *_sibling_keys(reader, instance)])
    return {key: known.get(key, instance) for key in keys}


def _sibling_keys(reader: Reader, instance: Model) -> Iterable[Any]:
    """Gives the keys of references that objects of the same result hold by the same relation; of an object with
    deferred columns, those of the other ones.
    """
    origin = instance.__orm_origin__
    if origin is None:
        return
    if origin.beside is None:
        beside = siblings(reader, type(instance).__info__, origin)
        yield from (row_key_of(sibling) for sibling in beside if lacks_columns(sibling))
        return
    known = reader.identity.of(type(instance).__info__)
    for holder, relation in _holders(reader, origin.beside):
        key = bare_key(tuple(value_or_missing(holder, name) for name in relation.local))
        target = known.get(key)
        if target is None or is_ghost(target):
            yield key


def _holders(reader: Reader, beside: tuple[ref[Model], RelationInfo]) -> Iterator[tuple[Model, RelationInfo]]:
    """Gives the objects that came with the one a reference was read from, and point to something."""
    first, relation = beside[0](), beside[1]
    # by now it may have come again, with others
    origin = None if first is None else first.__orm_origin__
    for holder in siblings(reader, relation.owner, origin):
        if all(value_or_missing(holder, name) not in (None, MISSING) for name in relation.local):
            yield holder, relation


def _owners(reader: Reader, instance: Model, relation: RelationInfo) -> Batch:
    """Gives an object and its siblings that have not loaded a relation; a part of it that was asked for stays."""
    owners = {row_key_of(instance): instance}
    for sibling in _owners_beside(reader, instance):
        related: dict[str, Any] = sibling.__orm_related__ or {}
        held = related.get(relation.name, MISSING)
        if held is MISSING or (is_collection(held) and not (held.is_loaded or held.is_partial)):
            owners[row_key_of(sibling)] = sibling
    return owners


def _owners_beside(reader: Reader, instance: Model) -> list[Any]:
    """Gives the objects that came with an instance: from its statement, or as references of what it was read from."""
    origin = instance.__orm_origin__
    found = siblings(reader, type(instance).__info__, origin)
    if origin is not None and origin.beside is not None:
        found += [getattr(holder, relation.name) for holder, relation in _holders(reader, origin.beside)]
    return found


def siblings(reader: Reader, info: ModelInfo, origin: Origin | None) -> list[Any]:
    """Gives the instances of a model that came from one statement."""
    # a row alone has none, and need not be looked for among thousands
    if origin is None or origin.rows == 1:
        return []
    return [instance for instance in reader.identity.of(info).values() if instance.__orm_origin__ is origin]


# ---- loading


async def load_objects(
    reader: Reader, info: ModelInfo, keys: Iterable[Any], loading: Loading = NOTHING, *, single: Single | None = None
) -> None:
    """Reads a model's rows by their keys, with what is joined to them; one key alone is read as `single`."""
    for chunk in chunks(keys, len(info.key_attributes)):
        await reader.fetch(_marked(objects_of(info, chunk, loading), single, chunk), autoflush=False)


def _marked(spec: QuerySpec, single: Single | None, keys: Sequence[Any]) -> QuerySpec:
    return spec if single is None or len(keys) > 1 else spec.changed((), (), single=single)


async def load_references(
    reader: Reader, relation: RelationInfo, owners: Iterable[Model], loading: Loading = NOTHING
) -> None:
    """Fills members of a to-many relation of which nothing but the key is known, by which they were added."""
    held = [(owner.__orm_related__ or {}).get(relation.name) for owner in owners]
    lacking = dict.fromkeys(row_key_of(item) for each in held if is_collection(each) for item in each.references)
    if lacking:
        await load_objects(reader, relation.target, lacking, loading, single=("relation", relation))


async def load_members(
    reader: Reader,
    relation: RelationInfo,
    owners: Batch,
    part: Part = WHOLE,
    loading: Loading = NOTHING,
    *,
    single: Single | None = None,
) -> None:
    """Loads a relation on the other side for its owners."""
    found = await members_by_owner(reader, relation, owners, part, loading, single=single)
    history = _taking_back(reader)
    if relation.kind == "reverse_one":
        for key, owner in owners.items():
            if history is not None:
                history.keep(owner)
            keep_related(owner, relation.name, found[key][0] if key in found else None)
    elif history is None:
        _fill_collections(relation, owners, found, partial=not part.is_whole)
    else:
        for key, owner in owners.items():
            collection: Collection[Any] = getattr(owner, relation.name)
            history.keep_collection(collection)
            collection.fill(found.get(key, ()), partial=not part.is_whole)


def _taking_back(reader: Reader) -> History | None:
    """Gives what has to remember what is shown now, where a rollback would undo writes."""
    unit = reader.made_unit
    return None if unit is None or not unit.history.may_take_back else unit.history


def _fill_collections(relation: RelationInfo, owners: Batch, found: Mapping[Any, list[Any]], *, partial: bool) -> None:
    """Gives owners their members; most had no collection before."""
    name = relation.name
    for key, owner in owners.items():
        related, members = owner.__orm_related__, found.get(key) or []
        held = None if related is None else related.get(name)
        if held is not None:
            held.fill(members, partial=partial)
        elif related is None:
            set_attribute(owner, "__orm_related__", {name: loaded_collection(relation, owner, members, partial)})
        else:
            related[name] = loaded_collection(relation, owner, members, partial)


async def members_by_owner(
    reader: Reader,
    relation: RelationInfo,
    keys: Iterable[Any],
    part: Part = WHOLE,
    loading: Loading = NOTHING,
    *,
    single: Single | None = None,
) -> Mapping[Any, list[Any]]:
    """Gives the objects of a relation on the other side by the owner's key; nothing for who has none."""
    wanted = dict.fromkeys(keys)
    while True:
        unit = reader.made_unit
        seen = 0 if unit is None else unit.accepted
        found: dict[Any, list[Any]] = {}
        for chunk in chunks(wanted, len(relation.local)):
            spec = _marked(members_of(relation, chunk, part, loading), single, chunk)
            # keys and members of one chunk are in no other
            (members,) = await reader.fetch(spec, autoflush=False)
            found = found | members if found else members
        # a flush meanwhile may have moved objects from one owner to another
        unit = reader.made_unit
        if (0 if unit is None else unit.accepted) == seen:
            return found


async def refresh(reader: Reader, instances: Sequence[Model]) -> None:
    """Reads objects again, over what they hold, in one query for each model.

    Raises:
        StaleObjectError: A row does not exist any more.
    """
    by_model: dict[ModelInfo, Batch] = {}
    for instance in instances:
        by_model.setdefault(type(instance).__info__, {})[row_key_of(instance)] = instance
    for info, wanted in by_model.items():
        found: set[int] = set()
        for chunk in chunks(wanted, len(info.key_attributes)):
            found.update(map(id, await reader.fetch(objects_of(info, chunk), autoflush=False)))
        history = _taking_back(reader)
        for key, instance in wanted.items():
            if id(instance) not in found:
                hint = f"expunge() the object{or_hidden(reader, info)}"
                raise StaleObjectError(f"{info.name} {shown_key(info, key)} does not exist any more", hint=hint)
            for held in (instance.__orm_related__ or {}).values():
                if is_collection(held):
                    if history is not None:
                        history.keep_collection(held)
                    held.unload()


def members(relation: RelationInfo, owner: Model) -> QuerySpec:
    """Gives the query of the objects that a to-many relation of `owner` holds in the database."""
    return by_key(relation.target, relation.near_columns(), row_key_of(owner), ("members", relation))
