"""Histories of random schemas: what is made of them, read and replayed, is what was asked for.

`CORMORANT_SCHEMA_PAIRS` says how many; no database is asked.
"""

from __future__ import annotations

import os
from itertools import product

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from cormorant import ModelError
from cormorant.migrations import History, Migration, MigrationFile, make, make_all, squash
from cormorant.migrations.files import from_source
from cormorant.migrations.footprint import footprint
from cormorant.schema import snapshot as s
from cormorant.schema.diff import diff
from cormorant.schema.operations import Operation
from cormorant.schema.state import apply
from tests.support.schemas import Pair, pairs, schemas

EXAMPLES = int(os.environ.get("CORMORANT_SCHEMA_PAIRS", "12"))
PHASES = (Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink)
some = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), phases=PHASES)


def grown(history: History, wanted: s.SchemaSnapshot) -> History:
    """Gives the history with the migration that is made for a schema, as it is read from its file."""
    draft = make(history, wanted, allow_destructive=True)
    if draft is None:
        return history
    read = from_source(draft.source, draft.name, draft.app)
    assert read == draft.file
    return history.plus(read)


@some
@given(st.lists(st.one_of(schemas(), pairs()), max_size=3))
def test_a_made_history_is_what_was_asked_for(steps: list[s.SchemaSnapshot | Pair]) -> None:
    history = History()
    for step in steps:
        for wanted in (step.old, step.new) if isinstance(step, Pair) else (step,):
            history = grown(history, wanted)
            assert diff(history.state(), wanted) == []
            assert make(history, wanted) is None
    state = history.state()
    for file in reversed(history.ordered):
        state = apply(state, *(step for step in file.migration.reversed() if isinstance(step, Operation)))
        assert diff(state, history.state_before(file.key)) == []
    if len(history) > 1:
        one = squash(history, history.ordered[-1].key)
        whole = history.plus(from_source(one.source, one.name))
        assert len(whole) == 1
        assert diff(whole.state(), history.state()) == []


@some
@given(schemas(), schemas(), schemas())
def test_what_does_not_clash_may_change_places(
    base: s.SchemaSnapshot, one: s.SchemaSnapshot, two: s.SchemaSnapshot
) -> None:
    first, second = diff(base, one), diff(base, two)
    for left, right in product(first, second):
        if not footprint([left]).clashes(footprint([right])):
            assert after(base, left, right) == after(base, right, left)


def after(schema: s.SchemaSnapshot, *operations: Operation) -> object:
    """Gives a schema after operations, without the order of its parts; None where one does not fit without others."""
    try:
        schema = apply(schema, *operations)
    except ModelError:
        return None
    return schema.enums, {
        table.key: (frozenset(table.columns), frozenset(table.constraints), frozenset(table.indexes), table.comment)
        for table in schema.tables
    }


@some
@given(pairs(), st.data())
def test_apps_take_turns(pair: Pair, data: st.DataObject) -> None:
    """Whoever owns which tables, every app's migrations come after what they stand on."""
    owners = {name: data.draw(st.sampled_from(("", "a", "b"))) for name in ("book", "shelf", "select", "Reader")}
    history = History(apps=("", "a", "b"))
    for schema in (pair.old, pair.new):
        tables = tuple(s.Table(**{**fields_of(t), "app": owners.get(t.name)}) for t in schema.tables)
        wanted = s.SchemaSnapshot(tables, schema.enums)
        drafts = make_all(history, wanted, allow_destructive=True)
        history = history.plus(*(from_source(draft.source, draft.name, draft.app) for draft in drafts))
        assert diff(history.state(), wanted) == []


def fields_of(table: s.Table) -> dict[str, object]:
    return {name: getattr(table, name) for name in s.Table.__dataclass_fields__}


def test_a_history_without_steps_is_an_empty_schema() -> None:
    assert History([MigrationFile("", "0001_a", None, "", Migration())]).state() == s.SchemaSnapshot()
