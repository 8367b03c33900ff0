"""What happened, for people: `session.report()`, `db.report()`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

from cormorant.errors import ConfigurationError
from cormorant.observability.events import Target
from cormorant.observability.performance import PerformanceTracker
from cormorant.observability.report_html import page
from cormorant.observability.report_rich import parts
from cormorant.observability.report_svg import timeline
from cormorant.observability.report_text import plain
from cormorant.observability.reported import Reported, reported


class _Options(Protocol):
    """What rich tells of a terminal."""

    max_width: int


@dataclass(frozen=True, slots=True)
class Report(Reported):
    """What a session, or a database, has done: statements by their time, what is loaded one by one, lines, figures.

    It is a value: what happens later does not change it. It has no values of parameters, and no secrets.

    Example:
        >>> print(session.report())
        >>> session.report().save("report.html")
    """

    def __str__(self) -> str:
        return plain(self)

    def __rich_console__(self, console: object, options: _Options) -> Iterator[object]:
        """Gives what rich draws: `rich.print(report)`."""
        return parts(self, options.max_width)

    def show(self) -> None:
        """Prints it on stdout: in colours where rich is installed, which is the extra `report`; else as plain text."""
        if find_spec("rich") is None:
            sys.stdout.write(plain(self))
            return
        from rich.console import Console

        Console().print(self)

    def html(self) -> str:
        """Gives it as one HTML page, which needs no other file, loads nothing and runs no script."""
        return page(self)

    def timeline(self) -> str:
        """Gives the last statements in the order of time as an SVG picture."""
        return timeline(self)

    def save(self, path: str | Path) -> Path:
        """Writes it to a file.

        Args:
            path: Where to; its ending says what: .html for the page, .txt for plain text, .svg for the picture of the
                last statements.

        Returns:
            The path.

        Raises:
            ConfigurationError: It has another ending.

        Example:
            >>> db.report().save("report.html")
        """
        target = Path(path)
        render = _FORMATS.get(target.suffix.lower())
        if render is None:
            raise ConfigurationError(
                f"a report cannot be saved as {target.name!r}", hint="end the name with .html, .txt or .svg"
            )
        target.write_text(render(self), encoding="utf-8")
        return target


_FORMATS: dict[str, Callable[[Report], str]] = {".html": page, ".htm": page, ".txt": plain, ".svg": timeline}


def report_of(tracker: PerformanceTracker, target: Target, figures: Mapping[str, float], subject: str) -> Report:
    """Gives the report of what a tracker has counted so far.

    Args:
        tracker: Who has counted.
        target: The database.
        figures: What `db.stats()` tells.
        subject: "session" or "database".
    """
    found = reported(
        subject=subject,
        target=target,
        made=datetime.now(UTC),
        statements=tracker.export(),
        findings=list(tracker.findings.values()),
        runs=tracker.recent(),
        figures=figures if subject == "database" else {**figures, **_cache_figures(tracker)},
    )
    return Report(found.subject, found.target, found.made, found.statements, found.findings, found.runs, found.figures)


def _cache_figures(tracker: PerformanceTracker) -> dict[str, float]:
    """Gives a session's own share of what was asked of the second-level cache."""
    use = tracker.cache_use()
    return {"cache_hits": use.hits, "cache_misses": use.misses}
