"""FROM and WITH: names for everything a SELECT reads, and the joins between it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cormorant.errors import QueryError
from cormorant.sql import sources as s
from cormorant.sql.columns import Column
from cormorant.sql.joins import implied_joins, is_optional, required_sources
from cormorant.sql.scope import Scope
from cormorant.sql.selectable import SelectLike
from cormorant.sql.selects import Join, Select

if TYPE_CHECKING:
    from cormorant.sql.query_compiler import QueryCompiler

ALIAS_LENGTH = 50


class Ctes:
    """The common table expressions of one statement, in the order in which they are defined."""

    def __init__(self) -> None:
        self.names: dict[str, str] = {}
        self.definitions: list[str] = []
        self.recursive = False

    def name_of(self, source: s.CteReference) -> str:
        """Gives the name of one; two of the same name are told apart by a number."""
        name = self.names.get(source.key)
        if name is None:
            name, number = source.name, 2
            while name in self.names.values():
                name, number = f"{source.name}_{number}", number + 1
            self.names[source.key] = name
        return name

    def with_clause(self) -> str:
        """Gives WITH, or nothing."""
        if not self.definitions:
            return ""
        return f"WITH {'RECURSIVE ' if self.recursive else ''}{', '.join(self.definitions)} "


def from_clause(compiler: QueryCompiler, select: Select, more: tuple[Column[Any], ...] = ()) -> str:
    """Gives FROM's content: the source, the joins that its columns and `more` imply, and those that were asked for."""
    for cte in select.ctes:
        define(compiler, cte)
    compiler.outer |= {join.source.key for join in select.joins if join.outer}
    implied, required = implied_joins(select, more), required_sources(select)
    parts = [_named_source(compiler, select.source)]
    parts += [_implied(compiler, source, required) for source in implied[s.root_of(select.source).key]]
    for join in select.joins:
        if not isinstance(join.source, s.JoinSource):
            parts.append(_asked(compiler, join))
            parts += [_implied(compiler, source, required) for source in implied[join.source.key]]
    return " ".join(parts)


def _named_source(compiler: QueryCompiler, source: s.Source) -> str:
    """Gives a table or a subquery in FROM and names it."""
    if isinstance(source, s.SubquerySource):
        inner = _derived(compiler, source)
        alias = compiler.scope.reserve(source.key, source.alias)
        compiler.scope.shows |= {key: (alias, name) for key, name in source.shows.items()}
        return f"{'LATERAL ' if source.lateral else ''}({inner}) AS {compiler.quote(alias)}"
    if isinstance(source, s.CteReference):
        if isinstance(source, s.CteSource):
            define(compiler, source)
        name = compiler.ctes.name_of(source)
        return _with_alias(compiler, name, compiler.scope.reserve(source.key, name))
    assert isinstance(source, s.TableSource)
    return _with_alias(compiler, source.table, compiler.scope.reserve(source.key, source.alias))


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


def output_names(select: SelectLike) -> list[str]:
    """Gives the names of a statement's columns, as far as they have any."""
    return [getattr(column, "name", "") for column in select.columns]


def _implied(compiler: QueryCompiler, source: s.JoinSource, required: set[str]) -> str:
    """Gives one implied JOIN."""
    alias = compiler.scope.reserve(source.key, _alias_of(source))
    on = [
        f"{compiler.quote(alias)}.{compiler.quote(mine)} = {compiler.column_of(source.parent, theirs)}"
        for theirs, mine in source.on
    ]
    on += compiler.restricted(source)
    optional = source.key not in required and is_optional(source, compiler.outer)
    return f"{'LEFT JOIN' if optional else 'JOIN'} {_with_alias(compiler, source.table, alias)} ON {' AND '.join(on)}"


def _asked(compiler: QueryCompiler, join: Join) -> str:
    """Gives one JOIN that was asked for."""
    if join.source.key in compiler.scope.aliases:
        raise QueryError(
            f"{join.source.key!r} is joined twice", hint="join it under another name: other = alias(Model)"
        )
    source = _named_source(compiler, join.source)
    conditions = [*map(compiler.condition, join.on), *compiler.restricted(join.source)]
    on = " AND ".join(conditions) or "TRUE"
    return f"{'LEFT JOIN' if join.outer else 'JOIN'} {source} ON {on}"


def _alias_of(source: s.JoinSource) -> str:
    names = [source.name]
    while isinstance(source.parent, s.JoinSource):
        source = source.parent
        names.append(source.name)
    alias = "__".join(reversed(names))
    return alias if len(alias) <= ALIAS_LENGTH else names[0]


def _with_alias(compiler: QueryCompiler, table: str, alias: str) -> str:
    return compiler.quote(table) if alias == table else f"{compiler.quote(table)} AS {compiler.quote(alias)}"
