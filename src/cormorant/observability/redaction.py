"""Values as logs, samples and echoes show them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cormorant._internal.array_text import ArrayText
from cormorant._internal.narrowing import is_list
from cormorant._internal.secrets import HIDDEN, has_secrets, hide_logins, is_secret_name

LONGEST = 80
"""The most characters that are shown of a value."""

SHOWN_ITEMS = 3
"""The most items that are shown of a list."""

_SHORT_ENOUGH = 2_000


def shown_parameters(sql: str, args: Sequence[Any]) -> tuple[str, ...]:
    """Gives a statement's values as text: all hidden if it names something secret, long ones cut.

    Args:
        sql: The statement.
        args: Its values as they are sent; for statements that are sent many times, rows of them.
    """
    if has_secrets(sql):
        return (HIDDEN,) * len(args)
    return tuple(map(_shown, args))


def _shown(value: Any) -> str:
    if isinstance(value, ArrayText):
        return _shown_items(value.items)
    if is_list(value):
        return _shown_items(value)
    if isinstance(value, (bytes, bytearray)):
        return f"<{len(value)} bytes>"
    if isinstance(value, str) and len(value) > _SHORT_ENOUGH:
        return f"<text of {len(value)} characters>"
    text = repr(value)
    if is_secret_name(text):
        # a document or a text that has a secret in it
        return HIDDEN
    text = hide_logins(text)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."


def _shown_items(values: Sequence[Any]) -> str:
    items = [_shown(item) for item in values[:SHOWN_ITEMS]]
    more = [f"... {len(values)} in all"] if len(values) > SHOWN_ITEMS else []
    return f"[{', '.join([*items, *more])}]"
