"""The blog does what its README says, on both databases, and under a real server."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from cormorant import Database
from cormorant.integrations.fastapi import get_database
from examples.fastapi_blog.app import create_app, create_tables

ROOT = Path(__file__).parents[2]


@pytest.fixture
async def app(database_dsn: str) -> AsyncIterator[FastAPI]:
    app = create_app()
    async with Database(database_dsn) as database:
        await create_tables(database)
        app.dependency_overrides[get_database] = lambda: database
        yield app
        assert database.adapter.stats.in_use == 0


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://blog") as client:
        yield client


async def make_author(client: httpx.AsyncClient, name: str = "Ada") -> Any:
    answer = await client.post("/authors", json={"name": name, "email": f"{name.lower()}@example.org"})
    assert answer.status_code == 201, answer.text
    return answer.json()


async def make_post(client: httpx.AsyncClient, author: Any, title: str, **more: Any) -> Any:
    body = {"title": title, "author_id": author["id"], "status": "published", **more}
    answer = await client.post("/posts", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def test_authors_from_the_cradle_to_the_grave(client: httpx.AsyncClient) -> None:
    ada = await make_author(client)
    assert set(ada) == {"id", "name", "created"}, "addresses are nobody's business"
    changed = await client.patch(f"/authors/{ada['id']}", json={"name": "Ada Lovelace"})
    assert changed.json() == ada | {"name": "Ada Lovelace"}
    assert (await client.get(f"/authors/{ada['id']}")).json() == ada | {"name": "Ada Lovelace", "posts": []}
    assert (await client.delete(f"/authors/{ada['id']}")).status_code == 204
    assert (await client.get(f"/authors/{ada['id']}")).status_code == 404


async def test_authors_come_in_pages(client: httpx.AsyncClient) -> None:
    for name in ("Dora", "Bob", "Ada", "Cyd", "Eve"):
        await make_author(client, name)
    seen: list[str] = []
    after: str | None = ""
    while after is not None:
        page = (await client.get("/authors", params={"size": 2} | ({"after": after} if after else {}))).json()
        seen += [author["name"] for author in page["items"]]
        after = page["next"]
    assert seen == ["Ada", "Bob", "Cyd", "Dora", "Eve"]
    assert (await client.get("/authors", params={"after": "nonsense"})).status_code == 422


async def test_posts_have_an_author_and_tags_by_name(client: httpx.AsyncClient) -> None:
    ada = await make_author(client)
    first = await make_post(client, ada, "Notes on the Engine", tags=["Math", "history"])
    second = await make_post(client, ada, "A letter", tags=["math"], body="about the engine")
    draft = await make_post(client, ada, "Not yet", tags=["math"], status="draft")
    assert (first["slug"], first["version"], draft["status"]) == ("notes-on-the-engine", 1, "draft")

    shown = (await client.get("/posts")).json()["items"]
    assert [post["slug"] for post in shown] == [second["slug"], first["slug"]]
    assert shown[1]["author"]["name"] == "Ada"
    assert sorted(tag["name"] for tag in shown[1]["tags"]) == ["history", "math"]
    slugs = [post["slug"] for post in (await client.get("/posts", params={"tag": "history"})).json()["items"]]
    assert slugs == [first["slug"]]
    slugs = [post["slug"] for post in (await client.get("/posts", params={"words": "ENGINE about"})).json()["items"]]
    assert slugs == [second["slug"]]
    assert (await client.get("/posts/tags")).json() == {"history": 1, "math": 2}
    lines = (await client.get("/posts/export")).text.splitlines()
    assert [json.loads(line)["slug"] for line in lines] == [first["slug"], second["slug"]]


async def test_a_page_costs_as_many_statements_as_it_has_relations(client: httpx.AsyncClient, app: FastAPI) -> None:
    database: Database = app.dependency_overrides[get_database]()
    ada = await make_author(client)
    for number in range(5):
        await make_post(client, ada, f"Post {number}", tags=["a", "b"])
    before = sum(stats.count for stats in database.query_stats())
    assert len((await client.get("/posts")).json()["items"]) == 5
    assert sum(stats.count for stats in database.query_stats()) - before == 2


async def test_stale_changes_are_refused(client: httpx.AsyncClient) -> None:
    post = await make_post(client, await make_author(client), "Notes", tags=["math"])
    path = f"/posts/{post['slug']}"
    changed = await client.patch(path, json={"body": "better", "tags": ["Math", "new"], "version": 1})
    assert (changed.status_code, changed.json()["version"]) == (200, 2)
    assert sorted(tag["name"] for tag in changed.json()["tags"]) == ["math", "new"]
    stale = await client.patch(path, json={"body": "other", "version": 1})
    assert (stale.status_code, stale.json()["detail"][0]["type"]) == (409, "stale")
    assert (await client.get(path)).json()["body"] == "better"


async def test_readers_are_counted_behind_the_response(client: httpx.AsyncClient) -> None:
    post = await make_post(client, await make_author(client), "Notes")
    views = [(await client.get(f"/posts/{post['slug']}")).json()["views"] for _ in range(3)]
    assert views == [0, 1, 2]


async def test_readers_who_come_at_once_are_all_counted_by_few_writes(client: httpx.AsyncClient, app: FastAPI) -> None:
    path = f"/posts/{(await make_post(client, await make_author(client), 'Notes'))['slug']}"
    database = app.dependency_overrides[get_database]()
    database.reset_query_stats()
    await asyncio.gather(*(client.get(path) for _ in range(40)))
    writes = [stats.count for stats in database.query_stats() if stats.sql.startswith("UPDATE")]
    assert sum(writes) < 20
    assert (await client.get(path)).json()["views"] == 40


async def test_comments_belong_to_published_posts(client: httpx.AsyncClient) -> None:
    ada = await make_author(client)
    post = await make_post(client, ada, "Notes")
    draft = await make_post(client, ada, "Not yet", status="draft")
    body = {"name": "Bob", "text": "well said"}
    made = await client.post(f"/posts/{post['slug']}/comments", json=body)
    assert (made.status_code, made.json()["post_id"]) == (201, post["id"])
    assert (await client.post(f"/posts/{draft['slug']}/comments", json=body)).status_code == 404
    comments = (await client.get(f"/posts/{post['slug']}")).json()["comments"]
    assert [comment["text"] for comment in comments] == ["well said"]
    assert (await client.delete(f"/posts/{post['slug']}")).status_code == 204


async def test_mistakes_are_told(client: httpx.AsyncClient) -> None:
    ada = await make_author(client)
    await make_post(client, ada, "Notes")

    async def told(method: str, path: str, body: Any = None) -> tuple[int, list[Any]]:
        answer = await client.request(method, path, json=body)
        detail = answer.json()["detail"]
        return answer.status_code, detail if isinstance(detail, str) else [problem["loc"] for problem in detail]

    assert await told("GET", "/authors/99") == (404, "Not Found")
    assert await told("POST", "/authors", {"name": "B", "email": "ada@example.org"}) == (409, [["body", "email"]])
    assert await told("POST", "/authors", {"name": "", "email": "x"}) == (422, [["body", "name"], ["body", "email"]])
    assert await told("POST", "/posts", {"title": "Notes", "author_id": ada["id"]}) == (409, [["body", "slug"]])
    status, _ = await told("POST", "/posts", {"title": "Other", "author_id": 99})
    assert status == 422
    assert await told("DELETE", f"/authors/{ada['id']}") == (409, [["body"]])


async def test_many_make_the_same_tag_at_once(client: httpx.AsyncClient) -> None:
    ada = await make_author(client)
    await asyncio.gather(*(make_post(client, ada, f"Post {number}", tags=["same"]) for number in range(8)))
    assert (await client.get("/posts/tags")).json() == {"same": 8}


def test_the_components_have_good_names() -> None:
    assert set(create_app("sqlite:///nowhere.db").openapi()["components"]["schemas"]) == {
        "Author", "AuthorCreate", "AuthorPage", "AuthorPatch", "ChangedPost", "Comment", "HTTPValidationError",
        "NewComment", "NewPost", "Post", "PostPage", "Status", "Tag", "ValidationError",
    }  # fmt: skip


async def test_a_second_start_keeps_what_is_there(client: httpx.AsyncClient, app: FastAPI) -> None:
    await make_author(client)
    await create_tables(app.dependency_overrides[get_database]())
    assert len((await client.get("/authors")).json()["items"]) == 1


def test_it_runs_from_the_command_line(database_dsn: str) -> None:
    environment = {**os.environ, "CORMORANT_DSN": database_dsn, "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "examples.fastapi_blog", "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        try:
            address = next(found[0] for line in server.stderr if (found := re.findall(r"http://[\d.:]+", line)))
            with httpx.Client(base_url=address) as client:
                assert client.post("/authors", json={"name": "Ada", "email": "ada@b.org"}).status_code == 201
                assert [author["name"] for author in client.get("/authors").json()["items"]] == ["Ada"]
        finally:
            server.terminate()
        assert "Application shutdown complete" in server.stderr.read()
