"""The order of migrations, the schema after each, branches, and what cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest

from cormorant import (
    InvalidMigration,
    IrreversibleMigration,
    MigrationConflict,
    MigrationCycle,
    MigrationError,
    MissingMigration,
)
from cormorant.migrations import History, Migration, MigrationFile, RunSession, RunSQL, Step, load, merge, nothing
from cormorant.migrations.files import checksum, write
from cormorant.schema import snapshot as s
from cormorant.schema import steps as op

KEY = s.Column("id", "bigint", identity="by default")
HEAD = "from cormorant.migrations import Migration\n"


def table(name: str, *columns: s.Column, keys: tuple[s.ForeignKey, ...] = ()) -> s.Table:
    return s.Table(name, (KEY, *columns), s.PrimaryKey(("id",)), keys)


def column(name: str) -> s.Column:
    return s.Column(name, "text", nullable=True)


def reference(name: str, target: str) -> s.ForeignKey:
    return s.ForeignKey(f"fk_{name}", (name,), target, ("id",))


def file(key: str, *steps: Step, depends: tuple[str, ...] = ()) -> MigrationFile:
    app, _, name = key.rpartition("/")
    return MigrationFile(app, name, None, name, Migration(steps, depends=depends))


FIRST = file("0001_initial", op.CreateTable(table("essay")), op.CreateTable(table("writer")))


def branches(one: Step, other: Step) -> list[MigrationFile]:
    return [
        FIRST,
        *(file(f"0002_{n}", step, depends=("0001_initial",)) for n, step in zip("ab", (one, other), strict=True)),
    ]


def keys(history: History) -> list[str]:
    return [each.key for each in history.ordered]


# ------------------------------------------------------------------ order


def test_each_comes_after_what_it_depends_on_and_names_decide_the_rest() -> None:
    history = History(
        [
            file("0003_c", depends=("0002_z", "0002_b")),
            file("0002_z", depends=("0001_initial",)),
            file("0002_b", depends=("0001_initial",)),
            FIRST,
        ]
    )
    assert keys(history) == ["0001_initial", "0002_b", "0002_z", "0003_c"]
    assert history.heads == ("0003_c",)
    assert history["0003"].key == "0003_c"


def test_a_ring_is_named() -> None:
    files = [file("0001_a", depends=("0002_b",)), file("0002_b", depends=("0001_a",))]
    with pytest.raises(MigrationCycle, match=r"in a ring: (0001_a -> 0002_b -> 0001_a|0002_b -> 0001_a -> 0002_b)"):
        History(files)


def test_a_missing_one_is_named_and_the_nearest_offered() -> None:
    with pytest.raises(MissingMigration, match=r"(?s)0002_b depends on 0001_initail.*did you mean '0001_initial'\?"):
        History([FIRST, file("0002_b", depends=("0001_initail",))])
    with pytest.raises(MissingMigration, match="there is no migration '0009'"):
        History([FIRST])["0009"]


def test_a_number_that_two_have_names_neither() -> None:
    files = branches(op.AddColumn("essay", column("a")), op.AddColumn("essay", column("b")))
    with pytest.raises(MissingMigration, match="several are: 0002_a, 0002_b"):
        History(files)["0002"]


def test_names_are_unique_in_an_app() -> None:
    with pytest.raises(InvalidMigration, match="two migrations are called 0001_initial"):
        History([FIRST, file("0001_initial")])
    assert keys(History([FIRST, file("notes/0001_initial")])) == ["0001_initial", "notes/0001_initial"]


def test_the_schema_is_known_after_and_before_each() -> None:
    second = file("0002_b", op.AddColumn("essay", column("mood")), depends=("0001_initial",))
    third = file("0003_c", op.RenameColumn("essay", "mood", "tone"), depends=("0002_b",))
    history = History([FIRST, second, third])
    names = [[each.name for each in history.state(key).tables[0].columns] for key in keys(history)]
    assert names == [["id"], ["id", "mood"], ["id", "tone"]]
    assert history.state() == history.state("0003_c")
    assert history.state_before("0003_c") == history.state("0002_b")
    assert history.state_before("0001_initial") == s.SchemaSnapshot()
    assert history.state_of(["0001_initial", "gone"]) == history.state("0001_initial")


def test_what_does_not_fit_names_its_file() -> None:
    with pytest.raises(InvalidMigration, match=r"0001_a does not fit what is before it: .*no table 'essay'"):
        History([file("0001_a", op.AddColumn("essay", column("mood")))]).state()


def test_sql_tells_what_becomes_of_the_schema() -> None:
    steps = RunSQL("ALTER TABLE ...", state=(op.AddColumn("essay", column("mood")),))
    history = History([FIRST, file("0002_b", steps, depends=("0001_initial",))])
    assert history.state().tables[0].column("mood") is not None


# ------------------------------------------------------------------ branches

UNIQUE = s.Unique("uq_essay_mood", ("mood",))
NOTE = table("note", s.Column("essay_id", "bigint"), keys=(reference("essay_id", "essay"),))
APART: list[tuple[Step, Step]] = [
    (op.AddColumn("essay", column("mood")), op.AddColumn("essay", column("tone"))),
    (op.CreateTable(table("note")), op.CreateTable(table("mark"))),
    (op.CreateTable(NOTE), op.AddColumn("essay", column("mood"))),
    (op.DropTable(table("writer")), op.AddColumn("essay", column("mood"))),
    (RunSQL("...", tables=("writer",)), op.AddColumn("essay", column("mood"))),
    (op.RenameTable("writer", "author"), op.CreateIndex("essay", s.Index("ix", (s.IndexItem("id"),)))),
]
TOGETHER: list[tuple[Step, Step, str]] = [
    (op.AddColumn("essay", column("mood")), op.AddColumn("essay", column("mood")), "essay.mood"),
    (op.CreateTable(table("note")), op.CreateTable(table("note")), "note"),
    (op.CreateTable(NOTE), op.DropTable(table("essay")), "essay"),
    (op.RenameTable("essay", "text"), op.AddColumn("essay", column("mood")), "essay"),
    (op.DropColumn("essay", column("Mood")), op.AddConstraint("essay", UNIQUE), "essay.mood"),
    (
        op.RenameColumn("essay", "mood", "tone"),
        op.AddConstraint("essay", s.Check("ck", 'length("mood") < 9')),
        "essay.mood",
    ),
    (
        op.AlterColumn("essay", column("mood"), s.Column("mood", "text")),
        op.CreateIndex("essay", s.Index("ix", (s.IndexItem(expression="lower(mood)"),))),
        "essay.mood",
    ),
    (op.CreateEnum(s.Enum("mood", ("ok",))), op.AddColumn("essay", s.Column("m", '"mood"')), "type mood"),
    (RunSQL("...", tables=("essay",)), op.AddColumn("essay", column("mood")), "essay"),
]


@pytest.mark.parametrize(("one", "other"), APART)
def test_branches_about_different_things_are_merged_by_themselves(one: Step, other: Step) -> None:
    history = History(branches(one, other))
    assert history.heads == ("0002_a", "0002_b")
    assert keys(history) == ["0001_initial", "0002_a", "0002_b"]


@pytest.mark.parametrize(("one", "other", "thing"), TOGETHER)
def test_branches_about_the_same_thing_are_explained(one: Step, other: Step, thing: str) -> None:
    for files in (branches(one, other), branches(other, one)):
        with pytest.raises(MigrationConflict) as caught:
            History(files)
        assert thing in caught.value.things
        assert caught.value.heads == ("0002_a", "0002_b")
        assert 'depends=("0002_a", "0002_b")' in str(caught.value)


def test_work_on_unnamed_tables_is_beside_nothing() -> None:
    files = branches(RunSession(nothing), op.AddColumn("essay", column("mood")))
    with pytest.raises(
        MigrationConflict, match="0002_a and 0002_b are two heads, and what is run on the way to 0002_a"
    ):
        History(files)


def test_a_merge_ends_a_conflict(tmp_path: Path) -> None:
    files = branches(RunSession(nothing), op.AddColumn("essay", column("mood")))
    draft = merge(History(files, conflicts_ok=True))
    assert draft is not None
    assert draft.key == "0003_merge"
    assert draft.migration.depends == ("0002_a", "0002_b")
    history = History([*files, load_one(tmp_path, draft.name, draft.source)])
    assert history.heads == ("0003_merge",)
    assert merge(history) is None


def test_branches_are_compared_as_far_as_they_are_apart() -> None:
    """What both branches share, they do not disagree about."""
    files = branches(op.AddColumn("essay", column("a")), op.AddColumn("essay", column("b")))
    more = file("0003_a", op.RenameColumn("essay", "a", "c"), depends=("0002_a", "0002_b"))
    other = file("0003_b", op.AddColumn("writer", column("b")), depends=("0002_b",))
    assert History([*files, more, other]).heads == ("0003_a", "0003_b")


# ------------------------------------------------------------------ ways back


def test_steps_tell_their_way_back() -> None:
    assert RunSQL("a", "b").reverse() == RunSQL("b", "a")
    assert RunSession(nothing, nothing).reverse() == RunSession(nothing, nothing)
    with pytest.raises(IrreversibleMigration, match="there is no way back from: run update essay"):
        RunSQL("update   essay\n set stars = 3").reverse()
    with pytest.raises(IrreversibleMigration, match=r"run nothing\(\): Does nothing"):
        RunSession(nothing).reverse()
    whole = Migration([op.CreateTable(table("a")), RunSQL("x", "")])
    assert whole.reversed() == (RunSQL("", "x"), op.DropTable(table("a")))


# ------------------------------------------------------------------ files


def load_one(folder: Path, name: str, source: str) -> MigrationFile:
    write(folder, name, source)
    return load(folder)[0]


def test_files_with_numbers_are_migrations(tmp_path: Path) -> None:
    write(tmp_path, "0001_initial", f'"""First of all.\n\nMore."""\n{HEAD}migration = Migration()\n')
    (tmp_path / "__init__.py").write_text("raise AssertionError")
    (tmp_path / "helpers.py").write_text("raise AssertionError")
    (found,) = load(tmp_path, "notes")
    assert (found.key, found.title, found.path) == ("notes/0001_initial", "First of all.", tmp_path / "0001_initial.py")


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("migration = ", "cannot be run: SyntaxError"),
        ("import nowhere_at_all", "cannot be run: ModuleNotFoundError"),
        ("x = 1", "has no migration"),
        (f"{HEAD}migration = Migration([1])", "cannot be used: 1 is no step"),
        (f"{HEAD}migration = Migration(depends='0001_a')", "depends='0001_a'"),
    ],
)
def test_files_that_cannot_be_used_are_named(tmp_path: Path, source: str, complaint: str) -> None:
    with pytest.raises(InvalidMigration) as caught:
        load_one(tmp_path, "0002_b", source)
    assert complaint in str(caught.value)
    assert "0002_b.py" in str(caught.value)


def test_a_missing_directory_is_an_error_unless_it_may_be(tmp_path: Path) -> None:
    with pytest.raises(MissingMigration, match="no directory"):
        History.load(tmp_path / "nowhere")
    assert keys(History.load(tmp_path / "nowhere", missing_ok=True)) == []


@pytest.mark.parametrize("name", ["stars", "1_stars", "0001-stars", f"0001_{'x' * 100}", "0001 stars"])
def test_names_begin_with_a_number_and_are_short(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidMigration):
        write(tmp_path, name, "")


def test_a_file_is_never_written_over(tmp_path: Path) -> None:
    write(tmp_path, "0001_a", "1")
    with pytest.raises(MigrationError, match="there is a file"):
        write(tmp_path, "0001_a", "2")
    assert (tmp_path / "0001_a.py").read_text() == "1"


def test_checksums_know_what_is_run() -> None:
    assert checksum("a = 1\nb = 2\n") == checksum("a = 1  \r\nb = 2\r\n\r\n")
    assert checksum("a = 1\n") != checksum("a = 2\n") != checksum("a = '2'\n")
    assert checksum("if x:\n    a\nb") != checksum("if x:\n    a\n    b")


def test_a_formatter_and_comments_change_nothing_of_a_checksum() -> None:
    one = '"""What."""\nf(a, "x", g=[1])\ndef f():\n    """Says."""\n    return f"{a!r} {b:>3}"\n'
    other = "# why\nf(\n    a,\n    'x',\n    g=[1,],\n)\ndef f():\n    return (f'{a!r} {b:>3}')  # so\n"
    assert checksum(one) == checksum(other)
    # the same with every version of Python: databases keep it
    assert checksum(one) == "06fa02f7d5cfaef76c6e84140a247f5ef1b671fba62ec29bdcee12443b45f322"


def test_a_file_may_have_classes_of_its_own(tmp_path: Path) -> None:
    head = f"from __future__ import annotations\nfrom dataclasses import dataclass\n{HEAD}"
    body = "@dataclass\nclass Old:\n    stars: int = 3\nmigration = Migration()\n"
    found = load_one(tmp_path, "0001_a", head + body)
    assert found.migration == Migration()
