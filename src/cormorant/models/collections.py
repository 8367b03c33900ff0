"""A to-many relation on an instance: what is loaded, and what was added and removed since."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Generator, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Generic

from typing_extensions import TypeIs, TypeVar

from cormorant._internal.narrowing import narrower
from cormorant.errors import NotLoadedError, SessionNotEntered, WrongType
from cormorant.models.links import RelationInfo
from cormorant.models.state import is_persistent

if TYPE_CHECKING:
    from cormorant.models.model import Model
    from cormorant.models.state import Origin
    from cormorant.query.builder import Condition
    from cormorant.query.queryset import QuerySet

M = TypeVar("M", bound="Model")


class Collection(Generic[M]):
    """The objects on the far side of a to-many relation.

    `await author.articles` loads and gives them; `len`, iteration and `in` need them loaded and never pretend that
    there are none. `add` and `remove` need nothing loaded and are written at the next flush.
    """

    __slots__ = ("_items", "added", "owner", "relation", "removed")

    def __init__(self, relation: RelationInfo, owner: Model) -> None:
        self.relation = relation
        self.owner = owner
        # a new object has no rows that could point to it
        self._items: list[M] | None = None if is_persistent(owner) else []
        self.added: dict[int, M] = {}
        self.removed: dict[int, M] = {}

    @property
    def is_loaded(self) -> bool:
        """Whether the objects are known."""
        return self._items is not None

    def fill(self, items: Iterable[M]) -> None:
        """Takes what the database holds, and keeps what is pending on top of it."""
        loaded = [item for item in items if id(item) not in self.removed]
        known = set(map(id, loaded))
        self._items = [*loaded, *(item for item in self.added.values() if id(item) not in known)]

    def flushed(self) -> None:
        """Forgets what was pending: it is in the database now."""
        self.added.clear()
        self.removed.clear()

    def forget_pending(self) -> None:
        """Undoes what was added and removed and never written."""
        self.pending_again(self.added, self.removed)
        self.flushed()

    def pending_again(self, added: dict[int, M], removed: dict[int, M]) -> None:
        """Forgets members that a rollback took out of the database, and has those back that it restored."""
        if self._items is not None:
            kept = [item for item in self._items if id(item) not in added]
            self._items = [*kept, *removed.values()]

    def __await__(self) -> Generator[Any, Any, list[M]]:
        if self._items is None:
            yield from self._origin().owner.load_relation(self.owner, self.relation).__await__()
        return list(self._loaded())

    async def __aiter__(self) -> AsyncIterator[M]:
        for item in await self:
            yield item

    def __iter__(self) -> Iterator[M]:
        return iter(list(self._loaded()))

    def __len__(self) -> int:
        return len(self._loaded())

    def __contains__(self, item: object) -> bool:
        return any(item is other for other in self._loaded())

    def __repr__(self) -> str:
        content = "not loaded" if self._items is None else f"{len(self._items)} objects"
        return f"<{self.relation.place} of {self.owner!r}: {content}>"

    def _loaded(self) -> list[M]:
        if self._items is None:
            raise NotLoadedError(
                f"{self.relation.place} of {self.owner!r} was not loaded",
                hint=f"await it: `await {self.owner.__class__.__name__.lower()}.{self.relation.name}`",
            )
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
        for item in items:
            self._check(item)
            self._touch()
            if self.removed.pop(id(item), None) is None and not self._holds(item):
                self.added[id(item)] = item
            if self._items is not None and not self._holds(item):
                self._items.append(item)
            if self.relation.link is None and self.relation.inverse is not None:
                setattr(item, self.relation.inverse, self.owner)

    def remove(self, *items: M) -> None:
        """Takes objects out, those that are in; the objects themselves stay."""
        for item in items:
            self._check(item)
            if self._items is not None and not self._holds(item):
                continue
            self._touch()
            if self.added.pop(id(item), None) is None:
                self.removed[id(item)] = item
            if self._items is not None:
                self._items = [other for other in self._items if other is not item]
            if self.relation.link is None and self.relation.inverse is not None:
                setattr(item, self.relation.inverse, None)

    def set(self, items: Iterable[M]) -> None:
        """Makes the collection hold exactly these objects; it must be loaded."""
        wanted = {id(item): item for item in items}
        self.remove(*(item for item in list(self._loaded()) if id(item) not in wanted))
        self.add(*wanted.values())

    def clear(self) -> None:
        """Takes every object out; it must be loaded."""
        self.remove(*list(self._loaded()))

    def _holds(self, item: M) -> bool:
        return self._items is not None and any(item is other for other in self._items)

    def _check(self, item: object) -> None:
        target = self.relation.target
        if not isinstance(item, target.cls):
            raise WrongType(f"{self.relation.place} holds {target.name} objects, not {item!r} ({type(item).__name__})")
        link = self.relation.link
        if link is not None and link.through is not None:
            _check_through(self.relation, link.through)

    def _touch(self) -> None:
        origin = self.owner.__orm_origin__
        if origin is not None and not (self.added or self.removed):
            origin.owner.collection_touched(self)


is_collection: Callable[[object], TypeIs[Collection[Any]]] = narrower(Collection)


def _check_through(relation: RelationInfo, through: Any) -> None:
    """Refuses `.add()` where the model of the links needs values that only the program knows."""
    needed = [name for name, spec in through.fields.items() if spec.required and spec.relation is None]
    if needed:
        raise WrongType(
            f"{relation.place} goes through {through.name}, which needs {', '.join(needed)}",
            hint=f"add a {through.name} object to the session instead",
        )
