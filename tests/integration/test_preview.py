"""S6: `session.preview()` tells what a flush would do, and does nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from cormorant import (
    AsyncSession,
    Database,
    DependencyCycleError,
    FlushPreview,
    Many,
    Mapped,
    Model,
    One,
    Session,
    ValidationError,
    field,
    foreign_key,
    generated,
    many_to_many,
    ref,
    reverse,
)
from tests.support import kept_tables
from tests.support.keyed import Bill, Nation
from tests.support.newsroom import MODELS as NEWSROOM
from tests.support.newsroom import Label, Memo, Story, Writer, words
from tests.support.rings import Twin


class Firm(Model, app="preview"):
    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str]
    secret: Mapped[str] = field(default="", sensitive=True)
    teams: Many[Team] = reverse("firm")


class Team(Model, app="preview"):
    id: Mapped[int] = generated(primary_key=True)
    firm: One[Firm] = foreign_key(on_delete="cascade")


class Worker(Model, app="preview"):
    id: Mapped[int] = generated(primary_key=True)
    team: One[Team] = foreign_key(on_delete="cascade")
    lead: One[Worker | None] = foreign_key(default=None, on_delete="set_null")
    skills: Many[Skill] = many_to_many()


class Skill(Model, app="preview"):
    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str]


class Album(Model, app="preview"):
    id: Mapped[int] = generated(primary_key=True)
    photos: Many[Photo] = reverse("album", orphan_removal=True)


class Photo(Model, app="preview"):
    id: Mapped[int] = generated(primary_key=True)
    album: One[Album] = foreign_key()


class Chair(Model, app="preview"):
    id: Mapped[int] = generated(primary_key=True)
    worker: One[Worker] = foreign_key()


MODELS: list[type[Model]] = [Firm, Team, Worker, Skill, Chair, Album, Photo]


@pytest.fixture
async def database(database_dsn: str, keeps_tables: None) -> AsyncIterator[Database]:
    async with Database(database_dsn) as database:
        await kept_tables.prepare(database, database_dsn, *MODELS, *NEWSROOM)
        yield database


async def test_nothing_pending(database: Database) -> None:
    async with AsyncSession(database) as session:
        found = session.preview()
        assert (found.statements, found.rows, str(found)) == ((), 0, "nothing to write")


async def test_it_prints_what_would_be_sent(database: Database) -> None:
    async with AsyncSession(database) as session:
        firm = await session.create(Firm, name="old")
        await session.commit()
        firm.name = "new"
        session.add(Team(firm=Firm(name="x" * 200, secret="hush")))
        text = str(session.preview()).replace("?", "$").replace("RETURNING +", "RETURNING ")
    assert text == (
        "3 statements, 3 rows\n"
        "1. INSERT preview_firm: 1 row\n"
        '   INSERT INTO "preview_firm" ("name", "secret") VALUES ($1, $2) RETURNING "id"\n'
        f"   name = '{'x' * 76}...\n"
        "   secret = ***\n"
        "2. INSERT preview_team: 1 row\n"
        '   INSERT INTO "preview_team" ("firm_id") VALUES ($1) RETURNING "id"\n'
        f"   firm_id = (the id of <Firm name='{'x' * 76}... secret=***>)\n"
        "3. UPDATE preview_firm: 1 row\n"
        '   UPDATE "preview_firm" SET "name" = $2 WHERE "id" = $1 RETURNING "id"\n'
        "   id = 1\n"
        "   name = 'new'"
    )


async def test_it_tells_the_very_statements_of_the_flush(database: Database) -> None:
    async with AsyncSession(database) as session:
        writer = await session.create(Writer, name="Ada")
        story = await session.create(Story, title="s", writer=writer)
        old = await session.create(Label, name="old")
        await session.commit()
        session.reset_query_stats()
        stories = [Story(title=f"{n}", writer=Writer(name=f"{n}")) for n in range(5)]
        session.add(*stories)
        story.title, writer.age = "t", 3
        await story.labels
        story.labels.add(Label(name="new"))
        session.delete(old)
        before = words(session)
        found = session.preview()
        assert words(session) == before
        session.reset_query_stats()
        await session.flush()
        sent = {stats.sql for stats in session.query_stats() if not stats.sql.startswith("BEGIN")}
        assert {statement.sql for statement in found.statements} == sent
        assert found.rows == 5 + 5 + 1 + 1 + 1 + 1 + 1
        repeated = {statement.table for statement in found.statements if statement.repeated}
        assert repeated == (set() if database.dialect.supports_array_binds else {"newsroom_writer", "stories"})


async def test_it_changes_nothing(database: Database) -> None:
    async with AsyncSession(database) as session:
        firm = await session.create(Firm, name="old")
        memo = await session.create(Memo, body={"a": 1})
        await session.commit()
        await firm.teams
        team = Team(firm=firm)
        firm.teams.add(team)
        memo.body["b"] = 2
        worker = Worker(team=team)
        session.add(worker)
        pending = [list(session.new), list(session.dirty), list(session.deleted), session.in_transaction]
        far = Worker(team=team, lead=Worker(team=team))
        worker.lead = far
        first = session.preview()
        assert first == session.preview()
        # what has become reachable is counted, and not taken in
        assert (first.rows, far.lead in session.new) == (5, False)
        assert [list(session.new), list(session.dirty), list(session.deleted), session.in_transaction] == pending
        await session.commit()
        assert (firm.name, await session.query(Worker).count(), await session.query(Team).count()) == ("old", 3, 1)
    async with AsyncSession(database) as session:
        assert (await session.get_one(Memo, memo.id)).body == {"a": 1, "b": 2}


async def test_what_the_database_does_by_itself(database: Database) -> None:
    async with AsyncSession(database) as session:
        firm = await session.create(Firm, name="old")
        await session.commit()
        session.delete(firm)
        found = session.preview()
        assert {(c.action, c.table, c.columns, c.because) for c in found.consequences} == {
            ("delete", "preview_team", ("firm_id",), "preview_firm"),
            ("delete", "preview_worker", ("team_id",), "preview_team"),
            ("set null", "preview_worker", ("lead_id",), "preview_worker"),
            ("delete", "preview_worker_skills", ("worker_id",), "preview_worker"),
        }
        assert (
            "- the database deletes preview_team by firm_id, where it points to rows of preview_firm that go: "
            "an unknown number of rows"
        ) in str(found).splitlines()


async def test_orphans_are_told_and_left_alone(database: Database) -> None:
    async with AsyncSession(database) as session:
        album = Album()
        kept, lost = Photo(album=album), Photo(album=album)
        session.add(kept, lost)
        await session.commit()
        new = Photo(album=album)
        session.add(new)
        await album.photos
        album.photos.remove(lost)
        album.photos.remove(new)
        pending = [list(session.new), list(session.dirty), list(session.deleted)]
        found = session.preview()
        assert [(s.kind, s.table, s.rows) for s in found.statements] == [("delete", "preview_photo", 1)]
        assert found == session.preview()
        assert [list(session.new), list(session.dirty), list(session.deleted)] == pending
        await session.commit()
        assert await session.query(Photo).all() == [kept]


async def test_what_follows_a_key_that_changes(database: Database) -> None:
    async with AsyncSession(database) as session:
        nation = Nation(code="A")
        session.add(nation)
        assert session.preview().consequences == ()
        session.clear()
        bill = ref(Bill, 1)
        bill.number = 2
        session.add(bill)
        found = session.preview()
        assert [(c.action, c.table, c.columns) for c in found.consequences] == [
            ("follow", "keyed_line", ("bill_id",)),
            ("follow", "keyed_remark", ("line_number", "line_place")),
        ]
        assert "updates keyed_line by bill_id, where it points to rows of keyed_bill whose key changes" in str(found)
        session.clear()


async def test_what_cannot_be_written_is_told(database: Database) -> None:
    async with AsyncSession(database) as session:
        session.add(Writer(name="Ada", age=-1))
        with pytest.raises(ValidationError):
            session.preview()
        session.clear()
        twin = Twin(name="t")
        twin.other = twin
        session.add(twin)
        with pytest.raises(DependencyCycleError):
            session.preview()
        assert list(session.new) == [twin]
        session.clear()


async def test_an_unconnected_database_is_told_apart() -> None:
    async with Database("postgresql://nobody@127.0.0.1:1/none") as database, AsyncSession(database) as session:
        session.add(Skill(name="a"), Skill(name="b"))
        found = session.preview()
        assert "ORDER BY d.ord RETURNING" in found.statements[0].sql
        assert found.notes[0].startswith("not connected yet")
        assert "name = 'a', 'b'" in str(found)
        session.clear()


def test_the_sync_face_has_it_too(database: Database) -> None:
    with Session(database) as session:
        session.add(*(Skill(name=f"{n}") for n in range(5)))
        found = session.preview()
        assert isinstance(found, FlushPreview)
        assert found.rows == 5
        assert "name = '0', '1', '2', ..." in str(found)
