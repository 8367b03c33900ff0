"""Cursors: the order values of a row as a signed text, for the page that begins there."""

from __future__ import annotations

import datetime as dt
import decimal
import hmac
import json
import os
import uuid
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, TypeAlias

from cormorant._internal.lru import LRU
from cormorant._internal.narrowing import is_list
from cormorant.errors import ConfigurationError, QueryError, WrongCursor
from cormorant.sql import types as t
from cormorant.sql.selects import Select

SIGNATURE_BYTES = 12

ORDERS = 500
"""How many orders are remembered."""

_AGAIN = "begin again with the first page: .page(size)"

Pair: TypeAlias = "tuple[str, Callable[[Any], str], Callable[[str], Any]]"

# what JSON does not tell by itself: a letter, and the way there and back; a datetime is a date to isinstance
_TAGGED: dict[type, Pair] = {
    float: ("f", repr, float),
    decimal.Decimal: ("d", str, decimal.Decimal),
    dt.datetime: ("m", dt.datetime.isoformat, dt.datetime.fromisoformat),
    dt.date: ("y", dt.date.isoformat, dt.date.fromisoformat),
    dt.time: ("h", dt.time.isoformat, dt.time.fromisoformat),
    dt.timedelta: (
        "l",
        lambda length: f"{length.days},{length.seconds},{length.microseconds}",
        lambda text: dt.timedelta(*map(int, text.split(","))),
    ),
    uuid.UUID: ("u", str, uuid.UUID),
    bytes: ("b", bytes.hex, bytes.fromhex),
}
_READERS = {letter: read for letter, _, read in _TAGGED.values()}


@dataclass(frozen=True, slots=True)
class Place:
    """A place in an order.

    Args:
        values: The order values of a row.
        inclusive: The page begins with this row, rather than behind it.
    """

    values: tuple[Any, ...]
    inclusive: bool = False


class Cursors:
    """Writes cursors, and reads those it wrote.

    Args:
        key: The secret they are signed with.
        compile: Gives the SQL of a statement.
    """

    __slots__ = ("_compile", "_key", "_texts")

    def __init__(self, key: bytes, compile: Callable[[Select], str]) -> None:
        self._key = blake2b(key, digest_size=32).digest()
        self._compile = compile
        self._texts: LRU[Any, str] = LRU(ORDERS)

    def order_of(self, select: Select) -> str:
        """Gives what tells an order from others, in whatever process: a digest of what is selected, and its values.

        Args:
            select: A statement that selects the order's expressions.
        """
        key = select.key
        text = self._texts.get(key) or self._texts.put(key, self._compile(select))
        values = [_told_apart(bind.value, bind.type) for bind in select.binds]
        return blake2b(f"{text}\0{json.dumps(values)}".encode(), digest_size=6).hexdigest()

    def write(self, order: str, types: Sequence[t.SqlType], place: Place) -> str:
        """Gives a cursor.

        Args:
            order: Tells the order from others.
            types: The types of the order's expressions.
            place: The place it leads to.
        """
        values = [to_plain(value, type_) for value, type_ in zip(place.values, types, strict=True)]
        text = json.dumps([order, int(place.inclusive), *values], separators=(",", ":")).encode()
        return _written(self._signature(text) + text)

    def read(self, order: str, types: Sequence[t.SqlType], cursor: object) -> Place:
        """Gives the place that a cursor leads to.

        Raises:
            WrongCursor: It was not written here, or for another order.
        """
        found, inclusive, *values = self._checked(cursor)
        if found != order or len(values) != len(types):
            raise WrongCursor("the cursor is one of another query, or of another order", hint=_AGAIN)
        try:
            whole = tuple(from_plain(value, type_) for value, type_ in zip(values, types, strict=True))
        except (ValueError, LookupError, TypeError, ArithmeticError, QueryError):
            raise WrongCursor("the cursor holds values of another kind than the query's order", hint=_AGAIN) from None
        return Place(whole, bool(inclusive))

    def _checked(self, cursor: object) -> list[Any]:
        if not isinstance(cursor, str):
            raise WrongCursor(
                f"a cursor is a str, not {type(cursor).__name__}", hint="pass page.next or page.previous as it is"
            )
        try:
            raw = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
        except ValueError:
            raw = b""
        if _written(raw) != cursor:
            # other texts are read as the same bytes
            raw = b""
        signature, text = raw[:SIGNATURE_BYTES], raw[SIGNATURE_BYTES:]
        if not hmac.compare_digest(signature, self._signature(text)):
            raise WrongCursor("the cursor was changed, cut or signed with another key", hint=_AGAIN)
        found: object = json.loads(text)
        return found if is_list(found) else []

    def _signature(self, text: bytes) -> bytes:
        return blake2b(text, key=self._key, digest_size=SIGNATURE_BYTES).digest()


def _written(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def _told_apart(value: Any, type_: t.SqlType) -> Any:
    """Gives what tells a value of an order's expression from others: lists and documents among them."""
    try:
        return to_plain(value, type_)
    except QueryError:
        return repr(value)


def to_plain(value: Any, type_: t.SqlType) -> Any:
    """Gives a value in a form that JSON keeps.

    Raises:
        QueryError: There is none.
    """
    if value is None:
        return None
    if isinstance(type_, t.Custom):
        return to_plain(type_.encode(value), type_.base)
    if isinstance(type_, t.Enumeration):
        return _kept(value, type_)
    if isinstance(value, (bool, int, str)):
        return value
    for cls, (letter, write, _) in _TAGGED.items():
        if isinstance(value, cls):
            return [letter, write(value)]
    raise QueryError(
        f"a cursor cannot hold a {type(value).__name__}", hint="order the pages by numbers, texts or moments"
    )


def from_plain(plain: Any, type_: t.SqlType) -> Any:
    """Gives the value that `to_plain` made this of.

    Raises:
        QueryError: It is of another type; so do ValueError, LookupError, TypeError and ArithmeticError.
    """
    if plain is None:
        return None
    if isinstance(type_, t.Custom):
        value = type_.decode(from_plain(plain, type_.base))
    elif isinstance(type_, t.Enumeration):
        value = _member(plain, type_)
    elif is_list(plain):
        letter, text = plain
        value = _READERS[letter](text)
    else:
        value = plain
    type_.check(value)
    return value


def _kept(member: Any, type_: t.Enumeration) -> int | str:
    return int(member.value) if type_.integers else str(member.value)


def _member(kept: Any, type_: t.Enumeration) -> Any:
    named = next((member for member in type_.python if _kept(member, type_) == kept), None)
    # flags can be combined
    return type_.python(kept) if named is None else named


def cursor_secret(given: object, own: str) -> bytes:
    """Gives the secret that signs cursors: the given one, the environment's CORMORANT_CURSOR_KEY, or a database's own.

    Raises:
        ConfigurationError: It is no secret.
    """
    key = (os.environ.get("CORMORANT_CURSOR_KEY") or own) if given is None else given
    if not isinstance(key, (str, bytes)) or not key:
        raise ConfigurationError("cursor_key is no secret", hint="give a text or bytes: secrets.token_hex()")
    return key.encode() if isinstance(key, str) else key
