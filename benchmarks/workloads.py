"""What is asked of everybody, and what must have happened afterwards."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from benchmarks.contestants.base import Contestant
from benchmarks.drivers import PostgresDriver, SQLiteDriver
from benchmarks.schema import INSERTED, NARROW, NEW_AGE, PRICES, WIDE, Sizes, Values, narrow_row, new_row, wide_row

Driver = PostgresDriver | SQLiteDriver

NARROW_AGE, WIDE_AGE = 3, 1
"""Whom a query asks for, in each table."""


class WrongResult(AssertionError):
    """A contestant gave, or wrote, something else than all others."""


@dataclass(frozen=True)
class Asked:
    """Where and of how much something is asked.

    Args:
        driver: A connection beside the contestant's, for what is prepared and looked at.
    """

    contestant: Contestant
    driver: Driver
    sizes: Sizes

    def model(self, columns: tuple[str, ...]) -> Any:
        return self.contestant.Narrow if columns == NARROW else self.contestant.Wide


Arguments = Callable[[Asked, int], tuple[Any, ...]]
Check = Callable[[Asked, Any], Awaitable[None]]


@dataclass(frozen=True)
class Workload:
    """One thing that is asked.

    Args:
        name: What `--only` calls it.
        title: What tables call it.
        method: The method of contestants.
        arguments: Gives what the method gets at its n-th call.
        check: Looks at the result of the first call, and at the database.
        tasks: How many tasks ask at the same time.
        writes: The tables that change.
        stage: Makes rows for as many calls, and gives what each gets, in place of `arguments`.
        most: The most calls in a row before the tables are made as they were.
        least: The fewest calls in a row: what is prepared for them must not be felt.
    """

    name: str
    title: str
    method: str
    arguments: Arguments
    check: Check
    tasks: tuple[int, ...] = (1,)
    writes: tuple[str, ...] = ()
    stage: Callable[[Asked, int], Awaitable[list[tuple[Any, ...]]]] | None = None
    most: int = 250
    least: int = 1


def must(condition: object, what: str) -> None:
    """Raises WrongResult unless something holds."""
    if not condition:
        raise WrongResult(what)


# ---- arguments: the n-th call gets other keys and values than the one before it


def key(columns: tuple[str, ...]) -> Arguments:
    def arguments(asked: Asked, n: int) -> tuple[Any, ...]:
        rows = asked.sizes.narrow_rows if columns == NARROW else asked.sizes.wide_rows
        return asked.model(columns), n * 7 % rows + 1

    return arguments


def age(columns: tuple[str, ...]) -> Arguments:
    return lambda asked, n: (asked.model(columns), NARROW_AGE if columns == NARROW else WIDE_AGE)


def new(columns: tuple[str, ...]) -> Arguments:
    return lambda asked, n: (asked.model(columns), new_row(columns, n + 1))


def many_new(columns: tuple[str, ...]) -> Arguments:
    return lambda asked, n: (asked.model(columns), [new_row(columns, k + 1) for k in range(asked.sizes.objects)])


def changed(columns: tuple[str, ...]) -> Arguments:
    def arguments(asked: Asked, n: int) -> tuple[Any, ...]:
        model, number = key(columns)(asked, n)
        # the age stays: queries ask for it
        row = (narrow_row if columns == NARROW else wide_row)(number + 1_000_000 + n)
        old = (narrow_row if columns == NARROW else wide_row)(number)
        del row["id"]
        return model, (number, row | {"age": old["age"]})

    return arguments


# ---- checks


def same_rows(asked: Asked, columns: tuple[str, ...], found: Any, keys: range) -> None:
    """Compares objects with the rows of these keys."""
    contestant, make = asked.contestant, narrow_row if columns == NARROW else wide_row
    rows = contestant.each(found)
    must(len(rows) == len(keys), f"{len(rows)} objects instead of {len(keys)}")
    for row, number in zip(rows, keys, strict=True):
        expected = make(number)
        got = {name: contestant.value(row, name) for name in columns}
        must(got == expected, f"{got} instead of {expected}")


def keys_of_age(asked: Asked, columns: tuple[str, ...]) -> range:
    if columns == NARROW:
        return range(NARROW_AGE, asked.sizes.narrow_rows + 1, 10)
    return range(WIDE_AGE, asked.sizes.wide_rows + 1, 2)


def as_value(name: str, value: Any) -> Any:
    """Gives a column as the driver beside the contestants reads it, in whatever way it was written."""
    if name in PRICES:
        return Decimal(str(value))
    return json.loads(value) if isinstance(value, str) and name == "data" else value


def same_written(columns: tuple[str, ...], written: Any, expected: Values) -> None:
    """Compares a row of the database with its values, without the key."""
    got = {name: as_value(name, value) for name, value in zip(columns[1:], written, strict=True)}
    must(got == {name: expected[name] for name in columns[1:]}, f"{got} written instead of {expected}")


def got_one(columns: tuple[str, ...]) -> Check:
    async def check(asked: Asked, found: Any) -> None:
        number = key(columns)(asked, 0)[1]
        expected = (narrow_row if columns == NARROW else wide_row)(number)
        got = {name: asked.contestant.value(found, name) for name in columns}
        must(got == expected, f"{got} instead of {expected}")

    return check


def got_age(columns: tuple[str, ...]) -> Check:
    async def check(asked: Asked, found: Any) -> None:
        same_rows(asked, columns, found, keys_of_age(asked, columns))

    return check


def got_plain(columns: tuple[str, ...], kind: type) -> Check:
    async def check(asked: Asked, found: Any) -> None:
        make, keys = narrow_row if columns == NARROW else wide_row, keys_of_age(asked, columns)
        expected = [make(number) for number in keys]
        must(
            list(map(kind, found)) == [row if kind is dict else tuple(row.values()) for row in expected], "other values"
        )

    return check


async def got_page(asked: Asked, found: Any) -> None:
    same_rows(asked, NARROW, found, range(1, 21))


async def got_parents(asked: Asked, found: Any) -> None:
    contestant, sizes = asked.contestant, asked.sizes
    rows = contestant.each(found)
    must(
        [contestant.value(row, "name") for row in rows] == [f"parent {n}" for n in range(1, sizes.parents + 1)],
        "parents",
    )
    for at, row in enumerate(rows):
        names = sorted(contestant.value(child, "name") for child in contestant.children_of(row))
        expected = sorted(f"child {at * sizes.children + n}" for n in range(1, sizes.children + 1))
        must(names == expected, f"children {names} instead of {expected}")


async def got_children(asked: Asked, found: Any) -> None:
    contestant, sizes = asked.contestant, asked.sizes
    rows = contestant.each(found)
    must(len(rows) == sizes.parents * sizes.children, f"{len(rows)} children")
    for at, row in enumerate(rows):
        check_child(asked, row, at + 1)


def check_child(asked: Asked, row: Any, number: int) -> None:
    contestant = asked.contestant
    got = (contestant.value(row, "name"), contestant.value(contestant.parent_of(row), "name"))
    expected = (f"child {number}", f"parent {(number - 1) // asked.sizes.children + 1}")
    must(got == expected, f"{got} instead of {expected}")


async def got_child(asked: Asked, found: Any) -> None:
    check_child(asked, found, web_key(asked, 0))


async def got_articles(asked: Asked, found: Any) -> None:
    contestant, sizes = asked.contestant, asked.sizes
    rows = contestant.each(found)
    must(len(rows) == sizes.parents, f"{len(rows)} articles")
    for at, row in enumerate(rows):
        names = sorted(contestant.value(tag, "name") for tag in contestant.tags_of(row))
        expected = sorted(f"tag {(at * sizes.tags + n) % (sizes.tags * 4) + 1}" for n in range(sizes.tags))
        must(names == expected, f"tags {names} instead of {expected}")


def wrote_new(columns: tuple[str, ...], rows: Callable[[Asked], int]) -> Check:
    """Looks for rows that were inserted: their number, and the first one's values."""

    async def check(asked: Asked, found: Any) -> None:
        table = "narrow" if columns == NARROW else "wide"
        last = asked.sizes.narrow_rows if columns == NARROW else asked.sizes.wide_rows
        sql = f"SELECT {', '.join(columns[1:])} FROM {table} WHERE id > {last} ORDER BY id"
        written = await asked.driver.fetch(sql)
        must(len(written) == rows(asked), f"{len(written)} rows written instead of {rows(asked)}")
        same_written(columns, written[0], new_row(columns, 1))

    return check


def wrote_whole(columns: tuple[str, ...]) -> Check:
    async def check(asked: Asked, found: Any) -> None:
        number, row = changed(columns)(asked, 0)[1]
        table = "narrow" if columns == NARROW else "wide"
        written = await asked.driver.fetch(f"SELECT {', '.join(columns[1:])} FROM {table} WHERE id = {number}")
        same_written(columns, written[0], row)

    return check


def score_of(asked: Asked, n: int) -> tuple[Any, ...]:
    return (key(NARROW)(asked, n)[1], n + 0.25)


async def wrote_score(asked: Asked, found: Any) -> None:
    number, score = score_of(asked, 0)
    written = await asked.driver.fetch(f"SELECT score, name FROM narrow WHERE id = {number}")
    must(written[0][0] == score, f"score {written[0][0]} instead of {score}")


async def wrote_changes(asked: Asked, found: Any) -> None:
    rows = await asked.driver.fetch(f"SELECT id, score FROM narrow WHERE age = {NARROW_AGE} ORDER BY id")
    must(len(rows) == asked.sizes.objects, f"{len(rows)} rows")
    must(all(row[1] == row[0] * 0.5 + 1 for row in rows), "not every row was changed")


async def wrote_graph(asked: Asked, found: Any) -> None:
    sizes = asked.sizes
    sql = (
        "SELECT count(*) FROM child JOIN parent ON parent.id = child.parent_id "
        f"WHERE parent.id > {sizes.parent_rows} GROUP BY parent.id"
    )
    counts = [row[0] for row in await asked.driver.fetch(sql)]
    must(counts == [sizes.children] * sizes.parents, f"{len(counts)} parents with {set(counts)} children")


async def is_gone(asked: Asked, found: Any) -> None:
    rows = await asked.driver.fetch(f"SELECT id FROM narrow WHERE id > {asked.sizes.narrow_rows}")
    must(not rows, f"{len(rows)} rows are still there")


async def anything(asked: Asked, found: Any) -> None:
    """What grows has been looked at in its usual size."""


# ---- rows that are made first


async def to_delete(asked: Asked, count: int) -> list[tuple[Any, ...]]:
    """Makes rows, and gives their keys."""
    await restore(asked, ("narrow",))
    rows = [(f"gone {n}", NEW_AGE, 0.0) for n in range(count)]
    await asked.driver.copy("narrow", NARROW[1:], rows)
    return [
        (row[0],) for row in await asked.driver.fetch(f"SELECT id FROM narrow WHERE id > {asked.sizes.narrow_rows}")
    ]


async def restore(asked: Asked, tables: tuple[str, ...], *, tidy: bool = True) -> None:
    """Removes the rows that were added.

    Args:
        tidy: Have the database forget old versions of rows, whose number would depend on how fast somebody was.
    """
    sizes = asked.sizes
    last = {"narrow": sizes.narrow_rows, "wide": sizes.wide_rows, "parent": sizes.parent_rows}
    last["child"] = sizes.parent_rows * sizes.children
    for table in tables:
        await asked.driver.execute(f"DELETE FROM {table} WHERE id > {last[table]}")
        if tidy and asked.driver.kind == "postgresql":
            await asked.driver.execute(f"VACUUM {table}")


def web_key(asked: Asked, n: int) -> int:
    return n * 7 % (asked.sizes.parents * asked.sizes.children) + 1


def offset_of(asked: Asked, n: int) -> tuple[Any, ...]:
    return (n * 20 % (asked.sizes.narrow_rows // 2),)


def both(make: Callable[[tuple[str, ...], str, str], Workload]) -> list[Workload]:
    """Makes a workload on both tables."""
    return [make(NARROW, "", ""), make(WIDE, "_wide", ", wide")]


OFTEN = (1, 10)

WORKLOADS = [
    *both(lambda c, s, t: Workload(f"get{s}", f"get by key{t}", "get", key(c), got_one(c), OFTEN)),
    *both(
        lambda c, s, t: Workload(
            f"filter{s}", f"filter 1,000 objects{t}", "filter", age(c), got_age(c), OFTEN[: 1 + (c == NARROW)]
        )
    ),
    Workload("page", "limit 20 offset n", "page", offset_of, got_page, OFTEN),
    *both(lambda c, s, t: Workload(f"dicts{s}", f"1,000 dicts{t}", "dicts", age(c), got_plain(c, dict))),
    *both(lambda c, s, t: Workload(f"tuples{s}", f"1,000 tuples{t}", "tuples", age(c), got_plain(c, tuple))),
    Workload("parents", "100 parents with 10 children each", "parents", lambda a, n: (a.sizes.parents,), got_parents),
    Workload(
        "children",
        "1,000 children with their parent",
        "children",
        lambda a, n: (a.sizes.parents * a.sizes.children,),
        got_children,
    ),
    Workload("articles", "many-to-many, 100 x 5", "articles", lambda a, n: (a.sizes.parents,), got_articles),
    Workload("web_read", "web handler: object and parent", "web_read", lambda a, n: (web_key(a, n),), got_child, OFTEN),
    *both(
        lambda c, s, t: Workload(
            f"insert{s}",
            f"insert one, commit{t}",
            "insert",
            new(c),
            wrote_new(c, lambda a: 1),
            OFTEN,
            ("narrow" if c == NARROW else "wide",),
        )
    ),
    Workload(
        "insert_in_transaction",
        "10 inserts in a transaction",
        "insert_in_transaction",
        lambda a, n: ([new_row(NARROW, n * INSERTED + k + 1) for k in range(INSERTED)],),
        wrote_new(NARROW, lambda a: INSERTED),
        OFTEN,
        ("narrow",),
        most=50,
    ),
    *both(
        lambda c, s, t: Workload(
            f"bulk_objects{s}",
            f"bulk insert 1,000 objects{t}",
            "bulk_objects",
            many_new(c),
            wrote_new(c, lambda a: a.sizes.objects),
            writes=("narrow" if c == NARROW else "wide",),
            most=10,
        )
    ),
    *both(
        lambda c, s, t: Workload(
            f"bulk_rows{s}",
            f"bulk insert 1,000 rows{t}",
            "bulk_rows",
            many_new(c),
            wrote_new(c, lambda a: a.sizes.objects),
            writes=("narrow" if c == NARROW else "wide",),
            most=10,
        )
    ),
    *both(
        lambda c, s, t: Workload(
            f"update_whole{s}",
            f"update whole{t}",
            "update_whole",
            changed(c),
            wrote_whole(c),
            OFTEN,
            ("narrow" if c == NARROW else "wide",),
        )
    ),
    Workload(
        "update_one", "update one column", "update_one", lambda a, n: (score_of(a, n),), wrote_score, OFTEN, ("narrow",)
    ),
    Workload("delete", "delete one", "delete", lambda a, n: (), is_gone, OFTEN, ("narrow",), to_delete),
    Workload(
        "change",
        "load 1,000, change one column each",
        "change",
        lambda a, n: (NARROW_AGE, 1.0),
        wrote_changes,
        writes=("narrow",),
        most=10,
    ),
    Workload(
        "graph",
        "graph insert 100 x 10",
        "graph",
        lambda a, n: (a.sizes.parents, a.sizes.children),
        wrote_graph,
        writes=("child", "parent"),
        most=5,
    ),
    Workload("web_write", "web handler: get, change, commit", "web_write", score_of, wrote_score, OFTEN, ("narrow",)),
]


def growing(size: int) -> list[Workload]:
    """Gives what is asked of a given number of rows."""
    dirty = min(10, size)
    return [
        Workload("load", "filter n objects", "load", lambda a, n: (size,), anything),
        Workload(
            "bulk",
            "insert n objects",
            "bulk_objects",
            lambda a, n: (a.contestant.Narrow, [new_row(NARROW, k + 1) for k in range(size)]),
            anything,
            writes=("narrow",),
            most=max(1, 10_000 // size),
        ),
        Workload(
            "flush_dirty", "flush 10 dirty among n loaded", "flush_dirty", lambda a, n: ((size, dirty),), anything,
            writes=("narrow",), most=25, least=10,
        ),
        Workload(
            "hits", "identity map, n loaded", "hits", lambda a, n: ((size, n * 7 % size + 1),), anything, least=100
        ),
        Workload("prefetch", "n children of n/10 parents", "parents", lambda a, n: (max(1, size // 10),), anything),
    ]  # fmt: skip
