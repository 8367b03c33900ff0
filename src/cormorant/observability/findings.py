"""What is loaded one by one, as a value."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """A line of the program that loads things one by one.

    Args:
        what: What is loaded: "Author.articles is counted one by one".
        file: The file's path; None where tasks that do nothing else load them.
        line: The line's number; None likewise.
        count: How often.
        fix: What to write instead.
    """

    what: str
    file: str | None
    line: int | None
    count: int
    fix: str

    @property
    def place(self) -> str:
        """Where it is: "app.py:12"."""
        return "tasks that do nothing else" if self.file is None else f"{self.file}:{self.line}"
