"""The command line: `cormorant`.

What a command does is decided elsewhere; here is only what reads words and prints. Who may import whom: each line only
from those above it.

    configuration exit_codes package        pure: what was said, as one value; what exit codes say
    choosing beginning                      pure: which migrations are looked at; what `init` writes
    finding loading                         reads pyproject.toml; imports models
    working console program                 the configured database; Python line by line; somebody's program
    documents rendering answers             pure: what there is to say, for programs and for people
    screen options progress                 printing; options that several commands have
    application                             typer's application, which commands add themselves to
    starting making running looking linting checking introspecting shelling reporting       the commands
    commands                                all of them
    main                                    the script

Importing this room's `main` works without typer: it says how to install it.
"""
