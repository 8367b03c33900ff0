"""The single door to a database: what sessions, tools and programs ask for statements, tables and connections."""

from __future__ import annotations

from cormorant.database.configured import configure, database_of, default_database
from cormorant.database.database import CLOSE_TIMEOUT, PLANS, Database, PreparedQuery
from cormorant.database.listening import Listener
from cormorant.database.outcomes import Outcome
from cormorant.database.protocols import Companion, SessionOptions, Sessions
from cormorant.database.reporting import Reporting, report
from cormorant.database.seeing import check_threshold
from cormorant.database.stats import DatabaseStats, PlanStats

__all__ = [
    "CLOSE_TIMEOUT",
    "PLANS",
    "Companion",
    "Database",
    "DatabaseStats",
    "Listener",
    "Outcome",
    "PlanStats",
    "PreparedQuery",
    "Reporting",
    "SessionOptions",
    "Sessions",
    "check_threshold",
    "configure",
    "database_of",
    "default_database",
    "report",
]
