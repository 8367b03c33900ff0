"""Migrations: files with steps from one schema to the next, their order, and what makes new ones.

What crosses the walls of this room, all of it frozen:

    Step               an operation of `cormorant.schema.steps`, RunSQL, RunSession or Backfill
    Migration          what a file's `migration = Migration(...)` holds
    MigrationFile      a migration with its name, its app and the checksum of its source
    History            the files in order; `state(upto)` gives the schema after one of them, without a database
    Draft              a migration that is not written yet; `make` gives it

Who may import whom: each line only from those above it.

    historical statements                   models of a schema as it was; SQL one by one
    step                                    what is done beside operations of schemas
    migration files                         values; reading and writing
    footprint branches                      what steps are about, and whether they may change places
    replacing                               squashed migrations, or what they stand for
    history                                 order, states
    losses naming source checking sharing   what would go; names and texts of new files; whose it is
    drafting making squashing               new migrations

All of these are pure, but for reading and writing files. Two rooms stand on them, and are imported by none of them:

    safety      what operations do to a database that is in use, their safe forms, backfills
    running     the engine: it asks databases, and changes them; it may import from `safety`
"""

from cormorant.migrations.drafting import empty
from cormorant.migrations.files import load
from cormorant.migrations.historical import HistoricalModels
from cormorant.migrations.history import History
from cormorant.migrations.making import Draft, make, make_all, merge
from cormorant.migrations.migration import Migration, MigrationFile
from cormorant.migrations.squashing import squash
from cormorant.migrations.step import Backfill, RunSession, RunSQL, Step, nothing

__all__ = [
    "Backfill",
    "Draft",
    "HistoricalModels",
    "History",
    "Migration",
    "MigrationFile",
    "RunSQL",
    "RunSession",
    "Step",
    "empty",
    "load",
    "make",
    "make_all",
    "merge",
    "nothing",
    "squash",
]
