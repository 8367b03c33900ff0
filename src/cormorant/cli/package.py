"""The package itself, which stands above this room and is loaded before any of it."""

from __future__ import annotations

import sys
from collections.abc import Mapping


def version() -> str:
    """Gives the version of the package."""
    return str(sys.modules["cormorant"].__version__)


def public_names() -> Mapping[str, object]:
    """Gives what the package exports, but for errors."""
    package = sys.modules["cormorant"]
    found: dict[str, object] = {name: getattr(package, name) for name in package.__all__}
    return {name: value for name, value in found.items() if not _is_error(value)}


def _is_error(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, Exception)
