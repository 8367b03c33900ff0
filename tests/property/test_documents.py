"""Random documents and paths: both databases answer what plain Python does."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from copy import deepcopy
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cormorant import AsyncSession, Database, Mapped, Model, field, generated


class Paper(Model, app="property"):
    id: Mapped[int] = generated(primary_key=True)
    body: Mapped[Any]
    plain: Mapped[dict[str, Any]] = field(default_factory=dict)


# ------------------------------------------------------------------ documents

MISSING: Any = object()
Path = tuple[Any, ...]

MOMENT = datetime(2024, 2, 29, 12, 34, 56, 789_000, UTC)
UID = UUID("12345678-1234-5678-1234-567812345678")

# texts that look like something else, with what they are read as
SPECIAL: dict[str, Any] = {
    "1.50": Decimal("1.50"),
    "-3": Decimal(-3),
    "1E+30": Decimal("1E+30"),
    ".5": Decimal("0.5"),
    "1e99999": None,
    "NaN": None,
    "Infinity": None,
    "1_000": None,
    " 1": None,
    "1\n": None,
    "0x10": None,
    "٣": None,
    "": None,
    "2024-02-29T12:34:56.789Z": MOMENT,
    "2024-02-29 12:34:56.789": MOMENT,
    "2024-02-29T14:34:56.789000+02:00": MOMENT,
    "2024-02-29T14:34:56.789+0200": MOMENT,
    "0001-01-01T00:00:00Z": datetime(1, 1, 1, tzinfo=UTC),
    "9999-12-31T23:59:59.999999+00:00": datetime(9999, 12, 31, 23, 59, 59, 999_999, UTC),
    "0002-01-01T00:00:00-12:00": datetime(2, 1, 1, tzinfo=timezone(timedelta(hours=-12))).astimezone(UTC),
    "0001-01-01T00:00:00+05:00": None,
    "9999-12-31T23:59:59-00:30": None,
    "0000-01-01T00:00:00Z": None,
    "2023-02-29T12:00:00Z": None,
    "1900-02-29T12:00:00Z": None,
    "2024-04-31T12:00:00Z": None,
    "2024-01-01T24:00:00Z": None,
    "2024-01-01T12:00:60Z": None,
    "2024-01-01T12:00:00+16:00": None,
    "2024-01-01T12:00:00Z\n": None,
    "2024-02-29": date(2024, 2, 29),
    "2000-02-29": date(2000, 2, 29),
    "0001-01-01": date.min,
    "9999-12-31": date.max,
    "0000-02-29": None,
    "2100-02-29": None,
    "2024-00-10": None,
    "2024-2-9": None,
    "now": None,
    "infinity": None,
    str(UID): UID,
    str(UID).upper(): UID,
    "12345678123456781234567812345678": None,
    "{12345678-1234-5678-1234-567812345678}": None,
}

hostile = st.text(st.sampled_from("ab01-\"'\\.$[]*@{}?%_ é日😀\n\x01\u2028\ufffe"), max_size=4)
anything = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=5)
keys = st.one_of(st.sampled_from(["a", "b", "0", "1", "-1", "last", ""]), hostile, anything)
whole = st.one_of(
    st.integers(-3, 3), st.sampled_from([(1 << 63) - 1, 1 << 63, -(1 << 63), -(1 << 63) - 1, 10**30, -(10**400)])
)
floats = st.one_of(
    st.sampled_from([0.0, -0.0, 1.0, 2.5, 1e16, 1e23, 5e-324, 1.7976931348623157e308, -1e-7]),
    st.floats(allow_nan=False, allow_infinity=False),
)
texts = st.one_of(st.sampled_from(list(SPECIAL)), keys)
scalars = st.one_of(st.none(), st.booleans(), whole, floats, texts)
documents = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(keys, inner, max_size=4)),
    max_leaves=8,
)
# None alone is no document, but NULL
bodies = st.one_of(
    st.dictionaries(keys, documents, max_size=4),
    st.lists(documents, max_size=4),
    documents.filter(lambda d: d is not None),
)


@st.composite
def paths(draw: st.DrawFn, document: Any) -> Path:
    """A path that often leads somewhere in the document."""
    parts: list[Any] = []
    value = document
    for _ in range(draw(st.integers(0, 3))):
        steps: list[Any] = []
        if isinstance(value, dict):
            steps = list(value)
        elif isinstance(value, list):
            steps = list(range(-len(value), len(value)))
        known = bool(steps) and draw(st.integers(0, 5)) > 0
        parts.append(draw(st.sampled_from(steps)) if known else draw(st.one_of(keys, st.integers(-5, 5))))
        value = at(value, parts[-1:])
    return tuple(parts)


# ------------------------------------------------------------------ what plain Python says


def at(value: Any, path: Any) -> Any:
    for part in path:
        try:
            fits = isinstance(value, dict if isinstance(part, str) else list)
            value = value[part] if fits else MISSING
        except (KeyError, IndexError):
            return MISSING
    return value


def exact(number: float) -> Decimal:
    return Decimal(repr(number))


def is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def same(one: Any, other: Any) -> bool:
    """Equal as documents: True is not 1, and 1.0 is."""
    if is_number(one) and is_number(other):
        return exact(one) == exact(other)
    if type(one) is not type(other):
        return False
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    return bool(one == other)


def as_int(value: Any) -> Any:
    if not is_number(value) or exact(value) != exact(value).to_integral_value():
        return None
    return int(exact(value)) if -(1 << 63) <= exact(value) < 1 << 63 else None


def as_float(value: Any) -> Any:
    return float(value) if is_number(value) and abs(value) < 10**309 else None


def as_decimal(value: Any) -> Any:
    if is_number(value):
        return exact(value)
    if not isinstance(value, str) or not set(value) <= set("0123456789+-.eE"):
        return None
    try:
        number = Decimal(value)
    except InvalidOperation:
        return None
    return number if abs(number.adjusted()) < 11_000 else None


def special(value: Any, kind: type) -> Any:
    found = SPECIAL.get(value) if isinstance(value, str) else None
    return found if type(found) is kind else None


READ: dict[Any, Callable[[Any], Any]] = {
    int: as_int,
    float: as_float,
    Decimal: as_decimal,
    str: lambda value: value if isinstance(value, str) else None,
    bool: lambda value: value if isinstance(value, bool) else None,
    list: lambda value: value if isinstance(value, list) else None,
    dict: lambda value: value if isinstance(value, dict) else None,
    datetime: lambda value: special(value, datetime),
    date: lambda value: special(value, date),
    UUID: lambda value: special(value, UUID),
}


def contains(whole: Any, part: Any) -> bool:
    """PostgreSQL's @>, but for a single value in a list at the top."""
    if isinstance(whole, dict) and isinstance(part, dict):
        return all(key in whole and contains(whole[key], part[key]) for key in part)
    if isinstance(whole, list) and isinstance(part, list):
        return all(any(contains(one, other) for one in whole) for other in part)
    if isinstance(whole, (dict, list)) or isinstance(part, (dict, list)):
        return False
    return same(whole, part)


def contains_at_top(whole: Any, part: Any) -> bool:
    if isinstance(whole, list) and not isinstance(part, (list, dict)):
        return any(contains(one, part) for one in whole)
    return contains(whole, part)


def has_key(value: Any, key: str) -> bool:
    return key in value if isinstance(value, (dict, list)) else bool(value == key)


def put(document: Any, path: Path, value: Any) -> Any:
    changed = deepcopy(document)
    holder, last = at(changed, path[:-1]), path[-1]
    if isinstance(holder, dict) and isinstance(last, str):
        holder[last] = value
    elif isinstance(holder, list) and isinstance(last, int):
        if -len(holder) <= last < len(holder):
            holder[last] = value
        else:
            holder.insert(len(holder) if last >= 0 else 0, value)
    return changed


def without(document: Any, path: Path) -> Any:
    changed = deepcopy(document)
    holder, last = at(changed, path[:-1]), path[-1]
    if at(document, path) is not MISSING:
        del holder[last]
    return changed


# ------------------------------------------------------------------ what the databases say


def with_database(dsn: str, check: Callable[[Callable[[Awaitable[Any]], Any], Database], None]) -> None:
    with asyncio.Runner() as runner:

        async def started() -> Database:
            database = Database(dsn)
            await database.create_all(Paper)
            return database

        database = runner.run(started())

        def run(work: Any) -> Any:
            return runner.run(work)

        try:
            check(run, database)
        finally:
            runner.run(database.close())


examples = settings(max_examples=120, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


async def kept(session: AsyncSession, documents: list[Any]) -> Any:
    """Puts documents in the place of all others; gives the query of them, in order."""
    await session.query(Paper).delete()
    session.add(*(Paper(body=body) for body in documents))
    await session.flush()
    return session.query(Paper).order_by(Paper.id)


def test_a_value_is_read_as_python_would(database_dsn: str) -> None:
    async def found(database: Database, documents: list[Any], path: Path) -> tuple[list[Any], list[Any]]:
        async with AsyncSession(database) as session:
            papers = await kept(session, documents)
            readings = [Paper.body.path(*path), *(Paper.body.path(*path, returns=kind) for kind in READ)]
            rows = await papers.values(*readings, Paper.body.path(*path).length())
            nulls = await papers.values(*(reading.is_null() for reading in readings))
            await session.rollback()
            return rows, nulls

    def check(run: Any, database: Database) -> None:
        @examples
        @given(st.data(), st.lists(bodies, min_size=1, max_size=4))
        def case(data: st.DataObject, documents: list[Any]) -> None:
            path = data.draw(paths(documents[0]))
            rows, nulls = run(found(database, documents, path))
            for document, row, null in zip(documents, rows, nulls, strict=True):
                value = at(document, path)
                value = None if value is MISSING else value
                expected = [value, *(read(value) for read in READ.values())]
                for kind, got, wanted in zip([None, *READ], row[:-1], expected, strict=True):
                    assert same_reading(got, wanted), (kind, value, got)
                assert row[-1] == (len(value) if isinstance(value, list) else None)
                assert list(null) == [each is None for each in expected]

        case()

    with_database(database_dsn, check)


def same_reading(got: Any, wanted: Any) -> bool:
    if wanted is None or isinstance(wanted, (str, bool, list, dict, float)):
        return same(got, wanted)
    if isinstance(wanted, int):
        return same(got, wanted)
    return type(got) is type(wanted) and bool(got == wanted)


def test_conditions_on_documents_hold_where_they_do_in_python(database_dsn: str) -> None:
    async def found(database: Database, documents: list[Any], conditions: list[Any]) -> list[set[int]]:
        async with AsyncSession(database) as session:
            papers = await kept(session, documents)
            first = (await papers.scalars(Paper.id))[0]
            places = [
                {number - first for number in await papers.filter(condition).scalars(Paper.id)}
                for condition in conditions
            ]
            await session.rollback()
            return places

    def check(run: Any, database: Database) -> None:
        @examples
        @given(st.data(), st.lists(bodies, min_size=1, max_size=4), documents, st.lists(keys, max_size=3))
        def case(data: st.DataObject, papers: list[Any], other: Any, names: list[str]) -> None:
            path = data.draw(paths(papers[0]))
            value = at(papers[0], path)
            probe = other if value is MISSING or data.draw(st.booleans()) else value
            probe = "x" if probe is None else probe
            # what is smaller is often contained
            part = probe[:1] if isinstance(probe, list) else probe
            inside = Paper.body.path(*path)
            tests: list[tuple[Any, Callable[[Any], bool]]] = [
                (inside == probe, lambda v: same(v, probe)),
                (inside != probe, lambda v: not same(v, probe)),
                (inside.in_([probe, "y"]), lambda v: same(v, probe) or same(v, "y")),
                (inside.contains(part), lambda v: contains_at_top(v, part)),
                (~inside.contains(part), lambda v: not contains_at_top(v, part)),
                (inside.contained_by(probe), lambda v: contains_at_top(probe, v)),
                (inside.has_key(["a", *names][-1]), lambda v: has_key(v, ["a", *names][-1])),
                (inside.has_any_keys(names), lambda v: any(has_key(v, name) for name in names)),
                (inside.has_all_keys(names), lambda v: all(has_key(v, name) for name in names)),
            ]
            if isinstance(probe, int) and not isinstance(probe, bool) and abs(probe) < 1 << 63:
                number = Paper.body.path(*path, returns=int)
                tests.append((number > probe, lambda v: as_int(v) is not None and as_int(v) > probe))
                tests.append((number.between(0, probe), lambda v: as_int(v) is not None and 0 <= as_int(v) <= probe))
            if is_number(probe):
                exactly = Paper.body.path(*path, returns=Decimal)
                tests.append(
                    (exactly <= exact(probe), lambda v: (d := as_decimal(v)) is not None and d <= exact(probe))
                )
            got = run(found(database, papers, [condition for condition, _ in tests]))
            for place, ((condition, holds), rows) in enumerate(zip(tests, got, strict=True)):
                values = [at(paper, path) for paper in papers]
                # a missing value, and null, are NULL, and no condition holds
                wanted = {n for n, v in enumerate(values) if v is not MISSING and v is not None and holds(v)}
                assert rows == wanted, (place, condition)

        case()

    with_database(database_dsn, check)


def test_documents_are_changed_as_python_would(database_dsn: str) -> None:
    async def found(database: Database, documents: list[Any], path: Path, value: Any, other: Path) -> list[Any]:
        async with AsyncSession(database) as session:
            papers = await kept(session, documents)
            results = [
                await papers.scalars(Paper.body.put(*path, value=value)),
                await papers.scalars(Paper.body.without(*path)),
                await papers.scalars(Paper.body.put(*path, value=value).without(*other).put("new", value=None)),
            ]
            changed = await session.query(Paper).update(Paper.body.set(Paper.body.put(*path, value=value)))
            assert changed == len(documents)
            session.clear()
            results.append(await papers.scalars(Paper.body))
            await session.rollback()
            return results

    def check(run: Any, database: Database) -> None:
        @examples
        @given(st.data(), st.lists(bodies, min_size=1, max_size=4), documents)
        def case(data: st.DataObject, papers: list[Any], value: Any) -> None:
            path, other = (data.draw(paths(papers[0])) or ("a",) for _ in range(2))
            once, less, chained, stored = run(found(database, papers, path, value, other))
            for place, paper in enumerate(papers):
                expected = put(paper, path, value)
                assert same(once[place], expected)
                assert same(stored[place], expected)
                assert same(less[place], without(paper, path))
                assert same(chained[place], put(without(expected, other), ("new",), None))

        case()

    with_database(database_dsn, check)


def test_a_changed_plain_document_is_equal_to_one_written_whole(database_dsn: str) -> None:
    async def found(database: Database, document: dict[str, Any], key: str, value: Any) -> int:
        async with AsyncSession(database) as session:
            await session.query(Paper).delete()
            session.add(Paper(body=1, plain=document))
            await session.flush()
            papers = session.query(Paper)
            await session.query(Paper).update(Paper.plain.set(Paper.plain.put(key, value=value)))
            count = await papers.filter(Paper.plain == {**document, key: value}).count()
            await session.rollback()
            return count

    def check(run: Any, database: Database) -> None:
        @examples
        @given(st.dictionaries(keys, documents, max_size=4), keys, documents)
        def case(document: dict[str, Any], key: str, value: Any) -> None:
            assert run(found(database, document, key, value)) == 1
            json.dumps(document)

        case()

    with_database(database_dsn, check)
