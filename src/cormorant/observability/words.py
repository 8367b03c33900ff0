"""Numbers and texts as they are said to people."""

from __future__ import annotations

from collections.abc import Sequence


def number(value: float) -> str:
    """Gives a number for people: 12,345, 1,234.5 or 0.123."""
    if value == int(value):
        return f"{int(value):,}"
    return f"{value:,.1f}" if value >= 100 else f"{value:.3g}"


def counted(count: int, noun: str) -> str:
    """Gives a number of things: "1 row", "12 rows"."""
    return f"{number(count)} {noun}{'' if count == 1 else 's'}"


def milliseconds(value: float) -> str:
    """Gives a duration with its unit."""
    return f"{value / 1000:,.2f} s" if value >= 10_000 else f"{fixed(value)} ms"


def fixed(value: float) -> str:
    """Gives milliseconds to be set below others."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.2f}"


def clean(text: str) -> str:
    """Gives a text without what would steer a terminal, or break a page: each such character is shown as one."""
    if text.isprintable():
        return text
    return "".join([char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text])


def cut(text: str, length: int) -> str:
    """Gives a text, or its beginning."""
    return text if len(text) <= length else f"{text[: length - 3]}..."


def figures_in_words(figures: Sequence[tuple[str, float]]) -> str:
    """Gives figures in a line, with the share of hits where there are any."""
    by_name = dict(figures)
    told = [f"{name} {number(value)}".strip() for name, value in figures]
    asked = by_name.get("hits", 0) + by_name.get("misses", 0)
    share = [f"{by_name['hits'] / asked:.0%} hits"] if asked and "hits" in by_name else []
    return ", ".join([*told, *share])
