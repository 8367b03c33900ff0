"""Deciding is synchronous: only the rooms that talk to the database, or to user code, may wait."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.source import PACKAGE, Function, Module, is_stub, load

ROOMS = {"adapters", "cache", "cli", "sync", "testing", "integrations", "database"}
FILES = {
    "hooks/dispatcher.py",
    "migrations/safety/backfilling.py",
    "migrations/running/bound.py",
    "migrations/running/connecting.py",
    "migrations/running/counting.py",
    "migrations/running/drifting.py",
    "migrations/running/engine.py",
    "migrations/running/ledger.py",
    "migrations/running/locking.py",
    "migrations/safety/measuring.py",
    "migrations/running/others.py",
    "migrations/running/outdated.py",
    "migrations/running/proving.py",
    "migrations/running/resuming.py",
    "migrations/running/runner.py",
    "migrations/running/scratch.py",
    "migrations/running/stopping.py",
    "query/queryset.py",
    "query/writing.py",
    "query/rows.py",
    "persistence/atomic.py",
    "persistence/blocks.py",
    "persistence/bulk.py",
    "persistence/bulk_feed.py",
    "persistence/bulk_send.py",
    "persistence/cached.py",
    "persistence/connections.py",
    "persistence/context.py",
    "persistence/current.py",
    "persistence/cursors.py",
    "persistence/flush.py",
    "persistence/hooking.py",
    "persistence/levels.py",
    "persistence/limits.py",
    "persistence/loader.py",
    "persistence/locking.py",
    "persistence/m2m.py",
    "persistence/merging.py",
    "persistence/prefetch.py",
    "persistence/reading.py",
    "persistence/retry.py",
    "persistence/sending.py",
    "persistence/session.py",
    "persistence/shielding.py",
    "persistence/state.py",
    "persistence/streaming.py",
    "persistence/transaction.py",
    "persistence/writer.py",
    "schema/builder.py",
    "schema/introspect.py",
    "schema/running.py",
}
# `await article.author` and `async for a in author.articles` start here and wait in persistence.
PROTOCOL_METHODS = {
    "models/collections.py": {"__await__", "__aiter__"},
    "models/model.py": {"__await__", "__aiter__"},
}
WAITING = (ast.Await, ast.AsyncFor, ast.AsyncWith, ast.AsyncFunctionDef)


def waiting_lines(module: Module) -> list[str]:
    """Gives the lines that wait where nothing should."""
    if module.room in ROOMS or module.place in FILES:
        return []
    allowed = PROTOCOL_METHODS.get(module.place, set())
    return [f"{module.place}:{node.lineno} {type(node).__name__}" for node in _waiting(module.tree, allowed)]


def _waiting(node: ast.AST, allowed: set[str]) -> Iterator[ast.Await | ast.AsyncFor | ast.AsyncWith | Function]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Function) and child.name in allowed:
            continue
        # A protocol's `async def ...: ...` only declares what another room does.
        declares = isinstance(child, ast.AsyncFunctionDef) and is_stub(child)
        if isinstance(child, WAITING) and not declares:
            yield child
        yield from _waiting(child, allowed)


def test_only_the_named_rooms_wait() -> None:
    assert [line for module in load().values() for line in waiting_lines(module)] == []


@pytest.mark.parametrize(
    ("place", "text", "lines"),
    [
        (
            "query/planner.py",
            "async def f():\n    await g()",
            ["query/planner.py:1 AsyncFunctionDef", "query/planner.py:2 Await"],
        ),
        ("query/protocols.py", "class E:\n    async def f(self):\n        'Says.'\n        ...", []),
        ("models/model.py", "class M:\n    def __await__(self):\n        async def f(): await x", []),
        ("models/model.py", "async def f(): return 1", ["models/model.py:1 AsyncFunctionDef"]),
        ("adapters/pool.py", "async def f(): return 1", []),
    ],
)
def test_the_rule_bites(tmp_path: Path, place: str, text: str, lines: list[str]) -> None:
    file = tmp_path / PACKAGE / place
    file.parent.mkdir(parents=True)
    file.write_text(text)
    assert [line for module in load(tmp_path).values() for line in waiting_lines(module)] == lines
