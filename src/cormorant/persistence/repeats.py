"""Notices what is loaded one by one from one line of the program, and says how to load it at once."""

from __future__ import annotations

import warnings
from collections.abc import Hashable
from datetime import datetime
from types import CodeType
from typing import TYPE_CHECKING, Any

from cormorant._internal.frames import line_of
from cormorant.errors import NPlusOneError, NPlusOneWarning
from cormorant.models.links import RelationInfo
from cormorant.models.metadata import ModelInfo
from cormorant.observability.findings import Finding
from cormorant.observability.performance import FINDINGS
from cormorant.persistence.transaction import last_commit_of
from cormorant.query.spec import Mode, Single

if TYPE_CHECKING:
    from cormorant.persistence.state import SessionState


class Repeats:
    """What one session has loaded one by one since its last commit, by what it was and by the line that asked for it.

    A commit ends a piece of work: what is loaded one by one between commits could not have been loaded at once.

    Args:
        threshold: How many times are not worth mentioning.
    """

    __slots__ = ("counts", "since", "threshold", "told")

    def __init__(self, threshold: int) -> None:
        self.threshold: int = threshold
        self.counts: dict[tuple[Any, ...], int] = {}
        # what was found already, by the same keys: its words are looked for once
        self.told: dict[tuple[Any, ...], tuple[Hashable, Finding]] = {}
        self.since: datetime | None = None

    def count(
        self, single: Single, caller: tuple[CodeType, int] | None, since: datetime | None
    ) -> tuple[tuple[Any, ...], int]:
        """Counts one more, and gives by what it is counted and how many it makes."""
        if since is not self.since:
            self.counts, self.told, self.since = {}, {}, since
        code, instruction = (None, 0) if caller is None else caller
        # the subject is held by its model, and the code by whoever runs it
        key = (single[0], id(single[1]), id(code), instruction)
        found = self.counts[key] = self.counts.get(key, 0) + 1
        return key, found


def note_single(state: SessionState, single: Single, mode: Mode, caller: tuple[CodeType, int] | None) -> None:
    """Counts a query of one object's own, before it is sent; warns, or refuses, when they are too many.

    Raises:
        NPlusOneError: They are, and the database is to refuse them.
    """
    database = state.database
    if database.n_plus_one == "ignore":
        return
    repeats = state.repeats
    counted_by, count = repeats.count(single, caller, last_commit_of(state.transactions))
    if count <= repeats.threshold:
        return
    if database.n_plus_one == "warn" and (told := repeats.told.get(counted_by)) is not None:
        state.tracker.note_finding(*told, 1)
        return
    line = None if caller is None else line_of(*caller)
    file = caller[0].co_filename if caller is not None and line is not None else None
    found = Finding(_what(single, mode), file, line, count, fix_of(single, mode))
    key = (file, line, single[0], id(single[1]))
    repeats.told[counted_by] = key, found
    # the first ones were not worth mentioning until now
    state.tracker.note_finding(key, found, count if count == repeats.threshold + 1 else 1)
    message = f"N+1: {found.what}, {count} times by {found.place}"
    if database.n_plus_one == "raise":
        raise NPlusOneError(message, hint=found.fix)
    if key not in database.reported and len(database.reported) < FINDINGS:
        database.reported.add(key)
        warnings.warn_explicit(f"{message}\nHint: {found.fix}", NPlusOneWarning, file or "<unknown>", line or 1)


def _what(single: Single, mode: Mode) -> str:
    kind, subject = single
    if isinstance(subject, RelationInfo):
        verb = {"count": "counted", "exists": "looked for"}.get(mode, "queried" if kind == "members" else "loaded")
        return f"{subject.place} is {verb} one by one"
    return (
        f"{subject.name} objects are got one by one"
        if kind == "get"
        else f"the rest of {subject.name} objects is loaded one by one"
    )


def fix_of(single: Single, mode: Mode) -> str:
    """Says what to write instead."""
    kind, subject = single
    if isinstance(subject, ModelInfo):
        if kind == "get":
            return f"get them in one query: session.get_many({subject.name}, keys)"
        return f"have the query of the {subject.name} objects read what is used: leave out its only() or defer()"
    owners = f"with the query of the {subject.owner.name} objects"
    if kind == "reference":
        return f"load it {owners}: .select_related({subject.place})"
    if kind == "relation":
        return f"load it {owners}: .prefetch_related({subject.place})"
    if mode == "count":
        return f"count {owners}: .annotate({subject.place}.count())"
    if mode == "exists":
        return f"look {owners}: .annotate({subject.place}.any())"
    return f"load it {owners}: .prefetch_related({subject.place}), or a part: ({subject.place}.filter(...))"
