"""JSON documents: plain ones by the standard library, typed ones by pydantic."""

from __future__ import annotations

import json
import re
import types
import typing
from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any, NoReturn

import typing_extensions

from cormorant._internal.json_text import load_json
from cormorant._internal.refusals import Refusal
from cormorant.errors import DataError, ModelError, ValueOutOfRange, WrongType
from cormorant.models.rereadable import has_keys, has_limits, key_problem
from cormorant.sql.types import Json

# the escape of the character, and no text of a backslash and what follows it
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
_SURROGATE = re.compile("[\ud800-\udfff]")
# what a key may have become that was no text; most documents have none, and are not looked through
_MADE_TEXT = re.compile(r'"(?:[-+.\deE]+|true|false|null)":')

# PostgreSQL keeps no order of keys either; texts of equal documents are equal
_encode = json.JSONEncoder(allow_nan=False, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode


def _writer() -> Callable[[Any, int], Iterable[str]] | None:
    """Gives what writes as `_encode` does, and is made once: that makes it anew for each document, at twice the cost.

    It keeps no list of what it is inside of: a document within itself ends by its depth. None where Python has none.
    """
    make: Any = getattr(json.encoder, "c_make_encoder", None)
    quote: Any = getattr(json.encoder, "encode_basestring", None)
    if make is None or quote is None:
        return None
    write: Callable[[Any, int], Iterable[str]] = make(None, _refuse, quote, None, ":", ",", True, False, False)
    return write


def _refuse(value: Any) -> NoReturn:
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


_write = _writer()

_PLAIN = frozenset({typing.Any, dict, list, str, int, bool, type(None)})


def json_type(python: Any, name: str) -> Json:
    """Gives the JSON type of plain documents, or of a type that pydantic can validate.

    Args:
        python: The Python type.
        name: What messages call it.
    """
    if is_plain(python):
        shape: Any = typing.get_origin(python) or python
        return Json(name, dump_json, load_json, None if shape is typing.Any else shape)
    adapter = LazyAdapter(python, name)
    origin: Any = typing.get_origin(python) or python
    checked = isinstance(origin, type) and not typing_extensions.is_typeddict(origin)
    return Json(name, adapter.dump, adapter.load, origin if checked else None)


def is_plain(python: Any) -> bool:
    """Whether JSON gives back just what it was given: floats are not, they may come back as whole numbers."""
    origin, arguments = typing.get_origin(python), typing.get_args(python)
    if origin is dict:
        return arguments[0] is str and is_plain(arguments[1])
    if origin in (list, typing.Union, types.UnionType):
        return all(map(is_plain, arguments))
    return origin is None and python in _PLAIN


def dump_json(value: Any) -> str:
    """Gives a plain document's JSON text.

    Raises:
        WrongType: Something in it is no JSON; NaN and infinity are not either, and PostgreSQL refuses them.
    """
    try:
        text = _encode(value) if _write is None else _written(_write, value)
    except (TypeError, ValueError, RecursionError) as error:
        what = f"a {type(value).__name__} is no JSON document"
        raise WrongType(
            Refusal(f"{what}: {error}", what),
            hint="give the column the document's own type: Mapped[MyModel], Mapped[dict[str, date]]",
        ) from error
    if _MADE_TEXT.search(text) and (place := _other_key(value)):
        what = f"a {type(value).__name__} is no JSON document"
        raise WrongType(
            Refusal(f"{what}: the key at {place} is no text, and would come back as one", what),
            hint='use text, {"1": ...}, or give the column a type with its keys: Mapped[dict[int, str]]',
        )
    return _kept(text)


def _written(write: Callable[[Any, int], Iterable[str]], value: Any) -> str:
    try:
        return "".join(write(value, 0))
    except (TypeError, ValueError, RecursionError):
        # in its own words, which say what is wrong and where
        return _encode(value)


def _other_key(value: Any) -> str:
    """Gives the place of a key that is no text, nothing if there is none; Python's writer makes it one silently."""
    found: list[tuple[str, Any]] = [("", value)]
    for place, inner in found:
        entries: Any = inner
        if isinstance(inner, (list, tuple)):
            found += [(f"{place}[{number}]", item) for number, item in enumerate(entries)]
        elif isinstance(inner, dict):
            for key, item in entries.items():
                if not isinstance(key, str):
                    return f"{place}[{key!r}]"
                found.append((f"{place}[{key!r}]", item))
    return ""


def _kept(text: str) -> str:
    """Refuses a JSON text that PostgreSQL cannot keep, on every database."""
    if ("\\u0000" in text and _NUL.search(text)) or (not text.isascii() and _SURROGATE.search(text)):
        raise ValueOutOfRange(
            Refusal("a document with NUL or a lone surrogate in its texts cannot be kept"), hint="remove it"
        )
    return text


class LazyAdapter:
    """A pydantic TypeAdapter made when the first value passes, because importing pydantic takes long.

    Args:
        python: The type of its values.
        name: What messages call it.
    """

    def __init__(self, python: Any, name: str) -> None:
        self._python = python
        self._name = name
        self._adapter: Any = None
        self._keyed: Any = None
        self._limited = False

    def _ready(self) -> Any:
        if self._adapter is None:
            pydantic: Any = import_module("pydantic")
            try:
                adapter = pydantic.TypeAdapter(self._python)
            except pydantic.PydanticUserError as error:
                raise ModelError(f"{self._name} cannot be kept as JSON: {error}") from error
            schema = adapter.core_schema
            self._keyed, self._limited = schema if has_keys(schema) else None, has_limits(schema)
            # last: other threads go by it
            self._adapter = adapter
        return self._adapter

    def dump(self, value: Any) -> str:
        """Gives a value's JSON text.

        Raises:
            WrongType: The value, or something in it, is not of the type.
        """
        adapter = self._ready()
        try:
            text: bytes = adapter.dump_json(value, warnings="error", by_alias=True, round_trip=True)
            if self._limited:
                # objects may be made, and changed, without being validated
                adapter.validate_json(text)
        except (ValueError, RecursionError) as error:
            what = f"a {type(value).__name__} cannot be kept as {self._name}"
            raise WrongType(Refusal(f"{what}: {error}", what)) from error
        if self._keyed is not None and (problem := key_problem(self._keyed, value)) is not None:
            what = f"a {type(value).__name__} cannot be kept as {self._name}"
            raise WrongType(Refusal(f"{what}: {problem}", what))
        return _kept(text.decode())

    def load(self, text: str | bytes) -> Any:
        """Gives the value of a JSON text.

        Raises:
            DataError: The database holds a document that is not of the type.
        """
        try:
            return self._ready().validate_json(text)
        except ValueError as error:
            raise DataError(
                f"the database holds a document that is no {self._name}: {error}",
                hint="give new fields a default, or migrate the rows",
            ) from error
