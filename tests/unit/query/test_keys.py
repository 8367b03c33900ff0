"""Keys of plans: expressions that are said otherwise in SQL have different ones, and no value is forgotten."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import fields, replace
from typing import Any

import pytest

import cormorant
from cormorant.dialects.postgresql import PostgreSQLCompiler
from cormorant.dialects.sqlite import SQLiteCompiler
from cormorant.models.many import Part
from cormorant.models.paths import ManyExpr
from cormorant.sql import types as t
from cormorant.sql.arrays import ArrayConcat, ArrayItem, ArrayLength, ArrayMatch
from cormorant.sql.calls import Exists, Fragment, Function, ScalarSelect
from cormorant.sql.case import Case
from cormorant.sql.columns import Column
from cormorant.sql.documents import HasKeys, JsonContains, JsonPath, JsonPut, ToJson
from cormorant.sql.expr import Binary, Bind, Comparison, Expr, Label, Order, walk
from cormorant.sql.folds import Aggregate
from cormorant.sql.formulas import Formula
from cormorant.sql.full_text import Searched, SearchMatch, SearchRank
from cormorant.sql.inner import selects_in
from cormorant.sql.json_values import ANYTHING, ARRAY
from cormorant.sql.nodes import (
    Arithmetic,
    Between,
    In,
    InSelect,
    IsNotTrue,
    IsNull,
    Logical,
    Not,
    Null,
    TextMatch,
)
from cormorant.sql.own_operators import Distinctness, Op
from cormorant.sql.selects import Join, Lock, Select
from cormorant.sql.sources import CteReference, CteSource, TableSource
from cormorant.sql.tuples import Row, RowComparison, RowIn
from cormorant.sql.windows import Frame, Over, WindowFunction
from tests.unit.query.models import Article, Author, Tag

A = TableSource("a", "a")
X: Column[Any] = Column(A, "x", t.INTEGER, nullable=False, owner="A.x")
Y: Column[Any] = Column(A, "y", t.INTEGER, nullable=False, owner="A.y")
FLAG: Column[Any] = Column(A, "flag", t.BOOLEAN, nullable=True, owner="A.flag")
TEXT: Column[Any] = Column(A, "text", t.TEXT, nullable=True, owner="A.text")
OTHER: Column[Any] = Column(TableSource("b", "b"), "x", t.INTEGER, nullable=False, owner="B.x")


def one() -> Bind:
    return Bind(1, t.INTEGER)


UP, DOWN = Order(X, descending=False), Order(X, descending=True)
SELECT = Select(A, (X,))
MORE = Select(A, (X,), where=(Comparison("=", X, one(), t.BOOLEAN),))
COUNT = Aggregate("count", (), t.BIG_INTEGER)
SEARCHED = Searched((TEXT,), X, "simple", None)


def binaries(cls: type[Binary]) -> list[Expr[Any]]:
    pairs = (("@>", X, one()), ("||", X, one()), ("@>", Y, one()), ("@>", X, X))
    return [cls(sign, left, right, t.BOOLEAN) for sign, left, right in pairs]


def calls(cls: type[Function]) -> list[Expr[Any]]:
    return [
        cls("f", (), t.INTEGER),
        cls("g", (), t.INTEGER),
        cls("f", (X,), t.INTEGER),
        cls("f", (one(),), t.INTEGER),
        cls("f", (), t.FLOAT),
        cls("f", (), t.INTEGER, nullable=cls is WindowFunction),
    ]


def selecting(cls: type[Exists]) -> list[Expr[Any]]:
    return [
        cls(SELECT),
        cls(MORE),
        cls(SELECT, ((X, OTHER),)),
        cls(SELECT, ((X, one()),)),
        cls(SELECT, type_=t.INTEGER),
        cls(SELECT, nullable=True),
    ]


def searches(cls: type[SearchMatch]) -> list[Expr[Any]]:
    found = (
        SEARCHED,
        Searched((TEXT, X), X, "simple", None),
        Searched((TEXT,), Y, "simple", None),
        Searched((TEXT,), X, "english", None),
        Searched((TEXT,), X, "simple", "i"),
    )
    return [cls(searched, "word") for searched in found]


NODES: dict[type[Expr[Any]], list[Expr[Any]]] = {
    Bind: [one(), Bind("a", t.TEXT), Bind(None, t.INTEGER), Bind([1], t.Array(t.INTEGER))],
    Null: [Null()],
    Column: [X, Y, OTHER],
    **{cls: binaries(cls) for cls in (Binary, Comparison, Arithmetic, HasKeys, JsonContains, ArrayMatch, ArrayConcat)},
    Logical: [Logical("AND", (FLAG, FLAG)), Logical("OR", (FLAG, FLAG)), Logical("AND", (FLAG, FLAG, FLAG))],
    Not: [Not(FLAG), Not(X)],
    IsNotTrue: [IsNotTrue(FLAG), IsNotTrue(X)],
    IsNull: [IsNull(X, negated=False), IsNull(X, negated=True), IsNull(Y, negated=False)],
    Between: [Between(X, one(), one()), Between(Y, one(), one()), Between(X, Y, one()), Between(X, one(), Y)],
    In: [In(X, [1]), In(Y, [1]), In(TEXT, ["a"])],
    InSelect: [InSelect(X, SELECT), InSelect(Y, SELECT), InSelect(X, MORE)],
    TextMatch: [
        TextMatch("contains", TEXT, "a"),
        TextMatch("startswith", TEXT, "a"),
        TextMatch("contains", TEXT, "a", ignore_case=True),
        TextMatch("contains", Fragment("x", t.TEXT), "a"),
        TextMatch("contains", TEXT, TEXT),
    ],
    Label: [Label(X, "n"), Label(X, "m"), Label(Y, "n")],
    Function: [
        *calls(Function),
        Function("f", (), t.INTEGER, distinct=True),
        Function("f", (), t.INTEGER, aggregate=True),
    ],
    WindowFunction: calls(WindowFunction),
    Aggregate: [
        *calls(Aggregate),
        Aggregate("f", (), t.INTEGER, distinct=True),
        Aggregate("f", (), t.INTEGER, where=FLAG),
        Aggregate("f", (), t.INTEGER, where=Not(FLAG)),
        Aggregate("f", (), t.INTEGER, order_by=(UP,)),
        Aggregate("f", (), t.INTEGER, order_by=(DOWN,)),
        Aggregate("f", (), t.INTEGER, known=False),
        Aggregate("f", (X, X), t.INTEGER),
        Aggregate("f", (X,), t.INTEGER, order_by=(UP,)),
    ],
    Fragment: [Fragment("x"), Fragment("y"), Fragment("x", t.NUMERIC)],
    Exists: selecting(Exists),
    ScalarSelect: selecting(ScalarSelect),
    Formula: [
        Formula("f", (), t.INTEGER),
        Formula("g", (), t.INTEGER),
        Formula("f", (one(),), t.INTEGER),
        Formula("f", (), t.FLOAT),
        Formula("f", (), t.INTEGER, nullable=True),
    ],
    Case: [
        Case((FLAG,), (X,), None, t.INTEGER),
        Case((Not(FLAG),), (X,), None, t.INTEGER),
        Case((FLAG,), (one(),), None, t.INTEGER),
        Case((FLAG,), (X,), X, t.INTEGER),
        Case((FLAG,), (X,), None, t.FLOAT),
        Case((FLAG, FLAG), (X, X), None, t.INTEGER),
        Case((FLAG,), (FLAG,), FLAG, t.INTEGER),
    ],
    Over: [
        Over(COUNT, (), ()),
        Over(Aggregate("count", (X,), t.BIG_INTEGER), (), ()),
        Over(COUNT, (X,), ()),
        Over(COUNT, (), (UP,)),
        Over(COUNT, (), (DOWN,)),
        Over(COUNT, (), (), Frame("ROWS", None, None, (0, 0))),
        Over(COUNT, (), (), Frame("GROUPS", None, None, (0, 0))),
        Over(COUNT, (), (), Frame("ROWS", one(), None, (-1, 0))),
        Over(COUNT, (), (), Frame("ROWS", one(), None, (1, 0))),
        Over(COUNT, (), (), Frame("ROWS", one(), None, (0, 0))),
        Over(COUNT, (), (), Frame("ROWS", None, one(), (0, 1))),
    ],
    JsonPath: [JsonPath(X, ("a",), ANYTHING), JsonPath(X, ("a",), ARRAY), JsonPath(Y, ("a",), ANYTHING)],
    ToJson: [ToJson(X), ToJson(TEXT), ToJson(Fragment("x", t.TEXT))],
    JsonPut: [
        JsonPut(X, ("a",), None),
        JsonPut(Y, ("a",), None),
        JsonPut(X, (0,), None),
        JsonPut(X, ("a",), ToJson(X)),
        JsonPut(X, ("a",), one()),
    ],
    ArrayItem: [ArrayItem(X, 0), ArrayItem(X, -1), ArrayItem(Y, 0)],
    ArrayLength: [ArrayLength(X), ArrayLength(Y)],
    SearchMatch: searches(SearchMatch),
    SearchRank: searches(SearchRank),
    Op: [
        Op("@@", X, one(), t.BOOLEAN),
        Op("&&", X, one(), t.BOOLEAN),
        Op("@@", Y, one(), t.BOOLEAN),
        Op("@@", X, Y, t.BOOLEAN),
        Op("@@", X, one(), t.TEXT),
    ],
    Distinctness: [
        Distinctness(X, one(), negated=False),
        Distinctness(X, one(), negated=True),
        Distinctness(Y, one(), negated=False),
        Distinctness(X, Y, negated=False),
    ],
    Row: [Row((X, Y)), Row((Y, X)), Row((X, one()))],
    RowComparison: [
        RowComparison("<", Row((X, Y)), Row((one(), one()))),
        RowComparison(">", Row((X, Y)), Row((one(), one()))),
        RowComparison("<", Row((X, X)), Row((one(), one()))),
        RowComparison("<", Row((X, Y)), Row((one(), Y))),
    ],
    RowIn: [
        RowIn(Row((X, Y)), (Bind([1], t.Array(t.INTEGER)), Bind([1], t.Array(t.INTEGER)))),
        RowIn(Row((Y, X)), (Bind([1], t.Array(t.INTEGER)), Bind([1], t.Array(t.INTEGER)))),
        RowIn(Row((X, Y)), (Bind([1], t.Array(t.INTEGER)), Bind(["a"], t.Array(t.TEXT)))),
    ],
    ManyExpr: [
        Author.articles,
        Author.articles.filter(Article.views > 3),
        Author.articles.order_by(Article.views),
        Author.articles.limit(3),
        Article.author.articles,
        Tag.articles,
    ],
}

# what the rest of a node says already: of two nodes that differ in it, something else differs too
TOLD_BY_THE_REST = {
    Column: {"type", "owner", "attribute", "collation", "_nullable"},  # its source and its name
    ManyExpr: {"type", "_key", "_nullable", "_steps"},  # its source and its relation
    Bind: {"value"},  # what is sent, but for whether it is None
}


def _all_nodes(cls: type[Any] = Expr) -> Iterator[type[Any]]:
    for found in cls.__subclasses__():
        if found.__module__.startswith("cormorant."):
            yield found
            yield from _all_nodes(found)


def _load_everything() -> None:
    for module in pkgutil.walk_packages(cormorant.__path__, "cormorant."):
        # of an integration, the library may not be installed
        with suppress(ImportError):
            importlib.import_module(module.name)


def test_every_node_is_tested() -> None:
    _load_everything()
    assert set(_all_nodes()) == set(NODES)


def test_what_is_said_otherwise_has_another_key() -> None:
    nodes = [node for group in NODES.values() for node in group]
    seen: dict[Any, Expr[Any]] = {}
    for node in nodes:
        assert node.key not in seen, f"{node!r} has the key of {seen[node.key]!r}"
        seen[node.key] = node


def test_nodes_made_alike_share_a_key() -> None:
    again = [Comparison("=", X, Bind(value, t.INTEGER), t.BOOLEAN) for value in (1, 2)]
    assert again[0].key == again[1].key
    assert In(X, [1]).key == In(X, [1, 2, 3]).key
    assert JsonPath(X, ("a",), ANYTHING).key == JsonPath(X, ("b", 0), ANYTHING).key
    assert ArrayItem(X, 0).key == ArrayItem(X, 1).key
    assert SearchMatch(SEARCHED, "a").key == SearchMatch(SEARCHED, "b").key


@pytest.mark.parametrize("cls", NODES, ids=lambda cls: cls.__name__)
def test_no_value_is_forgotten(cls: type[Expr[Any]]) -> None:
    for node in NODES[cls]:
        told = set(map(id, node.binds))
        assert told >= {id(part) for part in walk(node) if isinstance(part, Bind)}
        assert told >= {id(bind) for select in selects_in([node]) for bind in select.binds}


@pytest.mark.parametrize("cls", NODES, ids=lambda cls: cls.__name__)
def test_every_attribute_is_looked_at(cls: type[Expr[Any]]) -> None:
    """Whatever is put into a node later: here must be a node that differs in it."""
    names = {name for base in cls.__mro__ for name in getattr(base, "__slots__", ())} - {"key", "binds"}
    names = {name for name in names if "__" not in name} - TOLD_BY_THE_REST.get(cls, set())
    for name in names - {"type"}:
        first, *others = [getattr(node, name) for node in NODES[cls]]
        assert cls.__name__ in _FIXED.get(name, ()) or any(other is not first for other in others), name


# set by the class, or made of the other attributes
_FIXED = {"aggregate": ("Aggregate", "WindowFunction"), "known": ("WindowFunction",), "order_by": ("WindowFunction",)}
_FIXED |= {"where": ("WindowFunction",), "distinct": ("WindowFunction",)}


@pytest.mark.parametrize("compiler", [SQLiteCompiler, PostgreSQLCompiler])
def test_every_node_is_said(compiler: type[SQLiteCompiler | PostgreSQLCompiler]) -> None:
    # of two sides only what kind of node it is tells what is said, and a relation to many is no value
    assert set(NODES) - set(compiler.visitors) == {Binary, ManyExpr}


# ------------------------------------------------------------------ statements

SELECTS = {
    "source": TableSource("b", "b"),
    "columns": (Y,),
    "where": (FLAG,),
    "group_by": (X,),
    "having": (FLAG,),
    "order_by": (UP,),
    "distinct": True,
    "limit": one(),
    "offset": one(),
    "joins": (Join(OTHER.source, (FLAG,)),),
    "distinct_on": (X,),
    "lock": Lock("UPDATE"),
    "ctes": (CteSource(CteReference("c"), SELECT),),
    "home": 1,
    "lifted": frozenset[str](),
}


def test_every_part_of_a_select_is_in_its_key() -> None:
    assert set(SELECTS) == {part.name for part in fields(Select)}
    found = [SELECT, *(replace(SELECT, **{name: value}) for name, value in SELECTS.items())]
    found += [replace(SELECT, limit=X), replace(SELECT, offset=X), replace(SELECT, lifted=frozenset({"tenant"}))]
    found += [replace(SELECT, joins=(Join(OTHER.source, (FLAG,), outer=True),)), replace(SELECT, order_by=(DOWN,))]
    locks = (Lock("SHARE"), Lock("UPDATE", (A,)), Lock("UPDATE", (), "NOWAIT"), Lock("UPDATE", (), "SKIP LOCKED"))
    found += [replace(SELECT, lock=lock) for lock in locks]
    assert len({select.key for select in found}) == len(found)


def test_every_part_of_some_objects_is_in_its_key() -> None:
    parts = [Part(), Part((FLAG,)), Part((), (UP,)), Part((), (DOWN,)), Part((), (), one()), Part((Not(FLAG),))]
    assert len({part.key for part in parts}) == len(parts)
