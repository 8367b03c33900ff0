"""Whoever migrates may be killed at any moment, and several may begin at once.

By default some moments are tried of some kinds of migrations; with CORMORANT_TEST_EVERY_KILL=1 every moment of every
kind, on the way up and on the way down, which takes minutes.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.support.essays import KINDS

EVERY = bool(os.environ.get("CORMORANT_TEST_EVERY_KILL"))
SOME = {"sqlite": ["rebuild", "data-", "backfill"], "postgresql": ["fill", "index", "backfill"]}


def run(dsn: str, *arguments: str) -> list[str]:
    command = [sys.executable, "-m", "tests.support.killed_migrations", dsn, *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()


def everything() -> list[str]:
    return [name + way for name, kind in KINDS.items() for way in (["", "-"] if kind.reversible else [""])]


@pytest.mark.direct("a process that is killed does not tell the pooler")
@pytest.mark.parametrize("kind", everything() if EVERY else ["some"])
def test_what_was_killed_is_gone_on_with(database_dsn: str, kind: str) -> None:
    kinds = SOME[database_dsn.partition(":")[0]] if kind == "some" else [kind]
    lines = run(database_dsn, "1" if EVERY else "17", *kinds)
    assert [line for line in lines if line.startswith("wrong")] == []
    assert len(lines) == len(kinds)
    assert all(int(line.split()[-2]) >= 2 for line in lines)


def test_several_begin_at_once(database_dsn: str) -> None:
    # three write at once, and two may meet in one line
    said = " ".join(run(database_dsn, "1", "at-once"))
    assert said.count("ran:") == 3
    # through a pooler one may run the first, and another the second
    assert sorted(said.replace("ran:", " ").split()) == ["0001_initial", "0002_second"]
