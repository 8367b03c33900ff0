"""What new migrations are called."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from cormorant.migrations.history import History
from cormorant.migrations.migration import MigrationFile
from cormorant.migrations.step import Step
from cormorant.schema import column_operations as c
from cormorant.schema import operations as o
from cormorant.schema.names import name_of
from cormorant.schema.operations import Operation

_LONGEST_WORDS = 60


def file_name(history: History, app: str, words: str) -> str:
    """Gives the name of an app's next migration: a number, and words for people.

    Args:
        history: The migrations that there are.
        app: The app.
        words: What it is about, as anybody would write it.
    """
    numbers = [number for file in history.files if file.app == app for number in _numbers(file)]
    slug = re.sub(r"\W+", "_", words.lower()).strip("_")
    return f"{max(numbers, default=0) + 1:04}_{slug[:_LONGEST_WORDS].rstrip('_')}".rstrip("_")


def _numbers(file: MigrationFile) -> Iterator[int]:
    """Gives the number of a migration, and those of the ones that it stands for, whose files may be gone."""
    for key in (file.key, *file.replaces):
        number = key.rpartition("/")[2].partition("_")[0]
        if number.isdigit():
            yield int(number)


def automatic_words(operations: Sequence[Step], *, first: bool) -> str:
    """Gives words for what steps do: "initial", "essay_stars", "drop_essay_subtitle", "essay_and_3_more"."""
    if first:
        return "initial"
    known = [operation for operation in operations if isinstance(operation, Operation)]
    if len(known) == 1:
        return _words_of(known[0])
    tables = list(dict.fromkeys(name_of(operation.touched) for operation in known))
    if not tables:
        return "steps"
    return "_".join(tables) if len(tables) <= 3 else f"{tables[0]}_and_{len(tables) - 1}_more"


def _words_of(operation: Operation) -> str:
    table = name_of(operation.touched)
    match operation:
        case o.DropTable():
            return f"drop_{table}"
        case o.RenameTable(new=new):
            return f"rename_{table}_to_{name_of(new)}"
        case c.AddColumn(column=column) | c.AlterColumn(after=column):
            return f"{table}_{column.name}"
        case c.DropColumn(column=column):
            return f"drop_{table}_{column.name}"
        case c.RenameColumn(old=old, new=new):
            return f"rename_{table}_{old}_to_{new}"
        case _:
            return table


def automatic_title(operations: Sequence[Step], *, first: bool) -> str:
    """Gives one line that says what steps do, for the file's docstring."""
    if first:
        tables = [step.table.key for step in operations if isinstance(step, o.CreateTable)]
        rest = f" and {len(tables) - 5} more" if len(tables) > 5 else ""
        return f"The first tables: {', '.join(tables[:5])}{rest}." if tables else "The beginning."
    said = [step.describe() for step in operations]
    whole = "; ".join(said)
    if len(whole) > 100:
        whole = f"{said[0][:80]}{f'; and {len(said) - 1} more' if len(said) > 1 else ''}"
    return f"{whole[:1].upper()}{whole[1:]}."
