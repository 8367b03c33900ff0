"""S3: how many statements the common units of work take, counted where they are sent."""

from __future__ import annotations

from cormorant import AsyncSession, Database, ref
from tests.support.newsroom import (
    Folder,
    Label,
    Story,
    Ticket,
    Writer,
    make_story,
    make_writer,
    sent,
    sql_of,
    words,
)


async def test_a_get_is_one_statement(database: Database) -> None:
    key = await make_writer(database)
    async with AsyncSession(database) as session:
        await session.get(Writer, key)
    assert words(session) == {"SELECT": 1}


async def test_a_second_get_is_none(database: Database) -> None:
    key = await make_writer(database)
    async with AsyncSession(database) as session:
        first = await session.get(Writer, key)
        assert await session.get(Writer, key) is first
    assert sent(session) == 1


async def test_one_new_row_and_a_commit_are_one_statement_without_begin(database: Database) -> None:
    async with AsyncSession(database) as session:
        session.add(Writer(name="Ada"))
        await session.commit()
        assert words(session) == {"INSERT": 1}
    assert sent(session) == 1


async def test_get_change_and_commit_are_two(database: Database) -> None:
    key = await make_writer(database)
    async with AsyncSession(database) as session:
        (await session.get_one(Writer, key)).name = "Eve"
    assert words(session) == {"SELECT": 1, "UPDATE": 1}


async def test_get_delete_and_commit_are_two(database: Database) -> None:
    key = await make_writer(database)
    async with AsyncSession(database) as session:
        session.delete(await session.get_one(Writer, key))
    assert words(session) == {"SELECT": 1, "DELETE": 1}


async def test_a_delete_by_reference_is_one(database: Database) -> None:
    key = await make_writer(database)
    async with AsyncSession(database) as session:
        session.delete(ref(Writer, key))
    assert words(session) == {"DELETE": 1}


async def test_a_change_by_reference_is_one(database: Database) -> None:
    key = await make_writer(database)
    async with AsyncSession(database) as session:
        ada = ref(Writer, key)
        session.add(ada)
        ada.name = "Eve"
    assert words(session) == {"UPDATE": 1}
    async with AsyncSession(database) as session:
        assert (await session.get_one(Writer, key)).name == "Eve"


async def test_an_object_with_its_parent_is_a_transaction_of_two_inserts(database: Database) -> None:
    async with AsyncSession(database) as session:
        session.add(Story(title="Notes", writer=Writer(name="Ada")))
    assert words(session) == {"BEGIN": 1, "INSERT": 2, "COMMIT": 1}


async def test_a_hundred_parents_with_ten_children_each_are_few_statements(database: Database) -> None:
    async with AsyncSession(database) as session:
        for number in range(100):
            writer = Writer(name=f"w{number}")
            session.add(*(Story(title=f"{number}.{child}", writer=writer) for child in range(10)))
    counts = words(session)
    assert (counts.pop("BEGIN"), counts.pop("COMMIT")) == (1, 1)
    assert sum(counts.values()) <= 4
    async with AsyncSession(database) as session:
        rows = await session.query(Story).values(Story.title, Story.writer.name)
    assert sorted(rows) == sorted((f"{n}.{c}", f"w{n}") for n in range(100) for c in range(10))


async def test_many_changes_of_the_same_columns_are_one_statement(database: Database) -> None:
    async with AsyncSession(database) as session:
        session.add(*(Writer(name=f"w{n}") for n in range(50)))
    async with AsyncSession(database) as session:
        for place, writer in enumerate(await session.query(Writer)):
            # the order in which columns are written must not matter
            if place % 2:
                writer.age, writer.email = place + 1, f"{place}@x"
            else:
                writer.email, writer.age = f"{place}@x", place + 1
    assert len(sql_of(session, "UPDATE")) == 1
    assert words(session) == {"SELECT": 1, "BEGIN": 1, "UPDATE": 1, "COMMIT": 1}


async def test_many_deletes_are_one_statement(database: Database) -> None:
    async with AsyncSession(database) as session:
        session.add(*(Writer(name=f"w{n}") for n in range(50)))
    async with AsyncSession(database) as session:
        session.delete(*await session.query(Writer))
    assert words(session) == {"SELECT": 1, "BEGIN": 1, "DELETE": 1, "COMMIT": 1}


async def test_links_are_written_in_one_statement_from_whichever_end_they_come(database: Database) -> None:
    async with AsyncSession(database) as session:
        writer = Writer(name="Ada")
        stories = [Story(title=f"s{n}", writer=writer) for n in range(5)]
        labels = [Label(name=f"l{n}") for n in range(5)]
        session.add(*stories, *labels)
        await session.flush()
        session.reset_query_stats()
        for place, story in enumerate(stories):
            story.labels.add(labels[place])
            labels[place].stories.add(stories[(place + 1) % 5])
        await session.flush()
        (insert,) = sql_of(session, "INSERT")
        assert "stories_labels" in insert
        assert words(session) == {"INSERT": 1}


async def test_an_explicit_transaction_without_work_sends_nothing(database: Database) -> None:
    async with AsyncSession(database) as session, session.transaction(), session.transaction():
        pass
    assert sent(session) == 0


async def test_begin_is_sent_with_the_first_statement(database: Database) -> None:
    async with AsyncSession(database) as session, session.transaction():
        assert sent(session) == 0
        await session.query(Writer).count()
        assert words(session) == {"BEGIN": 1, "SELECT": 1}
    assert words(session) == {"BEGIN": 1, "SELECT": 1, "COMMIT": 1}


async def test_a_savepoint_that_was_asked_for_before_the_first_statement_is_sent_with_it(database: Database) -> None:
    async with AsyncSession(database) as session, session.transaction(), session.transaction():
        session.add(Writer(name="Ada"))
    assert words(session) == {"BEGIN": 1, "SAVEPOINT": 1, "INSERT": 1, "RELEASE": 1, "COMMIT": 1}


async def test_a_commit_without_changes_sends_nothing(database: Database) -> None:
    key = await make_story(database)
    async with AsyncSession(database) as session:
        story = await session.get_one(Story, key)
        session.reset_query_stats()
        story.title = story.title
        story.views = 0
        await session.commit()
        assert not session.dirty
    assert sent(session) == 0


async def test_a_value_that_was_changed_and_changed_back_is_not_written(database: Database) -> None:
    key = await make_story(database)
    async with AsyncSession(database) as session:
        story = await session.get_one(Story, key)
        session.reset_query_stats()
        story.title = "other"
        story.title = "No" + "tes"
        await session.commit()
        assert sent(session) == 0
        story.views = 5
        await session.commit()
    assert words(session) == {"UPDATE": 1}


async def test_only_changed_columns_are_written(database: Database) -> None:
    key = await make_story(database)
    async with AsyncSession(database) as session:
        (await session.get_one(Story, key)).views += 1
        await session.commit()
        (update,) = sql_of(session, "UPDATE")
    assert '"views" =' in update
    assert '"title"' not in update


async def test_self_references_are_written_level_by_level(database: Database) -> None:
    async with AsyncSession(database) as session:
        root = Folder(name="root")
        for n in range(10):
            child = Folder(name=f"{n}", parent=root)
            session.add(*(Folder(name=f"{n}.{m}", parent=child) for m in range(10)))
    assert words(session)["INSERT"] == 3


async def test_rows_with_keys_of_their_own_are_written_together(database: Database) -> None:
    async with AsyncSession(database) as session:
        tickets = [Ticket(seat=f"{n}") for n in range(20)]
        session.add(*tickets)
    assert words(session)["INSERT"] == 1
    assert {ticket.price for ticket in tickets} == {7}
