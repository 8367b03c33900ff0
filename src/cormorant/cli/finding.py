"""Finds and reads the file that says what the commands work on."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import cast

from cormorant.cli.configuration import Config, Options, Source, configuration
from cormorant.errors import ConfigurationError

FILE = "pyproject.toml"


def found_config(options: Options) -> Config:
    """Gives what the nearest pyproject.toml, the environment and options say.

    Raises:
        ConfigurationError: The file cannot be read, or says something that cannot be used.
    """
    return configuration(found_source(options.file), os.environ, options)


def found_source(file: Path | None = None, start: Path | None = None) -> Source:
    """Gives what the nearest file with a section [tool.cormorant] says.

    Args:
        file: The file itself, if it is known.
        start: The folder where it is looked for, and in those above; the current one if None.
    """
    if file is not None:
        return read(file / FILE if file.is_dir() else file)
    here = Path.cwd() if start is None else start
    first: Source | None = None
    for folder in (here, *here.parents):
        if (folder / FILE).is_file():
            source = read(folder / FILE)
            if source.table:
                return source
            first = first or source
    return first or Source(here)


def read(file: Path) -> Source:
    """Gives what a file says.

    Raises:
        ConfigurationError: It is not there, or is no TOML.
    """
    try:
        text = file.read_text(encoding="utf-8")
        whole = tomllib.loads(text)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file} cannot be read: {error}", hint="name a file of TOML in UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        # it says line and column
        raise ConfigurationError(f"{file} is no TOML: {error}", hint="correct it there") from None
    section = _section(whole, file)
    return Source(file.resolve().parent, file, section, text)


def _section(whole: Mapping[str, object], file: Path) -> Mapping[str, object]:
    tools = whole.get("tool")
    section: object = cast("dict[str, object]", tools).get("cormorant", {}) if isinstance(tools, dict) else {}
    if not isinstance(section, dict):
        raise ConfigurationError(f"{file}: tool.cormorant is no section", hint="write [tool.cormorant] above its lines")
    return cast("Mapping[str, object]", section)
