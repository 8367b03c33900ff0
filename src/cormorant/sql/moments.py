"""The functions of dates and moments; moments are read in UTC, whatever the server's time zone is."""

from __future__ import annotations

import datetime as dt
from typing import Any, Literal, TypeAlias, TypeVar, overload

from cormorant.errors import WrongType
from cormorant.sql import types as t
from cormorant.sql.arguments import DATES, TIMES, expression
from cormorant.sql.conversions import cast
from cormorant.sql.expr import Expr
from cormorant.sql.formulas import Formula
from cormorant.sql.operators import kind_of

M = TypeVar("M", dt.datetime, "dt.datetime | None", dt.date, "dt.date | None")
Unit: TypeAlias = Literal["year", "quarter", "month", "week", "day", "hour", "minute", "second"]

_OF_DAYS = ("year", "quarter", "month", "week", "day")
_OF_TIMES = ("hour", "minute", "second")


class Moments:
    """`func.now`, `func.year`, `func.trunc` and the like."""

    def now(self) -> Expr[dt.datetime]:
        """The present moment: on PostgreSQL the start of the transaction."""
        return Formula("now", (), t.DATETIME, nullable=False)

    def today(self) -> Expr[dt.date]:
        """The present date in UTC."""
        return Formula("today", (), t.DATE, nullable=False)

    @overload
    def date(self, expr: Expr[dt.datetime]) -> Expr[dt.date]: ...
    @overload
    def date(self, expr: Expr[dt.datetime | None]) -> Expr[dt.date | None]: ...
    def date(self, expr: Any) -> Any:
        """The date of a moment in UTC."""
        return cast(expression("func.date()", expr, DATES), dt.date)

    def trunc(self, unit: Unit, expr: Expr[M]) -> Expr[M]:
        """The beginning of the year, quarter, month, week (Monday), day, hour, minute or second, in UTC.

        Example:
            >>> func.trunc("month", Article.created)    # date_trunc('month', "articles"."created", 'UTC')
        """
        place = "func.trunc()"
        part = expression(place, expr, DATES)
        units = _OF_DAYS if kind_of(part.type) == "date" else (*_OF_DAYS, *_OF_TIMES)
        if unit not in units:
            raise WrongType(f"{place}: {unit!r} is no unit of {part!r}", hint=f"use one of {', '.join(units)}")
        return Formula(f"trunc {unit}", (part,), t.DATE if kind_of(part.type) == "date" else t.DATETIME)

    @overload
    def year(self, expr: Expr[dt.date]) -> Expr[int]: ...
    @overload
    def year(self, expr: Expr[dt.date | None]) -> Expr[int | None]: ...
    def year(self, expr: Any) -> Any:
        """The year."""
        return _part("year", expr)

    @overload
    def quarter(self, expr: Expr[dt.date]) -> Expr[int]: ...
    @overload
    def quarter(self, expr: Expr[dt.date | None]) -> Expr[int | None]: ...
    def quarter(self, expr: Any) -> Any:
        """The quarter of the year, 1 to 4."""
        return _part("quarter", expr)

    @overload
    def month(self, expr: Expr[dt.date]) -> Expr[int]: ...
    @overload
    def month(self, expr: Expr[dt.date | None]) -> Expr[int | None]: ...
    def month(self, expr: Any) -> Any:
        """The month, 1 to 12."""
        return _part("month", expr)

    @overload
    def week(self, expr: Expr[dt.date]) -> Expr[int]: ...
    @overload
    def week(self, expr: Expr[dt.date | None]) -> Expr[int | None]: ...
    def week(self, expr: Any) -> Any:
        """The week of the year by ISO 8601, 1 to 53: the first week is the one with January 4th."""
        return _part("week", expr)

    @overload
    def day(self, expr: Expr[dt.date]) -> Expr[int]: ...
    @overload
    def day(self, expr: Expr[dt.date | None]) -> Expr[int | None]: ...
    def day(self, expr: Any) -> Any:
        """The day of the month, 1 to 31."""
        return _part("day", expr)

    @overload
    def weekday(self, expr: Expr[dt.date]) -> Expr[int]: ...
    @overload
    def weekday(self, expr: Expr[dt.date | None]) -> Expr[int | None]: ...
    def weekday(self, expr: Any) -> Any:
        """The day of the week by ISO 8601, 1 (Monday) to 7 (Sunday), as `isoweekday()` in Python."""
        return _part("weekday", expr)

    @overload
    def day_of_year(self, expr: Expr[dt.date]) -> Expr[int]: ...
    @overload
    def day_of_year(self, expr: Expr[dt.date | None]) -> Expr[int | None]: ...
    def day_of_year(self, expr: Any) -> Any:
        """The day of the year, 1 to 366."""
        return _part("day_of_year", expr)

    @overload
    def hour(self, expr: Expr[dt.datetime] | Expr[dt.time]) -> Expr[int]: ...
    @overload
    def hour(self, expr: Expr[dt.datetime | None] | Expr[dt.time | None]) -> Expr[int | None]: ...
    def hour(self, expr: Any) -> Any:
        """The hour, 0 to 23."""
        return _part("hour", expr, TIMES)

    @overload
    def minute(self, expr: Expr[dt.datetime] | Expr[dt.time]) -> Expr[int]: ...
    @overload
    def minute(self, expr: Expr[dt.datetime | None] | Expr[dt.time | None]) -> Expr[int | None]: ...
    def minute(self, expr: Any) -> Any:
        """The minute, 0 to 59."""
        return _part("minute", expr, TIMES)

    @overload
    def second(self, expr: Expr[dt.datetime] | Expr[dt.time]) -> Expr[int]: ...
    @overload
    def second(self, expr: Expr[dt.datetime | None] | Expr[dt.time | None]) -> Expr[int | None]: ...
    def second(self, expr: Any) -> Any:
        """The whole seconds, 0 to 59."""
        return _part("second", expr, TIMES)

    @overload
    def epoch(self, expr: Expr[dt.date] | Expr[dt.timedelta]) -> Expr[float]: ...
    @overload
    def epoch(self, expr: Expr[dt.date | None] | Expr[dt.timedelta | None]) -> Expr[float | None]: ...
    def epoch(self, expr: Any) -> Any:
        """The seconds since 1970 in UTC, or those of a length of time, with their fraction."""
        return Formula("epoch", (expression("func.epoch()", expr, _LENGTHS),), t.FLOAT)


_LENGTHS = frozenset({*DATES, "interval"})


def _part(name: str, expr: object, kinds: frozenset[str] = DATES) -> Expr[Any]:
    return Formula(name, (expression(f"func.{name}()", expr, kinds),), t.INTEGER)
