"""Changes to the atlas: tracked updates, links, a rehearsal that is rolled back, and deletes."""

from __future__ import annotations

from cormorant import AsyncSession, func
from examples.atlas.models import Country, Currency, FormerCountry, Script, Subdivision
from examples.atlas.queries import names
from examples.atlas.report import Answer


class Rehearsed(Exception):
    """Ends a transaction that was only tried out."""


async def change(session: AsyncSession) -> list[Answer]:
    return [
        await use_common_names(session),
        await complete_successors(session),
        await rehearse_deletion(session),
        await remove_test_codes(session),
    ]


async def use_common_names(session: AsyncSession) -> Answer:
    countries = await session.query(Country).filter(Country.common_name.is_not_null()).order_by(Country.code)
    before = [country.name for country in countries]
    for country in countries:
        country.names["en"] = country.name
        country.name = country.common_name or country.name
    await session.flush()
    rows = [(country.code, old, country.name) for country, old in zip(countries, before, strict=True)]
    return Answer("Countries by their common names", ("code", "was", "is"), rows)


async def complete_successors(session: AsyncSession) -> Answer:
    """Adds what the standard leaves out."""
    missing = {"CSHH": ("CZ", "SK"), "CSXX": ("ME", "RS")}
    for former in await session.get_many(FormerCountry, missing):
        former.successors.add(*await session.get_many(Country, missing[former.code]))
    await session.flush()
    query = session.query(FormerCountry).filter(FormerCountry.successors.any(Country.code.in_(["CZ", "ME"])))
    rows = [(former.code, former.name, names(await former.successors)) for former in await query]
    return Answer("Successors added", ("code", "former country", "goes on as"), sorted(rows))


async def rehearse_deletion(session: AsyncSession) -> Answer:
    """Deletes France with all that hangs on it, counts what is left, and takes it back."""
    france = await session.get_one(Country, "FR")
    subdivisions = session.query(Subdivision).filter(Subdivision.country == france)
    before, during = await subdivisions.count(), -1
    try:
        async with session.transaction():
            session.delete(france)
            during = await subdivisions.count()
            raise Rehearsed
    except Rehearsed:
        after = await subdivisions.count()
    rows = [("before", before), ("without France", during), ("rolled back", after)]
    return Answer("Subdivisions of France", ("when", "subdivisions"), rows)


async def remove_test_codes(session: AsyncSession) -> Answer:
    session.delete(await session.get_one(Currency, "XTS"))
    await session.flush()
    private = session.query(Script).filter(Script.named("private use"))
    renamed = await private.update(Script.name.set(func.upper(Script.name)))
    deleted = await private.delete()
    found = await session.get(Currency, "XTS")
    rows = [("currency for tests", found), ("scripts renamed", renamed), ("scripts deleted", deleted)]
    return Answer("Codes nobody needs", ("what", "value"), rows)
