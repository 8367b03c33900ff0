"""A relation that was set, and then its key column, left both ends showing what was never written."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest

from cormorant import AsyncSession, Database, Many, Mapped, Model, NotLoadedError, One, foreign_key, generated, reverse
from tests.support import kept_tables


class Team(Model, app="keyed"):
    id: Mapped[int] = generated(primary_key=True)
    players: Many[Player] = reverse("team")
    shirts: Many[Shirt] = reverse("team", orphan_removal=True)
    coach: One[Coach | None] = reverse("team")


class Player(Model, app="keyed"):
    id: Mapped[int] = generated(primary_key=True)
    team_id: Mapped[int | None]
    team: One[Team | None] = foreign_key(default=None, on_delete="set_null", init=False)


class Shirt(Model, app="keyed"):
    id: Mapped[int] = generated(primary_key=True)
    team_id: Mapped[int]
    team: One[Team] = foreign_key(on_delete="cascade", init=False)


class Coach(Model, app="keyed"):
    id: Mapped[int] = generated(primary_key=True)
    team_id: Mapped[int | None]
    team: One[Team | None] = foreign_key(default=None, unique=True, init=False)


class Scene:
    """Three teams, of which the first has one of each."""

    def __init__(self) -> None:
        self.teams = self.a, self.b, self.c = Team(), Team(), Team()

    async def save(self, session: AsyncSession) -> None:
        session.add(*self.teams)
        await session.flush()
        key = self.a.id
        self.player, self.shirt, self.coach = Player(team_id=key), Shirt(team_id=key), Coach(team_id=key)
        session.add(self.player, self.shirt, self.coach)
        await session.commit()
        for team in self.teams:
            await team.players
            await team.shirts
        await session.load(self.teams, Team.coach)


@pytest.fixture
async def database(database_dsn: str, keeps_tables: None) -> AsyncIterator[Database]:
    async with Database(database_dsn) as database:
        await kept_tables.prepare(database, database_dsn, Team, Player, Shirt, Coach)
        yield database


async def check(session: AsyncSession, teams: tuple[Team, ...]) -> None:
    """Has collections and objects show what the rows say."""
    for team in teams:
        players = await session.query(Player).filter(Player.team_id == team.id)
        shirts = await session.query(Shirt).filter(Shirt.team_id == team.id)
        coach = await session.query(Coach).filter(Coach.team_id == team.id).first()
        assert ({*team.players}, {*team.shirts}, team.coach) == ({*players}, {*shirts}, coach)
        assert all(player.team is team for player in players)


def key(name: str, team: str | None) -> Callable[[Scene], None]:
    def set_key(scene: Scene) -> None:
        getattr(scene, name).team_id = None if team is None else getattr(scene, team).id

    return set_key


def relation(name: str, team: str | None) -> Callable[[Scene], None]:
    def relate(scene: Scene) -> None:
        getattr(scene, name).team = None if team is None else getattr(scene, team)

    return relate


def leave(name: str) -> Callable[[Scene], None]:
    def take_out(scene: Scene) -> None:
        scene.a.players.remove(scene.player) if name == "player" else scene.a.shirts.remove(scene.shirt)

    return take_out


def join(name: str, team: str) -> Callable[[Scene], None]:
    def put_in(scene: Scene) -> None:
        to = getattr(scene, team)
        to.players.add(scene.player) if name == "player" else to.shirts.add(scene.shirt)

    return put_in


def coached(team: str, *, by: bool) -> Callable[[Scene], None]:
    def set_coach(scene: Scene) -> None:
        getattr(scene, team).coach = scene.coach if by else None

    return set_coach


FIRST = {
    "player": [relation("player", "b"), relation("player", None), join("player", "b"), leave("player")],
    "shirt": [relation("shirt", "b"), join("shirt", "b"), leave("shirt")],
    "coach": [relation("coach", "b"), relation("coach", None), coached("b", by=True), coached("a", by=False)],
}
CASES = [
    pytest.param(name, way, team, id=f"{name}-{way.__name__}{number}-{team}")
    for name, ways in FIRST.items()
    for number, way in enumerate(ways)
    for team in ("a", "c", *((None,) if name != "shirt" else ()))
]


@pytest.mark.parametrize("flushed", [True, False])
@pytest.mark.parametrize(("name", "way", "team"), CASES)
async def test_the_key_counts(
    database: Database, name: str, way: Callable[[Scene], None], team: str | None, flushed: bool
) -> None:
    async with AsyncSession(database) as session:
        scene = Scene()
        await scene.save(session)
        way(scene)
        key(name, team)(scene)
        if flushed:
            await session.commit()
            await check(session, scene.teams)
        else:
            # until it is written, the ends show what the row says
            await session.rollback()
            await check(session, scene.teams)
        scene.a.players.clear()
        scene.a.shirts.clear()
        await session.commit()
        await check(session, scene.teams)
        assert await session.query(Player).filter(Player.team_id == scene.a.id).count() == 0


@pytest.mark.parametrize("way", [*FIRST["player"], key("player", "b")])
async def test_a_relation_that_is_set_after_all_counts(database: Database, way: Callable[[Scene], None]) -> None:
    async with AsyncSession(database) as session:
        scene = Scene()
        await scene.save(session)
        way(scene)
        key("player", "a")(scene)
        assert list(scene.a.players) == [scene.player]
        scene.player.team = scene.c
        assert [list(team.players) for team in scene.teams] == [[], [], [scene.player]]
        await session.commit()
        await check(session, scene.teams)


async def test_changes_of_a_collection_are_those_that_were_made(database: Database) -> None:
    async with AsyncSession(database) as session:
        scene = Scene()
        await scene.save(session)
        scene.a.players.remove(scene.player)
        scene.player.team = scene.b
        assert session.changes(scene.a)["players"].removed == (scene.player,)
        scene.player.team_id = scene.a.id
        assert session.changes(scene.a) == {}
        assert not session.dirty


@pytest.mark.parametrize("added", [True, False])
async def test_new_objects(database: Database, added: bool) -> None:
    async with AsyncSession(database) as session:
        scene = Scene()
        await scene.save(session)
        player = Player(team_id=None)
        if added:
            session.add(player)
        scene.a.players.add(player)
        player.team_id = scene.b.id
        assert player not in scene.a.players
        await session.commit()
        assert list(scene.b.players) == [player]
        await check(session, scene.teams)


async def test_a_target_that_is_not_loaded(database: Database) -> None:
    async with AsyncSession(database) as session:
        scene = Scene()
        await scene.save(session)
    async with AsyncSession(database) as session:
        player, b = await session.get_one(Player, scene.player.id), await session.get_one(Team, scene.b.id)
        assert await b.players == []
        player.team = b
        player.team_id = scene.a.id
        assert list(b.players) == []
        assert not session.dirty
        assert [*await (await session.get_one(Team, scene.a.id)).players] == [player]
    # of a session that has ended nobody asks more than that
    player.team_id = 7
    assert list(b.players) == []


async def test_two_that_want_one_place(database: Database) -> None:
    async with AsyncSession(database) as session:
        scene = Scene()
        await scene.save(session)
        other = Coach(team_id=None)
        session.add(other)
        scene.coach.team = scene.b
        other.team = scene.a
        scene.coach.team_id = scene.a.id
        # who came last is shown until the database refuses them
        assert scene.a.coach is other
        assert scene.b.coach is None
        scene.coach.team_id = scene.c.id
        await session.commit()
        await check(session, scene.teams)


async def test_what_was_never_loaded_is_not_loaded_now(database: Database) -> None:
    async with AsyncSession(database) as session:
        scene = Scene()
        await scene.save(session)
    async with AsyncSession(database) as session:
        teams = await session.query(Team).order_by(Team.id)
        player = await session.get_one(Player, scene.player.id)
        player.team = teams[1]
        player.team_id = teams[0].id
        with pytest.raises(NotLoadedError):
            list(teams[0].players)
        assert await teams[0].players == [player]
