"""Column types as annotations and options of models."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from cormorant.schema import column_types as types
from cormorant.schema import snapshot as s


@dataclass(frozen=True, slots=True)
class Python:
    """How a model says a type.

    Args:
        annotation: The Python type.
        options: What `field()` is told besides.
        type: The same as a value of `cormorant.types`, for `generated()`, where options are needed.
    """

    annotation: str
    options: Mapping[str, str] = field(default_factory=dict[str, str])
    type: str | None = None


def literal(text: str) -> str:
    """Gives a text as Python code, in double quotes unless single ones would spare escapes."""
    quote = "'" if text.count('"') > text.count("'") else '"'
    said = "".join(each if each in "'\"" else repr(each)[1:-1] for each in text)
    return f"{quote}{said.replace(quote, chr(92) + quote)}{quote}"


_PLAIN = {
    "double precision": "float",
    "boolean": "bool",
    "text": "str",
    "bytea": "bytes",
    "date": "date",
    "time": "time",
    "timestamptz": "datetime",
    "interval": "timedelta",
    "uuid": "UUID",
    "jsonb": "Any",
    "numeric": "Decimal",
}
_NATIVE = {
    "real": "float",
    "char": "str",
    "varchar": "str",
    "citext": "str",
    "timestamp": "datetime",
    "timetz": "time",
    "numeric": "Decimal",
}
_SIZES = {"smallint": "small", "integer": "normal", "bigint": "big"}
_SQLITE = {"INTEGER": "int", "REAL": "float", "BOOLEAN": "bool", "TEXT": "str", "BLOB": "bytes"}
_SQLITE_WORDS = (
    (re.compile(r"^(DATETIME|TIMESTAMP)"), "datetime"),
    (re.compile(r"^DATE"), "date"),
    (re.compile(r"^TIME"), "time"),
    (re.compile(r"^UUID"), "UUID"),
    (re.compile(r"^JSON"), "Any"),
)


def python_type(column: s.Column, enums: Mapping[str, str], dialect: str) -> Python:
    """Gives how a model declares a column's type.

    Args:
        column: The column.
        enums: The classes of enum types, by their names in the database.
        dialect: The database's.
    """
    if dialect == "sqlite":
        return _of_sqlite(column.type)
    enum = types.enum_of(column.type)
    if enum is not None and enum in enums:
        made = f"types.Enumeration({enums[enum]}, {literal(enum)})"
        if column.type.endswith("[]"):
            return Python(f"list[{enums[enum]}]", {"native": literal(enum)}, f"types.Array({made})")
        return Python(enums[enum], {"native": literal(enum)}, made)
    if column.type.endswith("[]"):
        item = _of_postgresql(column.type.removesuffix("[]"))
        plain = item.annotation != "Any" and (item.type is None or item.annotation == "int")
        whole = None if item.type is None else f"types.Array({item.type})"
        return Python(f"list[{item.annotation}]", item.options, whole) if plain else native(column.type, "list[Any]")
    return _of_postgresql(types.plain(column.type))


def native(type_: str, annotation: str) -> Python:
    """Gives a type that only the database has a word for."""
    said = f"types.Native({literal(type_)})"
    return Python(annotation, {"type": said}, said)


def _of_postgresql(type_: str) -> Python:
    if type_ in _SIZES:
        size = _SIZES[type_]
        return Python("int", {} if size == "normal" else {"size": literal(size)}, f"types.Integer({literal(size)})")
    if type_ in _PLAIN:
        return Python(_PLAIN[type_])
    match = re.fullmatch(r"varchar\((\d+)\)", type_)
    if match is not None:
        return Python("str", {"max_length": match[1]}, f"types.Text({match[1]})")
    match = re.fullmatch(r"numeric\((\d+), (\d+)\)", type_)
    if match is not None:
        options = {"precision": match[1], "decimal_places": match[2]}
        return Python("Decimal", options, f"types.Numeric({match[1]}, {match[2]})")
    return native(type_, _NATIVE.get(types.base(type_), "Any"))


def _of_sqlite(type_: str) -> Python:
    if (match := re.search(r"CHAR\w*\s*\((\d+)\)", type_)) is not None:
        return Python("str", {"max_length": match[1]}, f"types.Text({match[1]})")
    for pattern, annotation in _SQLITE_WORDS:
        if pattern.search(type_):
            return Python(annotation)
    kept = types.kept_on_sqlite(type_)
    return Python(_SQLITE[kept]) if kept in _SQLITE else native(type_, "Any")


_CONSTANT = re.compile(r"\(?(?P<value>'(?:[^']|'')*'|-?\d+(?:\.\d+)?|true|false)\)?(?:::[\w\". ]+(?:\([\d, ]+\))?)?")


def constant(column: s.Column, python: Python, enums: Mapping[str, Mapping[str, str]]) -> str | None:
    """Gives the Python value of a default that is the same for every row; None for others.

    Args:
        column: The column.
        python: How the model says its type.
        enums: For each class of an enum, its members by label.
    """
    default = column.default if isinstance(column.default, str) else ""
    match = _CONSTANT.fullmatch(default)
    if match is None:
        return None
    value = match["value"]
    text = value[1:-1].replace("''", "'") if value.startswith("'") else None
    if python.annotation in enums:
        member = enums[python.annotation].get(text or "")
        return None if member is None else f"{python.annotation}.{member}"
    return _literal(python.annotation, value, text)


def _literal(annotation: str, value: str, text: str | None) -> str | None:
    if annotation == "str":
        return None if text is None else literal(text)
    bare = value if text is None else text
    if annotation == "bool":
        return {"true": "True", "false": "False", "1": "True", "0": "False"}.get(bare)
    if annotation == "int":
        return bare if re.fullmatch(r"-?\d+", bare) else None
    if not re.fullmatch(r"-?\d+(\.\d+)?", bare):
        return None
    return {"float": bare, "Decimal": f"Decimal({literal(bare)})"}.get(annotation)


def for_generated(python: Python) -> Python:
    """Gives the type as `generated()` is told it, which knows few options."""
    if python.type is None or set(python.options) <= {"size"}:
        return python
    return replace(python, options={"type": python.type})
