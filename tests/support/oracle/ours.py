"""Descriptions of queries, asked of Cormorant."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

from cormorant import Model, alias, case, exists, func
from tests.support.oracle import asked as a
from tests.support.oracle.shop import MODELS, TO_MANY, columns_of, model_at


@dataclass
class Rows:
    """What a subquery, or queries put together, are read by."""

    read: Callable[[Any], Any]
    exprs: Sequence[Any]


class Ours:
    """Makes Cormorant's queries.

    Args:
        start: Gives a query of a model.
    """

    def __init__(self, start: Callable[[type[Any]], Any]) -> None:
        self.start = start
        self.known: dict[int, Any] = {}
        self.models: dict[int, str] = {}

    def query(self, asked: a.Query) -> Any:
        """Gives the query of a description."""
        return self._made(asked)[0]

    def plain(self, asked: a.Query, rows: Sequence[Any]) -> list[tuple[Any, ...]]:
        """Gives rows as tuples of plain values: an object as the values of its columns."""
        return [tuple(self._values(asked, row)) for row in rows]

    def _values(self, asked: a.Query, row: Any) -> list[Any]:
        items = asked.items or (asked.together.parts[0].items if asked.together else ())
        if not items:
            return _values_of(row, asked.model)
        found: list[Any] = []
        for item, value in zip(items, row if isinstance(row, tuple) else (row,), strict=True):
            is_entity = isinstance(item, a.Entity)
            found += _values_of(value, model_at(self.models[item.source], item.path)) if is_entity else [value]
        return found

    # ---- queries

    def _made(self, asked: a.Query) -> tuple[Any, list[Any]]:
        """Gives a query, and what it selects."""
        self.known[asked.source], self.models[asked.source] = MODELS[asked.model], asked.model
        made = self.start(MODELS[asked.model]) if asked.together is None else self._together(asked, asked.together)
        for join in asked.joins:
            made = self._join(made, join)
        if asked.where:
            made = made.filter(*map(self.expr, asked.where))
        if asked.exclude:
            made = made.exclude(*map(self.expr, asked.exclude))
        items = [self._item(item) for item in asked.items]
        if len(items) == 1 and isinstance(asked.items[0], a.Named):
            made = made.scalars(items[0])
        elif items:
            made = made.values(*items)
        rows = self.known[asked.source]
        return self._folded(made, asked), list(rows.exprs) if isinstance(rows, Rows) else items

    def _folded(self, made: Any, asked: a.Query) -> Any:
        if asked.group_by:
            made = made.group_by(*map(self.expr, asked.group_by))
        if asked.having:
            made = made.having(*map(self.expr, asked.having))
        if asked.distinct or asked.distinct_on:
            made = made.distinct(*map(self.expr, asked.distinct_on))
        for expr, descending in asked.order_by:
            made = made.order_by(self.expr(expr).desc() if descending else self.expr(expr))
        if asked.limit is not None:
            made = made.limit(asked.limit)
        return made if asked.offset is None else made.offset(asked.offset)

    def _together(self, asked: a.Query, together: a.Combined) -> Any:
        first, exprs = self._made(together.parts[0])
        others = [self.query(part) for part in together.parts[1:]]
        # objects go on being read by their model's own name
        self.known[asked.source] = Rows(lambda expr: expr, exprs) if exprs else MODELS[asked.model]
        if together.word.startswith("union"):
            return first.union(*others, all=together.word == "union all")
        return first.intersect(*others) if together.word == "intersect" else first.except_(*others)

    def _join(self, made: Any, join: a.Join) -> Any:
        join_ = made.outer_join if join.outer else made.join
        if isinstance(join, a.JoinRelation):
            return join_(self.reach(join.source, join.path))
        if isinstance(join, a.JoinModel):
            model: type[Model] = MODELS[join.model]
            target: Any = alias(model) if join.aliased else model
            self.known[join.source], self.models[join.source] = target, join.model
            return join_(target, *map(self.expr, join.on))
        inner, exprs = self._made(join.query)
        sub = inner.cte("rows") if join.form == "cte" else inner.subquery("rows", lateral=join.form == "lateral")
        self.known[join.source] = Rows(sub.__getitem__, exprs)
        return join_(sub, *map(self.expr, join.on))

    # ---- what is selected and asked

    def _item(self, item: a.Item) -> Any:
        if isinstance(item, a.Entity):
            return self.reach(item.source, item.path)
        expr = self.expr(item.expr)
        return expr if item.label is None else expr.label(item.label)

    def reach(self, source: int, path: a.Path) -> Any:
        """Gives what a path leads to."""
        found = self.known[source]
        for step in path:
            found = getattr(found, step).each if step in TO_MANY else getattr(found, step)
        return found

    def expr(self, node: Any) -> Any:
        """Gives a value or a condition."""
        return VISITORS[type(node)](self, node)

    def output(self, node: a.Output) -> Any:
        """Gives a column of a subquery, or what a union shows."""
        rows = self.known[node.source]
        return rows.read(rows.exprs[node.place])

    def binary(self, node: a.Math | a.Compare | a.Concat) -> Any:
        """Gives `left op right`."""
        op = "+" if isinstance(node, a.Concat) else node.op
        return a.OPERATORS[op](self.expr(node.left), self.expr(node.right))

    def case(self, node: a.Case) -> Any:
        """Gives one of two values."""
        return case((self.expr(node.condition), self.expr(node.then)), default=self.expr(node.otherwise))

    def many(self, node: a.CountOf | a.Quantified) -> Any:
        """Gives what is asked of a relation to many; its objects are read by their model's own name."""
        relation = getattr(self.reach(node.source, node.path), node.relation)
        model = TO_MANY[node.relation]
        self.known[node.inner], self.models[node.inner] = MODELS[model], model
        conditions = () if node.condition is None else (self.expr(node.condition),)
        return getattr(relation, "count" if isinstance(node, a.CountOf) else node.which)(*conditions)

    def fold(self, node: a.Fold) -> Any:
        """Gives an aggregate."""
        options: dict[str, Any] = {"distinct": True} if node.distinct else {}
        if node.only is not None:
            options["filter"] = self.expr(node.only)
        return getattr(func, node.name)(*(() if node.part is None else (self.expr(node.part),)), **options)

    def window(self, node: a.Window) -> Any:
        """Gives a value computed from the rows around."""
        found = getattr(func, node.name)(*(() if node.part is None else (self.expr(node.part),)))
        order = [self.expr(expr).desc() if descending else self.expr(expr) for expr, descending in node.order_by]
        return found.over(partition_by=list(map(self.expr, node.partition_by)), order_by=order)

    def junction(self, node: a.Junction) -> Any:
        """Gives conditions joined by & or |."""
        return reduce(operator.and_ if node.word == "and" else operator.or_, map(self.expr, node.parts))

    def is_null(self, node: a.IsNull) -> Any:
        """Gives whether a value is missing."""
        part = self.expr(node.part)
        return part.is_not_null() if node.negated else part.is_null()


VISITORS: dict[type[Any], Callable[[Ours, Any], Any]] = {
    a.Column: lambda self, node: getattr(self.reach(node.source, node.path), node.name),
    a.Output: Ours.output,
    a.Value: lambda self, node: node.value,
    a.Math: Ours.binary,
    a.Concat: Ours.binary,
    a.Compare: Ours.binary,
    a.Lower: lambda self, node: func.lower(self.expr(node.part)),
    a.Coalesce: lambda self, node: func.coalesce(self.expr(node.part), node.other.value),
    a.Case: Ours.case,
    a.CountOf: Ours.many,
    a.Quantified: Ours.many,
    a.ScalarOf: lambda self, node: self.query(node.query).as_expr(),
    a.Fold: Ours.fold,
    a.Window: Ours.window,
    a.Between: lambda self, node: self.expr(node.part).between(self.expr(node.low), self.expr(node.high)),
    a.Among: lambda self, node: self.expr(node.part).in_(list(node.values)),
    a.IsNull: Ours.is_null,
    a.Holds: lambda self, node: getattr(self.expr(node.part), node.how)(node.text),
    a.Junction: Ours.junction,
    a.Negation: lambda self, node: ~self.expr(node.part),
    a.Exists: lambda self, node: exists(self.query(node.query)),
    a.AmongRows: lambda self, node: self.expr(node.part).in_(self.query(node.query)),
}


def _values_of(instance: Any, model: str) -> list[Any]:
    return [None if instance is None else getattr(instance, name) for name in columns_of(model)]
