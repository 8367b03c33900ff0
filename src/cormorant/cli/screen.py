"""Prints: answers on stdout, errors and progress on stderr; with `--json` one JSON document on stdout."""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable
from typing import NoReturn

import typer
from rich.console import Console
from rich.text import Text

from cormorant._internal.secrets import hide_logins
from cormorant.cli.answers import Answer, refusal, worded
from cormorant.cli.configuration import Config, Options
from cormorant.cli.exit_codes import BUG, INTERRUPTED, OK, code_of
from cormorant.cli.finding import found_config
from cormorant.errors import CormorantError

WIDTH = 160
"""How wide tables may be where no terminal says it."""


def console(*, stderr: bool = False) -> Console:
    """Gives what prints for people; names and values are no markup."""
    file = sys.stderr if stderr else sys.stdout
    width = None if file.isatty() else WIDTH
    return Console(file=file, width=width, markup=False, highlight=False, soft_wrap=True)


def carry_out(as_json: bool, options: Options, work: Callable[[Config], Answer]) -> NoReturn:
    """Does a command's work, prints what it says, and ends with its exit code.

    Args:
        as_json: Print for programs.
        options: What was said on the command line.
        work: What is to be done.
    """
    try:
        answer = work(found_config(options))
        tell(answer, as_json)
        code = answer.code
    except BrokenPipeError:
        # who reads has seen enough; nor shall Python complain of it at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = OK
    except (CormorantError, OSError) as error:
        code = _refuse(error, as_json)
    except KeyboardInterrupt:
        console(stderr=True).print("interrupted")
        code = INTERRUPTED
    except Exception:
        # a report of it shows no values: frames are named, their variables are not
        console(stderr=True).print(hide_logins(traceback.format_exc()), "this is an error of Cormorant itself", sep="")
        code = BUG
    raise typer.Exit(code)


def tell(answer: Answer, as_json: bool) -> None:
    """Prints an answer."""
    if as_json:
        sys.stdout.write(json.dumps(answer.data, indent=2, default=str, ensure_ascii=False) + "\n")
    elif answer.text is not None:
        sys.stdout.write(answer.text)
    else:
        printer = console()
        for each in answer.shown:
            printer.print(each)
    # a pipe that nobody reads is noticed here
    sys.stdout.flush()


def _refuse(error: CormorantError | OSError, as_json: bool) -> int:
    if as_json:
        sys.stdout.write(json.dumps(refusal(error), indent=2, default=str, ensure_ascii=False) + "\n")
        return code_of(error)
    message, hint = worded(error)
    printer = console(stderr=True)
    printer.print(Text("error: ", "bold red") + Text(message))
    if hint:
        printer.print(Text("hint: ", "bold cyan") + Text(hint))
    return code_of(error)
