"""Objects of other sessions could be expunged, which lost their changes; new ones in collections were saved anyway."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any, cast

import pytest

from cormorant import (
    AsyncSession,
    Database,
    FlushError,
    ForeignInstanceError,
    Many,
    Mapped,
    Model,
    NotLoadedError,
    One,
    field,
    foreign_key,
    generated,
    many_to_many,
    reverse,
)
from tests.support import kept_tables


class Tag(Model, app="expunged"):
    id: Mapped[int] = generated(primary_key=True)


class Album(Model, app="expunged"):
    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str] = field(default="")
    songs: Many[Song] = reverse("album")
    tags: Many[Tag] = many_to_many()


class Song(Model, app="expunged"):
    id: Mapped[int] = generated(primary_key=True)
    album: One[Album | None] = foreign_key(default=None)


@pytest.fixture
async def database(database_dsn: str, keeps_tables: None) -> AsyncIterator[Database]:
    """A database with one album."""
    async with Database(database_dsn) as database:
        await kept_tables.prepare(database, database_dsn, Album, Song, Tag)
        async with AsyncSession(database) as session:
            session.add(Album(name="first"))
        yield database


async def test_objects_of_other_sessions_are_refused(database: Database) -> None:
    async with AsyncSession(database) as mine:
        album = await mine.get_one(Album, 1)
        async with AsyncSession(database) as other:
            with pytest.raises(ForeignInstanceError, match="another session"):
                other.expunge(album)
        album.name = "second"
    async with AsyncSession(database) as session:
        assert (await session.get_one(Album, 1)).name == "second"
        with pytest.raises(ForeignInstanceError, match="another session"):
            session.expunge(album)


async def test_a_new_object_that_a_collection_holds_is_forgotten(database: Database) -> None:
    async with AsyncSession(database) as session:
        album = await session.query(Album).prefetch_related(Album.songs, Album.tags).one()
        song, tag = Song(), Tag()
        album.songs.add(song)
        album.tags.add(tag)
        session.expunge(song, tag)
        assert (list(album.songs), list(album.tags), list(session.new)) == ([], [], [])
        await session.flush()
        assert not await session.query(Song).exists()
        assert not await session.query(Tag).exists()


async def test_what_is_no_object_is_refused(database: Database) -> None:
    async with AsyncSession(database) as session:
        with pytest.raises(FlushError, match="no model instance"):
            session.expunge(cast(Any, "album"))


class Band(Model, app="expunged"):
    id: Mapped[int] = generated(primary_key=True)
    players: Many[Player] = reverse("band")
    van: One[Van | None] = reverse("band")


class Skill(Model, app="expunged"):
    id: Mapped[int] = generated(primary_key=True)
    players: Many[Player] = reverse("skills")


class Player(Model, app="expunged"):
    id: Mapped[int] = generated(primary_key=True)
    band: One[Band | None] = foreign_key(default=None)
    skills: Many[Skill] = many_to_many()


class Van(Model, app="expunged"):
    id: Mapped[int] = generated(primary_key=True)
    band: One[Band | None] = foreign_key(default=None, unique=True)


@pytest.fixture
async def bands(database: Database, database_dsn: str) -> Database:
    await kept_tables.prepare(database, database_dsn, Band, Skill, Player, Van)
    return database


async def two_bands(session: AsyncSession) -> tuple[Band, Band, Player, Player, Van]:
    one, two = Band(), Band()
    player, other, van = Player(band=one), Player(band=one), Van(band=one)
    session.add(one, two, player, other, van)
    await session.commit()
    for band in (one, two):
        await band.players
    await session.load([one, two], Band.van)
    return one, two, player, other, van


def move(player: Player, to: Band) -> None:
    player.band = to


def add(player: Player, to: Band) -> None:
    to.players.add(player)


def remove(player: Player, to: Band) -> None:
    assert player.band is not None
    player.band.players.remove(player)


def keep(player: Player, to: Band) -> None:
    """Leaves it where it is."""


@pytest.mark.parametrize("in_block", [True, False])
@pytest.mark.parametrize("change", [move, add, remove, keep])
async def test_what_was_pending_is_shown_by_nobody(
    bands: Database, change: Callable[[Player, Band], None], in_block: bool
) -> None:
    async with AsyncSession(bands) as session:
        one, two, player, other, _ = await two_bands(session)
        change(player, two)
        if in_block:
            await session.begin()
        session.expunge(player)
        # the row is where it was, but whoever stands for it is not known yet
        assert {*one.players} == {player, other}
        assert list(two.players) == []
        assert one.players.is_partial
        with pytest.raises(NotLoadedError, match="in part"):
            one.players.clear()
        assert not session.dirty
        if in_block:
            await session.rollback()
            assert list(two.players) == []
            with pytest.raises(NotLoadedError, match="in part"):
                one.players.clear()
        await session.commit()
        again = await session.get_one(Player, player.id)
        assert {*await one.players} == {again, other}
        assert again is not player
        one.players.clear()
        await session.commit()
        assert await session.query(Player).filter(Player.band.is_null()).count() == 2


async def test_one_to_one(bands: Database) -> None:
    async with AsyncSession(bands) as session:
        one, two, _, _, van = await two_bands(session)
        two.van = van
        session.expunge(van)
        assert two.van is None
        with pytest.raises(NotLoadedError):
            assert one.van
        await session.rollback()
        assert two.van is None
        with pytest.raises(NotLoadedError):
            assert one.van
        await session.load(one, Band.van)
        assert one.van is await session.get_one(Van, van.id)
        one.van = None
        await session.commit()
        assert await session.query(Van).filter(Van.band.is_null()).count() == 1


@pytest.mark.parametrize("by_player", [True, False])
async def test_links(bands: Database, by_player: bool) -> None:
    async with AsyncSession(bands) as session:
        *_, player, other, _ = await two_bands(session)
        old, new = Skill(), Skill()
        session.add(old, new)
        await player.skills
        player.skills.add(old)
        await session.commit()
        for skill in (old, new):
            await skill.players
        if by_player:
            player.skills.set([new])
        else:
            old.players.remove(player)
            new.players.add(player, other)
        session.expunge(player)
        assert list(old.players) == [player]
        assert list(new.players) == ([] if by_player else [other])
        await session.commit()
    async with AsyncSession(bands) as session:
        found = await session.query(Player).prefetch_related(Player.skills).order_by(Player.id)
        assert [[skill.id for skill in one.skills] for one in found] == [[old.id], [] if by_player else [new.id]]
