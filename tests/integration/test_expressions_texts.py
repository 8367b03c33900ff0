"""The functions of texts and the patterns they are searched for, on both databases."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from cormorant import CormorantError, DataError, QueryError, WrongType, func, literal
from tests.support.computed import Cases, column, readings, wrong
from tests.support.readings import Reading as R

HELLO, ODD, ABC = "Hello World", "  éa%_\\ ", "abcabc"

FUNCTIONS: Cases = {
    "t + x": (lambda: R.t + "x", [HELLO + "x", ODD + "x", ABC + "x"]),
    "x + t": (lambda: "x" + R.t, ["x" + HELLO, "x" + ODD, "x" + ABC]),
    "t + u": (lambda: R.t + R.u, [None, ODD + "x", "abcabcabc"]),
    "lower": (lambda: func.lower(R.t), ["hello world", ODD, ABC]),
    "upper": (lambda: func.upper(R.t), ["HELLO WORLD", "  ÉA%_\\ ", "ABCABC"]),
    "length": (lambda: func.length(R.t), [11, 8, 6]),
    "length of NULL": (lambda: func.length(R.u), [None, 1, 3]),
    "reverse": (lambda: func.reverse(R.t), ["dlroW olleH", " \\_%aé  ", "cbacba"]),
    "concat": (lambda: func.concat(R.t, "-", R.u, R.u), ["Hello World-", ODD + "-xx", "abcabc-abcabc"]),
    "concat of one": (lambda: func.concat(R.u), ["", "x", "abc"]),
    "concat in an operator": (lambda: func.concat(R.u, "!") + "?", ["!?", "x!?", "abc!?"]),
    "trim": (lambda: func.trim(R.t), [HELLO, "éa%_\\", ABC]),
    "trim of characters": (lambda: func.trim(R.t, "ad"), ["Hello Worl", ODD, "bcabc"]),
    "trim of no characters": (lambda: func.trim(R.t, ""), [HELLO, ODD, ABC]),
    "ltrim": (lambda: func.ltrim(R.t, "aH "), ["ello World", "éa%_\\ ", "bcabc"]),
    "rtrim": (lambda: func.rtrim(R.t, "d "), ["Hello Worl", "  éa%_\\", ABC]),
    "substr to the end": (lambda: func.substr(R.t, 2), ["ello World", " éa%_\\ ", "bcabc"]),
    "substr": (lambda: func.substr(R.t, 2, 3), ["ell", " éa", "bca"]),
    "substr of nothing": (lambda: func.substr(R.t, 1, 0), ["", "", ""]),
    "substr behind the end": (lambda: func.substr(R.t, 100, 3), ["", "", ""]),
    "substr from before the first": (lambda: func.substr(R.t, R.n, 3), ["Wor", "", "ab"]),
    "substr from before to the end": (lambda: func.substr(R.t, R.n), ["World", ODD, ABC]),
    "substr of so many": (lambda: func.substr(R.t, 2, R.m), [None, " é", "bca"]),
    "substr of less than nothing": (lambda: func.substr(R.t, 2, R.n), DataError),
    "replace": (lambda: func.replace(R.t, "l", "L"), ["HeLLo WorLd", ODD, ABC]),
    "replace nothing": (lambda: func.replace(R.t, "", "L"), [HELLO, ODD, ABC]),
    "replace by a column": (lambda: func.replace(R.t, "a", R.u), [None, "  éx%_\\ ", "abcbcabcbc"]),
    "left": (lambda: func.left(R.t, 3), ["Hel", "  é", "abc"]),
    "left 0": (lambda: func.left(R.t, 0), ["", "", ""]),
    "left of more": (lambda: func.left(R.t, 100), [HELLO, ODD, ABC]),
    "right": (lambda: func.right(R.t, 3), ["rld", "_\\ ", "abc"]),
    "right 0": (lambda: func.right(R.t, 0), ["", "", ""]),
    "right of more": (lambda: func.right(R.t, 100), [HELLO, ODD, ABC]),
    "lpad": (lambda: func.lpad(R.t, 13, "xy"), ["xyHello World", "xyxyx" + ODD, "xyxyxyxabcabc"]),
    "rpad": (lambda: func.rpad(R.t, 13, "xy"), ["Hello Worldxy", ODD + "xyxyx", "abcabcxyxyxyx"]),
    "lpad cuts": (lambda: func.lpad(R.t, 3), ["Hel", "  é", "abc"]),
    "lpad with nothing": (lambda: func.lpad(R.t, 13, ""), [HELLO, ODD, ABC]),
    "rpad to nothing": (lambda: func.rpad(R.t, 0), ["", "", ""]),
    "strpos": (lambda: func.strpos(R.t, "l"), [3, 0, 0]),
    "strpos of nothing": (lambda: func.strpos(R.t, ""), [1, 1, 1]),
    "strpos in NULL": (lambda: func.strpos(R.u, "b"), [None, 0, 2]),
}

PATTERNS: Cases = {
    "like": (lambda: R.t.like("H%"), [True, False, False]),
    "like knows case": (lambda: R.t.like("h%"), [False, False, False]),
    "like one character": (lambda: R.t.like("_b%"), [False, False, True]),
    "like is of the whole": (lambda: R.t.like("b"), [False, False, False]),
    "like with escapes": (lambda: R.t.like("%a\\%\\_\\\\%"), [False, True, False]),
    "like of nothing": (lambda: R.t.like(""), [False, False, False]),
    "like of NULL": (lambda: R.u.like("x"), [None, True, False]),
    "like of a column": (lambda: R.t.like(R.u), [None, False, False]),
    "like with an end that escapes nothing": (lambda: R.t.like("a\\"), DataError),
    "like over lines": (lambda: literal("a\nb").like("a_b"), [True, True, True]),
    "like of what is special elsewhere": (lambda: literal("a.[b]*").like("a.[b]*"), [True, True, True]),
    "like is no regular expression": (lambda: literal("axb").like("a.b"), [False, False, False]),
    "ilike": (lambda: R.t.ilike("h%D"), [True, False, False]),
    "ilike beyond ASCII": (lambda: R.t.ilike("%É%"), [False, True, False]),
    "not like": (lambda: R.u.not_like("x"), [None, False, True]),
    "not ilike": (lambda: R.u.not_ilike("X"), [None, False, True]),
    "matches": (lambda: R.t.matches(r"^H\w+ W"), [True, False, False]),
    "matches a part": (lambda: R.t.matches("o.*o"), [True, False, False]),
    "matches knows case": (lambda: R.t.matches("h"), [False, False, False]),
    "matches over lines": (lambda: literal("a\nb").matches("a.b"), [True, True, True]),
    "imatches": (lambda: R.t.imatches("^h"), [True, False, False]),
    "matches to the very end": (lambda: literal("ab\n").matches("^ab$"), [False, False, False]),
    "matches digits of ASCII": (lambda: literal("\u0663").matches(r"^[\d]$"), [False, False, False]),
    "matches letters of every script": (lambda: literal("\u00e9").matches(r"^\w$"), [True, True, True]),
    "matches no blank that does not break": (lambda: literal("\u00a0").matches(r"^\s$"), [False, False, False]),
    "matches wide blanks": (lambda: literal("\u3000").matches(r"^[\s]$"), [True, True, True]),
    "imatches to the very end": (lambda: literal("ab\n").imatches("^AB$"), [False, False, False]),
    "matches no regular expression": (lambda: R.t.matches("("), DataError),
    "imatches no regular expression": (lambda: R.t.imatches("[a"), DataError),
    "not matches": (lambda: ~R.u.matches("b"), [None, True, False]),
    "matches a column": (lambda: R.t.matches(R.u), [None, False, True]),
}


@pytest.mark.parametrize("cases", [FUNCTIONS, PATTERNS])
async def test_texts(database_dsn: str, cases: Cases) -> None:
    assert await wrong(database_dsn, cases) == {}


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: func.lower(R.n), r"func\.lower\(\) takes a text, and Reading\.n is integer"),
        (lambda: func.upper("x"), r"func\.upper\(\) takes an expression, not 'x' \(str\)\nHint: .*literal"),
        (lambda: func.length(None), r"func\.length\(\) takes an expression, not None"),
        (lambda: func.substr(R.t, 0), r"func\.substr\(start\) takes a whole number from 1 to 2147483647, not 0"),
        (lambda: func.substr(R.t, -2, 1), r"func\.substr\(start\) takes a whole number"),
        (lambda: func.substr(R.t, 1, -1), r"func\.substr\(count\) takes a whole number from 0"),
        (lambda: func.substr(R.t, R.x), r"func\.substr\(start\) takes integer, and Reading\.x is float"),
        (lambda: func.left(R.t, -1), r"func\.left\(\) takes a whole number from 0"),
        (lambda: func.right(R.t, True), r"func\.right\(\) takes a whole number from 0"),
        (lambda: func.lpad(R.t, 10**9), r"func\.lpad\(\) takes a whole number from 0 to 1000000"),
        (lambda: func.lpad(R.t, 3, 4), r"func\.lpad\(\) takes an expression, not 4 \(int\)"),
        (lambda: func.replace(R.t, None, "x"), r"func\.replace\(\) takes an expression, not None"),
        (lambda: func.concat(R.t, 3), r"func\.concat\(\) takes an expression, not 3 \(int\)"),
        (lambda: func.concat(R.t, R.n), r"func\.concat\(\) takes a text, and Reading\.n is integer"),
        (lambda: R.n.like("x"), r"Reading\.n\.like\(\) takes a text, and Reading\.n is integer"),
        (lambda: R.t.like(3), r"Reading\.t\.like\(\) takes an expression, not 3"),
        (lambda: R.t.matches(None), r"Reading\.t\.matches\(\) takes an expression, not None"),
        (lambda: R.t.like("a\0"), r"Reading\.t\.like\(\): a text with the character NUL cannot be kept"),
        (lambda: func.strpos(R.t, "\0"), r"func\.strpos\(\): a text with the character NUL"),
        (lambda: R.t + "\0", r"Reading\.t: a text with the character NUL"),
    ],
)
def test_texts_of_the_wrong_types(build: Callable[[], Any], message: str) -> None:
    with pytest.raises(WrongType, match=message):
        build()


def test_nothing_is_no_text() -> None:
    with pytest.raises(QueryError, match=r"func\.concat\(\) of nothing\nHint: "):
        func.concat()


HOSTILE = [
    "'; DROP TABLE readings; --",
    '"',
    "'",
    "\\'",
    "%s %(x)s {0} {x} $1 ?1 :x",
    "$$ $tag$",
    "\N{RIGHT-TO-LEFT OVERRIDE}\N{ZERO WIDTH JOINER}\N{BYTE ORDER MARK}",
    "x" * 1_000_000,
    "\U0001f600",
]


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text[:20]))
async def test_hostile_texts_stay_texts(database_dsn: str, text: str) -> None:
    async with readings(database_dsn) as session:
        pattern = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        for expr, expected in (
            (literal(text), text),
            (literal(text).like(pattern), True),
            (literal(text).ilike(pattern), True),
            (func.concat(text, R.u), text),
            (func.replace(R.u, text, text), None),
            (func.strpos(literal(text), text), 1),
            (func.length(literal(text)), len(text)),
            (func.reverse(func.reverse(literal(text))), text),
            (func.coalesce(R.u, text), text),
        ):
            assert (await column(session, expr))[0] == expected
        assert await session.query(R).count() == 3


@pytest.mark.parametrize("name", ["\ud800", "a\udfffb"])
async def test_lone_surrogates_are_refused(database_dsn: str, name: str) -> None:
    async with readings(database_dsn) as session:
        for made in (
            lambda: literal(name),
            lambda: R.t.like(name),
            lambda: R.t.matches(name),
            lambda: func.concat(R.t, name),
        ):
            with pytest.raises(CormorantError):
                await column(session, made())
        assert await session.query(R).count() == 3
