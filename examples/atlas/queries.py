"""Questions for the atlas, each a typed query or two."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import astuple, dataclass
from datetime import date
from typing import TypeAlias

from cormorant import AsyncSession, Q, func
from examples.atlas.models import MODELS, Country, Currency, FormerCountry, Language, Script, Standard, Subdivision
from examples.atlas.report import Answer

Question: TypeAlias = Callable[[AsyncSession], Awaitable[Answer]]


async def row_counts(session: AsyncSession, title: str = "Rows") -> Answer:
    rows = [(model.__name__, await session.query(model).count()) for model in MODELS]
    links = await session.query(FormerCountry).aggregate(func.sum(FormerCountry.successors.count()))
    return Answer(title, ("model", "rows"), [*rows, ("successors of former countries", links)])


async def one_country(session: AsyncSession) -> Answer:
    country = await session.get_one(Country, "CH")
    currencies = await country.currencies
    rows = [
        ("name", country.name),
        ("in Arabic, French and Chinese", ", ".join(country.names[language] for language in ("ar", "fr", "zh_CN"))),
        ("currencies", names(currencies)),
        ("cantons", await session.query(Subdivision).filter(country=country, kind="Canton").count()),
    ]
    return Answer("A country, by its key", ("what", "value"), rows)


async def united(session: AsyncSession) -> Answer:
    query = session.query(Country).filter(Country.official_name.startswith("United")).order_by(Country.code.desc())
    rows = await query.limit(4).values(Country.code, Country.official_name)
    return Answer("Officially united", ("code", "official name"), rows)


async def silent_languages(session: AsyncSession) -> Answer:
    signed = Q(name__icontains="sign language") | Q(name__endswith=" Sign")
    query = session.query(Language).filter(signed).exclude(Language.is_living).order_by(Language.code)
    rows = [(language.code, language.name, language.life.name.lower()) for language in await query]
    return Answer("Sign languages nobody lives with", ("code", "name", "life"), rows)


async def lives_of_languages(session: AsyncSession) -> Answer:
    count = func.count()
    query = session.query(Language).group_by(Language.life, Language.scope).values(Language.life, Language.scope, count)
    query = query.order_by(count.desc(), Language.life, Language.scope)
    rows = [(life.name.lower(), scope.name.lower(), n) for life, scope, n in await query]
    return Answer("How languages live", ("life", "scope", "languages"), rows)


async def kinds_of_subdivisions(session: AsyncSession) -> Answer:
    count, countries = func.count(), func.count(Subdivision.country, distinct=True)
    query = session.query(Subdivision).values(Subdivision.kind, count, countries).group_by(Subdivision.kind)
    rows = await query.having(countries >= 10).order_by(countries.desc(), count.desc())
    return Answer("What countries are divided into", ("kind", "subdivisions", "countries"), rows)


async def most_divided(session: AsyncSession) -> Answer:
    parts = Country.subdivisions.count()
    outermost = Country.subdivisions.count(Subdivision.outermost())
    query = session.query(Country).order_by(parts.desc(), Country.code).limit(5)
    rows = [(country.code, country.name, m, n) for country, m, n in await query.annotate(parts, outermost)]
    return Answer("The most divided", ("code", "country", "subdivisions", "outermost"), rows)


async def undivided_dollars(session: AsyncSession) -> Answer:
    query = session.query(Country).filter(Country.subdivisions.none(), Country.currencies.any(Currency.named("dollar")))
    rows = [(country.code, country.name) for country in await query.order_by(Country.code)]
    return Answer("Undivided, with a dollar of their own", ("code", "country"), rows)


async def money_of_the_many(session: AsyncSession) -> Answer:
    several = Currency.country.currencies.count() >= 3
    query = session.query(Currency).filter(several).order_by(Currency.code)
    rows = await query.values(Currency.country.name, Currency.code, Currency.name)
    return Answer("Countries with three currencies", ("country", "code", "currency"), rows)


async def same_names(session: AsyncSession) -> Answer:
    places = await session.query(Subdivision).filter(Subdivision.name == "Central").order_by(Subdivision.code)
    rows = [(place.code, place.kind, (await place.country).name) for place in places]
    return Answer("Places called Central", ("code", "kind", "country"), rows)


async def trail(session: AsyncSession) -> Answer:
    places = [await session.query(Subdivision).get(code="FR-68")]
    while (above := places[-1].parent) is not None:
        places.append(await above)
    return Answer("From Haut-Rhin upwards", ("code", "name", "kind"), [(p.code, p.name, p.kind) for p in places])


async def nations(session: AsyncSession) -> Answer:
    query = session.query(Subdivision).filter(Subdivision.outermost(), country__code="GB").order_by(Subdivision.code)
    rows = [(nation.code, nation.name, len(await nation.parts)) for nation in await query]
    return Answer("The parts of the United Kingdom", ("code", "name", "parts"), rows)


async def former_countries(session: AsyncSession) -> Answer:
    nineties = FormerCountry.withdrawn_on.between(date(1990, 1, 1), date(1999, 12, 31))
    query = session.query(FormerCountry).filter(nineties).order_by(FormerCountry.withdrawn_on, FormerCountry.code)
    rows = [(former.withdrawn_on, former.name, names(await former.successors)) for former in await query]
    return Answer("Withdrawn in the nineties", ("day", "former country", "goes on as"), rows)


async def merged(session: AsyncSession) -> Answer:
    count = Country.predecessors.count()
    query = session.query(Country).filter(count > 1).order_by(count.desc(), Country.code)
    rows = [(country.name, n) for country, n in await query.annotate(count)]
    return Answer("Made of several", ("country", "former countries"), rows)


async def scripts(session: AsyncSession) -> Answer:
    query = session.query(Script)
    first, last, mean = await query.aggregate(func.min(Script.number), func.max(Script.number), func.avg(Script.number))
    korean = await query.filter(Script.named("hangul")).exists()
    rows = [("smallest number", first), ("largest", last), ("mean", mean), ("is Hangul there?", korean)]
    return Answer("Scripts", ("what", "value"), rows)


@dataclass
class LongName:
    code: str
    name: str
    letters: int


async def longest_names(session: AsyncSession) -> Answer:
    letters = func.length(Language.name)
    query = session.query(Language).order_by(letters.desc(), Language.code).limit(3)
    found = await query.values(Language.code, Language.name, letters.label("letters")).into(LongName)
    return Answer("The longest names of languages", ("code", "name", "letters"), [astuple(row) for row in found])


QUESTIONS: tuple[Question, ...] = (
    row_counts,
    one_country,
    united,
    silent_languages,
    lives_of_languages,
    kinds_of_subdivisions,
    most_divided,
    undivided_dollars,
    money_of_the_many,
    same_names,
    trail,
    nations,
    former_countries,
    merged,
    scripts,
    longest_names,
)


def names(entries: Iterable[Standard]) -> str:
    return ", ".join(sorted(entry.name for entry in entries))


async def ask(session: AsyncSession, questions: tuple[Question, ...] = QUESTIONS) -> list[Answer]:
    return [await question(session) for question in questions]
