"""JSON documents in queries: paths into them, the keys they have, changes inside of them."""

from __future__ import annotations

from typing import Any, TypeAlias

from cormorant._internal.narrowing import is_iterable
from cormorant._internal.secrets import about
from cormorant.errors import WrongType, reworded
from cormorant.sql import types as t
from cormorant.sql.expr import OPERATORS, Binary, Bind, Binds, Expr, Key, gather, is_expr
from cormorant.sql.json_values import ANYTHING, ARRAY, JSON, NEW_JSON, OBJECT, Reading, check_document_text, reading_of
from cormorant.sql.nodes import Null

Parts: TypeAlias = "tuple[str | int, ...]"

_VALUES = (t.Json, t.Text, t.Integer, t.Float, t.Numeric, t.Boolean)
_SHOWN = 40


class JsonPath(Expr[Any]):
    """A value inside a document; NULL where there is none of the kind, or JSON's null.

    Args:
        root: The document.
        parts: Keys of objects and places in lists, the last place being -1.
        reading: What the value is read as.
    """

    __slots__ = ("parts", "reading", "root")

    def __init__(self, root: Expr[Any], parts: Parts, reading: Reading) -> None:
        self.root: Expr[Any] = root
        self.parts: Bind = Bind(parts, reading.path_type)
        self.reading: Reading = reading
        self.type: t.SqlType = reading.type
        self.key: Key = ("path", root.key, self.parts.key)
        self.binds: Binds = (*root.binds, self.parts)

    @property
    def children(self) -> tuple[Expr[Any], ...]:
        return (self.root, self.parts)

    @property
    def nullable(self) -> bool:
        return True

    def __repr__(self) -> str:
        return f"{self.root!r}.path({', '.join(repr(part)[:_SHOWN] for part in self.parts.value)})"


class HasKeys(Binary):
    """Whether a document has a key (?), any of several (?|), or all of them (?&)."""

    __slots__ = ()


class JsonContains(Binary):
    """Whether the left document contains the right one."""

    __slots__ = ()


class ToJson(Expr[Any]):
    """A value of the database as a JSON value; NULL as JSON's null."""

    __slots__ = ("part",)
    type: t.SqlType = JSON

    def __init__(self, part: Expr[Any]) -> None:
        self.part: Expr[Any] = part
        self.key: Key = ("to json", part.type.key, part.key)
        self.binds: Binds = part.binds

    @property
    def children(self) -> tuple[Expr[Any], ...]:
        return (self.part,)

    @property
    def nullable(self) -> bool:
        return False


class JsonPut(Expr[Any]):
    """A document with a value put in, or taken out, at a path; as it was where the path leads nowhere.

    Args:
        root: The document.
        parts: Keys and places, at least one.
        value: The new value; None takes out what is there.
    """

    __slots__ = ("holder", "parts", "root", "value")

    def __init__(self, root: Expr[Any], parts: Parts, value: Expr[Any] | None) -> None:
        self.root: Expr[Any] = root
        self.value: Expr[Any] | None = value
        # a key fits an object and a place a list: anything else in between is left alone
        self.holder: JsonPath = JsonPath(root, parts[:-1], OBJECT if isinstance(parts[-1], str) else ARRAY)
        self.parts: Bind = Bind([str(part) for part in parts], t.Array(t.TEXT))
        self.type: t.SqlType = root.type
        self.key: Key = ("put", self.holder.key, None if value is None else value.key)
        self.binds: Binds = gather(self.children)

    @property
    def children(self) -> tuple[Expr[Any], ...]:
        return (self.holder, self.parts, *(() if self.value is None else (self.value,)))

    @property
    def nullable(self) -> bool:
        return self.root.nullable


# ------------------------------------------------------------------ checking what is given


def check_document(side: Expr[Any]) -> None:
    """Refuses an expression that is no document.

    Raises:
        WrongType: Naming it and its type.
    """
    if isinstance(t.base_of(side.type), t.Array):
        raise WrongType(f"{side!r} is a list of its own, not a JSON document", hint="use [0], contains() and length()")
    if not isinstance(t.base_of(side.type), (t.Json, t.Unknown)):
        raise WrongType(
            f"{side!r} is {side.type.name}, not a JSON document", hint="use a column such as Mapped[dict[str, Any]]"
        )


def document_operand(side: Expr[Any], value: Any) -> Expr[Any]:
    """Gives what a document is compared with: an expression, a plain JSON value, or one of the column's own class.

    Raises:
        WrongType: It is none of these.
    """
    if is_expr(value):
        check_document(value)
        return value
    if value is None:
        raise WrongType(f"{side!r} is compared with None", hint="ask for a value inside: .path(...).is_null()")
    plain = isinstance(value, (dict, list, str, int, float))
    return _bind(side, value, JSON if plain else side.type)


def _bind(side: Expr[Any], value: Any, type_: t.SqlType) -> Bind:
    try:
        type_.check(value)
    except WrongType as error:
        raise reworded(error, about(f"{side!r}", error.message), hint=error.hint) from None
    return Bind(value, type_)


def _checked(side: Expr[Any], parts: tuple[Any, ...]) -> Parts:
    for part in parts:
        if isinstance(part, str):
            check_document_text(part)
        elif not isinstance(part, int) or isinstance(part, bool):
            raise WrongType(
                f"{side!r}.path() got {part!r} ({type(part).__name__})",
                hint='give keys and places one by one: path("items", 0, "name")',
            )
    return parts


def _keys(side: Expr[Any], keys: object) -> list[str]:
    if isinstance(keys, (str, bytes)) or not is_iterable(keys):
        raise WrongType(f"{side!r} is asked for the keys {keys!r}", hint='put them in a list: ["a", "b"]')
    return [_one_key(side, key) for key in keys]


def _one_key(side: Expr[Any], key: object) -> str:
    if not isinstance(key, str):
        raise WrongType(f"{side!r} is asked for the key {key!r} ({type(key).__name__})", hint="keys are texts")
    check_document_text(key)
    return key


# ------------------------------------------------------------------ what Expr's operators make


def path(root: Expr[Any], parts: tuple[Any, ...], returns: object = None) -> JsonPath:
    """Gives the value at a path; a path that goes on from another is one path."""
    return at_path(root, parts, reading_of(returns))


def at_path(root: Expr[Any], parts: tuple[Any, ...], reading: Reading) -> JsonPath:
    """Gives the value at a path, read in a certain way."""
    check_document(root)
    checked = _checked(root, parts)
    if isinstance(root, JsonPath) and root.reading is ANYTHING:
        return JsonPath(root.root, (*root.parts.value, *checked), reading)
    return JsonPath(root, checked, reading)


def json_contains(part: Expr[Any], value: Any) -> Expr[bool]:
    """Gives the condition that a document contains another."""
    return JsonContains("@>", part, document_operand(part, value), t.BOOLEAN)


def json_contained_by(part: Expr[Any], value: Any) -> Expr[bool]:
    """Gives the condition that a document is contained in another."""
    return JsonContains("<@", part, document_operand(part, value), t.BOOLEAN)


def _has_key(part: Expr[Any], key: Any) -> Expr[bool]:
    check_document(part)
    return HasKeys("?", part, Bind(_one_key(part, key), t.TEXT), t.BOOLEAN)


def _has_any(part: Expr[Any], keys: Any) -> Expr[bool]:
    check_document(part)
    return HasKeys("?|", part, Bind(_keys(part, keys), t.Array(t.TEXT)), t.BOOLEAN)


def _has_all(part: Expr[Any], keys: Any) -> Expr[bool]:
    check_document(part)
    return HasKeys("?&", part, Bind(_keys(part, keys), t.Array(t.TEXT)), t.BOOLEAN)


def _put(root: Expr[Any], parts: tuple[Any, ...], value: Any) -> Expr[Any]:
    check_document(root)
    return JsonPut(root, _place(root, parts), _new_value(root, value))


def _without(root: Expr[Any], parts: tuple[Any, ...]) -> Expr[Any]:
    check_document(root)
    return JsonPut(root, _place(root, parts), None)


def _place(root: Expr[Any], parts: tuple[Any, ...]) -> Parts:
    if not parts:
        raise WrongType(f"{root!r}: no path says where", hint='name keys and places: "address", "city"')
    for part in _checked(root, parts):
        if isinstance(part, int):
            t.INTEGER.check(part)
    return parts


def _new_value(root: Expr[Any], value: Any) -> Expr[Any]:
    if value is None:
        return ToJson(Null())
    if not is_expr(value):
        return _bind(root, value, NEW_JSON)
    if not isinstance(value.type, _VALUES):
        raise WrongType(f"{value!r} is {value.type.name}, which is no JSON value", hint="put in text, numbers or bool")
    return ToJson(value)


OPERATORS.update(
    {
        "path": path,
        "has key": _has_key,
        "has any key": _has_any,
        "has all keys": _has_all,
        "put": _put,
        "without": _without,
    }
)
