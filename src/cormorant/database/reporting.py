"""`report()`: what happened, for people."""

from __future__ import annotations

from typing import Protocol

from cormorant.database.configured import default_database
from cormorant.observability.report import Report


class Reporting(Protocol):
    """What can be reported on: a session or a database, sync ones too."""

    def report(self) -> Report:
        """Gives what happened."""
        ...


def report(source: Reporting | None = None) -> Report:
    """Gives what a session or a database has done so far, to be printed, shown or saved.

    Args:
        source: A Database, an AsyncSession, or their sync counterparts; the configured database if none is given.

    Raises:
        ConfigurationError: None is given, and none is configured.
        SessionNotEntered: The session was never entered.

    Example:
        >>> print(report(db))
        >>> report(db).save("report.html")
    """
    return (default_database() if source is None else source).report()
