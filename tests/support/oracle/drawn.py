"""Random descriptions of queries, each of which both languages can say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import TypeVar

from hypothesis import strategies as st

from tests.support.oracle import asked as a
from tests.support.oracle.shop import MODELS, TO_MANY, TO_ONE, columns_of, model_at

T = TypeVar("T")

KINDS: dict[str, a.Kind] = {
    **dict.fromkeys(("id", "rank", "row", "place", "floor", "weight", "age", "score", "stars"), "int"),
    **dict.fromkeys(("region_id", "desk_row", "desk_place", "boss_id", "writer_id", "reader_id"), "int"),
    **dict.fromkeys(("name", "label", "nick", "title", "body"), "text"),
    **dict.fromkeys(("active", "pinned"), "bool"),
}
# the key of a relation is read as one: `boss.id`, not `boss_id`
ATTRIBUTES = {
    model: [name for name in columns_of(model) if not name.endswith("_id") and not name.startswith("desk_")]
    for model in MODELS
}
TO_ONE_OF = {model: [name for name in MODELS[model].__info__.relation_specs if name in TO_ONE] for model in MODELS}
TO_MANY_OF = {model: [name for name in MODELS[model].__info__.relation_specs if name in TO_MANY] for model in MODELS}
KEYS = {model: list(MODELS[model].__info__.key_attributes) for model in MODELS}

INTS = (-1, 0, 1, 2, 3, 5, 7, 30)
TEXTS = ("", "a", "x", "ada", "bob", "Bob", "alpha", "e", "ch")
LABELS = ("n", "total", "N", 'a "b"', "c1", "c0", "select", "name")


@dataclass(frozen=True)
class Seen:
    """Something that expressions can read.

    Args:
        plain: It is read by its model's own name, which an inner query of the same model hides.
        kinds: Those of its columns, where it is no model.
        fans: Relations to many may be followed from it.
        names: The models by whose names its values are asked for: those of the first query of several.
    """

    source: int
    model: str = ""
    plain: bool = True
    kinds: tuple[a.Kind, ...] = ()
    fans: bool = False
    names: tuple[str, ...] = ()


Scope = tuple[Seen, ...]


class Drawn:
    """Draws descriptions.

    Args:
        draw: Hypothesis' own.
        dialect: What the database can do.
    """

    def __init__(self, draw: st.DrawFn, dialect: str) -> None:
        self.draw = draw
        self.dialect = dialect
        self.numbers = count(1)

    def pick(self, options: Sequence[T]) -> T:
        """Gives one of several; shrinking goes to the first."""
        return self.draw(st.sampled_from(options))

    def chance(self, percent: int) -> bool:
        """Whether something less simple happens."""
        return self.draw(st.integers(0, 99)) >= 100 - percent

    def some(self, low: int, high: int) -> range:
        """Gives so many, at least `low` and at most `high`."""
        return range(self.draw(st.integers(low, high)))

    # ---- values

    def path(self, model: str, *, most: int = 2) -> a.Path:
        """Gives a path along relations to one."""
        found: list[str] = []
        while len(found) < most and TO_ONE_OF[model] and self.chance(30):
            found.append(self.pick(TO_ONE_OF[model]))
            model = TO_ONE[found[-1]]
        return tuple(found)

    def column(self, scope: Scope, kind: a.Kind) -> a.Expr | None:
        """Gives a column of a kind, or None if there is none."""
        seen = self.pick([one for one in scope if not one.kinds or kind in one.kinds] or [None])
        if seen is None:
            return None
        if seen.kinds:
            return a.Output(seen.source, self.pick([place for place, its in enumerate(seen.kinds) if its == kind]))
        path = self.path(seen.model)
        if seen.fans and TO_MANY_OF[model_at(seen.model, path)] and self.chance(12):
            path = (*path, self.pick(TO_MANY_OF[model_at(seen.model, path)]))
        names = [name for name in ATTRIBUTES[model_at(seen.model, path)] if KINDS[name] == kind]
        return a.Column(seen.source, path, self.pick(names)) if names else None

    def expr(self, scope: Scope, kind: a.Kind, depth: int = 2) -> a.Expr:
        """Gives a value of a kind."""
        if kind == "bool":
            return self.condition(scope, depth)
        make = self.pick([self.plain, *((self.computed, self.counted, self.case) if depth else ())])
        found = make(scope, kind, depth)
        # there is always a number: a key, or a subquery's first column
        return found if found is not None else self.other_kind(scope, kind)

    def other_kind(self, scope: Scope, kind: a.Kind) -> a.Expr:
        """Gives a value of a kind that nothing in scope has."""
        for other in ("int", "text", "bool"):
            found = self.column(scope, other)
            if found is not None:
                condition = found if other == "bool" else a.IsNull(found, negated=False)
                values = (INTS, 0) if kind == "int" else (TEXTS, "")
                return a.Case(condition, a.Value(self.pick(values[0])), a.Value(values[1]))
        raise AssertionError("nothing can be read")

    def plain(self, scope: Scope, kind: a.Kind, depth: int) -> a.Expr | None:
        return self.column(scope, kind)

    def computed(self, scope: Scope, kind: a.Kind, depth: int) -> a.Expr | None:
        part = self.expr(scope, kind, depth - 1)
        if self.chance(25):
            return a.Coalesce(part, self.value(kind))
        if kind == "text":
            return a.Lower(part) if self.chance(50) else a.Concat(part, self.operand(scope, kind, depth))
        return a.Math(self.pick(("+", "-", "*")), part, self.operand(scope, kind, depth))

    def counted(self, scope: Scope, kind: a.Kind, depth: int) -> a.Expr | None:
        found = self.relation_to_many(scope)
        if kind != "int" or found is None:
            return self.scalar(scope, kind, depth)
        seen, path, relation = found
        inner, condition = self.about_many(scope, relation, depth)
        return a.CountOf(seen.source, path, relation, inner, condition)

    def case(self, scope: Scope, kind: a.Kind, depth: int) -> a.Expr | None:
        then, otherwise = self.expr(scope, kind, depth - 1), self.value(kind)
        return a.Case(self.condition(scope, depth - 1), then, otherwise)

    def scalar(self, scope: Scope, kind: a.Kind, depth: int) -> a.Expr | None:
        """Gives an aggregate of an inner query."""
        query, own = self.inner(scope, depth - 1)
        fold = self.fold(own, kind, 0)
        return a.ScalarOf(replace(query, items=(a.Named(fold, None),)))

    def value(self, kind: a.Kind) -> a.Value:
        return a.Value(self.pick(INTS if kind == "int" else TEXTS if kind == "text" else (True, False)))

    def operand(self, scope: Scope, kind: a.Kind, depth: int) -> a.Expr:
        return self.expr(scope, kind, depth - 1) if depth and self.chance(30) else self.value(kind)

    def fold(self, scope: Scope, kind: a.Kind, depth: int) -> a.Fold:
        """Gives an aggregate that gives a value of a kind."""
        only = self.condition(scope, depth) if self.chance(15) else None
        if kind == "text":
            return a.Fold(self.pick(("min", "max")), self.expr(scope, "text", depth), only=only)
        name = self.pick(("count", "sum", "min", "max"))
        if name == "count" and self.chance(50):
            return a.Fold("count", None, only=only)
        part = self.expr(scope, "text" if name == "count" and self.chance(40) else "int", depth)
        return a.Fold(name, part, distinct=name in ("count", "sum") and self.chance(30), only=only)

    def window(self, scope: Scope) -> a.Window:
        """Gives a number computed from the rows around."""
        name = self.pick(("rank", "dense_rank", "count", "sum", "min", "max"))
        places = name in ("rank", "dense_rank")
        part = None if places or (name == "count" and self.chance(50)) else self.expr(scope, "int", 1)
        by = tuple(self.expr(scope, self.pick(("int", "text", "bool")), 1) for _ in self.some(0, 1))
        order = tuple((self.expr(scope, "int", 1), self.chance(40)) for _ in self.some(1 if places else 0, 2))
        return a.Window(name, part, by, order)

    # ---- conditions

    def condition(self, scope: Scope, depth: int = 2) -> a.Condition:
        """Gives a condition."""
        simple: tuple[Callable[[Scope, int], a.Condition], ...] = (self.compared, self.null, self.ranged, self.among)
        more = (self.junction, self.negated, self.quantified, self.exists, self.among_rows, self.flag, self.search)
        return self.pick((*simple, *(more if depth else (self.flag, self.search))))(scope, depth)

    def compared(self, scope: Scope, depth: int) -> a.Condition:
        kind: a.Kind = self.pick(("int", "int", "text"))
        left = self.expr(scope, kind, min(depth, 1))
        return a.Compare(self.pick(("=", "<>", "<", "<=", ">", ">=")), left, self.operand(scope, kind, min(depth, 1)))

    def null(self, scope: Scope, depth: int) -> a.Condition:
        kind: a.Kind = self.pick(("int", "text"))
        return a.IsNull(self.expr(scope, kind, min(depth, 1)), self.chance(50))

    def ranged(self, scope: Scope, depth: int) -> a.Condition:
        low = self.operand(scope, "int", 0)
        return a.Between(self.expr(scope, "int", min(depth, 1)), low, self.operand(scope, "int", min(depth, 1)))

    def among(self, scope: Scope, depth: int) -> a.Condition:
        kind: a.Kind = self.pick(("int", "text"))
        values = self.draw(st.lists(st.sampled_from(INTS if kind == "int" else TEXTS), max_size=3))
        return a.Among(self.expr(scope, kind, min(depth, 1)), tuple(values))

    def flag(self, scope: Scope, depth: int) -> a.Condition:
        found = self.column(scope, "bool")
        # a union's or a subquery's column is a condition too
        return found if found is not None else self.compared(scope, 0)  # type: ignore[return-value]

    def search(self, scope: Scope, depth: int) -> a.Condition:
        how = self.pick(("contains", "startswith", "endswith"))
        return a.Holds(how, self.expr(scope, "text", min(depth, 1)), self.pick(TEXTS))

    def junction(self, scope: Scope, depth: int) -> a.Condition:
        parts = tuple(self.condition(scope, depth - 1) for _ in self.some(2, 3))
        return a.Junction(self.pick(("and", "or")), parts)

    def negated(self, scope: Scope, depth: int) -> a.Condition:
        return a.Negation(self.condition(scope, depth - 1))

    def relation_to_many(self, scope: Scope) -> tuple[Seen, a.Path, str] | None:
        """Gives where a relation to many starts, and its name."""
        models = [seen for seen in scope if seen.model]
        if not models:
            return None
        seen = self.pick(models)
        path = self.path(seen.model)
        relations = TO_MANY_OF[model_at(seen.model, path)]
        return (seen, path, self.pick(relations)) if relations else None

    def about_many(self, scope: Scope, relation: str, depth: int) -> tuple[int, a.Condition | None]:
        """Gives a condition on the objects of a relation, and the number they are read by."""
        inner = Seen(next(self.numbers), TO_MANY[relation])
        visible = (inner, *hidden(scope, inner.model))
        return inner.source, self.condition(visible, depth - 1) if self.chance(75) else None

    def quantified(self, scope: Scope, depth: int) -> a.Condition:
        found = self.relation_to_many(scope)
        if found is None:
            return self.compared(scope, 0)
        seen, path, relation = found
        inner, condition = self.about_many(scope, relation, depth)
        which = self.pick(("any", "none", "every"))
        if condition is None and which == "every":
            which = "any"
        return a.Quantified(which, seen.source, path, relation, inner, condition)

    def inner(self, scope: Scope, depth: int) -> tuple[a.Query, Scope]:
        """Gives an inner query, perhaps about the rows around it, and what it reads itself."""
        model = self.pick(list(MODELS))
        root = Seen(next(self.numbers), model)
        query = a.Query(root.source, model)
        around = hidden(scope, model)
        where: list[a.Condition] = []
        if around and self.chance(60):
            kind: a.Kind = self.pick(("int", "text"))
            where.append(a.Compare("=", self.expr((root,), kind, 0), self.expr(around, kind, 0)))
        if depth > 0 and self.chance(60):
            where.append(self.condition((root, *around), depth - 1))
        return replace(query, where=tuple(where)), (root,)

    def exists(self, scope: Scope, depth: int) -> a.Condition:
        query, own = self.inner(scope, depth)
        shape = self.pick(("plain", "grouped", "distinct"))
        if shape == "grouped":
            key = self.expr(own, "int", 0)
            having = (a.Compare(">", a.Fold("count", None), a.Value(1)),) if self.chance(50) else ()
            query = replace(query, items=(a.Named(key, None),), group_by=(key,), having=having)
        elif shape == "distinct":
            query = replace(query, items=(a.Named(self.expr(own, "int", 0), None),), distinct=True, offset=1)
        return a.Exists(query)

    def among_rows(self, scope: Scope, depth: int) -> a.Condition:
        kind: a.Kind = self.pick(("int", "text"))
        query, own = self.inner(scope, depth)
        item = a.Named(self.expr(own, kind, min(depth, 1)), None)
        query = replace(query, items=(item,), distinct=self.chance(20))
        if self.chance(30):
            query = replace(query, order_by=((item.expr, self.chance(50)),), limit=self.pick((2, 1, 3)))
        return a.AmongRows(self.expr(scope, kind, 0), query)

    # ---- queries

    def query(self) -> a.Query:
        """Gives a whole query, perhaps in an order that leaves nothing open, and cut then."""
        made, _ = self.selected(2, (), ("objects", "objects", "values", "values", "groups", "groups by key"))
        return made

    def selected(self, depth: int, around: Scope, shapes: Sequence[str]) -> tuple[a.Query, tuple[a.Kind, ...]]:
        """Gives a query and the kinds of its values; `around` is what a lateral one may read."""
        root = Seen(next(self.numbers), self.pick(list(MODELS)), fans=True)
        if depth and not around and self.chance(30):
            return self.of_several(depth, root, shapes)
        made, scope = self.joined(a.Query(root.source, root.model), (root,), depth)
        visible = (*scope, *hidden(around, *(seen.model for seen in scope if seen.plain)))
        made = self.filtered(made, visible)
        return SHAPES[self.pick(shapes)](self, made, scope)

    def of_several(self, depth: int, root: Seen, shapes: Sequence[str]) -> tuple[a.Query, tuple[a.Kind, ...]]:
        """Gives a query of what others give together."""
        word = self.pick(("union", "union all", "intersect", "except"))
        number = range(3 if self.chance(20) else 2)
        if self.chance(50):
            parts = tuple(self.part(root.model, depth) for _ in number)
            made = a.Query(root.source, root.model, together=a.Combined(word, parts))
            made, scope = self.joined(made, (root,), depth - 1)
            # the key decides the rest of a table, not of what is put together
            shape = self.pick([shape for shape in shapes if shape != "groups by key"])
            return SHAPES[shape](self, self.filtered(made, scope), scope)
        kinds: tuple[a.Kind, ...] = tuple(self.pick(("int", "text", "bool")) for _ in self.some(1, 3))
        parts = tuple(self.part(self.pick(list(MODELS)), depth, kinds) for _ in number)
        made = a.Query(root.source, parts[0].model, together=a.Combined(word, parts), distinct=self.chance(15))
        joined = (join.model for join in parts[0].joins if isinstance(join, a.JoinModel) and not join.aliased)
        made = self.filtered(made, (Seen(root.source, "", kinds=kinds, names=(parts[0].model, *joined)),))
        return self.cut(made, [a.Output(root.source, place) for place in range(len(kinds))]), kinds

    def part(self, model: str, depth: int, kinds: tuple[a.Kind, ...] = ()) -> a.Query:
        """Gives one of several queries: of objects, or of values of some kinds."""
        root = Seen(next(self.numbers), model)
        made, scope = a.Query(root.source, model), (root,)
        if self.chance(25):
            made, scope = self.joined(made, scope, 0)
        made = replace(made, where=tuple(self.condition(scope, 1) for _ in self.some(0, 1)))
        # under a label each: no two are the same expression then
        items = tuple(a.Named(self.expr(scope, kind, 1), f"x{place}") for place, kind in enumerate(kinds))
        made = replace(made, items=items, distinct=bool(items) and self.chance(15))
        keys: list[a.Expr] = [a.Column(root.source, (), key) for key in KEYS[model]]
        return self.cut(made, [item.expr for item in items] or keys) if self.chance(30) else made

    def filtered(self, made: a.Query, scope: Scope) -> a.Query:
        """Adds conditions."""
        where = tuple(self.condition(scope) for _ in self.some(0, 2))
        return replace(made, where=where, exclude=tuple(self.condition(scope, 1) for _ in self.some(0, 1)))

    # ---- joins

    def joined(self, made: a.Query, scope: Scope, depth: int) -> tuple[a.Query, Scope]:
        """Adds joins."""
        for _ in self.some(0, 2):
            join, scope = self.join(scope, depth)
            made = replace(made, joins=(*made.joins, join))
        return made, scope

    def join(self, scope: Scope, depth: int) -> tuple[a.Join, Scope]:
        """Gives a join, and what can be read with it."""
        form, outer = self.pick(("alias", "model", "relation", "query")), self.chance(50)
        if form == "query" and depth:
            return self.join_query(scope, outer)
        seen = self.pick([one for one in scope if one.model])
        relations = [*TO_ONE_OF[seen.model], *(TO_MANY_OF[seen.model] if seen.fans else ())]
        if form == "relation" and relations:
            return a.JoinRelation(seen.source, (self.pick(relations),), outer), scope
        model = self.pick(list(MODELS))
        aliased = form != "model" or any(one.model == model and one.plain for one in scope)
        new = Seen(next(self.numbers), model, plain=not aliased)
        return a.JoinModel(new.source, model, aliased, outer, self.on(scope, new)), (*scope, new)

    def join_query(self, scope: Scope, outer: bool) -> tuple[a.Join, Scope]:
        """Gives a join of a subquery."""
        lateral = self.dialect == "postgresql" and self.chance(30)
        query, kinds = self.selected(0 if lateral else 1, scope if lateral else (), ("values", "groups"))
        seen = Seen(next(self.numbers), "", kinds=kinds)
        form = "lateral" if lateral else self.pick(("subquery", "cte"))
        on = () if lateral and self.chance(50) else self.on(scope, seen)
        return a.JoinQuery(seen.source, query, form, outer, on), (*scope, seen)

    def on(self, scope: Scope, new: Seen) -> tuple[a.Condition, ...]:
        """Gives the conditions of a join."""
        both = a.Compare("=", self.expr((new,), "int", 0), self.expr(scope, "int", 0))
        return (both, self.condition((*scope, new), 1)) if self.chance(40) else (both,)

    # ---- what is selected

    def objects(self, made: a.Query, scope: Scope) -> tuple[a.Query, tuple[a.Kind, ...]]:
        """Selects objects, perhaps beside values."""
        root = scope[0]
        keys: list[a.Expr] = [a.Column(root.source, (), key) for key in KEYS[root.model]]
        if self.chance(50):
            return self.cut(replace(made, distinct=self.chance(15)), keys), ()
        items: list[a.Item] = [a.Entity(root.source, ())]
        for _ in self.some(1, 2):
            seen = self.pick(scope)
            if seen.kinds or self.chance(30):
                items.append(a.Named(self.expr(scope, self.pick(("int", "text", "bool"))), None))
            else:
                path = self.path(seen.model)
                items.append(a.Entity(seen.source, path))
                keys += [a.Column(seen.source, path, key) for key in KEYS[model_at(seen.model, path)]]
        keys += [item.expr for item in items if isinstance(item, a.Named)]
        # what a relation leads to is ordered by the columns that hold its key, which are not shown with it
        distinct = not any(isinstance(item, a.Entity) and item.path for item in items) and self.chance(15)
        return self.cut(replace(made, items=tuple(items), distinct=distinct), keys), ()

    def values(self, made: a.Query, scope: Scope) -> tuple[a.Query, tuple[a.Kind, ...]]:
        """Selects values."""
        kinds: tuple[a.Kind, ...] = tuple(self.pick(("int", "text", "bool")) for _ in self.some(1, 3))
        exprs = (self.window(scope) if kind == "int" and self.chance(15) else self.expr(scope, kind) for kind in kinds)
        items = tuple(map(self.named, exprs))
        made = replace(made, items=items, distinct=self.chance(25))
        return self.cut(made, [item.expr for item in items]), kinds

    def groups(self, made: a.Query, scope: Scope) -> tuple[a.Query, tuple[a.Kind, ...]]:
        """Selects what rows have in common, and aggregates of them."""
        kinds: tuple[a.Kind, ...] = tuple(self.pick(("int", "text", "bool")) for _ in self.some(0, 2))
        keys = tuple(self.expr(scope, kind, 1) for kind in kinds)
        more: tuple[a.Kind, ...] = tuple(self.pick(("int", "text")) for _ in self.some(0 if keys else 1, 2))
        folds = tuple(self.fold(scope, kind, 1) for kind in more)
        items = tuple(map(self.named, (*keys, *folds)))
        made = replace(made, items=items, group_by=keys, having=self.having(scope, keys))
        return self.cut(made, [item.expr for item in items]), (*kinds, *more)

    def groups_by_key(self, made: a.Query, scope: Scope) -> tuple[a.Query, tuple[a.Kind, ...]]:
        """Selects objects and aggregates: a table's key decides its other columns."""
        root = scope[0]
        keys = tuple(a.Column(root.source, (), key) for key in KEYS[root.model])
        folds = tuple(a.Named(self.fold(scope, "int", 1), None) for _ in self.some(1, 2))
        items = (a.Entity(root.source, ()), *folds)
        return self.cut(replace(made, items=items, group_by=keys, having=self.having(scope, keys)), list(keys)), ()

    def having(self, scope: Scope, keys: tuple[a.Expr, ...]) -> tuple[a.Condition, ...]:
        """Gives conditions on groups."""
        if not self.chance(40):
            return ()
        op = self.pick(("=", "<>", "<", "<=", ">", ">="))
        return (a.Compare(op, self.fold(scope, "int", 1), self.value("int")),)

    def named(self, expr: a.Expr) -> a.Named:
        """Gives an item of a SELECT list, perhaps under a label."""
        return a.Named(expr, self.pick(LABELS) if self.chance(25) else None)

    def cut(self, made: a.Query, keys: Sequence[a.Expr]) -> a.Query:
        """Adds an order, and a limit where the order leaves nothing open."""
        if self.chance(25):
            return made
        keys = self.draw(st.permutations(keys))
        order = tuple((key, self.chance(40)) for key in keys)
        made = replace(made, order_by=order, ordered=True)
        if self.dialect == "postgresql" and not (made.distinct or made.group_by) and self.chance(15):
            on = tuple(key for key, _ in order[: self.pick((1, 2))])
            made = replace(made, distinct_on=on)
        if self.chance(40):
            made = replace(made, limit=self.pick((2, 1, 3, 0, 5)))
        return replace(made, offset=self.pick((1, 2, 0))) if self.chance(25) else made


SHAPES: dict[str, Callable[[Drawn, a.Query, Scope], tuple[a.Query, tuple[a.Kind, ...]]]] = {
    "objects": Drawn.objects,
    "values": Drawn.values,
    "groups": Drawn.groups,
    "groups by key": Drawn.groups_by_key,
}


def hidden(scope: Scope, *models: str) -> Scope:
    """Gives what an inner query sees of what is around it, where it reads models by their own names."""
    return tuple(
        seen for seen in scope if not (seen.plain and {seen.model, *seen.names}.intersection(filter(None, models)))
    )


@st.composite
def queries(draw: st.DrawFn, dialect: str) -> a.Query:
    """Draws queries that a database can answer."""
    return Drawn(draw, dialect).query()
