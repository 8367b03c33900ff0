"""Posts: tags by name, pages by cursor, a version that refuses stale changes, views counted behind the response."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from fastapi import APIRouter, BackgroundTasks, Request
from fastapi.responses import StreamingResponse
from pydantic import Field

from cormorant import AsyncSession, Page, QuerySet, StaleObjectError, func
from cormorant.integrations.fastapi import Create, DatabaseDep, Patch, ReadSessionDep, SessionDep, SyncSessionDep
from examples.fastapi_blog.authors import Size
from examples.fastapi_blog.models import Comment, Post, Tag, slug_of
from examples.fastapi_blog.views import Views

router = APIRouter(prefix="/posts", tags=["posts"])

if TYPE_CHECKING:
    NewComment = Create[Comment]
else:
    # the address says to which post it belongs
    NewComment = Comment.schema("create", exclude=["post_id"], name="NewComment")


class NewPost(Create[Post]):
    """A post as clients send it: what the model says, and the names of its tags."""

    tags: list[str] = Field(default_factory=list)


class ChangedPost(Patch[Post]):
    """What is changed of a post, and the version that was read."""

    tags: list[str] | None = None
    version: int


def shown(session: AsyncSession) -> QuerySet[Post]:
    """Gives the query of posts as they are shown: with their author, in the same statement, and their tags."""
    return session.query(Post).select_related(Post.author).prefetch_related(Post.tags)


async def named(session: AsyncSession, names: list[str]) -> list[Tag]:
    """Gives the tags of these names; those that are new are made, whoever else makes them at the same time."""
    wanted = sorted({name.strip().lower() for name in names if name.strip()})
    if wanted:
        await session.query(Tag).upsert([{"name": name} for name in wanted], on=[Tag.name], set=[])
    return await session.query(Tag).filter(Tag.name.in_(wanted)).order_by(Tag.name)


@router.post("", status_code=201)
async def create(data: NewPost, session: SessionDep) -> Post:
    """Takes a post in. Two posts of one title are a 409."""
    post = data.build()
    post.slug = slug_of(post.title)
    post.tags.add(*await named(session, data.tags))
    session.add(post)
    await session.commit()
    return post


@router.get("")
async def listed(
    session: ReadSessionDep, tag: str | None = None, words: str = "", size: Size = 20, after: str | None = None
) -> Page[Post]:
    """Gives the published posts, the newest first, a page at a time; `next` is the `after` of the page behind it."""
    query = shown(session).filter(Post.published()).order_by(Post.created.desc(), Post.id.desc())
    if tag is not None:
        query = query.filter(Post.tags.any(Tag.name == tag.lower()))
    for word in words.split():
        query = query.filter(Post.title.icontains(word) | Post.body.icontains(word))
    return await query.page(size, after=after)


@router.get("/export")
async def export(db: DatabaseDep) -> StreamingResponse:
    """Gives all published posts as lines of JSON, with flat memory: a stream has a session of its own."""

    async def lines() -> AsyncIterator[str]:
        async with db.session(read_only=True) as session:
            async for post in session.query(Post).filter(Post.published()).order_by(Post.id).stream():
                yield json.dumps({"slug": post.slug, "title": post.title, "body": post.body}) + "\n"

    return StreamingResponse(lines(), media_type="application/jsonl")


@router.get("/tags")
def tags(session: SyncSessionDep) -> dict[str, int]:
    """Gives the number of published posts of each tag: a handler without `async` has a sync session."""
    published = Post.tags.any(Tag.id.is_not_null()) & Post.published()
    query = session.query(Post).filter(published).group_by(Post.tags.each.name).order_by(Post.tags.each.name)
    return dict(query.values(Post.tags.each.name, func.count()))


@router.get("/{slug}")
async def read(slug: str, session: ReadSessionDep, db: DatabaseDep, request: Request, tasks: BackgroundTasks) -> Post:
    """Gives a post with author, tags and comments. It is counted when the response has left."""
    post = await shown(session).prefetch_related(Post.comments).filter(Post.slug == slug).one()
    views: Views = request.app.state.views
    tasks.add_task(views.count, db, post.id)
    return post


@router.patch("/{slug}")
async def change(slug: str, data: ChangedPost, session: SessionDep) -> Post:
    """Changes what is sent. Who sends a version that is not the last one has not read what it would change: a 409."""
    post = await shown(session).filter(Post.slug == slug).one()
    if post.version != data.version:
        raise StaleObjectError(f"{post!r} was changed since version {data.version}")
    data.assign(post)
    if data.tags is not None:
        post.tags.set(await named(session, data.tags))
    await session.commit()
    return post


@router.delete("/{slug}", status_code=204)
async def delete(slug: str, session: SessionDep) -> None:
    """Removes a post with its comments."""
    session.delete(await session.query(Post).filter(Post.slug == slug).one())


@router.post("/{slug}/comments", status_code=201)
async def comment(slug: str, data: NewComment, session: SessionDep) -> Comment:
    """Adds a comment to a published post."""
    post = await session.query(Post).filter(Post.slug == slug, Post.published()).one()
    made = data.build(post=post)
    session.add(made)
    await session.commit()
    return made
