"""Whole units of work, run again when the database could not put them in an order with others."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Concatenate, ParamSpec

from typing_extensions import TypeIs, TypeVar

from cormorant._internal.narrowing import narrower
from cormorant.database import Database, SessionOptions
from cormorant.dialects.base import IsolationLevel, check_isolation
from cormorant.errors import (
    DeadlockError,
    SerializationError,
    TransactionError,
    TransactionFailedError,
    WrongType,
)
from cormorant.persistence import context
from cormorant.persistence.session import AsyncSession

P = ParamSpec("P")
T = TypeVar("T")

RETRIES = 3
"""How often a unit of work is run again at most."""

FIRST_PAUSE = 0.01
LONGEST_PAUSE = 1.0
"""Seconds between two attempts: the first pause at most, doubled each time, and never more than the longest."""


class Retrying:
    """Runs units of work, each attempt in a session of its own.

    Args:
        database: Where they run.
        retries: How often one is run again at most.
        isolation: The isolation level of its transactions.
        sleep: Waits between two attempts.
    """

    def __init__(
        self,
        database: Database,
        *,
        retries: int = RETRIES,
        isolation: IsolationLevel | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        check_isolation(isolation)
        self.database = database
        self.retries: int = _checked(retries)
        self.isolation: IsolationLevel | None = isolation
        self._sleep = sleep

    async def run(
        self, fn: Callable[Concatenate[AsyncSession, P], Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Runs `await fn(session, ...)` and commits; again after a serialization failure or a deadlock.

        Raises:
            SerializationError: The last attempt met others too; so does DeadlockError.
            TransactionError: The caller is inside of a transaction, which would not be repeated with it.
        """
        _check_outside()
        attempt = 0
        while True:
            try:
                async with AsyncSession(self.database, isolation=self.isolation) as session:
                    return await fn(session, *args, **kwargs)
            except Exception as error:
                if attempt >= self.retries or not is_conflict(error):
                    raise
            await self._sleep(pause(attempt))
            attempt += 1


def is_conflict(error: BaseException) -> bool:
    """Whether an error says that the same work may succeed when it is done again from its beginning."""
    if _is_group(error):
        return all(map(is_conflict, error.exceptions))
    # whoever went on after a conflict was refused because of it
    cause = error.__cause__ if isinstance(error, TransactionFailedError) else error
    return isinstance(cause, (SerializationError, DeadlockError))


_is_group: Callable[[object], TypeIs[BaseExceptionGroup[BaseException]]] = narrower(BaseExceptionGroup)


def pause(attempt: int) -> float:
    """Gives the seconds to wait after an attempt, counted from 0: by chance, so that two that met part."""
    # the exponent is bounded, a float is not endless
    return random.uniform(0, min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(attempt, 30)))


def _checked(retries: object) -> int:
    if not isinstance(retries, int) or isinstance(retries, bool) or retries < 0:
        raise WrongType(f"retries={retries!r}: a number of retries is an int of 0 or more")
    return retries


def _check_outside() -> None:
    cell = context.innermost()
    while cell is not None:
        frame = cell.frame()
        if frame is not None and frame.state.transactions.is_open:
            raise TransactionError(
                f"a unit of work begins inside of a transaction: {frame.root} has one open",
                hint="call run() outside of it; inside, `async with session.transaction()` makes a savepoint",
            )
        cell = cell.parent


class _Sessions:
    """What a Database makes of this room."""

    def session(self, database: Database, options: SessionOptions) -> AsyncSession:
        """Gives a session, not entered yet."""
        return AsyncSession(database, **options)

    def retrying(self, database: Database, retries: int | None, isolation: IsolationLevel | None) -> Retrying:
        """Gives what runs units of work."""
        return Retrying(database, retries=RETRIES if retries is None else retries, isolation=isolation)


Database.sessions = _Sessions()
