"""Types are part of the public face: mypy --strict and pyright strict agree on the package and on the contract."""

from __future__ import annotations

import json

import pytest

from tests.typing.partial import CHECKERS, FLOOR, Counts, check, installed, totals

FLOORS: dict[str, Counts] = json.loads(FLOOR.read_text())


@pytest.fixture(params=sorted(CHECKERS))
def checker(request: pytest.FixtureRequest) -> str:
    """The name of a checker that is installed."""
    name = str(request.param)
    if not installed(name):
        pytest.skip(f"{name} is not installed; to check types: pip install 'cormorant[lint]'")
    return name


def test_the_package_and_its_typing_tests_are_clean(checker: str) -> None:
    assert [str(error) for error in check(checker).own] == []


def test_no_promise_of_the_contract_is_lost(checker: str) -> None:
    now = check(checker).counts()
    lost = {
        f"{file} {kind}": f"{now[file][kind]} hold, {floor} did"
        for file, kinds in FLOORS[checker].items()
        for kind, floor in kinds.items()
        if now[file][kind] < floor
    }
    assert lost == {}, "python tests/typing/partial.py lists the lines"


def test_a_contract_that_holds_has_no_other_errors(checker: str) -> None:
    report = check(checker)
    if report.counts() == totals():
        assert [str(error) for error in report.surprises] == []
