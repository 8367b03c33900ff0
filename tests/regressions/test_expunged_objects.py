"""Objects of other sessions could be expunged, which lost their changes; new ones in collections were saved anyway."""

from __future__ import annotations

from collections.abc import AsyncIterator
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
