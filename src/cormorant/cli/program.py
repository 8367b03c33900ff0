"""Runs somebody's program in this process, and keeps its databases."""

from __future__ import annotations

import os
import runpy
import sys
import traceback
from collections.abc import Generator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from cormorant.cli.exit_codes import FOUND, INTERRUPTED, OK
from cormorant.cli.loading import put_on_path
from cormorant.database import Database
from cormorant.database.made import kept_databases
from cormorant.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Done:
    """What became of a program.

    Args:
        code: Its exit code.
        databases: The databases that it made, in order.
    """

    code: int
    databases: tuple[Database, ...]


def run_program(words: Sequence[str], path: Sequence[Path], *, module: bool, quiet: bool) -> Done:
    """Runs a program to its end.

    Args:
        words: The file, or the module, and its arguments.
        path: The folders that modules are imported from.
        module: The first word is a module.
        quiet: What it prints goes to stderr, as stdout is wanted for something else.

    Raises:
        ConfigurationError: There is no such file.
    """
    if not module and not Path(words[0]).is_file():
        raise ConfigurationError(
            f"there is no file {words[0]}", hint="name a file of Python, or a module: cormorant report -m shop.tasks"
        )
    with kept_databases() as databases, _as_main(words, path, module=module):
        if quiet:
            with redirect_stdout(sys.stderr):
                code = _ended(words[0], module=module)
        else:
            code = _ended(words[0], module=module)
    return Done(code, tuple(databases))


@contextmanager
def _as_main(words: Sequence[str], path: Sequence[Path], *, module: bool) -> Generator[None]:
    arguments, folders = list(sys.argv), list(sys.path)
    put_on_path(path)
    sys.argv[:] = words
    sys.path.insert(0, os.getcwd() if module else str(Path(words[0]).resolve().parent))
    try:
        yield
    finally:
        sys.argv[:], sys.path[:] = arguments, folders


def _ended(name: str, *, module: bool) -> int:
    """Runs the program, and gives its exit code."""
    try:
        if module:
            runpy.run_module(name, run_name="__main__", alter_sys=True)
        else:
            runpy.run_path(name, run_name="__main__")
    except SystemExit as left:
        return _code(left.code)
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception:
        traceback.print_exc()
        return FOUND
    return OK


def _code(said: object) -> int:
    if said is None:
        return OK
    if isinstance(said, int):
        return said
    # what Python does with sys.exit("words")
    sys.stderr.write(f"{said}\n")
    return FOUND
