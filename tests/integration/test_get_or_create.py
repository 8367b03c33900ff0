"""One row found or made, whoever else does so at the same moment; and rows that come from another query."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from cormorant import (
    AsyncSession,
    Database,
    KeyConflictError,
    Mapped,
    Model,
    MultipleResultsError,
    NotNullViolation,
    QueryError,
    UniqueViolation,
    UnknownName,
    ValidationError,
    WrongType,
    field,
    func,
    generated,
)
from tests.support.newsroom import Folder, Grade, Label, Story, Ticket, Writer, make_writer, rolled_back, sent, words


class Price(Model, app="getting"):
    id: Mapped[int] = generated(primary_key=True)
    amount: Mapped[Decimal] = field(precision=10, decimal_places=2)
    kind: Mapped[str] = field(default="plain")


class Exact(Model, app="getting"):
    id: Mapped[int] = generated(primary_key=True)
    amount: Mapped[Decimal]


# ------------------------------------------------------------------ get_or_create


async def test_an_object_is_made_once(database: Database) -> None:
    async with AsyncSession(database) as session:
        ada, made = await session.query(Writer).get_or_create(email="a@b.c", defaults={"name": "Ada", "age": 3})
        assert (made, ada.name, ada.age) == (True, "Ada", 3)
        assert ada.id
        again = await session.query(Writer).get_or_create(email="a@b.c", defaults={"name": "other"})
        assert again == (ada, False)
        assert ada.name == "Ada"
    async with AsyncSession(database) as session:
        found, made = await session.query(Writer).get_or_create(email="a@b.c")
        assert (found.name, made) == ("Ada", False)
        assert sent(session) == 1


async def test_an_object_that_is_known_or_pending_is_found(database: Database) -> None:
    async with AsyncSession(database) as session:
        session.add(label := Label(name="new"))
        assert await session.query(Label).get_or_create(name="new") == (label, False)
        label.name = "renamed"
        assert await session.query(Label).get_or_create(name="renamed") == (label, False)
        other, made = await session.query(Label).get_or_create(name="new")
        assert made
        assert other is not label


async def test_relations_keys_and_none(database: Database) -> None:
    async with AsyncSession(database) as session:
        ada = await session.create(Writer, name="Ada")
        story, made = await session.query(Story).get_or_create(writer=ada, title="x")
        assert (made, story.writer) == (True, ada)
        assert await session.query(Story).get_or_create(title="x", writer=ada) == (story, False)
        assert await session.query(Story).get_or_create(title="x", editor=None) == (story, False)
        root, made = await session.query(Folder).get_or_create(name="root", parent=None)
        assert made
        assert await session.query(Folder).get_or_create(name="root", parent=None) == (root, False)
        grade, made = await session.query(Grade).get_or_create(pupil=1, course="x", defaults={"points": 5})
        assert (made, grade.points) == (True, 5)


async def test_the_query_narrows_what_is_found(database: Database) -> None:
    async with AsyncSession(database) as session:
        await session.query(Writer).bulk_create([{"name": "Ada", "age": 1}, {"name": "Ada", "age": 2}])
        ada, made = await session.query(Writer).filter(Writer.age > 1).get_or_create(name="Ada")
        assert (ada.age, made) == (2, False)
        with pytest.raises(MultipleResultsError, match="more than one Writer has these values: name"):
            await session.query(Writer).get_or_create(name="Ada")


@pytest.mark.parametrize(
    ("values", "error", "message"),
    [
        ({}, QueryError, r"nothing tells which Writer is meant"),
        ({"emial": "x"}, UnknownName, r"emial=: Writer has no column or relation 'emial'\nHint: did you mean 'email'"),
        ({"email": "x", "defaults": {"nmae": "y"}}, UnknownName, r"nmae=: .*\nHint: did you mean 'name'"),
        ({"email__startswith": "x"}, UnknownName, r"email__startswith=: Writer has no column"),
        ({"stories": []}, UnknownName, r"stories=: Writer has no column|stories=: "),
        ({"email": "x", "defaults": [("name", "y")]}, WrongType, r"defaults=\[.*\] is no mapping"),
        ({"email": 3}, WrongType, r"email=.*3 \(int\) is not a str"),
        ({"email": "a\0b", "defaults": {"name": "x"}}, WrongType, "NUL"),
    ],
)
async def test_names_and_values_are_checked(
    database: Database, values: dict[str, Any], error: type[Exception], message: str
) -> None:
    async with AsyncSession(database) as session:
        for call in (session.query(Writer).get_or_create, session.query(Writer).update_or_create):
            with pytest.raises(error, match=message):
                await call(**values)
        assert sent(session) == 0


async def test_a_wrong_default_leaves_nothing_behind(database: Database) -> None:
    async with AsyncSession(database) as session:
        with pytest.raises(ValidationError):
            await session.query(Writer).get_or_create(email="x", defaults={"name": 3})
        assert not session.new
        await session.create(Label, name="a")
        with pytest.raises(UniqueViolation):
            await session.query(Label).filter(Label.id > 100).get_or_create(name="a")
        # the savepoint is gone, and the session goes on
        assert await session.query(Label).count() == 1
        assert not session.new


async def test_another_unique_column_that_is_taken_is_an_error(database: Database) -> None:
    async with AsyncSession(database) as session:
        first = await session.create(Ticket, seat="1")
        with pytest.raises(KeyConflictError):
            await session.query(Ticket).get_or_create(seat="2", defaults={"id": first.id})
        session.expunge(first)
        # now only the database knows
        with pytest.raises(UniqueViolation):
            await session.query(Ticket).get_or_create(seat="2", defaults={"id": first.id})
        assert await session.query(Ticket).count() == 1
        ticket, made = await session.query(Ticket).get_or_create(seat="2")
        assert made
        assert ticket.id != first.id


async def test_a_savepoint_inside_of_a_transaction(database: Database) -> None:
    async with AsyncSession(database) as session, session.transaction():
        label, made = await session.query(Label).get_or_create(name="a")
        assert made
        async with rolled_back(session.transaction()):
            _, made = await session.query(Label).get_or_create(name="b")
            assert made
        assert await session.query(Label).get_or_create(name="a") == (label, False)
        _, made = await session.query(Label).get_or_create(name="b")
        assert made


async def test_somebody_else_makes_it_at_the_same_moment(database: Database) -> None:
    async def get(n: int) -> tuple[int, bool]:
        async with AsyncSession(database) as session:
            await session.query(Folder).get_or_create(name=f"own {n}")
            label, made = await session.query(Label).get_or_create(name="one")
            return label.id, made

    for _ in range(3):
        found = await asyncio.gather(*(get(n) for n in range(5)))
        assert len({key for key, _ in found}) == 1
        assert sum(made for _, made in found) == 1
        async with AsyncSession(database) as session:
            await session.query(Label).delete()


async def test_it_is_found_after_a_violation(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two look, both find nothing, both insert."""
    async with AsyncSession(database) as session:
        try_insert = session.writer.try_insert
        taken: list[Any] = []

        async def too_late(instance: Any) -> Any:
            async with AsyncSession(database) as other:
                await other.create(Label, name="one")
            taken.append(await try_insert(instance))
            return taken[0]

        monkeypatch.setattr(session.writer, "try_insert", too_late)
        label, made = await session.query(Label).get_or_create(name="one")
        assert (label.name, made) == ("one", False)
        assert isinstance(taken[0], UniqueViolation)
        assert list(session.identity_map) == [label]
        assert not session.new
    async with AsyncSession(database) as session:
        assert await session.query(Label).count() == 1


async def test_a_violation_inside_of_a_transaction(database: Database) -> None:
    async with AsyncSession(database) as session, session.transaction():
        label = await session.create(Label, name="one")
        taken = await session.writer.try_insert(Label(name="one"))
        assert isinstance(taken, UniqueViolation)
        # the transaction goes on
        assert await session.query(Label).get_or_create(name="one") == (label, False)


async def test_tasks_of_one_session(database: Database) -> None:
    async with AsyncSession(database) as session:
        found = await asyncio.gather(*(session.query(Label).get_or_create(name="one") for _ in range(5)))
        assert len({id(label) for label, _ in found}) == 1
        assert sum(made for _, made in found) == 1
    async with AsyncSession(database) as session:
        assert await session.query(Label).count() == 1


async def test_in_autocommit_mode(database: Database) -> None:
    async with AsyncSession(database, autocommit=True) as session:
        label, made = await session.query(Label).get_or_create(name="a")
        assert made
        assert not session.in_transaction
        assert await session.query(Label).get_or_create(name="a") == (label, False)
        async with AsyncSession(database) as other:
            assert await other.query(Label).count() == 1


# ------------------------------------------------------------------ update_or_create


async def test_an_object_is_changed_or_made(database: Database) -> None:
    async with AsyncSession(database) as session:
        writers = session.query(Writer)
        ada, made = await writers.update_or_create(email="a@b.c", defaults={"name": "Ada"})
        assert (made, ada.name) == (True, "Ada")
        assert await writers.update_or_create(email="a@b.c", defaults={"name": "Eve", "age": 5}) == (ada, False)
        assert (ada.name, ada.age) == ("Eve", 5)
        assert not session.dirty
        assert await writers.update_or_create(email="a@b.c") == (ada, False)
        assert words(session)["UPDATE"] == 1
    async with AsyncSession(database) as session:
        assert await session.query(Writer).values(Writer.name, Writer.age) == [("Eve", 5)]


async def test_whoever_is_second_changes(database: Database) -> None:
    async def put(n: int) -> bool:
        async with AsyncSession(database) as session:
            _, made = await session.query(Writer).update_or_create(email="x", defaults={"name": f"{n}"})
            return made

    assert sorted(await asyncio.gather(*(put(n) for n in range(4)))) == [False, False, False, True]
    async with AsyncSession(database) as session:
        assert await session.query(Writer).count() == 1


# ------------------------------------------------------------------ insert_from


async def test_rows_of_another_query_are_inserted(database: Database) -> None:
    for n in range(3):
        await make_writer(database, name=f"w{n}", age=n)
    async with AsyncSession(database) as session:
        labels, writers = session.query(Label), session.query(Writer)
        assert await labels.insert_from([Label.name], writers.filter(Writer.age > 0).values(Writer.name)) == 2
        assert words(session) == {"BEGIN": 1, "INSERT": 1}
        assert await labels.order_by(Label.name).scalars(Label.name) == ["w1", "w2"]
        grouped = writers.values(Writer.age, func.min(Writer.name)).group_by(Writer.age).order_by(Writer.age).limit(2)
        assert await session.query(Grade).insert_from([Grade.pupil, Grade.course], grouped) == 2
        both = writers.scalars(Writer.name + "!").union(labels.scalars(Label.name + "?"))
        assert await labels.insert_from([Label.name], both) == 5
        assert (
            await session.query(Folder).insert_from(
                [Folder.name, Folder.parent], session.query(Folder).values(Folder.name, Folder.id)
            )
            == 0
        )


async def test_values_that_stand_in_several_places_of_what_is_inserted(database: Database) -> None:
    for age in (5, 7, 7):
        await make_writer(database, name=f"w{age}", age=age)
    async with AsyncSession(database) as session:
        labels, writers = session.query(Label), session.query(Writer)
        named = labels.order_by(Label.name).scalars(Label.name)
        for mark in ("!", "?"):
            loud = Writer.name + mark
            assert await labels.insert_from([Label.name], writers.values(loud).group_by(Writer.name + mark)) == 2
        distinct = writers.distinct().values(Writer.name + ".").order_by(Writer.name + ".")
        assert await labels.insert_from([Label.name], distinct) == 2
        assert await named == ["w5!", "w5.", "w5?", "w7!", "w7.", "w7?"]
        await labels.delete()
        # what is ordered by is what the union shows: its value is sent once
        shown = writers.values(Writer.name + "a").union(writers.values(Writer.name + "b"))
        assert await labels.insert_from([Label.name], shown.order_by((Writer.name + "a").desc()).limit(3)) == 3
        assert await named == ["w5b", "w7a", "w7b"]


async def test_pending_objects_are_among_the_rows(database: Database) -> None:
    async with AsyncSession(database) as session:
        session.add(Writer(name="Ada"))
        assert await session.query(Label).insert_from([Label.name], session.query(Writer).scalars(Writer.name)) == 1


async def test_values_fit_their_columns(database: Database) -> None:
    await database.create_all(Price, Exact)
    async with AsyncSession(database) as session:
        values = [Decimal("1.005"), Decimal("2"), Decimal("-3.14159")]
        await session.query(Exact).bulk_create([{"amount": value} for value in values])
        exact = session.query(Exact)
        assert await session.query(Price).insert_from([Price.amount], exact.scalars(Exact.amount)) == 3
        await session.query(Price).insert_from([Price.id, Price.amount], exact.values(Exact.id + 100, Exact.id))
        rows = await session.query(Price).order_by(Price.id).values(Price.amount, Price.kind)
        assert rows[:3] == [(Decimal("1.01"), "plain"), (Decimal("2.00"), "plain"), (Decimal("-3.14"), "plain")]
        assert [str(amount) for amount, _ in rows[3:]] == ["1.00", "2.00", "3.00"]
        assert await session.query(Price).filter(Price.amount == Decimal("1.01")).count() == 1


async def test_what_the_database_refuses(database: Database) -> None:
    async with AsyncSession(database) as session:
        await session.create(Writer, name="Ada")
        with pytest.raises(NotNullViolation):
            async with session.transaction():
                await session.query(Label).insert_from([Label.name], session.query(Writer).scalars(Writer.email))  # type: ignore[arg-type]
        with pytest.raises(QueryError, match=r"leaves Story\.title out, which has no default"):
            await session.query(Story).insert_from([Story.id], session.query(Writer).scalars(Writer.id))
        assert await session.query(Label).count() == 0
