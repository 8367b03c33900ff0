"""S6: what is taken out of a relation that removes orphans is deleted; without that, it must be able to stay."""

from __future__ import annotations

import pytest

from cormorant import (
    AsyncSession,
    Database,
    Many,
    Mapped,
    Model,
    ModelError,
    WrongType,
    generated,
    many_to_many,
    reverse,
)
from cormorant.models.registry import registry
from tests.support.households import Alarm, Gift, House, Line, Note, Order, Receipt, Room
from tests.support.newsroom import rolled_back, sent, sql_of


async def make_order(database: Database) -> int:
    async with AsyncSession(database) as session:
        order = Order(name="mine")
        session.add(order, Line(text="a", order=order), Line(text="b", order=order))
        session.add(Note(text="n", order=order), Receipt(total=3, order=order), Gift(text="g", order=order))
        await session.flush()
        return order.id


async def texts(database: Database, model: type[Line] | type[Note]) -> list[str]:
    async with AsyncSession(database) as session:
        return [row.text for row in await session.query(model).order_by(model.text)]


@pytest.mark.parametrize("model", [Line, Note])
async def test_what_is_taken_out_is_deleted(database: Database, model: type[Line] | type[Note]) -> None:
    key = await make_order(database)
    async with AsyncSession(database) as session:
        order = await session.get_one(Order, key)
        relation = order.lines if model is Line else order.notes
        first = sorted(await relation, key=lambda item: item.text)[0]
        relation.remove(first)  # type: ignore[arg-type]
        assert first not in relation
        assert first.order is None
        assert list(session.deleted) == [first]
        await session.flush()
        assert sql_of(session, "UPDATE") == []
        assert first not in session.identity_map
    assert await texts(database, model) == (["b"] if model is Line else [])


async def test_what_is_replaced_is_deleted(database: Database) -> None:
    key = await make_order(database)
    async with AsyncSession(database) as session:
        order = await session.get_one(Order, key)
        first = sorted(await order.lines, key=lambda line: line.text)[0]
        order.lines.set([first, Line(text="c", order=order)])
        await session.flush()
        assert {line.text for line in order.lines} == {"a", "c"}
        order.lines.clear()
        await session.flush()
        assert list(order.lines) == []
    assert await texts(database, Line) == []


async def test_a_query_sees_that_orphans_are_gone(database: Database) -> None:
    key = await make_order(database)
    async with AsyncSession(database) as session:
        order = await session.get_one(Order, key)
        first = sorted(await order.lines, key=lambda line: line.text)[0]
        order.lines.remove(first)
        assert [line.text for line in await session.query(Line)] == ["b"]
        (note,) = await order.notes
        note.order = None
        assert await session.query(Note).count() == 0


async def test_what_moves_to_another_owner_is_no_orphan(database: Database) -> None:
    key = await make_order(database)
    async with AsyncSession(database) as session:
        order, other = await session.get_one(Order, key), Order(name="other")
        session.add(other)
        a, b = sorted(await order.lines, key=lambda line: line.text)
        (note,) = await order.notes
        order.lines.remove(a)
        other.lines.add(a)
        b.order = other
        order.notes.remove(note)
        note.order = other
        assert list(session.deleted) == []
        assert (list(order.lines), list(other.lines)) == ([], [a, b])
        await session.flush()
        assert list(order.lines) == []
    async with AsyncSession(database) as session:
        other = await session.query(Order).filter(Order.name == "other").one()
        assert {line.text for line in await other.lines} == {"a", "b"}
        assert len(await other.notes) == 1


async def test_what_is_put_back_is_no_orphan(database: Database) -> None:
    key = await make_order(database)
    async with AsyncSession(database) as session:
        order = await session.get_one(Order, key)
        a, b = sorted(await order.lines, key=lambda line: line.text)
        order.lines.remove(a, b)
        order.lines.add(a)
        b.order = order
        assert set(order.lines) == {a, b}
        session.reset_query_stats()
        await session.flush()
        assert sent(session) == 0
        assert [*session.dirty, *session.deleted] == []
        assert a.order is order


async def test_a_rollback_takes_orphans_back(database: Database) -> None:
    key = await make_order(database)
    async with AsyncSession(database) as session:
        order = await session.get_one(Order, key)
        lines = await order.lines
        for flush in (False, True):
            async with rolled_back(session.transaction()):
                order.lines.clear()
                if flush:
                    await session.flush()
            assert list(order.lines) == lines
            assert [line.order for line in lines] == [order, order]
            assert [*session.dirty, *session.deleted] == []
        await session.commit()
    assert await texts(database, Line) == ["a", "b"]


async def test_a_new_orphan_is_forgotten(database: Database) -> None:
    key = await make_order(database)
    async with AsyncSession(database) as session:
        order = await session.get_one(Order, key)
        line, note = Line(text="new", order=order), Note(text="new")
        order.notes.add(note)
        session.add(line)
        await order.lines
        assert line in order.lines
        order.lines.remove(line)
        order.notes.remove(note)
        other = Line(text="other", order=order)
        order.lines.add(other)
        await session.flush()
        assert [*session.new] == []
    assert (await texts(database, Line), await texts(database, Note)) == (["a", "b", "other"], ["n"])


async def test_loaded_orphans_go_with_their_owner(database: Database) -> None:
    key = await make_order(database)
    async with AsyncSession(database) as session:
        order = await session.get_one(Order, key)
        lines, (note,) = await order.lines, await order.notes
        new = Line(text="new", order=order)
        session.add(new)
        # notes have no on_delete: they are deleted because they are loaded
        session.delete(order)
        assert set(session.deleted) == {order, *lines, note}
        await session.flush()
        assert len(session.identity_map) == 0
    assert (await texts(database, Line), await texts(database, Note)) == ([], [])


async def test_the_one_on_the_other_side_is_replaced(database: Database) -> None:
    key = await make_order(database)
    async with AsyncSession(database) as session:
        order = await session.query(Order).select_related(Order.receipt, Order.gift).one()
        old = order.receipt
        assert old is not None
        order.receipt = Receipt(total=4, order=order)
        assert (old.order, order.receipt.order) == (None, order)
        await session.flush()
        assert old not in session.identity_map
        order.gift = None
    async with AsyncSession(database) as session:
        assert [(receipt.total, receipt.order_id) for receipt in await session.query(Receipt)] == [(4, key)]
        assert await session.query(Gift).count() == 0


async def test_a_new_owner_lets_go_of_the_one_it_had(database: Database) -> None:
    key = await make_order(database)
    async with AsyncSession(database) as session:
        order = await session.query(Order).select_related(Order.receipt).one()
        old = order.receipt
        session.add(Receipt(total=5, order=order))
        assert old is not None
        assert list(session.deleted) == [old]
    async with AsyncSession(database) as session:
        assert [(receipt.total, receipt.order_id) for receipt in await session.query(Receipt)] == [(5, key)]


# ---- without it


async def test_a_child_that_needs_its_parent_is_not_taken_out(database: Database) -> None:
    async with AsyncSession(database) as session:
        house = House()
        session.add(Room(house=house, name="hall"))
    async with AsyncSession(database) as session:
        house = await session.query(House).one()
        (hall,) = await house.rooms
        for work in (lambda: house.rooms.remove(hall), house.rooms.clear, lambda: house.rooms.set([])):
            with pytest.raises(
                WrongType, match=r"cannot be taken out of House\.rooms: Room\.house cannot be None"
            ) as caught:
                work()
            assert caught.value.hint is not None
            assert "session.delete(room)" in caught.value.hint
            assert "orphan_removal=True" in caught.value.hint
            assert list(house.rooms) == [hall]
        await session.commit()
        assert not session.dirty


async def test_one_that_can_stay_alone_is_set_free(database: Database) -> None:
    async with AsyncSession(database) as session:
        session.add(Alarm(house=House()))
    async with AsyncSession(database) as session:
        house = await session.query(House).select_related(House.alarm).one()
        alarm = house.alarm
        assert alarm is not None
        house.alarm = None
        assert alarm.house is None
        await session.flush()
        house.alarm = alarm
        assert alarm.house is house
        house.alarm = Alarm()
        assert alarm.house is None
    async with AsyncSession(database) as session:
        assert [alarm.house_id is None for alarm in await session.query(Alarm).order_by(Alarm.id)] == [True, False]


def test_many_to_many_has_no_orphans() -> None:
    with registry.isolated():

        class Shelf(Model):
            id: Mapped[int] = generated(primary_key=True)
            books: Many[Book] = many_to_many()

        class Book(Model):
            id: Mapped[int] = generated(primary_key=True)
            shelves: Many[Shelf] = reverse("books", orphan_removal=True)

        with pytest.raises(ModelError, match=r"Book\.shelves has orphan_removal, and Shelf\.books is many-to-many"):
            Book.__info__.relation("shelves")
