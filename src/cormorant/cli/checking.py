"""The commands that compare: `drift` and `prove`."""

from __future__ import annotations

from typing import Annotated

import typer

from cormorant.cli import options as o
from cormorant.cli.answers import Answer
from cormorant.cli.application import application
from cormorant.cli.configuration import Config, Options
from cormorant.cli.documents import drift_document, proof_document
from cormorant.cli.exit_codes import FOUND, OK
from cormorant.cli.loading import load_models
from cormorant.cli.progress import shown_progress
from cormorant.cli.rendering import SOFT, drift_parts, line, proof_parts
from cormorant.cli.screen import carry_out
from cormorant.cli.working import database_of, refuse_missing_file, with_engine
from cormorant.database import Database
from cormorant.migrations.running.engine import MigrationEngine
from cormorant.migrations.running.outcomes import Proof, Tell


@application.command()
def drift(
    dsn: o.Dsn = None,
    config: o.File = None,
    models: o.Models = None,
    migrations: o.Migrations = None,
    as_json: o.Json = False,
) -> None:
    """Compare models, migrations and the live database. Exits with 1 if they differ."""

    def work(config: Config) -> Answer:
        if config.models:
            load_models(config)
        refuse_missing_file(database_of(config))
        found = with_engine(config, lambda engine: engine.drift())
        notes = () if config.models else (line(("no models are named: migrations and database were compared", SOFT)),)
        return Answer(drift_document(found), (*drift_parts(found), *notes), code=FOUND if found else OK)

    carry_out(as_json, Options(dsn, config, tuple(models or ()), migrations), work)


@application.command()
def prove(
    scratch: Annotated[
        str | None,
        typer.Option("--scratch", help="An empty database for it; else one is made and dropped.", metavar="DSN"),
    ] = None,
    dsn: o.Dsn = None,
    config: o.File = None,
    migrations: o.Migrations = None,
    as_json: o.Json = False,
) -> None:
    """Run all migrations up, down and up again on an empty database. Exits with 1 if they do not hold."""

    async def proved(engine: MigrationEngine, told: Tell) -> Proof:
        if scratch is None:
            return await engine.prove(progress=told)
        async with Database(scratch) as empty:
            return await engine.prove(empty, progress=told)

    def work(config: Config) -> Answer:
        with shown_progress(as_json) as told:
            found = with_engine(config, lambda engine: proved(engine, told))
        return Answer(proof_document(found), proof_parts(found), code=OK if found.holds else FOUND)

    carry_out(as_json, Options(dsn, config, migrations=migrations), work)
