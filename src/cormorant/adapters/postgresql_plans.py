"""Prepared statements that a change of tables or types has outlived: the server, or the driver, refuses them by then.

The driver prepares again by itself where the columns of a result have changed, outside of transactions. It keeps what
fails for other reasons, and would fail for good: a parameter's type that is another one now, or is gone.
"""

from __future__ import annotations

from typing import Any

from asyncpg import exceptions  # pyright: ignore[reportMissingTypeStubs]

from cormorant.adapters.postgresql_errors import said_by_server, was_prepared

_SETTINGS = ("42501",)
"""Of the class of errors about names and types, those that a new preparation does not change: no permission."""


def may_be_outdated(error: Exception, *, in_transaction: bool) -> bool:
    """Whether a statement may have failed only because it was prepared before tables or types were changed.

    It has had no effect then, and may be run again: the driver sent nothing, or the server undid it.

    Args:
        error: What the driver raised.
        in_transaction: Whether the statement ran inside of a transaction, which an error of the server ends.
    """
    if not was_prepared(error):
        return False
    if not said_by_server(error):
        # the driver knows the types of parameters from the preparation
        return isinstance(error, exceptions.DataError)
    return not in_transaction and (_names_or_types(error) or is_outdated(error))


def is_outdated(error: Exception) -> bool:
    """Whether a statement can only have failed because it was prepared before tables or types were changed."""
    if isinstance(error, exceptions.InvalidCachedStatementError):
        return True
    if isinstance(error, exceptions.InternalServerError):
        return str(error).startswith("cache lookup failed for type")
    if not said_by_server(error) or not was_prepared(error):
        return False
    types = (exceptions.UndefinedFunctionError, exceptions.DatatypeMismatchError)
    # what happened inside of a function has a context, and was not prepared by us
    return isinstance(error, types) and not error.__dict__.get("context")


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
