"""A composite key is in the order in which its parts were declared, relations among them."""

from __future__ import annotations

from cormorant import AsyncSession, Database, Mapped, Model, One, field, foreign_key, generated


class Tenant(Model, table="key_order_tenant"):
    id: Mapped[int] = generated(primary_key=True)


class Customer(Model, table="key_order_customer"):
    tenant: One[Tenant] = foreign_key(primary_key=True)
    number: Mapped[int] = field(primary_key=True)
    name: Mapped[str]


async def test_a_relation_declared_first_is_first_in_the_key(database_dsn: str) -> None:
    async with Database(database_dsn) as database:
        await database.create_all(Tenant, Customer)
        async with AsyncSession(database) as session:
            one, two = Tenant(id=1), Tenant(id=2)
            session.add(Customer(tenant=one, number=2, name="right"), Customer(tenant=two, number=1, name="wrong"))
        async with AsyncSession(database) as session:
            found = await session.get_one(Customer, (1, 2))
            assert found.name == "right"
        assert 'PRIMARY KEY ("tenant_id", "number")' in database.create_sql(Tenant, Customer)[1]
