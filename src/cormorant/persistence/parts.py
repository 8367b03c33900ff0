"""The parts of a session's state that are made when they are first asked for: most sessions only read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from cormorant._internal.frames import Place
from cormorant.models.inside import doubtful_of
from cormorant.models.model import Model
from cormorant.persistence import loader
from cormorant.persistence.blocks import Blocks
from cormorant.persistence.flush import Flusher
from cormorant.persistence.hooking import SessionHooks
from cormorant.persistence.repeats import Repeats
from cormorant.persistence.unit_of_work import UnitOfWork
from cormorant.persistence.writer import StateWriter

if TYPE_CHECKING:
    from cormorant.persistence.state import SessionState


def _unit(state: SessionState) -> UnitOfWork:
    unit = UnitOfWork(state, state.identity, state.database.dialect.decoder, eager=state.autocommit)
    # statements may have been counted before
    unit.numbers = state.numbers
    return unit


def _flusher(state: SessionState) -> Flusher:
    hooks = SessionHooks(state, state.handle, state.database, state.unit, state.transactions)
    return Flusher(state.database, state.unit, state.transactions, hooks)


def _blocks(state: SessionState) -> Blocks:
    return Blocks(state.unit, state.transactions, state.flusher, autocommit=state.autocommit)


PARTS: dict[str, Callable[[SessionState], object]] = {
    "unit": _unit,
    "flusher": _flusher,
    "blocks": _blocks,
    "writer": StateWriter,
    "loads": loader.Loads,
    "repeats": lambda state: Repeats(state.threshold),
    "turn": lambda _: asyncio.Lock(),
}
"""What makes each of them."""


def is_untouched(state: SessionState) -> bool:
    """Whether nothing is to be ended: a session has sent nothing but reads, each on a connection lent for it."""
    work = state.transactions
    if "unit" in state.__dict__ or work.levels or work.in_flight or work.cursors:
        return False
    identity = state.identity
    return not any(doubtful_of(info)(identity.of(info).values()) for info in identity.documents)


def deletes(state: SessionState, instance: Model) -> bool:
    """Whether a session's next flush deletes an instance's row."""
    return "unit" in state.__dict__ and id(instance) in state.unit.deleted


def finish(state: SessionState, at: Place) -> None:
    """Has everything refused that comes now, and lets go of the objects.

    Args:
        state: The session.
        at: The place where its block ends.
    """
    state.closed = True
    state.closed_at = at
    if "unit" in state.__dict__:
        state.unit.end()
    else:
        state.identity.clear()


_LET_GO = frozenset({*PARTS, "transactions", "reader", "cached"})


def let_go(state: SessionState) -> None:
    """Has a closed state let go of what works for it, once nobody is in the block any more.

    All of that knows the state; without it neither has to wait for the garbage collector.
    """
    if state.frame.parent is None:
        # blocks that outlive their session are still to be left
        held = state.__dict__
        for name in _LET_GO & held.keys():
            del held[name]
        del state.frame.state
