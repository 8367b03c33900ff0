"""Column types as text, in PostgreSQL's words; what SQLite makes of them.

Words in lower case, or in quotes, are PostgreSQL's: "varchar(100)", "timestamptz", "mood". Words in upper case are
SQLite's own, as its CREATE TABLE has them.
"""

from __future__ import annotations

import re

from cormorant.dialects.base import Dialect

_ALIASES = {
    "character varying": "varchar",
    "character": "char",
    "timestamp with time zone": "timestamptz",
    "timestamp without time zone": "timestamp",
    "time without time zone": "time",
    "time with time zone": "timetz",
    "decimal": "numeric",
    "int": "integer",
    "int2": "smallint",
    "int4": "integer",
    "int8": "bigint",
    "bool": "boolean",
    "float8": "double precision",
    "float4": "real",
}
_NAME = r'"(?:[^"]|"")+"'
_PARTS = re.compile(rf"(?P<base>(?:{_NAME}\.)?{_NAME}|[^(\[]+)(?P<size>\([^)]*\))?(?P<rest>[^\[]*)(?P<list>(?:\[\])*)")
_SIZE = re.compile(r"\(\s*(\d+)\s*(?:,\s*(-?\d+)\s*)?\)")

# in the order in which they are asked
_FAMILIES = (
    (re.compile(r"INT"), "INTEGER"),
    (re.compile(r"CHAR|CLOB|TEXT|^DATE|^TIME|^UUID$|^JSON"), "TEXT"),
    (re.compile(r"^BOOL"), "BOOLEAN"),
    (re.compile(r"REAL|FLOA|DOUB"), "REAL"),
    (re.compile(r"^BLOB|^$"), "BLOB"),
    (re.compile(r"^NUMERIC|^DECIMAL"), "NUMERIC"),
)
_SQLITE = {
    "smallint": "INTEGER",
    "integer": "INTEGER",
    "bigint": "INTEGER",
    "interval": "INTEGER",
    "double precision": "REAL",
    "real": "REAL",
    "boolean": "BOOLEAN",
    "bytea": "BLOB",
}
_WHOLE = ("smallint", "integer", "bigint")
_TEXTS = frozenset({"text", "varchar"})


def plain(type_: str) -> str:
    """Gives a type in one of its spellings: "character varying(10)" is "varchar(10)"."""
    match = _PARTS.fullmatch(type_.strip())
    if match is None or type_ == type_.upper():
        return type_
    base, rest = match["base"].strip(), match["rest"].strip()
    if not base.startswith('"'):
        base = _ALIASES.get(f"{base} {rest}".strip(), base if rest == "" else f"{base} {rest}")
    size = re.sub(r",\s*", ", ", match["size"] or "")
    return f"{base}{size}{match['list']}"


def base(type_: str) -> str:
    """Gives a type without its length or precision: "varchar(10)[]" is "varchar[]"."""
    return re.sub(r"\([^)]*\)", "", plain(type_))


def enum_of(type_: str) -> str | None:
    """Gives the name of the enum type that a column, or each item of its lists, is of; None for other types."""
    name = base(type_).removesuffix("[]")
    return name.rpartition(".")[2][1:-1].replace('""', '"') if name.endswith('"') else None


def enum_type(name: str) -> str:
    """Gives the type of columns that hold an enum's values; `name` may be in quotes, in a schema, or of lists."""
    bare = name.removesuffix("[]")
    parts = (part if part.startswith('"') else f'"{part}"' for part in bare.split("."))
    return ".".join(parts) + name[len(bare) :]


def sql(dialect: Dialect, type_: str) -> str:
    """Gives a type as this database says it."""
    return type_ if dialect.supports_add_constraint else on_sqlite(type_)


def on_sqlite(type_: str) -> str:
    """Gives what SQLite keeps values of a type as."""
    if type_ == type_.upper():
        return type_
    return "TEXT" if type_.endswith("[]") else _SQLITE.get(base(type_), "TEXT")


def kept_on_sqlite(type_: str) -> str:
    """Gives the kind of column that SQLite sees in a declared type; columns of one kind keep the same values."""
    said = on_sqlite(type_)
    return next((kind for pattern, kind in _FAMILIES if pattern.search(said)), said)


def related(one: str, other: str) -> bool:
    """Whether a column may pass from one type to the other with what is declared over it left as it is."""
    one, other = base(one), base(other)
    return one == other or any({one, other} <= family for family in (frozenset(_WHOLE), _TEXTS))


def size_of(type_: str) -> tuple[int, int] | None:
    """Gives the numbers in a type's parentheses, the second 0 if it has one; None if it has none."""
    found = _SIZE.search(type_)
    return None if found is None else (int(found[1]), int(found[2] or 0))


def is_narrower(before: str, after: str) -> bool:
    """Whether some values of one type do not fit the other, of the same kind."""
    before, after = plain(before), plain(after)
    one, other = base(before), base(after)
    if one in _WHOLE and other in _WHOLE:
        return _WHOLE.index(one) > _WHOLE.index(other)
    first, second = size_of(before), size_of(after)
    if second is None:
        return False
    if first is None:
        return True
    return second[0] - second[1] < first[0] - first[1] or second[1] < first[1]
