"""What is to be run, taken back, and gone on with: decided without a database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from cormorant import ChangedMigration, MissingMigration
from cormorant.dialects.base import Dialect
from cormorant.dialects.postgresql import PostgreSQLDialect
from cormorant.dialects.sqlite import SQLiteDialect
from cormorant.migrations import History, MigrationFile, RunSQL
from cormorant.migrations.running.deciding import Standing
from cormorant.migrations.running.ledger import Record
from cormorant.migrations.running.moves import chunks_of, digest, moves_of
from cormorant.schema import steps as op
from tests.support.essays import CREATE, STARS, TITLES, chain, file

ADD, INDEX = op.AddColumn("essay", STARS), op.CreateIndex("essay", TITLES, concurrently=True)
FIRST, SECOND = file("0001_initial", *CREATE), file("0002_second", ADD, INDEX, depends=["0001_initial"])
LEFT, RIGHT = (
    file(name, RunSQL("", "", tables=(name,)), depends=["0002_second"]) for name in ("0003_left", "0003_right")
)
BOTH = History([FIRST, SECOND, LEFT, RIGHT])


def record(name: str, step: int | None = None) -> Record:
    """What a database knows of a migration that is done, or of one of which it has some steps."""
    found = BOTH[name]
    done = Record(
        "", name, found.checksum, datetime(2026, 1, 1, tzinfo=UTC), 0.5, "done", len(found.migration.operations)
    )
    return done if step is None else replace(done, state="started", step=step, done=digest(found, step))


def standing(*records: Record, history: History = BOTH) -> Standing:
    return Standing(history, records)


def keys(files: Sequence[MigrationFile]) -> list[str]:
    return [each.key for each in files]


def test_a_target_brings_what_it_depends_on_and_no_more() -> None:
    assert keys(standing().ahead("0003_right")) == ["0001_initial", "0002_second", "0003_right"]
    assert keys(standing(record("0001_initial")).ahead(None)) == ["0002_second", "0003_left", "0003_right"]
    # one that another branch has brought before it is no obstacle
    done = [record(name) for name in ("0001_initial", "0002_second", "0003_right")]
    assert keys(standing(*done).ahead(None)) == ["0003_left"]


def test_back_to_a_migration_goes_what_depends_on_it() -> None:
    done = standing(*(record(name) for name in ("0001_initial", "0002_second", "0003_left", "0003_right")))
    assert keys(done.behind("0003_left")) == []
    assert keys(done.behind("0002_second")) == ["0003_right", "0003_left"]
    assert keys(done.behind(1)) == ["0003_right"]
    assert keys(done.behind("zero")) == ["0003_right", "0003_left", "0002_second", "0001_initial"]


def test_what_was_begun_is_pending_and_can_be_taken_back() -> None:
    begun = standing(record("0001_initial"), record("0002_second", 1))
    assert keys(begun.pending) == ["0002_second", "0003_left", "0003_right"]
    assert keys(begun.behind(1)) == ["0002_second"]
    assert begun.status().started == (record("0002_second", 1),)


def test_a_file_without_steps_that_are_done_is_another_one() -> None:
    other = History([FIRST, file("0002_second", INDEX, ADD, depends=["0001_initial"])])
    with pytest.raises(ChangedMigration, match="its first 1 steps"):
        standing(record("0001_initial"), record("0002_second", 1), history=other).ahead(None)
    later = History([FIRST, file("0002_second", ADD, depends=["0001_initial"])])
    assert keys(standing(record("0001_initial"), record("0002_second", 1), history=later).ahead(None)) == [
        "0002_second"
    ]


def test_files_that_are_gone_are_missed_where_something_is_to_be_done() -> None:
    gone = standing(record("0001_initial"), record("0002_second"), history=chain(("0001_initial", CREATE)))
    assert gone.missing == ["0002_second"]
    assert gone.ahead(None) == []
    with pytest.raises(MissingMigration, match="0002_second"):
        gone.behind(1)


@pytest.mark.parametrize(("dialect", "outside"), [(PostgreSQLDialect(), [False, True]), (SQLiteDialect(), [False])])
def test_what_must_be_outside_stands_alone(dialect: Dialect, outside: list[bool]) -> None:
    chunks = chunks_of(moves_of(SECOND, None, dialect, up=True), dialect)
    assert [chunk.outside for chunk in chunks] == outside
    assert chunks[-1].after == 2


def test_half_a_step_is_taken_back_too() -> None:
    dialect = PostgreSQLDialect()
    moves = moves_of(SECOND, record("0002_second", 1), dialect, up=False)
    # the index may be there, or half of it
    assert [(move.number, move.step.describe(), move.after) for move in moves] == [
        (2, "drop index essay_titles of essay concurrently", 1),
        (1, "drop column essay.stars with its values", 0),
    ]
    assert [move.number for move in moves_of(SECOND, record("0002_second", 0), dialect, up=False)] == []
