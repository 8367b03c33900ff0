"""What queries need from the room above: someone who runs them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Coroutine
from typing import TYPE_CHECKING, Any, Protocol

from cormorant.errors import ConfigurationError, SessionError
from cormorant.query.beside import Beside
from cormorant.query.cursors import Cursors
from cormorant.query.explaining import CompiledQuery, Explanation
from cormorant.query.spec import QuerySpec

if TYPE_CHECKING:
    from cormorant.errors import UniqueViolation
    from cormorant.models.model import Model
    from cormorant.query.bulk import BulkWrite
    from cormorant.sql.statements import InsertSelect


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


class Writer(Protocol):
    """Writes what is no flush."""

    async def write_rows(self, spec: QuerySpec) -> list[Any]:
        """Runs an UPDATE or DELETE by conditions and gives what its rows return."""
        ...

    async def write_many(self, write: BulkWrite, rows: object) -> Any:
        """Inserts or upserts many rows: objects come back, of mappings what was asked for, or their number."""
        ...

    async def insert_select(self, statement: InsertSelect, tables: frozenset[str]) -> int:
        """Inserts what a SELECT over these tables gives, and gives the number of rows."""
        ...

    async def try_insert(self, instance: Model) -> UniqueViolation | None:
        """Adds an object and writes it; gives the error, and nothing has changed, where its row is there already."""
        ...

    async def flush(self) -> None:
        """Writes what is pending."""
        ...


class Reader(Protocol):
    """Reads what is no whole result."""

    def scoped(self, spec: QuerySpec) -> QuerySpec:
        """Gives a query with the default scopes it will run with."""
        ...

    async def fetch_beside(self, spec: QuerySpec) -> tuple[list[Any], Beside]:
        """Runs a query, and gives its rows and the values that were asked for beside them."""
        ...

    def chunks(self, spec: QuerySpec, size: int) -> AsyncGenerator[list[Any], None]:
        """Gives a query's rows, at most `size` at a time, and forgets the objects of each chunk before the next."""
        ...

    def compiled(self, spec: QuerySpec) -> CompiledQuery:
        """Gives what a query would send."""
        ...

    async def explain(self, spec: QuerySpec, *, analyze: bool) -> Explanation:
        """Gives how the database would run a query."""
        ...


class Executor(Protocol):
    """Runs queries; sessions are executors."""

    @property
    def database(self) -> Home:
        """The database it runs them on."""
        ...

    def fetch(self, spec: QuerySpec) -> Coroutine[Any, Any, list[Any]]:
        """Runs a query and gives its rows in the form the query asks for."""
        ...

    @property
    def reader(self) -> Reader:
        """Reads what is no whole result."""
        ...

    async def write(self, spec: QuerySpec) -> int:
        """Runs an UPDATE or DELETE by conditions and gives the number of rows."""
        ...

    @property
    def writer(self) -> Writer:
        """Writes what is no flush."""
        ...


def home_of(executor: Executor) -> int | None:
    """Gives the number of the database that queries run on; None where that is told only when they run."""
    try:
        return executor.database.number
    except (SessionError, ConfigurationError):
        return None
