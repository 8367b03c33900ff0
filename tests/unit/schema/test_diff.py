"""Operations between schemas: which they are, in which order, and their exact SQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from cormorant import CompileError
from cormorant.dialects.postgresql import PostgreSQLDialect
from cormorant.dialects.sqlite import SQLiteDialect
from cormorant.schema import column_operations as c
from cormorant.schema import index_operations as i
from cormorant.schema import operations as o
from cormorant.schema import snapshot as s
from cormorant.schema import steps
from cormorant.schema.diff import diff
from cormorant.schema.plan import plan
from cormorant.schema.python_form import operations_source
from cormorant.schema.rebuild import RebuildTable
from cormorant.schema.state import apply

POSTGRESQL, SQLITE = PostgreSQLDialect(), SQLiteDialect()

ID = s.Column("id", "bigint", identity="by default")
TITLE = s.Column("title", "varchar(100)")
VIEWS = s.Column("views", "integer", fill="0")


def table(name: str, *columns: s.Column, **more: object) -> s.Table:
    return s.Table(name, (ID, *columns), s.PrimaryKey(("id",)), **more)  # type: ignore[arg-type]


def link(target: str, source: str) -> s.ForeignKey:
    return s.ForeignKey(f"fk_{source}_{target}", (f"{target}_id",), target, ("id",))


def key(target: str) -> s.Column:
    return s.Column(f"{target}_id", "bigint", nullable=True)


def schema(*tables: s.Table, **more: object) -> s.SchemaSnapshot:
    return s.SchemaSnapshot(tables, **more)  # type: ignore[arg-type]


def sql(operations: Sequence[o.Operation]) -> list[str]:
    return [statement for operation in operations for statement in operation.statements(POSTGRESQL)]


def test_equal_schemas_need_nothing() -> None:
    one = schema(table("book", TITLE, checks=(s.Check("long", 'length("title") > 3'),)))
    other = schema(
        table("book", replace(TITLE, type="character varying(100)"), checks=(s.Check("long", "(length(title)>3)"),))
    )
    assert diff(one, other) == []


def test_a_column_that_may_not_be_null_is_filled_for_the_rows_that_are_there() -> None:
    operations = diff(schema(table("book")), schema(table("book", VIEWS)))
    assert sql(operations) == [
        'ALTER TABLE "book" ADD COLUMN "views" integer DEFAULT 0 NOT NULL',
        'ALTER TABLE "book" ALTER COLUMN "views" DROP DEFAULT',
    ]
    (back,) = [operation.reverse() for operation in operations]
    assert sql([back]) == ['ALTER TABLE "book" DROP COLUMN "views"']
    assert back.describe() == "drop column book.views with its values"


def test_renames_are_as_the_schema_says_and_parts_follow() -> None:
    old = schema(table("book", s.Column("headline", "text"), uniques=(s.Unique("uq_book_headline", ("headline",)),)))
    title = s.Column("title", "text", renamed_from="headline")
    novel = table("novel", title, uniques=(s.Unique("uq_novel_title", ("title",)),))
    new = schema(replace(novel, renamed_from="book"))
    operations = diff(old, new)
    assert sql(operations) == [
        'ALTER TABLE "book" RENAME TO "novel"',
        'ALTER TABLE "novel" RENAME COLUMN "headline" TO "title"',
        'ALTER TABLE "novel" RENAME CONSTRAINT "uq_book_headline" TO "uq_novel_title"',
    ]
    assert diff(apply(old, *operations), new) == []
    # said once more, when the former names are gone, it means nothing
    assert diff(new, new) == []


def test_a_former_name_that_another_column_takes_at_once_is_given_up_first() -> None:
    old = schema(table("book", s.Column("headline", "text", nullable=True)))
    both = (s.Column("headline", "text", nullable=True), s.Column("title", "text", True, renamed_from="headline"))
    operations = diff(old, schema(table("book", *both)))
    assert [operation.describe() for operation in operations] == [
        "rename column book.headline to title",
        "add column book.headline text",
    ]
    # it is done once: the model still says it
    assert diff(apply(old, *operations), schema(table("book", *both))) == []


def test_a_former_name_that_another_table_takes_at_once_is_given_up_first() -> None:
    old = schema(table("book", TITLE))
    new = schema(replace(table("novel", TITLE), renamed_from="book"), table("book", VIEWS))
    operations = diff(old, new)
    assert [operation.describe() for operation in operations] == [
        "rename table book to novel",
        "rename constraint book_pkey of novel to novel_pkey",
        "create table book (id, views)",
    ]
    assert diff(apply(old, *operations), new) == []
    back = apply(apply(old, *operations), *(operation.reverse() for operation in reversed(operations)))
    assert back == old


def links(owner: str, renamed_from: str | None = None) -> s.Table:
    ends = (s.Column(f"{owner}_id", "bigint"), s.Column("tag_id", "bigint"))
    keys = (link(owner, f"{owner}_tags"), link("tag", f"{owner}_tags"))
    key = s.PrimaryKey((f"{owner}_id", "tag_id"))
    return s.Table(f"{owner}_tags", ends, key, foreign_keys=keys, renamed_from=renamed_from)


def test_links_of_another_model_are_not_taken_because_a_model_once_had_its_name() -> None:
    novel = replace(table("novel"), renamed_from="book")
    old = schema(table("novel"), table("tag"), table("book"), links("book"))
    new = schema(novel, table("tag"), table("book"), links("book"), links("novel", "book_tags"))
    assert [each.describe() for each in diff(old, new)] == ["create table novel_tags (novel_id, tag_id)"]
    first = schema(table("tag"), table("book"), links("book"))
    assert "rename table book_tags to novel_tags" in [each.describe() for each in diff(first, new)]


def related(*columns: str, **former: str) -> s.SchemaSnapshot:
    made = (s.Column(name, "bigint", nullable=True, renamed_from=former.get(name)) for name in columns)
    keys = (s.ForeignKey(f"fk_book_{name}", (name,), "shelf", ("id",)) for name in columns)
    return schema(table("book", *made, foreign_keys=tuple(keys)), table("shelf"))


def test_foreign_keys_are_renamed_with_their_columns_in_turn() -> None:
    old, new = related("a", "b"), related("c", "b", "a", c="b", b="a")
    operations = diff(old, new)
    assert [each.describe() for each in operations] == [
        "rename column book.b to c",
        "rename column book.a to b",
        "rename constraint fk_book_b of book to fk_book_c",
        "rename constraint fk_book_a of book to fk_book_b",
        "add column book.a bigint",
        "add foreign key (a) to shelf to book",
    ]
    assert diff(apply(old, *operations), new) == []
    assert apply(apply(old, *operations), *(each.reverse() for each in reversed(operations))) == old


def test_a_foreign_key_keeps_another_name_until_somebody_wants_it() -> None:
    # as versions before left it after a rename, or as somebody else has called it
    left = related("a")
    (book, shelf) = apply(left, c.RenameColumn("book", "a", "b")).tables
    old = schema(book, shelf)
    assert diff(old, related("b")) == []
    assert [each.describe() for each in diff(old, related("b", "a"))] == [
        "rename constraint fk_book_a of book to fk_book_b",
        "add column book.a bigint",
        "add foreign key (a) to shelf to book",
    ]


def test_a_renamed_table_that_sqlite_rebuilds_has_no_name_for_its_primary_key() -> None:
    old = related("a")
    novel = table("novel", *old.tables[0].columns, foreign_keys=(replace(link("shelf", "x"), columns=("a",)),))
    new = schema(replace(novel, renamed_from="book"), old.tables[1])
    (rebuild,) = (each for each in plan(old, diff(old, new), SQLITE) if isinstance(each, RebuildTable))
    assert rebuild.after.primary_key is not None
    assert rebuild.after.primary_key.name == ""
    assert [key.name for key in rebuild.after.foreign_keys] == ["fk_x_shelf"]


def test_of_two_foreign_keys_of_one_name_the_one_that_is_meant_is_dropped() -> None:
    kept, gone = (s.ForeignKey("fk_book_a", (name,), "shelf", ("id",)) for name in ("b", "a"))
    both = schema(table("book", foreign_keys=(kept, gone)), table("shelf"))
    assert apply(both, o.DropConstraint("book", gone)).tables[0].foreign_keys == (kept,)


def test_names_that_change_places_go_by_a_third_one() -> None:
    old = s.Index("a", (s.IndexItem("id"),)), s.Index("b", (s.IndexItem("title"),))
    new = s.Index("b", (s.IndexItem("id"),)), s.Index("a", (s.IndexItem("title"),))
    operations = diff(schema(table("book", TITLE, indexes=old)), schema(table("book", TITLE, indexes=new)))
    assert sql(operations) == [
        'ALTER INDEX "a" RENAME TO "a__before"',
        'ALTER INDEX "b" RENAME TO "a"',
        'ALTER INDEX "a__before" RENAME TO "b"',
    ]


def test_tables_that_point_to_each_other_get_a_foreign_key_afterwards_and_lose_it_before() -> None:
    ring = schema(
        table("book", key("shelf"), foreign_keys=(link("shelf", "book"),)),
        table("shelf", key("book"), foreign_keys=(link("book", "shelf"),)),
    )
    made = [operation.describe() for operation in diff(schema(), ring)]
    assert [each.split()[0] for each in made] == ["create", "create", "add"]
    assert made[2].startswith("add foreign key")
    dropped = [operation.describe() for operation in diff(ring, schema())]
    assert dropped[0].startswith("drop foreign key")
    assert [each.split()[0] for each in dropped] == ["drop"] * 3


def test_what_stands_over_a_column_of_another_type_is_made_anew_around_it() -> None:
    check = s.Check("ck", '"views" > 0')
    index = s.Index("ix", (s.IndexItem("views"),), where='"views" > 9')
    old = schema(table("book", VIEWS, checks=(check,), indexes=(index,)))
    new = schema(table("book", replace(VIEWS, type="text"), checks=(check,), indexes=(index,)))
    assert sql(diff(old, new)) == [
        'DROP INDEX "ix"',
        'ALTER TABLE "book" DROP CONSTRAINT "ck"',
        'ALTER TABLE "book" ALTER COLUMN "views" TYPE text USING "views"::text::text',
        'ALTER TABLE "book" ADD CONSTRAINT "ck" CHECK ("views" > 0)',
        'CREATE INDEX "ix" ON "book" ("views") WHERE "views" > 9',
    ]


def test_a_wider_text_is_altered_in_place_and_its_index_stays() -> None:
    index = s.Index("ix", (s.IndexItem("title"),))
    old, new = (schema(table("book", replace(TITLE, type=each), indexes=(index,))) for each in ("varchar(100)", "text"))
    assert sql(diff(old, new)) == ['ALTER TABLE "book" ALTER COLUMN "title" TYPE text']


def test_expressions_over_a_column_of_another_kind_of_text_are_said_anew() -> None:
    parts = {
        "checks": (s.Check("ck", "coalesce(\"title\", '') <> ''"),),
        "indexes": (s.Index("ix", (s.IndexItem("id"),), where="coalesce(\"title\", '') <> ''"),),
        "searches": (s.SearchIndex("words", ("title",)),),
    }
    old, new = (schema(table("book", replace(TITLE, type=each), **parts)) for each in ("varchar(100)", "text"))
    assert [operation.describe() for operation in diff(old, new)] == [
        "drop search index words of book",
        "drop index ix of book",
        "drop check ck of book",
        "alter column book.title: type varchar(100) to text",
        "add check ck to book",
        "create index ix on book",
        "create search index words on book",
    ]
    longer = schema(table("book", replace(TITLE, type="varchar(200)"), **parts))
    assert len(diff(old, longer)) == 1


def test_values_of_an_enum_are_added_alone_and_removed_by_another_type() -> None:
    mood = s.Column("mood", '"mood"', default="'ok'")
    few, many = s.Enum("mood", ("ok", "bad")), s.Enum("mood", ("ok", "fine", "bad"))
    old, new = schema(table("book", mood), enums=(few,)), schema(table("book", mood), enums=(many,))
    (added,) = diff(old, new)
    assert added.outside
    assert sql([added]) == ["ALTER TYPE \"mood\" ADD VALUE 'fine' AFTER 'ok'"]
    (removed,) = diff(new, old)
    assert not removed.outside
    assert sql([removed]) == [
        'ALTER TYPE "mood" RENAME TO "mood__before"',
        "CREATE TYPE \"mood\" AS ENUM ('ok', 'bad')",
        'ALTER TABLE "book" ALTER COLUMN "mood" DROP DEFAULT',
        'ALTER TABLE "book" ALTER COLUMN "mood" TYPE "mood" USING "mood"::text::"mood"',
        'ALTER TABLE "book" ALTER COLUMN "mood" SET DEFAULT \'ok\'',
        'DROP TYPE "mood__before"',
    ]
    assert removed.reverse() == added


def test_numbering_goes_on_after_the_rows_that_are_there() -> None:
    plain = s.Table("book", (s.Column("id", "bigint"),), s.PrimaryKey(("id",)))
    assert sql(diff(schema(plain), schema(table("book")))) == [
        'ALTER TABLE "book" ALTER COLUMN "id" ADD GENERATED BY DEFAULT AS IDENTITY',
        'SELECT setval(pg_get_serial_sequence(\'"book"\', \'id\'), coalesce(max("id"), 0) + 1, false) FROM "book"',
    ]


def test_operations_are_python_that_gives_them_again() -> None:
    said = replace(TITLE, comment="in large type on the first page, small elsewhere")
    operations = diff(schema(table("book", TITLE)), schema(table("book", said, VIEWS)))
    source = operations_source(operations)
    assert source.splitlines() == [
        "[",
        "    op.AlterColumn(",
        '        "book",',
        '        s.Column("title", "varchar(100)"),',
        f'        s.Column("title", "varchar(100)", comment="{said.comment}"),',
        "    ),",
        '    op.AddColumn("book", s.Column("views", "integer", fill="0")),',
        "]",
    ]
    assert eval(source, {"op": steps, "s": s}) == operations


def test_constraints_and_indexes_that_disturb_nobody() -> None:
    check = s.Check("ck", '"views" > 0', validated=False)
    index = i.CreateIndex("book", s.Index("ix", (s.IndexItem("views"),)), concurrently=True)
    assert sql([o.AddConstraint("book", check), o.ValidateConstraint("book", check), index, index.reverse()]) == [
        'ALTER TABLE "book" ADD CONSTRAINT "ck" CHECK ("views" > 0) NOT VALID',
        'ALTER TABLE "book" VALIDATE CONSTRAINT "ck"',
        'CREATE INDEX CONCURRENTLY "ix" ON "book" ("views")',
        'DROP INDEX CONCURRENTLY "ix"',
    ]
    assert index.outside
    lax, strict = (schema(table("book", VIEWS, checks=(replace(check, validated=v),))) for v in (False, True))
    assert sql(diff(lax, strict)) == ['ALTER TABLE "book" VALIDATE CONSTRAINT "ck"']


def test_tables_of_other_schemas() -> None:
    audit = s.Table("log.old", (ID,), s.PrimaryKey(("id",)), schema="audit")
    operations = diff(schema(), schema(audit, schemas=("audit",)))
    assert [statement.splitlines()[0] for statement in sql(operations)] == [
        'CREATE SCHEMA "audit"',
        'CREATE TABLE "audit"."log.old" (',
    ]


def test_sqlite_puts_changes_of_one_table_into_one_rebuild() -> None:
    old, new = schema(table("book", TITLE)), schema(table("book", replace(TITLE, nullable=True), VIEWS))
    operations = diff(old, new)
    with pytest.raises(CompileError, match=r"alter column book\.title: may be null"):
        operations[0].statements(SQLITE)
    (rebuild,) = plan(old, operations, SQLITE)
    assert isinstance(rebuild, RebuildTable)
    assert rebuild.statements(SQLITE) == [
        "PRAGMA legacy_alter_table = ON",
        'CREATE TABLE "cormorant_new_book" (\n  "id" INTEGER PRIMARY KEY AUTOINCREMENT,\n  "title" TEXT,\n'
        '  "views" INTEGER NOT NULL\n)',
        'INSERT INTO "cormorant_new_book" ("id", "title", "views") SELECT "id", "title", 0 FROM "book"',
        "INSERT INTO sqlite_sequence (name, seq) SELECT 'cormorant_new_book', 0 "
        "WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'cormorant_new_book')",
        "UPDATE sqlite_sequence SET seq = max(seq, coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'book'), 0)) "
        "WHERE name = 'cormorant_new_book'",
        'DROP TABLE "book"',
        'ALTER TABLE "cormorant_new_book" RENAME TO "book"',
        "PRAGMA legacy_alter_table = OFF",
    ]


def test_a_rebuild_converts_values_through_every_type_they_had_on_the_way() -> None:
    day, number = replace(TITLE, type="interval"), replace(VIEWS, type="boolean", default="false")
    old = schema(table("book", TITLE))
    steps = [
        c.AlterColumn("book", TITLE, replace(TITLE, type="integer")),
        c.AddColumn("book", VIEWS),
        c.AlterColumn("book", VIEWS, number),
        c.AlterColumn("book", replace(TITLE, type="integer"), day),
    ]
    (rebuild,) = plan(old, steps, SQLITE)
    assert rebuild.statements(SQLITE)[2] == (
        'INSERT INTO "cormorant_new_book" ("id", "title") SELECT "id", '
        "cormorant_converted(cormorant_converted(\"title\", 'varchar(100)', 'integer'), 'integer', 'interval') "
        'FROM "book"'
    )


def test_a_rebuild_keeps_what_sqlite_says_of_the_whole_table() -> None:
    old = schema(table("book", TITLE, options="STRICT"), dialect="sqlite")
    (rebuild,) = plan(old, [c.DropColumn("book", TITLE)], SQLITE)
    assert rebuild.statements(SQLITE)[1].endswith(") STRICT")


def test_what_sqlite_does_not_keep_needs_no_rebuild() -> None:
    old = schema(table("book", TITLE))
    new = schema(table("book", replace(TITLE, type="varchar(200)", comment="longer"), comment="books"))
    assert [op for op in plan(old, diff(old, new), SQLITE) if op.statements(SQLITE)] == []


def test_a_value_of_ones_own_can_be_made_of_the_old_one() -> None:
    change = c.AlterColumn("book", VIEWS, replace(VIEWS, type="text"), using="'v' || \"views\"")
    assert sql([change]) == ['ALTER TABLE "book" ALTER COLUMN "views" TYPE text USING \'v\' || "views"']
    (rebuild,) = plan(schema(table("book", VIEWS)), [change], SQLITE)
    assert 'SELECT "id", \'v\' || "views" FROM' in " ".join(rebuild.statements(SQLITE))
