"""What `.join(...)` and `.union(...)` add to a query."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from cormorant.errors import QueryError, WrongType
from cormorant.models.links import RelationInfo
from cormorant.models.metadata import ModelInfo
from cormorant.models.paths import Path, is_many
from cormorant.query.entities import EntityColumns, selected
from cormorant.query.grouping import is_aggregate
from cormorant.query.planner import named, select_of
from cormorant.query.predicates import conditions_of
from cormorant.query.related import NOTHING
from cormorant.query.selection import key_of_item, name_of
from cormorant.query.spec import QuerySpec
from cormorant.query.subquery import Subquery, check_alike
from cormorant.sql.columns import Column
from cormorant.sql.expr import Expr, Label
from cormorant.sql.selects import Compound, Join, Select, SetWord
from cormorant.sql.sources import JoinSource, Source, SubquerySource


def join_of(spec: QuerySpec, target: Any, on: Iterable[Any], *, outer: bool) -> Join:
    """Gives the join of a model, an alias, a relation, a subquery or a common table expression.

    Raises:
        QueryError: It is joined already, or no condition is given and none can be guessed.
        WrongType: It can not be joined.
    """
    source = _source_of(target)
    conditions = conditions_of(spec.info, on, {})
    if isinstance(source, JoinSource):
        if conditions:
            raise QueryError(
                f"join({target!r}) follows a relation, which has its condition", hint="use .filter(...) for others"
            )
        return Join(source, outer=outer)
    known = (spec.source or spec.info.source, *(join.source for join in spec.joins))
    if any(source.key == other.key for other in known):
        raise QueryError(
            f"the query of {spec.info.name} reads {target!r} already", hint="other = alias(Model) gives it another name"
        )
    if not conditions:
        conditions = _guessed(spec.info, target, source)
    return Join(source, conditions, outer)


def _source_of(target: Any) -> Source:
    if isinstance(target, Subquery):
        return target.source
    if isinstance(target, Path):
        return target.__source__
    info = getattr(target, "__info__", None)
    if isinstance(info, ModelInfo):
        return info.source
    hint = f"use {target!r}.each to join all of them" if is_many(target) else "pass a model, a relation or a subquery"
    raise WrongType(f"join() cannot join {target!r} ({type(target).__name__})", hint=hint)


def _guessed(info: ModelInfo, target: Any, source: Source) -> tuple[Expr[Any], ...]:
    """Gives the condition of the one relation between two models."""
    if isinstance(source, SubquerySource) and source.lateral:
        return ()
    other: ModelInfo | None = target.__target__ if isinstance(target, Path) else getattr(target, "__info__", None)
    if other is None:
        raise QueryError(f"join({target!r}) has no condition", hint="give one: .join(per, per[Model.id] == Model.id)")
    forward = [relation for relation in _to_one(info) if relation.target is other]
    backward = [] if other is info else [relation for relation in _to_one(other) if relation.target is info]
    if len(forward) + len(backward) != 1:
        places = [relation.place for relation in (*forward, *backward)]
        problem = f"{' and '.join(places)} both lead" if places else "no relation leads"
        raise QueryError(
            f"join({other.name}) to a query of {info.name}: {problem} from one to the other",
            hint="say how they are joined: .join(Other, Other.id == Model.other_id)",
        )
    if forward:
        return _pairs(forward[0], info, info.source, other, source)
    return _pairs(backward[0], other, source, info, info.source)


def _to_one(info: ModelInfo) -> list[RelationInfo]:
    return [relation for relation in info.relations.values() if relation.kind == "to_one"]


def _pairs(
    relation: RelationInfo, owner: ModelInfo, near: Source, target: ModelInfo, far: Source
) -> tuple[Expr[Any], ...]:
    pairs = zip(relation.local, relation.remote, strict=True)
    return tuple(target.column_from(far, theirs) == owner.column_from(near, mine) for mine, theirs in pairs)


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
        if spec.output != first.output or (first.output == "entities" and spec.info is not first.info):
            raise QueryError(
                f"{what} of {first.info.name} {first.output} and {spec.info.name} {spec.output}",
                hint="both sides must give the same kind of rows",
            )
    if any(spec.loading is not NOTHING for spec, _ in queries):
        raise QueryError(
            f"{what} of queries that say what {first.info.name} objects come with",
            hint=f"say it after the {what}: .{what.split()[0]}(...).prefetch_related(...)",
        )
    parts = [named(select_of(spec, home=home)) for spec, home in queries]
    check_alike(what, parts)
    asked = select_of(first).columns
    source = SubquerySource(Compound(word, tuple(parts)), first.info.table, shows=_shows(what, asked, parts[0].columns))
    items = tuple(map(key_of_item, first.columns or ()))
    return QuerySpec(first.info).changed(
        (word, source.shape, items, first.output, first.names),
        source.binds,
        source=source,
        columns=None if first.columns is None else tuple(_read_from(source, first, parts[0])),
        names=first.names,
        output=first.output,
        into=first.into,
    )


def _read_from(source: Source, spec: QuerySpec, inner: Select) -> Iterator[Any]:
    """Gives what a query selects, read from outside; objects are found by the columns they are made of."""
    _, parts = selected(spec)
    for item, part in zip(spec.columns or (), parts, strict=True):
        if isinstance(part, EntityColumns):
            yield item
        else:
            column: Any = inner.columns[part.start]
            attribute = name_of(item) or column.name
            owner, nullable = repr(item), item.nullable
            yield Column(source, column.name, item.type, nullable=nullable, owner=owner, attribute=attribute)


def _shows(what: str, asked: Sequence[Expr[Any]], named: Sequence[Any]) -> dict[Any, str]:
    """Gives the names of what is selected by what it is, with and without its label."""
    found: dict[Any, tuple[str, Expr[Any]]] = {}
    for expr, column in zip(asked, named, strict=True):
        for shown in (expr, expr.expr) if isinstance(expr, Label) else (expr,):
            if is_aggregate(shown) and not isinstance(shown, Label):
                # func.count() over what is put together counts that
                continue
            _, before = found.setdefault(shown.key, (column.name, shown))
            if [bind.value for bind in before.binds] != [bind.value for bind in shown.binds]:
                raise QueryError(
                    f"{what}: {expr!r} is selected twice with different values", hint='label both: .label("name")'
                )
    return {key: name for key, (name, _) in found.items()}
