"""Nested resolvers cost one statement for each level, however many objects there are, and there is no dataloader."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from cormorant import Database

pytest.importorskip("strawberry", reason="strawberry is not installed; pip install 'cormorant[test]'")

from examples.graphql.__main__ import REQUEST, fill
from examples.graphql.app import make_app
from examples.graphql.models import MODELS
from examples.graphql.schema import execute

ROOT = Path(__file__).parents[2]


@pytest.fixture
async def library(database_dsn: str) -> AsyncIterator[Database]:
    async with Database(database_dsn) as database:
        await fill(database, authors=12, books=5)
        yield database


async def answer(database: Database, request: str) -> tuple[Any, int]:
    result = await execute(database, request)
    assert result.errors is None
    return result.data, (result.extensions or {})["statements"]


@pytest.mark.parametrize(
    ("request_", "statements"),
    [
        ("{ authors { name } }", 1),
        ("{ authors { name books { title } } }", 2),
        # authors, books, and for those genres, reviews, and the readers of all reviews
        (REQUEST, 5),
        ("{ books { title author { name } } }", 2),
        # books of a genre, their authors, all books of those, and all their reviews
        ('{ books(genre: "poetry") { author { books { reviews { stars } } } } }', 4),
        ("{ authors { books { reviews { reader { reviews { book { title author { name } } } } } } } }", 5),
        ("{ a: authors { books { title } } b: books { reviews { stars } } }", 4),
    ],
)
async def test_a_level_costs_one_statement(library: Database, request_: str, statements: int) -> None:
    assert (await answer(library, request_))[1] == statements


async def test_the_answer_is_whole(library: Database) -> None:
    data, _ = await answer(library, REQUEST)
    assert len(data["authors"]) == 12
    books = [book for author in data["authors"] for book in author["books"]]
    assert len(books) == 60
    assert all(len(book["genres"]) in (1, 2) and len(book["reviews"]) == 2 for book in books)
    assert {review["reader"]["name"] for book in books for review in book["reviews"]} == {"Ida", "Tove", "Hugo", "Emil"}


async def test_it_is_served_over_http(library: Database) -> None:
    transport = httpx.ASGITransport(app=make_app(library))
    async with httpx.AsyncClient(transport=transport, base_url="http://library") as client:
        answered = await client.post("/graphql", json={"query": REQUEST})
        assert answered.json()["extensions"] == {"statements": 5}
        refused = await client.post("/graphql", json={"query": "{ nobody }"})
        assert "Cannot query field 'nobody'" in refused.json()["errors"][0]["message"]
    assert library.adapter.stats.in_use == 0


def test_it_runs_from_the_command_line(database_dsn: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "examples.graphql"],
        cwd=ROOT,
        env={**os.environ, "CORMORANT_DSN": database_dsn},
        capture_output=True,
        encoding="utf-8",
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["extensions"] == {"statements": 5}
    assert MODELS
