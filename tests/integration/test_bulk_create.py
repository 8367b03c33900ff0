"""Many rows inserted at once: objects belong to the session afterwards, mappings pass by it, all or none."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest

from cormorant import (
    AsyncSession,
    Database,
    ForeignInstanceError,
    ForeignKeyViolation,
    Model,
    SessionTaskError,
    TransactionFailedError,
    UniqueViolation,
    UnsavedError,
    ValidationError,
    ref,
)
from cormorant.persistence.bulk_send import COPY_FROM
from tests.support.newsroom import (
    Desk,
    Folder,
    Grade,
    Label,
    Memo,
    Story,
    Ticket,
    Visit,
    Writer,
    make_writer,
    rolled_back,
    sent,
    sql_of,
    words,
)


async def count(database: Database, model: type[Model]) -> int:
    async with AsyncSession(database) as session:
        return await session.query(model).count()


def is_postgres(database: Database) -> bool:
    return database.dialect.name == "postgresql"


# ------------------------------------------------------------------ objects


async def test_objects_get_what_the_database_makes(database: Database) -> None:
    async with AsyncSession(database) as session:
        writers = [Writer(name=f"{n}", email=f"{n}@x.y") for n in range(20)]
        assert await session.query(Writer).bulk_create(writers) == writers
        assert await session.get(Writer, writers[3].id) is writers[3]
        assert not session.new
        assert not session.dirty
    async with AsyncSession(database) as session:
        assert await session.query(Writer).values(Writer.id, Writer.name).order_by(Writer.id) == [
            (writer.id, writer.name) for writer in writers
        ]


async def test_made_keys_find_their_objects(database: Database) -> None:
    labels = [Label(name=f"{n}") for n in random.Random(1).sample(range(100_000), 3000)]
    async with AsyncSession(database) as session:
        await session.query(Label).bulk_create(labels, batch=700)
    async with AsyncSession(database) as session:
        assert dict(await session.query(Label).values(Label.id, Label.name)) == {x.id: x.name for x in labels}


async def test_objects_are_changed_and_written_afterwards(database: Database) -> None:
    async with AsyncSession(database) as session:
        (story,) = await session.query(Story).bulk_create(
            [Story(title="a", writer=ref(Writer, await make_writer(database)))]
        )
        assert story.version == 1
        story.title = "b"
        await session.commit()
        assert story.version == 2
    async with AsyncSession(database) as session:
        assert await session.query(Story).scalars(Story.title) == ["b"]


async def test_keys_given_by_the_program_and_server_defaults(database: Database) -> None:
    async with AsyncSession(database) as session:
        tickets = await session.query(Ticket).bulk_create([Ticket(seat=f"{n}") for n in range(5)])
        assert [ticket.price for ticket in tickets] == [7] * 5
        grades = await session.query(Grade).bulk_create([Grade(pupil=n, course="x", points=n) for n in range(5)])
        assert await session.get(Grade, (3, "x")) is grades[3]
        visits = await session.query(Visit).bulk_create([Visit() for _ in range(3)])
        assert len({visit.id for visit in visits}) == 3
        assert [visit.moment for visit in visits] == ["now"] * 3
    assert await count(database, Visit) == 3


async def test_objects_with_and_without_a_key_go_together(database: Database) -> None:
    async with AsyncSession(database) as session:
        labels = [Label(name="a"), Label(id=77, name="b"), Label(name="c"), Label(id=78, name="d")]
        assert await session.query(Label).bulk_create(labels) == labels
        assert [label.name for label in await session.query(Label).order_by(Label.name)] == ["a", "b", "c", "d"]
        assert (labels[1].id, labels[3].id) == (77, 78)


async def test_documents_changed_afterwards_are_seen(database: Database) -> None:
    async with AsyncSession(database) as session:
        (memo,) = await session.query(Memo).bulk_create([Memo(body={"a": [1]}, words=["x"])])
        memo.body["a"].append(2)
        await session.commit()
    async with AsyncSession(database) as session:
        (memo,) = await session.query(Memo)
        assert memo.body == {"a": [1, 2]}


async def test_relations_to_saved_objects_are_written(database: Database) -> None:
    async with AsyncSession(database) as session:
        ada = await session.create(Writer, name="Ada")
        await ada.stories
        stories = await session.query(Story).bulk_create([Story(title=f"{n}", writer=ada) for n in range(3)])
        assert [story.writer for story in stories] == [ada] * 3
        assert list(ada.stories) == stories


async def test_an_object_saved_after_it_was_pointed_to_has_a_key_by_now(database: Database) -> None:
    async with AsyncSession(database) as session:
        ada = Writer(name="Ada")
        story = Story(title="x", writer=ada)
        await session.query(Writer).bulk_create([ada])
        await session.query(Story).bulk_create([story])
        assert await story.writer is ada
    async with AsyncSession(database) as session:
        assert await session.query(Story).values(Story.title, Story.writer.name) == [("x", "Ada")]


async def test_relations_that_only_a_flush_writes_are_refused(database: Database) -> None:
    async with AsyncSession(database) as session:
        with pytest.raises(ValidationError, match=r"row 1: Story\.writer_id: waits for <Writer .*>: save that first"):
            await session.query(Story).bulk_create([Story(title="x", writer=Writer(name="new"))])
        story = Story(title="x", writer=ref(Writer, 1))
        story.labels.add(Label(name="x"))
        with pytest.raises(ValidationError, match=r"row 1: Story\.labels: has new members, which are not written here"):
            await session.query(Story).bulk_create([story])
        assert sent(session) == 0
        assert not session.new


async def test_objects_of_other_sessions_are_refused(database: Database) -> None:
    async with AsyncSession(database) as other:
        ada = await other.create(Writer, name="Ada")
        async with AsyncSession(database) as session:
            with pytest.raises(ForeignInstanceError, match=r"row 2, <Writer .*>, was saved before\nHint: .*upsert"):
                await session.query(Writer).bulk_create([Writer(name="new"), ada])
            with pytest.raises(
                ValidationError, match=r"row 1: Story\.writer: is <Writer .*>, which belongs to another"
            ):
                await session.query(Story).bulk_create([Story(title="x", writer=ada)])
        await other.rollback()


async def test_objects_that_were_added_are_flushed_first(database: Database) -> None:
    async with AsyncSession(database) as session:
        session.add(label := Label(name="a"))
        with pytest.raises(ForeignInstanceError, match=r"row 1, <Label .*>, was added to a session"):
            await session.query(Label).bulk_create([label])
        assert await session.query(Label).bulk_create([{"name": "b"}]) == 1
        assert label.id


# ------------------------------------------------------------------ mappings


async def test_mappings_give_their_number(database: Database) -> None:
    async with AsyncSession(database) as session:
        rows = [{"name": "a"}, {"name": "b", "age": 3}, {"name": "c"}]
        assert await session.query(Writer).bulk_create(rows) == 3
        assert len(session.identity_map) == 0
    async with AsyncSession(database) as session:
        assert await session.query(Writer).values(Writer.name, Writer.age).order_by(Writer.name) == [
            ("a", 0),
            ("b", 3),
            ("c", 0),
        ]


async def test_mappings_give_back_what_is_asked_in_their_order(database: Database) -> None:
    rows: list[dict[str, Any]] = [{"name": f"{n}"} if n % 3 else {"name": f"{n}", "age": n} for n in range(20)]
    async with AsyncSession(database) as session:
        writers = session.query(Writer)
        names = [row["name"] for row in rows]
        assert await writers.bulk_create(rows, returning=Writer.name, batch=7) == names
        pairs = await writers.bulk_create(rows, returning=(Writer.id, Writer.name))
        assert [name for _, name in pairs] == names
        assert len({key for key, _ in pairs}) == 20
        made = await writers.bulk_create(rows, returning=Writer)
        assert [writer.name for writer in made] == names
        assert await session.get(Writer, made[5].id) is made[5]


async def test_no_rows_are_no_statement(database: Database) -> None:
    async with AsyncSession(database) as session:
        assert await session.query(Writer).bulk_create([]) == 0
        assert list(await session.query(Writer).bulk_create(list[Writer]())) == []
        assert await session.query(Writer).bulk_create((), returning=Writer.id) == []
        assert sent(session) == 0
        assert not session.in_transaction


async def test_rows_come_from_generators_and_async_generators(database: Database) -> None:
    async def later() -> AsyncIterator[dict[str, Any]]:
        for n in range(10):
            await asyncio.sleep(0)
            yield {"name": f"{n}"}

    async with AsyncSession(database) as session:
        folders = session.query(Folder)
        assert await folders.bulk_create(({"name": f"{n}"} for n in range(10)), batch=4) == 10
        assert await folders.bulk_create(later(), batch=4) == 10
        assert len(await folders.bulk_create(Folder(name=f"{n}") for n in range(3))) == 3
        assert await folders.count() == 23


async def test_progress_is_told_after_each_batch(database: Database) -> None:
    seen: list[Any] = []

    def rows() -> Any:
        for n in range(10):
            seen.append(f"row {n}")
            yield {"name": f"{n}"}

    async def on_batch(done: int) -> None:
        await asyncio.sleep(0)
        seen.append(done)

    async with AsyncSession(database) as session:
        await session.query(Folder).bulk_create(rows(), batch=4, on_batch=on_batch)
        assert [x for x in seen if isinstance(x, int)] == [4, 8, 10]
        # the next rows are asked for when the ones before are written
        assert seen.index(4) < seen.index("row 4")
        done: list[int] = []
        await session.query(Folder).bulk_create([{"name": "x"}], on_batch=done.append)
        assert done == [1]


# ------------------------------------------------------------------ statements


async def test_rows_of_the_same_columns_are_one_statement(database: Database) -> None:
    async with AsyncSession(database) as session:
        await session.query(Writer).bulk_create([{"name": f"{n}"} for n in range(50)])
        assert words(session) == {"BEGIN": 1, "INSERT": 1}
        (insert,) = sql_of(session, "INSERT")
    expected = {
        "sqlite": 'INSERT INTO "newsroom_writer" ("name", "email", "age") VALUES (?1, ?2, ?3)',
        "postgresql": 'INSERT INTO "newsroom_writer" ("name", "email", "age") SELECT d."name", d."email", d."age"'
        " FROM unnest($1::text::text[], $2::text::text[], $3::text::integer[]) WITH ORDINALITY AS"
        ' d("name", "email", "age", ord) ORDER BY d.ord',
    }
    assert insert == expected[database.dialect.name]
    assert words(session) == {"BEGIN": 1, "INSERT": 1, "COMMIT": 1}


async def test_many_rows_of_which_nothing_comes_back_are_copied(database: Database) -> None:
    async with AsyncSession(database) as session:
        rows = [{"name": f"{n}"} for n in range(COPY_FROM)]
        assert await session.query(Folder).bulk_create(rows[1:]) == COPY_FROM - 1
        assert "COPY" not in words(session)
        assert await session.query(Folder).bulk_create(rows) == COPY_FROM
        copied = sql_of(session, "COPY")
        assert copied == (['COPY "newsroom_folder" ("name", "parent_id") FROM STDIN'] if is_postgres(database) else [])
        assert await session.query(Folder).bulk_create(list[Folder]()) == []
        assert await session.query(Grade).bulk_create([Grade(pupil=n, course="x") for n in range(COPY_FROM)])
        assert len(sql_of(session, "COPY")) == (2 if is_postgres(database) else 0)
        grade = await session.get_one(Grade, (7, "x"))
        grade.points = 5
    assert await count(database, Folder) == 2 * COPY_FROM - 1
    async with AsyncSession(database) as session:
        assert await session.query(Grade).filter(Grade.points == 5).scalars(Grade.pupil) == [7]


async def test_in_autocommit_mode_a_call_commits(database: Database) -> None:
    async with AsyncSession(database, autocommit=True) as session:
        await session.query(Folder).bulk_create([{"name": "a"}, {"name": "b"}], batch=1)
        assert words(session) == {"BEGIN": 1, "INSERT": 2, "COMMIT": 1}
        assert not session.in_transaction
        assert await count(database, Folder) == 2
        with pytest.raises(UniqueViolation):
            await session.query(Label).bulk_create([{"name": "a"}, {"name": "a"}], batch=1)
        assert await count(database, Label) == 0
        assert await session.query(Label).bulk_create([{"name": "a"}]) == 1


# ------------------------------------------------------------------ all or none


async def test_a_refused_row_takes_all_rows_of_the_call_along_and_nothing_else(database: Database) -> None:
    async with AsyncSession(database) as session:
        kept = await session.create(Label, name="kept")
        labels = [Label(name=f"{n}") for n in range(9)] + [Label(name="kept")]
        with pytest.raises(UniqueViolation) as caught:
            await session.query(Label).bulk_create(labels, batch=4)
        assert caught.value.columns == ("name",)
        assert await session.query(Label).count() == 1
        assert list(session.identity_map) == [kept]
        with pytest.raises(UnsavedError):
            _ = labels[0].id
        labels.pop()
        assert await session.query(Label).bulk_create(labels, batch=4) == labels
        assert labels[0].id
    assert await count(database, Label) == 10


async def test_a_wrong_row_late_takes_the_rows_before_it_along(database: Database) -> None:
    async with AsyncSession(database) as session:
        rows: list[dict[str, Any]] = [{"name": f"{n}"} for n in range(10)]
        with pytest.raises(ValidationError, match=r"row 9: Label\.name: 8 \(int\) is not a str"):
            await session.query(Label).bulk_create([*rows[:8], {"name": 8}, rows[9]], batch=3)
        assert await session.query(Label).count() == 0
        assert await session.query(Label).bulk_create(rows) == 10


async def test_a_call_that_fails_at_first_leaves_no_transaction(database: Database) -> None:
    async with AsyncSession(database) as session:
        with pytest.raises(ForeignKeyViolation):
            await session.query(Desk).bulk_create([{"writer_id": 4711}])
        assert not session.in_transaction
        session.add(Label(name="a"))
    assert await count(database, Label) == 1


async def test_what_was_added_and_not_flushed_stays_so(database: Database) -> None:
    async with AsyncSession(database) as session:
        await session.create(Writer, name="Ada")
        session.add(folder := Folder(name="later"))
        with pytest.raises(UniqueViolation):
            await session.query(Label).bulk_create([{"name": "a"}, {"name": "a"}])
        assert await session.query(Folder).scalars(Folder.name) == ["later"]
        assert folder.id
    assert await count(database, Folder) == 1


async def test_an_error_of_the_generator_or_the_callback_undoes_the_call(database: Database) -> None:
    def rows() -> Any:
        yield from ({"name": f"{n}"} for n in range(5))
        raise LookupError("no more")

    def refuse(_: int) -> None:
        raise LookupError("enough")

    async with AsyncSession(database) as session:
        for call in (
            lambda q: q.bulk_create(rows(), batch=2),
            lambda q: q.bulk_create([{"name": "x"}], on_batch=refuse),
        ):
            with pytest.raises(LookupError):
                await call(session.query(Label))
            assert await session.query(Label).count() == 0
        await session.create(Label, name="fine")
    assert await count(database, Label) == 1


async def test_a_rollback_makes_objects_new_again(database: Database) -> None:
    labels = [Label(name=f"{n}") for n in range(3)]
    async with rolled_back(AsyncSession(database)) as session:
        await session.query(Label).bulk_create(labels)
        assert labels[0].id
    with pytest.raises(UnsavedError):
        _ = labels[0].id
    async with AsyncSession(database) as session:
        async with rolled_back(session.transaction()):
            await session.query(Label).bulk_create(labels)
        assert not session.identity_map
        await session.query(Label).bulk_create(labels)
    assert await count(database, Label) == 3


async def test_a_cancelled_call_undoes_what_it_wrote(database: Database) -> None:
    async def rows() -> AsyncIterator[dict[str, Any]]:
        yield {"name": "a"}
        yield {"name": "b"}
        await asyncio.Event().wait()

    async with AsyncSession(database) as session:
        await session.create(Label, name="before")
        task = asyncio.create_task(session.query(Label).bulk_create(rows(), batch=1))  # type: ignore[arg-type]
        while await session.query(Label).count() < 3:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await session.query(Label).scalars(Label.name) == ["before"]
    assert await count(database, Label) == 1


# ------------------------------------------------------------------ several tasks


async def test_calls_of_several_tasks_wait_for_each_other(database: Database) -> None:
    async with AsyncSession(database) as session:
        folders, labels = session.query(Folder), session.query(Label)
        for _ in range(2):
            made = await asyncio.gather(
                *(folders.bulk_create([{"name": f"{n}"} for n in range(10)], batch=3) for _ in range(4)),
                labels.count(),
            )
            assert made[:4] == [10] * 4
        failed = await asyncio.gather(
            labels.bulk_create([{"name": "a"}, {"name": "a"}], batch=1),
            labels.bulk_create([{"name": "b"}]),
            return_exceptions=True,
        )
        assert isinstance(failed[0], UniqueViolation)
        assert failed[1] == 1
        assert await labels.scalars(Label.name) == ["b"]
    assert await count(database, Folder) == 80


async def test_rows_may_come_from_queries_and_writes_of_the_same_session(database: Database) -> None:
    async with AsyncSession(database) as session:
        writers = await session.query(Writer).bulk_create([Writer(name=f"{n}") for n in range(6)])

        async def stories() -> AsyncIterator[dict[str, Any]]:
            async for writer in session.query(Writer).order_by(Writer.id):
                # a write inside of a write is a part of it
                await session.query(Label).bulk_create([{"name": writer.name}])
                yield {"title": writer.name, "writer_id": writer.id}

        assert await session.query(Story).bulk_create(stories(), batch=2) == 6
        assert await session.query(Label).count() == len(writers)
    assert await count(database, Story) == 6


async def test_nobody_ends_the_transaction_meanwhile(database: Database) -> None:
    async with AsyncSession(database) as session:
        reached, go_on = asyncio.Event(), asyncio.Event()

        async def rows() -> AsyncIterator[dict[str, Any]]:
            yield {"name": "a"}
            reached.set()
            await go_on.wait()
            yield {"name": "b"}

        task = asyncio.create_task(session.query(Label).bulk_create(rows(), batch=1))  # type: ignore[arg-type]
        await reached.wait()
        with pytest.raises(SessionTaskError, match=r"commit\(\) by .*, while the transaction opened by .* is open"):
            await session.commit()
        go_on.set()
        assert await task == 2
        await session.commit()
    assert await count(database, Label) == 2


async def test_readers_of_the_same_session_do_not_notice_a_failure(database: Database) -> None:
    async with AsyncSession(database) as session:
        await session.create(Label, name="taken")
        given = [{"name": name} for name in ("a", "b", "c", "taken")]

        async def read() -> list[str]:
            return await session.query(Label).order_by(Label.name).scalars(Label.name)

        failed, *found = await asyncio.gather(
            session.query(Label).bulk_create(given, batch=1), *(read() for _ in range(5)), return_exceptions=True
        )
        assert isinstance(failed, UniqueViolation)
        assert [each for each in found if isinstance(each, BaseException)] == []
        assert await read() == ["taken"]


@pytest.mark.parametrize("begun", [False, True])
async def test_what_other_tasks_write_meanwhile_is_not_lost_in_silence(database: Database, begun: bool) -> None:
    async with AsyncSession(database) as session:
        if begun:
            await session.create(Folder, name="before")

        async def rows() -> AsyncIterator[dict[str, Any]]:
            yield {"name": "a"}
            await other
            yield {"name": "a"}

        async def write() -> int:
            while await session.query(Label).count() == 0:
                await asyncio.sleep(0)
            return await session.query(Label).update(Label.name.set("b"))

        other = asyncio.create_task(write())
        with pytest.raises(UniqueViolation):
            await session.query(Label).bulk_create(_twice(rows()), batch=1)
        with pytest.raises(TransactionFailedError, match="failed earlier: UniqueViolation"):
            await session.query(Label).count()
        await session.rollback()
        assert await session.query(Label).count() == 0


async def _twice(rows: AsyncIterator[dict[str, Any]]) -> AsyncIterator[dict[str, Any]]:
    """Gives the second row twice: the first one has another name by then."""
    last: dict[str, Any] = {}
    async for last in rows:
        yield last
    yield last
