"""Authors: create, read, change and delete, each in one unit of work."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from cormorant import Page
from cormorant.integrations.fastapi import Create, Patch, ReadSessionDep, SessionDep
from examples.fastapi_blog.models import Author

router = APIRouter(prefix="/authors", tags=["authors"])
Size = Annotated[int, Query(ge=1, le=100)]


@router.post("", status_code=201)
async def create(data: Create[Author], session: SessionDep) -> Author:
    """Takes an author in. An address that is known already is a 409."""
    author = data.build()
    session.add(author)
    await session.commit()
    return author


@router.get("")
async def listed(session: ReadSessionDep, size: Size = 20, after: str | None = None) -> Page[Author]:
    """Gives the authors by name, a page at a time; `next` is the `after` of the page behind it."""
    return await session.query(Author).order_by(Author.name, Author.id).page(size, after=after)


@router.get("/{key}")
async def read(key: int, session: ReadSessionDep) -> Author:
    """Gives an author with the posts."""
    author = await session.get_one(Author, key)
    await author.posts
    return author


@router.patch("/{key}")
async def change(key: int, data: Patch[Author], session: SessionDep) -> Author:
    """Changes what is sent, and nothing else."""
    author = data.assign(await session.get_one(Author, key))
    await session.commit()
    return author


@router.delete("/{key}", status_code=204)
async def delete(key: int, session: SessionDep) -> None:
    """Removes an author who has no posts; one who has is a 409."""
    session.delete(await session.get_one(Author, key))
