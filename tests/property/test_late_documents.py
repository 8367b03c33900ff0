"""Random work on objects with documents, beside a model of it that keeps plain copies."""

from __future__ import annotations

import asyncio
import copy
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cormorant import AsyncSession, Database, Mapped, Model, field, generated

ROWS = 3


class Note(Model, app="late_property", table="late_note"):
    id: Mapped[int] = generated(primary_key=True)
    title: Mapped[str]
    body: Mapped[dict[str, Any]]
    more: Mapped[dict[str, Any] | None] = field(default=None)
    words: Mapped[list[str]] = field(default_factory=list)


Content = dict[int, dict[str, Any]]

CHANGES = ("read", "inside", "assign", "none", "word", "title", "readd", "other")
ENDS = ("flush", "commit", "rollback", "query", "refresh", "begin", "release", "back", "restart", "partly")
STEPS = st.lists(st.tuples(st.sampled_from((*CHANGES, *ENDS)), st.integers(0, ROWS - 1)), max_size=30)


class World:
    """One session, and what its objects and the committed rows are to hold."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.held: dict[int, Note] = {}
        self.now: Content = {}
        self.committed: Content = {}
        self.savepoints: list[tuple[Any, Content]] = []
        self.number = 0

    async def start(self) -> None:
        self.session = AsyncSession(self.database)
        await self.session.__aenter__()
        await self.load()

    async def load(self) -> None:
        found = await self.session.query(Note).order_by(Note.id)
        self.held = dict(enumerate(found))

    async def load_again(self) -> None:
        """Loads what was read in the part that is undone, and may not be there any more."""
        for note in self.held.values():
            await note

    def check(self, place: int) -> None:
        note, expected = self.held[place], self.now[place]
        assert (note.title, note.body, note.more, note.words) == tuple(expected.values())

    async def step(self, what: str, place: int) -> None:
        self.number += 1
        if what in ("read", "inside", "assign", "none", "readd"):
            # it may have been read in part; changes stay
            await self.held[place]
        note, now, number = self.held[place], self.now[place], self.number
        if what == "read":
            self.check(place)
        elif what == "inside":
            note.body["n"] = now["body"]["n"] = number
        elif what == "assign":
            note.body, now["body"] = {"n": number}, {"n": number}
        elif what == "none":
            note.more = None if note.more else {"n": number}
            now["more"] = None if now["more"] else {"n": number}
        elif what == "word":
            note.words.append(str(number))
            now["words"].append(str(number))
        elif what == "title":
            note.title = now["title"] = f"title {number}"
        else:
            await getattr(self, what)(place)

    async def flush(self, place: int) -> None:
        await self.session.flush()

    async def query(self, place: int) -> None:
        assert len(await self.session.query(Note)) == ROWS

    async def refresh(self, place: int) -> None:
        await self.session.flush()
        await self.session.refresh(self.held[place])

    async def commit(self, place: int) -> None:
        if not self.savepoints:
            await self.session.commit()
            self.committed = copy.deepcopy(self.now)

    async def rollback(self, place: int) -> None:
        if not self.savepoints:
            await self.session.rollback()
            self.now = copy.deepcopy(self.committed)
            await self.load_again()

    async def begin(self, place: int) -> None:
        if not self.savepoints:
            await self.session.commit()
            self.committed = copy.deepcopy(self.now)
        block = self.session.transaction()
        await block.__aenter__()
        self.savepoints.append((block, copy.deepcopy(self.now)))

    async def release(self, place: int) -> None:
        if self.savepoints:
            block, _ = self.savepoints.pop()
            await block.__aexit__(None, None, None)
            if not self.savepoints:
                self.committed = copy.deepcopy(self.now)

    async def back(self, place: int) -> None:
        if self.savepoints:
            block, self.now = self.savepoints.pop()
            await block.__aexit__(KeyError, KeyError(), None)
            await self.load_again()

    async def readd(self, place: int) -> None:
        note = self.held[place]
        self.session.delete(note)
        await self.session.flush()
        self.session.add(note)
        await self.session.flush()

    async def other(self, place: int) -> None:
        """Another session changes a row that this one has not written to: it is shown by the next query."""
        if self.savepoints or self.now != self.committed:
            return
        await self.session.commit()
        async with AsyncSession(self.database) as other:
            found = await other.get_one(Note, self.held[place].id)
            found.body["other"] = self.number
        self.now[place]["body"]["other"] = self.number
        self.committed = copy.deepcopy(self.now)
        await self.session.refresh(self.held[place])

    async def restart(self, place: int) -> None:
        while self.savepoints:
            await self.release(place)
        await self.session.__aexit__(None, None, None)
        self.committed = copy.deepcopy(self.now)
        ids = {number: note.id for number, note in self.held.items()}
        self.session = AsyncSession(self.database)
        await self.session.__aenter__()
        self.held = {number: await self.session.get_one(Note, key) for number, key in ids.items()}

    async def partly(self, place: int) -> None:
        """As `restart`, but objects are read in part."""
        await self.restart(place)
        await self.session.__aexit__(None, None, None)
        self.session = AsyncSession(self.database)
        await self.session.__aenter__()
        for number, whole in list(self.held.items()):
            query = self.session.query(Note).filter(Note.id == whole.id).only(Note.title, Note.words)
            self.held[number] = await query.one()


async def run(database: Database, steps: list[tuple[str, int]]) -> None:
    async with AsyncSession(database) as session:
        await session.query(Note).delete()
        session.add(*(Note(title=f"t{n}", body={"n": 0}, words=["a"]) for n in range(ROWS)))
    world = World(database)
    world.now = {n: {"title": f"t{n}", "body": {"n": 0}, "more": None, "words": ["a"]} for n in range(ROWS)}
    world.committed = copy.deepcopy(world.now)
    await world.start()
    try:
        for what, place in steps:
            await world.step(what, place)
        await world.restart(0)
        for place in range(ROWS):
            world.check(place)
    except BaseException:
        # rows must not stay locked for the next run
        for block, _ in reversed(world.savepoints):
            await block.__aexit__(KeyError, KeyError(), None)
        await world.session.rollback()
        raise
    finally:
        await world.session.__aexit__(None, None, None)


def test_documents_are_what_they_would_be_if_they_were_read_at_once(database_dsn: str) -> None:
    with asyncio.Runner() as runner:
        database = Database(database_dsn)
        runner.run(database.create_all(Note))

        @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
        @given(STEPS)
        def case(steps: list[tuple[str, int]]) -> None:
            runner.run(run(database, steps))

        try:
            case()
        finally:
            runner.run(database.drop_all(Note))
            runner.run(database.close())
