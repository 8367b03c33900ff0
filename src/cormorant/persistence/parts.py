"""The parts of a session's state that are made when they are first asked for: most sessions only read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cormorant._internal.frames import Place
from cormorant._internal.made_once import MadeOnce
from cormorant.adapters.fair_lock import FairLock
from cormorant.models.inside import doubtful_of
from cormorant.models.model import Model
from cormorant.persistence import loader
from cormorant.persistence.blocks import Blocks, is_over
from cormorant.persistence.flush import Flusher
from cormorant.persistence.hooking import SessionHooks
from cormorant.persistence.repeats import Repeats
from cormorant.persistence.unit_of_work import UnitOfWork
from cormorant.persistence.writer import StateWriter

if TYPE_CHECKING:
    from cormorant.persistence.state import SessionState


def _unit(state: SessionState) -> UnitOfWork:
    decoder = state.database.dialect.decoder
    unit = state.made_unit = UnitOfWork(state, state.identity, decoder, state.numbers, eager=state.autocommit)
    return unit


def _flusher(state: SessionState) -> Flusher:
    hooks = SessionHooks(state, state.handle, state.database, state.unit, state.transactions)
    return Flusher(state.database, state.unit, state.transactions, hooks)


def _blocks(state: SessionState) -> Blocks:
    blocks = state.made_blocks = Blocks(state.unit, state.transactions, state.flusher, autocommit=state.autocommit)
    return blocks


class Part(MadeOnce):
    """A part of a session's state; one that has ended makes none."""

    __slots__ = ()

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None:
            return self
        if instance.closed:
            instance.check_usable()
        # as the class above does it, by a call less
        made = self.make(instance)
        setattr(instance, self.name, made)
        return made


class Parts:
    """What a state makes when it is first asked for."""

    if TYPE_CHECKING:
        made_unit: UnitOfWork | None
        unit: UnitOfWork
        flusher: Flusher
        blocks: Blocks
        writer: StateWriter
        loads: loader.Loads
        repeats: Repeats
        turn: FairLock
    else:
        unit = Part(_unit)
        flusher = Part(_flusher)
        blocks = Part(_blocks)
        writer = Part(StateWriter)
        loads = Part(loader.Loads)
        repeats = Part(lambda state: Repeats(state.threshold))
        turn = Part(lambda _: FairLock())

    def lost(self, instance: Model) -> None:
        """Notes that an object loses its owner: that it was added again before says nothing of this."""
        if self.made_unit is not None:
            self.made_unit.spared.pop(id(instance), None)


_LET_GO = frozenset(name for name, part in vars(Parts).items() if isinstance(part, Part)) | {
    "transactions",
    "reader",
    "cached",
}


def is_untouched(state: SessionState) -> bool:
    """Whether nothing is to be ended: a session has sent nothing but reads since it began, or since its last commit."""
    work = state.transactions
    if state.made_blocks is not None:
        return is_over(state.made_blocks)
    if state.made_unit is not None or work.levels or work.in_flight or work.cursors:
        return False
    identity = state.identity
    return not identity.documents or not any(
        doubtful_of(info)(instances.values()) for info, instances in identity.documents.items()
    )


def deletes(state: SessionState, instance: Model) -> bool:
    """Whether a session's next flush deletes an instance's row."""
    return state.made_unit is not None and id(instance) in state.made_unit.deleted


def finish(state: SessionState, at: Place) -> None:
    """Has everything refused that comes now, and lets go of the objects.

    Args:
        state: The session.
        at: The place where its block ends.
    """
    state.closed = True
    state.closed_at = at
    if state.made_unit is not None:
        state.made_unit.end()
    else:
        state.identity.clear()


def let_go(state: SessionState) -> None:
    """Has a closed state let go of what works for it.

    All of that knows the state; without it neither has to wait for the garbage collector.
    """
    held = state.__dict__
    for name in _LET_GO & held.keys():
        del held[name]
    state.made_unit = state.made_blocks = None
    del state.frame.state
