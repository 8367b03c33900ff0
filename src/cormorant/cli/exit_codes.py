"""What a command's exit code says."""

from __future__ import annotations

from cormorant.errors import (
    ConnectionLost,
    CormorantError,
    DatabaseError,
    DestructiveMigration,
    MigrationError,
    MigrationFailed,
    MigrationLocked,
    PoolTimeout,
)

OK = 0
FOUND = 1
USAGE = 2
UNREACHABLE = 3
MIGRATIONS = 4
FAILED = 5
LOCKED = 6
BUG = 70
INTERRUPTED = 130

MEANINGS = {
    OK: "done, nothing to complain of",
    FOUND: "something was found: pending migrations, drift, findings of lint, rows that would be lost",
    USAGE: "options, the configuration or the models cannot be used",
    UNREACHABLE: "the database cannot be reached",
    MIGRATIONS: "the migrations cannot be used: two heads, a changed or missing file, no such target",
    FAILED: "the database refused a statement; a migration stopped",
    LOCKED: "somebody else migrates, or a lock was not granted in time",
    BUG: "an error of Cormorant itself",
    INTERRUPTED: "Ctrl-C",
}


def code_of(error: CormorantError | OSError) -> int:
    """Gives the exit code of an error."""
    match error:
        case DestructiveMigration():
            return FOUND
        case ConnectionLost() | PoolTimeout():
            return UNREACHABLE
        case MigrationLocked():
            return LOCKED
        case MigrationFailed() | DatabaseError():
            return FAILED
        case MigrationError():
            return MIGRATIONS
        case _:
            return USAGE
