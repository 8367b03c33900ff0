"""Who is measured: each module is one library, by the fastest way that its documentation shows."""

from __future__ import annotations

from importlib import import_module

from benchmarks.contestants.base import Contestant

CONTESTANTS = {
    "raw": ("driver", "by_hand:Raw"),
    "objects": ("by hand", "by_hand:Objects"),
    "cormorant": ("Cormorant", "with_cormorant:WithCormorant"),
    "cormorant_in_threads": ("Cormorant, in threads", "with_cormorant:InThreads"),
    "sqlalchemy": ("SQLAlchemy", "with_sqlalchemy:WithSQLAlchemy"),
    "tortoise": ("Tortoise", "with_tortoise:WithTortoise"),
    "piccolo": ("Piccolo", "with_piccolo:WithPiccolo"),
    "oxyde": ("Oxyde", "with_oxyde:WithOxyde"),
    "django": ("Django", "with_django:WithDjango"),
    "peewee": ("Peewee", "with_peewee:WithPeewee"),
}
"""Names, with what they are called in tables, and where they are."""


PACKAGES = {
    "cormorant": "cormorant",
    "sqlalchemy": "sqlalchemy",
    "tortoise": "tortoise-orm",
    "piccolo": "piccolo",
    "oxyde": "oxyde",
    "django": "django",
    "peewee": "peewee",
}
"""Their distributions."""

DECIMALS = {
    "cormorant": "TEXT",
    "cormorant_in_threads": "TEXT",
    "oxyde": "TEXT",
    "tortoise": "VARCHAR(40)",
    "piccolo": "NUMERIC",
    "django": "decimal",
}
"""How SQLite declares a decimal column for each; `DECIMAL` for everybody else."""

ONLY_ON = {"cormorant_in_threads": "sqlite"}
"""Who takes part on one kind of database alone."""

MAIN = ("raw", "objects", "cormorant", "cormorant_in_threads", "sqlalchemy", "tortoise", "oxyde")
"""Those of a quick run."""


def contestant(name: str) -> Contestant:
    """Makes a contestant; its library is imported by that."""
    module, _, class_ = CONTESTANTS[name][1].partition(":")
    made: Contestant = getattr(import_module(f"benchmarks.contestants.{module}"), class_)()
    return made
