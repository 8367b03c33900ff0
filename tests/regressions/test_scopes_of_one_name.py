"""Of two default scopes of one name, one did not hold, and nothing said so: what it should have hidden was given."""

from __future__ import annotations

import pytest

from cormorant import AsyncSession, ConfigurationError, Database, Mapped, Model, Scope, Session, field, generated


class Invoice(Model, app="regressions_scopes"):
    id: Mapped[int] = generated(primary_key=True)
    org: Mapped[int] = field(default=1)


class Payment(Model, app="regressions_scopes"):
    id: Mapped[int] = generated(primary_key=True)
    org: Mapped[int] = field(default=1)


INVOICES = Scope(Invoice, lambda m: m.org == 1, name="tenant")
PAYMENTS = Scope(Payment, lambda m: m.org == 1, name="tenant")
EVERYTHING = Scope(Invoice, lambda m: m.org > 0, name="tenant")


def test_two_scopes_of_one_name_are_refused_where_they_are_given() -> None:
    for scopes in ([INVOICES, PAYMENTS], [INVOICES, EVERYTHING]):
        for given in (
            lambda scopes=scopes: AsyncSession("sqlite://", scopes=scopes),
            lambda scopes=scopes: Session("sqlite://", scopes=scopes),
            lambda scopes=scopes: Database("sqlite://", scopes=scopes),
        ):
            with pytest.raises(ConfigurationError, match="have one name") as caught:
                given()
            assert "a name of its own" in (caught.value.hint or "")


async def test_the_same_scope_twice_and_the_sessions_own_are_fine(database_dsn: str) -> None:
    async with Database(database_dsn, scopes=[INVOICES, INVOICES]) as database:
        await database.create_all(Invoice)
        async with AsyncSession(database) as session:
            session.add(Invoice(org=1), Invoice(org=2))
        async with AsyncSession(database) as session:
            assert await session.query(Invoice).count() == 1
        async with AsyncSession(database, scopes=[EVERYTHING]) as session:
            assert await session.query(Invoice).count() == 2
