"""Constraints of `Annotated`: pydantic-core checks them, and is imported when the first value passes."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Annotated, Any, get_args, get_origin

from cormorant.errors import ModelError
from cormorant.models.annotations import ResolvedType
from cormorant.sql import types as t


def constraints_of(
    resolved: ResolvedType, type_: t.SqlType, options: Mapping[str, Any], place: str
) -> Constrained | None:
    """Gives what checks a column beyond its type and the plain options of `field()`; None where nothing does.

    Args:
        resolved: The annotation's meaning.
        type_: The column's type.
        options: What `field()` was given.
        place: What messages call the column.
    """
    found = [item for item in resolved.metadata if _is_constraint(item)]
    if isinstance(type_, t.Text):
        # the column's own length says it
        found = [item for item in found if type(item).__name__ != "MaxLen"]
    factor = options.get("multiple_of")
    needed = found or factor is not None or _has_constrained_items(resolved.python)
    return Constrained(resolved.python, found, factor, place) if needed else None


def _has_constrained_items(python: Any) -> bool:
    return get_origin(python) is list and any(map(_is_constraint, getattr(get_args(python)[0], "__metadata__", ())))


def _is_constraint(item: object) -> bool:
    if hasattr(type(item), "__get_pydantic_core_schema__"):
        return True
    # a description alone, as in Field(title=...), says nothing of values
    return type(item).__module__.startswith(("annotated_types", "pydantic")) and getattr(item, "metadata", True) != []


class Constrained:
    """Checks values of one column.

    Args:
        python: The column's Python type.
        items: The constraints.
        factor: What values must be a multiple of, if anything.
        place: What messages call the column.
    """

    __slots__ = ("_adapter", "_factor", "_items", "_place", "_python")

    def __init__(self, python: Any, items: list[Any], factor: Any, place: str) -> None:
        self._python = python
        self._items = items
        self._factor = factor
        self._place = place
        self._adapter: Any = None

    def problem(self, value: Any) -> str | None:
        """Gives what is wrong with a value of the right type, or None; what validators make of it does not count."""
        adapter = self._adapter
        if adapter is None:
            adapter = self._adapter = self._make()
        try:
            adapter.validate_python(value)
        except import_module("pydantic_core").ValidationError as error:
            return "; ".join(_said(each["msg"]) for each in error.errors(include_url=False, include_input=False))
        except TypeError as error:
            raise self._unfit(error) from error
        return None

    def _make(self) -> Any:
        pydantic: Any = import_module("pydantic")
        items = list(self._items)
        if self._factor is not None:
            items.append(import_module("annotated_types").MultipleOf(self._factor))
        constrained: Any = Annotated[(self._python, *items)] if items else self._python
        try:
            return pydantic.TypeAdapter(constrained, config=_config(self._python))
        except Exception as error:
            # whatever pydantic finds wrong with it, the declaration is
            raise self._unfit(error) from error

    def _unfit(self, error: Exception) -> ModelError:
        first = str(error).splitlines()[0]
        return ModelError(f"{self._place} has constraints that do not fit its type: {first}", hint="leave them out")


def _config(python: Any) -> dict[str, Any] | None:
    # classes with a configuration of their own refuse another
    if hasattr(python, "__pydantic_config__") or hasattr(python, "model_config") or _is_structure(python):
        return None
    return {"arbitrary_types_allowed": True, "regex_engine": "python-re"}


def _is_structure(python: Any) -> bool:
    return hasattr(python, "__dataclass_fields__") or hasattr(python, "__total__")


def _said(message: str) -> str:
    text = message.removeprefix("Value error, ").removeprefix("Assertion failed, ")
    return text[:1].lower() + text[1:]
