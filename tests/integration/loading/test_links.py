"""S12: links of many-to-many relations, pending and at once, through models, and both ways."""

from __future__ import annotations

from typing import Any

import pytest

from cormorant import (
    AsyncSession,
    Database,
    ForeignInstanceError,
    ForeignKeyViolation,
    Session,
    SessionClosedError,
    SessionNotEntered,
    UnknownName,
    UnsavedError,
    WrongType,
    ref,
)
from tests.support.gallery import Hanging, Invitation, Painter, Painting, Show, Studio, Style
from tests.support.newsroom import rolled_back, sent, words


async def names(database: Database, title: str = "p0") -> list[str]:
    """Gives the styles of a painting as the database has them."""
    async with AsyncSession(database) as session:
        query = session.query(Style).filter(Style.paintings.any(Painting.title == title))
        return await query.order_by(Style.name).scalars(Style.name)


async def styles_of(session: AsyncSession) -> list[Style]:
    return await session.query(Style).order_by(Style.id)


# ------------------------------------------------------------------ at once


async def test_links_are_made_at_once_and_nothing_is_loaded(database: Database) -> None:
    async with AsyncSession(database) as session:
        painting = await session.query(Painting).get(title="p0")
        _, cubism, dada = await styles_of(session)
        session.reset_query_stats()
        await session.add_m2m(painting, Painting.styles, dada, cubism, dada)
        assert words(session) == {"BEGIN": 1, "INSERT": 1}
        assert not painting.styles.is_loaded
        assert session.in_transaction
    assert await names(database) == ["baroque", "cubism", "dada"]


async def test_links_are_dropped_at_once(database: Database) -> None:
    async with AsyncSession(database) as session:
        painting = await session.query(Painting).get(title="p0")
        baroque, _, dada = await styles_of(session)
        session.reset_query_stats()
        # one that is not linked is left alone
        await session.remove_m2m(painting, Painting.styles, baroque, dada)
        assert words(session) == {"BEGIN": 1, "DELETE": 1}
    assert await names(database) == ["cubism"]


async def test_all_links_are_dropped_at_once(database: Database) -> None:
    async with AsyncSession(database) as session:
        painting = await session.query(Painting).get(title="p0")
        session.reset_query_stats()
        await session.clear_m2m(painting, Painting.styles)
        assert words(session) == {"BEGIN": 1, "DELETE": 1}
        assert await painting.styles == []
    assert await names(database) == []
    assert await names(database, "p1") == ["cubism", "dada"]


async def test_loaded_collections_show_it_on_both_sides(database: Database) -> None:
    async with AsyncSession(database) as session:
        painting = await session.query(Painting).prefetch_related(Painting.styles).get(title="p0")
        baroque, cubism, dada = await session.query(Style).prefetch_related(Style.paintings).order_by(Style.id)
        await session.add_m2m(painting, Painting.styles, dada)
        assert [style.name for style in painting.styles] == ["baroque", "cubism", "dada"]
        assert painting in dada.paintings
        await session.remove_m2m(dada, Style.paintings, painting)
        assert [style.name for style in painting.styles] == ["baroque", "cubism"]
        assert painting not in dada.paintings
        await session.clear_m2m(painting, Painting.styles)
        assert list(painting.styles) == []
        assert painting not in baroque.paintings
        assert painting not in cubism.paintings
        assert not session.state().unit.collections
    assert await names(database) == []


async def test_new_ends_are_saved_first(database: Database) -> None:
    async with AsyncSession(database) as session:
        ada = await session.query(Painter).get(name="Ada")
        painting = Painting(title="new", painter=ada)
        await session.add_m2m(painting, Painting.styles, Style(name="op art"), Style(name="fauvism"))
        assert not session.new
        assert await session.query(Painting).filter(Painting.styles.any(Style.name == "op art")).one() is painting
    assert await names(database, "new") == ["fauvism", "op art"]


async def test_references_by_key_are_ends_too(database: Database) -> None:
    async with AsyncSession(database) as session:
        await session.add_m2m(ref(Painting, 1), Painting.styles, ref(Style, 3))
        await session.remove_m2m(ref(Painting, 2), Painting.styles, ref(Style, 3))
        assert "SELECT" not in words(session)
    assert await names(database) == ["baroque", "cubism", "dada"]
    assert await names(database, "p1") == ["cubism"]


async def test_what_is_pending_is_written_before(database: Database) -> None:
    async with AsyncSession(database) as session:
        painting = await session.query(Painting).get(title="p0")
        baroque, _, dada = await styles_of(session)
        painting.styles.add(dada)
        painting.styles.remove(baroque)
        await session.remove_m2m(painting, Painting.styles, dada)
        await session.add_m2m(painting, Painting.styles, baroque)
    assert await names(database) == ["baroque", "cubism"]


async def test_the_instance_has_it_by_name(database: Database) -> None:
    async with AsyncSession(database) as session:
        painting = await session.query(Painting).get(title="p0")
        baroque, _, dada = await styles_of(session)
        await painting.m2m_add("styles", dada)
        await painting.m2m_remove("styles", baroque)
        assert await painting.styles.count() == 2
        await dada.m2m_clear("paintings")
    assert await names(database) == ["cubism"]
    for mistake, error, match in (
        (lambda: painting.m2m_add("colors"), UnknownName, "Painting has no column or relation 'colors'"),
        (lambda: Painting(title="x", painter=ref(Painter, 1)).m2m_clear("styles"), SessionNotEntered, "no session"),
        (lambda: ref(Painting, 1).m2m_clear("styles"), SessionNotEntered, "belongs to no session"),
    ):
        with pytest.raises(error, match=match):
            await mistake()
    with pytest.raises(SessionClosedError):
        await painting.m2m_clear("styles")


def test_a_sync_session_links_without_await(database_dsn: str, database: Database) -> None:
    with Session(database_dsn) as session:
        painting = session.query(Painting).filter(title="p0").one()
        baroque, cubism, dada = session.query(Style).order_by(Style.id)
        session.add_m2m(painting, Painting.styles, dada)
        session.remove_m2m(painting, Painting.styles, cubism)
        assert list(painting.styles) == [baroque, dada]
        painting.m2m_add("styles", cubism)
        assert set(painting.styles) == {baroque, cubism, dada}
        painting.m2m_clear("styles")
        session.clear_m2m(baroque, Style.paintings)
        assert list(painting.styles) == []


async def test_nothing_is_linked_with_nothing(database: Database) -> None:
    async with AsyncSession(database) as session:
        painting = await session.query(Painting).get(title="p0")
        session.reset_query_stats()
        await session.add_m2m(painting, Painting.styles)
        await session.remove_m2m(painting, Painting.styles)
        # what has no row has no links
        await session.remove_m2m(painting, Painting.styles, Style(name="never saved"))
        assert sent(session) == 0
        assert not session.new
        with pytest.raises(UnsavedError, match="has no row, so it has no links"):
            await session.clear_m2m(Painting(title="new", painter=ref(Painter, 1)), Painting.styles)
        assert not session.new


async def test_what_cannot_be_linked_is_refused(database: Database) -> None:
    async with AsyncSession(database) as session, AsyncSession(database) as other:
        painting = await session.query(Painting).get(title="p0")
        dada = await session.query(Style).get(name="dada")
        foreign = await other.query(Style).get(name="dada")
        bad: Any
        for arguments, error, match in (
            ((painting, Painting.styles, painting), WrongType, r"Painting\.styles holds Style objects, not <Painting"),
            ((painting, Painting.styles, None), WrongType, "holds Style objects, not None"),
            ((painting, Style.paintings, painting), WrongType, r"Style\.paintings is no relation of <Painting"),
            ((None, Painting.styles, dada), WrongType, r"Painting\.styles is no relation of None"),
            ((painting.painter, Painter.paintings, painting), WrongType, r"Painter\.paintings has no links"),
            ((painting, Painting.painter, dada), WrongType, r"Painting\.painter is no relation to many of a model"),
            ((painting, "styles", dada), WrongType, "'styles' is no relation to many"),
            ((painting, Painting.styles.limit(3), dada), WrongType, "is no relation to many of a model"),
            ((painting, Painting.painter.paintings, dada), WrongType, "is no relation to many of a model"),
            ((painting, Painting.styles, foreign), ForeignInstanceError, "belongs to another session"),
        ):
            bad = arguments
            with pytest.raises(error, match=match):
                await session.add_m2m(*bad)
            with pytest.raises(error, match=match):
                await session.remove_m2m(*bad)
        assert sent(session) == 2


async def test_a_link_to_no_row_fails_the_transaction(database: Database) -> None:
    async with AsyncSession(database) as session:
        painting = await session.query(Painting).prefetch_related(Painting.styles).get(title="p0")
        with pytest.raises(ForeignKeyViolation):
            await session.add_m2m(painting, Painting.styles, ref(Style, 4711))
        assert len(painting.styles) == 2
        await session.rollback()


async def test_a_rollback_puts_collections_back(database: Database) -> None:
    async with AsyncSession(database) as session:
        painting = await session.query(Painting).prefetch_related(Painting.styles).get(title="p0")
        baroque, cubism, dada = await session.query(Style).prefetch_related(Style.paintings).order_by(Style.id)
        async with rolled_back(session.transaction()):
            await session.add_m2m(painting, Painting.styles, dada)
            await session.remove_m2m(painting, Painting.styles, baroque)
        assert list(painting.styles) == [baroque, cubism]
        assert (painting in dada.paintings, painting in baroque.paintings) == (False, True)
        async with rolled_back(session.transaction()):
            await session.clear_m2m(painting, Painting.styles)
        assert list(painting.styles) == [baroque, cubism]
        assert painting in cubism.paintings
    assert await names(database) == ["baroque", "cubism"]


async def test_in_autocommit_mode_each_is_a_transaction_of_its_own(database: Database) -> None:
    async with AsyncSession(database, autocommit=True) as session:
        painting = await session.query(Painting).get(title="p0")
        await session.add_m2m(painting, Painting.styles, ref(Style, 3))
        assert not session.in_transaction
        assert await names(database) == ["baroque", "cubism", "dada"]


# ------------------------------------------------------------------ through a model


async def test_a_model_whose_columns_have_defaults_holds_the_links(database: Database) -> None:
    async with AsyncSession(database) as session:
        p0, p1 = await session.query(Painting).order_by(Painting.id).limit(2)
        show = Show(name="spring")
        p0.shows.add(show)
        await session.flush()
        await session.add_m2m(show, Show.paintings, p1, p0)
        # the one that was there stays as it was
        await session.query(Hanging).filter(Hanging.painting == p0).update(Hanging.place.set("stairs"))
        await session.add_m2m(show, Show.paintings, p0)
    async with AsyncSession(database) as session:
        hangings = await session.query(Hanging).order_by(Hanging.painting)
        assert [(h.place, h.remarks) for h in hangings] == [("stairs", ["new"]), ("hall", ["new"])]
        assert [painting.title for painting in await (await session.query(Show).one()).paintings] == ["p0", "p1"]
        await session.clear_m2m(await session.query(Show).one(), Show.paintings)
        assert await session.query(Hanging).count() == 0


async def test_a_model_that_needs_values_is_named(database: Database) -> None:
    async with AsyncSession(database) as session:
        show = await session.create(Show, name="spring")
        ada = await session.query(Painter).get(name="Ada")
        session.add(Invitation(show=show, guest=ada, speech="hello"))
        message = r"Show\.guests goes through Invitation, which needs speech\nHint: add a Invitation object"
        for refused in (
            lambda: session.add_m2m(show, Show.guests, ada),
            lambda: show.m2m_add("guests", ada),
            lambda: _called(show.guests.add, ada),
        ):
            with pytest.raises(WrongType, match=message):
                await refused()
        assert [guest.name for guest in await show.guests] == ["Ada"]
        await session.remove_m2m(show, Show.guests, ada)
        assert await show.guests.count() == 0


async def _called(function: Any, *arguments: Any) -> None:
    function(*arguments)


# ------------------------------------------------------------------ to the same model


async def friends(database: Database) -> dict[str, list[str]]:
    """Gives the names of each painter's friends."""
    async with AsyncSession(database) as session:
        painters = await session.query(Painter).prefetch_related(Painter.friends.order_by(Painter.name))
        return {painter.name: [friend.name for friend in painter.friends] for painter in painters}


async def test_friends_are_friends_both_ways(database: Database) -> None:
    async with AsyncSession(database) as session:
        ada, bob, cy = await session.query(Painter).order_by(Painter.id)
        ada.friends.add(bob, cy)
        bob.friends.add(ada)
        await session.flush()
        assert words(session)["INSERT"] == 1
        assert ada.friends.added == bob.friends.added == {}
        assert await session.query(Painter).filter(Painter.friends.any(Painter.name == "Ada")).count() == 2
        assert await cy.friends == [ada]
    assert await friends(database) == {"Ada": ["Bob", "Cy"], "Bob": ["Ada"], "Cy": ["Ada"]}
    async with AsyncSession(database) as session:
        ada, bob, cy = await session.query(Painter).prefetch_related(Painter.friends).order_by(Painter.id)
        cy.friends.remove(ada)
        bob.friends.set([cy, bob])
        assert (list(ada.friends), list(bob.friends), list(cy.friends)) == ([], [cy, bob], [bob])
    assert await friends(database) == {"Ada": [], "Bob": ["Bob", "Cy"], "Cy": ["Bob"]}


async def test_friends_at_once(database: Database) -> None:
    async with AsyncSession(database) as session:
        ada, bob, cy = await session.query(Painter).prefetch_related(Painter.friends).order_by(Painter.id)
        await session.add_m2m(ada, Painter.friends, bob, cy, ada)
        assert (set(ada.friends), list(bob.friends), list(cy.friends)) == ({ada, bob, cy}, [ada], [ada])
        await session.remove_m2m(cy, Painter.friends, ada)
        assert (set(ada.friends), list(cy.friends)) == ({ada, bob}, [])
    assert await friends(database) == {"Ada": ["Ada", "Bob"], "Bob": ["Ada"], "Cy": []}
    async with AsyncSession(database) as session:
        ada, bob, cy = await session.query(Painter).prefetch_related(Painter.friends).order_by(Painter.id)
        await session.clear_m2m(bob, Painter.friends)
        assert (list(ada.friends), list(bob.friends)) == ([ada], [])
    assert await friends(database) == {"Ada": ["Ada"], "Bob": [], "Cy": []}


async def test_a_directed_relation_to_the_same_model_goes_one_way(database: Database) -> None:
    async with AsyncSession(database) as session:
        ada, bob, _ = await session.query(Painter).order_by(Painter.id)
        await session.add_m2m(bob, Painter.admires, ada)
        assert (await bob.admires, await ada.admired_by) == ([ada], [bob])
        assert (await ada.admires, await bob.admired_by) == ([], [])
        ada.admires.add(ada)
        await session.flush()
        assert set(await ada.admired_by) == {ada, bob}


async def test_deleting_drops_the_links_both_ways(database: Database) -> None:
    async with AsyncSession(database) as session:
        ada, bob, cy = await session.query(Painter).prefetch_related(Painter.friends).order_by(Painter.id)
        await session.add_m2m(cy, Painter.friends, ada, bob)
        await session.query(Painting).update(Painting.owner.id.set(None))
        session.delete(cy)
        await session.flush()
        assert (list(ada.friends), list(bob.friends)) == ([], [])
        assert await session.query(Studio).count() == 1


# ------------------------------------------------------------------ the statements

STYLES, FRIENDS, HANGING = '"gallery_painting_styles"', '"gallery_painter_friends"', '"gallery_hanging"'
STATEMENTS = {
    "sqlite": [
        f'INSERT INTO {STYLES} ("painting_id", "style_id") VALUES (?1, ?2) ON CONFLICT DO NOTHING',
        f'DELETE FROM {STYLES} WHERE "painting_id" = ?1 AND "style_id" = ?2 RETURNING +"painting_id", +"style_id"',
        f'DELETE FROM {STYLES} WHERE "painting_id" = ?1',
        f'DELETE FROM {FRIENDS} WHERE "from_painter_id" = ?1',
        f'DELETE FROM {FRIENDS} WHERE "to_painter_id" = ?1',
        f'INSERT INTO {HANGING} ("painting_id", "show_id", "place", "remarks") VALUES (?1, ?2, ?3, ?4)'
        " ON CONFLICT DO NOTHING",
    ],
    "postgresql": [
        f'INSERT INTO {STYLES} ("painting_id", "style_id") VALUES ($1, $2) ON CONFLICT DO NOTHING',
        f'INSERT INTO {STYLES} ("painting_id", "style_id") SELECT d."painting_id", d."style_id"'
        ' FROM unnest($1::text::bigint[], $2::text::bigint[]) WITH ORDINALITY AS d("painting_id", "style_id", ord)'
        " ORDER BY d.ord ON CONFLICT DO NOTHING",
        f'DELETE FROM {STYLES} WHERE "painting_id" = $1 AND "style_id" = $2 RETURNING "painting_id", "style_id"',
        f"DELETE FROM {STYLES} AS t USING unnest($1::text::bigint[], $2::text::bigint[]) WITH ORDINALITY AS"
        ' d("key_painting_id", "key_style_id", ord) WHERE t."painting_id" = d."key_painting_id"'
        ' AND t."style_id" = d."key_style_id" RETURNING d.ord',
        f'DELETE FROM {STYLES} WHERE "painting_id" = $1',
        f'DELETE FROM {FRIENDS} WHERE "from_painter_id" = $1',
        f'DELETE FROM {FRIENDS} WHERE "to_painter_id" = $1',
        f'INSERT INTO {HANGING} ("painting_id", "show_id", "place", "remarks") VALUES ($1, $2, $3, $4)'
        " ON CONFLICT DO NOTHING",
    ],
}


async def test_the_statements_that_are_sent(database: Database, database_dsn: str) -> None:
    async with AsyncSession(database) as session:
        painting = await session.query(Painting).get(title="p0")
        bob = await session.query(Painter).get(name="Bob")
        baroque, cubism, dada = await styles_of(session)
        show = await session.create(Show, name="spring")
        session.reset_query_stats()
        await session.add_m2m(painting, Painting.styles, dada)
        await session.add_m2m(painting, Painting.styles, cubism, dada)
        await session.remove_m2m(painting, Painting.styles, baroque)
        await session.remove_m2m(painting, Painting.styles, cubism, dada)
        await session.clear_m2m(painting, Painting.styles)
        await session.clear_m2m(bob, Painter.friends)
        await session.add_m2m(painting, Painting.shows, show)
        found = {stats.sql for stats in session.query_stats() if stats.sql.startswith(("INSERT", "DELETE"))}
        assert found == set(STATEMENTS[database_dsn.partition(":")[0]])
