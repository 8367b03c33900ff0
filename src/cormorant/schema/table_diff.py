"""What becomes of one table that is in both schemas."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import TypeVar

from cormorant.schema import column_types as types
from cormorant.schema import snapshot as s
from cormorant.schema.matching import (
    Named,
    Pairs,
    match,
    same_check,
    same_column,
    same_index,
    same_key,
    same_search,
    same_sql,
    same_type,
    same_unique,
)
from cormorant.schema.words import mentions

P = TypeVar("P", bound=Named)


@dataclass(frozen=True)
class TableDiff:
    """A table before and after, its columns under their new names, and what differs.

    Args:
        old: The table as it is.
        new: The table as it shall be.
        swapped: Names of enum types that are made anew, whose columns change with them.
    """

    old: s.Table
    new: s.Table
    swapped: frozenset[str] = frozenset()
    dropped: frozenset[str] = field(init=False)
    redone: frozenset[str] = field(init=False)
    retyped: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        names = {column.name for column in self.new.columns}
        dropped = frozenset(column.name for column in self.old.columns if column.name not in names)
        object.__setattr__(self, "dropped", dropped)
        object.__setattr__(self, "retyped", frozenset(self._retyped()))
        object.__setattr__(self, "redone", frozenset(self._redone()))

    @property
    def pairs(self) -> list[tuple[s.Column, s.Column]]:
        """The columns that are in both, before and after."""
        return [(old, new) for new in self.new.columns if (old := self.old.column(new.name)) is not None]

    @property
    def added(self) -> list[s.Column]:
        """The columns that are new."""
        return [column for column in self.new.columns if self.old.column(column.name) is None]

    @property
    def altered(self) -> list[tuple[s.Column, s.Column]]:
        """The columns that are declared otherwise, and keep their values."""
        bare = {was.name: now for was, now in self.bared}
        return [(bare.get(old.name, old), new) for old, new in self._altered()]

    @property
    def bared(self) -> list[tuple[s.Column, s.Column]]:
        """The columns that have no default while their enum type is made anew: neither type has both values."""
        return [
            (old, replace(old, default=None))
            for old, new in self._altered()
            if types.enum_of(old.type) in self.swapped
            and old.default is not None
            and not same_sql(old.default, new.default)
        ]

    def _altered(self) -> list[tuple[s.Column, s.Column]]:
        return [pair for pair in self.pairs if pair[0].name not in self.redone and not same_column(*pair)]

    def _retyped(self) -> Iterable[str]:
        """Gives columns whose type becomes so different that what is declared over them must be declared anew."""
        for old, new in self.pairs:
            enum = types.enum_of(old.type) in self.swapped
            related = types.related(old.type, new.type) and old.collation == new.collation
            if enum or not related:
                yield new.name

    def _redone(self) -> Iterable[str]:
        """Gives the columns to be computed anew: no database changes the expression, or what it reads, in place."""
        moved = frozenset(old.name for old, new in self.pairs if not same_type(old, new)) | self.retyped | self.dropped
        for old, new in self.pairs:
            other = new.computed is not None and not same_sql(old.computed, new.computed)
            if other or (old.computed is not None and (old.name in moved or reads(old.computed, moved))):
                yield new.name

    @property
    def gone(self) -> frozenset[str]:
        """The columns that are dropped, be it to come again."""
        return self.dropped | self.redone

    @property
    def disturbed(self) -> frozenset[str]:
        """The columns over which nothing can stand while they change."""
        return self.gone | self.retyped

    @property
    def reworded(self) -> frozenset[str]:
        """The columns whose expressions must be said anew: constants keep the type of what they were compared with."""
        pairs = self.pairs
        return self.disturbed | {new.name for old, new in pairs if types.base(old.type) != types.base(new.type)}

    # ---- what is declared over columns, as pairs; what stands in the way counts as gone, and as made anew

    def uniques(self) -> Pairs[s.Unique]:
        """Compares the unique constraints."""
        return self._free(
            match(self.old.uniques, self.new.uniques, same_unique),
            lambda unique: not self.gone.isdisjoint(unique.columns),
        )

    def checks(self) -> Pairs[s.Check]:
        """Compares the checks."""
        return self._free(
            match(self.old.checks, self.new.checks, same_check),
            lambda check: reads(check.condition, self.reworded),
        )

    def indexes(self) -> Pairs[s.Index]:
        """Compares the indexes."""
        return self._free(match(self.old.indexes, self.new.indexes, same_index), self._index_disturbed)

    def searches(self) -> Pairs[s.SearchIndex]:
        """Compares the indexes of full text searches."""
        return self._free(
            match(self.old.searches, self.new.searches, same_search),
            lambda search: not self.reworded.isdisjoint(search.columns),
        )

    def foreign_keys(self, elsewhere: frozenset[s.ForeignKey]) -> Pairs[s.ForeignKey]:
        """Compares the foreign keys; those of `elsewhere` stand in the way of a change of their target."""
        return self._free(
            match(self.old.foreign_keys, self.new.foreign_keys, same_key),
            lambda key: key in elsewhere or not self.disturbed.isdisjoint(key.columns),
        )

    def key_changes(self) -> bool:
        """Whether the primary key is dropped, or another one."""
        old, new = self.old.primary_key, self.new.primary_key
        return old != new or (old is not None and not self.gone.isdisjoint(old.columns))

    def changes_keys(self) -> bool:
        """Whether what foreign keys may stand on is dropped or made."""
        uniques = self.uniques()
        return bool(self.key_changes() or uniques.gone or uniques.made)

    def lost_keys(self) -> list[tuple[str, ...]]:
        """Gives the columns of primary keys and unique constraints that are dropped: what foreign keys stand on."""
        lost = [unique.columns for unique in self.uniques().gone]
        lost += [tuple(x.column or "" for x in index.items) for index in self.indexes().gone if index.unique]
        key = self.old.primary_key
        return [*lost, key.columns] if key is not None and self.key_changes() else lost

    def _index_disturbed(self, index: s.Index) -> bool:
        names = self.reworded
        plain = {item.column for item in index.items} | {*index.include}
        return (
            not self.disturbed.isdisjoint(plain)
            or reads(index.where, names)
            or any(reads(item.expression, names) for item in index.items)
        )

    @staticmethod
    def _free(pairs: Pairs[P], in_the_way: Callable[[P], bool]) -> Pairs[P]:
        kept = [pair for pair in pairs.kept if not in_the_way(pair[0])]
        freed = [pair for pair in pairs.kept if in_the_way(pair[0])]
        gone, made = (tuple(pair[side] for pair in freed) for side in (0, 1))
        return Pairs(tuple(kept), (*pairs.gone, *gone), (*pairs.made, *made))


def reads(sql: s.Sql | None, names: frozenset[str]) -> bool:
    """Whether an expression mentions one of these columns."""
    texts = [] if sql is None else [sql] if isinstance(sql, str) else [text for _, text in sql.texts]
    return any(mentions(text, names) for text in texts)
