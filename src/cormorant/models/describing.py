"""What an instance looks like in messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cormorant._internal.secrets import HIDDEN
from cormorant.errors import DataError
from cormorant.models.state import MISSING, is_ghost, is_persistent, is_reference, value_or_missing

if TYPE_CHECKING:
    from cormorant.models.metadata import ModelInfo
    from cormorant.models.model import Model


def describe(instance: Model) -> str:
    """Gives an instance's repr: its columns as far as they are set, the key first, long and sensitive values cut."""
    info = type(instance).__info__
    parts: list[str] = []
    for name in dict.fromkeys((*info.key_attributes, *info.fields)):
        spec = info.fields[name]
        try:
            value = value_or_missing(instance, name)
        except DataError:
            # what says so shows the object too
            parts.append(f"{name}=(unreadable)")
            continue
        if value is not MISSING:
            parts.append(f"{name}={shown_value(value, sensitive=spec.sensitive)}")
    state = ""
    if is_ghost(instance) and is_persistent(instance):
        state = " (reference)" if is_reference(instance) else " (in part)"
    return f"<{info.name} {' '.join(parts)}{state}>" if parts else f"<{info.name} (new)>"


def shown_key(info: ModelInfo, key: object) -> str:
    """Gives a key for messages, as it is written in a program; hidden if a column of it is sensitive."""
    return HIDDEN if any(info.fields[name].sensitive for name in info.key_attributes) else repr(key)


def shown_value(value: Any, *, sensitive: bool) -> str:
    """Gives a value for messages: a long one cut, a sensitive one hidden."""
    if sensitive:
        return HIDDEN
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
