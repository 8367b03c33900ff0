"""Which SQL leaves something behind in its connection that outlives the transaction: told from the text alone."""

from __future__ import annotations

import re

# by far the most texts hold none of these words
_SUSPECT = re.compile(
    r"^\W*(?:--|/\*|(?:set|listen|prepare|deallocate|discard|declare|do|call|load)\b)"
    r"|set_config|advisory|\btemp|pg_(?:temp|settings)",
    re.IGNORECASE,
)
_ASIDE = re.compile(
    r"""--[^\n]*|/\*.*?\*/|\be'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'|(\$\w*\$).*?\1|"(?:[^"]|"")*\"""",
    re.DOTALL | re.IGNORECASE,
)
# a name that means the same in quotes
_QUOTED = re.compile(r'"(set_config|pg_\w+)"')

_OBJECT = r"(table|view|sequence|type|domain|function|procedure|aggregate)"
_MAYBE = r"(if\s+not\s+exists\s+)?"

_FLAGS = re.IGNORECASE | re.DOTALL

# what begins with these words, unless the second pattern is found too
_VERBS: tuple[tuple[re.Pattern[str], re.Pattern[str] | None, str], ...] = tuple(
    (re.compile(rf"{words}\b", _FLAGS), None if harmless is None else re.compile(harmless, _FLAGS), kind)
    for words, harmless, kind in (
        ("set", r"set\s+(local|transaction|constraints)\b", "SET"),
        ("listen", None, "LISTEN"),
        ("prepare", r"prepare\s+transaction\b", "PREPARE"),
        ("deallocate", None, "PREPARE"),
        ("discard", None, "PREPARE"),
        ("declare", r"^(?!.*\bwith\s+hold\b)", "WITH HOLD"),
        (r"create\s+(or\s+replace\s+)?((global|local)\s+)?temp(orary)?", r"\bon\s+commit\s+drop\b", "TEMP"),
        (rf"create\s+(or\s+replace\s+)?(unlogged\s+)?{_OBJECT}\s+{_MAYBE}pg_temp", r"\bon\s+commit\s+drop\b", "TEMP"),
        (r"select\b.*\binto\s+(table\s+)?pg_temp", None, "TEMP"),
        (r"(with|select)\b.*\binto\s+((global|local)\s+)?temp(orary)?", None, "TEMP"),
        (r"update\s+(only\s+)?(pg_catalog\s*\.\s*)?pg_settings", None, "SET"),
        ("do", None, "DO"),
        ("call", None, "DO"),
        ("load", None, "DO"),
    )
)
_QUERY = re.compile(r"\(*\s*(select|with|values|insert|update|delete|merge|explain|table)\b", re.IGNORECASE)
_LOCK = re.compile(r"\bpg_(try_)?advisory_lock(_shared)?\s*\(", re.IGNORECASE)
_SETTING = re.compile(r"\bset_config\s*\(", re.IGNORECASE)
_LOCAL_SETTING = re.compile(
    r"\bset_config\s*\((?:[^()]|\([^()]*\))*,\s*(is_local\s*(=>|:=)\s*)?true\s*\)", re.IGNORECASE
)

REMEDIES = {
    "SET": "use `SET LOCAL ...` inside of a transaction, or have the server set it: ALTER ROLE app SET ...",
    "set_config": "give true as its third argument, inside of a transaction",
    "LISTEN": "listen by a connection to the server itself",
    "PREPARE": "leave it out: statements are prepared by themselves",
    "WITH HOLD": "declare the cursor without it, inside of a transaction; or use session.stream()",
    "TEMP": "create the table in a transaction, with ON COMMIT DROP",
    "advisory": "use pg_advisory_xact_lock(), which the end of the transaction releases",
}
"""What to do instead, where each transaction may be on another connection; what may be harmless has none."""


def leaves_behind(sql: str) -> str | None:
    """Gives what kind of thing a statement may leave in its connection; None for nothing.

    A function may do so without being seen. That of `DO` and `CALL`, of which nothing is known, counts as "DO".
    """
    if not _SUSPECT.search(sql):
        return None
    text = _ASIDE.sub(_without, sql).strip()
    for words, harmless, kind in _VERBS:
        if words.match(text):
            return None if harmless is not None and harmless.search(text) else kind
    if not _QUERY.match(text):
        return None
    if _LOCK.search(text):
        return "advisory"
    return "set_config" if len(_SETTING.findall(text)) > len(_LOCAL_SETTING.findall(text)) else None


def _without(found: re.Match[str]) -> str:
    part = found[0]
    if part[0] == '"':
        known = _QUOTED.fullmatch(part)
        return '"_"' if known is None else known[1]
    return " " if part[0] in "-/" else "''"


class LeftBehind(dict[str, str | None]):
    """What each statement leaves behind, found out once.

    Args:
        limit: How many statements are remembered.
    """

    def __init__(self, limit: int = 2000) -> None:
        super().__init__()
        self._limit = limit

    def __missing__(self, sql: str) -> str | None:
        if len(self) >= self._limit:
            self.clear()
        self[sql] = kind = leaves_behind(sql)
        return kind
