"""The query language, really run: the same rows from both databases."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any, NamedTuple

import pydantic
import pytest
import typing_extensions

from cormorant import (
    AsyncSession,
    Database,
    Expr,
    Many,
    Mapped,
    Model,
    MultipleResultsError,
    NotFoundError,
    One,
    Q,
    QuerySet,
    field,
    foreign_key,
    func,
    generated,
    hybrid,
    many_to_many,
    ref,
    reverse,
)
from tests.support import kept_tables


class Country(Model, app="library"):
    code: Mapped[str] = field(primary_key=True)
    name: Mapped[str]
    authors: Many[Author] = reverse("country")


class Author(Model, app="library"):
    id: Mapped[int] = field(primary_key=True)
    name: Mapped[str]
    email: Mapped[str | None] = field(default=None)
    born: Mapped[int | None] = field(default=None)
    country: One[Country | None] = foreign_key(default=None)
    books: Many[Book] = reverse("author")
    card: One[Card | None] = reverse("author")

    @hybrid
    def adult(self) -> bool:
        return self.born is not None and self.born < 2000

    @adult.expression
    @classmethod
    def _adult(cls) -> Expr[bool]:
        return cls.born < 2000


class Card(Model, app="library"):
    author: One[Author] = foreign_key(primary_key=True)
    number: Mapped[int]


class Tag(Model, app="library"):
    id: Mapped[int] = field(primary_key=True)
    name: Mapped[str]
    weight: Mapped[int] = field(default=0)
    books: Many[Book] = reverse("tags")


class Book(Model, app="library"):
    id: Mapped[int] = generated(primary_key=True)
    title: Mapped[str]
    pages: Mapped[int] = field(default=0)
    price: Mapped[Decimal | None] = field(default=None, precision=10, decimal_places=2)
    author: One[Author] = foreign_key()
    editor: One[Author | None] = foreign_key(default=None)
    sequel_of: One[Book | None] = foreign_key(default=None)
    sequels: Many[Book] = reverse("sequel_of")
    tags: Many[Tag] = many_to_many()

    @classmethod
    def long(cls) -> Expr[bool]:
        return cls.pages > 200


MODELS = (Country, Author, Card, Tag, Book)

# title, pages, price, author, editor, tags
BOOKS: list[tuple[str, int, str | None, str, str | None, str]] = [
    ("Alpha", 100, "9.50", "ada", None, "math"),
    ("beta_50%", 200, "10.00", "ada", "bob", "math poem"),
    ("Gamma", 300, None, "bob", "ada", ""),
    ("delta", 300, "2.00", "bob", None, "poem"),
    ("Épsilon", 400, "100.00", "bob", "bob", "math poem war"),
]


async def fill(session: AsyncSession) -> None:
    germany, france = Country(code="DE", name="Germany"), Country(code="FR", name="France")
    authors = {
        "ada": Author(id=1, name="Ada", email="ada@x.org", born=1990, country=germany),
        "bob": Author(id=2, name="Bob", born=2005, country=france),
        "eve": Author(id=3, name="Eve", email="eve@x.org"),
    }
    tags = {name: Tag(id=n, name=name, weight=n) for n, name in enumerate(("math", "poem", "war"), 1)}
    session.add(*authors.values(), *tags.values(), Card(author=authors["ada"], number=7))
    before = None
    for title, pages, price, author, editor, tagged in BOOKS:
        book = Book(
            title=title,
            pages=pages,
            price=None if price is None else Decimal(price),
            author=authors[author],
            editor=None if editor is None else authors[editor],
            sequel_of=before,
        )
        book.tags.add(*(tags[name] for name in tagged.split()))
        session.add(book)
        await session.flush()
        before = book if title in ("Alpha", "Gamma") else None


@pytest.fixture
async def session(database_dsn: str, keeps_tables: None) -> AsyncIterator[AsyncSession]:
    async with Database(database_dsn) as database:
        await kept_tables.prepare(database, database_dsn, *MODELS)
        async with AsyncSession(database) as session:
            await fill(session)
        async with AsyncSession(database) as session:
            yield session


@pytest.fixture
def books(session: AsyncSession) -> QuerySet[Book]:
    return session.query(Book)


async def titles(query: QuerySet[Book]) -> list[str]:
    return [book.title[0] for book in await query.order_by(Book.id)]


# ------------------------------------------------------------------ conditions


CONDITIONS: list[tuple[Any, str]] = [
    (Book.pages == 300, "Gd"),
    (Book.pages != 300, "AbÉ"),
    (Book.pages > 300, "É"),
    (Book.pages.between(200, 300), "bGd"),
    (Book.pages.in_([100, 400, 999]), "AÉ"),
    (Book.pages.in_([]), ""),
    ((Book.pages > 300) | (Book.title == "Alpha"), "AÉ"),
    ((Book.pages > 100) & ~(Book.pages == 300), "bÉ"),
    (Book.pages * 2 == 600, "Gd"),
    (Book.pages + Book.id > 304, "É"),
    (Book.price < 10, "Ad"),
    (Book.price > Decimal("9.5"), "bÉ"),
    (Book.price * 2 == 20, "b"),
    (Book.price.is_null(), "G"),
    (Book.price.is_not_null(), "AbdÉ"),
    (Book.price != 2, "AbÉ"),
    (Book.title.contains("a"), "AbGd"),
    (Book.title.contains("_50%"), "b"),
    (Book.title.contains("%"), "b"),
    (Book.title.contains("_"), "b"),
    (Book.title.startswith("A"), "A"),
    (Book.title.startswith("a"), ""),
    (Book.title.endswith("a"), "AGd"),
    # which letters beyond ASCII have cases is a matter of the server's locale
    (Book.title.icontains("PSI"), "É"),
    (Book.title.icontains("A"), "AbGd"),
    (Book.title.istartswith("a"), "A"),
    (Book.title.iendswith("A"), "AGd"),
    (Book.title.iexact("DELTA"), "d"),
    (Book.title.contains(""), "AbGdÉ"),
    (Book.title + "!" == "Gamma!", "G"),
    (func.lower(Book.title) == "gamma", "G"),
    (func.length(Book.title) == 7, "É"),
    (func.coalesce(Book.price, 0) == 0, "G"),
    (Book.long(), "GdÉ"),
    (Book.author == ref(Author, 1), "Ab"),
    (Book.author != ref(Author, 1), "GdÉ"),
    (Book.author.in_([ref(Author, 1), ref(Author, 3)]), "Ab"),
    (Book.author.in_([]), ""),
    (Book.editor.is_null(), "Ad"),
    (Book.editor == None, "Ad"),  # noqa: E711
    (Book.editor.is_not_null(), "bGÉ"),
    (Book.author == Book.editor, "É"),
    (Book.author.name == "Ada", "Ab"),
    (Book.editor.name == "Bob", "bÉ"),
    (Book.editor.name != "Bob", "G"),
    (Book.editor.name.is_null(), "Ad"),
    (Book.author.country.name == "France", "GdÉ"),
    (Book.author.country.code == "DE", "Ab"),
    (Book.author.adult, "Ab"),
    (Book.author.card.number == 7, "Ab"),
    (Book.author.card.is_null(), "GdÉ"),
    (Book.sequel_of.title == "Alpha", "b"),
    (Book.sequels.any(), "AG"),
    (Book.sequels.any(Book.pages == 200), "A"),
    (Book.sequels.none(), "bdÉ"),
    (Book.tags.any(Tag.name == "poem"), "bdÉ"),
    (Book.tags.any(Tag.name == "poem", Tag.weight > 2), ""),
    (Book.tags.any(Tag.name.in_(["math", "war"])), "AbÉ"),
    (Book.tags.none(), "G"),
    (Book.tags.none(Tag.name == "math"), "Gd"),
    (Book.tags.every(Tag.weight > 1), "Gd"),
    (Book.tags.count() == 2, "b"),
    (Book.tags.count(Tag.weight > 1) > 1, "É"),
    (Book.author.books.count() == 3, "GdÉ"),
    (Book.author.books.any(Book.title == "Alpha"), "Ab"),
    (Q(pages=300) | Q(author__name="Ada"), "AbGd"),
    (~Q(editor__name="Bob"), "AGd"),
    ((Book.pages > 300) | Q(title="Alpha"), "AÉ"),
]


async def test_conditions(books: QuerySet[Book]) -> None:
    found = {place: "".join(await titles(books.filter(condition))) for place, (condition, _) in enumerate(CONDITIONS)}
    assert found == {place: expected for place, (_, expected) in enumerate(CONDITIONS)}


LOOKUPS: list[tuple[dict[str, Any], str]] = [
    ({"title": "Alpha"}, "A"),
    ({"title__iexact": "ALPHA"}, "A"),
    ({"title__contains": "lph"}, "A"),
    ({"title__icontains": "LPH"}, "A"),
    ({"title__startswith": "G"}, "G"),
    ({"title__endswith": "%"}, "b"),
    ({"pages__in": [100, 200]}, "Ab"),
    ({"pages__gt": 200, "pages__lt": 400}, "Gd"),
    ({"pages__gte": 300, "pages__lte": 300}, "Gd"),
    ({"pages__range": (100, 200)}, "Ab"),
    ({"price__isnull": True}, "G"),
    ({"price": None}, "G"),
    ({"author": 1}, "Ab"),
    ({"author__in": [1, ref(Author, 3)]}, "Ab"),
    ({"author__name": "Bob"}, "GdÉ"),
    ({"author__country__name__startswith": "G"}, "Ab"),
    ({"editor__isnull": True}, "Ad"),
    ({"tags": 3}, "É"),
    ({"tags__name": "poem", "tags__weight": 2}, "bdÉ"),
    ({"tags__name": "poem", "tags__weight": 1}, ""),
    ({"tags__isnull": True}, "G"),
    ({"tags__in": [1, 3]}, "AbÉ"),
    ({"author__books__tags__name": "war"}, "GdÉ"),
    ({"pk": 1}, "A"),
]


async def test_lookups(books: QuerySet[Book]) -> None:
    found = {place: "".join(await titles(books.filter(**lookups))) for place, (lookups, _) in enumerate(LOOKUPS)}
    assert found == {place: expected for place, (_, expected) in enumerate(LOOKUPS)}


async def test_excluding_keeps_what_is_null(books: QuerySet[Book]) -> None:
    assert await titles(books.exclude(Book.price == 2)) == ["A", "b", "G", "É"]
    assert await titles(books.exclude(Book.price > 5)) == ["G", "d"]
    assert await titles(books.exclude(Book.editor.name == "Bob")) == ["A", "G", "d"]
    assert await titles(books.exclude(editor__email__isnull=True)) == ["G"]
    assert await titles(books.exclude(Book.price > 5, Book.pages < 300)) == ["G", "d", "É"]
    assert await titles(books.exclude(tags__name="math")) == ["G", "d"]
    assert await titles(books.exclude(Book.price.in_([Decimal(2)]))) == ["A", "b", "G", "É"]
    everything = set(await titles(books))
    for condition, expected in CONDITIONS:
        assert set(await titles(books.exclude(condition))) == everything - set(expected)


async def test_big_lists(books: QuerySet[Book]) -> None:
    assert await books.filter(Book.pages.in_(range(250, 100_000))).count() == 3
    names = [f"name {number}" for number in range(50_000)]
    assert await books.filter(Book.title.in_([*names, "Alpha"])).scalars(Book.pages) == [100]


# ------------------------------------------------------------------ order, limit


async def test_order(books: QuerySet[Book]) -> None:
    assert await books.order_by(Book.pages.desc(), Book.id.desc()).scalars(Book.id) == [5, 4, 3, 2, 1]
    assert await books.order_by(Book.author.name.desc()).order_by(Book.pages, Book.id).scalars(Book.id) == [
        3,
        4,
        5,
        1,
        2,
    ]
    assert await books.order_by(func.lower(Book.title)).limit(2).scalars(Book.id) == [1, 2]
    assert await books.order_by(Book.tags.count().desc(), Book.id).scalars(Book.id) == [5, 2, 1, 4, 3]


async def test_null_sorts_as_larger_than_everything(books: QuerySet[Book]) -> None:
    assert await books.order_by(Book.price).scalars(Book.id) == [4, 1, 2, 5, 3]
    assert await books.order_by(Book.price.desc()).scalars(Book.id) == [3, 5, 2, 1, 4]
    assert await books.order_by(Book.editor.name, Book.id).scalars(Book.id) == [3, 2, 5, 1, 4]
    assert await books.order_by(Book.editor.name.desc(), Book.id).scalars(Book.id) == [1, 4, 2, 5, 3]
    assert await books.order_by(Book.price * 2).scalars(Book.id) == [4, 1, 2, 5, 3]
    last = await books.order_by(Book.price).last()
    assert last is not None
    assert last.id == 3


async def test_limit_and_offset(books: QuerySet[Book]) -> None:
    ordered = books.order_by(Book.id)
    assert await ordered.limit(2).scalars(Book.id) == [1, 2]
    assert await ordered.limit(2).offset(3).scalars(Book.id) == [4, 5]
    assert await ordered.offset(3).scalars(Book.id) == [4, 5]
    assert await ordered.limit(0).scalars(Book.id) == []
    assert await ordered.limit(100).offset(99).scalars(Book.id) == []
    assert await ordered.limit(1 << 40).count() == 5


async def test_distinct(books: QuerySet[Book]) -> None:
    assert sorted(await books.distinct().scalars(Book.pages)) == [100, 200, 300, 400]
    assert await books.distinct().scalars(Book.pages).count() == 4
    assert len(await books.distinct().values(Book.author.name, Book.pages)) == 4
    assert len(await books.distinct()) == 5


# ------------------------------------------------------------------ what runs a query


async def test_one_row(books: QuerySet[Book], session: AsyncSession) -> None:
    first, last = await books.order_by(Book.pages, Book.id).first(), await books.last()
    assert (first and first.title, last and last.title) == ("Alpha", "Épsilon")
    assert (await books.filter(pages=100).one()) is first
    assert (await books.get(Book.pages == 100)) is first
    assert (await books.filter(pages=100).one_or_none()) is first
    assert await books.filter(pages=1).first() is None
    assert await books.filter(pages=1).last() is None
    assert await books.filter(pages=1).one_or_none() is None
    for missing in (books.filter(pages=1).one(), books.get(pages=1)):
        with pytest.raises(NotFoundError, match=r"no Book matches the query\nHint: use \.first\(\)"):
            await missing
    for several in (books.filter(pages=300).one(), books.get(pages=300), books.filter(pages=300).one_or_none()):
        with pytest.raises(MultipleResultsError, match=r"more than one Book matches the query\nHint: narrow"):
            await several
    assert (await books.filter(pages=300).order_by(Book.id).limit(1).one()).title == "Gamma"
    assert await books.limit(0).first() is None
    assert await Book.objects.filter(pages=100).first() is first


async def test_counting(books: QuerySet[Book], session: AsyncSession) -> None:
    assert await books.count() == 5
    assert await books.filter(pages=300).count() == 2
    assert await books.order_by(Book.pages).limit(3).count() == 3
    assert await books.offset(4).count() == 1
    assert await books.values(Book.author.name).count() == 5
    assert await books.values(Book.pages, func.count()).group_by(Book.pages).count() == 4
    assert await books.values(func.count()).count() == 1
    assert await session.query(Author).values(Author.name, Author.books.each.title).count() == 6
    assert await session.query(Author).order_by(Author.books.each.title).count() == 6
    assert await books.filter(pages=300).exists()
    assert not await books.filter(pages=1).exists()
    assert not await books.limit(0).exists()
    assert await books.values(Book.pages, func.count()).group_by(Book.pages).having(func.count() > 1).exists()


async def test_all_ways_to_iterate(books: QuerySet[Book]) -> None:
    ordered = books.order_by(Book.id)
    expected = await ordered
    assert await ordered.all() == expected
    assert [book async for book in ordered] == expected
    assert [row[0] async for row in ordered.values(Book.id)] == [1, 2, 3, 4, 5]


# ------------------------------------------------------------------ shapes


class Pair(NamedTuple):
    title: str
    pages: int


@dataclasses.dataclass
class Data:
    title: str
    pages: int = 0


class Typed(typing_extensions.TypedDict):
    title: str


class Checked(pydantic.BaseModel):
    title: str
    pages: int


async def test_values(books: QuerySet[Book], session: AsyncSession) -> None:
    first = books.filter(Book.id == 2)
    assert await first.values(Book.title, Book.price, Book.editor.name) == [("beta_50%", Decimal("10.00"), "Bob")]
    ((book, editor, sequel_of, count),) = await first.values(Book, Book.editor, Book.sequel_of, Book.tags.count())
    assert (book.title, editor.name, sequel_of.title, count) == ("beta_50%", "Bob", "Alpha", 2)
    assert editor is await session.get(Author, 2)
    assert book.editor is editor
    assert await books.filter(Book.id == 1).values(Book.editor, Book.editor.name) == [(None, None)]
    assert await books.order_by(Book.id).scalars(Book.author) == [
        await session.get(Author, key) for key in (1, 1, 2, 2, 2)
    ]
    assert await first.annotate(Book.tags.count(), Book.pages * 2) == [(book, 2, 400)]


async def test_dicts_and_shapes(books: QuerySet[Book]) -> None:
    first = books.filter(Book.id == 1)
    assert await first.as_dicts(Book.title, Book.author.name.label("by")) == [{"title": "Alpha", "by": "Ada"}]
    assert (await first.as_dicts())[0]["price"] == Decimal("9.50")
    rows = first.values(Book.title, Book.pages)
    assert await rows.into(Pair) == [Pair("Alpha", 100)]
    assert await rows.into(Data) == [Data("Alpha", 100)]
    assert await rows.into(Checked) == [Checked(title="Alpha", pages=100)]
    assert await rows.into(lambda *values: values) == [("Alpha", 100)]
    assert await first.values(Book.title).into(Typed) == [{"title": "Alpha"}]
    assert await first.values(Book.title).into(Data).first() == Data("Alpha", 0)


# ------------------------------------------------------------------ aggregates, groups


async def test_aggregates(books: QuerySet[Book]) -> None:
    assert await books.aggregate(func.count()) == 5
    assert await books.aggregate(func.count(Book.price), func.count(Book.pages, distinct=True)) == (4, 4)
    assert await books.aggregate(func.sum(Book.pages), func.avg(Book.pages)) == (1300, 260.0)
    assert await books.aggregate(func.sum(Book.price), func.min(Book.price), func.max(Book.price)) == (
        Decimal("121.50"),
        Decimal(2),
        Decimal(100),
    )
    assert await books.aggregate(func.max(Book.title)) in ("delta", "Épsilon", "beta_50%", "Gamma")
    nothing = books.filter(pages=1)
    assert await nothing.aggregate(func.count(), func.sum(Book.pages), func.avg(Book.price)) == (0, None, None)
    assert await books.filter(Book.author.name == "Bob").order_by(Book.id).aggregate(func.sum(Book.pages)) == 1000


async def test_groups(books: QuerySet[Book], session: AsyncSession) -> None:
    by_author = (
        books.values(Book.author.name, func.count(), func.sum(Book.price))
        .group_by(Book.author.name)
        .order_by(Book.author.name)
    )
    assert await by_author == [("Ada", 2, Decimal("19.50")), ("Bob", 3, Decimal("102.00"))]
    assert await by_author.having(func.count() > 2) == [("Bob", 3, Decimal("102.00"))]
    assert await by_author.having(func.sum(Book.price) < 20) == [("Ada", 2, Decimal("19.50"))]
    assert await books.values(Book.editor.name, func.count()).group_by(Book.editor.name).order_by(Book.editor.name) == [
        ("Ada", 1),
        ("Bob", 2),
        (None, 2),
    ]
    halves = (Book.pages * 2).label("double")
    assert await books.values(halves, func.count()).group_by(Book.pages * 2).order_by(Book.pages * 2) == [
        (200, 1),
        (400, 1),
        (600, 2),
        (800, 1),
    ]
    assert await session.query(Author).values(Author.name, func.count(Author.books.each.id)).group_by(
        Author.id
    ).order_by(Author.name) == [("Ada", 2), ("Bob", 3), ("Eve", 0)]
    assert await books.values(Book.tags.each.name, func.count()).group_by(Book.tags.each.name).order_by(
        Book.tags.each.name
    ) == [("math", 3), ("poem", 3), ("war", 1), (None, 1)]


async def test_a_group_by_price_is_by_number(books: QuerySet[Book], session: AsyncSession) -> None:
    await books.filter(Book.id == 3).update(Book.price.set(Decimal("9.5")))
    rows = await books.values(Book.price, func.count()).group_by(Book.price).order_by(Book.price)
    assert rows == [(Decimal("2.00"), 1), (Decimal("9.50"), 2), (Decimal("10.00"), 1), (Decimal("100.00"), 1)]


# ------------------------------------------------------------------ relations


async def test_each_gives_a_row_for_every_pair(session: AsyncSession) -> None:
    rows = (
        await session.query(Author)
        .values(Author.name, Author.books.each.title)
        .order_by(Author.id, Author.books.each.id)
    )
    assert [(name, title and title[0]) for name, title in rows] == [
        ("Ada", "A"),
        ("Ada", "b"),
        ("Bob", "G"),
        ("Bob", "d"),
        ("Bob", "É"),
        ("Eve", None),
    ]


async def test_an_optional_join_loses_no_rows(books: QuerySet[Book], session: AsyncSession) -> None:
    assert len(await books.values(Book.id, Book.editor.country.name)) == 5
    assert len(await books.order_by(Book.sequel_of.sequel_of.title)) == 5
    rows = await session.query(Author).values(Author.name, Author.card.number).order_by(Author.id)
    assert rows == [("Ada", 7), ("Bob", None), ("Eve", None)]


async def test_queries_inside_of_queries(books: QuerySet[Book], session: AsyncSession) -> None:
    adults = session.query(Author).filter(Author.adult)
    assert await titles(books.filter(Book.author.id.in_(adults.scalars(Author.id)))) == ["A", "b"]
    assert await titles(books.filter(author__in=adults.scalars(Author.id))) == ["A", "b"]
    longest = books.order_by(Book.pages.desc()).limit(1).scalars(Book.id)
    assert await titles(books.filter(Book.id.in_(longest))) == ["É"]
    assert await titles(books.filter(~Book.id.in_(longest), Book.pages > 200)) == ["G", "d"]
    assert await titles(books.filter(Book.sequel_of.id.in_(books.filter(pages=100).scalars(Book.id)))) == ["b"]


# ------------------------------------------------------------------ writes


async def test_update_and_delete(books: QuerySet[Book], session: AsyncSession) -> None:
    assert await books.filter(Book.pages >= 300).update(Book.pages.set(Book.pages + 1), Book.price.set(None)) == 3
    assert await books.order_by(Book.id).values(Book.pages, Book.price) == [
        (100, Decimal("9.50")),
        (200, Decimal("10.00")),
        (301, None),
        (301, None),
        (401, None),
    ]
    assert await books.filter(Book.author.name == "Ada").update(Book.title.set(Book.title + "!")) == 2
    assert await books.filter(tags__name="war").update(Book.title.set("war")) == 1
    assert await books.filter(title__endswith="!").order_by(Book.id).scalars(Book.title) == ["Alpha!", "beta_50%!"]
    assert await books.filter(Book.sequels.any(), Book.pages > 200).update(Book.pages.set(0)) == 1
    assert await books.filter(Book.id == 999).delete() == 0
    await session.query(Tag).filter(Tag.books.none(Book.pages > 400)).delete()
    assert await session.query(Tag).count() == 3
    assert await books.filter(Book.editor.name == "Bob", Book.sequels.none()).delete() == 2
    assert await session.query(Book).order_by(Book.id).scalars(Book.id) == [1, 3, 4]
    assert await books.exclude(Book.price > 5).delete() == 2
    assert await books.delete() == 1


# ------------------------------------------------------------------ own query classes


class BookQuery(QuerySet[Book]):
    def by(self, name: str) -> BookQuery:
        return self.filter(Book.author.name == name)

    def long(self) -> BookQuery:
        return self.filter(Book.long())


async def test_own_query_classes_keep_their_methods(session: AsyncSession) -> None:
    query = session.query(BookQuery).by("Bob").order_by(Book.id).long().limit(2)
    assert isinstance(query, BookQuery)
    assert [book.title for book in await query] == ["Gamma", "delta"]
    assert await session.query(Book).pipe(lambda q, n: q.limit(n).count(), 2) == 2
