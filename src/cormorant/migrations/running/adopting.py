"""The first migration of a database that was there before its migrations."""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType

from cormorant.errors import InvalidMigration, MigrationError, suggest
from cormorant.migrations.drafting import Draft
from cormorant.migrations.history import History
from cormorant.migrations.making import make
from cormorant.models.registry import registry
from cormorant.schema.declared import from_models
from cormorant.schema.diff import diff
from cormorant.schema.models_source import models_source
from cormorant.schema.snapshot import SchemaSnapshot
from cormorant.schema.unsaid import with_unsaid
from cormorant.schema.views import as_seen


@dataclass(frozen=True, slots=True)
class Adopted:
    """A database that has been taken over.

    Args:
        path: The file of the first migration.
        migration: Its key; the database has it on record.
        tables: Keys of the tables that migrations take care of from now on.
        left_out: What the database has besides: what no migration makes, and tables that no model can be of.
    """

    path: Path
    migration: str
    tables: tuple[str, ...]
    left_out: tuple[str, ...] = ()


def first_draft(
    history: History, found: SchemaSnapshot, *, app: str, name: str, tables: Iterable[str] | None
) -> tuple[Draft, SchemaSnapshot]:
    """Gives the migration that would make what a database has, and that schema.

    It is made of the database's own schema rather than of models: so it has the names that constraints have there.

    Args:
        history: The migrations that there are; none of that app.
        found: What the database has.
        app: The app whose tables they become.
        name: What the migration is called.
        tables: Keys of the tables; all that models can be of if None.

    Raises:
        MigrationError: The app has migrations already, or there is nothing to take over.
    """
    if history.heads_of(app):
        raise MigrationError(
            f"there are migrations already: {', '.join(history.heads_of(app))}",
            hint="a database is taken over into an empty directory; `migrate(fake=True)` writes down what is there",
        )
    taken = found.only(_keyed(found)) if tables is None else _chosen(found, tuple(tables))
    if found.dialect == "sqlite":
        taken = _as_models_say(taken)
    # on PostgreSQL in the words of this database, which is the one that it is for
    owned = tuple(replace(table, app=app) for table in taken.tables)
    draft = make(history, replace(taken, dialect=None, views=(), tables=owned), name=name, app=app)
    if draft is None:
        raise MigrationError("the database has no tables to take over", hint="make models, and the first migration")
    return draft, taken


def _chosen(found: SchemaSnapshot, tables: tuple[str, ...]) -> SchemaSnapshot:
    known = [table.key for table in found.tables]
    for key in tables:
        if key not in known:
            raise InvalidMigration(f"the database has no table {key!r}", hint=suggest(key, known))
    return found.only(tables)


def _as_models_say(found: SchemaSnapshot) -> SchemaSnapshot:
    """Gives a schema of SQLite with its tables as models of them want them, where those say all of it.

    The types of SQLite are those of no model, which would want others at once.
    """
    if not any(table.primary_key for table in found.tables):
        return found
    module = ModuleType("cormorant_adopted")
    with registry.isolated(), _known(module):
        exec(compile(models_source(found), module.__name__, "exec"), vars(module))
        wanted = from_models()
    wanted = with_unsaid(wanted, found)
    same = {table.key: table for table in wanted.tables if not _differ(found, wanted, table.key)}
    return replace(found, tables=tuple(same.get(table.key, table) for table in found.tables))


def _differ(found: SchemaSnapshot, wanted: SchemaSnapshot, key: str) -> bool:
    return bool(diff(found.only([key]), as_seen(wanted.only([key]), "sqlite")))


@contextmanager
def _known(module: ModuleType) -> Generator[None]:
    """Lets models resolve their annotations in a module that is no file, for the length of a block."""
    sys.modules[module.__name__] = module
    try:
        yield
    finally:
        del sys.modules[module.__name__]


def _keyed(found: SchemaSnapshot) -> tuple[str, ...]:
    """Gives the tables that models can be of, with those that foreign keys of others point to."""
    targets = {key.target for table in found.tables for key in table.foreign_keys if key.target != table.key}
    return tuple(table.key for table in found.tables if table.primary_key is not None or table.key in targets)


def left_out(found: SchemaSnapshot, tables: Iterable[str] | None = None) -> tuple[str, ...]:
    """Gives in words what a database has and was not taken over, or no operation makes."""
    kept = frozenset(_keyed(found) if tables is None else (table.key for table in found.tables))
    lines = [f"table {table.key}, which has no primary key" for table in found.tables if table.key not in kept]
    lines += [f"view {view.key}" for view in found.views]
    lines += [f"trigger {trigger.name} of {table.key}" for table in found.tables for trigger in table.triggers]
    return tuple(lines)
