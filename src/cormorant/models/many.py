"""Which objects of a to-many relation are asked for, and the relations that lead to one in a query."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from cormorant.errors import QueryError, ValueOutOfRange, WrongType
from cormorant.models.links import RelationInfo
from cormorant.sql.expr import Bind, Binds, Expr, Order, check_ordered, gather, is_expr
from cormorant.sql.functions import as_expr
from cormorant.sql.sameness import identities
from cormorant.sql.types import BIG_INTEGER

if TYPE_CHECKING:
    from cormorant.models.metadata import ModelInfo


@dataclass(frozen=True, slots=True)
class Part:
    """Some of the objects of a to-many relation.

    Args:
        limit: How many, at most, of each owner's.
    """

    where: tuple[Expr[Any], ...] = ()
    order_by: tuple[Order, ...] = ()
    limit: Bind | None = None

    @property
    def is_whole(self) -> bool:
        """Whether it leaves none out."""
        return not self.where and self.limit is None

    @property
    def key(self) -> tuple[Any, ...]:
        """Its part of a query's shape."""
        where, orders = (tuple(part.key for part in parts) for parts in (self.where, self.order_by))
        return ("part", where, orders, self.limit is not None)

    @property
    def binds(self) -> Binds:
        """Its values."""
        limit = () if self.limit is None else (self.limit,)
        return (*gather(self.where), *gather(order.expr for order in self.order_by), *limit)

    def same_as(self, other: Part) -> bool:
        """Whether both ask for the same objects."""
        return self.key == other.key and identities(self.binds) == identities(other.binds)


WHOLE = Part()


@dataclass(frozen=True, slots=True)
class Step:
    """A relation on the way from a model, and which of its objects are meant."""

    relation: RelationInfo
    part: Part = WHOLE


class Conditions:
    """Reads what `filter()` takes."""

    # filled by the room that knows keyword lookups; models know none
    reader: ClassVar[Callable[[ModelInfo, Iterable[Any], Mapping[str, Any]], tuple[Expr[Any], ...]] | None] = None


def read_conditions(info: ModelInfo, given: Iterable[Any], lookups: Mapping[str, Any]) -> tuple[Expr[Any], ...]:
    """Gives what `filter()` was given as expressions."""
    if Conditions.reader is None:
        raise QueryError("nothing reads conditions yet", hint="import cormorant before this")
    return Conditions.reader(info, given, lookups)


def as_order(key: Any) -> Order:
    """Gives what `order_by` takes with its direction."""
    order = key if isinstance(key, Order) else Order(sort_key("order_by", key), descending=False)
    check_ordered(order.expr)
    return order


def sort_key(what: str, key: Any) -> Expr[Any]:
    """Refuses a plain value: sent as a parameter it would be one and the same for every row, and sort nothing."""
    if is_expr(key):
        return key
    if hasattr(key, "__key_column__"):
        return as_expr(key)
    raise WrongType(
        f"{what}() takes columns and expressions, not {key!r} ({type(key).__name__})",
        hint=f"read them from the model: {what}(Article.title)",
    )


MOST_ROWS = 2**63 - 2
"""What LIMIT takes; a page asks for one row more than it gives."""


def row_count(what: str, count: object) -> Bind:
    """Gives a number of rows as a value to send."""
    return Bind(count_of_rows(what, count, least=0), BIG_INTEGER)


def count_of_rows(what: str, count: object, *, least: int = 1) -> int:
    """Gives a number of rows.

    Raises:
        WrongType: It is none.
        ValueOutOfRange: It is too small or too large, which a client may have sent.
    """
    if not isinstance(count, int) or isinstance(count, bool):
        raise WrongType(f"{what}({count!r}): a number of rows is an int of {least} or more")
    if count < least:
        raise ValueOutOfRange(f"{what}({count!r}): a number of rows is an int of {least} or more")
    if count > MOST_ROWS:
        raise ValueOutOfRange(f"{what}({count!r}): a number of rows fits 64 bits")
    return count
