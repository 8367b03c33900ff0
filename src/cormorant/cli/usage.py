"""Options and commands that are not there, told to programs as other errors are."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

from typer.core import TyperGroup

from cormorant.cli.exit_codes import USAGE


class Commands(TyperGroup):
    """The commands; with `--json` a command line that cannot be understood is one document on stdout, too."""

    def main(self, args: Sequence[str] | None = None, *more: Any, **options: Any) -> Any:
        """Runs a command, and ends the process with its exit code."""
        words = list(sys.argv[1:] if args is None else args)
        if "--json" not in words:
            return super().main(args, *more, **options)
        try:
            code = super().main(args, *more, **{**options, "standalone_mode": False})
        except Exception as error:
            # the parser's own, which Typer has had from click at first, and of itself later
            told = getattr(error, "format_message", None)
            if told is None:
                raise
            refusal = {"error": type(error).__name__, "message": told(), "hint": None, "exit": USAGE}
            sys.stdout.write(json.dumps(refusal, indent=2, ensure_ascii=False) + "\n")
            code = USAGE
        sys.exit(code)
