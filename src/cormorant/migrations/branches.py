"""Branches: migrations of which none comes before the other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations

from cormorant.errors import MigrationConflict
from cormorant.migrations.footprint import Footprint, footprint
from cormorant.migrations.migration import MigrationFile, said_key


def ancestors(key: str, needs: Mapping[str, Iterable[str]]) -> frozenset[str]:
    """Gives the keys of all migrations that come before one, and its own."""
    found: set[str] = set()
    waiting = [key]
    while waiting:
        each = waiting.pop()
        if each not in found:
            found.add(each)
            waiting += needs.get(each, ())
    return frozenset(found)


def refuse_conflicts(
    heads: Sequence[str], files: Mapping[str, MigrationFile], needs: Mapping[str, Iterable[str]]
) -> None:
    """Refuses branches of one app that change the same thing; others may be run in any order.

    Args:
        heads: The last migration of each branch.
        files: All migrations by their keys.
        needs: By key, the keys of those that come right before.

    Raises:
        MigrationConflict: Naming the branches, what both change, and the ways out.
    """
    before = {head: ancestors(head, needs) for head in heads}
    for one, other in combinations(heads, 2):
        ours = [files[key] for key in sorted(before[one] - before[other])]
        theirs = [files[key] for key in sorted(before[other] - before[one])]
        _refuse(one, other, _steps(ours), _steps(theirs), files)


def _steps(files: Sequence[MigrationFile]) -> Footprint:
    whole = Footprint()
    for file in files:
        whole |= footprint(file.migration.operations)
    return whole


def _refuse(one: str, other: str, first: Footprint, second: Footprint, files: Mapping[str, MigrationFile]) -> None:
    for free, beside, name in ((first, second, one), (second, first, other)):
        if free.anything and (beside.anything or beside.writes or beside.reads):
            raise MigrationConflict(
                f"{one} and {other} are two heads, and what is run on the way to {name} may touch any table",
                heads=(one, other),
                hint=f'say which: RunSQL(..., tables=("essay",)); or {_way_out(one, other, files)}',
            )
    things = first.clashes(second)
    if things:
        raise MigrationConflict(
            f"{one} and {other} are two heads, and both are about {', '.join(things)}",
            heads=(one, other),
            things=things,
            hint=_way_out(one, other, files),
        )


def _way_out(one: str, other: str, files: Mapping[str, MigrationFile]) -> str:
    app = files[one].app
    first, second = said_key(one, app), said_key(other, app)
    return (
        f'let {other} come after {one}, with depends=("{first}",), if it is applied nowhere yet; or, if both fit '
        f'together, make a migration that merges them: depends=("{first}", "{second}")'
    )
