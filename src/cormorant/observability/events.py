"""What observers of a database are told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from cormorant._internal.secrets import has_secrets, readable, without_secrets
from cormorant.observability.redaction import shown_parameters
from cormorant.observability.words import clean


@dataclass(frozen=True, slots=True)
class Target:
    """Which database a statement was sent to.

    Args:
        system: "postgresql" or "sqlite".
        name: The database's name, or the file's path.
        host: The server's name; None for a file.
        port: The server's port, where it is given.
    """

    system: str
    name: str | None = None
    host: str | None = None
    port: int | None = None


@dataclass(frozen=True, slots=True)
class StatementEvent:
    """A statement that has ended.

    Args:
        sql: The SQL as it was given, which may have secrets in it: show `statement`.
        rows: Rows given back or written.
        seconds: From sending to the last row.
        error: What it was refused by, or cut off by.
        target: Where it was sent to.
        runs: How often it was run, where it was sent for many rows at once.
    """

    sql: str = field(repr=False)
    rows: int
    seconds: float
    error: BaseException | None
    target: Target
    runs: int = 1
    _args: Sequence[Any] = field(default=(), repr=False)

    @property
    def statement(self) -> str:
        """The SQL; texts in it are hidden if they may be secret."""
        return without_secrets(self.sql)

    @property
    def operation(self) -> str:
        """Its first word: "SELECT"."""
        words = self.sql.split(None, 1)
        return words[0].upper() if words else ""

    @property
    def readable(self) -> str:
        """The SQL in one line, without what would steer a terminal."""
        return clean(readable(self.sql))

    @property
    def may_be_secret(self) -> bool:
        """Whether it has to do with secrets: its values are shown by nobody."""
        return has_secrets(self.sql)

    @property
    def parameters(self) -> tuple[str, ...]:
        """Its values as text: secret ones hidden, long ones cut."""
        return shown_parameters(self.sql, self._args)


class Observer(Protocol):
    """Is told of every statement of a database, after it: `db.observe(observer)`."""

    def statement(self, event: StatementEvent, /) -> None:
        """Is called in the task that sent it; what it raises is logged, and hurts nobody."""
        ...
