"""What waits for the end of a block: objects that were written in it, and functions to be called once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from cormorant.hooks.dispatcher import Hook
from cormorant.models.model import Model


@dataclass(slots=True, eq=False)
class Ends:
    """What is told of the end of a block, and of the transaction around it.

    Args:
        written: Objects with hooks that want to know, by id.
        on_commit: What is called after the outermost commit.
        on_rollback: What is called once the block, or one around it, is rolled back.
    """

    written: dict[int, Model] = field(default_factory=dict[int, Model])
    on_commit: list[Hook] = field(default_factory=list[Hook])
    on_rollback: list[Hook] = field(default_factory=list[Hook])

    def take_over(self, inner: Ends) -> None:
        """Makes what waits for an inner block's end wait for this one's."""
        self.written.update(inner.written)
        self.on_commit += inner.on_commit
        self.on_rollback += inner.on_rollback


def joined(found: Iterable[Ends | None]) -> Ends | None:
    """Gives what waits in several blocks, the outer ones first, as one; None if nothing does."""
    result: Ends | None = None
    for ends in found:
        if ends is not None:
            if result is None:
                result = Ends()
            result.take_over(ends)
    return result
