"""S19: Ctrl-C at any line of a sync session leaves all or nothing, no connection in use, and a usable session."""

from __future__ import annotations

import os
import sys
from types import FrameType
from typing import Any

import pytest

from cormorant import Database, Session
from cormorant.sync.portal import portal
from tests.support.newsroom import Label, Story, Writer

EVERY = 3 if os.environ.get("CORMORANT_SYNC_FULL") else 83
"""Lines from one interruption to the next."""


class Interruption:
    """Raises KeyboardInterrupt in this thread, at the n-th line of our own that it runs.

    What it cannot be kept from is the first line of `__exit__`: Python leaves a block no second time.
    """

    def __init__(self, line: int) -> None:
        self.left = line

    def __call__(self, frame: FrameType, event: str, arg: Any) -> Any:
        code = frame.f_code
        if f"{os.sep}cormorant{os.sep}sync{os.sep}" not in code.co_filename or code.co_name in ("__exit__", "__del__"):
            return None
        if event == "line":
            self.left -= 1
            if self.left == 0:
                raise KeyboardInterrupt
        return self


def work(database: Database) -> None:
    """Adds, flushes, loads, streams, and writes what a generator gives, in one unit of work."""
    with Session(database) as session:
        session.add(Writer(name="a"))
        session.flush()
        with session.transaction():
            session.create(Story, title="t", writer=Writer(name="b"))
        writer = session.query(Writer).filter(name="a").one()
        assert len(writer.stories) == 0
        assert [each.name for each in session.query(Writer).order_by(Writer.id).stream(1)] == ["a", "b"]
        session.query(Label).bulk_create({"name": f"{n}"} for n in range(3))


def interrupted(database: Database, line: int) -> bool:
    """Does the work, interrupted at a line; gives whether it had that many."""
    interruption, before = Interruption(line), sys.gettrace()
    sys.settrace(interruption)
    try:
        work(database)
    except KeyboardInterrupt:
        pass
    finally:
        sys.settrace(before)
    return interruption.left <= 0


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")
def test_all_or_nothing(database: Database) -> None:
    counts: set[tuple[int, ...]] = set()
    line = 1
    while interrupted(database, line):
        assert portal().connected(database).adapter.stats.in_use == 0, f"line {line}"
        with Session(database, timeout=5) as session:
            counts.add(tuple(session.query(model).count() for model in (Writer, Story, Label)))
            for model in (Story, Writer, Label):
                session.query(model).delete()
        line += EVERY
    assert line > 5 * EVERY
    assert counts <= {(0, 0, 0), (2, 1, 3)}


def test_a_session_goes_on_after_each(database: Database) -> None:
    line = 1
    while line:
        with Session(database) as session:
            interruption, before = Interruption(line), sys.gettrace()
            sys.settrace(interruption)
            try:
                with session.transaction():
                    session.create(Writer, name="lost?")
                session.query(Writer).count()
            except KeyboardInterrupt:
                pass
            finally:
                sys.settrace(before)
            session.rollback()
            assert not session.in_transaction
            session.create(Label, name=f"{line}")
        line = line + EVERY // 3 + 1 if interruption.left <= 0 else 0
    with Session(database) as session:
        assert session.query(Label).count() > 3
