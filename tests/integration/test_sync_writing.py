"""S19: sync sessions write in bulk; rows and callbacks come from the calling thread, batch by batch."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from cormorant import CompileError, Database, QueryError, Session, UniqueViolation, ValidationError, WrongType, excluded
from tests.support.newsroom import Folder, Label, Ticket, Writer


@pytest.fixture
def session(database: Database) -> Iterator[Session]:
    with Session(database) as session:
        yield session


def test_update_and_delete(session: Session) -> None:
    session.query(Writer).bulk_create([{"name": name} for name in ("Ada", "Bob", "Eve")])
    ada = session.query(Writer).get(name="Ada")
    writers = session.query(Writer).filter(Writer.name != "Eve")
    assert writers.update(Writer.age.set(3)) == 2
    assert ada.age == 3
    assert sorted(writers.update(Writer.age.set(Writer.age + 1), returning=(Writer.name, Writer.age))) == [
        ("Ada", 4),
        ("Bob", 4),
    ]
    assert writers.filter(Writer.name == "Ada").update(Writer.age.set(9), returning=Writer) == [ada]
    assert writers.delete(returning=Writer.name)[:0] == []
    assert session.query(Writer).delete() == 1
    with pytest.raises(QueryError, match="update\\(\\) has nothing to set"):
        writers.update()


def test_bulk_create(session: Session) -> None:
    labels = [Label(name=f"{n}") for n in range(5)]
    assert session.query(Label).bulk_create(labels, batch=2) == labels
    assert labels[4].id
    assert session.query(Label).bulk_create([{"name": "x"}]) == 1
    assert session.query(Label).bulk_create([{"name": "y"}], returning=Label.name) == ["y"]
    assert session.query(Label).count() == 7


def test_upsert(session: Session) -> None:
    tickets = session.query(Ticket)
    assert tickets.upsert([{"seat": "1", "price": 1}, {"seat": "2", "price": 2}], on=[Ticket.seat]) == 2
    price = Ticket.price.set(Ticket.price + excluded(Ticket.price))
    (one, three) = tickets.upsert(
        [Ticket(seat="1", price=10), Ticket(seat="3", price=3)], on=[Ticket.seat], set=[price]
    )
    assert (one.price, three.price) == (11, 3)
    rows = [{"seat": "4", "price": n} for n in range(5)]
    assert tickets.upsert(iter(rows), on=[Ticket.seat], dedupe="last", batch=2) == 1
    assert tickets.upsert(iter(rows), on=[Ticket.seat], dedupe="first", set=[], returning=Ticket) == []
    assert tickets.filter(seat="4").scalars(Ticket.price).one() == 4
    assert tickets.upsert([], on=[Ticket.seat]) == 0


def test_rows_and_callbacks_run_in_the_calling_thread(session: Session) -> None:
    threads: set[int] = set()
    seen: list[Any] = []

    def rows() -> Iterator[dict[str, Any]]:
        for n in range(5):
            threads.add(threading.get_ident())
            seen.append(f"row {n}")
            # the session may be used between two rows
            assert session.query(Folder).count() == n - n % 2
            yield {"name": f"{n}"}

    def on_batch(done: int) -> None:
        threads.add(threading.get_ident())
        seen.append(done)

    assert session.query(Folder).bulk_create(rows(), batch=2, on_batch=on_batch) == 5
    assert seen == ["row 0", "row 1", 2, "row 2", "row 3", 4, "row 4", 5]
    assert threads == {threading.get_ident()}
    seen.clear()
    session.query(Label).upsert([{"name": "a"}, {"name": "a"}], on=[Label.name], dedupe="last", on_batch=on_batch)
    assert seen == [2]


def test_all_rows_or_none(session: Session) -> None:
    session.create(Label, name="kept")

    def rows() -> Iterator[dict[str, Any]]:
        yield {"name": "a"}
        yield {"name": "b"}
        raise LookupError("no more")

    with pytest.raises(LookupError):
        session.query(Label).bulk_create(rows(), batch=1)
    with pytest.raises(UniqueViolation):
        session.query(Label).bulk_create([{"name": "a"}, {"name": "kept"}], batch=1)
    with pytest.raises(ValidationError, match=r"row 2: Label\.name"):
        session.query(Label).bulk_create([{"name": "a"}, {"name": 3}], batch=1)
    assert session.query(Label).scalars(Label.name).all() == ["kept"]
    session.commit()


def test_rows_may_be_written_while_rows_are_made(session: Session) -> None:
    def rows() -> Iterator[dict[str, Any]]:
        for n in range(4):
            session.query(Label).bulk_create([{"name": f"{n}"}])
            yield {"name": f"{n}"}

    assert session.query(Folder).bulk_create(rows(), batch=1) == 4
    assert (session.query(Folder).count(), session.query(Label).count()) == (4, 4)


def test_rows_that_have_to_be_waited_for_are_refused(session: Session) -> None:
    async def rows() -> Any:
        yield {"name": "a"}

    made: Any = rows()
    with pytest.raises(WrongType, match="an async iterable is given to a sync session"):
        session.query(Label).bulk_create(made)


def test_get_and_update_or_create(session: Session) -> None:
    label, made = session.query(Label).get_or_create(name="a")
    assert made
    assert session.query(Label).get_or_create(name="a") == (label, False)
    writer, made = session.query(Writer).update_or_create(email="x", defaults={"name": "Ada"})
    assert (made, writer.name) == (True, "Ada")
    assert session.query(Writer).update_or_create(email="x", defaults={"name": "Eve"}) == (writer, False)
    assert writer.name == "Eve"


def test_insert_from(session: Session) -> None:
    session.query(Writer).bulk_create([{"name": "Ada"}, {"name": "Eve"}])
    rows = session.query(Writer).filter(Writer.name > "B").scalars(Writer.name)
    assert session.query(Label).insert_from([Label.name], rows) == 1
    assert session.query(Label).scalars(Label.name).all() == ["Eve"]


def test_deletes_in_with(session: Session, database: Database) -> None:
    session.query(Writer).bulk_create([{"name": name} for name in ("Ada", "Bob")])
    gone = session.query(Writer).filter(Writer.name == "Bob").delete_cte("gone", returning=Writer.name)
    if database.dialect.name == "sqlite":
        with pytest.raises(CompileError, match="SQLite has no statements that write in WITH"):
            session.query(Label).insert_from([Label.name], gone)
        return
    assert session.query(Label).insert_from([Label.name], gone) == 1
    assert session.query(Writer).scalars(Writer.name).all() == ["Ada"]
