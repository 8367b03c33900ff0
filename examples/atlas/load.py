"""Saves the standards: objects are added as they are related, and flushed a thousand at a time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.progress import Progress

from cormorant import AsyncSession
from examples.atlas.models import Standard
from examples.atlas.source import read_atlas

CHUNK = 1000


async def load(session: AsyncSession, progress: Progress) -> None:
    for title, objects in read_atlas().items():
        task = progress.add_task(title, total=len(objects))
        for chunk in chunks(objects):
            session.add(*chunk)
            await session.flush()
            progress.advance(task, len(chunk))


def chunks(objects: Sequence[Standard]) -> Iterable[Sequence[Standard]]:
    return (objects[start : start + CHUNK] for start in range(0, len(objects), CHUNK))
