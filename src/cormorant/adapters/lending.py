"""Which connections are held for whole transactions, so that nobody waits for one that comes back only after him."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager

from cormorant.adapters.base import Adapter, Separate
from cormorant.adapters.holding import Held, IdleWatch
from cormorant.errors import WouldDeadlock


class Lending:
    """The transactions that hold a connection of one adapter, and those that somebody who waits is inside of.

    Args:
        adapter: Where the connections come from.
        idle: Seconds after which a transaction is told of in which nothing is sent; None never does.
        beside: What does the same for the same database's connections of another loop, where a writer waits too.
    """

    def __init__(self, adapter: Adapter, idle: float | None = None, beside: Lending | None = None) -> None:
        self._adapter = adapter
        self._watch = IdleWatch(idle)
        # asked once: such a look at every method costs as much as the rest of lending
        self._separate: Separate | None = adapter if isinstance(adapter, Separate) else None
        self.holders: dict[object, Held] = {}
        self.beside: Lending | None = beside
        self._waited_in: list[frozenset[object]] = []

    def capacity(self, *, write: bool) -> tuple[str, int]:
        """Gives the kind of connection that a reader or a writer takes, and how many there are."""
        separate = self._separate
        return ("any", self._adapter.stats.size) if separate is None else separate.capacity(write=write)

    def another(self, adapter: Adapter) -> Lending:
        """Gives what does the same for another adapter."""
        return Lending(adapter, self._watch.seconds, self)

    def hold(self, holder: object, held: Held, *, write: bool) -> None:
        """Notes that a transaction holds a connection."""
        if self._separate is not None:
            held.kind = self._separate.capacity(write=write)[0]
        self.holders[holder] = held
        self._watch.start(self.holders.values)

    def let_go(self, holder: object) -> None:
        """Notes that it does no more."""
        self.holders.pop(holder, None)

    def _writes_beside(self, around: Mapping[object, str]) -> bool:
        """Whether one of these transactions writes by a connection of another loop: there is one writer for both."""
        # they come and go in another thread
        found = [] if self.beside is None else [self.beside.holders.get(holder) for holder in around]
        return any(held is not None and held.kind == "writer" for held in found)

    @contextmanager
    def waiting(
        self, around: Mapping[object, str], *, write: bool, waiter: Callable[[], str]
    ) -> Generator[None, None, None]:
        """Lets somebody wait who is inside of transactions that go on only after him.

        Args:
            around: What each of these transactions is called, by holder.
            write: A connection to write with is wanted.
            waiter: What messages call him.

        Raises:
            WouldDeadlock: Every connection is held by a transaction that waits for somebody who would wait too.
        """
        kind, size = self.capacity(write=write)
        stuck = frozenset(around).union(*self._waited_in)
        lent = sum(held.kind == kind and holder in stuck for holder, held in self.holders.items())
        if lent >= size or (kind == "writer" and self._writes_beside(around)):
            count = "the one connection" if size == 1 else f"all {size} connections"
            raise WouldDeadlock(
                f"{waiter()} would wait for ever: it needs a connection{' to write with' if kind == 'writer' else ''}, "
                f"and is inside of {', '.join(around.values())}, whose transaction holds "
                f"{count if len(around) >= size else f'one, and {size} are all there are'}",
                hint="work in the outer session, or end its transaction first; give tasks that go on by themselves a "
                "context of their own: create_task(..., context=contextvars.Context())",
            )
        inside = frozenset(around)
        self._waited_in.append(inside)
        try:
            yield
        finally:
            self._waited_in.remove(inside)
