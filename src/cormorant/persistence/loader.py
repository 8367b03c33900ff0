"""Loads references and collections, each with its siblings: the objects that came from the same result."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Protocol
from weakref import ref

from cormorant.errors import NotFoundError, StaleObjectError
from cormorant.models.collections import Collection
from cormorant.models.links import RelationInfo
from cormorant.models.metadata import ModelInfo
from cormorant.models.model import Model
from cormorant.models.state import MISSING, bare_key, is_ghost, is_set, key_of, value_or_missing
from cormorant.persistence.identity_map import IdentityMap
from cormorant.persistence.unit_of_work import UnitOfWork
from cormorant.query.spec import QuerySpec
from cormorant.sql.columns import Column
from cormorant.sql.expr import Expr
from cormorant.sql.nodes import In, Logical
from cormorant.sql.sources import JoinSource

CHUNK = 10_000
"""The most keys one statement asks for."""

COMPOSITE_CHUNK = 400
"""The most keys of several columns."""


class Reader(Protocol):
    """Runs queries for the loader; session states do."""

    identity: IdentityMap
    unit: UnitOfWork

    async def fetch(self, spec: QuerySpec, *, autoflush: bool = True) -> list[Any]:
        """Runs a query."""
        ...


async def load_references(reader: Reader, instance: Model) -> None:
    """Fills a reference and the unloaded references its siblings hold, in one query.

    Raises:
        NotFoundError: The row does not exist.
    """
    if not lacks_columns(instance):
        return
    info = type(instance).__info__
    keys = dict.fromkeys([key_of(instance), *_sibling_keys(reader, instance)])
    for chunk in chunks(keys, len(info.key_attributes)):
        await reader.fetch(by_keys(info, [info.column(name) for name in info.key_attributes], chunk), autoflush=False)
    if lacks_columns(instance):
        raise NotFoundError(f"{info.name} {key_of(instance)!r} does not exist", hint="it was deleted meanwhile")


def lacks_columns(instance: Model) -> bool:
    """Whether there are columns to load; one that waits for the key of a new object is none."""
    changes = instance.__orm_changes__ or ()
    names = type(instance).__info__.fields
    return is_ghost(instance) and any(not is_set(instance, name) and name not in changes for name in names)


def _sibling_keys(reader: Reader, instance: Model) -> Iterable[Any]:
    """Gives the keys of references that objects of the same result hold by the same relation."""
    origin = instance.__orm_origin__
    if origin is None or origin.beside is None:
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
    for holder in () if origin is None else siblings(reader, relation.owner, origin):
        if all(value_or_missing(holder, name) not in (None, MISSING) for name in relation.local):
            yield holder, relation


def siblings(reader: Reader, info: ModelInfo, origin: Any) -> list[Any]:
    """Gives the instances of a model that came from one statement."""
    return [instance for instance in reader.identity.of(info).values() if instance.__orm_origin__ is origin]


def _owners_beside(reader: Reader, instance: Model) -> list[Any]:
    """Gives the objects that came with an instance: from its statement, or as references of what it was read from."""
    origin = instance.__orm_origin__
    found = siblings(reader, type(instance).__info__, origin)
    if origin is not None and origin.beside is not None:
        found += [getattr(holder, relation.name) for holder, relation in _holders(reader, origin.beside)]
    return found


async def load_collections(reader: Reader, instance: Model, relation: RelationInfo) -> None:
    """Loads a to-many relation of an object and of its siblings that have not loaded it, in one query."""
    owners = {key_of(instance): instance}
    for sibling in _owners_beside(reader, instance):
        collection: Collection[Any] = getattr(sibling, relation.name)
        if not collection.is_loaded:
            owners[key_of(sibling)] = sibling
    while True:
        seen = reader.unit.accepted
        found: dict[Any, list[Any]] = {key: [] for key in owners}
        for chunk in chunks(owners, len(relation.local)):
            for key, item in await _pairs(reader, relation, chunk):
                found[key].append(item)
        if reader.unit.accepted == seen:
            break
    for key, owner in owners.items():
        collection = getattr(owner, relation.name)
        reader.unit.history.keep_unread(collection)
        collection.fill(found[key])


async def refresh(reader: Reader, instances: Sequence[Model]) -> None:
    """Reads objects again, over what they hold, in one query for each model.

    Raises:
        StaleObjectError: A row does not exist any more.
    """
    by_model: dict[ModelInfo, dict[Any, Model]] = {}
    for instance in instances:
        by_model.setdefault(type(instance).__info__, {})[key_of(instance)] = instance
    for info, wanted in by_model.items():
        columns = [info.column(name) for name in info.key_attributes]
        found: set[int] = set()
        for chunk in chunks(wanted, len(info.key_attributes)):
            found.update(map(id, await reader.fetch(by_keys(info, columns, chunk), autoflush=False)))
        for key, instance in wanted.items():
            if id(instance) not in found:
                raise StaleObjectError(f"{info.name} {key!r} does not exist any more", hint="expunge() the object")
            for held in (instance.__orm_related__ or {}).values():
                if isinstance(held, Collection):
                    held.unload()


def members(relation: RelationInfo, owner: Model) -> QuerySpec:
    """Gives the query of the objects that a to-many relation of `owner` holds in the database."""
    return by_key(relation.target, _near_columns(relation), key_of(owner))


async def _pairs(reader: Reader, relation: RelationInfo, keys: Sequence[Any]) -> list[tuple[Any, Any]]:
    """Gives (owner's key, member) for each member."""
    near = _near_columns(relation)
    spec = by_keys(relation.target, near, keys)
    columns = (*near, relation.target.cls)
    spec = spec.changed(("pairs", *(column.key for column in near)), (), columns=columns, output="tuples")
    rows = await reader.fetch(spec)
    width = len(near)
    return [(row[0] if width == 1 else tuple(row[:width]), row[width]) for row in rows]


def _near_columns(relation: RelationInfo) -> list[Column[Any]]:
    """Gives the columns, read beside the members, that hold the owner's key."""
    link, target = relation.link, relation.target
    if link is None:
        return [target.column(name) for name in relation.remote]
    on = tuple(zip((column.name for column in target.key_columns), link.far, strict=True))
    name = f"{relation.name}_link"
    source = JoinSource(target.source, name, link.table, on, optional=False, entity=link.through)
    pairs = zip(link.near, relation.owner.key_columns, strict=True)
    return [Column(source, name, key.type, nullable=False, owner=f"{relation.place}.{name}") for name, key in pairs]


def by_key(info: ModelInfo, columns: Sequence[Column[Any]], key: Any) -> QuerySpec:
    """Gives the query of one row by its key."""
    values = (key,) if len(columns) == 1 else key
    where = tuple(column == value for column, value in zip(columns, values, strict=True))
    binds = tuple(bind for part in where for bind in part.binds)
    return QuerySpec(info).changed(("where", *(part.key for part in where)), binds, where=where)


def by_keys(info: ModelInfo, columns: Sequence[Column[Any]], keys: Sequence[Any]) -> QuerySpec:
    """Gives the query of the rows whose columns hold one of the keys, in key order."""
    if len(columns) == 1:
        where: Expr[Any] = In(columns[0], keys)
    else:
        # the number of keys is part of the text: such plans are few, and the cache forgets them
        whole = [Logical("AND", tuple(c == v for c, v in zip(columns, key, strict=True))) for key in keys]
        where = Logical("OR", tuple(whole)) if len(whole) > 1 else whole[0]
    order = tuple(info.column(name).asc() for name in info.key_attributes)
    spec = QuerySpec(info).changed(("where", where.key), where.binds, where=(where,))
    return spec.changed(("order", *(item.key for item in order)), (), order_by=order)


def chunks(keys: Iterable[Any], columns: int = 1) -> Iterable[list[Any]]:
    """Gives the keys in lists that one statement can ask for.

    Keys of several columns are a condition each, and databases limit how many conditions and values one holds.
    """
    rest = iter(keys)
    while chunk := list(islice(rest, CHUNK if columns == 1 else COMPOSITE_CHUNK)):
        yield chunk
