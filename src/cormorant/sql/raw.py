"""The developer's own SQL: one placeholder style, `:name`, on every database."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, LiteralString

from cormorant._internal.secrets import is_secret_name
from cormorant.errors import QueryError, TransactionError, suggest
from cormorant.sql.calls import Fragment

# what may hold a colon without meaning a parameter, and the parameters themselves
TOKENS = re.compile(
    r"""
      '(?:[^']|'')*'                      # a text
    | "(?:[^"]|"")*"                      # a quoted name
    | \$(?P<tag>[A-Za-z_]*)\$.*?\$(?P=tag)\$   # a dollar-quoted text
    | --[^\n]*                            # a comment to the end of the line
    | /\*.*?\*/                           # a comment
    | ::                                  # a cast
    | \\:                                 # a colon that is meant as one
    | :(?P<name>[A-Za-z_][A-Za-z0-9_]*)   # a parameter
    """,
    re.VERBOSE | re.DOTALL,
)

_BEFORE = r"\s*(?:--[^\n]*\n\s*|/\*.*?\*/\s*)*"
_READS = re.compile(_BEFORE + r"(?:select|values|table|show|explain(?!\s*(?:\(|analy)))\b", re.I | re.S)
# (END and ABORT are PostgreSQL's other names of COMMIT and ROLLBACK)
_VERBS = re.compile(
    _BEFORE + r"(begin|start\s+transaction|commit|end|rollback|abort|savepoint|release|prepare\s+transaction)\b",
    re.I | re.S,
)
LOCKS = re.compile(r"\bfor\s+(?:no\s+key\s+)?(?:update|share|key\s+share)\b", re.I)


@dataclass(frozen=True, slots=True)
class RawStatement:
    """SQL split at its parameters.

    Args:
        pieces: The text between the parameters; one more than there are parameters.
        names: The parameters in order; one name may stand several times.
    """

    pieces: tuple[str, ...]
    names: tuple[str, ...]
    is_read: bool

    def with_placeholders(self, placeholder: Callable[[int], str]) -> tuple[str, tuple[str, ...]]:
        """Gives the text a database takes, and the names in the order of its parameters."""
        order = {name: place for place, name in enumerate(dict.fromkeys(self.names))}
        text = self.pieces[0]
        for name, piece in zip(self.names, self.pieces[1:], strict=True):
            text += placeholder(order[name]) + piece
        return text, tuple(order)


def text(sql: LiteralString) -> Fragment:
    """Gives SQL text as an expression, for `server_default`, checks and `execute`.

    Built text passes type checkers here with a `# type: ignore`, which marks the line for review.

    Example:
        >>> made: Mapped[datetime] = generated(server_default=text("now()"))
    """
    return Fragment(sql)


@lru_cache(maxsize=500)
def parse(sql: str) -> RawStatement:
    """Splits SQL at its parameters."""
    pieces: list[str] = []
    names: list[str] = []
    current, start = "", 0
    for match in TOKENS.finditer(sql):
        current += sql[start : match.start()]
        start = match.end()
        if match["name"]:
            pieces.append(current)
            names.append(match["name"])
            current = ""
        else:
            current += ":" if match[0] == "\\:" else match[0]
    secret = " ".join(filter(is_secret_name, dict.fromkeys(names)))
    # the name would be lost with its placeholder, and whoever shows the statement would show the value
    pieces.append(current + sql[start:] + (f"\n/* {secret} */" if secret else ""))
    is_read = _READS.match(sql) is not None and LOCKS.search(sql) is None
    return RawStatement(tuple(pieces), tuple(names), is_read)


def refuse_transaction_verbs(sql: str) -> None:
    """Refuses SQL that begins or ends transactions: a session would not know of it, and lose or keep the wrong rows.

    Raises:
        TransactionError: Naming the verb.
    """
    if (match := _VERBS.match(sql)) is not None:
        raise TransactionError(
            f"{' '.join(match[1].upper().split())} was given as SQL, and the session would not know of it",
            hint="await session.begin(), commit() or rollback(), or use async with session.transaction()",
        )


def check_params(statement: RawStatement, params: Mapping[str, Any]) -> None:
    """Refuses parameters that do not fit the statement, before anything is sent.

    Raises:
        QueryError: Naming the parameter that lacks, or is too many.
    """
    for name in statement.names:
        if name not in params:
            raise QueryError(
                f"the statement has the parameter :{name}, and no value was given", hint=suggest(name, params)
            )
    for name in params:
        if name not in statement.names:
            raise QueryError(f"the statement has no parameter :{name}", hint=suggest(name, statement.names))
