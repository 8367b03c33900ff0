"""What is wrong with a step on a live database, as values."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from cormorant.migrations.locks import Lock
from cormorant.migrations.step import Step

Level: TypeAlias = Literal["notice", "warning", "error"]
"""How bad it is, the least first: an error stops others, or breaks what runs."""

LEVELS: tuple[Level, ...] = get_args(Level)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that a step does to those who use the database meanwhile.

    Args:
        level: How bad it is.
        rule: A short name for this kind of finding, by which it can be told to be silent.
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
    rule: str
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
