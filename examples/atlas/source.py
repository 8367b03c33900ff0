"""Reads the standards out of pycountry and makes objects of them, related to each other as objects."""

from __future__ import annotations

import gettext
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, TypeAlias

import pycountry

from examples.atlas.models import Country, Currency, FormerCountry, Language, Life, Scope, Script, Standard, Subdivision

Entry: TypeAlias = Mapping[str, str]

TRANSLATIONS = {
    # the official languages of the United Nations; English is the standard's own
    language: gettext.translation("iso3166-1", pycountry.LOCALES_DIR, [language])
    for language in ("ar", "es", "fr", "ru", "zh_CN")
}


def read_atlas() -> dict[str, Sequence[Standard]]:
    """Gives the objects of each standard."""
    countries = {entry["alpha_2"]: country(entry) for entry in entries(pycountry.countries)}
    return {
        "countries": list(countries.values()),
        "subdivisions": subdivisions(countries),
        "former countries": [former_country(entry, countries) for entry in entries(pycountry.historic_countries)],
        "currencies": [currency(entry, countries) for entry in entries(pycountry.currencies)],
        "languages": list(map(language, entries(pycountry.languages))),
        "scripts": list(map(script, entries(pycountry.scripts))),
    }


def entries(standard: Iterable[Any]) -> Iterable[Entry]:
    return map(dict, standard)


def country(entry: Entry) -> Country:
    return Country(
        code=entry["alpha_2"],
        code3=entry["alpha_3"],
        number=int(entry["numeric"]),
        name=entry["name"],
        flag=entry["flag"],
        common_name=entry.get("common_name"),
        official_name=entry.get("official_name"),
        names={language: catalog.gettext(entry["name"]) for language, catalog in TRANSLATIONS.items()},
    )


def subdivisions(countries: Mapping[str, Country]) -> list[Subdivision]:
    found = {entry["code"]: subdivision(entry, countries) for entry in entries(pycountry.subdivisions)}
    for entry in entries(pycountry.subdivisions):
        if entry["parent_code"]:
            found[entry["code"]].parent = found[entry["parent_code"]]
    return list(found.values())


def subdivision(entry: Entry, countries: Mapping[str, Country]) -> Subdivision:
    return Subdivision(
        code=entry["code"], name=entry["name"], kind=entry["type"], country=countries[entry["country_code"]]
    )


def former_country(entry: Entry, countries: Mapping[str, Country]) -> FormerCountry:
    day = entry["withdrawal_date"]
    former = FormerCountry(
        code=entry["alpha_4"],
        name=entry["name"],
        withdrawn=int(day[:4]),
        withdrawn_on=date.fromisoformat(day) if len(day) > 4 else None,
    )
    former.successors.add(*successors(entry, countries))
    return former


def successors(entry: Entry, countries: Mapping[str, Country]) -> Iterable[Country]:
    """The code ends with the one successor's code, or AA if the code was kept; several are told in the comment."""
    former, successor = entry["alpha_4"][:2], entry["alpha_4"][2:]
    codes = {former if successor == "AA" else successor}
    comment = entry.get("comment", "")
    if comment.startswith(("divided into", "now split")):
        codes |= set(re.findall(r"\b[A-Z]{2}\b", comment))
        codes |= {code for code, country in countries.items() if country.name in comment}
    return [countries[code] for code in sorted(codes) if code in countries]


def currency(entry: Entry, countries: Mapping[str, Country]) -> Currency:
    # ISO 4217: the first two letters are the country's code; money of no single country begins with X, or EU
    return Currency(
        code=entry["alpha_3"],
        name=entry["name"],
        number=int(entry["numeric"]),
        country=countries.get(entry["alpha_3"][:2]),
    )


def language(entry: Entry) -> Language:
    return Language(
        code=entry["alpha_3"],
        code2=entry.get("alpha_2"),
        name=entry["name"],
        scope=Scope(entry["scope"]),
        life=Life(entry["type"]),
        other_names=[entry[name] for name in ("common_name", "inverted_name") if name in entry],
    )


def script(entry: Entry) -> Script:
    return Script(code=entry["alpha_4"], name=entry["name"], number=int(entry["numeric"]))
