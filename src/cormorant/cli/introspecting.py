"""The command `inspect`: models of a database that is there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from cormorant.cli import options as o
from cormorant.cli.answers import Answer
from cormorant.cli.application import application
from cormorant.cli.configuration import Config, Options
from cormorant.cli.screen import carry_out
from cormorant.cli.working import database_of, refuse_missing_file, with_database
from cormorant.errors import ConfigurationError, suggest
from cormorant.schema.builder import SchemaBuilder
from cormorant.schema.json_form import snapshot_to_json
from cormorant.schema.models_source import models_source
from cormorant.schema.snapshot import SchemaSnapshot


@application.command()
def inspect(
    address: Annotated[
        str | None, typer.Argument(help="The database; else the configured one.", metavar="DSN", show_default=False)
    ] = None,
    schema: Annotated[
        list[str] | None,
        typer.Option("--schema", help="Another schema of PostgreSQL; may be said several times.", metavar="NAME"),
    ] = None,
    table: Annotated[
        list[str] | None, typer.Option("--table", help="Only this table; may be said several times.", metavar="NAME")
    ] = None,
    dsn: o.Dsn = None,
    config: o.File = None,
    as_json: o.Json = False,
) -> None:
    """Print the models of a database: cormorant inspect DSN > models.py; with --json its schema as data."""

    def work(config: Config) -> Answer:
        refuse_missing_file(database_of(config))
        live = with_database(config, lambda database: SchemaBuilder(database).live(schema or ()))
        found = _chosen(live, table or ())
        return Answer({"schema": snapshot_to_json(found)}, text=None if as_json else models_source(found))

    carry_out(as_json, Options(address or dsn, config), work)


def _chosen(live: SchemaSnapshot, tables: Sequence[str]) -> SchemaSnapshot:
    keys = sorted(table.key for table in live.tables)
    for name in tables:
        if name not in keys:
            raise ConfigurationError(f"the database has no table {name!r}", hint=suggest(name, keys))
    return live.only(tables) if tables else live
