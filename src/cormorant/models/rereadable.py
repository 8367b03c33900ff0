"""What pydantic writes and would not read again: keys of TypedDicts that are missing, values out of their limits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from cormorant._internal.narrowing import is_dict, is_list

Schema: TypeAlias = Mapping[str, Any]
"""What pydantic makes of a type: a `CoreSchema`."""

_LIMITS = frozenset({"gt", "ge", "lt", "le", "multiple_of", "min_length", "max_length", "pattern"})
_AROUND = ("nullable", "default", "definitions", "function-after", "function-before")


def has_keys(schema: Any) -> bool:
    """Whether there is a TypedDict in a schema."""
    if is_dict(schema):
        return schema.get("type") == "typed-dict" or any(map(has_keys, schema.values()))
    return is_list(schema) and any(map(has_keys, schema))


def has_limits(schema: Any) -> bool:
    """Whether values of the right types may be refused: there are limits in a schema, or somebody's validators."""
    if is_dict(schema):
        kind = schema.get("type")
        if (isinstance(kind, str) and kind.startswith("function-")) or not _LIMITS.isdisjoint(schema):
            return True
        return any(has_limits(part) for name, part in schema.items() if name not in ("serialization", "metadata"))
    return is_list(schema) and any(map(has_limits, schema))


def key_problem(schema: Schema, value: Any) -> str | None:
    """Gives what is wrong with the keys of a document, or None."""
    found: list[tuple[str, Schema, Any]] = [("", schema, value)]
    known: dict[str, Schema] = {}
    for place, part, inner in found:
        kind = part["type"]
        if kind in _AROUND:
            known |= {each["ref"]: each for each in part.get("definitions", ())}
            found.append((place, part["schema"], inner))
        elif kind == "definition-ref":
            found.append((place, known[part["schema_ref"]], inner))
        elif kind == "typed-dict" and is_dict(inner):
            problem = _problem_of(part, inner)
            if problem is not None:
                return f"{place or 'it'} {problem}"
        found += _inside(place, part, inner)
    return None


def _problem_of(schema: Schema, value: Mapping[Any, Any]) -> str | None:
    fields: Mapping[str, Schema] = schema["fields"]
    lacking = [name for name, field in fields.items() if name not in value and field.get("required", True)]
    if lacking:
        return f"lacks {', '.join(map(repr, lacking))}"
    more = [name for name in value if name not in fields]
    if more and schema.get("extra_behavior") != "allow":
        return f"has {', '.join(map(repr, more))}, which would be left out"
    return None


def _inside(place: str, schema: Schema, value: Any) -> Iterable[tuple[str, Schema, Any]]:
    kind = schema["type"]
    if is_dict(value):
        if kind == "typed-dict":
            fields: Mapping[str, Schema] = schema["fields"]
            return [(f"{place}[{k!r}]", fields[k]["schema"], item) for k, item in value.items() if k in fields]
        if kind == "dict" and "values_schema" in schema:
            return [(f"{place}[{k!r}]", schema["values_schema"], item) for k, item in value.items()]
    elif kind == "list" and is_list(value) and "items_schema" in schema:
        return [(f"{place}[{at}]", schema["items_schema"], item) for at, item in enumerate(value)]
    return ()
