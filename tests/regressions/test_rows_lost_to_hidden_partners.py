"""A default scope on what a relation leads to took the rows that asked with it: they were joined by a plain JOIN."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from cormorant import (
    AsyncSession,
    Database,
    Many,
    Mapped,
    Model,
    One,
    QueryError,
    Scope,
    alias,
    exists,
    field,
    foreign_key,
    func,
    generated,
    many_to_many,
    reverse,
)


class Team(Model, app="regressions_partners"):
    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str]


class Owner(Model, app="regressions_partners"):
    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str]
    gone: Mapped[bool] = field(default=False)
    team: One[Team] = foreign_key()
    tasks: Many[Task] = reverse("owner")


class Task(Model, app="regressions_partners"):
    id: Mapped[int] = generated(primary_key=True)
    title: Mapped[str]
    owner: One[Owner] = foreign_key()
    marks: Many[Mark] = many_to_many(through="Marking")


class Mark(Model, app="regressions_partners"):
    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str]
    tasks: Many[Task] = reverse("marks")


class Marking(Model, app="regressions_partners"):
    task: One[Task] = foreign_key(primary_key=True)
    mark: One[Mark] = foreign_key(primary_key=True)
    gone: Mapped[bool] = field(default=False)


other = alias(Task)
ALIVE = Scope(Owner, lambda owner: ~owner.gone, name="alive")
MARKED = Scope(Marking, lambda marking: ~marking.gone, name="marked")


@pytest.fixture
async def database(database_dsn: str) -> AsyncIterator[Database]:
    """Tasks "1" and "3" of "ann", "2" of "bob", who is gone; "1" is marked, "2" was."""
    async with Database(database_dsn) as database:
        await database.create_all(Team, Owner, Task, Mark, Marking)
        async with AsyncSession(database) as session:
            ann, bob = Owner(name="ann", team=Team(name="red")), Owner(name="bob", gone=True, team=Team(name="blue"))
            one, two, three = Task(title="1", owner=ann), Task(title="2", owner=bob), Task(title="3", owner=ann)
            mark = Mark(name="new")
            session.add(one, two, three, Marking(task=one, mark=mark), Marking(task=two, mark=mark, gone=True))
        yield database


@pytest.fixture
async def session(database: Database) -> AsyncIterator[AsyncSession]:
    async with AsyncSession(database, scopes=[ALIVE, MARKED]) as session:
        yield session


async def test_rows_stay_and_the_partner_is_missing(session: AsyncSession) -> None:
    tasks = session.query(Task)
    ordered = tasks.order_by(Task.owner.name.asc().nulls_first(), Task.title)
    assert [task.title for task in await ordered] == ["2", "1", "3"]
    assert await ordered.count() == 3
    assert await ordered.values(Task.title, Task.owner.name) == [("2", None), ("1", "ann"), ("3", "ann")]
    # what is behind the hidden one is missing too
    assert await ordered.values(Task.title, Task.owner.team.name) == [("2", None), ("1", "red"), ("3", "red")]
    assert await ordered.scalars(func.coalesce(Task.owner.name, "nobody")) == ["nobody", "ann", "ann"]
    groups = tasks.group_by(Task.owner.name).order_by(func.count())
    assert await groups.values(Task.owner.name, func.count()) == [(None, 1), ("ann", 2)]
    # the key is the task's own
    assert await tasks.filter(Task.owner.id.is_not_null()).count() == 3


async def test_the_relation_itself_can_be_selected(session: AsyncSession) -> None:
    rows = await session.query(Task).order_by(Task.title).values(Task, Task.owner, Task.owner.team)
    found = [(t.title, o and o.name, team and team.name) for t, o, team in rows]
    assert found == [("1", "ann", "red"), ("2", None, None), ("3", "ann", "red")]
    related = session.query(Task).select_related(Task.owner.team).order_by(Task.owner.name.desc().nulls_last(), Task.id)
    assert [task.title for task in await related] == ["1", "3", "2"]


async def test_conditions_see_a_missing_value(session: AsyncSession) -> None:
    tasks = session.query(Task).order_by(Task.title)
    assert await tasks.filter((Task.owner.name == "ann") | (Task.title == "2")).count() == 3
    assert await tasks.exclude(Task.owner.name == "ann").scalars(Task.title) == ["2"]
    assert await tasks.exclude(owner__team__name="red").scalars(Task.title) == ["2"]
    assert await tasks.filter(Task.owner.name == "bob").count() == 0
    assert await tasks.filter(Task.owner.name.is_null()).scalars(Task.title) == ["2"]
    sql = tasks.filter(Task.owner.name == "ann").compile().sql
    assert " JOIN " in sql
    assert "LEFT JOIN" not in sql
    inner = session.query(Task).filter(Task.id == other.id, (Task.owner.name == "ann") | (Task.title == "2"))
    assert await session.query(other).filter(exists(inner)).count() == 3
    with pytest.raises(QueryError, match=r"rows may be missing|SQLite locks the whole"):
        tasks.values(Task.title, Task.owner.name).for_update(of=Task.owner).compile()


async def test_what_another_query_shows_may_be_missing_too(session: AsyncSession) -> None:
    tasks = session.query(Task)
    shown = tasks.values(Task.id, Task.owner.name)
    for per in (shown.subquery("per"), shown.cte("per")):
        joined = tasks.join(per, per[Task.id] == Task.id)
        assert await joined.exclude(per[Task.owner.name] == "ann").scalars(Task.title) == ["2"]
    both = shown.union(shown, all=True)
    assert await both.exclude(Task.owner.name == "ann").count() == 2
    names = tasks.scalars(Task.owner.name)
    # it is unknown whether something is among unknown values
    assert await session.query(Team).exclude(Team.name.in_(names)).count() == 2


async def test_writes_by_query_follow(session: AsyncSession) -> None:
    tasks = session.query(Task)
    title = Task.title.set(func.coalesce(Task.owner.name, "nobody"))
    assert await tasks.exclude(Task.owner.name == "ann").update(title) == 1
    assert await tasks.filter(Task.title == "nobody").count() == 1
    await session.query(Marking).unscoped().delete()
    assert await tasks.exclude(Task.owner.name == "ann").delete() == 1
    assert await tasks.count() == 2


async def test_pages_and_streams_give_every_row(session: AsyncSession) -> None:
    for name in (Task.owner.name.asc(), Task.owner.name.desc(), Task.owner.name.desc().nulls_last()):
        ordered = session.query(Task).order_by(name)
        found: list[str] = []
        page = await ordered.page(1)
        while True:
            found += [task.title for task in page]
            if page.next is None:
                break
            page = await ordered.page(1, after=page.next)
        assert sorted(found) == ["1", "2", "3"]
        assert sorted([task.title async for task in ordered.stream(1)]) == ["1", "2", "3"]


async def test_links_that_are_hidden_hide_no_row(session: AsyncSession) -> None:
    tasks = session.query(Task).order_by(Task.title)
    assert await tasks.values(Task.title, Task.marks.each.name) == [("1", "new"), ("2", None), ("3", None)]
    assert await tasks.scalars(Task.marks.count()) == [1, 0, 0]
    assert await tasks.filter(Task.marks.any(Mark.name == "new")).count() == 1
    owners = session.query(Owner).values(Owner.name, Owner.tasks.each.title, Owner.tasks.each.owner.name)
    assert await owners.order_by(Owner.tasks.each.title) == [("ann", "1", "ann"), ("ann", "3", "ann")]


async def test_lifted_scopes_and_other_models_change_no_join(database: Database) -> None:
    def joined(query: Any) -> str:
        return query.order_by(Task.owner.name).exclude(Task.owner.name == "x").compile().sql

    team = Scope(Team, lambda team: team.name != "x", name="team")
    async with AsyncSession(database) as plain, AsyncSession(database, scopes=[ALIVE, team]) as scoped:
        usual = joined(plain.query(Task))
        assert "LEFT JOIN" not in usual
        assert "IS NOT TRUE" not in usual
        assert joined(scoped.query(Task).unscoped()) == usual
        assert joined(scoped.query(Task).unscoped("alive")) == usual
        assert "LEFT JOIN" in joined(scoped.query(Task))
        assert "IS NOT TRUE" in joined(scoped.query(Task))
        behind = scoped.query(Task).unscoped("alive").values(Task.owner.name, Task.owner.team.name).compile().sql
        assert behind.count("LEFT JOIN") == 1
