"""The operations that turn one schema into another, in an order in which they can be run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TypeAlias

from cormorant._internal.topological import CycleError, sort
from cormorant.schema import column_operations as c
from cormorant.schema import column_types as types
from cormorant.schema import index_operations as i
from cormorant.schema import operations as o
from cormorant.schema import snapshot as s
from cormorant.schema.matching import Named, same_sql
from cormorant.schema.names import short
from cormorant.schema.renames import renames
from cormorant.schema.state import apply
from cormorant.schema.table_diff import TableDiff, reads
from cormorant.schema.views import as_seen


def diff(old: s.SchemaSnapshot, new: s.SchemaSnapshot) -> list[o.Operation]:
    """Gives the operations that turn `old` into `new`; none if they say the same.

    If one of the two is a database's, they are compared as that database has them; compare with a PostgreSQL only what
    went through `SchemaBuilder.normalised`, as it words expressions its own way. A table or column is renamed where the
    new one says `renamed_from`, and the old schema has that name and not yet the new one; another new table or column
    may have the old name from then on. Foreign keys and primary keys may have any name: they get the wanted one with
    a rename of their table or columns, or where another one needs theirs. Views, triggers and partitions are left
    alone.

    Args:
        old: The schema as it is.
        new: The schema as it shall be.

    Example:
        >>> [operation.describe() for operation in diff(old, new)]
        ['rename column article.headline to title', 'add column article.views integer not null']
    """
    dialect = old.dialect or new.dialect
    if dialect is not None:
        old, new = as_seen(old, dialect), as_seen(new, dialect)
    renames = _renames(old, new)
    moved = apply(old, *renames)
    steps = _Steps(old, moved, new)
    return [*steps.types_before(), *renames, *steps.tables(), *steps.types_after()]


def _renames(old: s.SchemaSnapshot, new: s.SchemaSnapshot) -> list[o.Operation]:
    pairs = renames([table.key for table in old.tables], _former_names(old, new), "tables")
    made: list[o.Operation] = [o.RenameTable(*pair) for pair in pairs]
    state = apply(old, *made)
    for table in new.tables:
        was = state.table(table.key)
        made += [] if was is None else _renamed_columns(was, table)
    while following := _renamed_keys(apply(old, *made), new, made):
        made += following
    return made


def _renamed_keys(old: s.SchemaSnapshot, new: s.SchemaSnapshot, made: Iterable[o.Operation]) -> list[o.Operation]:
    """Gives the renames of key columns that are called after a column which is renamed: no model can say those.

    They are the columns of tables of links, and of relations to keys of several columns.
    """
    former = {(step.table, step.new): step.old for step in made if isinstance(step, c.RenameColumn)}
    found: list[o.Operation] = []
    for table in new.tables:
        was = old.table(table.key)
        if was is None:
            continue
        for key in table.foreign_keys:
            kept = {name for each in was.foreign_keys if each.target == key.target for name in each.columns}
            free = kept.difference(column.name for column in table.columns)
            for name, target in zip(key.columns, key.target_columns, strict=True):
                ending, column = former.get((key.target, target)), table.column(name)
                if ending is None or column is None or was.column(name) is not None:
                    continue
                # by the name that its model has, or had when it was renamed in the same release
                stems = [each.removesuffix(target) for each in (column.renamed_from, name) if each is not None]
                before = next((stem + ending for stem in stems if stem + ending in free), None)
                found += [] if before is None else [c.RenameColumn(table.key, before, name)]
    return found


def _former_names(old: s.SchemaSnapshot, new: s.SchemaSnapshot) -> dict[str, str | None]:
    """Gives the former names of tables, but of links only where they are theirs still.

    A table of links has the former name of the model that has them. Where that one was renamed long ago, there may be
    links of that name which are those of another model.
    """
    said = {table.key: table.renamed_from for table in new.tables}
    there = {table.key for table in old.tables}
    for table in new.tables:
        owners = [key.target for key in table.foreign_keys if said.get(key.target) is not None]
        links = {name for key in table.foreign_keys for name in key.columns} == {each.name for each in table.columns}
        if links and owners and said[table.key] in said and there.issuperset(owners):
            said[table.key] = None
    return said


def _renamed_columns(old: s.Table, new: s.Table) -> list[o.Operation]:
    said = {column.name: column.renamed_from for column in new.columns}
    pairs = renames([column.name for column in old.columns], said, f"columns of {new.key}")
    return [c.RenameColumn(new.key, *pair) for pair in pairs]


class _Steps:
    """Sorts what differs into stages: what is in the way goes first, what stands on others comes last."""

    def __init__(self, before: s.SchemaSnapshot, old: s.SchemaSnapshot, new: s.SchemaSnapshot) -> None:
        # as it is, and with everything under its new name
        self.before, self.old, self.new = before, old, new
        swapped = frozenset(change.before.name for change in self._enum_changes() if change.swaps)
        pairs = [(was, table) for table in new.tables if (was := old.table(table.key)) is not None]
        self.diffs = [TableDiff(was, table, swapped) for was, table in pairs]
        self.created = [table for table in new.tables if old.table(table.key) is None]
        self.dropped = [table for table in old.tables if new.table(table.key) is None]

    # ---- schemas and enum types

    def types_before(self) -> Iterable[o.Operation]:
        """Gives what must be there before tables change."""
        yield from (o.CreateSchema(name) for name in self.new.schemas if name not in self.old.schemas)
        yield from (i.CreateEnum(enum) for enum in self.new.enums if self.old.enum(enum.key) is None)
        yield from (change for change in self._enum_changes() if not change.swaps)

    def types_after(self) -> Iterable[o.Operation]:
        """Gives what can go when no table needs it any more."""
        yield from (i.DropEnum(enum) for enum in self.old.enums if self.new.enum(enum.key) is None)
        yield from (o.DropSchema(name) for name in self.old.schemas if name not in self.new.schemas)

    def _enum_changes(self) -> list[i.AlterEnum]:
        made: list[i.AlterEnum] = []
        for enum in self.new.enums:
            was = self.old.enum(enum.key)
            if was is None or was.labels == enum.labels:
                continue
            change = i.AlterEnum(was, enum)
            # values are added before anything is renamed; the way back takes them away when nothing is any more
            pairs = [*self._uses(enum)] if change.swaps else []
            uses = [after for _, after in pairs] if change.swaps else _uses_before(self.before, enum)
            over = () if change.swaps else _over(self.before, enum)
            back = tuple(before for before, _ in pairs)
            made.append(i.AlterEnum(was, enum, (*uses,), (*over,), () if back == (*uses,) else back))
        return made

    def _uses(self, enum: s.Enum) -> Iterable[tuple[tuple[str, s.Column], tuple[str, s.Column]]]:
        """Gives the columns of a type that is made anew, each with the default that it has before and afterwards."""
        for table in self.new.tables:
            was = self.old.table(table.key)
            for column in () if was is None else was.columns:
                after = table.column(column.name)
                if after is None or column.computed is not None:
                    continue
                if types.enum_of(column.type) == enum.name:
                    same = types.plain(after.type) == types.plain(column.type)
                    default = column.default if same_sql(column.default, after.default) else None
                    was_default = replace(column, default=default)
                    yield (table.key, was_default), (table.key, replace(column, default=default if same else None))

    # ---- tables

    def tables(self) -> Iterable[o.Operation]:
        """Gives what changes tables, stage by stage."""
        made, waiting = self._created()
        elsewhere = self._keys_in_the_way()
        for each in self.diffs:
            yield from (o.DropConstraint(each.new.key, key) for key in each.foreign_keys(elsewhere).gone)
        yield from self._dropped()
        yield from self._out_of_the_way()
        yield from in_turn(self._renamed_parts(elsewhere))
        yield from self._columns_gone()
        for each in self.diffs:
            yield from (c.AlterColumn(each.new.key, *pair) for pair in each.bared)
        # tables that are new want the new types
        yield from (change for change in self._enum_changes() if change.swaps)
        yield from made
        yield from self._columns()
        yield from self._parts()
        yield from waiting
        yield from self._foreign_keys(elsewhere)
        for each in self.diffs:
            if each.old.comment != each.new.comment:
                yield o.CommentTable(each.new.key, each.old.comment, each.new.comment)

    def _keys_in_the_way(self) -> frozenset[s.ForeignKey]:
        """Gives the foreign keys whose target changes what they stand on."""
        lost: dict[str, list[tuple[str, ...]]] = {each.new.key: each.lost_keys() for each in self.diffs}
        moved = {each.new.key: each.disturbed for each in self.diffs}
        return frozenset(
            key
            for each in self.diffs
            for key in each.old.foreign_keys
            if not moved.get(key.target, frozenset()).isdisjoint(key.target_columns)
            or any(set(columns) == set(key.target_columns) for columns in lost.get(key.target, ()))
        )

    def _out_of_the_way(self) -> Iterable[o.Operation]:
        for each in self.diffs:
            yield from (i.DropSearchIndex(each.new.key, search) for search in each.searches().gone)
            yield from (i.DropIndex(each.new.key, index) for index in each.indexes().gone)
            yield from (o.DropConstraint(each.new.key, check) for check in each.checks().gone)
            yield from (o.DropConstraint(each.new.key, unique) for unique in each.uniques().gone)
            if each.key_changes() and each.old.primary_key is not None:
                yield o.DropConstraint(each.new.key, each.old.primary_key)

    def _dropped(self) -> Iterable[o.Operation]:
        """Gives the drops of tables, children first; of rings, a foreign key goes before."""
        ordered, broken = in_order(self.dropped)
        keys = frozenset(key for keys in broken.values() for key in keys)
        for table in self.dropped:
            yield from (o.DropConstraint(table.key, key) for key in broken.get(table.key, ()))
        for table in reversed(ordered):
            kept = tuple(key for key in table.foreign_keys if key not in keys)
            yield o.DropTable(replace(table, foreign_keys=kept))

    def _renamed_parts(self, elsewhere: frozenset[s.ForeignKey]) -> Iterable[Rename]:
        for each in self.diffs:
            pairs: list[tuple[Named, Named]] = [*each.uniques().kept, *each.checks().kept]
            for was, now in pairs:
                if _is_renamed_part(was, now) and not _is_named_by_database(each.old, was):
                    yield o.RenameConstraint(each.new.key, was.name, now.name)
            for index, after in each.indexes().kept:
                if _is_renamed_part(index, after):
                    yield i.RenameIndex(each.new.key, index, after.name)
            for key, wanted in each.foreign_keys(elsewhere).kept:
                if self._takes_name(each, key, wanted):
                    yield o.RenameConstraint(each.new.key, key.name, wanted.name)
            yield from self._renamed_primary_key(each)

    def _renamed_primary_key(self, each: TableDiff) -> Iterable[Rename]:
        """Gives the rename of a primary key that has the name which that of a new table gets."""
        key, table = each.old.primary_key, each.new
        if key is not None and table.primary_key is not None and not each.key_changes():
            wanted = {o.default_name(new.key, new.primary_key) for new in self.created if new.primary_key is not None}
            if key.name in wanted:
                yield o.RenameConstraint(table.key, key.name, o.default_name(table.key, table.primary_key))

    def _takes_name(self, each: TableDiff, was: s.ForeignKey, now: s.ForeignKey) -> bool:
        """Whether a foreign key that stays gets the wanted name: with a rename, or where another one wants its own."""
        if not _is_renamed_part(was, now) or [key.name for key in each.old.foreign_keys].count(was.name) > 1:
            return False
        if any(key.name == was.name for key in each.new.foreign_keys):
            return True
        # a rename leaves tables, and the foreign keys of each, in their order
        before = next(x for x, after in zip(self.before.tables, self.old.tables, strict=True) if after is each.old)
        former = before.foreign_keys[each.old.foreign_keys.index(was)]
        by_database = was.name == o.default_name(before.key, former)
        return (before.key, former.columns) != (each.new.key, was.columns) and not by_database

    def _created(self) -> tuple[list[o.Operation], list[o.Operation]]:
        """Gives the new tables, parents first, and the foreign keys of theirs that must wait."""
        ordered, broken = in_order(self.created)
        made: list[o.Operation] = []
        waiting: list[o.Operation] = []
        changing = {each.new.key for each in self.diffs if each.disturbed or each.changes_keys()}
        for table in ordered:
            late = [key for key in table.foreign_keys if key in broken.get(table.key, ()) or key.target in changing]
            kept = tuple(key for key in table.foreign_keys if key not in late)
            made.append(o.CreateTable(replace(table, foreign_keys=kept)))
            waiting += [o.AddConstraint(table.key, key) for key in late]
        return made, waiting

    def _columns_gone(self) -> Iterable[o.Operation]:
        for each in self.diffs:
            gone = [column for column in each.old.columns if column.name in each.gone]
            for column in sorted(gone, key=lambda column: column.computed is None):
                yield c.DropColumn(each.new.key, column)

    def _columns(self) -> Iterable[o.Operation]:
        for each in self.diffs:
            yield from (c.AlterColumn(each.new.key, *pair) for pair in each.altered)
            again = [column for column in each.new.columns if column.name in each.redone]
            # what is computed reads columns that must be there
            for column in sorted([*each.added, *again], key=lambda column: column.computed is not None):
                yield c.AddColumn(each.new.key, column)

    def _parts(self) -> Iterable[o.Operation]:
        for each in self.diffs:
            if each.key_changes() and each.new.primary_key is not None:
                yield o.AddConstraint(each.new.key, each.new.primary_key)
            yield from (o.AddConstraint(each.new.key, unique) for unique in each.uniques().made)
            yield from (o.AddConstraint(each.new.key, check) for check in each.checks().made)
            for was, now in each.checks().kept:
                if now.validated and not was.validated:
                    yield o.ValidateConstraint(each.new.key, now)
            yield from (i.CreateIndex(each.new.key, index) for index in each.indexes().made)
            yield from (i.CreateSearchIndex(each.new.key, search) for search in each.searches().made)

    def _foreign_keys(self, elsewhere: frozenset[s.ForeignKey]) -> Iterable[o.Operation]:
        for each in self.diffs:
            pairs = each.foreign_keys(elsewhere)
            yield from (o.AddConstraint(each.new.key, key) for key in pairs.made)
            for was, now in pairs.kept:
                if now.validated and not was.validated:
                    name = now.name if self._takes_name(each, was, now) else was.name
                    yield o.ValidateConstraint(each.new.key, replace(was, name=name))


def _uses_before(schema: s.SchemaSnapshot, enum: s.Enum) -> Iterable[tuple[str, s.Column]]:
    for table in schema.tables:
        yield from ((table.key, column) for column in table.columns if types.enum_of(column.type) == enum.name)


def _over(schema: s.SchemaSnapshot, enum: s.Enum) -> Iterable[tuple[str, s.Check | s.Index]]:
    """Gives the checks and indexes that compare an enum's values."""
    for table in schema.tables:
        names = frozenset(column.name for column in table.columns if types.enum_of(column.type) == enum.name)
        yield from ((table.key, check) for check in table.checks if reads(check.condition, names))
        for index in table.indexes:
            expressions = [index.where, *(item.expression for item in index.items)]
            if any(reads(each, names) for each in expressions):
                yield table.key, index


Rename: TypeAlias = o.RenameConstraint | i.RenameIndex


def in_turn(renames: Iterable[Rename]) -> Iterable[Rename]:
    """Gives renames in an order in which each new name is free; of those that change places, one by a third name."""
    left = list(renames)
    while left:
        taken = [_former_name(each) for each in left]
        free = next((each for each in left if each.new not in taken or each.new == _former_name(each)), None)
        if free is not None:
            left.remove(free)
            yield free
            continue
        aside = short(taken[0], "__before")
        yield replace(left[0], new=aside)
        left[0] = _from(left[0], aside)


def _former_name(rename: Rename) -> str:
    return rename.index.name if isinstance(rename, i.RenameIndex) else rename.old


def _from(rename: Rename, name: str) -> Rename:
    if isinstance(rename, i.RenameIndex):
        return replace(rename, index=replace(rename.index, name=name))
    return replace(rename, old=name)


def _is_renamed_part(old: Named, new: Named) -> bool:
    return bool(old.name and new.name) and old.name != new.name


def _is_named_by_database(table: s.Table, part: Named) -> bool:
    """Whether a constraint has the name that PostgreSQL gives to one that was declared without."""
    return isinstance(part, s.Unique) and part.name == o.default_name(table.key, part)


def in_order(tables: Iterable[s.Table]) -> tuple[list[s.Table], dict[str, list[s.ForeignKey]]]:
    """Gives tables parents first, and for rings the foreign keys that cannot be there at once, by table."""
    by_key = {table.key: table for table in tables}
    broken: dict[str, list[s.ForeignKey]] = {}
    while True:
        needs = {
            key: [x.target for x in table.foreign_keys if x not in broken.get(key, ())] for key, table in by_key.items()
        }
        try:
            return [by_key[key] for key in sort(by_key, needs)], broken
        except CycleError as error:
            table, target = by_key[str(error.cycle[0])], error.cycle[1]
            broken.setdefault(table.key, []).extend(key for key in table.foreign_keys if key.target == target)
