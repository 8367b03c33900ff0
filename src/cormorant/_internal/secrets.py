"""What must not be shown: names of secrets, and the statements that have to do with them."""

from __future__ import annotations

import re
from functools import lru_cache

HIDDEN = "***"

_WORDS = re.compile(
    r"passw|passphrase|secret|token|credential|authori[sz]ation|api_?key|private_?key|access_?key|encryption_?key"
    r"|(?:^|_)(?:pwd|pin|otp|cvv|cvc|ssn|iban)(?:_|$)",
    re.IGNORECASE,
)
_IDENTIFIER = re.compile(r"\w+")
_PARTS = re.compile(
    r"""
      "[^"]*(?:"|\Z)                                               # a name: an apostrophe in it begins no text
    | (?P<comment>--[^\n]*|/\*(?:(?!\*/|/\*).|/\*.*?(?:\*/|\Z))*(?:\*/|\Z))   # which may quote anything, and nest once
    | (?P<text>(?<!\w)[eE]'(?:[^'\\]|''|\\.)*(?:'|\Z)             # with backslashes
    | '(?:[^']|'')*(?:'|\Z)                                       # what is not ended goes to the end
    | (?<!\w)\$(?P<tag>\w*)\$.*?(?:\$(?P=tag)\$|\Z))
    """,
    re.DOTALL | re.VERBOSE,
)
# beside those a number, unless it is a part of a name, or that of a parameter or of a plan's own step
_VALUES = re.compile(
    _PARTS.pattern + r"| (?P<number>(?<![\w$.])(?<!Plan\ )\d[\d.]*(?:[eE][+-]?\d+)?(?!\w))", _PARTS.flags
)
_NEAR = re.compile(r"""((?:near|token:) ")[^"]*['$].*""", re.DOTALL)
_LOGIN = re.compile(r"\w://[^\s:/?#@]*:")
_WORD = re.compile(r"\S+")
_LIST = re.compile(r"\s*SELECT\b(?P<list>.*?)\bFROM\b", re.IGNORECASE | re.DOTALL)
_SELECT = re.compile(r"\bSELECT\b", re.IGNORECASE)
_VERB = re.compile(r"\s*(\w+)")
_NAMES_ITS_COLUMNS = {"SELECT", "WITH", "UPDATE", "DELETE"}

_columns: dict[str, set[str]] = {}


def is_secret_name(name: str) -> bool:
    """Whether a name says that its value is a secret: a password, a token, a key to something."""
    return _WORDS.search(name) is not None


def add_sensitive(table: str, column: str) -> None:
    """Makes a column known whose values must not be shown; by its model's name too, with the attribute's."""
    _columns.setdefault(table.lower(), set()).add(column.lower())
    has_secrets.cache_clear()


@lru_cache(maxsize=2000)
def has_secrets(sql: str) -> bool:
    """Whether values in, or of, a statement may be secret: it names a sensitive column, or something like a password.

    It is asked of the statement as a whole: which value meets which column cannot be told of every SQL.
    """
    words = _words_of(_without_list(sql))
    if _is_named(words):
        return True
    found = _VERB.match(sql)
    # INSERT INTO a table VALUES: without the names of columns
    return (found is None or found[1].upper() not in _NAMES_ITS_COLUMNS) and not words.isdisjoint(_columns)


def about(place: str, message: str) -> str:
    """Gives a message about a value, which may quote it, after the place it was meant for; not if that is secret."""
    words = _words_of(place)
    return f"{place}: a value does not fit" if _is_named(words) else f"{place}: {message}"


def beside(place: str, value: object) -> str:
    """Gives a value for a message that names the place it was meant for; hidden if that is secret."""
    return HIDDEN if _is_named(_words_of(place)) else repr(value)


def _words_of(text: str) -> set[str]:
    return {word.lower() for word in _IDENTIFIER.findall(text)}


def _is_named(words: set[str]) -> bool:
    return any(map(is_secret_name, words)) or any(table in words and names & words for table, names in _columns.items())


def _without_list(sql: str) -> str:
    """Takes away what a plain SELECT gives: reading a column says nothing of the values that are sent."""
    found = _LIST.match(sql)
    plain = found is not None and not any(sign in found["list"] for sign in "$?'")
    return sql[found.end() :] if found is not None and plain and len(_SELECT.findall(sql)) == 1 else sql


def hide_logins(text: str) -> str:
    """Gives a text with the passwords of its URLs hidden."""
    return _WORD.sub(_without_login, text) if "://" in text and "@" in text else text


def _without_login(word: re.Match[str]) -> str:
    text = word[0]
    # a password may hold what ends one elsewhere; found in two steps, in a time that grows with the text alone
    begin, end = _LOGIN.search(text), text.rfind("@")
    return text if begin is None or end < begin.end() else f"{text[: begin.end()]}{HIDDEN}{text[end:]}"


def without_secrets(sql: str) -> str:
    """Gives SQL as it is, but for passwords of URLs in it, and for its texts if they may be secret."""
    return hide_logins(_without_texts(sql))


def readable(sql: str) -> str:
    """Gives SQL for people: in one line, and without the texts in it if they may be secret."""
    return hide_logins(" ".join(_without_texts(sql).split()))


def said_of(sql: str | None, message: str) -> str:
    """Gives a database's message about SQL, which may quote where it went wrong; not if that may be a secret text."""
    return _NEAR.sub(rf'\g<1>{HIDDEN}"', message) if sql is not None and has_secrets(sql) else message


def _without_texts(sql: str) -> str:
    has_texts = any(sign in sql for sign in ("'", "$", "--", "/*"))
    return hide_texts(sql) if has_texts and has_secrets(sql) else sql


def hide_texts(sql: str) -> str:
    """Gives SQL, or a part of it, without the texts and comments in it."""
    return _PARTS.sub(_hidden, sql)


def hide_values(sql: str) -> str:
    """Gives SQL without the texts, the comments and the numbers in it."""
    return _VALUES.sub(lambda part: _hidden(part) if part["number"] is None else HIDDEN, sql)


def _hidden(part: re.Match[str]) -> str:
    if part["comment"] is not None:
        return f"/* {HIDDEN} */"
    return part[0] if part["text"] is None else f"'{HIDDEN}'"
