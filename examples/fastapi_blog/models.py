"""The blog's tables: authors, their posts, tags, comments. There are no other classes for the same things."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from enum import Enum

from cormorant import (
    Expr,
    Many,
    Mapped,
    Model,
    One,
    TableArg,
    field,
    foreign_key,
    generated,
    index,
    many_to_many,
    reverse,
    utcnow,
)


class Status(Enum):
    """Who sees a post."""

    DRAFT = "draft"
    PUBLISHED = "published"


class Entry(Model, abstract=True, app="blog"):
    """What is dated. `init=False` keeps the date out of the constructor, and out of what clients may send."""

    created: Mapped[datetime] = field(default_factory=utcnow, init=False)


class Author(Entry):
    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str] = field(min_length=1, max_length=80)
    email: Mapped[str] = field(unique=True, max_length=120, pattern=r"^[^@\s]+@[^@\s]+$", sensitive=True)
    posts: Many[Post] = reverse("author")


class Tag(Model, app="blog"):
    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str] = field(unique=True, max_length=30)
    posts: Many[Post] = reverse("tags")


class Post(Entry):
    id: Mapped[int] = generated(primary_key=True)
    slug: Mapped[str] = field(unique=True, max_length=120, default="", init=False)
    title: Mapped[str] = field(min_length=1, max_length=120)
    body: Mapped[str] = field(default="")
    status: Mapped[Status] = field(default=Status.DRAFT)
    views: Mapped[int] = field(default=0, init=False)
    version: Mapped[int] = generated(version=True)
    author: One[Author] = foreign_key(on_delete="restrict")
    tags: Many[Tag] = many_to_many()
    comments: Many[Comment] = reverse("post")

    @classmethod
    def published(cls) -> Expr[bool]:
        return cls.status == Status.PUBLISHED

    @classmethod
    def __table_args__(cls) -> Iterable[TableArg]:
        yield index(cls.created.desc(), cls.id.desc())


class Comment(Entry):
    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str] = field(min_length=1, max_length=80)
    text: Mapped[str] = field(min_length=1, max_length=2000)
    post: One[Post] = foreign_key(on_delete="cascade")


def slug_of(title: str) -> str:
    """Gives what a post is called in addresses."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-") or "post"


MODELS: tuple[type[Model], ...] = (Author, Tag, Post, Comment)
