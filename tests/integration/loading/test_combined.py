"""What comes along with objects, together with pages, streams, locks, scopes and shapes of one's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from cormorant import AsyncSession, Database, NotFoundError, Scope
from tests.support.gallery import Painter, Painting, Style
from tests.support.newsroom import sent


@dataclass
class Summary:
    name: str
    paintings: list[Painting]
    first: list[Painting]


async def test_lists_fill_shapes_by_name(database: Database) -> None:
    async with AsyncSession(database) as session:
        first = Painter.paintings.order_by(Painting.id).limit(1).label("first")
        query = session.query(Painter).values(Painter.name, Painter.paintings, first).order_by(Painter.id)
        ada, *_ = await query.into(Summary)
        assert (ada.name, len(ada.paintings), [painting.title for painting in ada.first]) == ("Ada", 4, ["p0"])


async def test_pages_bring_it_along(database: Database) -> None:
    async with AsyncSession(database) as session:
        query = session.query(Painting).select_related(Painting.painter).prefetch_related(Painting.styles)
        page = await query.order_by(Painting.price.desc(), Painting.id).page(2)
        assert [(p.title, p.painter.name, len(p.styles)) for p in page] == [("p6", "Bob", 2), ("p5", "Bob", 2)]
        page = await query.order_by(Painting.price.desc(), Painting.id).page(2, after=page.next)
        assert [(p.title, p.painter.name, len(p.styles)) for p in page] == [("p4", "Bob", 2), ("p3", "Ada", 2)]
        assert sent(session) == 4
        lists = await session.query(Painter).annotate(Painter.paintings.limit(1)).order_by(Painter.id).page(2)
        assert [[painting.title for painting in paintings] for _, paintings in lists] == [["p0"], ["p4"]]
        names = await session.query(Painting).only(Painting.title).order_by(Painting.id).page(1)
        assert [painting.title for painting in names] == ["p0"]


@pytest.mark.parametrize("inside", [False, True])
async def test_streams_bring_it_along_chunk_by_chunk(database: Database, inside: bool) -> None:
    async with AsyncSession(database) as session:
        if inside:
            await session.begin()
        query = session.query(Painting).select_related(Painting.painter).prefetch_related(Painting.styles)
        found = [
            (painting.title, painting.painter.name, len(painting.styles))
            async for painting in query.defer(Painting.notes).order_by(Painting.id).stream(3)
        ]
        assert found == [(f"p{n}", "Ada" if n < 4 else "Bob", 2) for n in range(7)]
        assert not list(session.identity_map)


async def test_a_lock_is_of_the_querys_own_rows(database: Database) -> None:
    async with AsyncSession(database) as session, session.transaction():
        query = session.query(Painting).select_related(Painting.painter, Painting.owner).filter(title="p1")
        painting = await query.for_update().one()
        assert (painting.painter.name, painting.owner and painting.owner.name) == ("Ada", "Cy")
        assert await session.query(Painting).only(Painting.title).filter(title="p1").for_update().one() is painting


def cheap(model: Any) -> Any:
    return model.price < 30


async def test_scopes_hold_for_all_that_comes_along(database: Database) -> None:
    scopes = [Scope(Painting, cheap, name="cheap"), Scope(Painter, lambda painter: painter.name != "Ada", name="ada")]
    async with AsyncSession(database, scopes=scopes) as session:
        query = session.query(Painting).select_related(Painting.painter, Painting.owner).order_by(Painting.id)
        paintings = await query
        # a painting whose painter is hidden is there, and its painter is not
        assert [painting.title for painting in paintings] == ["p0", "p1", "p2"]
        assert paintings[1].owner is not None
        assert paintings[1].owner.name == "Cy"
        with pytest.raises(NotFoundError):
            await paintings[0].painter
        styles = await session.query(Style).prefetch_related(Style.paintings).order_by(Style.id)
        assert [[painting.title for painting in style.paintings] for style in styles] == [
            ["p0", "p2"],
            ["p0", "p1"],
            ["p1", "p2"],
        ]
        assert len(await styles[0].paintings) == 2
    async with AsyncSession(database, scopes=scopes) as session:
        query = session.query(Painter).unscoped().prefetch_related(Painter.paintings).order_by(Painter.id)
        assert [len(painter.paintings) for painter in await query] == [4, 3, 0]
        rows = await session.query(Painter).unscoped("ada").annotate(Painter.paintings).order_by(Painter.id)
        assert [len(paintings) for _, paintings in rows] == [3, 0, 0]


async def test_relations_of_selected_paths_and_optional_ones(database: Database) -> None:
    async with AsyncSession(database) as session:
        rows = await session.query(Painting).values(Painting.title, Painting.owner.optional()).order_by(Painting.id)
        assert [owner and owner.name for _, owner in rows[:3]] == [None, "Cy", None]
        assert sent(session) == 1


async def test_distinct_and_grouped_objects(database: Database) -> None:
    async with AsyncSession(database) as session:
        query = session.query(Painter).prefetch_related(Painter.paintings).filter(Painter.paintings.each.price >= 20)
        found = await query.distinct().order_by(Painter.id)
        assert [(painter.name, len(painter.paintings)) for painter in found] == [("Ada", 4), ("Bob", 3)]
