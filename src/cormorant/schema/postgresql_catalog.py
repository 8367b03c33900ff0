"""PostgreSQL's catalogs: what to ask, and what the rows mean."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from cormorant.schema import column_types as types
from cormorant.schema import snapshot as s
from cormorant.schema.names import key_of

Rows = Sequence[Sequence[Any]]

_OF_EXTENSIONS = (
    "NOT EXISTS (SELECT FROM pg_depend e WHERE e.objid = {0} AND e.classid = {1}::regclass AND e.deptype = 'e')"
)
_TABLES = (
    "c.relnamespace = ANY($1::text[]::regnamespace[]::oid[]) AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND "
    + _OF_EXTENSIONS.format("c.oid", "'pg_class'")
)

TABLES = f"""
    SELECT c.oid::bigint, n.nspname::text, c.relname::text, obj_description(c.oid, 'pg_class'),
        CASE WHEN c.relkind = 'p' THEN pg_get_partkeydef(c.oid) END
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE {_TABLES} ORDER BY n.nspname, c.relname
"""

COLUMNS = f"""
    SELECT a.attrelid::bigint, a.attname::text, format_type(a.atttypid, a.atttypmod), NOT a.attnotnull,
        pg_get_expr(d.adbin, d.adrelid), a.attidentity::text, a.attgenerated::text,
        CASE WHEN a.attcollation <> t.typcollation THEN l.collname::text END,
        col_description(a.attrelid, a.attnum),
        EXISTS (SELECT FROM pg_depend p JOIN pg_class q ON q.oid = p.objid AND q.relkind = 'S'
            WHERE p.classid = 'pg_class'::regclass AND p.refclassid = 'pg_class'::regclass
            AND p.refobjid = a.attrelid AND p.refobjsubid = a.attnum AND p.deptype = 'a'),
        t.typtype = 'e' OR EXISTS (SELECT FROM pg_type i WHERE i.oid = t.typelem AND i.typtype = 'e')
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_type t ON t.oid = a.atttypid
    LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    LEFT JOIN pg_collation l ON l.oid = a.attcollation
    WHERE {_TABLES} AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attrelid, a.attnum
"""

_NAMES = """ARRAY(SELECT a.attname::text FROM unnest({0}) WITH ORDINALITY k(n, place)
            JOIN pg_attribute a ON a.attrelid = {1} AND a.attnum = k.n ORDER BY k.place)"""

CONSTRAINTS = f"""
    SELECT o.conrelid::bigint, o.conname::text, o.contype::text, {_NAMES.format("o.conkey", "o.conrelid")},
        m.nspname::text, f.relname::text, {_NAMES.format("o.confkey", "o.confrelid")},
        o.confdeltype::text, o.confupdtype::text, o.condeferrable, o.condeferred, o.convalidated,
        pg_get_expr(o.conbin, o.conrelid),
        o.contype = 'u' AND pg_get_constraintdef(o.oid) LIKE 'UNIQUE NULLS NOT DISTINCT%'
    FROM pg_constraint o JOIN pg_class c ON c.oid = o.conrelid
    LEFT JOIN pg_class f ON f.oid = o.confrelid LEFT JOIN pg_namespace m ON m.oid = f.relnamespace
    WHERE {_TABLES} AND o.conparentid = 0 AND o.contype IN ('p', 'u', 'f', 'c') ORDER BY o.conrelid, o.conname
"""

INDEXES = f"""
    SELECT x.indrelid::bigint, i.relname::text, x.indisunique, m.amname::text, pg_get_expr(x.indpred, x.indrelid),
        k.place <= x.indnkeyatts, k.n <> 0, pg_get_indexdef(x.indexrelid, k.place::int, true), a.attname::text,
        coalesce(x.indoption[k.place - 1], 0)::int, CASE WHEN NOT p.opcdefault THEN p.opcname::text END,
        CASE WHEN b.attcollation IS DISTINCT FROM x.indcollation[k.place - 1] AND l.oid IS NOT NULL
            AND l.collname <> 'default' THEN l.collname::text END,
        -- the column that says it is younger than the oldest server
        x.indisunique AND replace(pg_get_indexdef(x.indexrelid), coalesce(pg_get_expr(x.indpred, x.indrelid), ''), '')
            ~ '\\) NULLS NOT DISTINCT'
    FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class c ON c.oid = x.indrelid
    JOIN pg_am m ON m.oid = i.relam
    CROSS JOIN LATERAL unnest(x.indkey::int2[]) WITH ORDINALITY k(n, place)
    LEFT JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = k.n AND k.n <> 0
    LEFT JOIN pg_attribute b ON b.attrelid = x.indrelid AND b.attnum = k.n AND k.n <> 0
    LEFT JOIN pg_opclass p ON p.oid = x.indclass[k.place - 1] AND k.place <= x.indnkeyatts
    LEFT JOIN pg_collation l ON l.oid = x.indcollation[k.place - 1] AND k.place <= x.indnkeyatts
    WHERE {_TABLES} AND x.indisvalid
        AND NOT EXISTS (SELECT FROM pg_constraint o WHERE o.conindid = x.indexrelid AND o.contype IN ('p', 'u', 'x'))
    ORDER BY x.indrelid, i.relname, k.place
"""

ENUMS = f"""
    SELECT n.nspname::text, t.typname::text, array_agg(e.enumlabel::text ORDER BY e.enumsortorder)
    FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace JOIN pg_enum e ON e.enumtypid = t.oid
    WHERE t.typnamespace = ANY($1::text[]::regnamespace[]::oid[]) AND {_OF_EXTENSIONS.format("t.oid", "'pg_type'")}
    GROUP BY 1, 2 ORDER BY 1, 2
"""

VIEWS = f"""
    SELECT n.nspname::text, c.relname::text, pg_get_viewdef(c.oid), c.relkind = 'm'
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relnamespace = ANY($1::text[]::regnamespace[]::oid[]) AND c.relkind IN ('v', 'm')
        AND {_OF_EXTENSIONS.format("c.oid", "'pg_class'")} ORDER BY 1, 2
"""

QUERIES = (TABLES, COLUMNS, CONSTRAINTS, INDEXES, ENUMS, VIEWS)

_ACTIONS: dict[str, s.Action] = {
    "a": "no_action",
    "r": "restrict",
    "c": "cascade",
    "n": "set_null",
    "d": "set_default",
}

_IDENTITIES: dict[str, s.Identity] = {"a": "always", "d": "by default"}


@dataclass(frozen=True)
class Answers:
    """The rows of every query, and how schemas are called.

    Args:
        schemas: What each schema is called in keys; None for the default one.
    """

    tables: Rows
    columns: Rows
    constraints: Rows
    indexes: Rows
    enums: Rows
    views: Rows
    schemas: Mapping[str, str | None]

    def snapshot(self) -> s.SchemaSnapshot:
        """Gives the schema that the rows tell of."""
        columns, constraints, indexes = map(_by_table, (self.columns, self.constraints, self.indexes))
        tables = tuple(
            self._table(row, columns.get(row[0], ()), constraints.get(row[0], ()), indexes.get(row[0], ()))
            for row in self.tables
        )
        enums = tuple(s.Enum(name, tuple(labels), self.schemas[schema]) for schema, name, labels in self.enums)
        views = tuple(s.View(name, sql.strip(), self.schemas[schema], kept) for schema, name, sql, kept in self.views)
        named = tuple(name for name in self.schemas.values() if name is not None)
        return s.SchemaSnapshot(tables, enums, views, named, "postgresql")

    def _table(self, row: Sequence[Any], columns: Rows, constraints: Rows, indexes: Rows) -> s.Table:
        _, schema, name, comment, partitioned = row
        found = [self._constraint(each) for each in constraints]
        return s.Table(
            name=name,
            schema=self.schemas[schema],
            comment=comment,
            partitioned=partitioned,
            columns=tuple(map(_column, columns)),
            primary_key=next((x for x in found if isinstance(x, s.PrimaryKey)), None),
            foreign_keys=tuple(x for x in found if isinstance(x, s.ForeignKey)),
            uniques=tuple(x for x in found if isinstance(x, s.Unique)),
            checks=tuple(x for x in found if isinstance(x, s.Check)),
            indexes=tuple(_index(list(items)) for _, items in groupby(indexes, key=lambda each: each[1])),
        )

    def _constraint(self, row: Sequence[Any]) -> s.Constraint:
        _, name, kind, columns, schema, target, targets, *rest = row
        delete, update, may, deferred, validated, condition, equal_nulls = rest
        waits: s.Deferrable | None = ("deferred" if deferred else "immediate") if may else None
        if kind == "p":
            return s.PrimaryKey(tuple(columns), name)
        if kind == "u":
            return s.Unique(name, tuple(columns), waits, nulls_distinct=not equal_nulls)
        if kind == "c":
            return s.Check(name, condition, validated)
        return s.ForeignKey(
            name=name,
            columns=tuple(columns),
            target=key_of(target, self.schemas.get(schema, schema)),
            target_columns=tuple(targets),
            on_delete=_ACTIONS[delete],
            on_update=_ACTIONS[update],
            deferrable=waits,
            validated=validated,
        )


def _by_table(rows: Rows) -> dict[int, list[Sequence[Any]]]:
    found: dict[int, list[Sequence[Any]]] = {}
    for row in rows:
        found.setdefault(row[0], []).append(row)
    return found


def _column(row: Sequence[Any]) -> s.Column:
    _, name, type_, nullable, expression, identity, computed, collation, comment, has_sequence, is_enum = row
    serial = has_sequence and not identity and (expression or "").startswith("nextval(")
    return s.Column(
        name=name,
        type=types.enum_type(type_) if is_enum else types.plain(type_),
        nullable=nullable,
        default=None if computed or serial else expression,
        identity="serial" if serial else _IDENTITIES.get(identity),
        computed=expression if computed else None,
        collation=collation,
        comment=comment,
    )


def _index(rows: Sequence[Sequence[Any]]) -> s.Index:
    _, name, unique, method, where, *_ = rows[0]
    return s.Index(
        name=name,
        items=tuple(_items(row for row in rows if row[5])),
        unique=unique,
        method=None if method == "btree" else method,
        where=where,
        include=tuple(row[8] for row in rows if not row[5]),
        nulls_distinct=not rows[0][-1],
    )


def _items(rows: Iterable[Sequence[Any]]) -> Iterable[s.IndexItem]:
    for row in rows:
        _, _, _, method, _, _, plain, definition, column, option, operator_class, collation, _ = row
        descending, first = bool(option & 1), bool(option & 2)
        usual = first == descending or method != "btree"
        yield s.IndexItem(
            column=column if plain else None,
            expression=None if plain else definition,
            descending=descending,
            nulls=None if usual else "first" if first else "last",
            operator_class=operator_class,
            collation=collation,
        )
