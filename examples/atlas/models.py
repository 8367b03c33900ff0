"""The standards as models: ISO 3166 (countries and their parts), 4217 (money), 639 (languages), 15924 (scripts)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from enum import Enum

from cormorant import (
    Expr,
    Many,
    Mapped,
    Model,
    One,
    TableArg,
    check,
    field,
    foreign_key,
    generated,
    hybrid,
    index,
    many_to_many,
    reverse,
    unique,
)


class Scope(Enum):
    """What a language code stands for."""

    INDIVIDUAL = "I"
    MACROLANGUAGE = "M"
    SPECIAL = "S"


class Life(Enum):
    """Whether a language is spoken."""

    LIVING = "L"
    EXTINCT = "E"
    HISTORICAL = "H"
    CONSTRUCTED = "C"
    SPECIAL = "S"


class Standard(Model, abstract=True, app="atlas"):
    """An entry of a standard. `app` prefixes the tables, so that they disturb no others in the database."""

    name: Mapped[str]

    @classmethod
    def named(cls, part: str) -> Expr[bool]:
        return cls.name.icontains(part)


class Country(Standard):
    code: Mapped[str] = field(primary_key=True, max_length=2)
    code3: Mapped[str] = field(max_length=3, unique=True)
    number: Mapped[int] = field(size="small", unique=True)
    flag: Mapped[str]
    common_name: Mapped[str | None] = field(default=None)
    official_name: Mapped[str | None] = field(default=None)
    names: Mapped[dict[str, str]] = field(default_factory=dict)  # by language
    subdivisions: Many[Subdivision] = reverse("country")
    currencies: Many[Currency] = reverse("country")
    predecessors: Many[FormerCountry] = reverse("successors")

    @classmethod
    def __table_args__(cls) -> Iterable[TableArg]:
        yield check(cls.number.between(1, 999))


class Subdivision(Standard):
    id: Mapped[int] = generated(primary_key=True)
    code: Mapped[str] = field(max_length=6)
    kind: Mapped[str] = field(max_length=60)
    country: One[Country] = foreign_key(on_delete="cascade")
    parent: One[Subdivision | None] = foreign_key(default=None, on_delete="cascade")
    parts: Many[Subdivision] = reverse("parent")

    @classmethod
    def outermost(cls) -> Expr[bool]:
        return cls.parent.is_null()

    @classmethod
    def __table_args__(cls) -> Iterable[TableArg]:
        yield unique(cls.code)
        yield index(cls.kind, cls.country)
        yield check(cls.code.startswith(cls.country.code + "-"))


class FormerCountry(Standard):
    code: Mapped[str] = field(primary_key=True, max_length=4)
    withdrawn: Mapped[int] = field(size="small")  # the year
    withdrawn_on: Mapped[date | None] = field(default=None)  # the day, where the standard tells
    successors: Many[Country] = many_to_many()


class Currency(Standard):
    code: Mapped[str] = field(primary_key=True, max_length=3)
    number: Mapped[int] = field(size="small", unique=True)
    country: One[Country | None] = foreign_key(default=None, on_delete="set_null")
    version: Mapped[int] = generated(version=True)


class Language(Standard):
    code: Mapped[str] = field(primary_key=True, max_length=3)
    code2: Mapped[str | None] = field(default=None, max_length=2, unique=True)
    scope: Mapped[Scope]
    life: Mapped[Life] = field(index=True)
    other_names: Mapped[list[str]] = field(default_factory=list)

    @hybrid
    def is_living(self) -> bool:
        return self.life == Life.LIVING


class Script(Standard):
    code: Mapped[str] = field(primary_key=True, max_length=4)
    number: Mapped[int] = field(size="small", unique=True)


MODELS: tuple[type[Standard], ...] = (Country, Subdivision, FormerCountry, Currency, Language, Script)
