"""Checks what callers pass to a session."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from typing_extensions import TypeIs

from cormorant._internal.narrowing import is_iterable
from cormorant.dialects.base import Dialect
from cormorant.errors import ConfigurationError, ForeignInstanceError, QueryError, StaleObjectError, WrongType
from cormorant.models.links import RelationInfo
from cormorant.models.many import WHOLE
from cormorant.models.metadata import ModelInfo
from cormorant.models.model import Model
from cormorant.models.paths import is_many
from cormorant.query.builder import Builder
from cormorant.query.queryset import QuerySet
from cormorant.sql.calls import Fragment
from cormorant.sql.raw import RawStatement, check_params


def only_one(*sources: object) -> object:
    """Gives the one source that is not None.

    Raises:
        ConfigurationError: There are several.
    """
    given = [source for source in sources if source is not None]
    if len(given) > 1:
        raise ConfigurationError("a session takes one of database, dsn and connection_config")
    return given[0]


def checked_params(params: object) -> Mapping[str, Any]:
    """Gives the parameters of raw SQL.

    Raises:
        QueryError: They are not given by name.
    """
    if isinstance(params, Mapping):
        return cast("Mapping[str, Any]", params)
    raise QueryError(f"parameters are given by name, not as {type(params).__name__}", hint='execute(sql, {"id": 1})')


def raw_text(sql: object) -> str:
    """Gives the text of raw SQL.

    Raises:
        WrongType: It is none.
    """
    found = sql.sql if isinstance(sql, Fragment) else sql
    if isinstance(found, str):
        return found
    raise WrongType(f"{sql!r} ({type(sql).__name__}) is no SQL", hint="pass a literal, or text(...)")


def sent_as(statement: RawStatement, params: object, dialect: Dialect) -> tuple[str, list[Any]]:
    """Gives raw SQL with a database's placeholders, and its values as the driver takes them.

    Raises:
        QueryError: The parameters do not fit.
    """
    given = checked_params(params or {})
    check_params(statement, given)
    text, names = statement.with_placeholders(dialect.placeholder)
    return text, [dialect.encode_untyped(given[name]) for name in names]


def is_queryset(source: object) -> TypeIs[type[QuerySet[Any]]]:
    """Whether something is a class of queries."""
    return isinstance(source, type) and issubclass(source, QuerySet)


def model_of(source: type[Builder[Any]]) -> ModelInfo:
    """Gives the model of `class TaskQuery(QuerySet[Task])`.

    Raises:
        WrongType: The class does not name one.
    """
    for base in getattr(source, "__orig_bases__", ()):
        for argument in getattr(base, "__args__", ()):
            info = getattr(argument, "__info__", None)
            if isinstance(info, ModelInfo):
                return info
    raise WrongType(f"{source.__name__} does not say its model", hint="class TaskQuery(QuerySet[Task])")


def info_of(model: Any) -> ModelInfo:
    """Gives what is known of a model.

    Raises:
        WrongType: It is no concrete model.
    """
    info = getattr(model, "__info__", None)
    if not isinstance(info, ModelInfo):
        raise WrongType(f"{model!r} is no concrete model", hint="name the model's class: session.get(Author, 1)")
    return info


def given_objects(given: object) -> list[Model]:
    """Gives one object, or several, as a list.

    Raises:
        WrongType: Something is no object of a model, or they are of several.
    """
    objects: list[Model] = []
    models: dict[str, None] = {}
    for item in (given,) if isinstance(given, Model) or not is_iterable(given) else given:
        if not isinstance(item, Model):
            raise WrongType(f"load() takes objects, not {item!r} ({type(item).__name__})", hint="load(articles, ...)")
        models[item.__info__.name] = None
        objects.append(item)
    if len(models) > 1:
        names = " and ".join(models)
        raise WrongType(f"load() of {names} objects together", hint="load those of each model by themselves")
    return objects


def links_of(relation: object) -> RelationInfo:
    """Gives the relation of a model, named like `Article.tags`.

    Raises:
        WrongType: It is no relation to many, or one further away.
    """
    if is_many(relation) and len(relation.__steps__) == 1 and relation.__steps__[0].part is WHOLE:
        return relation.__steps__[0].relation
    raise WrongType(f"{relation!r} is no relation to many of a model", hint="name one: Article.tags")


def check_own(state: object, instance: Model) -> None:
    """Refuses an object that does not belong to a session's state.

    Raises:
        ForeignInstanceError: It does not.
    """
    if instance.__orm_origin__ is None or instance.__orm_origin__.owner is not state:
        raise ForeignInstanceError(f"{instance!r} does not belong to this session", hint="load it with get()")


def check_unchanged(instance: Model) -> None:
    """Refuses an object whose changes would be lost.

    Raises:
        StaleObjectError: It has some.
    """
    if instance.__orm_changes__:
        raise StaleObjectError(
            f"{instance!r} has unsaved changes to {', '.join(instance.__orm_changes__)}",
            hint="flush, or roll back, first",
        )
