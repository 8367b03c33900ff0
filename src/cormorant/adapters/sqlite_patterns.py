r"""Regular expressions on SQLite: Python's, with PostgreSQL's meaning of what both know.

To Python, `$` also stands before a line's end at the end of the text, `\d` for the digits of every script, and `\s` for
blanks that do not break.
"""

from __future__ import annotations

import re
from functools import lru_cache

from cormorant.adapters.sqlite_reasons import Refused

_DIGITS = "0-9"
# those that PostgreSQL's \s takes, with a locale such as C.UTF-8 or en_US.UTF-8
_BLANKS = r"\t-\r\x20\u1680\u2000-\u2006\u2008-\u200a\u2028\u2029\u205f\u3000"
_OTHER_THAN_BLANKS = (
    r"\x00-\x08\x0e-\x1f\x21-\u167f\u1681-\u1fff\u2007\u200b-\u2027\u202a-\u205e\u2060-\u2fff\u3001-\U0010ffff"
)
_OUTSIDE = {"d": f"[{_DIGITS}]", "D": f"[^{_DIGITS}]", "s": f"[{_BLANKS}]", "S": f"[^{_BLANKS}]"}
_INSIDE = {"d": _DIGITS, "D": r"\x00-/:-\U0010ffff", "s": _BLANKS, "S": _OTHER_THAN_BLANKS}

_TOKEN = re.compile(
    r"""
    \\ (?P<escaped> . )
    | (?P<class> \[ \^? \]? (?: [^\]\\] | \\. )* \] )
    | (?P<comment> \(\?\# [^)]* \)? )
    | (?P<end> \$ )
    """,
    re.DOTALL | re.VERBOSE,
)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_FLAGS = re.compile(r"\(\?[a-zA-Z]*([mx])")
_REMARK = r"|\#[^\n]*"
_VERBOSE_TOKEN = re.compile(_TOKEN.pattern + _REMARK, _TOKEN.flags)


@lru_cache(maxsize=100)
def compiled(pattern: str, flags: int) -> re.Pattern[str]:
    """Gives a pattern, in which a dot is any character as on PostgreSQL, a line's end too.

    Raises:
        Refused: It is none.
    """
    try:
        return re.compile(translated(pattern), re.DOTALL | flags)
    except re.error:
        raise Refused("invalid regular expression") from None


def translated(pattern: str) -> str:
    """Gives a pattern that means to Python what the given one means to PostgreSQL."""
    flags = _FLAGS.findall(pattern)
    tokens = _VERBOSE_TOKEN if "x" in flags else _TOKEN

    def meant(match: re.Match[str]) -> str:
        if match["escaped"] is not None:
            return _OUTSIDE.get(match["escaped"], match[0])
        if match["class"] is not None:
            return _ESCAPED.sub(lambda found: _INSIDE.get(found[1], found[0]), match["class"])
        # with (?m) it is the end of every line on both
        return r"\Z" if match["end"] is not None and "m" not in flags else match[0]

    return tokens.sub(meant, pattern)
