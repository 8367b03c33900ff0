"""Looks at the steps of a migration for what they do to those who use the database meanwhile."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from cormorant.dialects.base import Dialect
from cormorant.migrations.safety.breaking import breaks, refused, told, wants_no_rows
from cormorant.migrations.safety.compatibility import compatibility
from cormorant.migrations.safety.effects import Effect, effects_of
from cormorant.migrations.safety.findings import Finding, Level, Rule
from cormorant.migrations.safety.locks import Lock, stronger
from cormorant.migrations.safety.safe_form import safe_form
from cormorant.migrations.safety.sizes import Sizes
from cormorant.migrations.safety.walking import Walk
from cormorant.migrations.safety.wording import advice_for
from cormorant.migrations.step import RunSession, RunSQL, Step
from cormorant.schema import index_operations as i
from cormorant.schema import operations as o
from cormorant.schema import snapshot as s
from cormorant.schema.plan import plan
from cormorant.schema.rebuild import RebuildTable


def lint(
    steps: Sequence[Step],
    before: s.SchemaSnapshot,
    sizes: Sizes | None = None,
    dialect: Dialect | None = None,
    *,
    running: s.SchemaSnapshot | None = None,
) -> list[Finding]:
    """Gives what the steps of one migration would do to a database that is in use; a pure function.

    Nothing is found in steps over tables that the migration makes, nor, of locks, over small tables.

    Args:
        steps: The steps, which are one transaction but for those that say `outside`.
        before: The schema before the first of them.
        sizes: How large tables are, as `read_sizes` tells; every one that is there counts as large if None.
        dialect: The database's; PostgreSQL's if None.
        running: What the models of the release want that runs while the migration does. What would break it is an
            error then; else drops are warned of, as nobody knows whether they are still read.

    Example:
        >>> for finding in lint([CreateIndex("article", index)], before):
        ...     print(finding.level, finding.lock)
        error SHARE on article
    """
    if dialect is None or dialect.supports_add_constraint:
        found = [*_locking(steps, before, sizes)]
    else:
        found = [*_on_sqlite(steps, before, sizes, dialect)]
    walk = Walk(before, sizes)
    for place, step in walk.over(steps):
        each_step = [*(breaks(step, walk) if running is None else ()), *refused(step, walk)]
        found += [replace(each, place=place) for each in each_step]
        found += _unseen(step, place)
    if running is not None:
        found += compatibility(running, told(walk.state, steps), dialect)
    return sorted(found, key=lambda finding: finding.place if finding.place >= 0 else len(steps))


def _unseen(step: Step, place: int) -> list[Finding]:
    if not isinstance(step, (RunSQL, RunSession)) or step.outside:
        return []
    what = "SQL" if isinstance(step, RunSQL) else "a function"
    why = f"{what} is not looked at: the locks that it takes are held until the migration ends"
    return [Finding("notice", "not-looked-at", step.describe(), why, place=place)]


# ------------------------------------------------------------------ PostgreSQL


def _locking(steps: Sequence[Step], before: s.SchemaSnapshot, sizes: Sizes | None) -> Iterator[Finding]:
    walk, held = Walk(before, sizes), Held()
    for place, step in walk.over(steps):
        if step.outside:
            held.let_go()
        if not isinstance(step, o.Operation):
            continue
        effects = effects_of(step, walk.state)
        instead = tuple(safe_form(step, walk))
        better = () if instead == (step,) else instead
        for effect in effects:
            yield from (replace(each, place=place) for each in _of(step, effect, walk, better, held))
            if not step.outside:
                held.take(effect, walk)
        yield from (replace(each, place=place) for each in _impossible(step, walk))


class Held:
    """The locks that a transaction has taken so far, on tables that others use."""

    def __init__(self) -> None:
        self.locks: dict[str, Lock] = {}

    def let_go(self) -> None:
        """Forgets them: the transaction has ended."""
        self.locks.clear()

    def take(self, effect: Effect, walk: Walk) -> None:
        """Notes the locks of one stage."""
        for lock in effect.locks:
            if not walk.is_new(lock.on) and lock.stops_writes:
                had = self.locks.get(lock.on, lock)
                self.locks[lock.on] = Lock(stronger(had.mode, lock.mode), lock.on)


def _of(step: o.Operation, effect: Effect, walk: Walk, instead: tuple[Step, ...], held: Held) -> Iterator[Finding]:
    slow = [table for table in effect.works_on if walk.is_large(table)] if not wants_no_rows(step) else []
    locks = tuple(lock for lock in effect.locks if lock.stops_writes and not walk.is_new(lock.on))
    base = Finding("notice", "drops-index", step.describe(), "", effect.locks, effect.scans, effect.rewrites, instead)
    base = replace(base, advice="" if instead else advice_for(step))
    if slow and locks:
        yield _stopping(base, locks, slow, effect, walk)
    elif slow and held.locks:
        yield _holding(base, held, walk.sized(slow))
    elif slow and effect.locks[0].mode == "ROW EXCLUSIVE":
        why = f"one transaction writes every row of {walk.sized(slow)}: who changes one of them waits for its end"
        yield replace(base, level="warning", rule="fills-at-once", why=why)
    elif isinstance(step, (i.DropIndex, i.DropSearchIndex)) and instead:
        why = "it waits for all who use the table, and whoever comes meanwhile waits behind it"
        yield replace(base, why=why)


def _stopping(base: Finding, locks: tuple[Lock, ...], slow: list[str], effect: Effect, walk: Walk) -> Finding:
    rewriting = [table for table in slow if table in effect.rewrites]
    rule: Rule = "rewrites-table" if rewriting else "scans-under-lock"
    what = (
        f"writes every row of {walk.sized(rewriting)} anew" if rewriting else f"reads every row of {walk.sized(slow)}"
    )
    return replace(base, level="error", rule=rule, why=f"PostgreSQL {what} while {_who_waits(locks)}")


def _who_waits(locks: Sequence[Lock]) -> str:
    none, no_writes = ([x.on for x in locks if x.stops_reads is stops] for stops in (True, False))
    parts = [f"nobody can read or write {' or '.join(none)}"] if none else []
    parts += [f"nobody can write {' or '.join(no_writes)}"] if no_writes else []
    return ", and ".join(parts)


def _holding(base: Finding, held: Held, slow: str) -> Finding:
    locks = tuple(held.locks.values())
    why = (
        f"PostgreSQL reads every row of {slow} while {_who_waits(locks)}, by the locks that steps before it "
        "in the same transaction took"
    )
    advice = base.advice or ("" if base.instead else "give it a migration of its own")
    return replace(base, level="error", rule="holds-locks", why=why, locks=locks, advice=advice)


def _impossible(step: o.Operation, walk: Walk) -> Iterator[Finding]:
    """Gives what PostgreSQL refuses."""
    concurrent = getattr(step, "concurrently", False)
    if concurrent and walk.table(step.touched).partitioned:
        why = "PostgreSQL makes and drops no index of a partitioned table concurrently"
        advice = "make it on each partition concurrently, and then on the table, which takes them over"
        yield Finding("error", "partitioned", step.describe(), why, advice=advice)


# ------------------------------------------------------------------ SQLite


def _on_sqlite(
    steps: Sequence[Step], before: s.SchemaSnapshot, sizes: Sizes | None, dialect: Dialect
) -> Iterator[Finding]:
    walk = Walk(before, sizes)
    operations = [step for step in steps if isinstance(step, o.Operation)]
    for operation in plan(before, operations, dialect):
        if walk.is_large(operation.touched):
            yield from _long_writing(operation, walk)
        walk.take(operation)


def _long_writing(operation: o.Operation, walk: Walk) -> Iterator[Finding]:
    level: Level = "warning" if isinstance(operation, RebuildTable) else "notice"
    if isinstance(operation, RebuildTable):
        table = operation.before.key
        why = f"SQLite copies every row of {walk.sized([table])} into a new table, while nobody can write to the file"
        yield Finding(
            level, "rewrites-table", operation.describe(), why, rewrites=(table,), advice="do it at a quiet hour"
        )
    elif isinstance(operation, (i.CreateIndex, i.CreateSearchIndex)):
        why = f"SQLite reads every row of {walk.sized([operation.table])}, while nobody can write to the file"
        yield Finding(level, "scans-under-lock", operation.describe(), why, scans=(operation.table,))
