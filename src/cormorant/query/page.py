"""`Page`: some rows of a query, and the way to those before and behind them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Generic, overload

from typing_extensions import TypeIs, TypeVar

from cormorant._internal.narrowing import narrower
from cormorant.models.schemas import schemas

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler
    from pydantic_core import CoreSchema

R_co = TypeVar("R_co", covariant=True)


class Page(Sequence[R_co], Generic[R_co]):
    """Rows of a query in its order; what `query.page(size)` gives.

    Args:
        items: The rows.
        next: The cursor of the page behind this one, for `after=`; None if there is none.
        previous: The cursor of the page before this one, for `before=`; None if there is none.
    """

    __slots__ = ("items", "next", "previous")

    def __init__(self, items: list[R_co], *, next: str | None = None, previous: str | None = None) -> None:
        self.items: list[R_co] = items
        self.next: str | None = next
        self.previous: str | None = previous

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        found: CoreSchema = schemas().page_schema(source, handler)
        return found

    @property
    def has_next(self) -> bool:
        """Whether there is a page behind this one."""
        return self.next is not None

    @property
    def has_previous(self) -> bool:
        """Whether there is a page before this one."""
        return self.previous is not None

    @overload
    def __getitem__(self, index: int) -> R_co: ...
    @overload
    def __getitem__(self, index: slice) -> list[R_co]: ...
    def __getitem__(self, index: int | slice) -> R_co | list[R_co]:
        return self.items[index]

    def __len__(self) -> int:
        return len(self.items)

    def __eq__(self, other: object) -> bool:
        if not is_page(other):
            return NotImplemented
        return (self.items, self.next, self.previous) == (other.items, other.next, other.previous)

    def __repr__(self) -> str:
        more = [name for name in ("next", "previous") if getattr(self, name) is not None]
        return f"<Page of {len(self)} rows{', with a ' + ' and a '.join(more) if more else ''}>"


is_page: Callable[[object], TypeIs[Page[Any]]] = narrower(Page)
