"""`only()` and `defer()`: columns that are left out until they are asked for."""

from __future__ import annotations

import asyncio

import pytest

from cormorant import AsyncSession, Database, NotLoadedError, Session, SessionClosedError, StaleObjectError
from cormorant.models.state import is_set
from tests.support.gallery import Painter, Painting
from tests.support.newsroom import rolled_back, sent, sql_of


def columns_of(instance: object) -> set[str]:
    """Gives the columns that have a value."""
    return {name for name in Painting.__info__.fields if is_set(instance, name)}  # type: ignore[arg-type]


async def test_a_column_that_was_left_out_says_so(database: Database) -> None:
    async with AsyncSession(database) as session:
        (painting,) = await session.query(Painting).only(Painting.title).filter(title="p1")
        assert columns_of(painting) == {"id", "title", "version"}
        assert repr(painting) == "<Painting id=2 title='p1' version=1 (in part)>"
        assert painting.to_dict() == {"id": 2, "title": "p1", "version": 1}
        with pytest.raises(
            NotLoadedError, match=r"Painting\.notes of .* was not loaded by the query at .*test_columns\.py:\d+"
        ) as raised:
            _ = painting.notes
        assert raised.value.hint == (
            "await the object, `await painting`, or have the query read the column: see its .only() or .defer()"
        )
        # the relation's key was left out with the rest
        with pytest.raises(NotLoadedError, match=r"Painting\.painter_id"):
            _ = painting.painter
        assert not hasattr(painting, "nothing")
    with pytest.raises(SessionClosedError, match=r"Painting\.notes of .* its session is closed"):
        _ = painting.notes


async def test_awaiting_one_object_loads_the_columns_of_all(database: Database) -> None:
    async with AsyncSession(database) as session:
        paintings = await session.query(Painting).defer(Painting.notes, Painting.facts).order_by(Painting.id)
        assert [(await painting).notes for painting in paintings] == [f"notes {n}" for n in range(7)]
        assert [painting.facts for painting in paintings] == [{"n": n} for n in range(7)]
        assert sent(session) == 2
        assert all(type(painting) is Painting for painting in paintings)
        assert not session.dirty


async def test_all_at_once_is_one_query_too(database: Database) -> None:
    async with AsyncSession(database) as session:
        paintings = await session.query(Painting).only(Painting.title)
        await asyncio.gather(*paintings)
        assert {painting.price for painting in paintings} == set(range(0, 70, 10))
        assert sent(session) == 2


async def test_single_columns_are_loaded_by_name(database: Database) -> None:
    async with AsyncSession(database) as session:
        paintings = await session.query(Painting).only(Painting.title).order_by(Painting.id)
        await session.load(paintings[:3], Painting.price, Painting.facts)
        assert [(painting.price, painting.facts) for painting in paintings[:3]] == [
            (n * 10, {"n": n}) for n in range(3)
        ]
        assert columns_of(paintings[0]) == {"id", "title", "version", "price", "facts"}
        assert columns_of(paintings[3]) == {"id", "title", "version"}
        assert '"notes"' not in "".join(sql_of(session, "SELECT"))
        await session.load(paintings[:3], Painting.price)
        assert sent(session) == 2


async def test_get_and_refresh_give_whole_objects(database: Database) -> None:
    async with AsyncSession(database) as session:
        one, two, *_ = await session.query(Painting).only(Painting.title).order_by(Painting.id)
        assert await session.get(Painting, one.id) is one
        assert one.notes == "notes 0"
        await session.refresh(two)
        assert two.notes == "notes 1"
        assert sent(session) == 3


async def test_changing_a_column_that_was_left_out_writes_it_alone(database: Database) -> None:
    async with AsyncSession(database) as session:
        (painting,) = await session.query(Painting).only(Painting.title).filter(title="p1")
        painting.notes = "changed"
        painting.facts = {"n": "changed"}
        await session.commit()
        (update,) = sql_of(session, "UPDATE")
        assert ('"notes" =' in update, '"facts" =' in update, '"title" =' in update) == (True, True, False)
        assert columns_of(painting) == {"id", "title", "version", "notes", "facts"}
        assert painting.version == 2
        painting.facts["more"] = 1
        await session.commit()
        assert (await painting).price == 10
    async with AsyncSession(database) as session:
        painting = await session.query(Painting).get(title="p1")
        assert (painting.notes, painting.facts, painting.price) == ("changed", {"n": "changed", "more": 1}, 10)


async def test_a_changed_object_is_filled_and_keeps_its_changes(database: Database) -> None:
    async with AsyncSession(database) as session:
        (painting,) = await session.query(Painting).only(Painting.title, Painting.facts).filter(title="p1")
        painting.title = "mine"
        painting.facts["mine"] = True
        assert (await painting).notes == "notes 1"
        assert (painting.title, painting.facts) == ("mine", {"n": 1, "mine": True})
    async with AsyncSession(database) as session:
        assert (await session.query(Painting).get(title="mine")).facts == {"n": 1, "mine": True}


async def test_the_version_is_always_there(database: Database) -> None:
    async with AsyncSession(database) as session:
        (painting,) = await session.query(Painting).only(Painting.title).filter(title="p1")
        async with AsyncSession(database) as other:
            (await other.query(Painting).get(title="p1")).price = 99
        # what comes later does not hide that the row was changed meanwhile
        await session.load(painting, Painting.price)
        assert (painting.price, painting.version) == (99, 1)
        painting.notes = "x"
        with pytest.raises(StaleObjectError):
            await session.flush()
        await session.rollback()


async def test_a_partial_row_fills_and_never_mixes(database: Database) -> None:
    async with AsyncSession(database) as session:
        whole = await session.query(Painting).get(title="p1")
        (part,) = await session.query(Painting).only(Painting.title, Painting.facts).filter(title="p2")
        async with AsyncSession(database) as other:
            for painting in await other.query(Painting).filter(Painting.price <= 20):
                painting.title, painting.notes, painting.facts = painting.title + "!", "new", {"n": "new"}
        await session.query(Painting).only(Painting.title, Painting.notes)
        # a whole object shows one moment of its row
        assert (whole.title, whole.notes, whole.version) == ("p1", "notes 1", 1)
        # one that has more columns than the row keeps those, and takes what it lacks
        assert (part.title, part.facts, part.notes, part.version) == ("p2", {"n": 2}, "new", 1)
        await session.query(Painting)
        assert (whole.title, whole.notes, whole.version) == ("p1!", "new", 2)
        assert (part.title, part.facts, part.version) == ("p2!", {"n": "new"}, 2)


async def test_a_partial_row_refreshes_an_object_of_the_same_columns(database: Database) -> None:
    async with AsyncSession(database) as session:
        query = session.query(Painting).only(Painting.title, Painting.facts).order_by(Painting.id)
        first, *_ = await query
        reference = (await session.query(Painter).get(name="Ada")).paintings
        async with AsyncSession(database) as other:
            painting = await other.query(Painting).get(title="p0")
            painting.title, painting.facts = "p0!", {"n": "!"}
        assert (await query)[0] is first
        assert (first.title, first.facts, first.version) == ("p0!", {"n": "!"}, 2)
        # changes inside are kept like any other
        first.facts["mine"] = 1
        await query
        assert first.facts == {"n": "!", "mine": 1}
        assert not reference.is_loaded


async def test_columns_of_joined_objects_are_left_out_too(database: Database) -> None:
    async with AsyncSession(database) as session:
        query = session.query(Painting).select_related(Painting.painter, Painting.owner)
        paintings = await query.only(Painting.title, Painting.painter.name).order_by(Painting.id)
        ada, cy = paintings[0].painter, paintings[1].owner
        assert (ada.name, cy and cy.name, sent(session)) == ("Ada", "Cy", 1)
        with pytest.raises(NotLoadedError, match=r"Painter\.city_id"):
            _ = ada.city
        assert (await ada).city_id is not None
        # with it those that came by the same relation
        assert paintings[-1].painter.city_id is not None
        assert sent(session) == 2


async def test_columns_of_what_other_statements_load_are_left_out_too(database: Database) -> None:
    async with AsyncSession(database) as session:
        painters = session.query(Painter).prefetch_related(Painter.paintings, Painter.paintings.each.styles)
        titles = painters.only(Painter.name, Painter.paintings.each.title, Painter.paintings.each.styles.each.name)
        ada, bob, _ = await titles.order_by(Painter.id)
        assert [painting.title for painting in bob.paintings] == ["p4", "p5", "p6"]
        first = next(iter(ada.paintings))
        assert columns_of(first) == {"id", "title", "version", "painter_id"}
        assert first.painter is ada
        assert {style.name for style in first.styles} == {"baroque", "cubism"}
        with pytest.raises(
            NotLoadedError, match=r"Painting\.notes of .* was not loaded by the query at .*test_columns"
        ):
            _ = first.notes
        with pytest.raises(NotLoadedError, match=r"Style\.weight"):
            _ = next(iter(first.styles)).weight
        assert sent(session) == 3
        # awaiting one loads the columns of all
        assert (await first).notes == "notes 0"
        assert [painting.notes for painting in bob.paintings] == ["notes 4", "notes 5", "notes 6"]
        assert sent(session) == 4


async def test_columns_of_references_that_a_statement_loads_are_left_out_too(database: Database) -> None:
    async with AsyncSession(database) as session:
        paintings = session.query(Painting).prefetch_related(Painting.painter.city).order_by(Painting.id)
        painting = (await paintings.defer(Painting.notes, Painting.painter.name, Painting.painter.city_id))[0]
        # the key is read all the same where the way goes on by it
        city = painting.painter.city
        assert (city and city.name) == "Delft"
        with pytest.raises(NotLoadedError, match=r"Painter\.name"):
            _ = painting.painter.name
    async with AsyncSession(database) as session:
        top = Painter.paintings.order_by(Painting.price.desc()).limit(1)
        painters = session.query(Painter).order_by(Painter.id).prefetch_related(top)
        ada = (await painters.select_related(Painter.paintings.each.wall).only(Painter.paintings.each.wall.color))[0]
        (best,) = ada.paintings
        assert (best.price, best.wall and best.wall.color) == (30, "white")
        assert sent(session) == 2


async def test_the_same_model_with_other_columns_in_one_row(database: Database) -> None:
    async with AsyncSession(database) as session:
        query = session.query(Painting).select_related(Painting.owner.teacher, Painting.painter)
        paintings = await query.only(Painting.title, Painting.owner.teacher.name).filter(title__in=["p4", "p5"])
        # Bob is whole as a painter, whatever the teacher of an owner gets
        bob = paintings[0].painter
        assert (bob.name, bob.teacher_id) == ("Bob", 1)
        assert type(bob) is Painter


async def test_rolled_back_columns_are_forgotten(database: Database) -> None:
    async with AsyncSession(database) as session:
        before = await session.query(Painting).only(Painting.title).filter(title="p0").one()
        async with rolled_back(session.transaction()):
            await session.query(Painting).update(Painting.notes.set("undone"))
            (inside,) = await session.query(Painting).only(Painting.notes).filter(title="p1")
            assert (await before).notes == inside.notes == "undone"
        assert not is_set(inside, "notes")
        assert (await before).notes == "notes 0"
        assert (await inside).notes == "notes 1"


async def test_deleting_and_pointing_to_objects_in_part(database: Database) -> None:
    async with AsyncSession(database) as session:
        (p6,) = await session.query(Painting).only(Painting.title).filter(title="p6")
        (cy,) = await session.query(Painter).only(Painter.name).filter(name="Cy")
        (p5,) = await session.query(Painting).only(Painting.title).filter(title="p5")
        p5.painter = cy
        await session.clear_m2m(p6, Painting.styles)
        session.delete(p6)
        await session.flush()
        assert [painting.title for painting in await cy.paintings] == ["p5"]
    async with AsyncSession(database) as session:
        assert await session.query(Painting).count() == 6


def test_a_sync_session_loads_them_when_they_are_read(database_dsn: str, database: Database) -> None:
    with Session(database_dsn) as session:
        paintings = session.query(Painting).defer(Painting.notes).order_by(Painting.id).all()
        assert [painting.notes for painting in paintings] == [f"notes {n}" for n in range(7)]
        assert sent(session) == 2
