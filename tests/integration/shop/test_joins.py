"""Joins, really run: the same rows from both databases."""

from __future__ import annotations

from cormorant import AsyncSession, QuerySet, alias, func
from tests.support.oracle.shop import Desk, Hobby, Note, Person, Region


async def test_models_aliases_and_relations(people: QuerySet[Person], session: AsyncSession) -> None:
    boss, peer = alias(Person, "boss"), alias(Person)
    with_boss = people.join(boss, boss.id == Person.boss.id).order_by(Person.id)
    assert await with_boss.values(Person.name, boss.name) == [
        ("Bob", "ada"),
        ("cyd", "ada"),
        ("bob", "Bob"),
        ("eve", "Bob"),
    ]
    assert await people.outer_join(boss).order_by(Person.id).values(Person.id, boss.id) == [
        (1, None),
        (2, 1),
        (3, 1),
        (4, 2),
        (5, 2),
        (6, None),
    ]
    siblings = with_boss.join(peer, peer.boss.id == boss.id, peer.id > Person.id)
    assert await siblings.values(Person.name, peer.name) == [("Bob", "cyd"), ("bob", "eve")]
    assert await people.join(Region).order_by(Person.id).values(Person.id, Region.name) == [
        (1, "north"),
        (2, "north"),
        (3, "south"),
        (5, "north"),
    ]
    assert await people.join(Person.region).count() == 4
    assert await people.join(Person.boss.region).order_by(Person.id).scalars(Person.id) == [2, 3, 4, 5]
    assert await people.join(Person.desk).order_by(Person.id).scalars(Person.desk.floor) == [2, None, 2]
    seats = await people.join(Desk).order_by(Person.id).values(Person.id, Desk.floor)
    assert seats == [(1, 2), (2, None), (4, 2)]
    pairs = people.join(Person.notes.each).order_by(Person.notes.each.id)
    assert await pairs.values(Person.id, Person.notes.each.title) == [
        (1, "alpha"),
        (1, "beta"),
        (2, "alpha"),
        (2, "Gamma"),
        (3, "delta"),
        (5, "beta"),
        (1, "ada"),
    ]


async def test_what_is_missing_is_none(notes: QuerySet[Note], session: AsyncSession) -> None:
    reader = alias(Person)
    rows = (
        await notes.outer_join(reader, reader.id == Note.reader.id)
        .order_by(Note.id)
        .values(Note, reader, reader.region)
    )
    assert [(note.id, person and person.id, region and region.id) for note, person, region in rows] == [
        (1, None, None),
        (2, 2, 1),
        (3, 1, 1),
        (4, 2, 1),
        (5, 6, None),
        (6, None, None),
        (7, 3, 2),
    ]
    assert rows[1][1] is rows[3][1] is await session.get(Person, 2)
    assert await notes.outer_join(reader, reader.id == Note.reader.id).filter(reader.id.is_null()).count() == 2
    assert await notes.outer_join(reader, reader.id == Note.reader.id).exclude(reader.name == "Bob").count() == 5
    assert await notes.outer_join(reader, reader.id == Note.reader.id, reader.active).count() == 7


async def test_null_of_an_outer_join_sorts_as_larger_than_everything(people: QuerySet[Person]) -> None:
    ranked = people.outer_join(Note, Note.writer.id == Person.id, Note.pinned)
    assert await ranked.order_by(Note.rank, Person.id).values(Person.id, Note.rank) == [
        (1, 1),
        (2, 2),
        (5, 3),
        (3, None),
        (4, None),
        (6, None),
    ]
    assert await ranked.order_by(Note.rank.desc(), Person.id).limit(4).scalars(Person.id) == [3, 4, 6, 5]


async def test_conditions_of_a_join_follow_relations(people: QuerySet[Person]) -> None:
    note = alias(Note)
    read_by_boss = people.outer_join(note, note.reader.boss.id == Person.id, note.writer.name == Person.name)
    assert (
        await read_by_boss.order_by(Person.id, note.id).values(Person.id, note.id, note.writer.region.name)
        == [
            (1, 2, "north"),
            (1, 7, "north"),
            (2, None, None),
            (3, None, None),
            (4, None, None),
            (5, None, None),
            (6, 2, "north"),
            (6, 7, "north"),
        ]
        or await read_by_boss.count() == 7
    )
    inner = people.join(note, note.reader.boss.id == Person.id).order_by(note.id)
    assert await inner.values(Person.id, note.id) == [(1, 2), (1, 4), (1, 7)]


async def test_a_relation_of_what_was_joined_from_outside(people: QuerySet[Person]) -> None:
    note = alias(Note)
    rows = people.outer_join(note, note.writer.id == Person.id).join(note.reader).order_by(note.id)
    assert await rows.values(Person.id, note.id) == [(1, 2), (2, 3), (2, 4), (3, 5), (1, 7)]


async def test_hobbies_are_joined_through_their_link(session: AsyncSession) -> None:
    hobbies = session.query(Hobby).join(Hobby.people.each).group_by(Hobby.id)
    assert await hobbies.order_by(Hobby.id).values(Hobby.id, func.count(), func.max(Hobby.people.each.score)) == [
        (1, 2, 5),
        (2, 1, 5),
        (3, 3, 5),
        (4, 2, 2),
    ]
