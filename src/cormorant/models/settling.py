"""Makes a new object stand for its row in one generated function for each set of columns that was written and made."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, Protocol, TypeAlias

from cormorant._internal.codegen import compile_function
from cormorant._internal.copies import Snapshot
from cormorant.models.inside import same
from cormorant.models.metadata import ModelInfo
from cormorant.models.state import MISSING, Origin, set_class


class Waited(Protocol):
    """The keys that objects have waited for: by the id of what stood for them, or found for it."""

    resolved: Mapping[int, Any]

    def value(self, pending: Any, /) -> Any: ...


Settle: TypeAlias = Callable[[Any, Mapping[str, Any], Mapping[str, Any], Origin, Waited], bool]


@lru_cache(maxsize=2000)
def settler_of(
    info: ModelInfo, written: tuple[str, ...], made: tuple[str, ...], waiting: tuple[str, ...] = ()
) -> Settle | None:
    """Gives the function that makes a new object clean, if it is still as it was written.

    It takes the object, what was written, what the database has made, where the object comes from now, and the keys
    that were waited for; it tells whether the object was: what has changed meanwhile it leaves alone. None
    where a key that was waited for may have come by several relations.

    Args:
        info: The object's model.
        written: The attributes that were written, in the order of their values.
        made: The attributes that the database has made.
        waiting: The attributes of `written` that have waited for the key of a related object.
    """
    if any(len(info.holders[name]) != 1 for name in waiting):
        return None
    complete = info.fields.keys() <= {*written, *made}
    values = {name: f"w{number}" for number, name in enumerate(written)}
    lines = [
        "def settle(o, written, made, origin, waited):",
        # one after another they cost less than each by its name
        *([f"    {', '.join(values.values())}, = written.values()"] if values else []),
        "    cls = o.__class__",
        # nothing is tracked, and what is unset is not loaded
        "    set_class(o, twin)",
        "    try:",
        *[f"        s{number} = Snapshot({values[name]})" for number, name in enumerate(_copied(info, written))],
        *(["        related = o.__orm_related__ or nothing"] if waiting else []),
        f"        if {' or '.join(_others(info, values, made, waiting)) or 'False'}:",
        "            set_class(o, cls)",
        "            return False",
        "    except AttributeError:",
        "        set_class(o, cls)",
        "        return False",
        *[line for name in waiting for line in _waited(name, values[name])],
        *[f"    o.{name} = made[{name!r}]" for name in made],
        *([f"    o.__orm_raw__ = ({', '.join(_raw(info, written, made))},)"] if info.mutable_columns else []),
        "    o.__orm_changes__ = None",
        "    o.__orm_origin__ = origin",
        f"    set_class(o, {'final' if complete else 'cls'})",
        "    return True",
    ]
    names: dict[str, Any] = {"set_class": set_class, "twin": info.twin, "final": info.cls, "MISSING": MISSING}
    names |= {"same": same, "Snapshot": Snapshot, "nothing": {}}
    return compile_function("settle", "\n".join(lines), names)


def _others(info: ModelInfo, values: Mapping[str, str], made: tuple[str, ...], waiting: tuple[str, ...]) -> list[str]:
    """Gives the source of what holds for an object that is not as it was written."""
    found: list[str] = []
    copied = _copied(info, values)
    for name, value in values.items():
        if name in waiting:
            (relation, _), *_ = info.holders[name]
            found.append(f"getattr(o, {name!r}, MISSING) is not MISSING")
            found.append(f"related.get({relation!r}) is not {value}.instance")
        elif name in copied:
            # what was written is a copy
            found.append(f"not (s{copied.index(name)}.is_surely(o.{name}) or same({value}, o.{name}))")
        else:
            found.append(f"o.{name} is not {value}")
    return found + [f"getattr(o, {name!r}, MISSING) is not MISSING" for name in made]


def _waited(name: str, value: str) -> list[str]:
    return [
        f"    v = waited.resolved.get(id({value}), MISSING)",
        f"    o.{name} = waited.value({value}) if v is MISSING else v",
    ]


def _copied(info: ModelInfo, written: Iterable[str]) -> list[str]:
    return [name for name in written if info.by_attribute[name].type.mutable]


def _raw(info: ModelInfo, written: tuple[str, ...], made: tuple[str, ...]) -> list[str]:
    """Gives the source of what is kept of lists and documents, to see later changes inside of them."""
    sources = {name: f"Snapshot(made[{name!r}])" for name in made}
    sources |= {name: f"s{number}" for number, name in enumerate(_copied(info, written))}
    return [sources.get(column.attribute, "None") for column in info.mutable_columns]
