"""Names of a database as names of Python: classes, attributes, members of enums."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable, Set

from cormorant._internal.naming import snake_case
from cormorant.models.declaration import RESERVED
from cormorant.models.model import Model

IMPORTED = frozenset(
    {
        "annotations",
        "Any",
        "Decimal",
        "Iterable",
        "Many",
        "Mapped",
        "Model",
        "One",
        "TableArg",
        "UUID",
        "check",
        "date",
        "datetime",
        "enum",
        "field",
        "foreign_key",
        "generated",
        "index",
        "many_to_many",
        "reverse",
        "search_index",
        "text",
        "time",
        "timedelta",
        "types",
        "unique",
    }
)
"""What a module of models may import; nothing in it may be called so."""

_BUILTIN = frozenset({"bool", "bytes", "cls", "dict", "float", "int", "list", "self", "str", "classmethod"})
_OF_MODELS = frozenset(name for name in dir(Model) if not name.startswith("__")) | {"validate"} | RESERVED
_HOOKS = re.compile(r"(before|after)_(validate|save|delete|commit|rollback)")
_IRREGULAR = {"people": "person", "children": "child", "men": "man", "women": "woman", "indices": "index"}
_NO_PLURAL = re.compile(r"(ss|us|is|news|series|species|data|media|staff)$")


def class_name(table: str, taken: Set[str]) -> str:
    """Gives the name of a table's class: "film_actors" becomes FilmActor."""
    parts = _words(table)
    names = (_pascal([*parts[:-1], singular(parts[-1])]), _pascal(parts))
    return next((name for name in names if name not in taken | IMPORTED), _free(names[0], taken | IMPORTED))


def _pascal(parts: Iterable[str]) -> str:
    return _legal("".join(part[:1].upper() + part[1:] for part in parts), "Table")


def _words(name: str) -> list[str]:
    words = re.sub(r"[^0-9A-Za-z]+", "_", snake_case(name)).strip("_").split("_")
    return [word for word in words if word] or ["table"]


def _legal(name: str, before: str) -> str:
    name = name if name[:1].isalpha() else f"{before}{name}"
    return f"{name}_" if keyword.iskeyword(name) else name


def _free(name: str, taken: Set[str]) -> str:
    number = 2
    while f"{name}{number}" in taken:
        number += 1
    return f"{name}{number}"


def singular(word: str) -> str:
    """Gives one of what a table's name has several of."""
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if _NO_PLURAL.search(word) or len(word) < 4 or not word.endswith("s"):
        return word
    if word.endswith("ies"):
        return f"{word[:-3]}y"
    return word[:-2] if re.search(r"(ses|xes|zes|ches|shes)$", word) else word[:-1]


def plural(word: str) -> str:
    """Gives several of what a relation leads to."""
    if word.endswith("s") and _NO_PLURAL.search(word) is None:
        return word
    if re.search(r"[^aeiou]y$", word):
        return f"{word[:-1]}ies"
    return f"{word}es" if re.search(r"(s|x|z|ch|sh)$", word) else f"{word}s"


def attribute_name(column: str, taken: Set[str]) -> str:
    """Gives the attribute that stands for a column or relation; one that cannot be called so gets a `_`."""
    name = _legal("_".join(_words(column)) if not column.isidentifier() or column.startswith("_") else column, "c_")
    if name in taken | IMPORTED | _BUILTIN | _OF_MODELS or _HOOKS.fullmatch(name):
        name = f"{name}_"
    return name if name not in taken else _free(name, taken)


def member_names(labels: Iterable[str]) -> list[str]:
    """Gives the names of an enum's members, in order."""
    found: list[str] = []
    for label in labels:
        name = _legal("_".join(_words(label)).upper(), "VALUE_") if re.search(r"\w", label) else "EMPTY"
        # an enum keeps some names for itself
        name = f"{name}_" if name.lower() in ("mro", "name", "value") else name
        found.append(name if name not in found else _free(name, set(found)))
    return found
