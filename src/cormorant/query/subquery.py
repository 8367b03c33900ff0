"""Queries inside other queries: in FROM, in WITH, as a condition, as a value."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Self, TypeAlias, TypeVar

from typing_extensions import TypeIs

from cormorant.errors import QueryError, UnknownName, WrongType
from cormorant.models.paths import Path
from cormorant.query.grouping import is_aggregate
from cormorant.query.matching import in_common, same_types
from cormorant.query.planner import for_existence, named
from cormorant.sql.calls import Exists, ScalarSelect
from cormorant.sql.columns import Column, collation_of
from cormorant.sql.expr import Expr, is_expr, unlabelled
from cormorant.sql.inner import output_names, selects_of
from cormorant.sql.joins import shown_by
from cormorant.sql.nullability import nullable_columns
from cormorant.sql.sameness import alike
from cormorant.sql.selectable import Selectable
from cormorant.sql.selects import Compound, Select
from cormorant.sql.sources import CteReference, CteSource, CteUse, Source, SubquerySource
from cormorant.sql.types import SqlType

T = TypeVar("T")
Output: TypeAlias = "tuple[str, SqlType, bool]"
"""A column as it is seen from outside: its name, its type, and whether it can be NULL."""


def is_selectable(value: object) -> TypeIs[Selectable[Any]]:
    """Whether something is a query."""
    return isinstance(value, Selectable)


class Subquery:
    """A query that other queries join and read columns of.

    Args:
        source: What stands in FROM.
        asked: What the query selects, as it was written.
        output: What it gives, column by column.

    Example:
        >>> total = func.sum(Article.views).label("total")
        >>> per = session.query(Article).values(Article.author.id, total).group_by(Article.author.id).subquery("per")
        >>> session.query(Author).join(per, per[Article.author.id] == Author.id).values(Author.name, per[total])
    """

    __slots__ = ("_asked", "_output", "columns", "name", "source")

    def __init__(self, source: Source, name: str, asked: Sequence[Expr[Any]], output: Sequence[Output]) -> None:
        self.source: Source = source
        self.name: str = name
        self._asked = tuple(asked)
        self._output = tuple(output)
        self.columns: tuple[Column[Any], ...] = tuple(
            Column(source, inner, type_, nullable=nullable, owner=f"{name}.{inner}", collation=collation_of(expr))
            for expr, (inner, type_, nullable) in zip(asked, output, strict=True)
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}: {', '.join(column.name for column in self.columns)}>"

    def __getitem__(self, expr: Expr[T]) -> Expr[T]:
        """Gives the column that shows an expression the query selects, or the key of a relation it selects.

        Raises:
            UnknownName: It does not select it.
        """
        wanted = expr.__key_column__() if isinstance(expr, Path) else expr
        if is_expr(wanted):
            for asked, column in zip(self._asked, self.columns, strict=True):
                if _shows(asked, wanted):
                    return column
        raise UnknownName(
            f"{self.name!r} does not select {expr!r}", hint=f"it has {', '.join(c.name for c in self.columns)}"
        )

    def alias(self, name: str | None = None) -> Self:
        """Gives the same rows under another name, to be joined a second time.

        Args:
            name: The name in SQL; its own with a number if none is given.
        """
        alias = self.name if name is None else checked_name(name)
        return type(self)(_again(self.source, alias), alias, self._asked, self._output)


class Cte(Subquery):
    """A common table expression: a query in WITH, defined once however often it is read."""

    __slots__ = ()


def _shows(asked: Expr[Any], wanted: Expr[Any]) -> bool:
    bare = unlabelled(asked)
    if any(expr is wanted or alike(expr, wanted) for expr in (asked, bare)):
        return True
    # a union is asked for what its first query selects
    shown = shown_by(bare.source).find(wanted) if isinstance(bare, Column) else None
    return shown is not None and isinstance(bare, Column) and shown.name == bare.name


def _again(source: Source, name: str) -> Source:
    if isinstance(source, SubquerySource):
        return SubquerySource(source.select, name, lateral=source.lateral)
    if isinstance(source, CteUse):
        return CteUse(source.cte, name)
    assert isinstance(source, CteReference)
    return CteUse(source, name)


def subquery_of(select: Select, name: str | None, *, lateral: bool) -> Subquery:
    """Gives a query as a table of its own."""
    inner, alias = named(select), checked_name("subquery" if name is None else name)
    return Subquery(SubquerySource(inner, alias, lateral=lateral), alias, select.columns, _output(inner))


def cte_of(select: Select, name: str, *, materialized: bool | None) -> Cte:
    """Gives a query as a common table expression."""
    inner = named(select)
    source = CteSource(CteReference(checked_name(name)), inner, materialized=materialized)
    return Cte(source, name, select.columns, _output(inner))


def recursive_cte(
    select: Select, name: str, step: Callable[[Cte], Any], *, distinct: bool, materialized: bool | None
) -> Cte:
    """Gives a common table expression of a query and of what `step` finds from the rows found before.

    Raises:
        QueryError: What `step` gives does not fit the query.
    """
    reference = CteReference(checked_name(name))
    # what the step finds may be NULL where the first rows are not
    found = step(Cte(reference, name, select.columns, [(n, type_, True) for n, type_, _ in _output(named(select))]))
    then = _checked_step(name, found)
    _check_reading(name, then, reference)
    parts, types = same_types(*in_common(name, [select, then]))
    compound = Compound("UNION" if distinct else "UNION ALL", tuple(map(named, parts)))
    nullable = nullable_columns(compound)
    output = list(zip(output_names(compound), types, nullable, strict=True))
    source = CteSource(reference, compound, recursive=True, materialized=materialized)
    return Cte(source, name, select.columns, output)


def _checked_step(name: str, found: object) -> Select:
    if not is_selectable(found):
        raise QueryError(f"the step of {name!r} gave {found!r}", hint="it gives a query of the same columns")
    then = found.as_select()
    assert isinstance(then, Select)
    if then.order_by or then.limit is not None or then.offset is not None or then.distinct_on:
        raise QueryError(f"the step of {name!r} has an order or a limit", hint="order what reads its rows")
    if then.group_by or any(map(is_aggregate, then.columns)):
        raise QueryError(f"the step of {name!r} folds rows", hint="fold the rows of what .cte(...) gives")
    return then


def _check_reading(name: str, then: Select, reference: CteReference) -> None:
    """Refuses a step that reads what was found in a way that no database goes on from."""

    def reads(source: Source) -> bool:
        return (source.cte if isinstance(source, CteUse) else source).key == reference.key

    own = [source for source in then.sources if reads(source)]
    inner = any(reads(source) for select in selects_of(then) if select is not then for source in select.sources)
    if len(own) > 1 or inner or any(join.outer and reads(join.source) for join in then.joins):
        raise QueryError(
            f"the step of {name!r} reads the rows found so far twice, from outside or in an inner query",
            hint="join them once: .join(found, found[Model.id] == Model.parent.id)",
        )


def cte_source(cte: object) -> CteSource:
    """Gives a common table expression with its definition.

    Raises:
        WrongType: It is none.
    """
    source = cte.source if isinstance(cte, Cte) else None
    source = source.cte if isinstance(source, CteUse) else source
    if isinstance(source, CteSource):
        return source
    raise WrongType(f"{cte!r} ({type(cte).__name__}) is no common table expression", hint='query.cte("name")')


def exists(query: Selectable[Any]) -> Expr[bool]:
    """Whether a query has a row, as a condition of another one, whose columns it may read.

    Example:
        >>> session.query(Author).filter(exists(session.query(Article).filter(Article.author.id == Author.id)))
        ... # WHERE EXISTS (SELECT 1 FROM "articles" WHERE "articles"."author_id" = "author"."id")
    """
    if not is_selectable(query):
        raise WrongType(f"exists() takes a query, not {query!r}", hint="exists(session.query(Article).filter(...))")
    select = query.as_select()
    assert isinstance(select, Select)
    return Exists(for_existence(select))


def scalar_of(select: Select) -> Expr[Any]:
    """Gives a query of one column as a value."""
    if len(select.columns) != 1:
        raise QueryError(
            f"as_expr() of a query of {len(select.columns)} columns", hint="name one: query.scalars(Model.id)"
        )
    (column,) = select.columns
    return ScalarSelect(select, type_=column.type, nullable=True)


def _output(select: Select) -> list[Output]:
    types = (column.type for column in select.columns)
    return list(zip(output_names(select), types, nullable_columns(select), strict=True))


def checked_name(name: object) -> str:
    """Refuses what is no name; the database's dialect has more to say about those that are."""
    if not isinstance(name, str):
        raise WrongType(f"{name!r} ({type(name).__name__}) is no name", hint='give a str: .subquery("per")')
    return name
