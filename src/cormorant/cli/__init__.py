"""The command line: `cormorant`.

What a command does is decided elsewhere; here is only what reads words and prints. Who may import whom: each line only
from those above it.

    configuration exit_codes         pure: what was said, as one value; what exit codes say
    finding loading                  reads pyproject.toml; imports models
    working                          the configured database, opened and closed
    documents rendering answers      what there is to say, for programs and for people
    screen options progress          printing; options that several commands have
    application                      `typer`'s application, which commands add themselves to
    starting making running looking introspecting interactive reporting       the commands
    commands main                    all of them; the script

Importing this room's `main` works without typer: it says how to install it.
"""
