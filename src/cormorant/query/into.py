"""Makes rows instances of the user's own shapes; decided when the query is built, not per row."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from keyword import iskeyword
from typing import Any, Literal

import typing_extensions

from cormorant._internal.codegen import compile_function
from cormorant.errors import QueryError, suggest

RowForm = Literal["entities", "tuples", "scalars", "dicts", "groups"]

_UNPACK = {"tuples": "{0}, = row", "scalars": "{0} = row", "dicts": "{0}, = row.values()"}


def row_maker(shape: Callable[..., Any], names: Sequence[str | None], form: RowForm) -> Callable[[Any], Any]:
    """Gives the function from a row to an instance of `shape`.

    Args:
        shape: What to make; shapes with named fields are filled by name, other callables by position.
        names: The name of each selected column; None where an expression has no label.
        form: What a row is.

    Raises:
        QueryError: A field is not selected, or a column has no field.
    """
    fields = named_fields(shape)
    if fields is None:
        return _by_position(shape, form)
    _check(shape, fields, names)
    return _by_name(shape, tuple(map(str, names)), form)


@lru_cache(maxsize=500)
def _by_name(shape: Any, labels: tuple[str, ...], form: RowForm) -> Callable[[Any], Any]:
    if form == "tuples" and _is_named_tuple(shape) and labels == shape._fields:
        make: Callable[[Any], Any] = shape._make
        return make
    values = [f"v{place}" for place in range(len(labels))]
    made = _making(shape, dict(zip(labels, values, strict=True)))
    lines = ["def make(row):", f"    {_UNPACK[form].format(', '.join(values))}", f"    return {made}"]
    return compile_function("make", "\n".join(lines), {"shape": shape})


def _by_position(shape: Callable[..., Any], form: RowForm) -> Callable[[Any], Any]:
    if form == "scalars":
        return shape
    return (lambda row: shape(*row.values())) if form == "dicts" else (lambda row: shape(*row))


def _making(shape: Any, values: Mapping[str, str]) -> str:
    """Gives the source of an instance, made of the named values."""
    display = ", ".join(f"{name!r}: {value}" for name, value in values.items())
    if typing_extensions.is_typeddict(shape):
        return f"{{{display}}}"
    keys = {_key_of(shape, name): value for name, value in values.items()}
    if all(key.isidentifier() and not iskeyword(key) for key in keys):
        return f"shape({', '.join(f'{key}={value}' for key, value in keys.items())})"
    return f"shape(**{{{', '.join(f'{key!r}: {value}' for key, value in keys.items())}}})"


def _key_of(shape: Any, name: str) -> str:
    """Gives what the constructor calls a field: pydantic may know it by an alias only."""
    info = getattr(shape, "model_fields", {}).get(name)
    config = getattr(shape, "model_config", {})
    if info is None or config.get("populate_by_name") or config.get("validate_by_name"):
        return name
    alias = info.validation_alias or info.alias
    choices = getattr(alias, "choices", [alias])
    return next((choice for choice in choices if isinstance(choice, str)), name)


def named_fields(shape: Any) -> dict[str, bool] | None:
    """Gives a shape's fields and whether each is required, or None for a plain callable."""
    if dataclasses.is_dataclass(shape):
        return {f.name: _has_no_default(f) for f in dataclasses.fields(shape) if f.init}
    if typing_extensions.is_typeddict(shape):
        return _typed_keys(shape)
    if hasattr(shape, "model_fields"):
        return {name: info.is_required() for name, info in shape.model_fields.items()}
    if hasattr(shape, "__struct_fields__"):
        return _struct_fields(shape)
    if _is_named_tuple(shape):
        return {name: name not in shape._field_defaults for name in shape._fields}
    return None


def _typed_keys(shape: Any) -> dict[str, bool]:
    """Gives the keys of a TypedDict; of annotations that are texts it does not know by itself which are required."""
    try:
        hints = typing_extensions.get_type_hints(shape, include_extras=True)
    except NameError:
        hints = shape.__annotations__
    known: dict[Any, bool] = {typing_extensions.Required: True, typing_extensions.NotRequired: False}
    return {
        name: known.get(typing_extensions.get_origin(hint), name in shape.__required_keys__)
        for name, hint in hints.items()
    }


def _struct_fields(shape: Any) -> dict[str, bool]:
    """Gives the fields of a msgspec Struct; the last ones have defaults, or NODEFAULT in their place."""
    names, defaults = shape.__struct_fields__, shape.__struct_defaults__
    plain = len(names) - len(defaults)
    return {name: place < plain or repr(defaults[place - plain]) == "NODEFAULT" for place, name in enumerate(names)}


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
        if name in names[:position]:
            raise QueryError(f"two columns of into({title}) have the name {name!r}", hint='label one: .label("name")')
    missing = [name for name, required in fields.items() if required and name not in names]
    if missing:
        raise QueryError(f"into({title}) lacks {', '.join(missing)}", hint="select them, or give them defaults")
