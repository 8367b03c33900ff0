"""The open blocks of one session state: which failed, what each wrote, and how to undo it in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from cormorant.errors import CormorantError, TransactionFailedError

Undo = Callable[[], None]


@dataclass(slots=True)
class Level:
    """A transaction, or a savepoint inside it.

    Args:
        savepoint: The savepoint's name; None for the transaction itself.
        explicit: A block or `begin()` opened it; otherwise the first write did.
        cause: What made it fail.
        undo: Puts objects back as they were, the latest first.
        first_number: The state's statement number when it wrote first.
    """

    savepoint: str | None
    explicit: bool
    cause: BaseException | None = None
    undo: list[Undo] = field(default_factory=list[Undo])
    first_number: int | None = None


class Levels:
    """The open transaction and the savepoints inside it, outermost first; pure bookkeeping."""

    __slots__ = ("open",)

    def __init__(self) -> None:
        self.open: list[Level] = []

    def __bool__(self) -> bool:
        return bool(self.open)

    def __iter__(self) -> Iterator[Level]:
        return iter(self.open)

    def __contains__(self, level: Level) -> bool:
        return any(level is known for known in self.open)

    @property
    def innermost(self) -> Level:
        """The block that ends next."""
        return self.open[-1]

    def push(self, level: Level) -> Level:
        """Opens a block."""
        self.open.append(level)
        return level

    def pop(self) -> Level:
        """Ends the innermost block."""
        return self.open.pop()

    def note_write(self, number: int) -> None:
        """Remembers the first write of every open block that had none."""
        for level in self.open:
            if level.first_number is None:
                level.first_number = number

    def log(self, undo: Undo) -> None:
        """Adds to what the innermost block undoes if it is rolled back."""
        if self.open:
            self.open[-1].undo.append(undo)

    def fail(self, cause: BaseException) -> None:
        """Marks the innermost block failed."""
        if self.open and self.open[-1].cause is None:
            self.open[-1].cause = cause

    def check(self) -> None:
        """Refuses to go on in a failed block.

        Raises:
            TransactionFailedError: Carrying the first error as its cause.
        """
        for level in self.open:
            if level.cause is not None:
                raise TransactionFailedError(
                    f"the transaction failed earlier: {_summary(level.cause)}",
                    hint="leave the block, or await session.rollback(); to try something and go on, "
                    "use a nested `async with session.transaction()`",
                ) from level.cause


def _summary(cause: BaseException) -> str:
    text = cause.message if isinstance(cause, CormorantError) else str(cause)
    first = text.splitlines()[0] if text else ""
    return f"{type(cause).__name__}: {first}" if first else type(cause).__name__
