"""Everything that loads, mixed with everything that changes: parts and wholes never lie, whatever came before."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule, run_state_machine_as_test

from tests.property.test_session_machine import SessionMachine, picks
from tests.support.newsroom import Label, Story, Writer


class LoadingMachine(SessionMachine):
    """Loads in every way, between changes."""

    def labels_of(self, story: int) -> set[int]:
        return {label for other, label in self.now.links if other == story}

    def stories_of(self, writer: int) -> set[int]:
        return {number for number, (_, _, by) in self.now.stories.items() if by == writer}

    def numbers(self, objects: Any) -> set[int]:
        return {self.number_of(instance) for instance in objects}

    # ---- links at once

    @precondition(lambda self: self.now.stories and self.now.labels)
    @rule(place=picks, others=st.lists(picks, max_size=3), turned=st.booleans())
    def link_at_once(self, place: int, others: list[int], turned: bool) -> None:
        story = self.pick(self.now.stories, place)
        labels = [self.pick(self.now.labels, other) for other in others]
        self.run(self._at_once("add", story, labels, turned=turned))
        self.now.links |= {(story, label) for label in labels}

    @precondition(lambda self: self.now.stories and self.now.labels)
    @rule(place=picks, others=st.lists(picks, max_size=3), turned=st.booleans())
    def unlink_at_once(self, place: int, others: list[int], turned: bool) -> None:
        story = self.pick(self.now.stories, place)
        labels = [self.pick(self.now.labels, other) for other in others]
        self.run(self._at_once("remove", story, labels, turned=turned))
        self.now.links -= {(story, label) for label in labels}

    async def _at_once(self, verb: str, story: int, labels: list[int], *, turned: bool) -> None:
        write: Any = self.session.add_m2m if verb == "add" else self.session.remove_m2m
        if turned:
            for label in labels:
                await write(self.objects[label], Label.stories, self.objects[story])
        else:
            await write(self.objects[story], Story.labels, *(self.objects[label] for label in labels))

    @precondition(lambda self: self.now.stories)
    @rule(place=picks)
    def clear_at_once(self, place: int) -> None:
        story = self.pick(self.now.stories, place)
        self.run(self.session.clear_m2m(self.objects[story], Story.labels))
        self.now.links = {link for link in self.now.links if link[0] != story}

    # ---- loading

    @rule(count=st.integers(0, 3))
    def load_parts(self, count: int) -> None:
        self.run(self._load_parts(count))

    async def _load_parts(self, count: int) -> None:
        for writer in await self.session.query(Writer).prefetch_related(Writer.stories.limit(count)):
            self._check_part(writer.stories, self.stories_of(self.number_of(writer)), count)
        part = Story.labels.order_by(Label.name.desc()).limit(count)
        for story in await self.session.query(Story).prefetch_related(part):
            self._check_part(story.labels, self.labels_of(self.number_of(story)), count)

    def _check_part(self, collection: Any, whole: set[int], count: int) -> None:
        assert collection.is_partial
        shown = self.numbers(collection)
        assert shown <= whole
        assert len(shown) == min(count, len(whole))

    @rule()
    def load_up_front(self) -> None:
        self.run(self._load_up_front())

    async def _load_up_front(self) -> None:
        query = self.session.query(Story).select_related(Story.writer.stories).prefetch_related(Story.labels)
        for story in await query:
            number = self.number_of(story)
            assert story.writer is self.objects[self.now.stories[number][2]]
            assert story.writer.name == self.now.writers[self.number_of(story.writer)][0]
            assert self.numbers(story.labels) == self.labels_of(number)
            assert self.numbers(story.writer.stories) == self.stories_of(self.number_of(story.writer))

    @rule()
    def load_lists(self) -> None:
        self.run(self._load_lists())

    async def _load_lists(self) -> None:
        rows = await self.session.query(Writer).annotate(Writer.stories, Writer.stories.count())
        for writer, stories, count in rows:
            assert self.numbers(stories) == self.stories_of(self.number_of(writer))
            assert len(stories) == count
        for label, stories in await self.session.query(Label).annotate(Label.stories.filter(Story.views > 0)):
            number = self.number_of(label)
            linked = {story for story, other in self.now.links if other == number}
            assert self.numbers(stories) == {story for story in linked if self.now.stories[story][1] > 0}

    @rule(whole=st.booleans())
    def load_columns(self, whole: bool) -> None:
        self.run(self._load_columns(whole=whole))

    async def _load_columns(self, *, whole: bool) -> None:
        stories = await self.session.query(Story).only(Story.title).select_related(Story.writer)
        for story in stories:
            title, views, by = self.now.stories[self.number_of(story)]
            assert (story.title, story.writer) == (title, self.objects[by])
            assert (await story).views == views if whole else True
        writers = await self.session.query(Writer).defer(Writer.age)
        await self.session.load(writers, Writer.age, Writer.stories)
        for writer in writers:
            number = self.number_of(writer)
            assert (writer.name, writer.age) == self.now.writers[number]
            assert self.numbers(writer.stories) == self.stories_of(number)

    @rule()
    def load_what_is_at_hand(self) -> None:
        known = [self.objects[number] for number in self.now.stories]
        mine = [story for story in known if story.__orm_origin__ is not None]
        if self.session.deleted:
            # what is at hand shows those until they are
            self.run(self.session.flush())
        self.run(self.session.load(mine, Story.writer, Story.labels))
        for story in mine:
            assert self.numbers(story.labels) == self.labels_of(self.number_of(story))


def test_loading_agrees_with_a_plain_model_on_sqlite() -> None:
    run_state_machine_as_test(
        lambda: LoadingMachine("sqlite://"),
        settings=settings(max_examples=90, stateful_step_count=30, deadline=None, report_multiple_bugs=False),
    )


def test_loading_agrees_with_a_plain_model_on_postgresql(postgres_database: str) -> None:
    run_state_machine_as_test(
        lambda: LoadingMachine(postgres_database),
        settings=settings(
            max_examples=15,
            stateful_step_count=30,
            deadline=None,
            report_multiple_bugs=False,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
        ),
    )
