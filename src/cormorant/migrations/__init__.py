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

All of these are pure, but for reading and writing files. What waits stands on them and is imported by none of them:

    ledger moves lock_file                  records; the pieces of a migration that are done together
    outcomes                                what the engine says
    locking connecting bound                one at a time, on one connection, with sessions in its transaction
    resuming stopping running               one migration; what was cut off; where it stopped
    deciding planning                       which migrations, what would be done: pure again
    drifting proving scratch adopting       databases beside their migrations
    engine                                  the face
    outdated                                what a Database asks at its first use
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
