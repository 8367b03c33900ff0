"""Default scopes: conditions on every use of a model, for tenants and soft delete."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Generic, cast

from typing_extensions import TypeVar

from cormorant._internal.narrowing import is_iterable
from cormorant.errors import ConfigurationError, QueryError, UnknownName, WrongType, suggest
from cormorant.models.alias import Alias
from cormorant.models.metadata import ModelInfo
from cormorant.models.model import Model
from cormorant.sql.columns import Column
from cormorant.sql.expr import Binds, Expr, Key
from cormorant.sql.joins import visible
from cormorant.sql.nodes import condition
from cormorant.sql.restrictions import Owner
from cormorant.sql.sources import Source

M = TypeVar("M", bound=Model)

ALL = "*"
"""Stands for every scope where some are lifted."""


class Scope(Generic[M]):
    """A condition that every query of a model, and of those derived from it, gets by itself.

    It holds wherever the model's table is read: in queries, `get`, joins, collections, `any` and `count`, and in
    updates and deletes by query. `.unscoped("name")` lifts it for one query.

    Args:
        model: The model, or the abstract base of several.
        condition: Gives the condition for the model, or for a path or an alias that stands for it. It is asked for
            each statement, so that it may read a ContextVar. It reads the model's own columns; what is further
            away it asks with `.any(...)` or `exists(...)`.
        name: What `.unscoped(...)` calls it.

    Example:
        >>> def tenant(org: int) -> Scope[Tenanted]:
        ...     return Scope(Tenanted, lambda m: m.org_id == org, name="tenant")
        >>> async with AsyncSession(db, scopes=[tenant(3)]) as session:
        ...     await session.query(Task)      # SELECT ... FROM "task" WHERE "task"."org_id" = $1
    """

    __slots__ = ("condition", "model", "name")

    def __init__(self, model: type[M], condition: Callable[[type[M]], Expr[bool]], *, name: str) -> None:
        given = cast(object, model)
        if not (isinstance(given, type) and issubclass(given, Model)):
            raise WrongType(f"Scope({model!r}) is not about a model", hint="Scope(Task, lambda task: ..., name=...)")
        if not callable(cast(object, condition)):
            raise WrongType(
                f"the condition of Scope({model.__name__}) is {condition!r}, and no function of the model",
                hint="Scope(Task, lambda task: task.deleted_at.is_null(), name=...)",
            )
        if not isinstance(cast(object, name), str) or not name or name == ALL:
            raise ConfigurationError(f"Scope({model.__name__}) has the name {name!r}", hint='name="tenant"')
        self.model: type[M] = model
        self.condition: Callable[[type[M]], Expr[bool]] = condition
        self.name: str = name

    def __repr__(self) -> str:
        return f"<Scope {self.name!r} of {self.model.__name__}>"

    def on(self, info: ModelInfo, source: Source) -> Expr[Any]:
        """Gives the condition on one use of a model's table.

        Raises:
            QueryError: It reads another table.
            WrongType: It is no condition.
        """
        found = condition(self.condition(cast("type[M]", Alias.at(info, source))))
        for node in visible(found):
            if isinstance(node, Column) and node.source.key != source.key:
                raise QueryError(
                    f"the scope {self.name!r} of {self.model.__name__} reads {node!r}, which is in another table",
                    hint="ask it with .any(...) or exists(...)",
                )
        return found


class Scopes:
    """The scopes of one session: a later one takes the place of an earlier one of its name.

    Args:
        scopes: The scopes, the database's first.
    """

    __slots__ = ("_by_name", "key")

    def __init__(self, scopes: Sequence[Scope[Any]]) -> None:
        for scope in scopes:
            if not isinstance(cast(object, scope), Scope):
                raise ConfigurationError(f"{scope!r} ({type(scope).__name__}) is no Scope", hint="scopes=[Scope(...)]")
        self._by_name: dict[str, Scope[Any]] = {scope.name: scope for scope in scopes}
        self.key: Key = tuple((name, scope.model) for name, scope in self._by_name.items())

    def __bool__(self) -> bool:
        return bool(self._by_name)

    def named(self, name: str) -> Scope[Any]:
        """Gives the scope of a name."""
        return self._by_name[name]

    def check_lifted(self, names: Iterable[str]) -> None:
        """Refuses to lift what is no scope.

        Raises:
            UnknownName: Naming it.
        """
        for name in names:
            if name != ALL and name not in self._by_name:
                raise UnknownName(f"unscoped({name!r}): there is no such scope", hint=suggest(name, self._by_name))

    def concerns(self, entity: Any, lifted: frozenset[str] = frozenset()) -> bool:
        """Whether a scope is about a model, but for those that are lifted."""
        return any(self._about(entity, lifted))

    def on(self, entity: Any, source: Source, lifted: frozenset[str]) -> Iterator[tuple[Owner, Expr[Any]]]:
        """Gives the conditions on one use of a model's table, but for those that are lifted."""
        for scope in self._about(entity, lifted):
            yield (scope.name, entity), scope.on(entity, source)

    def _about(self, entity: Any, lifted: frozenset[str]) -> Iterator[Scope[Any]]:
        if ALL not in lifted:
            for name, scope in self._by_name.items():
                if name not in lifted and issubclass(entity.cls, scope.model):
                    yield scope

    def conditions_of(self, owners: Iterable[Owner]) -> list[Expr[Any]]:
        """Gives, as they are at this moment, the conditions that a statement was made with."""
        return [self._by_name[name].on(info, info.source) for name, info in owners]


def distinct(scopes: Sequence[Scope[Any]]) -> tuple[Scope[Any], ...]:
    """Gives the scopes of one list, each with a name of its own.

    Raises:
        ConfigurationError: Two have one name, so that one of them would not hold; or something is no Scope.
    """
    given = cast(object, scopes)
    if not is_iterable(given):
        raise ConfigurationError(f"scopes={given!r} is no list", hint="scopes=[Scope(...)]")
    # what can be gone through once would be empty the second time, and hide nothing
    listed: tuple[Scope[Any], ...] = tuple(given)
    found = Scopes(listed)
    for scope in listed:
        if (last := found.named(scope.name)) is not scope:
            raise ConfigurationError(
                f"{scope!r} and {last!r} have one name, and only one of them could hold",
                hint="give each scope of a list a name of its own, or make one of an abstract base of the models",
            )
    return listed


def values_of(binds: Binds) -> list[Any]:
    """Gives the values of a condition, each once."""
    return [bind.value for bind in dict.fromkeys(binds)]
