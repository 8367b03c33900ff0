"""Reads a class body: which names are columns, which are relations, and which hold a relation's key."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from cormorant._internal.frames import frame_outside
from cormorant.errors import ModelError, UnresolvedReference
from cormorant.models import annotations as ann
from cormorant.models.registry import registry
from cormorant.models.specs import SHARED, FieldSpec, RelationSpec, Retired
from cormorant.models.state import MISSING

# names that Python or the library give a meaning on every class, or on a relation in a query
RESERVED = frozenset({"mro", "objects", "to_dict", "is_null", "is_not_null", "in_", "not_in", "optional"})


@dataclass
class Declaration:
    """The columns and relations of a class, its abstract bases' included, in order.

    Args:
        retired: Columns that are gone, by their former attributes.
    """

    fields: dict[str, FieldSpec] = field(default_factory=dict[str, FieldSpec])
    relations: dict[str, RelationSpec] = field(default_factory=dict[str, RelationSpec])
    order: dict[str, None] = field(default_factory=dict[str, None])
    retired: dict[str, str] = field(default_factory=dict[str, str])


def read_class(name: str, bases: tuple[Any, ...], namespace: dict[str, Any], *, abstract: bool) -> Declaration:
    """Gives what a class declares, and takes the declarations out of its body.

    Raises:
        ModelError: Naming the attribute that cannot work.
    """
    result = _inherited(bases)
    module = _module_of(namespace)
    module_names = ann.module_names(module)
    scope = _names_around(namespace)
    annotations = ann.annotations_of(namespace)
    slots = own_slots(namespace)
    if slots and abstract:
        raise ModelError(f"{name} is abstract and has __slots__", hint="declare them in the models that derive from it")
    for attribute, annotation in annotations.items():
        kind = ann.kind_of(annotation, module_names)
        if kind == "class variable" or attribute.startswith("__") or attribute in slots:
            continue
        _check_name(name, attribute)
        result.order[attribute] = None
        result.retired.pop(attribute, None)
        value = namespace.pop(attribute, MISSING)
        where = {"name": attribute, "annotation": annotation, "declared_in": module, "scope": scope}
        # declared anew, a name may become the other kind
        result.fields.pop(attribute, None) if kind != "column" else result.relations.pop(attribute, None)
        if kind == "column":
            result.fields[attribute] = _column(name, attribute, value, where)
        elif kind == "other":
            raise ModelError(
                f"{name}.{attribute} is annotated {annotation!r}",
                hint="write Mapped[...] for a column, One[...] or Many[...] for a relation, ClassVar[...] for neither",
            )
        else:
            result.relations[attribute] = _relation(name, attribute, value, kind, where)
    _refuse_unannotated(name, namespace)
    _retire(result, namespace)
    if not abstract:
        result.fields = _with_keys(name, result)
        _check_primary_key(name, result)
        _check_column_names(name, result)
    _refuse_hidden(name, namespace, result)
    _refuse_cached(name, namespace, slots)
    return result


def cache_rule(name: str, bases: tuple[Any, ...], given: object) -> bool | float | None:
    """Gives whether a model's rows may be cached, or for how many seconds: as it says, else as a base does.

    Raises:
        ModelError: It is neither.
    """
    if given is None:
        return next((base.__cache__ for base in bases if getattr(base, "__cache__", None) is not None), None)
    if isinstance(given, bool):
        return given
    if not isinstance(given, (int, float)) or not 0 < given < float("inf"):
        raise ModelError(f"{name} has cache={given!r}", hint="write cache=True, cache=False, or seconds: cache=60")
    return float(given)


def _module_of(namespace: dict[str, Any]) -> str:
    """Gives the module a class is made in; a class made by calling its metaclass does not say it."""
    frame = frame_outside("cormorant.models.", "types")
    name: str = namespace.setdefault("__module__", "__main__" if frame is None else frame.f_globals["__name__"])
    return name


def own_slots(namespace: Mapping[str, Any]) -> tuple[str, ...]:
    """Gives the `__slots__` of a class body: attributes that are no columns, and are not tracked."""
    slots = namespace.get("__slots__", ())
    return (slots,) if isinstance(slots, str) else tuple(slots)


def _inherited(bases: tuple[Any, ...]) -> Declaration:
    result = Declaration()
    for base in reversed(bases):
        declared: Declaration | None = base.__dict__.get("__declaration__")
        if declared is not None:
            result.fields.update(declared.fields)
            result.order.update(declared.order)
            result.retired.update(declared.retired)
            # each model resolves its own copy: the other end may know it by name
            result.relations.update({k: replace(spec, resolved={}) for k, spec in declared.relations.items()})
    return result


def _names_around(namespace: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Gives the local names of the function a class is made in: its annotations may use them."""
    if "<locals>" not in namespace.get("__qualname__", ""):
        return None
    frame = frame_outside("cormorant.models.")
    return dict(frame.f_locals) if frame is not None else None


def _check_name(model: str, attribute: str) -> None:
    if attribute in RESERVED or attribute.startswith("_"):
        raise ModelError(
            f"{model}.{attribute} cannot be the name of a column or relation",
            hint=f'choose another attribute and keep the column\'s name with field(column="{attribute}")',
        )


def _column(model: str, attribute: str, value: Any, where: Mapping[str, Any]) -> FieldSpec:
    if value is MISSING:
        value = FieldSpec()
    if isinstance(value, RelationSpec):
        raise ModelError(
            f"{model}.{attribute} = {value.kind}() is no declaration of a column",
            hint=f"annotate it {_annotation_of(value)}[...]",
        )
    if isinstance(value, Retired):
        raise ModelError(
            f"{model}.{attribute} is retired, and has an annotation", hint=f"write {attribute} = retired(), no more"
        )
    if not isinstance(value, FieldSpec):
        # the same hint that field() gives for a default that all objects would share
        default = f"default_factory={type(value).__name__}" if isinstance(value, SHARED) else f"default={value!r}"
        raise ModelError(f"{model}.{attribute} = {value!r} is no declaration", hint=f"write field({default})")
    return replace(value, **where)


def _relation(model: str, attribute: str, value: Any, kind: ann.Kind, where: Mapping[str, Any]) -> RelationSpec:
    if value is MISSING and kind == "one":
        value = RelationSpec("foreign_key")
    if not isinstance(value, RelationSpec):
        raise ModelError(
            f"{model}.{attribute} is a relation without its kind",
            hint='assign foreign_key(), reverse("...") or many_to_many()',
        )
    many = kind == "many"
    if (value.kind == "foreign_key" and many) or (value.kind == "many_to_many" and not many):
        raise ModelError(
            f"{model}.{attribute}: {value.kind}() is annotated {where['annotation']!r}",
            hint=f"write {_annotation_of(value)}[...]",
        )
    return replace(value, many=many, resolved={}, **where)


def _refuse_unannotated(model: str, namespace: Mapping[str, Any]) -> None:
    for attribute, value in namespace.items():
        if isinstance(value, (FieldSpec, RelationSpec)):
            raise ModelError(
                f"{model}.{attribute} has no annotation",
                hint=f"write {attribute}: {_annotation_of(value)}[...] = ...",
            )


def _retire(result: Declaration, namespace: dict[str, Any]) -> None:
    """Takes out of a class body what the model has no more; what a base declares is gone from this model."""
    for attribute in [attribute for attribute, value in namespace.items() if isinstance(value, Retired)]:
        result.retired[attribute] = namespace.pop(attribute).column or attribute
        result.fields.pop(attribute, None)
        result.relations.pop(attribute, None)
        result.order.pop(attribute, None)


def _annotation_of(value: FieldSpec | RelationSpec) -> str:
    if isinstance(value, FieldSpec):
        return "Mapped"
    return "One" if value.kind == "foreign_key" else "Many"


def _with_keys(model: str, declared: Declaration) -> dict[str, FieldSpec]:
    """Gives the columns with those that hold the keys of to-one relations: declared ones marked, others added."""
    fields = dict(declared.fields)
    made: dict[str, list[FieldSpec]] = {}
    for spec in declared.relations.values():
        if spec.kind != "foreign_key":
            continue
        spec.keys = key_names(spec, fields, model)
        for position, name in enumerate(spec.keys):
            given = fields.get(name)
            if given is None and spec.columns:
                raise ModelError(
                    f"{model}.{spec.name} keeps its key in {name!r}, which is not declared",
                    hint=f"declare it: {name}: Mapped[...]",
                )
            fields[name] = _key_field(spec, name, position, given)
            if given is None:
                made.setdefault(spec.name, []).append(fields[name])
    return _in_order(declared.order, fields, made)


def _in_order(
    order: Iterable[str], fields: Mapping[str, FieldSpec], made: Mapping[str, list[FieldSpec]]
) -> dict[str, FieldSpec]:
    """Gives the columns as declared, a relation's where the relation stands: composite keys are in that order."""
    ordered: dict[str, FieldSpec] = {}
    for name in order:
        if name in fields:
            ordered[name] = fields[name]
        ordered.update({spec.name: fields[spec.name] for spec in made.get(name, ())})
    return {**ordered, **{name: spec for name, spec in fields.items() if name not in ordered}}


def key_names(spec: RelationSpec, fields: Iterable[str], owner: str) -> tuple[str, ...]:
    """Gives the attributes that hold a relation's key.

    Types are not resolved yet. A target that is known already tells how many columns its key has; one that is not is
    taken to have one.
    """
    if spec.columns:
        return spec.columns
    target = _known_target(spec, owner)
    keys: tuple[str, ...] = () if target is None else target.__info__.key_attributes
    if len(keys) > 1:
        return tuple(f"{spec.name}_{key}" for key in keys)
    exact = [f"{spec.name}_{key}" for key in keys if f"{spec.name}_{key}" in fields]
    return (exact[0] if exact else f"{spec.name}_id",)


def _known_target(spec: RelationSpec, owner: str) -> Any:
    text = spec.annotation if isinstance(spec.annotation, str) else str(spec.annotation)
    inner = text.partition("[")[2].rpartition("]")[0].split("|")[0].strip().strip("\"'").removeprefix("Optional[")
    name = inner.rpartition(".")[2].rstrip("]").strip("\"'")
    around: Mapping[str, Any] = spec.scope or {}
    for place in (around, ann.module_names(spec.declared_in)):
        found = place.get(name)
        if hasattr(found, "__info__"):
            return found
    if not name or name == owner:
        # the class that is being made: others of its name are not meant
        return None
    try:
        info = registry.find(inner if "." in inner else name)
    except UnresolvedReference:
        # which of several is meant is told later, when the owner's app is known
        return None
    return None if info is None else info.cls


def _key_field(spec: RelationSpec, name: str, position: int, given: FieldSpec | None) -> FieldSpec:
    # what is said of a key of several columns is said of all together, by the table
    alone = len(spec.keys) == 1
    unique = spec.unique and alone
    index = spec.index and alone and not spec.unique and not spec.primary_key
    if given is not None:
        return replace(
            given,
            relation=given.relation or spec.name,
            position=given.position if given.relation else position,
            primary_key=given.primary_key or spec.primary_key,
            unique=given.unique or unique,
            index=given.index or index,
        )
    return FieldSpec(
        name=name,
        init=False,
        made_by="program",
        primary_key=spec.primary_key,
        unique=unique,
        index=index,
        relation=spec.name,
        position=position,
        declared_in=spec.declared_in,
    )


def _check_primary_key(model: str, declared: Declaration) -> None:
    if not any(spec.primary_key for spec in declared.fields.values()):
        raise ModelError(
            f"{model} has no primary key",
            hint="declare one: id: Mapped[int] = generated(primary_key=True)",
        )
    versions = [name for name, spec in declared.fields.items() if spec.version]
    if len(versions) > 1:
        raise ModelError(f"{model} has two version columns, {versions[0]} and {versions[1]}", hint="keep one of them")


def _check_column_names(model: str, declared: Declaration) -> None:
    seen: dict[str, str] = {}
    for attribute, spec in declared.fields.items():
        name = spec.column or attribute
        other = seen.setdefault(name, attribute)
        if other != attribute:
            raise ModelError(
                f"{model}.{other} and {model}.{attribute} are both kept in the column {name!r}",
                hint='give one another column: field(column="...")',
            )


def _refuse_hidden(model: str, namespace: Mapping[str, Any], declared: Declaration) -> None:
    """Refuses a method or value of the class that bears the name of an inherited column or relation."""
    for attribute in namespace:
        if attribute in declared.fields or attribute in declared.relations:
            raise ModelError(
                f"{model}.{attribute} is a column or relation, and the class body gives the name to something else",
                hint="rename one of them; to declare the column anew, annotate it: Mapped[...]",
            )


def _refuse_cached(model: str, namespace: Mapping[str, Any], slots: tuple[str, ...]) -> None:
    for attribute, value in namespace.items():
        if isinstance(value, cached_property) and "__dict__" not in slots:
            raise ModelError(
                f"{model}.{attribute} is a cached_property, and objects have no __dict__ to keep its value in",
                hint='use @property, or give the class one: __slots__ = ("__dict__",)',
            )
