"""Which of the squashed migrations, and those that they stand for, are run."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from cormorant.errors import MissingMigration
from cormorant.migrations.migration import MigrationFile


@dataclass(frozen=True, slots=True)
class Active:
    """The migrations that are run.

    Args:
        files: Squashed ones, or those that they stand for.
        stands_for: By the key of a migration that is out of use, the key of the one that stands for it.
        settled: Squashed ones that count as applied, as all are that they stand for.
    """

    files: tuple[MigrationFile, ...]
    stands_for: Mapping[str, str]
    settled: frozenset[str]


def active(files: Iterable[MigrationFile], applied: Collection[str]) -> Active:
    """Gives which migrations are run on a database that has applied some.

    A squashed one is in use unless the database has applied a part only of what it stands for: then those are gone
    through to their end.

    Args:
        files: All that there are.
        applied: The keys of those that the database has applied.

    Raises:
        MissingMigration: A part only is applied, and the file of another is gone.
    """
    found = {file.key: file for file in files}
    done = set(applied)
    stands_for: dict[str, str] = {}
    settled: set[str] = set()
    # one that stands for another squashed one stands for more
    squashed = sorted((file for file in found.values() if file.replaces), key=lambda file: len(file.replaces))
    for file in squashed:
        rest = [key for key in file.replaces if key not in done]
        if file.key not in done and rest and len(rest) < len(file.replaces):
            _refuse_gone(file, [key for key in rest if key not in found])
            stands_for[file.key] = _last(file.replaces, found)
            del found[file.key]
            continue
        if not rest and file.key not in done:
            settled.add(file.key)
            done.add(file.key)
        stands_for |= dict.fromkeys(file.replaces, file.key)
        for key in file.replaces:
            found.pop(key, None)
    return Active(tuple(found.values()), stands_for, frozenset(settled))


def _last(replaced: Iterable[str], found: Mapping[str, MigrationFile]) -> str:
    """Gives the migration after all others of those that a squashed one stands for."""
    there = [key for key in replaced if key in found]
    needed = {before for key in there for before in found[key].depends}
    return next(key for key in reversed(there) if key not in needed)


def _refuse_gone(file: MigrationFile, gone: list[str]) -> None:
    if gone:
        raise MissingMigration(
            f"{file.key} stands for migrations of which this database has applied a part, and there is no file of "
            f"{', '.join(gone)}",
            hint="bring the files back until every database has applied them",
        )
