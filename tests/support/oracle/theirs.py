"""Descriptions of queries, asked of SQLAlchemy Core: every join and every correlation is written out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql import FromClause, Select

from cormorant.sql import types as t
from tests.support.oracle import asked as a
from tests.support.oracle.shop import MODELS, TO_MANY, columns_of, model_at

_TYPES: dict[type[Any], Any] = {t.Integer: sa.BigInteger, t.Text: sa.Text, t.Boolean: sa.Boolean}


def _table(model: str) -> Any:
    info = MODELS[model].__info__
    return sa.table(info.table, *(sa.column(column.name, _TYPES[type(column.type)]()) for column in info.columns))


TABLES = {model: _table(model) for model in MODELS}
_LINK = MODELS["Person"].__info__.relation("hobbies").link
assert _LINK is not None
LINK = sa.table(_LINK.table, *(sa.column(name, sa.BigInteger()) for name in (*_LINK.near, *_LINK.far)))


@dataclass
class Step:
    """What a path leads to: its table, how that is joined, and the tables between."""

    to: FromClause
    joins: list[tuple[FromClause, Any]]


@dataclass
class Source:
    """What stands in FROM, and what is reached from there along relations.

    Args:
        model: Whose rows they are; nothing for those of a subquery.
        names: The columns by attribute, where they have other names.
    """

    base: FromClause
    model: str = ""
    names: dict[str, str] = field(default_factory=dict)
    steps: dict[a.Path, Step] = field(default_factory=dict)
    forced: set[a.Path] = field(default_factory=set)

    def column(self, path: a.Path, name: str) -> Any:
        """Gives a column, and notes what must be joined for it."""
        reached = self.reach(path)
        column = MODELS[model_at(self.model, path)].__info__.by_attribute[name].name
        return reached.c[self.names.get(column, column) if not path else column]

    def reach(self, path: a.Path) -> FromClause:
        """Gives what a path leads to."""
        if not path:
            return self.base
        if path not in self.steps:
            self.reach(path[:-1])
            self.steps[path] = self._step(path)
        return self.steps[path].to

    def _step(self, path: a.Path) -> Step:
        info = MODELS[model_at(self.model, path[:-1])].__info__
        relation = info.relation(path[-1])
        to = TABLES[model_at(self.model, path)].alias()
        near = [self.column(path[:-1], name) for name in relation.local]
        far = [to.c[relation.target.by_attribute[name].name] for name in relation.remote]
        if relation.link is None:
            return Step(to, [(to, _equal(near, far))])
        link = LINK.alias()
        between = _equal(near, [link.c[name] for name in relation.link.near])
        return Step(to, [(link, between), (to, _equal([link.c[name] for name in relation.link.far], far))])

    def joined(self) -> FromClause:
        """Gives it with all that is reached from it; forced steps leave out rows without a partner."""
        found: Any = self.base
        forced = {path[:length] for path in self.forced for length in range(1, len(path) + 1)}
        for path in sorted(self.steps, key=len):
            for to, on in self.steps[path].joins:
                found = found.join(to, on, isouter=path not in forced)
        return found

    def all(self) -> list[FromClause]:
        """Gives every table it reads."""
        return [self.base, *(to for step in self.steps.values() for to, _ in step.joins)]


def _equal(some: Iterable[Any], others: Iterable[Any]) -> Any:
    return sa.and_(*(one == other for one, other in zip(some, others, strict=True)))


class Theirs:
    """Makes SQLAlchemy's statements.

    Args:
        dialect: "sqlite" or "postgresql".
    """

    def __init__(self, dialect: str) -> None:
        self.dialect = dialect
        self.sources: dict[int, Source] = {}
        self.made: dict[int, Any] = {}

    def statement(self, asked: a.Query) -> Select[Any]:
        """Gives the statement of a description."""
        root = self.sources[asked.source] = self._root(asked)
        joins = [(join, self._joined_source(join)) for join in asked.joins]
        on = [sa.and_(sa.true(), *map(self.expr, getattr(join, "on", ()))) for join, _ in joins]
        statement = sa.select(*self._columns(asked, root)).where(sa.true(), *map(self.expr, asked.where))
        if asked.exclude:
            statement = statement.where(_not_true(sa.and_(*map(self.expr, asked.exclude))))
        if asked.group_by:
            statement = statement.group_by(*map(self.expr, asked.group_by))
        if asked.having:
            statement = statement.having(*map(self.expr, asked.having))
        order = [(self.expr(expr), descending) for expr, descending in asked.order_by]
        on_first = list(map(self.expr, asked.distinct_on))
        read: Any = root.joined()
        own = root.all()
        for (join, source), condition in zip(joins, on, strict=True):
            if source is not None:
                read = read.join(source.joined(), condition, isouter=join.outer and not source.forced)
                own += source.all()
        statement = statement.select_from(read).correlate_except(*own)
        if on_first:
            return _cut(_first_of_each(statement, on_first, order), asked)
        statement = statement.distinct() if asked.distinct else statement
        return _cut(statement.order_by(*(_ordered(expr, descending) for expr, descending in order)), asked)

    # ---- FROM

    def _root(self, asked: a.Query) -> Source:
        if asked.together is None:
            return Source(TABLES[asked.model].alias(), asked.model)
        parts = [self._part(part) for part in asked.together.parts]
        word = {"union": sa.union, "union all": sa.union_all, "intersect": sa.intersect, "except": sa.except_}
        whole = word[asked.together.word](*parts).subquery()
        if asked.together.parts[0].items:
            return Source(whole)
        info = MODELS[asked.model].__info__
        names = {column.name: key for column, key in zip(info.columns, whole.c.keys(), strict=True)}
        return Source(whole, asked.model, names)

    def _part(self, asked: a.Query) -> Select[Any]:
        statement = self._numbered(asked)
        cut = asked.order_by or asked.limit is not None or asked.offset is not None
        return sa.select(statement.subquery()) if cut else statement

    def _numbered(self, asked: a.Query) -> Select[Any]:
        """Gives a statement whose columns are named by their places."""
        statement = self.statement(asked)
        columns = [column.label(f"c{place}") for place, column in enumerate(statement.selected_columns)]
        return statement.with_only_columns(*columns, maintain_column_froms=True)

    def _joined_source(self, join: a.Join) -> Source | None:
        if isinstance(join, a.JoinRelation):
            source = self.sources[join.source]
            source.reach(join.path)
            if not join.outer:
                source.forced.add(join.path)
            return None
        if isinstance(join, a.JoinModel):
            self.sources[join.source] = Source(TABLES[join.model].alias(), join.model)
        else:
            inner = self._numbered(join.query)
            base: Any = (
                inner.lateral() if join.form == "lateral" else inner.cte() if join.form == "cte" else inner.subquery()
            )
            self.sources[join.source] = Source(base)
        return self.sources[join.source]

    def _columns(self, asked: a.Query, root: Source) -> list[Any]:
        if not asked.items:
            if not root.model:
                return list(root.base.c)
            return [root.column((), name) for name in columns_of(asked.model)]
        found: list[Any] = []
        for item in asked.items:
            if isinstance(item, a.Named):
                found.append(self.expr(item.expr))
            else:
                source = self.sources[item.source]
                found += [source.column(item.path, name) for name in columns_of(model_at(source.model, item.path))]
        return found

    # ---- values and conditions

    def expr(self, node: Any) -> Any:
        """Gives a value or a condition; what is asked twice is the same thing, as it is in the text then."""
        if id(node) not in self.made:
            self.made[id(node)] = VISITORS[type(node)](self, node)
        return self.made[id(node)]

    def value(self, value: Any) -> Any:
        """Gives a value as it stands in the text, so that equal expressions are equal to the database."""
        if value is None:
            return sa.null()
        kind = sa.Boolean() if isinstance(value, bool) else sa.BigInteger() if isinstance(value, int) else sa.Text()
        return sa.literal(value, kind, literal_execute=True)

    def binary(self, node: a.Math | a.Compare) -> Any:
        """Gives `left op right`."""
        return a.OPERATORS[node.op](self.expr(node.left), self.expr(node.right))

    def many(self, node: a.CountOf | a.Quantified) -> Any:
        """Gives what is asked of a relation to many."""
        info = MODELS[model_at(self.sources[node.source].model, node.path)].__info__
        relation = info.relation(node.relation)
        inner = self.sources[node.inner] = Source(TABLES[TO_MANY[node.relation]].alias(), TO_MANY[node.relation])
        condition = [] if node.condition is None else [self.expr(node.condition)]
        if isinstance(node, a.Quantified) and node.which == "every":
            condition = [_not_true(*condition)]
        near = [self.sources[node.source].column(node.path, name) for name in relation.local]
        read, own = inner.joined(), inner.all()
        far = [inner.base.c[relation.target.by_attribute[name].name] for name in relation.remote]
        if relation.link is not None:
            link = LINK.alias()
            read = read.join(link, _equal([link.c[name] for name in relation.link.far], far))
            far = [link.c[name] for name in relation.link.near]
            own.append(link)
        counts = isinstance(node, a.CountOf)
        what = sa.func.count() if counts else sa.literal_column("1")
        statement = sa.select(what).select_from(read).where(_equal(near, far), *condition).correlate_except(*own)
        if counts:
            return statement.scalar_subquery()
        found = sa.exists(statement)
        return found if isinstance(node, a.Quantified) and node.which == "any" else sa.not_(found)

    def fold(self, node: a.Fold) -> Any:
        """Gives an aggregate."""
        part = None if node.part is None else self.expr(node.part)
        part = part.distinct() if node.distinct else part
        found = getattr(sa.func, node.name)(*(() if part is None else (part,)))
        found = found if node.only is None else found.filter(self.expr(node.only))
        return sa.cast(found, sa.BigInteger()) if node.name == "sum" else found

    def window(self, node: a.Window) -> Any:
        """Gives a value computed from the rows around."""
        found = getattr(sa.func, node.name)(*(() if node.part is None else (self.expr(node.part),)))
        order = [_ordered(self.expr(expr), descending) for expr, descending in node.order_by]
        over = found.over(partition_by=list(map(self.expr, node.partition_by)) or None, order_by=order or None)
        return sa.cast(over, sa.BigInteger()) if node.name == "sum" else over

    def holds(self, node: a.Holds) -> Any:
        """Gives a search that knows no wildcards and tells the cases of letters apart."""
        part, text = self.expr(node.part), self.value(node.text)
        if node.how == "contains":
            find = sa.func.strpos if self.dialect == "postgresql" else sa.func.instr
            return find(part, text, type_=sa.Integer()) > self.value(0)
        if node.how == "startswith":
            return sa.func.substr(part, self.value(1), self.value(len(node.text)), type_=sa.Text()) == text
        start = sa.func.length(part, type_=sa.Integer()) - self.value(len(node.text))
        return sa.and_(start >= self.value(0), sa.func.substr(part, start + self.value(1), type_=sa.Text()) == text)

    def exists(self, node: a.Exists) -> Any:
        """Gives whether there is a row; SQLite forgets DISTINCT in EXISTS, although OFFSET counts the rows."""
        rows = self.statement(node.query).subquery()
        return sa.exists(sa.select(sa.literal_column("1")).select_from(rows).correlate_except(rows))

    def among(self, node: a.Among) -> Any:
        """Gives membership; nothing is among nothing."""
        part = self.expr(node.part)
        if not node.values:
            # no constant: SQLite takes one in ORDER BY for the number of a column
            return sa.and_(part.is_(sa.null()), part.is_not(sa.null()))
        return sa.or_(*(part == self.value(value) for value in node.values))


def _not_true(condition: Any) -> Any:
    return sa.not_(sa.func.coalesce(condition, sa.false(), type_=sa.Boolean()))


def _first_of_each(statement: Select[Any], on: list[Any], order: list[tuple[Any, bool]]) -> Select[Any]:
    """Gives the first row of those that agree in some expressions: DISTINCT ON, said by counting."""
    columns = [column.label(f"c{place}") for place, column in enumerate(statement.selected_columns)]
    keys = [expr.label(f"k{place}") for place, expr in enumerate(on)]
    orders = [expr.label(f"o{place}") for place, (expr, _) in enumerate(order)]
    rows = statement.with_only_columns(*columns, *keys, *orders, maintain_column_froms=True).subquery()
    found = list(rows.c)
    ordered = [_ordered(expr, descending) for expr, (_, descending) in zip(found[-len(order) :], order, strict=True)]
    number = sa.func.row_number().over(partition_by=found[len(columns) : -len(order)], order_by=ordered)
    numbered = sa.select(*found, number.label("number")).subquery()
    last = list(numbered.c)[:-1]
    again = [_ordered(expr, descending) for expr, (_, descending) in zip(last[-len(order) :], order, strict=True)]
    return sa.select(*last[: len(columns)]).where(numbered.c.number == 1).order_by(*again)


def _cut(statement: Select[Any], asked: a.Query) -> Select[Any]:
    if asked.limit is not None:
        statement = statement.limit(sa.literal(asked.limit, literal_execute=True))
    if asked.offset is not None:
        statement = statement.offset(sa.literal(asked.offset, literal_execute=True))
    return statement


def _ordered(expr: Any, descending: bool) -> Any:
    return expr.desc().nulls_first() if descending else expr.asc().nulls_last()


VISITORS: dict[type[Any], Callable[[Theirs, Any], Any]] = {
    a.Column: lambda self, node: self.sources[node.source].column(node.path, node.name),
    a.Output: lambda self, node: list(self.sources[node.source].base.c)[node.place],
    a.Value: lambda self, node: self.value(node.value),
    a.Math: Theirs.binary,
    a.Compare: Theirs.binary,
    a.Concat: lambda self, node: self.expr(node.left).concat(self.expr(node.right)),
    a.Lower: lambda self, node: sa.func.lower(self.expr(node.part), type_=sa.Text()),
    a.Coalesce: lambda self, node: sa.func.coalesce(self.expr(node.part), self.expr(node.other)),
    a.Case: lambda self, node: sa.case(
        (self.expr(node.condition), self.expr(node.then)), else_=self.expr(node.otherwise)
    ),
    a.CountOf: Theirs.many,
    a.Quantified: Theirs.many,
    a.ScalarOf: lambda self, node: self.statement(node.query).scalar_subquery(),
    a.Fold: Theirs.fold,
    a.Window: Theirs.window,
    a.Between: lambda self, node: self.expr(node.part).between(self.expr(node.low), self.expr(node.high)),
    a.Among: Theirs.among,
    a.IsNull: lambda self, node: (
        self.expr(node.part).is_not(sa.null()) if node.negated else self.expr(node.part).is_(sa.null())
    ),
    a.Holds: Theirs.holds,
    a.Junction: lambda self, node: (sa.and_ if node.word == "and" else sa.or_)(*map(self.expr, node.parts)),
    a.Negation: lambda self, node: sa.not_(self.expr(node.part)),
    a.Exists: Theirs.exists,
    a.AmongRows: lambda self, node: self.expr(node.part).in_(self.statement(node.query)),
}
