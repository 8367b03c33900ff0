"""From what a client sent to objects: new ones, and changes of those that are there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from cormorant._internal.narrowing import is_list
from cormorant.errors import WrongType
from cormorant.models.collections import Collection
from cormorant.models.links import RelationInfo
from cormorant.models.metadata import ModelInfo
from cormorant.models.model import Model, ref
from cormorant.models.relating import KeyOnly, takes_key
from cormorant.models.state import keep_related, key_of

if TYPE_CHECKING:
    from pydantic import BaseModel


@dataclass(frozen=True, slots=True)
class Plan:
    """How the fields of a schema belong to a model.

    Args:
        columns: The field of each column.
        nested: The field of each nested relation.
        keyed: The field of each relation that is a list of keys.
    """

    info: ModelInfo
    columns: Mapping[str, str]
    nested: Mapping[str, str] = field(default_factory=dict[str, str])
    keyed: Mapping[str, str] = field(default_factory=dict[str, str])


def built(plan: Plan, data: BaseModel, more: Mapping[str, Any]) -> Any:
    """Gives a new object of what was sent; what was not sent has the default of its column.

    Args:
        plan: How the fields belong to the model.
        data: What was sent.
        more: What else the constructor is given.
    """
    info, given, held = plan.info, data.model_fields_set, vars(data)
    # it is done for each request: comprehensions would be calls
    values: dict[str, Any] = {}
    for name, at in plan.columns.items():
        if at in given:
            values[name] = held[at]
    _refer(info, values)
    if not (plan.nested or plan.keyed):
        return info.cls(**{**values, **more})
    sent = {name: held[at] for name, at in plan.nested.items() if at in given}
    for name in [name for name in sent if info.relation(name).kind == "to_one"]:
        values[name] = _built_inside(sent.pop(name), {})
    made = info.cls(**{**values, **more})
    for name, value in sent.items():
        _relate(made, info.relation(name), value)
    for name in (*plan.nested, *plan.keyed):
        _show_none(made, info.relation(name))
    for name, at in plan.keyed.items():
        if at in given:
            getattr(made, name).add(*_members(made, info.relation(name), held[at]))
    return made


def assigned(plan: Plan, data: BaseModel, instance: Any) -> Any:
    """Sets what was sent on an object, and gives it back.

    Raises:
        WrongType: It is an object of another model.
        NotLoadedError: A relation is given by keys, and its members are not loaded.
    """
    if not isinstance(instance, plan.info.cls):
        raise WrongType(f"a patch of {plan.info.name} does not fit {instance!r} ({type(instance).__name__})")
    given = data.model_fields_set
    for name, at in plan.columns.items():
        if at in given:
            setattr(instance, name, getattr(data, at))
    for name, at in plan.keyed.items():
        if at in given:
            relation = plan.info.relation(name)
            getattr(instance, name).set(_members(instance, relation, getattr(data, at)))
    return instance


def _refer(info: ModelInfo, values: dict[str, Any]) -> None:
    """Puts what they point to in the place of keys that have no column of their own in the constructor."""
    for name, keys, given in _pointing(info):
        if all(map(values.__contains__, keys)):
            parts = tuple(map(values.pop, keys))
            values[name] = None if None in parts else given(parts)


@lru_cache(maxsize=2000)
def _pointing(info: ModelInfo) -> tuple[tuple[str, tuple[str, ...], Callable[[Iterable[Any]], Any]], ...]:
    """Gives the relations whose keys the constructor does not take.

    Returns:
        Each one's name, its keys, and what makes of their values what the constructor takes for them.
    """
    cls: type[Model] = info.cls
    generated = cls.__init__ is info.cls.__construct__ and cls.__setattr__ is Model.__setattr__
    found: list[tuple[str, tuple[str, ...], Callable[[Iterable[Any]], Any]]] = []
    for name, spec in info.relation_specs.items():
        keys = tuple(key for key in spec.keys if info.fields[key].annotation is None)
        if spec.kind == "foreign_key" and spec.init and keys:
            relation = info.relation(name)
            found.append((name, keys, KeyOnly if generated and takes_key(relation) else _reference_to(relation.target)))
    return tuple(found)


def _reference_to(target: ModelInfo) -> Callable[[Iterable[Any]], Model]:
    cls: type[Model] = target.cls
    return lambda parts: ref(cls, *parts)


def _built_inside(value: Any, more: Mapping[str, Any]) -> Any:
    if is_list(value):
        return [built(each.__plan__, each, more) for each in value]
    return None if value is None else built(value.__plan__, value, more)


def _relate(instance: Model, relation: RelationInfo, value: Any) -> None:
    """Makes what belongs to a new object."""
    if relation.kind == "many_to_many":
        getattr(instance, relation.name).add(*_built_inside(value, {}))
    elif relation.inverse is not None:
        _built_inside(value, {relation.inverse: instance})


def _show_none(instance: Model, relation: RelationInfo) -> None:
    """Has a new object know of a relation that there is nothing, unless something was sent: it is asked for later."""
    related: Mapping[str, object] = instance.__orm_related__ or {}
    if relation.kind == "to_one" or relation.name in related:
        return
    if relation.kind == "reverse_one":
        keep_related(instance, relation.name, None)
    else:
        # who asks for a new object's collection has an empty one
        getattr(instance, relation.name)


def _members(instance: Model, relation: RelationInfo, keys: Iterable[Any]) -> list[Any]:
    """Gives the objects of the keys: those that are at hand, and references to the others."""
    collection: Collection[Any] = getattr(instance, relation.name)
    present = {key_of(item): item for item in collection.known}
    return [present.get(key) or _known(instance, relation.target, key) for key in dict.fromkeys(keys)]


def _known(instance: Model, info: ModelInfo, key: Any) -> Any:
    origin = instance.__orm_origin__
    found = None if origin is None else origin.owner.known(info, key)
    return ref(info.cls, *(key if isinstance(key, tuple) else (key,))) if found is None else found
