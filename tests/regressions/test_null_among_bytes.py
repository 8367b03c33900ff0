"""On SQLite NULL was found among bytes when b"" was one of them: hex(NULL) is the empty text."""

from __future__ import annotations

from cormorant import AsyncSession, Database, Mapped, Model, field, generated


class Blob(Model, app="regressions"):
    id: Mapped[int] = generated(primary_key=True)
    data: Mapped[bytes | None] = field(default=None)


async def test_null_is_not_among_bytes(database_dsn: str) -> None:
    async with Database(database_dsn) as database:
        await database.create_all(Blob)
        async with AsyncSession(database) as session:
            session.add(Blob(), Blob(data=b""), Blob(data=b"\0"))
            await session.flush()
            assert await session.query(Blob).filter(Blob.data.in_([b""])).scalars(Blob.data) == [b""]
