"""Follows relations from many objects at once: one statement for each relation, level by level."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from typing_extensions import TypeIs

from cormorant._internal.narrowing import narrower
from cormorant.database import Database
from cormorant.errors import QueryError
from cormorant.models.collections import is_collection
from cormorant.models.links import RelationInfo
from cormorant.models.metadata import ModelInfo
from cormorant.models.model import Model
from cormorant.models.paths import ManyExpr
from cormorant.models.scopes import Scopes
from cormorant.models.state import (
    MISSING,
    bare_key,
    is_persistent,
    is_reference,
    keep_related,
    row_key_of,
    value_or_missing,
)
from cormorant.persistence.identity_map import IdentityMap
from cormorant.persistence.loader import (
    Batch,
    Reader,
    flush_before,
    is_loaded,
    lacks_columns,
    load_members,
    load_objects,
    load_references,
    members_by_owner,
    not_there,
)
from cormorant.persistence.unit_of_work import UnitOfWork
from cormorant.query.prefetch import chunks, members_of, objects_of
from cormorant.query.related import Branch, Loading, chosen_columns, grown, loading_of, steps_to, with_columns
from cormorant.query.spec import QuerySpec, Single
from cormorant.sql.columns import Column

if TYPE_CHECKING:
    from cormorant.persistence.cached import CachedReads


class Unscoped:
    """Runs queries without the default scopes that the query they belong to has lifted."""

    def __init__(self, reader: Reader, lifted: frozenset[str]) -> None:
        self.database: Database = reader.database
        self.identity: IdentityMap = reader.identity
        self.scopes: Scopes | None = reader.scopes
        self.cached: CachedReads | None = None
        self._reader = reader
        self._lifted = lifted

    @property
    def unit(self) -> UnitOfWork:
        """The session's unit of work."""
        return self._reader.unit

    @property
    def made_unit(self) -> UnitOfWork | None:
        """The unit of work, if anything has asked for it yet."""
        return self._reader.made_unit

    def check_usable(self) -> None:
        """Refuses once the session has ended."""
        self._reader.check_usable()

    async def fetch(self, spec: QuerySpec, *, autoflush: bool = True) -> list[Any]:
        """Runs a query."""
        spec = spec.changed(("unscoped", *sorted(self._lifted)), (), lifted=self._lifted)
        return await self._reader.fetch(spec, autoflush=autoflush)

    async def flush(self) -> None:
        """Writes what is pending."""
        await self._reader.flush()


is_column: Callable[[object], TypeIs[Column[Any]]] = narrower(Column)


async def complete(reader: Reader, spec: QuerySpec, rows: list[Any]) -> list[Any]:
    """Gives a query's rows with all that further statements bring."""
    if spec.lifted:
        reader = Unscoped(reader, spec.lifted)
    if spec.loading.is_fetched:
        await follow(reader, _own_objects(spec, rows), with_columns(spec.loading, spec.info.source))
    for place, many in spec.collections:
        rows = await _with_members(reader, spec, rows, place, many)
    return rows


def _own_objects(spec: QuerySpec, rows: list[Any]) -> list[Any]:
    """Gives the objects of a query's own model in its rows, each once."""
    if spec.output in ("entities", "scalars"):
        found = rows
    else:
        place = next(n for n, item in enumerate(spec.columns or ()) if item is spec.info.cls)
        found = [row[place] for row in rows]
    return _distinct(found)


def _distinct(objects: Iterable[Any]) -> list[Any]:
    return list({id(item): item for item in objects if item is not None}.values())


# ---- relations


async def follow(reader: Reader, objects: Sequence[Any], branches: Iterable[Branch], *, fresh: bool = True) -> None:
    """Loads relations of objects, and what is to be followed from there.

    Args:
        reader: Runs the queries.
        objects: Objects of one model.
        branches: The relations.
        fresh: Read again what is loaded already.
    """
    for branch in branches:
        if not objects:
            return
        if not branch.joined:
            load = _load_targets if branch.relation.kind == "to_one" else _load_other_side
            await load(reader, objects, branch, fresh=fresh)
        if branch.branches:
            await follow(reader, _held(objects, branch.relation), branch.branches, fresh=fresh)


def _held(objects: Iterable[Model], relation: RelationInfo) -> list[Any]:
    """Gives the related objects that are known by now."""
    found: list[Any] = []
    for instance in objects:
        held = (instance.__orm_related__ or {}).get(relation.name)
        found += held.known if is_collection(held) else [held]
    return _distinct(found)


async def _load_targets(reader: Reader, objects: Sequence[Any], branch: Branch, *, fresh: bool) -> None:
    relation = branch.relation
    owners: dict[Any, list[Model]] = {}
    for instance in objects:
        related: dict[str, Any] = instance.__orm_related__ or {}
        held = related.get(relation.name)
        if held is not None and not is_persistent(held):
            # new, and without a key yet
            continue
        # deferred, it says so
        key = tuple(getattr(instance, name) for name in relation.local)
        if None not in key:
            owners.setdefault(bare_key(key), []).append(instance)
    known = reader.identity.of(relation.target)
    wanted = [key for key in owners if fresh or key not in known or lacks_columns(known[key])]
    # with a query, what it brings along is loaded at once; an object at hand may be one of many
    single: Single | None = None if fresh else ("reference", relation)
    await load_objects(reader, relation.target, wanted, loading_of(branch), single=single)
    for key, holders in owners.items():
        target = known.get(key)
        lacks = is_reference if branch.is_partial else lacks_columns
        for instance in holders if target is not None and not lacks(target) else ():
            # it may have been pointed elsewhere meanwhile
            if bare_key(tuple(value_or_missing(instance, name) for name in relation.local)) == key:
                keep_related(instance, relation.name, target)


async def _load_other_side(reader: Reader, objects: Sequence[Any], branch: Branch, *, fresh: bool) -> None:
    relation, part = branch.relation, branch.part
    every = fresh or not part.is_whole
    owners: Batch = {}
    for instance in objects:
        origin = instance.__orm_origin__
        if origin is not None and not origin.pending and (every or not is_loaded(instance, relation)):
            owners[row_key_of(instance)] = instance
    if owners:
        await flush_before(reader, lambda: members_of(relation, [next(iter(owners))], part))
        single: Single | None = None if fresh else ("relation", relation)
        await load_members(reader, relation, owners, part, loading_of(branch), single=single)
    if not every:
        await load_references(reader, relation, objects, loading_of(branch))


# ---- objects that are at hand


async def load(reader: Reader, objects: Sequence[Model], what: Sequence[Any]) -> None:
    """Loads what objects of one model lack of relations and columns.

    Raises:
        WrongType: Something is no relation or column.
        NotFoundError: The row of an object whose columns are asked for does not exist.
    """
    if not objects:
        return
    info = type(objects[0]).__info__
    if not what:
        raise QueryError("load() names nothing", hint=f"name relations or columns: load(objects, {info.name}.name)")
    columns = [item for item in what if is_column(item)]
    branches: tuple[Branch, ...] = ()
    for item in what:
        if not is_column(item):
            branches = grown(branches, steps_to(info, item, "load"), join=False)
    if columns:
        chosen = chosen_columns(info, columns, "load")
        if chosen.keys() != {info.source.key}:
            raise QueryError(
                f"load() of {info.name} objects names columns of other objects", hint="name the relation itself"
            )
        await load_columns(reader, info, objects, chosen[info.source.key])
    await follow(reader, _distinct(objects), branches, fresh=False)


async def load_columns(reader: Reader, info: ModelInfo, objects: Iterable[Any], names: frozenset[str]) -> None:
    """Reads columns of objects that lack them."""
    lacking = [i for i in objects if is_persistent(i) and any(value_or_missing(i, name) is MISSING for name in names)]
    loading = Loading(only={info.source.key: names})
    for chunk in chunks(map(row_key_of, lacking), len(info.key_attributes)):
        await reader.fetch(objects_of(info, chunk, loading), autoflush=False)
    for instance in lacking:
        if any(value_or_missing(instance, name) is MISSING for name in names):
            raise not_there(reader, info, instance)


# ---- lists as values


async def _with_members(reader: Reader, spec: QuerySpec, rows: list[Any], place: int, many: ManyExpr[Any]) -> list[Any]:
    """Puts the lists of a relation's objects where the rows hold the owners' keys."""
    (step,) = many.__steps__[-1:]
    keys = list(dict.fromkeys(key for row in rows if _is_key(key := _value(spec, row, place))))
    if keys:
        await flush_before(reader, lambda: members_of(step.relation, keys[:1], step.part))
    found = await members_by_owner(reader, step.relation, keys, step.part)
    return [_replaced(spec, row, place, list(found.get(_value(spec, row, place), ()))) for row in rows]


def _is_key(value: Any) -> bool:
    return value is not None and not (isinstance(value, tuple) and None in value)


def _value(spec: QuerySpec, row: Any, place: int) -> Any:
    if spec.output == "scalars":
        return row
    return row[spec.names[place]] if spec.output == "dicts" else row[place]


def _replaced(spec: QuerySpec, row: Any, place: int, value: Any) -> Any:
    if spec.output == "scalars":
        return value
    if spec.output == "dicts":
        return {**row, spec.names[place]: value}
    return (*row[:place], value, *row[place + 1 :])
