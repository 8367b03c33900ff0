"""Releases that add migrations and squash them, and databases that are deployed to at their own pace.

Whatever the order, every database runs each step once, and is in the end what the files say.
"""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from cormorant.migrations import History, Migration, MigrationFile, squash
from cormorant.schema import snapshot as s
from cormorant.schema import steps as op
from cormorant.schema.state import apply

DATABASES = 3


class Releases:
    """The files of a program, and what its databases have applied."""

    def __init__(self) -> None:
        self.files: list[MigrationFile] = []
        self.number = 0
        self.records: list[set[str]] = [set() for _ in range(DATABASES)]
        self.schemas = [s.SchemaSnapshot() for _ in range(DATABASES)]
        self.add()

    def add(self) -> None:
        self.number += 1
        column = s.Column(f"c{self.number}", "text", nullable=True)
        first = op.CreateTable(s.Table("essay", (column,), s.PrimaryKey(("c1",))))
        step = op.AddColumn("essay", column) if self.number > 1 else first
        depends = History(self.files).heads
        self.files.append(MigrationFile("", f"{self.number:04}_x", None, "", Migration([step], depends=depends)))

    def squash(self, first: int, count: int) -> None:
        ordered = History(self.files).ordered
        first %= len(ordered)
        last = ordered[min(first + count, len(ordered) - 1)]
        if last is not ordered[first]:
            made = squash(History(self.files), last.key, first=ordered[first].key, name=str(len(self.files)))
            self.files.append(made.file)

    def forget(self) -> None:
        """Deletes the files of what squashed ones stand for, once every database is beyond them."""
        by_key = {file.key: file for file in self.files}
        gone: list[str] = []
        for file in self.files:
            gone += file.replaces if all(file.key in records for records in self.records) else ()
        for key in gone:
            gone += by_key[key].replaces if key in by_key else ()
        self.files = [file for file in self.files if file.key not in gone]

    def deploy(self, number: int) -> None:
        history = History(self.files).given(self.records[number])
        self.records[number] |= history.settled
        for file in history.ordered:
            if file.key not in self.records[number]:
                operations = [step for step in file.migration.operations if isinstance(step, op.Operation)]
                self.schemas[number] = apply(self.schemas[number], *operations)
                self.records[number].add(file.key)
        self.look(number)

    def look(self, number: int) -> None:
        names = [column.name for column in self.schemas[number].tables[0].columns]
        assert names == [f"c{each + 1}" for each in range(self.number)]
        assert History(self.files).state() == self.schemas[number]


moves = st.one_of(
    st.tuples(st.just("add")),
    st.tuples(st.just("squash"), st.integers(0, 9), st.integers(1, 4)),
    st.tuples(st.just("deploy"), st.integers(0, DATABASES - 1)),
    st.tuples(st.just("forget")),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(moves, max_size=25))
def test_every_database_runs_each_step_once(chosen: list[tuple[object, ...]]) -> None:
    releases = Releases()
    for name, *arguments in chosen:
        getattr(releases, str(name))(*arguments)
    for number in range(DATABASES):
        releases.deploy(number)
