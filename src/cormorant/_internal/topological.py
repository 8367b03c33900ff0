"""Orders nodes so that each comes after the ones it needs (Kahn's algorithm, 1962)."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterable, Mapping
from typing import TypeVar

N = TypeVar("N", bound=Hashable)


class CycleError(ValueError):
    """The nodes need each other in a ring.

    Args:
        cycle: The nodes of one ring, each needing the next; the first is repeated at the end.
    """

    def __init__(self, cycle: tuple[Hashable, ...]) -> None:
        super().__init__(" -> ".join(map(str, cycle)))
        self.cycle = cycle


def sort(nodes: Iterable[N], needs: Mapping[N, Iterable[N]]) -> list[N]:
    """Gives the nodes in an order in which everything needed comes first; equal nodes keep the given order.

    Args:
        nodes: What to order.
        needs: For a node, the nodes that must come before it; others are ignored, as is a node's need of itself.

    Raises:
        CycleError: Naming one ring.
    """
    ordered = list(nodes)
    known = set(ordered)
    missing: dict[N, set[N]] = {node: {n for n in needs.get(node, ()) if n in known and n != node} for node in ordered}
    waiting: dict[N, list[N]] = {node: [] for node in ordered}
    for node in ordered:
        for needed in missing[node]:
            waiting[needed].append(node)
    ready = deque(node for node in ordered if not missing[node])
    result: list[N] = []
    while ready:
        node = ready.popleft()
        result.append(node)
        for dependent in waiting[node]:
            missing[dependent].discard(node)
            if not missing[dependent]:
                ready.append(dependent)
    if len(result) < len(ordered):
        stuck = {node: rest for node, rest in missing.items() if rest}
        ring = _ring(stuck)
        raise CycleError(ring)
    return result


def _ring(missing: dict[N, set[N]]) -> tuple[N, ...]:
    node = next(iter(missing))
    place: dict[N, int] = {}
    while node not in place:
        place[node] = len(place)
        node = next(needed for needed in missing[node] if needed in missing)
    return (*list(place)[place[node] :], node)
