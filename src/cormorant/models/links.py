"""The two ends of a relation, found when the models on both sides are known."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from cormorant._internal.naming import constraint_name
from cormorant._internal.secrets import add_sensitive
from cormorant.errors import ModelError, UnresolvedReference, suggest
from cormorant.models.specs import FieldSpec, RelationSpec
from cormorant.sql.columns import Column
from cormorant.sql.ddl import OnDelete, OnUpdate
from cormorant.sql.sources import JoinSource, Source

if TYPE_CHECKING:
    from cormorant.models.metadata import ModelInfo

RelationKind = Literal["to_one", "reverse_one", "reverse_many", "many_to_many"]


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
        orphan_removal: Objects of the target that lose their owner are deleted.
    """

    name: str
    kind: RelationKind
    owner: ModelInfo
    target: ModelInfo
    local: tuple[str, ...]
    remote: tuple[str, ...]
    nullable: bool
    on_delete: OnDelete = "restrict"
    on_update: OnUpdate = "no_action"
    link: LinkTable | None = None
    inverse: str | None = None
    orphan_removal: bool = False

    @property
    def is_symmetrical(self) -> bool:
        """Whether a link goes both ways."""
        return self.link is not None and self.inverse == self.name

    @property
    def place(self) -> str:
        """What messages call it: "Article.author"."""
        return f"{self.owner.name}.{self.name}"

    def near_columns(self) -> list[Column[Any]]:
        """Gives the columns, read beside the target, that hold the owner's key: the target's own, or those of links."""
        link, target = self.link, self.target
        if link is None:
            return [target.column(name) for name in self.remote]
        on = tuple(zip((column.name for column in target.key_columns), link.far, strict=True))
        name = f"{self.name}_link"
        source = JoinSource(target.source, name, link.table, on, optional=False, entity=link.through)
        pairs = zip(link.near, self.owner.key_columns, strict=True)
        return [Column(source, name, key.type, nullable=False, owner=f"{self.place}.{name}") for name, key in pairs]

    def source_from(self, parent: Source) -> JoinSource:
        """Gives the target's table as joined to a table of the owner."""
        near = tuple(self.owner.by_attribute[name].name for name in self.local)
        far = tuple(self.target.by_attribute[name].name for name in self.remote)
        if self.link is None:
            optional = self.nullable or self.kind != "to_one"
            pairs = tuple(zip(near, far, strict=True))
            many = self.kind == "reverse_many"
            return JoinSource(
                parent, self.name, self.target.table, pairs, optional=optional, many=many, entity=self.target
            )
        pairs = tuple(zip(near, self.link.near, strict=True))
        link = JoinSource(
            parent,
            f"{self.name}_link",
            self.link.table,
            pairs,
            optional=True,
            many=True,
            entity=self.link.through,
            link=True,
        )
        return JoinSource(
            link,
            self.name,
            self.target.table,
            tuple(zip(self.link.far, far, strict=True)),
            optional=True,
            entity=self.target,
        )


def resolve_relation(owner: ModelInfo, spec: RelationSpec) -> RelationInfo:
    """Gives a relation with both ends, by how it was declared."""
    target, nullable = owner.find_target(spec)
    if spec.kind == "foreign_key":
        return _to_one(owner, spec, target, nullable)
    if spec.kind == "many_to_many":
        return _many_to_many(owner, spec, target)
    return _reverse(owner, spec, target, nullable)


def hide(info: ModelInfo, spec: FieldSpec) -> None:
    """Makes a column known whose values are shown to nobody."""
    add_sensitive(info.table, spec.column or spec.name)
    add_sensitive(info.name, spec.name)


def hide_keys(relation: RelationInfo) -> None:
    """Has the columns that hold secret keys of other rows be as secret as these."""
    link, owner, target = relation.link, relation.owner, relation.target
    if link is not None:
        ends = (
            [*zip(link.near, owner.key_attributes, strict=True)],
            [*zip(link.far, target.key_attributes, strict=True)],
        )
        for end, pairs in zip((owner, target), ends, strict=True):
            for column, key in pairs:
                if end.fields[key].sensitive:
                    add_sensitive(link.table, column)
    elif relation.kind == "to_one":
        for name, key in zip(relation.local, relation.remote, strict=True):
            spec = owner.fields[name]
            if target.fields[key].sensitive and not spec.sensitive:
                # found out late, but for all who have the column
                object.__setattr__(spec, "holds_secret", True)
                if spec.sensitive:
                    hide(owner, spec)


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
        on_update=spec.on_update,
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
    if other.symmetrical:
        raise ModelError(
            f"{owner.name}.{spec.name} is the reverse of {forward.place}, which is symmetrical",
            hint=f"leave it out: {forward.place} is both sides",
        )
    if not spec.many:
        _check_reverse_one(owner, spec, forward, nullable=nullable)
    if forward.link is not None:
        _refuse_orphans(owner, spec, forward)
        link = LinkTable(forward.link.table, forward.link.far, forward.link.near, forward.link.through)
        keys = (owner.key_attributes, target.key_attributes)
        return RelationInfo(spec.name, "many_to_many", owner, target, *keys, True, link=link, inverse=spec.of)
    kind: RelationKind = "reverse_many" if spec.many else "reverse_one"
    return RelationInfo(
        name=spec.name,
        kind=kind,
        owner=owner,
        target=target,
        local=forward.remote,
        remote=forward.local,
        nullable=True,
        on_delete=forward.on_delete,
        on_update=forward.on_update,
        inverse=spec.of,
        orphan_removal=spec.orphan_removal,
    )


def _refuse_orphans(owner: ModelInfo, spec: RelationSpec, forward: RelationInfo) -> None:
    if spec.orphan_removal:
        raise ModelError(
            f"{owner.name}.{spec.name} has orphan_removal, and {forward.place} is many-to-many: nothing has one owner",
            hint="leave it out; links are dropped by .remove(...), and with the objects they lead to",
        )


def _many_to_many(owner: ModelInfo, spec: RelationSpec, target: ModelInfo) -> RelationInfo:
    if spec.symmetrical:
        _check_symmetrical(owner, spec, target)
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
        inverse=spec.name if spec.symmetrical else _inverse_of(target, spec.name, owner),
    )


def _check_symmetrical(owner: ModelInfo, spec: RelationSpec, target: ModelInfo) -> None:
    place = f"{owner.name}.{spec.name}"
    if target is not owner:
        raise ModelError(
            f"{place} is symmetrical, and leads from {owner.name} to {target.name}",
            hint="only a relation between objects of one model can go both ways; use reverse() on the other side",
        )
    if spec.through:
        raise ModelError(
            f"{place} is symmetrical and goes through a model, whose object would stand for two links",
            hint="leave one of the two out",
        )


def _own_link_table(owner: ModelInfo, spec: RelationSpec, target: ModelInfo) -> LinkTable:
    near_name, far_name = end_names(owner.cls.__default_table__, target.cls.__default_table__)
    near = tuple(f"{near_name}_{column.name}" for column in owner.key_columns)
    far = tuple(f"{far_name}_{column.name}" for column in target.key_columns)
    return LinkTable(constraint_name(owner.table, spec.name, ()), near, far)


def end_names(near: str, far: str) -> tuple[str, str]:
    """Gives what the key columns of a table of links begin with, for links between rows of two tables."""
    return (near, far) if near != far else (f"from_{near}", f"to_{far}")


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
