"""Tells how much of the typed contract holds, under mypy and under pyright.

The contract (contract/check_*.py) says two things about the public face: every `assert_type(...)` must hold, and every
line with a `# type: ignore[...]` must be an error. Here those comments are taken out, each checker runs once over the
package, this folder and the contract together, and the lines in error are compared with the lines that should be.

    python tests/typing/partial.py             what holds, and each line that does not
    python tests/typing/partial.py --record    writes the numbers to floor.json, below which they must not fall
"""

from __future__ import annotations

import ast
import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

HERE = Path(__file__).parent.resolve()
ROOT = HERE.parents[1]
CONTRACT = HERE / "contract"
FLOOR = HERE / "floor.json"
SOURCES = ("models.py", "check_types.py", "check_more.py")
IGNORE = re.compile(r"  # type: ignore\[(.*?)\]")
# Complaints about what a checker cannot see: while a name is missing everything made of it is Any, which fits any
# `assert_type` and makes no line an error. They break a promise and never keep one.
BLIND = ("Any", "reportUnknown", "reportMissing", "reportUntyped")


KINDS = ("assert_type", "must_fail")
Counts: TypeAlias = dict[str, dict[str, int]]


class CheckerFailed(Exception):
    """A checker stopped before it had looked at everything; the message is what it printed."""


@dataclass(frozen=True)
class Error:
    """One complaint of a checker."""

    path: Path
    line: int
    code: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message}  [{self.code}]"


@dataclass(frozen=True)
class Promise:
    """One line of the contract: an `assert_type`, or with `codes` a mistake that must be found."""

    file: str
    first: int
    last: int
    codes: frozenset[str]

    @property
    def kind(self) -> str:
        """The word used in floor.json."""
        return KINDS[bool(self.codes)]

    def holds(self, errors: Iterable[Error], checker: str) -> bool:
        """Whether the promise is kept, given all complaints about its file."""
        here = [error for error in errors if self.first <= error.line <= self.last]
        if not self.codes:
            return not here
        seen = [error for error in here if not error.code.startswith(BLIND)]
        return any(error.code in self.codes for error in seen) if checker == "mypy" else bool(seen)


@dataclass(frozen=True)
class Report:
    """What one checker found."""

    kept: tuple[Promise, ...]
    broken: tuple[Promise, ...]
    surprises: tuple[Error, ...]
    """Complaints about lines of the contract that promise nothing."""
    own: tuple[Error, ...]
    """Complaints about the package and this folder."""

    def counts(self) -> Counts:
        """Gives the number of promises kept for each file and kind."""
        return _count(self.kept)


def promises(file: str) -> list[Promise]:
    """Reads the promises out of one file of the contract."""
    text = (CONTRACT / file).read_text()
    mistakes = [
        Promise(file, number, number, frozenset(match[1].replace(" ", "").split(",")))
        for number, line in enumerate(text.splitlines(), 1)
        if (match := IGNORE.search(line))
    ]
    calls = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]
    asserts = [
        Promise(file, call.lineno, call.end_lineno or call.lineno, frozenset())
        for call in calls
        if ast.unparse(call.func) == "assert_type"
    ]
    return asserts + mistakes


@cache
def check(checker: str) -> Report:
    """Runs "mypy" or "pyright" once and sorts its complaints."""
    with tempfile.TemporaryDirectory() as name:
        copy = Path(name).resolve()
        _write(copy, "")
        errors = CHECKERS[checker](copy)
        if checker == "mypy":
            # whether a mistake is found, or only what is Any is complained about, is seen with this; but then no
            # overload takes an argument with Any in it, so that what must hold is asked without it
            _write(copy, "# mypy: disallow-any-expr\n")
            errors = _merged(errors, CHECKERS[checker](copy))
    return _sorted_out(errors, copy, checker)


def _write(copy: Path, more: str) -> None:
    for file in SOURCES:
        (copy / file).write_text(IGNORE.sub("", (CONTRACT / file).read_text()) + more)


def _merged(plain: list[Error], thorough: list[Error]) -> list[Error]:
    """Takes the complaints about the lines with mistakes from the thorough run, and all others from the plain one."""
    mistakes = {(promise.file, promise.first) for file in SOURCES for promise in promises(file) if promise.codes}

    def is_mistake(error: Error) -> bool:
        return (error.path.name, error.line) in mistakes

    return [error for error in plain if not is_mistake(error)] + [error for error in thorough if is_mistake(error)]


def _sorted_out(errors: list[Error], copy: Path, checker: str) -> Report:
    about = {file: [error for error in errors if error.path == copy / file] for file in SOURCES}
    listed = [promise for file in SOURCES for promise in promises(file)]
    kept = tuple(promise for promise in listed if promise.holds(about[promise.file], checker))
    promised = {(p.file, line) for p in listed for line in range(p.first, p.last + 1)}
    surprises = (error for found in about.values() for error in found)
    return Report(
        kept=kept,
        broken=tuple(promise for promise in listed if promise not in kept),
        surprises=tuple(
            error
            for error in surprises
            if (error.path.name, error.line) not in promised and not error.code.startswith(BLIND)
        ),
        own=tuple(error for error in errors if error.path.parent != copy),
    )


def installed(checker: str) -> bool:
    """Whether a checker can be run in this environment."""
    return importlib.util.find_spec(checker) is not None


# ---- the checkers


def _mypy(copy: Path) -> list[Error]:
    # A cache of its own: a cached error would name the folder of an earlier copy.
    options = ["--output", "json", "--config-file", str(ROOT / "pyproject.toml"), "--cache-dir", str(copy / "cache")]
    paths = [ROOT / "src" / "cormorant", *sorted(HERE.glob("*.py")), *(copy / file for file in SOURCES)]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *options, *paths],
        cwd=ROOT,
        env={**os.environ, "MYPYPATH": str(copy)},
        capture_output=True,
        text=True,
    )
    if done.returncode not in (0, 1):
        raise CheckerFailed(done.stdout + done.stderr)
    found: list[dict[str, Any]] = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return [
        Error((ROOT / each["file"]).resolve(), each["line"], _mypy_code(each), each["message"])
        for each in found
        if each["severity"] == "error" and not each["message"].startswith("Expression type contains")
    ]


def _mypy_code(error: dict[str, Any]) -> str:
    return "Any" if error["message"].startswith('Expression has type "Any"') else str(error["code"])


def _pyright(copy: Path) -> list[Error]:
    config = copy / "pyrightconfig.json"
    paths = [str(ROOT / "src"), str(HERE), str(copy)]
    settings = {
        "include": [os.path.relpath(path, copy) for path in paths],
        "exclude": [os.path.relpath(CONTRACT, copy)],
        "extraPaths": [str(ROOT / "src"), str(ROOT)],
        "pythonVersion": "3.11",
        "typeCheckingMode": "strict",
        "enableTypeIgnoreComments": False,
        "reportUnnecessaryTypeIgnoreComment": "error",
    }
    config.write_text(json.dumps(settings))
    done = subprocess.run(
        [sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable, "--project", config],
        cwd=ROOT,
        env={**os.environ, "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"},
        capture_output=True,
        text=True,
    )
    if done.returncode not in (0, 1):
        raise CheckerFailed(done.stdout + done.stderr)
    found: list[dict[str, Any]] = json.loads(done.stdout)["generalDiagnostics"]
    return [
        Error(Path(each["file"]).resolve(), each["range"]["start"]["line"] + 1, each.get("rule", ""), each["message"])
        for each in found
        if each["severity"] == "error"
    ]


CHECKERS: dict[str, Callable[[Path], list[Error]]] = {"mypy": _mypy, "pyright": _pyright}


# ---- for people


def totals() -> Counts:
    """Gives the number of promises for each file and kind."""
    return _count(promise for file in SOURCES for promise in promises(file))


def _count(found: Iterable[Promise]) -> Counts:
    numbers = Counter((promise.file, promise.kind) for promise in found)
    return {file: {kind: numbers[file, kind] for kind in KINDS} for file in SOURCES if file != "models.py"}


def main(arguments: list[str]) -> None:
    """Prints what holds; with --record also writes it down."""
    reports = {checker: check(checker) for checker in CHECKERS if installed(checker)}
    for checker, report in reports.items():
        for promise in report.broken:
            print(f"{checker:8} {promise.file}:{promise.first}: {promise.kind} does not hold")
        for error in report.surprises:
            print(f"{checker:8} {error.path.name}:{error.line}: {error.message}")
    for checker, report in reports.items():
        for file, kinds in report.counts().items():
            numbers = ", ".join(f"{kind} {held} of {totals()[file][kind]}" for kind, held in kinds.items())
            print(f"{checker:8} {file:15} {numbers}")
        print(
            f"{checker:8} errors elsewhere in the contract: {len(report.surprises)}, in src and here: {len(report.own)}"
        )
    if "--record" in arguments:
        FLOOR.write_text(json.dumps({checker: report.counts() for checker, report in reports.items()}, indent=2) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
