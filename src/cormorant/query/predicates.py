"""`Q` and keyword lookups: the second way to say a condition, after expressions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from cormorant._internal.narrowing import is_dict
from cormorant.errors import QueryError, WrongType
from cormorant.models.many import Conditions
from cormorant.models.metadata import ModelInfo
from cormorant.query.lookups import lookup_conditions
from cormorant.sql.expr import Expr, Joined
from cormorant.sql.nodes import IsNotTrue, Logical, condition


class Q(Joined):
    """Conditions by keyword, to be joined by `&`, `|` and `~`.

    Example:
        >>> session.query(Article).filter(Q(views__gt=3) | ~Q(author__name="Ada"))
    """

    __slots__ = ("connector", "negated", "parts")

    def __init__(self, *conditions: Expr[bool | None] | Q, **lookups: Any) -> None:
        self.connector: Literal["AND", "OR"] = "AND"
        self.negated: bool = False
        self.parts: tuple[Any, ...] = (*conditions, *([lookups] if lookups else ()))

    def __and__(self, other: Expr[bool | None] | Q) -> Q:
        return _joined("AND", self, other)

    def __or__(self, other: Expr[bool | None] | Q) -> Q:
        return _joined("OR", self, other)

    def __rand__(self, other: Expr[bool | None]) -> Q:
        return _joined("AND", other, self)

    def __ror__(self, other: Expr[bool | None]) -> Q:
        return _joined("OR", other, self)

    def __invert__(self) -> Q:
        new = _joined("AND", self)
        new.negated = True
        return new

    def __bool__(self) -> bool:
        raise WrongType("a Q has no truth value", hint="join conditions with & and |, negate with ~")


def _joined(connector: Literal["AND", "OR"], *parts: Any) -> Q:
    new = Q()
    new.connector = connector
    # an empty one is where a loop of joins may begin; what such a loop makes is one level deep
    new.parts = tuple(inner for part in parts for inner in _parts_of(part, connector))
    return new


def _parts_of(part: Any, connector: Literal["AND", "OR"]) -> tuple[Any, ...]:
    """Gives what a part of a Q says, piece by piece if its pieces are joined as the whole is."""
    if isinstance(part, Q) and (not part.parts or (part.connector == connector and not part.negated)):
        return part.parts
    return (part,)


def conditions_of(info: ModelInfo, given: Iterable[Any], lookups: Mapping[str, Any]) -> tuple[Expr[Any], ...]:
    """Gives what `filter()` was given as expressions."""
    try:
        parts = tuple(_expression(info, item) for item in given)
    except RecursionError:
        raise too_deep(info.name) from None
    return (*parts, *lookup_conditions(info, lookups.items())) if lookups else parts


def too_deep(name: str) -> QueryError:
    """Gives the error about a query of a model that is nested deeper than Python can follow."""
    return QueryError(
        f"the query of {name} is nested too deeply",
        hint="join many conditions with one filter(...) call and many queries with one union(...) call, or use in_()",
    )


def _expression(info: ModelInfo, item: Any) -> Expr[Any]:
    if not isinstance(item, Q):
        return condition(item)
    found: list[Expr[Any]] = []
    for part in item.parts:
        found += lookup_conditions(info, part.items()) if is_dict(part) else [_expression(info, part)]
    if not found:
        raise QueryError("an empty Q says nothing", hint="give it a condition")
    whole = found[0] if len(found) == 1 else Logical(item.connector, tuple(found))
    return IsNotTrue(whole) if item.negated else whole


Conditions.reader = staticmethod(conditions_of)
