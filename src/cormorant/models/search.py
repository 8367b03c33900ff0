"""`search()`: full text search over a model's columns."""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

from cormorant.errors import WrongType
from cormorant.models.constraints import checked_language, text_columns
from cormorant.models.metadata import ModelInfo
from cormorant.models.tables import search_indexes
from cormorant.sql import types as t
from cormorant.sql.columns import Column
from cormorant.sql.ddl import SearchIndexDef
from cormorant.sql.expr import Expr
from cormorant.sql.full_text import Searched, SearchMatch, SearchRank
from cormorant.sql.sources import JoinSource, Source

_declared: WeakKeyDictionary[type[Any], tuple[SearchIndexDef, ...]] = WeakKeyDictionary()


class Search:
    """Columns that are searched together, as `search(...)` gives them."""

    __slots__ = ("_searched",)

    def __init__(self, searched: Searched) -> None:
        self._searched = searched

    def __repr__(self) -> str:
        return f"search({', '.join(map(repr, self._searched.columns))})"

    def matches(self, text: str) -> Expr[bool]:
        """Whether the columns together have what a user typed; nothing a user can type is an error.

        Words must all be there, in any order and in any form of the language; "words in quotes" one after another in
        one column; `or` stands between alternatives, and - before what must not be there. Punctuation counts as
        space. A text without any word, or with unwanted ones only, matches nothing.

        Raises:
            WrongType: It is no text, has NUL or lone surrogates, or is longer than 1,000 characters.

        Example:
            >>> search(Article.title, Article.body).matches('ada "first program" -babbage or hopper')
            ... # (to_tsvector('english', ...) || ...) @@ websearch_to_tsquery('english', $1)
        """
        return SearchMatch(self._searched, text)

    def rank(self, text: str) -> Expr[float]:
        """How well the columns match, for `order_by(...desc())`: larger is better, 0 is no match.

        Every database weighs in its own way, so that the numbers, and the order of near matches, differ.
        """
        return SearchRank(self._searched, text, t.FLOAT)


def search(*columns: Expr[str | None], language: str | None = None) -> Search:
    """Searches the words of columns, as `search_index` in `__table_args__` declares them.

    PostgreSQL searches without an index too, slowly; SQLite needs the index.

    Args:
        columns: Columns of text of one model, perhaps reached along a relation.
        language: Chooses among several indexes over the columns; the declared one's, or "simple", if None.

    Raises:
        WrongType: Something is no column of text, or they are of several tables.

    Example:
        >>> found = search(Article.title, Article.body)
        >>> session.query(Article).filter(found.matches(typed)).order_by(found.rank(typed).desc())
    """
    if not columns:
        raise WrongType("search() names no column", hint="name columns: search(Article.title, Article.body)")
    asked = text_columns("search()", columns)
    source = asked[0].source
    info: object = getattr(source, "entity", None)
    if not isinstance(info, ModelInfo) or any(column.source.key != source.key for column in asked):
        raise WrongType(f"search() got {', '.join(map(repr, asked))}", hint="search columns of one model at a time")
    wanted = None if language is None else checked_language(language)
    index = _index_over(info, asked, wanted)
    if index is not None:
        # PostgreSQL uses an index for its very expression: in the order of its columns
        by_name = {column.name: column for column in asked}
        asked = tuple(by_name[column.name] for column in index.columns)
    key = info.column_from(source, info.key_attributes[0], nullable=_may_be_missing(source))
    name, spoken = (index.name, index.language) if index is not None else (None, wanted or "simple")
    return Search(Searched(asked, key, spoken, name))


def _may_be_missing(source: Source) -> bool:
    while isinstance(source, JoinSource):
        if source.optional:
            return True
        source = source.parent
    return False


def _index_over(info: ModelInfo, columns: tuple[Column[Any], ...], language: str | None) -> SearchIndexDef | None:
    if info.cls not in _declared:
        _declared[info.cls] = search_indexes(info, info.cls.__table_args__())
    names = {column.name for column in columns}
    for index in _declared[info.cls]:
        if {column.name for column in index.columns} == names and language in (None, index.language):
            return index
    return None
