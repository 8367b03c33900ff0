from __future__ import annotations

import enum
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from cormorant import (
    Many,
    Mapped,
    Model,
    One,
    TableArg,
    check,
    field,
    foreign_key,
    generated,
    index,
    many_to_many,
    reverse,
    text,
    types,
    unique,
)


class FilmRating(enum.Enum):
    ALL = "all"
    VALUE_12 = "12+"
    VALUE_16 = "16+"
    ADULTS = "adults"


class LoanState(enum.Enum):
    OUT = "out"
    BACK = "back"
    LATE = "late"
    LOST = "lost"


class Actor(Model, table="actors"):
    id: Mapped[int] = generated(primary_key=True, size="normal")
    name: Mapped[str] = field(collation="C")
    films: Many[Film] = many_to_many(through="FilmActor")


class Category(Model, table="categories"):
    id: Mapped[int] = field(primary_key=True, size="small")
    name: Mapped[str] = field(max_length=30)
    parent_id: Mapped[int | None] = field(default=None, column="parent", size="small")
    parent: One[Category | None] = foreign_key(init=False, columns=("parent_id",), on_delete="no_action", index=False)
    parent_of: Many[Category] = reverse("parent")
    films: Many[Film] = many_to_many(through="FilmCategory")
    film_categories: Many[FilmCategory] = reverse("category")

    @classmethod
    def __table_args__(cls) -> Iterable[TableArg]:
        yield unique(cls.parent_id, cls.name, name="categories_parent_name_key")


class Country(Model, table="countries", comment="Where shops and people are; ISO 3166"):
    code: Mapped[str] = field(primary_key=True, type=types.Native("char(2)"))
    name: Mapped[str]
    cities: Many[City] = reverse("country")


class City(Model, table="cities"):
    city_id: Mapped[int] = generated(primary_key=True, size="normal")
    name: Mapped[str] = field(max_length=80)
    country_id: Mapped[str] = field(column="country", type=types.Native("char(2)"))
    country: One[Country] = foreign_key(init=False, columns=("country_id",), on_update="cascade", index=False)
    addresses: Many[Address] = reverse("city")

    @classmethod
    def __table_args__(cls) -> Iterable[TableArg]:
        yield index(cls.country_id, name="cities_by_country")


class Address(Model, table="addresses"):
    id: Mapped[int] = generated(primary_key=True)
    street: Mapped[str]
    postal_code: Mapped[str | None] = field(default=None, column="postal code", max_length=12)
    city: One[City] = foreign_key(on_delete="no_action", on_update="cascade", index=False)
    last_update: Mapped[datetime] = generated(server_default=text("now()"), type=types.Native("timestamp"))
    customers: Many[Customer] = reverse("address")
    shop: One[Shop | None] = reverse("address")


class Customer(Model, table="customers"):
    id: Mapped[UUID] = generated(primary_key=True, server_default=text("gen_random_uuid()"))
    name: Mapped[str]
    mail: Mapped[str | None] = field(default=None, unique=True)
    address: One[Address | None] = foreign_key(default=None, on_delete="set_null", index=False)
    born: Mapped[date | None] = field(default=None)
    joined: Mapped[datetime] = generated(server_default=text("CURRENT_TIMESTAMP"))
    loans: Many[Loan] = reverse("customer")


class Language(Model, table="languages"):
    language_id: Mapped[int] = generated(primary_key=True, size="small")
    name: Mapped[str] = field(unique=True, max_length=40)
    iso: Mapped[str | None] = field(default=None, type=types.Native("char(2)"))
    language_films: Many[Film] = reverse("language")
    original_language_films: Many[Film] = reverse("original_language")


class Film(Model, table="films"):
    id: Mapped[int] = generated(primary_key=True, size="normal")
    title: Mapped[str] = field(max_length=200)
    description: Mapped[str | None] = field(default=None)
    made_in: Mapped[Any | None] = field(default=None, type=types.Native("release_year"))
    language: One[Language] = foreign_key(on_update="cascade", index=False)
    original_language: One[Language | None] = foreign_key(default=None, on_delete="set_null", index=False)
    rental_rate: Mapped[Decimal] = field(
        default=Decimal("4.99"),
        server_default=text("4.99"),
        precision=4,
        decimal_places=2,
        comment="for each day",
    )
    length_minutes: Mapped[int | None] = field(default=None, size="small")
    rating: Mapped[FilmRating] = field(
        default=FilmRating.ALL,
        server_default=text("'all'::film_rating"),
        native="film_rating",
    )
    features: Mapped[list[str]] = generated(server_default=text("'{}'::text[]"))
    search: Mapped[Any | None] = field(default=None, type=types.Native("tsvector"))
    details: Mapped[Any | None] = field(default=None)
    class_: Mapped[str | None] = field(default="standard", server_default=text("'standard'::text"), column="class")
    copies: Many[Copy] = reverse("film")
    actors: Many[Actor] = reverse("films")
    categories: Many[Category] = reverse("films")
    film_categories: Many[FilmCategory] = reverse("film")

    @classmethod
    def __table_args__(cls) -> Iterable[TableArg]:
        yield check(text("((length_minutes > 0) AND (length_minutes < 1000))"), name="films_length_minutes_check")
        yield index(cls.title, name="films_by_title")
        yield index(cls.details, name="films_details", using="gin", operator_class=("jsonb_path_ops",))
        yield index(
            cls.made_in.desc().nulls_last(),
            cls.title,
            where=text("(rating <> 'adults'::film_rating)"),
            name="films_recent",
            include=(cls.rental_rate,),
        )
        yield index(cls.search, name="films_search", using="gin")


class FilmActor(Model, table="film_actors"):
    actor: One[Actor] = foreign_key(on_delete="cascade", on_update="cascade", primary_key=True)
    film: One[Film] = foreign_key(on_delete="cascade", on_update="cascade", primary_key=True)

    @classmethod
    def __table_args__(cls) -> Iterable[TableArg]:
        yield index(cls.film, name="film_actors_film")


class FilmCategory(Model, table="film_categories"):
    film: One[Film] = foreign_key(on_delete="no_action", primary_key=True)
    category: One[Category] = foreign_key(on_delete="no_action", primary_key=True)
    position: Mapped[int] = field(default=0, server_default=text("0"))


class Copy(Model, table="copies"):
    film: One[Film] = foreign_key(on_delete="cascade", primary_key=True)
    number: Mapped[int] = field(primary_key=True, size="small")
    shop: One[Shop] = foreign_key(on_delete="no_action", index=False)
    loans: Many[Loan] = reverse("copy")


class Loan(Model, table="loans"):
    id: Mapped[int] = generated(primary_key=True)
    lent: Mapped[datetime] = field(primary_key=True)
    film_id: Mapped[int]
    copy_number: Mapped[int] = field(size="small")
    customer: One[Customer] = foreign_key(index=False)
    state: Mapped[LoanState] = field(
        default=LoanState.OUT,
        server_default=text("'out'::loan_state"),
        native="loan_state",
    )
    for_days: Mapped[timedelta] = generated(server_default=text("'3 days'::interval"))
    copy: One[Copy] = foreign_key(init=False, columns=("film_id", "copy_number"), on_delete="no_action", index=False)

    @classmethod
    def __table_args__(cls) -> Iterable[TableArg]:
        yield check(text("(for_days > '00:00:00'::interval)"), name="sensible")
        yield index(cls.customer, cls.lent.desc(), name="loans_by_customer")


class Shop(Model, table="shops"):
    id: Mapped[int] = generated(primary_key=True, size="normal")
    address: One[Address] = foreign_key(unique=True)
    manager: One[Staff | None] = foreign_key(default=None, on_delete="no_action", deferrable=True, index=False)
    copies: Many[Copy] = reverse("shop")
    staffs: Many[Staff] = reverse("shop")


class Staff(Model):
    id: Mapped[int] = generated(primary_key=True, size="normal")
    first_name: Mapped[str]
    last_name: Mapped[str]
    full_name: Mapped[str | None] = generated(computed="((first_name || ' '::text) || last_name)")
    mail: Mapped[str | None] = field(default=None)
    shop: One[Shop] = foreign_key(on_delete="cascade", index=False)
    boss: One[Staff | None] = foreign_key(default=None, on_delete="set_null", index=False)
    active: Mapped[bool] = field(default=True, server_default=text("true"))
    picture: Mapped[bytes | None] = field(default=None)
    password: Mapped[str | None] = field(default=None)
    shops: Many[Shop] = reverse("manager")
    boss_of: Many[Staff] = reverse("boss")

    @classmethod
    def __table_args__(cls) -> Iterable[TableArg]:
        yield check(text("(mail ~~ '%@%'::text)"), name="staff_mail_check")
        yield index(text("lower(mail)"), where=text("active"), unique=True, name="staff_one_mail")


# not here: the view film_list
# not here: the view turnover
