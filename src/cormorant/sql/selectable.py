"""SELECT statements as expressions know them: the statements themselves are made of expressions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Generic, Protocol

from typing_extensions import TypeVar

if TYPE_CHECKING:
    from cormorant.sql.expr import Binds, Expr, Key

T_co = TypeVar("T_co", covariant=True)


class SelectLike(Protocol):
    """A SELECT statement as a part of an expression."""

    @property
    def key(self) -> Key:
        """The statement's shape."""
        ...

    @property
    def binds(self) -> Binds:
        """The statement's values."""
        ...

    @property
    def columns(self) -> tuple[Expr[Any], ...]:
        """What it selects."""
        ...


class Selectable(ABC, Generic[T_co]):
    """A query of values of the Python type `T_co` that can stand inside another one."""

    __slots__ = ()

    @abstractmethod
    def as_select(self) -> SelectLike:
        """Gives the query as a part of another one."""
