"""The commands `lint` and `snapshot`: what migrations do to those who use the database meanwhile."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from cormorant.cli import options as o
from cormorant.cli.answers import Answer
from cormorant.cli.application import application
from cormorant.cli.choosing import Choice, chosen, looked_at
from cormorant.cli.configuration import Config, Options
from cormorant.cli.documents import findings_document
from cormorant.cli.loading import load_models
from cormorant.cli.rendering import SOFT, findings_parts, line
from cormorant.cli.screen import carry_out
from cormorant.cli.working import Measured, has_database, history_of, measured, with_engine
from cormorant.dialects.base import Dialect
from cormorant.errors import ConfigurationError
from cormorant.migrations import History
from cormorant.migrations.safety.findings import LEVELS, Level, exit_code
from cormorant.schema.builder import SchemaBuilder
from cormorant.schema.declared import DIALECTS
from cormorant.schema.json_form import snapshot_from_json, snapshot_to_json
from cormorant.schema.snapshot import SchemaSnapshot

NOT_ASKED = "no database was asked: every table counts as large"


@application.command()
def lint(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Migrations; else the pending ones.", metavar="MIGRATION", show_default=False),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All migrations, applied ones too.")] = False,
    since: Annotated[str | None, typer.Option("--since", help="Those after this one.", metavar="MIGRATION")] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Ask no database; every table counts as large.")] = False,
    dialect: Annotated[
        str | None, typer.Option("--dialect", help="postgresql or sqlite; else the database's.", metavar="NAME")
    ] = None,
    running: Annotated[
        str | None,
        typer.Option(
            "--running",
            help="What the release wants that runs: a migration, or a file of `cormorant snapshot`.",
            metavar="RELEASE",
        ),
    ] = None,
    ignore: Annotated[list[str] | None, typer.Option("--ignore", help="A rule that is silent.", metavar="RULE")] = None,
    fail_on: Annotated[str, typer.Option("--fail-on", help="The level that exits with 1.", metavar="LEVEL")] = "error",
    dsn: o.Dsn = None,
    config: o.File = None,
    migrations: o.Migrations = None,
    as_json: o.Json = False,
) -> None:
    """Say what migrations do to a database in use. Exits with 1 if a finding is an error."""
    choice = Choice(tuple(names or ()), every, since)

    def work(config: Config) -> Answer:
        level = level_named(fail_on)
        asks = has_database(config) and not offline
        told = with_engine(config, measured) if asks else Measured()
        history = history_of(config)
        wanted = None if running is None else wanted_by(running, history)
        files = chosen(history, choice, told.pending)
        used = told.dialect if dialect is None else dialect_named(dialect)
        found = looked_at(history, files, used, told.sizes, running=wanted, ignored=frozenset(ignore or ()))
        notes = () if asks else (line((NOT_ASKED, SOFT)),)
        code = exit_code((each for looked in found for each in looked.findings), level)
        return Answer(findings_document(found), (*findings_parts(found), *notes), code=code)

    carry_out(as_json, Options(dsn, config, migrations=migrations), work)


def level_named(text: str) -> Level:
    """Gives a level by its name."""
    for level in LEVELS:
        if level == text:
            return level
    raise ConfigurationError(f"there is no level {text!r}", hint=f"one of {', '.join(LEVELS)}")


def dialect_named(text: str) -> Dialect:
    """Gives a dialect by its name."""
    for dialect in DIALECTS:
        if dialect.name == text:
            return dialect
    raise ConfigurationError(
        f"there is no dialect {text!r}", hint=f"one of {', '.join(dialect.name for dialect in DIALECTS)}"
    )


def wanted_by(running: str, history: History) -> SchemaSnapshot:
    """Gives the schema that a release wants: after a migration, or of a file."""
    return read_snapshot(Path(running)) if Path(running).is_file() else history.state(running)


def read_snapshot(path: Path) -> SchemaSnapshot:
    """Gives the schema that `cormorant snapshot` has printed.

    Raises:
        ConfigurationError: The file holds none.
    """
    try:
        return snapshot_from_json(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError, KeyError, AttributeError, AssertionError) as error:
        raise ConfigurationError(
            f"{path} holds no schema: {error}", hint="write it with: cormorant snapshot > release.json"
        ) from None


@application.command()
def snapshot(
    config: o.File = None,
    models: o.Models = None,
    as_json: Annotated[bool, typer.Option("--json", help="Taken as everywhere; it is JSON in any case.")] = True,
) -> None:
    """Print the schema that the models want, as JSON: what `lint --running` compares the next release with."""

    def work(config: Config) -> Answer:
        load_models(config)
        return Answer(snapshot_to_json(SchemaBuilder.wanted()))

    carry_out(as_json, Options(file=config, models=tuple(models or ())), work)
