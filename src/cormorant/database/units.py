"""What `run()` takes beside the arguments of the function that it runs."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any


def own_options(fn: Callable[..., Any], keywords: dict[str, Any]) -> dict[str, Any]:
    """Takes out of a function's keywords those that are meant for `run()`: the function has no such parameter."""
    named = keywords.keys() & {"retries", "isolation"}
    if not named:
        return {}
    return {name: keywords.pop(name) for name in named - inspect.signature(fn).parameters.keys()}
