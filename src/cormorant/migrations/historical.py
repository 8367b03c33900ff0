"""Models of a schema as it was, for work in a session; the program's own models know nothing of them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import count
from types import ModuleType
from typing import Any

from cormorant.errors import UnknownName, suggest
from cormorant.models.model import Model
from cormorant.models.registry import Registry, registry
from cormorant.schema.models_source import models_source
from cormorant.schema.names import key_of
from cormorant.schema.snapshot import SchemaSnapshot

_serials = count(1)


class HistoricalModels:
    """The models of a schema, by the names of their classes, or by their tables.

    They have columns and relations and nothing else: no methods, hooks or validation of the program's models. A class
    is called like its table: "film_actors" is `models.FilmActor`; `models["film_actors"]` is the same.

    Args:
        snapshot: The schema.

    Example:
        >>> models = HistoricalModels(history.state("0002_stars"))
        >>> await session.query(models.Essay).filter(models.Essay.stars == 0).update(models.Essay.stars.set(3))
    """

    def __init__(self, snapshot: SchemaSnapshot) -> None:
        self._classes: dict[str, Any] = {}
        self._tables: dict[str, type[Model]] = {}
        if snapshot.tables:
            self._make(models_source(snapshot))

    def _make(self, source: str) -> None:
        module = ModuleType(f"cormorant_historical_{next(_serials)}")
        # annotations are looked up in the module while types are found out
        sys.modules[module.__name__] = module
        try:
            with registry.isolated():
                exec(compile(source, f"<cormorant {module.__name__}>", "exec", dont_inherit=True), vars(module))
                own = _kept_apart()
        finally:
            del sys.modules[module.__name__]
        for info in own:
            self._tables[key_of(info.table)] = info.cls
        made = (value for value in vars(module).values() if isinstance(value, type))
        self._classes = {value.__name__: value for value in made if value.__module__ == module.__name__}

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if name not in self._classes:
            raise UnknownName(f"no table of this time is called {name!r}", hint=suggest(name, self._classes))
        return self._classes[name]

    def __getitem__(self, table: str) -> Any:
        if table not in self._tables:
            raise UnknownName(f"there is no table {table!r} at this time", hint=suggest(table, self._tables))
        return self._tables[table]

    def __contains__(self, table: object) -> bool:
        return table in self._tables

    def __iter__(self) -> Iterator[type[Model]]:
        return iter(self._tables.values())

    def __dir__(self) -> list[str]:
        return sorted(self._classes)


def _kept_apart() -> Registry:
    """Finds out all that models declare, and gives a registry that knows these alone."""
    own = Registry()
    for info in registry:
        own.add(info)
    for info in own:
        info.registry = own
        # what is found out later would be looked for among the program's models
        assert info.columns is not None
        assert info.relations is not None
    return own
