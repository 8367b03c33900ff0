"""Values that must be one parameter: to SQL, two parameters are never the same, whatever their values."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cormorant.sql.expr import Bind, Expr, walk
from cormorant.sql.nodes import TextMatch
from cormorant.sql.selects import Select
from cormorant.sql.sources import SubquerySource
from cormorant.sql.statements import Statement


def shared_binds(statement: Statement) -> dict[int, Bind]:
    """Gives, by id, the value sent in the place of another, equal one.

    `GROUP BY views * $2` is not what `SELECT views * $1` selects. Where rows are folded, equal values of what is
    selected, grouped by, ordered by or asked of a group are sent once.
    """
    if not isinstance(statement, Select):
        return {}
    if isinstance(statement.source, SubquerySource) and isinstance(statement.source.select, Select):
        return shared_binds(statement.source.select)
    if not (statement.group_by or statement.distinct):
        return {}
    kept: list[Bind] = []
    found: dict[int, Bind] = {}
    for bind in _binds_of(statement):
        twin = next((other for other in kept if _equal(other, bind)), None)
        if twin is None:
            kept.append(bind)
        else:
            found[id(bind)] = twin
    return found


def alike(one: Expr[Any], other: Expr[Any]) -> bool:
    """Whether two expressions are the same, their values included."""
    return one.key == other.key and all(map(_equal, one.binds, other.binds))


def _binds_of(select: Select) -> Iterable[Bind]:
    orders = (order.expr for order in select.order_by)
    nodes = [node for part in (*select.columns, *select.group_by, *select.having, *orders) for node in walk(part)]
    # what is searched for is sent as a pattern
    searched = {id(node.text) for node in nodes if isinstance(node, TextMatch)}
    return (node for node in nodes if isinstance(node, Bind) and id(node) not in searched)


def _equal(one: Bind, other: Bind) -> bool:
    return one.type.key == other.type.key and bool(one.value == other.value)
