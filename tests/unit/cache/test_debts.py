from __future__ import annotations

from cormorant.cache.debts import EVERYTHING, Debts


def test_what_is_owed_again_while_it_is_paid_stays_owed() -> None:
    debts = Debts(10)
    debts.add(["a", "b"])
    first = debts.some(10)
    debts.add(["b"])
    debts.paid(first)
    assert list(debts.some(10)) == ["b"]
    debts.paid(debts.some(10))
    assert not debts


def test_of_too_many_everything_is_owed() -> None:
    debts = Debts(2)
    debts.add(["a", "b"])
    before = debts.some(10)
    debts.add(["c"])
    assert list(debts.some(10)) == [EVERYTHING]
    debts.paid(before)
    assert list(debts.some(10)) == [EVERYTHING]
