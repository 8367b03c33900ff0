"""Random work on a museum, done to a session and to a plain model of it; another ORM may do it beside them."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine
from typing import Any, ClassVar, Protocol, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from cormorant import AsyncSession, Database
from cormorant.models.state import is_ghost, is_persistent
from tests.support import museum
from tests.support.museum import KINDS, MANY, ORPHANS, Row, World

T = TypeVar("T")

picks = st.integers(0, 1000)
names = st.text("abcé'\"\\", max_size=3)

TABLES = ("piece_themes", "card", "loan", "piece", "room", "guest", "theme")


class Side(Protocol):
    """A session under test: what is asked of it goes by tags."""

    objects: dict[int, Any]

    async def open(self) -> None: ...
    async def close(self) -> None: ...
    async def end(self) -> None: ...
    async def add(self, tag: int, row: Row, *, by: str) -> None: ...
    async def rename(self, tag: int, name: str) -> None: ...
    async def move(self, tag: int, key: tuple[int, str]) -> None: ...
    async def relate(self, tag: int, ref: str, target: int | None) -> None: ...
    async def put_in(self, tag: int, collection: str, others: list[int]) -> None: ...
    async def take_out(self, tag: int, collection: str, others: list[int]) -> None: ...
    async def hold(self, tag: int, collection: str, others: list[int]) -> None: ...
    async def delete(self, tag: int) -> None: ...
    async def flush(self) -> None: ...
    async def begin(self) -> None: ...
    async def leave(self, *, failed: bool) -> None: ...
    async def commit(self) -> None: ...
    async def rollback(self) -> None: ...
    async def found(self, kind: str) -> list[int]: ...
    async def members(self, tag: int, collection: str) -> set[int]: ...
    async def held(self, tag: int) -> Row: ...
    async def stored(self) -> World: ...


class Ours:
    """A session of Cormorant."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.objects: dict[int, Any] = {}
        self.blocks: list[Any] = []

    async def open(self) -> None:
        self.session = await AsyncSession(self.database).__aenter__()

    async def close(self) -> None:
        await self.session.__aexit__(None, None, None)

    async def end(self) -> None:
        """Lets go of the connection, whatever has happened."""
        await self.session.close()

    # ---- changes

    async def add(self, tag: int, row: Row, *, by: str) -> None:
        """Makes an object and has it taken in by `add`, or by the collection of an object it points to."""
        refs = {name: self.objects[target] for name, target in row.refs.items() if target is not None}
        through = next((name for name in refs if not KINDS[row.kind].refs[name].required), None)
        owner = refs.pop(through) if by == "collection" and through is not None else None
        values: dict[str, Any] = {"tag": tag, "name": row.name, **refs}
        if row.key is not None:
            values |= {"shelf": row.key[0], "slot": row.key[1]}
        instance = self.objects[tag] = getattr(museum, row.kind)(**values)
        if owner is not None and through is not None:
            getattr(owner, KINDS[row.kind].refs[through].inverse).add(instance)
        else:
            self.session.add(instance)

    async def rename(self, tag: int, name: str) -> None:
        (await self.whole(tag)).name = name

    async def move(self, tag: int, key: tuple[int, str]) -> None:
        piece = await self.whole(tag)
        piece.shelf, piece.slot = key

    async def relate(self, tag: int, ref: str, target: int | None) -> None:
        setattr(await self.whole(tag), ref, None if target is None else self.objects[target])

    async def put_in(self, tag: int, collection: str, others: list[int]) -> None:
        getattr(self.objects[tag], collection).add(*(self.objects[other] for other in others))

    async def take_out(self, tag: int, collection: str, others: list[int]) -> None:
        getattr(self.objects[tag], collection).remove(*[await self.whole(other) for other in others])

    async def hold(self, tag: int, collection: str, others: list[int]) -> None:
        held = getattr(self.objects[tag], collection)
        for other in await held:
            await self.whole(self.tag_of(other))
        held.set([self.objects[other] for other in others])

    async def delete(self, tag: int) -> None:
        self.session.delete(self.objects[tag])

    # ---- transactions

    async def flush(self) -> None:
        await self.session.flush()
        assert [*self.session.new, *self.session.dirty, *self.session.deleted] == []

    async def begin(self) -> None:
        block = self.session.transaction()
        await block.__aenter__()
        self.blocks.append(block)

    async def leave(self, *, failed: bool) -> None:
        error = ZeroDivisionError() if failed else None
        await self.blocks.pop().__aexit__(None if error is None else type(error), error, None)

    async def commit(self) -> None:
        await self.session.commit()

    async def rollback(self) -> None:
        await self.session.rollback()
        assert [*self.session.new, *self.session.dirty, *self.session.deleted] == []

    # ---- what it shows

    def tag_of(self, instance: Any) -> int:
        # a reference does not know its tag
        return next(tag for tag, known in self.objects.items() if known is instance)

    async def whole(self, tag: int) -> Any:
        """Gives an object that a rollback may have made a reference."""
        instance = self.objects[tag]
        if is_ghost(instance) and is_persistent(instance):
            await instance
        return instance

    async def found(self, kind: str) -> list[int]:
        return [self.tag_of(instance) for instance in await self.session.query(getattr(museum, kind))]

    async def members(self, tag: int, collection: str) -> set[int]:
        return {self.tag_of(instance) for instance in await getattr(self.objects[tag], collection)}

    async def held(self, tag: int) -> Row:
        instance = await self.whole(tag)
        kind = type(instance).__name__
        assert kind in KINDS
        refs: dict[str, int | None] = {}
        for name in KINDS[kind].refs:
            target = getattr(instance, name)
            refs[name] = None if target is None else self.tag_of(target)
        key = (instance.shelf, instance.slot) if kind == "Piece" else None
        return Row(kind, instance.name, refs, key)

    async def stored(self) -> World:
        world = World()
        async with AsyncSession(self.database) as fresh:
            for kind in KINDS:
                for instance in await fresh.query(getattr(museum, kind)):
                    key = (instance.shelf, instance.slot) if kind == "Piece" else None
                    world.rows[instance.tag] = Row(kind, instance.name, {}, key)
                    self.check_made(instance)
            for kind, told in KINDS.items():
                for instance in await fresh.query(getattr(museum, kind)):
                    for name in told.refs:
                        target = getattr(instance, name)
                        world.rows[instance.tag].refs[name] = None if target is None else target.tag
            for theme in await fresh.query(museum.Theme):
                world.links |= {(piece.tag, theme.tag) for piece in await theme.pieces}
        return world

    def check_made(self, stored: Any) -> None:
        """Compares what the database made with what memory knows of it."""
        mine = self.objects[stored.tag]
        if is_ghost(mine):
            return
        for name in ("id", "version"):
            assert getattr(mine, name, None) == getattr(stored, name, None)


class WorldMachine(RuleBasedStateMachine):
    """Does the same to a world and to every side."""

    FOLLOWS_DELETES: ClassVar[bool] = True
    REUSES_NAMES: ClassVar[bool] = True
    RINGS: ClassVar[bool] = True

    def __init__(self, runner: asyncio.Runner) -> None:
        super().__init__()
        self.runner = runner
        self.sides: list[Side] = []
        self.now, self.committed = World(), World()
        self.blocks: list[World] = []
        self.tag = 0
        self.deleting = False
        self.brought: set[int] = set()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    def each(self, verb: str, *args: Any, **values: Any) -> None:
        self.run(self._each(verb, args, values))

    async def _each(self, verb: str, args: tuple[Any, ...], values: dict[str, Any]) -> None:
        for side in self.sides:
            await getattr(side, verb)(*args, **values)

    async def make_sides(self) -> list[Side]:
        raise NotImplementedError

    @initialize()
    def open(self) -> None:
        self.sides = self.run(self.make_sides())
        self.each("open")

    def teardown(self) -> None:
        try:
            # after a failure there is nothing more to compare
            if self.sides and sys.exc_info()[0] is None:
                while self.blocks:
                    self.leave_block(failed=False)
                self.commit()
                self.each("close")
        finally:
            self.each("end")

    # ---- picking

    def pick(self, tags: list[int], place: int) -> int:
        return tags[place % len(tags)]

    def any_of(self, kind: str, place: int, *, but: int | None = None) -> int | None:
        """Gives a row of a kind, or None now and then."""
        tags = [None, *(tag for tag in self.now.of(kind) if tag != but)]
        return tags[place % len(tags)]

    def free_key(self, place: int) -> tuple[int, str]:
        taken = {row.key for row in self.now.rows.values()}
        keys = [(shelf, slot) for shelf in range(20) for slot in "abcdefgh" if (shelf, slot) not in taken]
        return keys[place % len(keys)]

    def free_name(self, name: str) -> str:
        taken = {row.name for row in self.now.rows.values() if row.kind == "Theme"}
        while name in taken:
            name += "x"
        return name

    # ---- new rows

    def add(self, kind: str, name: str, refs: dict[str, int | None], place: int, *, by: str = "session") -> int:
        self.tag += 1
        row = Row(kind, name, refs, self.free_key(place) if kind == "Piece" else None)
        self.each("add", self.tag, row, by=by)
        if by == "collection":
            self.brought.add(self.tag)
        self.now.rows[self.tag] = row
        return self.tag

    by = st.sampled_from(["session", "collection"])

    @rule(name=names, place=picks, by=by)
    def add_room(self, name: str, place: int, by: str) -> None:
        self.add("Room", name, {"inside": self.any_of("Room", place)}, place, by=by)

    @precondition(lambda self: self.now.of("Room"))
    @rule(name=names, place=picks, other=picks, by=by)
    def add_piece(self, name: str, place: int, other: int, by: str) -> None:
        refs = {"room": self.pick(self.now.of("Room"), place), "pair": self.any_of("Piece", other)}
        self.add("Piece", name, refs, place, by=by)

    @precondition(lambda self: self.bare_pieces())
    @rule(name=names, place=picks)
    def add_card(self, name: str, place: int) -> None:
        self.add("Card", name, {"piece": self.pick(self.bare_pieces(), place)}, place)

    @rule(name=names, place=picks)
    def add_guest(self, name: str, place: int) -> None:
        self.add("Guest", name, {}, place)

    @precondition(lambda self: self.now.of("Guest"))
    @rule(name=names, place=picks, other=picks, by=by)
    def add_loan(self, name: str, place: int, other: int, by: str) -> None:
        refs = {"guest": self.pick(self.now.of("Guest"), place), "piece": self.any_of("Piece", other)}
        self.add("Loan", name, refs, place, by=by)

    @rule(name=names, place=picks)
    def add_theme(self, name: str, place: int) -> None:
        self.add("Theme", self.free_name(name), {}, place)

    @rule(name=names, place=picks)
    def add_tree(self, name: str, place: int) -> None:
        outer = self.add("Room", name, {"inside": self.any_of("Room", place)}, place)
        inner = self.add("Room", name, {"inside": outer}, place)
        piece = self.add("Piece", name, {"room": inner, "pair": None}, place)
        self.add("Card", name, {"piece": piece}, place)
        guest = self.add("Guest", name, {}, place)
        self.add("Loan", name, {"guest": guest, "piece": piece}, place)

    def bare_pieces(self) -> list[int]:
        held = {row.refs["piece"] for row in self.now.rows.values() if row.kind == "Card"}
        return [tag for tag in self.now.of("Piece") if tag not in held]

    # ---- changes

    @precondition(lambda self: self.now.rows)
    @rule(place=picks, name=names)
    def rename(self, place: int, name: str) -> None:
        tag = self.pick([*self.now.rows], place)
        if self.now.rows[tag].kind == "Theme":
            # a name that is free in the database too
            self.each("flush")
            name = self.free_name(name)
        self.each("rename", tag, name)
        if self.now.rows[tag].kind == "Theme" and not self.REUSES_NAMES:
            self.each("flush")
        self.now.rows[tag].name = name

    @precondition(lambda self: self.pointing_rows())
    @rule(place=picks, ref=picks, other=picks)
    def relate(self, place: int, ref: int, other: int) -> None:
        tag = self.pick(self.pointing_rows(), place)
        row = self.now.rows[tag]
        name = sorted(row.refs)[ref % len(row.refs)]
        told = KINDS[row.kind].refs[name]
        target = self.any_of(told.target, other)
        if told.unique:
            target = self.pick(self.bare_pieces(), other) if self.bare_pieces() else None
        if told.required and target is None:
            target = row.refs[name]
        if self.is_ring(tag, name, target):
            return
        self.anchor(tag)
        self.each("relate", tag, name, target)
        row.refs[name] = target

    def anchor(self, *tags: int) -> None:
        """Writes what a collection alone has brought in: taken out of it, it would belong to no session."""
        if self.brought.intersection(tags):
            self.each("flush")
            self.brought.clear()

    def pointing_rows(self) -> list[int]:
        return [tag for tag, row in self.now.rows.items() if row.refs]

    def is_ring(self, tag: int, ref: str, target: int | None) -> bool:
        """Whether a row would point to itself by way of others, and must not."""
        if self.RINGS:
            return False
        while (
            target is not None
            and target != tag
            and KINDS[self.now.rows[tag].kind].refs[ref].target == (self.now.rows[tag].kind)
        ):
            target = self.now.rows[target].refs[ref]
        return target == tag

    # ---- collections

    def owners(self) -> list[tuple[int, str, str, str]]:
        return [(tag, *told) for tag, row in self.now.rows.items() for told in MANY.get(row.kind, ())]

    @precondition(lambda self: self.owners())
    @rule(place=picks, others=st.lists(picks, min_size=1, max_size=3))
    def put_in(self, place: int, others: list[int]) -> None:
        tag, collection, kind, ref = self.owners()[place % len(self.owners())]
        tags = [self.pick(self.now.of(kind), other) for other in others if self.now.of(kind)]
        # several of one ring are one too many
        chosen = [other for other in dict.fromkeys(tags) if not ref or not self.is_ring(other, ref, tag)]
        if ref and not self.RINGS:
            chosen = chosen[:1]
        self.anchor(*chosen)
        self.each("put_in", tag, collection, chosen)
        self.now_holds(tag, collection, ref, chosen)

    @precondition(lambda self: self.owners())
    @rule(place=picks, others=st.lists(picks, min_size=1, max_size=2))
    def take_out(self, place: int, others: list[int]) -> None:
        tag, collection, kind, ref = self.owners()[place % len(self.owners())]
        members = sorted(self.now.members(tag, collection))
        if not members or self.stays(tag, collection, kind, ref):
            return
        chosen = [*dict.fromkeys(self.pick(members, other) for other in others)]
        # what only this collection has brought in would be gone with it
        self.each("flush")
        self.each("take_out", tag, collection, chosen)
        self.now_lacks(tag, collection, ref, chosen)

    @precondition(lambda self: self.owners())
    @rule(place=picks, others=st.lists(picks, max_size=3))
    def hold(self, place: int, others: list[int]) -> None:
        tag, collection, kind, ref = self.owners()[place % len(self.owners())]
        if self.stays(tag, collection, kind, ref):
            return
        candidates = [other for other in self.now.of(kind) if not ref or not self.is_ring(other, ref, tag)]
        chosen = [*dict.fromkeys(self.pick(candidates, other) for other in others if candidates)]
        before = self.now.members(tag, collection)
        self.each("flush")
        self.each("hold", tag, collection, chosen)
        self.now_lacks(tag, collection, ref, [other for other in before if other not in chosen])
        self.now_holds(tag, collection, ref, chosen)

    def stays(self, tag: int, collection: str, kind: str, ref: str) -> bool:
        """Whether nothing can be taken out."""
        orphans = (self.now.rows[tag].kind, collection) in ORPHANS
        return bool(ref) and KINDS[kind].refs[ref].required and not orphans

    def now_holds(self, tag: int, collection: str, ref: str, others: list[int]) -> None:
        for other in others:
            if ref:
                self.now.rows[other].refs[ref] = tag
            else:
                self.now.links.add((tag, other) if collection == "themes" else (other, tag))

    def now_lacks(self, tag: int, collection: str, ref: str, others: list[int]) -> None:
        for other in others:
            if (self.now.rows[tag].kind, collection) in ORPHANS:
                self.deleting = True
                self.now.delete([other])
            elif ref:
                self.now.rows[other].refs[ref] = None
            else:
                self.now.links.discard((tag, other) if collection == "themes" else (other, tag))

    # ---- deletes

    @precondition(lambda self: self.loose_rows())
    @rule(place=picks)
    def delete(self, place: int) -> None:
        tag = self.pick(self.loose_rows(), place)
        # what was not written yet and points to the row would be written after it
        self.each("flush")
        self.each("delete", tag)
        self.deleting = True
        self.now.delete([tag])

    def settle(self) -> None:
        """Has what is deleted go, and what only a collection has brought in come: until then, memory shows it so."""
        if self.deleting or self.brought:
            self.each("flush")
            self.deleting = False
            self.brought.clear()

    def loose_rows(self) -> list[int]:
        """Gives the rows that may go."""
        needed = {
            target
            for row in self.now.rows.values()
            for name, target in row.refs.items()
            if not self.FOLLOWS_DELETES or KINDS[row.kind].refs[name].on_delete == "restrict"
        }
        return [tag for tag in self.now.rows if tag not in needed]

    # ---- flush, blocks, commit

    @rule()
    def flush(self) -> None:
        self.each("flush")

    @precondition(lambda self: len(self.blocks) < 4)
    @rule()
    def enter_block(self) -> None:
        self.each("begin")
        self.blocks.append(self.now.copy())

    @precondition(lambda self: self.blocks)
    @rule(failed=st.booleans())
    def leave_block(self, failed: bool) -> None:
        before = self.blocks.pop()
        outermost = self.is_outermost()
        self.each("leave", failed=failed)
        if failed:
            self.now = before
        elif outermost:
            self.committed = self.now.copy()

    def is_outermost(self) -> bool:
        """Whether the innermost block is the transaction."""
        return False

    @precondition(lambda self: not self.blocks)
    @rule()
    def commit(self) -> None:
        self.each("commit")
        self.committed = self.now.copy()
        for side in self.sides:
            assert self.run(side.stored()).plain() == self.now.plain()

    @precondition(lambda self: not self.blocks)
    @rule()
    def rollback(self) -> None:
        self.each("rollback")
        self.now = self.committed.copy()

    # ---- comparing

    @rule(kinds=st.sets(st.sampled_from(sorted(KINDS)), min_size=1))
    def query(self, kinds: set[str]) -> None:
        for side in self.sides:
            for kind in sorted(kinds):
                assert sorted(self.run(side.found(kind))) == sorted(self.now.of(kind))

    @rule()
    def compare_memory(self) -> None:
        self.settle()
        for side in self.sides:
            for tag, row in self.now.rows.items():
                held = self.run(side.held(tag))
                assert held == row, f"{type(side).__name__} shows {tag} as {held}, and not as {row}"

    @precondition(lambda self: self.owners())
    @rule(places=st.lists(picks, min_size=1, max_size=4))
    def compare_collections(self, places: list[int]) -> None:
        self.settle()
        for place in places:
            tag, collection, _, _ = self.owners()[place % len(self.owners())]
            for side in self.sides:
                shown, members = self.run(side.members(tag, collection)), self.now.members(tag, collection)
                assert shown == members, f"{type(side).__name__} shows {shown} in {collection} of {tag}: not {members}"
