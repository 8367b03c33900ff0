"""The commands that write migrations: `make` and `squash`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import RenderableType

from cormorant.cli import options as o
from cormorant.cli.answers import Answer
from cormorant.cli.application import application
from cormorant.cli.choosing import looked_at
from cormorant.cli.configuration import Config, Options
from cormorant.cli.documents import drafts_document
from cormorant.cli.exit_codes import FOUND, OK
from cormorant.cli.loading import load_models
from cormorant.cli.rendering import GOOD, drafts_parts, line, shortest
from cormorant.cli.screen import carry_out
from cormorant.cli.working import counted_losses, database_of, has_database, history_of
from cormorant.errors import ConfigurationError, DestructiveMigration
from cormorant.migrations import Draft, History, make_all, merge, squash
from cormorant.migrations import empty as empty_draft
from cormorant.migrations.making import make as make_one
from cormorant.migrations.safety.findings import exit_code
from cormorant.migrations.safety.safe_form import safe as safe_steps
from cormorant.schema.builder import SchemaBuilder

NO_CHANGE = "the migrations make what the models want"
NO_HEADS = "there are no two heads"

Name = Annotated[
    str | None,
    typer.Option("--name", "-n", help="What the migration is about; else made of what it does.", metavar="WORDS"),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print the files, and write none.")]


@application.command()
def make(
    name: Name = None,
    safe: Annotated[
        bool | None, typer.Option("--safe/--plain", help="Write the form that a database in use can run.")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit with 1 if there is anything to write.")
    ] = (False),
    dry_run: DryRun = False,
    empty: Annotated[bool, typer.Option("--empty", help="Write a migration without steps, to be filled in.")] = False,
    data: Annotated[bool, typer.Option("--data", help="Write one with a function that works in a session.")] = False,
    merging: Annotated[bool, typer.Option("--merge", help="Write the migration that comes after two heads.")] = False,
    app: Annotated[
        str | None, typer.Option("--app", help="The app that the migration is for; else any.", metavar="APP")
    ] = None,
    drop: Annotated[
        list[str] | None,
        typer.Option("--drop", help="A table or table.column that may go; may be said several times.", metavar="NAME"),
    ] = None,
    allow_destructive: Annotated[
        bool, typer.Option("--allow-destructive", help="Everything may go that models do not have.")
    ] = False,
    dsn: o.Dsn = None,
    config: o.File = None,
    models: o.Models = None,
    migrations: o.Migrations = None,
    as_json: o.Json = False,
) -> None:
    """Write the migration that makes the schema what the models want. Exits with 1 if rows would be lost."""

    def work(config: Config) -> Answer:
        write, code = not (check or dry_run), FOUND if check else OK
        if empty or data or merging:
            drafts = _by_hand(config, app, name, merging=merging, data=data)
            return _written(config, drafts, write=write, source=dry_run, code=code, nothing=NO_HEADS)
        history, rewritten = history_of(config), config.safe if safe is None else safe
        drafts = _of_models(config, history, app, name, drop or (), destructive=allow_destructive, safe=rewritten)
        answer = _written(config, drafts, write=write, source=dry_run, code=code)
        return replace(answer, shown=(*answer.shown, *_risks(config, history, drafts)))

    carry_out(as_json, Options(dsn, config, tuple(models or ()), migrations), work)


def _of_models(
    config: Config,
    history: History,
    app: str | None,
    name: str | None,
    drop: Sequence[str],
    *,
    destructive: bool,
    safe: bool,
) -> Sequence[Draft]:
    load_models(config)
    wanted = SchemaBuilder.wanted()
    # as if every table were large: a file for all databases does not follow from one of them
    rewrite = safe_steps if safe else None
    try:
        if app is None:
            return make_all(history, wanted, name=name, retired=drop, allow_destructive=destructive, safe=rewrite)
        _refuse_unknown(app, history)
        one = make_one(history, wanted, name=name, app=app, retired=drop, allow_destructive=destructive, safe=rewrite)
        return () if one is None else (one,)
    except DestructiveMigration as error:
        raise counted_losses(config, error) from None


def _by_hand(config: Config, app: str | None, name: str | None, *, merging: bool, data: bool) -> Sequence[Draft]:
    history = history_of(config, conflicts_ok=True)
    wanted = history.apps if app is None else (app,)
    for each in wanted:
        _refuse_unknown(each, history)
    if merging:
        made = [merge(history, app=each, name=name or "merge") for each in wanted]
        return [draft for draft in made if draft is not None]
    return [empty_draft(history, name or ("data" if data else "steps"), app=wanted[0], work=data)]


def _refuse_unknown(app: str, history: History) -> None:
    if app not in history.apps:
        known = ", ".join(repr(each) for each in history.apps)
        raise ConfigurationError(f"there is no app {app!r}", hint=f"migrations = {{...}} names {known}")


def _risks(config: Config, history: History, drafts: Sequence[Draft]) -> Iterable[RenderableType]:
    """Gives a line where new migrations would stop those who use a large database of PostgreSQL."""
    if not has_database(config) or not database_of(config).dialect.supports_add_constraint:
        return
    files = [draft.file for draft in drafts]
    looked = looked_at(history.plus(*files), files, None, None)
    if exit_code(finding for each in looked for finding in each.findings):
        names = " ".join(file.key for file in files)
        words = f"on large tables others would have to wait: cormorant lint --offline {names}, or make it with --safe"
        yield line((words, "yellow"))


def _written(
    config: Config, drafts: Sequence[Draft], *, write: bool, source: bool, code: int, nothing: str = NO_CHANGE
) -> Answer:
    """Writes new migrations, if they shall be, and says so."""
    if not drafts:
        return Answer({"made": []}, (line((nothing, GOOD)),))
    paths = [str(draft.write(directory_of(config, draft.app))) for draft in drafts] if write else []
    shown = drafts_parts(drafts, [shortest(Path(path)) for path in paths])
    text = "\n".join(draft.source for draft in drafts) if source else None
    return Answer(drafts_document(drafts, paths), shown, text, code)


def directory_of(config: Config, app: str) -> Path:
    """Gives the directory of an app's migrations."""
    return Path(config.migrations[app])


@application.command("squash")
def squash_command(
    upto: Annotated[str, typer.Argument(help="The last migration of those that become one.", metavar="MIGRATION")],
    first: Annotated[
        str | None, typer.Option("--from", help="The first one; else the app's first.", metavar="MIGRATION")
    ] = None,
    name: Name = None,
    dry_run: DryRun = False,
    config: o.File = None,
    migrations: o.Migrations = None,
    as_json: o.Json = False,
) -> None:
    """Write one migration that stands for several; their files stay until every database has them."""

    def work(config: Config) -> Answer:
        draft = squash(history_of(config), upto, first=first, name=name)
        return _written(config, [draft], write=not dry_run, source=dry_run, code=OK)

    carry_out(as_json, Options(file=config, migrations=migrations), work)
