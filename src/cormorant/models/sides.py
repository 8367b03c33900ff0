"""The two sides of a relation in memory: what is set on one side is shown by the other, without a query."""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar, cast

from cormorant.errors import WrongType
from cormorant.models.links import RelationInfo
from cormorant.models.state import (
    DETACHED,
    MISSING,
    bare_key,
    is_ghost,
    is_persistent,
    keep_related,
    row_key_of,
    set_attribute,
    unset,
    value_or_missing,
)

if TYPE_CHECKING:
    from cormorant.models.metadata import ModelInfo
    from cormorant.models.model import Model

M = TypeVar("M", bound="Model")


def held_by(instance: Model, relation: RelationInfo) -> Model | None:
    """Gives the object a to-one relation leads to, as far as it is known without making a reference."""
    held: Any = (instance.__orm_related__ or {}).get(relation.name, MISSING)
    if held is not MISSING:
        return held  # type: ignore[no-any-return]
    origin = instance.__orm_origin__
    key = tuple([value_or_missing(instance, name) for name in relation.local])
    if origin is None or MISSING in key or None in key:
        return None
    return origin.owner.known(relation.target, bare_key(key))


def known_to(instance: Model, value: M) -> M:
    """Gives the object of an instance's session for a reference from outside, which can be loaded from then on."""
    origin = instance.__orm_origin__
    if value.__orm_origin__ is not DETACHED or origin is None or origin.owner.closed or not is_ghost(value):
        return value
    known: Any = origin.owner.known(type(value).__info__, row_key_of(value))
    if known is None:
        origin.owner.reached(value)
        return value
    return cast(M, known)


def forget_related(instance: Model, related: dict[str, Any], name: str, value: Any) -> None:
    """Drops the object of a to-one relation whose key column is written directly.

    What the relation's ends have shown of a change that was not written is turned back: the key is what counts now, and
    it shows when it is written.
    """
    info = type(instance).__info__
    for relation, position in info.holders.get(name, ()):
        held = related.get(relation, MISSING)
        if held is MISSING:
            continue
        theirs = None if held is None else value_or_missing(held, info.relation(relation).remote[position])
        if theirs != value:
            del related[relation]
            _turn_to_row(instance, info.relation(relation), held, reach=value is not None)


def turn_back(instance: Model, relation: RelationInfo, held: Model | None) -> None:
    """Has both ends of a to-one relation show what the row says, as far as they show a change that was not written.

    Args:
        instance: The object whose relation was set.
        relation: The relation.
        held: The object that it was set to.
    """
    if relation.inverse is None:
        return
    key = _saved_key(instance, relation)
    saved = None if key is None else _known(instance, relation, key)
    if held is saved or (held is not None and saved is None and _key_in(held, relation) == key):
        return
    if held is not None:
        hide(held, relation, instance)
    if saved is None:
        return
    inverse = saved.__info__.relation(relation.inverse)
    # of two that point to one, the other one has said so since
    if inverse.kind == "reverse_many" or held_other(saved, inverse) is None:
        _show(saved, relation, instance, shown=True)


def _turn_to_row(instance: Model, relation: RelationInfo, held: Model | None, *, reach: bool) -> None:
    if relation.inverse is None:
        return
    was_added = held is not None and id(instance) in _added_to(held, relation)
    turn_back(instance, relation, held)
    if was_added and reach and held is not None and (origin := held.__orm_origin__) is not None:
        # the collection would have brought it in
        origin.owner.reached(instance)


def owner_in_row(instance: Model, relation: RelationInfo) -> Model | None:
    """Gives the object that a to-one relation leads to by the row, whatever was set since, as far as it is known."""
    key = _saved_key(instance, relation)
    return None if key is None else _known(instance, relation, key)


def _saved_key(instance: Model, relation: RelationInfo) -> tuple[Any, ...] | None:
    """Gives the key that an object's row has of a relation's target; None where it has none, or nobody knows."""
    if not is_persistent(instance):
        return None
    changes = instance.__orm_changes__ or {}
    key = [changes[name] if name in changes else value_or_missing(instance, name) for name in relation.local]
    return None if MISSING in key or None in key else tuple(key)


def _known(instance: Model, relation: RelationInfo, key: tuple[Any, ...]) -> Model | None:
    origin = instance.__orm_origin__
    return None if origin is None else origin.owner.known(relation.target, bare_key(key))


def _key_in(target: Model, relation: RelationInfo) -> tuple[Any, ...]:
    return tuple([value_or_missing(target, name) for name in relation.remote])


def show_sides(instance: Model, relation: RelationInfo, before: Model | None, after: Model | None) -> None:
    """Has the object that a to-one relation led to, and the one it leads to now, show that on their side."""
    if before is not None and before is not after:
        was_added = id(instance) in _added_to(before, relation)
        _show(before, relation, instance, shown=False)
        origin = before.__orm_origin__
        if was_added and after is not None and origin is not None:
            # the old collection would have brought it in
            origin.owner.reached(instance)
    if after is not None:
        _make_way(after, relation, instance)
        _show(after, relation, instance, shown=True)


def _added_to(target: Model, relation: RelationInfo) -> Collection[int]:
    held: Any = (target.__orm_related__ or {}).get(relation.inverse or "")
    found: Collection[int] = getattr(held, "added", ())
    return found


def _make_way(owner: Model, relation: RelationInfo, instance: Model) -> None:
    """Has who is shown by the other side of a one-to-one relation make way for another, where it can."""
    inverse = owner.__info__.relation(relation.inverse or "")
    if inverse.kind == "reverse_one" and (relation.nullable or inverse.orphan_removal):
        held = held_other(owner, inverse)
        if held is not None and held is not instance and _are_together(instance, owner):
            let_go(held, owner, inverse)


def _are_together(instance: Model, target: Model) -> bool:
    """Whether an object's target shows it: what has a row shows what belongs to its session."""
    origin, theirs = instance.__orm_origin__, target.__orm_origin__
    if theirs is None or not is_persistent(target):
        return True
    return origin is not None and origin.owner is theirs.owner


def show_new(instance: Model, shown: list[tuple[Model, RelationInfo]]) -> None:
    """Has the objects that a new one points to show it: until it was added, nobody knew whether it would be.

    Args:
        instance: The object.
        shown: Gets the objects that did not show it before, and by which relation they do.
    """
    related = instance.__orm_related__ or {}
    for relation, inverse in _shown_by(type(instance).__info__):
        held = related.get(relation.name)
        if held is None:
            continue
        theirs: dict[str, Any] = held.__orm_related__ or {}
        there: Any = theirs.get(inverse)
        shows: Any = getattr(there, "shows", None)
        if shows is not None and shows(instance):
            continue
        if there is not instance:
            shown.append((held, relation))
        show_sides(instance, relation, None, held)


@lru_cache(maxsize=1000)
def inverses_of(info: ModelInfo) -> dict[str, str]:
    """Gives the other side of each relation that is held by a model's own columns, where it is declared."""
    return {relation.name: inverse for relation, inverse in _shown_by(info)}


@lru_cache(maxsize=1000)
def _shown_by(info: ModelInfo) -> tuple[tuple[RelationInfo, str], ...]:
    """Gives the relations held by a model's own columns whose other side is declared, with that side's name."""
    relations = info.relations.values()
    return tuple((r, r.inverse) for r in relations if r.kind == "to_one" and r.inverse is not None)


def show_new_one(target: Model, name: str, instance: Model) -> None:
    """Has an object without a row show a new one that points to it; what has a row waits until that is added.

    Args:
        target: The object.
        name: Its relation to many.
        instance: The new object, of which nobody knows yet.
    """
    origin = target.__orm_origin__
    if origin is None or origin.pending:
        collection: Any = (target.__orm_related__ or {}).get(name)
        if collection is None:
            collection = getattr(target, name)
        if origin is not None:
            origin.owner.shown(target, name)
        collection.include(instance)


def hide(target: Model, relation: RelationInfo, instance: Model) -> None:
    """Has an object show another no more that points to it."""
    _show(target, relation, instance, shown=False)


def _show(target: Model, relation: RelationInfo, instance: Model, *, shown: bool) -> None:
    name = relation.inverse or ""
    unread = is_persistent(target) and name not in (target.__orm_related__ or {})
    if unread or (shown and not _are_together(instance, target)):
        return
    many = target.__info__.relation(name).kind == "reverse_many"
    collection: Any = getattr(target, name) if many else None
    origin = target.__orm_origin__
    if origin is not None:
        origin.owner.shown(target, name)
    if many:
        (collection.removed if shown else collection.added).pop(id(instance), None)
        collection.include(instance) if shown else collection.exclude(instance)
    elif shown:
        keep_related(target, name, instance)
    elif held_other(target, target.__info__.relation(name)) is instance:
        keep_related(target, name, None)


def let_go(item: Model, owner: Model, relation: RelationInfo) -> None:
    """Makes an object point to its owner no more, for a relation of the owner's.

    One that cannot be without an owner keeps a mark of having lost it, if that is what deletes its row.

    Raises:
        WrongType: It cannot be without an owner.
    """
    _check_may_go(item, relation)
    forward = relation.target.relation(relation.inverse or "")
    tell_lost(item)
    if forward.nullable:
        setattr(item, forward.name, None)
        return
    _lose(item, forward)
    hide(owner, forward, item)
    keep_related(item, forward.name, None)


def tell_lost(item: Model) -> None:
    """Has the session know that an object loses its owner, which it may have been kept in spite of before."""
    origin = item.__orm_origin__
    if origin is not None:
        origin.owner.lost(item)


def _check_may_go(item: Model, relation: RelationInfo) -> None:
    forward = relation.target.relation(relation.inverse or "")
    if not forward.nullable and not relation.orphan_removal:
        me = relation.target.name.lower()
        raise WrongType(
            f"{item!r} cannot be taken out of {relation.place}: {forward.place} cannot be None",
            hint=f"delete it: session.delete({me}), or give it to another: {me}.{forward.name} = ...; "
            f'reverse("{forward.name}", orphan_removal=True) deletes what is taken out',
        )


def _lose(item: Model, forward: RelationInfo) -> None:
    """Unsets the key of the owner, as far as nothing else needs it, and has the session look at the object."""
    info = type(item).__info__
    own = [name for name in forward.local if name not in info.key_set and len(info.holders[name]) == 1]
    for name in own:
        unset(item, name)
    origin = item.__orm_origin__
    if is_persistent(item) and origin is not None and item.__orm_changes__ is None:
        set_attribute(item, "__orm_changes__", {})
        origin.owner.touched(item)


def lost_owner(instance: Model, forward: RelationInfo) -> bool:
    """Whether an object had an owner by a relation and has none any more."""
    related = instance.__orm_related__ or {}
    if not forward.nullable:
        # nobody can set it to None, except by letting the object go
        return related.get(forward.name, MISSING) is None
    changes = instance.__orm_changes__ or {}
    before = [changes.get(name, value_or_missing(instance, name)) for name in forward.local]
    now = [value_or_missing(instance, name) for name in forward.local]
    return None not in before and MISSING not in before and None in now


def own_again(item: Model, forward: RelationInfo, *, shown: bool) -> None:
    """Takes back that an object was let go which cannot be without an owner: its key is again what its row has.

    Args:
        item: The object.
        forward: Its relation to the owner.
        shown: The owner shows it again, as far as it shows nobody else in its place.
    """
    changes = item.__orm_changes__ or {}
    for name in forward.local:
        if value_or_missing(item, name) is MISSING and name in changes:
            before = changes.pop(name)
            if before is not MISSING:
                set_attribute(item, name, before)
    (item.__orm_related__ or {}).pop(forward.name, None)
    if shown:
        turn_back(item, forward, None)


def relate_other_side(instance: Model, relation: RelationInfo, value: Any) -> None:
    """Sets the side of a one-to-one relation that holds no key: the object that holds it is set.

    Raises:
        WrongType: The value is no instance of the target, or who was there before cannot be without an owner.
        NotLoadedError: Nobody knows who was there before.
    """
    if value is not None and not isinstance(value, relation.target.cls):
        name = relation.target.name
        raise WrongType(f"{relation.place} takes a {name}, not {value!r} ({type(value).__name__})")
    # for a new object, nobody
    before = getattr(instance, relation.name) if is_persistent(instance) else held_other(instance, relation)
    if before is not None and before is not value:
        _check_may_go(before, relation)
    origin = instance.__orm_origin__
    if value is not None and origin is not None:
        origin.owner.reached(value)
    if before is not None and before is not value:
        let_go(before, instance, relation)
    if value is not None:
        setattr(value, relation.inverse or "", instance)
        keep_related(instance, relation.name, value)
    elif before is None:
        keep_related(instance, relation.name, None)


def held_other(instance: Model, relation: RelationInfo) -> Model | None:
    """Gives who is known to point to an object by a one-to-one relation."""
    held: Model | None = (instance.__orm_related__ or {}).get(relation.name)
    return held
