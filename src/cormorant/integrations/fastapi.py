"""Sessions as dependencies of FastAPI: a unit of work for each request, committed before the response starts.

The order is: the handler, the response made of what it returns, COMMIT, the response's first byte. So a commit that
fails is the response. Who raises rolls back, an HTTPException too; who returns a response commits, whatever its status.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager, nullcontext
from functools import lru_cache
from types import FunctionType, TracebackType
from typing import Annotated, Any, TypeAlias

import fastapi
from fastapi import Depends, FastAPI
from fastapi.requests import HTTPConnection
from pydantic_core import PydanticSerializationError

from cormorant._internal.frames import NOWHERE, Place
from cormorant._internal.garbage import frozen
from cormorant.adapters.config import ConnectionConfig
from cormorant.database import Database, default_database
from cormorant.errors import ConfigurationError
from cormorant.integrations.problems import add_exception_handlers
from cormorant.integrations.pydantic import Create, Patch, Read
from cormorant.integrations.serialising import refused
from cormorant.persistence.session import AsyncSession
from cormorant.persistence.state import SessionState
from cormorant.sync.session import Session

__all__ = [
    "Create",
    "DatabaseDep",
    "Patch",
    "Read",
    "ReadSessionDep",
    "SessionDep",
    "SyncSessionDep",
    "add_exception_handlers",
    "get_database",
    "get_read_session",
    "get_session",
    "get_sync_session",
    "lifespan",
]

DatabaseSource: TypeAlias = Database | ConnectionConfig | str | Callable[[], Database]
"""A database, or what one is made of when the application starts."""

_STATE = "cormorant"

_ENDS = "fastapi_function_astack"
"""Where FastAPI keeps what ends dependencies of its scope "function"."""


def check_scopes(depends: Callable[..., Any], version: str) -> None:
    """Refuses a FastAPI that ends dependencies after the response has left.

    Raises:
        ConfigurationError: A commit that fails could not become the response any more.
    """
    if "scope" not in inspect.signature(depends).parameters:
        raise ConfigurationError(
            f"FastAPI {version} has no dependencies with scopes: sessions would commit when the response is gone",
            hint="pip install 'fastapi>=0.121'",
        )


check_scopes(Depends, fastapi.__version__)


async def get_database(connection: HTTPConnection) -> Database:
    """Gives the database of the application's `lifespan`, else the configured one, else the one of CORMORANT_DSN.

    What overrides it takes no parameters; it may `yield` the database.

    Raises:
        ConfigurationError: There is none.

    Example:
        >>> app.dependency_overrides[get_database] = lambda: test_database
    """
    return _database_of(connection)


def _database_of(connection: HTTPConnection) -> Database:
    app = connection.app
    found = getattr(app.state, _STATE, None)
    if found is None and (found := getattr(connection.state, _STATE, None)) is not None:
        _check_has_run(app)
    return found if isinstance(found, Database) else default_database()


def _check_has_run(app: FastAPI) -> None:
    """Refuses the database of the application around one that was to have its own.

    Raises:
        ConfigurationError: Its `lifespan` has not run, as of every application that is mounted.
    """
    if getattr(app.router.lifespan_context, _STATE, False):
        raise ConfigurationError(
            f"the lifespan of the application {app.title!r} has not run, so it has no database: servers run only that "
            "of the outermost application",
            hint="run it inside of the outer one's: async with inner.router.lifespan_context(inner); or leave it out, "
            "to share the outer one's database",
        )


DatabaseDep: TypeAlias = Annotated[Database, Depends(get_database)]
"""The database, for what outlives the handler: `async with db.session() as session` in streams, background tasks and
websockets."""


@asynccontextmanager
async def _overriding(override: Callable[[], Any]) -> AsyncGenerator[Database]:
    if inspect.isasyncgenfunction(override):
        async with asynccontextmanager(override)() as database:
            yield database
    elif inspect.isgeneratorfunction(override):
        with contextmanager(override)() as database:
            yield database
    else:
        found = override()
        yield await found if inspect.isawaitable(found) else found


async def get_session(connection: HTTPConnection) -> AsyncSession:
    """Gives a session for one request: committed when the response is made, and before it starts."""
    overrides = connection.app.dependency_overrides
    database = await _overridden(connection) if get_database in overrides else _database_of(connection)
    return _entered(connection, AsyncSession(database))


async def get_read_session(connection: HTTPConnection) -> AsyncSession:
    """Gives a session for one request that only reads."""
    overrides = connection.app.dependency_overrides
    database = await _overridden(connection) if get_database in overrides else _database_of(connection)
    return _entered(connection, AsyncSession(database, read_only=True))


async def _overridden(connection: HTTPConnection) -> Database:
    """Gives the database that an application has in the place of its own; asked for as a dependency it costs more."""
    ends: AsyncExitStack = connection.scope[_ENDS]
    return await ends.enter_async_context(_overriding(connection.app.dependency_overrides[get_database]))


def _entered(connection: HTTPConnection, session: AsyncSession) -> AsyncSession:
    """Begins a session's block, and has FastAPI end it where dependencies of its scope "function" end.

    A dependency that yields would be left at the same place, through two generators and a cancel scope more: a sixth of
    a request that reads one row.
    """
    handler = connection.scope.get("endpoint")
    place = _place_of(handler) if isinstance(handler, FunctionType) else NOWHERE
    connection.scope[_ENDS].push_async_exit(_Unit(session, session.begin_block(place), place))
    return session


@lru_cache(maxsize=1000)
def _place_of(handler: FunctionType) -> Place:
    """Gives where a request's block is, for messages: they name its handler."""
    return Place(handler.__code__, 0)


class _Unit:
    """A session's block around a request; what hindered an object of it from being shown is raised as what it is."""

    __slots__ = ("_place", "_session", "_state")

    def __init__(self, session: AsyncSession, state: SessionState, place: Place) -> None:
        self._session = session
        self._state = state
        self._place = place

    async def __aenter__(self) -> AsyncSession:
        # begun already
        return self._session

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if not self._state.closed:
            await self._session.end_block(self._state, self._place, failed=error is not None)
        if isinstance(error, PydanticSerializationError):
            raise _own(error) from None


def get_sync_session(database: DatabaseDep) -> Generator[Session]:
    """Gives a session for one request whose handler is a plain function, which FastAPI runs in a thread."""
    with Session(database) as session:
        try:
            yield session
        except PydanticSerializationError as error:
            raise _own(error) from None


def _own(error: PydanticSerializationError) -> Exception:
    """Gives what hindered an object from being shown, for what pydantic has made of it."""
    found = refused.get()
    refused.set(None)
    if found is not None and found[1] in str(error):
        kind, message, hint = found
        return kind(message, hint=hint)
    return error


SessionDep: TypeAlias = Annotated[AsyncSession, Depends(get_session, scope="function")]
"""A session for the request: `async def create(data: Create[Author], session: SessionDep) -> Author`."""

ReadSessionDep: TypeAlias = Annotated[AsyncSession, Depends(get_read_session, scope="function")]
"""A session for a request that only reads; the database refuses writes."""

SyncSessionDep: TypeAlias = Annotated[Session, Depends(get_sync_session, scope="function")]
"""A session for a handler without `async`: `def create(data: Create[Author], session: SyncSessionDep) -> Author`."""


def lifespan(
    source: DatabaseSource, *, ping: bool = False, freeze: bool = False
) -> Callable[[FastAPI], AbstractAsyncContextManager[dict[str, Database]]]:
    """Gives what `FastAPI(lifespan=...)` takes: the database is the application's, and is closed with it.

    Starting opens no connection: the first request does.

    Args:
        source: A database; or a DSN, a ConnectionConfig or a function, of which one is made each time the application
            starts. A database is closed for good, so tests that start one application often give one of these.
        ping: Ask the server for an answer first, and do not start without one.
        freeze: Have the garbage collector pass over what was made by then, until the application stops (`gc.freeze()`),
            and look at new objects after 10,000 of them instead of 700: modules and classes, and the objects of
            requests that are being answered, are most of what it goes through.

    Raises:
        ConfigurationError: The source is none of these.

    Example:
        >>> app = FastAPI(lifespan=lifespan("postgresql://app@localhost/app"))
    """
    if not callable(source):
        _check_source("lifespan() was given", source, str, ConnectionConfig, Database)

    @asynccontextmanager
    async def around(app: FastAPI) -> AsyncGenerator[dict[str, Database]]:
        async with _made(source) as database:
            if ping:
                await database.ping()
            setattr(app.state, _STATE, database)
            try:
                with frozen() if freeze else nullcontext():
                    yield {_STATE: database}
            finally:
                delattr(app.state, _STATE)

    # tells it from others'
    setattr(around, _STATE, True)
    return around


def _made(source: DatabaseSource) -> Database:
    if isinstance(source, (str, ConnectionConfig)):
        return Database(source)
    if isinstance(source, Database):
        return source
    found = source()
    _check_source("the function that lifespan() was given returned", found, Database)
    return found


def _check_source(what: str, found: object, *kinds: type[object]) -> None:
    if not isinstance(found, kinds):
        # not the value: a DSN has a password
        raise ConfigurationError(
            f"{what} {'None' if found is None else f'a {type(found).__name__}'}, which is no database",
            hint="give a DSN, a ConnectionConfig, a Database, or a function that returns a Database",
        )
