"""Default scopes: a tenant's rows and no others, wherever a model's table is read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextvars import ContextVar
from datetime import datetime
from typing import Any

import pytest

from cormorant import (
    AsyncSession,
    ConfigurationError,
    Database,
    Expr,
    Many,
    Mapped,
    Model,
    NotFoundError,
    One,
    QueryError,
    Scope,
    UnknownName,
    WrongType,
    alias,
    exists,
    field,
    foreign_key,
    func,
    generated,
    many_to_many,
    reverse,
    utcnow,
)
from tests.support import kept_tables


class Tenanted(Model, abstract=True, app="scopes"):
    org_id: Mapped[int]


class Project(Tenanted, app="scopes"):
    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str]
    jobs: Many[Job] = reverse("project")


class Job(Tenanted, app="scopes"):
    id: Mapped[int] = generated(primary_key=True)
    title: Mapped[str]
    cost: Mapped[int] = field(default=1)
    deleted_at: Mapped[datetime | None] = field(default=None)
    project: One[Project] = foreign_key()
    parent: One[Job | None] = foreign_key(default=None)
    badges: Many[Badge] = many_to_many(through="Award")


class Badge(Tenanted, app="scopes"):
    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str]
    jobs: Many[Job] = reverse("badges")


class Award(Tenanted, app="scopes"):
    job: One[Job] = foreign_key(primary_key=True)
    badge: One[Badge] = foreign_key(primary_key=True)


MODELS: list[type[Model]] = [Project, Job, Badge, Award]


def tenant(org: int) -> Scope[Tenanted]:
    return Scope(Tenanted, lambda m: m.org_id == org, name="tenant")


ALIVE: Scope[Job] = Scope(Job, lambda job: job.deleted_at.is_null(), name="alive")


@pytest.fixture
async def database(database_dsn: str, keeps_tables: None) -> AsyncIterator[Database]:
    """Two tenants with like-named rows; tenant 1's job "b" points to tenant 2's parent, project and badge."""
    async with Database(database_dsn) as database:
        await kept_tables.prepare(database, database_dsn, *MODELS)
        async with AsyncSession(database) as session:
            ours, theirs = Project(name="ours", org_id=1), Project(name="theirs", org_id=2)
            gold, lead = Badge(name="gold", org_id=1), Badge(name="lead", org_id=2)
            far = Job(title="far", org_id=2, project=theirs, cost=100)
            a = Job(title="a", org_id=1, project=ours, cost=10)
            b = Job(title="b", org_id=1, project=theirs, parent=far, cost=20)
            gone = Job(title="gone", org_id=1, project=ours, deleted_at=utcnow(), cost=40)
            stray = Job(title="stray", org_id=2, project=ours, cost=200)
            session.add(ours, theirs, gold, lead, far, a, b, gone, stray)
            session.add(*(Award(job=a, badge=badge, org_id=1) for badge in (gold, lead)))
            session.add(Award(job=far, badge=gold, org_id=2), Award(job=stray, badge=gold, org_id=1))
        yield database


def ours(database: Database, *more: Scope[Any]) -> AsyncSession:
    return AsyncSession(database, scopes=[tenant(1), *more])


async def titles(query: Any) -> list[str]:
    return [job.title for job in await query.order_by(Job.title)]


async def test_a_query_shows_the_tenants_rows(database: Database) -> None:
    async with ours(database) as session:
        assert await titles(session.query(Job)) == ["a", "b", "gone"]
        assert await session.query(Job).count() == 3
        assert await session.query(Job).filter(Job.title == "far").exists() is False
        assert await session.query(Job).aggregate(func.sum(Job.cost)) == 70
        assert await session.query(Job).scalars(func.max(Job.cost)) == [40]
    async with AsyncSession(database) as session:
        assert await session.query(Job).count() == 5


async def test_scopes_add_up(database: Database) -> None:
    async with ours(database, ALIVE) as session:
        assert await titles(session.query(Job)) == ["a", "b"]
        assert await titles(session.query(Job).unscoped("alive")) == ["a", "b", "gone"]
        assert await titles(session.query(Job).unscoped("tenant")) == ["a", "b", "far", "stray"]
        assert await session.query(Job).unscoped().count() == 5


async def test_a_database_has_scopes_for_every_session(database_dsn: str, database: Database) -> None:
    scoped = Database(database_dsn, scopes=[tenant(2), ALIVE])
    async with scoped, AsyncSession(scoped) as session:
        assert await titles(session.query(Job)) == ["far", "stray"]
    async with (
        Database(database_dsn, scopes=[tenant(2)]) as scoped,
        AsyncSession(scoped, scopes=[tenant(1)]) as session,
    ):
        # a session's scope takes the place of the database's of the same name
        assert await titles(session.query(Job)) == ["a", "b", "gone"]


async def test_get_finds_no_one_elses_row(database: Database) -> None:
    async with AsyncSession(database) as session:
        keys = {job.title: job.id for job in await session.query(Job)}
    async with ours(database) as session:
        assert await session.get(Job, keys["far"]) is None
        assert (await session.get_one(Job, keys["a"])).title == "a"
        with pytest.raises(NotFoundError):
            await session.get_one(Job, keys["far"])
        assert {job.title for job in await session.get_many(Job, keys.values())} == {"a", "b", "gone"}


async def test_get_does_not_give_what_was_found_by_lifting_the_scope(database: Database) -> None:
    async with ours(database) as session:
        by_title = {job.title: job for job in await session.query(Job).unscoped()}
        assert await session.get(Job, by_title["far"].id) is None
        assert await session.get(Job, by_title["a"].id) is by_title["a"]
        found = await session.get_many(Job, [job.id for job in by_title.values()])
        assert {job.title for job in found} == {"a", "b", "gone"}


async def test_joins_do_not_lead_out(database: Database) -> None:
    async with ours(database) as session:
        # the project of "b" is another tenant's: an inner join drops the row, an outer one hides the partner
        assert await session.query(Job).filter(Job.project.name == "theirs").count() == 0
        assert await session.query(Job).order_by(Job.title).values(Job.title, Job.parent.title) == [
            ("a", None), ("b", None), ("gone", None)
        ]  # fmt: skip
        assert await session.query(Job).filter(Job.parent.title == "far").count() == 0
        other = alias(Job)
        pairs = session.query(Job).join(other, other.cost > Job.cost).order_by(Job.title, other.title)
        assert await pairs.values(Job.title, other.title) == [("a", "b"), ("a", "gone"), ("b", "gone")]
        rows = session.query(Project).outer_join(Job, Job.project.id == Project.id).order_by(Job.title)
        assert await rows.values(Project.name, Job.title) == [("ours", "a"), ("ours", "gone")]


async def test_predicates_and_counts_see_the_tenants_rows(database: Database) -> None:
    async with ours(database) as session:
        projects = session.query(Project)
        assert await projects.scalars(Project.jobs.count()) == [2]
        assert await projects.filter(Project.jobs.any(Job.title == "stray")).count() == 0
        assert await projects.filter(Project.jobs.every(Job.cost < 50)).count() == 1
        assert await projects.filter(Project.jobs.none(Job.cost > 50)).count() == 1
        jobs = session.query(Job).order_by(Job.title)
        assert await jobs.scalars(Job.badges.count()) == [1, 0, 0]
        assert await jobs.filter(Job.badges.any(Badge.name == "lead")).count() == 0
        assert await jobs.filter(Job.parent.badges.any()).count() == 0


async def test_queries_inside_queries_are_scoped(database: Database) -> None:
    async with ours(database) as session:
        jobs = session.query(Job)
        projects = session.query(Project)
        assert await projects.filter(exists(jobs.filter(Job.project.id == Project.id, Job.cost > 50))).count() == 0
        assert await projects.unscoped().filter(Project.id.in_(jobs.scalars(Job.project.id))).count() == 2
        lifted = jobs.unscoped("tenant").filter(Job.project.id == Project.id, Job.cost > 50)
        assert await projects.filter(exists(lifted)).count() == 1
        total = func.sum(Job.cost).label("total")
        per = jobs.values(Job.project.id, total).group_by(Job.project.id).subquery("per")
        rows = projects.unscoped().join(per, per[Job.project.id] == Project.id).order_by(Project.id)
        assert await rows.values(Project.name, per[total]) == [("ours", 50), ("theirs", 20)]
        cte = jobs.filter(Job.cost > 5).values(Job.id).cte("found")
        assert await jobs.join(cte, cte[Job.id] == Job.id).count() == 3
        both = jobs.filter(Job.cost < 15).union(jobs.filter(Job.cost > 15))
        assert sorted(job.title for job in await both) == ["a", "b", "gone"]


async def test_relations_load_the_tenants_rows(database: Database) -> None:
    async with ours(database) as session:
        a, b, _ = await session.query(Job).order_by(Job.title)
        assert [badge.name for badge in await a.badges] == ["gold"]
        project = await a.project
        assert {job.title for job in await project.jobs} == {"a", "gone"}
        assert {job.title for job in await project.jobs.filter(Job.cost > 5)} == {"a", "gone"}
        with pytest.raises(NotFoundError):
            await b.project
        assert b.parent is not None
        with pytest.raises(NotFoundError):
            await b.parent


async def test_bulk_writes_touch_the_tenants_rows(database: Database) -> None:
    async with ours(database) as session:
        assert await session.query(Job).update(Job.cost.set(0)) == 3
        assert await session.query(Job).filter(Job.project.name == "ours").update(Job.title.set("mine")) == 2
        assert await session.query(Job).filter(Job.title == "stray").delete() == 0
        assert await session.query(Award).delete() == 3
    async with AsyncSession(database) as session:
        rows = await session.query(Job).order_by(Job.title).values(Job.title, Job.cost)
        assert [row for row in rows if row[1]] == [("far", 100), ("stray", 200)]
        assert await session.query(Award).count() == 1


async def test_the_same_plan_serves_every_tenant(database: Database) -> None:
    def plans() -> int:
        return len(database.plans)

    async def look(org: int) -> list[str]:
        async with AsyncSession(database, scopes=[tenant(org)]) as session:
            return await titles(session.query(Job).filter(Job.cost > 10))

    assert await look(1) == ["b", "gone"]
    count = plans()
    assert await look(2) == ["far", "stray"]
    assert await asyncio.gather(*map(look, (1, 2, 3))) == [["b", "gone"], ["far", "stray"], []]
    assert plans() == count


async def test_a_scope_that_changes_its_shape_has_a_plan_for_each(database: Database) -> None:
    seen: ContextVar[int | None] = ContextVar("seen")

    def visible(job: type[Job]) -> Expr[bool]:
        org = seen.get()
        return job.org_id.is_not_null() if org is None else job.org_id == org

    async with AsyncSession(database, scopes=[Scope(Job, visible, name="seen")]) as session:
        for org, expected in ((1, 3), (None, 5), (2, 2), (1, 3)):
            seen.set(org)
            assert await session.query(Job).count() == expected
            assert await session.query(Project).filter(Project.jobs.any(Job.title == "far")).count() == (org != 1)


async def test_a_scope_asks_further_tables_with_any(database: Database) -> None:
    awarded = Scope(Job, lambda job: job.badges.any(Badge.name == "gold"), name="awarded")
    async with AsyncSession(database, scopes=[awarded]) as session:
        assert await titles(session.query(Job)) == ["a", "far", "stray"]
        assert await session.query(Job).filter(Job.parent.title == "far").count() == 0


@pytest.mark.parametrize(
    ("condition", "error"),
    [
        (lambda job: job.project.name == "x", QueryError),
        (lambda job: True, WrongType),
        (lambda job: None, WrongType),
        (lambda job: job.cost, WrongType),
        (lambda job: job.nonsense == 1, UnknownName),
    ],
)
async def test_a_scope_that_is_no_condition_of_its_own_table(
    database: Database, condition: Callable[[Any], Any], error: type[Exception]
) -> None:
    async with AsyncSession(database, scopes=[Scope(Job, condition, name="bad")]) as session:
        with pytest.raises(error):
            await session.query(Job)
        assert await session.query(Project).count() == 2


async def test_only_scopes_that_exist_can_be_lifted(database: Database) -> None:
    async with ours(database) as session:
        with pytest.raises(UnknownName, match=r"unscoped\('tenants'\)"):
            await session.query(Job).unscoped("tenants")
        assert await session.query(Job).unscoped().count() == 5
    async with AsyncSession(database) as session:
        with pytest.raises(UnknownName):
            await session.query(Job).unscoped("tenant")
        assert await session.query(Job).unscoped().count() == 5


async def test_scopes_that_can_be_gone_through_once_hold_all_the_same(database: Database) -> None:
    once: Any = iter([tenant(1)])
    async with ours(database) as session:
        seen = await session.query(Job).count()
    async with AsyncSession(database, scopes=once) as session:
        assert await session.query(Job).count() == seen < await session.query(Job).unscoped().count()
    generated_scopes: Any = (tenant(org) for org in (1,))
    async with Database(database.config, scopes=generated_scopes) as scoped, AsyncSession(scoped) as session:
        assert await session.query(Job).count() == seen


def test_what_is_no_scope_is_refused() -> None:
    wrong: Any = "tenant"
    with pytest.raises(ConfigurationError, match="is no Scope"):
        AsyncSession("sqlite://", scopes=[wrong])
    with pytest.raises(ConfigurationError, match="is no Scope"):
        Database("sqlite://", scopes=[wrong])
    alone: Any = Scope(Job, lambda job: job.id == 1, name="x")
    with pytest.raises(ConfigurationError, match=r"scopes=<Scope 'x' of Job> is no list"):
        AsyncSession("sqlite://", scopes=alone)
    with pytest.raises(WrongType, match=r"the condition of Scope\(Job\) is .*, and no function of the model"):
        Scope(Job, Job.id == 1, name="x")  # type: ignore[arg-type]
    with pytest.raises(WrongType, match="is not about a model"):
        Scope(wrong, lambda m: m.id == 1, name="x")
    for name in ("", "*", None):
        with pytest.raises(ConfigurationError, match="has the name"):
            Scope(Job, lambda job: job.id == 1, name=name)  # type: ignore[arg-type]
