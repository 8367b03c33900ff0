"""The schema as values: what models want, what a database has, and the steps from one to the other.

What crosses the walls of this room, all of it frozen:

    SchemaSnapshot     tables, enum types, views: of models (`declared`), of a database (`introspect`), of JSON
    Operation          one step: `statements(dialect)`, `reverse()`, `describe()`, `outside`, `touched`
    list[Operation]    `diff(old, new)` gives it; `plan(snapshot, operations, dialect)` says it for one database;
                       `apply(snapshot, *operations)` gives the schema afterwards

Who may import whom: each line only from those above it.

    words names                                     SQL as words, tables as keys
    snapshot column_types                           the values
    matching scripts                                what is the same; snapshots as SQL
    views                                           a snapshot as one database has it
    operations column_operations index_operations shadow_operations rebuild steps   the steps and their SQL
    state                                           what a schema is after a step
    table_diff diff plan                            pure functions over snapshots and steps
    declared json_form                              models to snapshots; snapshots to JSON and back
    postgresql_catalog sqlite_tables sqlite_catalog             rows of catalogs to snapshots, without I/O
    python_names source_types source_plan models_source         snapshots to the source of models
    python_form                                     steps to their source
    introspect running                              the files that wait: they ask, and run
    builder                                         the face

`declared`, `python_names` and `builder` alone know models; `builder` alone knows databases, `introspect` and `running`
connections. Nothing here knows sessions. What keeps, orders, checks and runs migrations stands on these values: it
imports from here, and is imported by nothing here. A step holds the tables that it is about and no other part of a
schema, so that it can be written into a file and read back.

Names matter to steps: `DropConstraint` says the name that the snapshot has. Who takes over a database that is there
must start from its own snapshot (`live`), not from that of models, whose constraints would be called otherwise.
"""
