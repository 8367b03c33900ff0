"""A snapshot, or any of its parts, as JSON: what it would be anyway is left out."""

from __future__ import annotations

from dataclasses import MISSING, Field, fields
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from cormorant._internal.narrowing import is_dict, is_tuple
from cormorant.schema import snapshot as s


def snapshot_to_json(snapshot: s.SchemaSnapshot) -> dict[str, Any]:
    """Gives a snapshot as dictionaries, lists, texts, numbers and booleans, in a stable order."""
    return dict(_encode(snapshot))


def snapshot_from_json(document: dict[str, Any]) -> s.SchemaSnapshot:
    """Gives the snapshot that `snapshot_to_json` made a document of.

    Raises:
        TypeError: It has a part that no snapshot has.
    """
    found = _decode(document, s.SchemaSnapshot)
    assert isinstance(found, s.SchemaSnapshot)
    return found


def _encode(value: Any) -> Any:
    if isinstance(value, s.ByDialect):
        return dict(value.texts)
    if is_tuple(value):
        return [_encode(item) for item in value]
    if hasattr(value, "__dataclass_fields__"):
        pairs = ((part, getattr(value, part.name)) for part in fields(value))
        return {part.name: _encode(each) for part, each in pairs if each != _default(part)}
    return value


def _default(part: Field[Any]) -> Any:
    return part.default if part.default is not MISSING else MISSING


def _decode(value: Any, wanted: Any) -> Any:
    if value is None or wanted in (str, bool) or get_origin(wanted) is Literal:
        return value
    if get_origin(wanted) in (UnionType, Union):
        return _decode_one_of(value, get_args(wanted))
    if get_origin(wanted) is tuple:
        return tuple(_decode(item, get_args(wanted)[0]) for item in value)
    hints = get_type_hints(wanted)
    return wanted(**{name: _decode(each, hints.get(name, str)) for name, each in value.items()})


def _decode_one_of(value: Any, choices: tuple[Any, ...]) -> Any:
    if is_dict(value):
        if s.ByDialect in choices:
            return s.ByDialect(tuple(value.items()))
        choices = tuple(choice for choice in choices if hasattr(choice, "__dataclass_fields__"))
    return value if isinstance(value, (str, bool)) else _decode(value, choices[0])
