"""The columns that make up objects: those of a query's own, and those of the objects that come along in its rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from cormorant.errors import QueryError, WrongType
from cormorant.models.links import RelationInfo
from cormorant.models.metadata import ModelInfo
from cormorant.models.paths import Path, is_many
from cormorant.query.related import Branch, PerOwner, attributes_of, sources_of
from cormorant.query.spec import QuerySpec
from cormorant.sql import types as t
from cormorant.sql.columns import Column
from cormorant.sql.expr import Expr, Label, Order, is_expr, unlabelled
from cormorant.sql.functions import func
from cormorant.sql.joins import shown_by
from cormorant.sql.restrictions import may_hide
from cormorant.sql.selects import Select
from cormorant.sql.sources import Source, SubquerySource, root_of


@dataclass(frozen=True, slots=True)
class EntityColumns:
    """An object made of consecutive columns.

    Args:
        start: The first column.
        optional: There may be none.
        names: The attributes it gets; None for all.
        attached: Which part it belongs to, and by which relation, where it comes along with another object.
    """

    info: ModelInfo
    start: int
    optional: bool = False
    names: tuple[str, ...] | None = None
    attached: tuple[int, RelationInfo] | None = None


@dataclass(frozen=True, slots=True)
class ValueColumn:
    """One value."""

    start: int
    type: t.SqlType


@dataclass(frozen=True, slots=True)
class OwnerColumns:
    """The key of an owner, whose objects are going to stand in its place."""

    start: int
    types: tuple[t.SqlType, ...]


Selected: TypeAlias = EntityColumns | ValueColumn | OwnerColumns


def selected(spec: QuerySpec) -> tuple[tuple[Expr[Any], ...], list[Selected]]:
    """Gives the SELECT list and what its columns make up."""
    columns: list[Expr[Any]] = []
    parts: list[Selected] = []
    for item in _items(spec):
        if not is_expr(item):
            columns += _entity(spec, item, parts, len(columns))
        elif (key := owner_key(item)) is not None:
            parts.append(OwnerColumns(len(columns), tuple(column.type for column in key)))
            columns += key
        else:
            parts.append(ValueColumn(len(columns), item.type))
            columns.append(item)
    return tuple(columns), parts


def _items(spec: QuerySpec) -> tuple[Any, ...]:
    return (spec.info.cls,) if spec.columns is None else spec.columns


def _entity(spec: QuerySpec, item: Any, parts: list[Selected], start: int) -> tuple[Column[Any], ...]:
    """Adds a selected model or relation, and gives its columns."""
    info, columns, optional = entity_of(item)
    names: tuple[str, ...] | None = None
    if item is spec.info.cls:
        names = attributes_of(info, spec.info.source, spec.loading, spec.loading.branches)
        columns = columns if names is None else tuple(map(spec.info.column, names))
    parts.append(EntityColumns(info, start, optional or _may_be_missing(spec, info, columns), names))
    return columns


def _may_be_missing(spec: QuerySpec, info: ModelInfo, columns: Sequence[Column[Any]]) -> bool:
    """Whether an object may be missing by how it is joined, or in a part of what is put together."""
    source = columns[0].source
    if any(join.outer and join.source.key == root_of(source).key for join in spec.joins):
        return True
    if may_hide(spec.scopes, source, spec.lifted):
        return True
    shows = shown_by(spec.source or info.source)
    key = (shows.find(column) for column in columns if column.attribute in info.key_attributes)
    return any(shown is not None and shown.nullable for shown in key)


def entity_of(item: Any) -> tuple[ModelInfo, tuple[Column[Any], ...], bool]:
    """Gives what selecting a model or a relation means: the model, its columns, and whether there may be none."""
    if isinstance(item, Path):
        return item.__entity__()
    info = getattr(item, "__info__", None)
    if isinstance(info, ModelInfo):
        return info, info.entity, False
    raise WrongType(f"{item!r} cannot be selected", hint="select columns, expressions, models or relations")


def owner_key(item: Any) -> tuple[Column[Any], ...] | None:
    """Gives the columns that tell whose objects a selected relation to many gives; None for everything else."""
    many = unlabelled(item)
    return many.__owner_key__ if is_many(many) else None


def with_related(
    spec: QuerySpec, columns: Sequence[Expr[Any]], parts: Sequence[Selected]
) -> tuple[tuple[Expr[Any], ...], list[Selected]]:
    """Adds the columns of the objects that come along in the rows.

    Raises:
        QueryError: Columns are named of a relation that does not.
    """
    loading = spec.loading
    if not (loading.branches or loading.only or loading.without):
        return tuple(columns), list(parts)
    if isinstance(spec.source, SubquerySource) and any(branch.joined for branch in loading.branches):
        raise QueryError(
            f"select_related() of {spec.info.name} rows that are put together from several queries",
            hint="use prefetch_related(), which loads them by a statement of their own",
        )
    root = next(place for place, item in enumerate(_items(spec)) if item is spec.info.cls)
    joined = _Joined(spec, list(columns), list(parts))
    joined.follow(loading.branches, spec.info.source, root, optional=False)
    unknown = (loading.only.keys() | loading.without.keys()) - {spec.info.source.key}
    if unknown.difference(sources_of(loading.branches, spec.info.source)):
        raise QueryError(
            f"only() and defer() of {spec.info.name} name columns of a relation that does not come along",
            hint="load it with the query: .select_related(...) or .prefetch_related(...)",
        )
    return tuple(joined.columns), joined.parts


class _Joined:
    """A SELECT list that grows by the columns of related objects."""

    def __init__(self, spec: QuerySpec, columns: list[Expr[Any]], parts: list[Selected]) -> None:
        self.spec = spec
        self.columns = columns
        self.parts = parts

    def follow(self, branches: Iterable[Branch], parent: Source, place: int, *, optional: bool) -> None:
        """Adds what is joined to one object."""
        for branch in branches:
            if branch.joined:
                self._add(branch, parent, place, optional=optional)

    def _add(self, branch: Branch, parent: Source, place: int, *, optional: bool) -> None:
        relation, target = branch.relation, branch.relation.target
        source = relation.source_from(parent)
        # what a default scope hides takes no row with it that points to it
        optional = optional or source.optional or may_hide(self.spec.scopes, source, self.spec.lifted)
        names = attributes_of(target, source, self.spec.loading, branch.branches)
        self.parts.append(EntityColumns(target, len(self.columns), optional, names, (place, relation)))
        mine = len(self.parts) - 1
        self.columns += (target.column_from(source, name, nullable=optional) for name in names or target.fields)
        self.follow(branch.branches, source, mine, optional=optional)


def limited_per_owner(select: Select, per: PerOwner) -> Select:
    """Gives the first rows of each owner: they are numbered inside, and the first numbers taken outside.

    The rows come in the order of their numbers.
    """
    numbered = [Label(expr, f"c{place}") for place, expr in enumerate(select.columns)]
    number = Label(func.row_number().over(partition_by=list(per.key), order_by=list(select.order_by)), "n")
    source = SubquerySource(replace(select, columns=(*numbered, number), order_by=()), "limited")
    columns: tuple[Column[Any], ...] = tuple(
        Column(source, label.name, label.expr.type, nullable=True, owner=repr(label.expr)) for label in numbered
    )
    place: Column[int] = Column(source, "n", t.BIG_INTEGER, nullable=False, owner="n")
    return Select(source, columns, (place <= per.limit,), order_by=(Order(place, descending=False),))
