"""What a model declares, resolved: columns with types, relations with their ends."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from typing import Any, Literal

from cormorant._internal.naming import constraint_name
from cormorant.errors import ModelError, UnknownName, UnresolvedReference, suggest
from cormorant.models import annotations as ann
from cormorant.models.registry import Registry, registry
from cormorant.models.specs import FieldSpec, RelationSpec
from cormorant.models.state import MISSING
from cormorant.sql import types as t
from cormorant.sql.columns import Column, JoinSource, Source, TableSource
from cormorant.sql.ddl import OnDelete
from cormorant.sql.nodes import Expr
from cormorant.sql.statements import TypedColumn

RelationKind = Literal["to_one", "reverse_one", "reverse_many", "many_to_many"]

_serials = count(1)


@dataclass(frozen=True, slots=True)
class ColumnInfo:
    """A column with its type resolved.

    Args:
        attribute: The attribute's name.
        name: The column's name in the database.
        identity: The database numbers the rows by it.
        server_made: The database gives the value when none is sent.
    """

    attribute: str
    name: str
    type: t.SqlType
    nullable: bool
    spec: FieldSpec
    identity: bool
    server_made: bool

    @property
    def typed(self) -> TypedColumn:
        """The column as statements name it."""
        return TypedColumn(self.name, self.type)


@dataclass(frozen=True, slots=True)
class LinkTable:
    """The table between two models of a many-to-many relation.

    Args:
        near: Its columns that hold the owner's key.
        far: Its columns that hold the target's key.
        through: The model it belongs to; None where it is made for the relation.
    """

    table: str
    near: tuple[str, ...]
    far: tuple[str, ...]
    through: ModelInfo | None = None


@dataclass(frozen=True, slots=True)
class RelationInfo:
    """A relation with both ends resolved; the pairs of `local` and `remote` attributes are equal.

    Args:
        local: Attributes of the owner.
        remote: Attributes of the target; for many-to-many, its key.
        inverse: The relation's name on the target, if it is declared there.
    """

    name: str
    kind: RelationKind
    owner: ModelInfo
    target: ModelInfo
    local: tuple[str, ...]
    remote: tuple[str, ...]
    nullable: bool
    on_delete: OnDelete = "restrict"
    link: LinkTable | None = None
    inverse: str | None = None

    @property
    def place(self) -> str:
        """What messages call it: "Article.author"."""
        return f"{self.owner.name}.{self.name}"

    def source_from(self, parent: Source) -> JoinSource:
        """Gives the target's table as joined to a table of the owner."""
        near = tuple(self.owner.by_attribute[name].name for name in self.local)
        far = tuple(self.target.by_attribute[name].name for name in self.remote)
        if self.link is None:
            optional = self.nullable or self.kind != "to_one"
            return JoinSource(
                parent, self.name, self.target.table, tuple(zip(near, far, strict=True)), optional=optional
            )
        pairs = tuple(zip(near, self.link.near, strict=True))
        link = JoinSource(parent, f"{self.name}_link", self.link.table, pairs, optional=True)
        return JoinSource(
            link, self.name, self.target.table, tuple(zip(self.link.far, far, strict=True)), optional=True
        )


class ModelInfo:
    """All that is known of a model.

    Names are known when the class is made; types and the other ends of relations are found at first use, when every
    module has been imported.
    """

    twin: Any
    ghost: Any

    def __init__(
        self,
        cls: Any,
        *,
        table: str,
        app: str | None,
        fields: Mapping[str, FieldSpec],
        relations: Mapping[str, RelationSpec],
    ) -> None:
        self.cls = cls
        self.name: str = cls.__name__
        self.path = f"{cls.__module__}.{cls.__qualname__}"
        self.app = app
        self.table = table
        self.fields = dict(fields)
        self.relation_specs = dict(relations)
        self.key_attributes = tuple(name for name, spec in fields.items() if spec.primary_key)
        self.holders = _holders(relations.values())
        self.source = TableSource(table, f"{next(_serials)}")
        self.registry: Registry = registry
        self._column_infos: dict[str, ColumnInfo] = {}
        self._column_nodes: dict[str, Column[Any]] = {}

    def __repr__(self) -> str:
        return f"<ModelInfo {self.path}>"

    # ---- columns

    @cached_property
    def columns(self) -> tuple[ColumnInfo, ...]:
        """Every column in declaration order."""
        return tuple(self.column_info(name) for name in self.fields)

    @cached_property
    def by_attribute(self) -> dict[str, ColumnInfo]:
        """The columns by attribute name."""
        return {column.attribute: column for column in self.columns}

    @cached_property
    def key_columns(self) -> tuple[ColumnInfo, ...]:
        """The primary key's columns."""
        return tuple(self.by_attribute[name] for name in self.key_attributes)

    @cached_property
    def version_column(self) -> ColumnInfo | None:
        """The column that counts changes, or None."""
        return next((column for column in self.columns if column.spec.version), None)

    @cached_property
    def mutable_columns(self) -> tuple[ColumnInfo, ...]:
        """The columns whose values can change in place: JSON and arrays."""
        return tuple(column for column in self.columns if column.type.mutable)

    @cached_property
    def entity(self) -> tuple[Column[Any], ...]:
        """What a query of whole objects selects."""
        return tuple(self.column(name) for name in self.fields)

    def column_info(self, name: str) -> ColumnInfo:
        """Gives one column with its type; does not need the other columns' annotations."""
        found = self._column_infos.get(name)
        if found is None:
            found = self._column_infos[name] = self._resolve(self.fields[name])
        return found

    def column(self, name: str) -> Column[Any]:
        """Gives `Model.name` as an expression."""
        found = self._column_nodes.get(name)
        if found is None:
            found = self._column_nodes[name] = self.column_from(self.source, name)
        return found

    def column_from(self, source: Source, name: str, *, nullable: bool = False) -> Column[Any]:
        """Gives a column read from another source of this model's table."""
        info = self.column_info(name)
        owner = f"{self.name}.{name}"
        return Column(source, info.name, info.type, nullable=nullable or info.nullable, owner=owner, attribute=name)

    def _resolve(self, spec: FieldSpec) -> ColumnInfo:
        type_, nullable = self._type_of(spec)
        _check_key_and_version(f"{self.name}.{spec.name}", spec, type_, nullable=nullable)
        by_database = spec.made_by == "database"
        identity = spec.primary_key and by_database and isinstance(type_, t.Integer) and not _has_default(spec)
        return ColumnInfo(
            attribute=spec.name,
            name=spec.column or spec.name,
            type=type_,
            nullable=nullable,
            spec=spec,
            identity=identity,
            server_made=by_database or _has_default(spec),
        )

    def _type_of(self, spec: FieldSpec) -> tuple[t.SqlType, bool]:
        place = f"{self.name}.{spec.name}"
        if spec.annotation is None:
            relation = self.relation(spec.relation or "")
            return relation.target.column_info(relation.remote[spec.position]).type, relation.nullable
        module, names = spec.declared_in, self.names(spec)
        argument = ann.argument_of(spec.annotation, names, place, module)
        resolved = ann.without_none(argument, names, place, module)
        key = spec.primary_key and spec.made_by == "database"
        type_ = ann.column_type(resolved, spec.options, place, key=key)
        if key and not (isinstance(type_, t.Integer) or _has_default(spec)):
            raise ModelError(
                f"{place} is a generated key of type {type_.name}, which no database numbers",
                hint='use an int, server_default=text("gen_random_uuid()"), or field(default_factory=uuid4)',
            )
        return type_, resolved.nullable

    def names(self, spec: FieldSpec | RelationSpec) -> ann.Names:
        """Gives the names that an annotation of this model may use."""

        def find_model(name: str) -> Any:
            info = self.registry.find(name, self.app, self.path)
            return None if info is None else info.cls

        return ann.Names(sys.modules[spec.declared_in].__dict__, spec.scope, find_model, self._type_arguments)

    @cached_property
    def _type_arguments(self) -> Mapping[Any, Any]:
        return ann.type_arguments_of(self.cls)

    # ---- relations

    @cached_property
    def relations(self) -> dict[str, RelationInfo]:
        """Every relation by name."""
        return {name: self.relation(name) for name in self.relation_specs}

    def relation(self, name: str) -> RelationInfo:
        """Gives one relation with its other end.

        Raises:
            UnresolvedReference: The other end was never found.
        """
        spec = self.relation_specs[name]
        found = spec.resolved.get(self)
        if found is None:
            found = spec.resolved[self] = resolve_relation(self, spec)
        return found

    def find_target(self, spec: RelationSpec) -> tuple[ModelInfo, bool]:
        """Gives a relation's target model, and whether None is allowed."""
        place = f"{self.name}.{spec.name}"
        names = self.names(spec)
        argument = ann.argument_of(spec.annotation, names, place, spec.declared_in)
        resolved = ann.without_none(argument, names, place, spec.declared_in)
        info = getattr(resolved.python, "__info__", None)
        if not isinstance(info, ModelInfo):
            raise UnresolvedReference(
                f"{place} points to {resolved.python!r}, which is no concrete model",
                hint="name a model: One[Author]",
            )
        return info, resolved.nullable

    def unknown(self, name: str) -> UnknownName:
        """Gives the error for a name the model does not have."""
        known = [*self.fields, *self.relation_specs]
        return UnknownName(f"{self.name} has no column or relation {name!r}", hint=suggest(name, known))


def _holders(relations: Iterable[RelationSpec]) -> dict[str, list[tuple[str, int]]]:
    """Gives, for each attribute, the to-one relations whose key it holds a part of: (relation, place in the key)."""
    found: dict[str, list[tuple[str, int]]] = {}
    for spec in relations:
        for position, name in enumerate(spec.keys):
            found.setdefault(name, []).append((spec.name, position))
    return found


def _check_key_and_version(place: str, spec: FieldSpec, type_: t.SqlType, *, nullable: bool) -> None:
    if spec.primary_key and nullable:
        raise ModelError(
            f"{place} is part of the primary key and is never None",
            hint="write Mapped[int] without None: reading a key that is not made yet raises UnsavedError",
        )
    if spec.version and not isinstance(type_, t.Integer):
        raise ModelError(f"{place} counts changes and is a {type_.name}", hint="write Mapped[int]")


def _has_default(spec: FieldSpec) -> bool:
    return spec.server_default is not MISSING


def resolve_relation(owner: ModelInfo, spec: RelationSpec) -> RelationInfo:
    """Gives a relation with both ends, by how it was declared."""
    target, nullable = owner.find_target(spec)
    if spec.kind == "foreign_key":
        return _to_one(owner, spec, target, nullable)
    if spec.kind == "many_to_many":
        return _many_to_many(owner, spec, target)
    return _reverse(owner, spec, target, nullable)


def _to_one(owner: ModelInfo, spec: RelationSpec, target: ModelInfo, nullable: bool) -> RelationInfo:
    if len(spec.keys) != len(target.key_attributes):
        wanted = [f"{spec.name}_{name}" for name in target.key_attributes]
        raise ModelError(
            f"{owner.name}.{spec.name} points to {target.name}, whose key has {len(target.key_attributes)} columns",
            hint=f"declare the columns {', '.join(wanted)} and foreign_key(init=False, columns={tuple(wanted)!r})",
        )
    return RelationInfo(
        name=spec.name,
        kind="to_one",
        owner=owner,
        target=target,
        local=spec.keys,
        remote=target.key_attributes,
        nullable=nullable,
        on_delete=_checked_on_delete(owner, spec, nullable),
        inverse=_inverse_of(target, spec.name, owner),
    )


def _checked_on_delete(owner: ModelInfo, spec: RelationSpec, nullable: bool) -> OnDelete:
    if spec.on_delete == "set_null" and not nullable:
        raise ModelError(
            f'{owner.name}.{spec.name} has on_delete="set_null" and can never be None',
            hint="annotate it One[Target | None]",
        )
    return spec.on_delete


def _inverse_of(target: ModelInfo, name: str, owner: ModelInfo) -> str | None:
    for candidate in target.relation_specs.values():
        if candidate.kind == "reverse" and candidate.of == name and target.find_target(candidate)[0] is owner:
            return candidate.name
    return None


def _check_reverse_one(owner: ModelInfo, spec: RelationSpec, forward: RelationInfo, *, nullable: bool) -> None:
    place, target = f"{owner.name}.{spec.name}", forward.owner
    declared = target.relation_specs[forward.name]
    if not (declared.unique or (forward.local and forward.local == target.key_attributes)) or forward.link is not None:
        more = "" if forward.link is not None else f", or {forward.place} = foreign_key(unique=True)"
        raise ModelError(
            f"{place} is one object, and many can point to it by {forward.place}",
            hint=f"write Many[{target.name}]{more}",
        )
    if not nullable:
        raise ModelError(f"{place} may be missing", hint=f"annotate it One[{target.name} | None]")


def _reverse(owner: ModelInfo, spec: RelationSpec, target: ModelInfo, nullable: bool) -> RelationInfo:
    other = target.relation_specs.get(spec.of)
    if other is None or other.kind == "reverse":
        raise UnresolvedReference(
            f"{owner.name}.{spec.name} is the reverse of {target.name}.{spec.of}, which is no relation",
            hint=suggest(spec.of, [n for n, s in target.relation_specs.items() if s.kind != "reverse"]),
        )
    forward = target.relation(spec.of)
    if forward.target is not owner:
        raise ModelError(
            f"{owner.name}.{spec.name} is the reverse of {forward.place}, which points to {forward.target.name}",
            hint=f"declare it on {forward.target.name}",
        )
    if not spec.many:
        _check_reverse_one(owner, spec, forward, nullable=nullable)
    if forward.link is not None:
        link = LinkTable(forward.link.table, forward.link.far, forward.link.near, forward.link.through)
        keys = (owner.key_attributes, target.key_attributes)
        return RelationInfo(spec.name, "many_to_many", owner, target, *keys, True, link=link, inverse=spec.of)
    kind: RelationKind = "reverse_many" if spec.many else "reverse_one"
    return RelationInfo(
        spec.name, kind, owner, target, forward.remote, forward.local, True, forward.on_delete, inverse=spec.of
    )


def _many_to_many(owner: ModelInfo, spec: RelationSpec, target: ModelInfo) -> RelationInfo:
    link = _through_table(owner, spec, target) if spec.through else _own_link_table(owner, spec, target)
    return RelationInfo(
        name=spec.name,
        kind="many_to_many",
        owner=owner,
        target=target,
        local=owner.key_attributes,
        remote=target.key_attributes,
        nullable=True,
        link=link,
        inverse=_inverse_of(target, spec.name, owner),
    )


def _own_link_table(owner: ModelInfo, spec: RelationSpec, target: ModelInfo) -> LinkTable:
    near_name, far_name = owner.cls.__default_table__, target.cls.__default_table__
    if near_name == far_name:
        near_name, far_name = f"from_{near_name}", f"to_{far_name}"
    near = tuple(f"{near_name}_{column.name}" for column in owner.key_columns)
    far = tuple(f"{far_name}_{column.name}" for column in target.key_columns)
    return LinkTable(constraint_name(owner.table, spec.name, ()), near, far)


def _through_table(owner: ModelInfo, spec: RelationSpec, target: ModelInfo) -> LinkTable:
    named = isinstance(spec.through, str)
    through = owner.registry.find(spec.through, owner.app, owner.path) if named else spec.through.__info__
    if through is None:
        raise UnresolvedReference(
            f"{owner.name}.{spec.name} goes through {spec.through!r}, and no model has that name",
            hint="import the module that defines it before the first query",
        )
    ends = [through.relation(name) for name, s in through.relation_specs.items() if s.kind == "foreign_key"]
    near = [end for end in ends if end.target is owner]
    far = [end for end in ends if end.target is target and end not in near[:1]]
    if not near or not far:
        raise ModelError(
            f"{through.name}, through which {owner.name}.{spec.name} goes, does not point to both "
            f"{owner.name} and {target.name}",
            hint="declare a foreign_key() to each",
        )
    return LinkTable(through.table, _names(through, near[0].local), _names(through, far[0].local), through)


def _names(info: ModelInfo, attributes: Iterable[str]) -> tuple[str, ...]:
    return tuple(info.by_attribute[name].name for name in attributes)


def key_expression(relation: RelationInfo, source: Source, *, nullable: bool) -> tuple[Expr[Any], ...]:
    """Gives the columns of the owner that hold a to-one relation's key."""
    return tuple(relation.owner.column_from(source, name, nullable=nullable) for name in relation.local)
