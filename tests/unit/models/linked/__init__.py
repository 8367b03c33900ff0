"""Models that know each other by name only: each module imports the other for type checkers."""
