"""S19: what an asynchronous face can do, its sync counterpart can do, with the same parameters."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest

from cormorant import (
    AsyncSession,
    Database,
    QuerySet,
    Rows,
    Session,
    SyncDatabase,
    SyncQuerySet,
    SyncRows,
    SyncTransaction,
    Transaction,
)
from cormorant.database import SessionOptions
from cormorant.persistence.retry import Retrying
from cormorant.sync.database import SyncRetrying

PAIRS = [
    (AsyncSession, Session),
    (Database, SyncDatabase),
    (QuerySet, SyncQuerySet),
    (Retrying, SyncRetrying),
    (Rows, SyncRows),
    (Transaction, SyncTransaction),
]

# What cannot be the same, with the reason.
MISSING = {
    "AsyncSession.begin_block": "called by integrations, on the loop",
    "AsyncSession.end_block": "called by integrations, on the loop",
    "AsyncSession.current": "a sync session is on its handle, not in a context that could name it",
    "AsyncSession.fetch": "called by queries, on the loop",
    "AsyncSession.reader": "used by queries, on the loop",
    "AsyncSession.write": "called by queries, on the loop",
    "AsyncSession.writer": "called by queries, on the loop",
    "AsyncSession.state": "internal: the state lives on the loop",
    "Database.accompany": "for connections on other loops",
    "Database.beside": "for connections on other loops",
    "Database.execute": "called by sessions",
    "Database.fetch": "called by sessions",
    "Database.run_each": "called by sessions",
    "Database.default_level": "asked by sessions",
    "Database.level": "asked by sessions",
    "Database.prepare": "called by sessions",
    "Database.prepare_write": "called by sessions",
    "Database.query": "called by sessions",
    "Database.record": "called by sessions",
    "Database.schema_changed": "called by what changes tables",
    "Terminals.__await__": "sync",
    "Terminals.__aiter__": "__iter__",
}
SPECIAL = {"__aenter__": "__enter__", "__aexit__": "__exit__", "__aiter__": "__iter__", "__init__": "__init__"}


def public(cls: type) -> dict[str, Any]:
    """Gives what users may call, by name, with the class that defines it."""
    found: dict[str, Any] = {}
    for name, member in inspect.getmembers_static(cls):
        if name in SPECIAL or name in SPECIAL.values() or not name.startswith("_"):
            if isinstance(member, (classmethod, staticmethod)):
                member = member.__func__
            if isinstance(member, property) or inspect.isfunction(member):
                found[name] = member
    return found


def excused(cls: type, name: str) -> bool:
    return any(f"{base.__name__}.{name}" in MISSING for base in cls.__mro__)


CASES = [(left, right, name) for left, right in PAIRS for name in public(left) if not excused(left, name)]


@pytest.mark.parametrize(("left", "right", "name"), CASES, ids=[f"{left.__name__}.{name}" for left, _, name in CASES])
def test_the_sync_face_has_the_same(left: type, right: type, name: str) -> None:
    ours, theirs = public(left)[name], public(right).get(SPECIAL.get(name, name))
    assert theirs is not None, f"{right.__name__} has no {name}"
    if isinstance(ours, property):
        assert isinstance(theirs, property)
    elif not takes_nothing_of_users(name, left):
        assert parameters(theirs) == parameters(ours)


def takes_nothing_of_users(name: str, cls: type) -> bool:
    """Whether users do not call it with arguments of their own: queries are made by sessions."""
    return name == "__init__" and cls is not AsyncSession


def parameters(function: Callable[..., Any]) -> list[tuple[str, Any, Any]]:
    return [(p.name, p.kind, p.default) for p in inspect.signature(function).parameters.values()]


@pytest.mark.parametrize(("left", "right"), PAIRS)
def test_the_sync_face_invents_little(left: type, right: type) -> None:
    known = set(public(left)) | {SPECIAL.get(name, name) for name in public(left)}
    assert set(public(right)) - known - {"of"} == set()


def test_a_database_opens_sessions_with_the_same_options() -> None:
    places = {"self", "database", "dsn", "connection_config"}
    assert {name for name, _, _ in parameters(AsyncSession.__init__)} - places == set(SessionOptions.__annotations__)


def test_no_sync_method_is_a_coroutine_function() -> None:
    for _, right in PAIRS:
        assert [name for name, member in public(right).items() if inspect.iscoroutinefunction(member)] == []


def test_every_excuse_is_needed() -> None:
    names = {f"{base.__name__}.{name}" for left, _ in PAIRS for base in left.__mro__ for name in vars(base)}
    assert set(MISSING) - names == set()
