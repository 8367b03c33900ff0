"""A richer schema for machines, and a plain-Python model of it: what tables hold, and what on_delete does to them.

Keys made by the database, by the program and of two columns; references to the own table, one-to-one, needed and not;
each on_delete; versions; unique columns; links.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID, uuid4

from cormorant import Many, Mapped, Model, One, foreign_key, generated, many_to_many, reverse
from cormorant import field as column


class Room(Model, app="museum"):
    """Points to its own table."""

    id: Mapped[int] = generated(primary_key=True)
    tag: Mapped[int]
    name: Mapped[str]
    version: Mapped[int] = generated(version=True)
    inside: One[Room | None] = foreign_key(default=None, on_delete="set_null")
    rooms: Many[Room] = reverse("inside")
    pieces: Many[Piece] = reverse("room", orphan_removal=True)


class Piece(Model, app="museum"):
    """A key of two columns that the program knows."""

    shelf: Mapped[int] = column(primary_key=True)
    slot: Mapped[str] = column(primary_key=True)
    tag: Mapped[int]
    name: Mapped[str]
    version: Mapped[int] = generated(version=True)
    room: One[Room] = foreign_key(on_delete="cascade")
    pair_shelf: Mapped[int | None] = column(default=None, init=False)
    pair_slot: Mapped[str | None] = column(default=None, init=False)
    pair: One[Piece | None] = foreign_key(default=None, columns=("pair_shelf", "pair_slot"), on_delete="set_null")
    paired: Many[Piece] = reverse("pair")
    card: One[Card | None] = reverse("piece")
    loans: Many[Loan] = reverse("piece")
    themes: Many[Theme] = many_to_many()


class Card(Model, app="museum"):
    """One-to-one."""

    id: Mapped[int] = generated(primary_key=True)
    tag: Mapped[int]
    name: Mapped[str]
    piece_shelf: Mapped[int] = column(init=False)
    piece_slot: Mapped[str] = column(init=False)
    piece: One[Piece] = foreign_key(columns=("piece_shelf", "piece_slot"), unique=True, on_delete="cascade")


class Guest(Model, app="museum"):
    """Whoever has loans cannot go."""

    id: Mapped[int] = generated(primary_key=True)
    tag: Mapped[int]
    name: Mapped[str]
    loans: Many[Loan] = reverse("guest")


class Loan(Model, app="museum"):
    id: Mapped[int] = generated(primary_key=True)
    tag: Mapped[int]
    name: Mapped[str]
    guest: One[Guest] = foreign_key()
    piece_shelf: Mapped[int | None] = column(default=None, init=False)
    piece_slot: Mapped[str | None] = column(default=None, init=False)
    piece: One[Piece | None] = foreign_key(default=None, columns=("piece_shelf", "piece_slot"), on_delete="set_null")


class Theme(Model, app="museum"):
    """A key that the program makes, and a name that no other has."""

    id: Mapped[UUID] = column(primary_key=True, default_factory=uuid4)
    tag: Mapped[int]
    name: Mapped[str] = column(unique=True)
    pieces: Many[Piece] = reverse("themes")


MODELS: list[type[Model]] = [Room, Piece, Card, Guest, Loan, Theme]


# ------------------------------------------------------------------ what is in it, told twice


@dataclass(frozen=True, slots=True)
class Ref:
    """A relation to one object.

    Args:
        target: The kind it points to.
        inverse: The other side's name.
    """

    target: str
    inverse: str
    on_delete: Literal["cascade", "set_null", "restrict"]
    required: bool = False
    unique: bool = False


@dataclass(frozen=True, slots=True)
class Kind:
    """A model, as the plain model knows it."""

    name: str
    refs: Mapping[str, Ref] = field(default_factory=dict[str, Ref])


KINDS: dict[str, Kind] = {
    "Room": Kind("Room", {"inside": Ref("Room", "rooms", "set_null")}),
    "Piece": Kind(
        "Piece",
        {
            "room": Ref("Room", "pieces", "cascade", required=True),
            "pair": Ref("Piece", "paired", "set_null"),
        },
    ),
    "Card": Kind("Card", {"piece": Ref("Piece", "card", "cascade", required=True, unique=True)}),
    "Guest": Kind("Guest"),
    "Loan": Kind(
        "Loan",
        {
            "guest": Ref("Guest", "loans", "restrict", required=True),
            "piece": Ref("Piece", "loans", "set_null"),
        },
    ),
    "Theme": Kind("Theme"),
}

MANY: dict[str, list[tuple[str, str, str]]] = {
    # of each kind: the collection, the kind of its members, and their relation; "" for links
    "Room": [("rooms", "Room", "inside"), ("pieces", "Piece", "room")],
    "Piece": [("paired", "Piece", "pair"), ("loans", "Loan", "piece"), ("themes", "Theme", "")],
    "Guest": [("loans", "Loan", "guest")],
    "Theme": [("pieces", "Piece", "")],
}


ORPHANS = {("Room", "pieces")}
"""The collections whose members are deleted when they are taken out."""


@dataclass(slots=True)
class Row:
    """A row: its name, its key as far as the program knows it, and whom it points to."""

    kind: str
    name: str
    refs: dict[str, int | None] = field(default_factory=dict[str, "int | None"])
    key: tuple[int, str] | None = None

    def copy(self) -> Row:
        return Row(self.kind, self.name, dict(self.refs), self.key)


class Refused(Exception):
    """The database would refuse it."""


@dataclass(slots=True)
class World:
    """What a database should hold; rows go by their tags, and links are pairs of a piece's and a theme's."""

    rows: dict[int, Row] = field(default_factory=dict[int, Row])
    links: set[tuple[int, int]] = field(default_factory=set[tuple[int, int]])

    def copy(self) -> World:
        return World({tag: row.copy() for tag, row in self.rows.items()}, set(self.links))

    def of(self, kind: str) -> list[int]:
        """Gives the tags of a kind's rows."""
        return [tag for tag, row in self.rows.items() if row.kind == kind]

    def pointing(self, tag: int) -> list[tuple[int, str]]:
        """Gives the rows that point to one, with the relation by which they do."""
        return [(other, name) for other, row in self.rows.items() for name, target in row.refs.items() if target == tag]

    def members(self, tag: int, collection: str) -> set[int]:
        """Gives what a collection holds."""
        if collection == "themes":
            return {theme for piece, theme in self.links if piece == tag}
        if collection == "pieces" and self.rows[tag].kind == "Theme":
            return {piece for piece, theme in self.links if theme == tag}
        _, kind, ref = next(found for found in MANY[self.rows[tag].kind] if found[0] == collection)
        return {other for other, name in self.pointing(tag) if name == ref and self.rows[other].kind == kind}

    def delete(self, tags: Iterable[int]) -> set[int]:
        """Deletes rows as a database does; gives all that went with them.

        Raises:
            Refused: Something that stays needs one of them.
        """
        gone = set(tags)
        while more := {
            other
            for tag in gone
            for other, name in self.pointing(tag)
            if other not in gone and KINDS[self.rows[other].kind].refs[name].on_delete == "cascade"
        }:
            gone |= more
        loose = [(other, name) for tag in gone for other, name in self.pointing(tag) if other not in gone]
        if any(KINDS[self.rows[other].kind].refs[name].on_delete == "restrict" for other, name in loose):
            raise Refused
        for other, name in loose:
            self.rows[other].refs[name] = None
        for tag in gone:
            del self.rows[tag]
        self.links = {(piece, theme) for piece, theme in self.links if not {piece, theme} & gone}
        return gone

    def plain(self) -> dict[str, Any]:
        """Gives all of it as values that can be compared."""
        return {
            "rows": {tag: (row.kind, row.name, row.key, dict(row.refs)) for tag, row in self.rows.items()},
            "links": self.links,
        }
