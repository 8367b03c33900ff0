"""A text of SQL as single statements, which is all that some drivers take."""

from __future__ import annotations

import re

from cormorant._internal.transaction_words import transaction_word
from cormorant.errors import InvalidMigration

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


def refuse_transactions(found: list[str]) -> None:
    """Refuses statements that would end the migration's own transaction, or begin another one inside of it.

    Raises:
        InvalidMigration: What was before would stay, whatever becomes of the rest and of the record.
    """
    for sql in found:
        words = "".join(match[0] for match in _PIECES.finditer(sql) if not match[0].startswith(("--", "/*"))).lstrip()
        verb = transaction_word(words)
        if verb in ("begin", "commit", "rollback"):
            raise InvalidMigration(
                f"{verb.upper()} is not for a migration, which is one transaction with its record",
                hint="leave it out; what must not be in a transaction is RunSQL(..., outside=True)",
            )
