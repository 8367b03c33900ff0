"""Queries inside other queries: in FROM, in WITH, as a condition, as a value."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from typing_extensions import TypeIs

from cormorant.errors import QueryError, UnknownName, WrongType
from cormorant.query.planner import named
from cormorant.sql.calls import Exists, ScalarSelect
from cormorant.sql.columns import Column
from cormorant.sql.expr import Expr, Label
from cormorant.sql.operators import check_comparable
from cormorant.sql.selectable import Selectable
from cormorant.sql.selects import Compound, Select
from cormorant.sql.sources import CteReference, CteSource, Source, SubquerySource

T = TypeVar("T")


def is_selectable(value: object) -> TypeIs[Selectable[Any]]:
    """Whether something is a query."""
    return isinstance(value, Selectable)


class Subquery:
    """A query that other queries join and read columns of.

    Args:
        source: What stands in FROM.
        asked: What the query selects, as it was written.
        names: The name of each column.

    Example:
        >>> total = func.sum(Article.views).label("total")
        >>> per = session.query(Article).values(Article.author.id, total).group_by(Article.author.id).subquery("per")
        >>> session.query(Author).join(per, per[Article.author.id] == Author.id).values(Author.name, per[total])
    """

    __slots__ = ("_asked", "_columns", "name", "source")

    def __init__(self, source: Source, name: str, asked: Sequence[Expr[Any]], names: Sequence[str]) -> None:
        self.source: Source = source
        self.name: str = name
        self._asked = tuple(asked)
        self._columns = tuple(
            Column[Any](source, inner, expr.type, nullable=expr.nullable, owner=f"{name}.{inner}")
            for expr, inner in zip(asked, names, strict=True)
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}: {', '.join(column.name for column in self._columns)}>"

    def __getitem__(self, expr: Expr[T]) -> Expr[T]:
        """Gives the column that shows an expression the query selects.

        Raises:
            UnknownName: It does not select it.
        """
        for asked, column in zip(self._asked, self._columns, strict=True):
            if asked is expr or _same(asked, expr) or (isinstance(asked, Label) and _same(asked.expr, expr)):
                return column
        raise UnknownName(
            f"{self.name!r} does not select {expr!r}", hint=f"it has {', '.join(c.name for c in self._columns)}"
        )


class Cte(Subquery):
    """A common table expression: a query in WITH, defined once however often it is read."""

    __slots__ = ()


def _same(one: Expr[Any], other: object) -> bool:
    if not isinstance(other, Expr) or one.key != other.key:
        return False
    return [bind.value for bind in one.binds] == [bind.value for bind in other.binds]


def subquery_of(select: Select, name: str | None, *, lateral: bool) -> Subquery:
    """Gives a query as a table of its own."""
    inner, alias = named(select), _checked("subquery" if name is None else name)
    return Subquery(SubquerySource(inner, alias, lateral=lateral), alias, select.columns, _names(inner))


def cte_of(select: Select, name: str, *, materialized: bool | None) -> Cte:
    """Gives a query as a common table expression."""
    inner = named(select)
    source = CteSource(CteReference(_checked(name)), inner, materialized=materialized)
    return Cte(source, name, select.columns, _names(inner))


def recursive_cte(select: Select, name: str, step: Callable[[Cte], Any], *, distinct: bool) -> Cte:
    """Gives a common table expression of a query and of what `step` finds from the rows found before.

    Raises:
        QueryError: What `step` gives does not fit the query.
    """
    first = named(select)
    names, reference = _names(first), CteReference(_checked(name))
    found = step(Cte(reference, name, select.columns, names))
    if not is_selectable(found):
        raise QueryError(f"the step of {name!r} gave {found!r}", hint="it gives a query of the same columns")
    then = found.as_select()
    assert isinstance(then, Select)
    check_alike(name, [first, then])
    compound = Compound("UNION" if distinct else "UNION ALL", (first, named(then)))
    return Cte(CteSource(reference, compound, recursive=True), name, select.columns, names)


def cte_source(cte: object) -> CteSource:
    """Gives a common table expression with its definition.

    Raises:
        WrongType: It is none.
    """
    if isinstance(cte, Cte) and isinstance(cte.source, CteSource):
        return cte.source
    raise WrongType(f"{cte!r} ({type(cte).__name__}) is no common table expression", hint='query.cte("name")')


def check_alike(what: str, parts: Sequence[Select]) -> None:
    """Refuses statements whose rows cannot be put together.

    Raises:
        QueryError: They differ in the number of columns, or in the type of one.
    """
    first = parts[0].columns
    for part in parts[1:]:
        if len(part.columns) != len(first):
            raise QueryError(
                f"{what}: {len(first)} columns and {len(part.columns)} do not go together",
                hint="select the same columns in each",
            )
        for one, other in zip(first, part.columns, strict=True):
            check_comparable((one, other), one.type, other.type)


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
    kept = select.columns if select.distinct or select.distinct_on else ()
    order = () if select.limit is None else select.order_by
    return Exists(replace(select, columns=kept, order_by=order))


def scalar_of(select: Select) -> Expr[Any]:
    """Gives a query of one column as a value."""
    if len(select.columns) != 1:
        raise QueryError(
            f"as_expr() of a query of {len(select.columns)} columns", hint="name one: query.scalars(Model.id)"
        )
    (column,) = select.columns
    return ScalarSelect(select, type_=column.type, nullable=True)


def _names(select: Select) -> list[str]:
    return [column.name for column in select.columns if isinstance(column, (Label, Column))]


def _checked(name: object) -> str:
    if not isinstance(name, str):
        raise WrongType(f"{name!r} ({type(name).__name__}) is no name", hint='give a str: .subquery("per")')
    return name
