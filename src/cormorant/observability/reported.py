"""What a report tells, as values."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby

from cormorant._internal.frames import line_of
from cormorant._internal.secrets import readable, without_secrets
from cormorant.observability.events import Target
from cormorant.observability.exported import ExportedStats
from cormorant.observability.findings import Finding
from cormorant.observability.shapes import CallSite, Run
from cormorant.observability.words import clean, counted, milliseconds, number


@dataclass(frozen=True, slots=True)
class ReportedStatement:
    """One statement shape.

    Args:
        sql: Its text in one line, without values, and without texts that may be secret.
        count: How often it was sent.
        rows: Rows given back or written.
        errors: How many of the runs failed.
        total_ms: Milliseconds of all runs together.
        mean_ms: Milliseconds of the mean run.
        p95_ms: Milliseconds that 95 of 100 runs did not exceed.
        max_ms: Milliseconds of the slowest run.
        share: Its part of the time of all statements, from 0 to 1.
        call_sites: The lines of the program that had it sent, the busiest first.
    """

    sql: str
    count: int
    rows: int
    errors: int
    total_ms: float
    mean_ms: float
    p95_ms: float
    max_ms: float
    share: float
    call_sites: tuple[CallSite, ...]


@dataclass(frozen=True, slots=True)
class ReportedLine:
    """A line of the program.

    Args:
        site: The line, and how many statements it had sent.
        total_ms: What they took, by the mean of each statement shape.
    """

    site: CallSite
    total_ms: float


@dataclass(frozen=True, slots=True)
class ReportedRun:
    """One run of a statement.

    Args:
        statement: The statement's place in the report, from 0; None if it is not there.
        start: Milliseconds since the first run of the report began.
        milliseconds: How long it took.
        failed: It was refused, or cut off.
        place: The line that had it sent: "app.py:12"; None for nobody's.
    """

    statement: int | None
    start: float
    milliseconds: float
    failed: bool
    place: str | None

    @property
    def end(self) -> float:
        """Milliseconds since the first run began."""
        return self.start + self.milliseconds


@dataclass(frozen=True, slots=True)
class Reported:
    """What happened to a database, or in one session on it.

    Args:
        subject: What it is about: "session" or "database".
        target: The database.
        made: When it was made.
        statements: The statement shapes, the costliest first.
        findings: What is loaded one by one, the most frequent first.
        runs: The last runs, in the order in which they began.
        figures: What `db.stats()` tells, as (group, ((name, value), ...)).
    """

    subject: str
    target: Target
    made: datetime
    statements: tuple[ReportedStatement, ...]
    findings: tuple[Finding, ...]
    runs: tuple[ReportedRun, ...]
    figures: tuple[tuple[str, tuple[tuple[str, float], ...]], ...]

    @property
    def title(self) -> str:
        """What it is about, in words."""
        target = self.target
        host = f" on {target.host}" if target.host else ""
        port = f":{target.port}" if target.host and target.port else ""
        name = f" {target.name}" if target.name else ""
        session = "a session on " if self.subject == "session" else ""
        return clean(f"Cormorant: {session}{target.system}{name}{host}{port}")

    @property
    def summary(self) -> str:
        """All statements in a sentence."""
        count = sum(statement.count for statement in self.statements)
        failed = sum(statement.errors for statement in self.statements)
        rows = sum(statement.rows for statement in self.statements)
        took = sum(statement.total_ms for statement in self.statements)
        errors = f"{number(failed)} failed" if failed else "none failed"
        shapes = counted(len(self.statements), "shape")
        return f"{counted(count, 'statement')} of {shapes}, {milliseconds(took)}, {counted(rows, 'row')}, {errors}"

    @property
    def lines(self) -> list[ReportedLine]:
        """The lines of the program that had statements sent, the costliest first."""
        found: dict[tuple[str, int], ReportedLine] = {}
        for statement in self.statements:
            for site in statement.call_sites:
                key = (site.file, site.line)
                known = found.get(key) or ReportedLine(CallSite(site.file, site.line, 0), 0.0)
                took = known.total_ms + site.count * statement.mean_ms
                found[key] = ReportedLine(CallSite(*key, known.site.count + site.count), took)
        return sorted(found.values(), key=lambda line: line.total_ms, reverse=True)


def reported(
    *,
    subject: str,
    target: Target,
    made: datetime,
    statements: Sequence[ExportedStats],
    findings: Iterable[Finding],
    runs: Sequence[Run],
    figures: Mapping[str, float],
) -> Reported:
    """Makes a report of what was counted; nothing in it has values of parameters.

    Args:
        subject: What it is about: "session" or "database".
        target: The database.
        made: When it is made.
        statements: The exported statement shapes, the costliest first.
        findings: What is loaded one by one.
        runs: The last runs, with the SQL as it was sent.
        figures: What `db.stats()` tells, by names such as "pool_in_use".
    """
    places = {item["sql"]: place for place, item in enumerate(statements)}
    folder = _folder_of(statements)
    whole = sum(item["total_ms"] for item in statements)
    return Reported(
        subject,
        target,
        made,
        tuple(_statement(item, whole, folder) for item in statements),
        tuple(sorted((_shortened(item, folder) for item in findings), key=lambda item: item.count, reverse=True)),
        tuple(_runs(runs, places, folder)),
        tuple(_grouped(figures)),
    )


def _folder_of(statements: Sequence[ExportedStats]) -> str:
    """Gives the folder that all call sites are in, which need not be said of each."""
    folders = {os.path.dirname(site["file"]) for item in statements for site in item["call_sites"]}
    try:
        return os.path.commonpath(folders) if folders else ""
    except ValueError:
        # some are on other drives, or in no file: "<stdin>"
        return ""


def _below(folder: str, file: str) -> str:
    return clean(file[len(folder) :].lstrip(os.sep) if folder.strip(os.sep) and file.startswith(folder) else file)


def _shortened(finding: Finding, folder: str) -> Finding:
    file = None if finding.file is None else _below(folder, finding.file)
    return replace(finding, what=clean(finding.what), file=file, fix=clean(finding.fix))


def _statement(item: ExportedStats, whole: float, folder: str) -> ReportedStatement:
    return ReportedStatement(
        sql=clean(readable(item["sql"])),
        count=item["count"],
        rows=item["rows"],
        errors=item["errors"],
        total_ms=item["total_ms"],
        mean_ms=item["mean_ms"],
        p95_ms=item["p95_ms"],
        max_ms=item["max_ms"],
        share=item["total_ms"] / whole if whole else 0.0,
        call_sites=tuple(CallSite(_below(folder, s["file"]), s["line"], s["count"]) for s in item["call_sites"]),
    )


def _runs(runs: Sequence[Run], places: Mapping[str, int], folder: str) -> list[ReportedRun]:
    ordered = sorted(runs, key=lambda run: run[4])
    return [
        ReportedRun(
            places.get(without_secrets(sql)),
            (start - ordered[0][4]) * 1000,
            seconds * 1000,
            failed,
            _place(run, folder),
        )
        for run in ordered
        for sql, _, seconds, failed, start, *_ in [run]
    ]


def _place(run: Run, folder: str) -> str | None:
    caller = run[5]
    line = None if caller is None else line_of(*caller)
    return None if caller is None or line is None else f"{_below(folder, caller[0].co_filename)}:{line}"


def _grouped(figures: Mapping[str, float]) -> list[tuple[str, tuple[tuple[str, float], ...]]]:
    """Gives figures by the first word of their names."""
    parts = [(name.partition("_")[0], name.partition("_")[2], value) for name, value in figures.items()]
    return [
        (group, tuple((name.replace("_", " "), value) for _, name, value in same))
        for group, same in groupby(parts, key=lambda part: part[0])
    ]
