"""`Mapped` columns and the functions that declare them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, TypedDict, TypeVar, cast, get_args, overload

from typing_extensions import Unpack

from cormorant.errors import ModelError
from cormorant.models.specs import SHARED, FieldSpec, Retired
from cormorant.models.state import MISSING
from cormorant.sql.columns import Column
from cormorant.sql.expr import Expr
from cormorant.sql.types import IntegerSize, SqlType

T = TypeVar("T")


class Mapped(Generic[T]):
    """A column: `Author.name` is a `Column[str]`, `author.name` a `str`.

    Exists for checkers and annotations only. At run time the class has a slot of that name, and the model's metaclass
    answers `Author.name`.
    """

    if TYPE_CHECKING:

        @overload
        def __get__(self, instance: None, owner: Any) -> Column[T]: ...
        @overload
        def __get__(self, instance: object, owner: Any) -> T: ...
        def __get__(self, instance: Any, owner: Any) -> Any: ...
        def __set__(self, instance: Any, value: T) -> None: ...


class FieldOptions(TypedDict, total=False):
    """What `field()` takes besides a default."""

    primary_key: bool
    unique: bool
    index: bool
    init: bool
    column: str
    type: SqlType
    max_length: int
    size: IntegerSize
    precision: int
    decimal_places: int
    native: bool | str
    ge: Any
    gt: Any
    le: Any
    lt: Any
    multiple_of: Any
    min_length: int
    pattern: str
    choices: tuple[Any, ...]
    sensitive: bool
    collation: str
    comment: str
    renamed_from: str
    server_default: Any


_SHARED = ("primary_key", "unique", "index", "init", "column", "server_default")


@overload
def field(*, default: T, on_update: Callable[[], T] | None = None, **options: Unpack[FieldOptions]) -> Mapped[T]: ...
@overload
def field(
    *, default_factory: Callable[[], T], on_update: Callable[[], T] | None = None, **options: Unpack[FieldOptions]
) -> Mapped[T]: ...
@overload
def field(*, on_update: Callable[[], Any] | None = None, **options: Unpack[FieldOptions]) -> Mapped[Any]: ...
def field(*, default: Any = MISSING, default_factory: Any = None, on_update: Any = None, **options: Any) -> Any:
    """Declares a column whose value the program gives.

    Args:
        default: What a new object has unless told otherwise; a value of the column's type, or None for one that is
            given later.
        default_factory: Makes the default for each object.
        on_update: Makes the column's value anew with every other change of the row, unless it is set as well: by flush,
            by update() and by upsert().
        options: `primary_key`, `unique`, `index`, `init`; `column` (its name in the database); `max_length` in
            characters; `size` of an int ("small" 16, "normal" 32, "big" 64 bits); `precision` and `decimal_places` of
            a Decimal; `native=True` for an enum type of the database; `type` for a column type of your own; `ge`, `gt`,
            `le`, `lt`, `multiple_of`, `min_length`, `pattern`, `choices`; `sensitive=True` to keep values out of
            messages and logs, False where the name alone looks like a secret's; `server_default`; `collation`, the
            database's name of an order of texts; `comment`, kept by PostgreSQL; `renamed_from`, the name that the
            column had in the database before: it is renamed, and keeps its values.

    Example:
        >>> name: Mapped[str] = field(max_length=100)     # "name" varchar(100) NOT NULL
    """
    if default is not MISSING and default_factory is not None:
        raise ModelError("field() got both default and default_factory", hint="give one of them")
    if isinstance(default, SHARED):
        kind = type(default).__name__
        factory = f"lambda: {default!r}" if default else kind
        raise ModelError(
            f"field(default={default!r}) would share one {kind} among all objects",
            hint=f"use default_factory={factory}",
        )
    _check_options(options)
    shared = {name: options.pop(name) for name in _SHARED if name in options}
    made: dict[str, Any] = {"default_factory": default_factory, "on_update": on_update}
    return FieldSpec(default=default, options=options, **made, **shared)


def generated(
    *,
    primary_key: bool = False,
    version: bool = False,
    server_default: Any = MISSING,
    computed: Callable[[Any], Expr[Any]] | str | None = None,
    unique: bool = False,
    index: bool = False,
    column: str | None = None,
    size: IntegerSize | None = None,
    type: SqlType | None = None,
    comment: str | None = None,
    renamed_from: str | None = None,
) -> Mapped[Any]:
    """Declares a column whose value the database makes: optional for a new object, present once it is flushed.

    Not a field specifier to type checkers, so that they see an ordinary default.

    Args:
        primary_key: The database numbers the rows (an int), or makes the key by `server_default`.
        version: Counts the row's changes; a change of a stale object raises `StaleObjectError`.
        server_default: A plain value, or SQL: `text("gen_random_uuid()")`, `func.now()`.
        computed: The expression the database derives the column from: SQL text, or a function of the model.
        unique: No two rows have the same value.
        index: Make an index over the column.
        column: Its name in the database.
        size: Of an int: "small" 16, "normal" 32, "big" 64 bits.
        type: A column type of your own.
        comment: What PostgreSQL says of the column.
        renamed_from: The name that the column had in the database before.

    Example:
        >>> id: Mapped[int] = generated(primary_key=True)       # bigint GENERATED BY DEFAULT AS IDENTITY
        >>> full: Mapped[str] = generated(computed=lambda m: m.first + " " + m.last)
    """
    _check_maker(primary_key, version, computed is not None, server_default is not MISSING)
    given = {"size": size, "type": type, "comment": comment, "renamed_from": renamed_from}
    options = {name: value for name, value in given.items() if value is not None}
    spec = FieldSpec(
        default=1 if version else MISSING,
        made_by="program" if version else "database",
        primary_key=primary_key,
        version=version,
        server_default=server_default,
        computed=computed,
        # nobody else can write it
        init=computed is None,
        unique=unique,
        index=index,
        column=column,
        options=options,
    )
    return cast("Mapped[Any]", spec)


def _check_maker(primary_key: bool, version: bool, computed: bool, has_default: bool) -> None:
    """Refuses a column that several things make, or none."""
    if version + computed + has_default > 1:
        raise ModelError(
            "generated() takes one of version, computed and server_default", hint="each makes the value in its own way"
        )
    if primary_key and computed:
        raise ModelError(
            "generated() computes a primary key, which SQLite has none of",
            hint="leave one of primary_key and computed out; a column that is computed may be unique=True",
        )
    if not (primary_key or version or computed or has_default):
        raise ModelError(
            "generated() does not say what makes the value",
            hint="use primary_key=True, version=True, server_default=... or computed=...",
        )


def retired(*, column: str | None = None) -> Retired:
    """Declares a column or relation that the model has no more: the next migration may drop it with its values.

    Without it, what is gone from the model is not dropped: that is refused until somebody says so. It stands without an
    annotation, is no attribute of objects, and can go once the migration is made. Of a to-one relation goes the key
    column, of a many-to-many relation the table of links.

    Args:
        column: Its name in the database; the attribute's name if None.

    Example:
        >>> class Essay(Model):
        ...     id: Mapped[int] = generated(primary_key=True)
        ...     subtitle = retired()                  # ALTER TABLE "essay" DROP COLUMN "subtitle"
    """
    return Retired(column)


def _check_options(options: dict[str, Any]) -> None:
    unknown = set(options) - set(FieldOptions.__annotations__)
    if unknown:
        raise TypeError(f"field() got an unexpected keyword argument {sorted(unknown)[0]!r}")
    for name, (fits, hint) in _VALUES.items():
        if name in options and not fits(options[name]):
            raise ModelError(f"field({name}={options[name]!r})", hint=hint)


def _at_least(lowest: int) -> Callable[[Any], bool]:
    return lambda value: type(value) is int and value >= lowest


_VALUES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "min_length": (_at_least(0), "give a number of characters, 0 or more"),
    "max_length": (_at_least(1), "give a number of characters, 1 or more"),
    "precision": (_at_least(1), "give a number of digits, 1 or more"),
    "decimal_places": (_at_least(0), "give a number of digits, 0 or more"),
    "size": (lambda value: value in get_args(IntegerSize), 'use "small", "normal" or "big"'),
    "type": (lambda value: isinstance(value, SqlType), "use one of cormorant.types, such as types.Text(40)"),
}
