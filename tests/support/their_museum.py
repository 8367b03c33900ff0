"""The museum for SQLAlchemy's ORM, and a session of it that does what `Side` asks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from sqlalchemy import Column, ForeignKey, ForeignKeyConstraint, Table, event, select
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

from tests.support.museum import KINDS, ORPHANS, Row, World

T = TypeVar("T")


# a row may have gone by ON DELETE before its own DELETE
UNCONFIRMED = {"confirm_deleted_rows": False}


class Base(DeclarativeBase):
    pass


LINKS = Table(
    "their_links",
    Base.metadata,
    Column("shelf", primary_key=True),
    Column("slot", primary_key=True),
    Column("theme_id", ForeignKey("their_theme.id", ondelete="CASCADE"), primary_key=True),
    ForeignKeyConstraint(["shelf", "slot"], ["their_piece.shelf", "their_piece.slot"], ondelete="CASCADE"),
)


class Room(Base):
    __tablename__ = "their_room"
    id: Mapped[int] = mapped_column(primary_key=True)
    tag: Mapped[int]
    name: Mapped[str]
    inside_id: Mapped[int | None] = mapped_column(ForeignKey("their_room.id", ondelete="SET NULL"))
    inside: Mapped[Room | None] = relationship(back_populates="rooms", remote_side=[id], post_update=True)
    rooms: Mapped[set[Room]] = relationship(back_populates="inside", post_update=True)
    pieces: Mapped[set[Piece]] = relationship(back_populates="room", cascade="save-update, delete")
    __mapper_args__ = UNCONFIRMED


class Piece(Base):
    __tablename__ = "their_piece"
    shelf: Mapped[int] = mapped_column(primary_key=True)
    slot: Mapped[str] = mapped_column(primary_key=True)
    tag: Mapped[int]
    name: Mapped[str]
    room_id: Mapped[int] = mapped_column(ForeignKey("their_room.id", ondelete="CASCADE"))
    pair_shelf: Mapped[int | None]
    pair_slot: Mapped[str | None]
    room: Mapped[Room] = relationship(back_populates="pieces")
    pair: Mapped[Piece | None] = relationship(back_populates="paired", remote_side=[shelf, slot], post_update=True)
    paired: Mapped[set[Piece]] = relationship(back_populates="pair", post_update=True)
    card: Mapped[Card | None] = relationship(back_populates="piece", cascade="save-update, delete")
    loans: Mapped[set[Loan]] = relationship(back_populates="piece")
    themes: Mapped[set[Theme]] = relationship(secondary=LINKS, back_populates="pieces")
    __table_args__ = (
        ForeignKeyConstraint(
            ["pair_shelf", "pair_slot"], ["their_piece.shelf", "their_piece.slot"], ondelete="SET NULL"
        ),
    )
    __mapper_args__ = UNCONFIRMED


class Card(Base):
    __tablename__ = "their_card"
    id: Mapped[int] = mapped_column(primary_key=True)
    tag: Mapped[int]
    name: Mapped[str]
    piece_shelf: Mapped[int]
    piece_slot: Mapped[str]
    piece: Mapped[Piece] = relationship(back_populates="card")
    __mapper_args__ = UNCONFIRMED
    __table_args__ = (
        ForeignKeyConstraint(
            ["piece_shelf", "piece_slot"], ["their_piece.shelf", "their_piece.slot"], ondelete="CASCADE"
        ),
    )


class Guest(Base):
    __tablename__ = "their_guest"
    id: Mapped[int] = mapped_column(primary_key=True)
    tag: Mapped[int]
    name: Mapped[str]
    loans: Mapped[set[Loan]] = relationship(back_populates="guest")


class Loan(Base):
    __tablename__ = "their_loan"
    id: Mapped[int] = mapped_column(primary_key=True)
    tag: Mapped[int]
    name: Mapped[str]
    guest_id: Mapped[int] = mapped_column(ForeignKey("their_guest.id"))
    piece_shelf: Mapped[int | None]
    piece_slot: Mapped[str | None]
    guest: Mapped[Guest] = relationship(back_populates="loans")
    piece: Mapped[Piece | None] = relationship(back_populates="loans")
    __table_args__ = (
        ForeignKeyConstraint(
            ["piece_shelf", "piece_slot"], ["their_piece.shelf", "their_piece.slot"], ondelete="SET NULL"
        ),
    )


class Theme(Base):
    __tablename__ = "their_theme"
    id: Mapped[int] = mapped_column(primary_key=True)
    tag: Mapped[int]
    name: Mapped[str] = mapped_column(unique=True)
    pieces: Mapped[set[Piece]] = relationship(secondary=LINKS, back_populates="themes")


MODELS: dict[str, type[Any]] = {m.__name__: m for m in (Room, Piece, Card, Guest, Loan, Theme)}


def prepare(engine: AsyncEngine) -> None:
    """Has SQLite keep foreign keys, and leave BEGIN and SAVEPOINT to the session."""
    if engine.dialect.name != "sqlite":
        return

    @event.listens_for(engine.sync_engine, "connect")
    def connect(connection: Any, record: Any) -> None:
        connection.isolation_level = None
        connection.execute("PRAGMA foreign_keys = ON")

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN")


class Theirs:
    """A session of SQLAlchemy."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        self.objects: dict[int, Any] = {}
        self.blocks: list[Any] = []
        self.deleting = False

    async def open(self) -> None:
        # nothing expires on commit, as with us
        self.session = AsyncSession(self.engine, expire_on_commit=False)

    async def close(self) -> None:
        await self.session.commit()
        await self.session.close()

    async def end(self) -> None:
        await self.session.close()

    def run(self, work: Callable[[Session], T]) -> Awaitable[T]:
        """Runs what may load while it reads."""
        return self.session.run_sync(work)

    # ---- changes

    async def add(self, tag: int, row: Row, *, by: str) -> None:
        values: dict[str, Any] = {name: self.objects[target] for name, target in row.refs.items() if target is not None}
        if row.key is not None:
            values |= {"shelf": row.key[0], "slot": row.key[1]}

        def work(session: Session) -> None:
            with session.no_autoflush:
                self.objects[tag] = MODELS[row.kind](tag=tag, name=row.name, **values)
                session.add(self.objects[tag])

        await self.run(work)

    async def rename(self, tag: int, name: str) -> None:
        await self.run(lambda _: setattr(self.objects[tag], "name", name))

    async def move(self, tag: int, key: tuple[int, str]) -> None:
        raise NotImplementedError

    async def relate(self, tag: int, ref: str, target: int | None) -> None:
        other = None if target is None else self.objects[target]
        await self.run(lambda _: setattr(self.objects[tag], ref, other))

    async def put_in(self, tag: int, collection: str, others: list[int]) -> None:
        await self.run(lambda _: getattr(self.objects[tag], collection).update([self.objects[o] for o in others]))

    async def take_out(self, tag: int, collection: str, others: list[int]) -> None:
        if (type(self.objects[tag]).__name__, collection) in ORPHANS:
            for other in others:
                await self.delete(other)
            return

        def work(_: Session) -> None:
            for other in others:
                getattr(self.objects[tag], collection).remove(self.objects[other])

        await self.run(work)

    async def hold(self, tag: int, collection: str, others: list[int]) -> None:
        if (type(self.objects[tag]).__name__, collection) in ORPHANS:
            lost = await self.members(tag, collection) - set(others)
            await self.take_out(tag, collection, sorted(lost))
            await self.put_in(tag, collection, others)
            return
        await self.run(lambda _: setattr(self.objects[tag], collection, {self.objects[other] for other in others}))

    async def delete(self, tag: int) -> None:
        self.deleting = True
        await self.run(lambda session: session.delete(self.objects[tag]))

    # ---- transactions

    async def flush(self) -> None:
        await self.session.flush()
        if self.deleting:
            # what pointed to a deleted row shows it until it is read again
            self.session.expire_all()
            self.deleting = False

    async def begin(self) -> None:
        self.blocks.append(await self.session.begin_nested())

    async def leave(self, *, failed: bool) -> None:
        block = self.blocks.pop()
        await (block.rollback() if failed else block.commit())

    async def commit(self) -> None:
        await self.session.commit()

    async def rollback(self) -> None:
        await self.session.rollback()

    # ---- what it shows

    async def found(self, kind: str) -> list[int]:
        return [found.tag for found in await self.session.scalars(select(MODELS[kind]))]

    async def members(self, tag: int, collection: str) -> set[int]:
        return await self.run(lambda _: {other.tag for other in getattr(self.objects[tag], collection)})

    async def held(self, tag: int) -> Row:
        def work(_: Session) -> Row:
            instance = self.objects[tag]
            kind = type(instance).__name__
            targets = {name: getattr(instance, name) for name in KINDS[kind].refs}
            key = (instance.shelf, instance.slot) if kind == "Piece" else None
            refs = {name: None if target is None else target.tag for name, target in targets.items()}
            return Row(kind, instance.name, refs, key)

        return await self.run(work)

    async def stored(self) -> World:
        world = World()
        async with AsyncSession(self.engine) as fresh:

            def work(session: Session) -> None:
                for kind, told in KINDS.items():
                    for one in session.scalars(select(MODELS[kind])):
                        targets = {name: getattr(one, name) for name in told.refs}
                        refs = {name: None if target is None else target.tag for name, target in targets.items()}
                        key = (one.shelf, one.slot) if kind == "Piece" else None
                        world.rows[one.tag] = Row(kind, one.name, refs, key)
                for theme in session.scalars(select(Theme)):
                    world.links |= {(piece.tag, theme.tag) for piece in theme.pieces}

            await fresh.run_sync(work)
        return world
