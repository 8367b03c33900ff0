"""Every Python block of the README and of docs/ is executed, file by file, on both databases."""

from __future__ import annotations

import ast
import asyncio
import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

import pytest

from cormorant import Database, configure
from cormorant.models.registry import registry

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
NOTIFIED = pytest.mark.direct("a pooler gives nobody notifications")
BLOCK = re.compile(r"^```python(?P<marks>[^\n]*)\n(?P<code>.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(page: Path) -> Iterator[tuple[int, str, str]]:
    """Gives (line, marks, code) of each block.

    Blocks marked `no-database` make databases of their own; those marked `sync` run in a thread without an event loop;
    those marked `no-run` show what is run elsewhere.
    """
    text = page.read_text(encoding="utf-8")
    for match in BLOCK.finditer(text):
        if "no-run" not in match["marks"]:
            yield text.count("\n", 0, match.start("code")), match["marks"], match["code"]


def compiled(code: str, page: Path, line: int) -> CodeType:
    """Gives a block as code in which `await` may stand at the top."""
    tree = ast.parse(code, str(page))
    ast.increment_lineno(tree, line)
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    return compile(tree, str(page), "exec", flags=flags)


@pytest.fixture
def module(request: pytest.FixtureRequest) -> Iterator[ModuleType]:
    """A module for a page's names: its models resolve annotations in it."""
    made = ModuleType(f"page_{request.node.callspec.params['page'].stem}")
    sys.modules[made.__name__] = made
    with registry.isolated():
        yield made
    del sys.modules[made.__name__]


@pytest.mark.parametrize(
    "page",
    [pytest.param(page, marks=NOTIFIED) if page.stem == "caching" else page for page in PAGES],
    ids=lambda page: page.stem,
)
async def test_page(page: Path, module: ModuleType, database_dsn: str) -> None:
    """A page is a program: its blocks share their names, and `db` is an empty database."""
    found = list(blocks(page))
    names: dict[str, Any] = vars(module)
    async with Database(database_dsn) as database:
        configure(database)
        try:
            for line, marks, code in found:
                if "no-database" not in marks:
                    names["db"] = database
                ready = compiled(code, page, line)
                ran = await asyncio.to_thread(eval, ready, names) if "sync" in marks else eval(ready, names)
                if inspect.iscoroutine(ran):
                    await ran
                configure(database)
        finally:
            configure(None)


def test_pages_have_examples() -> None:
    """The pattern finds blocks: a page without any would pass untested."""
    assert len(list(blocks(ROOT / "README.md"))) >= 8
