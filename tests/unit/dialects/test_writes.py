"""INSERT, UPDATE and DELETE by key: one row, and batches whose text does not depend on the number of rows."""

from __future__ import annotations

import enum
import re
from typing import Any

import pytest

from cormorant import types as t
from cormorant.sql.statements import Delete, Insert, InsertMode, TypedColumn, Update
from tests.support.sql import DATABASES


class Color(enum.Enum):
    RED = "red"


ID = TypedColumn("id", t.BIG_INTEGER)
NAME = TypedColumn("name", t.Text(5))
TAGS = TypedColumn("tags", t.Array(t.TEXT))
EXTRA = TypedColumn("extra", t.Json("dict", str, str, dict))
PAINT = TypedColumn("paint", t.Enumeration(Color, "paint"))
MONEY = TypedColumn("money", t.Custom(int, t.Numeric(10, 2), str, int))
VERSION = TypedColumn("version", t.INTEGER)


def sql(statement: Insert | Update | Delete, database: str) -> str:
    return DATABASES[database].dialect.compile(statement).sql


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        (Insert("a", (NAME, TAGS)), 'INSERT INTO "a" ("name", "tags") VALUES ($1, $2)'),
        (Insert("a", (NAME,), (ID,)), 'INSERT INTO "a" ("name") VALUES ($1) RETURNING "id"'),
        (Insert("a", (), (ID,)), 'INSERT INTO "a" DEFAULT VALUES RETURNING "id"'),
        (Insert('we"ird', (TypedColumn('a"b', t.TEXT),)), 'INSERT INTO "we""ird" ("a""b") VALUES ($1)'),
        (
            Update("a", (NAME, TAGS), (ID,)),
            'UPDATE "a" SET "name" = $2, "tags" = $3 WHERE "id" = $1 RETURNING "id"',
        ),
        (
            Update("a", (NAME,), (ID, VERSION), "version", (VERSION,)),
            'UPDATE "a" SET "name" = $3, "version" = "version" + 1 WHERE "id" = $1 AND "version" = $2'
            ' RETURNING "version"',
        ),
        (Delete("a", (ID,)), 'DELETE FROM "a" WHERE "id" = $1 RETURNING "id"'),
        (
            Delete("a", (ID, VERSION)),
            'DELETE FROM "a" WHERE "id" = $1 AND "version" = $2 RETURNING "id", "version"',
        ),
    ],
)
def test_one_row(statement: Insert | Update | Delete, expected: str) -> None:
    assert sql(statement, "postgresql") == expected
    # all that comes back are whole numbers, which SQLite is kept from making floats of
    head, word, columns = expected.replace("$", "?").partition(" RETURNING ")
    assert sql(statement, "sqlite") == head + word + re.sub(r'"\w+"', r"+\g<0>", columns)


ROWS = 'unnest($1::text::text[], $2::text::text[]) WITH ORDINALITY AS d("name", "tags", ord)'


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        (
            "by_key",
            f'INSERT INTO "a" ("name", "tags") SELECT d."name", d."tags"::text[] FROM {ROWS} ORDER BY d.ord'
            ' RETURNING "id"',
        ),
        (
            "ascending",
            f'INSERT INTO "a" ("name", "tags") SELECT d."name", d."tags"::text[] FROM {ROWS} ORDER BY d.ord'
            ' RETURNING "id"',
        ),
        (
            "ordinal",
            f'MERGE INTO "a" AS t USING {ROWS} ON false WHEN NOT MATCHED THEN INSERT ("name", "tags")'
            ' VALUES (d."name", d."tags"::text[]) RETURNING d.ord, t."id"',
        ),
    ],
)
def test_inserting_a_batch(mode: InsertMode, expected: str) -> None:
    assert sql(Insert("a", (NAME, TAGS), (ID,), mode), "postgresql") == expected


def test_updating_a_batch() -> None:
    assert sql(Update("a", (NAME,), (ID, VERSION), "version", (VERSION,), batch=True), "postgresql") == (
        'UPDATE "a" AS t SET "name" = d."name", "version" = t."version" + 1'
        " FROM unnest($1::text::bigint[], $2::text::integer[], $3::text::text[]) WITH ORDINALITY"
        ' AS d("key_id", "key_version", "name", ord)'
        ' WHERE t."id" = d."key_id" AND t."version" = d."key_version" RETURNING d.ord, t."version"'
    )


def test_a_batch_may_change_the_key_itself() -> None:
    assert sql(Update("a", (ID,), (ID,), batch=True), "postgresql") == (
        'UPDATE "a" AS t SET "id" = d."id" FROM unnest($1::text::bigint[], $2::text::bigint[]) WITH ORDINALITY'
        ' AS d("key_id", "id", ord) WHERE t."id" = d."key_id" RETURNING d.ord'
    )


def test_deleting_a_batch() -> None:
    assert sql(Delete("a", (ID,), batch=True), "postgresql") == (
        'DELETE FROM "a" AS t USING unnest($1::text::bigint[]) WITH ORDINALITY AS d("key_id", ord)'
        ' WHERE t."id" = d."key_id" RETURNING d.ord'
    )


@pytest.mark.parametrize(
    ("column", "carried", "value"),
    [
        (NAME, "text", 'd."name"'),
        (TAGS, "text", 'd."tags"::text[]'),
        (EXTRA, "text", 'd."extra"::jsonb'),
        (PAINT, "text", 'd."paint"::"paint"'),
        (MONEY, "numeric", 'd."money"'),
    ],
)
def test_a_batch_carries_what_unnest_would_flatten_as_text(column: TypedColumn, carried: str, value: str) -> None:
    text = sql(Insert("a", (column,), mode="by_key"), "postgresql")
    assert f"$1::text::{carried}[]" in text
    assert f"SELECT {value} FROM" in text


@pytest.mark.parametrize(
    ("version", "key_given", "ascending", "mode"),
    [
        ((15, 2), True, False, "by_key"),
        ((15, 2), False, True, "ascending"),
        ((15, 2), False, False, "row"),
        ((17, 0), False, False, "ordinal"),
        ((18,), True, True, "by_key"),
        ((), False, False, "row"),
    ],
)
def test_a_batch_finds_its_rows_by_value(version: Any, key_given: bool, ascending: bool, mode: str) -> None:
    def chosen(database: str) -> str:
        dialect = DATABASES[database].dialect
        return dialect.insert_mode(version, key_given=key_given, ascending=ascending)

    assert chosen("postgresql") == mode
    assert chosen("sqlite") == "row"


def test_a_statement_is_known_by_its_shape() -> None:
    one, same = Insert("a", (NAME,), (ID,)), Insert("a", (NAME,), (ID,))
    assert one.key == same.key
    others = [
        Insert("b", (NAME,), (ID,)),
        Insert("a", (TAGS,), (ID,)),
        Insert("a", (NAME,), ()),
        Insert("a", (NAME,), (ID,), "by_key"),
        Insert("a", (NAME, ID)),
        Insert("a", (), (NAME, ID)),
        Update("a", (NAME,), (ID,)),
        Update("a", (), (NAME, ID)),
        Update("a", (NAME,), (ID,), batch=True),
        Delete("a", (NAME, ID)),
    ]
    assert len({one.key, *(other.key for other in others)}) == len(others) + 1


@pytest.mark.parametrize(
    ("options", "postgresql", "sqlite"),
    [
        ({}, "BEGIN", "BEGIN"),
        ({"write": True}, "BEGIN", "BEGIN IMMEDIATE"),
        ({"write": True, "read_only": True}, "BEGIN READ ONLY", "BEGIN"),
        ({"isolation": "serializable"}, "BEGIN ISOLATION LEVEL SERIALIZABLE", "BEGIN"),
        (
            {"isolation": "repeatable read", "read_only": True, "deferrable": True},
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY DEFERRABLE",
            "BEGIN",
        ),
    ],
)
def test_transactions(options: dict[str, Any], postgresql: str, sqlite: str) -> None:
    given = {"isolation": None, "read_only": False, "deferrable": False, "write": False, **options}
    assert DATABASES["postgresql"].dialect.begin(**given) == postgresql
    assert DATABASES["sqlite"].dialect.begin(**given) == sqlite


def test_savepoints() -> None:
    for database in DATABASES.values():
        dialect = database.dialect
        assert dialect.savepoint("a") == 'SAVEPOINT "a"'
        assert dialect.release_savepoint("a") == 'RELEASE SAVEPOINT "a"'
        assert dialect.rollback_to_savepoint("a") == 'ROLLBACK TO SAVEPOINT "a"'
