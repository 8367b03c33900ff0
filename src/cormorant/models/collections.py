"""A to-many relation on an instance: what is loaded, and what was added and removed since."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic
from weakref import ref

from typing_extensions import TypeIs, TypeVar

from cormorant._internal.narrowing import narrower
from cormorant.errors import NotLoadedError, SessionNotEntered, WrongType
from cormorant.models.links import RelationInfo
from cormorant.models.sides import known_to, let_go
from cormorant.models.state import is_persistent, is_reference, not_loaded, set_class
from cormorant.models.through import check_fillable

if TYPE_CHECKING:
    from cormorant.models.model import Model
    from cormorant.models.state import Origin
    from cormorant.query.builder import Condition
    from cormorant.query.queryset import QuerySet

M = TypeVar("M", bound="Model")


@dataclass(frozen=True, slots=True)
class Contents:
    """What a collection held at one moment.

    Args:
        items: The members by id; None where they were not loaded.
        partial: They are some of the members.
    """

    items: Mapping[int, Any] | None
    added: Mapping[int, Any]
    removed: Mapping[int, Any]
    partial: bool = False


class Collection(Generic[M]):
    """The objects on the far side of a to-many relation.

    `await author.articles` loads and gives them; `len`, iteration and `in` need them loaded and never pretend that
    there are none. `add` and `remove` need nothing loaded and are written at the next flush.

    Where a part was loaded up front, `Author.articles.filter(...)`, `len`, iteration and `in` are about that part.
    """

    __slots__ = ("_items", "_loaded", "_owner", "_partial", "added", "owner", "relation", "removed")

    _owner: Callable[[], Any]
    added: dict[int, M]
    owner: Model
    removed: dict[int, M]

    def __init__(self, relation: RelationInfo, owner: Model) -> None:
        self.relation: RelationInfo = relation
        self.owner = owner
        # a new object has no rows that could point to it
        self._items: dict[int, M] | None = None if is_persistent(owner) else {}
        # what a query has brought, until somebody asks for one of them: of many nobody does
        self._loaded: list[M] | None = None
        self._partial: bool = False
        self.added = {}
        self.removed = {}

    @property
    def is_loaded(self) -> bool:
        """Whether all the objects are known."""
        return (self._items is not None or self._loaded is not None) and not self._partial

    @property
    def is_partial(self) -> bool:
        """Whether a part of the objects was loaded, as was asked for."""
        return self._partial

    @property
    def known(self) -> list[M]:
        """The objects that are known, perhaps not all; never raises."""
        if self._loaded is not None:
            self._number()
        return list((self._items or {}).values())

    @property
    def references(self) -> list[M]:
        """The known members of which nothing but the key is loaded: they were added by their keys."""
        known = self.known
        # found out by C: it is asked for each `await`, and most have none
        ghosts = self.relation.target.ghost in map(type, known)
        return [item for item in known if is_reference(item)] if ghosts else []

    def shows(self, item: object) -> bool:
        """Whether an object is known to be a member; never raises."""
        if self._loaded is not None:
            self._number()
        return self._items is not None and id(item) in self._items

    def known_among(self, ids: Mapping[int, object]) -> list[M]:
        """Gives the known members among objects by id; as fast as the smaller of both allows."""
        if self._loaded is not None:
            self._number()
        items = self._items or {}
        return [items[key] for key in items.keys() & ids.keys()]

    # ---- for the session

    def fill(self, items: Iterable[M], *, partial: bool = False) -> None:
        """Takes what the database holds, and keeps what is pending on top of it.

        Args:
            items: The members.
            partial: There may be more.
        """
        self._items, self._loaded, self._partial = None, list(items), partial
        if self.added or self.removed:
            self._number()

    def _number(self) -> None:
        """Puts what was loaded in order by id, with what is pending on top of it."""
        held, self._loaded = self._loaded or [], None
        # without a step of Python's for each member: few collections have anything pending
        loaded = dict(zip(map(id, held), held, strict=True))
        for key in self.removed:
            loaded.pop(key, None)
        self._items = loaded | self.added if self.added else loaded

    def unload(self) -> None:
        """Forgets the members; the next `await` loads them."""
        self._items, self._loaded, self._partial = None, None, False

    def include(self, item: M) -> None:
        """Shows a member that the other side has taken in; nobody knows whether it is of the part that was loaded."""
        if self._loaded is not None:
            self._number()
        if not self._partial and self._items is not None:
            self._items[id(item)] = item

    def show(self, item: M) -> None:
        """Shows a member."""
        if self._loaded is not None:
            self._number()
        if self._items is not None:
            self._items[id(item)] = item

    def exclude(self, item: M) -> None:
        """Shows a member no more that the other side has let go."""
        if self._loaded is not None:
            self._number()
        if self._items is not None:
            self._items.pop(id(item), None)

    def written(self, added: Iterable[M], removed: Iterable[M]) -> None:
        """Forgets what was pending and is in the database now; what came up meanwhile stays pending."""
        for item in added:
            self.added.pop(id(item), None)
        for item in removed:
            self.removed.pop(id(item), None)

    @property
    def contents(self) -> Contents:
        """What it holds now."""
        if self._loaded is not None:
            self._number()
        items = None if self._items is None else dict(self._items)
        return Contents(items, dict(self.added), dict(self.removed), self._partial)

    @property
    def saved_contents(self) -> Contents:
        """What it holds in the database, as far as it is known."""
        if self._loaded is not None:
            self._number()
        if self._items is None:
            return Contents(None, {}, {})
        kept = {key: item for key, item in self._items.items() if key not in self.added}
        return Contents(kept if self._partial else kept | self.removed, {}, {}, self._partial)

    def restore(self, contents: Contents) -> None:
        """Holds again what it held then."""
        self._items, self._loaded = None if contents.items is None else dict(contents.items), None
        self._partial = contents.partial
        self.added, self.removed = dict(contents.added), dict(contents.removed)

    # ---- reading

    def __await__(self) -> Generator[Any, Any, list[M]]:
        if not self.is_loaded or (self.owner.__orm_origin__ is not None and self.references):
            yield from self._origin().owner.load_relation(self.owner, self.relation).__await__()
        return list(self._members().values())

    async def __aiter__(self) -> AsyncIterator[M]:
        for item in await self:
            yield item

    def __iter__(self) -> Iterator[M]:
        return iter(list(self._members().values()))

    def __len__(self) -> int:
        return len(self._members())

    def __contains__(self, item: object) -> bool:
        return id(item) in self._members()

    def __repr__(self) -> str:
        some = " of a part" if self._partial else ""
        if self._loaded is not None:
            self._number()
        content = "not loaded" if self._items is None else f"{len(self._items)} objects{some}"
        return f"<{self.relation.place} of {self.owner!r}: {content}>"

    def _members(self) -> dict[int, M]:
        if self._loaded is not None:
            self._number()
        if self._items is None:
            origin = self.owner.__orm_origin__
            if origin is not None:
                origin.owner.load_now(self.owner, self.relation)
            if self._loaded is not None:
                self._number()
            if self._items is None:
                raise not_loaded(self.owner, self.relation)
        return self._items

    def filter(self, *conditions: Condition, **lookups: Any) -> QuerySet[M]:
        """Gives a query of the objects the database holds; nothing needs to be loaded.

        Args:
            conditions: What the objects must meet, as for `QuerySet.filter`; without any, all of them.
            lookups: Conditions by keyword.

        Raises:
            SessionNotEntered: The owner belongs to no session.
            UnsavedError: The owner has no key yet.

        Example:
            >>> await author.articles.filter(Article.views > 3).order_by(Article.title)
            ... # SELECT ... FROM "articles" WHERE "articles"."author_id" = $1 AND "articles"."views" > $2 ORDER BY ...
        """
        members = self._origin().owner.members(self.owner, self.relation)
        return members.filter(*conditions, **lookups)

    def count(self) -> Coroutine[Any, Any, int]:
        """Gives how many objects the database holds; nothing needs to be loaded.

        Example:
            >>> await author.articles.count()    # SELECT count(*) FROM "articles" WHERE "articles"."author_id" = $1
        """
        return self.filter().count()

    def exists(self) -> Coroutine[Any, Any, bool]:
        """Whether the database holds any; nothing needs to be loaded."""
        return self.filter().exists()

    def _origin(self) -> Origin:
        origin = self.owner.__orm_origin__
        if origin is None:
            raise SessionNotEntered(
                f"{self!r} belongs to no session, so it cannot be loaded", hint="add its owner to one: session.add(obj)"
            )
        return origin

    # ---- changes

    def add(self, *items: M) -> None:
        """Adds objects; written at the next flush. An object that is there already stays once."""
        check_fillable(self.relation)
        for item in items:
            self._check(item)
        for given in items:
            self._touch()
            item = known_to(self.owner, given)
            there = self.shows(item)
            there |= id(item) in self.removed
            self._point(item, self.owner)
            other = self._other_side(item)
            self.removed.pop(id(item), None)
            if other is not None:
                there |= other.removed.pop(id(self.owner), None) is not None
                other.include(self.owner)
            if not there:
                self.added[id(item)] = item
            self.show(item)

    def remove(self, *items: M) -> None:
        """Takes objects out; the objects themselves stay."""
        for given in items:
            self._check(given)
            item = known_to(self.owner, given)
            if self.is_loaded and id(item) not in self._members():
                continue
            self._touch()
            taken_back = id(item) in self.added
            self._point(item, None)
            other = self._other_side(item)
            self.added.pop(id(item), None)
            if other is not None:
                taken_back |= other.added.pop(id(self.owner), None) is not None
                other.exclude(self.owner)
            # a new orphan has no row to delete: the flush forgets it
            if not taken_back or (self.relation.orphan_removal and item.__orm_origin__ is not None):
                self.removed[id(item)] = item
            self.exclude(item)

    def set(self, items: Iterable[M]) -> None:
        """Makes the collection hold exactly these objects; it must be loaded as a whole."""
        given = list(items)
        for item in given:
            self._check(item)
        wanted = {id(item): item for item in (known_to(self.owner, each) for each in given)}
        self.remove(*(item for key, item in self._whole().items() if key not in wanted))
        self.add(*wanted.values())

    def clear(self) -> None:
        """Takes every object out; it must be loaded as a whole."""
        self.remove(*self._whole().values())

    def _whole(self) -> dict[int, M]:
        if self._partial:
            me, origin = self.owner.__class__.__name__.lower(), self.owner.__orm_origin__
            by_awaiting = f"await it first: `await {me}.{self.relation.name}`"
            by_session = f"load all of it first: `session.load({me}, {self.relation.place})`"
            raise NotLoadedError(
                f"{self.relation.place} of {self.owner!r} was loaded in part",
                hint=by_awaiting if origin is None or origin.owner.wait is None else by_session,
            )
        return self._members()

    def _point(self, item: M, owner: Model | None) -> None:
        """Sets the member's reference to the owner, where the member's table holds it; this may refuse."""
        inverse = self.relation.inverse
        if self.relation.link is not None or inverse is None:
            return
        if owner is not None:
            setattr(item, inverse, owner)
        # what points elsewhere meanwhile is no member, and stays as it is
        elif getattr(item, inverse) is self.owner:
            let_go(item, self.owner, self.relation)

    def _other_side(self, item: M) -> Collection[Any] | None:
        """Gives the member's own collection of a many-to-many relation, ready to be changed, if it is at hand."""
        inverse = self.relation.inverse
        if self.relation.link is None or inverse is None:
            return None
        related = item.__orm_related__ or {}
        if is_persistent(item) and inverse not in related:
            return None
        other: Collection[Any] = getattr(item, inverse)
        other._touch()
        return other

    def _check(self, item: object) -> None:
        target = self.relation.target
        if not isinstance(item, target.cls):
            raise WrongType(f"{self.relation.place} holds {target.name} objects, not {item!r} ({type(item).__name__})")

    def _touch(self) -> None:
        origin = self.owner.__orm_origin__
        if origin is not None and not (self.added or self.removed):
            origin.owner.collection_touched(self)


is_collection: Callable[[object], TypeIs[Collection[Any]]] = narrower(Collection)


def loaded_collection(relation: RelationInfo, owner: Model, items: list[M], partial: bool) -> Collection[M]:
    """Gives the collection of an object that had none yet, as a query has loaded it.

    Args:
        relation: The relation.
        owner: The object, which has a row.
        items: The members, for the collection alone.
        partial: There may be more.
    """
    made: Any = _new(_Unseen)
    # weakly, and with nothing else: whole results are to go without the cyclic collector, which visits all that lives
    made.relation, made._owner, made.added, made.removed = relation, ref(owner), {}, {}
    made._items, made._loaded, made._partial = None, items, partial
    found: Collection[M] = made
    return found


class _Unseen(Collection[Any]):
    """A collection that came with its owner, and that nobody has looked at until now."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        if name != "owner":
            raise AttributeError(f"{Collection.__name__!r} object has no attribute {name!r}", name=name, obj=self)
        # who is asked for it is led to by the owner
        return self._owner()


def seen(collection: Collection[M], owner: Model) -> Collection[M]:
    """Gives a collection to somebody who may keep nothing else: it holds its owner from now on."""
    held: Any = collection
    if held.__class__ is _Unseen:
        set_class(held, Collection)
        held.owner = owner
    return collection


_new: Any = object.__new__
