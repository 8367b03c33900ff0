"""What `.union(...)`, `.intersect(...)` and `.except_(...)` make of several queries."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from cormorant.errors import QueryError
from cormorant.query.entities import EntityColumns, Selected, selected
from cormorant.query.grouping import is_aggregate
from cormorant.query.matching import in_common
from cormorant.query.planner import named, select_of
from cormorant.query.related import NOTHING
from cormorant.query.selection import key_of_item, name_of
from cormorant.query.spec import QuerySpec
from cormorant.sql.columns import Column
from cormorant.sql.expr import Expr, Label, unlabelled
from cormorant.sql.inner import output_names
from cormorant.sql.joins import shown_by
from cormorant.sql.nullability import nullable_columns
from cormorant.sql.selects import Compound, SetWord
from cormorant.sql.shown import Shown, Shows
from cormorant.sql.sources import SubquerySource
from cormorant.sql.types import SqlType

MOST_PARTS = 500
"""SQLite takes no more: its SQLITE_MAX_COMPOUND_SELECT."""


def combined(word: SetWord, queries: Sequence[tuple[QuerySpec, int | None]]) -> QuerySpec:
    """Gives the query of the rows of several, which goes on as if it selected what the first one does.

    Args:
        word: How they are put together.
        queries: Each with the number of its database, as far as that is known.

    Raises:
        QueryError: Their rows cannot be put together.
    """
    first, what = queries[0][0], word.lower()
    for spec, _ in queries[1:]:
        if spec.output != first.output or (first.output == "entities" and spec.info.plain is not first.info.plain):
            raise QueryError(
                f"{what} of {first.info.name} {first.output} and {spec.info.name} {spec.output}",
                hint="both sides must give the same kind of rows",
            )
    if any(spec.loading is not NOTHING for spec, _ in queries):
        raise QueryError(
            f"{what} of queries that say what {first.info.name} objects come with",
            hint=f"say it after the {what}: .{what.split()[0]}(...).prefetch_related(...)",
        )
    if any(spec.lock is not None for spec, _ in queries):
        raise QueryError(
            f"{what} of locked rows", hint="lock the rows themselves: .filter(Model.id.in_(...)).for_update()"
        )
    _check_items(what, [spec for spec, _ in queries])
    added = [select_of(spec, home=home) for spec, home in queries]
    selects = tuple(added)
    if first.united is not None and first.united[0] == word:
        # a.union(b).union(c) is a.union(b, c): no deeper, however long the chain
        _, first, before = first.united
        selects = (*before, *added[1:])
    if len(selects) > MOST_PARTS:
        raise QueryError(
            f"{what} of more than {MOST_PARTS} queries, the most that every database takes",
            hint="ask one query for all the rows: .filter(Model.column.in_(values)), or conditions joined by |",
        )
    parts, types = in_common(what, selects)
    compound = Compound(word, tuple(map(named, parts)))
    source = SubquerySource(compound, first.info.table, shows=_shows(selects[0].columns, compound))
    items = tuple(map(key_of_item, first.columns or ()))
    return QuerySpec(first.info).changed(
        (word, source.shape, items, first.output, first.names),
        source.binds,
        source=source,
        columns=None if first.columns is None else tuple(_read_from(source, first, types)),
        names=first.names,
        output=first.output,
        into=first.into,
        united=(word, first, selects),
    )


def _check_items(what: str, specs: Sequence[QuerySpec]) -> None:
    """Refuses to put objects together with values, or with objects of another model, whose rows may look the same."""
    kinds = [tuple(map(_kind_of_item, selected(spec)[1])) for spec in specs]
    for kind in kinds[1:]:
        if kind != kinds[0]:
            raise QueryError(
                f"{what}: ({', '.join(kinds[0])}) and ({', '.join(kind)}) do not go together",
                hint="select the same number of values, and objects of the same models, in each",
            )


def _kind_of_item(part: Selected) -> str:
    return part.info.path if isinstance(part, EntityColumns) else "a value"


def _read_from(source: SubquerySource, spec: QuerySpec, types: Sequence[SqlType]) -> Iterator[Any]:
    """Gives what a query selects, read from outside; objects are found by the columns they are made of."""
    nullable, names = nullable_columns(source.select), output_names(source.select)
    for item, part in zip(spec.columns or (), selected(spec)[1], strict=True):
        if isinstance(part, EntityColumns):
            yield item
        else:
            place, owner = part.start, repr(item)
            attribute = name_of(item) or names[place]
            yield Column(source, names[place], types[place], nullable=nullable[place], owner=owner, attribute=attribute)


def _shows(asked: Sequence[Expr[Any]], compound: Compound) -> Shows:
    """Gives the columns of what is put together by what they show, with and without its label."""
    found: list[tuple[Expr[Any], Shown]] = []
    columns = map(Shown, output_names(compound), nullable_columns(compound))
    for expr, column in zip(asked, columns, strict=True):
        bare = unlabelled(expr)
        found.append((expr, column))
        if bare is not expr:
            found.append((bare, column))
        if isinstance(bare, Column):
            # what was put together before still goes by what its first query selected
            found += ((under, column) for under in shown_by(bare.source).by(bare.name))
    # func.count() over what is put together counts that
    return Shows((expr, column) for expr, column in found if isinstance(expr, Label) or not is_aggregate(expr))
