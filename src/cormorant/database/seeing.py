"""The options of what is watched while statements run."""

from __future__ import annotations

import os
from typing import Literal, cast, get_args

from cormorant.adapters.config import ConnectionConfig
from cormorant.errors import ConfigurationError
from cormorant.observability.events import Target

NPlusOne = Literal["warn", "raise", "ignore"]

THRESHOLD = 5
"""How often one line may load things one by one, unless told otherwise."""


def target_of(config: ConnectionConfig) -> Target:
    """Gives what observers are told of a database: nothing that is secret."""
    if config.scheme == "sqlite":
        return Target("sqlite", config.path)
    host, port = next(iter(config.addresses), (None, None))
    return Target(config.scheme, config.database, host, port)


def check_threshold(given: int | None) -> int | None:
    """Refuses a threshold that is no number of times.

    Raises:
        ConfigurationError: It is none.
    """
    if given is not None and (type(given) is not int or given < 1):
        raise ConfigurationError(
            f"performance_threshold={given!r}", hint='give a whole number from 1; n_plus_one="ignore" turns it off'
        )
    return given


def check_n_plus_one(given: str | None) -> NPlusOne:
    """Gives what is done about things that are loaded one by one: the option, the environment's word, or "warn".

    Raises:
        ConfigurationError: It is none of the words.
    """
    name, word = "n_plus_one", given
    if word is None:
        name, word = "CORMORANT_N_PLUS_ONE", os.environ.get("CORMORANT_N_PLUS_ONE") or "warn"
    if word not in get_args(NPlusOne):
        raise ConfigurationError(f"{name}={word!r}", hint='use "warn", "raise" or "ignore"')
    return cast(NPlusOne, word)
