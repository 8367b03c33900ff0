"""Messages that were right about what happened and wrong about what to do."""

from __future__ import annotations

import pytest

from cormorant import (
    AsyncSession,
    Database,
    DataError,
    ForeignInstanceError,
    Mapped,
    Model,
    One,
    QueryError,
    UnknownName,
    ValidationError,
    WrongType,
    field,
    foreign_key,
    func,
    generated,
    ref,
)


class Link(Model, app="regressions_hints"):
    a: Mapped[int] = field(primary_key=True)
    b: Mapped[int] = field(primary_key=True)


class Label(Model, app="regressions_hints"):
    id: Mapped[int] = generated(primary_key=True)
    text: Mapped[str]
    link_a: Mapped[int | None] = field(default=None)
    link_b: Mapped[int | None] = field(default=None)
    link: One[Link | None] = foreign_key(init=False, columns=("link_a", "link_b"))


class Card(Model, app="regressions_hints"):
    id: Mapped[int] = generated(primary_key=True)
    number: Mapped[str]
    label: One[Label] = foreign_key(unique=True)


async def test_upsert_of_rows_that_name_a_relation_or_a_slip(database_dsn: str) -> None:
    async with Database(database_dsn) as database:
        await database.create_all(Link, Label, Card)
        async with AsyncSession(database) as session:
            cards = session.query(Card)
            with pytest.raises(UnknownName, match="row 1 has the relation 'label'") as caught:
                await cards.upsert([{"number": "x", "label": ref(Label, 1)}], on=[Card.label])
            assert caught.value.hint == "give the key: 'label_id'"
            with pytest.raises(UnknownName, match="'lable_id'"):
                await cards.upsert([{"number": "x", "lable_id": 1}], on=[Card.label])
            with pytest.raises(ValidationError, match=r"Card\.label_id: has no value, and on= tells rows apart"):
                await cards.upsert([{"number": "x"}], on=[Card.label])


async def test_groups_by_a_relation_of_several_columns(database_dsn: str) -> None:
    async with Database(database_dsn) as database:
        await database.create_all(Link, Label)
        async with AsyncSession(database) as session:
            with pytest.raises(WrongType) as caught:
                session.query(Label).group_by(Label.link).values(func.count())
            assert "name the columns of the key" in (caught.value.hint or "")
            columns = (Label.link.a, Label.link.b)
            assert await session.query(Label).values(*columns, func.count()).group_by(*columns) == []


async def test_a_parameter_whose_type_postgresql_cannot_tell(postgres_database: str) -> None:
    async with Database(postgres_database) as database, AsyncSession(database) as session:
        with pytest.raises(DataError) as caught:
            await session.execute("select :n", {"n": 1})
        assert "cast(:name as integer)" in (caught.value.hint or "")
        assert await session.execute("select cast(:n as integer)", {"n": 1}) == [(1,)]


async def test_a_bulk_write_of_objects_that_were_added_already(database_dsn: str) -> None:
    async with Database(database_dsn) as database:
        await database.create_all(Link, Label)
        async with AsyncSession(database) as session:
            label = Label(text="mine")
            session.add(label)
            with pytest.raises(ForeignInstanceError, match="was added to a session and waits for its flush") as caught:
                await session.query(Label).bulk_create([label])
            assert "session.expunge(obj)" in (caught.value.hint or "")
            with pytest.raises(ForeignInstanceError, match="was added to a session and waits for its flush"):
                await session.query(Label).upsert([label], on=[Label.id])
            session.expunge(label)
            await session.query(Label).bulk_create([label])
            assert await session.query(Label).count() == 1


async def test_windows_inside_of_windows(database_dsn: str) -> None:
    place = func.row_number().over(order_by=[Label.id])
    async with Database(database_dsn) as database, AsyncSession(database) as session:
        await database.create_all(Link, Label)
        labels = session.query(Label)
        for nested in (
            func.sum(place).over(),
            func.count().over(partition_by=[place]),
            func.rank().over(order_by=[place]),
        ):
            with pytest.raises(QueryError, match=r"cannot stand in it\nHint: compute it in a subquery"):
                await labels.scalars(nested)
        assert await labels.group_by(Label.text).scalars(func.sum(func.count()).over(order_by=[Label.text])) == []
        inner = labels.values(Label.id, place.label("place")).subquery("inner")
        total = func.sum(inner[place.label("place")]).over()
        assert await labels.join(inner, inner[Label.id] == Label.id).scalars(total) == []
