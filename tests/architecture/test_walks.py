"""The way through the house is short: how many calls, in how many files, a query and a commit walk when warm."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import cormorant
from cormorant import AsyncSession, Database, Mapped, Model, field, generated

HOUSE = str(Path(cormorant.__file__).parent)


class Walker(Model, table="walker"):
    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str]
    age: Mapped[int] = field(default=0)


class Walk:
    """Counts the calls of the package's own functions; generated code is in no file of it."""

    def __init__(self) -> None:
        self.files: list[str] = []

    def note(self, frame: FrameType, event: str, _: Any) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(HOUSE):
            self.files.append(frame.f_code.co_filename)


async def walk(work: Callable[[], Awaitable[object]]) -> tuple[int, int]:
    """Gives the number of calls, and of files they are in."""
    walked = Walk()
    before = sys.getprofile()
    sys.setprofile(walked.note)
    try:
        await work()
    finally:
        sys.setprofile(before)
    return len(walked.files), len(set(walked.files))


@pytest.fixture
async def session(tmp_path: Path) -> Any:
    async with Database(f"sqlite:///{tmp_path / 'walk.db'}?on_loop=false") as database:
        await database.create_all(Walker)
        async with AsyncSession(database) as made:
            made.add(*(Walker(name="warm", age=age) for age in range(6)))
            await made.commit()
            yield made


async def test_a_warm_select(session: AsyncSession) -> None:
    async def select() -> None:
        await session.query(Walker).filter(Walker.age > 3)

    await select()
    calls, files = await walk(select)
    assert calls <= 60
    # the way to the thread and back is a module of its own
    assert files <= 15


async def test_add_and_commit(session: AsyncSession) -> None:
    async def add(walker: Walker) -> None:
        session.add(walker)
        await session.commit()

    await add(Walker(name="first"))
    walker = Walker(name="second")
    calls, files = await walk(lambda: add(walker))
    assert calls <= 90
    assert files <= 18


async def test_a_session_that_reads_one_object(tmp_path: Path) -> None:
    async with Database(f"sqlite:///{tmp_path / 'walk.db'}?on_loop=false") as database:
        await database.create_all(Walker)

        async def handle() -> None:
            async with AsyncSession(database) as session:
                assert await session.get(Walker, 1) is None

        for _ in range(2):
            await handle()
        calls, files = await walk(handle)
    assert calls <= 85
    assert files <= 22
