"""Hooks: functions of the user's own around validation, writes and the ends of transactions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, suppress
from typing import Any

import pytest

from cormorant import (
    AfterHookError,
    AsyncSession,
    Database,
    FlushError,
    HookError,
    Many,
    Mapped,
    Model,
    One,
    Session,
    SyncDatabase,
    SyncInLoopError,
    TransactionFailedError,
    UnsavedError,
    ValidationError,
    field,
    foreign_key,
    generated,
    hooks,
    many_to_many,
    reverse,
)
from tests.support import kept_tables
from tests.support.newsroom import rolled_back, sent, words


class Named(Model, abstract=True):
    name: Mapped[str] = field(max_length=20)


class Task(Named, app="hooks"):
    id: Mapped[int] = generated(primary_key=True)
    slug: Mapped[str] = field(default="")
    done: Mapped[bool] = field(default=False)
    notes: Many[Note] = reverse("task")
    tags: Many[Tag] = many_to_many()


class Note(Model, app="hooks"):
    id: Mapped[int] = generated(primary_key=True)
    text: Mapped[str]
    task: One[Task | None] = foreign_key(default=None, on_delete="cascade")


class Tag(Named, app="hooks"):
    id: Mapped[int] = generated(primary_key=True)


class Watched(Model, app="hooks"):
    """Has its hooks as methods."""

    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str]
    calls: Mapped[list[str]] = field(default_factory=list)

    async def before_save(self, *, created: bool) -> None:
        await asyncio.sleep(0)
        self.calls.append(f"before_save {created}")

    def after_save(self) -> None:
        LOG.append(f"after_save {self.id}")

    def before_delete(self) -> None:
        LOG.append("before_delete")

    async def after_delete(self) -> None:
        LOG.append("after_delete")

    def after_commit(self) -> None:
        LOG.append("after_commit")

    def after_rollback(self) -> None:
        LOG.append("after_rollback")


LOG: list[str] = []
OBJECT_EVENTS = ("before_validate", "before_save", "after_validate", "after_save", "before_delete", "after_delete")
BEFORE = ("before_validate", "before_save", "after_validate")

On = Callable[[str, Any, Callable[..., Any]], Callable[..., Any]]


@pytest.fixture
async def database(database_dsn: str, keeps_tables: None) -> AsyncIterator[Database]:
    async with Database(database_dsn) as database:
        await kept_tables.prepare(database, database_dsn, Task, Note, Tag, Watched)
        yield database


@pytest.fixture
def on() -> Iterator[On]:
    """Registers functions, and takes them out again after the test."""
    registered: list[Callable[..., Any]] = []
    LOG.clear()

    def register(event: str, target: Any, function: Callable[..., Any]) -> Callable[..., Any]:
        getattr(hooks, event)(target)(function)
        registered.append(function)
        return function

    yield register
    for function in registered:
        with suppress(HookError):
            # the test has removed it
            hooks.remove(function)


def note(what: str) -> Callable[[Any], None]:
    """Gives a hook that notes its call."""

    def noted(subject: object) -> None:
        LOG.append(what)

    return noted


def failing(subject: object) -> None:
    raise ValueError("no")


async def names(database: Database) -> list[str]:
    async with AsyncSession(database) as session:
        return await session.query(Task).scalars(Task.name).order_by(Task.name)


# ---- objects


async def test_the_events_of_an_object_in_their_order(database: Database, on: On) -> None:
    for event in (*OBJECT_EVENTS, "before_commit", "after_commit"):
        on(event, Task, note(event))
    async with AsyncSession(database) as session:
        task = await session.create(Task, name="one")
        assert LOG == ["before_validate", "before_save", "after_validate", "after_save"]
        await session.commit()
        assert LOG[4:] == ["before_commit", "after_commit"]
        LOG.clear()
        task.done = True
        await session.flush()
        assert LOG == ["before_validate", "before_save", "after_validate", "after_save"]
        session.delete(task)
        LOG.clear()
        await session.flush()
        assert LOG == ["before_delete", "after_delete"]


async def test_a_function_is_told_whether_the_object_is_new(database: Database, on: On) -> None:
    async def told(task: Task, *, created: bool) -> None:
        await asyncio.sleep(0)
        LOG.append(f"{task.name} {created}")

    on("before_save", Task, told)
    on("after_save", Task, lambda task, created: LOG.append(f"then {created}"))
    async with AsyncSession(database) as session:
        task = await session.create(Task, name="one")
        task.name = "two"
        await session.flush()
    assert LOG == ["one True", "then True", "two False", "then False"]


async def test_methods_of_the_model(database: Database, on: On) -> None:
    async with AsyncSession(database) as session:
        watched = await session.create(Watched, name="a")
        assert watched.calls == ["before_save True"]
        watched.name = "b"
        await session.commit()
        assert watched.calls == ["before_save True", "before_save False"]
        assert [f"after_save {watched.id}"] * 2 + ["after_commit"] == LOG
        LOG.clear()
        session.delete(watched)
        await session.flush()
        await session.rollback()
        assert LOG == ["before_delete", "after_delete", "after_rollback"]


async def test_hooks_of_bases_come_first_then_the_model_the_database_the_session(database: Database, on: On) -> None:
    session = AsyncSession(database)
    for target, what in ((session, "session"), (database, "database"), (Task, "model"), (Named, "base")):
        on("before_save", target, note(what))
    on("before_save", Task, note("model again"))
    async with session:
        session.add(Task(name="one"))
        await session.flush()
        assert LOG == ["base", "model", "model again", "database", "session"]
        session.add(Tag(name="one"))
        await session.flush()
        assert LOG[5:] == ["base", "database", "session"]
    async with AsyncSession(database) as other:
        await other.create(Note, text="y")
        assert LOG[8:] == ["database"]


async def test_a_mixin_that_is_no_model_may_have_hooks(database: Database, on: On) -> None:
    class Loud:
        __slots__ = ()

        def before_save(self) -> None:
            LOG.append("method")

    on("before_save", Loud, note("registered"))

    class Shout(Loud, Model, app="hooks"):
        id: Mapped[int] = generated(primary_key=True)
        name: Mapped[str]

    await database.create_all(Shout)
    async with AsyncSession(database) as session:
        await session.create(Shout, name="one")
    assert LOG == ["method", "registered"]


async def test_a_removed_hook_is_not_called(database: Database, on: On) -> None:
    heard = note("heard")
    hooks.before_save(Task)(heard)
    async with AsyncSession(database) as session:
        await session.create(Task, name="one")
        hooks.remove(heard)
        await session.create(Task, name="two")
    assert LOG == ["heard"]
    with pytest.raises(HookError, match="registered for no event"):
        hooks.remove(heard)


async def test_what_is_written_is_what_the_hooks_left(database: Database, on: On) -> None:
    def tidy(task: Task) -> None:
        task.name = task.name.strip()

    async def slug(task: Task, *, created: bool) -> None:
        task.slug = f"{task.name}-{await AsyncSession.current().query(Task).count()}"

    on("before_validate", Task, tidy)
    on("before_save", Task, slug)
    async with AsyncSession(database) as session:
        task = await session.create(Task, name=" " * 30 + "one")
        assert (task.name, task.slug) == ("one", "one-0")
        task.name = "  two"
        await session.commit()
        session.clear()
        (found,) = await session.query(Task)
        assert (found.name, found.slug) == ("two", "two-1")


async def test_what_hooks_add_delete_and_change_joins_the_flush(database: Database, on: On) -> None:
    async with AsyncSession(database) as session:
        old, other = Task(name="old"), Task(name="other")
        session.add(old, other)
        await session.commit()

        def more(task: Task, *, created: bool) -> None:
            LOG.append(task.name)
            if task.name == "new":
                session.add(Task(name="added"))
                session.add(Note(text="of new", task=task))
                session.delete(old)
                other.name = "changed"

        on("before_save", Task, more)
        session.add(Task(name="new"))
        await session.flush()
        assert LOG == ["new", "added", "changed"]
        assert session.state().unit.is_empty
    assert await names(database) == ["added", "changed", "new"]


async def test_each_object_is_told_once_for_a_flush(database: Database, on: On) -> None:
    def change(task: Task) -> None:
        LOG.append(task.name)
        for each in AsyncSession.current().new:
            if isinstance(each, Task):
                each.slug += "x"

    on("before_save", Task, change)
    async with AsyncSession(database) as session:
        one, two = Task(name="one"), Task(name="two")
        session.add(one, two)
        await session.flush()
        assert LOG == ["one", "two"]
        assert (one.slug, two.slug) == ("xx", "xx")


async def test_objects_that_were_not_changed_after_all_have_no_hooks(database: Database, on: On) -> None:
    on("before_save", Task, note("saved"))
    async with AsyncSession(database) as session:
        task = await session.create(Task, name="one")
        task.name = "two"
        task.name = "one"
        await session.flush()
        assert LOG == ["saved"]
        assert not session.dirty


async def test_hooks_that_come_to_no_end_are_named(database: Database, on: On) -> None:
    def endless(task: Task) -> None:
        AsyncSession.current().add(Task(name="more"))

    on("before_save", Task, endless)
    async with rolled_back(AsyncSession(database)) as session:
        session.add(Task(name="one"))
        with pytest.raises(FlushError, match=r"before_save hook .*endless"):
            await session.flush()
        assert sent(session) == 0


async def test_after_hooks_that_come_to_no_end_are_named(database: Database, on: On) -> None:
    def endless(task: Task) -> None:
        AsyncSession.current().add(Task(name="more"))

    on("after_save", Task, endless)
    async with rolled_back(AsyncSession(database)) as session:
        session.add(Task(name="one"))
        with pytest.raises(FlushError, match=r"commit more to do .* after_save hook .*endless"):
            await session.commit()
        await session.rollback()
    assert await names(database) == []


async def test_a_delete_taken_back_is_an_update(database: Database, on: On) -> None:
    def keep(task: Task) -> None:
        AsyncSession.current().add(task)
        task.done = True

    on("before_delete", Task, keep)
    on("before_save", Task, note("saved"))
    on("after_delete", Task, note("deleted"))
    async with AsyncSession(database) as session:
        task = await session.create(Task, name="one")
        LOG.clear()
        session.delete(task)
        await session.commit()
        assert LOG == ["saved"]
        assert await session.query(Task).scalars(Task.done) == [True]
        assert task.done


async def test_hooks_of_what_a_flush_reaches_by_relations(database: Database, on: On) -> None:
    on("before_save", Note, note("note"))
    on("before_save", Tag, note("tag"))
    async with AsyncSession(database) as session:
        task = await session.create(Task, name="one")
        await task.notes
        task.notes.add(Note(text="n"))
        task.tags.add(Tag(name="t"))
        await session.flush()
        assert LOG == ["note", "tag"]


async def test_writes_by_query_and_in_bulk_skip_object_hooks(database: Database, on: On) -> None:
    for event in OBJECT_EVENTS:
        on(event, Task, note(event))
    on("after_commit", database, note("committed"))
    async with AsyncSession(database) as session:
        await session.query(Task).bulk_create([Task(name="one"), Task(name="two")])
        await session.query(Task).update(Task.done.set(True))
        await session.query(Task).delete()
        assert LOG == []
    assert LOG == ["committed"]


async def test_get_or_create_calls_hooks(database: Database, on: On) -> None:
    on("before_save", Tag, note("before"))
    on("after_save", Tag, note("after"))
    async with AsyncSession(database) as session:
        _, created = await session.query(Tag).get_or_create(name="x")
        assert created
    assert LOG == ["before", "after"]


# ---- errors


@pytest.mark.parametrize("event", BEFORE)
async def test_an_exception_before_the_write_stops_the_flush(database: Database, on: On, event: str) -> None:
    on(event, Task, failing)
    async with AsyncSession(database) as session:
        one, two = Task(name="one"), Note(text="two")
        session.add(one, two)
        with pytest.raises(ValueError, match="no"):
            await session.flush()
        assert sent(session) == 0
        assert set(session.new) == {one, two}
        hooks.remove(failing)
        await session.commit()
        assert one.id


async def test_an_exception_before_a_delete_stops_the_flush(database: Database, on: On) -> None:
    on("before_delete", Task, failing)
    async with AsyncSession(database) as session:
        task = await session.create(Task, name="one")
        await session.commit()
        session.delete(task)
        with pytest.raises(ValueError, match="no"):
            await session.flush()
        assert set(session.deleted) == {task}
        session.add(task)
    assert await names(database) == ["one"]


@pytest.mark.parametrize("event", ["after_save", "after_delete"])
async def test_an_exception_after_the_write_fails_the_transaction(database: Database, on: On, event: str) -> None:
    async with AsyncSession(database) as session:
        task = await session.create(Task, name="kept")
    on(event, Task, failing)
    async with AsyncSession(database) as session:
        kept = await session.get_one(Task, task.id)
        kept.name = "changed"
        if event == "after_delete":
            session.delete(kept)
        with pytest.raises(ValueError, match="no"):
            await session.flush()
        with pytest.raises(TransactionFailedError):
            await session.query(Task)
        await session.rollback()
        assert kept.name == "kept"
        assert await session.query(Task).scalars(Task.name) == ["kept"]


async def test_an_exception_after_the_write_undoes_its_block_alone(database: Database, on: On) -> None:
    async with AsyncSession(database) as session:
        outer = await session.create(Task, name="outer")
        on("after_save", Note, failing)
        with pytest.raises(ValueError, match="no"):
            async with session.transaction():
                session.add(Note(text="inner", task=outer))
        assert not session.new
        assert await session.query(Note).count() == 0
    assert await names(database) == ["outer"]


async def test_an_exception_before_a_commit_rolls_the_session_back(database: Database, on: On) -> None:
    on("before_commit", database, failing)
    task = Task(name="one")
    with pytest.raises(ValueError, match="no"):
        async with AsyncSession(database) as session:
            session.add(task)
    with pytest.raises(UnsavedError):
        _ = task.id
    assert await names(database) == []


async def test_one_validation_error_after_the_hooks_of_all(database: Database, on: On) -> None:
    on("before_save", Task, lambda task: setattr(task, "name", task.name * 10))
    on("after_validate", Task, note("right"))
    async with rolled_back(AsyncSession(database)) as session:
        session.add(Task(name="one"), Task(name="two"), Tag(name="x" * 21))
        with pytest.raises(ValidationError) as caught:
            await session.flush()
        assert [place for place, _ in caught.value.problems] == ["Task.name", "Task.name", "Tag.name"]
        assert sent(session) == 0
        assert LOG == []


# ---- what a hook may do


@pytest.mark.parametrize("event", [*OBJECT_EVENTS, "before_commit", "after_commit"])
async def test_queries_inside_of_hooks_neither_flush_nor_wait(database: Database, on: On, event: str) -> None:
    async with AsyncSession(database) as session:
        first = await session.create(Task, name="first")
        await session.commit()

        async def ask(task: Task) -> None:
            async with asyncio.timeout(20):
                mine = AsyncSession.current()
                await asyncio.gather(mine.query(Task), mine.query(Note))
                if "delete" not in event:
                    assert await mine.get(Task, first.id) is first
                    await mine.refresh(first)
                await mine.execute("select 1")
                LOG.append("asked")

        on(event, Task, ask)
        session.add(Task(name="second"))
        if "delete" in event:
            session.delete(first)
        await session.commit()
        assert "asked" in LOG


@pytest.mark.parametrize("event", [*OBJECT_EVENTS, "before_commit", "after_commit"])
@pytest.mark.parametrize("verb", ["flush", "commit", "rollback", "begin", "close"])
async def test_verbs_inside_of_hooks_are_refused(database: Database, on: On, event: str, verb: str) -> None:
    caught: list[FlushError] = []

    async def refused(task: Task) -> None:
        try:
            await getattr(AsyncSession.current(), verb)()
        except FlushError as error:
            caught.append(error)
            raise

    on(event, Task, refused)
    async with AsyncSession(database) as session:
        task = Task(name="one")
        session.add(task)
        if "delete" in event:
            await session.commit()
            session.delete(task)
        with pytest.raises(AfterHookError if event == "after_commit" else FlushError):
            await session.commit()
        assert f"{verb}() inside of the {event} hook" in caught[0].message
        await session.rollback()
        hooks.remove(refused)
        assert await session.query(Task).count() == ("delete" in event or event == "after_commit")
        await session.create(Task, name="two")


async def test_blocks_and_links_of_unsaved_objects_inside_of_hooks_are_refused(database: Database, on: On) -> None:
    async def refused(task: Task) -> None:
        session = AsyncSession.current()
        with pytest.raises(FlushError, match=r"transaction\(\) inside of the before_save hook"):
            async with session.transaction():
                raise AssertionError
        with pytest.raises(FlushError, match=r"create\(\) inside"):
            await session.create(Tag, name="x")
        with pytest.raises(UnsavedError, match="has no row"):
            await session.add_m2m(task, Task.tags, Tag(name="x"))
        with pytest.raises(FlushError, match="a flush inside of the before_save hook"):
            await session.query(Note).get_or_create(text="x")
        LOG.append("refused")

    on("before_save", Task, refused)
    async with rolled_back(AsyncSession(database)) as session:
        session.add(Task(name="one"))
        await session.flush()
        assert LOG == ["refused"]


@pytest.mark.parametrize("event", ["before_save", "after_save"])
async def test_a_hook_may_write_in_bulk(database: Database, on: On, event: str) -> None:
    async def audit(task: Task) -> None:
        session = AsyncSession.current()
        await session.query(Note).bulk_create([{"text": f"saved {task.name}"}])
        await session.query(Note).filter(Note.text == "never").delete()

    on(event, Task, audit)
    async with AsyncSession(database) as session:
        session.add(Task(name="one"), Task(name="two"))
        await session.flush()
        assert await session.query(Note).count() == 2
        await session.rollback()
        assert await session.query(Note).count() == 0


async def test_a_hook_may_have_a_session_of_its_own(database: Database, on: On) -> None:
    async def audit(task: Task) -> None:
        async with AsyncSession(database) as mine:
            assert AsyncSession.current() is mine
            await mine.create(Note, text=task.name)
            await mine.commit()

    on("after_commit", Task, audit)
    async with AsyncSession(database) as session:
        await session.create(Task, name="one")
    async with AsyncSession(database) as session:
        assert await session.query(Note).scalars(Note.text) == ["one"]


async def test_two_tasks_flush_while_their_hooks_query(database: Database, on: On) -> None:
    async def ask(task: Task) -> None:
        await asyncio.sleep(0)
        task.slug = str(await AsyncSession.current().query(Task).count())
        await asyncio.sleep(0)

    on("before_save", Task, ask)
    on("after_save", Task, ask)

    async def work(session: AsyncSession, number: int) -> None:
        session.add(Task(name=f"task {number}"))
        await session.flush()
        await session.query(Task)

    async with AsyncSession(database) as session, asyncio.timeout(60):
        await asyncio.gather(*(work(session, number) for number in range(8)))
        hooks.remove(ask)
        await session.flush()
        assert await session.query(Task).count() == 8


async def test_a_task_that_outlives_its_hook_may_flush(database: Database, on: On) -> None:
    ready, tasks = asyncio.Event(), list[asyncio.Task[None]]()

    async def later(session: AsyncSession) -> None:
        await ready.wait()
        await session.flush()

    def start(task: Task) -> None:
        tasks.append(asyncio.create_task(later(AsyncSession.current())))

    on("after_save", Task, start)
    async with AsyncSession(database) as session:
        await session.create(Task, name="one")
        ready.set()
        await tasks[0]


async def test_a_hook_that_is_cancelled_leaves_everything_pending(database: Database, on: On) -> None:
    reached, never = asyncio.Event(), asyncio.Event()

    async def wait(task: Task) -> None:
        reached.set()
        await never.wait()

    on("before_save", Task, wait)
    async with AsyncSession(database) as session:
        task = Task(name="one")
        session.add(task)
        flushing = asyncio.create_task(session.flush())
        await reached.wait()
        flushing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await flushing
        assert sent(session) == 0
        assert set(session.new) == {task}
        never.set()
        await session.commit()
        assert task.id


async def test_a_hook_that_is_cancelled_after_the_write_fails_the_transaction(database: Database, on: On) -> None:
    reached, never = asyncio.Event(), asyncio.Event()

    async def wait(task: Task) -> None:
        reached.set()
        await never.wait()

    on("after_save", Task, wait)
    async with AsyncSession(database) as session:
        session.add(Task(name="one"))
        flushing = asyncio.create_task(session.flush())
        await reached.wait()
        flushing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await flushing
        with pytest.raises(TransactionFailedError):
            await session.flush() or await session.query(Task)
        await session.rollback()
    assert await names(database) == []


# ---- the end of a transaction


async def test_a_session_and_a_database_are_told_of_commits_and_rollbacks(database: Database, on: On) -> None:
    session = AsyncSession(database)
    for event in ("before_commit", "after_commit", "after_rollback"):
        for target, name in ((session, "session"), (database, "database")):
            on(event, target, lambda told, what=f"{name} {event}": LOG.append(f"{what} {told is session}"))
    async with session:
        await session.query(Task)
        await session.commit()
        assert LOG == []
        await session.create(Task, name="one")
        await session.commit()
        assert [
            f"{who} {event} True" for event in ("before_commit", "after_commit") for who in ("database", "session")
        ] == LOG
        LOG.clear()
        await session.create(Task, name="two")
        await session.rollback()
        assert LOG == ["database after_rollback True", "session after_rollback True"]
        LOG.clear()
        async with session.transaction():
            await session.create(Task, name="three")
        assert [line.split()[1] for line in LOG] == ["before_commit", "before_commit", "after_commit", "after_commit"]


async def test_what_is_added_before_a_commit_is_written_with_it(database: Database, on: On) -> None:
    def count(session: AsyncSession) -> None:
        session.add(Note(text="a commit"))

    def note_of(task: Task) -> None:
        AsyncSession.current().add(Note(text=f"of {task.name}"))

    on("before_commit", database, count)
    on("before_commit", Task, note_of)
    async with AsyncSession(database) as session:
        session.add(Task(name="one"), Task(name="two"))
        await session.commit()
        assert words(session)["COMMIT"] == 1
        assert sorted(await session.query(Note).scalars(Note.text)) == ["a commit", "of one", "of two"]


@pytest.mark.parametrize("how", ["commit", "exit", "block", "savepoint"])
async def test_what_is_added_after_a_save_is_written_by_the_commit(database: Database, on: On, how: str) -> None:
    def more(task: Task, *, created: bool) -> None:
        if created and len(task.name) < 5:
            AsyncSession.current().add(Task(name=task.name + "x"))

    on("after_save", Task, more)
    async with AsyncSession(database) as session:
        if how == "block":
            async with session.transaction():
                session.add(Task(name="a"))
        elif how == "savepoint":
            async with session.transaction():
                async with session.transaction():
                    session.add(Task(name="a"))
                assert not session.new
        else:
            session.add(Task(name="a"))
            await session.flush()
            assert [task.name for task in session.new if isinstance(task, Task)] == ["ax"]
            if how == "commit":
                await session.commit()
                assert not session.new
    assert await names(database) == ["a", "ax", "axx", "axxx", "axxxx"]


async def test_after_commit_of_a_savepoint_waits_for_the_commit(database: Database, on: On) -> None:
    on("after_commit", Task, lambda task: LOG.append(task.name))
    on("after_rollback", Task, lambda task: LOG.append(f"undone {task.name}"))
    async with AsyncSession(database) as session:
        async with session.transaction():
            await session.create(Task, name="outer")
            async with session.transaction():
                await session.create(Task, name="inner")
                session.after_commit(LOG.append, "once")
            async with rolled_back(session.transaction()):
                await session.create(Task, name="lost")
                session.after_commit(LOG.append, "never")
                session.after_rollback(LOG.append, "once undone")
            assert LOG == ["undone lost", "once undone"]
            LOG.clear()
        assert LOG == ["outer", "inner", "once"]
        LOG.clear()
        await session.commit()
    assert LOG == []


async def test_a_rollback_forgets_what_waited_for_the_commit(database: Database, on: On) -> None:
    async with AsyncSession(database) as session:
        session.after_commit(LOG.append, "never")
        session.after_rollback(LOG.append, "undone")
        async with session.transaction():
            session.after_rollback(LOG.append, "of the block")
            await session.create(Task, name="one")
        assert LOG == ["never"]
        session.after_rollback(LOG.append, "undone")
        await session.create(Task, name="one")
        session.after_commit(LOG.append, "never again")
        await session.rollback()
        await session.commit()
    assert LOG == ["never", "undone"]


async def test_a_function_that_waits_for_a_commit_is_called_even_if_nothing_was_written(database: Database) -> None:
    done: list[str] = []

    async def send(to: str, *, subject: str) -> None:
        await asyncio.sleep(0)
        done.append(f"{to} {subject}")

    async with AsyncSession(database) as session:
        session.after_commit(send, "ada", subject="hello")
    assert done == ["ada hello"]


async def test_a_lone_row_is_still_one_statement_where_only_its_commit_is_heard(database: Database, on: On) -> None:
    on("before_save", Task, note("before"))
    on("after_commit", Task, note("committed"))
    on("after_commit", database, note("session"))
    async with AsyncSession(database) as session:
        session.add(Task(name="one"))
        await session.commit()
        assert sent(session) == 1
        assert LOG == ["before", "committed", "session"]


@pytest.mark.parametrize("event", ["after_save", "before_commit"])
@pytest.mark.parametrize("whole", [True, False])
async def test_a_lone_row_has_a_transaction_where_hooks_are_inside_of_it(
    database: Database, on: On, event: str, whole: bool
) -> None:
    on(event, database if whole else Task, note(event))
    async with AsyncSession(database) as session:
        session.add(Task(name="one"))
        await session.commit()
        counts = words(session)
        assert (counts["BEGIN"], counts["COMMIT"]) == (1, 1)
    assert [event] == LOG


async def test_errors_after_a_commit_are_told_together_and_change_nothing(database: Database, on: On) -> None:
    on("after_commit", Task, failing)
    on("after_commit", database, note("others are called"))
    async with AsyncSession(database) as session:
        session.add(Task(name="one"), Task(name="two"))
        with pytest.raises(AfterHookError, match="was committed, and then 2 hooks failed") as caught:
            await session.commit()
        assert [str(error) for error in caught.value.errors] == ["no", "no"]
        assert LOG == ["others are called"]
        assert not session.in_transaction
        assert await session.query(Task).count() == 2
        hooks.remove(failing)
        await session.create(Note, text="goes on")
    assert await names(database) == ["one", "two"]


async def test_an_error_after_the_commit_of_a_block_or_of_the_session(database: Database, on: On) -> None:
    on("after_commit", Task, failing)

    async def save(block: AbstractAsyncContextManager[Any], session: AsyncSession, name: str) -> None:
        async with block:
            session.add(Task(name=name))

    session = AsyncSession(database)
    await session.__aenter__()
    with pytest.raises(AfterHookError):
        await save(session.transaction(), session, "block")
    session.add(Task(name="session"))
    with pytest.raises(AfterHookError) as caught:
        await session.__aexit__(None, None, None)
    assert isinstance(caught.value.__cause__, ValueError)
    assert await names(database) == ["block", "session"]


async def test_an_error_after_a_rollback_does_not_hide_its_reason(
    database: Database, on: On, caplog: pytest.LogCaptureFixture
) -> None:
    on("after_rollback", database, failing)
    async with AsyncSession(database) as session:
        async with rolled_back(session.transaction()):
            await session.create(Task, name="one")
        assert "after_rollback hook failing failed" in caplog.text
        await session.create(Task, name="two")
        with pytest.raises(AfterHookError, match="was rolled back"):
            await session.rollback()
        assert not session.new


async def test_an_error_after_the_commit_of_another_session_rolls_this_one_back(database: Database, on: On) -> None:
    async def audit(task: Task) -> None:
        async with AsyncSession(database) as other:
            other.after_commit(failing, other)

    on("before_save", Task, audit)
    async with AsyncSession(database) as session:
        for autocommit in (True, False):
            block = AsyncSession(database, autocommit=True) if autocommit else session.transaction()
            with pytest.raises(AfterHookError):
                await add_in(block, session)
            assert not session.in_transaction
            assert await session.query(Task).count() == 0


async def add_in(block: Any, session: AsyncSession) -> None:
    async with block as entered:
        (entered if isinstance(entered, AsyncSession) else session).add(Task(name="one"))


async def test_what_is_added_after_the_commit_at_the_end_is_not_lost(database: Database, on: On) -> None:
    def more(task: Task) -> None:
        if task.name == "one":
            AsyncSession.current().add(Task(name="two"))

    on("after_commit", Task, more)
    async with AsyncSession(database) as session:
        session.add(Task(name="one"))
    assert await names(database) == ["one", "two"]


async def test_a_cancelled_commit_that_succeeded_is_told(database: Database, on: On) -> None:
    async def told(task: Task) -> None:
        await asyncio.sleep(0)
        LOG.append(task.name)

    on("after_commit", Task, told)
    on("after_save", Task, note("saved"))
    async with AsyncSession(database) as session:
        await session.create(Task, name="one")
        commit = session.state().transactions.commit
        committing = asyncio.Event()

        async def slow() -> None:
            committing.set()
            await asyncio.sleep(0)
            await commit()

        session.state().transactions.commit = slow  # type: ignore[method-assign]
        ending = asyncio.create_task(session.commit())
        await committing.wait()
        ending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await ending
        assert LOG == ["saved", "one"]
        assert not session.in_transaction
    assert await names(database) == ["one"]


async def test_a_cancellation_among_hooks_after_a_commit_reaches_one_of_them(database: Database, on: On) -> None:
    reached, never = asyncio.Event(), asyncio.Event()

    async def wait(task: Task) -> None:
        reached.set()
        await never.wait()

    on("after_commit", Task, wait)
    on("after_commit", Task, note("next"))
    async with AsyncSession(database) as session:
        session.add(Task(name="one"))
        ending = asyncio.create_task(session.commit())
        await reached.wait()
        ending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await ending
        assert LOG == ["next"]


# ---- autocommit


async def test_in_autocommit_mode_each_flush_is_a_commit(database: Database, on: On) -> None:
    for event in ("after_save", "before_commit", "after_commit"):
        on(event, Task, note(event))
    async with AsyncSession(database, autocommit=True) as session:
        session.add(Task(name="one"))
        await session.flush()
        assert LOG == ["after_save", "before_commit", "after_commit"]
        session.add(Task(name="two"))
        assert await session.query(Task).count() == 2
        assert LOG[3:] == ["after_save", "before_commit", "after_commit"]


async def test_in_autocommit_mode_an_exception_after_the_write_undoes_it(database: Database, on: On) -> None:
    on("after_save", Task, failing)
    async with AsyncSession(database, autocommit=True) as session:
        task = Task(name="one")
        session.add(task)
        with pytest.raises(ValueError, match="no"):
            await session.flush()
        assert not session.in_transaction
        assert not session.new
        with pytest.raises(UnsavedError):
            _ = task.id
        assert await session.query(Task).count() == 0


async def test_in_autocommit_mode_get_or_create_is_a_commit(database: Database, on: On) -> None:
    for event in ("before_commit", "after_commit"):
        for target, name in ((Tag, "tag"), (database, "database")):
            on(event, target, note(f"{event} of the {name}"))
    async with AsyncSession(database, autocommit=True) as session:
        await session.query(Tag).get_or_create(name="one")
        told = [line.split(" of the ") for line in LOG]
        assert told == [[event, name] for event in ("before_commit", "after_commit") for name in ("tag", "database")]


async def test_in_autocommit_mode_statements_by_query_are_commits(database: Database, on: On) -> None:
    on("after_commit", database, note("committed"))
    async with AsyncSession(database, autocommit=True) as session:
        await session.query(Task).update(Task.done.set(True))
        await session.query(Task).bulk_create([{"name": "one"}])
        assert LOG == ["committed", "committed"]


# ---- registration


@pytest.mark.parametrize(
    ("function", "what"),
    [
        (lambda: None, "takes no object"),
        (lambda *, created: None, "takes no object"),
        (lambda task, other: None, "wants 'other'"),
        (lambda task, *, other: None, "wants 'other'"),
        (3, "cannot be called"),
    ],
)
def test_functions_that_cannot_be_called_are_refused(function: Any, what: str) -> None:
    with pytest.raises(HookError, match=what):
        hooks.before_save(Task)(function)


def test_events_do_not_tell_what_they_do_not_know() -> None:
    with pytest.raises(HookError, match=r"wants 'created', and is registered for before_delete"):
        hooks.before_delete(Task)(lambda task, *, created: None)  # type: ignore[misc, arg-type]


def test_generators_are_refused() -> None:
    def yields(task: Task) -> Iterator[None]:
        yield

    with pytest.raises(HookError, match="yields"):
        hooks.before_save(Task)(yields)


async def test_what_is_to_be_called_once_can_be_called(database: Database) -> None:
    def yields(text: str) -> Iterator[str]:
        yield text

    async def yields_async() -> AsyncIterator[None]:
        yield

    async with AsyncSession(database) as session:
        for register in (session.after_commit, session.after_rollback):
            wrong: Any = register
            with pytest.raises(HookError, match="cannot be called\nHint: pass a function, not what it gives"):
                wrong("sent")
            for function, given in ((yields, ("text",)), (yields_async, ())):
                with pytest.raises(HookError, match=f"{function.__name__} is registered for after_.* and yields"):
                    wrong(function, *given)


@pytest.mark.parametrize("target", [3, int, AsyncSession, Database, None])
def test_targets_without_events_are_refused(target: Any) -> None:
    with pytest.raises(HookError, match="has no events"):
        hooks.before_save(target)


def test_methods_that_cannot_be_called_are_refused_with_their_model() -> None:
    with pytest.raises(HookError, match=r"before_delete wants 'created'"):

        class Wrong(Model, app="hooks"):
            id: Mapped[int] = generated(primary_key=True)

            def before_delete(self, created: bool) -> None: ...

    with pytest.raises(HookError, match=r"WrongToo\.after_save is no method"):

        class WrongToo(Model, app="hooks"):
            id: Mapped[int] = generated(primary_key=True)
            after_save = 3


# ---- the sync face


def make_tables(dsn: str) -> None:
    with SyncDatabase(Database(dsn)) as database:
        database.create_all(Task, Note, Tag, Watched)


def test_hooks_of_a_sync_session(database_dsn: str, on: On) -> None:
    on("before_save", Task, lambda task: setattr(task, "slug", task.name.upper()))

    async def ask(task: Task) -> None:
        LOG.append(f"{await AsyncSession.current().query(Task).count()} rows")

    on("after_save", Task, ask)
    make_tables(database_dsn)
    database = Database(database_dsn)
    with SyncDatabase(database), Session(database) as session:
        on("after_commit", session, lambda told: LOG.append(f"the session {told is session}"))
        on("after_commit", database, lambda told: LOG.append(f"its session {isinstance(told, AsyncSession)}"))
        task = session.create(Task, name="one")
        assert task.slug == "ONE"
        session.after_commit(LOG.append, "once")
        session.commit()
        assert LOG == ["1 rows", "once", "its session True", "the session True"]


def test_a_sync_session_in_its_own_hook_is_refused(database_dsn: str, on: On) -> None:
    make_tables(database_dsn)
    with Session(database_dsn) as session:

        def ask(task: Task) -> None:
            session.add(Note(text="this is fine"))
            session.query(Task).count()

        on("before_save", Task, ask)
        session.add(Task(name="one"))
        with pytest.raises(SyncInLoopError, match="own event loop"):
            session.flush()
        hooks.remove(ask)
        session.commit()
        assert session.query(Note).count() == 1


# ---- together with other parts of a flush


async def test_hooks_of_every_model(database: Database, on: On) -> None:
    on("before_save", Model, lambda obj: LOG.append(type(obj).__name__))
    async with AsyncSession(database) as session:
        session.add(Note(text="x", task=Task(name="y")))
        await session.flush()
    assert LOG == ["Note", "Task"]


async def test_rows_that_the_database_deletes_have_no_hooks(database: Database, on: On) -> None:
    on("before_delete", Note, note("note"))
    on("after_delete", Task, note("task"))
    async with AsyncSession(database) as session:
        task = Task(name="one")
        session.add(Note(text="x", task=task))
        await session.commit()
        session.delete(task)
        await session.commit()
        assert LOG == ["task"]
        assert await session.query(Note).count() == 0


async def test_update_or_create_calls_hooks(database: Database, on: On) -> None:
    on("before_save", Task, lambda task, created: LOG.append(f"{task.name} {created}"))
    async with AsyncSession(database) as session:
        await session.query(Task).update_or_create(name="one", defaults={"done": True})
        await session.query(Task).update_or_create(name="one", defaults={"done": False})
        await session.flush()
    assert LOG == ["one True", "one False"]


async def test_a_preview_calls_no_hook(database: Database, on: On) -> None:
    on("before_save", Task, note("saved"))
    async with rolled_back(AsyncSession(database)) as session:
        session.add(Task(name="one"))
        assert "INSERT" in str(session.preview())
    assert LOG == []


async def test_a_hook_that_changes_a_relation_and_a_document(database: Database, on: On) -> None:
    def relate(obj: Note) -> None:
        if obj.task is None:
            obj.task = Task(name="made for it")

    on("before_save", Note, relate)
    on("before_save", Task, lambda task: LOG.append(task.name))
    async with AsyncSession(database) as session:
        found = await session.create(Note, text="x")
        assert found.task is not None
        assert LOG == ["made for it"]
        assert await session.query(Note).filter(Note.task.name == "made for it").count() == 1


async def test_hooks_of_one_session_are_of_no_other(database: Database, on: On) -> None:
    one, two = AsyncSession(database), AsyncSession(database)
    on("before_save", one, note("one"))
    on("after_commit", one, note("one committed"))
    async with one, two:
        await two.create(Task, name="x")
        await two.commit()
        assert LOG == []
        await one.create(Task, name="y")
        await one.commit()
    assert LOG == ["one", "one committed"]
