"""Operations as one database can run them: on SQLite what changes a table that exists becomes one rebuild of it.

PostgreSQL runs them as they are. Only a column that becomes a computed one is made anew, with what stands on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from cormorant.dialects.base import Dialect
from cormorant.schema import column_operations as c
from cormorant.schema import column_types as types
from cormorant.schema import index_operations as i
from cormorant.schema import operations as o
from cormorant.schema import shadow_operations as w
from cormorant.schema import snapshot as s
from cormorant.schema.conversions import Conversion
from cormorant.schema.diff import diff
from cormorant.schema.rebuild import RebuildTable
from cormorant.schema.state import apply, changed_table
from cormorant.schema.views import as_seen

_NEED_REBUILD = (
    o.AddConstraint,
    o.DropConstraint,
    o.RenameConstraint,
    c.DropColumn,
    c.AlterColumn,
    w.UnshadowColumn,
    w.SwapColumn,
    w.UnswapColumn,
)
_NO_TABLE = (o.CreateTable, o.DropTable, o.RenameTable, c.RenameColumn)


def plan(snapshot: s.SchemaSnapshot, operations: Sequence[o.Operation], dialect: Dialect) -> list[o.Operation]:
    """Gives operations in the form that a database can run, in an order in which it can.

    Args:
        snapshot: The schema before the first of them.
        operations: What shall be done.
        dialect: The database's.
    """
    if not dialect.supports_add_constraint:
        return _Rebuilds(snapshot, dialect).put(operations)
    if not any(map(begins_to_compute, operations)):
        return list(operations)
    return list(_computed_anew(snapshot, operations))


def begins_to_compute(operation: o.Operation) -> bool:
    """Whether a column becomes a computed one: what PostgreSQL does for that, only the schema before tells."""
    return isinstance(operation, c.AlterColumn) and operation.begins_to_compute


def _computed_anew(state: s.SchemaSnapshot, operations: Iterable[o.Operation]) -> Iterator[o.Operation]:
    for operation in operations:
        before, state = state, apply(state, operation)
        # what stands on the column would go with it, without a word
        yield from diff(before, state) if begins_to_compute(operation) else (operation,)


class _Rebuilds:
    """Holds back what changes a table until all of it is known."""

    def __init__(self, snapshot: s.SchemaSnapshot, dialect: Dialect) -> None:
        self.state = snapshot
        self.dialect = dialect
        self.made: list[o.Operation] = []
        # by table, what it was when it was first held back, and what its columns' values come from
        self.held: dict[str, s.Table] = {}
        self.using: dict[str, dict[str, str | Conversion]] = {}

    def put(self, operations: Iterable[o.Operation]) -> list[o.Operation]:
        for operation in operations:
            self._put(operation)
        for key in list(self.held):
            self._let_go(key)
        return self.made

    def _put(self, operation: o.Operation) -> None:
        key = operation.touched
        if self._joins_creation(operation):
            self.state = apply(self.state, operation)
            return
        if key in self.held and isinstance(operation, _NO_TABLE):
            self._let_go(key)
        table = self.state.table(key)
        if table is not None and key not in self.held and self._needs_rebuild(operation):
            self.held[key] = table
        if key in self.held and not isinstance(operation, _NO_TABLE):
            self._note_values(key, operation)
        elif isinstance(operation, (o.RenameTable, c.RenameColumn)):
            self._rename(operation, table)
        else:
            self._free_names(operation)
            self.made.append(operation)
        self.state = apply(self.state, operation)
        if isinstance(operation, o.RenameTable) and table is not None:
            # it is PostgreSQL that gives primary keys the name of their table, by which they go on being called
            kept = table.primary_key
            self.state = changed_table(self.state, operation.new, lambda found: replace(found, primary_key=kept))

    def _free_names(self, operation: o.Operation) -> None:
        """Lets go of tables that give up, and have not yet given up, the names of indexes which are made now."""
        made = _index_names(operation.table) if isinstance(operation, o.CreateTable) else frozenset[str]()
        if isinstance(operation, i.CreateIndex):
            made = frozenset({operation.index.name})
        for key in [key for key, table in self.held.items() if not made.isdisjoint(_index_names(table))]:
            self._let_go(key)

    def _rename(self, operation: o.RenameTable | c.RenameColumn, table: s.Table | None) -> None:
        """Puts a rename down; the words of texts are kept under the old name, and must be kept anew."""
        searches = () if table is None else table.searches
        self.made += [i.DropSearchIndex(operation.touched, search) for search in searches]
        self.made.append(operation)
        key = operation.new if isinstance(operation, o.RenameTable) else operation.table
        after = apply(self.state, operation).table(key)
        self.made += [i.CreateSearchIndex(key, search) for search in (() if after is None else after.searches)]

    def _joins_creation(self, operation: o.Operation) -> bool:
        """Puts a constraint into the CREATE TABLE of this list: SQLite lets a foreign key point to what comes later."""
        if not isinstance(operation, o.AddConstraint):
            return False
        for place, made in enumerate(self.made):
            if isinstance(made, o.CreateTable) and made.table.key == operation.table:
                whole = apply(s.SchemaSnapshot((made.table,)), operation).tables[0]
                self.made[place] = o.CreateTable(whole)
                return True
        return False

    def _needs_rebuild(self, operation: o.Operation) -> bool:
        if isinstance(operation, c.AddColumn):
            return not c.can_be_added(self.dialect, operation.column)
        return isinstance(operation, _NEED_REBUILD)

    def _note_values(self, key: str, operation: o.Operation) -> None:
        using = self.using.setdefault(key, {})
        if isinstance(operation, (c.AlterColumn, w.SwapColumn, w.UnswapColumn)):
            name = operation.after.name
            value = self._converted(operation, using.get(name))
            # a column of this list of operations has no values yet
            if isinstance(value, str) or self.held[key].column(name) is not None:
                using[name] = value
        elif isinstance(operation, (c.DropColumn, c.AddColumn)):
            using.pop(operation.column.name, None)
            if isinstance(operation, c.AddColumn):
                self._forget_old(key, operation.column.name)

    def _converted(
        self, operation: c.AlterColumn | w.SwapColumn | w.UnswapColumn, so_far: str | Conversion | None
    ) -> str | Conversion:
        """Gives what makes the new value of a row."""
        before, after = operation.before, operation.after
        if isinstance(operation, w.UnswapColumn):
            before, after = after, before
        elif operation.using is not None:
            return s.said(operation.using, self.dialect.name)
        if isinstance(so_far, Conversion):
            return so_far.then(after.type, self._labels(before, after))
        return so_far or Conversion(after.name, (before.type, after.type), self._labels(before, after))

    def _labels(self, before: s.Column, after: s.Column) -> tuple[str, ...] | None:
        """Gives the values of the enum type that a column gets; SQLite knows only of one made in these operations."""
        if types.plain(before.type) == types.plain(after.type) or after.type.endswith("[]"):
            return None
        name = types.enum_of(after.type)
        return next((enum.labels for enum in self.state.enums if enum.name == name), None)

    def _forget_old(self, key: str, name: str) -> None:
        """Keeps the values of a dropped column from coming back in one that is added under its name."""
        table = self.held[key]
        column = table.column(name)
        if column is not None and column.computed is None:
            kept = tuple(each for each in table.columns if each.name != name)
            self.held[key] = replace(table, columns=kept)

    def _let_go(self, key: str) -> None:
        before, after = self.held.pop(key), self.state.table(key)
        values = self.using.pop(key, {})
        using = tuple((name, value) for name, value in values.items() if isinstance(value, str))
        made = (value for value in values.values() if isinstance(value, Conversion) and value.is_needed)
        conversions = tuple(made)
        if after is not None and (using or conversions or not _same(before, after, self.dialect)):
            self.made.append(RebuildTable(before, after, using, conversions))


def _index_names(table: s.Table) -> frozenset[str]:
    return frozenset(index.name for index in table.indexes) | {search.name for search in table.searches}


def _same(one: s.Table, other: s.Table, dialect: Dialect) -> bool:
    first, second = (as_seen(s.SchemaSnapshot((table,)), dialect.name) for table in (one, other))
    return first == second and one.searches == other.searches
