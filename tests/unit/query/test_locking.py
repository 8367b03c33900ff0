"""The SQL of row locks."""

from __future__ import annotations

from typing import Any

import pytest

from cormorant import CompileError, QueryError, WrongType, func
from tests.support.sql import query, sql
from tests.unit.query.models import Article, Author, Tag


def end(built: Any, database: str = "postgresql") -> str:
    """Gives what stands after the table of a query of tags, or of articles."""
    text, _ = sql(built, database)
    return text.partition('FROM "tag"' if '"tag"' in text else 'FROM "articles"')[2].strip()


@pytest.mark.parametrize(
    ("built", "expected"),
    [
        (query(Tag).for_update(), "FOR UPDATE"),
        (query(Tag).for_share(), "FOR SHARE"),
        (query(Tag).for_update(nowait=True), "FOR UPDATE NOWAIT"),
        (query(Tag).for_update(skip_locked=True).limit(1), "LIMIT $1 FOR UPDATE SKIP LOCKED"),
        (query(Tag).for_update(of=Tag), 'FOR UPDATE OF "tag"'),
        (query(Tag).scalars(Tag.id).for_share(skip_locked=True), "FOR SHARE SKIP LOCKED"),
        (query(Tag).for_update().for_share(), "FOR SHARE"),
    ],
)
def test_on_postgresql(built: Any, expected: str) -> None:
    assert end(built) == expected


def test_only_the_querys_own_rows_are_locked_where_others_are_joined() -> None:
    joined = query(Article).filter(Article.author.name == "Ada")
    assert end(joined.for_update()).endswith('WHERE "author"."name" = $1 FOR UPDATE OF "articles"')
    assert end(joined.for_update(of=Article.author)).endswith('FOR UPDATE OF "author"')
    assert end(joined.for_update(of=[Article, Article.author])).endswith('FOR UPDATE OF "articles", "author"')
    assert end(query(Article).select_related(Article.editor).for_update()).endswith('FOR UPDATE OF "articles"')


def test_sqlite_says_nothing() -> None:
    assert end(query(Tag).for_update(), "sqlite") == ""
    assert end(query(Tag).limit(1).for_share(), "sqlite") == "LIMIT ?1"


@pytest.mark.parametrize(
    ("options", "message", "hint"),
    [
        ({"nowait": True}, "it has no nowait", "lock_timeout"),
        ({"skip_locked": True}, "it has no skip_locked", "take turns"),
        ({"of": Tag}, "it has no of=", "leave it out"),
    ],
)
def test_what_sqlite_has_not(options: dict[str, Any], message: str, hint: str) -> None:
    with pytest.raises(CompileError, match=f"locks the whole database, no rows: {message}") as caught:
        sql(query(Tag).for_update(**options), "sqlite")
    assert hint in (caught.value.hint or "")


def test_counting_locks_nothing() -> None:
    for mode in ("count", "exists"):
        spec = query(Tag).for_update()._spec
        assert "FOR" not in sql(spec.changed((mode,), (), mode=mode))[0]


@pytest.mark.parametrize(
    ("built", "what"),
    [
        (query(Tag).values(Tag.name).group_by(Tag.name), "grouped"),
        (query(Tag).values(func.max(Tag.id)), "grouped"),
        (query(Tag).distinct(), "distinct"),
        (query(Tag).distinct(Tag.name).order_by(Tag.name), "distinct"),
        (query(Tag).union(query(Tag)), "put together from several queries"),
        (query(Tag).values(func.row_number().over(order_by=[Tag.id])), "computed from a window of others"),
    ],
)
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_rows_of_no_table_cannot_be_locked(built: Any, what: str, database: str) -> None:
    with pytest.raises(QueryError, match=f"rows that are {what} cannot be locked") as caught:
        sql(built.for_update(), database)
    assert caught.value.hint is not None


def test_a_lock_on_a_table_that_is_not_read() -> None:
    with pytest.raises(QueryError, match="names a table that the query does not read"):
        sql(query(Tag).for_update(of=Author))


@pytest.mark.parametrize("of", ["tag", None, 3, [Tag.name], [None], Tag.articles, object])
def test_what_cannot_be_locked(of: Any) -> None:
    with pytest.raises(WrongType, match="is no model"):
        query(Tag).for_update(of=of)


def test_nowait_or_skip_locked() -> None:
    with pytest.raises(QueryError, match="nowait or skip_locked, not both"):
        query(Tag).for_share(nowait=True, skip_locked=True)


def test_locks_are_part_of_the_shape() -> None:
    tags = query(Tag)
    built = [tags, tags.for_update(), tags.for_share(), tags.for_update(nowait=True), tags.for_update(of=Tag)]
    assert len({one._spec.cache_key for one in built}) == len(built)
