"""SQL text as words: enough to compare it, to rename columns in it, and to see what it mentions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache

TOKEN: re.Pattern[str] = re.compile(
    r"""
      (?P<text>[xX]?'(?:[^']|'')*')
    | (?P<quoted>"(?:[^"]|"")*"|`[^`]*`|\[[A-Za-z_][^\]]*\])
    | (?P<word>[^\W\d]\w*)
    | (?P<number>(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][-+]?\d+)?\w*)
    | (?P<comment>--[^\n]*|/\*.*?\*/)
    | (?P<space>\s+)
    | (?P<sign>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_PLAIN = re.compile(r"[a-z_][a-z0-9_]*")


def tokens(sql: str) -> Iterator[tuple[str, str]]:
    """Gives (kind, text) of each word and sign, without spaces and comments."""
    for match in TOKEN.finditer(sql):
        kind = match.lastgroup or ""
        if kind not in ("space", "comment"):
            yield kind, match[0]


@lru_cache(maxsize=10_000)
def canonical(sql: str) -> tuple[str, ...]:
    """Gives a text's words in one form: case, spaces, quotes of plain names and parentheses around all do not count."""
    found = [_plain(kind, text) for kind, text in tokens(sql)]
    while len(found) > 2 and found[0] == "(" and _closing(found) == len(found) - 1:
        found = found[1:-1]
    return tuple(found)


def _plain(kind: str, text: str) -> str:
    if kind == "quoted":
        bare = unquoted(text)
        return bare.lower() if _PLAIN.fullmatch(bare.lower()) else f'"{bare}"'
    return text.lower() if kind in ("word", "number") else text


def _closing(found: list[str]) -> int:
    depth = 0
    for place, word in enumerate(found):
        depth += (word == "(") - (word == ")")
        if depth == 0:
            return place
    return -1


def unquoted(name: str) -> str:
    """Gives the name that an identifier stands for."""
    if name[:1] == '"':
        return name[1:-1].replace('""', '"')
    return name[1:-1] if name[:1] in ("`", "[") else name


def mentions(sql: str, names: frozenset[str]) -> bool:
    """Whether a text uses one of these names of columns."""
    lowered = {name.lower() for name in names}
    return any(kind in ("word", "quoted") and unquoted(text).lower() in lowered for kind, text in tokens(sql))


def renamed(sql: str, names: Mapping[str, str]) -> str:
    """Gives a text with columns under other names; what stands before a parenthesis is a function and stays."""
    pieces: list[str] = []
    matches = list(TOKEN.finditer(sql))
    for place, match in enumerate(matches):
        follows = matches[place + 1][0] if place + 1 < len(matches) else ""
        name = unquoted(match[0]) if match.lastgroup in ("word", "quoted") else None
        if name is not None and name in names and not (match.lastgroup == "word" and follows == "("):
            pieces.append('"' + names[name].replace('"', '""') + '"')
        else:
            pieces.append(match[0])
    return "".join(pieces)
