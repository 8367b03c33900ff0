"""The commands that change nothing: `status`, `plan` and `sql`."""

from __future__ import annotations

from typing import Annotated

import typer

from cormorant.cli import options as o
from cormorant.cli.answers import Answer
from cormorant.cli.application import application
from cormorant.cli.choosing import Losses, losses_of_plan, with_rows
from cormorant.cli.configuration import Config, Options
from cormorant.cli.documents import plan_document, status_document
from cormorant.cli.exit_codes import FOUND, OK
from cormorant.cli.rendering import SOFT, line, plan_parts, status_parts
from cormorant.cli.screen import carry_out
from cormorant.cli.working import database_of, engine_of, with_engine
from cormorant.migrations.running.counting import counted
from cormorant.migrations.running.engine import MigrationEngine
from cormorant.migrations.running.outcomes import Plan


@application.command()
def status(dsn: o.Dsn = None, config: o.File = None, migrations: o.Migrations = None, as_json: o.Json = False) -> None:
    """Say which migrations the database has. Exits with 1 if any is pending, changed or missing."""

    def work(config: Config) -> Answer:
        place = database_of(config).config.redacted
        found = with_engine(config, lambda engine: engine.status())
        told = {"database": place, **status_document(found)}
        return Answer(told, (line((place, SOFT)), *status_parts(found)), code=OK if found.is_current else FOUND)

    carry_out(as_json, Options(dsn, config, migrations=migrations), work)


@application.command()
def plan(
    target: o.Target = None,
    down: Annotated[
        str | None,
        typer.Option(
            "--down", help="What rollback would do instead: how many migrations, or back to which.", metavar="TARGET"
        ),
    ] = None,
    dsn: o.Dsn = None,
    config: o.File = None,
    migrations: o.Migrations = None,
    as_json: o.Json = False,
) -> None:
    """Say what migrate would do to the database, statement by statement, and what would be lost."""

    async def planned(engine: MigrationEngine) -> tuple[Plan, Losses]:
        found = await engine.plan(target, down=None if down is None else back(down))
        losses = losses_of_plan(engine.history, found)
        rows = await counted(engine.database, (loss for each in losses.values() for loss in each))
        return found, with_rows(losses, rows)

    def work(config: Config) -> Answer:
        found, losses = with_engine(config, planned)
        return Answer(plan_document(found, losses), plan_parts(found, losses))

    carry_out(as_json, Options(dsn, config, migrations=migrations), work)


def back(text: str) -> int | str:
    """Gives how many migrations, or the name of one: "0002" is a name, "2" a number."""
    return int(text) if text.isdecimal() and len(text) < 4 else text


# psql and the shell of SQLite go on after an error: to DROP TABLE, and to the record that all was done
_STOPS = {"postgresql": "\\set ON_ERROR_STOP on", "sqlite": ".bail on"}


@application.command()
def sql(
    from_: Annotated[
        str | None, typer.Option("--from", help="The last migration that the database has.", metavar="MIGRATION")
    ] = None,
    to: Annotated[str | None, typer.Option("--to", help="The last one to be run.", metavar="MIGRATION")] = None,
    work_done: Annotated[
        bool, typer.Option("--work-done", help="Leave out work in sessions: it was done by other means.")
    ] = False,
    dsn: o.Dsn = None,
    config: o.File = None,
    migrations: o.Migrations = None,
    as_json: o.Json = False,
) -> None:
    """Print the SQL of the migrations, with what writes down that they were run. No database is asked."""

    def work(config: Config) -> Answer:
        engine = engine_of(config, database_of(config))
        lines = engine.sql(from_, to, work_done=work_done)
        begun = f"{_STOPS[engine.database.dialect.name]}\n" if lines else ""
        return Answer({"sql": lines}, text=begun + "".join(f"{_ended(each)}\n" for each in lines))

    carry_out(as_json, Options(dsn, config, migrations=migrations), work)


def _ended(statement: str) -> str:
    return statement if statement.startswith("--") else f"{statement};"
