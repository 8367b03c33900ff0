"""Whether the models of one release work on the schema of the next; pure functions over snapshots."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from cormorant.dialects.base import Dialect
from cormorant.migrations.safety.findings import Finding, Level, Rule
from cormorant.schema import column_types as types
from cormorant.schema import snapshot as s
from cormorant.schema.matching import match, same_check, same_key, same_unique
from cormorant.schema.operations import constraint_words
from cormorant.schema.table_diff import reads
from cormorant.schema.views import as_seen

_LATER = "drop it one release after the one that stops using it"
_BOTH = "keep the old one beside the new one for a release that writes both, and drop it in the release after that"


def compatibility(models: s.SchemaSnapshot, schema: s.SchemaSnapshot, dialect: Dialect | None = None) -> list[Finding]:
    """Gives what would fail, or go wrong, where the models of one release work on the schema of another one.

    An error is sure to fail: what the release reads or writes is not there, or takes no such values. A warning may: it
    depends on the values that are written.

    Args:
        models: The schema that the release's models want, `history.state("0007_stars")` or `SchemaBuilder.wanted()`.
        schema: The schema that they meet.
        dialect: The database's, if only what it knows shall count; else types and lengths are PostgreSQL's.

    Example:
        >>> for finding in compatibility(history.state("0007_stars"), history.state()):
        ...     print(finding.level, finding.operation)
        error drop column article.headline
    """
    if dialect is not None:
        models, schema = as_seen(models, dialect.name), as_seen(schema, dialect.name)
    found: list[Finding] = []
    known = {table.key for table in models.tables}
    # a release that knows the new name is from after the rename, whoever has the former one now
    renamed = {each.renamed_from: each.key for each in schema.tables if each.renamed_from and each.key not in known}
    tables = {table.key: table for table in schema.tables}
    for table in models.tables:
        now = tables.get(table.key)
        if now is None:
            found.append(_table_gone(table, renamed))
        elif now is not table:
            table = _pointing(table, renamed)
            found += [*_columns(table, now), *_constraints(table, now)]
    return [*found, *_enums(models, schema)]


def _pointing(table: s.Table, renamed: Mapping[str, str]) -> s.Table:
    """Gives a table whose foreign keys follow the tables that have another name."""
    keys = (replace(key, target=renamed.get(key.target, key.target)) for key in table.foreign_keys)
    return replace(table, foreign_keys=tuple(keys))


def _finding(level: Level, rule: Rule, what: str, why: str, advice: str = "") -> Finding:
    return Finding(level, rule, what, why, advice=advice)


def _table_gone(table: s.Table, renamed: Mapping[str, str]) -> Finding:
    if table.key in renamed:
        return _renamed("renames-table", table.key, renamed[table.key])
    why = "the release that runs reads and writes it"
    return _finding("error", "drops-table", f"drop table {table.key}", why, _LATER)


def _renamed(rule: Rule, old: str, new: str) -> Finding:
    why = "the release that runs knows the old name alone"
    return _finding("error", rule, f"rename {rule.partition('-')[2]} {old} to {new}", why, _BOTH)


# ------------------------------------------------------------------ columns


def _columns(old: s.Table, new: s.Table) -> Iterator[Finding]:
    for column in old.columns:
        now = new.column(column.name)
        if now is None:
            yield _column_gone(old, column, new)
        elif now != column:
            yield from _column_changed(f"{old.key}.{column.name}", column, now)
    for column in new.columns:
        if old.column(column.name) is None:
            yield from _column_new(new, column, old)


def _column_gone(table: s.Table, column: s.Column, new: s.Table) -> Finding:
    now = next((each.name for each in new.columns if each.renamed_from == column.name), None)
    if now is not None and table.column(now) is None:
        return _renamed("renames-column", f"{table.key}.{column.name}", now)
    why = "the release that runs reads and writes it"
    return _finding("error", "drops-column", f"drop column {table.key}.{column.name}", why, _LATER)


def _column_new(table: s.Table, column: s.Column, old: s.Table) -> Iterator[Finding]:
    given = column.nullable or column.default is not None or column.identity is not None or column.computed is not None
    if given or any(each.renamed_from is None and column.renamed_from == each.name for each in old.columns):
        return
    why = "the release that runs does not name it when it inserts, and nothing else gives it a value"
    advice = "give it a default of the database, field(server_default=...), until that release is gone"
    yield _finding("error", "no-default", f"add column {table.key}.{column.name} not null", why, advice)


def _column_changed(name: str, old: s.Column, new: s.Column) -> Iterator[Finding]:
    yield from _type_changed(name, old, new)
    if old.nullable and not new.nullable:
        why = "the release that runs may write NULL"
        yield _finding("error", "not-null", f"column {name} not null", why, "let a release write values first")
    if new.nullable and not old.nullable:
        why = "the release that runs may read NULL where it knows of none"
        yield _finding(
            "warning", "nullable", f"column {name} may be null", why, "write no NULL before that release is gone"
        )
    if _gives_value(old) and not _gives_value(new) and not new.nullable:
        why = "the release that runs leaves the value to the database"
        yield _finding("error", "no-default", f"column {name} without a default", why, "keep the default for a release")
    if (new.computed is not None and old.computed is None) or (new.identity == "always" and old.identity != "always"):
        why = "the release that runs may write it, and the database makes the value by itself"
        yield _finding("error", "made-by-database", f"column {name} made by the database", why, _BOTH)


def _gives_value(column: s.Column) -> bool:
    return column.default is not None or column.identity is not None or column.computed is not None


def _type_changed(name: str, old: s.Column, new: s.Column) -> Iterator[Finding]:
    before, after = types.plain(old.type), types.plain(new.type)
    if before == after:
        return
    what = f"column {name} from {before} to {after}"
    if not _takes_the_same(before, after):
        why = "the release that runs reads and writes values of the old type"
        yield _finding("error", "other-type", what, why, _BOTH)
    elif types.is_narrower(before, after):
        why = "the release that runs may write values that do not fit"
        yield _finding("warning", "narrower-type", what, why, "let a release keep to the new limits first")


def _takes_the_same(before: str, after: str) -> bool:
    one, other = types.base(before), types.base(after)
    return one == other or types.related(before, after)


# ------------------------------------------------------------------ constraints and enums


def _constraints(old: s.Table, new: s.Table) -> Iterator[Finding]:
    known = frozenset(column.name for column in old.columns)
    if old.primary_key != new.primary_key:
        why = "the release that runs finds, updates and deletes rows by the key that it knows"
        yield _finding(
            "error", "other-key", f"primary key of {old.key}", why, "add a unique constraint beside it instead"
        )
    for check in match(old.checks, new.checks, same_check).made:
        if reads(check.condition, known):
            yield _refused(old, check)
    for unique in match(old.uniques, new.uniques, same_unique).made:
        if known.issuperset(unique.columns):
            yield _refused(old, unique)
    for key in match(old.foreign_keys, new.foreign_keys, same_key).made:
        if known.issuperset(key.columns):
            yield _refused(old, key)
    yield from _unique_indexes(old, new, known)
    yield from _uniques_gone(old, new)


def _refused(table: s.Table, constraint: s.Check | s.Unique | s.ForeignKey) -> Finding:
    rule: Rule = "new-foreign-key"
    if not isinstance(constraint, s.ForeignKey):
        rule = "new-check" if isinstance(constraint, s.Check) else "new-unique"
    why = "the release that runs may write what it refuses"
    what = f"add {constraint_words(constraint)} to {table.key}"
    return _finding("warning", rule, what, why, "let a release keep to it first")


def _unique_indexes(old: s.Table, new: s.Table, known: frozenset[str]) -> Iterator[Finding]:
    had = {index.items for index in old.indexes if index.unique}
    for index in new.indexes:
        if index.unique and index.items not in had and known.issuperset(_plain(index.items)):
            yield _refused(old, s.Unique(index.name, tuple(_plain(index.items))))


def _plain(items: Iterable[s.IndexItem]) -> list[str]:
    return [item.column for item in items if item.column is not None]


def _uniques_gone(old: s.Table, new: s.Table) -> Iterator[Finding]:
    kept = [set(unique.columns) for unique in new.uniques]
    kept += [set(_plain(index.items)) for index in new.indexes if index.unique]
    kept += [set(new.primary_key.columns)] if new.primary_key is not None else []
    for unique in old.uniques:
        if set(unique.columns) not in kept and all(new.column(name) is not None for name in unique.columns):
            why = "an upsert of the release that runs may stand on it"
            yield _finding("warning", "unique-gone", f"drop {constraint_words(unique)} of {old.key}", why, _LATER)


def _enums(models: s.SchemaSnapshot, schema: s.SchemaSnapshot) -> Iterator[Finding]:
    for enum in models.enums:
        now = schema.enum(enum.key)
        labels = () if now is None else now.labels
        gone = [label for label in enum.labels if label not in labels]
        new = [label for label in labels if label not in enum.labels]
        if now is None:
            why = "the release that runs names the type"
            yield _finding("error", "enum-gone", f"drop enum {enum.key}", why, _LATER)
        elif gone:
            why = "the release that runs may write them"
            what = f"enum {enum.key} without {', '.join(gone)}"
            yield _finding(
                "error", "enum-value-gone", what, why, "let a release write them no more, and correct rows, first"
            )
        if new:
            why = "the release that runs does not know them when it reads them"
            what = f"enum {enum.key} with {', '.join(new)}"
            yield _finding("warning", "enum-value-new", what, why, "write them only when that release is gone")
