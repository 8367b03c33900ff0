"""Full text search as expressions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from cormorant.sql import types as t
from cormorant.sql.expr import Bind, Binds, Expr, Key, gather
from cormorant.sql.search_text import understood


@dataclass(frozen=True, slots=True)
class SearchType(t.SqlType):
    """What is searched for; every database is told in words of its own."""

    name = "search"
    accepts: ClassVar[tuple[type[Any], ...]] = (tuple,)


SEARCH = SearchType()


class Searched:
    """Columns of one table that are searched together.

    Args:
        columns: The columns, in the order of their index.
        key: The table's primary key, by which an index of another table finds its rows.
        language: The language of the texts, or "simple".
        index: The index's name; None if none is declared.
    """

    __slots__ = ("columns", "index", "key", "language")

    def __init__(self, columns: tuple[Expr[Any], ...], key: Expr[Any], language: str, index: str | None) -> None:
        self.columns: tuple[Expr[Any], ...] = columns
        self.key: Expr[Any] = key
        self.language: str = language
        self.index: str | None = index

    @property
    def shape(self) -> Key:
        """The columns in a cache key."""
        return (self.language, self.index, self.key.key, *(column.key for column in self.columns))


class SearchMatch(Expr[bool]):
    """Whether the columns have what is searched for."""

    __slots__ = ("searched", "text")
    word = "search"

    def __init__(self, searched: Searched, text: str, type_: t.SqlType = t.BOOLEAN) -> None:
        self.searched: Searched = searched
        self.text: Bind = Bind(understood(text, searched.language), SEARCH)
        self.type = type_
        self.key: Key = (self.word, searched.shape, self.text.key)
        self.binds: Binds = gather(self.children)

    @property
    def children(self) -> tuple[Expr[Any], ...]:
        return (*self.searched.columns, self.searched.key, self.text)

    @property
    def nullable(self) -> bool:
        return False

    def __repr__(self) -> str:
        return f"<{self.word} {' '.join(map(repr, self.searched.columns))}>"


class SearchRank(SearchMatch):
    """How well the columns match; 0 where they do not."""

    __slots__ = ()
    word = "rank"
