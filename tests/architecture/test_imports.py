"""Imports go down only. The levels are those of CONTRIBUTING.md."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.architecture.source import PACKAGE, Import, Module, computed_imports, imports, load, room_of

# From the top down. A room may import from the rooms of lower lines, never from one beside it.
LEVELS = [
    {"__init__"},
    {"cli"},
    {"integrations"},
    {"testing"},
    {"sync", "migrations"},
    {"persistence", "schema"},
    {"database"},
    {"query", "hydration", "adapters"},
    {"models", "dialects"},
    {"sql", "hooks", "cache", "observability"},
    {"_internal"},
    {"errors"},
]
HEIGHT = {room: -line for line, rooms in enumerate(LEVELS) for room in rooms}

# For checkers only: class attributes of a model (`Author.objects`) give query types, a database gives sessions.
TYPING_ONLY = {("models", "query"), ("database", "persistence")}

DRIVERS = {"asyncpg", "aiosqlite", "sqlite3", "redis"}
DRIVER_ROOMS = {"adapters", "cache"}
# Adapters, and public names that need a driver, are loaded when first used; Redis where somebody makes a cache in it.
# The command line imports the models that somebody's configuration names.
LAZY = {"cormorant", "cormorant.adapters.registry", "cormorant.cache.redis", "cormorant.cli.loading"}

# The rooms inside of one room: files and their order, what is safe, what runs them.
MIGRATIONS = "cormorant.migrations."
FLOORS = ("", "safety", "running")


def test_imports_go_down() -> None:
    assert upward(load()) == []


def test_no_function_imports_the_package_or_a_driver() -> None:
    assert hidden(load()) == []


def test_only_adapters_and_caches_know_drivers() -> None:
    assert stray_drivers(load()) == []


def test_the_rooms_of_migrations_stand_on_each_other() -> None:
    modules = load()
    pairs = [
        (each.importer, each.target)
        for name, module in modules.items()
        if name.startswith(MIGRATIONS)
        for each in imports(module, modules)
        if each.target.startswith(MIGRATIONS)
    ]
    assert ("running", "safety") in {(_floor(importer), _floor(target)) for importer, target in pairs}
    upwards = [pair for pair in pairs if FLOORS.index(_floor(pair[0])) < FLOORS.index(_floor(pair[1]))]
    assert upwards == []


def _floor(name: str) -> str:
    room, dot, _ = name.removeprefix(MIGRATIONS).partition(".")
    return room if dot or room in FLOORS else ""


def test_no_rings() -> None:
    assert ring(load()) == []


def test_importing_the_package_loads_little() -> None:
    loaded = modules_after("import cormorant")
    assert {room_of(name) for name in loaded if name.startswith(PACKAGE)} == {"__init__", "errors"}
    assert "asyncio" not in loaded


def test_no_public_name_but_an_adapter_loads_a_driver() -> None:
    adapters = {"PostgresAdapter", "SQLiteAdapter"}
    loaded = modules_after(f"import cormorant; [getattr(cormorant, n) for n in {{*cormorant.__all__}} - {adapters!r}]")
    assert loaded & (DRIVERS | {"pydantic"}) == set()


def modules_after(code: str) -> set[str]:
    """Gives the modules that a new interpreter has loaded after running `code`."""
    command = [sys.executable, "-c", f"{code}; import sys; print(*sys.modules)"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stderr == ""
    return set(done.stdout.split())


# ---- the rules, each gives the lines that break it


def upward(modules: Mapping[str, Module]) -> list[str]:
    """An import of a room that is not below the importer's, checkers' imports included."""
    return [_say(found) for found in _own(modules) if not _may(found)]


def _may(found: Import) -> bool:
    importer, target = room_of(found.importer), room_of(found.target)
    if importer == target or (found.where == "typing" and (importer, target) in TYPING_ONLY):
        return True
    return importer in HEIGHT and target in HEIGHT and HEIGHT[importer] > HEIGHT[target]


def hidden(modules: Mapping[str, Module]) -> list[str]:
    """An import inside a function, or by a computed name, where imports belong at the top."""
    guarded = DRIVERS | {PACKAGE}
    inside = [
        _say(found)
        for found in _all(modules)
        if found.where == "function" and found.target.split(".")[0] in guarded and found.importer not in LAZY
    ]
    computed = [
        f"{module.name}:{line} imports by a computed name"
        for module in modules.values()
        if module.name not in LAZY
        for line in computed_imports(module)
    ]
    return inside + computed


def stray_drivers(modules: Mapping[str, Module]) -> list[str]:
    """A driver imported by a room that carries no rows."""
    return [
        _say(found)
        for found in _all(modules)
        if found.target.split(".")[0] in DRIVERS and room_of(found.importer) not in DRIVER_ROOMS
    ]


def ring(modules: Mapping[str, Module]) -> list[str]:
    """Modules that need each other to be loaded, or rooms that do."""
    loaded = [found for found in _own(modules) if found.where == "module" and found.importer != found.target]
    return _cycle(loaded, lambda name: name) or _cycle(loaded, room_of)


def _cycle(found: list[Import], node: Callable[[str], str]) -> list[str]:
    graph: dict[str, set[str]] = {}
    for each in found:
        if node(each.importer) != node(each.target):
            graph.setdefault(node(each.importer), set()).add(node(each.target))
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def _all(modules: Mapping[str, Module]) -> list[Import]:
    return [found for module in modules.values() for found in imports(module, modules)]


def _own(modules: Mapping[str, Module]) -> list[Import]:
    return [found for found in _all(modules) if found.target.split(".")[0] == PACKAGE]


def _say(found: Import) -> str:
    return f"{found.importer}:{found.line} imports {found.target}" + f" ({found.where})" * (found.where != "module")


# ---- the rules bite


@pytest.mark.parametrize(
    ("rule", "place", "text", "complaint"),
    [
        (upward, "sql/nodes.py", "from cormorant.query import spec", "sql.nodes:1 imports cormorant.query.spec"),
        (upward, "sql/nodes.py", "import cormorant", "sql.nodes:1 imports cormorant"),
        (upward, "query/spec.py", "from ..hydration import shapes", "query.spec:1 imports cormorant.hydration"),
        (upward, "attic/old.py", "from cormorant.errors import A", "attic.old:1 imports cormorant.errors"),
        (
            upward,
            "sql/nodes.py",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from cormorant.query.spec import A",
            "sql.nodes:3 imports cormorant.query.spec (typing)",
        ),
        (
            hidden,
            "query/spec.py",
            "def f():\n    from cormorant import errors",
            "query.spec:2 imports cormorant.errors (function)",
        ),
        (
            hidden,
            "query/spec.py",
            "import importlib\nx = importlib.import_module(name)",
            "query.spec:2 imports by a computed name",
        ),
        (
            hidden,
            "query/spec.py",
            "import importlib\nx = importlib.import_module('asyncpg')",
            "query.spec:2 imports asyncpg (function)",
        ),
        (stray_drivers, "query/spec.py", "import sqlite3", "query.spec:1 imports sqlite3"),
        (ring, "sql/nodes.py", "from cormorant.sql import types", "sql.nodes"),
    ],
)
def test_the_rules_bite(
    tmp_path: Path, rule: Callable[[Mapping[str, Module]], list[str]], place: str, text: str, complaint: str
) -> None:
    house = {
        "query/spec.py": "",
        "sql/nodes.py": "",
        "sql/types.py": "from cormorant.sql import nodes",
        "errors.py": "",
    }
    modules = write(tmp_path, {**house, place: text})
    assert f"cormorant.{complaint}" in rule(modules)


def test_what_is_allowed_passes(tmp_path: Path) -> None:
    modules = write(
        tmp_path,
        {
            "models/model.py": "if TYPE_CHECKING:\n    from cormorant.query.spec import A",
            "query/spec.py": "from cormorant.models import model\nfrom cormorant.query import planner",
            "query/planner.py": "from cormorant.errors import A",
            "errors.py": "def f():\n    import difflib\n    import_module('pydantic')",
            "adapters/registry.py": "def f():\n    import asyncpg",
        },
    )
    assert [upward(modules), hidden(modules), stray_drivers(modules), ring(modules)] == [[], [], [], []]


def write(folder: Path, files: dict[str, str]) -> dict[str, Module]:
    """Makes a small package to try the rules on."""
    for place, text in files.items():
        file = folder / PACKAGE / place
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return load(folder)
