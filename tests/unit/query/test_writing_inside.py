"""Updates, deletes and inserts as common table expressions: the exact SQL, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from cormorant import CompileError, Mapped, Model, QueryError, WrongType, field, generated
from tests.support.sql import DATABASES, query, sql
from tests.unit.query.models import Article, Author


class Shelved(Model, app="inside", table="shelved"):
    id: Mapped[int] = field(primary_key=True)
    title: Mapped[str]
    kind: Mapped[str] = field(default="old")


class Tallied(Model, app="inside", table="tallied"):
    id: Mapped[int] = generated(primary_key=True)
    title: Mapped[str]
    version: Mapped[int] = generated(version=True)


def inserted(built: Any, database: str = "postgresql") -> tuple[str, list[Any]]:
    (statement,) = built._executor.statements
    prepared = DATABASES[database].prepare_write(statement)
    return prepared.sql, prepared.first(statement)


OLD = query(Article).filter(Article.views == 0)
GONE = (
    'WITH "gone" AS (DELETE FROM "articles" WHERE "articles"."views" = $1'
    ' RETURNING "articles"."id", "articles"."title")'
)


async def test_deleted_rows_go_into_another_table() -> None:
    gone = query(Article).filter(Article.views == 0).delete_cte("gone", returning=(Article.id, Article.title))
    built = query(Shelved)
    await built.insert_from([Shelved.id, Shelved.title], gone)
    assert inserted(built) == (
        f'{GONE}, "selected"("c0", "c1") AS (SELECT "gone"."id", "gone"."title" FROM "gone")'
        ' INSERT INTO "shelved" ("id", "title", "kind") SELECT "c0", "c1", $2::text FROM "selected"',
        [0, "old"],
    )
    built = query(Shelved)
    await built.insert_from([Shelved.id, Shelved.title], gone.alias("x"))
    assert '(SELECT "x"."id", "x"."title" FROM "gone" AS "x")' in inserted(built)[0]


async def test_changed_rows_are_joined() -> None:
    raised = query(Tallied).filter(Tallied.id > 3).update_cte("raised", Tallied.title.set("x"), returning=Tallied)
    built = query(Article).join(raised, raised[Tallied.id] == Article.id).values(Article.title, raised[Tallied.version])
    assert sql(built.filter(Article.views > 7)) == (
        'WITH "raised" AS (UPDATE "tallied" SET "title" = $1::text, "version" = "tallied"."version" + 1'
        ' WHERE "tallied"."id" > $2 RETURNING "tallied"."id", "tallied"."title", "tallied"."version")'
        ' SELECT "articles"."title", "raised"."version" FROM "articles"'
        ' JOIN "raised" ON "raised"."id" = "articles"."id" WHERE "articles"."views" > $3',
        ["x", 3, 7],
    )


async def test_what_nothing_reads_runs_by_with() -> None:
    gone = query(Article).filter(Article.views == 0).delete_cte("gone")
    assert sql(query(Author).with_(gone).scalars(Author.id))[0] == (
        'WITH "gone" AS (DELETE FROM "articles" WHERE "articles"."views" = $1) SELECT "author"."id" FROM "author"'
    )
    counted = query(Author).with_(gone)
    update = counted.update_cte("older", Author.age.set(3))
    assert sql(query(Author).with_(update).scalars(Author.id))[0] == (
        'WITH "gone" AS (DELETE FROM "articles" WHERE "articles"."views" = $2), "older" AS (UPDATE "author" SET'
        ' "age" = $1::integer WHERE "author"."id" IN (SELECT "author_2"."id" FROM "author" AS "author_2"))'
        ' SELECT "author"."id" FROM "author"'
    )


async def test_inserted_rows_are_read() -> None:
    rows = query(Article).filter(Article.views == 0).values(Article.id, Article.title)
    made = query(Shelved).insert_cte("made", [Shelved.id, Shelved.title], rows, returning=(Shelved.id, Shelved.kind))
    built = query(Article).join(made, made[Shelved.id] == Article.id).values(Article.title, made[Shelved.kind])
    assert sql(built) == (
        'WITH "selected"("c0", "c1") AS (SELECT "articles"."id", "articles"."title" FROM "articles"'
        ' WHERE "articles"."views" = $1), "made" AS (INSERT INTO "shelved" ("id", "title", "kind")'
        ' SELECT "c0", "c1", $2::text FROM "selected" RETURNING "shelved"."id", "shelved"."kind")'
        ' SELECT "articles"."title", "made"."kind" FROM "articles" JOIN "made" ON "made"."id" = "articles"."id"',
        [0, "old"],
    )


async def test_a_delete_moves_on_through_an_insert() -> None:
    gone = query(Article).filter(Article.views == 0).delete_cte("gone", returning=(Article.id, Article.title))
    columns = [Shelved.id, Shelved.title, Shelved.kind]
    kept = query(Shelved).insert_cte("kept", columns[:2], gone, returning=Shelved.id)
    text, args = sql(query(Author).join(kept, kept[Shelved.id] == Author.id).scalars(Author.name))
    assert text.startswith(
        f'{GONE}, "selected"("c0", "c1") AS (SELECT "gone"."id", "gone"."title" FROM "gone"), "kept"'
    )
    assert args == [0, "old"]


@pytest.mark.parametrize("made", [OLD.delete_cte("gone"), OLD.update_cte("gone", Article.views.set(1))])
async def test_sqlite_has_none(made: Any) -> None:
    with pytest.raises(CompileError, match=r"no statements that write in WITH\nHint: .* in one transaction"):
        sql(query(Author).with_(made), "sqlite")
    built = query(Shelved)
    await built.insert_from([Shelved.id, Shelved.title], OLD.delete_cte("x", returning=(Article.id, Article.title)))
    with pytest.raises(CompileError, match="no statements that write in WITH"):
        inserted(built, "sqlite")


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: OLD.delete_cte(3), WrongType, r"3 \(int\) is no name"),  # type: ignore[arg-type]
        (lambda: OLD.delete_cte("x", returning="id"), WrongType, r"returning='id' is no column of Article"),  # type: ignore[arg-type]
        (lambda: OLD.delete_cte("x", returning=Author), WrongType, r"is no column of Article"),  # type: ignore[arg-type]
        (lambda: OLD.delete_cte("x", returning=Article.author.name), QueryError, r"reads along a relation"),
        (lambda: OLD.update_cte("x"), QueryError, r"update\(\) has nothing to set"),
        (lambda: OLD.limit(1).delete_cte("x"), QueryError, r"delete\(\) of Article has limit"),
        (
            lambda: query(Shelved).insert_cte("x", [Shelved.id], OLD.delete_cte("y")),
            QueryError,
            r"names 1 columns of Shelved, and the query selects 0",
        ),
    ],
)
async def test_what_makes_no_sense(make: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()


async def test_moves_of_the_same_shape_share_a_plan() -> None:
    plans: list[Any] = []
    for views in (1, 2):
        gone = query(Article).filter(Article.views == views).delete_cte("gone", returning=(Article.id, Article.title))
        built = query(Shelved)
        await built.insert_from([Shelved.id, Shelved.title], gone)
        (statement,) = built._executor.statements  # type: ignore[attr-defined]
        plans.append(DATABASES["postgresql"].prepare_write(statement))
        assert plans[-1].first(statement) == [views, "old"]
    assert plans[0] is plans[1]
