"""Random values of columns that keep to their limits."""

from __future__ import annotations

import math
import string
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Context, Decimal
from fractions import Fraction
from functools import reduce
from random import Random
from typing import Any

from polyfactory.value_generators.regex import RegexFactory

from cormorant.sql import types as t
from cormorant.testing.limits import Limits

_ALPHABETS = (string.ascii_letters + string.digits, string.ascii_lowercase, string.ascii_uppercase, string.digits)
_LONG = 24
"""Random texts of as many characters do not meet by chance."""
_WIDE = 1 << 31
_NARROW = 1000
_MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = timedelta(days=1) // _MICROSECOND


@dataclass(frozen=True, slots=True)
class _Scale:
    """Values of a kind as whole steps.

    Args:
        fraction: Gives the number that a value stands for.
        value: Gives the value of a number.
        step: The distance of values.
        lowest: The smallest number that there is; None for none.
        highest: The largest one.
        start: A number to begin at where nothing is said.
        spread: How many steps values are apart at most where nothing is said.
    """

    fraction: Callable[[Any], Fraction]
    value: Callable[[Fraction], Any]
    step: Fraction = Fraction(1)
    lowest: Fraction | None = None
    highest: Fraction | None = None
    start: Fraction = Fraction(0)
    spread: int = _NARROW


class Maker:
    """Makes random values of one kind; each of them is to be checked, and another one tried where it is refused.

    Args:
        python: The Python class of the values.
        type_: The column's type.
        limits: What the values keep to.
        unique: They do not meet by chance.
    """

    def __init__(self, python: Any, type_: t.SqlType, limits: Limits, *, unique: bool) -> None:
        self._python = python
        self._type = type_
        self._limits = limits
        self._unique = unique

    @property
    def fits(self) -> bool:
        """Whether values of this kind are made here."""
        if self._python is str:
            return self._limits.are_any
        return self._python in (int, float, Decimal, *_MOMENTS) and (self._limits.are_any or self._unique)

    def make(self, random: Random, tried: int) -> Any:
        """Gives a value, or None if the limits leave no room for any.

        Args:
            random: Where chance comes from.
            tried: How many values were refused before.
        """
        if self._python is str:
            return self._text(random, tried)
        if self._python is float and not self._limits.factors:
            return self._float(random)
        return next((made for scale in self._scales() if (made := self._on(scale, random)) is not None), None)

    # ---- texts

    def _text(self, random: Random, tried: int) -> str | None:
        limits = self._limits
        shortest = max(limits.shortest, 1)
        longest = max(shortest, _LONG) if limits.longest is None else limits.longest
        if longest < limits.shortest:
            return None
        shortest = min(longest, max(shortest, _LONG) if self._unique else shortest)
        if limits.patterns:
            return self._matching(random, shortest, longest)
        # some validators want letters or digits of one kind
        alphabet = _ALPHABETS[tried % len(_ALPHABETS)]
        return "".join(random.choices(alphabet, k=random.randint(shortest, longest)))

    def _matching(self, random: Random, shortest: int, longest: int) -> str:
        repeated = random.choice([longest, 10] if self._unique else [1, 3, 10, longest])
        made = RegexFactory(random, limit=repeated)(random.choice(self._limits.patterns))
        # where the pattern has no end, more may follow
        missing = shortest - len(made) if random.random() < 0.5 else 0
        return made + "".join(random.choices(string.ascii_letters, k=max(missing, 0)))

    # ---- numbers

    def _float(self, random: Random) -> float | None:
        lows = [math.nextafter(low, math.inf) if strict else float(low) for low, strict in self._limits.lows]
        highs = [math.nextafter(high, -math.inf) if strict else float(high) for high, strict in self._limits.highs]
        low, high = max(lows, default=None), min(highs, default=None)
        spread = float(_WIDE if self._unique else _NARROW)
        if low is None:
            low = 0.0 if high is None else high - spread
        if high is None:
            high = low + spread
        # what is computed between two floats may come out beside them
        return None if low > high else min(max(random.uniform(low, high), low), high)

    def _scales(self) -> list[_Scale]:
        if self._python in _MOMENTS:
            return [_MOMENTS[self._python]()]
        spread = _WIDE if self._unique else _NARROW
        if self._python is Decimal:
            return [self._decimals(places, spread) for places in self._places()]
        if self._python is float:
            return [_Scale(Fraction, float, step=self._limits.factors[0], spread=spread)]
        low, high = self._type.bounds if isinstance(self._type, t.Integer) else (None, None)
        lowest, highest = (None if each is None else Fraction(each) for each in (low, high))
        return [_Scale(Fraction, int, lowest=lowest, highest=highest, spread=spread)]

    def _places(self) -> tuple[int, ...]:
        if self._limits.places is not None:
            return (self._limits.places,)
        most = min((digits for digits, _ in self._limits.digits), default=_LONG)
        # more of them where the limits are close to each other
        return tuple(sorted({min(places, most) for places in (2, 0, 6, 12, _LONG)}, key=lambda each: (each != 2, each)))

    def _decimals(self, places: int, spread: int) -> _Scale:
        step = Fraction(1, 10**places)
        most = [
            Fraction(10) ** (digits - (places if own is None else own)) - step for digits, own in self._limits.digits
        ]
        highest = min(most, default=None)
        lowest = None if highest is None else -highest
        return _Scale(Fraction, _decimal, step, lowest, highest, spread=math.ceil(spread / step))

    def _on(self, scale: _Scale, random: Random) -> Any:
        step = reduce(_common, self._limits.factors, scale.step)
        lows = [_first(scale.fraction(low) / step, strict=strict) for low, strict in self._limits.lows]
        highs = [-_first(-scale.fraction(high) / step, strict=strict) for high, strict in self._limits.highs]
        low, high = max(lows, default=None), min(highs, default=None)
        if low is None:
            low = math.ceil(scale.start / step) if high is None else high - scale.spread
        if high is None:
            high = low + scale.spread
        if scale.lowest is not None:
            low = max(low, math.ceil(scale.lowest / step))
        if scale.highest is not None:
            high = min(high, math.floor(scale.highest / step))
        return None if low > high else scale.value(random.randint(low, high) * step)


def _first(number: Fraction, *, strict: bool) -> int:
    return math.floor(number) + 1 if strict else math.ceil(number)


def _common(one: Fraction, other: Fraction) -> Fraction:
    """Gives the smallest number that both divide."""
    numerator = math.lcm(one.numerator * other.denominator, other.numerator * one.denominator)
    return Fraction(numerator, one.denominator * other.denominator)


def _decimal(number: Fraction) -> Decimal:
    return Context(prec=1000).divide(Decimal(number.numerator), Decimal(number.denominator))


def _dates() -> _Scale:
    def number(day: date) -> Fraction:
        return Fraction(day.toordinal())

    def value(number: Fraction) -> date:
        return date.fromordinal(int(number))

    lowest, highest = number(date.min), number(date.max)
    start = number(datetime.now(UTC).date()) - _NARROW
    return _Scale(number, value, lowest=lowest, highest=highest, start=start)


def _datetimes() -> _Scale:
    def number(moment: datetime) -> Fraction:
        return Fraction((moment - _EPOCH) // _MICROSECOND)

    lowest, highest = number(datetime.min.replace(tzinfo=UTC)), number(datetime.max.replace(tzinfo=UTC))
    start = number(datetime.now(UTC)) - 100 * _DAY
    return _Scale(number, lambda n: _EPOCH + int(n) * _MICROSECOND, Fraction(1), lowest, highest, start, 100 * _DAY)


def _times() -> _Scale:
    def number(moment: time) -> Fraction:
        return Fraction((datetime.combine(_EPOCH.date(), moment, UTC) - _EPOCH) // _MICROSECOND)

    def value(number: Fraction) -> time:
        return (_EPOCH + int(number) * _MICROSECOND).time()

    return _Scale(number, value, lowest=Fraction(0), highest=Fraction(_DAY - 1), spread=_DAY)


def _intervals() -> _Scale:
    return _Scale(lambda length: Fraction(length // _MICROSECOND), lambda n: int(n) * _MICROSECOND, spread=100 * _DAY)


_MOMENTS: dict[Any, Callable[[], _Scale]] = {
    date: _dates,
    datetime: _datetimes,
    time: _times,
    timedelta: _intervals,
}
