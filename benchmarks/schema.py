"""The tables that every contestant reads and writes, and what they hold: said once, in SQL and in Python."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any, Literal, Self

Kind = Literal["sqlite", "postgresql"]
Values = dict[str, Any]

NUMBERS = tuple(f"number_{n}" for n in range(1, 9))
TEXTS = tuple(f"text_{n}" for n in range(1, 11))
RATIOS = tuple(f"ratio_{n}" for n in range(1, 5))
PRICES = tuple(f"price_{n}" for n in range(1, 4))
FLAGS = ("flag_1", "flag_2")

NARROW = ("id", "name", "age", "score")
WIDE = (*NARROW, *NUMBERS, *TEXTS, *RATIOS, *PRICES, *FLAGS, "data")
"""32 columns."""

NEW_AGE = 50
"""The age of rows that are inserted: no query asks for it."""

INSERTED = 10
"""The rows that one transaction of `insert_in_transaction` writes, one by one."""


@dataclass(frozen=True)
class Sizes:
    """How much there is.

    Args:
        objects: What a query for many gives.
        parents: How many have children, and articles have tags.
        children: The children of each parent.
        tags: The tags of each article.
        narrow: The least number of narrow rows, for what grows.
    """

    objects: int = 1_000
    parents: int = 100
    children: int = 10
    tags: int = 5
    narrow: int = 0

    @property
    def narrow_rows(self) -> int:
        """The rows of `narrow`; one in ten has the age that is asked for."""
        return max(self.narrow, 10 * self.objects)

    @property
    def wide_rows(self) -> int:
        """The rows of `wide`; every second one has the age that is asked for."""
        return 2 * self.objects

    @property
    def parent_rows(self) -> int:
        return max(self.parents, self.narrow // self.children)

    def to_dict(self) -> dict[str, int]:
        return asdict(self)

    @classmethod
    def tiny(cls) -> Self:
        """Enough to see that everything works."""
        return cls(objects=20, parents=5, children=3, tags=2)


# ---- as values


def narrow_row(n: int) -> Values:
    """Gives the narrow row with a key."""
    return {"id": n, "name": f"name {n}", "age": n % 10, "score": n * 0.5}


def wide_row(n: int) -> Values:
    """Gives the wide row with a key."""
    row: Values = {"id": n, "name": f"name {n}", "age": n % 2, "score": n * 0.5}
    row |= {name: n + at for at, name in enumerate(NUMBERS)}
    row |= {name: f"text {at} of {n}" for at, name in enumerate(TEXTS)}
    row |= {name: n / 4 + at for at, name in enumerate(RATIOS)}
    # quarters: whoever goes by floating point numbers still gets the same decimal
    row |= {name: Decimal(n).quantize(Decimal("0.01")) / 4 + at for at, name in enumerate(PRICES)}
    return row | {"flag_1": n % 2 == 0, "flag_2": n % 3 == 0, "data": {"n": n, "tags": ["a", "b"]}}


def new_row(columns: tuple[str, ...], n: int) -> Values:
    """Gives the values of a row that is to be inserted."""
    row = (narrow_row if columns == NARROW else wide_row)(n)
    del row["id"]
    return row | {"age": NEW_AGE}


# ---- in SQL


def declared(name: str, kind: Kind, decimal_type: str) -> str:
    """Gives the type of a wide or narrow column as the database declares it."""
    if name in PRICES:
        return "numeric(12, 2)" if kind == "postgresql" else decimal_type
    if name == "data":
        return "jsonb" if kind == "postgresql" else "JSON"
    if name == "name" or name in TEXTS:
        return "text"
    if name == "score" or name in RATIOS:
        return "double precision"
    return "boolean" if name in FLAGS else "integer"


def create(kind: Kind, decimal_type: str) -> Iterator[str]:
    """Gives the statements that make the tables."""
    key = "id bigserial PRIMARY KEY" if kind == "postgresql" else "id integer PRIMARY KEY"
    integer = "bigint" if kind == "postgresql" else "integer"
    for table, columns in (("narrow", NARROW), ("wide", WIDE)):
        rest = ", ".join(f"{name} {declared(name, kind, decimal_type)} NOT NULL" for name in columns[1:])
        yield f"CREATE TABLE {table} ({key}, {rest})"
    yield f"CREATE TABLE parent ({key}, name text NOT NULL)"
    yield (
        f"CREATE TABLE child ({key}, name text NOT NULL, value integer NOT NULL, "
        f"parent_id {integer} NOT NULL REFERENCES parent (id))"
    )
    yield f"CREATE TABLE article ({key}, title text NOT NULL)"
    yield f"CREATE TABLE tag ({key}, name text NOT NULL)"
    # the key of its own is for those who cannot do without
    yield (
        f"CREATE TABLE article_tags ({key}, article_id {integer} NOT NULL REFERENCES article (id), "
        f"tag_id {integer} NOT NULL REFERENCES tag (id))"
    )


def fill(kind: Kind, sizes: Sizes) -> Iterator[str]:
    """Gives the statements that make the rows and the indexes."""
    for table, columns, rows in (("narrow", NARROW, sizes.narrow_rows), ("wide", WIDE, sizes.wide_rows)):
        chosen = ", ".join(_seed(name, kind, 10 if table == "narrow" else 2) for name in columns)
        yield f"INSERT INTO {table} ({', '.join(columns)}) {_series(kind, chosen, rows)}"
        yield f"CREATE INDEX {table}_age ON {table} (age)"
    per = sizes.children
    parents = _series(kind, "'parent ' || n", sizes.parent_rows)
    yield f"INSERT INTO parent (name) {parents}"
    of_parent = f"'child ' || n, n % 7, (n - 1) / {per} + 1"
    yield f"INSERT INTO child (name, value, parent_id) {_series(kind, of_parent, sizes.parent_rows * per)}"
    yield "CREATE INDEX child_parent ON child (parent_id)"
    articles, tags = _series(kind, "'article ' || n", sizes.parents), _series(kind, "'tag ' || n", sizes.tags * 4)
    yield f"INSERT INTO article (title) {articles}"
    yield f"INSERT INTO tag (name) {tags}"
    link = f"(n - 1) / {sizes.tags} + 1, (n - 1) % {sizes.tags * 4} + 1"
    yield f"INSERT INTO article_tags (article_id, tag_id) {_series(kind, link, sizes.parents * sizes.tags)}"
    yield "CREATE UNIQUE INDEX article_tags_both ON article_tags (article_id, tag_id)"
    if kind == "postgresql":
        for table, rows in (("narrow", sizes.narrow_rows), ("wide", sizes.wide_rows)):
            yield f"SELECT setval('{table}_id_seq', {rows})"
    yield "ANALYZE"


def _series(kind: Kind, chosen: str, rows: int) -> str:
    if kind == "postgresql":
        return f"SELECT {chosen} FROM generate_series(1, {rows}) AS s(n)"
    series = f"WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {rows})"
    return f"{series} SELECT {chosen} FROM s"


def _seed(name: str, kind: Kind, ages: int) -> str:
    at = int(name.rpartition("_")[2]) - 1 if "_" in name else 0
    if name in PRICES:
        return f"n * 0.25 + {at}" if kind == "postgresql" else f"printf('%.2f', n * 0.25 + {at})"
    if name == "data":
        make = ("jsonb_build_object", "jsonb_build_array") if kind == "postgresql" else ("json_object", "json_array")
        return f"{make[0]}('n', n, 'tags', {make[1]}('a', 'b'))"
    if name in TEXTS:
        return f"'text {at} of ' || n"
    if name in RATIOS:
        return f"n / 4.0 + {at}"
    if name in NUMBERS:
        return f"n + {at}"
    return {
        "id": "n", "name": "'name ' || n", "age": f"n % {ages}", "score": "n * 0.5",
        "flag_1": "n % 2 = 0", "flag_2": "n % 3 = 0",
    }[name]  # fmt: skip
