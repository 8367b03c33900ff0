"""What queries need from the room above: someone who runs them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any, Protocol

from cormorant.errors import ConfigurationError, SessionError
from cormorant.query.beside import Beside
from cormorant.query.cursors import Cursors
from cormorant.query.spec import QuerySpec


class Home(Protocol):
    """A database, as far as queries know it."""

    @property
    def number(self) -> int:
        """Tells it from the program's other databases."""
        ...

    @property
    def cursors(self) -> Cursors:
        """Writes and reads the cursors of pages."""
        ...


class Executor(Protocol):
    """Runs queries; sessions are executors."""

    @property
    def database(self) -> Home:
        """The database it runs them on."""
        ...

    async def fetch(self, spec: QuerySpec) -> list[Any]:
        """Runs a query and gives its rows in the form the query asks for."""
        ...

    async def fetch_beside(self, spec: QuerySpec) -> tuple[list[Any], Beside]:
        """Runs a query, and gives its rows and the values that were asked for beside them."""
        ...

    def chunks(self, spec: QuerySpec, size: int) -> AsyncGenerator[list[Any], None]:
        """Gives a query's rows, at most `size` at a time, and forgets the objects of each chunk before the next."""
        ...

    async def write(self, spec: QuerySpec) -> int:
        """Runs an UPDATE or DELETE by conditions and gives the number of rows."""
        ...


def home_of(executor: Executor) -> int | None:
    """Gives the number of the database that queries run on; None where that is told only when they run."""
    try:
        return executor.database.number
    except (SessionError, ConfigurationError):
        return None
