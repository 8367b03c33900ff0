"""The constructor sets relations as an assignment would, whatever is given for them."""

from __future__ import annotations

from typing import Any

import pytest

from cormorant import (
    Many,
    Mapped,
    Model,
    NotLoadedError,
    One,
    UnsavedError,
    WrongType,
    foreign_key,
    generated,
    ref,
    reverse,
)
from cormorant.models.state import DETACHED, set_attribute


class Club(Model, app="clubs"):
    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str]
    members: Many[Member] = reverse("club")
    guests: Many[Member] = reverse("visited")


class Member(Model, app="clubs"):
    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str]
    club: One[Club] = foreign_key()
    visited: One[Club | None] = foreign_key(default=None)


class Pass(Model, app="clubs"):
    number: Mapped[int] = generated(primary_key=True)
    member: One[Member] = foreign_key(unique=True)
    club_id: Mapped[int]
    club: One[Club] = foreign_key(init=False)


class Noted(Model, app="clubs"):
    id: Mapped[int] = generated(primary_key=True)
    club: One[Club] = foreign_key()

    def __setattr__(self, name: str, value: Any) -> None:
        WRITTEN.append(name)
        super().__setattr__(name, value)


WRITTEN: list[str] = []


def read(instance: Any, *names: str) -> tuple[Any, ...]:
    return tuple(getattr(instance, name) for name in names)


def test_a_new_target_is_held_and_shows_the_object() -> None:
    club = Club(name="chess")
    first, second = Member(name="Ada", club=club), Member(name="Bob", club=club, visited=club)
    assert (first.club, first.visited) == (club, None)
    assert list(club.members) == [first, second]
    assert list(club.guests) == [second]
    with pytest.raises(UnsavedError, match=r"Member\.club_id"):
        read(first, "club_id")
    assert read(first, "visited_id") == (None,)


def test_a_target_with_a_key_gives_it() -> None:
    club = Club(id=7, name="chess")
    member = Member(id=1, name="Ada", club=club, visited=ref(Club, 8))
    assert read(member, "club_id", "visited_id") == (7, 8)
    assert type(member) is Member
    assert repr(member.visited) == repr(ref(Club, 8))


def test_a_target_with_a_row_does_not_show_what_belongs_to_no_session() -> None:
    club = Club(id=7, name="chess")
    set_attribute(club, "__orm_origin__", DETACHED)
    assert Member(name="Ada", club=club).club is club
    with pytest.raises(NotLoadedError):
        len(club.members)


@pytest.mark.parametrize("wrong", [None, 3, Member])
def test_what_is_no_target_is_refused(wrong: Any) -> None:
    number: Any = 3
    with pytest.raises(WrongType):
        Member(name="Ada", club=wrong)
    with pytest.raises(WrongType, match=r"Member\.visited"):
        Member(name="Ada", club=Club(name="chess"), visited=number)


def test_an_object_on_the_other_side_of_one_to_one_is_held() -> None:
    member = Member(id=1, name="Ada", club=Club(id=2, name="chess"))
    made = Pass(member=member, club_id=2)
    assert read(made, "member", "member_id", "club_id") == (member, 1, 2)


def test_a_models_own_setattr_is_told_of_relations() -> None:
    WRITTEN.clear()
    club = Club(id=3, name="chess")
    assert Noted(club=club).club is club
    assert "club" in WRITTEN
