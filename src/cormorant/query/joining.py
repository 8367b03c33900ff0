"""What `.join(...)` adds to a query."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cormorant.errors import QueryError, WrongType
from cormorant.models.links import RelationInfo
from cormorant.models.metadata import ModelInfo
from cormorant.models.paths import Path, is_many
from cormorant.query.predicates import conditions_of
from cormorant.query.spec import QuerySpec
from cormorant.query.subquery import Subquery
from cormorant.sql.expr import Expr
from cormorant.sql.selects import Join
from cormorant.sql.sources import JoinSource, Source, SubquerySource, root_of


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
        _check_start(spec, target, source)
        return Join(source, outer=outer)
    if any(source.key == other.key for other in _read(spec)):
        name = "other = subquery.alias()" if isinstance(target, Subquery) else "other = alias(Model)"
        info = getattr(target, "__info__", None)
        known = info.name if isinstance(info, ModelInfo) else repr(target)
        raise QueryError(f"the query of {spec.info.name} reads {known} already", hint=f"{name} gives it another name")
    if not conditions:
        conditions = _guessed(spec.info, target, source)
    return Join(source, conditions, outer)


def _read(spec: QuerySpec) -> tuple[Source, ...]:
    """Gives what a query reads; a union is read as its model's table is."""
    return (spec.info.source, *(join.source for join in spec.joins))


def _check_start(spec: QuerySpec, target: Any, source: JoinSource) -> None:
    if root_of(source).key not in {read.key for read in _read(spec)}:
        raise QueryError(
            f"join({target!r}) follows a relation of something that the query of {spec.info.name} does not read",
            hint="join what it starts from first",
        )


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
    same = other is info.plain
    backward = [] if same else [relation for relation in _to_one(other) if relation.target is info.plain]
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
