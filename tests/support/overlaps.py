"""Tasks that use one session at once, at random, and cancel each other; and a ledger of what must come of it.

Every operation gives a result or an error of Cormorant's, but for those that were cancelled. What was acknowledged and
then committed is in the database, and what memory shows when all is over is what the database holds.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import Any

from cormorant import AsyncSession, Database, Mapped, Model, generated
from cormorant import field as column
from cormorant.errors import CormorantError
from cormorant.models.state import is_ghost, is_persistent

PATIENCE = 60.0
"""Seconds after which tasks that wait for each other are given up."""


class Slip(Model, app="overlaps"):
    """A row that says which one it is: its text begins with its tag, and ends with the number of its last change."""

    id: Mapped[int] = generated(primary_key=True)
    tag: Mapped[int]
    text: Mapped[str]
    hits: Mapped[int] = column(default=0)


class OutOfBlock(Exception):
    """What a block is left by."""


@dataclass(frozen=True, slots=True)
class Write:
    """A change that was acknowledged.

    Args:
        number: Counts all changes.
        gone: The row was deleted.
        hit: It was counted once more.
    """

    tag: int
    number: int
    gone: bool = False
    hit: bool = False


@dataclass(slots=True)
class Ledger:
    """What was acknowledged, by the block it was written in, and what was committed.

    Args:
        levels: The innermost block's writes come last.
        turns: Counts the beginnings and ends of blocks; a write that meets one may belong to either side.
        turning: How many of them are on their way.
    """

    levels: list[list[Write]] = field(default_factory=lambda: [[]])
    durable: list[Write] = field(default_factory=list[Write])
    turns: int = 0
    turning: int = 0

    def acknowledged(self, write: Write, since: int, *, at_once: bool) -> None:
        if self.turning or self.turns != since:
            return
        (self.durable if at_once and len(self.levels) == 1 else self.levels[-1]).append(write)

    def kept(self, level: list[Write]) -> None:
        """A savepoint has ended well."""
        if place := self._place(level):
            self.levels[place - 1] += [write for inner in self.levels[place:] for write in inner]
            del self.levels[place:]

    def undone(self, level: list[Write]) -> None:
        """A block has been undone, with those inside of it."""
        if place := self._place(level):
            del self.levels[place:]

    def _place(self, level: list[Write]) -> int:
        """Gives how deep a block is; 0 if it has ended with another."""
        # two blocks without a write are equal
        return next((place for place, known in enumerate(self.levels) if known is level), 0)

    def ended(self, *, well: bool) -> None:
        """The transaction is over."""
        if well:
            self.durable += [write for level in self.levels for write in level]
        self.levels[:] = [[]]


class Overlap:
    """One session, and several tasks that use it.

    Args:
        seed: What happens follows from it, as far as it does not depend on who is answered first.
    """

    def __init__(self, database: Database, seed: int) -> None:
        self.database = database
        self.seed = seed
        self.ledger = Ledger()
        self.slips: list[Slip] = []
        self.running: set[asyncio.Task[Any]] = set()
        self.tags, self.numbers = count(1), count(1)
        self.deleted: set[int] = set()
        self.errors: dict[str, int] = {}
        self.log: list[str] = []
        self.autocommit: bool = seed % 5 == 4

    async def run(self) -> None:
        """Lets tasks loose on a session, and compares what is left.

        Raises:
            AssertionError: A row is wrong or missing, or an error came out that has no name of ours.
        """
        chance = random.Random(f"{self.seed}")
        async with asyncio.timeout(PATIENCE):
            with suppress(OutOfBlock):
                await self._guarded(partial(self._use_session, chance))
        await self._compare()

    async def _use_session(self, chance: random.Random) -> None:
        self.session = AsyncSession(self.database, autocommit=self.autocommit)
        well = chance.random() < 0.7
        self._turn(1)
        try:
            async with self.session:
                self.ledger.turning = 0
                await asyncio.gather(*(self._task(number) for number in range(chance.randint(2, 5))))
                self._turn(1)
                if not well:
                    raise OutOfBlock
        except BaseException:
            self.ledger.ended(well=False)
            raise
        self.ledger.ended(well=True)

    def _turn(self, way: int) -> None:
        self.ledger.turns += 1
        self.ledger.turning += way

    async def _guarded(self, work: Callable[[], Awaitable[None]]) -> None:
        """Lets the errors pass that may come of tasks meeting."""
        try:
            await work()
        except CormorantError as error:
            name = type(error).__name__
            self.errors[name] = self.errors.get(name, 0) + 1

    # ---- one task

    async def _task(self, number: int) -> None:
        chance = random.Random(f"{self.seed}.{number}")
        for _ in range(chance.randint(2, 6)):
            task = asyncio.create_task(self._guarded(partial(self._logged, self._draw(chance), chance)))
            self.running.add(task)
            (task,), _ = await asyncio.wait([task])
            self.running.discard(task)
            if not task.cancelled() and (error := task.exception()) is not None and not isinstance(error, OutOfBlock):
                raise error

    async def _logged(self, verb: Callable[[random.Random], Awaitable[None]], chance: random.Random) -> None:
        task = asyncio.current_task()
        what = f"{task.get_name() if task else ''} {verb.__name__}"
        self.log.append(what)
        try:
            await verb(chance)
        except BaseException as error:
            self.log.append(f"{what}: {type(error).__name__} {str(error)[:100]}")
            raise
        self.log.append(f"{what}: done")

    def _draw(self, chance: random.Random) -> Callable[[random.Random], Awaitable[None]]:
        verbs: list[tuple[int, Callable[[random.Random], Awaitable[None]]]] = [
            (3, self.read),
            (2, self.get),
            (2, self.read_together),
            # a stream holds a transaction, which ends with it where each flush has one of its own
            (0 if self.autocommit else 1, self.read_some),
            (4, self.add),
            (3, self.change),
            (2, self.change_by_query),
            (1, self.delete),
            (1, self.add_many),
            (3, self.block),
            (2, self.commit),
            (1, self.rollback),
            (1, self.begin),
            (2, self.cancel),
        ]
        return chance.choices([verb for _, verb in verbs], [weight for weight, _ in verbs])[0]

    # ---- reading

    def check(self, slips: list[Slip]) -> None:
        """Every row says which one it is, and comes once."""
        assert len({slip.tag for slip in slips}) == len(slips)
        for slip in slips:
            assert slip.text.startswith(f"{slip.tag}:")
            assert int(slip.text.partition(":")[2]) >= 0

    async def read(self, chance: random.Random) -> None:
        self.check(await self.session.query(Slip))

    async def get(self, chance: random.Random) -> None:
        keys = [slip.id for slip in self.slips if is_persistent(slip)]
        if keys:
            found = await self.session.get(Slip, chance.choice(keys))
            self.check([found] if found is not None else [])

    async def read_together(self, chance: random.Random) -> None:
        slips, number, texts = await asyncio.gather(
            self.session.query(Slip),
            self.session.query(Slip).count(),
            self.session.query(Slip).values(Slip.tag, Slip.text),
        )
        self.check(slips)
        assert number >= 0
        assert all(text.startswith(f"{tag}:") for tag, text in texts)

    async def read_some(self, chance: random.Random) -> None:
        rows = self.session.stream("select tag, text from overlaps_slip order by tag", chunk=2)
        try:
            async for tag, text in rows:
                assert text.startswith(f"{tag}:")
                if chance.random() < 0.3:
                    break
        finally:
            await rows.aclose()

    # ---- writing

    async def _flushed(self, *writes: Write) -> None:
        since = self.ledger.turns
        if self.ledger.turning:
            since = -1
        await self.session.flush()
        for write in writes:
            self.ledger.acknowledged(write, since, at_once=self._is_kept_at_once)

    @property
    def _is_kept_at_once(self) -> bool:
        return self.autocommit and not self.session.in_transaction

    def _new(self) -> tuple[Slip, Write]:
        write = Write(next(self.tags), next(self.numbers))
        slip = Slip(tag=write.tag, text=f"{write.tag}:{write.number}")
        self.slips.append(slip)
        return slip, write

    async def add(self, chance: random.Random) -> None:
        slip, write = self._new()
        self.session.add(slip)
        await self._flushed(write)

    async def add_many(self, chance: random.Random) -> None:
        made = [self._new() for _ in range(chance.randint(2, 5))]
        self.session.add(*(slip for slip, _ in made))
        await self._flushed(*(write for _, write in made))

    async def change(self, chance: random.Random) -> None:
        slip = self._any(chance)
        if slip is None or is_ghost(slip):
            return
        write = Write(slip.tag, next(self.numbers))
        slip.text = f"{write.tag}:{write.number}"
        await self._flushed(write)

    async def change_by_query(self, chance: random.Random) -> None:
        slip = self._any(chance)
        if slip is None or is_ghost(slip):
            return
        tag, since = slip.tag, -1 if self.ledger.turning else self.ledger.turns
        # memory hears of it when it reads the row again, and writes the other column only
        changed = await self.session.query(Slip).filter(Slip.tag == tag).update(Slip.hits.set(Slip.hits + 1))
        if changed:
            self.ledger.acknowledged(Write(tag, 0, hit=True), since, at_once=self._is_kept_at_once)

    async def delete(self, chance: random.Random) -> None:
        slip = self._any(chance)
        if slip is None or is_ghost(slip):
            return
        self.deleted.add(slip.tag)
        write = Write(slip.tag, next(self.numbers), gone=True)
        self.session.delete(slip)
        await self._flushed(write)

    def _any(self, chance: random.Random) -> Slip | None:
        known = [slip for slip in self.slips if is_persistent(slip)]
        return chance.choice(known) if known else None

    # ---- transactions

    async def block(self, chance: random.Random) -> None:
        block = self.session.transaction()
        level: list[Write] = []
        self._turn(1)
        try:
            await block.__aenter__()
            self.ledger.levels.append(level)
        finally:
            self._turn(-1)
        error: BaseException | None = None
        try:
            for _ in range(chance.randint(0, 3)):
                await self._logged(self._draw(chance), chance)
            if chance.random() < 0.3:
                error = OutOfBlock()
        except BaseException as raised:
            error = raised
        await self._leave(block, level, error)
        if error is not None:
            raise error

    async def _leave(self, block: Any, level: list[Write], error: BaseException | None) -> None:
        outermost = block._block.level.savepoint is None
        self._turn(1)
        try:
            await block.__aexit__(None if error is None else type(error), error, None)
        except BaseException as raised:
            # a block that was cancelled while its end was on the way may have ended well
            if not isinstance(raised, asyncio.CancelledError) or error is not None:
                self.ledger.ended(well=False) if outermost else self.ledger.undone(level)
            else:
                self._forget(level, outermost=outermost)
            raise
        finally:
            self._turn(-1)
        if error is not None:
            self.ledger.ended(well=False) if outermost else self.ledger.undone(level)
        elif outermost:
            # where another task ends what was there before, that one decides
            self.ledger.ended(well=not self.ledger.turning)
        else:
            self.ledger.kept(level)

    def _forget(self, level: list[Write], *, outermost: bool) -> None:
        self.ledger.ended(well=False) if outermost else self.ledger.undone(level)

    async def commit(self, chance: random.Random) -> None:
        await self._end(self.session.commit, well=True)

    async def rollback(self, chance: random.Random) -> None:
        await self._end(self.session.rollback, well=False)

    async def _end(self, verb: Callable[[], Awaitable[None]], *, well: bool) -> None:
        # where another task ends it, that one decides
        well = well and not self.ledger.turning
        self._turn(1)
        try:
            await verb()
        except CormorantError:
            # refused before anything was sent: all is as it was; or refused by the server: nothing is sure
            if not self.session.in_transaction:
                self.ledger.ended(well=False)
            raise
        except BaseException:
            self.ledger.ended(well=False)
            raise
        finally:
            self._turn(-1)
        self.ledger.ended(well=well)

    async def begin(self, chance: random.Random) -> None:
        self._turn(1)
        try:
            await self.session.begin()
        finally:
            self._turn(-1)

    async def cancel(self, chance: random.Random) -> None:
        others = [task for task in self.running if task is not asyncio.current_task() and not task.done()]
        if others:
            chance.choice(others).cancel()

    # ---- when all is over

    async def _compare(self) -> None:
        async with AsyncSession(self.database) as fresh:
            found = await fresh.query(Slip)
            rows = {slip.tag: slip.text for slip in found}
            hits = {slip.tag: slip.hits for slip in found}
        for slip in self.slips:
            if not is_persistent(slip):
                assert slip.tag not in rows, f"{slip!r} has no row for memory, and one in the database"
            elif not is_ghost(slip):
                assert rows.get(slip.tag) == slip.text, f"{slip!r} and its row {rows.get(slip.tag)!r}"
        for tag, text in rows.items():
            assert text.startswith(f"{tag}:")
        for write in self.ledger.durable:
            if write.gone:
                assert write.tag not in rows
            elif write.tag not in self.deleted:
                assert int(rows[write.tag].partition(":")[2]) >= write.number, f"{write} was lost"
        counted = Counter(write.tag for write in self.ledger.durable if write.hit and write.tag not in self.deleted)
        assert all(hits[tag] >= number for tag, number in counted.items()), f"{counted}, and the rows say {hits}"
