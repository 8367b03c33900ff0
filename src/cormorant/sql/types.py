"""The column types as frozen values; they know Python values and nothing of drivers."""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, TypeAlias

from cormorant._internal.narrowing import is_list
from cormorant._internal.refusals import Refusal
from cormorant.errors import ValueOutOfRange, WrongType

IntegerSize: TypeAlias = Literal["small", "normal", "big"]

_SURROGATE = re.compile("[\ud800-\udfff]")
_LONGEST = dt.timedelta(microseconds=(1 << 63) - 1)
_FIRST_AND_LAST_YEAR = (dt.MINYEAR, dt.MAXYEAR)

_INTEGER_BITS: dict[IntegerSize, int] = {"small": 16, "normal": 32, "big": 64}
_INTEGER_BOUNDS: dict[IntegerSize, tuple[int, int]] = {
    size: (-(1 << bits - 1), (1 << bits - 1) - 1) for size, bits in _INTEGER_BITS.items()
}
_INTEGER_KEYS: dict[IntegerSize, str] = {size: f"integer:{size}" for size in _INTEGER_BITS}


@dataclass(frozen=True, slots=True)
class SqlType:
    """A column type.

    `key` names the type in plan cache keys; `accepts` are the Python classes a value may have, looked up by exact
    class first because that is what nearly every value has.
    """

    name: ClassVar[str] = "unknown"
    accepts: ClassVar[tuple[type[Any], ...]] = (object,)
    mutable: ClassVar[bool] = False

    @property
    def key(self) -> str:
        """The type in a plan cache key: types of equal key compile to equal SQL."""
        return self.name

    def check(self, value: Any) -> None:
        """Refuses a value this type cannot hold.

        Raises:
            WrongType: Naming the value's class and the accepted ones.
        """
        if value is not None and not isinstance(value, self.accepts):
            expected = " or ".join(cls.__name__ for cls in self.accepts)
            raise WrongType(Refusal.of(_describe(value), f"is not {_article(expected)} {expected}"))

    def check_stored(self, value: Any) -> None:
        """Refuses a value that a column of this type cannot keep; it may still be compared with one.

        Raises:
            WrongType: Saying why.
        """
        self.check(value)


@dataclass(frozen=True, slots=True)
class Unknown(SqlType):
    """A value whose column is not known, as in raw SQL; passed as it is."""


@dataclass(frozen=True, slots=True)
class Integer(SqlType):
    """16, 32 or 64 bits, signed."""

    name = "integer"
    accepts: ClassVar[tuple[type[Any], ...]] = (int,)
    size: IntegerSize = "normal"
    computed: bool = False
    """It comes out of a computation, which a database without types may have gone on with in floats."""

    @property
    def key(self) -> str:
        # every number in a query asks
        return _INTEGER_KEYS[self.size]

    @property
    def bounds(self) -> tuple[int, int]:
        """The smallest and the largest number."""
        return _INTEGER_BOUNDS[self.size]

    def check(self, value: Any) -> None:
        if value is None:
            return
        # bool is an int to Python, yet it is never what a number column means
        if type(value) is not int and (not isinstance(value, int) or isinstance(value, bool)):
            raise WrongType(Refusal.of(_describe(value), "is not an int"))
        low, high = _INTEGER_BOUNDS[self.size]
        if not low <= value <= high:
            bits = _INTEGER_BITS[self.size]
            larger = None if self.size == "big" else 'declare the column with field(size="big")'
            raise ValueOutOfRange(Refusal.of(str(value), f"does not fit {bits} bits"), hint=larger)


@dataclass(frozen=True, slots=True)
class Float(SqlType):
    """A 64-bit floating point number; an int is taken as one."""

    name = "float"
    accepts: ClassVar[tuple[type[Any], ...]] = (float, int)

    def check(self, value: Any) -> None:
        if value is None:
            return
        if not isinstance(value, (float, int)) or isinstance(value, bool):
            raise WrongType(Refusal.of(_describe(value), "is not a float"))
        if value != value:
            raise ValueOutOfRange(
                Refusal("NaN is refused: SQLite would keep it as NULL"), hint="use None in a nullable column"
            )


@dataclass(frozen=True, slots=True)
class Numeric(SqlType):
    """An exact decimal number; an int is taken as one, a float is not."""

    name = "numeric"
    accepts: ClassVar[tuple[type[Any], ...]] = (decimal.Decimal, int)
    precision: int | None = None
    scale: int | None = None

    @property
    def key(self) -> str:
        return f"numeric:{self.precision}:{self.scale}"

    def check(self, value: Any) -> None:
        if value is None:
            return
        if not isinstance(value, (decimal.Decimal, int)) or isinstance(value, bool):
            raise WrongType(Refusal.of(_describe(value), "is not a Decimal"))
        if isinstance(value, decimal.Decimal) and not value.is_finite():
            raise ValueOutOfRange(
                Refusal.of(str(value), "is refused: NaN and infinity compare differently on every database")
            )
        if self.precision is not None:
            self._check_digits(decimal.Decimal(value), self.precision, self.scale or 0)
        elif isinstance(value, decimal.Decimal) and not _fits_numeric(value):
            raise ValueOutOfRange(Refusal.of(_describe(value), "has more digits than a numeric column holds"))

    def check_stored(self, value: Any) -> None:
        self.check(value)
        if self.scale is None or not isinstance(value, decimal.Decimal) or not value:
            return
        places = -int(value.normalize(decimal.Context(prec=1000)).as_tuple().exponent)
        if places > self.scale:
            raise ValueOutOfRange(
                Refusal.of(str(value), f"has {places} decimal places, and {self.scale} fit"),
                hint=f'round it: value.quantize(Decimal("1e-{self.scale}"))',
            )

    def _check_digits(self, value: decimal.Decimal, precision: int, scale: int) -> None:
        room = precision - scale
        whole_digits = value.adjusted() + 1 if value else 0
        if whole_digits == room:
            # 99.999 becomes 100.00 when it is rounded to the column's places
            step, context = decimal.Decimal(1).scaleb(-scale), decimal.Context(prec=precision + 2)
            whole_digits = value.quantize(step, decimal.ROUND_HALF_UP, context).adjusted() + 1
        if whole_digits > room:
            raise ValueOutOfRange(
                Refusal.of(str(value), f"does not fit {precision} digits with {scale} decimal places")
            )


@dataclass(frozen=True, slots=True)
class Boolean(SqlType):
    """True or False."""

    name = "boolean"
    accepts: ClassVar[tuple[type[Any], ...]] = (bool,)


@dataclass(frozen=True, slots=True)
class Text(SqlType):
    """Characters without a limit, or with one."""

    name = "text"
    accepts: ClassVar[tuple[type[Any], ...]] = (str,)
    length: int | None = None

    @property
    def key(self) -> str:
        return "text" if self.length is None else f"text:{self.length}"

    def check(self, value: Any) -> None:
        if value is None:
            return
        if not isinstance(value, str):
            raise WrongType(Refusal.of(_describe(value), "is not a str"))
        if "\0" in value:
            raise ValueOutOfRange(
                Refusal("a text with the character NUL cannot be kept"), hint="use bytes, or remove it"
            )
        # nothing that is ASCII is a lone surrogate, which no driver can send
        if not value.isascii() and (found := _SURROGATE.search(value)) is not None:
            raise ValueOutOfRange(Refusal(f"has a lone surrogate at position {found.start()}, which is no character"))

    def check_stored(self, value: Any) -> None:
        self.check(value)
        if self.length is not None and value is not None and len(value) > self.length:
            raise ValueOutOfRange(Refusal(f"has {len(value)} characters, and at most {self.length} fit"))


@dataclass(frozen=True, slots=True)
class Binary(SqlType):
    """Bytes."""

    name = "binary"
    accepts: ClassVar[tuple[type[Any], ...]] = (bytes, bytearray, memoryview)


@dataclass(frozen=True, slots=True)
class Date(SqlType):
    """A calendar date."""

    name = "date"
    accepts: ClassVar[tuple[type[Any], ...]] = (dt.date,)

    def check(self, value: Any) -> None:
        # a datetime is a date to Python; cutting its time off silently would lose data
        if value is not None and (not isinstance(value, dt.date) or isinstance(value, dt.datetime)):
            raise WrongType(Refusal.of(_describe(value), "is not a date"))


@dataclass(frozen=True, slots=True)
class Time(SqlType):
    """A time of day without a zone."""

    name = "time"
    accepts: ClassVar[tuple[type[Any], ...]] = (dt.time,)

    def check(self, value: Any) -> None:
        if value is None:
            return
        if not isinstance(value, dt.time):
            raise WrongType(Refusal.of(_describe(value), "is not a time"))
        if value.tzinfo is not None:
            raise WrongType(
                Refusal.of(str(value), "has a zone; a time column holds times of day"), hint="use .replace(tzinfo=None)"
            )


@dataclass(frozen=True, slots=True)
class DateTime(SqlType):
    """A moment in time: aware in, aware out, in UTC."""

    name = "datetime"
    accepts: ClassVar[tuple[type[Any], ...]] = (dt.datetime,)

    def check(self, value: Any) -> None:
        if value is None:
            return
        if not isinstance(value, dt.datetime):
            raise WrongType(Refusal.of(_describe(value), "is not a datetime"))
        if value.tzinfo is None:
            raise WrongType(
                Refusal.of(repr(value), "has no time zone, so it is no moment in time"),
                hint="use cormorant.utcnow(), datetime.now(UTC) or .replace(tzinfo=UTC)",
            )
        if value.year in _FIRST_AND_LAST_YEAR:
            try:
                moment = value.astimezone(dt.UTC).replace(tzinfo=None)
            except OverflowError:
                raise ValueOutOfRange(Refusal.of(str(value), "is outside of the years 1 to 9999 in UTC")) from None
            if moment in (dt.datetime.min, dt.datetime.max):
                raise ValueOutOfRange(
                    Refusal.of(str(value), "stands for infinity on PostgreSQL"), hint="use None, or a moment in between"
                )


@dataclass(frozen=True, slots=True)
class Interval(SqlType):
    """A length of time, exact to the microsecond."""

    name = "interval"
    accepts: ClassVar[tuple[type[Any], ...]] = (dt.timedelta,)

    def check(self, value: Any) -> None:
        if value is None:
            return
        if not isinstance(value, dt.timedelta):
            raise WrongType(Refusal.of(_describe(value), "is not a timedelta"))
        if not -_LONGEST <= value <= _LONGEST:
            raise ValueOutOfRange(
                Refusal.of(str(value), "does not fit 64 bits of microseconds"), hint="292,271 years are the most"
            )


@dataclass(frozen=True, slots=True)
class Uuid(SqlType):
    """A UUID."""

    name = "uuid"
    accepts: ClassVar[tuple[type[Any], ...]] = (uuid.UUID,)


@dataclass(frozen=True, slots=True)
class Enumeration(SqlType):
    """A Python Enum, kept by its value's text (or whole number), or as a type of the database.

    Args:
        python: The Enum class.
        native: The database type's name, where the database has enum types and they are wanted.
        integers: Every value is an int, kept in an integer column.
    """

    name = "enum"
    python: type[enum.Enum]
    native: str | None = None
    integers: bool = False

    @property
    def key(self) -> str:
        return f"enum:{self.python.__module__}.{self.python.__qualname__}:{self.native}"

    @property
    def labels(self) -> tuple[str, ...]:
        """The text of every member, in declaration order."""
        return tuple(str(member.value) for member in self.python)

    def check(self, value: Any) -> None:
        if value is not None and not isinstance(value, self.python):
            example = next(iter(self.python), None)
            raise WrongType(Refusal.of(_describe(value), f"is not a {self.python.__name__}"), hint=f"use {example}")


@dataclass(frozen=True, slots=True)
class Literals(SqlType):
    """A fixed set of texts or whole numbers, from `Literal[...]`."""

    name = "literals"
    values: tuple[str, ...] | tuple[int, ...]

    @property
    def key(self) -> str:
        return f"literals:{'int' if self.integers else 'text'}"

    @property
    def integers(self) -> bool:
        """Whether the values are whole numbers rather than texts."""
        return isinstance(self.values[0], int)

    def check(self, value: Any) -> None:
        if value is None:
            return
        # True is 1 to Python, and 1.0 too
        if not isinstance(value, type(self.values[0])) or isinstance(value, bool) or value not in self.values:
            raise WrongType(Refusal.of(repr(value), f"is none of {', '.join(map(repr, self.values))}"))


@dataclass(frozen=True, slots=True)
class Json(SqlType):
    """A JSON document, plain or with a Python type.

    Args:
        type_name: The Python type's name, for messages and keys.
        dump: Gives the JSON text of a value.
        load: Gives the value of a JSON text.
    """

    name = "json"
    mutable = True
    type_name: str
    dump: Callable[[Any], str] = field(compare=False)
    load: Callable[[str | bytes], Any] = field(compare=False)
    python: type[Any] | None = None

    @property
    def key(self) -> str:
        # a class declared again may have another content under the same name
        return f"json:{self.type_name}:{id(getattr(self.dump, '__self__', None))}"

    def check(self, value: Any) -> None:
        if value is not None:
            # whether it is a document to the last part shows when it is written
            self.text(value)

    def text(self, value: Any) -> str:
        """Gives the JSON text of a value.

        Raises:
            WrongType: It is no document of this type.
        """
        if self.python is not None and not isinstance(value, self.python):
            raise WrongType(Refusal.of(_describe(value), f"is not a {self.type_name}"))
        return self.dump(value)


@dataclass(frozen=True, slots=True)
class Array(SqlType):
    """A list of values of one type."""

    name = "array"
    accepts: ClassVar[tuple[type[Any], ...]] = (list,)
    mutable = True
    item: SqlType

    @property
    def key(self) -> str:
        return f"array:{self.item.key}"

    def check(self, value: Any) -> None:
        if value is None:
            return
        if not is_list(value):
            raise WrongType(Refusal.of(_describe(value), "is not a list"))
        for element in value:
            self.item.check(element)


@dataclass(frozen=True, slots=True)
class Batch(SqlType):
    """The values that many rows have in one column, sent as one parameter."""

    name = "batch"
    item: SqlType

    @property
    def key(self) -> str:
        return f"batch:{self.item.key}"


@dataclass(frozen=True, slots=True)
class Custom(SqlType):
    """A Python type of the user's own, kept as another column type.

    Args:
        python: The Python class of values.
        base: The column type that the database sees.
        encode: Turns a value into one of `base`.
        decode: Turns one of `base` into a value.
    """

    name = "custom"
    python: type[Any]
    base: SqlType
    encode: Callable[[Any], Any]
    decode: Callable[[Any], Any]

    @property
    def key(self) -> str:
        return f"custom:{self.python.__module__}.{self.python.__qualname__}:{id(self.encode)}:{self.base.key}"

    def check(self, value: Any) -> None:
        if value is not None and not isinstance(value, self.python):
            raise WrongType(Refusal.of(_describe(value), f"is not a {self.python.__name__}"))


@dataclass(frozen=True, slots=True)
class Native(SqlType):
    """A type of one database, by the name it has there; values pass as the driver takes and gives them.

    Args:
        sql: The type as CREATE TABLE has it: "tsvector", "inet", "char(2)".
    """

    name = "native"
    sql: str

    @property
    def key(self) -> str:
        return f"native:{self.sql}"


@dataclass(frozen=True, slots=True)
class RowType(SqlType):
    """Several values as one, which can be compared and never kept."""

    name = "tuple"
    accepts: ClassVar[tuple[type[Any], ...]] = (tuple,)
    items: tuple[SqlType, ...]

    @property
    def key(self) -> str:
        return f"tuple:{','.join(item.key for item in self.items)}"


UNKNOWN = Unknown()
INTEGER = Integer()
BIG_INTEGER = Integer("big")
COMPUTED_INTEGER = Integer("big", computed=True)
FLOAT = Float()
NUMERIC = Numeric()
BOOLEAN = Boolean()
TEXT = Text()
BINARY = Binary()
DATE = Date()
TIME = Time()
DATETIME = DateTime()
INTERVAL = Interval()
UUID = Uuid()

# datetime before date would not matter here: the lookup is by exact class
_BY_CLASS: dict[type, SqlType] = {
    int: BIG_INTEGER,
    float: FLOAT,
    decimal.Decimal: NUMERIC,
    bool: BOOLEAN,
    str: TEXT,
    bytes: BINARY,
    dt.date: DATE,
    dt.time: TIME,
    dt.datetime: DATETIME,
    dt.timedelta: INTERVAL,
    uuid.UUID: UUID,
}


def type_of_class(cls: type) -> SqlType | None:
    """Gives the column type a plain Python class stands for, or None."""
    return _BY_CLASS.get(cls)


def type_of_value(value: Any) -> SqlType:
    """Gives the column type a plain Python value stands for; UNKNOWN for everything else."""
    for cls in type(value).__mro__:
        if (found := _BY_CLASS.get(cls)) is not None:
            # PostgreSQL's functions take integers, and widen them where they take more
            return INTEGER if found is BIG_INTEGER and -(1 << 31) <= value < 1 << 31 else found
    return UNKNOWN


def _describe(value: object) -> str:
    text = repr(value)
    shown = text if len(text) <= 60 else f"{text[:57]}..."
    return f"{shown} ({type(value).__name__})"


def _article(word: str) -> str:
    return "an" if word[:1].lower() in "aeiou" else "a"


def _fits_numeric(value: decimal.Decimal) -> bool:
    """Whether a number has as many digits as PostgreSQL's numeric holds, before and after the point."""
    exponent = value.as_tuple().exponent
    return value.adjusted() <= 131_071 and isinstance(exponent, int) and exponent >= -16_383


def base_of(type_: SqlType) -> SqlType:
    """Gives what the database holds for a type, which may be one of the user's own."""
    return type_.base if isinstance(type_, Custom) else type_
