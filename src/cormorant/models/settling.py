"""Makes a new object stand for its row in one generated function for each set of columns that was written and made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, TypeAlias

from cormorant._internal.codegen import compile_function
from cormorant.models.metadata import ModelInfo
from cormorant.models.state import MISSING, Origin, set_class

Settle: TypeAlias = Callable[[Any, Mapping[str, Any], Mapping[str, Any], Origin], bool]


@lru_cache(maxsize=2000)
def settler_of(info: ModelInfo, written: tuple[str, ...], made: tuple[str, ...]) -> Settle | None:
    """Gives the function that makes a new object clean, if it is still as it was written.

    It takes the object, what was written, what the database has made, and where the object comes from now; it tells
    whether it was: what has changed meanwhile it leaves alone. None for models whose values may change in place.

    Args:
        info: The object's model.
        written: The attributes that were written.
        made: The attributes that the database has made.
    """
    if info.mutable_columns:
        return None
    others = [f"o.{name} is not written[{name!r}]" for name in written]
    others += [f"getattr(o, {name!r}, MISSING) is not MISSING" for name in made]
    complete = info.fields.keys() <= {*written, *made}
    lines = [
        "def settle(o, written, made, origin):",
        "    cls = o.__class__",
        # nothing is tracked, and what is unset is not loaded
        "    set_class(o, twin)",
        "    try:",
        f"        if {' or '.join(others) or 'False'}:",
        "            set_class(o, cls)",
        "            return False",
        "    except AttributeError:",
        "        set_class(o, cls)",
        "        return False",
        *[f"    o.{name} = made[{name!r}]" for name in made],
        "    o.__orm_changes__ = None",
        "    o.__orm_origin__ = origin",
        f"    set_class(o, {'final' if complete else 'cls'})",
        "    return True",
    ]
    names: dict[str, Any] = {"set_class": set_class, "twin": info.twin, "final": info.cls, "MISSING": MISSING}
    return compile_function("settle", "\n".join(lines), names)
