"""Regular expressions mean on SQLite what they mean on PostgreSQL."""

from __future__ import annotations

import re
import sys

import pytest

from cormorant.adapters.sqlite_patterns import compiled, translated
from cormorant.adapters.sqlite_reasons import Refused

CASES = [
    (r"^ab$", "ab", True),
    (r"^ab$", "ab\n", False),
    (r"ab\$", "ab$", True),
    (r"[$]", "$", True),
    (r"[^$]", "$", False),
    (r"[]$]", "$", True),
    (r"[^]$]", "]", False),
    (r"[\]$]x", "$x", True),
    (r"(a$|b)c?", "a\n", False),
    (r"^\d$", "3", True),
    (r"^\d$", "\u0663", False),
    (r"^[\d]$", "\u0663", False),
    (r"^[\da-f]+$", "0f", True),
    (r"^\D$", "\u0663", True),
    (r"^[\D]$", "\u0663", True),
    (r"^[^\D]$", "3", True),
    (r"\\d", r"\d", True),
    (r"\\d", r"\3", False),
    (r"^\d{2,3}$", "123", True),
    (r"^\s$", "\u00a0", False),
    (r"^\s$", "\u2003", True),
    (r"^[\s]$", "\t", True),
    (r"^\S$", "\u00a0", True),
    (r"^[\S]$", "\u00a0", True),
    (r"^\w$", "\u00e9", True),
    (r"^\w$", "\u0663", True),
    (r"a.b", "a\nb", True),
    (r"(?i)^AB$", "ab", True),
    (r"(?i)^AB$", "ab\n", False),
    (r"(?m)^a$", "a\nb", True),
    (r"(?#costs $[)a$", "a\n", False),
    ("(?x) a  # costs [$\n b$", "ab", True),
    ("(?x) a  # costs [$\n b$", "ab\n", False),
    (r"a#[b$]", "a#$", True),
]


@pytest.mark.parametrize(("pattern", "text", "found"), CASES)
def test_a_pattern_finds_what_it_finds_on_postgresql(pattern: str, text: str, found: bool) -> None:
    assert (compiled(pattern, 0).search(text) is not None) is found


def test_the_classes_in_classes_are_those_outside() -> None:
    everything = "".join(map(chr, range(sys.maxunicode + 1)))
    for name in "dDsS":
        outside = re.findall(translated(rf"\{name}"), everything)
        assert outside == re.findall(translated(rf"[\{name}]"), everything)


@pytest.mark.parametrize("pattern", ["(", "[", "[^]", "a\\", "*", "[z-a]"])
def test_what_is_no_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(Refused, match="invalid regular expression"):
        compiled(pattern, 0)
