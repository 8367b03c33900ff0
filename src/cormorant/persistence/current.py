"""The session of the calling context: what `AsyncSession.current()` gives, and what `Model.objects` queries."""

from __future__ import annotations

from typing import Any

from cormorant.database import Database
from cormorant.errors import SessionClosedError, SessionNotEntered
from cormorant.models.model import ObjectsDescriptor
from cormorant.persistence import context
from cormorant.persistence.reading import Reading
from cormorant.persistence.state import SessionState
from cormorant.persistence.writer import StateWriter
from cormorant.query.queryset import Manager
from cormorant.query.spec import QuerySpec


def current_state() -> SessionState:
    """Gives the state of the innermost open block of the calling context.

    Raises:
        SessionNotEntered: There is none.
        SessionClosedError: There is none any more.
    """
    cell = context.innermost()
    frame = None if cell is None else cell.frame()
    if frame is None:
        if ended := context.last_ended():
            raise SessionClosedError(
                f"no session is open here: {ended}; {context.used_here()} asks for it",
                hint="open one for work that goes on: async with AsyncSession()",
            )
        raise SessionNotEntered("no session is open here", hint="enter one: async with AsyncSession() as session")
    state: SessionState = frame.state
    return state


class CurrentSession:
    """Runs queries of `Model.objects` on the session that is current when they run."""

    @property
    def database(self) -> Database:
        """The current session's database."""
        return current_state().database

    async def fetch(self, spec: QuerySpec) -> list[Any]:
        """Runs a query."""
        return await current_state().fetch(spec)

    @property
    def reader(self) -> Reading:
        """What queries read with."""
        return current_state().reader

    async def write(self, spec: QuerySpec) -> int:
        """Runs an UPDATE or DELETE by conditions."""
        return await current_state().write(spec)

    @property
    def writer(self) -> StateWriter:
        """What writes in bulk."""
        return current_state().writer


def _manager(model: Any) -> Manager[Any]:
    return Manager(QuerySpec(model.__info__), CurrentSession())


ObjectsDescriptor.make_manager = staticmethod(_manager)
