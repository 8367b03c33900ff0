"""What stands in FROM: tables, joined tables, subqueries and common table expressions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cormorant._internal.numbers import Numbers
from cormorant.sql.selectable import SelectLike
from cormorant.sql.shapes import MARK, Shape, repeated
from cormorant.sql.shown import NOTHING, Shows

if TYPE_CHECKING:
    from cormorant.sql.expr import Binds, Key

_numbers = Numbers()


class Source:
    """Where columns come from. Two sources of equal `key` are the same one."""

    __slots__ = ("__weakref__", "key")

    key: str

    @property
    def shape(self) -> Key:
        """The source with its content, as a part of a statement's shape."""
        return self.key

    @property
    def binds(self) -> Binds:
        """The values in it."""
        return ()


class TableSource(Source):
    """A table under one name.

    Args:
        table: The table's name.
        key: Tells this use of the table from others.
        alias: The name it gets in the statement, if it is free; the table's own otherwise.
        entity: What its rows are, for conditions that every use of them gets.
    """

    __slots__ = ("alias", "entity", "table")

    def __init__(self, table: str, key: str, alias: str | None = None, *, entity: Any = None) -> None:
        self.entity: Any = entity
        self.table: str = table
        self.key = key
        self.alias: str = alias or table


class JoinSource(Source):
    """A table reached from another source by equal columns.

    Args:
        parent: The source it hangs on.
        name: The step's name, used for the alias.
        table: The table joined.
        on: Pairs of (column of the parent, column of this table).
        optional: There may be no row: a LEFT JOIN.
        many: There may be several rows.
        entity: What its rows are, for conditions that every use of them gets.
        link: Its rows only lead to those of another table, which is joined to it.
    """

    __slots__ = ("entity", "link", "many", "name", "on", "optional", "parent", "table")

    def __init__(
        self,
        parent: Source,
        name: str,
        table: str,
        on: tuple[tuple[str, str], ...],
        *,
        optional: bool,
        many: bool = False,
        entity: Any = None,
        link: bool = False,
    ) -> None:
        self.entity: Any = entity
        self.link: bool = link
        self.parent: Source = parent
        self.name: str = name
        self.table: str = table
        self.on: tuple[tuple[str, str], ...] = on
        self.optional: bool = optional
        self.many: bool = many
        self.key: str = f"{parent.key}.{name}@{table}({','.join(mine for _, mine in on)})"


class SubquerySource(Source):
    """A SELECT in the place of a table.

    Args:
        select: The statement, each of whose columns has a name.
        alias: The name it gets, if it is free.
        lateral: It may read the tables before it in FROM.
        shows: What it shows, where queries read it as if it were what it selects.
    """

    __slots__ = ("alias", "lateral", "select", "shows")

    def __init__(self, select: SelectLike, alias: str, *, lateral: bool = False, shows: Shows = NOTHING) -> None:
        self.select: SelectLike = select
        self.alias: str = alias
        self.lateral: bool = lateral
        self.shows: Shows = shows
        self.key: str = f"({alias}{MARK}{_numbers.take(self)})"

    @property
    def shape(self) -> Key:
        return (self.key, "lateral" if self.lateral else "", self.select.key)

    @property
    def binds(self) -> Binds:
        return self.select.binds


class CteReference(Source):
    """A common table expression by its name: inside its own definition, where it is recursive.

    Args:
        name: Its name, if it is free.
    """

    __slots__ = ("name",)

    def __init__(self, name: str, key: str | None = None) -> None:
        self.name: str = name
        self.key: str = key or f"(with {name}{MARK}{_numbers.take(self)})"


class CteSource(CteReference):
    """A common table expression with its definition.

    Args:
        reference: How the definition names it.
        select: The definition, each of whose columns has a name.
        recursive: The definition reads itself.
        materialized: Whether it is computed once on its own; None leaves that to the database.
    """

    __slots__ = ("_binds", "_shape", "materialized", "recursive", "reference", "select")

    def __init__(
        self, reference: CteReference, select: SelectLike, *, recursive: bool = False, materialized: bool | None = None
    ) -> None:
        super().__init__(reference.name, reference.key)
        # as long as this lives, nobody else gets its number
        self.reference: CteReference = reference
        self.select: SelectLike = select
        self.recursive: bool = recursive
        self.materialized: bool | None = materialized
        # each value once, and the shape says where it stands: those who read this twice read no more for it
        self._binds: Binds = tuple(dict.fromkeys(select.binds))
        content = (self.key, recursive, materialized, select.key, repeated(select.binds))
        self._shape: Shape = Shape.of(content)

    @property
    def shape(self) -> Key:
        return ("with", self._shape)

    @property
    def binds(self) -> Binds:
        return self._binds


class CteUse(Source):
    """A further use of a common table expression, under another name.

    Args:
        cte: The expression.
        alias: The name it gets, if it is free.
    """

    __slots__ = ("alias", "cte")

    def __init__(self, cte: CteReference, alias: str) -> None:
        self.cte: CteReference = cte
        self.alias: str = alias
        self.key: str = f"(use {alias}{MARK}{_numbers.take(self)})"

    @property
    def shape(self) -> Key:
        return (self.key, self.cte.shape)

    @property
    def binds(self) -> Binds:
        return self.cte.binds


def statement_of(source: Source) -> SelectLike | None:
    """Gives the statement that a source stands for, or None if it is a table."""
    if isinstance(source, CteUse):
        source = source.cte
    return source.select if isinstance(source, (SubquerySource, CteSource)) else None


def aliased(table: str, name: str | None, entity: Any) -> TableSource:
    """Gives a further use of a table, told from every other that lives."""
    source = TableSource(table, "", name, entity=entity)
    source.key = f"{table} {source.alias}{MARK}{_numbers.take(source)}"
    return source


def column_key(source: Source, name: str) -> str:
    """Gives the key of a column: its part of a statement's shape."""
    return f"{source.key}:{name}"


def root_of(source: Source) -> Source:
    """Gives the table a chain of joins starts from."""
    while isinstance(source, JoinSource):
        source = source.parent
    return source
