"""What a column is to pydantic: a type, with what the declaration says of its values."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping
from enum import Enum
from typing import Annotated, Any, Literal, Optional, cast, get_args

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, PlainSerializer, TypeAdapter, WithJsonSchema
from pydantic.errors import PydanticSchemaGenerationError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

from cormorant._internal.refusals import reason_of
from cormorant.errors import WrongType
from cormorant.models import annotations as ann
from cormorant.models.metadata import ColumnInfo, ModelInfo
from cormorant.models.validation import LIMITS
from cormorant.sql import types as t

# what pydantic takes as their values, they hold; documents are looked through when they are written, and not twice
_HOLD_ALL = (t.Json, t.Boolean, t.Binary, t.Date, t.Uuid, t.Enumeration, t.Literals, t.Custom, t.Native)


def shown_type(info: ModelInfo, name: str) -> Any:
    """Gives the type of a column's values as they are shown: nothing of it refuses what the database holds."""
    column = info.column_info(name)
    python, _ = _python_type(info, name)
    return _nullable(_of_type(column.type, python, taken=False), column)


def taken_type(info: ModelInfo, name: str) -> Any:
    """Gives the type of a column's values as they are taken, with every limit that the declaration has."""
    column = info.column_info(name)
    python, metadata = _python_type(info, name)
    inner = _with_choices(_of_type(column.type, python, taken=True), column.spec.options.get("choices"))
    limits = {} if isinstance(column.type, t.Array) else _limits(column)
    parts = (*metadata, *([Field(**limits)] if limits else []))
    if column.spec.annotation is None or _is_looked_at(column):
        # a reference is made of a key before anything is flushed, and would refuse what no column holds as a mistake
        parts = (*parts, that_fits(column.type))
    return _nullable(Annotated[(inner, *parts)] if parts else inner, column)


def _is_looked_at(column: ColumnInfo) -> bool:
    """Whether values are refused while they are read, which names their place, and has FastAPI tell them again."""
    return not (column.spec.sensitive or isinstance(column.type, (*_HOLD_ALL, t.Array)))


def key_type(info: ModelInfo, name: str) -> Any:
    """Gives the type of a part of a key as it is taken, with the limits of what holds it in another table."""
    type_, room = info.column_info(name).type, _room(info.column_info(name).type)
    return Annotated[(shown_type(info, name), *([Field(**room)] if room else []), that_fits(type_))]


def that_fits(type_: t.SqlType) -> AfterValidator:
    """Gives what refuses a value that no row can have, at its place in what was sent."""

    def check(value: Any) -> Any:
        try:
            type_.check(value)
        except WrongType as error:
            raise PydanticCustomError("value_error", "{reason}", {"reason": reason_of(error.message)}) from None
        return value

    return AfterValidator(check)


def described(info: ModelInfo, name: str) -> dict[str, Any]:
    """Gives what `Annotated[..., Field(title=..., description=...)]` says of a column to its readers."""
    _, metadata = _python_type(info, name)
    fields = [item for item in metadata if isinstance(item, FieldInfo)]
    words = ("title", "description", "examples", "deprecated")
    return {word: value for item in fields for word in words if (value := getattr(item, word)) is not None}


def _python_type(info: ModelInfo, name: str) -> tuple[Any, tuple[Any, ...]]:
    spec = info.fields[name]
    if spec.annotation is None:
        # the column holds another one's key
        relation = info.relation(spec.relation or "")
        return _python_type(relation.target, relation.remote[spec.position])[0], ()
    place, module, names = f"{info.name}.{name}", spec.declared_in, info.names(spec)
    resolved = ann.without_none(ann.argument_of(spec.annotation, names, place, module), names, place, module)
    return resolved.python, tuple(item for item in resolved.metadata if not isinstance(item, t.SqlType))


def _nullable(python: Any, column: ColumnInfo) -> Any:
    return Optional[python] if column.nullable else python  # noqa: UP045  # an operator would not take every form


def _of_type(type_: t.SqlType, python: Any, *, taken: bool) -> Any:
    if isinstance(type_, t.DateTime) and taken:
        return AwareDatetime
    if isinstance(type_, t.Binary):
        return _BYTES
    if isinstance(type_, t.Custom):
        return _custom(type_)
    if isinstance(type_, t.Array) and taken and not isinstance(type_.item, _HOLD_ALL):
        return cast("Any", list)[Annotated[get_args(python)[0], that_fits(type_.item)]]
    return python


def _with_choices(python: Any, choices: tuple[Any, ...] | None) -> Any:
    if not choices:
        return python
    if all(isinstance(choice, (str, int, Enum)) for choice in choices):
        return cast("Any", Literal)[choices]
    return Annotated[python, AfterValidator(lambda value: _one_of(value, choices))]


def _one_of(value: Any, choices: tuple[Any, ...]) -> Any:
    if value not in choices:
        raise ValueError(f"must be one of {choices}")
    return value


def _limits(column: ColumnInfo) -> dict[str, Any]:
    options: Mapping[str, Any] = column.spec.options
    found = {name: options[name] for name in (*LIMITS, "multiple_of") if options.get(name) is not None}
    found.pop("choices", None)
    return found | _room(column.type)


def _room(type_: t.SqlType) -> dict[str, Any]:
    if isinstance(type_, t.Text) and type_.length is not None:
        return {"max_length": type_.length}
    if isinstance(type_, t.Numeric) and type_.precision is not None:
        return {"max_digits": type_.precision, "decimal_places": type_.scale or 0}
    return {}


def _decoded(value: Any) -> Any:
    return b64decode(value, validate=True) if isinstance(value, str) else value


# JSON has no bytes; base64 keeps each of them
_BYTES: Any = Annotated[
    bytes,
    BeforeValidator(_decoded),
    PlainSerializer(lambda value: b64encode(value).decode(), return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "byte", "contentEncoding": "base64"}),
]


def _custom(type_: t.Custom) -> Any:
    """Gives the user's own class, by way of what the database sees where pydantic does not know it."""
    try:
        TypeAdapter(type_.python)
    except PydanticSchemaGenerationError:
        base: Any = next(iter(type_.base.accepts), str)
        inner = TypeAdapter(base)

        def read(value: Any) -> Any:
            return value if isinstance(value, type_.python) else type_.decode(inner.validate_python(value))

        schema = WithJsonSchema(inner.json_schema())
        return Annotated[Any, BeforeValidator(read), PlainSerializer(type_.encode), schema]
    return type_.python
