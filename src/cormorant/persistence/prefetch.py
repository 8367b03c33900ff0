"""Follows relations from many objects at once: one statement for each relation, level by level."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from cormorant.models.collections import is_collection
from cormorant.models.links import RelationInfo
from cormorant.models.metadata import ModelInfo
from cormorant.models.model import Model
from cormorant.models.paths import ManyExpr
from cormorant.models.relations import keep_related
from cormorant.models.state import MISSING, bare_key, is_persistent, key_of, value_or_missing
from cormorant.persistence.loader import (
    Batch,
    Reader,
    flush_before,
    is_loaded,
    lacks_columns,
    load_members,
    load_objects,
    members_by_owner,
)
from cormorant.query.prefetch import chunks, members_of, objects_of
from cormorant.query.related import Branch, Loading
from cormorant.query.spec import QuerySpec


async def complete(reader: Reader, spec: QuerySpec, rows: list[Any]) -> list[Any]:
    """Gives a query's rows with all that further statements bring."""
    if spec.loading.is_fetched:
        await follow(reader, _own_objects(spec, rows), spec.loading.branches)
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
        # deferred, it says so
        key = tuple(getattr(instance, name) for name in relation.local)
        if None not in key:
            owners.setdefault(bare_key(key), []).append(instance)
    known = reader.identity.of(relation.target)
    wanted = [key for key in owners if fresh or key not in known or lacks_columns(known[key])]
    await load_objects(reader, relation.target, wanted, branch.branches)
    for key, holders in owners.items():
        target = known.get(key)
        for instance in holders if target is not None and not lacks_columns(target) else ():
            # it may have been pointed elsewhere meanwhile
            if bare_key(tuple(value_or_missing(instance, name) for name in relation.local)) == key:
                keep_related(instance, relation.name, target)


async def _load_other_side(reader: Reader, objects: Sequence[Any], branch: Branch, *, fresh: bool) -> None:
    relation, part = branch.relation, branch.part
    owners: Batch = {
        key_of(instance): instance
        for instance in objects
        if is_persistent(instance) and (fresh or not part.is_whole or not is_loaded(instance, relation))
    }
    if owners:
        await flush_before(reader, members_of(relation, [next(iter(owners))], part))
        await load_members(reader, relation, owners, part, branch.branches)


# ---- columns


async def load_columns(reader: Reader, info: ModelInfo, objects: Iterable[Any], names: frozenset[str]) -> None:
    """Reads columns of objects that lack them."""
    lacking = [i for i in objects if is_persistent(i) and any(value_or_missing(i, name) is MISSING for name in names)]
    loading = Loading(only={info.source.key: names})
    for chunk in chunks(map(key_of, lacking), len(info.key_attributes)):
        spec = objects_of(info, chunk).changed(("only", *sorted(names)), (), loading=loading)
        await reader.fetch(spec, autoflush=False)


# ---- lists as values


async def _with_members(reader: Reader, spec: QuerySpec, rows: list[Any], place: int, many: ManyExpr[Any]) -> list[Any]:
    """Puts the lists of a relation's objects where the rows hold the owners' keys."""
    (step,) = many.__steps__[-1:]
    keys = list(dict.fromkeys(key for row in rows if _is_key(key := _value(spec, row, place))))
    if keys:
        await flush_before(reader, members_of(step.relation, keys[:1], step.part))
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
