"""The command `report`: runs a program, and says what it asked of its databases."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, cast

import typer
from rich.console import RenderableType

from cormorant.cli import options as o
from cormorant.cli.answers import Answer
from cormorant.cli.application import application
from cormorant.cli.configuration import Config, Options
from cormorant.cli.program import run_program
from cormorant.cli.rendering import line
from cormorant.cli.screen import carry_out
from cormorant.observability.report import Report


@application.command(
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
def report(
    program: Annotated[list[str], typer.Argument(help="The program and its arguments.", metavar="PROGRAM")],
    module: Annotated[bool, typer.Option("--module", "-m", help="PROGRAM is a module, as for python -m.")] = False,
    save: Annotated[
        Path | None, typer.Option("--save", help="Write it to a file: .html, .txt or .svg.", metavar="FILE")
    ] = None,
    config: o.File = None,
    as_json: o.Json = False,
) -> None:
    """Run a program, then report on the statements of its databases. Exits with the program's code."""

    def work(config: Config) -> Answer:
        done = run_program(program, config.path, module=module, quiet=as_json)
        reports = [database.report() for database in done.databases]
        busy = [each for each in reports if each.statements]
        paths = [str(each.save(numbered(save, place))) for place, each in enumerate(busy)] if save else []
        shown = [line(f"wrote {path}") for path in paths] if save else [cast("RenderableType", each) for each in busy]
        none = [] if busy else [line("no database of this program was asked anything")]
        documents = [document(each) for each in busy]
        return Answer({"reports": documents, "saved": paths, "exit": done.code}, (*shown, *none), code=done.code)

    carry_out(as_json, Options(file=config), work)


def numbered(path: Path, place: int) -> Path:
    """Gives the file of one of several reports: "report.html", "report-2.html"."""
    return path if place == 0 else path.with_name(f"{path.stem}-{place + 1}{path.suffix}")


def document(report: Report) -> dict[str, object]:
    """Gives a report as plain data."""
    statements = [
        {
            "sql": each.sql,
            "count": each.count,
            "rows": each.rows,
            "errors": each.errors,
            "total_ms": each.total_ms,
            "mean_ms": each.mean_ms,
            "p95_ms": each.p95_ms,
            "max_ms": each.max_ms,
            "call_sites": [f"{site.file}:{site.line}" for site in each.call_sites],
        }
        for each in report.statements
    ]
    findings = [{"what": f.what, "place": f.place, "count": f.count, "fix": f.fix} for f in report.findings]
    figures = {f"{group} {name}": value for group, pairs in report.figures for name, value in pairs}
    return {"database": report.title, "statements": statements, "findings": findings, "figures": figures}
