"""The root of every error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

E = TypeVar("E", bound="CormorantError")


class CormorantError(Exception):
    """The root of every error raised by Cormorant.

    Args:
        message: What happened and on what.
        hint: What to do about it; printed on a line of its own.
    """

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        self.message: str = shortened(message)
        self.hint: str | None = None if hint is None else shortened(hint)
        super().__init__(self.message if self.hint is None else f"{self.message}\nHint: {self.hint}")

    def __reduce__(self) -> tuple[object, ...]:
        # Exceptions cross process borders (pytest-xdist, task queues): keyword-only arguments
        # would break the default way of rebuilding them.
        return (rebuilt, (type(self), self.args, dict(self.__dict__)))


_LONGEST_LINE = 2_500


def shortened(text: str) -> str:
    """Cuts long lines in their middle: a name or a value that a stranger chose may be a megabyte."""
    if len(text) <= _LONGEST_LINE:
        return text
    lines = text.split("\n")
    return "\n".join(line if len(line) <= _LONGEST_LINE else f"{line[:2_000]} ... {line[-200:]}" for line in lines)


def reworded(error: E, message: str, *, hint: str | None = None) -> E:
    """Gives an error other words, and takes away what led to it: the first words may quote what must not be shown."""
    error.__cause__ = error.__context__ = None
    CormorantError.__init__(error, message, hint=hint)
    return error


def rebuilt(cls: type[CormorantError], args: tuple[object, ...], state: dict[str, object]) -> CormorantError:
    """Makes an error of what its `__reduce__` gave."""
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(state)
    return error


def suggest(name: str, known: Mapping[str, object] | Sequence[str]) -> str:
    """Gives the sentence that lists what exists, the nearest names first.

    Args:
        name: What was asked for.
        known: What exists.

    Returns:
        "did you mean 'title'? it has: id, title, views", for use as a hint.
    """
    # difflib is only needed once something already went wrong
    from difflib import get_close_matches

    names = list(known)
    near = get_close_matches(name, names, n=1)
    listed = ", ".join(sorted(names)) or "nothing"
    return (f"did you mean {near[0]!r}? " if near else "") + f"it has: {listed}"
