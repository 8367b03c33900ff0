"""The safe form of operations: what it is, and that it leads to the same schema."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from hypothesis import given, settings

from cormorant.migrations import Backfill, History, Step, make
from cormorant.migrations.safety.effects import effects_of
from cormorant.migrations.safety.safe_form import safe
from cormorant.migrations.safety.sizes import TableSize
from cormorant.migrations.safety.walking import Walk
from cormorant.schema import snapshot as s
from cormorant.schema import steps as op
from cormorant.schema.diff import diff
from cormorant.schema.state import apply
from tests.support.schemas import Pair, pairs

EXAMPLES = int(os.environ.get("CORMORANT_SCHEMA_PAIRS", "25"))

ID = s.Column("id", "bigint", identity="by default")
VIEWS = s.Column("views", "integer", nullable=True)
TITLE = s.Column("title", "varchar(20)")
CK_TITLE = s.Check("ck_title", "title <> ''")
BOOK = s.Table("book", (ID, TITLE, VIEWS), s.PrimaryKey(("id",)), checks=(CK_TITLE,))
BEFORE = s.SchemaSnapshot((BOOK,))
GIVEN = s.Check("ck_book_views_given", '"views" IS NOT NULL', validated=False)


def required(fill: s.Sql | None = None) -> op.Operation:
    return op.AlterColumn("book", VIEWS, replace(VIEWS, nullable=False, fill=fill))


def test_not_null_is_shown_by_a_check() -> None:
    after = replace(VIEWS, nullable=False)
    assert safe([required()], BEFORE) == [
        op.AddConstraint("book", GIVEN),
        op.ValidateConstraint("book", GIVEN, alone=True),
        op.AlterColumn("book", VIEWS, after),
        op.DropConstraint("book", GIVEN),
    ]


def test_not_null_with_values_is_filled_in_batches() -> None:
    after = replace(VIEWS, nullable=False)
    filling = Backfill("book", (("views", "0"),))
    made = safe([required("0")], BEFORE)
    assert made == [
        filling,
        op.AddConstraint("book", GIVEN),
        filling,
        op.ValidateConstraint("book", GIVEN, alone=True),
        op.AlterColumn("book", VIEWS, after),
        op.DropConstraint("book", GIVEN),
    ]
    # nothing fills the rows a second time, at once
    assert isinstance(made[4], op.AlterColumn)
    assert made[4].after.fill is None


def test_what_a_check_has_shown_already_is_not_shown_again() -> None:
    shown = replace(BOOK, checks=(replace(GIVEN, name="mine", validated=True),))
    assert safe([required()], s.SchemaSnapshot((shown,))) == [required()]


def test_a_name_that_is_taken_and_one_that_is_long() -> None:
    column = replace(VIEWS, name="v" * 60)
    table = replace(BOOK, columns=(ID, column), checks=(s.Check(f"ck_{'v' * 54}_given", "true"),))
    add, *_ = safe([op.AlterColumn("book", column, replace(column, nullable=False))], s.SchemaSnapshot((table,)))
    assert isinstance(add, op.AddConstraint)
    assert len(add.name) == 63
    assert add.name not in {check.name for check in table.checks}


def test_a_value_for_each_row_is_written_in_batches() -> None:
    column = s.Column("token", "uuid", default="gen_random_uuid()")
    bare = replace(column, nullable=True, default=None)
    made = safe([op.AddColumn("book", column)], BEFORE)
    assert made[:3] == [
        op.AddColumn("book", bare),
        op.AlterColumn("book", bare, replace(column, nullable=True)),
        Backfill("book", (("token", "gen_random_uuid()"),)),
    ]
    assert reached(made) == apply(BEFORE, op.AddColumn("book", column))


def test_nothing_is_filled_while_a_table_has_no_key() -> None:
    page = s.Table("page", (ID, s.Column("number", "integer")), s.PrimaryKey(("id",)))
    before = s.SchemaSnapshot((BOOK, page))
    wider = s.PrimaryKey(("id", "number"))
    change = [op.DropConstraint("page", page.primary_key or wider), required("0"), op.AddConstraint("page", wider)]
    steps = safe(change, before)
    assert steps == [*change[:2], op.AddConstraint("page", wider, concurrently=True)]
    assert len(safe([*steps, required("0")], before)) == 9


def test_words_for_another_database_do_not_matter() -> None:
    column = s.Column("token", "text", default=s.ByDialect((("sqlite", "(hex(randomblob(16)))"),)))
    assert safe([op.AddColumn("book", column)], BEFORE) == [op.AddColumn("book", column)]


def test_checks_over_a_longer_text_are_looked_at_later() -> None:
    longer = op.AlterColumn("book", TITLE, replace(TITLE, type="varchar(50)"))
    later = replace(CK_TITLE, validated=False)
    assert safe([longer], BEFORE) == [
        op.DropConstraint("book", CK_TITLE),
        longer,
        op.AddConstraint("book", later),
        op.ValidateConstraint("book", later, alone=True),
    ]


def test_another_type_comes_by_a_second_column() -> None:
    index = s.Index("ix_views", (s.IndexItem("views"), s.IndexItem("id")))
    before = s.SchemaSnapshot((replace(BOOK, indexes=(index,)),))
    larger = replace(VIEWS, type="bigint", nullable=False, default="0", fill="0")
    steps = safe([op.AlterColumn("book", VIEWS, larger)], before)
    second = s.Column("views__new", "bigint", nullable=True)
    shown = s.ByDialect((("postgresql", '"views__new" IS NOT NULL'), ("sqlite", "1 = 1")))
    check = s.Check("ck_book_views__new_given", shown, validated=False)
    filling = s.ByDialect((("postgresql", 'coalesce("views", 0)'), ("sqlite", '"views"')))
    there = replace(index, name="ix_views__new", items=(s.IndexItem("views__new"), s.IndexItem("id")))
    assert steps == [
        op.ShadowColumn("book", VIEWS, larger),
        Backfill("book", (("views__new", filling),)),
        op.CreateIndex("book", there, concurrently=True),
        op.AddConstraint("book", check),
        op.ValidateConstraint("book", check, alone=True),
        op.SwapColumn("book", VIEWS, larger, indexes=(index,), given=check),
    ]
    assert reached(steps[:1], before).tables[0].column("views__new") == second
    wanted = replace(BOOK, columns=(ID, TITLE, larger), indexes=(index,))
    assert reached(steps, before) == s.SchemaSnapshot((wanted,))


def test_keys_of_another_type_take_what_points_to_them_along() -> None:
    small = replace(ID, type="integer")
    own, other = (s.ForeignKey(f"{name}_id_fkey", ("book_id",), "book", ("id",)) for name in ("book", "page"))
    column = s.Column("book_id", "integer", nullable=True)
    later = replace(other, validated=False)
    book = replace(BOOK, columns=(small, TITLE, column), foreign_keys=(own,), checks=())
    page = s.Table("page", (ID, column), s.PrimaryKey(("id",)), (later,))
    key, check = s.PrimaryKey(("id",), "book_pkey"), s.Check("positive", "id > 0")
    before = s.SchemaSnapshot((replace(book, checks=(check,)), page))
    change = op.AlterColumn("book", small, ID)
    steps = safe([change], before)
    assert [step.describe() for step in steps] == [
        "add column book.id__new in step with id: integer to bigint",
        "fill book.id__new in batches of 1,000",
        "create unique index book_pkey__new on book concurrently",
        "add check ck_book_id__new_given to book, not yet validated",
        "validate check ck_book_id__new_given of book",
        "drop foreign key (book_id) to book of book",
        "drop foreign key (book_id) to book of page",
        "drop check positive of book",
        "column book.id__new takes the place of id, which is dropped",
        "add foreign key (book_id) to book to book, not yet validated",
        "add foreign key (book_id) to book to page, not yet validated",
        "add check positive to book, not yet validated",
        "validate foreign key (book_id) to book of book",
        "validate check positive of book",
    ]
    swap = steps[8]
    assert isinstance(swap, op.SwapColumn)
    assert swap.keys == (key,)
    assert reached(steps, before) == apply(before, change)


def test_what_stands_on_a_column_keeps_it() -> None:
    larger = op.AlterColumn("book", VIEWS, replace(VIEWS, type="bigint"))
    held: list[s.Table] = [
        replace(BOOK, primary_key=None),
        replace(BOOK, searches=(s.SearchIndex("words", ("views",)),)),
        replace(BOOK, partitioned="RANGE (id)"),
        replace(BOOK, indexes=(s.Index("i", (s.IndexItem("id"),), where="views > 0"),)),
        replace(BOOK, columns=(*BOOK.columns, s.Column("twice", "integer", computed="views * 2"))),
        replace(BOOK, columns=(*BOOK.columns, s.Column("views__new", "integer"))),
    ]
    for table in held:
        assert safe([larger], s.SchemaSnapshot((table,))) == [larger]
    assert len(safe([larger], BEFORE)) == 3


def test_new_and_small_tables_stay_as_they_are() -> None:
    leaf = s.Table("leaf", (ID, VIEWS), s.PrimaryKey(("id",)))
    index = s.Index("ix", (s.IndexItem("views"),))
    steps = [op.CreateTable(leaf), op.CreateIndex("leaf", index), op.CreateIndex("book", index)]
    assert safe(steps, BEFORE, {"book": TableSize(10)}) == steps
    assert safe(steps, BEFORE) == [*steps[:2], op.CreateIndex("book", index, concurrently=True)]


def test_it_is_written_into_files(tmp_path: Path) -> None:
    first = make(History(), BEFORE)
    assert first is not None
    first.write(tmp_path)
    column = s.Column("token", "uuid", default="gen_random_uuid()")
    wanted = s.SchemaSnapshot((replace(BOOK, columns=(ID, TITLE, replace(VIEWS, nullable=False, fill="0"), column)),))
    draft = make(History.load(tmp_path), wanted, safe=safe)
    assert draft is not None
    draft.write(tmp_path)
    history = History.load(tmp_path)
    assert history.ordered[-1].migration.operations == draft.migration.operations
    assert len(draft.migration.operations) == 14
    assert diff(history.state(), wanted) == []


def reached(steps: list[Step], before: s.SchemaSnapshot = BEFORE) -> s.SchemaSnapshot:
    return apply(before, *(step for step in steps if isinstance(step, op.Operation)))


@settings(max_examples=EXAMPLES, deadline=None)
@given(pairs())
def test_it_leads_to_the_same_schema_and_back(pair: Pair) -> None:
    operations = diff(pair.old, pair.new)
    steps = safe(operations, pair.old)
    after = reached(steps, pair.old)
    assert diff(after, pair.new) == []
    assert diff(pair.new, after) == []
    back = [step.reverse() for step in reversed(steps)]
    assert diff(reached(back, after), pair.old) == []
    # what is safe has no safer form
    assert safe(steps, pair.old) == steps


@settings(max_examples=EXAMPLES, deadline=None)
@given(pairs())
def test_nothing_that_has_a_safe_form_stops_others(pair: Pair) -> None:
    steps = safe(diff(pair.old, pair.new), pair.old)
    walk = Walk(pair.old)
    for _, step in walk.over(steps):
        if isinstance(step, (op.CreateIndex, op.CreateSearchIndex, op.AddConstraint)) and walk.is_large(step.touched):
            for effect in effects_of(step, walk.state):
                assert not effect.works_on or not any(lock.stops_writes for lock in effect.locks)
