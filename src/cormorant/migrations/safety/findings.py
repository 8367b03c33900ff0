"""What is wrong with a step on a live database, as values."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from cormorant.migrations.safety.locks import Lock
from cormorant.migrations.step import Step

Level: TypeAlias = Literal["notice", "warning", "error"]
"""How bad it is, the least first: an error stops others, or breaks what runs."""

LEVELS: tuple[Level, ...] = get_args(Level)

Rule: TypeAlias = Literal[
    # others are kept waiting
    "rewrites-table",
    "scans-under-lock",
    "holds-locks",
    "fills-at-once",
    "drops-index",
    "not-looked-at",
    # the database refuses it
    "no-value",
    "no-key",
    "enum-value-in-use",
    "partitioned",
    # a release that runs meanwhile
    "drops-table",
    "renames-table",
    "drops-column",
    "renames-column",
    "no-default",
    "not-null",
    "nullable",
    "made-by-database",
    "other-type",
    "narrower-type",
    "other-key",
    "new-check",
    "new-unique",
    "new-foreign-key",
    "unique-gone",
    "enum-gone",
    "enum-value-gone",
    "enum-value-new",
]
"""What kind of finding it is, by which it can be told to be silent."""

RULES: tuple[Rule, ...] = get_args(Rule)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that a step does to those who use the database meanwhile.

    Args:
        level: How bad it is.
        rule: What kind of finding it is.
        operation: The step in words.
        why: What happens.
        locks: The locks that matter, by PostgreSQL's names, with their tables.
        scans: The tables whose rows are all read meanwhile.
        rewrites: The tables whose rows are all written anew meanwhile.
        instead: Steps that lead to the same, safely; none if there are none.
        advice: A safe way in words.
        place: The step's number, from 0; -1 where it is about no step alone.
    """

    level: Level
    rule: Rule
    operation: str
    why: str
    locks: tuple[Lock, ...] = ()
    scans: tuple[str, ...] = ()
    rewrites: tuple[str, ...] = ()
    instead: tuple[Step, ...] = ()
    advice: str = ""
    place: int = -1

    @property
    def lock(self) -> str:
        """The locks in words: "SHARE on article"; "" if there is none."""
        return ", ".join(map(str, self.locks))

    def __str__(self) -> str:
        parts = [f"{self.level}: {self.operation}: {self.why}"]
        if self.instead:
            parts.append("; ".join(["instead", *(step.describe() for step in self.instead)]).replace(";", ":", 1))
        return ". ".join([*parts, *([self.advice] if self.advice else [])])


def worst(findings: Iterable[Finding]) -> Level | None:
    """Gives the worst level among findings; None if there are none."""
    found = {finding.level for finding in findings}
    return next((level for level in reversed(LEVELS) if level in found), None)


def exit_code(findings: Iterable[Finding], fail_on: Level = "error") -> int:
    """Gives 1 if a finding is as bad as `fail_on`, or worse, and else 0."""
    found = worst(findings)
    return int(found is not None and LEVELS.index(found) >= LEVELS.index(fail_on))
