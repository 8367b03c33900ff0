"""FROM and WITH: names for everything a SELECT reads, and the joins between it."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from cormorant.errors import QueryError
from cormorant.sql import sources as s
from cormorant.sql.columns import Column
from cormorant.sql.inner import output_names
from cormorant.sql.joins import implied_by, implied_joins, is_optional, required_sources
from cormorant.sql.nullability import shown_in
from cormorant.sql.raw_source import RawSource
from cormorant.sql.scope import ALIAS_BYTES, Scope, free_name
from cormorant.sql.selects import Join, Lock, Select

if TYPE_CHECKING:
    from cormorant.sql.query_compiler import QueryCompiler


class Ctes:
    """The common table expressions of one statement, in the order in which they are defined.

    Args:
        reserved: Names they must not have, in lower case.
    """

    def __init__(self, reserved: frozenset[str] = frozenset()) -> None:
        self.reserved = reserved
        self.names: dict[str, str] = {}
        self.definitions: list[str] = []
        self.recursive = False
        # of the tables that the statement reads, in lower case
        self.tables: set[str] = set()

    def name_of(self, source: s.CteReference) -> str:
        """Gives the name of one; two of the same name are told apart by a number."""
        name = self.names.get(source.key)
        if name is None:
            taken = self.reserved.union(map(str.lower, self.names.values()))
            name = self.names[source.key] = free_name(source.name, taken)
        return name

    @property
    def hidden_tables(self) -> frozenset[str]:
        """The tables the statement reads if one of them has the name of a common table expression, else nothing."""
        hidden = not self.tables.isdisjoint(map(str.lower, self.names.values()))
        return frozenset(self.tables) if hidden else frozenset()

    def with_clause(self) -> str:
        """Gives WITH, or nothing."""
        if not self.definitions:
            return ""
        return f"WITH {'RECURSIVE ' if self.recursive else ''}{', '.join(self.definitions)} "


def from_clause(compiler: QueryCompiler, select: Select, more: tuple[Column[Any], ...] = ()) -> str:
    """Gives FROM's content: the source, the joins that its columns imply, and those that were asked for.

    `more` are columns that what stands around compares with its own.
    """
    for cte in select.ctes:
        define(compiler, cte)
    required = required_sources(select, more)
    outer = {join.source.key for join in select.joins if join.outer and join.source.key not in required}
    compiler.scope.outer = outer
    compiler.scope.missing |= outer
    implied = implied_joins(select, more)
    parts = [_named_source(compiler, select.source), *_implied(compiler, implied[select.source.key], required)]
    for join in select.joins:
        if not isinstance(join.source, s.JoinSource):
            parts.append(_asked(compiler, join, required))
            parts += _implied(compiler, implied[join.source.key], required)
    return " ".join(parts)


def _named_source(compiler: QueryCompiler, source: s.Source) -> str:
    """Gives a table or a subquery in FROM and names it."""
    if isinstance(source, s.SubquerySource):
        inner = _derived(compiler, source)
        alias = compiler.scope.reserve(source.key, source.alias)
        if source.shows:
            restrainer = compiler.restrainer
            compiler.scope.shows.append((alias, shown_in(source, restrainer.in_force, restrainer.lifted)))
        return f"{'LATERAL ' if source.lateral else ''}({inner}) AS {compiler.quote(alias)}"
    if isinstance(source, (s.CteReference, s.CteUse)):
        name = _defined(compiler, source.cte if isinstance(source, s.CteUse) else source)
        alias = source.alias if isinstance(source, s.CteUse) else name
        return _with_alias(compiler, name, compiler.scope.reserve(source.key, alias))
    if isinstance(source, RawSource):
        return _raw(compiler, source)
    assert isinstance(source, s.TableSource)
    return _table(compiler, source.table, compiler.scope.reserve(source.key, source.alias))


def _raw(compiler: QueryCompiler, source: RawSource) -> str:
    """Gives the developer's own SELECT in FROM."""
    inner = source.pieces[0]
    for bind, piece in zip(source.values, source.pieces[1:], strict=True):
        inner += compiler.bind(bind) + piece
    return f"({inner}) AS {compiler.quote(compiler.scope.reserve(source.key, source.alias))}"


def _derived(compiler: QueryCompiler, source: s.SubquerySource) -> str:
    """Gives a subquery in FROM, which sees what is before it only where it is lateral."""
    if source.lateral:
        compiler.need_lateral()
        return compiler.statement_inside(source.select)
    inside = compiler.scope
    compiler.scope = inside.parent or Scope(None)
    try:
        return compiler.statement_inside(source.select)
    finally:
        compiler.scope = inside


def _defined(compiler: QueryCompiler, cte: s.CteReference) -> str:
    """Gives the name of a common table expression, which is defined by now."""
    if isinstance(cte, s.CteSource):
        define(compiler, cte)
    elif cte.key not in compiler.ctes.names:
        raise QueryError(
            f"the rows that {cte.name!r} found so far are read outside of its own step",
            hint="read what .cte(...) gives",
        )
    return compiler.ctes.name_of(cte)


def define(compiler: QueryCompiler, cte: s.CteSource) -> None:
    """Puts a common table expression into WITH, after those it reads; a second time does nothing."""
    if cte.key in compiler.ctes.names:
        return
    name = compiler.ctes.name_of(cte)
    inside, compiler.scope = compiler.scope, Scope(None)
    try:
        sql = compiler.statement_inside(cte.select)
    finally:
        compiler.scope = inside
    hint = "" if cte.materialized is None else "MATERIALIZED " if cte.materialized else "NOT MATERIALIZED "
    columns = f"({', '.join(map(compiler.quote, output_names(cte.select)))}) " if cte.recursive else ""
    compiler.ctes.definitions.append(f"{compiler.quote(name)} {columns}AS {hint}({sql})")
    compiler.ctes.recursive |= cte.recursive


def _implied(compiler: QueryCompiler, sources: list[s.JoinSource], required: Collection[str]) -> list[str]:
    """Gives implied JOINs, but for those that stand already."""
    parts: list[str] = []
    for source in sources:
        if source.key not in compiler.scope.aliases:
            target = next((other for other in sources if other.parent.key == source.key), None) if source.link else None
            parts += _step(compiler, source, required) if target is None else _link(compiler, source, target, required)
    return parts


def _step(compiler: QueryCompiler, source: s.JoinSource, required: Collection[str]) -> list[str]:
    """Gives one implied JOIN."""
    table, on = _reached(compiler, source)
    on += compiler.restricted(source)
    return [f"{_kind(compiler, source, required)} {table} ON {' AND '.join(on)}"]


def _link(compiler: QueryCompiler, source: s.JoinSource, target: s.JoinSource, required: Collection[str]) -> list[str]:
    """Gives the JOINs of links and of what they lead to: a link to what default conditions hide is hidden with it."""
    (table, on), (reached, far) = _reached(compiler, source), _reached(compiler, target)
    on += compiler.restricted(source)
    kind, hiding = _kind(compiler, source, required), compiler.restricted(target)
    if kind == "LEFT JOIN" and hiding:
        return [f"LEFT JOIN ({table} JOIN {reached} ON {' AND '.join(far + hiding)}) ON {' AND '.join(on)}"]
    return [
        f"{kind} {table} ON {' AND '.join(on)}",
        f"{_kind(compiler, target, required)} {reached} ON {' AND '.join(far + hiding)}",
    ]


def _reached(compiler: QueryCompiler, source: s.JoinSource) -> tuple[str, list[str]]:
    """Gives a joined table with its name, and how it hangs on what it is reached from."""
    alias = compiler.scope.reserve(source.key, _alias_of(source))
    on = [
        f"{compiler.quote(alias)}.{compiler.quote(mine)} = {compiler.column_of(source.parent, theirs)}"
        for theirs, mine in source.on
    ]
    return _table(compiler, source.table, alias), on


def _kind(compiler: QueryCompiler, source: s.JoinSource, required: Collection[str]) -> str:
    if source.key in required or not is_optional(source, compiler.scope.is_outer, compiler.restrainer.may_hide):
        return "JOIN"
    compiler.scope.missing.add(source.key)
    return "LEFT JOIN"


def _asked(compiler: QueryCompiler, join: Join, required: Collection[str]) -> str:
    """Gives one JOIN that was asked for; what its own conditions reach from there is joined to it first."""
    source = _named_source(compiler, join.source)
    if beside := implied_by(join):
        # beside it, it is there: only to the whole is it joined from outside
        compiler.scope.outer, outer = compiler.scope.outer - {join.source.key}, compiler.scope.outer
        source = f"({' '.join([source, *_implied(compiler, beside, required)])})"
        compiler.scope.outer = outer
    conditions = [*map(compiler.condition, join.on), *compiler.restricted(join.source)]
    on = " AND ".join(conditions) or "TRUE"
    return f"{'LEFT JOIN' if join.source.key in compiler.scope.outer else 'JOIN'} {source} ON {on}"


def locking(compiler: QueryCompiler, own: s.Source, lock: Lock) -> str:
    """Gives FOR UPDATE or FOR SHARE; `own` is the query's own table."""
    sources = lock.of or ((own,) if len(compiler.scope.aliases) > 1 else ())
    of = f" OF {', '.join(_lockable(compiler, source) for source in sources)}" if sources else ""
    return f" FOR {lock.strength}{of}{' ' if lock.wait else ''}{lock.wait}"


def _lockable(compiler: QueryCompiler, source: s.Source) -> str:
    """Gives the name of what is to be locked.

    Raises:
        QueryError: It is not read, or joined from outside.
    """
    alias = compiler.scope.aliases.get(source.key)
    if alias is None:
        raise QueryError("for_update(of=...) names a table that the query does not read", hint="join it first")
    if source.key in compiler.scope.missing:
        raise QueryError(
            f"for_update(of=...) names {compiler.quote(alias)}, where rows may be missing: none can be locked",
            hint="leave out what has none: .join(Article.editor), or .join(...) instead of .outer_join(...)",
        )
    return compiler.quote(alias)


def _alias_of(source: s.JoinSource) -> str:
    names = [source.name]
    while isinstance(source.parent, s.JoinSource):
        source = source.parent
        names.append(source.name)
    alias = "__".join(reversed(names))
    return alias if len(alias.encode()) <= ALIAS_BYTES else names[0]


def _table(compiler: QueryCompiler, table: str, alias: str) -> str:
    compiler.ctes.tables.add(table.lower())
    return _with_alias(compiler, table, alias)


def _with_alias(compiler: QueryCompiler, table: str, alias: str) -> str:
    return compiler.quote(table) if alias == table else f"{compiler.quote(table)} AS {compiler.quote(alias)}"
