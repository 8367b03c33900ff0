"""A session against a plain model of it: random work, savepoints and rollbacks, and memory that always agrees."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from cormorant import AsyncSession, Database
from cormorant.models.state import is_ghost, is_persistent
from tests.support.newsroom import MODELS, Label, Story, Writer

T = TypeVar("T")
names = st.text("abcé'\"\\", max_size=3)
picks = st.integers(0, 1000)


@dataclass
class World:
    """What a database should hold; objects go by the numbers the test gives them."""

    writers: dict[int, tuple[str, int]] = field(default_factory=dict)
    stories: dict[int, tuple[str, int, int]] = field(default_factory=dict)
    labels: dict[int, str] = field(default_factory=dict)
    links: set[tuple[int, int]] = field(default_factory=set)


class SessionMachine(RuleBasedStateMachine):
    """Does the same to a session and to a world."""

    def __init__(self, dsn: str) -> None:
        super().__init__()
        self.dsn = dsn
        self.runner = asyncio.Runner()
        self.now, self.committed = World(), World()
        self.blocks: list[tuple[Any, World]] = []
        self.objects: dict[int, Any] = {}
        self.number = 0

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    def on_loop(self, function: Callable[..., T], *args: Any) -> T:
        """Calls a function where sessions may be used."""

        async def call() -> T:
            return function(*args)

        return self.run(call())

    @initialize()
    def open(self) -> None:
        self.run(self._open())

    async def _open(self) -> None:
        self.database = Database(self.dsn)
        await self.database.drop_all(*MODELS)
        await self.database.create_all(*MODELS)
        self.session = await AsyncSession(self.database).__aenter__()

    def teardown(self) -> None:
        try:
            self.run(self._close())
        finally:
            self.runner.close()

    async def _close(self) -> None:
        while self.blocks:
            await self._leave_block(failed=False)
        await self.session.__aexit__(None, None, None)
        await self._compare_rows(self.now)
        await self.database.close()

    # ---- picking

    def new_number(self, instance: Any) -> int:
        self.number += 1
        self.objects[self.number] = instance
        return self.number

    def pick(self, kind: dict[int, Any], place: int) -> int:
        return sorted(kind)[place % len(kind)]

    def number_of(self, instance: Any) -> int:
        return next(number for number, known in self.objects.items() if known is instance)

    # ---- work

    @rule(name=names, age=st.integers(0, 9))
    def add_writer(self, name: str, age: int) -> None:
        writer = Writer(name=name, age=age)
        self.on_loop(self.session.add, writer)
        self.now.writers[self.new_number(writer)] = (name, age)

    @precondition(lambda self: self.now.writers)
    @rule(title=names, place=picks)
    def add_story(self, title: str, place: int) -> None:
        writer = self.pick(self.now.writers, place)
        story = Story(title=title, writer=self.objects[writer])
        self.on_loop(self.session.add, story)
        self.now.stories[self.new_number(story)] = (title, 0, writer)

    @precondition(lambda self: self.now.stories)
    @rule(place=picks, found=st.booleans())
    def add_label_to_story(self, place: int, found: bool) -> None:
        story = self.pick(self.now.stories, place)
        label = Label(name=f"{self.number}")
        self.objects[story].labels.add(label)
        # either the query's flush finds it on its way, or it is added by hand
        self.run(self._compare_label_is_found(label)) if found else self.on_loop(self.session.add, label)
        number = self.new_number(label)
        self.now.labels[number] = label.name
        self.now.links.add((story, number))

    async def _compare_label_is_found(self, label: Label) -> None:
        assert label in await self.session.query(Label)

    @precondition(lambda self: self.now.writers)
    @rule(place=picks, name=names, age=st.integers(0, 9))
    def change_writer(self, place: int, name: str, age: int) -> None:
        number = self.pick(self.now.writers, place)
        writer = self.loaded(number)
        writer.name, writer.age = name, age
        self.now.writers[number] = (name, age)

    @precondition(lambda self: self.now.stories)
    @rule(place=picks, title=names, other=picks)
    def change_story(self, place: int, title: str, other: int) -> None:
        number = self.pick(self.now.stories, place)
        writer = self.pick(self.now.writers, other)
        story = self.loaded(number)
        story.title, story.writer = title, self.objects[writer]
        story.views += 1
        self.now.stories[number] = (title, self.now.stories[number][1] + 1, writer)

    @precondition(lambda self: self.now.stories and self.now.labels)
    @rule(place=picks, other=picks, turned=st.booleans(), load=st.booleans())
    def link(self, place: int, other: int, turned: bool, load: bool) -> None:
        story, label = self.pick(self.now.stories, place), self.pick(self.now.labels, other)
        near, far = self.ends(story, label, turned=turned, load=load)
        near.add(far)
        self.now.links.add((story, label))

    @precondition(lambda self: self.now.links)
    @rule(place=picks, turned=st.booleans(), load=st.booleans())
    def unlink(self, place: int, turned: bool, load: bool) -> None:
        story, label = sorted(self.now.links)[place % len(self.now.links)]
        near, far = self.ends(story, label, turned=turned, load=load)
        near.remove(far)
        self.now.links.remove((story, label))

    def ends(self, story: int, label: int, *, turned: bool, load: bool) -> tuple[Any, Any]:
        if load:
            self.run(self._await(self.objects[story].labels))
            self.run(self._await(self.objects[label].stories))
        return (
            (self.objects[label].stories, self.objects[story])
            if turned
            else (self.objects[story].labels, self.objects[label])
        )

    @precondition(lambda self: self.now.stories)
    @rule(place=picks)
    def delete_story(self, place: int) -> None:
        number = self.pick(self.now.stories, place)
        self.on_loop(self.session.delete, self.objects[number])
        del self.now.stories[number]
        self.now.links = {link for link in self.now.links if link[0] != number}

    @precondition(lambda self: self.now.labels)
    @rule(place=picks)
    def delete_label(self, place: int) -> None:
        number = self.pick(self.now.labels, place)
        self.on_loop(self.session.delete, self.objects[number])
        del self.now.labels[number]
        self.now.links = {link for link in self.now.links if link[1] != number}

    @precondition(lambda self: self.idle_writers())
    @rule(place=picks)
    def delete_writer(self, place: int) -> None:
        number = self.pick(self.idle_writers(), place)
        self.on_loop(self.session.delete, self.objects[number])
        del self.now.writers[number]

    def idle_writers(self) -> dict[int, Any]:
        busy = {writer for _, _, writer in self.now.stories.values()}
        return {number: values for number, values in self.now.writers.items() if number not in busy}

    # ---- flush, blocks, commit

    @rule()
    def flush(self) -> None:
        self.run(self.session.flush())
        assert [*self.session.new, *self.session.dirty, *self.session.deleted] == []
        self.run(self._compare_collections())

    @precondition(lambda self: len(self.blocks) < 4)
    @rule()
    def enter_block(self) -> None:
        self.run(self._enter_block())

    async def _enter_block(self) -> None:
        block = self.session.transaction()
        await block.__aenter__()
        self.blocks.append((block, copy.deepcopy(self.now)))

    @precondition(lambda self: self.blocks)
    @rule(failed=st.booleans())
    def leave_block(self, failed: bool) -> None:
        self.run(self._leave_block(failed=failed))

    async def _leave_block(self, *, failed: bool) -> None:
        block, before = self.blocks.pop()
        outermost = len(self.session.state().transactions.levels) == 1
        await block.__aexit__(*((ZeroDivisionError, ZeroDivisionError(), None) if failed else (None, None, None)))
        if failed:
            self.now = before
        elif outermost:
            self.committed = copy.deepcopy(self.now)

    @precondition(lambda self: not self.blocks)
    @rule()
    def commit(self) -> None:
        self.run(self.session.commit())
        self.committed = copy.deepcopy(self.now)
        self.run(self._compare_rows(self.now))

    @precondition(lambda self: not self.blocks)
    @rule()
    def rollback(self) -> None:
        self.run(self.session.rollback())
        self.now = copy.deepcopy(self.committed)
        assert [*self.session.new, *self.session.dirty, *self.session.deleted] == []

    @precondition(lambda self: not self.blocks)
    @rule()
    def new_session(self) -> None:
        self.run(self._new_session())

    async def _new_session(self) -> None:
        await self.session.__aexit__(None, None, None)
        self.committed = copy.deepcopy(self.now)
        self.session = await AsyncSession(self.database).__aenter__()
        alive = {*self.now.writers, *self.now.stories, *self.now.labels}
        old, self.objects = self.objects, {}
        for number in alive:
            self.objects[number] = await self.session.get_one(type(old[number]), old[number].id)

    # ---- comparing

    @rule()
    def query(self) -> None:
        self.run(self._compare_query())
        self.run(self._compare_collections())

    async def _compare_query(self) -> None:
        for model, kind in ((Writer, self.now.writers), (Story, self.now.stories), (Label, self.now.labels)):
            found = await self.session.query(model)
            assert {self.number_of(instance) for instance in found} == set(kind)
            assert len(found) == len(kind)

    async def _compare_collections(self) -> None:
        for story in self.now.stories:
            labels = {self.number_of(label) for label in await self.objects[story].labels}
            assert labels == {label for other, label in self.now.links if other == story}
        for writer in self.now.writers:
            stories = {self.number_of(story) for story in await self.objects[writer].stories}
            assert stories == {number for number, (_, _, by) in self.now.stories.items() if by == writer}

    def loaded(self, number: int) -> Any:
        """Gives an object that a rollback may have made a reference."""
        instance = self.objects[number]
        if is_ghost(instance) and is_persistent(instance):
            self.run(self._await(instance))
        return instance

    async def _await(self, awaitable: Any) -> Any:
        return await awaitable

    @rule()
    def compare_memory(self) -> None:
        for number, values in self.now.writers.items():
            writer = self.loaded(number)
            assert (writer.name, writer.age) == values
        for number, (title, views, by) in self.now.stories.items():
            story = self.loaded(number)
            assert (story.title, story.views) == (title, views)
            assert story.writer is self.objects[by]
        for number, name in self.now.labels.items():
            assert self.loaded(number).name == name

    async def _compare_rows(self, world: World) -> None:
        """Reads everything in a fresh session."""
        async with AsyncSession(self.database) as fresh:
            writers = {w.id: (w.name, w.age) for w in await fresh.query(Writer)}
            stories = await fresh.query(Story)
            rows = {s.id: (s.title, s.views, s.writer_id) for s in stories}
            links = {(s.id, label.id) for s in stories for label in await s.labels}
        key = {number: self.objects[number].id for number in (*world.writers, *world.stories, *world.labels)}
        assert writers == {key[n]: values for n, values in world.writers.items()}
        assert rows == {key[n]: (title, views, key[by]) for n, (title, views, by) in world.stories.items()}
        assert links == {(key[story], key[label]) for story, label in world.links}


@pytest.mark.parametrize("examples", [120])
def test_a_session_agrees_with_a_plain_model_on_sqlite(examples: int) -> None:
    run_state_machine_as_test(
        lambda: SessionMachine("sqlite://"),
        settings=settings(max_examples=examples, stateful_step_count=30, deadline=None, report_multiple_bugs=False),
    )


def test_a_session_agrees_with_a_plain_model_on_postgresql(postgres_database: str) -> None:
    run_state_machine_as_test(
        lambda: SessionMachine(postgres_database),
        settings=settings(
            max_examples=20,
            stateful_step_count=30,
            deadline=None,
            report_multiple_bugs=False,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
        ),
    )
