"""A text of SQL as single statements, which is all that some drivers take."""

from __future__ import annotations

import re

_PIECES = re.compile(
    r"""
      [eE]'(?:[^'\\]|\\.|'')*'
    | '(?:[^']|'')*'
    | "(?:[^"]|"")*"
    | \$(?P<tag>[A-Za-z_]\w*)?\$.*?\$(?(tag)(?P=tag))\$
    | --[^\n]*
    | /\*.*?\*/
    | (?P<word>\w+)
    | (?P<end>;)
    | .
    """,
    re.VERBOSE | re.DOTALL,
)


def statements(sql: str) -> list[str]:
    """Gives the statements of a text, without what ends them.

    Texts with a BEGIN stay whole: what is up to its END belongs to a trigger or a function.
    """
    if any(match["word"] and match["word"].lower() == "begin" for match in _PIECES.finditer(sql)):
        return [sql] if sql.strip() else []
    found = [""]
    said = [False]
    for match in _PIECES.finditer(sql):
        if match["end"]:
            found.append("")
            said.append(False)
        else:
            found[-1] += match[0]
            said[-1] = said[-1] or not (match[0].isspace() or match[0].startswith(("--", "/*")))
    return [text.strip() for text, any_word in zip(found, said, strict=True) if any_word]
