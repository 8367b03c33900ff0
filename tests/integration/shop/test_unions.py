"""Rows put together, really run: the same rows from both databases."""

from __future__ import annotations

import dataclasses

from cormorant import AsyncSession, Q, QuerySet, alias, exists, func
from tests.support.oracle.shop import Note, Person


async def test_rows_put_together(people: QuerySet[Person], session: AsyncSession) -> None:
    young, active = people.filter(Person.age < 31), people.filter(Person.active)
    assert [person.id for person in await young.union(active).order_by(Person.id)] == [1, 2, 4, 5]
    assert [person.id for person in await young.union(active, all=True).order_by(Person.id)] == [1, 1, 2, 2, 4, 5]
    assert [person.id for person in await young.intersect(active).order_by(Person.id)] == [1, 2]
    assert [person.id for person in await young.except_(active).order_by(Person.id)] == [4]
    assert [person.id for person in await people.except_(young, active).order_by(Person.id)] == [3, 6]
    both = await young.union(active).order_by(Person.id)
    assert both[0] is await session.get(Person, 1)


async def test_values_of_different_models_put_together(people: QuerySet[Person], notes: QuerySet[Note]) -> None:
    names = (
        people.values(Person.name, Person.score).union(notes.values(Note.title, Note.rank)).order_by(Person.name.desc())
    )
    assert set(await names) == {
        ("ada", 5),
        ("ada", -1),
        ("ada", 2),
        ("Bob", 5),
        ("cyd", 2),
        ("bob", 2),
        ("eve", 0),
        ("alpha", 1),
        ("alpha", 2),
        ("beta", 1),
        ("beta", 3),
        ("Gamma", 2),
        ("delta", 3),
    }
    assert await names.count() == 13
    assert await people.scalars(Person.nick).union(notes.scalars(Note.body)).order_by(Person.nick) == [
        "",
        "a",
        "b",
        "x",
        "y",
        None,
    ]
    assert await people.scalars(Person.name).intersect(notes.scalars(Note.title)) == ["ada"]
    n = func.count().label("n")
    per = people.as_dicts(Person.score, n).group_by(Person.score)
    more = notes.as_dicts(Note.rank, n).group_by(Note.rank)
    assert await per.union(more).filter(n > 1).order_by(n, Person.score) == [
        {"score": 1, "n": 2},
        {"score": 2, "n": 2},
        {"score": 3, "n": 2},
        {"score": 5, "n": 2},
        {"score": 2, "n": 3},
    ]


@dataclasses.dataclass(frozen=True)
class Line:
    name: str
    n: int


async def test_shapes_and_parts_cut_by_themselves(people: QuerySet[Person], notes: QuerySet[Note]) -> None:
    best = people.order_by(Person.score.desc(), Person.id).limit(1).values(Person.name, Person.score.label("n"))
    last = notes.order_by(Note.id.desc()).limit(2).values(Note.title.label("name"), Note.id.label("n"))
    together = best.union(last).order_by(Person.score.label("n").desc())
    assert await together.into(Line) == [Line("ada", 7), Line("beta", 6), Line("ada", 5)]
    assert await together.limit(1).offset(1) == [("beta", 6)]
    assert await together.exists()
    assert await best.into(Line).union(last.into(Line)).filter(Person.name == "beta") == [Line("beta", 6)]


async def test_going_on_from_what_was_put_together(
    people: QuerySet[Person], notes: QuerySet[Note], session: AsyncSession
) -> None:
    both = people.filter(Person.age.is_null()).union(people.filter(Person.score > 4))
    assert await both.count() == 4
    assert await both.filter(Person.boss.name == "ada").order_by(Person.id).scalars(Person.id) == [2, 3]
    assert await both.exclude(Person.boss.name == "ada").order_by(Person.id).scalars(Person.id) == [1, 5]
    assert await both.filter(Q(name="eve") | Q(boss__name="Bob")).scalars(Person.id) == [5]
    assert await both.order_by(Person.id).annotate(Person.notes.count()) == [
        (await session.get(Person, key), count) for key, count in ((1, 3), (2, 2), (3, 1), (5, 1))
    ]
    assert await both.filter(exists(notes.filter(Note.writer.id == Person.id, Note.rank == 2))).count() == 2
    assert await both.filter(Person.notes.any(Note.reader.is_not_null())).order_by(Person.id).scalars(Person.id) == [
        1,
        2,
        3,
    ]
    assert await both.values(Person.active, func.count()).group_by(Person.active).order_by(Person.active) == [
        (False, 1),
        (True, 3),
    ]
    assert await both.aggregate(func.sum(Person.score)) == 12
    assert await both.join(Person.desk).order_by(Person.id).values(Person.id, Person.desk.floor) == [(1, 2), (2, None)]
    last = await both.last()
    assert last is not None
    assert last.id == 5
    assert await both.union(people.filter(Person.id == 6)).except_(people.filter(Person.id == 1)).order_by(
        Person.id
    ).scalars(Person.id) == [2, 3, 5, 6]
    sub = both.subquery("both")
    assert await notes.join(sub, sub[Person.id] == Note.writer.id, sub[Person.name] == "ada").count() == 3


async def test_numbers_of_different_kinds_put_together(people: QuerySet[Person], notes: QuerySet[Note]) -> None:
    mean = notes.scalars(func.avg(Note.rank).label("x")).union(people.filter(Person.id == 1).scalars(Person.score))
    assert sorted(await mean) == [2.0, 5.0]
    assert all(type(value) is float for value in await mean)


async def test_an_object_missing_in_one_part(people: QuerySet[Person], session: AsyncSession) -> None:
    boss, other = alias(Person), alias(Person)
    sure = people.join(boss, boss.id == Person.boss.id).filter(Person.id == 2).values(Person, boss)
    maybe = people.outer_join(other, other.id == Person.boss.id).filter(Person.id.in_([1, 2])).values(Person, other)
    for rows in (sure.union(maybe), maybe.union(sure)):
        found = await rows.order_by(Person.id)
        assert [(person.id, above and above.id) for person, above in found] == [(1, None), (2, 1)]
