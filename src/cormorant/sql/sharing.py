"""Values that must be one parameter: to SQL, two parameters are never the same, whatever their values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from cormorant.sql.expr import Bind, Expr, walk
from cormorant.sql.inner import selects_in, selects_of
from cormorant.sql.nodes import TextMatch
from cormorant.sql.sameness import alike
from cormorant.sql.selects import Select
from cormorant.sql.statements import DeleteWhere, InsertSelect, Statement, UpdateWhere


def shared_binds(statement: Statement) -> dict[int, Bind]:
    """Gives, by id, the value sent in the place of another, equal one.

    `GROUP BY views * $2` is not what `SELECT views * $1` selects. Where rows are folded, equal values of what is
    selected, grouped by, ordered by or asked of a group are sent once; so they are in statements inside of others.
    """
    found: dict[int, Bind] = {}
    for select in _selects(statement):
        if select.folds:
            _share(select, found)
    return {number: _kept(bind, found) for number, bind in found.items()}


def _selects(statement: Statement) -> Iterable[Select]:
    if isinstance(statement, Select):
        return selects_of(statement)
    if isinstance(statement, InsertSelect):
        return selects_of(statement.select)
    return selects_in(statement.expressions) if isinstance(statement, (UpdateWhere, DeleteWhere)) else ()


def _share(select: Select, found: dict[int, Bind]) -> None:
    kept: list[tuple[Bind, str | None]] = []
    folded = (*select.columns, *select.group_by, *select.having, *select.distinct_on)
    parts = (*folded, *(order.expr for order in select.order_by))
    searches = {id(node.text): node.kind for node in _deep(parts) if isinstance(node, TextMatch)}
    for given in (bind for part in parts for bind in part.binds):
        # what is searched for is sent as a pattern, and each kind of search has its own
        bind, search = _kept(given, found), searches.get(id(given))
        twin = next((twin for twin, kind in kept if kind == search and alike(twin, bind)), None)
        if twin is None:
            kept.append((bind, search))
        elif twin is not bind:
            found[id(bind)] = twin


def _kept(bind: Bind, found: dict[int, Bind]) -> Bind:
    while (twin := found.get(id(bind))) is not None:
        bind = twin
    return bind


def _deep(parts: Iterable[Expr[Any]]) -> Iterator[Expr[Any]]:
    """Gives expressions and all they are made of, inner statements included."""
    parts = tuple(parts)
    for part in parts:
        yield from walk(part)
    for select in selects_in(parts):
        for part in select.expressions:
            yield from walk(part)
