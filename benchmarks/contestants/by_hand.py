"""The drivers alone, and the same with plain objects built from their rows."""

from __future__ import annotations

from dataclasses import dataclass, field, make_dataclass
from typing import Any

from benchmarks.contestants.base import Contestant
from benchmarks.drivers import PostgresDriver, SQLiteDriver, driver_for
from benchmarks.schema import NARROW, WIDE, declared

PLACES = {**{name: at for at, name in enumerate(WIDE)}, "title": 1, "value": 2}


@dataclass(slots=True)
class Named:
    id: int
    name: str


@dataclass(slots=True)
class Related:
    """What two statements gave: rows, and those that belong to them."""

    rows: Any
    others: Any


class Family:
    """One row of those, with all the others."""

    def __init__(self, row: Any, others: Any) -> None:
        self.id, self.name, self.title, self.others = row[0], row[1], row[1], others


class Table:
    """A table's statements, written for one database."""

    def __init__(self, name: str, columns: tuple[str, ...], kind: Any) -> None:
        def mark(n: int) -> str:
            return f"${n}" if kind == "postgresql" else "?"

        self.name, self.columns, self.rest = name, columns, columns[1:]
        names = ", ".join(columns)
        new, marks = ", ".join(self.rest), ", ".join(mark(n) for n in range(1, len(columns)))
        self.get = f"SELECT {names} FROM {name} WHERE id = {mark(1)}"
        self.filter = f"SELECT {names} FROM {name} WHERE age = {mark(1)} ORDER BY id"
        self.load = f"SELECT {names} FROM {name} WHERE id <= {mark(1)} ORDER BY id"
        self.page = f"SELECT {names} FROM {name} ORDER BY id LIMIT 20 OFFSET {mark(1)}"
        self.insert = f"INSERT INTO {name} ({new}) VALUES ({marks})"
        self.insert_returning = f"{self.insert} RETURNING id"
        assigned = ", ".join(f"{column} = {mark(n)}" for n, column in enumerate(self.rest, 1))
        self.update = f"UPDATE {name} SET {assigned} WHERE id = {mark(len(columns))}"
        self.update_score = f"UPDATE {name} SET score = {mark(1)} WHERE id = {mark(2)}"
        self.delete = f"DELETE FROM {name} WHERE id = {mark(1)}"
        if name in ("narrow", "wide"):
            arrays = (f"${n}::{declared(column, kind, '')}[]" for n, column in enumerate(self.rest, 1))
            self.insert_many = f"INSERT INTO {name} ({new}) SELECT * FROM unnest({', '.join(arrays)}) RETURNING id"

    def values(self, row: dict[str, Any]) -> tuple[Any, ...]:
        """Gives the values of a new row, in the order of `insert`."""
        return tuple([row[name] for name in self.rest])


class Raw(Contestant):
    """Rows as the driver gives them."""

    driver: PostgresDriver | SQLiteDriver

    async def open(self, dsn: str, pool: int) -> None:
        self.driver = driver_for(dsn, converting=True)
        await self.driver.open(dsn, pool)
        kind = self.driver.kind
        self.Narrow, self.Wide = Table("narrow", NARROW, kind), Table("wide", WIDE, kind)
        self.mark = "$1" if kind == "postgresql" else "?"

    async def close(self) -> None:
        await self.driver.close()

    def each(self, result: Any) -> list[Any]:
        # two results of two statements: whoever belongs to whom is found out when they are looked at
        return [Family(row, result.others) for row in result.rows] if isinstance(result, Related) else list(result)

    def value(self, row: Any, name: str) -> Any:
        if isinstance(row, Family | Named):
            return getattr(row, name)
        return row[PLACES[name]]

    # ---- rows into what is given

    def built(self, model: Table, rows: Any) -> Any:
        """Gives what a program would work with."""
        return rows

    # ---- reading

    async def get(self, model: Table, key: int) -> Any:
        return await self.driver.fetch_one(model.get, (key,))

    async def filter(self, model: Table, age: int) -> Any:
        return self.built(model, await self.driver.fetch(model.filter, (age,)))

    async def load(self, count: int) -> Any:
        return self.built(self.Narrow, await self.driver.fetch(self.Narrow.load, (count,)))

    async def page(self, offset: int) -> Any:
        return self.built(self.Narrow, await self.driver.fetch(self.Narrow.page, (offset,)))

    async def dicts(self, model: Table, age: int) -> Any:
        rows = await self.driver.fetch(model.filter, (age,))
        if self.driver.kind == "postgresql":
            return [dict(row) for row in rows]
        return [dict(zip(model.columns, row, strict=True)) for row in rows]

    async def tuples(self, model: Table, age: int) -> Any:
        rows = await self.driver.fetch(model.filter, (age,))
        return [tuple(row) for row in rows] if self.driver.kind == "postgresql" else rows

    async def parents(self, count: int) -> Any:
        parents = await self.driver.fetch(f"SELECT id, name FROM parent WHERE id <= {self.mark} ORDER BY id", (count,))
        sql = f"SELECT id, name, value, parent_id FROM child WHERE parent_id <= {self.mark} ORDER BY id"
        return self.families(parents, await self.driver.fetch(sql, (count,)))

    def families(self, parents: Any, children: Any) -> Any:
        """Gives parents with what belongs to them."""
        return Related(parents, children)

    def children_of(self, parent: Any) -> Any:
        return [Named(row[0], row[1]) for row in parent.others if row[3] == parent.id]

    async def children(self, count: int) -> Any:
        sql = (
            "SELECT child.id, child.name, child.value, child.parent_id, parent.id, parent.name "
            f"FROM child JOIN parent ON parent.id = child.parent_id WHERE child.id <= {self.mark} ORDER BY child.id"
        )
        return await self.driver.fetch(sql, (count,))

    def parent_of(self, child: Any) -> Any:
        return Named(child[4], child[5])

    async def articles(self, count: int) -> Any:
        articles = await self.driver.fetch(
            f"SELECT id, title FROM article WHERE id <= {self.mark} ORDER BY id", (count,)
        )
        sql = (
            "SELECT tag.id, tag.name, link.article_id FROM tag JOIN article_tags link ON link.tag_id = tag.id "
            f"WHERE link.article_id <= {self.mark}"
        )
        return self.tagged(articles, await self.driver.fetch(sql, (count,)))

    def tagged(self, articles: Any, tags: Any) -> Any:
        """Gives articles with their tags."""
        return Related(articles, tags)

    def tags_of(self, article: Any) -> Any:
        return [Named(row[0], row[1]) for row in article.others if row[2] == article.id]

    async def web_read(self, key: int) -> Any:
        sql = (
            "SELECT child.id, child.name, child.value, child.parent_id, parent.id, parent.name "
            f"FROM child JOIN parent ON parent.id = child.parent_id WHERE child.id = {self.mark}"
        )
        return await self.driver.fetch_one(sql, (key,))

    # ---- writing

    async def insert(self, model: Table, row: dict[str, Any]) -> Any:
        return await self.driver.insert(model, model.values(row))

    async def insert_in_transaction(self, rows: list[dict[str, Any]]) -> Any:
        model = self.Narrow
        async with self.driver.transaction() as connection:
            if self.driver.kind == "postgresql":
                return [await connection.fetchval(model.insert_returning, *model.values(row)) for row in rows]
            return [(await connection.execute_insert(model.insert, model.values(row)))[0] for row in rows]

    async def bulk_rows(self, model: Table, rows: list[dict[str, Any]]) -> Any:
        await self.driver.copy(model.name, model.rest, [model.values(row) for row in rows])

    async def bulk_objects(self, model: Table, rows: list[dict[str, Any]]) -> Any:
        values = [model.values(row) for row in rows]
        if self.driver.kind == "postgresql":
            return await self.driver.fetch(model.insert_many, list(zip(*values, strict=True)))
        async with self.driver.transaction() as connection:
            # who writes alone gets keys without gaps
            ((last,),) = await connection.execute_fetchall(f"SELECT max(id) FROM {model.name}")
            await connection.executemany(model.insert, values)
        return [(key,) for key in range(last + 1, last + 1 + len(values))]

    async def update_whole(self, model: Table, item: tuple[int, dict[str, Any]]) -> None:
        await self.driver.execute(model.update, (*model.values(item[1]), item[0]))

    async def update_one(self, item: tuple[int, float]) -> None:
        await self.driver.execute(self.Narrow.update_score, (item[1], item[0]))

    async def delete(self, key: int) -> None:
        await self.driver.execute(self.Narrow.delete, (key,))

    async def change(self, age: int, by: float) -> None:
        rows = await self.filter(self.Narrow, age)
        await self.scores([(row[0], row[3] + by) for row in rows])

    async def scores(self, changed: list[tuple[int, float]]) -> None:
        """Writes many scores at once."""
        if self.driver.kind == "postgresql":
            sql = (
                "UPDATE narrow SET score = d.score FROM unnest($1::bigint[], $2::float8[]) AS d (id, score) "
                "WHERE narrow.id = d.id"
            )
            await self.driver.execute(sql, list(zip(*changed, strict=True)))
            return
        async with self.driver.transaction() as connection:
            flipped = [(score, key) for key, score in changed]
            await connection.executemany(self.Narrow.update_score, flipped)

    async def graph(self, parents: int, children: int) -> Any:
        names = [f"new {n}" for n in range(parents)]
        kinds = [(f"new {n}", n % 7) for n in range(children)]
        async with self.driver.transaction() as connection:
            if self.driver.kind == "postgresql":
                sql = "INSERT INTO parent (name) SELECT * FROM unnest($1::text[]) RETURNING id"
                keys = [row[0] for row in await connection.fetch(sql, names)]
                rows = [(name, value, key) for key in keys for name, value in kinds]
                sql = (
                    "INSERT INTO child (name, value, parent_id) "
                    "SELECT * FROM unnest($1::text[], $2::int[], $3::bigint[]) RETURNING id"
                )
                return keys, [row[0] for row in await connection.fetch(sql, *zip(*rows, strict=True))]
            ((last,),) = await connection.execute_fetchall("SELECT max(id) FROM parent")
            await connection.executemany("INSERT INTO parent (name) VALUES (?)", [(name,) for name in names])
            keys = list(range(last + 1, last + 1 + parents))
            rows = [(name, value, key) for key in keys for name, value in kinds]
            ((last,),) = await connection.execute_fetchall("SELECT max(id) FROM child")
            await connection.executemany("INSERT INTO child (name, value, parent_id) VALUES (?, ?, ?)", rows)
            return keys, list(range(last + 1, last + 1 + len(rows)))

    async def web_write(self, key: int, score: float) -> None:
        await self.driver.fetch_one(self.Narrow.get, (key,))
        await self.driver.execute(self.Narrow.update_score, (score, key))


# ---- objects


@dataclass(slots=True)
class Narrow:
    id: int
    name: str
    age: int
    score: float


Wide: Any = make_dataclass("Wide", WIDE, slots=True)


@dataclass(slots=True)
class Parent:
    id: int
    name: str
    children: list[Child] = field(default_factory=list)


@dataclass(slots=True)
class Child:
    id: int
    name: str
    value: int
    parent_id: int
    parent: Parent | None = None


@dataclass(slots=True)
class Article:
    id: int
    title: str
    tags: list[Named] = field(default_factory=list)


class Objects(Raw):
    """Plain objects with `__slots__`, built by hand."""

    def value(self, row: Any, name: str) -> Any:
        return getattr(row, name)

    def children_of(self, parent: Any) -> Any:
        return parent.children

    def parent_of(self, child: Any) -> Any:
        return child.parent

    def tags_of(self, article: Any) -> Any:
        return article.tags

    def built(self, model: Table, rows: Any) -> Any:
        make = Narrow if model is self.Narrow else Wide
        return [make(*row) for row in rows]

    async def get(self, model: Table, key: int) -> Any:
        row = await self.driver.fetch_one(model.get, (key,))
        return (Narrow if model is self.Narrow else Wide)(*row)

    def families(self, parents: Any, children: Any) -> Any:
        made = {row[0]: Parent(*row) for row in parents}
        for row in children:
            child = Child(*row)
            child.parent = made[child.parent_id]
            child.parent.children.append(child)
        return list(made.values())

    async def children(self, count: int) -> Any:
        parents: dict[int, Parent] = {}
        found = []
        for key, name, value, parent_id, _, parent_name in await super().children(count):
            parent = parents.get(parent_id)
            if parent is None:
                parent = parents[parent_id] = Parent(parent_id, parent_name)
            found.append(Child(key, name, value, parent_id, parent))
        return found

    def tagged(self, articles: Any, tags: Any) -> Any:
        made = {row[0]: Article(*row) for row in articles}
        known: dict[int, Named] = {}
        for key, name, article_id in tags:
            tag = known.get(key)
            if tag is None:
                tag = known[key] = Named(key, name)
            made[article_id].tags.append(tag)
        return list(made.values())

    async def web_read(self, key: int) -> Any:
        key, name, value, parent_id, _, parent_name = await super().web_read(key)
        return Child(key, name, value, parent_id, Parent(parent_id, parent_name))

    async def insert(self, model: Table, row: dict[str, Any]) -> Any:
        made = (Narrow if model is self.Narrow else Wide)(id=0, **row)
        made.id = await super().insert(model, row)
        return made

    async def insert_in_transaction(self, rows: list[dict[str, Any]]) -> Any:
        made = [Narrow(id=0, **row) for row in rows]
        for item, key in zip(made, await super().insert_in_transaction(rows), strict=True):
            item.id = key
        return made

    async def bulk_objects(self, model: Table, rows: list[dict[str, Any]]) -> Any:
        make = Narrow if model is self.Narrow else Wide
        made = [make(id=0, **row) for row in rows]
        keys = await super().bulk_objects(model, rows)
        for item, key in zip(made, sorted(keys), strict=True):
            item.id = key[0]
        return made

    async def change(self, age: int, by: float) -> None:
        found = await self.filter(self.Narrow, age)
        for item in found:
            item.score += by
        await self.scores([(item.id, item.score) for item in found])

    async def graph(self, parents: int, children: int) -> Any:
        made = [
            Parent(0, f"new {n}", [Child(0, f"new {c}", c % 7, 0) for c in range(children)]) for n in range(parents)
        ]
        parent_keys, child_keys = await super().graph(parents, children)
        numbers = iter(sorted(child_keys))
        for parent, key in zip(made, sorted(parent_keys), strict=True):
            parent.id = key
            for child in parent.children:
                child.id, child.parent_id, child.parent = next(numbers), key, parent
        return made

    async def web_write(self, key: int, score: float) -> None:
        found = await self.get(self.Narrow, key)
        found.score = score
        await self.driver.execute(self.Narrow.update_score, (found.score, found.id))
