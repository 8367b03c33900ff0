"""Python line by line: what waits is waited for, what fails is told, and the session is one and the same."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from cormorant.cli.console import _Console, told


@pytest.fixture
def console() -> Iterator[_Console]:
    with asyncio.Runner() as runner:
        yield _Console(runner, {"asyncio": asyncio})


def typed(console: _Console, *lines: str) -> None:
    for line in lines:
        console.push(line)


def test_lines_that_wait(console: _Console, capsys: pytest.CaptureFixture[str]) -> None:
    typed(
        console, "import contextvars", "v = contextvars.ContextVar('v')", "await asyncio.sleep(0)", "v.set(3) and None"
    )
    typed(console, "await asyncio.sleep(0, v.get())", "for x in 1, 2:", "    await asyncio.sleep(0)", "", "print(x)")
    assert capsys.readouterr().out.splitlines() == ["3", "2"]


def test_errors_begin_at_the_line_that_was_typed(console: _Console, capsys: pytest.CaptureFixture[str]) -> None:
    typed(console, "await nothing()", "x = 5", "print(x)")
    seen = capsys.readouterr()
    assert seen.out == "5\n"
    assert seen.err.splitlines() == [
        "Traceback (most recent call last):",
        '  File "<console>", line 1, in <module>',
        "NameError: name 'nothing' is not defined",
    ]


def test_ctrl_c_ends_the_line_and_not_the_console(console: _Console, capsys: pytest.CaptureFixture[str]) -> None:
    typed(console, "raise KeyboardInterrupt", "print(1)")
    seen = capsys.readouterr()
    assert (seen.out, seen.err.strip()) == ("1\n", "KeyboardInterrupt")


def test_leaving(console: _Console) -> None:
    with pytest.raises(SystemExit):
        typed(console, "raise SystemExit(3)")


def test_a_dsn_in_an_error_is_told_without_its_password() -> None:
    assert "hunter2" not in told(ValueError("postgresql://app:hunter2@db/shop"))
