"""New migrations, written, read, and read as a history again."""

from __future__ import annotations

from pathlib import Path

import pytest

from cormorant import DestructiveMigration, Mapped, Model, SchemaBuilder, field, generated
from cormorant.migrations import History, make
from cormorant.models.registry import registry
from cormorant.schema import snapshot as s
from cormorant.schema.diff import diff

ESSAY = s.Table("essay", (s.Column("id", "bigint", identity="by default"),), s.PrimaryKey(("id",)))
TITLE = s.Column("title", "text", nullable=True)


def schema(*tables: s.Table) -> s.SchemaSnapshot:
    return s.SchemaSnapshot(tables)


def essay(*columns: s.Column) -> s.Table:
    return s.Table("essay", (*ESSAY.columns, *columns), ESSAY.primary_key)


def made(folder: Path, *schemas: s.SchemaSnapshot, allow_destructive: bool = False) -> History:
    """Makes a migration for each schema."""
    for wanted in schemas:
        draft = make(History.load(folder, missing_ok=True), wanted, allow_destructive=allow_destructive)
        assert draft is not None
        draft.write(folder)
    return History.load(folder)


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
