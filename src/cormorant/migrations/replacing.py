"""Which of the squashed migrations, and those that they stand for, are run."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from cormorant._internal.topological import CycleError, sort
from cormorant.errors import MigrationCycle, MissingMigration
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
        MigrationCycle: Squashed ones stand for each other.
        MissingMigration: A part only is applied, and the file of another is gone.
    """
    found = {file.key: file for file in files}
    done = set(applied)
    begun: set[str] = set()
    stands_for: dict[str, str] = {}
    settled: set[str] = set()
    for file in _squashed(found):
        rest = [key for key in file.replaces if key not in done]
        whole = file.key in done or not rest
        if not whole and (len(rest) < len(file.replaces) or not begun.isdisjoint(rest)):
            _refuse_gone(file, [key for key in rest if key not in found and key not in stands_for])
            stands_for[file.key] = _last(file.replaces, found, stands_for)
            begun.add(file.key)
            del found[file.key]
            continue
        settled |= {file.key} if whole and file.key not in done else set()
        done |= {file.key} if whole else set()
        stands_for |= dict.fromkeys(file.replaces, file.key)
        for key in file.replaces:
            found.pop(key, None)
    return Active(tuple(found.values()), stands_for, frozenset(settled))


def _squashed(found: Mapping[str, MigrationFile]) -> list[MigrationFile]:
    """Gives the squashed migrations, each after those that it stands for."""
    files = {key: file for key, file in found.items() if file.replaces}
    try:
        return [files[key] for key in sort(files, {key: file.replaces for key, file in files.items()})]
    except CycleError as error:
        raise MigrationCycle(
            f"squashed migrations stand for each other: {error}", hint="correct replaces= in one of them"
        ) from error


def _last(replaced: Iterable[str], found: Mapping[str, MigrationFile], stands_for: Mapping[str, str]) -> str:
    """Gives the migration after all others of those that a squashed one stands for."""
    there = [stands_for.get(key, key) for key in replaced]
    needed = {before for key in there for before in (found[key].depends if key in found else ())}
    return next(key for key in reversed(there) if key not in needed)


def _refuse_gone(file: MigrationFile, gone: list[str]) -> None:
    if gone:
        raise MissingMigration(
            f"{file.key} stands for migrations of which this database has applied a part, and there is no file of "
            f"{', '.join(gone)}",
            hint="bring the files back until every database has applied them",
        )
