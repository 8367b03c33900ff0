"""S3 at the wire: how often a unit of work asks the server and waits, once its statements are prepared.

The first run of a statement on a connection prepares it: the driver asks once more, and never again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from cormorant import AsyncSession, Database
from tests.support.newsroom import MODELS, Label, Story, Ticket, Writer, make_writer
from tests.support.wire import WireTap

pytestmark = pytest.mark.direct("what goes over the wire to a server is counted")

Work = Callable[[Database], Awaitable[None]]


@pytest.fixture
async def tap(postgres_database: str) -> AsyncIterator[WireTap]:
    async with WireTap(postgres_database) as tap:
        yield tap


@pytest.fixture
async def tapped(tap: WireTap) -> AsyncIterator[Database]:
    """A database behind the tap, with the newsroom's tables and one connection."""
    async with Database(tap.dsn, pool_size=1) as database:
        await database.create_all(*MODELS)
        yield database


async def counted(tap: WireTap, database: Database, work: Work) -> list[str]:
    """Does the same twice, and gives what the second time has sent: the first word of each statement.

    Nothing is sent but what is counted: each statement is bound and run in one round trip, or is a bare command; BEGIN
    and savepoints go along with what comes after them.
    """
    await work(database)
    tap.reset()
    await work(database)
    bare = tap.messages["Query"]
    bound = tap.messages["Execute"]
    ahead = sum(word in {"BEGIN", "SAVEPOINT", "RELEASE"} for word in tap.words)
    assert tap.messages["Parse"] == ahead
    assert tap.messages["Describe"] == tap.messages["Flush"] == 0
    assert tap.messages["Bind"] == bound
    assert tap.messages["Sync"] == bound - ahead
    assert len(tap.statements) == bare + bound
    assert tap.round_trips == len(tap.statements) - ahead
    return tap.words


async def test_a_get_is_one_round_trip(tap: WireTap, tapped: Database) -> None:
    key = await make_writer(tapped)

    async def get(database: Database) -> None:
        async with AsyncSession(database) as session:
            assert (await session.get_one(Writer, key)).name == "Ada"

    assert await counted(tap, tapped, get) == ["SELECT"]


async def test_one_new_row_and_its_commit_are_one_round_trip(tap: WireTap, tapped: Database) -> None:
    async def insert(database: Database) -> None:
        async with AsyncSession(database) as session:
            session.add(Writer(name="Ada"))

    assert await counted(tap, tapped, insert) == ["INSERT"]


async def test_get_change_and_commit_are_two_round_trips(tap: WireTap, tapped: Database) -> None:
    key = await make_writer(tapped)

    async def change(database: Database) -> None:
        async with AsyncSession(database) as session:
            (await session.get_one(Writer, key)).age += 1

    assert await counted(tap, tapped, change) == ["SELECT", "UPDATE"]


async def test_get_delete_and_commit_are_two_round_trips(tap: WireTap, tapped: Database) -> None:
    keys = [await make_writer(tapped) for _ in range(2)]

    async def delete(database: Database) -> None:
        async with AsyncSession(database) as session:
            session.delete(await session.get_one(Writer, keys.pop()))

    assert await counted(tap, tapped, delete) == ["SELECT", "DELETE"]


async def test_an_object_with_its_parent_is_one_round_trip(tap: WireTap, tapped: Database) -> None:
    async with AsyncSession(tapped) as session:
        story = Story(title="Notes", writer=Writer(name="Ada"))
        session.add(story)
        await session.flush()
        key = story.id

    async def read(database: Database) -> None:
        async with AsyncSession(database) as session:
            (found,) = await session.query(Story).filter(Story.id == key).select_related(Story.writer)
            assert found.writer.name == "Ada"

    assert await counted(tap, tapped, read) == ["SELECT"]


async def test_a_hundred_parents_with_ten_children_each_are_few_round_trips(tap: WireTap, tapped: Database) -> None:
    async def save(database: Database) -> None:
        async with AsyncSession(database) as session:
            for number in range(100):
                writer = Writer(name=f"w{number}")
                session.add(*(Story(title=f"{number}.{child}", writer=writer) for child in range(10)))

    words = await counted(tap, tapped, save)
    assert (words[0], words[-1]) == ("BEGIN", "COMMIT")
    assert len(words[1:-1]) <= 4
    async with AsyncSession(tapped) as session:
        assert await session.query(Story).count() == 2000


async def test_a_thousand_changed_objects_of_one_table_are_one_update(tap: WireTap, tapped: Database) -> None:
    async with AsyncSession(tapped) as session:
        session.add(*(Writer(name=f"w{number}") for number in range(1000)))

    async def change(database: Database) -> None:
        async with AsyncSession(database) as session:
            for place, writer in enumerate(await session.query(Writer)):
                writer.age += 1 + place

    assert await counted(tap, tapped, change) == ["SELECT", "BEGIN", "UPDATE", "COMMIT"]


async def test_a_thousand_links_are_one_insert(tap: WireTap, tapped: Database) -> None:
    async def link(database: Database) -> None:
        async with AsyncSession(database) as session:
            writer = await session.create(Writer, name="Ada")
            labels = await session.query(Label)
            stories = [Story(title=f"{number}", writer=writer) for number in range(100)]
            session.add(*stories)
            await session.flush()
            for story in stories:
                story.labels.add(*labels)

    async with AsyncSession(tapped) as session:
        session.add(*(Label(name=f"l{number}") for number in range(10)))
    words = await counted(tap, tapped, link)
    assert words == ["BEGIN", "INSERT", "SELECT", "INSERT", "INSERT", "COMMIT"]


async def test_rows_with_keys_of_their_own_are_one_insert(tap: WireTap, tapped: Database) -> None:
    async def save(database: Database) -> None:
        async with AsyncSession(database) as session:
            session.add(*(Ticket(seat=f"{n}.{id(session)}") for n in range(100)))
            await session.flush()
            await session.rollback()

    assert await counted(tap, tapped, save) == ["BEGIN", "INSERT", "ROLLBACK"]


async def test_savepoints_are_no_round_trips(tap: WireTap, tapped: Database) -> None:
    async def nest(database: Database) -> None:
        async with AsyncSession(database) as session, session.transaction():
            session.add(Writer(name="Ada"))
            async with session.transaction():
                session.add(Writer(name="Bea"))

    assert await counted(tap, tapped, nest) == ["BEGIN", "INSERT", "SAVEPOINT", "INSERT", "COMMIT"]
    assert tap.round_trips == 3


async def test_batches_of_any_size_share_one_prepared_statement(tap: WireTap, tapped: Database) -> None:
    async def save(count: int) -> None:
        async with AsyncSession(tapped) as session:
            session.add(*(Writer(name=f"{n}") for n in range(count)))

    await save(2)
    tap.reset()
    for count in (3, 7, 500):
        await save(count)
    # which is what BEGIN takes each time
    assert tap.messages["Parse"] == 3
    assert tap.words == ["BEGIN", "INSERT", "COMMIT"] * 3


async def test_a_first_run_prepares_each_statement_once(tap: WireTap, tapped: Database) -> None:
    key = await make_writer(tapped)
    tap.reset()
    async with AsyncSession(tapped) as session:
        await session.get(Writer, key)
    assert tap.messages["Parse"] == 1
    assert tap.round_trips == 2
