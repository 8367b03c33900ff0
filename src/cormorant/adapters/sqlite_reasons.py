"""Why a function of ours has refused a value, which SQLite does not pass on."""

from __future__ import annotations

import re
import sqlite3
import threading
from collections.abc import Callable
from typing import Any

from cormorant.errors import DataError

_REFUSED = re.compile("user-defined .* raised (exception|error)")


class _Last(threading.local):
    reason: str | None = None


# a function is called by the thread that runs the statement, and what it refuses ends that statement
_LAST = _Last()


class Refused(ValueError):
    """What a function of ours raises; its text, which has no value in it, becomes that of the error."""


def strict(compute: Callable[..., Any], refusal: str | None = None) -> Callable[..., Any]:
    """Gives a function that is NULL where one of its arguments is, and an error where its number has over 64 bits.

    Args:
        compute: Computes the value.
        refusal: What is said of values that it raises a ValueError, or an OverflowError, for.
    """

    def function(*values: Any) -> Any:
        if None in values:
            return None
        try:
            found = compute(*values)
            if type(found) is int and not -(1 << 63) <= found < 1 << 63:
                raise Refused("integer out of range")
        except MemoryError:
            raise
        except Exception as error:
            # of an OverflowError SQLite would speak as of a blob that is too big
            raise refused(error, refusal) from None
        return found

    return function


def refused(error: Exception, refusal: str | None = None) -> Refused:
    """Gives what a function raises in place of another error, and notes why."""
    _LAST.reason = _reason(error, refusal)
    return Refused(_LAST.reason)


def note_reason(error: sqlite3.Error) -> None:
    """Notes in an error what the function that has failed said last, in the thread in which that was."""
    reason, _LAST.reason = _LAST.reason, None
    if reason is not None and _REFUSED.search(str(error)):
        error.args = (*error.args, reason)


def noted_reason(error: Exception) -> str | None:
    """Gives the reason that was noted in an error."""
    noted = error.args[1:2] if isinstance(error, sqlite3.OperationalError) else ()
    return str(noted[0]) if noted else None


def _reason(error: Exception, refusal: str | None) -> str | None:
    if isinstance(error, DataError):
        return error.message
    if isinstance(error, Refused):
        return str(error)
    if isinstance(error, ZeroDivisionError):
        return "division by zero"
    if isinstance(error, (ValueError, ArithmeticError)) and refusal is not None:
        return refusal
    return "value out of range" if isinstance(error, OverflowError) else None
