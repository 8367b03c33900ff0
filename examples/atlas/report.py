"""The report as values, and how it is printed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich import box
from rich.console import Console
from rich.table import Table

from cormorant import Database, StatementStats


@dataclass(frozen=True)
class Answer:
    """A question asked of the database, and the rows that answer it."""

    title: str
    headings: tuple[str, ...]
    rows: Sequence[tuple[object, ...]]


@dataclass(frozen=True)
class Stage:
    """What a part of the job cost."""

    name: str
    seconds: float
    statements: list[StatementStats]


@dataclass(frozen=True)
class Report:
    """What the data says, which is the same on every database, and what it cost on this one."""

    answers: list[Answer]
    stages: list[Stage]
    database: str


def print_report(report: Report, console: Console) -> None:
    print_answers(report.answers, console)
    console.rule(f"on {report.database}")
    print_answers([cost(report), costliest(report)], console)


def print_answers(answers: Iterable[Answer], console: Console) -> None:
    for answer in answers:
        console.print(table_of(answer))


def table_of(answer: Answer) -> Table:
    table = Table(title=answer.title, title_justify="left", box=box.SIMPLE_HEAD, min_width=60)
    for number, heading in enumerate(answer.headings):
        numeric = all(isinstance(row[number], (int, float)) for row in answer.rows)
        table.add_column(heading, justify="right" if numeric else "left", overflow="fold")
    for row in answer.rows:
        table.add_row(*map(shown, row))
    return table


def shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.2f}"
    if isinstance(value, int):
        return f"{value:,}"
    return "" if value is None else str(value)


def cost(report: Report) -> Answer:
    rows = [
        (stage.name, sum(s.count for s in stage.statements), sum(s.rows for s in stage.statements), stage.seconds)
        for stage in report.stages
    ]
    return Answer("What it cost", ("stage", "statements", "rows", "seconds"), rows)


def costliest(report: Report, limit: int = 5) -> Answer:
    statements = [statement for stage in report.stages for statement in stage.statements]
    statements.sort(key=lambda statement: statement.total_ms, reverse=True)
    rows = [(s.total_ms, s.count, s.sql[:90]) for s in statements[:limit]]
    return Answer("The costliest statements", ("ms", "times", "begins with"), rows)


def describe(database: Database) -> str:
    version = ".".join(map(str, database.adapter.server_version))
    return f"{database.dialect.name} {version}"
