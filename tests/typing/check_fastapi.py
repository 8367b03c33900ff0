"""FastAPI and pydantic: what dependencies and derived schemas are. Checked, never run; ignored lines must be errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, assert_type

from fastapi import Body, FastAPI
from pydantic import BaseModel

from cormorant import AsyncSession, ConnectionConfig, Database, Mapped, Model, Page, Session, field, generated
from cormorant.integrations.fastapi import (
    Create,
    DatabaseDep,
    Patch,
    Read,
    ReadSessionDep,
    SessionDep,
    SyncSessionDep,
    add_exception_handlers,
    get_database,
    lifespan,
)
from cormorant.integrations.pydantic import schema_for
from cormorant.sql.columns import Column
from tests.typing.shop import Card, Customer, Order

app = FastAPI(lifespan=lifespan("postgresql://app@localhost/app", ping=True))
add_exception_handlers(app, retry_after=5)
app.dependency_overrides[get_database] = lambda: Database("sqlite:///test.db")

FastAPI(lifespan=lifespan(Database("sqlite:///app.db")))
FastAPI(lifespan=lifespan(ConnectionConfig.from_env()))
FastAPI(lifespan=lifespan(lambda: Database("sqlite:///app.db")))
FastAPI(lifespan=lifespan(3))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


@app.post("/customers", status_code=201)
async def create(data: Create[Customer], session: SessionDep) -> Customer:
    assert_type(session, AsyncSession)
    customer = data.build()
    assert_type(customer, Customer)
    session.add(customer)
    await session.commit()
    return customer


@app.patch("/customers/{key}")
async def change(key: int, data: Patch[Customer], session: SessionDep, db: DatabaseDep) -> Customer:
    assert_type(db, Database)
    data.assign(Card)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    return data.assign(await session.get_one(Customer, key))


@app.get("/customers")
async def listed(session: ReadSessionDep, after: str | None = None) -> Page[Customer]:
    assert_type(session, AsyncSession)
    return await session.query(Customer).order_by(Customer.id).page(20, after=after)


@app.get("/customers/{key}", response_model=Read[Customer])
def read(key: int, session: SyncSessionDep) -> Customer:
    assert_type(session, Session)
    return session.get_one(Customer, key)


@app.post("/cards")
async def taken(card: Annotated[Card, Body()], session: SessionDep) -> Card:
    assert_type(card, Card)
    return card


if TYPE_CHECKING:
    OrderCreate = Create[Order]
else:
    OrderCreate = Order.schema("create", relations=[Order.customer])


@app.post("/orders")
async def order(data: OrderCreate, session: SessionDep) -> None:
    assert_type(data.build(), Order)


class Book(Model):
    """Has a column that is called like the method."""

    id: Mapped[int] = generated(primary_key=True)
    schema: Mapped[str] = field(default="")


def schemas(customer: Customer, book: Book) -> None:
    assert_type(Customer.schema("create"), type[BaseModel])
    assert_type(Order.schema("read", relations=[Order.customer, "lines"], exclude=[Order.id]), type[BaseModel])
    Customer.schema("update")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    customer.schema  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue,reportUnknownMemberType]
    assert_type(book.schema, str)
    # mypy takes what the metaclass has first; at run time, and to pyright, the column is found
    assert_type(Book.schema, Column[str])  # type: ignore[assert-type]
    assert_type(schema_for(Book, "create", exclude=["schema"]), type[BaseModel])
    found: dict[str, Any] = Patch[Customer]().model_dump()
    found.clear()
