"""The schema as values: what models want, what a database has, and the steps from one to the other.

What crosses the walls of this room, all of it frozen:

    SchemaSnapshot     tables, enum types, views: from models (`declared`), a database (`introspect`) or JSON
    Operation          one step; `statements(dialect)`, `reverse()`, `describe()`; `apply(snapshot, operation)`
    list[Operation]    `diff(old, new)`, pure; `plan(snapshot, operations, dialect)` says them for one database

Who may know whom, from below; nobody imports from further down this list:

    words names column_types snapshot views          text and values; know neither models nor connections
    scripts                              SQL text of snapshots; knows dialects
    operations rebuild                   steps and their SQL
    state diff plan                      pure functions over snapshots and operations
    declared json_form models_source     models to snapshot, snapshot to JSON, snapshot to models
    postgresql_catalog sqlite_catalog sqlite_tables     rows of catalogs to snapshots, without I/O
    introspect running builder           the only files that wait: they ask, run, and are the room's face

Only `declared` imports the room `models`. Nothing here knows sessions; the migration engine, files, linter and command
line stand on these values and import from here, never the other way round. An operation holds no snapshot but the
tables it is about, so that it can be written into a file and read back.
"""
