"""S19: Ctrl-C at any line of a sync session leaves all or nothing, no connection in use, and a usable session."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from types import FrameType
from typing import Any

import pytest

from cormorant import Database, Session
from cormorant.sync import bridge, loop
from cormorant.sync.portal import portal
from tests.support.newsroom import Label, Story, Writer

EVERY = 1 if os.environ.get("CORMORANT_SYNC_FULL") else 83
"""Lines from one interruption to the next."""

ROWS = 100_000 if os.environ.get("CORMORANT_SYNC_FULL") else 5_000


@pytest.fixture(autouse=True, params=[0.0, 3600.0], ids=["by turns", "at once"])
def turn(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Has each call take a turn of the loop, or none for its first step: a tracer makes them slow."""
    monkeypatch.setattr(loop, "TURN", request.param)


class Interruption:
    """Has the signal of Ctrl-C come at the n-th line of our own that this thread runs.

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
                signal.raise_signal(signal.SIGINT)
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


def test_while_a_session_lets_go(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    finished = bridge.finish

    def interrupted(*args: Any) -> None:
        finished(*args)
        raise KeyboardInterrupt

    with Session(database) as session:
        session.add(Writer(name="a"))

    def use(session: Session, write: bool) -> None:
        with session:
            if write:
                session.create(Writer, name="b")
                session.commit()
            assert session.query(Writer).count() == 1 + write

    monkeypatch.setattr(bridge, "finish", interrupted)
    for write in (False, True):
        session = Session(database)
        with pytest.raises(KeyboardInterrupt):
            use(session, write)
        assert not session._session.is_open
        assert portal().connected(database).adapter.stats.in_use == 0


# ---- where the interrupted code is the caller's own


def test_in_a_generator_that_is_written(database: Database) -> None:
    def rows() -> Iterator[dict[str, str]]:
        for n in range(5):
            yield {"name": f"{n}"}
        raise KeyboardInterrupt

    with Session(database) as session:
        session.create(Writer, name="kept")
        with pytest.raises(KeyboardInterrupt):
            session.query(Label).bulk_create(rows(), batch=2)
        assert session.query(Label).count() == 0
    with Session(database) as session:
        assert (session.query(Writer).count(), session.query(Label).count()) == (1, 0)
    assert portal().connected(database).adapter.stats.in_use == 0


@pytest.mark.parametrize("inside", [False, True], ids=["alone", "in a transaction"])
def test_in_the_middle_of_a_stream(database: Database, inside: bool) -> None:
    with Session(database) as session:
        session.add(*(Writer(name=f"{n}") for n in range(10)))

    def read(session: Session) -> None:
        with session.transaction() if inside else nullcontext():
            for writer in session.query(Writer).order_by(Writer.id).stream(2):
                if writer.name == "3":
                    raise KeyboardInterrupt

    with Session(database) as session:
        with pytest.raises(KeyboardInterrupt):
            read(session)
        assert portal().connected(database).adapter.stats.in_use == 0
        assert session.query(Writer).count() == 10


def test_a_long_stream_keeps_few_objects(database: Database) -> None:
    with Session(database) as session:
        session.query(Label).bulk_create({"name": f"{n}"} for n in range(ROWS))
    most, seen = 0, 0
    with Session(database) as session:
        for _ in session.query(Label).order_by(Label.id).stream(500):
            seen += 1
            if seen % 500 == 0:
                most = max(most, len(session.identity_map))
        assert (seen, most) == (ROWS, 500)
        assert len(session.identity_map) <= 500
