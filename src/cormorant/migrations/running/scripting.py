"""Migrations as a script that somebody runs by hand; no database is asked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from cormorant.dialects.base import Dialect
from cormorant.errors import MigrationError
from cormorant.migrations.history import History, after
from cormorant.migrations.migration import MigrationFile
from cormorant.migrations.running import ledger
from cormorant.migrations.running.moves import Chunk, changes_of, chunks_of, moves_of
from cormorant.migrations.running.runner import record_statement
from cormorant.migrations.statements import refuse_transactions
from cormorant.migrations.step import RunSession
from cormorant.schema.operations import Operation
from cormorant.schema.plan import plan
from cormorant.schema.rebuild import RebuildTable
from cormorant.schema.scripts import text
from cormorant.schema.snapshot import SchemaSnapshot
from cormorant.schema.state import apply


def offline(
    history: History, dialect: Dialect, from_: str | None, to: str | None, *, work_done: bool = False
) -> list[str]:
    """Gives the statements of migrations for a database that has nothing but those before.

    Args:
        history: The migrations.
        dialect: The database's.
        from_: The last migration that it has; none if None is named.
        to: The last one to be run; all if None is named.
        work_done: Work in a session was done by other means.

    Raises:
        MissingMigration: There is no such migration.
        MigrationError: Work in a session is among the steps, which only the program can do.
    """
    first = 0 if from_ is None else history.ordered.index(history[from_]) + 1
    end = len(history) if to is None else history.ordered.index(history[to]) + 1
    files = history.ordered[first:end]
    if not work_done:
        _refuse_work(files, anew=not first)
    state = SchemaSnapshot()
    for file in history.ordered[:first]:
        state = after(state, file)
    lines = [] if first else [ledger.create_statement(dialect)]
    for file in files:
        lines += _script(file, state, dialect)
        state = after(state, file)
    return lines


def _refuse_work(files: Sequence[MigrationFile], *, anew: bool) -> None:
    """Refuses work in a session: what comes after it may drop what it should have moved.

    Raises:
        MigrationError: Naming the migration, and the ways out.
    """
    for place, file in enumerate(files):
        for number, step in enumerate(file.migration.operations, 1):
            # a database that is made anew has nothing that such a step would work on
            if isinstance(step, RunSession) and not (anew and step.elidable):
                before = f"`cormorant sql --to {files[place - 1].key}` ends before it; then " if place else ""
                raise MigrationError(
                    f"{file.key}, step {number}, is work in a session, which only the program can do and no script: "
                    f"{step.describe()}",
                    hint=f"{before}`cormorant migrate {file.key}` does it, and `cormorant sql --from {file.key}` goes "
                    "on; where it was done by other means, say so: --work-done",
                )


def _script(file: MigrationFile, state: SchemaSnapshot, dialect: Dialect) -> list[str]:
    lines = [f"-- {file.key}{f': {file.title}' if file.title else ''}"]
    chunks = chunks_of(moves_of(file, None, dialect, up=True), dialect) or [Chunk((), outside=False)]
    for chunk in chunks:
        after_chunk = chunk.moves[-1].after if chunk.moves else 0
        record = record_statement(dialect, file, after_chunk, 0.0, last=chunk is chunks[-1])
        body = _body(chunk, state, dialect)
        lines += [*body, record] if chunk.outside else _in_transaction(chunk, [*body, record], dialect)
        state = apply(state, *(each for move in chunk.moves for each in changes_of(move.step)))
    return lines


def _body(chunk: Chunk, state: SchemaSnapshot, dialect: Dialect) -> list[str]:
    lines: list[str] = []
    for _, some in groupby(chunk.moves, key=lambda move: isinstance(move.step, Operation)):
        moves = list(some)
        operations = [move.step for move in moves if isinstance(move.step, Operation)]
        for operation in plan(state, operations, dialect):
            lines += _operation(operation, dialect)
        for move in moves:
            if isinstance(move.step, RunSession):
                lines.append(f"-- step {move.number} was done by other means: {move.step.describe()}")
            elif not isinstance(move.step, Operation):
                found = move.step.statements(dialect)
                if not chunk.outside:
                    refuse_transactions(found)
                lines += found
        state = apply(state, *(each for move in moves for each in changes_of(move.step)))
    return lines


def _in_transaction(chunk: Chunk, body: list[str], dialect: Dialect) -> list[str]:
    operates = any(isinstance(move.step, Operation) for move in chunk.moves)
    before, behind = dialect.around_drops if operates else ((), ())
    begin = dialect.begin(isolation=None, read_only=False, deferrable=False, write=True)
    if any(f" temp.{_NOTES} " in sql for sql in body):
        body = [*_NOTES_BEGIN, *body, *_NOTES_END]
    return [*before, begin, *body, "COMMIT", *behind]


# ---- SQLite: an error ends no transaction, so that a program that goes on after one would drop the old table of a
# rebuild whose rows were not copied, and commit; what would be wrong is noted, and looked at last of all

_NOTES = "cormorant_script"
_NOTES_BEGIN = (
    f"CREATE TEMP TABLE {_NOTES} (\n  kind, name, wanted, found, looked_at,\n"
    '  CONSTRAINT "not all rows were copied, so nothing is changed"\n'
    "    CHECK (looked_at IS NULL OR kind <> 'rows' OR found IS wanted),\n"
    '  CONSTRAINT "a table has a column, an index or a trigger that no migration made and only the program would keep, '
    'so nothing is changed"\n'
    "    CHECK (looked_at IS NULL OR kind <> 'company' OR found IS wanted),\n"
    '  CONSTRAINT "rows would point to nothing, see PRAGMA foreign_key_check, so nothing is changed"\n'
    "    CHECK (looked_at IS NULL OR kind <> 'keys' OR found <= wanted)\n)",
    f"INSERT INTO temp.{_NOTES} (kind, wanted) SELECT 'keys', count(*) FROM pragma_foreign_key_check",
)
_NOTES_END = (
    f"UPDATE temp.{_NOTES} SET found = (SELECT count(*) FROM pragma_foreign_key_check) WHERE kind = 'keys'",
    f"UPDATE OR ROLLBACK temp.{_NOTES} SET looked_at = 1",
    f"DROP TABLE temp.{_NOTES}",
)


def _operation(operation: Operation, dialect: Dialect) -> list[str]:
    """Gives the statements of an operation; of a rebuild with notes of how many rows there are before and after it."""
    if not isinstance(operation, RebuildTable):
        return operation.statements(dialect)
    made = operation.by_hand(dialect).statements(dialect)
    before, after = operation.before, operation.after
    rows = f"SELECT 'rows', {text(before.name)}, count(*) FROM {dialect.quote(before.name)}"
    found = f"(SELECT count(*) FROM {dialect.quote(after.name)})"
    return [
        f"INSERT INTO temp.{_NOTES} (kind, name, wanted) {rows}",
        f"INSERT INTO temp.{_NOTES} (kind, name, wanted, found) {_company(operation)}",
        *made,
        f"UPDATE temp.{_NOTES} SET found = {found} WHERE kind = 'rows' AND name = {text(before.name)}",
    ]


def _company(operation: RebuildTable) -> str:
    """Gives how many columns, indexes and triggers a table has that the migrations do not know."""
    before, name = operation.before, text(operation.before.name)
    own = [f"{search.name}_{event}" for search in before.searches for event in ("insert", "delete", "update")]
    indexes = [index.name for table in (before, operation.after) for index in table.indexes]
    columns = (
        f"SELECT count(*) FROM pragma_table_xinfo({name}) WHERE name NOT IN ({_texts(x.name for x in before.columns)})"
    )
    parts = (
        "SELECT count(*) FROM sqlite_master WHERE type IN ('index', 'trigger') AND sql <> '' "
        f"AND tbl_name = {name} AND name NOT IN ({_texts(dict.fromkeys([*own, *indexes]))})"
    )
    return f"SELECT 'company', {name}, 0, ({columns}) + ({parts})"


def _texts(words: Iterable[str]) -> str:
    return ", ".join(map(text, words))
