"""Many migrations as one: what it does, and which databases run it."""

from __future__ import annotations

import pytest

from cormorant import InvalidMigration, MissingMigration
from cormorant.migrations import Backfill, History, Migration, MigrationFile, RunSession, RunSQL, Step, nothing, squash
from cormorant.migrations.files import from_source
from cormorant.schema import snapshot as s
from cormorant.schema import steps as op
from cormorant.schema.diff import diff

KEY = s.Column("id", "bigint", identity="by default")
MOOD, TONE = (s.Column(name, "text", nullable=True) for name in ("mood", "tone"))


def table(name: str, *columns: s.Column) -> s.Table:
    return s.Table(name, (KEY, *columns), s.PrimaryKey(("id",)))


def chain(*steps: list[Step]) -> list[MigrationFile]:
    """Gives 0001, 0002 and so on, each after the other."""
    files: list[MigrationFile] = []
    for number, each in enumerate(steps, 1):
        depends = (files[-1].name,) if files else ()
        files.append(MigrationFile("", f"{number:04}_x", None, "", Migration(each, depends=depends)))
    return files


def squashed(files: list[MigrationFile], upto: str, **options: str) -> MigrationFile:
    """Gives the squashed migration as it is read from its file."""
    draft = squash(History(files), upto, **options)
    found = from_source(draft.source, draft.name, draft.app)
    assert found == draft.file
    return found


GROWN = chain(
    [op.CreateTable(table("essay", MOOD))],
    [op.RenameColumn("essay", "mood", "tone"), op.AddColumn("essay", MOOD)],
    [op.CreateTable(table("note")), op.DropColumn("essay", MOOD)],
)
ALL = [file.key for file in GROWN]


def keys(history: History) -> list[str]:
    return [each.key for each in history.ordered]


def test_tables_are_made_as_they_are_at_the_end() -> None:
    one = squashed(GROWN, "0003_x", name="start")
    assert one.key == "0001_squashed_0003_start"
    assert one.migration.operations == (op.CreateTable(table("essay", TONE)), op.CreateTable(table("note")))
    assert one.replaces == ("0001_x", "0002_x", "0003_x")
    assert one.title == "0001_x to 0003_x as one."
    assert diff(History([*GROWN, one]).state(), History(GROWN).state()) == []


def test_the_start_of_a_history_can_be_squashed_and_the_rest_goes_on() -> None:
    one = squashed(GROWN, "0002_x")
    history = History([*GROWN, one])
    assert keys(history) == ["0001_squashed_0002", "0003_x"]
    assert history.needs["0003_x"] == ("0001_squashed_0002",)
    assert diff(history.state(), History(GROWN).state()) == []


def test_tables_that_are_there_are_changed_step_by_step() -> None:
    """Rows may be in them: a drop and an add in between must stay what they are."""
    one = squashed(GROWN, "0003", first="0002")
    assert one.key == "0002_squashed_0003"
    assert one.migration.depends == ("0001_x",)
    assert one.migration.operations == (*GROWN[1].migration.operations, *GROWN[2].migration.operations)


def test_a_database_that_has_all_of_it_counts_it_as_applied() -> None:
    one = squashed(GROWN, "0003_x")
    history = History([*GROWN, one]).given(ALL)
    assert history.settled == {one.key}
    assert keys(history) == [one.key]
    assert "0002_x" in history
    assert history["0002_x"] is one


def test_a_database_in_between_goes_on_by_the_old_ones() -> None:
    one = squashed(GROWN, "0003_x")
    later = MigrationFile("", "0004_x", None, "", Migration(depends=(one.name,)))
    history = History([*GROWN, one, later]).given(["0001_x"])
    assert keys(history) == ["0001_x", "0002_x", "0003_x", "0004_x"]
    assert history.settled == frozenset()
    with pytest.raises(MissingMigration, match="no file of 0002_x, 0003_x"):
        History([one, later]).given(["0001_x"])
    assert keys(History([one, later]).given(ALL)) == [one.key, "0004_x"]


def test_a_squashed_one_can_be_squashed() -> None:
    one = squashed(GROWN, "0002_x")
    both = squashed([*GROWN, one], "0003_x")
    assert both.replaces == ("0001_squashed_0002", "0003_x")
    history = History([*GROWN, one, both])
    assert keys(history) == [both.key]
    assert keys(history.given(["0001_x"])) == ["0001_x", "0002_x", "0003_x"]
    assert keys(history.given(["0001_x", "0002_x"])) == [one.key, "0003_x"]
    assert history.given(ALL).settled == {one.key, both.key}
    # who began with the squashed one has none of what it stands for
    assert keys(history.given([one.key])) == [one.key, "0003_x"]
    assert history.given([one.key, "0003_x"]).settled == {both.key}
    # the files of those that every database is beyond may go
    assert History([both]).given([one.key, "0003_x"]).settled == {both.key}


def test_sql_stays_in_its_place_unless_new_databases_do_not_need_it() -> None:
    extension = RunSQL({"postgresql": "create extension pg_trgm"}, "", tables=())
    files = chain(
        [extension, op.CreateTable(table("essay"))],
        [RunSQL("update essay set id = 3", elidable=True), RunSession(nothing, elidable=True)],
        [Backfill("essay", (("mood", "''"),)), op.AddColumn("essay", MOOD)],
        [RunSQL("insert into essay", "delete from essay"), Backfill("essay", (("mood", "''"),))],
    )
    assert squashed(files[:3], "0003").migration.operations == (extension, op.CreateTable(table("essay", MOOD)))
    steps = squashed(files, "0004").migration.operations
    assert steps == (extension, op.CreateTable(table("essay", MOOD)), *files[3].migration.operations)


def test_work_in_a_session_is_not_put_into_another_file() -> None:
    files = chain([op.CreateTable(table("essay"))], [RunSession(nothing)])
    with pytest.raises(InvalidMigration, match=r"(?s)0002_x does work in a session \(run nothing.*elidable=True"):
        squash(History(files), "0002")


def test_one_is_not_many() -> None:
    with pytest.raises(InvalidMigration, match="nothing to squash up to 0001_x"):
        squash(History(GROWN), "0001_x")


def test_another_app_must_not_stand_between() -> None:
    files = [
        MigrationFile("", "0001_a", None, "", Migration([op.CreateTable(table("essay"))])),
        MigrationFile("notes", "0001_a", None, "", Migration(depends=("/0001_a",))),
        MigrationFile("", "0002_b", None, "", Migration(depends=("0001_a", "notes/0001_a"))),
    ]
    with pytest.raises(InvalidMigration, match="migrations of another app stand between them"):
        squash(History(files), "0002_b")
