"""The commands that change a database: `migrate` and `rollback`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

import typer

from cormorant.cli import options as o
from cormorant.cli.answers import Answer
from cormorant.cli.application import application
from cormorant.cli.configuration import Config, Options
from cormorant.cli.documents import report_document
from cormorant.cli.looking import back
from cormorant.cli.progress import shown_progress
from cormorant.cli.rendering import line, report_parts
from cormorant.cli.screen import carry_out
from cormorant.cli.working import with_engine
from cormorant.migrations.running.engine import MigrationEngine
from cormorant.migrations.running.outcomes import Report

Fake = Annotated[bool, typer.Option("--fake", help="Only write down that they were, and run nothing.")]
Wait = Annotated[
    float | None,
    typer.Option("--wait", help="Seconds to wait for another one who migrates.", min=0, metavar="SECONDS"),
]


@application.command()
def migrate(
    target: o.Target = None,
    fake: Fake = False,
    wait: Wait = None,
    dsn: o.Dsn = None,
    config: o.File = None,
    migrations: o.Migrations = None,
    as_json: o.Json = False,
) -> None:
    """Run the migrations that the database has not, up to one of them or all."""

    def work(config: Config) -> Answer:
        with shown_progress(as_json) as told:
            done = with_engine(config, lambda e: e.migrate(target, fake=fake, progress=told), wait=wait)
        return _said(done)

    carry_out(as_json, Options(dsn, config, migrations=migrations), work)


@application.command()
def rollback(
    target: Annotated[
        str,
        typer.Argument(
            help='How many, or the migration that shall be the last one; "zero" is before the first.', metavar="TARGET"
        ),
    ] = "1",
    fake: Fake = False,
    wait: Wait = None,
    dsn: o.Dsn = None,
    config: o.File = None,
    migrations: o.Migrations = None,
    as_json: o.Json = False,
) -> None:
    """Take migrations back, the last one first."""

    def work(config: Config) -> Answer:
        with shown_progress(as_json) as told:

            async def taken(engine: MigrationEngine) -> tuple[Report, Sequence[str]]:
                report = await engine.rollback(back(target), fake=fake, progress=told)
                return report, (await engine.status()).changed

            done, changed = with_engine(config, taken, wait=wait)
        return _warned(_said(done), changed)

    carry_out(as_json, Options(dsn, config, migrations=migrations), work)


def _warned(answer: Answer, changed: Sequence[str]) -> Answer:
    """Gives an answer that also names the applied migrations whose files are others now: `migrate` refuses them."""
    if not changed:
        return answer
    words = (
        f"applied and changed since: {', '.join(changed)}; migrate refuses to go on until the files are as they were"
    )
    return replace(answer, shown=(*answer.shown, line((words, "yellow"))))


def _said(done: Report) -> Answer:
    return Answer(report_document(done), report_parts(done))
