"""Every model by name and table; resolves the names that annotations use."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from cormorant.errors import DuplicateModel, UnresolvedReference

if TYPE_CHECKING:
    from cormorant.models.metadata import ModelInfo


class RetiredTable(NamedTuple):
    """The table of a model that is no more, and the app that it belongs to."""

    table: str
    app: str | None


class Registry:
    """The concrete models of a program, in the order of their declaration."""

    def __init__(self) -> None:
        self._by_path: dict[str, ModelInfo] = {}
        self._by_table: dict[str, ModelInfo] = {}
        self._retired: dict[str, RetiredTable] = {}

    def __iter__(self) -> Iterator[ModelInfo]:
        return iter(self._by_path.values())

    @contextmanager
    def isolated(self) -> Generator[None]:
        """Hides all known models for the length of a block, and forgets those declared in it."""
        kept = self._by_path, self._by_table, self._retired
        self._by_path, self._by_table, self._retired = {}, {}, {}
        try:
            yield
        finally:
            self._by_path, self._by_table, self._retired = kept

    @property
    def retired(self) -> tuple[RetiredTable, ...]:
        """The tables of models that are no more."""
        return tuple(self._retired.values())

    def retire(self, path: str, table: str, app: str | None) -> None:
        """Takes in a table that may be dropped.

        Args:
            path: The class that says so.
            table: The table's name.
            app: The app that it belongs to.
        """
        self._retired[path] = RetiredTable(table, app)

    def add(self, info: ModelInfo) -> None:
        """Takes a model in.

        A class declared again under the same path (a notebook cell, a reloaded module) replaces the older one, and so
        does one made by another function: such classes live no longer than their function.

        Raises:
            DuplicateModel: Another model has the same table.
        """
        other = self._by_table.get(info.table)
        if other is not None and not _replaces(info, other):
            raise DuplicateModel(
                f"{info.path} and {other.path} both use the table {info.table!r}",
                hint='give one another table: class ...(Model, table="...")',
            )
        if other is not None:
            self._by_path.pop(other.path, None)
        older = self._by_path.get(info.path)
        if older is not None:
            self._by_table.pop(older.table, None)
        self._by_path[info.path] = info
        self._by_table[info.table] = info

    def find(self, name: str, app: str | None = None, beside: str = "") -> ModelInfo | None:
        """Gives a model by its class name, or by "module.Name".

        Args:
            name: What the annotation says.
            app: The app of the asking model: its own models come first.
            beside: The path of the asking model: models of the same function or module come first.

        Raises:
            UnresolvedReference: Several models have the name.
        """
        if name in self._by_path:
            return self._by_path[name]
        named = [info for info in self._by_path.values() if f".{info.path}".endswith(f".{name}")]
        for narrower in (
            [info for info in named if _place(info.path) == _place(beside)],
            [info for info in named if info.app == app],
            named,
        ):
            if len(narrower) == 1:
                return narrower[0]
        if named:
            paths = ", ".join(repr(info.path) for info in named)
            raise UnresolvedReference(
                f"several models are named {name!r}: {paths}",
                hint=f'write the whole path, One["{named[0].path}"], or give each an app: class ...(Model, app="...")',
            )
        return None


def _place(path: str) -> str:
    return path.rpartition(".")[0]


def _replaces(info: ModelInfo, other: ModelInfo) -> bool:
    if info.path == other.path:
        return True
    return "<locals>" in other.path and _place(info.path) != _place(other.path)


registry: Registry = Registry()
"""The models of this program."""
