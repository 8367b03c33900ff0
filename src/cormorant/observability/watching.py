"""Who is told of statements: logs, slow ones apart, an echo, and observers."""

from __future__ import annotations

import inspect
import logging
import os
import sys

from cormorant.errors import ConfigurationError
from cormorant.observability.correlation import correlation_id
from cormorant.observability.events import Observer, StatementEvent, Target

SQL = logging.getLogger("cormorant.sql")
SLOW = logging.getLogger("cormorant.sql.slow")
OBSERVERS = logging.getLogger("cormorant.observers")

# a library is silent until the program says where logs go
logging.getLogger("cormorant").addHandler(logging.NullHandler())

SLOW_QUERY_MS = 200.0
"""Milliseconds from which a statement is slow, unless told otherwise."""

VARIABLE = "CORMORANT_SLOW_QUERY_MS"


def slow_seconds(given: float | None) -> float:
    """Gives the seconds from which a statement is slow: of the option, of the environment, or the usual ones.

    Raises:
        ConfigurationError: It is no number of milliseconds.
    """
    name, found = "slow_query_ms", given
    if found is None:
        name, found = VARIABLE, _number(os.environ.get(VARIABLE))
    if found is None:
        return SLOW_QUERY_MS / 1000
    if isinstance(found, bool) or not isinstance(found, (int, float)) or not found >= 0:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ConfigurationError(f"{name}={found!r}", hint="give milliseconds, from 0")
    return found / 1000


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        raise ConfigurationError(f"{VARIABLE}={text!r}", hint="give milliseconds, from 0") from None


class Watch:
    """Tells of the statements of a database.

    Args:
        target: The database.
        echo: Print every statement to stderr, with its values.
    """

    def __init__(self, target: Target, *, echo: bool) -> None:
        self.target: Target = target
        self.observers: tuple[Observer, ...] = (Echo(),) if echo else ()

    def add(self, observer: Observer) -> None:
        """Tells one more observer from now on.

        Raises:
            ConfigurationError: It could not be told.
        """
        statement: object = getattr(observer, "statement", None)
        if not callable(statement):
            raise ConfigurationError(
                f"{observer!r} is no observer", hint="pass an object with the method `def statement(self, event)`"
            )
        if inspect.iscoroutinefunction(statement):
            raise ConfigurationError(
                f"{type(observer).__name__}.statement() is async, and would never run",
                hint="write `def statement(self, event)`; what has to wait goes into a queue or a task there",
            )
        self.observers = (*self.observers, observer)

    def tell(self, event: StatementEvent, slow: float) -> None:
        """Tells of one statement; `slow` is the number of seconds from which it counts as slow."""
        seconds, rows = event.seconds, event.rows
        if SQL.isEnabledFor(logging.DEBUG):
            SQL.debug("%.1f ms, %d rows: %s", seconds * 1000, rows, event.readable, extra=facts_of(event))
        if seconds >= slow and SLOW.isEnabledFor(logging.WARNING):
            text = "slow: %.1f ms, more than %g, %d rows: %s"
            SLOW.warning(text, seconds * 1000, slow * 1000, rows, event.readable, extra=facts_of(event))
        for observer in self.observers:
            try:
                observer.statement(event)
            except Exception:
                OBSERVERS.exception("an observer of %s failed", self.target.system)


def facts_of(event: StatementEvent) -> dict[str, str | int | float | None]:
    """Gives what log records have besides their message: plain values, no parameters."""
    return {
        "db_statement": event.readable,
        "db_operation": event.operation,
        "db_rows": event.rows,
        "db_ms": round(event.seconds * 1000, 3),
        "db_error": None if event.error is None else type(event.error).__name__,
        "db_system": event.target.system,
        "db_name": event.target.name,
        "correlation_id": correlation_id(),
    }


class Echo:
    """Prints statements for people."""

    def statement(self, event: StatementEvent, /) -> None:
        """Prints one."""
        values = f"  -- {', '.join(event.parameters)}" if event.parameters else ""
        failed = "" if event.error is None else f", {type(event.error).__name__}"
        # looked up each time: tests and consoles put another one in its place
        sys.stderr.write(f"[{event.seconds * 1000:.1f} ms, {event.rows} rows{failed}] {event.readable}{values}\n")
