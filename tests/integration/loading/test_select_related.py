"""S7: related objects in the rows of the query itself."""

from __future__ import annotations

import pytest

from cormorant import AsyncSession, Database, NotLoadedError, Session, SessionClosedError, func
from tests.support.gallery import Painter, Painting, Studio, Wall
from tests.support.newsroom import sent


async def test_related_objects_come_in_one_statement(database: Database) -> None:
    async with AsyncSession(database) as session:
        paintings = await (
            session.query(Painting).select_related(Painting.painter.city, Painting.owner).order_by(Painting.id)
        )
        assert [painting.painter.name for painting in paintings] == ["Ada"] * 4 + ["Bob"] * 3
        assert [painting.owner and painting.owner.name for painting in paintings] == [None, "Cy"] * 3 + [None]
        assert {painting.painter.city.name for painting in paintings if painting.painter.city} == {"Delft", "Paris"}
        assert sent(session) == 1
    # they were loaded, so that they stay readable
    assert paintings[0].painter.name == "Ada"


async def test_rows_of_one_object_give_the_same_object(database: Database) -> None:
    async with AsyncSession(database) as session:
        paintings = await session.query(Painting).select_related(Painting.painter)
        assert len({id(painting.painter) for painting in paintings}) == 2
        assert await session.get(Painter, paintings[0].painter.id) is paintings[0].painter
        assert sent(session) == 1


async def test_the_other_side_of_one_to_one_is_an_object_or_none(database: Database) -> None:
    async with AsyncSession(database) as session:
        ada, bob, cy = await session.query(Painter).select_related(Painter.studio).order_by(Painter.id)
        assert ada.studio is not None
        assert (ada.studio.street, ada.studio.painter) == ("Canal", ada)
        assert bob.studio is cy.studio is None
        assert sent(session) == 1


async def test_relations_to_the_same_model_are_told_apart(database: Database) -> None:
    async with AsyncSession(database) as session:
        cy = await session.query(Painter).select_related(Painter.teacher.teacher.teacher).get(name="Cy")
        assert cy.teacher is not None
        assert cy.teacher.teacher is not None
        assert (cy.teacher.name, cy.teacher.teacher.name, cy.teacher.teacher.teacher) == ("Bob", "Ada", None)
        assert sent(session) == 1


async def test_keys_of_several_columns_are_joined_by_all(database: Database) -> None:
    async with AsyncSession(database) as session:
        paintings = await session.query(Painting).select_related(Painting.wall).order_by(Painting.id)
        walls = [painting.wall and (painting.wall.room, painting.wall.side) for painting in paintings]
        assert walls == [(1, "n"), (1, "s"), (2, "n"), (2, "s"), (1, "n"), (1, "s"), None]
        assert all(painting.wall.color == "white" for painting in paintings if painting.wall)
        assert sent(session) == 1


async def test_a_limit_counts_the_querys_objects_and_relations_to_many_are_loaded_beside(database: Database) -> None:
    async with AsyncSession(database) as session:
        query = session.query(Painting).select_related(
            Painting.painter.paintings.each.owner, Painting.painter.paintings.each.styles, Painting.styles
        )
        first, second = await query.order_by(Painting.id).limit(2)
        assert first.painter is second.painter
        assert [painting.title for painting in first.painter.paintings] == ["p0", "p1", "p2", "p3"]
        assert [painting.owner and painting.owner.name for painting in first.painter.paintings][1] == "Cy"
        assert [style.name for style in second.styles] == ["cubism", "dada"]
        # the query, the painter's paintings with their owners, those paintings' styles, the styles
        assert sent(session) == 4


async def test_single_rows_and_pairs_come_with_it_too(database: Database) -> None:
    async with AsyncSession(database) as session:
        query = session.query(Painting).select_related(Painting.painter)
        first = await query.order_by(Painting.id).first()
        assert first is not None
        assert first.painter.name == "Ada"
        rows = await query.annotate(Painting.price + 1).order_by(Painting.id)
        assert [(painting.painter.name, price) for painting, price in rows[-2:]] == [("Bob", 51), ("Bob", 61)]
        assert await query.count() == 7
        assert await query.aggregate(func.max(Painting.price)) == 60
        assert [painting.title async for painting in query.filter(Painting.painter.name == "Bob")] == ["p4", "p5", "p6"]
        assert sent(session) == 5


async def test_what_points_elsewhere_meanwhile_keeps_what_it_points_to(database: Database) -> None:
    async with AsyncSession(database) as session:
        painting = await session.query(Painting).get(title="p0")
        bob = await session.query(Painter).get(name="Bob")
        painting.painter = bob
        # what is pending is written before a query that reads its table
        (same,) = await session.query(Painting).select_related(Painting.painter).filter(Painting.title == "p0")
        assert same is painting
        assert painting.painter is bob


async def test_a_row_met_again_shows_whom_it_points_to_now(database: Database) -> None:
    async with AsyncSession(database) as session:
        query = session.query(Painting).select_related(Painting.painter, Painting.owner).filter(Painting.title == "p1")
        painting = await query.one()
        async with AsyncSession(database) as other:
            bob = await other.query(Painter).get(name="Bob")
            await other.query(Painting).update(Painting.painter.id.set(bob.id), Painting.owner.id.set(None))
        assert await query.one() is painting
        assert (painting.painter.name, painting.owner) == ("Bob", None)


async def test_what_was_not_asked_for_is_not_there(database: Database) -> None:
    async with AsyncSession(database) as session:
        painting = await session.query(Painting).select_related(Painting.painter).get(title="p1")
        with pytest.raises(NotLoadedError, match=r"Painter\.name of <Painter id=3 \(reference\)> was not loaded"):
            _ = painting.owner and painting.owner.name
        with pytest.raises(
            NotLoadedError, match=r"Painter\.studio of .* by the query at .*test_select_related\.py:\d+"
        ) as e:
            _ = painting.painter.studio
        assert e.value.hint == (
            "await it: `await session.load(painter, Painter.studio)`,"
            " or load it up front: .select_related(Painter.studio)"
        )
    with pytest.raises(SessionClosedError, match=r"Painter\.studio of .* its session is closed"):
        _ = painting.painter.studio


async def test_a_key_that_no_row_has_is_no_object(database: Database) -> None:
    async with AsyncSession(database) as session:
        await session.query(Wall).filter(Wall.room == 9).delete()
        found = await session.query(Wall).select_related(Wall.paintings).filter(Wall.room == 9)
        assert found == []


def test_it_is_the_same_in_a_sync_session(database_dsn: str, database: Database) -> None:
    with Session(database_dsn) as session:
        paintings = session.query(Painting).select_related(Painting.painter).order_by(Painting.id).all()
        assert [painting.painter.name for painting in paintings] == ["Ada"] * 4 + ["Bob"] * 3
        assert sent(session) == 1
        ada = paintings[0].painter
        # what was not asked for loads when it is read
        assert ada.studio is not None
        assert ada.studio.street == "Canal"
        assert session.query(Studio).one() is ada.studio
