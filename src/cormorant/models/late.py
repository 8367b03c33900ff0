"""Lists and documents that nobody has asked for: an object keeps what the driver gave, and reads it when asked.

Most that are loaded are never looked at. As long as one is not, nobody can have changed it inside, and no flush has to
look for that. In `__orm_raw__` such a value is a tuple: what the driver gave, and what makes a value of it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from cormorant._internal.copies import Snapshot
from cormorant._internal.json_text import load_json
from cormorant.errors import DataError, ModelError
from cormorant.models.describing import shown_key
from cormorant.models.metadata import ModelInfo
from cormorant.models.specs import FieldSpec
from cormorant.models.state import row_key_of, set_attribute

_NEVER_MUTABLE = frozenset({"int", "str", "float", "bool", "bytes", "date", "datetime", "time", "Decimal", "UUID"})


class Late:
    """The attribute of a column of lists or documents, around its slot.

    Args:
        slot: The slot's descriptor.
        info: The model.
        name: The attribute.
    """

    __slots__ = ("_delete", "_info", "_name", "_place", "_set", "read_slot")

    def __init__(self, slot: Any, info: ModelInfo, name: str) -> None:
        # raises AttributeError where nothing was read
        self.read_slot: Callable[[Any], Any] = slot.__get__
        self._set = slot.__set__
        self._delete = slot.__delete__
        self._info = info
        self._name = name
        # among the columns that can change in place
        self._place: int | None = None

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None:
            return self
        try:
            return self.read_slot(instance)
        except AttributeError:
            raw, place = self._unread(instance)
            if not raw:
                raise
        return self._read(instance, raw, place)

    def __set__(self, instance: Any, value: Any) -> None:
        raw, place = self._unread(instance)
        if raw:
            # the row goes on to have it
            _keep(instance, raw, place, raw[place][0])
        self._set(instance, value)
        _tell(instance)

    def __delete__(self, instance: Any) -> None:
        raw, place = self._unread(instance)
        if raw:
            _keep(instance, raw, place, None)
        else:
            self._delete(instance)

    def _unread(self, instance: Any) -> tuple[tuple[Any, ...], int]:
        """Gives what an object keeps, and the place of this; nothing where it was read, or is not there."""
        raw: tuple[Any, ...] = getattr(instance, "__orm_raw__", ())
        if (place := self._place) is None:
            names = [column.attribute for column in self._info.mutable_columns]
            place = self._place = names.index(self._name)
        return (raw, place) if raw and raw[place].__class__ is tuple else ((), place)

    def _read(self, instance: Any, raw: tuple[Any, ...], place: int) -> Any:
        given, decode = raw[place]
        try:
            value = None if given is None else decode(given)
        except DataError as error:
            raise DataError(f"{self._of(instance)}: {error.message}", hint=error.hint) from error
        except ValueError as error:
            message = f"{self._of(instance)} cannot be read: {error}"
            raise DataError(message, hint="something else has written the row: correct it by SQL") from error
        is_plain = given is not None and decode is load_json
        _keep(instance, raw, place, Snapshot(value) if is_plain else given)
        self._set(instance, value)
        _tell(instance)
        return value

    def _of(self, instance: Any) -> str:
        return f"{self._info.name}.{self._name} of {self._info.name} {shown_key(self._info, row_key_of(instance))}"


def _keep(instance: Any, raw: tuple[Any, ...], place: int, saved: Any) -> None:
    set_attribute(instance, "__orm_raw__", (*raw[:place], saved, *raw[place + 1 :]))


def _tell(instance: Any) -> None:
    """Has the session look inside from now on: whoever has a list or a document may change it."""
    origin = instance.__orm_origin__
    if origin is not None and not origin.pending:
        origin.owner.opened(instance)


@lru_cache(maxsize=2000)
def reads_all_late(info: ModelInfo) -> bool:
    """Whether of the rows that are read nothing can change in place before somebody asks for it."""
    return all(column.attribute in info.read_late for column in info.mutable_columns)


def is_read_late(info: ModelInfo, spec: FieldSpec) -> bool:
    """Whether a column's values can change in place, as far as its annotation tells by now."""
    if spec.annotation is None or spec.primary_key or _is_surely_plain(spec.annotation):
        return False
    try:
        return info.resolved(spec).type.mutable
    except ModelError:
        # told when the column is first needed; what its annotation names may be declared by then
        return False


def _is_surely_plain(annotation: Any) -> bool:
    text = annotation if isinstance(annotation, str) else str(annotation)
    inside = text.partition("[")[2].rpartition("]")[0].removesuffix("| None").strip()
    return inside in _NEVER_MUTABLE
