"""What the linter says of steps, and what it leaves alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cormorant.dialects.sqlite import SQLiteDialect
from cormorant.migrations import Backfill, RunSQL, Step
from cormorant.migrations.safety.findings import Finding, exit_code, worst
from cormorant.migrations.safety.lint import lint
from cormorant.migrations.safety.sizes import TableSize
from cormorant.schema import snapshot as s
from cormorant.schema import steps as op

ID = s.Column("id", "bigint", identity="by default")
VIEWS = s.Column("views", "integer", nullable=True)
TITLE = s.Column("title", "varchar(20)")
MOOD = s.Enum("mood", ("calm", "cross"))
AUTHOR = s.Table("author", (ID,), s.PrimaryKey(("id",)))
BOOK = s.Table("book", (ID, TITLE, VIEWS, s.Column("author_id", "bigint")), s.PrimaryKey(("id",)))
BEFORE = s.SchemaSnapshot((AUTHOR, BOOK), (MOOD,))
KEY = s.ForeignKey("book_author", ("author_id",), "author", ("id",))
CHECK = s.Check("ck_views", "views >= 0")
INDEX = s.Index("ix_views", (s.IndexItem("views"),))
LARGE = {"author": TableSize(10**7, 10**9), "book": TableSize(10**8, 10**10)}
SMALL = {"author": TableSize(100, 8192), "book": TableSize(1000, 65536)}

Said = tuple[str, str, str, list[str]]
"""The level, the rule, the locks, and what to do instead."""


def said(finding: Finding) -> Said:
    return finding.level, finding.rule, finding.lock, [step.describe() for step in finding.instead]


CASES: dict[str, tuple[op.Operation, list[Said]]] = {
    "an index": (
        op.CreateIndex("book", INDEX),
        [("error", "scans-under-lock", "SHARE on book", ["create index ix_views on book concurrently"])],
    ),
    "an index, concurrently": (op.CreateIndex("book", INDEX, concurrently=True), []),
    "the drop of an index": (
        op.DropIndex("book", INDEX),
        [("notice", "drops-index", "ACCESS EXCLUSIVE on book", ["drop index ix_views of book concurrently"])],
    ),
    "a check": (
        op.AddConstraint("book", CHECK),
        [
            (
                "error",
                "scans-under-lock",
                "ACCESS EXCLUSIVE on book",
                ["add check ck_views to book, not yet validated", "validate check ck_views of book"],
            )
        ],
    ),
    "a check for new rows": (op.AddConstraint("book", replace(CHECK, validated=False)), []),
    "a foreign key": (
        op.AddConstraint("book", KEY),
        [
            (
                "error",
                "scans-under-lock",
                "SHARE ROW EXCLUSIVE on book, SHARE ROW EXCLUSIVE on author",
                [
                    "add foreign key (author_id) to author to book, not yet validated",
                    "validate foreign key (author_id) to author of book",
                ],
            )
        ],
    ),
    "a unique constraint": (
        op.AddConstraint("book", s.Unique("u_title", ("title",))),
        [("error", "scans-under-lock", "ACCESS EXCLUSIVE on book", ["add unique (title) to book concurrently"])],
    ),
    "a column": (op.AddColumn("book", s.Column("stars", "integer", nullable=True)), []),
    "a column with a default": (op.AddColumn("book", s.Column("stars", "integer", default="0")), []),
    "a column with a value for old rows alone": (
        op.AddColumn("book", s.Column("stars", "integer", fill="0")),
        [("warning", "no-default", "", [])],
    ),
    "a column without a value": (
        op.AddColumn("book", s.Column("stars", "integer")),
        [
            ("warning", "no-default", "", []),
            ("error", "no-value", "", []),
        ],
    ),
    "a column that numbers": (
        op.AddColumn("book", s.Column("number", "bigint", identity="by default")),
        [("error", "rewrites-table", "ACCESS EXCLUSIVE on book", [])],
    ),
    "a larger text": (op.AlterColumn("book", TITLE, replace(TITLE, type="varchar(50)")), []),
    "a shorter text": (
        op.AlterColumn("book", TITLE, replace(TITLE, type="varchar(5)")),
        [
            (
                "error",
                "rewrites-table",
                "ACCESS EXCLUSIVE on book",
                [
                    "add column book.title__new in step with title: varchar(20) to varchar(5)",
                    "fill book.title__new in batches of 1,000",
                    "add check ck_book_title__new_given to book, not yet validated",
                    "validate check ck_book_title__new_given of book",
                    "column book.title__new takes the place of title, which is dropped",
                ],
            ),
            ("warning", "narrower-type", "", []),
        ],
    ),
    "a larger key": (
        op.AlterColumn("author", replace(ID, type="integer"), ID),
        [
            (
                "error",
                "rewrites-table",
                "ACCESS EXCLUSIVE on author",
                [
                    "add column author.id__new in step with id: integer to bigint",
                    "fill author.id__new in batches of 1,000",
                    "create unique index author_pkey__new on author concurrently",
                    "add check ck_author_id__new_given to author, not yet validated",
                    "validate check ck_author_id__new_given of author",
                    "column author.id__new takes the place of id, which is dropped",
                ],
            )
        ],
    ),
    "not null": (
        op.AlterColumn("book", VIEWS, replace(VIEWS, nullable=False)),
        [
            (
                "error",
                "scans-under-lock",
                "ACCESS EXCLUSIVE on book",
                [
                    "add check ck_book_views_given to book, not yet validated",
                    "validate check ck_book_views_given of book",
                    "alter column book.views: not null",
                    "drop check ck_book_views_given of book",
                ],
            ),
            ("warning", "not-null", "", []),
        ],
    ),
    "another name of a table": (op.RenameTable("book", "volume"), [("warning", "renames-table", "", [])]),
    "another name of a column": (op.RenameColumn("book", "views", "seen"), [("warning", "renames-column", "", [])]),
    "the drop of a table": (op.DropTable(BOOK), [("warning", "drops-table", "", [])]),
    "the drop of a column": (op.DropColumn("book", VIEWS), [("warning", "drops-column", "", [])]),
    "another value of an enum": (op.AlterEnum(MOOD, s.Enum("mood", ("calm", "cross", "glad"))), []),
    "a value less of an enum": (
        op.AlterEnum(MOOD, s.Enum("mood", ("calm",))),
        [("warning", "enum-value-gone", "", []), ("error", "enum-value-in-use", "", [])],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_said_of_large_tables(name: str) -> None:
    operation, expected = CASES[name]
    assert [said(each) for each in lint([operation], BEFORE, LARGE)] == expected
    # who knows no sizes is on the safe side
    assert [said(each) for each in lint([operation], BEFORE)] == expected


@pytest.mark.parametrize("name", CASES)
def test_locks_on_small_tables_do_not_matter(name: str) -> None:
    operation, _ = CASES[name]
    assert [each for each in lint([operation], BEFORE, SMALL) if each.locks] == []


def test_new_tables_are_nobody_s() -> None:
    leaf = s.Table("leaf", (ID, s.Column("book_id", "bigint"), VIEWS), s.PrimaryKey(("id",)))
    key = s.ForeignKey("leaf_book", ("book_id",), "leaf", ("id",))
    steps: list[Step] = [
        op.CreateTable(leaf),
        op.AddConstraint("leaf", key),
        op.CreateIndex("leaf", INDEX),
        op.RenameTable("leaf", "page"),
        op.AddConstraint("page", CHECK),
        op.RenameColumn("page", "views", "seen"),
        op.AddColumn("page", s.Column("number", "bigint", identity="by default")),
        op.DropColumn("page", s.Column("book_id", "bigint")),
        op.AddColumn("page", s.Column("stars", "integer")),
    ]
    assert lint(steps, BEFORE, LARGE) == []


def test_a_key_of_few_rows_is_no_matter_however_many_it_may_point_to() -> None:
    sizes = {"author": LARGE["author"], "book": SMALL["book"]}
    assert lint([op.AddConstraint("book", KEY)], BEFORE, sizes) == []
    leaf = s.Table("leaf", (ID, s.Column("author_id", "bigint")), s.PrimaryKey(("id",)))
    key = replace(KEY, name="leaf_author")
    assert lint([op.CreateTable(leaf), op.AddConstraint("leaf", key)], BEFORE, LARGE) == []
    (found,) = lint([op.AddConstraint("book", KEY)], BEFORE, {"author": SMALL["author"], "book": LARGE["book"]})
    assert found.why.startswith(
        "PostgreSQL reads every row of book (about 100,000,000 rows) while nobody can write book"
    )


def test_an_empty_table_takes_a_column_without_a_value() -> None:
    found = lint([op.AddColumn("book", s.Column("stars", "integer"))], BEFORE, {"book": TableSize(0)})
    assert [finding.rule for finding in found] == ["no-default"]


def test_locks_are_held_until_the_transaction_ends() -> None:
    column = op.AddColumn("book", s.Column("stars", "integer", nullable=True))
    later = replace(CHECK, validated=False)
    validate = op.ValidateConstraint("book", later)
    (found,) = lint([op.AddConstraint("book", later), column, validate], BEFORE, LARGE)
    assert said(found) == (
        "error",
        "holds-locks",
        "ACCESS EXCLUSIVE on book",
        ["validate check ck_views of book"],
    )
    assert found.place == 2
    assert found.why == (
        "PostgreSQL reads every row of book (about 100,000,000 rows) while nobody can read or write book, by the locks "
        "that steps before it in the same transaction took"
    )
    assert lint([op.AddConstraint("book", later), column, replace(validate, alone=True)], BEFORE, LARGE) == []


def test_a_table_keeps_its_size_under_another_name() -> None:
    steps = [op.RenameTable("book", "volume"), op.CreateIndex("volume", INDEX)]
    large = {"author": SMALL["author"], "book": LARGE["book"]}
    assert [each.rule for each in lint(steps, BEFORE, large)] == ["renames-table", "scans-under-lock"]
    assert [each.rule for each in lint(steps, BEFORE, SMALL)] == ["renames-table"]


def test_a_release_that_runs_makes_errors_of_what_it_needs() -> None:
    steps = [op.DropColumn("book", VIEWS), op.AddColumn("book", s.Column("stars", "integer", fill="0"))]
    (drop, add) = lint(steps, BEFORE, LARGE, running=BEFORE)
    assert (drop.level, drop.operation) == ("error", "drop column book.views")
    assert (add.level, add.operation) == ("error", "add column book.stars not null")
    without = replace(BOOK, columns=(ID, TITLE, BOOK.columns[3]))
    assert lint(steps[:1], BEFORE, LARGE, running=s.SchemaSnapshot((AUTHOR, without), (MOOD,))) == []


def test_a_release_that_runs_knows_the_old_names() -> None:
    steps = [op.RenameTable("author", "writer"), op.RenameColumn("book", "title", "headline")]
    found = lint(steps, BEFORE, SMALL, running=BEFORE)
    assert [(each.level, each.operation) for each in found] == [
        ("error", "rename table author to writer"),
        ("error", "rename column book.title to headline"),
    ]


def test_what_rows_refuse_is_told_whatever_runs() -> None:
    steps = [op.AddColumn("author", s.Column("stars", "integer"))]
    found = lint(steps, BEFORE, SMALL, running=s.SchemaSnapshot())
    assert [(each.level, each.rule, each.place) for each in found] == [("error", "no-value", 0)]


def test_an_enum_under_another_name() -> None:
    (found,) = lint([op.RenameEnum("mood", "temper")], BEFORE)
    assert (found.level, found.rule, found.operation) == ("warning", "enum-gone", "rename enum mood to temper")


def test_partitions_want_their_indexes_one_by_one() -> None:
    parted = s.SchemaSnapshot((AUTHOR, replace(BOOK, partitioned="RANGE (id)")), (MOOD,))
    (found,) = lint([op.CreateIndex("book", INDEX, concurrently=True)], parted, LARGE)
    assert (found.level, found.rule) == ("error", "partitioned")
    (found,) = lint([op.AddConstraint("book", KEY)], parted, LARGE)
    assert (found.instead, found.advice) == (
        (),
        "add it to each partition first, NOT VALID, and validate it there",
    )


def test_what_is_no_operation() -> None:
    steps: list[Step] = [
        RunSQL("update book set views = 0", tables=("book",)),
        RunSQL("vacuum book", outside=True),
        Backfill("book", (("views", "0"),)),
    ]
    (found,) = lint(steps, BEFORE, LARGE)
    assert (found.level, found.rule, found.place) == ("notice", "not-looked-at", 0)


def test_rows_that_nothing_tells_apart_are_not_filled_in_batches() -> None:
    before = s.SchemaSnapshot((replace(BOOK, primary_key=None),))
    step = Backfill("book", (("views", "0"),))
    assert [(each.level, each.rule) for each in lint([step], before)] == [("error", "no-key")]
    assert lint([replace(step, key=("id",))], before) == []
    assert lint([step.reverse()], before) == []


def test_sqlite_copies_tables() -> None:
    steps = [op.AddConstraint("book", CHECK), op.DropColumn("book", VIEWS), op.CreateIndex("author", INDEX)]
    found = lint(steps, BEFORE, LARGE, SQLiteDialect())
    assert [(each.level, each.rule) for each in found] == [
        ("warning", "drops-column"),
        ("notice", "scans-under-lock"),
        ("warning", "rewrites-table"),
    ]
    assert [each.rule for each in lint(steps, BEFORE, SMALL, SQLiteDialect())] == ["drops-column"]


def test_levels_are_exit_codes() -> None:
    found = lint([op.DropTable(BOOK)], BEFORE, LARGE)
    assert (worst(found), exit_code(found), exit_code(found, "warning")) == ("warning", 0, 1)
    assert (worst([]), exit_code([], "notice")) == (None, 0)
    assert exit_code(lint([op.CreateIndex("book", INDEX)], BEFORE, LARGE)) == 1


def test_a_finding_in_words() -> None:
    (found,) = lint([op.CreateIndex("book", INDEX)], BEFORE, LARGE)
    assert str(found) == (
        "error: create index ix_views on book: PostgreSQL reads every row of book (about 100,000,000 rows) while "
        "nobody can write book. instead: create index ix_views on book concurrently"
    )
