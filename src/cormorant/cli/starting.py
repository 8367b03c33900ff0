"""The commands that begin: `init` for a new program, `adopt` for a database that is there."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated

import typer

from cormorant.adapters.config import ConnectionConfig
from cormorant.cli import options as o
from cormorant.cli.answers import Answer
from cormorant.cli.application import application
from cormorant.cli.beginning import Beginning, appended
from cormorant.cli.configuration import MIGRATIONS, Config, Options, line_of
from cormorant.cli.documents import adopted_document
from cormorant.cli.finding import FILE, read
from cormorant.cli.rendering import NAME, SOFT, adopted_parts, line, shortest
from cormorant.cli.screen import carry_out
from cormorant.cli.working import database_of, refuse_missing_file, with_engine
from cormorant.errors import ConfigurationError

DATABASE = "sqlite:///app.db"
MODULE = "app.models"


@application.command()
def init(
    models: Annotated[
        str, typer.Option("--models", help="The module with the models; made if it is not there.", metavar="MODULE")
    ] = MODULE,
    dsn: Annotated[
        str | None,
        typer.Option("--dsn", help=f"The database; {DATABASE} if there is none in the environment.", metavar="DSN"),
    ] = None,
    migrations: Annotated[
        str, typer.Option("--migrations", help="The directory of the migrations.", metavar="DIRECTORY")
    ] = MIGRATIONS,
    as_json: o.Json = False,
) -> None:
    """Write [tool.cormorant] into pyproject.toml here, and make what it names."""

    def work(_: Config) -> Answer:
        if re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", models) is None:
            raise ConfigurationError(f"{models!r} is no module", hint='name it as Python does: "shop.models"')
        beginning, notes = _beginning(dsn, models, migrations)
        written = _write(beginning)
        shown = [line("wrote ", (each, NAME)) for each in written]
        shown += [line((note, SOFT)) for note in notes]
        shown.append(line("next: cormorant make, then cormorant migrate"))
        return Answer({"written": written, "notes": notes}, tuple(shown))

    carry_out(as_json, Options(file=_own_file()), work)


def _own_file() -> Path | None:
    return Path(FILE) if Path(FILE).is_file() else None


def _beginning(dsn: str | None, models: str, migrations: str) -> tuple[Beginning, list[str]]:
    """Gives what shall be configured; passwords stay out of files."""
    if dsn is None:
        for variable, named in (("CORMORANT_DSN", None), ("DATABASE_URL", "DATABASE_URL")):
            if os.environ.get(variable):
                return Beginning(None, named, models, migrations), [f"the database is that of {variable}"]
        return Beginning(DATABASE, None, models, migrations), []
    if ConnectionConfig.from_dsn(dsn).password is None:
        return Beginning(dsn, None, models, migrations), []
    note = "the DSN has a password, which stays out of the file: have the environment's CORMORANT_DSN say it"
    return Beginning(None, None, models, migrations), [note]


def _write(beginning: Beginning) -> list[str]:
    """Writes what is not there yet, and gives the paths."""
    file = Path(FILE)
    source = read(file) if file.is_file() else None
    if source is not None and source.table:
        number = line_of(source.text, next(iter(source.table)))
        raise ConfigurationError(
            f"{FILE} has a section [tool.cormorant] already, at line {number}", hint="change it there; nothing was done"
        )
    file.write_text(appended("" if source is None else source.text, beginning.section), encoding="utf-8")
    Path(beginning.migrations).mkdir(parents=True, exist_ok=True)
    return [FILE, beginning.migrations, *_write_models(beginning)]


def _write_models(beginning: Beginning) -> list[str]:
    place = Path(*beginning.models.split("."))
    roots = (Path("src"), Path())
    if any((root / place).with_suffix(".py").exists() or (root / place / "__init__.py").exists() for root in roots):
        return []
    root = Path("src") if (Path("src") / place.parts[0]).is_dir() else Path()
    written: list[str] = []
    for name, text in beginning.files_of_models.items():
        path = root / name
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            written.append(str(path))
    return written


@application.command()
def adopt(
    app: Annotated[str, typer.Option("--app", help="The app whose tables they become.", metavar="APP")] = "",
    name: Annotated[
        str, typer.Option("--name", "-n", help="What the migration is called.", metavar="WORDS")
    ] = "initial",
    table: Annotated[
        list[str] | None, typer.Option("--table", help="Only this table; may be said several times.", metavar="NAME")
    ] = None,
    dsn: o.Dsn = None,
    config: o.File = None,
    migrations: o.Migrations = None,
    as_json: o.Json = False,
) -> None:
    """Take over a database that is there: write its first migration, and put it on record."""

    def work(config: Config) -> Answer:
        refuse_missing_file(database_of(config))
        for directory in config.migrations.values():
            directory.mkdir(parents=True, exist_ok=True)
        adopted = with_engine(
            config, lambda engine: engine.adopt(app=app, name=name, tables=table), history=config.migrations
        )
        return Answer(adopted_document(adopted), adopted_parts(adopted, shortest(adopted.path)))

    carry_out(as_json, Options(dsn, config, migrations=migrations), work)
