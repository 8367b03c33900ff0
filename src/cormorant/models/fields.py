"""`Mapped` columns and the functions that declare them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import TYPE_CHECKING, Any, Generic, Literal, TypedDict, TypeVar, overload

from typing_extensions import Unpack

from cormorant.errors import ModelError
from cormorant.models.state import MISSING
from cormorant.sql.columns import Column
from cormorant.sql.nodes import Expr
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
    le: Any
    pattern: str
    choices: tuple[Any, ...]
    sensitive: bool
    server_default: Any


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """A column as declared; nothing in it needs the annotation to be resolved.

    Args:
        default: The value a new object gets; MISSING for none.
        default_factory: Makes that value anew for each object.
        made_by: Who makes the value when none is given: "program", or "database".
        relation: The to-one relation whose key this column holds.
        position: The place of the target's key column it holds.
        annotation: What the class body says, perhaps as text.
    """

    name: str = ""
    default: Any = MISSING
    default_factory: Callable[[], Any] | None = None
    made_by: Literal["program", "database"] = "program"
    primary_key: bool = False
    unique: bool = False
    index: bool = False
    init: bool = True
    column: str | None = None
    version: bool = False
    computed: Any = None
    server_default: Any = MISSING
    options: Mapping[str, Any] = dataclass_field(default_factory=dict[str, Any])
    relation: str | None = None
    position: int = 0
    annotation: Any = None
    declared_in: Any = None
    scope: Mapping[str, Any] | None = None

    @property
    def required(self) -> bool:
        """Whether a new object must be given the value."""
        return self.init and self.default is MISSING and self.default_factory is None and self.made_by == "program"


_SHARED = ("primary_key", "unique", "index", "init", "column", "server_default")


@overload
def field(*, default: T, **options: Unpack[FieldOptions]) -> Mapped[T]: ...
@overload
def field(*, default_factory: Callable[[], T], **options: Unpack[FieldOptions]) -> Mapped[T]: ...
@overload
def field(**options: Unpack[FieldOptions]) -> Mapped[Any]: ...
def field(*, default: Any = MISSING, default_factory: Any = None, **options: Any) -> Any:
    """Declares a column whose value the program gives.

    Args:
        default: What a new object has unless told otherwise.
        default_factory: Makes the default for each object.
        options: `primary_key`, `unique`, `index`, `init`; `column` (its name in the database); `max_length` in
            characters; `size` of an int ("small" 16, "normal" 32, "big" 64 bits); `precision` and `decimal_places` of
            a Decimal; `native=True` for an enum type of the database; `type` for a column type of your own; `ge`,
            `le`, `pattern`, `choices`; `sensitive=True` to keep values out of messages; `server_default`.

    Example:
        >>> name: Mapped[str] = field(max_length=100)     # "name" varchar(100) NOT NULL
    """
    if default is not MISSING and default_factory is not None:
        raise ModelError("field() got both default and default_factory", hint="give one of them")
    if isinstance(default, (list, dict, set)):
        raise ModelError(
            f"field(default={default!r}) would share one {type(default).__name__} among all objects",  # pyright: ignore[reportUnknownArgumentType]
            hint=f"use default_factory={type(default).__name__}",  # pyright: ignore[reportUnknownArgumentType]
        )
    _check_options(options)
    shared = {name: options.pop(name) for name in _SHARED if name in options}
    return FieldSpec(default=default, default_factory=default_factory, options=options, **shared)


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
) -> Mapped[Any]:
    """Declares a column whose value the database makes: optional for a new object, present once it is flushed.

    Not a field specifier to type checkers, so that they see an ordinary default.

    Args:
        primary_key: The database numbers the rows (an int), or makes the key by `server_default`.
        version: Counts the row's changes; a change of a stale object raises `StaleObjectError`.
        server_default: A plain value, or SQL: `text("gen_random_uuid()")`, `func.now()`.
        computed: The expression the database derives the column from: SQL text, or a function of the model.

    Example:
        >>> id: Mapped[int] = generated(primary_key=True)       # bigint GENERATED BY DEFAULT AS IDENTITY
        >>> full: Mapped[str] = generated(computed=lambda m: m.first + " " + m.last)
    """
    if sum((version, computed is not None, server_default is not MISSING)) > 1:
        raise ModelError("generated() takes one of version, computed and server_default")
    if not (primary_key or version or computed is not None or server_default is not MISSING):
        raise ModelError(
            "generated() does not say what makes the value",
            hint="use primary_key=True, version=True, server_default=... or computed=...",
        )
    options = {name: value for name, value in (("size", size), ("type", type)) if value is not None}
    spec: Any = FieldSpec(
        default=1 if version else MISSING,
        made_by="program" if version else "database",
        primary_key=primary_key,
        version=version,
        server_default=server_default,
        computed=computed,
        unique=unique,
        index=index,
        column=column,
        options=options,
    )
    return spec  # type: ignore[no-any-return]


def _check_options(options: dict[str, Any]) -> None:
    unknown = set(options) - set(FieldOptions.__annotations__)
    if unknown:
        raise TypeError(f"field() got an unexpected keyword argument {sorted(unknown)[0]!r}")
