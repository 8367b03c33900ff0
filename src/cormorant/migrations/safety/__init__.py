"""What operations do to a database that is in use: their locks, safe forms of them, rows that are filled in batches.

Who may import whom: each line only from those above it.

    locks sizes volatility type_changes     facts about PostgreSQL, and how large tables are
    effects wording                         what an operation locks, reads and writes
    walking                                 operations one by one, each with the schema before it
    findings                                what is told
    compatibility breaking                  what a release that runs would miss
    validating second_column safe_form      operations in forms in which others go on
    lint                                    the judge of all of these
    batches                                 the SQL of a backfill

These are pure. Two files wait: `measuring` asks for sizes, `backfilling` writes rows.
"""
