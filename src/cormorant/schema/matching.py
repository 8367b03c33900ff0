"""Which parts of two snapshots are the same."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Generic, Protocol, TypeVar

from cormorant.schema import column_types as types
from cormorant.schema import snapshot as s
from cormorant.schema.words import canonical


class Named(Protocol):
    """What has a name of its own."""

    @property
    def name(self) -> str:
        """Its name; "" where it has none."""
        ...


N = TypeVar("N", bound=Named)


@dataclass(frozen=True, slots=True)
class Pairs(Generic[N]):
    """Two lists compared.

    Args:
        kept: Pairs of old and new that say the same; where both have a name and it differs, the old one is renamed.
        gone: Those of the old list that the new one does not have.
        made: Those of the new list that the old one does not have.
    """

    kept: tuple[tuple[N, N], ...]
    gone: tuple[N, ...]
    made: tuple[N, ...]


def match(old: Iterable[N], new: Iterable[N], same: Callable[[N, N], bool]) -> Pairs[N]:
    """Pairs what says the same: first under the same name, then under another."""
    rest, made, kept = list(old), list(new), list[tuple[N, N]]()
    for by_name in (True, False):
        for item in tuple(made):
            found = next((x for x in rest if (x.name == item.name or not by_name) and same(x, item)), None)
            if found is not None:
                rest.remove(found)
                made.remove(item)
                kept.append((found, item))
    return Pairs(tuple(kept), tuple(rest), tuple(made))


def same_sql(one: s.Sql | None, other: s.Sql | None) -> bool:
    """Whether two expressions are the same words, for every database that both have words for."""
    if one is None or other is None:
        return one is other
    if isinstance(one, str) and isinstance(other, str):
        return canonical(one) == canonical(other)
    first, second = (None if isinstance(x, str) else {name for name, _ in x.texts} for x in (one, other))
    common = first & second if first is not None and second is not None else first or second or set()
    return bool(common) and all(canonical(s.said(one, name)) == canonical(s.said(other, name)) for name in common)


def same_column(one: s.Column, other: s.Column) -> bool:
    """Whether two columns of one name are declared in the same way."""
    return (
        same_type(one, other)
        and one.nullable == other.nullable
        and same_sql(one.default, other.default)
        and (one.identity is None) == (other.identity is None)
        and same_sql(one.computed, other.computed)
        and one.comment == other.comment
    )


def same_type(one: s.Column, other: s.Column) -> bool:
    """Whether two columns keep the same values, and compare them in the same way."""
    return types.plain(one.type) == types.plain(other.type) and one.collation == other.collation


def same_key(one: s.ForeignKey, other: s.ForeignKey) -> bool:
    """Whether two foreign keys say the same; their names do not count, nor whether they are validated."""
    return replace(one, name="", validated=True) == replace(other, name="", validated=True)


def same_unique(one: s.Unique, other: s.Unique) -> bool:
    """Whether two unique constraints say the same."""
    return replace(one, name="") == replace(other, name="")


def same_check(one: s.Check, other: s.Check) -> bool:
    """Whether two checks say the same."""
    return same_sql(one.condition, other.condition)


def same_search(one: s.SearchIndex, other: s.SearchIndex) -> bool:
    """Whether two search indexes look in the same columns."""
    return one.name == other.name and (one.columns, one.language) == (other.columns, other.language)


def same_index(one: s.Index, other: s.Index) -> bool:
    """Whether two indexes say the same."""
    plain = tuple(replace(each, name="", items=(), where=None) for each in (one, other))
    return (
        plain[0] == plain[1]
        and same_sql(one.where, other.where)
        and len(one.items) == len(other.items)
        and all(map(_same_item, one.items, other.items))
    )


def _same_item(one: s.IndexItem, other: s.IndexItem) -> bool:
    bare = tuple(replace(each, expression=None) for each in (one, other))
    return bare[0] == bare[1] and same_sql(one.expression, other.expression)
