from __future__ import annotations

from cormorant import AsyncSession, Database, SQLiteAdapter


def test_each_database_has_its_number() -> None:
    one, other = Database("sqlite://"), Database("sqlite://")
    assert one.number != other.number
    assert one.number == one.beside().number


def test_a_session_of_an_adapter_has_one_database() -> None:
    session = AsyncSession(SQLiteAdapter("sqlite://"))
    assert session.database is session.database
