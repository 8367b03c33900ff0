"""Lists and documents are read when somebody asks for them, and nobody notices but by the time that it saves."""

from __future__ import annotations

import asyncio
import copy
import gc
import pickle
import weakref
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest

from cormorant import (
    AsyncSession,
    Database,
    DataError,
    Mapped,
    Model,
    NotLoadedError,
    Session,
    SyncDatabase,
    field,
    generated,
)
from cormorant.models.state import set_attribute, unset_silently


@dataclass
class Size:
    width: int
    height: int


class Parcel(Model, app="late", table="late_parcel"):
    id: Mapped[int] = generated(primary_key=True)
    label: Mapped[str]
    content: Mapped[dict[str, Any]]
    extra: Mapped[dict[str, Any] | None]
    marks: Mapped[list[int]] = field(default_factory=list)
    size: Mapped[Size | None] = field(default=None)


def unread(*objects: Model) -> int:
    """Counts the lists and documents that nobody has asked for."""
    return sum(type(saved) is tuple for one in objects for saved in one.__orm_raw__)


@pytest.fixture
async def parcels(database: Database) -> Database:
    await database.create_all(Parcel)
    async with AsyncSession(database) as session:
        session.add(
            *(Parcel(label=f"p{n}", content={"n": n}, extra=None, marks=[n], size=Size(n, n)) for n in range(5))
        )
    return database


async def loaded(session: AsyncSession) -> list[Parcel]:
    return await session.query(Parcel).order_by(Parcel.id)


async def held(database: Database) -> list[tuple[str, Any, Any, list[int], Size | None]]:
    async with AsyncSession(database) as session:
        return [(p.label, p.content, p.extra, p.marks, p.size) for p in await loaded(session)]


def updates(session: AsyncSession) -> int:
    return sum(stat.count for stat in session.query_stats() if stat.sql.startswith("UPDATE"))


# ---- when


async def test_nothing_is_read_that_nobody_asks_for(parcels: Database) -> None:
    async with AsyncSession(parcels) as session:
        found = await loaded(session)
        found[1].label = "new"
        await session.commit()
        assert not session.dirty
        assert await session.get(Parcel, found[2].id) is found[2]
        session.delete(found[4])
    assert unread(*found) == 20
    assert [row[0] for row in await held(parcels)] == ["p0", "new", "p2", "p3"]


async def test_a_value_is_read_once_and_is_the_same_then(parcels: Database) -> None:
    async with AsyncSession(parcels) as session:
        first, *_ = await loaded(session)
        assert first.content is first.content
        assert first.size is first.size
        assert unread(first) == 2


async def test_a_flush_looks_into_what_was_read_alone(parcels: Database) -> None:
    async with AsyncSession(parcels) as session:
        found = await loaded(session)
        documents = session.state().identity.documents
        assert not documents
        assert found[0].content == {"n": 0}
        assert found[2].marks == [2]
        found[3].extra = {}
        assert [list(held.values()) for held in documents.values()] == [[found[0], found[2], found[3]]]


# ---- what


async def test_changes_inside_are_written(parcels: Database) -> None:
    async with AsyncSession(parcels) as session:
        found = await loaded(session)
        found[0].content["n"] = "other"
        found[1].marks.append(7)
        size = found[2].size
        assert size is not None
        size.width = 9
        assert session.dirty == (found[0], found[1], found[2])
        await session.commit()
        assert updates(session) > 0
    rows = await held(parcels)
    assert (rows[0][1], rows[1][3], rows[2][4]) == ({"n": "other"}, [1, 7], Size(9, 2))
    assert rows[3] == ("p3", {"n": 3}, None, [3], Size(3, 3))


async def test_changes_inside_are_seen_for_as_long_as_the_session_lives(parcels: Database) -> None:
    async with AsyncSession(parcels) as session:
        found = await loaded(session)
        read, given = found[0].content, {"a": 1}
        found[1].extra = given
        await session.commit()
        read["n"] = 10
        given["a"] = 2
        found[1].label = "too"
        await session.commit()
        read["n"] = 11
        given["a"] = 3
    rows = await held(parcels)
    assert (rows[0][1], rows[1][:3]) == ({"n": 11}, ("too", {"n": 1}, {"a": 3}))


@pytest.mark.parametrize("bulk", [False, True])
async def test_changes_inside_of_what_the_session_has_made_are_seen(parcels: Database, bulk: bool) -> None:
    async with AsyncSession(parcels) as session:
        made = [Parcel(label="made", content={"n": n}, extra=None) for n in (1, 2)]
        if bulk:
            await session.query(Parcel).bulk_create(made)
        else:
            session.add(*made)
            await session.commit()
        made[0].content["n"] = 3
        made[1].marks.append(4)
    rows = await held(parcels)
    assert [(row[1], row[3]) for row in rows[5:]] == [({"n": 3}, []), ({"n": 2}, [4])]


async def test_the_value_that_it_has_is_no_change(parcels: Database) -> None:
    async with AsyncSession(parcels) as session:
        first, second, *_ = await loaded(session)
        first.content = {"n": 0}
        second.extra = None
        await session.commit()
        assert updates(session) == 0


async def test_none_and_the_null_of_json_are_two(parcels: Database) -> None:
    async with AsyncSession(parcels) as session:
        await session.execute("UPDATE late_parcel SET extra = 'null' WHERE label = 'p1'")
        first, second, *_ = await loaded(session)
        assert first.extra is None
        assert second.extra is None
        first.extra = None
        await session.commit()
        assert updates(session) == 1
        second.extra = {"a": None}
    assert [row[2] for row in (await held(parcels))[:2]] == [None, {"a": None}]


# ---- rows that are met again


async def test_a_newer_row_is_shown(parcels: Database) -> None:
    async with AsyncSession(parcels) as session:
        found = await loaded(session)
        assert found[0].content == {"n": 0}
        found[1].marks.append(5)
        async with AsyncSession(parcels) as other:
            for parcel in await loaded(other):
                parcel.content = {"other": parcel.id}
        await loaded(session)
        assert unread(*found) == 20
        assert [parcel.content for parcel in found] == [{"other": parcel.id} for parcel in found]
        assert found[1].marks == [1, 5]
        found[0].content["more"] = True
    assert (await held(parcels))[0][1] == {"other": found[0].id, "more": True}


async def test_what_changed_inside_is_not_overwritten(parcels: Database) -> None:
    async with AsyncSession(parcels) as session:
        found = await loaded(session)
        found[0].content["mine"] = 1
        async with AsyncSession(parcels) as other:
            (await other.get_one(Parcel, found[0].id)).content = {"theirs": 1}
        await session.query(Parcel).filter(Parcel.label != "").count()
        await session.refresh(found[1])
        assert found[0].content == {"n": 0, "mine": 1}


async def test_a_deferred_one_is_still_not_there(parcels: Database) -> None:
    async with AsyncSession(parcels) as session:
        found = await session.query(Parcel).only(Parcel.label, Parcel.marks).order_by(Parcel.id)
        assert found[0].marks == [0]
        with pytest.raises(NotLoadedError, match=r"Parcel\.content of .* was not loaded"):
            _ = found[1].content
        await found[1]
        assert found[1].content == {"n": 1}
        assert found[1].marks == [1]
        found[0].marks.append(8)
    assert (await held(parcels))[0][3] == [0, 8]


# ---- back


async def test_a_rollback_gives_back_what_was_not_read(parcels: Database) -> None:
    async with AsyncSession(parcels) as session:
        found = await loaded(session)
        found[0].label = "changed"
        found[1].content = {"changed": True}
        found[2].content["changed"] = True
        found[3].marks.append(9)
        await session.flush()
        await session.rollback()
        assert found[0].label == "p0"
        # two were read before they changed
        assert unread(*found) == 18
        assert [parcel.content for parcel in found] == [{"n": n} for n in range(5)]
        assert [parcel.marks for parcel in found] == [[n] for n in range(5)]
        await session.commit()
        found[0].content["after"] = found[1].content["after"] = 1
    assert [row[1] for row in (await held(parcels))[:3]] == [{"n": 0, "after": 1}, {"n": 1, "after": 1}, {"n": 2}]


async def test_a_savepoint_gives_back_what_was_read_inside_of_it(parcels: Database) -> None:
    async with AsyncSession(parcels) as session, session.transaction():
        found = await loaded(session)
        found[0].label = "outer"
        await session.flush()
        with suppress(KeyError):
            async with session.transaction():
                found[0].label = "inner"
                found[0].content["inner"] = True
                found[1].extra = {"inner": True}
                await session.flush()
                raise KeyError
        assert found[0].label == "outer"
        assert found[0].content == {"n": 0}
        assert found[1].extra is None
        found[0].content["outer"] = True
    assert (await held(parcels))[0][:2] == ("outer", {"n": 0, "outer": True})


async def test_a_deleted_object_is_added_again_with_what_nobody_has_read(parcels: Database) -> None:
    async with AsyncSession(parcels) as session:
        *_, last = await loaded(session)
        session.delete(last)
        await session.commit()
        assert unread(last) == 4
        session.add(last)
        await session.commit()
        last.content["again"] = True
    assert (await held(parcels))[4][1:] == ({"n": 4, "again": True}, None, [4], Size(4, 4))


async def test_a_deletion_that_is_rolled_back_leaves_it_looked_after(parcels: Database) -> None:
    async with AsyncSession(parcels) as session:
        *_, last = await loaded(session)
        content = last.content
        session.delete(last)
        await session.flush()
        await session.rollback()
        content = last.content
        content["back"] = True
    assert (await held(parcels))[4][1] == {"n": 4, "back": True}


async def test_an_object_that_changes_while_it_is_written_is_looked_into_later(parcels: Database) -> None:
    async with AsyncSession(parcels) as session:
        session.add(made := Parcel(label="made", content={"n": 1}, extra=None))
        writing = asyncio.create_task(session.flush())
        await asyncio.sleep(0)
        made.label = "changed"
        await writing
        await session.commit()
        made.content["later"] = True
    assert (await held(parcels))[5][:2] == ("changed", {"n": 1, "later": True})


# ---- below


async def test_what_is_written_past_the_session_is_compared_with_the_row(parcels: Database) -> None:
    async with AsyncSession(parcels) as session:
        first, second, *_ = await loaded(session)
        set_attribute(first, "content", {"set": True})
        unset_silently(second, "content")
        assert first in session.dirty
        with pytest.raises(AttributeError, match="content"):
            _ = second.content
    assert [row[1] for row in (await held(parcels))[:2]] == [{"set": True}, {"n": 1}]


# ---- elsewhere


async def test_reading_it_after_the_session_keeps_nobody(parcels: Database) -> None:
    async with AsyncSession(parcels) as session:
        first, *_ = await loaded(session)
    assert first.content == {"n": 0}
    kept = weakref.ref(first)
    gc.disable()
    try:
        del first, _
        assert kept() is None
    finally:
        gc.enable()


async def test_it_is_read_after_the_session(parcels: Database) -> None:
    async with AsyncSession(parcels) as session:
        first, second, third, *_ = await loaded(session)
    assert (first.content, first.marks, first.size) == ({"n": 0}, [0], Size(0, 0))
    assert second.to_dict()["content"] == {"n": 1}
    assert "content={'n': 2}" in repr(third)


async def test_copies_have_it(parcels: Database) -> None:
    async with AsyncSession(parcels) as session:
        first, second, *_ = await loaded(session)
    assert copy.copy(first).content == {"n": 0}
    twin = pickle.loads(pickle.dumps(second))
    assert (twin.content, twin.marks, twin.extra) == ({"n": 1}, [1], None)
    async with AsyncSession(parcels) as session:
        merged = await session.merge(twin)
        merged.content["merged"] = True
    assert (await held(parcels))[1][1] == {"n": 1, "merged": True}


async def test_an_object_of_another_session_is_merged(parcels: Database) -> None:
    async with AsyncSession(parcels) as session:
        first, *_ = await loaded(session)
    async with AsyncSession(parcels) as session:
        merged = await session.merge(first)
        assert merged.content == {"n": 0}
        merged.marks.append(3)
        await session.commit()
        assert updates(session) == 1
    assert (await held(parcels))[0][3] == [0, 3]


async def test_a_stream_keeps_nothing_that_was_read(parcels: Database) -> None:
    async with AsyncSession(parcels) as session:
        seen: list[int] = []
        marked = last = 0
        async for parcel in session.query(Parcel).order_by(Parcel.id).stream(chunk=2):
            seen.append(parcel.content["n"])
            last = id(parcel)
            if parcel.label == "p1":
                marked = id(parcel)
                parcel.marks.append(6)
        kept = [id(parcel) for held in session.state().identity.documents.values() for parcel in held.values()]
        assert {*kept} <= {marked, last}
    assert seen == list(range(5))
    assert (await held(parcels))[1][3] == [1, 6]


async def test_what_a_stream_has_let_go_is_not_kept_by_reading_it(parcels: Database) -> None:
    async with AsyncSession(parcels) as session:
        found = [parcel async for parcel in session.query(Parcel).order_by(Parcel.id).stream(chunk=2)]
        assert [parcel.content for parcel in found] == [{"n": n} for n in range(5)]
        kept = [parcel for held in session.state().identity.documents.values() for parcel in held.values()]
        assert len(kept) < 3


async def test_what_is_expunged_is_forgotten(parcels: Database) -> None:
    async with AsyncSession(parcels) as session:
        first, second, *_ = await loaded(session)
        first.content["n"] = 1
        assert second.content == {"n": 1}
        session.expunge(first)
        session.expunge(second)
        assert not [held for held in session.state().identity.documents.values() if held]
        await session.commit()
        assert updates(session) == 0


def test_sync_sessions_see_it_too(database_dsn: str) -> None:
    with SyncDatabase(Database(database_dsn)) as db:
        db.create_all(Parcel)
        with Session(db) as session:
            session.add(Parcel(label="a", content={"n": 1}, extra=None))
        with Session(db) as session:
            found = session.query(Parcel).one()
            found.content["n"] = 2
        with Session(db) as session:
            assert session.query(Parcel).one().content == {"n": 2}
            session.query(Parcel).delete()


# ---- what cannot be read


async def test_what_is_no_json_is_told_where_it_is_read() -> None:
    # PostgreSQL takes none
    async with Database("sqlite:///:memory:") as database:
        await database.create_all(Parcel)
        async with AsyncSession(database) as session:
            session.add(*(Parcel(label=f"p{n}", content={"n": n}, extra=None) for n in range(3)))
            await session.commit()
            await session.execute("UPDATE late_parcel SET content = '{broken' WHERE label = 'p1'")
        await check_the_broken_one(database)


async def check_the_broken_one(database: Database) -> None:
    async with AsyncSession(database) as session:
        first, second, _ = await loaded(session)
        assert first.content == {"n": 0}
        with pytest.raises(DataError, match=rf"Parcel\.content of Parcel {second.id} cannot be read: JSON.*Expecting"):
            _ = second.content
        assert "content=(unreadable)" in repr(second)
        second.label = "kept"
    async with AsyncSession(database) as session:
        assert (await session.query(Parcel).filter(label="kept").one()).id == second.id


async def test_a_document_of_another_type_names_the_object(parcels: Database) -> None:
    async with AsyncSession(parcels) as session:
        await session.execute("UPDATE late_parcel SET size = '{\"width\": 1}' WHERE label = 'p1'")
        _, second, *_ = await loaded(session)
        with pytest.raises(DataError, match=rf"Parcel\.size of Parcel {second.id} cannot be read: .* no Size"):
            _ = second.size


# ---- columns whose type was not known when the model was made


class Chest(Model, app="late", table="late_chest"):
    id: Mapped[int] = generated(primary_key=True)
    content: Mapped[dict[str, Any]]
    notes: Mapped[Notes]


Notes = dict[str, str]


async def test_a_type_that_is_declared_later_is_read_at_once(database: Database) -> None:
    await database.create_all(Chest)
    async with AsyncSession(database) as session:
        session.add(*(Chest(content={"n": n}, notes={"a": "b"}) for n in range(3)))
    async with AsyncSession(database) as session:
        first, second, third = await session.query(Chest).order_by(Chest.id)
        assert second.notes == {"a": "b"}
        assert unread(first, second, third) == 3
        second.notes["c"] = "d"
        third.content["n"] = 7
        await session.commit()
        assert updates(session) >= 1
        second.notes["c"] = "e"
        assert first.content == {"n": 0}
    async with AsyncSession(database) as session:
        found = await session.query(Chest).order_by(Chest.id)
        assert [(chest.content, chest.notes) for chest in found] == [
            ({"n": 0}, {"a": "b"}),
            ({"n": 1}, {"a": "b", "c": "e"}),
            ({"n": 7}, {"a": "b"}),
        ]


# ---- what an attack has found


async def test_who_is_taken_back_from_a_stream_is_looked_into(parcels: Database) -> None:
    async with AsyncSession(parcels) as session:
        found = [parcel async for parcel in session.query(Parcel).order_by(Parcel.id).stream(chunk=2)]
        content = found[0].content
        found[0].label = "back"
        content["x"] = 1
        await session.commit()
        content["x"] = 2
        assert found[1].content == {"n": 1}
        session.delete(found[1])
        session.add(found[1])
        found[1].content["x"] = 3
    rows = await held(parcels)
    assert (rows[0][:2], rows[1][1]) == (("back", {"n": 0, "x": 2}), {"n": 1, "x": 3})


@pytest.mark.parametrize("by", ["await", "query", "other columns"])
async def test_an_object_in_part_that_has_changed_is_filled_up(parcels: Database, by: str) -> None:
    async with AsyncSession(parcels) as session:
        first, second, *_ = await session.query(Parcel).only(Parcel.label, Parcel.marks).order_by(Parcel.id)
        first.label = "changed"
        if by == "await":
            await first
            await second
        elif by == "query":
            await loaded(session)
        else:
            await session.query(Parcel).only(Parcel.content)
        assert unread(first, second) >= 2
        first.marks.append(5)
        second.marks.append(6)
        first.content["x"] = second.content["x"] = 1
    rows = await held(parcels)
    assert [row[:4:3] for row in rows[:2]] == [("changed", [0, 5]), ("p1", [1, 6])]
    assert [row[1] for row in rows[:2]] == [{"n": 0, "x": 1}, {"n": 1, "x": 1}]


async def test_an_object_in_part_that_has_changed_inside_is_filled_up(parcels: Database) -> None:
    async with AsyncSession(parcels) as session:
        first, *_ = await session.query(Parcel).only(Parcel.label, Parcel.marks).order_by(Parcel.id)
        first.marks.append(5)
        await first
        assert first.content == {"n": 0}
        assert first.marks == [0, 5]
    assert (await held(parcels))[0][:4:3] == ("p0", [0, 5])


class Preset(Model, app="late", table="late_preset"):
    id: Mapped[int] = field(primary_key=True)
    content: Mapped[dict[str, Any]] = generated(server_default={"preset": 1})


async def test_a_document_that_nobody_read_is_not_made_by_the_database_again(database: Database) -> None:
    await database.create_all(Preset)
    async with AsyncSession(database) as session:
        session.add(Preset(id=1, content={"mine": 1}), Preset(id=2, content={"mine": 2}))
    async with AsyncSession(database) as session:
        first, second = await session.query(Preset).order_by(Preset.id)
        session.delete(first)
        session.delete(second)
        await session.flush()
        session.add(first)
        await session.flush()
        await session.query(Preset).bulk_create([second])
    async with AsyncSession(database) as session:
        assert [one.content for one in await session.query(Preset).order_by(Preset.id)] == [{"mine": 1}, {"mine": 2}]


@dataclass
class Choosy:
    x: int
    secret: str = "word"

    def __post_init__(self) -> None:
        if self.x < 0:
            raise AttributeError("it has none")
        if self.x == 0:
            raise KeyError(self.secret)


class Chooser(Model, app="late", table="late_chooser"):
    id: Mapped[int] = generated(primary_key=True)
    choice: Mapped[Choosy]
    hidden: Mapped[Choosy] = field(sensitive=True)


@pytest.mark.parametrize(("x", "why"), [(-1, "AttributeError: it has none"), (0, "KeyError: 'word'")])
async def test_what_reading_raises_is_told_with_the_object(database: Database, x: int, why: str) -> None:
    await database.create_all(Chooser)
    async with AsyncSession(database) as session:
        session.add(Chooser(choice=Choosy(1), hidden=Choosy(1)))
        await session.commit()
        await session.execute("UPDATE late_chooser SET choice = :it, hidden = :it", {"it": f'{{"x": {x}}}'})
    async with AsyncSession(database) as session:
        one = await session.query(Chooser).only(Chooser.choice, Chooser.hidden).one()
        with pytest.raises(DataError, match=rf"Chooser\.choice of Chooser {one.id} cannot be read: {why}"):
            _ = one.choice
        with pytest.raises(DataError, match=rf"Chooser\.hidden of Chooser {one.id} cannot be read: ") as told:
            _ = one.hidden
        assert "word" not in str(told.value)
        assert told.value.__suppress_context__
        with pytest.raises(DataError):
            one.to_dict()
        assert "choice=(unreadable)" in repr(one)


@pytest.mark.parametrize("undo", [False, True])
async def test_what_cannot_be_read_can_be_replaced(database: Database, undo: bool) -> None:
    await database.create_all(Chooser)
    async with AsyncSession(database) as session:
        session.add(Chooser(choice=Choosy(1), hidden=Choosy(2)))
        await session.commit()
        await session.execute("""UPDATE late_chooser SET choice = '{"x": -1}'""")
    async with AsyncSession(database) as session:
        one = await session.query(Chooser).one()
        one.choice = Choosy(5)
        if undo:
            await session.flush()
            await session.rollback()
            with pytest.raises(DataError, match="it has none"):
                _ = one.choice
            one.choice = Choosy(6)
        await session.commit()
        one.choice.x += 1
    async with AsyncSession(database) as session:
        assert (await session.query(Chooser).one()).choice.x == (7 if undo else 6)


async def test_an_annotation_that_fails_is_told_when_it_is_needed() -> None:
    annotations = {"id": "Mapped[int]", "content": "Mapped[dict[1 / 0, Any]]"}
    body = {"__annotations__": annotations, "__module__": __name__, "id": generated(primary_key=True)}
    meta: Any = type(Model)
    failing = meta("Failing", (Model,), body, table="late_failing")
    with pytest.raises(ZeroDivisionError):
        _ = failing.__info__.columns
