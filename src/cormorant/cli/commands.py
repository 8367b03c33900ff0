"""The application with all of its commands."""

from __future__ import annotations

from cormorant.cli import checking, introspecting, linting, looking, making, reporting, running, shelling, starting
from cormorant.cli.application import application

__all__ = ["application"]

_MODULES = (starting, making, running, looking, linting, checking, introspecting, shelling, reporting)
_ORDER = [module.__name__ for module in _MODULES]

# as a program meets them, in `--help` too
application.registered_commands.sort(key=lambda command: _ORDER.index(getattr(command.callback, "__module__", "")))
