"""Lists and documents that nobody has asked for: an object keeps what the driver gave, and reads it when asked.

Most that are loaded are never looked at. As long as one is not, nobody can have changed it inside, and no flush has to
look for that. In `__orm_raw__` such a value is a tuple: what the driver gave, and what makes a value of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from cormorant._internal.copies import Snapshot
from cormorant._internal.json_text import load_json
from cormorant._internal.secrets import HIDDEN
from cormorant.errors import DataError
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
            place = self._place_if_unread(instance)
            if place is None:
                raise
        return self._read(instance, place)

    def __set__(self, instance: Any, value: Any) -> None:
        place = self._place_if_unread(instance)
        if place is not None:
            # the row goes on to have it
            _keep(instance, place, instance.__orm_raw__[place][0])
        self._set(instance, value)
        _tell(instance)

    def __delete__(self, instance: Any) -> None:
        place = self._place_if_unread(instance)
        if place is None:
            self._delete(instance)
        else:
            _keep(instance, place, None)

    def _place_if_unread(self, instance: Any) -> int | None:
        """Gives the place of its value among what an object keeps; None where it was read, or is not there."""
        raw: tuple[Any, ...] = getattr(instance, "__orm_raw__", ())
        if not raw:
            return None
        if (place := self._place) is None:
            names = [column.attribute for column in self._info.mutable_columns]
            place = self._place = names.index(self._name)
        return place if is_unread(raw[place]) else None

    def _read(self, instance: Any, place: int) -> Any:
        given, decode = instance.__orm_raw__[place]
        try:
            value = None if given is None else decode(given)
        except Exception as error:
            # whoever wrote what reads it: an AttributeError, for one, would say that there is no value
            raise self._unreadable(instance, error) from (None if self._is_sensitive else error)
        exact = given is not None and (decode is load_json or is_unread(given))
        _keep(instance, place, Snapshot(value) if exact else given)
        self._set(instance, value)
        _tell(instance)
        return value

    @property
    def _is_sensitive(self) -> bool:
        return self._info.fields[self._name].sensitive

    def _unreadable(self, instance: Any, error: Exception) -> DataError:
        info = self._info
        what = f"{info.name}.{self._name} of {info.name} {shown_key(info, row_key_of(instance))}"
        why = error.message if isinstance(error, DataError) else f"{type(error).__name__}: {error}"
        hint = error.hint if isinstance(error, DataError) else None
        return DataError(
            f"{what} cannot be read: {HIDDEN if self._is_sensitive else why}",
            hint=hint or "give it another value, or correct the row by SQL",
        )


def is_unread(saved: Any) -> bool:
    """Whether what an object keeps of a column, in `__orm_raw__`, says that nobody has asked for its value."""
    return saved.__class__ is tuple


def unread_of(info: ModelInfo, raw: Sequence[Any]) -> tuple[str, ...]:
    """Gives the attributes of an object that it has, and that nobody has asked for, by what it keeps."""
    return tuple(
        [column.attribute for column, saved in zip(info.mutable_columns, raw, strict=True) if is_unread(saved)]
    )


def _keep(instance: Any, place: int, saved: Any) -> None:
    raw = instance.__orm_raw__
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
    except Exception:
        # whatever it is, it is told when the column is first needed; what is named may be declared by then
        return False


def _is_surely_plain(annotation: Any) -> bool:
    text = annotation if isinstance(annotation, str) else str(annotation)
    inside = text.partition("[")[2].rpartition("]")[0].removesuffix("| None").strip()
    return inside in _NEVER_MUTABLE
