"""Keyword lookups: `author__name__startswith="A"` as an expression."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from inspect import getattr_static
from typing import Any, TypeAlias

from cormorant._internal.narrowing import is_iterable, is_list, is_tuple
from cormorant.errors import UnknownName, WrongType, suggest
from cormorant.models.hybrid import hybrid
from cormorant.models.metadata import ModelInfo
from cormorant.models.model import Model, ref
from cormorant.models.paths import ManyExpr, Path, is_many, key_among, key_equals, key_is_null, key_values
from cormorant.sql.columns import Column
from cormorant.sql.expr import Expr
from cormorant.sql.nodes import Not
from cormorant.sql.selectable import Selectable

Lookup: TypeAlias = Callable[[Any, Any], Expr[Any]]
Step: TypeAlias = "tuple[tuple[str, ...], Any, str]"
"""The names still to go, the value, and the whole keyword for messages."""


def lookup_conditions(info: ModelInfo, lookups: Iterable[tuple[str, Any]]) -> list[Expr[Any]]:
    """Gives keyword lookups as expressions.

    Lookups over the same to-many relation are about one and the same object: they share an EXISTS.

    Raises:
        UnknownName: A name is no column, relation or lookup.
        WrongType: A value does not fit.
    """
    return _conditions(info, [(tuple(name.split("__")), value, name) for name, value in lookups])


def _conditions(info: ModelInfo, steps: Iterable[Step]) -> list[Expr[Any]]:
    plain: list[Expr[Any]] = []
    shared: dict[Any, tuple[ManyExpr[Any], list[Step]]] = {}
    for names, value, whole in steps:
        try:
            target, rest = _walk(info, names)
            found = _through_many(target, rest, value, whole) if is_many(target) else _lookup(target, rest, value)
        except (UnknownName, WrongType) as error:
            # one that comes from deeper names the keyword already
            message = error.message if error.message.startswith(f"{whole}=") else f"{whole}=...: {error.message}"
            raise type(error)(message, hint=error.hint) from None
        if isinstance(found, Expr):
            plain.append(found)
        else:
            shared.setdefault(target.key, (target, []))[1].append(found)
    return [*plain, *(many.any(*_conditions(many.__target__, inner)) for many, inner in shared.values())]


def _walk(info: ModelInfo, names: tuple[str, ...]) -> tuple[Any, tuple[str, ...]]:
    """Follows names along relations as far as they go; gives where they lead, and the names left over."""
    start: Any = info.cls
    for position, name in enumerate(names):
        start = _step(start, name)
        rest = names[position + 1 :]
        # a column or relation of the target's comes before a lookup of the same name
        if not isinstance(start, Path) or not rest or (rest[0] in LOOKUPS and not _has(start.__target__, rest[0])):
            return start, rest
    return start, ()


def _step(start: Any, name: str) -> Any:
    info: ModelInfo = start.__target__ if isinstance(start, Path) else start.__info__
    if name == "pk" and not _has(info, name):
        return PrimaryKey(info, start)
    if not _has(info, name):
        raise info.unknown(name)
    return getattr(start, name)


def _has(info: ModelInfo, name: str) -> bool:
    if name in info.fields or name in info.relation_specs:
        return True
    return isinstance(getattr_static(info.cls, name, None), hybrid)


def _lookup(target: Any, rest: tuple[str, ...], value: Any) -> Expr[Any]:
    name = "__".join(rest) if rest else "exact"
    if name not in LOOKUPS:
        raise UnknownName(f"there is no lookup {name!r}", hint=suggest(name, LOOKUPS))
    if isinstance(target, Path):
        target = PrimaryKey(target.__target__, target)
    return target.lookup(name, value) if isinstance(target, PrimaryKey) else LOOKUPS[name](target, value)


def _through_many(many: ManyExpr[Any], rest: tuple[str, ...], value: Any, whole: str) -> Expr[Any] | Step:
    """Gives a condition on a to-many relation itself, or what remains to be asked of its objects."""
    if rest == ("isnull",):
        return Not(many.any()) if _bool(value) else many.any()
    if rest in ((), ("exact",)):
        return Not(many.any()) if value is None else (("pk",), value, whole)
    return (("pk", "in") if rest == ("in",) else rest), value, whole


class PrimaryKey:
    """A key looked up as a whole: `pk`, or a relation by its object or by its key.

    Args:
        info: The model whose objects have the key.
        source: The model, or a path that leads to it.
    """

    def __init__(self, info: ModelInfo, source: Any) -> None:
        self.info = info
        of_path = isinstance(source, Path)
        self.columns: tuple[Column[Any], ...] = (
            source.__key_columns__() if of_path else tuple(map(info.column, info.key_attributes))
        )
        self.place: str = repr(source) if of_path else info.name

    def lookup(self, name: str, value: Any) -> Expr[Any]:
        """Gives the condition of a lookup."""
        if name == "isnull":
            return key_is_null(self.columns, negated=not _bool(value))
        if name == "exact":
            return key_is_null(self.columns) if value is None else key_equals(self.columns, self._values(value))
        if name == "in" and not isinstance(value, Selectable):
            return key_among(self.columns, [self._values(item) for item in _items(value)])
        if len(self.columns) != 1:
            raise WrongType(f"{self.place} has a key of {len(self.columns)} columns", hint="look up one of them")
        return LOOKUPS[name](self.columns[0], value)

    def _values(self, value: Any) -> tuple[Any, ...]:
        instance = value if isinstance(value, Model) else ref(self.info.cls, value)
        return key_values(self.info, instance, self.place)


def _items(values: Any) -> Iterable[Any]:
    if is_iterable(values):
        return values
    raise WrongType(f"{values!r} ({type(values).__name__}) is no collection of values", hint="put it in a list")


def _bool(value: Any) -> bool:
    if not isinstance(value, bool):
        raise WrongType(f"isnull takes True or False, not {value!r}")
    return value


def _range(target: Any, bounds: Any) -> Expr[Any]:
    if not (is_tuple(bounds) or is_list(bounds)) or len(bounds) != 2:
        raise WrongType(f"a range needs (low, high), not {bounds!r}")
    low, high = bounds
    found: Expr[Any] = target.between(low, high)
    return found


LOOKUPS: dict[str, Lookup] = {
    "exact": lambda target, value: target == value,
    "iexact": lambda target, value: target.iexact(value),
    "contains": lambda target, value: target.contains(value),
    "contained_by": lambda target, value: target.contained_by(value),
    "overlaps": lambda target, value: target.overlaps(value),
    "has_key": lambda target, value: target.has_key(value),
    "has_any_keys": lambda target, value: target.has_any_keys(value),
    "has_all_keys": lambda target, value: target.has_all_keys(value),
    "icontains": lambda target, value: target.icontains(value),
    "startswith": lambda target, value: target.startswith(value),
    "istartswith": lambda target, value: target.istartswith(value),
    "endswith": lambda target, value: target.endswith(value),
    "iendswith": lambda target, value: target.iendswith(value),
    "in": lambda target, value: target.in_(value),
    "gt": lambda target, value: target > value,
    "gte": lambda target, value: target >= value,
    "lt": lambda target, value: target < value,
    "lte": lambda target, value: target <= value,
    "range": _range,
    "isnull": lambda target, value: target.is_null() if _bool(value) else target.is_not_null(),
}
"""The lookups by the name after the last `__`."""
