"""Objects as dictionaries for pydantic: their columns, the relations that are loaded, nothing twice on one way."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextvars import ContextVar
from functools import lru_cache
from typing import Any, NoReturn

from cormorant._internal.codegen import compile_function
from cormorant.errors import CormorantError, UnsavedError
from cormorant.integrations.narrowing import narrowed
from cormorant.models.collections import Collection, is_collection
from cormorant.models.links import RelationInfo
from cormorant.models.metadata import ModelInfo
from cormorant.models.model import Model
from cormorant.models.state import MISSING, is_ghost, is_reference, value_or_missing

Columns = Callable[[Any], dict[str, Any]]
Dump = Callable[[Any, Any], dict[str, Any]]

refused: ContextVar[tuple[type[CormorantError], str, str | None] | None] = ContextVar("refused", default=None)
"""Why an object was not shown: what pydantic raises has nothing left of it but words."""


def shown_columns(info: ModelInfo, *, sensitive: bool = False) -> list[str]:
    """Gives the columns that responses have."""
    return [name for name, spec in info.fields.items() if sensitive or not spec.options.get("sensitive")]


@lru_cache(maxsize=2000)
def dumper_of(info: ModelInfo) -> Dump:
    """Gives the function from an object, and what pydantic was asked for, to a dictionary; compiled for the model.

    Objects without loaded relations, which are most of those in a long list, pass through nothing else.
    """
    lines = [
        "def dump(o, info):",
        "    origin = o.__orm_origin__",
        "    try:",
        "        if info.exclude is not None or info.include is not None:",
        "            return narrowed(tree(o, ()), info.include, info.exclude)",
        "        if o.__orm_related__ or o.__orm_changes__ or origin is None or origin.pending:",
        "            return tree(o, ())",
        f"        return {_display(info)}",
        "    except CormorantError as error:",
        "        refused.set((type(error), error.message, error.hint))",
        "        raise",
    ]
    names = {"tree": tree, "narrowed": narrowed, "refused": refused, "CormorantError": CormorantError}
    return compile_function("dump", "\n".join(lines), names)


@lru_cache(maxsize=2000)
def _columns_of(info: ModelInfo) -> Columns:
    return compile_function("columns", f"def columns(o):\n    return {_display(info)}", {})


def _display(info: ModelInfo) -> str:
    return "{" + ", ".join(f"{name!r}: o.{name}" for name in shown_columns(info)) + "}"


def tree(instance: Model, above: tuple[Model, ...], back: str | None = None) -> dict[str, Any]:
    """Gives an object's columns and loaded relations.

    Args:
        instance: The object.
        above: What it is a part of; none of these is shown again.
        back: Its relation that leads back to where it was found.

    Raises:
        UnsavedError: It, or a part of it, is not written yet.
        NotLoadedError: One of its columns was not loaded.
    """
    check_saved(instance)
    info = type(instance).__info__
    found = _columns_of(info)(instance)
    way = (*above, instance)
    for name, value in (instance.__orm_related__ or {}).items():
        if name != back:
            shown = _related(info.relation(name), value, way)
            if shown is not MISSING:
                found[name] = shown
    return found


def _related(relation: RelationInfo, value: object, way: tuple[Model, ...]) -> Any:
    if is_collection(value):
        return _members(value, relation, way)
    if value is None:
        return None
    if not isinstance(value, Model) or is_reference(value) or _is_among(value, way):
        return MISSING
    return tree(value, way, relation.inverse)


def _members(collection: Collection[Any], relation: RelationInfo, way: tuple[Model, ...]) -> Any:
    if not (collection.is_loaded or collection.is_partial) or any(map(is_reference, collection.known)):
        return MISSING
    if collection.added or collection.removed:
        _refuse(relation.place + f" of {way[-1]!r}", "has members that are not written yet")
    return [tree(item, way, relation.inverse) for item in collection.known if not _is_among(item, way)]


def _is_among(instance: Model, way: tuple[Model, ...]) -> bool:
    return any(each is instance for each in way)


def check_saved(instance: Model) -> None:
    """Refuses an object that the database may still change, or refuse.

    Raises:
        UnsavedError: It is new, or has changes that are not written.
    """
    origin = instance.__orm_origin__
    if origin is None or origin.pending:
        _refuse(repr(instance), "has no row: it is new and not written yet, or deleted")
    changes = instance.__orm_changes__
    if changes:
        changed = [name for name, old in changes.items() if value_or_missing(instance, name) != old]
        if changed:
            _refuse(repr(instance), f"has changes that are not written yet: {', '.join(changed)}")


def check_loaded(instance: Model, names: Iterable[str]) -> None:
    """Refuses an object without some of its columns; in a sync session they load.

    Raises:
        NotLoadedError: They were not loaded.
    """
    if is_ghost(instance):
        for name in names:
            getattr(instance, name)


def _refuse(what: str, why: str) -> NoReturn:
    raise UnsavedError(f"{what} {why}, so it cannot be shown", hint="before returning it: await session.commit()")
