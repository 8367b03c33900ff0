"""`One` and `Many`, and the functions that declare relations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Generic, Literal, cast, get_args, overload

from typing_extensions import TypeVar

from cormorant.errors import ModelError, WrongType, suggest
from cormorant.models.collections import Collection, seen
from cormorant.models.links import RelationInfo
from cormorant.models.paths import ManyExpr, Path, path_of
from cormorant.models.sides import held_by, hide, known_to, owner_in_row, relate_other_side, show_sides, tell_lost
from cormorant.models.specs import RelationSpec
from cormorant.models.state import (
    DETACHED,
    MISSING,
    is_set,
    keep_related,
    not_loaded,
    record_change,
    set_attribute,
    unset,
    value_or_missing,
)
from cormorant.sql.ddl import OnDelete, OnUpdate

if TYPE_CHECKING:
    from cormorant.models.model import Model

M = TypeVar("M", bound="Model")
R = TypeVar("R", bound="Model | None")


class One(Generic[R]):
    """A relation to one object: `Article.author` is typed as the class Author, `article.author` is an Author.

    Reading it on an instance does no I/O: it gives the object if it is known, else a reference that has its key;
    `await article.author` loads it.
    """

    def __init__(self, spec: RelationSpec) -> None:
        self.spec = spec
        self.name: str = spec.name
        # as queries read it, with the relation that it was made of
        self._path: tuple[RelationInfo, Path] | None = None

    @overload
    def __get__(self: One[M | None], instance: None, owner: Any) -> type[M]: ...
    @overload
    def __get__(self: One[M], instance: None, owner: Any) -> type[M]: ...
    @overload
    def __get__(self, instance: object, owner: Any) -> R: ...
    def __get__(self, instance: Any, owner: Any) -> Any:
        if instance is None:
            return self._path_of(owner.__info__.relation(self.name))
        related = instance.__orm_related__
        if related is not None:
            found = related.get(self.name, MISSING)
            if found is not MISSING:
                return found
        return one_of(instance, instance.__class__.__info__.relation(self.name))

    def _path_of(self, relation: RelationInfo) -> Path:
        made = self._path
        if made is None or made[0] is not relation:
            made = self._path = relation, path_of(relation)
        return made[1]

    if TYPE_CHECKING:

        def __set__(self, instance: Any, value: R) -> None: ...

    else:

        def __set__(self, instance, value):
            relate(instance, type(instance).__info__.relation(self.name), value)


class Many(Generic[M]):
    """A relation to many objects: `Author.articles` is an expression, `author.articles` a collection."""

    def __init__(self, spec: RelationSpec) -> None:
        self.spec = spec
        self.name: str = spec.name
        # as queries read it, with the relation that it was made of
        self._members: tuple[RelationInfo, ManyExpr[M]] | None = None

    @overload
    def __get__(self, instance: None, owner: Any) -> ManyExpr[M]: ...
    @overload
    def __get__(self, instance: object, owner: Any) -> Collection[M]: ...
    def __get__(self, instance: Any, owner: Any) -> Any:
        if instance is None:
            relation, made = owner.__info__.relation(self.name), self._members
            if made is None or made[0] is not relation:
                made = self._members = relation, ManyExpr(relation, owner.__info__.source, nullable=False)
            return made[1]
        related: dict[str, Any] | None = instance.__orm_related__
        if related is None:
            related = {}
            set_attribute(instance, "__orm_related__", related)
        found = related.get(self.name)
        if found is None:
            collection: Collection[M] = Collection(instance.__class__.__info__.relation(self.name), instance)
            found = related[self.name] = collection
        elif found.__class__ is not Collection:
            return seen(found, instance)
        return found

    if not TYPE_CHECKING:

        def __set__(self, instance, value):
            raise WrongType(
                f"{type(instance).__name__}.{self.name} is a collection and cannot be assigned",
                hint=f"use .{self.name}.add(...), .remove(...), .set([...]) or .clear()",
            )


def one_of(instance: Model, relation: RelationInfo) -> Any:
    """Gives a to-one relation's object, or a reference made from the key the instance holds."""
    if relation.kind != "to_one":
        return _other_side_of(instance, relation)
    key = tuple(getattr(instance, name) for name in relation.local)
    if None in key:
        return None
    found = reference(relation, key[0] if len(key) == 1 else key, instance)
    keep_related(instance, relation.name, found)
    return found


def _other_side_of(instance: Model, relation: RelationInfo) -> Any:
    """Gives the object that holds the key, where the owner may load it while it is read."""
    origin = instance.__orm_origin__
    if origin is not None and not origin.pending and origin.owner.load_now(instance, relation):
        found = (instance.__orm_related__ or {}).get(relation.name, MISSING)
        if found is not MISSING:
            return found
    raise not_loaded(instance, relation)


def reference(relation: RelationInfo, key: Any, beside: Model) -> Any:
    """Gives the instance of a key as the session of `beside` knows it, or a reference outside of any."""
    origin = beside.__orm_origin__ or DETACHED
    return origin.owner.reference(relation, key, beside)


def relate(instance: Model, relation: RelationInfo, value: Any) -> None:
    """Sets a to-one relation: the object, and the key columns as far as the object has its key.

    Raises:
        WrongType: The value is no instance of the target, or None is not allowed.
    """
    if relation.kind != "to_one":
        relate_other_side(instance, relation, value)
        return
    before = held_by(instance, relation) if relation.inverse is not None else None
    changes = instance.__orm_changes__
    # a key that was set by itself is shown by nobody yet: they show what the row says
    shown = None if not changes or changes.keys().isdisjoint(relation.local) else owner_in_row(instance, relation)
    if value is None:
        if not relation.nullable:
            raise WrongType(f"{relation.place} cannot be None", hint=f"annotate it One[{relation.target.name} | None]")
        # a column that other relations need too is left alone
        nullable = [name for name in relation.local if relation.owner.column_info(name).nullable]
        _write_key(instance, relation, dict.fromkeys(nullable or relation.local))
        tell_lost(instance)
    elif not isinstance(value, relation.target.cls):
        name = relation.target.name
        raise WrongType(
            f"{relation.place} takes a {name}, not {value!r} ({type(value).__name__})",
            hint=f"for its key alone, use ref({name}, key)",
        )
    else:
        value = known_to(instance, value)
        copy_key(instance, relation, value)
    keep_related(instance, relation.name, value)
    if relation.inverse is not None:
        if shown is not None and shown is not before and shown is not value:
            hide(shown, relation, instance)
        show_sides(instance, relation, before, value)


def copy_key(instance: Model, relation: RelationInfo, value: Model) -> None:
    """Writes the target's key into the columns that hold it; what the target lacks is unset until it is made."""
    key: dict[str, Any] = {}
    for local, remote in zip(relation.local, relation.remote, strict=True):
        made = value_or_missing(value, remote)
        if made is MISSING:
            unset(instance, local)
        elif not is_set(instance, local) or getattr(instance, local) != made:
            key[local] = made
    if key:
        _write_key(instance, relation, key)


def _write_key(instance: Model, relation: RelationInfo, key: Mapping[str, Any]) -> None:
    """Writes the columns of a relation that is being set, whose ends are turned by that, and not by its key."""
    for name in key:
        # before the relation is let go of: a rollback goes back to it
        if name not in (instance.__orm_changes__ or ()):
            record_change(instance, name)
    related = instance.__orm_related__
    held = MISSING if related is None else related.pop(relation.name, MISSING)
    try:
        for name, made in key.items():
            setattr(instance, name, made)
    except BaseException:
        if held is not MISSING:
            keep_related(instance, relation.name, held)
        raise


@overload
def foreign_key(
    *,
    default: None,
    on_delete: OnDelete = ...,
    on_update: OnUpdate = ...,
    primary_key: bool = ...,
    unique: bool = ...,
    index: bool = ...,
    init: bool = ...,
    columns: tuple[str, ...] = ...,
    deferrable: bool = ...,
    renamed_from: str | None = ...,
) -> One[Any | None]: ...
@overload
def foreign_key(
    *,
    on_delete: OnDelete = ...,
    on_update: OnUpdate = ...,
    primary_key: bool = ...,
    unique: bool = ...,
    index: bool = ...,
    init: bool = ...,
    columns: tuple[str, ...] = ...,
    deferrable: bool = ...,
    renamed_from: str | None = ...,
) -> One[Any]: ...
def foreign_key(
    *,
    default: Any = MISSING,
    on_delete: OnDelete = "restrict",
    on_update: OnUpdate = "no_action",
    primary_key: bool = False,
    unique: bool = False,
    index: bool = True,
    init: bool = True,
    columns: tuple[str, ...] = (),
    deferrable: bool = False,
    renamed_from: str | None = None,
) -> Any:
    """Declares a relation to one object, held by key columns of this table.

    Args:
        default: None, for a relation that may be left out.
        on_delete: What the database does when the target's row is deleted: "restrict" (the default), "cascade",
            "set_null", "set_default", "no_action".
        on_update: What the database does when the target's key changes: "no_action" (the default) refuses while rows
            point to it, with "cascade" they follow, and so do the objects that are loaded.
        primary_key: The relation is (part of) this model's key.
        unique: No two rows point to the same object: one-to-one.
        index: Make an index over the key columns (the default); a unique or primary key needs none.
        init: Take the object in the constructor; False where a declared key column is taken instead.
        columns: The declared attributes that hold the key, where they are not named `<relation>_id`.
        deferrable: The database looks when the transaction commits.
        renamed_from: The name that the relation had before: its key columns are renamed, and keep their values.

    Example:
        >>> author: One[Author] = foreign_key(on_delete="cascade")   # "author_id" bigint REFERENCES "author"
    """
    _check_foreign_key(on_delete, on_update, columns, default)
    return RelationSpec(
        "foreign_key",
        default=default,
        on_delete=on_delete,
        on_update=on_update,
        primary_key=primary_key,
        unique=unique,
        index=index,
        init=init,
        columns=columns,
        deferrable=deferrable,
        renamed_from=renamed_from,
    )


def _check_foreign_key(on_delete: object, on_update: object, columns: object, default: object) -> None:
    for name, value, known in (("delete", on_delete, get_args(OnDelete)), ("update", on_update, get_args(OnUpdate))):
        if value not in known:
            raise ModelError(f"on_{name}={value!r} does not exist", hint=suggest(str(value), known))
    if isinstance(columns, str):
        raise ModelError(f"foreign_key(columns={columns!r})", hint=f'give a tuple: columns=("{columns}",)')
    if default is not None and default is not MISSING:
        raise ModelError(f"foreign_key(default={default!r})", hint="the only default of a relation is None")


if TYPE_CHECKING:

    class ReverseEnd(Many[Any], One[Any]):  # type: ignore[misc]
        """What `reverse()` is typed as: it may be annotated Many or One, and nothing else."""


def reverse(of: str, *, orphan_removal: bool = False, init: Literal[False] = False) -> ReverseEnd:
    """Declares the other side of a relation, so that checkers and queries see it.

    Args:
        of: The relation's name on the other model; annotated `Many[...]`, or `One[... | None]` for one-to-one.
        orphan_removal: What is taken out, or replaced, and given to no other owner is deleted by the next flush; so is
            what is loaded when the owner is deleted. Declare `on_delete="cascade"` beside it for what is not loaded.
        init: Tells checkers that the constructor does not take it.

    Example:
        >>> lines: Many[Line] = reverse("order", orphan_removal=True)
        >>> order.lines.remove(line)    # DELETE FROM "line" WHERE "id" = $1
    """
    if not of:
        raise ModelError("reverse() needs the name of the relation on the other side", hint='write reverse("author")')
    return cast("ReverseEnd", RelationSpec("reverse", of=of, init=False, orphan_removal=orphan_removal))


def many_to_many(
    *,
    through: str | type[Any] | None = None,
    symmetrical: bool = False,
    renamed_from: str | None = None,
    init: Literal[False] = False,
) -> Many[Any]:
    """Declares a relation to many objects through a table of links.

    Args:
        through: The model that holds the links, or its name; a table is made for the relation otherwise.
        symmetrical: A link between two objects of this model goes both ways: who is a friend has a friend.
        renamed_from: The name that the relation had before: its table of links is renamed, and keeps its rows.
        init: Tells checkers that the constructor does not take it.

    Example:
        >>> tags: Many[Tag] = many_to_many()   # table "articles_tags" (article_id, tag_id)
    """
    spec = RelationSpec(
        "many_to_many",
        through=through,
        many=True,
        symmetrical=symmetrical,
        init=False,
        renamed_from=renamed_from,
    )
    return cast("Many[Any]", spec)
