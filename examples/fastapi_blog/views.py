"""Views are counted behind the responses, by one writer: what comes while it writes goes with its next transaction."""

from __future__ import annotations

from collections import Counter

from cormorant import Database
from examples.fastapi_blog.models import Post


class Views:
    """How often posts were read and it is not in the database yet.

    A write for each read would let requests come faster than a database writes them down.
    """

    def __init__(self) -> None:
        self._waiting: Counter[int] = Counter()
        self._writing = False

    async def count(self, db: Database, key: int) -> None:
        """Counts one view of a post; who comes while another one writes leaves it to that one."""
        self._waiting[key] += 1
        if self._writing:
            return
        self._writing = True
        try:
            while self._waiting:
                taken, self._waiting = self._waiting, Counter()
                await _write(db, taken)
        finally:
            self._writing = False


async def _write(db: Database, views: Counter[int]) -> None:
    # a task behind the response has a session of its own
    async with db.session() as session:
        for key, more in sorted(views.items()):
            await session.query(Post).filter(Post.id == key).update(Post.views.set(Post.views + more))
