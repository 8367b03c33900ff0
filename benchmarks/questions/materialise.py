"""Rows into objects: 100,000 rows of four columns, against plain objects with __slots__ built from the same rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.questions.measure import Comparison, alternately
from cormorant import Database, Mapped, Model, field, generated
from cormorant.hydration.hydrator import compile_loader
from cormorant.hydration.shapes import EntityPart, RowShape
from cormorant.models.state import Origin
from cormorant.persistence.identity_map import IdentityMap

ROWS = 100_000


class Narrow(Model, table="bench_narrow"):
    """Four columns of types that both drivers give as they are."""

    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str]
    age: Mapped[int]
    score: Mapped[float] = field(default=0.0)


@dataclass(slots=True)
class Plain:
    """The same by hand."""

    id: int
    name: str
    age: int
    score: float


class NoSession:
    """Owns the objects of a measurement."""

    closed = False


async def driver_rows(database: Database) -> Sequence[Any]:
    """Gives the rows as the driver gives them."""
    series = {
        "postgresql": "SELECT g, 'name ' || g, (g % 90)::int, g * 0.5::float8 FROM generate_series(1, $1::int) AS g",
        "sqlite": "WITH RECURSIVE s(g) AS (SELECT 1 UNION ALL SELECT g + 1 FROM s WHERE g < ?1) "
        "SELECT g, 'name ' || g, g % 90, g * 0.5 FROM s",
    }
    connection = await database.adapter.acquire()
    try:
        return await connection.fetch(series[database.dialect.name], [ROWS])
    finally:
        database.adapter.release(connection)


async def materialise(database: Database) -> Comparison:
    """Compares the time of a row."""
    rows = await driver_rows(database)
    info = Narrow.__info__
    load = compile_loader(RowShape((EntityPart(info, 0),), "entities", 4), database.dialect.decoder)
    owner: Any = NoSession()

    def by_hand() -> list[Plain]:
        return [Plain(*row) for row in rows]

    def ours() -> list[Any]:
        return load(rows, IdentityMap().of, Origin(owner, 1))

    baseline, mine = alternately(by_hand, ours, rounds=9, scale=1e9 / ROWS)
    return Comparison(f"materialise, {database.dialect.name}", "ns per row", baseline, mine, 1.6)


def attribute_read() -> Comparison:
    """Compares reading a column of a loaded object with reading a slot."""
    info = Narrow.__info__
    decoder = lambda type_: None  # noqa: E731
    load = compile_loader(RowShape((EntityPart(info, 0),), "entities", 4), decoder)
    owner: Any = NoSession()
    loaded = load([(1, "name", 3, 0.5)], IdentityMap().of, Origin(owner, 1))[0]
    plain = Plain(1, "name", 3, 0.5)
    count = 200_000

    def read(item: Any) -> None:
        for _ in range(count):
            item.name  # noqa: B018
            item.name  # noqa: B018
            item.name  # noqa: B018
            item.name  # noqa: B018
            item.name  # noqa: B018

    def read_loaded(item: Any) -> None:
        for _ in range(count):
            item.name  # noqa: B018
            item.name  # noqa: B018
            item.name  # noqa: B018
            item.name  # noqa: B018
            item.name  # noqa: B018

    baseline, mine = alternately(lambda: read(plain), lambda: read_loaded(loaded), rounds=15, scale=1e9 / (5 * count))
    return Comparison("attribute read", "ns per read", baseline, mine, 2.0)
