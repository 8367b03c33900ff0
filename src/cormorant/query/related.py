"""What comes along with the objects of a query: relations to follow, and the columns that each object gets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, Literal, TypeAlias

from cormorant.errors import QueryError, WrongType
from cormorant.models.links import RelationInfo
from cormorant.models.many import WHOLE, Part, Step
from cormorant.models.metadata import ModelInfo
from cormorant.models.paths import Path, is_many
from cormorant.sql.columns import Column
from cormorant.sql.expr import Bind
from cormorant.sql.sources import Source, root_of

Verb: TypeAlias = Literal["select_related", "prefetch_related", "load"]


@dataclass(frozen=True, slots=True)
class Branch:
    """A relation to follow from objects, and what to follow from there.

    Args:
        part: Which objects of a relation to many.
        joined: Its objects come in the rows of those it belongs to.
        named: It was asked for itself; a path that only passes through says nothing about which objects are meant.
        only: The attributes that its objects get; None where nothing is said.
        without: The attributes that they do not get.
    """

    relation: RelationInfo
    part: Part = WHOLE
    joined: bool = False
    named: bool = False
    branches: tuple[Branch, ...] = ()
    only: frozenset[str] | None = None
    without: frozenset[str] = frozenset()

    @property
    def key(self) -> tuple[Any, ...]:
        """Its part of a query's shape: the values of `part` are sent by a statement of its own."""
        relation = self.relation
        return (relation.owner.source.key, relation.name, self.joined, *(branch.key for branch in self.branches))

    @property
    def is_fetched(self) -> bool:
        """Whether this, or what follows, takes statements of its own."""
        return not self.joined or any_fetched(self.branches)

    @property
    def is_partial(self) -> bool:
        """Whether its objects get some of their columns."""
        return self.only is not None or bool(self.without)


@dataclass(frozen=True, slots=True)
class Loading:
    """What a query's objects come with.

    Args:
        branches: The relations to follow.
        only: The attributes that objects get, by the source of their columns; all of them where nothing is said.
        without: The attributes that they do not get.
    """

    branches: tuple[Branch, ...] = ()
    only: Mapping[str, frozenset[str]] = field(default_factory=dict[str, "frozenset[str]"])
    without: Mapping[str, frozenset[str]] = field(default_factory=dict[str, "frozenset[str]"])

    @property
    def is_fetched(self) -> bool:
        """Whether further statements bring a part of it."""
        return any_fetched(self.branches)


def any_fetched(branches: tuple[Branch, ...]) -> bool:
    """Whether one of them takes statements of its own; every query with related objects asks."""
    for branch in branches:  # noqa: SIM110
        if branch.is_fetched:
            return True
    return False


NOTHING = Loading()


@dataclass(frozen=True, slots=True)
class PerOwner:
    """A limit for each owner's rows instead of one for all.

    Args:
        key: The columns that tell whose row it is.
    """

    key: tuple[Column[Any], ...]
    limit: Bind


# ---- relations


def steps_to(info: ModelInfo, path: Any, verb: Verb) -> tuple[Step, ...]:
    """Gives the relations from a model's objects to the ones asked for.

    Raises:
        WrongType: It is no relation.
        QueryError: It starts from another model, or leads back to where it came from.
    """
    if not (isinstance(path, Path) or is_many(path)):
        raise WrongType(
            f"{verb}() takes relations, not {path!r}", hint=f"name them from the model: {verb}({info.name}.relation)"
        )
    steps = path.__steps__
    if not steps or root_of(path.__source__) is not info.source:
        raise QueryError(
            f"{path!r} is no relation of the {info.name} objects that {verb}() is about",
            hint=f"start from {info.name}: {verb}({info.name}.relation)",
        )
    for one, other in pairwise(steps):
        _refuse_return(one.relation, other.relation)
    return steps


def _refuse_return(one: RelationInfo, other: RelationInfo) -> None:
    """Refuses a cycle: from each object's collection back to the object itself."""
    if one.kind in ("reverse_many", "reverse_one") and other.kind == "to_one" and one.inverse == other.name:
        raise QueryError(
            f"{one.place} and then {other.place} is a cycle: it leads back to the {one.owner.name} it started from",
            hint=f"leave {other.name!r} out: every {one.target.name} in it has its {other.name} at hand",
        )


def grown(branches: tuple[Branch, ...], steps: tuple[Step, ...], *, join: bool) -> tuple[Branch, ...]:
    """Gives the relations to follow with one path more.

    Args:
        branches: What is followed already.
        steps: The path.
        join: To-one relations come in the rows of their owners.

    Raises:
        QueryError: Another path asks for other objects of the same relation.
    """
    step, rest = steps[0], steps[1:]
    joined = join and step.relation.kind in ("to_one", "reverse_one")
    names = [branch.relation.name for branch in branches]
    if step.relation.name not in names:
        new = Branch(step.relation, step.part, joined, named=not rest)
        return (*branches, replace(new, branches=grown((), rest, join=join)) if rest else new)
    place = names.index(step.relation.name)
    known = branches[place]
    part = _merged(known, step, last=not rest)
    further = grown(known.branches, rest, join=join) if rest else known.branches
    new = Branch(known.relation, part, known.joined or joined, known.named or not rest, further)
    return (*branches[:place], new, *branches[place + 1 :])


def _merged(known: Branch, step: Step, *, last: bool) -> Part:
    if step.part is WHOLE and not last:
        return known.part
    said = known.named or known.part is not WHOLE
    if said and not known.part.same_as(step.part):
        raise QueryError(
            f"{known.relation.place} is asked for in two ways",
            hint="say in one place which objects are wanted; others may pass through it by .each",
        )
    return step.part


def joined_only(branches: Iterable[Branch]) -> tuple[Branch, ...]:
    """Gives the relations whose objects come in the same rows."""
    return tuple(replace(branch, branches=joined_only(branch.branches)) for branch in branches if branch.joined)


def sources_of(branches: Iterable[Branch], parent: Source) -> Iterator[str]:
    """Gives the keys of what the columns of related objects are named from."""
    for branch in branches:
        source = branch.relation.source_from(parent)
        yield source.key
        yield from sources_of(branch.branches, source)


def with_columns(loading: Loading, parent: Source) -> tuple[Branch, ...]:
    """Gives the relations to follow with the columns that their objects get, whatever statement reads them."""

    def said(branch: Branch, parent: Source) -> Branch:
        source = branch.relation.source_from(parent)
        return replace(
            branch,
            only=loading.only.get(source.key),
            without=loading.without.get(source.key, frozenset()),
            branches=tuple(said(further, source) for further in branch.branches),
        )

    if not (loading.only or loading.without):
        return loading.branches
    return tuple(said(branch, parent) for branch in loading.branches)


def loading_of(branch: Branch) -> Loading:
    """Gives what comes in the rows of a relation that a statement of its own reads."""
    only: dict[str, frozenset[str]] = {}
    without: dict[str, frozenset[str]] = {}
    for part, source in _in_the_rows(branch, branch.relation.target.source):
        to_one = (further.relation for further in part.branches if further.relation.kind == "to_one")
        # by them it goes on to other objects
        held = {name for relation in to_one for name in relation.local}
        if part.relation.kind in ("reverse_many", "reverse_one"):
            # and back to those it belongs to
            held.update(part.relation.remote)
        if part.only is not None:
            only[source.key] = part.only | held
        if part.without:
            without[source.key] = part.without - held
    return Loading(joined_only(branch.branches), only, without)


def _in_the_rows(branch: Branch, source: Source) -> Iterator[tuple[Branch, Source]]:
    yield branch, source
    for further in branch.branches:
        if further.joined:
            yield from _in_the_rows(further, further.relation.source_from(source))


def following_key(branches: Iterable[Branch]) -> tuple[Any, ...]:
    """Gives the part of a query's shape that tells what comes along."""
    return ("following", *(branch.key for branch in branches))


# ---- columns


def columns_key(verb: str, chosen: Mapping[str, frozenset[str]]) -> tuple[Any, ...]:
    """Gives the part of a query's shape that tells which columns were chosen."""
    return (verb, *((source, *sorted(names)) for source, names in sorted(chosen.items())))


def chosen_columns(info: ModelInfo, columns: Iterable[Any], verb: str) -> dict[str, frozenset[str]]:
    """Gives the attributes named by `only()` or `defer()`, by the source of their columns.

    Raises:
        WrongType: Something is no column.
        QueryError: A column is of another model.
    """
    found: dict[str, set[str]] = {}
    for column in columns:
        if not isinstance(column, Column):
            raise WrongType(
                f"{verb}() takes columns, not {column!r}", hint=f"read them from the model: {verb}({info.name}.name)"
            )
        if root_of(column.source) is not info.source:
            raise QueryError(f"{column!r} in {verb}() is not a column of {info.name}")
        found.setdefault(column.source.key, set()).add(column.attribute)
    if not found:
        raise QueryError(f"{verb}() names no column", hint=f"{verb}({info.name}.name)")
    return {source: frozenset(names) for source, names in found.items()}


def attributes_of(
    info: ModelInfo, source: Source, loading: Loading, branches: Iterable[Branch]
) -> tuple[str, ...] | None:
    """Gives the attributes that the objects read from a source get; None for all of them."""
    only, without = loading.only.get(source.key), loading.without.get(source.key, frozenset())
    if only is None and not without:
        return None
    needed = set(info.key_attributes)
    if info.version_column is not None:
        needed.add(info.version_column.attribute)
    # the key of an object that is to be at hand
    needed.update(name for branch in branches if branch.relation.kind == "to_one" for name in branch.relation.local)
    wanted = (only if only is not None else info.fields.keys()) - without
    names = tuple(name for name in info.fields if name in wanted or name in needed)
    return None if len(names) == len(info.fields) else names
