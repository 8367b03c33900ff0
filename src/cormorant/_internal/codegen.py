"""Compiles generated source so that tracebacks and debuggers can show it."""

from __future__ import annotations

import linecache
from collections.abc import Callable, Mapping
from itertools import count
from typing import Any

_numbers = count(1)


def compile_function(name: str, source: str, names: Mapping[str, Any]) -> Callable[..., Any]:
    """Gives the function `name` that `source` defines.

    Args:
        name: The function's name in the source; also part of the file name in tracebacks.
        source: Python text that defines it.
        names: What the text can refer to.
    """
    filename = f"<cormorant generated {name} {next(_numbers)}>"
    namespace = dict(names)
    exec(compile(source, filename, "exec"), namespace)
    # without a modification time linecache never drops the entry
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    function: Callable[..., Any] = namespace[name]
    return function
