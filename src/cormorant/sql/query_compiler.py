"""Turns expressions and SELECTs into SQL text: one method per node, overridden where a dialect differs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Protocol

from cormorant.errors import CompileError
from cormorant.sql import calls as k
from cormorant.sql import columns as c
from cormorant.sql import expr as e
from cormorant.sql import nodes as n
from cormorant.sql import own_operators as o
from cormorant.sql import sources as s
from cormorant.sql import tuples as r
from cormorant.sql import types as t
from cormorant.sql.formulas import Fold, Template, chained, is_infix
from cormorant.sql.from_clause import Ctes, from_clause, locking
from cormorant.sql.full_text import SearchMatch
from cormorant.sql.nullability import is_hidden, nullable_columns
from cormorant.sql.restrictions import Restrainer, Restrictions
from cormorant.sql.scope import Scope
from cormorant.sql.selectable import SelectLike
from cormorant.sql.selects import Compound, Select
from cormorant.sql.shown import Shown
from cormorant.sql.sources import root_of
from cormorant.sql.statements import Compiled


class Words(Protocol):
    """What the compiler asks of a dialect."""

    def quote(self, name: str) -> str: ...
    def placeholder(self, index: int) -> str: ...
    def cast_name(self, type_: t.SqlType) -> str: ...
    def literal(self, value: Any, type_: t.SqlType) -> str: ...


class QueryCompiler:
    """Compiles one statement; made anew for each.

    Args:
        words: The dialect.
        binds: The statement's values, in the order in which they will be sent.
        shared: By id, the value sent in the place of another.
        restrictions: Conditions that every use of a table gets.
        inline: Write values as literals and columns without their table, as declarations have them.
    """

    def __init__(
        self,
        words: Words,
        binds: Iterable[e.Bind] = (),
        shared: Mapping[int, e.Bind] = MappingProxyType({}),
        *,
        inline: bool = False,
        restrictions: Restrictions | None = None,
    ) -> None:
        self.words = words
        self.inline = inline
        self.quote: Callable[[str], str] = words.quote
        self.scope: Scope = Scope(None)
        self.ctes: Ctes = Ctes()
        self.positions: dict[int, int] = {}
        # the positions that stand in the text
        self.read: set[int] = set()
        # by id, the parts of unions in which equal rows are one
        self.folded: set[int] = set()
        self.types: list[t.SqlType] = []
        self.transforms: dict[int, Callable[[Any], Any]] = {}
        self.sent: list[e.Bind] = []
        self.restrainer: Restrainer = Restrainer(restrictions, self.send)
        for bind in binds:
            # a value that stands in two places is sent once
            kept = shared.get(id(bind), bind)
            if id(kept) not in self.positions:
                self.positions[id(kept)] = self.send(kept)
            self.positions[id(bind)] = self.positions[id(kept)]

    def send(self, bind: e.Bind) -> int:
        """Adds a parameter, and gives its position."""
        self.types.append(bind.type)
        self.sent.append(bind)
        return len(self.types) - 1

    def compiled(self, sql: str) -> Compiled:
        """Gives the finished statement."""
        return Compiled(
            self.ctes.with_clause() + sql,
            tuple(self.types),
            tuple(self.transforms.items()),
            tuple(self.sent),
            self.restrainer.owners,
        )

    # ---- SELECT

    def select(self, select: Select, links: tuple[tuple[c.Column[Any], e.Expr[Any]], ...] = ()) -> str:
        """Gives a SELECT; `links` tie its columns to expressions of the statement around it."""
        outer, lifted = self.scope, self.restrainer.lifted
        linked = [(inner, self.expr(expr)) for inner, expr in links]
        self.scope = Scope(outer)
        if select.lifted is not None:
            self.restrainer.lifted = select.lifted
        try:
            from_ = from_clause(self, select, tuple(inner for inner, _ in links))
            where = [f"{self.column(inner)} = {sql}" for inner, sql in linked]
            where += [self.condition(part) for part in select.where]
            where += self.restricted(select.source)
            return self._assemble(select, from_, where)
        finally:
            self.scope, self.restrainer.lifted = outer, lifted

    def restricted(self, source: s.Source) -> list[str]:
        """Gives the conditions that every use of a table gets; inside of them there are no further ones."""
        restrainer = self.restrainer
        found = restrainer.conditions(source, self.positions)
        restrainer.active, before = False, restrainer.active
        try:
            return [self.condition(part) for part in found]
        finally:
            restrainer.active = before

    def _assemble(self, select: Select, from_: str, where: list[str]) -> str:
        sql = f"SELECT {self.distinct_clause(select)}{self.select_list(select)} FROM {from_}"
        if where:
            sql += " WHERE " + chained("AND", where)
        if select.group_by:
            sql += " GROUP BY " + ", ".join(map(self.told_apart, select.group_by))
        if select.having:
            sql += " HAVING " + " AND ".join(map(self.condition, select.having))
        if select.order_by:
            sql += " ORDER BY " + ", ".join(map(self.order, select.order_by))
        return sql + self.limit_clause(select) + self.lock_clause(select)

    def select_list(self, select: Select) -> str:
        """Gives what is selected."""
        return ", ".join(map(self.selected, select.columns)) or "1"

    def told_apart(self, expr: e.Expr[Any]) -> str:
        """Gives an expression by whose values rows are put into groups."""
        return self.expr(expr)

    def distinct_clause(self, select: Select) -> str:
        """Gives DISTINCT, DISTINCT ON, or nothing."""
        if select.distinct_on:
            return f"DISTINCT ON ({', '.join(map(self.expr, select.distinct_on))}) "
        return "DISTINCT " if select.distinct else ""

    def lock_clause(self, select: Select) -> str:
        """Gives FOR UPDATE or FOR SHARE; without names, of the query's own table: others may be joined from outside."""
        return "" if select.lock is None else locking(self, select.source, select.lock)

    def compound(self, compound: Compound) -> str:
        """Gives SELECTs joined by UNION, INTERSECT or EXCEPT."""
        if compound.word != "UNION ALL":
            self.folded.update(map(id, compound.parts))
        return f" {compound.word} ".join(map(self._member, compound.parts))

    def _member(self, part: Select) -> str:
        sql = self.select(part)
        # an order or a limit of its own would be the whole one's
        cut = part.order_by or part.limit is not None or part.offset is not None
        return f"SELECT * FROM ({sql}) AS member" if cut else sql

    def statement_inside(self, statement: SelectLike) -> str:
        """Gives a statement that stands inside another one."""
        if isinstance(statement, Compound):
            return self.compound(statement)
        assert isinstance(statement, Select)
        return self.select(statement)

    def need_lateral(self) -> None:
        """Refuses LATERAL where the database has none."""

    def column_of(self, source: s.Source, name: str) -> str:
        """Gives a column of a source by the source's alias."""
        if self.inline:
            return self.quote(name)
        alias, name = self.scope.named(source, name)
        return f"{self.quote(alias)}.{self.quote(name)}"

    def nullable(self, expr: e.Expr[Any]) -> bool:
        """Whether a value can be NULL in this statement: what is joined from outside always can."""
        return expr.nullable or any(map(self._missing, e.walk(expr)))

    def _missing(self, node: e.Expr[Any]) -> bool:
        if (found := self._shown(node)) is not None:
            return found[1].nullable
        if isinstance(node, n.InSelect):
            return any(nullable_columns(node.select, self.restrainer.in_force, self.restrainer.lifted))
        if not isinstance(node, c.Column):
            return False
        scope, restrainer = self.scope, self.restrainer
        if scope.is_outer(root_of(node.source).key) or scope.is_missing(node.source.key):
            return True
        return is_hidden(node, restrainer.in_force, restrainer.lifted)

    def selected(self, expr: e.Expr[Any]) -> str:
        """Gives an item of the SELECT list."""
        if isinstance(expr, e.Label):
            return f"{self.selected(expr.expr)} AS {self.quote(expr.name)}"
        return self.expr(expr)

    def order(self, order: e.Order) -> str:
        """Gives an item of ORDER BY."""
        nulls = f" NULLS {order.nulls.upper()}" if order.nulls else ""
        return self.expr(order.expr) + (" DESC" if order.descending else "") + nulls

    def limit_clause(self, select: Select) -> str:
        """Gives LIMIT and OFFSET."""
        sql = "" if select.limit is None else f" LIMIT {self.bare(select.limit)}"
        return sql if select.offset is None else f"{sql} OFFSET {self.bare(select.offset)}"

    # ---- expressions

    def expr(self, expr: e.Expr[Any]) -> str:
        """Gives any expression."""
        if (found := self._shown(expr)) is not None:
            return f"{self.quote(found[0])}.{self.quote(found[1].name)}"
        visit = self.visitors.get(type(expr))
        if visit is None:
            raise CompileError(
                f"{expr!r} is a relation to many, which is no value in SQL",
                hint="use .any(...), .none(...), .every(...), .count() or .each",
            )
        return visit(self, expr)

    def _shown(self, expr: e.Expr[Any]) -> tuple[str, Shown] | None:
        return self.scope.shown(expr) if self.scope.has_shows else None

    def condition(self, expr: e.Expr[Any]) -> str:
        """Gives a condition that stands in an AND list."""
        open_ = (isinstance(expr, n.Logical) and expr.sign == "OR") or k.is_open(expr)
        return f"({self.expr(expr)})" if open_ else self.expr(expr)

    def bare(self, expr: e.Expr[Any]) -> str:
        """Gives an operand whose type the other side tells: a value stays without a cast."""
        return self.placeholder(expr) if isinstance(expr, e.Bind) else self.operand(expr)

    def operand(self, expr: e.Expr[Any]) -> str:
        """Gives an expression inside another one, in parentheses where operators could bind otherwise."""
        sql = self.expr(expr)
        return f"({sql})" if self.is_compound(expr) else sql

    def is_compound(self, expr: e.Expr[Any]) -> bool:
        """Whether an expression needs parentheses inside another one."""
        return isinstance(expr, _COMPOUND) or is_infix(self.formulas, expr) or k.is_open(expr)

    def placeholder(self, bind: e.Bind) -> str:
        """Gives a value's placeholder."""
        if self.inline:
            return self.words.literal(bind.value, bind.type)
        position = self.positions[id(bind)]
        self.read.add(position)
        return self.words.placeholder(position)

    def bind(self, bind: e.Bind) -> str:
        """Gives a value where nothing tells the server its type."""
        return self.placeholder(bind)

    def null(self, _: n.Null) -> str:
        """Gives NULL."""
        return "NULL"

    def column(self, column: c.Column[Any]) -> str:
        """Gives a column."""
        return self.column_of(column.source, column.name)

    def comparison(self, node: e.Comparison) -> str:
        """Gives `left op right`."""
        # of two values nothing tells the server the type
        bare = isinstance(node.right, e.Bind) and isinstance(node.left, e.Bind)
        left = self.expr(node.left) if bare else self.bare(node.left)
        return f"{left} {node.sign} {self.bare(node.right)}"

    def arithmetic(self, node: n.Arithmetic) -> str:
        """Gives `left op right`."""
        return f"{self.operand(node.left)} {node.sign} {self.operand(node.right)}"

    def logical(self, node: n.Logical) -> str:
        """Gives conditions joined by AND or OR."""
        return chained(node.sign, [self._logical_part(node, part) for part in node.parts])

    def _logical_part(self, node: n.Logical, part: e.Expr[Any]) -> str:
        sql = self.expr(part)
        return f"({sql})" if (isinstance(part, n.Logical) and part.sign != node.sign) or k.is_open(part) else sql

    def not_(self, node: n.Not) -> str:
        """Gives NOT."""
        return f"NOT ({self.expr(node.part)})"

    def is_not_true(self, node: n.IsNotTrue) -> str:
        """Gives IS NOT TRUE, or NOT where NULL cannot occur: a plain NOT can use an index."""
        return f"({self.expr(node.part)}) IS NOT TRUE" if self.nullable(node.part) else self.not_(node)

    def is_null(self, node: n.IsNull) -> str:
        """Gives IS NULL or IS NOT NULL."""
        return f"{self.operand(node.part)} IS {'NOT ' if node.negated else ''}NULL"

    def between(self, node: n.Between) -> str:
        """Gives BETWEEN."""
        return f"{self.operand(node.part)} BETWEEN {self.bare(node.low)} AND {self.bare(node.high)}"

    def in_(self, node: n.In) -> str:
        """Gives membership in a list that travels as one parameter."""
        raise CompileError("this database cannot take a list as one parameter")

    def in_select(self, node: n.InSelect) -> str:
        """Gives IN with a query."""
        parts = node.part.parts if isinstance(node.part, r.Row) else ()
        part = f"({', '.join(map(self.expr, parts))})" if parts else self.operand(node.part)
        return f"{part} IN ({self.statement_inside(node.select)})"

    def text_match(self, node: n.TextMatch) -> str:
        """Gives a literal text search."""
        raise CompileError("this database has no literal text search")

    def function(self, node: k.Function) -> str:
        """Gives a call."""
        return self.call(node.name, node)

    def call(self, name: str, node: k.Function) -> str:
        """Gives a call under the name the database has for it."""
        args = ", ".join(map(self.expr, node.args))
        if node.aggregate and not args:
            args = "*"
        return f"{name}({'DISTINCT ' if node.distinct else ''}{args})"

    def label(self, node: e.Label[Any]) -> str:
        """Gives a labelled expression outside the SELECT list, where the label means nothing."""
        return self.expr(node.expr)

    def fragment(self, node: k.Fragment) -> str:
        """Gives the developer's own SQL."""
        return node.sql

    def exists(self, node: k.Exists) -> str:
        """Gives EXISTS with a correlated SELECT."""
        return f"EXISTS ({self.correlated(node)})"

    def scalar(self, node: k.ScalarSelect) -> str:
        """Gives a correlated SELECT as a value."""
        return f"({self.correlated(node)})"

    def correlated(self, node: k.Exists) -> str:
        """Gives the SELECT of EXISTS, or of a scalar."""
        return (
            self.select(node.select, node.links)
            if isinstance(node.select, Select)
            else self.statement_inside(node.select)
        )

    formulas: ClassVar[Mapping[str, Template]] = MappingProxyType({})
    folds: ClassVar[Mapping[str, Fold]] = MappingProxyType({})
    """How the dialect says functions and operators, and aggregates, that have a name of ours."""

    visitors: ClassVar[dict[type[e.Expr[Any]], Callable[[Any, Any], str]]] = {
        e.Bind: lambda self, node: self.bind(node),
        n.Null: lambda self, node: self.null(node),
        c.Column: lambda self, node: self.column(node),
        e.Comparison: lambda self, node: self.comparison(node),
        n.Arithmetic: lambda self, node: self.arithmetic(node),
        n.Logical: lambda self, node: self.logical(node),
        n.Not: lambda self, node: self.not_(node),
        n.IsNotTrue: lambda self, node: self.is_not_true(node),
        n.IsNull: lambda self, node: self.is_null(node),
        n.Between: lambda self, node: self.between(node),
        n.In: lambda self, node: self.in_(node),
        n.InSelect: lambda self, node: self.in_select(node),
        n.TextMatch: lambda self, node: self.text_match(node),
        k.Function: lambda self, node: self.function(node),
        e.Label: lambda self, node: self.label(node),
        k.Fragment: lambda self, node: self.fragment(node),
        k.Exists: lambda self, node: self.exists(node),
        k.ScalarSelect: lambda self, node: self.scalar(node),
    }


_COMPOUND = (
    e.Binary,
    n.Logical,
    n.Not,
    n.IsNull,
    n.Between,
    n.In,
    n.InSelect,
    n.TextMatch,
    SearchMatch,
    o.Distinctness,
    o.Op,
    r.RowComparison,
    r.RowIn,
)
