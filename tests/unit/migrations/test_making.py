"""New migrations, written, read, and read as a history again."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cormorant import (
    DestructiveMigration,
    InvalidMigration,
    Loss,
    Many,
    Mapped,
    Model,
    One,
    SchemaBuilder,
    field,
    foreign_key,
    generated,
    many_to_many,
    retired,
)
from cormorant.migrations import History, RunSession, RunSQL, Step, empty, load, make
from cormorant.migrations.files import from_source
from cormorant.migrations.losses import count_sql, losses_of
from cormorant.models.registry import registry
from cormorant.schema import snapshot as s
from cormorant.schema import steps as op
from cormorant.schema.diff import diff
from tests.support.sql import DATABASES

ESSAY = s.Table("essay", (s.Column("id", "bigint", identity="by default"),), s.PrimaryKey(("id",)))
TITLE = s.Column("title", "text", nullable=True)


def schema(*tables: s.Table) -> s.SchemaSnapshot:
    return s.SchemaSnapshot(tables)


def essay(*columns: s.Column) -> s.Table:
    return s.Table("essay", (*ESSAY.columns, *columns), ESSAY.primary_key)


def made(folder: Path, *schemas: s.SchemaSnapshot) -> History:
    """Writes a migration for each schema."""
    for wanted in schemas:
        draft = make(History.load(folder, missing_ok=True), wanted)
        assert draft is not None
        draft.write(folder)
    return History.load(folder)


def grown(wanted: s.SchemaSnapshot) -> History:
    """Makes a migration that is in no file."""
    draft = make(History(), wanted)
    assert draft is not None
    return History([draft.file])


def test_the_first_and_the_next(tmp_path: Path) -> None:
    folder = tmp_path / "migrations"
    with registry.isolated():

        class Essay(Model):
            id: Mapped[int] = generated(primary_key=True)
            title: Mapped[str]

        draft = make(History.load(folder, missing_ok=True), SchemaBuilder.wanted(Essay))
    assert draft is not None
    assert draft.describe() == ["create table essay (id, title)"]
    assert draft.write(folder) == folder / "0001_initial.py"
    with registry.isolated():

        class Article(Model, table="essay"):
            id: Mapped[int] = generated(primary_key=True)
            headline: Mapped[str] = field(renamed_from="title")
            stars: Mapped[int] = field(default=3)

        wanted = SchemaBuilder.wanted(Article)
        draft = make(History.load(folder), wanted, name="Essays get stars")
    assert draft is not None
    assert (
        draft.source
        == '''"""Essays get stars."""

from cormorant.migrations import Migration
from cormorant.schema import snapshot as s
from cormorant.schema import steps as op

migration = Migration(
    depends=("0001_initial",),
    operations=[
        op.RenameColumn("essay", "title", "headline"),
        op.AddColumn("essay", s.Column("stars", "integer", fill="3")),
    ],
)
'''
    )
    draft.write(folder)
    history = History.load(folder)
    assert [file.key for file in history.ordered] == ["0001_initial", "0002_essays_get_stars"]
    assert history["0002"].title == "Essays get stars."
    assert diff(history.state(), wanted) == []
    assert make(history, wanted) is None
    assert history.state_before("0002_essays_get_stars").table("essay") == history.state("0001_initial").tables[0]


def test_what_would_be_lost_is_refused(tmp_path: Path) -> None:
    history = made(tmp_path, schema(essay(TITLE)))
    with pytest.raises(DestructiveMigration) as caught:
        make(history, schema(ESSAY))
    assert [loss.name for loss in caught.value.losses] == ["essay.title"]
    assert "column essay.title with 1,200 values" in str(caught.value.counted({"essay.title": 1200}))
    draft = make(history, schema(ESSAY), retired=["essay.title"])
    assert draft is not None
    assert draft.name == "0002_drop_essay_title"
    assert [loss.name for loss in draft.losses] == ["essay.title"]


# ------------------------------------------------------------------ what would be lost


def column(name: str, type_: str = "text", **more: Any) -> s.Column:
    return s.Column(name, type_, **more)


def refused(before: s.Table, after: s.Table) -> DestructiveMigration:
    history = grown(schema(before))
    with pytest.raises(DestructiveMigration) as caught:
        make(history, schema(after))
    return caught.value


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("numeric(10, 4)", "numeric(10, 2)"),
        ("numeric", "numeric(10, 2)"),
        ("numeric(10, 2)", "bigint"),
        ("double precision", "integer"),
        ("timestamptz", "date"),
    ],
)
def test_digits_that_would_be_cut_are_a_loss(before: str, after: str) -> None:
    error = refused(essay(column("price", before)), essay(column("price", after)))
    assert f"column essay.price from {before} to {after}" in str(error)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("numeric(10, 2)", "numeric(12, 4)"),
        ("integer", "bigint"),
        ("bigint", "integer"),
        ("varchar(50)", "varchar(10)"),
        ("date", "timestamptz"),
        ("integer", "numeric(10, 2)"),
    ],
)
def test_what_a_database_keeps_or_refuses_is_no_loss(before: str, after: str) -> None:
    assert losses_of([op.AlterColumn("essay", column("x", before), column("x", after))]) == []


def test_a_column_that_is_computed_or_computed_anew_is_no_loss() -> None:
    sizes = [column("size", "bigint", computed=sql) for sql in ('"id" * 2', '"id" * 3')]
    history = grown(schema(essay(sizes[0])))
    for wanted in (essay(sizes[1]), ESSAY):
        assert make(history, schema(wanted)) is not None


def test_a_refusal_says_how_a_rename_is_said() -> None:
    error = refused(essay(column("headline")), essay(column("title"), column("stars", "integer", fill="0")))
    assert 'if essay.headline is title now, say field(renamed_from="headline") there' in str(error)
    assert "stars now" not in str(error)
    keys = [s.ForeignKey(f"fk_{name}", (name,), "essay", ("id",)) for name in ("old_id", "new_id")]
    before, after = (replace(essay(column(key.columns[0], "bigint")), foreign_keys=(key,)) for key in keys)
    assert 'if essay.old_id is new_id now, say foreign_key(renamed_from="old") there' in str(refused(before, after))


def test_a_refusal_of_a_table_says_how_it_may_go_or_is_renamed() -> None:
    error = refused(essay(TITLE), replace(essay(TITLE), name="article"))
    assert [loss.name for loss in error.losses] == ["essay"]
    assert 'if essay is article now, say class ...(Model, renamed_from="essay")' in str(error)
    assert 'say class ...(Model, table="essay", retired=True)' in str(error)
    assert "table essay with 1 row" in str(error.counted({"essay": 1}))
    assert "is note now" not in str(refused(essay(TITLE), s.Table("note", (column("x"),))))


def test_an_error_of_losses_can_be_sent_to_another_process() -> None:
    error = refused(essay(TITLE), ESSAY)
    again = pickle.loads(pickle.dumps(error))
    assert (again.losses, str(again)) == (error.losses, str(error))


@pytest.mark.parametrize("dsn", ["postgresql", "sqlite"])
def test_what_would_be_lost_can_be_counted(dsn: str) -> None:
    said = [count_sql(loss, DATABASES[dsn].dialect) for loss in (Loss("audit.essay"), Loss("essay", "Old name"))]
    assert said == ['SELECT count(*) FROM "audit"."essay"', 'SELECT count("Old name") FROM "essay"']


def test_models_say_what_may_go() -> None:
    history = grown(schema(essay(TITLE), s.Table("note", (column("id"),), s.PrimaryKey(("id",)))))
    wanted = s.SchemaSnapshot((replace(ESSAY, retired=("title",)),), retired=("note",))
    draft = make(history, wanted)
    assert draft is not None
    assert draft.describe() == ["drop table note with its rows", "drop column essay.title with its values"]


def test_relations_are_retired_by_their_names() -> None:
    with registry.isolated():

        class Tag(Model):
            id: Mapped[int] = generated(primary_key=True)

        class Essay(Model):
            id: Mapped[int] = generated(primary_key=True)
            subject: One[Tag] = foreign_key()
            tags: Many[Tag] = many_to_many()

        history = grown(SchemaBuilder.wanted(Tag, Essay))
    with registry.isolated():

        class Tag(Model):  # type: ignore[no-redef]
            id: Mapped[int] = generated(primary_key=True)

        class Essay(Model):  # type: ignore[no-redef]
            id: Mapped[int] = generated(primary_key=True)
            subject = retired()
            tags = retired()

        draft = make(history, SchemaBuilder.wanted(Tag, Essay))
    assert draft is not None
    assert [loss.name for loss in draft.losses] == ["essay_tags", "essay.subject_id"]


def test_a_dropped_column_can_come_back_where_there_are_rows() -> None:
    history = grown(schema(essay(column("mood"), column("stars", "integer"))))
    draft = make(history, schema(ESSAY), allow_destructive=True)
    assert draft is not None
    back = draft.migration.reversed()
    assert [step.column.fill for step in back if isinstance(step, op.AddColumn)] == ["0", "''"]


# ------------------------------------------------------------------ names


def test_names_that_databases_would_cut_are_refused() -> None:
    for wanted in (essay(column("x" * 64)), replace(ESSAY, name="é" * 32)):
        with pytest.raises(InvalidMigration, match="has 64 bytes"):
            make(History(), schema(wanted))


@pytest.mark.parametrize(
    ("after", "name"),
    [
        ([essay(TITLE, column("Mood", nullable=True))], "0002_essay_mood"),
        ([ESSAY], "0002_drop_essay_title"),
        ([essay(column("head", nullable=True, renamed_from="title"))], "0002_rename_essay_title_to_head"),
        ([replace(essay(TITLE), name="text", renamed_from="essay")], "0002_rename_essay_to_text"),
        ([essay(TITLE), replace(ESSAY, name="note")], "0002_note"),
        ([essay(TITLE), replace(ESSAY, name="b"), replace(ESSAY, name="c")], "0002_b_c"),
        ([essay(TITLE), *(replace(ESSAY, name=n) for n in "vwxyz")], "0002_v_and_4_more"),
        ([], "0002_drop_essay"),
    ],
)
def test_migrations_are_called_by_what_they_do(after: list[s.Table], name: str) -> None:
    draft = make(grown(schema(essay(TITLE))), schema(*after), allow_destructive=True)
    assert draft is not None
    assert draft.name == name


def test_a_name_in_words_becomes_one_of_a_file() -> None:
    draft = make(History(), schema(ESSAY), name="Essays: it's all new!")
    assert draft is not None
    assert (draft.name, draft.file.title) == ("0001_essays_it_s_all_new", "Essays: it's all new!")


def test_a_schema_of_a_database_is_not_what_models_want() -> None:
    with pytest.raises(InvalidMigration, match="schema of a sqlite database"):
        make(History(), s.SchemaSnapshot(dialect="sqlite"))


def test_steps_are_put_into_another_form() -> None:
    def safe(operations: Sequence[op.Operation], before: s.SchemaSnapshot) -> list[Step]:
        assert before == s.SchemaSnapshot()
        return [*operations, RunSQL("ANALYZE", "")]

    draft = make(History(), schema(ESSAY), safe=safe)
    assert draft is not None
    assert from_source(draft.source, draft.name).migration.operations[-1] == RunSQL("ANALYZE", "")
    after = make(
        grown(schema(ESSAY)), schema(essay(TITLE)), safe=lambda operations, _: [*operations, RunSQL("ANALYZE")]
    )
    assert after is not None
    assert (after.name, after.file.title) == ("0002_essay_title", "Add column essay.title text.")


def test_templates_are_migrations(tmp_path: Path) -> None:
    history = made(tmp_path, schema(ESSAY))
    for work in (False, True):
        empty(history, "Stars are counted", work=work).write(tmp_path / str(work))
    made_by_hand = load(tmp_path / "True")[0]
    assert (made_by_hand.title, made_by_hand.depends) == ("Stars are counted.", ("0001_initial",))
    assert isinstance(made_by_hand.migration.operations[0], RunSession)
    assert load(tmp_path / "False")[0].migration.operations == ()


@pytest.mark.parametrize("name", ["postgres", "sqlite3", "postgresql "])
def test_sql_for_a_database_that_nobody_has_is_refused(name: str) -> None:
    with pytest.raises(InvalidMigration, match="is for no database"):
        RunSQL({name: "ANALYZE"})
