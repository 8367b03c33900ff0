"""Runs migrations, and takes them back.

Who may import whom: each line only from those above it.

    ledger moves lock_file                  records; the pieces of a migration that are done together
    outcomes                                what the engine says
    locking connecting bound                one at a time, on one connection, with sessions in its transaction
    resuming duplicates stopping runner     what was cut off; where it stopped; one migration
    deciding planning scripting             which migrations, what would be done, as a script: pure
    counting drifting proving scratch adopting      databases beside their migrations
    engine                                  the face
    outdated                                what a Database asks at its first use
"""
