"""Full text search on every database: conditions, and the indexes they need."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cormorant.errors import CompileError
from cormorant.sql import full_text as f
from cormorant.sql import types as t
from cormorant.sql.ddl import SearchEvent, SearchIndexDef, Table
from cormorant.sql.expr import Expr
from cormorant.sql.query_compiler import QueryCompiler
from cormorant.sql.search_text import PUNCTUATION, Wanted


class SearchIndexes:
    """How a database keeps the words of a table's texts; empty where nothing needs to be said."""

    def create(self, compiler: QueryCompiler, table: Table, index: SearchIndexDef) -> str:
        """Gives the statement that makes an index.

        Args:
            compiler: One that writes columns without their table.
            table: The table.
            index: What is searched.
        """
        raise CompileError("this database has no full text search")

    def words(self, compiler: QueryCompiler, index: SearchIndexDef) -> str:
        """Gives the expression that an index is over; empty where it is over something else."""
        return ""

    def maintain(self, compiler: QueryCompiler, table: Table, index: SearchIndexDef, event: SearchEvent) -> str:
        """Gives the statement that keeps an index in step with one kind of change."""
        return ""

    def drop(self, compiler: QueryCompiler, name: str) -> str:
        """Gives the statement that drops an index that would outlive its table."""
        return ""


# ------------------------------------------------------------------ PostgreSQL

_FROM = "'" + PUNCTUATION.replace("'", "''") + "'"
_TO = f"repeat(' ', {len(PUNCTUATION)})"


class PostgreSQLSearch(SearchIndexes):
    """A GIN index over the words."""

    def words(self, compiler: QueryCompiler, index: SearchIndexDef) -> str:
        return _words(compiler, index.columns, index.language)

    def create(self, compiler: QueryCompiler, table: Table, index: SearchIndexDef) -> str:
        words = self.words(compiler, index)
        return f"CREATE INDEX {compiler.quote(index.name)} ON {compiler.quote(table.name)} USING gin (({words}))"


def _words(compiler: QueryCompiler, columns: tuple[Expr[Any], ...], language: str) -> str:
    """Gives the words of columns; a place between two keeps a phrase from beginning in one and ending in the next."""
    texts = (f"translate(coalesce({compiler.expr(column)}, ''), {_FROM}, {_TO})" for column in columns)
    return " || '''.'':1'::tsvector || ".join(f"to_tsvector('{language}', {text})" for text in texts)


def _query(compiler: QueryCompiler, node: f.SearchMatch) -> str:
    return f"websearch_to_tsquery('{node.searched.language}', {compiler.placeholder(node.text)})"


def _pg_match(compiler: QueryCompiler, node: f.SearchMatch) -> str:
    searched = node.searched
    return f"({_words(compiler, searched.columns, searched.language)}) @@ {_query(compiler, node)}"


def _pg_rank(compiler: QueryCompiler, node: f.SearchRank) -> str:
    words, query = _words(compiler, node.searched.columns, node.searched.language), _query(compiler, node)
    # a part of what is searched for has a rank of its own, and is no match
    return f"CASE WHEN ({words}) @@ {query} THEN ts_rank({words}, {query})::double precision ELSE 0 END"


def websearch(wanted: Wanted) -> str:
    """Gives what is searched for as websearch_to_tsquery reads it."""
    return " or ".join(
        " ".join([*(f'"{term}"' for term in each.wanted), *(f'-"{term}"' for term in each.unwanted)]) for each in wanted
    )


POSTGRESQL: dict[type[Expr[Any]], Callable[[Any, Any], str]] = {f.SearchMatch: _pg_match, f.SearchRank: _pg_rank}


# ------------------------------------------------------------------ SQLite

# a letter with an accent is another letter, as on PostgreSQL
_TOKENIZERS = {
    "simple": "unicode61 remove_diacritics 0",
    "english": "porter unicode61 remove_diacritics 0",
}


class SQLiteSearch(SearchIndexes):
    """An FTS5 table beside the texts, which triggers keep in step; it holds the words only."""

    def create(self, compiler: QueryCompiler, table: Table, index: SearchIndexDef) -> str:
        options = [
            f"content={_text(table.name)}",
            f"content_rowid={_text(_row_number(table, index))}",
            f"tokenize={_text(_tokenizer(index))}",
        ]
        for column in index.columns:
            _check_name(index, column.name)
        columns = [compiler.expr(column) for column in index.columns]
        return f"CREATE VIRTUAL TABLE {compiler.quote(index.name)} USING fts5({', '.join([*columns, *options])})"

    def maintain(self, compiler: QueryCompiler, table: Table, index: SearchIndexDef, event: SearchEvent) -> str:
        name, key = compiler.quote(index.name), compiler.quote(_row_number(table, index))
        columns = [compiler.expr(column) for column in index.columns]
        of = f" OF {', '.join([key, *columns])}" if event == "update" else ""
        into, new, old = ", ".join(columns), _values("new", key, columns), _values("old", key, columns)
        forget = f"INSERT INTO {name}({name}, rowid, {into}) VALUES ('delete', {old}); "
        learn = f"INSERT INTO {name}(rowid, {into}) VALUES ({new}); "
        body = {"insert": learn, "delete": forget, "update": forget + learn}[event]
        trigger = compiler.quote(f"{index.name}_{event}")
        return f"CREATE TRIGGER {trigger} AFTER {event.upper()}{of} ON {compiler.quote(table.name)} BEGIN {body}END"

    def drop(self, compiler: QueryCompiler, name: str) -> str:
        return f"DROP TABLE IF EXISTS {compiler.quote(name)}"


def _values(row: str, key: str, columns: list[str]) -> str:
    return ", ".join(f"{row}.{column}" for column in (key, *columns))


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _row_number(table: Table, index: SearchIndexDef) -> str:
    """Gives the key column, if it is what SQLite numbers rows by: other numbers change when a file is packed."""
    key = [column for column in table.columns if column.name in table.primary_key]
    if len(key) == 1 and isinstance(key[0].type, t.Integer):
        return key[0].name
    raise CompileError(
        f"SQLite finds the rows of the search index {index.name} by number, and the key of {table.name} is none",
        hint="give the model a key such as id: Mapped[int] = generated(primary_key=True)",
    )


def _check_name(index: SearchIndexDef, name: str) -> None:
    if name.lower() in ("rank", "rowid"):
        raise CompileError(
            f"SQLite keeps the name {name!r} for itself (search index {index.name})",
            hint='give the column another name: field(column="...")',
        )


def _tokenizer(index: SearchIndexDef) -> str:
    try:
        return _TOKENIZERS[index.language]
    except KeyError:
        raise CompileError(
            f"SQLite cannot tell the forms of words in {index.language!r} (search index {index.name})",
            hint='use language="simple", which every database has, or "english"',
        ) from None


def _inner(compiler: QueryCompiler, node: f.SearchMatch, selected: str, more: str = "") -> str:
    searched = node.searched
    if searched.index is None:
        names = ", ".join(map(repr, searched.columns))
        raise CompileError(
            f"SQLite searches {names} by an index only, and none is declared",
            hint=f"yield search_index({names.replace(repr(searched.columns[0]).partition('.')[0], 'cls')}) "
            "in __table_args__",
        )
    table = compiler.quote(searched.index)
    return f"SELECT {selected} FROM {table} WHERE {table} MATCH {compiler.placeholder(node.text)}{more}"


def _sqlite_match(compiler: QueryCompiler, node: f.SearchMatch) -> str:
    key = compiler.expr(node.searched.key)
    found = f"{key} IN ({_inner(compiler, node, 'rowid')})"
    # of a row that an outer join did not find, nothing is known, not even that it does not match
    return f"coalesce({found}, 0)" if compiler.nullable(node.searched.key) else found


def _sqlite_rank(compiler: QueryCompiler, node: f.SearchRank) -> str:
    # FTS5 gives a better match a smaller number
    found = _inner(compiler, node, "-rank", f" AND rowid = {compiler.expr(node.searched.key)}")
    return f"coalesce(({found}), 0.0)"


def match_text(wanted: Wanted) -> str:
    """Gives what is searched for as FTS5 reads it: in quotes, nothing is an operator."""
    return " OR ".join(map(_alternative, wanted)) or '""'


def _alternative(each: tuple[tuple[str, ...], tuple[str, ...]]) -> str:
    wanted, unwanted = ([f'"{term}"' for term in terms] for terms in each)
    together = f"({' AND '.join(wanted)})"
    return f"({together} NOT ({' OR '.join(unwanted)}))" if unwanted else together


SQLITE: dict[type[Expr[Any]], Callable[[Any, Any], str]] = {f.SearchMatch: _sqlite_match, f.SearchRank: _sqlite_rank}
