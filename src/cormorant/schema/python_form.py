"""Operations as Python source, to be read, edited and run again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import MISSING, Field, fields
from typing import Any

from cormorant._internal.narrowing import is_dict, is_list, is_tuple
from cormorant.schema import snapshot as s
from cormorant.schema.operations import Operation
from cormorant.schema.source_types import literal

IMPORTS = ("from cormorant.schema import snapshot as s", "from cormorant.schema import steps as op")
"""What the source needs."""

_WIDTH = 120
_STEP = "    "


def operations_source(operations: Sequence[object], indent: str = "") -> str:
    """Gives a list of operations as an expression of Python; with the names of `IMPORTS` it gives equal ones.

    Args:
        operations: Operations, or other dataclasses of plain values, which are written by their bare names.
        indent: What stands before the line that closes the list.

    Example:
        >>> print(operations_source(diff(old, new)))
        [
            op.AddColumn("essay", s.Column("stars", "integer", fill="3")),
        ]
    """
    lines = [line for operation in operations for line in _lines(operation, indent + _STEP, ",")]
    return "\n".join(["[", *lines, f"{indent}]"])


def _lines(value: Any, indent: str, after: str, name: str = "") -> list[str]:
    """Gives a value in one line, or with each part in lines of its own where that would be too long."""
    short = f"{indent}{name}{_short(value)}{after}"
    opened = _opened(value)
    if len(short) <= _WIDTH or opened is None:
        return [short]
    before, parts, closing = opened
    lines = [line for said, part in parts for line in _lines(part, indent + _STEP, ",", said)]
    return [f"{indent}{name}{before}", *lines, f"{indent}{closing}{after}"]


def _opened(value: Any) -> tuple[str, list[tuple[str, Any]], str] | None:
    if is_tuple(value):
        return "(", [("", item) for item in value], ")"
    if is_list(value):
        return "[", [("", item) for item in value], "]"
    if is_dict(value):
        return "{", [(f"{literal(name)}: ", each) for name, each in value.items()], "}"
    if not hasattr(value, "__dataclass_fields__"):
        return None
    return f"{_class(value)}(", _arguments(value), ")"


def _short(value: Any) -> str:
    if isinstance(value, str):
        return literal(value)
    opened = _opened(value)
    if opened is None:
        return repr(value)
    before, parts, closing = opened
    inside = ", ".join(f"{name}{_short(part)}" for name, part in parts)
    return f"{before}{inside}{',' if len(parts) == 1 and before == '(' else ''}{closing}"


def _class(value: Any) -> str:
    room = "op." if isinstance(value, Operation) else "s." if type(value).__module__ == s.__name__ else ""
    return f"{room}{type(value).__name__}"


def _arguments(value: Any) -> list[tuple[str, Any]]:
    """Gives what must be said of a value, without names, and then what is not as usual, with them."""
    found: list[tuple[str, Any]] = []
    for part in fields(value):
        said = getattr(value, part.name)
        if not _has_default(part):
            found.append(("", said))
        elif said != part.default:
            found.append((f"{part.name}=", said))
    return found


def _has_default(part: Field[Any]) -> bool:
    return part.default is not MISSING
