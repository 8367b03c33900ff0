"""Isolation checks for whatever has transactions, written against a few verbs.

`anomalies` runs ten interleavings of two or three transactions, one for each anomaly that the literature names (Adya's
G0 to G2, observed transaction vanishes, predicate-many-preceders, lost update), and tells which of them happened.
`list_append` runs random transactions that append unique numbers to lists and read them; `faults` then looks for cycles
of dependencies among them, and for appends that were read though aborted, half done, or lost.
"""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count, pairwise
from typing import Any, Protocol

from cormorant.dialects.base import IsolationLevel
from cormorant.errors import CommitOutcomeUnknown, CormorantError

LEVELS: tuple[IsolationLevel, ...] = ("read committed", "repeatable read", "serializable")

PREVENTED: dict[str, tuple[IsolationLevel, ...]] = {
    # the levels at which PostgreSQL prevents it; at the others it happens
    "G0": LEVELS,
    "G1a": LEVELS,
    "G1b": LEVELS,
    "G1c": LEVELS,
    "OTV": LEVELS,
    "PMP": LEVELS[1:],
    "P4": LEVELS[1:],
    "G-single": LEVELS[1:],
    "G2-item": LEVELS[2:],
    "G2": LEVELS[2:],
}

PATIENCE = 30.0
"""Seconds after which a step that should have been let go is given up."""


class Verbs(Protocol):
    """A transaction: over values by number, and over lists by number."""

    async def begin(self, level: IsolationLevel) -> None: ...
    async def get(self, number: int) -> int | None: ...
    async def where(self, value: int) -> list[int]: ...
    async def set(self, number: int, value: int) -> None: ...
    async def add(self, number: int, value: int) -> None: ...
    async def read_list(self, number: int) -> list[int]: ...
    async def append(self, number: int, value: int) -> None: ...
    async def commit(self) -> None: ...
    async def rollback(self) -> None: ...
    async def close(self) -> None: ...


class Blocked:
    """What a step gives that waits for a lock."""


BLOCKED = Blocked()


# ------------------------------------------------------------------ the ten interleavings


class Stage:
    """Where transactions meet.

    Args:
        open_session: Gives a session to run a transaction in.
        reset: Leaves a table with the values (1, 10) and (2, 20) and nothing else.
        waiting: Tells how many transactions wait for a lock.
    """

    def __init__(
        self,
        open_session: Callable[[], Awaitable[Verbs]],
        reset: Callable[[], Awaitable[None]],
        waiting: Callable[[], Awaitable[int]],
    ) -> None:
        self.open_session = open_session
        self.reset = reset
        self.waiting = waiting
        self.actors: list[Actor] = []

    async def enter(self, number: int, level: IsolationLevel) -> list[Actor]:
        """Starts some transactions over fresh rows."""
        await self.reset()
        self.actors = [Actor(self, await self.open_session()) for _ in range(number)]
        for actor in self.actors:
            await actor.do("begin", level)
        return self.actors

    async def leave(self) -> None:
        """Ends every session."""
        for actor in self.actors:
            await actor.verbs.close()

    async def final(self) -> tuple[int | None, int | None]:
        """Gives the values of both rows."""
        verbs = await self.open_session()
        await verbs.begin("read committed")
        values = await verbs.get(1), await verbs.get(2)
        await verbs.commit()
        await verbs.close()
        return values


class Actor:
    """One transaction; a step that waits for a lock stays pending, and the play goes on."""

    def __init__(self, stage: Stage, verbs: Verbs) -> None:
        self.stage = stage
        self.verbs = verbs
        self.pending: asyncio.Task[Any] | None = None
        self.error: BaseException | None = None

    async def do(self, verb: str, *args: Any) -> Any:
        """Takes a step; gives what it gave, BLOCKED, or None once the transaction has failed."""
        await self.catch_up()
        if self.error is not None:
            return None
        task = asyncio.ensure_future(getattr(self.verbs, verb)(*args))
        held = sum(actor.pending is not None for actor in self.stage.actors)
        while not (await asyncio.wait([task], timeout=0.02))[0]:
            if await self.stage.waiting() > held:
                self.pending = task
                return BLOCKED
        return self._take(task)

    async def catch_up(self) -> None:
        """Waits for a step that was blocked."""
        if self.pending is not None:
            task, self.pending = self.pending, None
            await asyncio.wait([task], timeout=PATIENCE)
            assert task.done(), "a step waits for a lock that nobody holds any more"
            self._take(task)

    def _take(self, task: asyncio.Task[Any]) -> Any:
        self.error = task.exception()
        return None if self.error is not None else task.result()

    async def end(self, verb: str = "commit") -> bool:
        """Ends the transaction; tells whether it went well."""
        await self.do(verb)
        await self.catch_up()
        if self.error is not None:
            await self.verbs.rollback()
        return self.error is None


Play = Callable[[Stage, IsolationLevel], Awaitable[bool]]


async def g0(stage: Stage, level: IsolationLevel) -> bool:
    """Writes of two are mixed."""
    a, b = await stage.enter(2, level)
    await a.do("set", 1, 11)
    await b.do("set", 1, 12)
    await a.do("set", 2, 21)
    await a.end()
    await b.do("set", 2, 22)
    await b.end()
    return await stage.final() not in ((11, 21), (12, 22))


async def g1a(stage: Stage, level: IsolationLevel) -> bool:
    """A write is read that is rolled back."""
    a, b = await stage.enter(2, level)
    await a.do("set", 1, 101)
    first = await b.do("get", 1)
    await a.end("rollback")
    second = await b.do("get", 1)
    await b.end()
    return 101 in (first, second)


async def g1b(stage: Stage, level: IsolationLevel) -> bool:
    """A value is read that is not its writer's last."""
    a, b = await stage.enter(2, level)
    await a.do("set", 1, 101)
    first = await b.do("get", 1)
    await a.do("set", 1, 11)
    await a.end()
    second = await b.do("get", 1)
    await b.end()
    return 101 in (first, second)


async def g1c(stage: Stage, level: IsolationLevel) -> bool:
    """Each sees what the other has not committed."""
    a, b = await stage.enter(2, level)
    await a.do("set", 1, 11)
    await b.do("set", 2, 22)
    seen_by_a, seen_by_b = await a.do("get", 2), await b.do("get", 1)
    await a.end()
    await b.end()
    return bool(seen_by_a == 22 or seen_by_b == 11)


async def otv(stage: Stage, level: IsolationLevel) -> bool:
    """A transaction is seen, and then not."""
    a, b, c = await stage.enter(3, level)
    await a.do("set", 1, 11)
    await a.do("set", 2, 19)
    await b.do("set", 1, 12)
    await a.end()
    first_1 = await c.do("get", 1)
    await b.do("set", 2, 18)
    first_2 = await c.do("get", 2)
    await b.end()
    second_2, second_1 = await c.do("get", 2), await c.do("get", 1)
    await c.end()
    seen = [pair for pair in ((first_1, first_2), (second_1, second_2)) if None not in pair]
    return any(pair not in ((10, 20), (11, 19), (12, 18)) for pair in seen)


async def pmp(stage: Stage, level: IsolationLevel) -> bool:
    """A condition that nothing met is met later."""
    a, b = await stage.enter(2, level)
    await a.do("where", 30)
    await b.do("add", 3, 30)
    await b.end()
    found = await a.do("where", 30)
    await a.end()
    return bool(found)


async def p4(stage: Stage, level: IsolationLevel) -> bool:
    """An update is lost: both write what they read, and one more."""
    a, b = await stage.enter(2, level)
    mine, theirs = await a.do("get", 1), await b.do("get", 1)
    await a.do("set", 1, mine + 1)
    await b.do("set", 1, theirs + 1)
    both = [await a.end(), await b.end()]
    return all(both) and (await stage.final())[0] != 12


async def g_single(stage: Stage, level: IsolationLevel) -> bool:
    """Two reads of one transaction show two moments."""
    a, b = await stage.enter(2, level)
    first = await a.do("get", 1)
    await b.do("set", 1, 12)
    await b.do("set", 2, 18)
    await b.end()
    second = await a.do("get", 2)
    return await a.end() and (first, second) == (10, 18)


async def g2_item(stage: Stage, level: IsolationLevel) -> bool:
    """Each writes one of two rows that both have read."""
    a, b = await stage.enter(2, level)
    for actor in (a, b):
        await actor.do("get", 1)
        await actor.do("get", 2)
    await a.do("set", 1, 11)
    await b.do("set", 2, 21)
    both = [await a.end(), await b.end()]
    return all(both)


async def g2(stage: Stage, level: IsolationLevel) -> bool:
    """Each adds a row that meets the condition under which both found nothing."""
    a, b = await stage.enter(2, level)
    await a.do("where", 30)
    await b.do("where", 30)
    await a.do("add", 3, 30)
    await b.do("add", 4, 30)
    both = [await a.end(), await b.end()]
    return all(both)


PLAYS: dict[str, Play] = {
    "G0": g0,
    "G1a": g1a,
    "G1b": g1b,
    "G1c": g1c,
    "OTV": otv,
    "PMP": pmp,
    "P4": p4,
    "G-single": g_single,
    "G2-item": g2_item,
    "G2": g2,
}


async def happened(stage: Stage, name: str, level: IsolationLevel) -> bool:
    """Tells whether an anomaly happens at a level."""
    try:
        return await PLAYS[name](stage, level)
    finally:
        await stage.leave()


# ------------------------------------------------------------------ random appends


@dataclass(slots=True)
class Deed:
    """One transaction of a history.

    Args:
        ok: It was committed; False if it surely was not, None if nobody knows.
        steps: What it did: "r", a list and what it held; or "a", a list and what was appended.
        final: It read every list when all was over.
    """

    ok: bool | None = False
    steps: list[tuple[str, int, Any]] = field(default_factory=list[tuple[str, int, Any]])
    final: bool = False


async def list_append(
    open_session: Callable[[], Awaitable[Verbs]],
    level: IsolationLevel,
    *,
    workers: int,
    rounds: int,
    lists: int = 5,
    steps: int = 4,
    seed: int = 1,
) -> list[Deed]:
    """Runs random transactions side by side and gives their history."""
    history: list[Deed] = []
    numbers = count(1)

    async def worker(number: int) -> None:
        chance = random.Random(f"{seed}.{number}")
        for _ in range(rounds):
            verbs = await open_session()
            history.append(await _deed(verbs, level, chance, numbers, lists=lists, steps=steps))
            await verbs.close()

    await asyncio.gather(*(worker(number) for number in range(workers)))
    verbs = await open_session()
    await verbs.begin("read committed")
    history.append(Deed(True, [("r", key, await verbs.read_list(key)) for key in range(lists)], final=True))
    await verbs.commit()
    await verbs.close()
    return history


async def _deed(
    verbs: Verbs, level: IsolationLevel, chance: random.Random, numbers: count[int], *, lists: int, steps: int
) -> Deed:
    deed = Deed()
    try:
        await verbs.begin(level)
        for _ in range(chance.randint(2, steps)):
            key = chance.randrange(lists)
            if chance.random() < 0.5:
                deed.steps.append(("r", key, await verbs.read_list(key)))
            else:
                number = next(numbers)
                deed.steps.append(("a", key, number))
                await verbs.append(key, number)
        await verbs.commit()
        deed.ok = True
    except CommitOutcomeUnknown:
        deed.ok = None
    except CormorantError:
        await verbs.rollback()
    return deed


def faults(history: Sequence[Deed]) -> dict[str, int]:
    """Counts what should not be in a history; an empty dict says that nothing was found."""
    return _History(history).faults()


Edges = Mapping[int, Mapping[int, set[str]]]


class _History:
    """A history on its way to a verdict."""

    def __init__(self, deeds: Sequence[Deed]) -> None:
        self.deeds = deeds
        self.bad: dict[str, int] = defaultdict(int)
        self.order: dict[int, list[int]] = defaultdict(list)
        self.edges: dict[int, dict[int, set[str]]] = defaultdict(lambda: defaultdict(set))
        self.writer = {(k, v): i for i, deed in enumerate(deeds) for verb, k, v in deed.steps if verb == "a"}
        # a later append of the same transaction replaces the one before
        self.last = {(i, k): v for i, deed in enumerate(deeds) for verb, k, v in deed.steps if verb == "a"}

    def faults(self) -> dict[str, int]:
        self._read_orders()
        self.place = {(k, v): n for k, values in self.order.items() for n, v in enumerate(values)}
        for number, deed in enumerate(self.deeds):
            if deed.ok:
                self._look_at(number, deed)
        for key, values in self.order.items():
            for one, other in pairwise(values):
                self._edge(self.writer[key, one], self.writer[key, other], "ww")
        self._look_for_cycles()
        return dict(self.bad)

    def _read_orders(self) -> None:
        """Finds the order of each list's numbers: every read must show a beginning of the longest one."""
        for deed in self.deeds:
            for _, key, values in (step for step in deed.steps if deed.ok and step[0] == "r"):
                self.bad_if(len(set(values)) != len(values), "a number twice")
                known = self.order[key]
                shorter = min(len(values), len(known))
                self.bad_if(values[:shorter] != known[:shorter], "two orders")
                if len(values) > len(known):
                    self.order[key] = values

    def bad_if(self, wrong: bool, name: str) -> None:
        if wrong:
            self.bad[name] += 1

    def _edge(self, before: int, after: int, kind: str) -> None:
        if before != after:
            self.edges[before][after].add(kind)

    def _look_at(self, number: int, deed: Deed) -> None:
        mine: dict[int, list[int]] = defaultdict(list)
        for verb, key, value in deed.steps:
            if verb == "a":
                mine[key].append(value)
                self.bad_if((key, value) not in self.place, "a committed append lost")
            else:
                self._look_at_read(number, deed, key, value, mine[key])

    def _look_at_read(self, number: int, deed: Deed, key: int, values: list[int], mine: list[int]) -> None:
        self.bad_if([v for v in values if self.writer.get((key, v)) == number] != mine, "own appends not read")
        others = [v for v in values if self.writer.get((key, v)) != number]
        writers = [self.writer.get((key, v)) for v in others]
        for writer in writers:
            self.bad_if(writer is None, "read from nowhere")
            self.bad_if(writer is not None and self.deeds[writer].ok is False, "G1a: an aborted append read")
        if writers and (writer := writers[-1]) is not None:
            self.bad_if(self.last[writer, key] != others[-1], "G1b: an intermediate append read")
            self._edge(writer, number, "wr")
        order = self.order[key]
        if not mine and not deed.final and len(values) < len(order):
            self._edge(number, self.writer[key, order[len(values)]], "rw")

    def _look_for_cycles(self) -> None:
        for name, kinds in (
            ("G0: a cycle of writes", {"ww"}),
            ("G1c: a cycle of reads and writes", {"ww", "wr"}),
            ("G2: a cycle", {"ww", "wr", "rw"}),
        ):
            if found := _cycles(self._graph(kinds)):
                self.bad[name] = found
        graph = self._graph({"ww", "wr"})
        for before, afters in list(self.edges.items()):
            for after, kinds in afters.items():
                self.bad_if(
                    "rw" in kinds and before in _reached(graph, after), "G-single: a read skew or a lost update"
                )

    def _graph(self, kinds: set[str]) -> dict[int, list[int]]:
        return {a: [b for b, found in bs.items() if found & kinds] for a, bs in self.edges.items()}


def _reached(graph: Mapping[int, Iterable[int]], start: int) -> set[int]:
    seen, todo = {start}, [start]
    while todo:
        fresh = set(graph.get(todo.pop(), ())) - seen
        seen |= fresh
        todo += fresh
    return seen


def _cycles(graph: Mapping[int, list[int]]) -> int:
    """Counts what is left when whoever nobody needs, or who needs nobody, has gone: 0 without a cycle."""
    left = set(graph) | {after for afters in graph.values() for after in afters}
    while True:
        befores = {after for node in left for after in graph.get(node, ()) if after in left}
        afters = {node for node in left if any(after in left for after in graph.get(node, ()))}
        if left == (kept := left & befores & afters):
            return len(left)
        left = kept
