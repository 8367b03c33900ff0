"""Writes each model's `__init__`: one function with the model's own parameters, compiled when the class is made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from cormorant._internal.codegen import compile_function
from cormorant.models.relating import compile_relate
from cormorant.models.specs import FieldSpec, RelationSpec
from cormorant.models.state import MISSING, set_class


def compile_init(
    cls: Any,
    twin: Any,
    ghost: Any,
    fields: Mapping[str, FieldSpec],
    relations: Mapping[str, RelationSpec],
    *,
    is_own: bool,
) -> Callable[..., None]:
    """Gives `__init__` of a model.

    The object is filled as the untracked twin. It becomes a ghost where columns stay unset, to be made by the
    database, and a plain instance otherwise. Relations are set last.

    Args:
        cls: The model's class.
        twin: Its untracked class.
        ghost: Its class of objects with unset columns.
        fields: Its columns.
        relations: Its relations.
        is_own: Attributes are written by the user's own `__setattr__`.
    """
    # an attribute never starts with "_", so these names are free
    names: dict[str, Any] = {"_MISSING": MISSING, "_set_class": set_class, "_cls": cls, "_twin": twin, "_ghost": ghost}
    parameters: list[str] = []
    body = ["    _set_class(_self, _twin)"]
    may_be_unset: list[str] = []
    for name, spec in fields.items():
        if not spec.init:
            if spec.relation is not None and spec.annotation is None:
                may_be_unset.append(name)
                continue
            _fill(name, spec, body, names, may_be_unset)
            continue
        parameters.append(_parameter(name, spec))
        _fill_from_parameter(name, spec, body, names, may_be_unset)
    body += ["    _self.__orm_origin__ = None", "    _self.__orm_changes__ = None", "    _self.__orm_related__ = None"]
    taken = {name: spec for name, spec in relations.items() if spec.kind == "foreign_key" and spec.init}
    parameters += [f"{name}=None" if spec.default is None else name for name, spec in taken.items()]
    body.append(f"    _set_class(_self, {_final_class(may_be_unset, fields, names)})")
    if taken:
        body.append(f"    _relate({', '.join(['_self', *taken])})")
        held = {key for spec in relations.values() for key in spec.keys}
        unset = [f"{name} is _MISSING" for name in may_be_unset if fields[name].init and name not in held]
        # what no relation sets stays unset, and the object a ghost
        body += [f"    if not ({' or '.join(unset)}):", "        _settle(_self)"] if unset else ["    _settle(_self)"]
        names["_settle"] = _settle(cls, ghost, tuple(may_be_unset))
    signature = ", ".join(["_self", "*", *parameters]) if parameters else "_self"
    source = f"def __init__({signature}):\n" + "\n".join(body) + "\n"
    init = compile_function("__init__", source, names)
    if taken:
        init.__globals__["_relate"] = _first_relate(cls, init.__globals__, tuple(taken), is_own=is_own)
    init.__qualname__ = f"{cls.__qualname__}.__init__"
    init.__module__ = cls.__module__
    return init


def _first_relate(cls: Any, names: dict[str, Any], taken: tuple[str, ...], *, is_own: bool) -> Callable[..., None]:
    """Gives what sets the relations of the first object, and writes the function that does so from then on.

    The models on the other sides may not be known when the class is made.
    """

    def relate(instance: Any, *values: Any) -> None:
        compiled = names["_relate"] = compile_relate(cls.__info__, taken, by_descriptor=is_own)
        compiled(instance, *values)

    return relate


def _parameter(name: str, spec: FieldSpec) -> str:
    return name if spec.required else f"{name}=_MISSING"


def _fill_from_parameter(
    name: str, spec: FieldSpec, body: list[str], names: dict[str, Any], may_be_unset: list[str]
) -> None:
    if spec.required:
        body.append(f"    _self.{name} = {name}")
        return
    body += [f"    if {name} is not _MISSING:", f"        _self.{name} = {name}"]
    default = _default(name, spec, names)
    if default is None:
        may_be_unset.append(name)
    else:
        body += ["    else:", f"        _self.{name} = {default}"]


def _fill(name: str, spec: FieldSpec, body: list[str], names: dict[str, Any], may_be_unset: list[str]) -> None:
    default = _default(name, spec, names)
    if default is None:
        may_be_unset.append(name)
    else:
        body.append(f"    _self.{name} = {default}")


def _default(name: str, spec: FieldSpec, names: dict[str, Any]) -> str | None:
    """Gives the source of a column's default, or None where the database makes the value."""
    if spec.default_factory is not None:
        names[f"_make_{name}"] = spec.default_factory
        return f"_make_{name}()"
    if spec.default is not MISSING:
        names[f"_default_{name}"] = spec.default
        return f"_default_{name}"
    return None


def _final_class(may_be_unset: list[str], fields: Mapping[str, FieldSpec], names: dict[str, Any]) -> str:
    if not may_be_unset:
        return "_cls"
    if any(not fields[name].init for name in may_be_unset):
        return "_ghost"
    return "_ghost if " + " or ".join(f"{name} is _MISSING" for name in may_be_unset) + " else _cls"


def _settle(cls: Any, ghost: Any, names: tuple[str, ...]) -> Callable[[Any], None]:
    """Gives the function that makes a ghost a plain instance once its relations have set every column."""
    get = object.__getattribute__

    def settle(instance: Any) -> None:
        try:
            for name in names:
                get(instance, name)
        except AttributeError:
            if type(instance) is not ghost:
                set_class(instance, ghost)
            return
        if type(instance) is ghost:
            set_class(instance, cls)

    return settle
