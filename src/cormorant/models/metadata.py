"""What a model declares, resolved: columns with types, relations with their ends."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from typing import Any

from cormorant.errors import ModelError, UnknownName, UnresolvedReference, WrongType, suggest
from cormorant.hooks.dispatcher import Hook, hooks_of, registrations
from cormorant.hooks.events import EVENTS, Event
from cormorant.models import annotations as ann
from cormorant.models.constrained import Constrained, constraints_of
from cormorant.models.links import RelationInfo, hide, hide_keys, resolve_relation
from cormorant.models.registry import Registry, registry
from cormorant.models.specs import FieldSpec, RelationSpec
from cormorant.models.state import MISSING
from cormorant.sql import types as t
from cormorant.sql.columns import Column
from cormorant.sql.expr import is_expr
from cormorant.sql.sources import Source, TableSource
from cormorant.sql.statements import TypedColumn

_serials = count(1)


@dataclass(frozen=True, slots=True)
class ColumnInfo:
    """A column with its type resolved.

    Args:
        attribute: The attribute's name.
        name: The column's name in the database.
        identity: The database numbers the rows by it.
        server_made: The database gives the value when none is sent.
        constrained: What checks values beyond their type and the plain options.
    """

    attribute: str
    name: str
    type: t.SqlType
    nullable: bool
    spec: FieldSpec
    identity: bool
    server_made: bool
    constrained: Constrained | None = None

    @property
    def typed(self) -> TypedColumn:
        """The column as statements name it."""
        return TypedColumn(self.name, self.type)


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
        comment: str | None = None,
        renamed_from: str | None = None,
        retired: Mapping[str, str] | None = None,
    ) -> None:
        self.cls = cls
        self.name: str = cls.__name__
        self.path: str = f"{cls.__module__}.{cls.__qualname__}"
        self.app = app
        self.table = table
        self.comment = comment
        self.renamed_from = renamed_from
        self.retired: Mapping[str, str] = retired or {}
        self.fields: dict[str, FieldSpec] = dict(fields)
        self.relation_specs: dict[str, RelationSpec] = dict(relations)
        self.key_attributes: tuple[str, ...] = tuple(name for name, spec in fields.items() if spec.primary_key)
        self.holders: dict[str, list[tuple[str, int]]] = _holders(relations.values())
        self.source: TableSource = TableSource(table, f"{next(_serials)}", entity=self)
        self.registry: Registry = registry
        # as of a number of registrations
        self.hooks: Mapping[Event, tuple[Hook, ...]] = {}
        self.hooks_version: int = -1
        self.cache: bool | float | None = None
        # those attributes of `mutable_columns` whose values are read when somebody asks for them
        self.read_late: frozenset[str] = frozenset()
        for spec in self.fields.values():
            if spec.sensitive:
                hide(self, spec)
        self._column_infos: dict[str, ColumnInfo] = {}
        self._column_nodes: dict[str, Column[Any]] = {}

    def __repr__(self) -> str:
        return f"<ModelInfo {self.path}>"

    @property
    def plain(self) -> ModelInfo:
        """The model as its own table is read."""
        return self

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
    def key_set(self) -> frozenset[str]:
        """The primary key's attributes, without order."""
        return frozenset(self.key_attributes)

    @cached_property
    def needed_attributes(self) -> tuple[str, ...]:
        """The columns a new row must be given a value for."""
        return tuple(column.attribute for column in self.columns if not column.server_made)

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
            found = self._column_infos[name] = self.resolved(self.fields[name])
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
        return Column(
            source,
            info.name,
            info.type,
            nullable=nullable or info.nullable,
            owner=owner,
            attribute=name,
            collation=info.spec.options.get("collation"),
        )

    def resolved(self, spec: FieldSpec) -> ColumnInfo:
        """Gives a column with its type, which its annotation tells."""
        type_, nullable, constrained = self._type_of(spec)
        _check_limits(f"{self.name}.{spec.name}", spec, type_)
        _check_key_and_version(f"{self.name}.{spec.name}", spec, type_, nullable=nullable)
        _check_default(f"{self.name}.{spec.name}", spec, type_)
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
            constrained=constrained,
        )

    def _type_of(self, spec: FieldSpec) -> tuple[t.SqlType, bool, Constrained | None]:
        place = f"{self.name}.{spec.name}"
        if spec.annotation is None:
            relation = self.relation(spec.relation or "")
            return relation.target.column_info(relation.remote[spec.position]).type, relation.nullable, None
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
        return type_, resolved.nullable, constraints_of(resolved, type_, spec.options, place)

    def names(self, spec: FieldSpec | RelationSpec) -> ann.Names:
        """Gives the names that an annotation of this model may use."""

        def find_model(name: str) -> Any:
            info = self.registry.find(name, self.app, self.path)
            return None if info is None else info.cls

        return ann.Names(ann.module_names(spec.declared_in), spec.scope, find_model, self._type_arguments)

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
            hide_keys(found)
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
        if name in self.retired:
            return UnknownName(f"{self.name}.{name} is retired", hint="objects have it no more; use another column")
        known = [*self.fields, *self.relation_specs]
        return UnknownName(f"{self.name} has no column or relation {name!r}", hint=suggest(name, known))


class AliasedInfo(ModelInfo):
    """What is known of a model whose table is read under another name.

    Args:
        info: The model.
        cls: What stands for its class.
        source: What its columns are read from.
    """

    def __init__(self, info: ModelInfo, cls: Any, source: TableSource) -> None:
        self.__dict__.update(info.__dict__)
        self.__dict__.pop("entity", None)
        self.cls = cls
        self.source = source
        self._column_nodes = {}
        self._plain: ModelInfo = info

    @property
    def plain(self) -> ModelInfo:
        return self._plain

    def relation(self, name: str) -> RelationInfo:
        return self._plain.relation(name)


def _holders(relations: Iterable[RelationSpec]) -> dict[str, list[tuple[str, int]]]:
    """Gives, for each attribute, the to-one relations whose key it holds a part of: (relation, place in the key)."""
    found: dict[str, list[tuple[str, int]]] = {}
    for spec in relations:
        for position, name in enumerate(spec.keys):
            found.setdefault(name, []).append((spec.name, position))
    return found


def _check_limits(place: str, spec: FieldSpec, type_: t.SqlType) -> None:
    limits = {name: (spec.options.get(name),) for name in ("ge", "gt", "le", "lt")}
    for name, values in (limits | {"choices": spec.options.get("choices") or ()}).items():
        for value in values:
            try:
                type_.check(value)
            except WrongType as error:
                told = f"{place} has {name}={spec.options[name]!r}, and {error.message}"
                raise ModelError(told, hint="give a value") from error
    try:
        re.compile(spec.options.get("pattern") or "")
    except re.error as error:
        raise ModelError(f"{place} has pattern={spec.options['pattern']!r}: {error}") from error


def _check_default(place: str, spec: FieldSpec, type_: t.SqlType) -> None:
    # None may stand for what is given later
    if spec.default is MISSING or spec.default is None or is_expr(spec.default):
        return
    try:
        type_.check_stored(spec.default)
    except WrongType as error:
        said = "it does not fit its column" if spec.sensitive else error.message
        raise ModelError(
            f"the default of {place}: {said}", hint="new objects, and rows from before the column, would get it"
        ) from error


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


def hooks_for(info: ModelInfo) -> Mapping[Event, tuple[Hook, ...]]:
    """Gives what is called for a model's objects, by event; found out anew after a registration."""
    if info.hooks_version != registrations.version:
        info.hooks_version = registrations.version
        info.hooks = {event: found for event in EVENTS if (found := hooks_of(info.cls, event))}
    return info.hooks
