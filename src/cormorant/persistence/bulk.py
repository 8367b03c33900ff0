"""Runs `bulk_create` and `upsert`: batch by batch, and all rows are written or none."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, TypeAlias

from cormorant._internal.secrets import HIDDEN
from cormorant.adapters.base import Connection
from cormorant.errors import StatementError
from cormorant.observability.performance import asking
from cormorant.persistence.atomic import Atomic
from cormorant.persistence.bulk_accept import BulkAcceptance
from cormorant.persistence.bulk_feed import Feed
from cormorant.persistence.bulk_rows import Batch, Group, RowProblem, RowReader, refuse
from cormorant.persistence.bulk_send import BulkSender
from cormorant.persistence.noting import note_table, noted
from cormorant.query.bulk import BulkWrite, Conflict, NoRows

if TYPE_CHECKING:
    from cormorant.persistence.writer import StateWriter

Portion: TypeAlias = "tuple[Batch, Conflict | None]"
"""Rows, and what is done with those that are there; None where none can be."""


class BulkRun:
    """One call: takes rows in, in portions, and writes them; nothing is begun before the first ones are found right.

    Args:
        writer: The session state's writer.
        write: What was asked.
    """

    def __init__(self, writer: StateWriter, write: BulkWrite) -> None:
        self.writer = writer
        self.write = write
        self.reader: RowReader = RowReader(write, writer.state)
        self.taken: int = 0
        self.count: int = 0
        # by number; kept for those who get objects or values back
        self.results: dict[int, Any] = {}
        # with dedupe, the number of the row that counts for each key, and the rows that do not count
        self._winners: dict[Hashable, int] = {}
        self._losers: list[tuple[int, Hashable]] = []
        self._kept: list[Any] = []
        self._waiting: list[Portion] | None = None
        self._atomic: Atomic = writer.atomic(write.verb)

    async def run(self, rows: object) -> Any:
        """Writes rows as they come, and gives what was asked for."""
        feed = Feed(rows, self.write)
        try:
            while taken := await feed.take():
                if await self.add(taken):
                    await self._report()
            while await self.more(feed):
                await self._report()
        except BaseException as error:
            await self.close(error)
            raise
        await self.close()
        return self.answer()

    async def _report(self) -> None:
        if self.write.on_batch is not None:
            answer = self.write.on_batch(self.taken)
            if isawaitable(answer):
                await answer

    async def add(self, rows: list[Any]) -> bool:
        """Takes rows in, and tells whether they were written; which ones count may show at the end only."""
        if self.write.dedupe == "last":
            self._kept += rows
            return False
        batch = self.reader.batch(rows, self.taken + 1)
        await self._send(self._portions_of(batch))
        self.taken += len(rows)
        return True

    async def more(self, feed: Feed) -> bool:
        """Writes some of the rows that had to wait for the last one; tells whether there were any."""
        if self._waiting is None:
            self._waiting = self._last_ones(self._kept, feed)
        if not self._waiting:
            return False
        await self._send([self._waiting.pop(0)])
        return True

    async def close(self, error: BaseException | None = None) -> None:
        """Keeps what was written, or undoes it after an error."""
        if self._atomic.is_open:
            await self._atomic.leave(error)

    def answer(self) -> Any:
        """Gives what was asked for."""
        if self.reader.objects:
            for number, key in self._losers:
                self.results[number] = self.results[self._winners[key]]
        elif self.write.returning is None:
            # of no rows nobody knows whether they would have been objects
            return NoRows() if self.reader.objects is None else self.count
        return [self.results[number] for number in sorted(self.results)]

    # ---- which rows count

    def _portions_of(self, batch: Batch) -> list[Portion]:
        if self.write.conflict is None:
            return [(batch, None)]
        keys = self.reader.keys(batch)
        places = self._first_ones(batch, keys) if self.write.dedupe else self._all_different(batch, keys)
        return self._portions(batch, keys, places)

    def _all_different(self, batch: Batch, keys: Sequence[Hashable | None]) -> list[int]:
        """Refuses a key that comes twice: PostgreSQL would not change one row a second time."""
        if len(set(keys)) < len(keys):
            seen: dict[Hashable, int] = {}
            problems: list[RowProblem] = []
            for number, key in zip(batch.numbers, keys, strict=True):
                if key is not None and seen.setdefault(key, number) != number:
                    problems.append(
                        (number, self.write.info.name, f"has the key {self._shown(key)} of row {seen[key]}")
                    )
            refuse(problems, 'pass dedupe="last" or dedupe="first" to keep one of them')
        return list(range(len(keys)))

    def _shown(self, key: Hashable) -> str:
        columns = () if self.write.conflict is None else self.write.conflict.on
        return HIDDEN if any(column.spec.sensitive for column in columns) else repr(key)

    def _first_ones(self, batch: Batch, keys: Sequence[Hashable | None]) -> list[int]:
        places: list[int] = []
        for place, (number, key) in enumerate(zip(batch.numbers, keys, strict=True)):
            if key is None or self._winners.setdefault(key, number) == number:
                places.append(place)
            elif self.reader.objects:
                self._losers.append((number, key))
        return places

    def _last_ones(self, rows: list[Any], feed: Feed) -> list[Portion]:
        """Gives the rows that count in portions; which they are shows at the very end."""
        if not rows:
            return []
        batch = self.reader.batch(rows, 1)
        keys = self.reader.keys(batch)
        self._winners = {key: number for number, key in zip(batch.numbers, keys, strict=True) if key is not None}
        places = [p for p, key in enumerate(keys) if key is None or self._winners[key] == batch.numbers[p]]
        kept = set(places)
        if self.reader.objects:
            self._losers = [(batch.numbers[p], key) for p, key in enumerate(keys) if key is not None and p not in kept]
        self.taken = len(rows)
        found: list[Portion] = []
        start, rest = 0, iter([rows[place] for place in places])
        while portion := feed.portion(rest):
            found += self._portions(batch, keys, places[start : start + len(portion)])
            start += len(portion)
        return found

    def _portions(self, batch: Batch, keys: Sequence[Hashable | None], places: list[int]) -> list[Portion]:
        """Gives rows in the order of their keys, so that two who write the same ones wait, and do not block each other.

        Rows without a key are inserted, whatever is there: nothing could tell which row of the answer is which.
        """
        conflict = self.write.conflict
        if not (self.reader.objects or self.write.returning):
            return [(batch.chosen(_sorted(places, keys)), conflict)] if places else []
        known = [place for place in places if keys[place] is not None]
        free = [place for place in places if keys[place] is None]
        found: list[Portion] = [(batch.chosen(_sorted(known, keys)), conflict)] if known else []
        return [*found, (batch.chosen(free), None)] if free else found

    # ---- writing

    async def _send(self, portions: list[Portion]) -> None:
        """Writes some rows; the first time it begins the transaction."""
        groups = [(group, conflict) for batch, conflict in portions for group in self.reader.groups(batch)]
        if not groups:
            return
        if not self._atomic.is_open:
            await self._atomic.__aenter__()

        caller = asking()

        async def work(connection: Connection) -> None:
            state = self.writer.state
            self.writer.note()
            if state.database.caches.backends:
                what, info = noted(state.transactions), self.write.info
                what.add_new(info.table) if self.write.conflict is None else note_table(what, info, dependent=False)
            sender = BulkSender(state.database, connection, state.tracker, self.write.info, state.scopes, caller)
            for group, conflict in groups:
                await self._send_group(sender, group, conflict)

        try:
            await self._atomic.use(work)
        except StatementError as error:
            if "ON CONFLICT" not in error.message:
                raise
            raise StatementError(
                error.message,
                statement=error.statement,
                code=error.code,
                hint="on= names the primary key, or columns that are unique together",
            ) from error

    async def _send_group(self, sender: BulkSender, group: Group, conflict: Conflict | None) -> None:
        returning = self.write.returning
        acceptance = BulkAcceptance(self.writer.state, self.write.info, self.writer.origin(), self.results)
        if self.reader.objects and self.write.conflict is None:
            wanted = acceptance.made_columns(group)
            acceptance.created(group, wanted, await sender.insert_returning(group, wanted))
        elif self.reader.objects:
            columns = self.write.info.columns
            rows = await sender.write_returning(group, conflict, columns)
            missing = [place for place, row in enumerate(rows) if row is None]
            found = await sender.existing(group, conflict, missing) if missing and conflict is not None else {}
            acceptance.upserted(group, [found.get(place, row) for place, row in enumerate(rows)])
        elif returning is not None:
            rows = await sender.write_returning(group, conflict, returning.columns)
            acceptance.returned(group, returning, rows)
        else:
            self.count += await (sender.insert(group) if conflict is None else sender.upsert(group, conflict))


def _sorted(places: Iterable[int], keys: Sequence[Any]) -> list[int]:
    wanted = list(places)
    try:
        return sorted(wanted, key=lambda place: (keys[place] is None, keys[place] if keys[place] is not None else 0))
    except TypeError:
        # keys that have no order are written as they come
        return wanted
