"""S7: related objects by a statement for each relation, parts of collections, lists as values, `session.load`."""

from __future__ import annotations

import gc
from typing import Any
from weakref import ref

import pytest

from cormorant import (
    AsyncSession,
    Database,
    ForeignInstanceError,
    NotFoundError,
    NotLoadedError,
    QueryError,
    Session,
    WrongType,
)
from tests.support.gallery import City, Painter, Painting, Studio, Style, Wall
from tests.support.newsroom import rolled_back, sent

TITLES = {"Ada": ["p0", "p1", "p2", "p3"], "Bob": ["p4", "p5", "p6"], "Cy": []}


async def test_each_relation_is_one_statement(database: Database) -> None:
    async with AsyncSession(database) as session:
        painters = await (
            session.query(Painter)
            .prefetch_related(Painter.paintings, Painter.paintings.each.styles, Painter.city, Painter.studio)
            .order_by(Painter.id)
        )
        assert {painter.name: [p.title for p in painter.paintings] for painter in painters} == TITLES
        assert [style.name for style in painters[0].paintings.known[0].styles] == ["baroque", "cubism"]
        assert [painter.city and painter.city.name for painter in painters] == ["Delft", "Paris", None]
        assert [painter.studio and painter.studio.street for painter in painters] == ["Canal", None, None]
        assert all(painter.paintings.is_loaded for painter in painters)
        assert sent(session) == 5
    assert [painter.city and painter.city.name for painter in painters] == ["Delft", "Paris", None]


async def test_levels_of_one_relation(database: Database) -> None:
    async with AsyncSession(database) as session:
        ada = await session.query(Painter).prefetch_related(Painter.pupils.each.pupils.each.pupils).get(name="Ada")
        (bob,) = ada.pupils
        (cy,) = bob.pupils
        assert (bob.name, cy.name, len(cy.pupils)) == ("Bob", "Cy", 0)
        assert sent(session) == 4


async def test_to_one_relations_are_loaded_by_their_keys(database: Database) -> None:
    async with AsyncSession(database) as session:
        paintings = await session.query(Painting).prefetch_related(Painting.painter.city, Painting.wall)
        assert {painting.painter.name for painting in paintings} == {"Ada", "Bob"}
        assert {p.painter.city.name for p in paintings if p.painter.city} == {"Delft", "Paris"}
        assert sum(painting.wall is not None for painting in paintings) == 6
        assert sent(session) == 4
    assert paintings[0].painter.name


async def test_no_rows_need_no_further_statements(database: Database) -> None:
    async with AsyncSession(database) as session:
        query = session.query(Painter).prefetch_related(Painter.paintings.each.styles, Painter.city)
        assert await query.filter(Painter.name == "nobody") == []
        assert sent(session) == 1
        (cy,) = await query.filter(Painter.name == "Cy")
        assert list(cy.paintings) == []
        # neither a city nor styles are looked for
        assert sent(session) == 3


async def test_what_is_joined_below_comes_in_the_same_statement(database: Database) -> None:
    async with AsyncSession(database) as session:
        query = (
            session.query(City).select_related(City.painters.each.studio).prefetch_related(City.painters.each.pupils)
        )
        delft, _ = await query.order_by(City.id)
        (ada,) = delft.painters
        assert ada.studio is not None
        assert [pupil.name for pupil in ada.pupils] == ["Bob"]
        assert sent(session) == 3


async def test_known_collections_are_read_again(database: Database) -> None:
    async with AsyncSession(database) as session:
        ada = await session.query(Painter).prefetch_related(Painter.paintings).get(name="Ada")
        async with AsyncSession(database) as other:
            there = await other.query(Painter).get(name="Ada")
            other.add(Painting(title="new", painter=there))
        await session.query(Painter).prefetch_related(Painter.paintings)
        assert [painting.title for painting in ada.paintings] == [*TITLES["Ada"], "new"]


async def test_what_is_pending_stays_on_top(database: Database) -> None:
    async with AsyncSession(database) as session:
        (p0,) = await session.query(Painting).filter(title="p0")
        styles = {style.name: style for style in await session.query(Style)}
        p0.styles.add(styles["dada"])
        p0.styles.remove(styles["baroque"])
        await session.query(Painting).prefetch_related(Painting.styles).filter(title="p0")
        assert {style.name for style in p0.styles} == {"cubism", "dada"}


# ------------------------------------------------------------------ parts


async def test_a_part_is_filtered_ordered_and_limited_for_each_owner(database: Database) -> None:
    async with AsyncSession(database) as session:
        part = Painter.paintings.filter(Painting.price != 50).order_by(Painting.price.desc()).limit(2)
        painters = await session.query(Painter).prefetch_related(part).order_by(Painter.id)
        found = {painter.name: [painting.title for painting in painter.paintings] for painter in painters}
        assert found == {"Ada": ["p3", "p2"], "Bob": ["p6", "p4"], "Cy": []}
        assert sent(session) == 2
        ada = painters[0]
        assert (ada.paintings.is_loaded, ada.paintings.is_partial, len(ada.paintings)) == (False, True, 2)
        assert "2 objects of a part" in repr(ada.paintings)


async def test_parts_of_links_and_what_follows_them(database: Database) -> None:
    async with AsyncSession(database) as session:
        query = session.query(Style).prefetch_related(
            Style.paintings.filter(painter__name="Ada").order_by(Painting.id.desc()).limit(1),
            Style.paintings.each.painter.city,
            Style.paintings.each.styles.order_by(Style.weight.desc()),
        )
        baroque, *_ = await query.order_by(Style.id)
        (painting,) = baroque.paintings
        assert (painting.title, painting.painter.name) == ("p3", "Ada")
        assert painting.painter.city is not None
        assert [style.name for style in painting.styles] == ["cubism", "baroque"]
        # an order leaves nothing out
        assert painting.styles.is_loaded
        assert sent(session) == 5


async def test_awaiting_a_part_loads_the_whole(database: Database) -> None:
    async with AsyncSession(database) as session:
        painters = await session.query(Painter).prefetch_related(Painter.paintings.limit(1)).order_by(Painter.id)
        ada, bob, _ = painters
        assert [painting.title for painting in await ada.paintings] == TITLES["Ada"]
        assert ada.paintings.is_loaded
        # what others show was asked for and stays
        assert [painting.title for painting in bob.paintings] == ["p4"]
        assert [painting.title async for painting in bob.paintings] == TITLES["Bob"]


async def test_a_part_is_never_taken_for_the_whole(database: Database) -> None:
    async with AsyncSession(database) as session:
        (ada,) = await session.query(Painter).prefetch_related(Painter.paintings.limit(1)).filter(name="Ada")
        for refused in (ada.paintings.clear, lambda: ada.paintings.set([])):
            with pytest.raises(
                NotLoadedError, match=r"was loaded in part\nHint: await it first: `await painter\.paintings`"
            ):
                refused()
        assert await ada.paintings.count() == 4
        (p3,) = await session.query(Painting).filter(title="p3")
        bob = await session.query(Painter).get(name="Bob")
        assert p3 not in ada.paintings
        # what it does not show can be taken out all the same
        bob.paintings.add(p3)
        await session.flush()
        assert [painting.title for painting in ada.paintings] == ["p0"]
        assert [painting.title for painting in await ada.paintings] == ["p0", "p1", "p2"]


async def test_links_are_added_to_and_taken_out_of_a_part(database: Database) -> None:
    async with AsyncSession(database) as session:
        (p0,) = await session.query(Painting).prefetch_related(Painting.styles.filter(weight=0)).filter(title="p0")
        styles = {style.name: style for style in await session.query(Style)}
        assert [style.name for style in p0.styles] == ["baroque"]
        p0.styles.remove(styles["cubism"])
        p0.styles.add(styles["dada"], styles["baroque"])
        assert [style.name for style in p0.styles] == ["baroque", "dada"]
    async with AsyncSession(database) as session:
        (p0,) = await session.query(Painting).prefetch_related(Painting.styles).filter(title="p0")
        assert [style.name for style in p0.styles] == ["baroque", "dada"]


async def test_a_part_that_a_member_leaves_or_joins_elsewhere(database: Database) -> None:
    async with AsyncSession(database) as session:
        (ada,) = await session.query(Painter).prefetch_related(Painter.paintings.limit(2)).filter(name="Ada")
        bob = await session.query(Painter).get(name="Bob")
        p0, p1 = ada.paintings
        p0.painter = bob
        (p4,) = await session.query(Painting).filter(title="p4")
        p4.painter = ada
        await session.flush()
        # who came by the other side may not be of the part
        assert list(ada.paintings) == [p1]
        assert p4 in await ada.paintings


async def test_a_rolled_back_part_is_what_it_was(database: Database) -> None:
    async with AsyncSession(database) as session:
        (ada,) = await session.query(Painter).prefetch_related(Painter.paintings.limit(2)).filter(name="Ada")
        async with rolled_back(session.transaction()):
            ada.paintings.add(Painting(title="new", painter=ada))
            await session.flush()
            assert [painting.title for painting in ada.paintings] == ["p0", "p1", "new"]
            await ada.paintings
            assert ada.paintings.is_loaded
        assert ada.paintings.is_partial
        assert [painting.id for painting in ada.paintings] == [1, 2]


# ------------------------------------------------------------------ lists as values


async def test_lists_come_beside_the_objects(database: Database) -> None:
    top = Painter.paintings.order_by(Painting.price.desc()).limit(2)
    async with AsyncSession(database) as session:
        rows = await session.query(Painter).annotate(top, Painter.paintings.count()).order_by(Painter.id)
        assert [(painter.name, [p.title for p in paintings], n) for painter, paintings, n in rows] == [
            ("Ada", ["p3", "p2"], 4),
            ("Bob", ["p6", "p5"], 3),
            ("Cy", [], 0),
        ]
        assert sent(session) == 2
        # the collection is not touched
        assert not rows[0][0].paintings.is_loaded
        assert not rows[0][0].paintings.is_partial
        with pytest.raises(NotLoadedError):
            len(rows[0][0].paintings)


async def test_lists_of_relations_further_away_and_by_name(database: Database) -> None:
    async with AsyncSession(database) as session:
        query = session.query(Painting).order_by(Painting.id).limit(2)
        pairs = await query.values(Painting.title, Painting.painter.pupils, Painting.styles.filter(weight__gt=0))
        assert [(t, [x.name for x in pupils], [s.name for s in styles]) for t, pupils, styles in pairs] == [
            ("p0", ["Bob"], ["cubism"]),
            ("p1", ["Bob"], ["cubism", "dada"]),
        ]
        assert pairs[0][1] is not pairs[1][1]
        assert sent(session) == 3
        dicts = await query.as_dicts(Painting.title, Painting.styles, Painting.styles.limit(1).label("first"))
        assert [len(row["styles"]) for row in dicts] == [2, 2]
        assert [row["first"][0].name for row in dicts] == ["baroque", "cubism"]
        assert [len(found) for found in await query.scalars(Painting.styles)] == [2, 2]
        owners = await query.values(Painting.title, Painting.owner.paintings)
        assert owners == [("p0", []), ("p1", [])]
        assert await query.values(Painting.styles).count() == 2


async def test_lists_of_owners_with_keys_of_several_columns(database: Database) -> None:
    async with AsyncSession(database) as session:
        rows = await session.query(Wall).annotate(Wall.paintings.order_by(Painting.id.desc())).order_by(*_wall_key())
        assert [[painting.title for painting in paintings] for _, paintings in rows] == [
            ["p4", "p0"],
            ["p5", "p1"],
            ["p2"],
            ["p3"],
        ]
        walls = await session.query(Wall).prefetch_related(Wall.paintings.limit(1)).order_by(*_wall_key())
        assert [[painting.title for painting in wall.paintings] for wall in walls] == [["p0"], ["p1"], ["p2"], ["p3"]]


def _wall_key() -> Any:
    return Wall.room, Wall.side


# ------------------------------------------------------------------ session.load


async def test_objects_at_hand_are_loaded_together(database: Database) -> None:
    async with AsyncSession(database) as session:
        painters = await session.query(Painter).order_by(Painter.id)
        await session.load(painters, Painter.paintings.each.styles, Painter.city)
        assert {painter.name: [p.title for p in painter.paintings] for painter in painters} == TITLES
        assert [len(p.styles) for p in painters[0].paintings] == [2] * 4
        assert painters[0].city is not None
        assert painters[0].city.name == "Delft"
        assert sent(session) == 4
        # once more there is nothing to load
        await session.load(painters, Painter.paintings.each.styles, Painter.city)
        assert sent(session) == 4


async def test_one_object_its_other_side_and_a_part(database: Database) -> None:
    async with AsyncSession(database) as session:
        ada = await session.query(Painter).get(name="Ada")
        await session.load(ada, Painter.studio, Painter.paintings.filter(price__gt=10))
        assert ada.studio is not None
        assert ada.studio.street == "Canal"
        assert [painting.title for painting in ada.paintings] == ["p2", "p3"]
        # a part is read whenever it is asked for
        await session.load([ada], Painter.paintings.filter(price__gt=20))
        assert [painting.title for painting in ada.paintings] == ["p3"]
        await session.load([ada], Painter.paintings)
        assert len(ada.paintings) == 4


async def test_references_and_new_objects_are_loaded_too(database: Database) -> None:
    async with AsyncSession(database) as session:
        paintings = await session.query(Painting)
        ada = await session.query(Painter).get(name="Ada")
        fresh = Painting(title="fresh", painter=ada)
        session.add(fresh)
        await session.load([*paintings, fresh], Painting.painter, Painting.styles)
        assert {painting.painter.name for painting in paintings} == {"Ada", "Bob"}
        assert list(fresh.styles) == []
        references = [painting.owner for painting in paintings if painting.owner]
        await session.load(references, Painter.paintings)
        assert list(references[0].paintings) == []


async def test_what_cannot_be_loaded_is_refused(database: Database) -> None:
    async with AsyncSession(database) as session, AsyncSession(database) as other:
        ada = await session.query(Painter).get(name="Ada")
        studio = await session.query(Studio).one()
        bad: Any = "Painter.paintings"
        for objects, what, error, match in (
            ([ada, studio], (Painter.paintings,), WrongType, r"load\(\) of Painter and Studio objects together"),
            (studio, (Painter.paintings,), QueryError, r"Painter\.paintings is no relation of the Studio objects"),
            (ada, (), QueryError, r"load\(\) names nothing"),
            (ada, (bad,), WrongType, r"load\(\) takes relations"),
            (ada, (Painter.city.name,), QueryError, "columns of other objects"),
            (ada, (Painting.title,), QueryError, r"Painting\.title in load\(\) is not a column of Painter"),
            ([3], (Painter.paintings,), WrongType, r"load\(\) takes objects, not 3"),
            (3, (Painter.paintings,), WrongType, r"load\(\) takes objects, not 3"),
            (Painter(name="new"), (Painter.paintings,), ForeignInstanceError, "does not belong to this session"),
        ):
            arguments: Any = (objects, *what)
            with pytest.raises(error, match=match):
                await session.load(*arguments)
        with pytest.raises(ForeignInstanceError):
            await other.load(ada, Painter.paintings)
        await session.load([], Painter.paintings)


async def test_a_row_that_is_gone_is_said_to_be(database: Database) -> None:
    async with AsyncSession(database) as session:
        (painting,) = await session.query(Painting).only(Painting.title).filter(title="p6")
        async with AsyncSession(database) as other:
            other.delete(await other.query(Painting).get(title="p6"))
        with pytest.raises(NotFoundError, match="Painting 7 does not exist"):
            await session.load(painting, Painting.notes)


def test_it_is_the_same_in_a_sync_session(database_dsn: str, database: Database) -> None:
    with Session(database_dsn) as session:
        painters = session.query(Painter).prefetch_related(Painter.paintings.limit(1)).order_by(Painter.id).all()
        assert [[painting.title for painting in painter.paintings] for painter in painters] == [["p0"], ["p4"], []]
        session.load(painters, Painter.studio, Painter.paintings)
        assert len(painters[0].paintings) == 4
        (first, *_) = session.query(Painter).annotate(Painter.paintings.limit(1)).order_by(Painter.id)
        assert [painting.title for painting in first[1]] == ["p0"]


# ---- who holds whom


async def test_a_whole_result_goes_without_the_collector(database: Database) -> None:
    gc.collect()
    gc.disable()
    try:
        async with AsyncSession(database) as session:
            painters = await session.query(Painter).prefetch_related(Painter.paintings)
        gone = [ref(painter) for painter in painters]
        del painters
        # what the event loop and the connection remember of their last step
        await database.ping()
        assert [painter() for painter in gone] == [None] * len(gone)
    finally:
        gc.enable()


async def test_a_collection_that_was_read_holds_its_owner(database: Database) -> None:
    async with AsyncSession(database) as session:
        painters = await session.query(Painter).prefetch_related(Painter.paintings).order_by(Painter.id)
        paintings = painters[0].paintings
    del painters
    gc.collect()
    assert paintings.owner.name == "Ada"
    assert [painting.title for painting in paintings] == TITLES["Ada"]


async def test_collections_that_nobody_has_looked_at_know_their_owner(database: Database) -> None:
    async with AsyncSession(database) as session:
        ada = await session.query(Painter).prefetch_related(Painter.paintings).get(name="Ada")
        held = (ada.__orm_related__ or {})["paintings"]
        assert held.owner is ada
        assert repr(held) == repr(ada.paintings)
        assert held is ada.paintings
        with pytest.raises(AttributeError, match="no attribute 'other'"):
            held.other  # noqa: B018
