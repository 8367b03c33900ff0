"""Queries that start from an alias: the model under a second name, whose own name stands for the query around it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from cormorant import (
    AsyncSession,
    Database,
    Expr,
    Many,
    Mapped,
    Model,
    NotLoadedError,
    One,
    QueryError,
    Scope,
    Session,
    alias,
    exists,
    field,
    foreign_key,
    func,
    generated,
    hybrid,
    reverse,
)
from tests.support import kept_tables


class Runner(Model, app="aliases"):
    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str]
    team: Mapped[str]
    points: Mapped[int] = field(default=0)
    coach: One[Runner | None] = foreign_key(default=None)
    trained: Many[Runner] = reverse("coach")

    @hybrid
    def shout(self) -> str:
        return self.name + "!"

    @classmethod
    def good(cls) -> Expr[bool]:
        return cls.points > 4


@pytest.fixture
async def database(database_dsn: str, keeps_tables: None) -> AsyncIterator[Database]:
    async with Database(database_dsn) as database:
        await kept_tables.prepare(database, database_dsn, Runner)
        async with AsyncSession(database) as session:
            ada = await session.create(Runner, name="Ada", team="red", points=5)
            await session.create(Runner, name="Bob", team="red", points=3)
            await session.create(Runner, name="Cyd", team="blue", points=9, coach=ada)
        yield database


async def test_an_inner_query_of_the_same_model_reads_the_row_outside(database: Database) -> None:
    other = alias(Runner)
    async with AsyncSession(database) as session:
        runners = session.query(Runner).order_by(Runner.id)
        best = session.query(other).filter(other.team == Runner.team).scalars(func.max(other.points)).as_expr()
        first = runners.filter(Runner.points == best).scalars(Runner.name)
        inner = 'SELECT max("runner_2"."points") FROM "aliases_runner" AS "runner_2"'
        assert inner.replace("runner_2", "aliases_runner_2") in first.compile().sql
        assert await first == ["Ada", "Cyd"]
        beaten = exists(session.query(other).filter(other.team == Runner.team, other.points > Runner.points))
        assert await runners.filter(beaten).scalars(Runner.name) == ["Bob"]
        assert await session.query(other).filter(other.trained.any(Runner.points > other.points)).count() == 1


async def test_it_is_a_query_like_any_other(database: Database) -> None:
    other = alias(Runner)
    async with AsyncSession(database) as session:
        others = session.query(other).order_by(other.id)
        ada, _, cyd = everybody = await others
        assert await session.get(Runner, ada.id) is ada
        assert await others.filter(other.good(), other.shout == "Cyd!").one() is cyd
        assert await others.filter(coach__name="Ada", pk=cyd.id).exists()
        assert await others.exclude(name="Bob").count() == 2
        assert await others.values(other.name, other.coach.name).last() == ("Cyd", "Ada")
        assert (await others.as_dicts(other.name, other.team).first()) == {"name": "Ada", "team": "red"}
        assert await session.query(other).group_by(other.team).order_by(other.team).scalars(func.count()) == [1, 2]
        page = await session.query(other).order_by(other.points.desc()).page(2)
        assert [*page, *await session.query(other).order_by(other.points.desc()).page(2, after=page.next)] == [
            cyd,
            *everybody[:2],
        ]
        assert [runner.name async for runner in others.stream(1)] == ["Ada", "Bob", "Cyd"]
        assert await others.filter(other.id == ada.id).union(session.query(Runner).filter(name="Cyd")) == [ada, cyd]
        assert await session.query(other).from_sql("select * from aliases_runner where points > 4").count() == 2


async def test_its_objects_come_with_others(database: Database) -> None:
    other = alias(Runner)
    async with AsyncSession(database) as session:
        query = session.query(other).order_by(other.id).select_related(other.coach).prefetch_related(other.trained)
        ada, _, cyd = await query
        assert cyd.coach is ada
        assert list(ada.trained) == [cyd]
        assert [(n, len(r)) for _, n, r in await query.annotate(other.trained.count(), other.trained.limit(1))] == [
            (1, 1),
            (0, 0),
            (0, 0),
        ]
    async with AsyncSession(database) as session:
        ada = await session.query(other).order_by(other.id).only(other.name).limit(1).one()
        with pytest.raises(NotLoadedError):
            _ = ada.points


async def test_scopes_hold_for_it_too(database: Database) -> None:
    red = Scope(Runner, lambda runner: runner.team == "red", name="red")
    other = alias(Runner)
    async with AsyncSession(database, scopes=[red]) as session:
        assert await session.query(other).count() == 2
        assert await session.query(other).unscoped("red").count() == 3


async def test_nothing_is_written_through_it(database: Database) -> None:
    other = alias(Runner)
    async with AsyncSession(database) as session:
        query: Any = session.query(other)
        for write in (
            lambda: query.update(other.name.set("x")),
            lambda: query.filter(other.points > 3).delete(),
            lambda: query.bulk_create([{"name": "x", "team": "y"}]),
            lambda: query.upsert([{"name": "x", "team": "y"}], on=[other.id]),
        ):
            with pytest.raises(QueryError, match=r"start from session\.query\(Runner\)"):
                await write()
        assert await session.query(Runner).filter(Runner.name == "x").count() == 0


def test_a_sync_session_takes_one(database_dsn: str) -> None:
    other = alias(Runner)
    with Session(database_dsn) as session:
        assert session.query(other).filter(other.points > 3).compile().params == (3,)
