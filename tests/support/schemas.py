"""Random schemas over a few names, so that two of them have much in common, and rows that fit each."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from cormorant.schema import snapshot as s
from cormorant.schema.column_operations import RenameColumn
from cormorant.schema.column_types import base, enum_of
from cormorant.schema.operations import RenameTable
from cormorant.schema.state import apply

TABLES = ("book", "shelf", "select", "Reader")
LABELS = ("ok", "it's sad", "wild", "new")
ROWS = (1, 2, 3)
"""The numbers of the rows; the last one is NULL wherever it may be."""

Row = dict[str, Any]


def column(name: str, type_: str, *, nullable: bool, fill: s.Sql, default: s.Sql | None = None) -> s.Column:
    return s.Column(name, type_, nullable, default=default, fill=None if nullable else fill)


def both(postgresql: str, sqlite: str) -> s.ByDialect:
    return s.ByDialect((("postgresql", postgresql), ("sqlite", sqlite)))


KINDS: dict[str, tuple[tuple[str, ...], s.Sql, s.Sql]] = {
    # by name: types, a fill, a default
    "title": (("text", "varchar(20)", "varchar(50)"), "'filled'", "'it''s'"),
    "views": (("integer", "bigint", "smallint", "numeric(10, 2)", "text"), "'77'", "'5'"),
    "flag": (("boolean", "integer"), both("'1'", "1"), both("'0'", "0")),
    "day": (("date", "timestamptz"), "'2024-02-03'", both("now()", "(date('now'))")),
    "mood": (('"mood"', "text"), "'ok'", "'ok'"),
    "moods": (('"mood"[]', "text[]"), both("'{}'", "'[]'"), both("'{}'", "'[]'")),
    "extra": (("jsonb", "text"), """'{"a": 1}'""", "'{}'"),
    "Odd name": (("double precision", "numeric"), "'1.5'", None),
}


@st.composite
def columns(draw: st.DrawFn) -> tuple[s.Column, ...]:
    found: list[s.Column] = []
    for name in draw(st.lists(st.sampled_from(tuple(KINDS)), unique=True, max_size=6)):
        types, fill, default = KINDS[name]
        nullable = draw(st.booleans())
        said = draw(st.sampled_from((None, default)))
        made = column(name, draw(st.sampled_from(types)), nullable=nullable, fill=fill, default=said)
        found.append(replace(made, comment=draw(st.sampled_from((None, None, "it's a column")))))
    return tuple(found)


@st.composite
def keys(draw: st.DrawFn) -> tuple[tuple[s.Column, ...], s.PrimaryKey, tuple[str, ...] | None]:
    """Gives the columns of a key, the key, and the columns of a unique constraint beside it."""
    size = draw(st.sampled_from(("bigint", "integer")))
    numbered: s.Identity | None = draw(st.sampled_from(("by default", None)))
    if draw(st.integers(0, 3)):
        return (s.Column("id", size, identity=numbered),), s.PrimaryKey(("id",)), None
    part = s.Column("part", "integer", fill="1")
    unique = draw(st.sampled_from((None, ("id",))))
    return (s.Column("id", size), part), s.PrimaryKey(("id", "part")), unique


def checks_over(table: s.Table) -> list[s.Check]:
    found: list[s.Check] = []
    kinds = {c.name: c.type for c in table.columns}
    if kinds.get("views", "text") != "text":
        number = both('"views" >= 0', 'CAST("views" AS REAL) >= 0')
        found.append(s.Check(f"ck_{table.name}_views", number))
    if "title" in kinds:
        found.append(s.Check(f"ck_{table.name}_title", '"title" <> \'\' AND length("title") < 40'))
    if "mood" in kinds:
        found.append(s.Check(f"ck_{table.name}_mood", "\"mood\" <> 'wild'"))
    return found


def indexes_over(table: s.Table) -> list[s.Index]:
    kinds = {c.name: c for c in table.columns}
    found = [s.Index(f"ix_{table.name}_{name}", (s.IndexItem(name),)) for name in ("day", "mood") if name in kinds]
    if "title" in kinds:
        lower = s.IndexItem(expression='lower("title")', descending=True)
        found.append(s.Index(f"ix_{table.name}_lower", (lower, s.IndexItem("id")), where="\"title\" <> 'x'"))
        pattern = s.IndexItem("title", operator_class=f"{base(kinds['title'].type)}_pattern_ops")
        found.append(s.Index(f"ix_{table.name}_pattern", (pattern,), include=("id",)))
    if "views" in kinds and kinds["views"].type != "text":
        where = both('"views" > 50', 'CAST("views" AS REAL) > 50')
        found.append(
            s.Index(
                f"ix_{table.name}_views", (s.IndexItem("views", nulls="first"), s.IndexItem("id")), True, where=where
            )
        )
    if "extra" in kinds and kinds["extra"].type == "jsonb":
        found.append(s.Index(f"ix_{table.name}_extra", (s.IndexItem("extra"),), method="gin"))
    return found


def computed_over(table: s.Table) -> list[s.Column]:
    kinds = {c.name: c.type for c in table.columns}
    found: list[s.Column] = []
    if base(kinds.get("views", "text")) in ("integer", "bigint", "smallint"):
        found.append(s.Column("calc", "bigint", nullable=True, computed='"views" * 2'))
    if "title" in kinds:
        found.append(s.Column("calc", "text", nullable=True, computed='lower("title")'))
    return found


@st.composite
def parts(draw: st.DrawFn, table: s.Table, unique: tuple[str, ...] | None) -> s.Table:
    """Gives a table with some of what can be said over its columns."""
    some = lambda items: draw(st.lists(st.sampled_from(items), unique=True)) if items else []  # noqa: E731
    computed = some(computed_over(table))[:1]
    uniques = [] if unique is None else [s.Unique(f"uq_{table.name}_id", unique)]
    if table.column("title") is not None and draw(st.booleans()):
        waits: s.Deferrable | None = draw(st.sampled_from((None, "deferred")))
        uniques.append(s.Unique(f"uq_{table.name}_title", ("title", "id"), waits))
    search: tuple[s.SearchIndex, ...] = ()
    if table.column("title") is not None and table.primary_key == s.PrimaryKey(("id",)) and draw(st.booleans()):
        search = (s.SearchIndex(f"fts_{table.name}", ("title",), draw(st.sampled_from(("simple", "english"))), "id"),)
    return replace(
        table,
        columns=(*table.columns, *computed),
        uniques=tuple(uniques),
        checks=tuple(some(checks_over(table))),
        indexes=tuple(some(indexes_over(table))),
        searches=search,
        comment=draw(st.sampled_from((None, "a table"))),
    )


@st.composite
def schemas(draw: st.DrawFn) -> s.SchemaSnapshot:
    """Gives a schema of up to four tables that point to each other."""
    names = draw(st.lists(st.sampled_from(TABLES), unique=True, max_size=4))
    tables: list[s.Table] = []
    for name in names:
        first, key, unique = draw(keys())
        tables.append(draw(parts(s.Table(name, (*first, *draw(columns())), key), unique)))
    targets = [t.name for t in tables if ("id",) in [getattr(x, "columns", ()) for x in t.constraints]]
    linked = [draw(links(table, targets)) for table in tables]
    used = any(enum_of(c.type) for table in linked for c in table.columns)
    labels = ("ok", *draw(st.lists(st.sampled_from(LABELS[1:]), unique=True)))
    if any("wild" in str(check.condition) for table in linked for check in table.checks):
        labels = (*(label for label in labels if label != "wild"), "wild")
    return s.SchemaSnapshot(tuple(linked), (s.Enum("mood", labels),) if used else ())


@st.composite
def links(draw: st.DrawFn, table: s.Table, targets: Sequence[str]) -> s.Table:
    """Gives a table with foreign keys to some of the others, and to itself."""
    columns: list[s.Column] = []
    found: list[s.ForeignKey] = []
    for target in draw(st.lists(st.sampled_from(targets), unique=True, max_size=3)) if targets else []:
        name = f"{target}_id"
        columns.append(s.Column(name, draw(st.sampled_from(("bigint", "integer"))), nullable=True))
        action: s.Action = draw(st.sampled_from(("no_action", "restrict", "cascade", "set_null")))
        waits: s.Deferrable | None = draw(st.sampled_from((None, "deferred")))
        found.append(s.ForeignKey(f"fk_{table.name}_{target}", (name,), target, ("id",), action, deferrable=waits))
    return replace(table, columns=(*table.columns, *columns), foreign_keys=tuple(found))


@dataclass(frozen=True)
class Pair:
    """Two schemas, and what was called otherwise in the first: tables, and columns by the later names of both."""

    old: s.SchemaSnapshot
    new: s.SchemaSnapshot
    tables: Mapping[str, str]
    columns: Mapping[tuple[str, str], str]

    def back(self) -> Pair:
        """Gives the way back, on which everything gets its former name."""
        tables = {old: new for new, old in self.tables.items()}
        columns = {(self.tables.get(key, key), old): new for (key, new), old in self.columns.items()}
        return Pair(self.new, renaming(self.old, tables, columns), tables, columns)


def renaming(
    schema: s.SchemaSnapshot, tables: Mapping[str, str], columns: Mapping[tuple[str, str], str]
) -> s.SchemaSnapshot:
    """Gives a schema that says what it has renamed."""

    def said(table: s.Table) -> s.Table:
        named = tuple(replace(c, renamed_from=columns.get((table.key, c.name))) for c in table.columns)
        return replace(table, columns=named, renamed_from=tables.get(table.key))

    return replace(schema, tables=tuple(map(said, schema.tables)))


@st.composite
def pairs(draw: st.DrawFn) -> Pair:
    """Gives two schemas, the second of which may say what it has renamed."""
    old, new = draw(schemas()), draw(schemas())
    tables: dict[str, str] = {}
    columns: dict[tuple[str, str], str] = {}
    common = [t.key for t in new.tables if old.table(t.key) is not None]
    for key in draw(st.lists(st.sampled_from(common), unique=True)) if common else []:
        for name in ("title", "views", "day"):
            was, now = (x.table(key) for x in (old, new))
            if was and now and was.column(name) and now.column(name) and draw(st.booleans()):
                old, columns[key, name] = apply(old, RenameColumn(key, name, f"old {name}")), f"old {name}"
        if draw(st.booleans()):
            old, tables[key] = apply(old, RenameTable(key, f"old {key}")), f"old {key}"
    return Pair(old, renaming(new, tables, columns), tables, columns)


# ------------------------------------------------------------------ rows


def value(name: str, type_: str, row: int, dialect: str) -> Any:
    """Gives what a row has in a column, as SQL text."""
    sqlite = dialect == "sqlite"
    said: dict[str, str] = {
        "title": f"'Title {row}'",
        "views": f"'{row}'",
        "flag": str(row % 2) if sqlite else f"'{row % 2}'",
        "day": f"'2024-01-0{row}'",
        "mood": "'ok'",
        "moods": "'[\"ok\"]'" if sqlite else "'{ok}'",
        "extra": f"""'{{"a": {row}}}'""",
        "Odd name": f"'{row}.5'",
        "part": str(row),
    }
    return said[name.removeprefix("old ")]


def plain(name: str, found: Any) -> Any:
    """Gives a value without what its type makes of it."""
    name = name.removeprefix("old ")
    if found is None:
        return None
    if name in ("views", "flag", "Odd name", "part", "id") or name.endswith("_id"):
        return Decimal(str(int(found) if isinstance(found, bool) else found)).normalize()
    if name == "day":
        return str(found)[:10]
    if name in ("extra", "moods"):
        return json.loads(found) if isinstance(found, str) else found
    return found
