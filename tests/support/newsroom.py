"""Models for the tests of sessions: each kind of relation, key and column that a unit of work meets."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any, TypeVar
from uuid import UUID, uuid4

from cormorant import (
    AsyncSession,
    Database,
    Many,
    Mapped,
    Model,
    One,
    Session,
    field,
    foreign_key,
    generated,
    many_to_many,
    reverse,
    text,
    unique,
)

T = TypeVar("T")


class Writer(Model, app="newsroom"):
    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str] = field(max_length=50)
    email: Mapped[str | None] = field(default=None, unique=True)
    age: Mapped[int] = field(default=0, ge=0)
    stories: Many[Story] = reverse("writer")
    desk: One[Desk | None] = reverse("writer")


class Desk(Model, app="newsroom"):
    """One-to-one."""

    id: Mapped[int] = generated(primary_key=True)
    floor: Mapped[int] = field(default=1)
    writer: One[Writer] = foreign_key(unique=True, on_delete="cascade")


class Story(Model, app="newsroom", table="stories"):
    id: Mapped[int] = generated(primary_key=True)
    title: Mapped[str]
    views: Mapped[int] = field(default=0)
    version: Mapped[int] = generated(version=True)
    writer: One[Writer] = foreign_key()
    editor: One[Writer | None] = foreign_key(default=None)
    labels: Many[Label] = many_to_many()


class Label(Model, app="newsroom"):
    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str] = field(unique=True)
    stories: Many[Story] = reverse("labels")


class Folder(Model, app="newsroom"):
    """Points to its own table."""

    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str]
    parent: One[Folder | None] = foreign_key(default=None)
    children: Many[Folder] = reverse("parent")


class Memo(Model, app="newsroom"):
    """Columns whose values change in place."""

    id: Mapped[int] = generated(primary_key=True)
    body: Mapped[dict[str, Any]] = field(default_factory=dict)
    words: Mapped[list[str]] = field(default_factory=list)
    title: Mapped[str] = field(default="")


class Ticket(Model, app="newsroom"):
    """A key that the program makes."""

    id: Mapped[UUID] = field(primary_key=True, default_factory=uuid4)
    seat: Mapped[str] = field(unique=True)
    price: Mapped[int] = generated(server_default=7)
    before: One[Ticket | None] = foreign_key(default=None)


class Grade(Model, app="newsroom"):
    """A key of two columns."""

    pupil: Mapped[int] = field(primary_key=True)
    course: Mapped[str] = field(primary_key=True)
    points: Mapped[int] = field(default=0)
    place: Mapped[int | None] = field(default=None)

    @classmethod
    def __table_args__(cls) -> Any:
        yield unique(cls.course, cls.place)


class Visit(Model, app="newsroom"):
    """Nothing but what the database makes."""

    id: Mapped[int] = generated(primary_key=True)
    moment: Mapped[str] = generated(server_default=text("'now'"))


class Hen(Model, app="newsroom"):
    """Needs an egg, which needs a hen."""

    id: Mapped[int] = generated(primary_key=True)
    egg: One[Egg | None] = foreign_key(default=None)


class Egg(Model, app="newsroom"):
    id: Mapped[int] = generated(primary_key=True)
    hen: One[Hen | None] = foreign_key(default=None)


class ChangedMyMind(Exception):
    """What `rolled_back` leaves a block by."""


@asynccontextmanager
async def rolled_back(block: AbstractAsyncContextManager[T]) -> AsyncGenerator[T, None]:
    """Enters a session or a transaction, and leaves it by an exception that goes no further."""
    with suppress(ChangedMyMind):
        async with block as entered:
            yield entered
            raise ChangedMyMind


MODELS: list[type[Model]] = [Writer, Desk, Story, Label, Folder, Memo, Ticket, Grade, Visit, Hen, Egg]


def words(session: AsyncSession) -> dict[str, int]:
    """Counts what a session has sent, by the first word of each statement."""
    counts: Counter[str] = Counter()
    for stats in session.query_stats():
        counts[stats.sql.split()[0].upper()] += stats.count
    return dict(counts)


def sent(session: AsyncSession) -> int:
    """Counts the statements a session has sent, BEGIN and COMMIT among them."""
    return sum(stats.count for stats in session.query_stats())


def sql_of(session: AsyncSession, word: str) -> list[str]:
    """Gives the statements that begin with a word."""
    return [stats.sql for stats in session.query_stats() if stats.sql.startswith(word)]


def make_writers(dsn: str, count: int) -> int:
    """Saves writers in a sync session, and gives how many; what another process can be asked to do."""
    with Session(dsn) as session:
        session.add(*(Writer(name=f"w{n}") for n in range(count)))
        session.flush()
        return count - len(session.new)


async def make_writer(database: Database, **values: Any) -> int:
    """Saves a writer and gives the key."""
    async with AsyncSession(database) as session:
        writer = await session.create(Writer, **{"name": "Ada", **values})
        return writer.id


async def make_story(database: Database, **values: Any) -> int:
    """Saves a story with its writer and gives the key."""
    async with AsyncSession(database) as session:
        story = Story(**{"title": "Notes", "writer": Writer(name="Ada"), **values})
        session.add(story)
        await session.flush()
        return story.id
