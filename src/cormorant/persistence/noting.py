"""What a session writes, as caches have to know it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from cormorant.database.invalidation import Invalidation
from cormorant.errors import CormorantError
from cormorant.models.links import RelationInfo
from cormorant.models.metadata import ModelInfo
from cormorant.models.registry import Registry, registry
from cormorant.models.state import bare_key
from cormorant.persistence.changes import ChangeSet, PendingKey
from cormorant.persistence.key_changes import moved, new_key
from cormorant.persistence.transaction import TransactionStack
from cormorant.sql.raw import TOKENS
from cormorant.sql.raw_source import ANY_TABLE

_WORDS = re.compile(r'"((?:[^"]|"")+)"|([^\W\d]\w*)')
_WRITES = frozenset({"insert", "update", "delete", "merge", "copy", "replace"})

_NO_ROWS = frozenset(
    {"notify", "listen", "unlisten", "set", "reset", "lock", "analyze", "vacuum", "comment", "pg_notify", "set_config"}
    | {"pg_advisory_lock", "pg_advisory_xact_lock", "pg_try_advisory_xact_lock", "nextval", "setval"}
)
"""What begins a statement that writes no rows, or is all that a SELECT calls."""


def noted(transactions: TransactionStack) -> Invalidation:
    """Gives what notes the writes of the open transaction."""
    if transactions.written is None:
        transactions.written = Invalidation()
    return transactions.written


def note_changes(what: Invalidation, changes: ChangeSet) -> None:
    """Notes what a flush writes, and what the database does to other rows because of that."""
    for insert in changes.inserts:
        table, names = insert.info.table, insert.info.key_attributes
        key = tuple([insert.values.get(name) for name in names])
        # a row of that key may have been there, and was taken away by somebody who told nobody
        if insert.key_given and not any(value is None or isinstance(value, PendingKey) for value in key):
            what.add_key(table, bare_key(key))
        else:
            what.add_new(table)
    moves = moved(changes.updates)
    for update in changes.updates:
        what.add_key(update.info.table, bare_key(update.key))
    for delete in changes.deletes:
        what.add_key(delete.info.table, bare_key(delete.key))
    for update in moves:
        what.add_key(update.info.table, bare_key(new_key(update)))
    for info in {delete.info for delete in changes.deletes} | {update.info for update in moves}:
        own = any(_follows(relation, info) for relation in _relations(info))
        what.add_tables(dependents(info) - (set() if own else {info.table}))
    what.add_tables({link.table for link in changes.links})


def note_table(what: Invalidation, info: ModelInfo, *, dependent: bool) -> None:
    """Notes a model of which any row may have changed; `dependent`: rows of others may follow."""
    what.add_tables(dependents(info) if dependent else (info.table,))


def note_tables(what: Invalidation, tables: Iterable[str]) -> None:
    """Notes tables of a query of which a part writes: what it only reads cannot be told from what it writes."""
    wanted = set(tables)
    if ANY_TABLE in wanted:
        what.everything = True
    for info in registry:
        if info.table in wanted:
            what.add_tables(dependents(info))
    what.add_tables(wanted)


def note_raw(what: Invalidation, sql: str) -> None:
    """Notes what raw SQL may have written: the tables that it names, or everything where nobody can know."""
    words = _words(sql)
    if not words or words[0] in _NO_ROWS or (words[0] == "with" and _WRITES.isdisjoint(words)):
        return
    if words[0] == "select" and words[1:2] and words[1] in _NO_ROWS and "from" not in words:
        return
    known = {info.table.lower(): info for info in registry}
    links = _link_tables(registry)
    named = [known[word] for word in words if word in known]
    others = {links[word] for word in words if word in links}
    # a table that is written may be one that only other processes have a model of
    all_known = all(word in known or word in links or then in known or then in links for word, then in _targets(words))
    if (words[0] in _WRITES or words[0] == "with") and (named or others) and all_known:
        for info in named:
            what.add_tables(dependents(info))
        what.add_tables(others)
    else:
        what.everything = True


def _words(sql: str) -> list[str]:
    """Gives the words of a statement in small letters, without texts and comments; of schemas only what they hold."""
    bare = TOKENS.sub(lambda match: match[0] if match[0].startswith('"') else " ", sql)
    return [(quoted or word).lower() for quoted, word in _WORDS.findall(bare)]


def _targets(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Gives the words that name tables which a statement writes, each with the next one: the first may be a schema."""
    for at, word in enumerate(words):
        before = words[at - 1] if at else ""
        if (
            word == "into"
            or (word == "from" and before == "delete")
            or (word == "update" and before not in _NO_UPDATE)
            or (word == "copy" and at == 0)
        ):
            rest = [*words[at + 1 : at + 6], "", ""]
            rest = rest[2:] if rest[0] == "or" else rest
            rest = rest[1:] if rest[0] == "only" else rest
            yield rest[0], rest[1]


_NO_UPDATE = frozenset({"do", "then", "for", "key"})
"""Before UPDATE, where it names no table: DO UPDATE SET, THEN UPDATE SET, FOR UPDATE, FOR NO KEY UPDATE."""


# ------------------------------------------------------------------ what follows from a delete


def dependents(info: ModelInfo) -> set[str]:
    """Gives a model's table and those whose rows the database changes where its rows are deleted or get other keys."""
    found = {info.table}
    waiting = [info]
    while waiting:
        target = waiting.pop()
        for other in info.registry:
            for relation in _relations(other):
                link = relation.link
                if link is not None and target in (relation.owner, relation.target):
                    found.add(link.table)
                elif _follows(relation, target) and other.table not in found:
                    found.add(other.table)
                    waiting.append(other)
    return found


def _follows(relation: RelationInfo, target: ModelInfo) -> bool:
    acts = relation.on_delete not in ("restrict", "no_action") or relation.on_update not in ("restrict", "no_action")
    return relation.kind == "to_one" and relation.target is target and acts


def _relations(info: ModelInfo) -> Iterable[RelationInfo]:
    # a model that is declared wrongly says so where it is used
    try:
        return list(info.relations.values())
    except CormorantError:
        return ()


def _link_tables(models: Registry) -> dict[str, str]:
    links = (relation.link for info in models for relation in _relations(info))
    return {link.table.lower(): link.table for link in links if link is not None}
