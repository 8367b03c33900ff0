"""Plans of joins, subqueries and unions: shared by equal shapes and by nothing else; names; other databases."""

from __future__ import annotations

from typing import Any

import pytest

from cormorant import AsyncSession, Database, QueryError, QuerySet, alias, case, exists, func, literal
from tests.support.oracle.shop import Note, Person, fill

DEPTH = literal(0).label("depth")


async def test_equal_shapes_share_a_plan_and_different_ones_never_do(
    people: QuerySet[Person], session: AsyncSession
) -> None:
    database = session.database

    def joined(score: int, low: int) -> Any:
        boss = alias(Person)
        per = session.query(Note).filter(Note.rank > low).values(Note.writer.id, func.count()).group_by(Note.writer.id)
        sub = per.subquery("per")
        rows = people.join(boss, boss.id == Person.boss.id).outer_join(sub, sub[Note.writer.id] == Person.id)
        return rows.filter(Person.score >= score).order_by(Person.id).values(Person.id, boss.id, sub[func.count()])

    assert await joined(2, 0) == [(2, 1, 2), (3, 1, 1), (4, 2, None)]
    plans = len(database.plans)
    assert await joined(5, 0) == [(2, 1, 2)]
    assert await joined(2, 2) == [(2, 1, None), (3, 1, 1), (4, 2, None)]
    assert await joined(0, 1) == [(2, 1, 2), (3, 1, 1), (4, 2, None), (5, 2, 1)]
    assert len(database.plans) == plans

    def combined(word: str, low: int, high: int) -> Any:
        first, second = people.filter(Person.score > low), people.filter(Person.score < high)
        return getattr(first, word)(second).order_by(Person.id).scalars(Person.id)

    for word, found in {"union": [1, 2, 5, 6], "intersect": [], "except_": [1, 2]}.items():
        plans = len(database.plans)
        assert await combined(word, 4, 1) == found
        assert await combined(word, 3, 1) == found
        assert await combined(word, -9, 9) == ([] if word == "except_" else [1, 2, 3, 4, 5, 6])
        assert len(database.plans) == plans + 1


async def test_what_a_union_shows_depends_on_values(people: QuerySet[Person]) -> None:
    def ordered(more: int, by: int) -> Any:
        rows = people.values(Person.score + more).union(people.values(Person.id + 7))
        return rows.order_by(Person.score + by)

    assert await ordered(10, 10) == [(8,), (9,), (10,), (11,), (12,), (13,), (15,)]
    assert await ordered(0, 0) == [(-1,), (0,), (2,), (5,), (8,), (9,), (10,), (11,), (12,), (13,)]
    for _ in range(2):
        with pytest.raises(QueryError, match="the column 'score' belongs to a table that the query does not read"):
            await ordered(10, 11)
    # 7 is another value that is sent, and nothing that is shown
    assert len(await ordered(7, 7)) == 8


async def test_what_is_made_for_each_request_makes_no_further_plans(
    people: QuerySet[Person], session: AsyncSession
) -> None:
    async def report() -> list[Any]:
        boss, peer = alias(Person), alias(Person, "peer")
        top = people.filter(Person.boss.is_null()).values(Person.id, DEPTH)
        cte = top.cte(
            "tree",
            recursive=lambda up: people.join(up, up[Person.id] == Person.boss.id).values(Person.id, up[DEPTH] + 1),
        )
        sub = session.query(Note).values(Note.writer.id, func.count()).group_by(Note.writer.id).subquery()
        rows = people.join(boss, boss.id == Person.boss.id).join(peer, peer.boss.id == boss.id)
        rows = rows.join(cte, cte[Person.id] == peer.id).join(sub, sub[Note.writer.id] == Person.id)
        either = rows.filter(peer.id == 2).union(rows.filter(cte[DEPTH] > 1)).order_by(Person.id)
        return await either.scalars(Person.id)

    assert await report() == [2, 3, 5]
    plans = len(session.database.plans)
    for _ in range(20):
        assert await report() == [2, 3, 5]
    assert len(session.database.plans) == plans


async def test_tasks_that_ask_the_same_at_the_same_time_share_a_plan(
    people: QuerySet[Person], notes: QuerySet[Note], session: AsyncSession
) -> None:
    """What each request makes has a number of its own while others live; the plan is the same."""

    def report(score: int) -> Any:
        boss, peer = alias(Person), alias(Person)
        sub = notes.values(Note.writer.id, func.count()).group_by(Note.writer.id).subquery()
        cte = notes.filter(Note.rank > 1).values(Note.writer.id).cte("written")
        rows = people.join(boss, boss.id == Person.boss.id).outer_join(
            peer, peer.boss.id == boss.id, peer.id > Person.id
        )
        rows = rows.outer_join(sub, sub[Note.writer.id] == Person.id).filter(Person.score >= score)
        some = rows.filter(Person.id.in_(people.join(cte, cte[Note.writer.id] == Person.id).scalars(Person.id)))
        return some.union(rows.filter(peer.id.is_not_null())).order_by(Person.id).scalars(Person.id)

    plans = len(session.database.plans)
    waiting = [(score, report(score)) for score in (0, 2, 3, 5) * 5]
    for score, query in reversed(waiting):
        assert await query == [key for key, its in ((2, 5), (3, 2), (4, 2), (5, 0)) if its >= score]
    assert len(session.database.plans) == plans + 1


async def test_sources_that_change_places_are_another_query(people: QuerySet[Person]) -> None:
    one, other = alias(Person), alias(Person)
    rows = people.join(one, one.boss.id == Person.id).join(other, other.id == Person.boss.id).order_by(one.id)
    for _ in range(2):
        assert await rows.values(one.id, other.id) == [(4, 1), (5, 1)]
        assert await rows.values(other.id, one.id) == [(1, 4), (1, 5)]
        assert await rows.values(one.id, one.id) == [(4, 4), (5, 5)]


async def test_an_alias_of_another_name_has_its_own_plan(people: QuerySet[Person], session: AsyncSession) -> None:
    for name in ("boss", "chief", "boss"):
        boss = alias(Person, name)
        assert await people.join(boss, boss.id == Person.boss.id).count() == 4
    sent = [stats.sql for stats in session.query_stats() if "chief" in stats.sql or 'boss"' in stats.sql]
    assert len(sent) == 2


async def test_values_that_are_equal_by_chance(people: QuerySet[Person]) -> None:
    """Whether an expression is one that is grouped by depends on its values."""
    for more, other in ((1, 1), (1, 2), (2, 2)):
        rows = people.values(Person.score + more, func.count()).group_by(Person.score + other)
        sub = rows.subquery()
        outer = people.join(sub, sub[func.count()] == Person.id)
        for query in (rows, outer, rows.union(rows)):
            if more == other:
                assert await query.count() > 0
            else:
                with pytest.raises(QueryError, match="is read from groups without being grouped by"):
                    await query


ODD = [
    '"',
    'a "b"',
    "a b",
    "a;--",
    "' OR 1=1 --",
    "é",
    "\u200b",
    "\u202e",
    "%s",
    "$1",
    "?",
    ":x",
    "{}",
    "select",
    "日本",
    "x" * 60,
]
REFUSED = ["", "\0", "a\0b", "\ud800", "\n", "x" * 1_000_000]


@pytest.mark.parametrize("name", ODD)
async def test_odd_names_come_back_as_they_are(name: str, people: QuerySet[Person], session: AsyncSession) -> None:
    boss, sub = alias(Person, name), people.values(Person.id.label(name)).subquery(name)
    cte = people.values(Person.id.label(name)).cte(name)
    rows = (
        people.join(boss, boss.id == Person.boss.id).join(sub, sub[Person.id] == boss.id).join(cte, cte[Person.id] == 1)
    )
    assert await rows.filter(Person.id == 2).as_dicts(boss.id.label(name)) == [{name: 1}]
    assert await people.as_dicts(Person.id.label(name)).union(people.as_dicts(Person.id)).filter(Person.id == 1) == [
        {name: 1}
    ]


@pytest.mark.parametrize("name", REFUSED)
async def test_names_no_database_has_are_refused_and_harm_nothing(
    name: str, people: QuerySet[Person], session: AsyncSession
) -> None:
    sub, cte = people.subquery(name), people.cte(name)
    queries: list[Any] = [
        people.join(sub, sub[Person.id] == Person.id),
        people.join(cte, cte[Person.id] == Person.id),
        people.values(Person.id.label(name)),
        people.values(Person.id.label(name)).union(people.values(Person.id)),
    ]
    if name:
        other = alias(Person, name)
        queries.append(people.join(other, other.id == Person.id))
    for query in queries:
        with pytest.raises(QueryError, match=r"cannot be a name in SQL|is longer than"):
            await query
        assert await people.count() == 6


async def test_queries_of_another_database_are_refused(people: QuerySet[Person], session: AsyncSession) -> None:
    async with Database("sqlite://") as elsewhere:
        await fill(elsewhere)
        async with AsyncSession(elsewhere) as other:
            foreign = other.query(Person)
            sub, cte = foreign.subquery(), foreign.cte("foreign")
            before = sum(stats.count for stats in session.query_stats())
            for query in (
                people.filter(Person.id.in_(foreign.scalars(Person.id))),
                people.filter(exists(foreign)),
                people.join(sub, sub[Person.id] == Person.id),
                people.join(cte, cte[Person.id] == Person.id),
                people.with_(cte),
                people.union(foreign),
                people.annotate(foreign.scalars(func.count()).as_expr()),
                people.values(case((exists(foreign), 1), default=0)),
                people.filter(Person.notes.any(Note.writer.id.in_(foreign.scalars(Person.id)))),
                people.values(people.filter(exists(foreign)).scalars(func.count()).as_expr()),
            ):
                with pytest.raises(QueryError, match=r"holds a query that was made for another database\nHint: run"):
                    await query
            assert sum(stats.count for stats in session.query_stats()) == before
            assert await foreign.filter(Person.id.in_(foreign.scalars(Person.id))).count() == 6
