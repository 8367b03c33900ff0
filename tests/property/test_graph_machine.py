"""Object graphs against a plain model of them: cascades, orphans and both sides of relations, with savepoints."""

from __future__ import annotations

import asyncio
import copy
import os
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from cormorant import AsyncSession, Database
from cormorant.models.state import is_ghost, is_persistent
from tests.support.households import MODELS, Branch, Guest, House, Line, Order, Room

T = TypeVar("T")
picks = st.integers(0, 1000)
EXAMPLES = int(os.environ.get("CORMORANT_GRAPH_EXAMPLES", "0"))


@dataclass
class World:
    """What a database should hold; objects go by the numbers the test gives them. None is no owner."""

    houses: set[int] = field(default_factory=set)
    rooms: dict[int, int] = field(default_factory=dict)
    guests: dict[int, int | None] = field(default_factory=dict)
    orders: set[int] = field(default_factory=set)
    lines: dict[int, int] = field(default_factory=dict)
    branches: dict[int, int | None] = field(default_factory=dict)

    @property
    def alive(self) -> set[int]:
        return {*self.houses, *self.rooms, *self.guests, *self.orders, *self.lines, *self.branches}


class GraphMachine(RuleBasedStateMachine):
    """Does the same to a session and to a world."""

    def __init__(self, dsn: str) -> None:
        super().__init__()
        self.dsn = dsn
        self.runner = asyncio.Runner()
        self.now, self.committed = World(), World()
        self.blocks: list[tuple[Any, World]] = []
        self.objects: dict[int, Any] = {}
        self.number = 0
        # key columns were set, which show when they are written
        self.keyed = False

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

    def new_number(self, instance: Any) -> int:
        self.number += 1
        self.objects[self.number] = instance
        return self.number

    def pick(self, kind: Any, place: int) -> int:
        found: int = sorted(kind)[place % len(kind)]
        return found

    async def _await(self, awaitable: Any) -> Any:
        return await awaitable

    def loaded(self, number: int) -> Any:
        """Gives an object that a rollback may have made a reference."""
        instance = self.objects[number]
        if is_ghost(instance) and is_persistent(instance):
            self.run(self._await(instance))
        return instance

    def members(self, number: int, name: str, *, load: bool) -> Any:
        """Gives a collection, loaded if it is to be."""
        collection = getattr(self.objects[number], name)
        if load:
            self.run(self._await(collection))
        return collection

    # ---- more

    @rule(order=st.booleans())
    def add_owner(self, order: bool) -> None:
        owner: Any = Order() if order else House()
        self.on_loop(self.session.add, owner)
        (self.now.orders if order else self.now.houses).add(self.new_number(owner))

    @precondition(lambda self: self.now.houses)
    @rule(place=picks, by_collection=st.booleans(), load=st.booleans())
    def add_room(self, place: int, by_collection: bool, load: bool) -> None:
        house = self.pick(self.now.houses, place)
        room = Room(house=self.objects[house])
        rooms = self.members(house, "rooms", load=load)
        rooms.add(room) if by_collection else self.on_loop(self.session.add, room)
        self.now.rooms[self.new_number(room)] = house

    @precondition(lambda self: self.now.houses)
    @rule(place=picks, load=st.booleans())
    def add_guest(self, place: int, load: bool) -> None:
        house = self.pick(self.now.houses, place)
        guest = Guest()
        self.members(house, "guests", load=load).add(guest)
        self.now.guests[self.new_number(guest)] = house

    @precondition(lambda self: self.now.orders)
    @rule(place=picks, load=st.booleans())
    def add_line(self, place: int, load: bool) -> None:
        order = self.pick(self.now.orders, place)
        line = Line(order=self.objects[order])
        self.members(order, "lines", load=load).add(line)
        self.now.lines[self.new_number(line)] = order

    @rule(place=picks, root=st.booleans())
    def add_branch(self, place: int, root: bool) -> None:
        parent = None if root or not self.now.branches else self.pick(self.now.branches, place)
        branch = Branch(parent=None if parent is None else self.objects[parent])
        self.on_loop(self.session.add, branch)
        self.now.branches[self.new_number(branch)] = parent

    # ---- moves

    @precondition(lambda self: self.now.rooms)
    @rule(place=picks, other=picks, by_collection=st.booleans(), load=st.booleans())
    def move_room(self, place: int, other: int, by_collection: bool, load: bool) -> None:
        room, house = self.pick(self.now.rooms, place), self.pick(self.now.houses, other)
        moved = self.loaded(room)
        rooms = self.members(house, "rooms", load=load)
        if by_collection:
            rooms.add(moved)
        else:
            moved.house = self.objects[house]
        self.now.rooms[room] = house

    @precondition(lambda self: self.now.lines)
    @rule(place=picks, other=picks, out_first=st.booleans(), load=st.booleans())
    def move_line(self, place: int, other: int, out_first: bool, load: bool) -> None:
        line, order = self.pick(self.now.lines, place), self.pick(self.now.orders, other)
        moved = self.loaded(line)
        if out_first:
            self.members(self.now.lines[line], "lines", load=load).remove(moved)
        self.members(order, "lines", load=False).add(moved)
        self.now.lines[line] = order

    @precondition(lambda self: self.now.lines)
    @rule(place=picks, load=st.booleans())
    def take_line_out(self, place: int, load: bool) -> None:
        line = self.pick(self.now.lines, place)
        taken = self.loaded(line)
        self.members(self.now.lines[line], "lines", load=load).remove(taken)
        del self.now.lines[line]

    @precondition(lambda self: [g for g, house in self.now.guests.items() if house is not None])
    @rule(place=picks, by_collection=st.booleans(), load=st.booleans())
    def let_guest_go(self, place: int, by_collection: bool, load: bool) -> None:
        guest = self.pick([g for g, house in self.now.guests.items() if house is not None], place)
        leaving, house = self.loaded(guest), self.now.guests[guest]
        guests = self.members(house or 0, "guests", load=load)
        if by_collection:
            guests.remove(leaving)
        else:
            leaving.house = None
        if leaving.__orm_origin__ is None:
            # nobody but the collection had it
            del self.now.guests[guest]
        else:
            self.now.guests[guest] = None

    @precondition(lambda self: self.now.guests and self.now.houses)
    @rule(place=picks, other=picks, first=picks, how=st.sampled_from(["relation", "add", "remove", "none", "key"]))
    def move_guest_by_key(self, place: int, other: int, first: int, how: str) -> None:
        """What was set of the relation before its key column counts no more."""
        guest, house = self.pick(self.now.guests, place), self.pick(self.now.houses, other)
        before, owner = self.pick(self.now.houses, first), self.now.guests[guest]
        moved, target = self.loaded(guest), self.objects[house]
        if not is_persistent(target):
            self.run(self.session.flush())
        if how == "relation":
            moved.house = self.objects[before]
        elif how == "add":
            self.members(before, "guests", load=False).add(moved)
        elif how == "none":
            moved.house = None
        elif how == "remove" and owner is not None:
            self.members(owner, "guests", load=True).remove(moved)
        self.set_key(moved, "house_id", target.id)
        self.now.guests[guest] = house

    @precondition(lambda self: self.now.lines)
    @rule(place=picks, other=picks, how=st.sampled_from(["relation", "remove", "key"]))
    def move_line_by_key(self, place: int, other: int, how: str) -> None:
        line, order = self.pick(self.now.lines, place), self.pick(self.now.orders, other)
        moved, target = self.loaded(line), self.objects[order]
        if not is_persistent(target):
            self.run(self.session.flush())
        if how == "relation":
            moved.order = target
        elif how == "remove":
            self.members(self.now.lines[line], "lines", load=True).remove(moved)
        self.set_key(moved, "order_id", target.id)
        self.now.lines[line] = order

    def set_key(self, instance: Any, name: str, key: int) -> None:
        setattr(instance, name, key)
        if instance.__orm_origin__ is None:
            # nobody but the collection had it
            self.on_loop(self.session.add, instance)
        self.keyed = True

    @precondition(lambda self: self.now.lines)
    @rule(place=picks, by_clear=st.booleans(), often=st.integers(1, 2))
    def take_line_back(self, place: int, by_clear: bool, often: int) -> None:
        line = self.pick(self.now.lines, place)
        self.run(self.session.flush())
        self.keyed = False
        taken = self.loaded(line)
        lines = self.members(self.now.lines[line], "lines", load=True)
        for _ in range(often):
            others = [member for member in lines if member is not taken]
            lines.set(others) if by_clear else lines.remove(taken)
            assert list(self.session.deleted) == [taken]
            self.on_loop(self.session.add, taken)
            assert [*self.session.deleted, *self.session.dirty] == []

    @precondition(lambda self: self.now.guests and self.now.houses and not self.blocks)
    @rule(place=picks, other=picks, how=st.sampled_from(["relation", "add", "none", "key", "nothing"]))
    def expunge_guest(self, place: int, other: int, how: str) -> None:
        """What was pending for it goes with it, and its row is read into another object."""
        guest, house = self.pick(self.now.guests, place), self.pick(self.now.houses, other)
        self.run(self.session.flush())
        self.keyed = False
        leaving, target = self.loaded(guest), self.objects[house]
        if how == "relation":
            leaving.house = target
        elif how == "add":
            self.members(house, "guests", load=True).add(leaving)
        elif how == "none":
            leaving.house = None
        elif how == "key":
            leaving.house_id = target.id
        self.on_loop(self.session.expunge, leaving)
        assert not self.session.dirty
        self.objects[guest] = self.run(self.session.get_one(Guest, leaving.id))
        assert self.objects[guest] is not leaving

    # ---- fewer

    @precondition(lambda self: self.now.houses)
    @rule(place=picks)
    def delete_house(self, place: int) -> None:
        house = self.pick(self.now.houses, place)
        self.write_those_of(
            number for kind in (self.now.rooms, self.now.guests) for number in kind if kind[number] == house
        )  # type: ignore[index]
        self.on_loop(self.session.delete, self.objects[house])
        self.now.houses.remove(house)
        self.now.rooms = {room: owner for room, owner in self.now.rooms.items() if owner != house}
        self.now.guests = {guest: None if owner == house else owner for guest, owner in self.now.guests.items()}

    @precondition(lambda self: self.now.orders)
    @rule(place=picks)
    def delete_order(self, place: int) -> None:
        order = self.pick(self.now.orders, place)
        self.write_those_of(line for line in self.now.lines if self.now.lines[line] == order)
        self.on_loop(self.session.delete, self.objects[order])
        self.now.orders.remove(order)
        self.now.lines = {line: owner for line, owner in self.now.lines.items() if owner != order}

    @precondition(lambda self: self.now.branches)
    @rule(place=picks, also=picks)
    def delete_branches(self, place: int, also: int) -> None:
        chosen = {self.pick(self.now.branches, place), self.pick(self.now.branches, also)}
        self.run(self.session.flush())
        self.on_loop(self.session.delete, *(self.objects[branch] for branch in chosen))
        gone = set(chosen)
        while more := {b for b, parent in self.now.branches.items() if parent in gone} - gone:
            gone |= more
        self.now.branches = {b: parent for b, parent in self.now.branches.items() if b not in gone}

    @precondition(lambda self: self.now.rooms)
    @rule(place=picks)
    def delete_room(self, place: int) -> None:
        room = self.pick(self.now.rooms, place)
        self.on_loop(self.session.delete, self.objects[room])
        del self.now.rooms[room]

    def write_those_of(self, numbers: Any) -> None:
        """Flushes if there are unwritten ones: nothing may be written that points to what is deleted."""
        pending = [*self.session.new, *self.session.dirty]
        if any(self.objects[number] in pending or not is_persistent(self.objects[number]) for number in numbers):
            self.run(self.session.flush())

    # ---- flush, blocks, commit

    @rule()
    def flush(self) -> None:
        self.run(self.session.flush())
        assert [*self.session.new, *self.session.dirty, *self.session.deleted] == []
        self.keyed = False
        self.compare_memory()

    @precondition(lambda self: len(self.blocks) < 3)
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
        self.keyed = False
        self.committed = copy.deepcopy(self.now)
        self.run(self._compare_rows(self.now))

    @precondition(lambda self: not self.blocks)
    @rule()
    def rollback(self) -> None:
        self.run(self.session.rollback())
        self.now = copy.deepcopy(self.committed)
        assert [*self.session.new, *self.session.dirty, *self.session.deleted] == []

    @precondition(lambda self: not self.blocks)
    @rule(whole=st.booleans())
    def new_session(self, whole: bool) -> None:
        self.run(self._new_session(whole=whole))

    async def _new_session(self, *, whole: bool) -> None:
        await self.session.__aexit__(None, None, None)
        self.committed = copy.deepcopy(self.now)
        self.session = await AsyncSession(self.database).__aenter__()
        old, self.objects = self.objects, {}
        for number in self.now.alive:
            model, key = type(old[number]), old[number].id
            self.objects[number] = await self.session.get_one(model, key)

    # ---- comparing

    def number_of(self, instance: Any) -> int:
        return next(number for number in self.now.alive if self.objects[number] is instance)

    @rule()
    def query(self) -> None:
        self.run(self._compare_query())

    async def _compare_query(self) -> None:
        kinds: dict[Any, Any] = {
            House: self.now.houses,
            Room: self.now.rooms,
            Guest: self.now.guests,
            Order: self.now.orders,
            Line: self.now.lines,
            Branch: self.now.branches,
        }
        for model, kind in kinds.items():
            assert {self.number_of(row) for row in await self.session.query(model)} == set(kind)

    @rule()
    def compare_both_sides(self) -> None:
        """Compares what is there without a flush or a query, as far as nothing waits to be deleted."""
        if not (self.session.deleted or self.keyed):
            self.compare_sides(self.now.houses, "rooms", self.now.rooms)
            self.compare_sides(self.now.houses, "guests", self.now.guests)
            self.compare_sides(self.now.orders, "lines", self.now.lines)

    def compare_sides(self, owners: Any, name: str, members: dict[int, Any]) -> None:
        for owner in owners:
            held = (self.objects[owner].__orm_related__ or {}).get(name)
            if held is not None and held.is_loaded:
                assert {self.number_of(member) for member in held} == {m for m, by in members.items() if by == owner}

    def compare_memory(self) -> None:
        sides = (
            (self.now.rooms, "house", "rooms", self.now.houses),
            (self.now.guests, "house", "guests", self.now.houses),
            (self.now.lines, "order", "lines", self.now.orders),
            (self.now.branches, "parent", "branches", self.now.branches),
        )
        members: Any
        for members, name, other, owners in sides:
            for member, by in members.items():
                assert getattr(self.loaded(member), name) is (None if by is None else self.objects[by])
            for owner in owners:
                found = self.run(self._await(getattr(self.objects[owner], other)))
                assert {self.number_of(member) for member in found} == {m for m, by in members.items() if by == owner}

    async def _compare_rows(self, world: World) -> None:
        """Reads everything in a fresh session."""
        key = {number: self.objects[number].id for number in world.alive}
        async with AsyncSession(self.database) as fresh:
            assert set(await fresh.query(House).scalars(House.id)) == {key[n] for n in world.houses}
            assert set(await fresh.query(Order).scalars(Order.id)) == {key[n] for n in world.orders}
            rows: Any
            for rows, members in (
                (await fresh.query(Room).values(Room.id, Room.house.id), world.rooms),
                (await fresh.query(Guest).values(Guest.id, Guest.house.id), world.guests),
                (await fresh.query(Line).values(Line.id, Line.order.id), world.lines),
                (await fresh.query(Branch).values(Branch.id, Branch.parent.id), world.branches),
            ):
                assert dict(rows) == {key[n]: key.get(by or 0) for n, by in members.items()}


def test_a_graph_agrees_with_a_plain_model_on_sqlite() -> None:
    run_state_machine_as_test(
        lambda: GraphMachine("sqlite://"),
        settings=settings(max_examples=EXAMPLES or 60, stateful_step_count=30, report_multiple_bugs=False),
    )


def test_a_graph_agrees_with_a_plain_model_on_postgresql(postgres_database: str) -> None:
    run_state_machine_as_test(
        lambda: GraphMachine(postgres_database),
        settings=settings(
            max_examples=EXAMPLES or 10,
            stateful_step_count=30,
            report_multiple_bugs=False,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
        ),
    )
