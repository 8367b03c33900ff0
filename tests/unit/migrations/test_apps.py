"""Several apps, each with migrations of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from cormorant import InvalidMigration
from cormorant.migrations import History, make, make_all
from cormorant.schema import snapshot as s
from cormorant.schema.diff import diff

KEY = s.Column("id", "bigint", identity="by default")


def table(name: str, app: str | None, *columns: s.Column, to: str | None = None) -> s.Table:
    keys = () if to is None else (s.ForeignKey(f"fk_{name}_{to}", (f"{to}_id",), to, ("id",)),)
    more = () if to is None else (s.Column(f"{to}_id", "bigint", nullable=True),)
    return s.Table(name, (KEY, *columns, *more), s.PrimaryKey(("id",)), keys, app=app)


def schema(*tables: s.Table, enums: tuple[s.Enum, ...] = ()) -> s.SchemaSnapshot:
    return s.SchemaSnapshot(tables, enums)


class Folders:
    """The directories of two apps and of the program."""

    def __init__(self, root: Path) -> None:
        self.places = {"": root / "main", "notes": root / "notes", "marks": root / "marks"}

    def history(self) -> History:
        return History.load(self.places, missing_ok=True)

    def make(self, wanted: s.SchemaSnapshot, *, retired: tuple[str, ...] = ()) -> dict[str, tuple[str, ...]]:
        """Writes what is to be made, and gives the keys with what each depends on."""
        before = self.history()
        drafts = make_all(before, wanted, retired=retired)
        for draft in drafts:
            draft.write(self.places[draft.app])
        assert diff(self.history().state(), wanted) == []
        return {draft.key: draft.file.depends for draft in drafts}


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    return Folders(tmp_path)


def test_each_app_gets_its_tables_and_comes_after_those_it_points_to(folders: Folders) -> None:
    wanted = schema(table("note", "notes", to="essay"), table("mark", "marks", to="note"), table("essay", None))
    assert folders.make(wanted) == {
        "0001_initial": (),
        "notes/0001_initial": ("0001_initial",),
        "marks/0001_initial": ("notes/0001_initial",),
    }
    assert "/0001_initial" in (folders.places["notes"] / "0001_initial.py").read_text()


def test_rings_between_apps_take_turns(folders: Folders) -> None:
    wanted = schema(table("essay", None, to="note"), table("note", "notes", to="essay"))
    made = folders.make(wanted)
    assert len(made) == 3
    assert folders.history().heads_of("marks") == ()


def test_a_table_goes_when_nobody_points_to_it_any_more(folders: Folders) -> None:
    folders.make(schema(table("essay", None), table("note", "notes", to="essay")))
    rest = schema(table("note", "notes", s.Column("essay_id", "bigint", nullable=True)))
    made = folders.make(rest, retired=("essay",))
    assert made == {
        "notes/0002_note": ("notes/0001_initial", "0001_initial"),
        "0002_drop_essay": ("0001_initial", "notes/0002_note"),
    }


def test_changes_that_do_not_meet_do_not_depend_on_each_other(folders: Folders) -> None:
    essay, note = table("essay", None), table("note", "notes", to="essay")
    folders.make(schema(essay, note))
    title = s.Column("title", "text", nullable=True)
    assert folders.make(schema(table("essay", None, title), note)) == {"0002_essay_title": ("0001_initial",)}


def test_a_model_of_an_app_without_a_place_is_the_programs(folders: Folders) -> None:
    mood = s.Column("mood", '"mood"', nullable=True)
    wanted = schema(table("essay", "elsewhere", mood), enums=(s.Enum("mood", ("ok",)),))
    assert folders.make(wanted) == {"0001_initial": ()}


def test_one_app_alone(folders: Folders) -> None:
    wanted = schema(table("essay", None), table("note", "notes", to="essay"))
    with pytest.raises(InvalidMigration, match="what app 'notes' needs stands on changes of ''"):
        make(folders.history(), wanted, app="notes")
    assert make(folders.history(), wanted, app="marks") is None
    draft = make(folders.history(), wanted, app="")
    assert draft is not None
    assert draft.describe() == ["create table essay (id)"]
