"""FOR UPDATE and FOR SHARE."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

from cormorant._internal.narrowing import is_list, is_tuple
from cormorant.errors import QueryError, WrongType
from cormorant.models.metadata import ModelInfo
from cormorant.models.paths import Path
from cormorant.query.grouping import is_aggregate
from cormorant.query.spec import QuerySpec
from cormorant.sql.expr import walk
from cormorant.sql.joins import shown_by
from cormorant.sql.selects import Compound, Lock, Select
from cormorant.sql.sources import Source, SubquerySource
from cormorant.sql.windows import Over

Lockable: TypeAlias = "type[Any] | Sequence[type[Any]]"
"""A model or a relation, or several."""


def lock_of(strength: Literal["UPDATE", "SHARE"], of: Any, *, nowait: bool, skip_locked: bool) -> Lock:
    """Gives the lock that was asked for.

    Args:
        strength: What others may do with the rows: nothing, or read them.
        of: A model or a relation, or several, whose rows are locked; () for the query's own.
        nowait: Raise at rows that others hold.
        skip_locked: Leave them out.

    Raises:
        QueryError: Both are asked for.
        WrongType: `of` names something else.
    """
    if nowait and skip_locked:
        raise QueryError("a lock has nowait or skip_locked, not both", hint="skip_locked does not wait either")
    named = tuple(of) if is_tuple(of) or is_list(of) else (of,)
    wait: Literal["", "NOWAIT", "SKIP LOCKED"] = "NOWAIT" if nowait else "SKIP LOCKED" if skip_locked else ""
    return Lock(strength, tuple(map(_source_of, named)), wait)


LOCK = Lock("UPDATE")


def locked(spec: QuerySpec, lock: Lock) -> QuerySpec:
    """Gives a query that locks its rows."""
    return spec.changed(("lock", *lock.key), (), lock=lock)


def _source_of(item: Any) -> Source:
    if isinstance(item, Path):
        return item.__source__
    info = getattr(item, "__info__", None)
    if isinstance(info, ModelInfo):
        return info.source
    raise WrongType(f"of={item!r} is no model", hint="name models or relations that the query reads: of=Article.author")


def check_lock(select: Select) -> None:
    """Refuses to lock rows that are none of a table.

    Raises:
        QueryError: Saying what they are.
    """
    if select.lock is None:
        return
    shown = shown_by(select.source)
    folded = any(is_aggregate(column, shown) for column in select.columns)
    whole = isinstance(select.source, SubquerySource) and isinstance(select.source.select, Compound)
    windows = any(isinstance(node, Over) for column in select.columns for node in walk(column))
    for found, what in (
        (select.group_by or select.having or folded, "grouped"),
        (select.distinct or select.distinct_on, "distinct"),
        (whole, "put together from several queries"),
        (windows, "computed from a window of others"),
    ):
        if found:
            raise QueryError(
                f"rows that are {what} cannot be locked: they are no rows of a table",
                hint="lock the rows themselves: .filter(Model.id.in_(...)).for_update()",
            )
