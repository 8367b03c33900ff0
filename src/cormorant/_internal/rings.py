"""Rings among nodes that need each other: found (Tarjan, 1972), opened where that costs least, and put into batches."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from heapq import heapify, heappop, heappush
from typing import TypeAlias

Needs: TypeAlias = Sequence[Sequence[tuple[int, int | None]]]
"""For each node the nodes that must come before it, each with what it costs to do without; None if it cannot be."""


class RingError(ValueError):
    """Nodes need each other in a ring that cannot be opened.

    Args:
        ring: The nodes, each needing the next; the first is repeated at the end.
    """

    def __init__(self, ring: tuple[int, ...]) -> None:
        super().__init__(" -> ".join(map(str, ring)))
        self.ring = ring


def opened(needs: Needs) -> list[tuple[int, int]]:
    """Gives needs that are done without so that no ring is left, as (node, place among its needs).

    The fewest would take exponential time to find (minimum feedback arc set, Karp 1972). Nodes are taken one after
    another, always the one that costs least by then, and among equals the first.

    Raises:
        RingError: A ring has no need that could be done without.
    """
    return [broken for members in rings(needs) for broken in _opened(members, needs)]


def rings(needs: Needs) -> list[list[int]]:
    """Gives the largest sets of nodes that all need each other, and the nodes that need themselves."""
    found: list[list[int]] = []
    count = len(needs)
    number, low = [0] * count, [0] * count
    counter = 0
    open_nodes: list[int] = []
    is_open = [False] * count
    for start in range(count):
        if number[start]:
            continue
        # a stack of our own: rows may be chained thousands deep
        way: list[tuple[int, Iterator[tuple[int, int | None]]]] = [(start, iter(needs[start]))]
        counter += 1
        number[start] = low[start] = counter
        open_nodes.append(start)
        is_open[start] = True
        while way:
            node, rest = way[-1]
            for needed, _ in rest:
                if not number[needed]:
                    counter += 1
                    number[needed] = low[needed] = counter
                    open_nodes.append(needed)
                    is_open[needed] = True
                    way.append((needed, iter(needs[needed])))
                    break
                if is_open[needed]:
                    low[node] = min(low[node], number[needed])
            else:
                way.pop()
                if way:
                    low[way[-1][0]] = min(low[way[-1][0]], low[node])
                if low[node] == number[node]:
                    members = _closed(node, open_nodes, is_open)
                    if len(members) > 1 or any(needed == node for needed, _ in needs[node]):
                        found.append(members)
    return found


def _closed(node: int, open_nodes: list[int], is_open: list[bool]) -> list[int]:
    start = len(open_nodes) - 1
    while open_nodes[start] != node:
        start -= 1
    members = open_nodes[start:]
    del open_nodes[start:]
    for member in members:
        is_open[member] = False
    return members


class _Ring:
    """The needs inside of one ring that are still to be met, with what each node would cost."""

    def __init__(self, members: list[int], needs: Needs) -> None:
        self.open: dict[int, dict[int, int]] = {node: {} for node in sorted(members)}
        self.waiting: dict[int, list[tuple[int, int]]] = {node: [] for node in members}
        self.needs: Needs = needs
        self.hard: dict[int, int] = dict.fromkeys(members, 0)
        self.total: dict[int, int] = dict.fromkeys(members, 0)
        for node, inside in self.open.items():
            for place, (needed, cost) in enumerate(needs[node]):
                if needed in self.open:
                    inside[place] = needed
                    self.waiting[needed].append((node, place))
                    self._count(node, cost, 1)

    def _count(self, node: int, cost: int | None, step: int) -> None:
        if cost is None:
            self.hard[node] += step
        else:
            self.total[node] += step * cost

    def price(self, node: int) -> tuple[int, int, int] | None:
        """Gives what it costs to take a node now, how many needs that leaves unmet, and the node; None if it cannot."""
        return None if self.hard[node] else (self.total[node], len(self.open[node]), node)

    def take(self, node: int) -> tuple[list[tuple[int, int]], Iterable[int]]:
        """Takes a node; gives what it does without, and the nodes that need less from now on."""
        broken = [(node, place) for place in self.open.pop(node)]
        changed: dict[int, None] = {}
        for dependent, place in self.waiting[node]:
            if dependent in self.open:
                del self.open[dependent][place]
                self._count(dependent, self.needs[dependent][place][1], -1)
                changed[dependent] = None
        return broken, changed

    def hard_ring(self) -> tuple[int, ...]:
        """Gives a ring of needs that cannot be done without."""
        node = next(iter(self.open))
        seen: dict[int, int] = {}
        while node not in seen:
            seen[node] = len(seen)
            node = next(needed for place, needed in self.open[node].items() if self.needs[node][place][1] is None)
        return (*list(seen)[seen[node] :], node)


def _opened(members: list[int], needs: Needs) -> list[tuple[int, int]]:
    ring = _Ring(members, needs)
    heap = [price for node in ring.open if (price := ring.price(node)) is not None]
    heapify(heap)
    broken: list[tuple[int, int]] = []
    while ring.open:
        if not heap:
            raise RingError(ring.hard_ring())
        price = heappop(heap)
        node = price[2]
        if node in ring.open and ring.price(node) == price:
            without, changed = ring.take(node)
            broken += without
            for dependent in changed:
                if (price := ring.price(dependent)) is not None:
                    heappush(heap, price)
    return broken


def in_batches(ranks: Sequence[int], needs: Sequence[Collection[int]]) -> Iterator[list[int]]:
    """Gives nodes batch by batch: those of one rank together, and each after all that it needs.

    A rank that can go whole goes first, the lowest of them; else what can go of the lowest rank.

    Args:
        ranks: Each node's rank.
        needs: The nodes that must come before each node; there is no ring among them.
    """
    missing = [len(set(needed)) for needed in needs]
    waiting: list[list[int]] = [[] for _ in ranks]
    left: dict[int, int] = {}
    ready: dict[int, list[int]] = {rank: [] for rank in ranks}
    for node, rank in enumerate(ranks):
        left[rank] = left.get(rank, 0) + 1
        for needed in set(needs[node]):
            waiting[needed].append(node)
        if not missing[node]:
            ready[rank].append(node)
    whole = sorted(rank for rank, nodes in ready.items() if len(nodes) == left[rank])
    partly = sorted(rank for rank, nodes in ready.items() if nodes)
    while partly:
        rank = heappop(whole if whole else partly)
        batch = sorted(ready[rank])
        if not batch:
            continue
        ready[rank] = []
        left[rank] -= len(batch)
        yield batch
        for node in batch:
            for dependent in waiting[node]:
                missing[dependent] -= 1
                if not missing[dependent]:
                    freed = ready[ranks[dependent]]
                    freed.append(dependent)
                    if len(freed) == 1:
                        heappush(partly, ranks[dependent])
                    if len(freed) == left[ranks[dependent]]:
                        heappush(whole, ranks[dependent])
