"""What a user types into a search box, understood once for every database: no input is an error."""

from __future__ import annotations

import re
from typing import NamedTuple, TypeAlias

from cormorant.errors import WrongType
from cormorant.sql import types as t

# PostgreSQL takes addresses, hyphenated words and numbers apart in a way of its own: without these characters both
# databases see the same words
PUNCTUATION = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"

LONGEST_TEXT = 1000
_LONGEST_WORD = 2046
_SPACES = str.maketrans(dict.fromkeys(PUNCTUATION, " "))
_SURROGATE = re.compile("[\ud800-\udfff]")
_TERM = re.compile(r'(?P<minus>-?)"(?P<phrase>[^"]*)"?|(?P<word>[^\s"]+)')

# what PostgreSQL's english leaves out of texts and searches
_ENGLISH = """
i me my myself we our ours ourselves you your yours yourself yourselves he him his himself she her hers herself it its
itself they them their theirs themselves what which who whom this that these those
am is are was were be been being have has had having do does did doing can will just don should now s t
a an the and but if or because as until while no nor not only own same so than too very
of at by for with about against between into through during before after above below to from up down in out on off
over under again further then once here there when where why how all any both each few more most other some such
"""
IGNORED: dict[str, frozenset[str]] = {"english": frozenset(_ENGLISH.split())}


class Alternative(NamedTuple):
    """Words and phrases that must all be there, and some of which none may be."""

    wanted: tuple[str, ...]
    unwanted: tuple[str, ...]


Wanted: TypeAlias = "tuple[Alternative, ...]"


def understood(text: str, language: str) -> Wanted:
    """Gives what a text asks for: words, "phrases", `or` between alternatives, - before what is not wanted.

    A text, or an alternative, that wants nothing finds nothing.

    Args:
        text: Anything a user may type.
        language: Whose unimportant words are left out.

    Raises:
        WrongType: It is no text, or one that no database takes.
    """
    _check(text)
    ignored = IGNORED.get(language, frozenset())
    found: list[Alternative] = []
    # dictionaries, because FTS5 takes long over a word that is asked for again and again
    wanted: dict[str, str] = {}
    unwanted: dict[str, str] = {}
    for match in _TERM.finditer(text):
        if (match["word"] or "").lower() == "or":
            found.append(Alternative(tuple(wanted.values()), tuple(unwanted.values())))
            wanted, unwanted = {}, {}
            continue
        word = match["word"] or match["minus"] + match["phrase"]
        term = " ".join(word.translate(_SPACES).split())
        if _counts(term) and term.lower() not in ignored:
            (unwanted if word.startswith("-") else wanted).setdefault(term.lower(), term)
    found.append(Alternative(tuple(wanted.values()), tuple(unwanted.values())))
    return tuple(dict.fromkeys(alternative for alternative in found if alternative.wanted))


def _check(text: object) -> None:
    if not isinstance(text, str):
        raise WrongType(f"a search for {text!r} ({type(text).__name__}), which is no text", hint="search for a str")
    t.TEXT.check(text)
    if _SURROGATE.search(text):
        raise WrongType(f"{text[:40]!r} has a lone surrogate, which no text holds", hint="remove it")
    if len(text) > LONGEST_TEXT:
        raise WrongType(f"a search text of {len(text)} characters", hint=f"cut it: typed[:{LONGEST_TEXT}]")


def _counts(term: str) -> bool:
    """Whether a term has letters or digits; a word too long for PostgreSQL is in none of its indexes."""
    return any(map(str.isalnum, term)) and all(len(word.encode()) <= _LONGEST_WORD for word in term.split())
