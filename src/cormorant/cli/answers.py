"""What a command found or did, as a value: for people, for programs, and as an exit code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rich.console import RenderableType

from cormorant._internal.secrets import hide_logins, without_secrets
from cormorant.cli.exit_codes import OK, code_of
from cormorant.errors import CormorantError, DestructiveMigration, MigrationConflict, MigrationFailed


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command has to say.

    Args:
        data: For programs: what `--json` prints.
        shown: For people, in order.
        text: What is printed as it is, to be written into a file; nothing else is on stdout then.
        code: The exit code.
    """

    data: Mapping[str, object] = field(default_factory=dict[str, object])
    shown: tuple[RenderableType, ...] = ()
    text: str | None = None
    code: int = OK


def refusal(error: CormorantError | OSError) -> dict[str, object]:
    """Gives an error for programs."""
    message, hint = worded(error)
    told: dict[str, object] = {"error": type(error).__name__, "message": message, "hint": hint, "exit": code_of(error)}
    match error:
        case DestructiveMigration():
            told["losses"] = [{"name": loss.name, "rows": loss.rows} for loss in error.losses]
        case MigrationFailed():
            statement = None if error.statement is None else without_secrets(error.statement)
            told |= {"migration": error.migration, "step": error.step, "statement": statement}
        case MigrationConflict():
            told |= {"heads": list(error.heads), "things": list(error.things)}
        case _:
            pass
    return told


def worded(error: CormorantError | OSError) -> tuple[str, str | None]:
    """Gives an error's message and hint, without passwords of DSNs."""
    if isinstance(error, CormorantError):
        return hide_logins(error.message), None if error.hint is None else hide_logins(error.hint)
    return hide_logins(f"{error.filename or 'a file'}: {error.strerror or error}"), None
