"""Makes rows instances of the user's own shapes; decided when the query is built, not per row."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import typing_extensions

from cormorant.errors import QueryError, suggest


def row_maker(shape: Callable[..., Any], names: Sequence[str | None]) -> Callable[[Any], Any]:
    """Gives the function from a row to an instance of `shape`.

    Args:
        shape: What to make; shapes with named fields are filled by name, other callables by position.
        names: The name of each selected column; None where an expression has no label.

    Raises:
        QueryError: A field is not selected, or a column has no field.
    """
    fields = named_fields(shape)
    if fields is None:
        return lambda row: shape(*row)
    _check(shape, fields, names)
    labels = tuple(str(name) for name in names)
    return lambda row: shape(**dict(zip(labels, row, strict=True)))


def named_fields(shape: Any) -> dict[str, bool] | None:
    """Gives a shape's fields and whether each is required, or None for a plain callable."""
    if dataclasses.is_dataclass(shape):
        return {f.name: _has_no_default(f) for f in dataclasses.fields(shape) if f.init}
    if typing_extensions.is_typeddict(shape):
        return {name: name in shape.__required_keys__ for name in shape.__annotations__}
    if hasattr(shape, "model_fields"):
        return {name: info.is_required() for name, info in shape.model_fields.items()}
    if hasattr(shape, "__struct_fields__"):
        required = len(shape.__struct_fields__) - len(shape.__struct_defaults__)
        return {name: place < required for place, name in enumerate(shape.__struct_fields__)}
    if _is_named_tuple(shape):
        return {name: name not in shape._field_defaults for name in shape._fields}
    return None


def _is_named_tuple(shape: object) -> bool:
    return hasattr(shape, "_field_defaults") and inspect.isclass(shape) and issubclass(shape, tuple)


def _has_no_default(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _check(shape: Any, fields: dict[str, bool], names: Sequence[str | None]) -> None:
    title = getattr(shape, "__name__", repr(shape))
    for position, name in enumerate(names):
        if name is None:
            raise QueryError(f"column {position + 1} of into({title}) has no name", hint='give it one: .label("name")')
        if name not in fields:
            raise QueryError(f"{title} has no field {name!r}", hint=suggest(name, fields))
    missing = [name for name, required in fields.items() if required and name not in names]
    if missing:
        raise QueryError(f"into({title}) lacks {', '.join(missing)}", hint="select them, or give them defaults")
