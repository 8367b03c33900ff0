"""What an instance remembers beside its columns, and the three classes it can have.

Every model has two hidden classes of the same layout. Rows are written into the *twin*, which tracks nothing, and the
object then gets its real class. References, new objects and deferred ones are *ghosts*: a subclass whose
`__getattr__` turns an unset slot into an error of ours. Swapping `__class__` costs about 50 ns; a loaded instance
reads its columns at the speed of a plain slot.
"""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal, NoReturn, Protocol, TypeAlias
from weakref import ref

from cormorant._internal.frames import line_of
from cormorant.errors import DataError, NotLoadedError, SessionClosedError, SessionNotEntered, UnsavedError

if TYPE_CHECKING:
    from types import CodeType

    from cormorant.models.collections import Collection
    from cormorant.models.links import RelationInfo
    from cormorant.models.metadata import ModelInfo
    from cormorant.models.model import Model
    from cormorant.query.queryset import QuerySet


class Missing(enum.Enum):
    """The one value that stands for "no value"."""

    MISSING = "MISSING"

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = Missing.MISSING


class Unread(enum.Enum):
    """The one value that stands for a document that nobody has looked at."""

    UNREAD = "UNREAD"


UNREAD: Final = Unread.UNREAD

set_class: Any = object.__dict__["__class__"].__set__
set_attribute: Any = object.__setattr__


LinkVerb: TypeAlias = Literal["add", "remove", "clear"]


class Owner(Protocol):
    """The session state an instance belongs to, as far as instances know it."""

    @property
    def closed(self) -> bool:
        """Whether the session's block has ended."""
        ...

    @property
    def wait(self) -> Callable[..., bool] | None:
        """What a sync session waits with; None for others, which are awaited."""
        ...

    def touched(self, instance: Model) -> None:
        """Notes the first change of an instance since it was loaded or flushed."""
        ...

    def opened(self, instance: Model) -> None:
        """Notes that somebody has a document of an instance, and may change it inside."""
        ...

    def collection_touched(self, collection: Collection[Any]) -> None:
        """Notes the first change of a collection since it was loaded or flushed."""
        ...

    def shown(self, instance: Model, name: str) -> None:
        """Notes that the other side of a relation is going to show something else, because its own side was set."""
        ...

    def reached(self, instance: Model) -> None:
        """Takes in an object that one of its own leads to now."""
        ...

    def lost(self, instance: Model) -> None:
        """Notes that an object loses its owner: that it was added again before says nothing of this."""
        ...

    def known(self, info: ModelInfo, key: Any, /) -> Model | None:
        """Gives the known instance of a key, or None."""
        ...

    def reference(self, relation: RelationInfo, key: Any, beside: Model) -> Model:
        """Gives the known instance of a key, or a reference to it that remembers whom it was read from."""
        ...

    async def load(self, instance: Model) -> None:
        """Fills a reference, and its siblings with it."""
        ...

    async def load_relation(self, instance: Model, relation: RelationInfo) -> Any:
        """Loads a to-many relation of an instance and of its siblings."""
        ...

    def load_now(self, instance: Model, relation: RelationInfo | None = None) -> bool:
        """Loads a reference, or a relation, while it is read; tells whether it may wait for that and has."""
        ...

    def members(self, instance: Model, relation: RelationInfo) -> QuerySet[Any]:
        """Gives the query of a to-many relation's objects."""
        ...

    def link(
        self, verb: LinkVerb, instance: Model, relation: RelationInfo, items: Sequence[Model] = ()
    ) -> Awaitable[None]:
        """Makes or drops links of a many-to-many relation at once."""
        ...


class Origin:
    """Where instances of one statement come from: their owner, and the statement's number in it.

    Args:
        owner: The session state.
        number: Counts the owner's statements; a row never overwrites what a later one brought.
        pending: The instances were added and have no row yet.
        lifted: The statement lifted default scopes, so that others may not see what it read.
        beside: For a reference, the object it was read from, and the relation: those that came with that object,
            when the reference is loaded, hold its siblings.
        rows: How many rows the statement gave; 0 where that is not known.
        caller: The code that ran the statement, and the place in it.
    """

    __slots__ = ("beside", "caller", "lifted", "number", "owner", "pending", "rows")

    def __init__(
        self,
        owner: Owner,
        number: int,
        *,
        pending: bool = False,
        beside: tuple[Model, RelationInfo] | None = None,
        lifted: bool = False,
        rows: int = 0,
        caller: tuple[CodeType, int] | None = None,
    ) -> None:
        self.lifted: bool = lifted
        self.owner: Owner = owner
        self.number: int = number
        self.pending: bool = pending
        # weakly: who holds a reference alone does not hold what it was read from
        self.beside: tuple[ref[Model], RelationInfo] | None = None if beside is None else (ref(beside[0]), beside[1])
        self.rows: int = rows
        self.caller: tuple[CodeType, int] | None = caller

    def renewed(self, number: int) -> Origin:
        """Gives what stands for the same statement, as new as one of another number."""
        made = Origin(self.owner, number, lifted=self.lifted, rows=self.rows, caller=self.caller)
        made.beside = self.beside
        return made

    @property
    def place(self) -> str:
        """File and line of the code that ran the statement, as far as it is known."""
        line = None if self.caller is None else line_of(*self.caller)
        return "" if self.caller is None or line is None else f"{self.caller[0].co_filename}:{line}"


class NoOwner:
    """Owns references that belong to no session: what `ref()` gives, and what was unpickled."""

    closed = False
    wait = None

    def touched(self, instance: Model) -> None:
        """Does nothing: nobody will flush it."""

    def opened(self, instance: Model) -> None:
        """Does nothing: nobody will flush it."""

    def collection_touched(self, collection: Collection[Any]) -> None:
        """Does nothing: nobody will flush it."""

    def shown(self, instance: Model, name: str) -> None:
        """Does nothing: nobody will roll it back."""

    def reached(self, instance: Model) -> None:
        """Does nothing: nobody will flush it."""

    def lost(self, instance: Model) -> None:
        """Does nothing: nobody will flush it."""

    def known(self, info: ModelInfo, key: Any, /) -> None:
        """Knows none."""

    def reference(self, relation: RelationInfo, key: Any, beside: Model) -> Model:
        """Gives a new reference outside of any session."""
        info = relation.target
        values = (key,) if len(info.key_attributes) == 1 else key
        found: Model = new_ghost(info, dict(zip(info.key_attributes, values, strict=True)), DETACHED)
        return found

    def load(self, instance: Model) -> NoReturn:
        """Refuses: there is no session to load with."""
        raise SessionNotEntered(
            f"{instance!r} belongs to no session, so it cannot be loaded",
            hint="use await session.get(Model, key)",
        )

    def load_relation(self, instance: Model, relation: RelationInfo) -> NoReturn:
        """Refuses: there is no session to load with."""
        self.load(instance)

    def load_now(self, instance: Model, relation: RelationInfo | None = None) -> bool:
        """Does nothing: the reader is told what was not loaded."""
        return False

    def members(self, instance: Model, relation: RelationInfo) -> NoReturn:
        """Refuses: there is no session to query."""
        self.load(instance)

    def link(self, verb: LinkVerb, instance: Model, relation: RelationInfo, items: Sequence[Model] = ()) -> NoReturn:
        """Refuses: there is no session to write with."""
        self.load(instance)


DETACHED: Final = Origin(NoOwner(), 0)


class Twin:
    """Mixed into the class that rows are written into; nothing is tracked."""

    __slots__ = ()
    if not TYPE_CHECKING:
        __setattr__ = object.__setattr__
        __delattr__ = object.__delattr__
        # called without arguments it gives an empty object, faster than object.__new__(twin) does
        __new__ = object.__new__
        __init__ = object.__init__

    def __init_subclass__(cls, **_: object) -> None:
        # the user's own __init_subclass__ is for the user's own classes
        pass


class Ghost:
    """Mixed into the class of instances with unset columns."""

    __slots__ = ()

    def __init_subclass__(cls, **_: object) -> None:
        pass

    def __getattr__(self, name: str) -> Any:
        return read_again(self, name)


def read_again(instance: Any, name: str) -> Any:
    """Gives an attribute that could not be read, if its owner may load it by itself; else raises the error."""
    cls: type[Model] = instance.__class__
    if name in cls.__info__.fields:
        origin: Origin | None = instance.__orm_origin__
        loaded = origin is not None and not origin.pending and origin.owner.load_now(instance)
        if loaded and is_set(instance, name):
            return object.__getattribute__(instance, name)
    elif any(name in vars(base) for base in cls.__mro__):
        # a property failed with an AttributeError of its own: once more, to let that one through
        return object.__getattribute__(instance, name)
    raise missing_attribute(instance, name)


def missing_attribute(instance: Model, name: str) -> Exception:
    """Gives the error for a column that has no value: not made yet, or not loaded."""
    info = type(instance).__info__
    if name not in info.fields:
        return AttributeError(f"{info.name!r} object has no attribute {name!r}", name=name, obj=instance)
    origin = instance.__orm_origin__
    if origin is None or origin.pending:
        flush = "session.flush()" if origin is not None and origin.owner.wait is not None else "await session.flush()"
        return UnsavedError(
            f"{info.name}.{name} of {instance!r} has no value yet: the database makes it",
            hint=f"add the object to a session and flush first: session.add(obj); {flush}",
        )
    why, fix = _why_missing(instance, origin)
    what = f"{info.name}.{name} of {instance!r} was not loaded{why}"
    if origin.owner.closed:
        return SessionClosedError(f"{what}, and its session is closed", hint=_inside(origin, fix))
    return NotLoadedError(what, hint=fix)


def _inside(origin: Origin, fix: str) -> str:
    """Gives what to do about something that was asked for after the end of its session."""
    return f"inside the block, {fix}" if origin.owner.wait is None else f"inside of `with Session(...)`, {fix}"


def _why_missing(instance: Model, origin: Origin) -> tuple[str, str]:
    """Gives why a column was not loaded, and what to do."""
    me = type(instance).__info__.name.lower()
    if origin is DETACHED:
        name = type(instance).__info__.name
        fix = f"it belongs to no session: use session.get({name}, key), with `await` if that is an AsyncSession"
    elif origin.owner.wait is not None and origin.owner.closed:
        fix = _read_in_time(instance, origin)
    elif not is_reference(instance):
        fix = f"await the object, `await {me}`, or have the query read the column: see its .only() or .defer()"
    elif origin.beside is None:
        fix = f"await the object first: `await {me}`"
    else:
        relation = origin.beside[1]
        fix = f"await it first: `{me} = await {relation.owner.name.lower()}.{relation.name}`"
        fix = f"{fix}, or read it up front: .select_related({relation.place})"
    return _whence(origin), fix


def _read_in_time(instance: Model, origin: Origin) -> str:
    """Gives what to do about a column of a sync session, where reading is enough."""
    if not is_reference(instance):
        return "read it first, or have the query read the column: see its .only() or .defer()"
    if origin.beside is None:
        return "read it first"
    return f"read it first, or up front: .select_related({origin.beside[1].place})"


def _whence(origin: Origin) -> str:
    """Gives which query did not load something, as far as that is known."""
    if origin.place or origin.beside is None:
        return f" by the query at {origin.place}" if origin.place else ""
    first, relation = origin.beside[0](), origin.beside[1]
    source = None if first is None else first.__orm_origin__
    place = f" of what was read at {source.place}" if source is not None and source.place else ""
    return f": it is the {relation.place}{place}"


def not_loaded(instance: Model, relation: RelationInfo) -> Exception:
    """Gives the error for a relation whose other side was not loaded."""
    origin, me = instance.__orm_origin__, type(instance).__info__.name.lower()
    what = f"{relation.place} of {instance!r} was not loaded{'' if origin is None else _whence(origin)}"
    many = relation.kind != "reverse_one"
    before = None if origin is None or origin.place or origin.beside is None else origin.beside[1]
    path = relation.place if before is None else f"{before.place}.{relation.name}"
    up_front = f".{'prefetch' if many else 'select'}_related({path})"
    fix = f"`await {me}.{relation.name}`" if many else f"`await session.load({me}, {relation.place})`"
    if origin is not None and origin.owner.closed:
        in_time = f"read it first, or load it up front: {up_front}"
        hint = f"load it inside the block: {fix}" if origin.owner.wait is None else _inside(origin, in_time)
        return SessionClosedError(f"{what}, and its session is closed", hint=hint)
    return NotLoadedError(what, hint=f"await it: {fix}, or load it up front: {up_front}")


def is_ghost(instance: Model) -> bool:
    """Whether an instance may have unset columns."""
    return isinstance(instance, Ghost)


def is_reference(instance: Model) -> bool:
    """Whether an instance has nothing but its key."""
    info = type(instance).__info__
    return is_ghost(instance) and not any(is_set(instance, name) for name in info.fields if name not in info.key_set)


def is_persistent(instance: Model) -> bool:
    """Whether an instance stands for a row: loaded, or flushed."""
    origin = instance.__orm_origin__
    return origin is not None and not origin.pending


def is_set(instance: Model, name: str) -> bool:
    """Whether a column has a value."""
    try:
        object.__getattribute__(instance, name)
    except AttributeError:
        return False
    return True


def value_or_missing(instance: Model, name: str) -> Any:
    """Gives a column's value, or MISSING."""
    try:
        return object.__getattribute__(instance, name)
    except AttributeError:
        return MISSING


def key_is_set(instance: Model) -> bool:
    """Whether every column of the primary key has a value."""
    return all(is_set(instance, name) for name in type(instance).__info__.key_attributes)


def key_of(instance: Model) -> Any:
    """Gives the primary key: one value, or a tuple for a composite key.

    Raises:
        UnsavedError: The database has not made it yet.
    """
    names = type(instance).__info__.key_attributes
    if len(names) == 1:
        return getattr(instance, names[0])
    return tuple(getattr(instance, name) for name in names)


def row_key_of(instance: Model) -> Any:
    """Gives the primary key that an object's row has: not the one it is going to get by an unsaved change.

    Raises:
        UnsavedError: The database has not made it yet.
    """
    changes = instance.__orm_changes__
    if not changes:
        return key_of(instance)
    names = type(instance).__info__.key_attributes
    return bare_key(tuple([changes[name] if name in changes else getattr(instance, name) for name in names]))


def bare_key(values: tuple[Any, ...]) -> Any:
    """Gives a key as identity maps hold it: the one value, or the tuple of a composite key."""
    return values[0] if len(values) == 1 else values


def new_ghost(info: ModelInfo, values: dict[str, Any], origin: Origin | None) -> Any:
    """Gives an instance with just these columns set."""
    instance = object.__new__(info.twin)
    for name, value in values.items():
        set_attribute(instance, name, value)
    set_attribute(instance, "__orm_origin__", origin)
    set_attribute(instance, "__orm_changes__", None)
    set_attribute(instance, "__orm_related__", None)
    set_class(instance, info.ghost)
    return instance


def record_change(instance: Model, name: str) -> None:
    """Keeps a column's original before its first write, and tells the owner at the first one."""
    origin = instance.__orm_origin__
    if origin is None or origin.pending:
        return
    changes = instance.__orm_changes__
    if changes is None:
        changes = {}
        set_attribute(instance, "__orm_changes__", changes)
        origin.owner.touched(instance)
    try:
        # most have one: a call less for each
        changes[name] = object.__getattribute__(instance, name)
    except (AttributeError, DataError):
        changes[name] = original_of(instance, name)


def original_of(instance: Model, name: str) -> Any:
    """Gives the value that a column has before its first change, or MISSING."""
    try:
        return object.__getattribute__(instance, name)
    except AttributeError:
        return MISSING
    except DataError:
        # what nobody can read is given up for what is set
        unset_silently(instance, name)
        return MISSING


def unset(instance: Model, name: str) -> None:
    """Takes a column's value away: it will be made later."""
    if name not in (instance.__orm_changes__ or ()):
        record_change(instance, name)
    unset_silently(instance, name)
    if not is_ghost(instance):
        set_class(instance, type(instance).__info__.ghost)


def unset_silently(instance: Model, name: str) -> None:
    """Takes a column's value away without tracking."""
    try:
        object.__delattr__(instance, name)
    except AttributeError:
        # it has none
        return


def keep_related(instance: Model, name: str, value: Any) -> None:
    """Remembers the object of a to-one relation."""
    related = instance.__orm_related__
    if related is None:
        related = {}
        set_attribute(instance, "__orm_related__", related)
    related[name] = value
