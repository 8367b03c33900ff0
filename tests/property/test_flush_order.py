"""Random units of work in which rows need each other: the database ends up with what the objects hold.

Each is a flush with new, changed and deleted rows of two tables that point to themselves and to each other, with unique
values and keys that wander. It is written, or refused by name before anything is sent, and that only where unique
values go round in a circle.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from cormorant import AsyncSession, Database, DependencyCycleError, Mapped, Model, One, field, foreign_key, generated

EXAMPLES = int(os.environ.get("CORMORANT_FLUSH_EXAMPLES", "60"))


class Node(Model, app="wander"):
    id: Mapped[int] = generated(primary_key=True)
    label: Mapped[str]
    code: Mapped[str | None] = field(default=None, unique=True)
    version: Mapped[int] = generated(version=True)
    left: One[Node | None] = foreign_key(default=None)
    right: One[Node | None] = foreign_key(default=None)
    leaf: One[Leaf | None] = foreign_key(default=None, unique=True, on_update="cascade")


class Leaf(Model, app="wander"):
    """Always has a node; its key is its own."""

    name: Mapped[str] = field(primary_key=True)
    label: Mapped[str]
    node: One[Node] = foreign_key(init=False, on_update="cascade")
    twin: One[Leaf | None] = foreign_key(default=None, on_update="cascade")


@dataclass(frozen=True)
class Wish:
    """What an object is to be like: `places` point into the list of all objects of a kind."""

    code: int | None
    left: int | None
    right: int | None
    leaf: int | None


places = st.none() | st.integers(0, 5)
wishes = st.builds(Wish, st.none() | st.integers(0, 4), places, places, places)
nodes = st.lists(wishes, min_size=1, max_size=5)
leaves = st.lists(st.tuples(st.integers(0, 4), places), max_size=4)


@dataclass
class World:
    """Objects as they are wished for, made in a session."""

    nodes: list[Node]
    leaves: list[Leaf]

    def wish(self, wanted: list[Wish], leaves: list[tuple[int, int | None]]) -> None:
        """Gives the objects their values, as far as they are unique."""
        codes: set[int | None] = {None}
        taken: set[int | None] = {None}
        for node, wish in zip(self.nodes, wanted, strict=True):
            node.code = None if wish.code in codes else f"{wish.code}"
            codes.add(wish.code)
            node.left, node.right = _at(self.nodes, wish.left), _at(self.nodes, wish.right)
            place = None if wish.leaf is None or not self.leaves else wish.leaf % len(self.leaves)
            node.leaf = None if place in taken else _at(self.leaves, place)
            taken.add(place)
        for leaf, (node_at, twin) in zip(self.leaves, leaves, strict=True):
            leaf.node = self.nodes[node_at % len(self.nodes)]
            leaf.twin = _at(self.leaves, twin)

    def shown(self) -> tuple[Any, ...]:
        """Gives what the rows should hold, by labels."""
        nodes = [(n.label, n.code, _label(n.left), _label(n.right), _label(n.leaf)) for n in self.nodes]
        return _sorted(nodes), _sorted(
            (leaf.label, leaf.name, leaf.node.label, _label(leaf.twin)) for leaf in self.leaves
        )


def _at(items: list[Any], place: int | None) -> Any:
    return None if place is None or not items else items[place % len(items)]


def _label(item: Any) -> str:
    return "" if item is None else item.label


async def rows(session: AsyncSession) -> tuple[Any, ...]:
    nodes = await session.query(Node).values(Node.label, Node.code, Node.left.label, Node.right.label, Node.leaf.label)
    leaves = await session.query(Leaf).values(Leaf.label, Leaf.name, Leaf.node.label, Leaf.twin.label)
    return _sorted(nodes), _sorted(leaves)


def _sorted(found: Any) -> list[Any]:
    return sorted([tuple([part or "" for part in row]) for row in found])


class Unit:
    """One session with two flushes: everything new, then changes of every kind at once."""

    def __init__(self, session: AsyncSession, world: World) -> None:
        self.session = session
        self.world = world

    async def start(self, wanted: list[Wish], leaves: list[tuple[int, int | None]]) -> None:
        self.world.wish(wanted, leaves)
        self.session.add(*self.world.nodes, *self.world.leaves)
        await self.session.commit()
        await self.check()

    async def check(self) -> None:
        assert not self.session.dirty
        assert await rows(self.session) == self.world.shown()

    async def change(self, wanted: list[Wish], leaves: list[tuple[int, int | None]], names: list[int]) -> None:
        world, session = self.world, self.session
        before = held(world)
        gone = [*world.nodes[len(wanted) :], *world.leaves[len(leaves) :]]
        fresh = [Node(label=f"new{n}") for n in range(len(wanted) - len(world.nodes))]
        more = [Leaf(name=f"x{n}", label=f"new{n}") for n in range(len(leaves) - len(world.leaves))]
        world.nodes = [*world.nodes[: len(wanted)], *fresh]
        world.leaves = [*world.leaves[: len(leaves)], *more]
        world.wish(wanted, leaves)
        for leaf, name in zip(world.leaves, dict.fromkeys(names), strict=False):
            if not any(other.name == f"{name}" for other in world.leaves):
                leaf.name = f"{name}"
        session.add(*fresh, *more)
        session.delete(*gone)
        sent = sum(stats.count for stats in session.query_stats())
        try:
            await session.flush()
        except DependencyCycleError:
            assert goes_round(before, held(world))
            assert sum(stats.count for stats in session.query_stats()) == sent
            await session.rollback()
        else:
            await self.check()
            session.clear()
            await self.session.commit()


def held(world: World) -> dict[Any, int]:
    """Gives who holds which unique value."""
    leaves = [(node.leaf, id(node)) for node in world.nodes if node.leaf is not None]
    found: dict[Any, int] = {("leaf", id(leaf)): node for leaf, node in leaves}
    # a leaf may get the key of another one, and the relation to it the value
    found |= {("key", leaf.name): node for leaf, node in leaves}
    found |= {("code", node.code): id(node) for node in world.nodes if node.code is not None}
    return found | {("name", leaf.name): id(leaf) for leaf in world.leaves}


def goes_round(before: dict[Any, int], after: dict[Any, int]) -> bool:
    """Whether rows wait for each other's values in a circle."""
    needs: dict[int, set[int]] = {}
    for value, taker in after.items():
        if before.get(value, taker) != taker:
            needs.setdefault(taker, set()).add(before[value])
    reached = {row: set(needed) for row, needed in needs.items()}
    for _ in range(len(reached)):
        for row in reached:
            reached[row] |= {far for near in list(reached[row]) for far in reached.get(near, ())}
    return any(row in far for row, far in reached.items())


async def work(database: Database, first: Any, second: Any, names: list[int]) -> None:
    async with AsyncSession(database) as session:
        await session.execute("UPDATE wander_node SET left_id = NULL, right_id = NULL, leaf_id = NULL")
        await session.execute("UPDATE wander_leaf SET twin_id = NULL")
        await session.query(Leaf).delete()
        await session.query(Node).delete()
        await session.commit()
        world = World(
            [Node(label=f"n{n}") for n in range(len(first[0]))],
            [Leaf(name=f"{n}", label=f"l{n}") for n in range(len(first[1]))],
        )
        unit = Unit(session, world)
        await unit.start(*first)
        await unit.change(*second, names)


ALONE = Wish(0, None, None, 4)
FOUND: list[tuple[Any, Any, list[int]]] = [
    # a row that goes lets go of one value for two others: an UPDATE of a batch would find it once
    (
        (
            [
                Wish(1, 5, 5, 5),
                Wish(0, 0, 2, 2),
                Wish(0, None, None, 1),
                Wish(None, None, 2, 3),
                Wish(0, None, None, 4),
            ],
            [(3, 1), (1, 3), (3, None)],
        ),
        ([Wish(1, 0, None, 0), Wish(3, 2, None, None), Wish(None, 1, 2, 5)], [(3, None)]),
        [5, 2, 7],
    ),
    # a unique value is the key of a row that gets another one
    (
        ([Wish(None, 4, 5, None), Wish(3, None, 0, 5)], [(0, 5)]),
        ([Wish(4, 5, 5, 3), Wish(2, 5, 0, 5), Wish(None, None, 1, 0)], [(3, 4), (0, None)]),
        [9, 1, 5],
    ),
    # a row that stays takes a unique value of one that goes and points to it
    (
        ([Wish(None, None, 1, None), Wish(None, None, None, 0)], [(0, None)]),
        ([Wish(None, None, None, 0)], [(0, None)]),
        [],
    ),
]


def test_units_of_work_in_which_rows_need_each_other(database_dsn: str) -> None:
    with asyncio.Runner() as runner:
        database = Database(database_dsn)
        runner.run(database.create_all(Node, Leaf))

        @example(*FOUND[0])
        @example(*FOUND[1])
        @example(*FOUND[2])
        @settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck), deadline=None)
        @given(st.tuples(nodes, leaves), st.tuples(nodes, leaves), st.lists(st.integers(0, 9), max_size=4))
        def run(first: Any, second: Any, names: list[int]) -> None:
            runner.run(work(database, first, second, names))

        try:
            run()
        finally:
            runner.run(database.close())
