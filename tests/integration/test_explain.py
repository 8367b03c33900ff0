"""What a query would send, and how the database would run it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from cormorant import (
    AsyncSession,
    CompiledQuery,
    CompileError,
    Database,
    Explanation,
    Mapped,
    Model,
    QueryError,
    Scope,
    case,
    func,
    generated,
)
from cormorant.query.explaining import explained
from tests.support.newsroom import Story, Writer, make_story, sent


class ExplainedBadge(Model, table="explained_badge"):
    id: Mapped[int] = generated(primary_key=True)
    password: Mapped[str]
    pin: Mapped[int]


@pytest.fixture
async def session(database: Database) -> AsyncIterator[AsyncSession]:
    await make_story(database)
    async with AsyncSession(database) as session:
        yield session


# ------------------------------------------------------------------ compile


async def test_compile_runs_nothing(database: Database, session: AsyncSession) -> None:
    compiled = session.query(Story).filter(Story.views > 3).scalars(Story.id).limit(5).compile()
    one, two = {"sqlite": ("?1", "?2"), "postgresql": ("$1", "$2")}[database.dialect.name]
    sql, params = compiled
    assert sql == f'SELECT "stories"."id" FROM "stories" WHERE "stories"."views" > {one} LIMIT {two}'
    assert params == (3, 5)
    assert isinstance(compiled, CompiledQuery)
    assert sent(session) == 0


async def test_compile_gives_values_as_the_driver_takes_them(database: Database, session: AsyncSession) -> None:
    moment = datetime(2024, 2, 29, tzinfo=UTC)
    compiled = session.query(Story).filter(func.now() > moment).compile()
    assert compiled.params == (
        (moment,) if database.dialect.name == "postgresql" else (moment.isoformat(timespec="microseconds"),)
    )


async def test_compile_shows_no_values(session: AsyncSession) -> None:
    compiled = session.query(Writer).filter(Writer.name == "s3cr3t", Writer.age == 7).compile()
    assert "s3cr3t" not in f"{compiled} {compiled!r}"
    assert repr(compiled).endswith("with 2 values>")
    assert repr(session.query(Writer).limit(1).compile()).endswith("with 1 value>")


async def test_compile_has_default_scopes(database: Database) -> None:
    adults = Scope(Writer, lambda writer: writer.age >= 18, name="adults")
    async with AsyncSession(database, scopes=[adults]) as session:
        compiled = session.query(Writer).filter(Writer.name == "Ada").compile()
        assert compiled.sql.endswith('"age" >= ' + ("$2" if database.dialect.name == "postgresql" else "?2"))
        assert compiled.params == ("Ada", 18)


async def test_a_query_that_cannot_be_said_is_told(session: AsyncSession) -> None:
    wrong = session.query(Story).values(Story.title, func.count())
    with pytest.raises(QueryError):
        wrong.compile()
    with pytest.raises(QueryError):
        await wrong.explain()


# ------------------------------------------------------------------ explain


async def test_explain_gives_the_plan(database: Database, session: AsyncSession) -> None:
    plan = await session.query(Story).filter(Story.writer.name == "Ada").order_by(Story.title).explain()
    assert isinstance(plan, Explanation)
    assert str(plan) == plan.text
    assert "stories" in plan.text
    if database.dialect.name == "postgresql":
        root = plan.parsed[0]["Plan"]
        assert root["Node Type"] == "Sort"
        assert plan.text.splitlines()[0].startswith("Sort  (cost=")
        assert "    Sort Key: stories.title" in plan.text.splitlines()
        assert any(line.startswith("  ") and " on newsroom_writer" in line for line in plan.text.splitlines())
        assert "actual" not in plan.text
    else:
        assert all(set(node) == {"detail", "children"} for node in plan.parsed)
        assert plan.text.splitlines()[0] == plan.parsed[0]["detail"]


async def test_explain_neither_runs_nor_flushes(session: AsyncSession) -> None:
    session.add(Writer(name="pending"))
    failing = session.query(Writer).filter(func.call("length", Writer.name, returns=int) / 0 > 1)
    await failing.explain()
    await session.query(Writer).for_update().explain()
    assert len(session.new) == 1
    assert not session.in_transaction


async def test_explain_inside_of_a_transaction(session: AsyncSession) -> None:
    async with session.transaction():
        assert (await session.query(Story).explain()).text
        assert (await session.query(Story).values(Story.views, func.count()).group_by(Story.views).explain()).text


async def test_analyze_measures_on_postgresql(database: Database, session: AsyncSession) -> None:
    query = session.query(Story)
    if database.dialect.name == "sqlite":
        with pytest.raises(CompileError, match="sqlite explains queries without running them") as caught:
            await query.explain(analyze=True)
        assert "query_stats" in (caught.value.hint or "")
        assert sent(session) == 0
        return
    plan = await query.explain(analyze=True)
    assert plan.parsed[0]["Plan"]["Actual Rows"] == 1
    assert "(actual time=" in plan.text
    assert plan.text.splitlines()[-1].startswith("Execution Time: ")


def test_a_tree_of_steps() -> None:
    rows = [(1, 0, 0, "CO-ROUTINE a"), (4, 1, 0, "SCAN b"), (9, 0, 0, "SCAN a")]
    plan = explained(rows)
    assert plan.text == "CO-ROUTINE a\n  SCAN b\nSCAN a"
    assert plan.parsed[0]["children"] == [{"detail": "SCAN b", "children": []}]
    assert explained([]) == Explanation("", [])


async def test_a_plan_shows_no_secrets_that_it_filters_sorts_or_groups_by(
    database: Database, session: AsyncSession
) -> None:
    await database.create_all(ExplainedBadge)
    badges, found = session.query(ExplainedBadge), case((ExplainedBadge.password == "s3cr3t", 1), default=0)
    for query in (
        badges.filter(ExplainedBadge.pin == 471100815),
        badges.filter((ExplainedBadge.pin + 1) * 471100815 > 3),
        badges.order_by(found),
        badges.values(found, func.count()).group_by(found),
    ):
        plan = await query.explain()
        assert not any(secret in f"{plan} {plan!r}" for secret in ("s3cr3t", "471100815"))
    await database.drop_all(ExplainedBadge)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("((pin = 7) AND (t_2.pin > 1.5e3))", "((pin = ***) AND (t_2.pin > ***))"),
        ('("no 2" = $1)', '("no 2" = $1)'),
        ("(NOT (hashed SubPlan 1))", "(NOT (hashed SubPlan 1))"),
        (["CASE WHEN (a = 'x'::text) THEN 1 END", "b2"], ["CASE WHEN (a = '***'::text) THEN *** END", "b2"]),
    ],
)
def test_values_in_the_plan_of_a_secret(said: object, shown: object) -> None:
    node = {"Node Type": "Seq Scan", "Relation Name": "t-2", "Alias": "t-2", "Plan Rows": 3, "Filter": said}
    plan = explained([(json.dumps([{"Plan": node}]),)], "SELECT 1 FROM t WHERE password = $1")
    assert plan.parsed == [{"Plan": {**node, "Filter": shown}}]


def test_a_plan_of_postgresql() -> None:
    node: dict[str, Any] = {
        "Node Type": "Nested Loop",
        "Startup Cost": 0.1,
        "Total Cost": 2.5,
        "Plan Rows": 3,
        "Plan Width": 4,
        "Parallel Aware": False,
        "Plans": [
            {
                "Node Type": "Index Scan",
                "Index Name": "i",
                "Relation Name": "t",
                "Alias": "x",
                "Startup Cost": 0,
                "Total Cost": 1,
                "Plan Rows": 1,
                "Plan Width": 4,
                "Index Cond": "(a = 1)",
                "Output": ["a", "b"],
            }
        ],
    }
    assert explained([(json.dumps([{"Plan": node, "Planning Time": 0.2}]),)]).text.splitlines() == [
        "Nested Loop  (cost=0.1..2.5 rows=3 width=4)",
        "  Index Scan using i on t x  (cost=0..1 rows=1 width=4)",
        "      Index Cond: (a = 1)",
        "      Output: a, b",
        "Planning Time: 0.2 ms",
    ]
