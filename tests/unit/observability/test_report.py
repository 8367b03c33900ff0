"""A report is a value; the terminal, the page and the picture show it whole, and nothing in it does any harm."""

from __future__ import annotations

import re
from dataclasses import FrozenInstanceError, replace
from html.parser import HTMLParser
from importlib.machinery import ModuleSpec
from io import StringIO
from pathlib import Path
from xml.etree import ElementTree

import pytest
from rich.console import Console

from cormorant import ConfigurationError, Finding, Report
from cormorant.observability.events import Target
from cormorant.observability.performance import RECENT
from tests.support.reports import AUTHORS, COUNTED, FINDING, FIX, INSERTED, RUNS, STATEMENTS, report, run, stats

HOSTILE = "</code><script>alert(1)</script><img src=x onerror=alert(2)>\x1b[31m\u202e[red]&\"'"


class Page(HTMLParser):
    """Reads a page as a browser does, and insists that what is opened is closed."""

    EMPTY = ("meta", "br")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.rows: list[int] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append(0)
        if tag in ("td", "th"):
            self.rows[-1] += 1
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).split())


def drawn(made: Report, width: int = 140) -> str:
    """What a terminal shows."""
    console = Console(file=StringIO(), width=width, color_system=None)
    console.print(made)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


# ---- what it tells


TEXT = f"""\
Cormorant: a session on postgresql shop on db.internal:5432
43 statements of 3 shapes, 100.00 ms, 43 rows, 1 failed

Loaded one by one (N+1)
  Author.articles is counted one by one, 40 times by views.py:12
    Instead: count with the query of the Author objects: .annotate(Author.articles.count())

Statements, times in milliseconds
  of all  total ms  count   mean    p95    max  rows  failed  statement
     60%     60.00     40   1.50   2.25   3.00    40       0  {COUNTED}
                                                                40 x views.py:12
     30%     30.00      2  15.00  22.50  30.00     2       1  {INSERTED}
                                                                2 x views.py:7
     10%     10.00      1  10.00  10.00  10.00     1       0  {AUTHORS}
                                                                1 x views.py:11

In the order of time
  0 ms |█████▁  ▅███▅ ▃▇▇▆▆▇▇▇▆▆▇▇▇▆▆▇▇▇▆▆▇▇▇▇▆▇▇▇▇▆▆▇▇▇▁   ▅███████| 143.00 ms

Lines of the program
      60.00 ms      40 x  views.py:12
      30.00 ms       2 x  views.py:7
      10.00 ms       1 x  views.py:11

The database since it was made
  pool: size 10, in use 2
  plans: hits 45, misses 5, 90% hits
  cache: hits 3, misses 1, 75% hits
  listeners: 0
"""


def test_the_text() -> None:
    assert str(report()) == TEXT


@pytest.mark.parametrize("width", [80, 140])
def test_rich_shows_the_same(width: int) -> None:
    shown = " ".join(drawn(report(), width).split())
    for part in (
        "a session on postgresql shop",
        "Author.articles is counted one by one, 40 times by views.py:12 Instead: count with the query",
        "60% 60.00 40",
        "40 x views.py:12",
        "hits 45, misses 5, 90% hits",
        "143.00 ms",
    ):
        assert part in shown
    assert max(map(len, drawn(report(), width).splitlines())) <= width


def test_the_page_shows_the_same() -> None:
    text = Page(report().html()).text
    for part in (
        "a session on postgresql shop on db.internal:5432",
        "43 statements of 3 shapes, 100.00 ms, 43 rows, 1 failed",
        "Made 2026-03-01 12:30:00 UTC",
        "Author.articles is counted one by one, 40 times by views.py:12",
        FIX,
        COUNTED,
        "40 x views.py:12",
        "The last 43 statements",
        "hits 3, misses 1, 75% hits",
    ):
        assert part in text


def test_the_picture_has_a_bar_for_what_can_be_told_apart() -> None:
    bars = [
        (bar.get("class"), bar.findtext("{*}title"))
        for bar in ElementTree.fromstring(report().timeline()).findall(".//{*}rect")
    ]
    assert len(bars) == 43
    assert bars[0] == ("run", "1.50 ms from 35.00 ms on")
    assert ("run failed", "18.00 ms from 125.00 ms on, failed") in bars
    crowded = [run(COUNTED, 0.0, 10.0), *(run(AUTHORS, 5 + n * 0.0001, 0.0001) for n in range(100))]
    found = ElementTree.fromstring(report(runs=crowded).timeline())
    told = [bar.findtext("{*}title") for bar in found.findall(".//{*}rect")]
    assert told[1:] == ["100 runs, 10.00 ms from 5,000 ms on"]


def test_shapes_beyond_the_lanes_share_one() -> None:
    runs = [run(f"SELECT {n}", n / 10, 0.01) for n in range(30)]
    picture = report([stats(f"SELECT {n}", 1, 10.0) for n in range(30)], runs=runs).timeline()
    names = [text.text for text in ElementTree.fromstring(picture).findall(".//{*}text") if text.get("class") == "sql"]
    assert names == [*(f"SELECT {n}" for n in range(11)), "further statements"]


def test_nothing_happened() -> None:
    empty = report([], (), ())
    assert "0 statements of 0 shapes, 0.00 ms, 0 rows, none failed" in str(empty)
    assert "None were sent, or none are counted." in Page(empty.html()).text
    assert "0 statements of 0 shapes" in drawn(empty)
    assert list(ElementTree.fromstring(empty.timeline()).findall(".//{*}rect")) == []


def test_files_are_named_below_the_folder_they_share() -> None:
    here = stats("SELECT 1", 1, 1.0, [1])
    there = stats("SELECT 2", 1, 1.0)
    there["call_sites"] = [{"file": "/srv/shop/models.py", "line": 2, "count": 1}]
    found = report([here, there])
    assert [str(line.site) for line in found.lines] == ["app/views.py:1", "models.py:2"]
    there["call_sites"] = [{"file": "<stdin>", "line": 2, "count": 1}]
    assert [str(line.site) for line in report([here, there]).lines] == ["/srv/shop/app/views.py:1", "<stdin>:2"]


# ---- what it does not do


def test_the_page_loads_nothing_and_runs_nothing() -> None:
    page = report().html()
    read = Page(page)
    names = {tag for tag, _ in read.tags}
    assert names & {"script", "link", "img", "iframe", "object", "form", "base", "a"} == set()
    assert not any(name in ("src", "href") or name.startswith("on") for _, attrs in read.tags for name in attrs)
    assert re.findall(r"url\(|@import|https?://", page.replace("http://www.w3.org/2000/svg", "")) == []
    policy = next(attrs["content"] for tag, attrs in read.tags if attrs.get("http-equiv"))
    assert policy == "default-src 'none'; style-src 'unsafe-inline'"


def test_hostile_texts_are_texts() -> None:
    """SQL, names of files, hints and databases are shown, without what steers browsers and terminals."""
    bad = stats(HOSTILE, 1, 1.0)
    bad["call_sites"] = [{"file": HOSTILE, "line": 1, "count": 1}]
    made = report(
        [bad], [Finding(HOSTILE, HOSTILE, 1, 6, HOSTILE)], [run(HOSTILE, 0, 1)], Target(HOSTILE, HOSTILE, HOSTILE)
    )
    read = Page(made.html())
    assert {"script", "img"} & {tag for tag, _ in read.tags} == set()
    assert "<script>alert(1)</script><img src=x onerror=alert(2)>\N{REPLACEMENT CHARACTER}[31m" in read.text
    ElementTree.fromstring(made.timeline())
    for shown in (str(made), drawn(made, 400), made.html(), made.timeline()):
        assert not {"\x1b", "\u202e"} & set(shown)
    assert "[red]" in drawn(made, 400)


def test_much_is_cut() -> None:
    many = [stats(f"SELECT {'x' * 9000} -- {n}", 1, 1.0, [n]) for n in range(500)]
    runs = [run(f"SELECT {'x' * 9000} -- {n}", n, 0.5) for n in range(RECENT)]
    made = report(many, [replace(FINDING, line=n) for n in range(5)], runs)
    assert len(made.html()) < 700_000
    assert "the first 100 of 500" in Page(made.html()).text
    assert "and 480 more shapes" in str(made)
    assert len(str(made)) < 20_000
    assert len(drawn(made)) < 50_000


def test_it_is_a_value() -> None:
    assert report() == report()
    assert report(runs=RUNS[1:]) != report()
    assert report(STATEMENTS[1:]) != report()
    with pytest.raises(FrozenInstanceError):
        report().subject = "database"  # type: ignore[misc]


# ---- for everybody


def test_the_page_can_be_read_without_eyes() -> None:
    read = Page(report().html())
    assert dict(read.tags)["html"] == {"lang": "en"}
    headings = [tag for tag, _ in read.tags if re.fullmatch(r"h\d", tag)]
    assert headings == ["h1", "h2", "h2", "h2", "h2", "h2"]
    tables = [tag for tag, _ in read.tags if tag in ("table", "caption")]
    assert tables == ["table", "caption"] * 3
    assert all(attrs.get("scope") in ("col", "row") for tag, attrs in read.tags if tag == "th")
    # every row has a cell for every heading
    assert read.rows == [9] * 4 + [3] * 4 + [2] * 5
    picture = next(attrs for tag, attrs in read.tags if tag == "svg")
    assert picture["role"] == "img"
    assert picture["aria-label"] == "43 statements in 143.00 ms, a lane for each shape"


def ratio(one: str, two: str) -> float:
    """The contrast of two colours, as the Web Content Accessibility Guidelines 2.2 define it."""

    def luminance(colour: str) -> float:
        digits = colour.lstrip("#")
        digits = "".join(digit * 2 for digit in digits) if len(digits) == 3 else digits
        parts = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
        red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    dark, light = sorted((luminance(one), luminance(two)))
    return (light + 0.05) / (dark + 0.05)


PAIRS = [("ink", "page"), ("soft", "page"), ("bad", "page"), ("ink", "bar"), ("ink", "warn")]


def test_colours_can_be_told_apart_in_light_and_dark() -> None:
    page = report().html()
    themes = [dict(re.findall(r"--(\w+): (#\w+)", part)) for part in re.findall(r":root \{[^}]+\}", page)]
    assert len(themes) == 2
    for theme in themes:
        for ink, ground in [(i, g) for i in ("ink", "soft", "bad") for g in ("page",)] + [
            ("ink", "bar"),
            ("ink", "warn"),
        ]:
            assert ratio(theme[ink], theme[ground]) >= 4.5, (ink, ground)


# ---- where it goes


@pytest.mark.parametrize(
    ("name", "begin"), [("r.html", "<!doctype html>"), ("r.TXT", "Cormorant: "), ("r.svg", "<svg ")]
)
def test_it_is_saved_as_what_its_name_says(tmp_path: Path, name: str, begin: str) -> None:
    saved = report().save(tmp_path / name)
    assert saved == tmp_path / name
    assert saved.read_text(encoding="utf-8").startswith(begin)


def test_other_endings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"cannot be saved as 'report\.pdf'\nHint: .*\.html, \.txt or \.svg"):
        report().save(str(tmp_path / "report.pdf"))
    assert list(tmp_path.iterdir()) == []


def test_it_is_shown_by_rich_where_that_is(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "140")
    report().show()
    assert "Statements, times in milliseconds" in capsys.readouterr().out

    def nothing(name: str) -> ModuleSpec | None:
        assert name == "rich"
        return None

    monkeypatch.setattr("cormorant.observability.report.find_spec", nothing)
    report().show()
    assert capsys.readouterr().out == str(report())


def test_runs_of_what_is_not_among_the_statements_are_shown_too() -> None:
    assert "further statements" in report(runs=[run("SELECT 1", 0, 1), run(INSERTED, 2, 1)]).timeline()
