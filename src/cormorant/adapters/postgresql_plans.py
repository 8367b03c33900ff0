"""Prepared statements that a change of tables or types has outlived: the server, or the driver, refuses them by then.

The driver prepares again by itself where the columns of a result have changed, outside of transactions. It keeps what
fails for other reasons, and would fail for good: a parameter's type that is another one now, or is gone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from asyncpg import exceptions  # pyright: ignore[reportMissingTypeStubs]

from cormorant.adapters.postgresql_errors import said_by_server, was_prepared

_SETTINGS = ("42501",)
"""Of the class of errors about names and types, those that a new preparation does not change: no permission."""

_DEFINING = ("CREATE", "ALTER")


class Edition:
    """Which state of tables and types the statements of an adapter are prepared for.

    A pooler that keeps track of prepared statements knows them by their text, and gives back what it has prepared
    before: a comment behind the text makes it another one.

    Args:
        renew: Has every connection replaced.
        tracked: Whether there is such a pooler.
    """

    __slots__ = ("_number", "_renew", "_tracked", "mark")

    def __init__(self, renew: Callable[[], None] | None = None, *, tracked: bool = False) -> None:
        self._renew = renew
        self._tracked = tracked
        self._number = 0
        self.mark: str = ""

    @property
    def following(self) -> str:
        """The mark of the next edition; empty where none is needed."""
        return f"\n/* {self._number + 1} */" if self._tracked else ""

    def reach(self, mark: str) -> None:
        """Goes on to the next edition, unless others have done so already."""
        if mark and mark == self.following:
            self._number += 1
            self.mark = mark

    def advance(self) -> None:
        """Has every statement prepared anew, on each connection."""
        self.reach(self.following)
        if self._renew is not None:
            self._renew()


def may_be_outdated(error: Exception, sql: str, *, in_transaction: bool, tracked: bool = False) -> bool:
    """Whether a statement may have failed only because it was prepared before tables or types were changed.

    It has had no effect then, and may be run again: the driver sent nothing, or the server undid it.

    Args:
        error: What the driver raised.
        sql: The statement.
        in_transaction: Whether the statement ran inside of a transaction, which an error of the server ends.
        tracked: Whether a pooler may have given back what it prepared before.
    """
    if not was_prepared(error):
        return tracked and not in_transaction and is_outdated(error, sql)
    if not said_by_server(error):
        # the driver knows the types of parameters from the preparation
        return isinstance(error, exceptions.DataError)
    return not in_transaction and (_names_or_types(error) or is_outdated(error, sql))


def is_outdated(error: Exception, sql: str) -> bool:
    """Whether a statement can only have failed because it was prepared before tables or types were changed.

    Args:
        error: What the driver raised.
        sql: The statement.
    """
    if isinstance(error, exceptions.InvalidCachedStatementError):
        return True
    if isinstance(error, exceptions.InternalServerError):
        return str(error).startswith("cache lookup failed for type")
    if not said_by_server(error) or not was_prepared(error) or _is_looked_at_when_run(error, sql):
        return False
    types = (exceptions.UndefinedFunctionError, exceptions.DatatypeMismatchError)
    # what happened inside of a function has a context, and was not prepared by us
    return isinstance(error, types) and not error.__dict__.get("context")


def _is_looked_at_when_run(error: Exception, sql: str) -> bool:
    """Whether the server has kept nothing of a statement: it defines something, or was no prepared one."""
    if sql.lstrip().upper().startswith(_DEFINING):
        return True
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    # where the driver sends what has no parameters and gives no rows
    code = None if place is None else place.tb_frame.f_code
    return code is not None and code.co_name == "query" and code.co_filename.startswith("asyncpg")


def forget(driver: Any, sql: str) -> bool:
    """Has the driver prepare a statement anew at its next use; tells whether it had been prepared."""
    statement = driver._stmt_cache.get((sql, driver._protocol.get_record_class(), False))
    if statement is None:
        return False
    # a closed one is found no more; the server is told with the next preparation
    statement.mark_closed()
    driver._stmts_to_close.add(statement)
    return True


def forget_all(driver: Any) -> None:
    """Has the driver prepare every statement anew: the server has none of them any more."""
    driver._stmt_cache.clear()
    driver._stmts_to_close.clear()


def _names_or_types(error: Exception) -> bool:
    state = getattr(error, "sqlstate", None) or ""
    return state.startswith("42") and state not in _SETTINGS
