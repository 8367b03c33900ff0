"""Python line by line, in which `await` stands where it likes."""

from __future__ import annotations

import ast
import asyncio
import code
import contextvars
import inspect
import rlcompleter
import sys
import traceback
import types
from collections.abc import Awaitable, Callable
from types import ModuleType
from typing import cast

from cormorant._internal.secrets import hide_logins
from cormorant.cli import package
from cormorant.cli.exit_codes import FOUND, OK
from cormorant.database import Database
from cormorant.database.configured import configure
from cormorant.models.registry import registry
from cormorant.persistence.session import AsyncSession

terminal: ModuleType | None
try:
    import readline as terminal
except ImportError:
    # Windows has none
    terminal = None

Names = dict[str, object]


def converse(database: Database, command: str | None = None) -> int:
    """Talks with somebody on a terminal, or runs what is given.

    Args:
        database: Where `session` works.
        command: Python to be run instead of a prompt; that of stdin, where that is no terminal, if None.

    Returns:
        The exit code: 1 if what was given has failed.
    """
    configure(database)
    talk = _Talk(database)
    with asyncio.Runner() as runner:
        console = _Console(runner, talk.names)
        console.wait(talk.begin)
        try:
            if command is None and sys.stdin.isatty():
                complete_names(talk.names)
                console.interact(banner=_banner(database), exitmsg="")
                return OK
            return OK if console.run_all(sys.stdin.read() if command is None else command) else FOUND
        finally:
            console.wait(talk.end)
            configure(None)


def complete_names(names: Names) -> None:
    """Has Tab complete names, and the arrows bring back lines, where the terminal's library is there."""
    if terminal is not None:
        terminal.set_completer(rlcompleter.Completer(names).complete)
        terminal.parse_and_bind("tab: complete")


class _Talk:
    """The session of a conversation."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.session = AsyncSession(database)
        models: Names = {info.cls.__name__: info.cls for info in registry}
        self.names: Names = {
            **package.public_names(),
            **models,
            "asyncio": asyncio,
            "db": database,
            "session": self.session,
        }

    async def begin(self) -> None:
        await self.session.__aenter__()

    async def end(self) -> None:
        waiting = len(self.session.new) + len(self.session.dirty) + len(self.session.deleted)
        if waiting:
            sys.stderr.write(f"not committed, and gone: {waiting} object{'s'[: waiting != 1]}\n")
        await self.session.close()
        await self.database.close()


class _Console(code.InteractiveConsole):
    """Runs what waits in one event loop and one context, from line to line."""

    def __init__(self, runner: asyncio.Runner, names: Names) -> None:
        super().__init__(names)
        self.compile.compiler.flags |= ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        self._runner = runner
        self._context = contextvars.copy_context()

    def wait(self, work: Callable[[], Awaitable[object]]) -> None:
        """Waits for work to be done."""

        async def waited() -> None:
            await work()

        self._runner.run(waited(), context=self._context)

    def runcode(self, code: types.CodeType) -> None:
        """Runs a line, or a block, that was read."""
        try:
            self._run(code)
        except SystemExit:
            raise
        except KeyboardInterrupt:
            self.write("\nKeyboardInterrupt\n")
        except BaseException as error:
            self.write(told(error))

    def run_all(self, text: str) -> bool:
        """Runs a whole text; gives whether it came to its end."""
        try:
            compiled = compile(text, "<console>", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            self._run(compiled)
        except Exception as error:
            sys.stderr.write(told(error))
            return False
        return True

    def _run(self, code: types.CodeType) -> None:
        function = types.FunctionType(code, cast("dict[str, object]", self.locals))

        async def inside() -> None:
            # in the loop, even what does not wait: a session belongs to it
            waiting = function()
            if inspect.isawaitable(waiting):
                await waiting

        self.wait(inside)


def told(error: BaseException) -> str:
    """Gives the traceback of an error, from the line on that somebody has typed."""
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_code.co_filename != "<console>":
        frames = frames.tb_next
    found = error.with_traceback(frames or error.__traceback__)
    return hide_logins("".join(traceback.format_exception(found)))


def _banner(database: Database) -> str:
    models = ", ".join(sorted(info.cls.__name__ for info in registry)) or "none"
    return (
        f"Cormorant {package.version()} on {database.config.redacted}\n"
        f"db, session, models: {models}\n"
        "await works here; await session.commit() keeps what was changed"
    )
