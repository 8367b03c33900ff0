"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

Dsn: TypeAlias = Annotated[
    str | None,
    typer.Option("--dsn", help="The database; else that of CORMORANT_DSN or of pyproject.toml.", metavar="DSN"),
]
File: TypeAlias = Annotated[
    Path | None,
    typer.Option("--config", help="The file with [tool.cormorant]; else the nearest pyproject.toml.", metavar="FILE"),
]
Models: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--models", help="A module with models; may be said several times.", metavar="MODULE"),
]
Migrations: TypeAlias = Annotated[
    Path | None, typer.Option("--migrations", help="The directory of the migrations.", metavar="DIRECTORY")
]
Json: TypeAlias = Annotated[bool, typer.Option("--json", help="Print one JSON document, for programs.")]
Target: TypeAlias = Annotated[
    str | None,
    typer.Argument(help="A migration: 0002_stars, 0002, or app/0002_stars.", metavar="MIGRATION", show_default=False),
]
