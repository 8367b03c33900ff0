"""What the engine says, for people: tables and lines of rich."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from cormorant._internal.secrets import without_secrets
from cormorant.cli.choosing import Looked, Losses
from cormorant.errors import Loss
from cormorant.migrations.making import Draft
from cormorant.migrations.running.adopting import Adopted
from cormorant.migrations.running.outcomes import Drift, Plan, PlannedMigration, Proof, Report, Status
from cormorant.migrations.safety.findings import Finding

GOOD, BAD, SOFT, NAME = "green", "bold red", "dim", "bold"


def line(*parts: str | tuple[str, str]) -> Text:
    """Gives one line of parts, each a text or a text with its style."""
    return Text.assemble(*parts)


def shortest(path: Path) -> str:
    """Gives a path from where the command is run, if it is below."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def status_parts(status: Status) -> tuple[RenderableType, ...]:
    """Gives which migrations a database has, and which it has not."""
    table = _table("migration", "state", "when", "took")
    for record in status.applied:
        changed = record.key in status.changed
        state = Text("changed since", BAD) if changed else Text("applied", GOOD)
        when = f"{record.applied_at.astimezone():%Y-%m-%d %H:%M:%S}"
        table.add_row(Text(record.key, NAME), state, when, f"{record.seconds:.2f} s")
    for key in status.missing:
        table.add_row(Text(key, NAME), Text("applied, and its file is missing", BAD))
    started = {record.key: record.step for record in status.started}
    for file in status.pending:
        words = "pending"
        if file.key in started:
            words = f"stopped after step {started[file.key]} of {len(file.migration.operations)}"
        table.add_row(Text(file.key, NAME), Text(words, "yellow"), "", "")
    if not table.row_count:
        return (Text("there are no migrations: cormorant make writes the first one"),)
    return (table, _verdict(status))


def _verdict(status: Status) -> Text:
    if status.changed or status.missing:
        return Text("the files are not those that were applied", BAD)
    count = len(status.pending)
    if count:
        return Text(f"{count} pending: cormorant migrate runs {'it' if count == 1 else 'them'}", "yellow")
    return Text("the database has all migrations", GOOD)


def plan_parts(plan: Plan, losses: Losses) -> tuple[RenderableType, ...]:
    """Gives what a run would do, statement by statement, and what would be lost."""
    if not plan.migrations:
        return (Text("there is nothing to do", GOOD),)
    return tuple(part for each in plan.migrations for part in _planned(each, losses[each.migration]))


def _planned(migration: PlannedMigration, losses: Sequence[Loss]) -> Iterator[RenderableType]:
    verb = "take back" if migration.down else "go on with" if migration.done else "run"
    yield line(f"{verb} ", (migration.migration, NAME))
    for step in migration.steps:
        note = "  (outside of a transaction)" if step.outside else ""
        yield line(f"  {step.number:>2}  {step.words}", (note, "yellow"))
        for sql in step.sql:
            yield Text("\n".join(f"        {part}" for part in without_secrets(sql).split("\n")), SOFT)
    for loss in losses:
        yield line(("  loses ", BAD), loss.describe())


def report_parts(report: Report) -> tuple[RenderableType, ...]:
    """Gives what a run did."""
    if not report.ran:
        return (Text("there was nothing to do", GOOD),)
    verb = "taken back" if report.down else "applied"
    if report.fake:
        verb = "forgotten, and not taken back" if report.down else "written down, and not run"
    lines = [
        line((each.migration, NAME), f"  {verb}", (f"  {each.seconds:.2f} s{' (resumed)' * each.resumed}", SOFT))
        for each in report.ran
    ]
    return tuple(lines)


def drift_parts(drift: Drift) -> tuple[RenderableType, ...]:
    """Gives where models, migrations and a database differ, and what to do about it."""
    words = tuple(Text(f"- {each}") for each in drift.describe())
    unmanaged = tuple(
        line(("no model and no migration knows the table ", SOFT), (key, NAME)) for key in drift.unmanaged
    )
    verdict = Text("models, migrations and the database differ", BAD) if drift else Text("there is no drift", GOOD)
    return (*words, *unmanaged, verdict)


def proof_parts(proof: Proof) -> tuple[RenderableType, ...]:
    """Gives what became of migrations on an empty database."""
    titles = ("the way up gave something else", "the way down left something", "the second way up gave something else")
    lines: list[RenderableType] = []
    for title, found in zip(titles, (proof.differences, proof.left, proof.again), strict=True):
        if found:
            lines.append(Text(f"{title}; to mend it:", BAD))
            lines += [Text(f"- {operation.describe()}") for operation in found]
    if proof.irreversible is not None:
        lines.append(line(("there is no way down: ", BAD), proof.irreversible))
    count = len(proof.migrations)
    if proof.holds:
        words = "1 migration holds" if count == 1 else f"{count} migrations hold"
        lines.append(Text(f"up, compared, down and up again: {words}", GOOD))
    return tuple(lines)


def adopted_parts(adopted: Adopted, path: str) -> tuple[RenderableType, ...]:
    """Gives what was taken over, and what was not."""
    lines: list[RenderableType] = [line("wrote ", (path, NAME), ", which the database has on record")]
    lines += [Text(f"  - {table}") for table in adopted.tables]
    lines += [line(("  not taken over: ", SOFT), each) for each in adopted.left_out]
    return tuple(lines)


def drafts_parts(drafts: Iterable[Draft], paths: Sequence[str]) -> tuple[RenderableType, ...]:
    """Gives new migrations: their files, and what they do."""
    lines: list[RenderableType] = []
    for place, draft in enumerate(drafts):
        wrote = place < len(paths)
        lines.append(line("wrote " if wrote else "would write ", (paths[place] if wrote else draft.key, NAME)))
        lines += [Text(f"  - {words}") for words in draft.describe()]
        lines += [line(("  loses ", BAD), loss.describe()) for loss in draft.losses]
    return tuple(lines)


LEVEL_STYLES = {"error": BAD, "warning": "yellow", "notice": SOFT}


def findings_parts(found: Sequence[Looked]) -> tuple[RenderableType, ...]:
    """Gives what was found in migrations, and what to do instead."""
    lines: list[RenderableType] = []
    for looked in found:
        if looked.findings:
            lines.append(Text(looked.migration, NAME))
            lines += [part for finding in looked.findings for part in _finding(finding)]
    count = len(found)
    if not lines:
        lines.append(Text(f"nothing to complain of in {count} migration{'s'[: count != 1]}", GOOD))
    return tuple(lines)


def _finding(finding: Finding) -> Iterator[RenderableType]:
    step = f"step {finding.place + 1}: " if finding.place >= 0 else ""
    yield line(f"  {step}", (finding.level, LEVEL_STYLES[finding.level]), f" [{finding.rule}] {finding.operation}")
    yield Text(f"      {finding.why}")
    if finding.lock:
        yield line(("      locks: ", SOFT), finding.lock)
    for number, step_instead in enumerate(finding.instead):
        yield line(("      instead: " if number == 0 else "               ", SOFT), step_instead.describe())
    if finding.advice:
        yield line(("      advice: ", SOFT), finding.advice)
