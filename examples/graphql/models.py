"""A small library: authors, their books, genres, and what readers say."""

from __future__ import annotations

from cormorant import Many, Mapped, Model, One, field, foreign_key, generated, many_to_many, reverse


class Author(Model, app="reading"):
    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str]
    books: Many[Book] = reverse("author")


class Genre(Model, app="reading"):
    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str] = field(unique=True)
    books: Many[Book] = reverse("genres")


class Book(Model, app="reading"):
    id: Mapped[int] = generated(primary_key=True)
    title: Mapped[str]
    author: One[Author] = foreign_key()
    genres: Many[Genre] = many_to_many()
    reviews: Many[Review] = reverse("book")


class Reader(Model, app="reading"):
    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str]
    reviews: Many[Review] = reverse("reader")


class Review(Model, app="reading"):
    id: Mapped[int] = generated(primary_key=True)
    stars: Mapped[int] = field(ge=1, le=5)
    book: One[Book] = foreign_key(on_delete="cascade")
    reader: One[Reader] = foreign_key(on_delete="cascade")


MODELS: list[type[Model]] = [Author, Genre, Book, Reader, Review]
