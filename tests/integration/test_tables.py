"""Tables really made and dropped: rings, links, types, constraints that hold, and what is left behind."""

from __future__ import annotations

import enum
from collections.abc import AsyncIterator, Iterable
from decimal import Decimal
from typing import Any

import pytest

from cormorant import (
    AsyncSession,
    CheckViolation,
    Database,
    ForeignKeyViolation,
    IntegrityError,
    Many,
    Mapped,
    Model,
    NotNullViolation,
    One,
    StatementError,
    TableArg,
    UniqueViolation,
    check,
    field,
    foreign_key,
    func,
    generated,
    index,
    many_to_many,
    unique,
)


class Mood(enum.Enum):
    GOOD = "good"
    BAD = "it's bad"


class Team(Model, app="tables"):
    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str] = field(unique=True)
    captain: One[Player | None] = foreign_key(default=None)
    mood: Mapped[Mood] = field(default=Mood.GOOD, native="tables_mood")


class Player(Model, app="tables"):
    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str]
    rank: Mapped[Decimal] = field(default=Decimal(1), precision=6, decimal_places=2)
    team: One[Team] = foreign_key(on_delete="cascade")
    mentor: One[Player | None] = foreign_key(default=None)
    moods: Mapped[list[Mood]] = field(default_factory=list, native="tables_mood")
    friends: Many[Player] = many_to_many()

    @classmethod
    def __table_args__(cls) -> Iterable[TableArg]:
        yield check(cls.rank.between(0, 100))
        yield check(func.length(cls.name) > 0, name="named")
        yield unique(cls.team, cls.name)
        yield index(cls.rank.desc(), cls.name, where=cls.rank > Decimal("9.5"))
        yield index(func.lower(cls.name), cls.team, unique=True)


class Child(Model, app="tables"):
    id: Mapped[int] = generated(primary_key=True)
    kept: One[Team | None] = foreign_key(default=None, on_delete="set_null")
    gone: One[Team | None] = foreign_key(default=None, on_delete="cascade")
    tied: One[Team | None] = foreign_key(default=None, on_delete="no_action")


MODELS = (Team, Player, Child)


@pytest.fixture
async def database(database_dsn: str) -> AsyncIterator[Database]:
    async with Database(database_dsn) as database:
        yield database


async def tables(database: Database) -> set[str]:
    sql: Any = {
        "sqlite": "select name from sqlite_master where type in ('table', 'index') and name not like 'sqlite_%'",
        "postgresql": "select tablename from pg_tables where schemaname = 'public' union"
        " select typname from pg_type where typtype = 'e' union"
        " select indexname from pg_indexes where schemaname = 'public'",
    }[database.dialect.name]
    async with AsyncSession(database) as session:
        return {name for (name,) in await session.execute(sql)}


async def fill(database: Database) -> None:
    async with AsyncSession(database) as session:
        team = Team(name="a")
        one = Player(name="x", team=team, moods=[Mood.BAD])
        session.add(team, one)
        await session.flush()
        team.captain = one
        other = Player(name="y", team=team, mentor=one)
        one.friends.add(other)
        session.add(other, Child(kept=team, gone=team))


async def test_tables_of_a_ring_are_made_filled_and_dropped(database: Database) -> None:
    await database.create_all(*MODELS)
    made = await tables(database)
    assert {"tables_team", "tables_player", "tables_child", "tables_player_friends"} <= made
    assert {"ix_tables_player_rank_name", "ix_tables_player_name_team_id"} <= made
    await fill(database)
    async with AsyncSession(database) as session:
        player = await session.query(Player).filter(Player.name == "x").one()
        assert (player.moods, (await player.team).mood) == ([Mood.BAD], Mood.GOOD)
        assert [friend.name for friend in await player.friends] == ["y"]
    await database.drop_all(*MODELS)
    assert await tables(database) == set()
    await database.drop_all(*MODELS)
    await database.create_all(*MODELS)
    assert await tables(database) == made


async def test_a_drop_that_fails_leaves_everything_and_foreign_keys_are_still_watched(database: Database) -> None:
    await database.create_all(Team, Player)
    async with AsyncSession(database) as session:
        await session.execute("create view tables_child as select 1 as one")
        team = await session.create(Team, name="a")
        team.captain = await session.create(Player, name="x", team=team)
    before = await tables(database)
    with pytest.raises(StatementError):
        await database.drop_all(*MODELS)
    assert await tables(database) == before
    async with AsyncSession(database) as session:
        with pytest.raises(ForeignKeyViolation):
            await session.query(Player).delete()
        await session.rollback()


async def test_the_order_of_the_models_does_not_matter(database: Database) -> None:
    await database.create_all(Child, Player, Team)
    await fill(database)
    await database.drop_all(Team, Child, Player)
    assert await tables(database) == set()


async def test_tables_are_made_together_or_not_at_all(database: Database) -> None:
    async with AsyncSession(database) as session:
        await session.execute("create table tables_player (id integer)")
    with pytest.raises(StatementError, match="tables_player"):
        await database.create_all(*MODELS)
    assert await tables(database) == {"tables_player"}


async def refused(database: Database, error: type[IntegrityError], *objects: Any) -> IntegrityError:
    async with AsyncSession(database) as session:
        session.add(*objects)
        with pytest.raises(error) as caught:
            await session.flush()
        await session.rollback()
    return caught.value


async def test_constraints_hold(database: Database) -> None:
    await database.create_all(*MODELS)
    await fill(database)
    async with AsyncSession(database) as session:
        team = await session.query(Team).one()
        session.expunge(team)
    key = team.id

    def player(**values: Any) -> Player:
        made = Player(**{"name": "z", "team": Team(name="none"), **values})
        return made

    violation = await refused(database, UniqueViolation, Team(name="a"))
    assert (violation.columns, violation.constraint) == (("name",), "uq_tables_team_name")
    violation = await refused(database, CheckViolation, player(rank=Decimal("100.01")))
    assert violation.constraint == "ck_tables_player_rank"
    assert (await refused(database, CheckViolation, player(name=""))).constraint == "named"
    async with AsyncSession(database) as session:
        for sql, error in (
            (
                f"insert into tables_player (name, rank, team_id, moods) values ('x', '1', {key}, '{{}}')",
                UniqueViolation,
            ),
            (
                f"insert into tables_player (name, rank, team_id, moods) values ('X', '1', {key}, '{{}}')",
                UniqueViolation,
            ),
            ("insert into tables_player (name, rank, team_id, moods) values ('q', '1', 99, '{}')", ForeignKeyViolation),
            (f"insert into tables_player (rank, team_id, moods) values ('1', {key}, '{{}}')", NotNullViolation),
            ("delete from tables_player where name = 'x'", ForeignKeyViolation),
        ):
            with pytest.raises(error):
                await session.execute(sql)  # type: ignore[arg-type]
            await session.rollback()


async def test_what_happens_to_rows_that_point_to_a_deleted_one(database: Database) -> None:
    await database.create_all(*MODELS)
    async with AsyncSession(database) as session:
        kept, gone, tied = (Team(name=name) for name in ("kept", "gone", "tied"))
        session.add(Child(kept=kept), Child(gone=gone), Child(tied=tied))
    async with AsyncSession(database) as session:
        teams = session.query(Team)
        assert await teams.filter(name="kept").delete() == 1
        assert await teams.filter(name="gone").delete() == 1
        rows = await session.query(Child).order_by(Child.id).values(Child.kept.id, Child.tied.id.is_not_null())
        assert rows == [(None, False), (None, True)]
        with pytest.raises(ForeignKeyViolation):
            await teams.filter(name="tied").delete()
        await session.rollback()


async def test_rows_that_point_to_each_other_go_together(database: Database) -> None:
    await database.create_all(*MODELS)
    await fill(database)
    async with AsyncSession(database) as session:
        await session.query(Team).update(Team.captain_id.set(None))  # type: ignore[attr-defined]
        await session.execute("delete from tables_player_friends")
        assert await session.query(Player).delete() == 2


async def test_links_go_with_either_end(database: Database) -> None:
    await database.create_all(*MODELS)
    await fill(database)
    async with AsyncSession(database) as session:
        await session.query(Player).filter(name="y").delete()
        assert await session.execute("select count(*) from tables_player_friends") == [(0,)]


async def test_a_deleted_number_is_not_given_again(database: Database) -> None:
    await database.create_all(*MODELS)
    async with AsyncSession(database) as session:
        first = await session.create(Team, name="a")
        key = first.id
        session.delete(first)
        await session.flush()
        assert (await session.create(Team, name="b")).id > key


async def test_tables_made_again_are_used_by_the_same_connections(database: Database) -> None:
    for _ in range(3):
        await database.create_all(*MODELS)
        await fill(database)
        async with AsyncSession(database) as session:
            assert await session.query(Player).order_by(Player.name).scalars(Player.moods) == [[Mood.BAD], []]
            assert (await session.query(Team).one()).mood is Mood.GOOD
            assert await session.query(Team).filter(Team.mood.in_([Mood.GOOD])).count() == 1
        await database.drop_all(*MODELS)
