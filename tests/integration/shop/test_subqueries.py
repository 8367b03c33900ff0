"""Queries inside other queries, really run: the same rows from both databases."""

from __future__ import annotations

from typing import Any

import pytest

from cormorant import AsyncSession, CompileError, Cte, QuerySet, exists, func, literal
from tests.support.oracle.shop import Note, Person, Region


def on_postgresql(session: AsyncSession) -> bool:
    return session.database.dialect.name == "postgresql"


async def test_a_subquery_is_joined_and_read(people: QuerySet[Person], notes: QuerySet[Note]) -> None:
    total, best = func.sum(Note.stars).label("total"), func.max(Note.stars)
    per = notes.filter(Note.rank < 9).values(Note.writer.id, total, best).group_by(Note.writer.id).subquery("per")
    rows = people.outer_join(per, per[Note.writer.id] == Person.id).order_by(per[total].desc(), Person.id)
    assert await rows.values(Person.id, per[total], per[best]) == [
        (4, None, None),
        (5, None, None),
        (6, None, None),
        (1, 10, 5),
        (2, 6, 3),
        (3, 0, 0),
    ]
    assert await rows.filter(per[total] > 0).values(Person.name) == [("ada",), ("Bob",)]
    other = per.alias()
    more = people.join(per, per[Note.writer] == Person.id).join(other, other[total] < per[total]).order_by(Person.id)
    assert await more.values(Person.id, other[Note.writer.id]) in ([(1, 2), (1, 3), (2, 3)], [(1, 3), (1, 2), (2, 3)])


async def test_rows_folded_by_what_is_computed(people: QuerySet[Person], notes: QuerySet[Note]) -> None:
    band = (Note.rank * 2).label("band")
    bands = notes.values(band, func.count()).group_by(Note.rank * 2).subquery()
    rows = people.join(bands, bands[Note.rank * 2] == Person.score + 1).order_by(Person.id)
    assert await rows.values(Person.id, bands[band], bands[func.count()]) == [(1, 6, 2), (2, 6, 2)]
    starts = func.lower(Note.title).startswith("a")
    assert await notes.values(starts, func.count()).group_by(starts).order_by(func.count()) == [(True, 3), (False, 4)]
    written = Person.notes.count(Note.rank > 1)
    rows = people.values(written, func.count()).group_by(Person.notes.count(Note.rank > 1)).order_by(written)
    assert await rows == [(0, 2), (1, 3), (2, 1)]


async def test_conditions_and_values(people: QuerySet[Person], notes: QuerySet[Note]) -> None:
    own = notes.filter(Note.writer.id == Person.id)
    assert await people.filter(exists(own)).order_by(Person.id).scalars(Person.id) == [1, 2, 3, 5]
    assert await people.filter(~exists(own)).order_by(Person.id).scalars(Person.id) == [4, 6]
    assert (
        await people.filter(exists(own.group_by(Note.writer.id).having(func.count() > 1).scalars(func.count()))).count()
        == 2
    )
    assert await people.filter(exists(notes.distinct().offset(4).scalars(Note.title))).count() == 6
    assert await people.filter(exists(notes.distinct().offset(5).scalars(Note.title))).count() == 0
    assert await people.filter(exists(own.scalars(func.count()))).count() == 6
    best = own.scalars(func.max(Note.stars)).as_expr()
    assert await people.order_by(best.desc(), Person.id).values(Person.id, best) == [
        (4, None),
        (5, None),
        (6, None),
        (1, 5),
        (2, 3),
        (3, 0),
    ]
    assert await people.filter(best >= 3).order_by(Person.id).scalars(Person.id) == [1, 2]
    newest = own.order_by(Note.id.desc()).limit(1).scalars(Note.title).as_expr()
    assert await people.annotate(newest).filter(Person.id == 1) == [(await people.get(id=1), "ada")]
    assert await people.filter(Person.name.in_(notes.scalars(Note.title))).order_by(Person.id).scalars(Person.id) == [
        1,
        6,
    ]
    same_region = people.filter(exists(notes.filter(Note.writer.region.name == Person.region.name, Note.pinned)))
    assert await same_region.order_by(Person.id).scalars(Person.id) == [1, 2, 5]


async def test_existence_of_folded_rows(notes: QuerySet[Note], session: AsyncSession) -> None:
    assert not await notes.distinct().offset(5).scalars(Note.title).exists()
    assert await notes.distinct().offset(4).scalars(Note.title).exists()
    nothing = notes.filter(Note.rank > 99)
    assert await nothing.scalars(func.count()).exists()
    assert not await nothing.group_by(Note.rank).scalars(func.count()).exists()
    joined = session.query(Person).values(Person.id, Person.notes.each.id)
    assert (await joined.count(), await joined.offset(8).exists(), await joined.offset(9).exists()) == (9, True, False)


async def test_lateral(people: QuerySet[Person], notes: QuerySet[Note], session: AsyncSession) -> None:
    own = notes.filter(Note.writer.id == Person.id).order_by(Note.rank.desc(), Note.id).limit(2)
    top = own.values(Note.id, Note.rank).subquery("top", lateral=True)
    rows = (
        people.outer_join(top).order_by(Person.id, top[Note.rank].desc(), top[Note.id]).values(Person.id, top[Note.id])
    )
    if not on_postgresql(session):
        with pytest.raises(CompileError, match="SQLite has no LATERAL"):
            await rows
        return
    assert await rows == [(1, 7), (1, 1), (2, 3), (2, 4), (3, 5), (4, None), (5, 6), (6, None)]


async def test_the_first_of_each(notes: QuerySet[Note], session: AsyncSession) -> None:
    rows = notes.distinct(Note.writer).order_by(Note.writer, Note.rank.desc(), Note.id).values(Note.writer.id, Note.id)
    if not on_postgresql(session):
        with pytest.raises(CompileError, match=r"SQLite has no DISTINCT ON\nHint: .*row_number"):
            await rows
        return
    assert await rows == [(1, 7), (2, 3), (3, 5), (5, 6)]
    assert (await rows.count(), await rows.limit(3).count(), await rows.offset(4).exists()) == (4, 3, False)
    by_band = notes.distinct(Note.rank * 2).order_by((Note.rank * 2).desc(), Note.id)
    assert await by_band.values(Note.rank * 2, Note.id) == [(6, 5), (4, 3), (2, 1)]


async def test_common_table_expressions(people: QuerySet[Person], notes: QuerySet[Note], session: AsyncSession) -> None:
    starred = notes.filter(Note.stars > 2).cte("starred", materialized=True)
    ids = session.query(Region).join(starred, starred[Note.rank] == Region.id).scalars(starred[Note.writer.id])
    rows = (
        people.join(starred, starred[Note.writer.id] == Person.id).filter(Person.id.in_(ids)).order_by(starred[Note.id])
    )
    assert await rows.values(Person.id, starred[Note.id]) == [(1, 1), (2, 3), (2, 4), (1, 7)]
    other = starred.alias()
    pairs = people.join(starred, starred[Note.writer.id] == Person.id).join(other, other[Note.id] > starred[Note.id])
    assert await pairs.filter(other[Note.writer.id] == Person.id).order_by(Person.id).values(
        starred[Note.id], other[Note.id]
    ) == [(1, 7), (3, 4)]


async def test_a_common_table_expression_hides_no_table(people: QuerySet[Person], notes: QuerySet[Note]) -> None:
    table = Note.__info__.table
    few = notes.filter(Note.id == 1).cte(table.upper())
    rows = people.join(few, few[Note.writer.id] == Person.id)
    assert await rows.values(Person.id, Person.notes.count()) == [(1, 3)]
    assert await notes.join(few, few[Note.writer.id] == Note.writer.id).order_by(Note.id).scalars(Note.id) == [1, 2, 7]


DEPTH, TRAIL = literal(0).label("depth"), Person.name.label("trail")


def tree(people: QuerySet[Person], **options: Any) -> Cte:
    top = people.filter(Person.boss.is_null()).values(Person.id, DEPTH, TRAIL)
    return top.cte(
        "tree",
        recursive=lambda up: people.join(up, up[Person.id] == Person.boss.id).values(
            Person.id, up[DEPTH] + 1, up[TRAIL] + "/" + Person.name
        ),
        **options,
    )


async def test_a_tree_with_its_depth(people: QuerySet[Person]) -> None:
    for options in ({}, {"distinct": True}, {"materialized": False}):
        cte = tree(people, **options)
        rows = people.join(cte, cte[Person.id] == Person.id).order_by(cte[DEPTH], Person.id)
        assert await rows.values(Person.id, cte[DEPTH], cte[TRAIL]) == [
            (1, 0, "ada"),
            (6, 0, "ada"),
            (2, 1, "ada/Bob"),
            (3, 1, "ada/cyd"),
            (4, 2, "ada/Bob/bob"),
            (5, 2, "ada/Bob/eve"),
        ]
        levels = people.join(cte, cte[Person.id] == Person.id).values(cte[DEPTH], func.count()).group_by(cte[DEPTH])
        assert await levels.order_by(cte[DEPTH]) == [(0, 2), (1, 2), (2, 2)]


async def test_a_ring_ends_where_nothing_new_is_found(people: QuerySet[Person], session: AsyncSession) -> None:
    await people.filter(Person.id == 1).update(Person.boss_id.set(5))  # type: ignore[attr-defined]
    above = people.filter(Person.id == 4).values(Person.boss.id)
    cte = above.cte(
        "above",
        recursive=lambda up: people.join(up, up[Person.boss.id] == Person.id).values(Person.boss.id),
        distinct=True,
    )
    rows = people.join(cte, cte[Person.boss.id] == Person.id).order_by(Person.id)
    assert await rows.scalars(Person.id) == [1, 2, 5]


async def test_a_recursion_over_whole_objects(people: QuerySet[Person]) -> None:
    cte = people.filter(Person.id == 2).cte(
        "team", recursive=lambda up: people.join(up, up[Person.id] == Person.boss.id)
    )
    rows = people.join(cte, cte[Person.id] == Person.id).order_by(Person.id)
    assert await rows.values(Person.id, cte[Person.nick]) == [(2, None), (4, ""), (5, None)]


async def test_nothing_is_known_about_what_is_not_among_unknown_values(
    people: QuerySet[Person], notes: QuerySet[Note]
) -> None:
    stars, outer = notes.scalars(Note.stars), people.outer_join(Note, Note.id == Person.id + 5)
    for among in (stars, outer.scalars(Note.rank)):
        assert await people.filter(~Person.id.in_(among)).count() == 0
        kept = await people.exclude(Person.id.in_(among)).count()
        assert kept == 6 - await people.filter(Person.id.in_(among)).count() > 0
