"""Sets the relations of a new object by one generated function, which says what is known of the models beforehand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cormorant._internal.codegen import compile_function
from cormorant.models.links import RelationInfo
from cormorant.models.metadata import ModelInfo
from cormorant.models.sides import show_new_one
from cormorant.models.state import MISSING, set_attribute, set_class


class KeyOnly(tuple[Any, ...]):
    """The key of what a new object points to, in the place of that: a reference is made if anybody asks for it."""

    __slots__ = ()


def takes_key(relation: RelationInfo) -> bool:
    """Whether a generated constructor takes a KeyOnly for a relation: nothing but the key has to be set."""
    return _is_usual(relation) and relation.inverse is None


def compile_relate(info: ModelInfo, names: tuple[str, ...], *, by_descriptor: bool) -> Callable[..., None]:
    """Gives the function that sets a new object's relations, of which none is set yet: it takes the object and theirs.

    What is not as usual goes through the relation's descriptor.

    Args:
        info: The object's model.
        names: The relations, in the order in which they are given.
        by_descriptor: All of them do.
    """
    helpers: dict[str, Any] = {
        "KeyOnly": KeyOnly,
        "MISSING": MISSING,
        "set_attribute": set_attribute,
        "set_class": set_class,
        "show_new_one": show_new_one,
    }
    lines = [f"def relate({', '.join(['_o', *names])}):"]
    for number, name in enumerate(names):
        relation = info.relation(name)
        if by_descriptor or not _is_usual(relation):
            lines.append(f"    _o.{name} = {name}")
            continue
        target = relation.target
        helpers |= {f"_cls{number}": target.cls, f"_ghost{number}": target.ghost, f"_twin{number}": target.twin}
        lines += [f"    {line}" for line in _usual(relation, number)]
    return compile_function("relate", "\n".join(lines), helpers)


def _is_usual(relation: RelationInfo) -> bool:
    """Whether nothing but the relation sets its key, and many can be on its other side."""
    info, inverse = relation.owner, relation.inverse
    own = all(len(info.holders[name]) == 1 and not info.fields[name].init for name in relation.local)
    return own and (inverse is None or relation.target.relation(inverse).kind == "reverse_many")


def _usual(relation: RelationInfo, number: int) -> list[str]:
    name, pairs = relation.name, list(zip(relation.local, relation.remote, strict=True))
    lines = [f"if {name}.__class__ is _cls{number}:"]
    lines += [f"    set_attribute(_o, {local!r}, {name}.{remote})" for local, remote in pairs]
    # of the untracked class what is unset is not loaded, nor is an error made of it that nobody sees
    lines += [f"elif {name}.__class__ is _ghost{number}:", "    try:", f"        set_class({name}, _twin{number})"]
    lines += [f"        _v{place} = getattr({name}, {remote!r}, MISSING)" for place, (_, remote) in enumerate(pairs)]
    lines += ["    finally:", f"        set_class({name}, _ghost{number})"]
    for place, (local, _) in enumerate(pairs):
        lines += [f"    if _v{place} is not MISSING:", f"        set_attribute(_o, {local!r}, _v{place})"]
    if relation.nullable:
        nullable = [local for local in relation.local if relation.owner.column_info(local).nullable]
        lines += [f"elif {name} is None:"]
        lines += [f"    set_attribute(_o, {local!r}, None)" for local in nullable or relation.local]
    if takes_key(relation):
        lines += [f"elif {name}.__class__ is KeyOnly:"]
        lines += [f"    set_attribute(_o, {local!r}, {name}[{place}])" for place, (local, _) in enumerate(pairs)]
    lines += ["else:", f"    _o.{name} = {name}"]
    # the descriptor has done so already
    unrelated = [f"if {name}.__class__ is KeyOnly:", "    pass"] if takes_key(relation) else []
    lines += [*unrelated, f"{'elif' if unrelated else 'if'} (_related := _o.__orm_related__) is None:"]
    lines += [
        f"    set_attribute(_o, '__orm_related__', {{{name!r}: {name}}})",
        "else:",
        f"    _related[{name!r}] = {name}",
    ]
    if relation.inverse is not None:
        lines += [f"if {name} is not None:", f"    show_new_one({name}, {relation.inverse!r}, _o)"]
    return lines
