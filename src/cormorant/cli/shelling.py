"""The command `shell`: Python that waits, with a database, a session and the models."""

from __future__ import annotations

from typing import Annotated

import typer

from cormorant.cli import options as o
from cormorant.cli.answers import Answer
from cormorant.cli.application import application
from cormorant.cli.configuration import Config, Options
from cormorant.cli.console import converse
from cormorant.cli.loading import load_models
from cormorant.cli.screen import carry_out
from cormorant.cli.working import database_of
from cormorant.database.gating import unasked


@application.command()
def shell(
    command: Annotated[
        str | None, typer.Option("--command", "-c", help="Run this, and no prompt.", metavar="CODE")
    ] = None,
    dsn: o.Dsn = None,
    config: o.File = None,
    models: o.Models = None,
) -> None:
    """Python with await, and `db`, `session` and the models; what is not committed is rolled back at the end."""

    def work(config: Config) -> Answer:
        if config.models:
            load_models(config)
        with unasked():
            return Answer(code=converse(database_of(config), command))

    carry_out(False, Options(dsn, config, tuple(models or ())), work)
