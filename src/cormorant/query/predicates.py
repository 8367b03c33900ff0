"""`Q` and keyword lookups: the second way to say a condition, after expressions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

from cormorant._internal.narrowing import is_dict, is_list, is_tuple
from cormorant.errors import QueryError, UnknownName, WrongType, suggest
from cormorant.models.metadata import ModelInfo
from cormorant.models.paths import ManyExpr, Path, is_many
from cormorant.sql.columns import Column
from cormorant.sql.nodes import Expr, IsNotTrue, Joined, Logical, condition

Lookup = Callable[[Any, Any], Expr[Any]]


class Q(Joined):
    """Conditions by keyword, to be joined by `&`, `|` and `~`.

    Example:
        >>> session.query(Article).filter(Q(views__gt=3) | ~Q(author__name="Ada"))
    """

    __slots__ = ("connector", "negated", "parts")

    def __init__(self, *conditions: Expr[bool | None] | Q, **lookups: Any) -> None:
        self.connector: Literal["AND", "OR"] = "AND"
        self.negated = False
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
    # an empty one is where a loop of joins may begin
    new.parts = tuple(part for part in parts if not (isinstance(part, Q) and not part.parts))
    return new


def conditions_of(info: ModelInfo, given: Iterable[Any], lookups: Mapping[str, Any]) -> tuple[Expr[Any], ...]:
    """Gives what `filter()` was given as expressions."""
    parts = tuple(_expression(info, item) for item in given)
    return (*parts, *lookup_conditions(info, lookups)) if lookups else parts


def _expression(info: ModelInfo, item: Any) -> Expr[Any]:
    if not isinstance(item, Q):
        return condition(item)
    found: list[Expr[Any]] = []
    for part in item.parts:
        found += lookup_conditions(info, part) if is_dict(part) else [_expression(info, part)]
    if not found:
        raise QueryError("an empty Q says nothing", hint="give it a condition")
    whole = found[0] if len(found) == 1 else Logical(item.connector, tuple(found))
    return IsNotTrue(whole) if item.negated else whole


def lookup_conditions(info: ModelInfo, lookups: Mapping[str, Any]) -> list[Expr[Any]]:
    """Gives keyword lookups as expressions.

    Lookups over the same to-many relation are about one and the same object: they share an EXISTS.
    """
    plain: list[Expr[Any]] = []
    through: dict[tuple[str, ...], tuple[ManyExpr[Any], dict[str, Any]]] = {}
    for name, value in lookups.items():
        start: Any = info.cls
        parts = name.split("__")
        for position, part in enumerate(parts):
            start = _step(start, part, name)
            if is_many(start) and position + 1 < len(parts):
                inner = through.setdefault(tuple(parts[: position + 1]), (start, {}))[1]
                inner["__".join(parts[position + 1 :])] = value
                break
            if isinstance(start, Column) or position + 1 == len(parts) or parts[position + 1] in LOOKUPS:
                plain.append(_lookup(start, parts[position + 1 :], value, name))
                break
    for many, inner in through.values():
        plain.append(many.any(*lookup_conditions(many.__target__, inner)))
    return plain


def _step(start: Any, part: str, whole: str) -> Any:
    info: ModelInfo = start.__target__ if isinstance(start, Path) else start.__info__
    if part == "pk":
        part = info.key_attributes[0]
    if part not in info.fields and part not in info.relation_specs and not hasattr(info.cls, part):
        error = info.unknown(part)
        raise UnknownName(f"{whole}=...: {error.message}", hint=error.hint)
    return getattr(start, part)


def _lookup(target: Any, rest: list[str], value: Any, whole: str) -> Expr[Any]:
    name = rest[0] if rest else "exact"
    lookup = LOOKUPS.get(name)
    if lookup is None or len(rest) > 1:
        unknown = "__".join(rest)
        raise UnknownName(f"{whole}=...: there is no lookup {unknown!r}", hint=suggest(unknown, LOOKUPS))
    return lookup(target, value)


def _exact(target: Any, value: Any) -> Expr[Any]:
    found: Expr[Any] = target == value if not _is_key(target, value) else target.__key_column__() == value
    return found


def _in(target: Any, values: Any) -> Expr[Any]:
    values = list(values)
    if values and _is_key(target, values[0]):
        target = target.__key_column__()
    found: Expr[Any] = target.in_(values)
    return found


def _is_key(target: Any, value: Any) -> bool:
    """Whether a relation is looked up by its key's value: author=3."""
    return isinstance(target, Path) and value is not None and not hasattr(value.__class__, "__info__")


def _range(target: Any, bounds: Any) -> Expr[Any]:
    if not (is_tuple(bounds) or is_list(bounds)) or len(bounds) != 2:
        raise WrongType(f"a range needs (low, high), not {bounds!r}")
    low, high = bounds
    found: Expr[Any] = target.between(low, high)
    return found


def _is_null(target: Any, value: Any) -> Expr[Any]:
    if not isinstance(value, bool):
        raise WrongType(f"isnull takes True or False, not {value!r}")
    found: Expr[Any] = target.is_null() if value else target.is_not_null()
    return found


LOOKUPS: dict[str, Lookup] = {
    "exact": _exact,
    "iexact": lambda target, value: target.iexact(value),
    "contains": lambda target, value: target.contains(value),
    "icontains": lambda target, value: target.icontains(value),
    "startswith": lambda target, value: target.startswith(value),
    "istartswith": lambda target, value: target.istartswith(value),
    "endswith": lambda target, value: target.endswith(value),
    "iendswith": lambda target, value: target.iendswith(value),
    "in": _in,
    "gt": lambda target, value: target > value,
    "gte": lambda target, value: target >= value,
    "lt": lambda target, value: target < value,
    "lte": lambda target, value: target <= value,
    "range": _range,
    "isnull": _is_null,
}
"""The lookups by the name after the last `__`."""
