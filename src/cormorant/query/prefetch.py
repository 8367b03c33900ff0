"""The queries that load rows by key, and the objects of relations for many owners at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import islice
from typing import Any

from cormorant.models.links import RelationInfo
from cormorant.models.many import WHOLE, Part
from cormorant.models.metadata import ModelInfo
from cormorant.query.related import NOTHING, Loading, PerOwner, columns_key, following_key
from cormorant.query.spec import QuerySpec, Single
from cormorant.sql.columns import Column
from cormorant.sql.expr import Bind, Comparison, Expr, gather
from cormorant.sql.nodes import In, Logical
from cormorant.sql.operators import PLAIN
from cormorant.sql.types import BOOLEAN

CHUNK = 10_000
"""The most keys one statement asks for."""

COMPOSITE_CHUNK = 400
"""The most keys of several columns."""


def by_key(info: ModelInfo, columns: Sequence[Column[Any]], key: Any, single: Single) -> QuerySpec:
    """Gives the query of one object's own: its row by its key, or its members."""
    values = (key,) if len(columns) == 1 else key
    where = tuple(column == value for column, value in zip(columns, values, strict=True))
    return QuerySpec(info).changed(("where", *(part.key for part in where)), gather(where), where=where, single=single)


class KeyQuery:
    """The query of one object by its primary key: made for the first key, and given the values of further ones.

    Args:
        info: The model.
    """

    __slots__ = ("_columns", "_info", "_made", "plain", "prepared", "single")

    def __init__(self, info: ModelInfo) -> None:
        self._info = info
        # for who prepares it: a database's number, and what was made for it; set at once, by any thread
        self.prepared: tuple[int, Any] = 0, None
        self._columns = [info.column(name) for name in info.key_attributes]
        self.single: Single = ("get", info)
        type_ = self._columns[0].type
        # the class whose values can be compared as they are; a key of several columns is put together each time
        self.plain: type[Any] | None = type_.accepts[0] if len(self._columns) == 1 and type(type_) in PLAIN else None
        self._made: QuerySpec | None = None

    def of(self, key: Any) -> QuerySpec:
        """Gives the query for a key that fits the columns."""
        made = self._made
        if made is not None and type(key) is self.plain:
            (column,) = self._columns
            bind = Bind(key, column.type)
            return made.with_values((bind,), (Comparison("=", column, bind, BOOLEAN),))
        spec = by_key(self._info, self._columns, key, self.single)
        if type(key) is self.plain:
            self._made = spec
        return spec


@lru_cache(maxsize=2000)
def key_query(info: ModelInfo) -> KeyQuery:
    """Gives the query of one object of a model by its primary key."""
    return KeyQuery(info)


def by_keys(info: ModelInfo, columns: Sequence[Column[Any]], keys: Sequence[Any]) -> QuerySpec:
    """Gives the query of the rows whose columns hold one of the keys."""
    if len(columns) == 1:
        where: Expr[Any] = In(columns[0], keys)
    else:
        # the number of keys is part of the text: such plans are few, and the cache forgets them
        whole = [Logical("AND", tuple(c == v for c, v in zip(columns, key, strict=True))) for key in keys]
        where = Logical("OR", tuple(whole)) if len(whole) > 1 else whole[0]
    return QuerySpec(info).changed(("where", where.key), where.binds, where=(where,))


def chunks(keys: Iterable[Any], columns: int = 1) -> Iterable[list[Any]]:
    """Gives the keys in lists that one statement can ask for.

    Keys of several columns are a condition each, and databases limit how many conditions and values one holds.
    """
    rest = iter(keys)
    while chunk := list(islice(rest, CHUNK if columns == 1 else COMPOSITE_CHUNK)):
        yield chunk


def objects_of(info: ModelInfo, keys: Sequence[Any], loading: Loading = NOTHING) -> QuerySpec:
    """Gives the query of a model's objects by their primary keys.

    Args:
        info: The model.
        keys: At most a chunk of them.
        loading: What comes along in the rows.
    """
    spec = by_keys(info, [info.column(name) for name in info.key_attributes], keys)
    return _with(spec, loading)


def members_of(
    relation: RelationInfo, keys: Sequence[Any], part: Part = WHOLE, loading: Loading = NOTHING
) -> QuerySpec:
    """Gives the query of the objects of a relation on the other side, in lists by the owner's key.

    Args:
        relation: A relation to many, or to the one that holds the key.
        keys: The owners', at most a chunk of them.
        part: Which objects.
        loading: What comes along with them in the rows.
    """
    if part is WHOLE and len(relation.local) == 1 and loading == NOTHING:
        made, column = _whole_members(relation.owner, relation.name)
        if type(column.type) in PLAIN:
            where = In(column, keys)
            return made.with_values(where.binds, (where,))
    return _members_of(relation, keys, part, loading)


@lru_cache(maxsize=2000)
def _whole_members(owner: ModelInfo, name: str) -> tuple[QuerySpec, Column[Any]]:
    """Gives the query of a whole relation, for no key yet, and the column that holds the owners' keys."""
    relation = owner.relation(name)
    made = _members_of(relation, (), WHOLE, NOTHING)
    (where,) = made.where
    assert isinstance(where, In)
    assert isinstance(where.part, Column)
    return made, where.part


def _members_of(relation: RelationInfo, keys: Sequence[Any], part: Part, loading: Loading) -> QuerySpec:
    near, target = relation.near_columns(), relation.target
    spec = by_keys(target, near, keys)
    if part.where:
        added = ("where", *(condition.key for condition in part.where))
        spec = spec.changed(added, gather(part.where), where=spec.where + part.where)
    # the key last: what is equal in the order asked for comes in one order all the same
    order = (*part.order_by, *(target.column(name).asc() for name in target.key_attributes))
    added = ("order", *(item.key for item in order))
    spec = spec.changed(added, gather(item.expr for item in order), order_by=order)
    added = ("by owner", *(column.key for column in near))
    spec = spec.changed(added, (), columns=(*near, target.cls), output="groups")
    if part.limit is not None:
        spec = spec.changed(("per owner",), (part.limit,), per_owner=PerOwner(tuple(near), part.limit))
    return _with(spec, loading)


def _with(spec: QuerySpec, loading: Loading) -> QuerySpec:
    if loading == NOTHING:
        return spec
    columns = (columns_key("only", loading.only), columns_key("defer", loading.without))
    return spec.changed((*following_key(loading.branches), *columns), (), loading=loading)
