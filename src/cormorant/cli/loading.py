"""Imports what the configuration names: the modules with models, and the program's database."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path

from cormorant.cli.configuration import EXAMPLE, Config
from cormorant.errors import ConfigurationError, CormorantError
from cormorant.models.registry import registry


def load_models(config: Config) -> None:
    """Imports the modules that declare models.

    Raises:
        ConfigurationError: None is named, one cannot be imported, or there is no model in them.
    """
    if not config.models:
        raise ConfigurationError(
            f"{config.source.name} names no models",
            hint=f"write the modules that declare them:\n{EXAMPLE}\nor name one here: --models app.models",
        )
    put_on_path(config.path)
    for name in config.models:
        imported(name)
    if next(iter(registry), None) is None:
        raise ConfigurationError(
            f"there is no model in {', '.join(config.models)}",
            hint="declare one, class Author(Model), or name the module that does, in models = [...]",
        )


def put_on_path(folders: Iterable[Path]) -> None:
    """Lets modules be imported from folders, before others."""
    for folder in reversed([str(each) for each in folders if each.is_dir()]):
        if folder not in sys.path:
            sys.path.insert(0, folder)


def imported(name: str) -> object:
    """Imports a module.

    Raises:
        ConfigurationError: It cannot be imported: why, and on which line of it.
    """
    try:
        return import_module(name)
    except CormorantError as error:
        raise ConfigurationError(
            f"{name} cannot be imported: {error.message}{_where(error)}", hint=error.hint
        ) from error
    except Exception as error:
        hint = "correct the module"
        if isinstance(error, ModuleNotFoundError) and error.name and f"{name}.".startswith(f"{error.name}."):
            hint = 'name it as Python does, "shop.models"; folders to look in are path = [...], at first src and "."'
        said = f"{type(error).__name__}: {error}{_where(error)}"
        raise ConfigurationError(f"{name} cannot be imported: {said}", hint=hint) from error


def attribute(reference: str) -> object:
    """Gives what "module:name" names.

    Raises:
        ConfigurationError: There is no such module, or no such name in it.
    """
    module, _, name = reference.partition(":")
    found = imported(module)
    for part in name.split("."):
        if not hasattr(found, part):
            raise ConfigurationError(f"{module} has no {name}", hint='correct database = "module:name"')
        found = getattr(found, part)
    return found


def _where(error: BaseException) -> str:
    """Gives the last line of the program's own that an error came from."""
    house = str(Path(__file__).parents[1])
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if not frame.filename.startswith((house, "<frozen")) and "importlib" not in frame.filename:
            return f" ({frame.filename}, line {frame.lineno})"
    return ""
