"""Models of one name in several apps: each points to itself, and none is taken for another."""

from __future__ import annotations

from cormorant import Mapped, Model, One, field, foreign_key


class First:
    class Region(Model, app="names_first", table="first_region"):
        country: Mapped[str] = field(primary_key=True)
        number: Mapped[int] = field(primary_key=True)


class Second:
    class Region(Model, app="names_second", table="second_region"):
        code: Mapped[str] = field(primary_key=True)


class Region(Model, app="names_third", table="third_region"):
    code: Mapped[str] = field(primary_key=True)
    parent: One[Region | None] = foreign_key(default=None)


def test_a_model_points_to_itself_whatever_others_are_named() -> None:
    relation = Region.__info__.relation("parent")
    assert relation.target is Region.__info__
    assert relation.local == ("parent_id",)
