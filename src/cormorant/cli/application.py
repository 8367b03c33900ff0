"""The application that commands add themselves to."""

from __future__ import annotations

from typing import Annotated

import typer

from cormorant.cli import package
from cormorant.cli.usage import Commands

application: typer.Typer = typer.Typer(
    name="cormorant",
    cls=Commands,
    help="Schemas, migrations and more of a program's database. Configured by [tool.cormorant] in pyproject.toml, by "
    "CORMORANT_DSN, CORMORANT_MODELS and CORMORANT_MIGRATIONS, or by options.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
"""The command line; `main.app` calls it."""


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"cormorant {package.version()}")
        raise typer.Exit


@application.callback()
def everywhere(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Takes the options that stand before every command."""
