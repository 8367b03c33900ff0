"""Objects into JSON: 1,000 of eight columns, against a pydantic BaseModel of the same columns."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from pydantic import BaseModel, TypeAdapter

from benchmarks.questions.measure import Comparison, alternately
from cormorant import Mapped, Model, field, generated
from cormorant.hydration.hydrator import compile_loader
from cormorant.hydration.shapes import EntityPart, RowShape
from cormorant.models.state import Origin
from cormorant.persistence.identity_map import IdentityMap

OBJECTS = 1_000


class Member(Model, table="bench_member"):
    """Columns of the usual kinds."""

    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str]
    email: Mapped[str | None] = field(default=None)
    age: Mapped[int] = field(default=0)
    score: Mapped[float] = field(default=0.0)
    balance: Mapped[Decimal] = field(default=Decimal(0))
    joined: Mapped[datetime]
    active: Mapped[bool] = field(default=True)


class PlainMember(BaseModel):
    """The same by hand."""

    id: int
    name: str
    email: str | None
    age: int
    score: float
    balance: Decimal
    joined: datetime
    active: bool


class NoSession:
    """Owns the objects of a measurement."""

    closed = False


def rows() -> list[tuple[Any, ...]]:
    """Gives the values of every object."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    return [
        (i, f"name {i}", f"{i}@example.org", i % 90, i * 0.5, Decimal(i) / 4, start + timedelta(hours=i), i % 3 == 0)
        for i in range(OBJECTS)
    ]


def serialise(*, response: bool) -> Comparison:
    """Compares the time of an object.

    Args:
        response: Check the objects first, as FastAPI does with what a handler returns.
    """
    owner: Any = NoSession()
    load = compile_loader(RowShape((EntityPart(Member.__info__, 0),), "entities", 8), lambda type_: None)
    members = load(rows(), IdentityMap().of, Origin(owner, 1))
    plain = [PlainMember(**dict(zip(PlainMember.model_fields, row, strict=True))) for row in rows()]
    by_hand, ours = TypeAdapter(list[PlainMember]), TypeAdapter(list[Member])
    if ours.dump_json(members) != by_hand.dump_json(plain):
        raise AssertionError("both must give the same text")

    def work(adapter: TypeAdapter[Any], objects: list[Any]) -> bytes:
        checked = adapter.validate_python(objects, from_attributes=True) if response else objects
        return adapter.dump_json(checked)

    baseline, mine = alternately(
        lambda: work(by_hand, plain), lambda: work(ours, members), rounds=101, scale=1e9 / OBJECTS
    )
    name, limit = ("check and serialise", 1.75) if response else ("serialise", 1.5)
    return Comparison(f"{name} 1,000 objects", "ns per object", baseline, mine, limit)
