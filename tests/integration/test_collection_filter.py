"""`author.articles.filter(...)`: a collection as a query."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from cormorant import (
    AsyncSession,
    Database,
    Many,
    Mapped,
    Model,
    One,
    SessionClosedError,
    SessionNotEntered,
    UnsavedError,
    field,
    foreign_key,
    generated,
    many_to_many,
    ref,
    reverse,
)
from tests.support import kept_tables


class Singer(Model):
    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str] = field()
    songs: Many[Song] = reverse("singer")


class Song(Model):
    id: Mapped[int] = generated(primary_key=True)
    title: Mapped[str]
    plays: Mapped[int] = field(default=0)
    singer: One[Singer] = foreign_key()
    moods: Many[Mood] = many_to_many()


class Mood(Model):
    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str]
    songs: Many[Song] = reverse("moods")


@pytest.fixture
async def database(database_dsn: str, keeps_tables: None) -> AsyncIterator[Database]:
    async with Database(database_dsn) as database:
        await kept_tables.prepare(database, database_dsn, Singer, Song, Mood)
        async with AsyncSession(database) as session:
            ada, bob = Singer(name="Ada"), Singer(name="Bob")
            calm, wild = Mood(name="calm"), Mood(name="wild")
            songs = [Song(title=f"a{plays}", plays=plays, singer=ada) for plays in range(4)]
            session.add(*songs, Song(title="b", plays=9, singer=bob))
            songs[0].moods.add(calm)
            songs[1].moods.add(calm, wild)
            songs[3].moods.add(wild)
        yield database


async def test_it_asks_for_the_owners_objects_only(database: Database) -> None:
    async with AsyncSession(database) as session:
        ada = await session.query(Singer).get(name="Ada")
        found = await ada.songs.filter(Song.plays > 1).order_by(Song.plays.desc())
        assert [song.title for song in found] == ["a3", "a2"]
        assert await ada.songs.filter().count() == 4
        assert await ada.songs.filter(moods__name="wild").exists()
        assert not ada.songs.is_loaded


async def test_both_sides_of_many_to_many(database: Database) -> None:
    async with AsyncSession(database) as session:
        wild = await session.query(Mood).get(name="wild")
        assert [song.title for song in await wild.songs.filter(plays__lt=3)] == ["a1"]
        (song,) = await wild.songs.filter(title="a1")
        assert [mood.name for mood in await song.moods.filter().order_by(Mood.name)] == ["calm", "wild"]


async def test_pending_members_are_written_first(database: Database) -> None:
    async with AsyncSession(database) as session:
        calm = await session.query(Mood).get(name="calm")
        calm.songs.add(Song(title="new", singer=ref(Singer, 1)))
        assert [song.title for song in await calm.songs.filter(title="new")] == ["new"]


async def test_rows_are_changed_through_it(database: Database) -> None:
    async with AsyncSession(database) as session:
        wild = await session.query(Mood).get(name="wild")
        assert await wild.songs.filter(Song.plays > 2).update(Song.plays.set(100)) == 1
        assert await session.query(Song).filter(plays=100).scalars(Song.title).one() == "a3"


async def test_an_owner_without_a_row_has_nothing_to_ask_for(database: Database) -> None:
    async with AsyncSession(database) as session:
        new = Singer(name="new")
        with pytest.raises(SessionNotEntered, match="belongs to no session"):
            new.songs.filter()
        session.add(new)
        with pytest.raises(UnsavedError, match="flush first"):
            new.songs.filter()
        with pytest.raises(SessionNotEntered, match="belongs to no session"):
            ref(Singer, 1).songs.filter()
    query = new.songs.filter()
    with pytest.raises(SessionClosedError):
        await query
