"""Which events exist, as frozen values."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Event:
    """A moment at which functions of the user's own are called.

    Args:
        name: What it is called everywhere; a method of this name on a model is called too.
        facts: What a function may take besides the object, by keyword.
        of_sessions: Functions that are registered for a session or a database get the session, and not each object.
    """

    name: str
    facts: tuple[str, ...] = ()
    of_sessions: bool = False


BEFORE_VALIDATE = Event("before_validate", ("created",))
AFTER_VALIDATE = Event("after_validate", ("created",))
BEFORE_SAVE = Event("before_save", ("created",))
AFTER_SAVE = Event("after_save", ("created",))
BEFORE_DELETE = Event("before_delete")
AFTER_DELETE = Event("after_delete")
BEFORE_COMMIT = Event("before_commit", of_sessions=True)
AFTER_COMMIT = Event("after_commit", of_sessions=True)
AFTER_ROLLBACK = Event("after_rollback", of_sessions=True)

EVENTS: tuple[Event, ...] = (
    BEFORE_VALIDATE,
    AFTER_VALIDATE,
    BEFORE_SAVE,
    AFTER_SAVE,
    BEFORE_DELETE,
    AFTER_DELETE,
    BEFORE_COMMIT,
    AFTER_COMMIT,
    AFTER_ROLLBACK,
)
