"""A session over keys of two columns, references to the own table, one-to-one, links and versions, against a model.

`CORMORANT_MACHINE_EXAMPLES` says how many random runs of 30 steps each database gets.
"""

from __future__ import annotations

import asyncio
import os
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule, run_state_machine_as_test

from cormorant import AsyncSession, Database, text
from cormorant.errors import (
    DependencyCycleError,
    ForeignKeyViolation,
    NotLoadedError,
    StaleObjectError,
    UniqueViolation,
)
from cormorant.models.state import is_ghost
from tests.support import museum
from tests.support.museum import KINDS, MANY
from tests.support.museum_machine import TABLES, Ours, Side, WorldMachine, names, picks

EXAMPLES = int(os.environ.get("CORMORANT_MACHINE_EXAMPLES", "0"))

STEPS = ["write", "rename", "sql", "query", "refresh", "get", "collections", "put in", "delete", "clear"]
STEPS += ["enter", "leave", "fail"]

# explaining a failure means tracing every line
PHASES = (Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink)


class MuseumMachine(WorldMachine):
    """One session, and what only Cormorant can be asked."""

    FOLLOWS_DELETES = True
    REUSES_NAMES = True

    def __init__(self, runner: asyncio.Runner, database: Database) -> None:
        super().__init__(runner)
        self.database = database
        # by block: the objects that showed their rows when it began, and whether nothing waited then
        self.whole_before: list[tuple[dict[int, Any], bool]] = []
        self.was_cleared = False

    async def make_sides(self) -> list[Side]:
        async with AsyncSession(self.database) as session:
            for table in TABLES:
                await session.execute(text(f"DELETE FROM museum_{table}"))
        self.ours = Ours(self.database)
        return [self.ours]

    @property
    def session(self) -> AsyncSession:
        return self.ours.session

    def is_outermost(self) -> bool:
        return len(self.session.state().transactions.levels) == 1

    @property
    def is_clean(self) -> bool:
        return not self.session.in_transaction and self.session.state().unit.is_empty

    # ---- blocks in which rows are read again, and objects forgotten

    def whole(self) -> dict[int, Any]:
        return {tag: one for tag in self.now.rows if not is_ghost(one := self.ours.objects[tag])}

    @precondition(lambda self: len(self.blocks) < 4)
    @rule()
    def enter_block(self) -> None:
        clean = self.session.state().unit.is_empty or self.session.in_transaction
        super().enter_block()
        self.whole_before.append((self.whole(), clean))

    @precondition(lambda self: self.blocks)
    @rule(failed=st.booleans())
    def leave_block(self, failed: bool) -> None:
        super().leave_block(failed)
        whole, _ = self.whole_before.pop()
        if failed:
            self.regain()
            # nobody has to read again what was read before
            for tag, instance in whole.items():
                if self.ours.objects[tag] is instance:
                    assert not is_ghost(instance), tag
                    assert instance.name == self.now.rows[tag].name

    @precondition(lambda self: self.now.rows and len(self.blocks) < 4)
    @rule(steps=st.lists(st.tuples(st.sampled_from(STEPS), picks), min_size=1, max_size=8))
    def fail_in_a_block(self, steps: list[tuple[str, int]]) -> None:
        """Does much of it in one step: by chance alone a block that fails has seldom written and read."""
        depth = len(self.blocks)
        self.enter_block()
        for step, place in steps:
            self.step(step, place, depth)
        while len(self.blocks) > depth:
            self.leave_block(failed=True)

    def step(self, step: str, place: int, depth: int) -> None:
        if step == "write":
            self.add_guest("new", place)
            self.each("flush")
        elif step == "rename" and self.now.rows:
            self.rename(place, f"{place}")
        elif step == "sql" and (self.now.of("Room") or self.now.of("Guest")):
            self.rename_by_sql(place, f"{place}", ("refresh", "query", "lock")[place % 3])
        elif step == "query":
            self.query(set(KINDS))
        elif step == "refresh" and self.now.rows:
            self.refresh(place)
        elif step == "get" and self.now.rows:
            self.get(place, many=bool(place & 1), fresh=bool(place & 2))
        elif step == "collections" and self.owners():
            self.compare_collections([place, place + 1])
        elif step == "put in" and self.owners():
            self.put_in(place, [place])
        elif step == "delete" and self.loose_rows():
            self.delete(place)
        elif step == "clear" and all(clean for _, clean in self.whole_before):
            self.clear_inside()
        elif step == "enter" and len(self.blocks) < 4:
            self.enter_block()
        elif step in ("leave", "fail") and len(self.blocks) > depth + 1:
            self.leave_block(failed=step == "fail")

    @precondition(lambda self: not self.blocks)
    @rule()
    def rollback(self) -> None:
        super().rollback()
        self.regain()

    def regain(self) -> None:
        """Gets the objects of rows that are there again, and whose objects were forgotten by a clear."""
        for tag, row in self.now.rows.items():
            instance = self.ours.objects[tag]
            if instance not in self.session.identity_map and instance not in self.session.new:
                assert self.was_cleared, (tag, row)
                self.ours.objects[tag] = self.run(self._get(tag))

    async def _get(self, tag: int) -> Any:
        instance = self.ours.objects[tag]
        key = (instance.shelf, instance.slot) if isinstance(instance, museum.Piece) else instance.id
        return await self.session.get_one(type(instance), key)

    @precondition(lambda self: self.blocks and all(clean for _, clean in self.whole_before))
    @rule()
    def clear_inside(self) -> None:
        self.each("flush")
        self.run(self._clear())
        self.was_cleared = True
        # the rows of others may come back
        others = self.ours.objects
        self.run(self._get_all())
        self.ours.objects = {**others, **self.ours.objects}

    @precondition(lambda self: self.now.of("Room") or self.now.of("Guest"))
    @rule(place=picks, name=names, how=st.sampled_from(["refresh", "query", "lock"]))
    def rename_by_sql(self, place: int, name: str, how: str) -> None:
        self.each("flush")
        tag = self.pick([*self.now.of("Room"), *self.now.of("Guest")], place)
        self.run(self._rename_by_sql(tag, name, how))
        self.now.rows[tag].name = name

    async def _rename_by_sql(self, tag: int, name: str, how: str) -> None:
        instance, table = self.ours.objects[tag], self.now.rows[tag].kind.lower()
        version = ", version = version + 1" if table == "room" else ""
        await self.session.execute(
            text(f"UPDATE museum_{table} SET name = :name{version} WHERE tag = :tag"), {"name": name, "tag": tag}
        )
        if how == "refresh":
            await self.session.refresh(instance)
        elif how == "query":
            await self.session.query(type(instance))
        else:
            await self.session.get_one(type(instance), instance.id, for_update=True)
        assert instance.name == name

    # ---- what only some order can write

    @rule(name=names, place=picks)
    def add_ring(self, name: str, place: int) -> None:
        first = self.add("Room", name, {"inside": self.any_of("Room", place)}, place)
        second = self.add("Room", name, {"inside": first}, place)
        self.relate_to(first, "inside", second if place % 3 else first)
        piece = self.add("Piece", name, {"room": second, "pair": None}, place)
        pair = self.add("Piece", name, {"room": first, "pair": piece}, place)
        self.relate_to(piece, "pair", pair)

    def relate_to(self, tag: int, ref: str, target: int) -> None:
        self.each("relate", tag, ref, target)
        self.now.rows[tag].refs[ref] = target

    @precondition(lambda self: len(self.now.of("Theme")) > 1)
    @rule(place=picks, other=picks)
    def exchange_names(self, place: int, other: int) -> None:
        self.each("flush")
        one, two = (self.pick(self.now.of("Theme"), chosen) for chosen in (place, other))
        if one != two:
            self.run(self._exchange_names(one, two))

    async def _exchange_names(self, one: int, two: int) -> None:
        first, second = await self.ours.whole(one), await self.ours.whole(two)
        before = first.name, second.name
        second.name, first.name = before
        # nothing was sent, and it still waits
        with pytest.raises(DependencyCycleError):
            await self.session.flush()
        assert (second.name, first.name) == before
        first.name, second.name = before

    @precondition(lambda self: self.carded_pieces())
    @rule(place=picks, name=names)
    def replace_card(self, place: int, name: str) -> None:
        tag = self.pick(self.carded_pieces(), place)
        self.each("flush")
        (card,) = self.cards_of(tag)
        self.each("delete", card)
        self.deleting = True
        self.now.delete([card])
        self.add("Card", name, {"piece": tag}, place)

    def carded_pieces(self) -> list[int]:
        return [tag for tag in self.now.of("Piece") if self.cards_of(tag)]

    def cards_of(self, tag: int) -> list[int]:
        return [other for other, _ in self.now.pointing(tag) if self.now.rows[other].kind == "Card"]

    # ---- what is shown without asking the database

    @rule()
    def flush_and_look(self) -> None:
        self.each("flush")
        for tag, row in self.now.rows.items():
            instance = self.ours.objects[tag]
            for collection, *_ in MANY.get(row.kind, ()):
                shown = getattr(instance, collection)
                if shown.is_loaded:
                    assert {self.ours.tag_of(one) for one in shown} == self.now.members(tag, collection)
            if row.kind == "Piece":
                self.look_at_card(tag, instance)

    def look_at_card(self, tag: int, piece: Any) -> None:
        cards = self.cards_of(tag)
        try:
            shown = piece.card
        except NotLoadedError:
            return
        assert ([] if shown is None else [shown]) == [self.ours.objects[card] for card in cards]

    @precondition(lambda self: self.now.of("Piece"))
    @rule(place=picks)
    def load_card(self, place: int) -> None:
        tag = self.pick(self.now.of("Piece"), place)
        self.each("flush")
        piece = self.ours.objects[tag]
        self.run(self.session.load(piece, museum.Piece.card))
        self.look_at_card(tag, piece)

    # ---- by key

    @precondition(lambda self: self.now.rows)
    @rule(place=picks, many=st.booleans(), fresh=st.booleans())
    def get(self, place: int, many: bool, fresh: bool) -> None:
        kind = self.now.rows[self.pick([*self.now.rows], place)].kind
        self.each("flush")
        tags = self.now.of(kind)
        objects = [self.ours.objects[tag] for tag in tags]
        keys = [(one.shelf, one.slot) if kind == "Piece" else one.id for one in objects]
        model: Any = getattr(museum, kind)
        if many:
            assert self.run(self.session.get_many(model, keys)) == objects
        for key, one in zip(keys, objects, strict=True):
            assert self.run(self.session.get(model, key, for_update=fresh)) is one

    @precondition(lambda self: self.lonely_pieces())
    @rule(place=picks, key=picks)
    def change_key(self, place: int, key: int) -> None:
        self.each("flush")
        tag = self.pick(self.lonely_pieces(), place)
        self.now.rows[tag].key = self.free_key(key)
        self.each("move", tag, self.now.rows[tag].key)

    def lonely_pieces(self) -> list[int]:
        linked = {piece for piece, _ in self.now.links}
        return [tag for tag in self.now.of("Piece") if not self.now.pointing(tag) and tag not in linked]

    @precondition(lambda self: self.now.rows)
    @rule(place=picks)
    def refresh(self, place: int) -> None:
        self.each("flush")
        tag = self.pick([*self.now.rows], place)
        self.run(self.session.refresh(self.ours.objects[tag]))
        assert self.run(self.ours.held(tag)) == self.now.rows[tag]

    # ---- leaving

    @rule(name=names)
    def add_and_expunge(self, name: str) -> None:
        self.run(self._add_and_expunge(museum.Room(tag=0, name=name)))

    async def _add_and_expunge(self, room: museum.Room) -> None:
        self.session.add(room)
        self.session.expunge(room)

    @precondition(lambda self: not self.blocks)
    @rule(clear=st.booleans())
    def start_afresh(self, clear: bool) -> None:
        self.commit()
        if clear:
            self.run(self._clear())
        else:
            self.each("close")
            self.each("open")
        self.run(self._get_all())

    async def _clear(self) -> None:
        self.session.clear()

    async def _get_all(self) -> None:
        old = {tag: self.ours.objects[tag] for tag in self.now.rows}
        self.ours.objects = {}
        for tag, instance in old.items():
            key = (instance.shelf, instance.slot) if isinstance(instance, museum.Piece) else instance.id
            self.ours.objects[tag] = await self.session.get_one(type(instance), key)

    # ---- what is refused leaves everything as it was

    @precondition(lambda self: self.now.of("Theme"))
    @rule(place=picks, name=names)
    def refused_twice(self, place: int, name: str) -> None:
        taken = self.now.rows[self.pick(self.now.of("Theme"), place)].name
        # the one that has the name is in the database
        self.each("flush")
        theme = museum.Theme(tag=0, name=taken)
        self.run(self._refused(UniqueViolation, lambda: self.session.add(museum.Room(tag=0, name=name), theme)))

    @precondition(lambda self: self.busy_guests())
    @rule(place=picks)
    def refused_delete(self, place: int) -> None:
        self.each("flush")
        guest = self.ours.objects[self.pick(self.busy_guests(), place)]
        self.run(self._refused(ForeignKeyViolation, lambda: self.session.delete(guest)))

    def busy_guests(self) -> list[int]:
        return sorted({row.refs["guest"] or 0 for row in self.now.rows.values() if row.kind == "Loan"})

    async def _refused(self, kind: type[Exception], work: Any) -> None:
        with pytest.raises(kind):
            async with self.session.transaction():
                work()

    # ---- somebody else

    @precondition(lambda self: self.is_clean and not self.blocks and self.versioned())
    @rule(place=picks, name=names, mine=st.none() | names)
    def change_outside(self, place: int, name: str, mine: str | None) -> None:
        tag = self.pick(self.versioned(), place)
        self.run(self._change_outside(tag, name + "!", mine))
        self.now.rows[tag].name = name + "!"
        self.committed = self.now.copy()

    async def _change_outside(self, tag: int, name: str, mine: str | None) -> None:
        instance = await self.ours.whole(tag)
        async with AsyncSession(self.database) as other:
            theirs = await other.query(type(instance)).filter(type(instance).tag == tag).one()
            theirs.name += "?"
            await other.flush()
            theirs.name = name
        if mine is None:
            await self.session.refresh(instance)
        else:
            instance.name = mine + "."
            with pytest.raises(StaleObjectError):
                await self.session.flush()
            await self.session.rollback()
            await self.session.refresh(instance)
        assert instance.name == name

    def versioned(self) -> list[int]:
        return [*self.now.of("Room"), *self.now.of("Piece")]


def test_a_museum_agrees_with_a_plain_model(database_dsn: str) -> None:
    on_sqlite = database_dsn.startswith("sqlite")
    examples = EXAMPLES or (100 if on_sqlite else 20)
    with asyncio.Runner() as runner:
        # in memory there are no files to wait for
        database = Database("sqlite://" if on_sqlite else database_dsn)
        runner.run(database.create_all(*museum.MODELS))
        try:
            machine: Any = partial(MuseumMachine, runner, database)
            run_state_machine_as_test(
                machine,
                settings=settings(
                    max_examples=examples,
                    stateful_step_count=30,
                    deadline=None,
                    report_multiple_bugs=False,
                    phases=PHASES,
                    suppress_health_check=list(HealthCheck),
                ),
            )
        finally:
            runner.run(database.close())
