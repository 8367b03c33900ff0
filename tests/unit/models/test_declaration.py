"""What a class body declares: tables, columns, keys, and everything else a class may hold."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import pytest

from cormorant import (
    Column,
    Expr,
    Many,
    Mapped,
    Model,
    ModelError,
    One,
    TableArg,
    UnknownName,
    check,
    field,
    foreign_key,
    func,
    generated,
    hybrid,
    index,
    reverse,
    unique,
    utcnow,
)
from tests.support.sql import DATABASES, query, sql, where

T = TypeVar("T")


def columns_of(model: type[Model]) -> list[str]:
    return list(model.__info__.fields)


def ddl(*models: type[Model], database: str = "postgresql") -> str:
    return "\n".join(DATABASES[database].create_sql(*models))


def make(name: str, annotations: dict[str, Any], **values: Any) -> Any:
    """Declares a model whose attributes need not be Python names known beforehand."""
    body = {"__module__": __name__, "__qualname__": name, "__annotations__": annotations, **values}
    return type(Model)(name, (Model,), body)


# ------------------------------------------------------------------ tables


def test_a_table_is_named_after_its_class() -> None:
    class BlogPost(Model):
        id: Mapped[int] = generated(primary_key=True)

    assert BlogPost.__info__.table == "blog_post"


def test_a_table_can_be_named() -> None:
    class Post(Model, table="posts"):
        id: Mapped[int] = generated(primary_key=True)

    assert 'CREATE TABLE "posts"' in ddl(Post)


def test_an_app_prefixes_its_tables_and_is_inherited() -> None:
    class Base(Model, abstract=True, app="comments"):
        id: Mapped[int] = generated(primary_key=True)

    class Comment(Base):
        text: Mapped[str]

    class Vote(Base, table="votes"):
        up: Mapped[bool]

    class Other(Base, app="shop"):
        pass

    assert [m.__info__.table for m in (Comment, Vote, Other)] == ["comments_comment", "votes", "shop_other"]
    assert [m.__info__.app for m in (Comment, Vote, Other)] == ["comments", "comments", "shop"]


def test_models_of_one_name_may_live_in_two_apps() -> None:
    def shop() -> type[Model]:
        class User(Model, app="shop"):
            id: Mapped[int] = generated(primary_key=True)

        class Order(Model, app="shop"):
            id: Mapped[int] = generated(primary_key=True)
            user: One[User] = foreign_key()

        return Order

    def blog() -> type[Model]:
        class User(Model, app="blog"):
            id: Mapped[int] = generated(primary_key=True)

        class Post(Model, app="blog"):
            id: Mapped[int] = generated(primary_key=True)
            user: One[User] = foreign_key()

        return Post

    order, post = shop(), blog()
    assert order.__info__.relation("user").target.table == "shop_user"
    assert post.__info__.relation("user").target.table == "blog_user"


# ------------------------------------------------------------------ columns from bases


def test_abstract_bases_give_their_columns_first_and_in_order() -> None:
    class Timestamps(Model, abstract=True):
        created: Mapped[datetime] = field(default_factory=utcnow)

    class Named(Model, abstract=True):
        name: Mapped[str]

    class Item(Named, Timestamps):
        id: Mapped[int] = generated(primary_key=True)

    assert columns_of(Item) == ["created", "name", "id"]


def test_a_base_of_an_abstract_base_counts_too() -> None:
    class A(Model, abstract=True):
        a: Mapped[int]

    class B(A, abstract=True):
        b: Mapped[int]

    class C(B):
        id: Mapped[int] = generated(primary_key=True)

    assert columns_of(C) == ["a", "b", "id"]
    assert C(a=1, b=2).to_dict() == {"a": 1, "b": 2}


def test_two_models_of_one_base_share_no_column() -> None:
    class Base(Model, abstract=True):
        id: Mapped[int] = generated(primary_key=True)
        name: Mapped[str]

    class Cat(Base):
        pass

    class Dog(Base):
        pass

    assert sql(query(Cat).scalars(Cat.name))[0] == 'SELECT "cat"."name" FROM "cat"'
    assert sql(query(Dog).scalars(Dog.name))[0] == 'SELECT "dog"."name" FROM "dog"'


def test_a_subclass_may_declare_an_inherited_column_anew() -> None:
    class Base(Model, abstract=True):
        id: Mapped[int] = generated(primary_key=True)
        name: Mapped[str]

    class Short(Base):
        name: Mapped[str] = field(max_length=5)

    assert columns_of(Short) == ["id", "name"]
    assert '"name" varchar(5) NOT NULL' in ddl(Short)


def test_relations_of_an_abstract_base_belong_to_each_model() -> None:
    class Org(Model):
        id: Mapped[int] = generated(primary_key=True)

    class Tenanted(Model, abstract=True):
        id: Mapped[int] = generated(primary_key=True)
        org: One[Org] = foreign_key()

    class Task(Tenanted):
        pass

    class Note(Tenanted):
        pass

    assert Task.org.id.owner == "Task.org_id"
    assert Note.org.id.owner == "Note.org_id"
    assert sql(query(Note).filter(Note.org.id == 1))[0] == (
        'SELECT "note"."id", "note"."org_id" FROM "note" WHERE "note"."org_id" = $1'
    )


def test_table_args_are_inherited_through_super() -> None:
    class Base(Model, abstract=True):
        id: Mapped[int] = generated(primary_key=True)
        size: Mapped[int]

        @classmethod
        def __table_args__(cls) -> Iterable[TableArg]:
            yield check(cls.size > 0)

    class Box(Base):
        color: Mapped[str]

        @classmethod
        def __table_args__(cls) -> Iterable[TableArg]:
            yield from super().__table_args__()
            yield unique(cls.color, cls.size)

    text = ddl(Box)
    assert 'CONSTRAINT "ck_box_size" CHECK ("size" > 0)' in text
    assert 'CONSTRAINT "uq_box_color_size" UNIQUE ("color", "size")' in text


def test_a_mixin_without_slots_of_its_own_adds_methods() -> None:
    class Loud:
        __slots__ = ()

        def shout(self) -> str:
            return self.name.upper()  # type: ignore[attr-defined]

    class Person(Loud, Model):
        id: Mapped[int] = generated(primary_key=True)
        name: Mapped[str]

    class Animal(Model, Loud):
        id: Mapped[int] = generated(primary_key=True)
        name: Mapped[str]

    assert Person(name="ada").shout() == "ADA"
    assert Animal(name="rex").shout() == "REX"


def test_a_protocol_may_be_a_base() -> None:
    class Sized(Protocol):
        __slots__ = ()

        def size(self) -> int: ...

    with pytest.raises(TypeError, match="metaclass"):

        class Box(Model, Sized):  # type: ignore[misc]
            id: Mapped[int] = generated(primary_key=True)


def test_a_generic_abstract_base_takes_its_type_from_the_model() -> None:
    class Setting(Model, Generic[T], abstract=True):
        id: Mapped[int] = generated(primary_key=True)
        value: Mapped[T]

    class Flag(Setting[bool]):
        pass

    class Words(Setting[list[str]]):
        pass

    assert '"value" boolean NOT NULL' in ddl(Flag)
    assert '"value" text[] NOT NULL' in ddl(Words)
    assert Flag(value=True).value is True


# ------------------------------------------------------------------ what else a class may hold


class Person(Model, table="declaration_person"):
    SPECIES: ClassVar[str] = "homo sapiens"
    limit = 100

    id: Mapped[int] = generated(primary_key=True)
    first: Mapped[str]
    last: Mapped[str]
    age: Mapped[int] = field(default=0)

    @property
    def initials(self) -> str:
        return self.first[0] + self.last[0]

    @initials.setter
    def initials(self, value: str) -> None:
        self.first, self.last = value

    @hybrid
    def full(self) -> str:
        return self.first + " " + self.last

    @hybrid
    def adult(self) -> bool:
        """Whether the person is of age."""
        return self.age >= 18

    @hybrid
    def sort_key(self) -> str:
        return self.last.lower() if self.last else ""

    @sort_key.expression
    @classmethod
    def _sort_key(cls) -> Expr[str]:
        return func.lower(cls.last)

    @classmethod
    def older_than(cls, age: int) -> Expr[bool]:
        return cls.age > age

    @staticmethod
    def twice(number: int) -> int:
        return number * 2


def test_class_variables_and_plain_attributes_are_no_columns() -> None:
    assert columns_of(Person) == ["id", "first", "last", "age"]
    assert (Person.SPECIES, Person.limit, Person(first="a", last="b").SPECIES) == ("homo sapiens", 100, "homo sapiens")


def test_properties_work_both_ways() -> None:
    ada = Person(first="Ada", last="Lovelace")
    assert ada.initials == "AL"
    ada.initials = "GH"
    assert (ada.first, ada.last) == ("G", "H")


def test_static_and_class_methods_work() -> None:
    assert Person.twice(2) == 4
    assert sql(query(Person).filter(Person.older_than(3)))[0].endswith('WHERE "declaration_person"."age" > $1')


def test_a_hybrid_is_a_value_on_an_instance_and_sql_on_the_class() -> None:
    ada = Person(first="Ada", last="Lovelace", age=36)
    assert (ada.full, ada.adult, ada.sort_key) == ("Ada Lovelace", True, "lovelace")
    assert where(query(Person).filter(Person.full == "Ada Lovelace").order_by(Person.sort_key)) == (
        '(("declaration_person"."first" || $1::text) || "declaration_person"."last") = $2'
        ' ORDER BY lower("declaration_person"."last")',
        [" ", "Ada Lovelace"],
    )


def test_a_hybrid_keeps_its_docstring() -> None:
    assert vars(Person)["adult"].__doc__ == "Whether the person is of age."


def test_an_instance_has_no_dict_and_takes_no_unknown_attribute() -> None:
    ada = Person(first="Ada", last="Lovelace")
    assert not hasattr(ada, "__dict__")
    with pytest.raises(AttributeError, match="nickname"):
        ada.nickname = "x"  # type: ignore[attr-defined]


def test_slots_of_the_models_own_hold_what_is_no_column() -> None:
    class Order(Model, table="declaration_slots"):
        __slots__ = ("_total",)
        _total: Decimal

        id: Mapped[int] = generated(primary_key=True)
        price: Mapped[Decimal]

        @property
        def total(self) -> Decimal:
            try:
                return self._total
            except AttributeError:
                self._total = self.price * 2
                return self._total

    for order in (Order(price=Decimal(2)), Order(id=1, price=Decimal(2))):
        assert (order.total, order.total) == (4, 4)
        assert order.to_dict().keys() <= {"id", "price"}


def test_a_dict_slot_makes_room_for_cached_properties() -> None:
    class Order(Model, table="declaration_dict"):
        __slots__ = ("__dict__",)

        id: Mapped[int] = generated(primary_key=True)
        price: Mapped[Decimal]

        @functools.cached_property
        def total(self) -> Decimal:
            calls.append(1)
            return self.price * 2

    calls: list[int] = []
    order = Order(price=Decimal(2))
    assert (order.total, order.total, calls) == (4, 4, [1])


def test_a_class_attribute_of_a_column_cannot_be_replaced() -> None:
    with pytest.raises(ModelError, match=r"Person\.age is a column and cannot be replaced"):
        Person.age = 3  # type: ignore[assignment]


def test_subclasses_lists_only_what_the_user_declared() -> None:
    class Base(Model, abstract=True):
        id: Mapped[int] = generated(primary_key=True)

    class Leaf(Base):
        pass

    assert Base.__subclasses__() == [Leaf]
    assert Leaf.__subclasses__() == []
    assert Person in Model.__subclasses__()
    assert [cls for cls in Model.__subclasses__() if cls.__qualname__ == "Person" and cls.__module__ == __name__] == [
        Person
    ]


def test_init_subclass_runs_once_for_each_class_of_the_user() -> None:
    seen: list[str] = []

    class Base(Model, abstract=True):
        def __init_subclass__(cls, tag: str = "none", **keywords: Any) -> None:
            super().__init_subclass__(**keywords)
            seen.append(f"{cls.__name__}:{tag}")

    class A(Base, tag="x", table="declaration_a"):
        id: Mapped[int] = generated(primary_key=True)

    assert seen == ["A:x"]
    assert A.__info__.table == "declaration_a"


def test_a_class_keyword_that_nobody_takes_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="keyword"):

        class A(Model, tabel="a"):  # type: ignore[call-arg]
            id: Mapped[int] = generated(primary_key=True)


def test_a_class_decorator_works() -> None:
    @functools.total_ordering
    class Version(Model, table="declaration_version"):
        major: Mapped[int] = field(primary_key=True)

        def __lt__(self, other: Version) -> bool:
            return self.major < other.major

    assert Version(major=2) >= Version(major=1)


def test_a_model_can_be_made_in_a_function_with_local_types() -> None:
    class Color(str):
        pass

    class Local(Model):
        id: Mapped[int] = generated(primary_key=True)
        other_id: Mapped[int | None] = field(default=None)
        other: One[Local | None] = foreign_key(init=False)

    assert Local.other.id.owner == "Local.other_id"


def test_a_model_made_twice_by_one_function_belongs_to_its_call() -> None:
    def make(size: int) -> type[Model]:
        class Thing(Model):
            id: Mapped[int] = generated(primary_key=True)
            name: Mapped[str] = field(max_length=size)

        return Thing

    small, large = make(1), make(9)
    assert "varchar(1)" in ddl(small)
    assert "varchar(9)" in ddl(large)


def test_typed_access_gives_columns() -> None:
    assert isinstance(Person.age, Column)
    assert Person.age is Person.age
    assert repr(Person.age) == "Person.age"


def test_an_unknown_attribute_of_a_class_names_the_near_one() -> None:
    wanted = r"Person has no column or relation 'frist'\nHint: did you mean 'first'\? it has: "
    with pytest.raises(UnknownName, match=wanted):
        Person.frist  # type: ignore[attr-defined]  # noqa: B018
    assert not hasattr(Person, "frist")


def test_a_column_may_bear_nearly_any_name() -> None:
    class Odd(Model):
        cls: Mapped[int] = field(primary_key=True)
        ghost: Mapped[str]
        twin: Mapped[str] = field(default="t")
        name: Mapped[str] = field(default="n")
        default_name: Mapped[str] = field(default="d")
        make_made: Mapped[str] = field(default="m")
        made: Mapped[str] = field(default_factory=lambda: "made")
        set_class: Mapped[bool] = field(default=True)
        settle: Mapped[int | None] = field(default=None)
        type: Mapped[str] = field(default="y")
        of: Mapped[str] = field(default="of")
        key_columns: Mapped[str] = field(default="k")
        table: Mapped[str] = field(default="t")
        fields: Mapped[str] = field(default="f")
        select: Mapped[str] = field(default="s")

    class Holder(Model):
        id: Mapped[int] = generated(primary_key=True)
        odd: One[Odd] = foreign_key()

    odd = Odd(cls=1, ghost="g", default_name="x", make_made="z", set_class=False)
    assert odd.to_dict() == {
        "cls": 1,
        "ghost": "g",
        "twin": "t",
        "name": "n",
        "default_name": "x",
        "make_made": "z",
        "made": "made",
        "set_class": False,
        "settle": None,
        "type": "y",
        "of": "of",
        "key_columns": "k",
        "table": "t",
        "fields": "f",
        "select": "s",
    }
    assert type(odd) is Odd
    for name in columns_of(Odd):
        assert isinstance(getattr(Odd, name), Column)
        assert isinstance(getattr(Holder.odd, name), Column)


def test_a_column_may_be_called_self() -> None:
    class Odd(Model):
        id: Mapped[int] = generated(primary_key=True)
        self: Mapped[str]

    assert Odd(self="me").self == "me"


@pytest.mark.parametrize(
    "name", ["mro", "objects", "to_dict", "_hidden", "is_null", "is_not_null", "in_", "not_in", "optional"]
)
def test_a_name_that_means_something_else_is_refused_with_a_way_out(name: str) -> None:
    with pytest.raises(ModelError, match=rf"A\.{name} cannot be the name.*\nHint: .*field\(column=\"") as caught:
        make("A", {name: "Mapped[int]"})
    assert f'field(column="{name}")' in str(caught.value)


def test_a_column_keeps_its_own_name_in_the_database() -> None:
    class Row(Model):
        id: Mapped[int] = generated(primary_key=True, column="ID")
        is_optional: Mapped[bool] = field(column="optional")

    assert sql(query(Row).filter(Row.is_optional == True))[0] == (  # noqa: E712
        'SELECT "row"."ID", "row"."optional" FROM "row" WHERE "row"."optional" = $1'
    )
    assert Row(is_optional=True).to_dict() == {"is_optional": True}


def test_reverse_relations_cost_no_column() -> None:
    class Team(Model):
        id: Mapped[int] = generated(primary_key=True)
        members: Many[Member] = reverse("team")

    class Member(Model):
        id: Mapped[int] = generated(primary_key=True)
        team: One[Team] = foreign_key()

    assert columns_of(Team) == ["id"]
    assert columns_of(Member) == ["id", "team_id"]


def test_indexes_uniques_and_checks_are_declared_by_table_args() -> None:
    class Log(Model):
        id: Mapped[int] = generated(primary_key=True)
        level: Mapped[int] = field(index=True)
        code: Mapped[str] = field(unique=True)
        text: Mapped[str]

        @classmethod
        def __table_args__(cls) -> Iterable[TableArg]:
            yield index(cls.level.desc(), cls.text, where=cls.level > 3, name="hot")
            yield index(func.lower(cls.text), unique=True)
            yield unique(cls.code, cls.level, name="once")
            yield check(cls.level.between(0, 9))
            yield check(cls.level != 5, name="no_five")

    assert DATABASES["sqlite"].create_sql(Log)[1:] == [
        'CREATE INDEX "ix_log_level" ON "log" ("level")',
        'CREATE INDEX "hot" ON "log" ("level" DESC, "text") WHERE "level" > 3',
        'CREATE UNIQUE INDEX "ix_log_text" ON "log" ((cormorant_lower("text")))',
    ]
