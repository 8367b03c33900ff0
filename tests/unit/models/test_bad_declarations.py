"""Declarations that cannot work: each says what is wrong, where, and what to write instead."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any, ClassVar

import pytest

from cormorant import (
    DuplicateModel,
    Many,
    Mapped,
    Model,
    ModelError,
    One,
    SchemaBuilder,
    TableArg,
    UnknownName,
    UnresolvedReference,
    WrongType,
    check,
    field,
    foreign_key,
    generated,
    index,
    many_to_many,
    reverse,
    unique,
)
from cormorant.models.registry import registry
from tests.support.sql import DATABASES


def resolve(model: type[Model]) -> None:
    """Looks at everything a model declares, as its first query does."""
    _ = (model.__info__.columns, model.__info__.relations)


# ------------------------------------------------------------------ classes


def test_a_model_without_a_key() -> None:
    with pytest.raises(ModelError) as caught:

        class Author(Model):
            name: Mapped[str]

    assert str(caught.value) == (
        "Author has no primary key\nHint: declare one: id: Mapped[int] = generated(primary_key=True)"
    )


def test_two_models_on_one_table() -> None:
    class A(Model, table="things"):
        id: Mapped[int] = generated(primary_key=True)

    with pytest.raises(DuplicateModel) as caught:

        class B(Model, table="things"):
            id: Mapped[int] = generated(primary_key=True)

    place = f"{__name__}.test_two_models_on_one_table.<locals>"
    assert str(caught.value) == (
        f"{place}.B and {place}.A both use the table 'things'\n"
        'Hint: give one another table: class ...(Model, table="...")'
    )


def test_a_model_derived_from_one_with_a_table() -> None:
    class Animal(Model):
        id: Mapped[int] = generated(primary_key=True)

    with pytest.raises(ModelError, match=r"Cat derives from Animal, which has a table of its own\nHint: move what"):

        class Cat(Animal):
            pass


def test_a_mixin_with_a_dict() -> None:
    class Loud:
        pass

    with pytest.raises(ModelError, match=r"Cat derives from Loud, .* no empty __slots__\nHint: .*`__slots__ = \(\)`"):

        class Cat(Loud, Model):
            id: Mapped[int] = generated(primary_key=True)


def test_an_abstract_model_with_slots() -> None:
    with pytest.raises(ModelError, match=r"Base is abstract and has __slots__\nHint: declare them in the models"):

        class Base(Model, abstract=True):
            __slots__ = ("cache",)


def test_a_cached_property() -> None:
    with pytest.raises(ModelError, match=r"Cat\.age is a cached_property.*\nHint: use @property, or .*__dict__"):

        class Cat(Model):
            id: Mapped[int] = generated(primary_key=True)

            @functools.cached_property
            def age(self) -> int:
                return 3


def test_a_column_of_an_abstract_model_is_in_no_table() -> None:
    class Org(Model):
        id: Mapped[int] = generated(primary_key=True)

    class Base(Model, abstract=True):
        name: Mapped[str]
        org: One[Org] = foreign_key()

    for name in ("name", "org"):
        with pytest.raises(
            UnknownName, match=rf"Base\.{name} is in no table: Base is abstract\nHint: use the {name} of"
        ):
            getattr(Base, name)
    with pytest.raises(AttributeError, match="type object 'Base' has no attribute 'nothing'"):
        getattr(Base, "nothing")  # noqa: B009


# ------------------------------------------------------------------ attributes

ATTRIBUTES: list[tuple[str, Any, str]] = [
    ("Mapped[int]", 0, r"A\.x = 0 is no declaration\nHint: write field\(default=0\)"),
    ("Mapped[int | None]", None, r"A\.x = None is no declaration\nHint: write field\(default=None\)"),
    ("Mapped[list]", [], r"A\.x = \[\] is no declaration\nHint: write field\(default_factory=list\)"),
    (
        "int",
        0,
        r"A\.x is annotated 'int'\nHint: write Mapped\[\.\.\.\] for a column, .* ClassVar\[\.\.\.\] for neither",
    ),
    ("int", field(), r"A\.x is annotated 'int'\nHint: write Mapped"),
    ("Many[Model]", foreign_key(), r"A\.x: foreign_key\(\) is annotated 'Many\[Model\]'\nHint: write One\[\.\.\.\]"),
    ("One[Model]", many_to_many(), r"A\.x: many_to_many\(\) is annotated 'One\[Model\]'\nHint: write Many\[\.\.\.\]"),
    ("Mapped[Model]", foreign_key(), r"A\.x = foreign_key\(\) is no declaration of a column\nHint: .*One\["),
    ("One[Model]", field(), r"A\.x is a relation without its kind\nHint: assign foreign_key\(\), reverse"),
    ("Many[Model]", ..., r"A\.x is a relation without its kind\nHint: assign foreign_key\(\), reverse"),
]


@pytest.mark.parametrize(("annotation", "value", "message"), ATTRIBUTES)
def test_an_attribute_that_is_declared_wrongly(annotation: str, value: Any, message: str) -> None:
    body = {
        "__module__": __name__,
        "__qualname__": "A",
        "__annotations__": {"id": "Mapped[int]", "x": annotation},
        "id": generated(primary_key=True),
    }
    with pytest.raises(ModelError, match=message):
        type(Model)("A", (Model,), body if value is ... else {**body, "x": value})


@pytest.mark.parametrize(("value", "kind"), [(field(), "Mapped"), (foreign_key(), "One"), (many_to_many(), "Many")])
def test_an_attribute_without_an_annotation(value: Any, kind: str) -> None:
    with pytest.raises(ModelError, match=rf"A\.x has no annotation\nHint: write x: {kind}\[\.\.\.\] = \.\.\."):

        class A(Model):
            id: Mapped[int] = generated(primary_key=True)
            x = value


def test_two_attributes_for_one_column() -> None:
    with pytest.raises(ModelError, match=r"A\.name and A\.title are both kept in the column 'name'\nHint: give one"):

        class A(Model):
            id: Mapped[int] = generated(primary_key=True)
            name: Mapped[str]
            title: Mapped[str] = field(column="name")


def test_a_method_with_the_name_of_an_inherited_column() -> None:
    class Base(Model, abstract=True):
        id: Mapped[int] = generated(primary_key=True)
        name: Mapped[str]

    with pytest.raises(ModelError, match=r"A\.name is a column or relation, and the class body gives the name to"):

        class A(Base):
            def name(self) -> str:  # type: ignore[override]
                return "x"


def test_a_method_with_the_name_of_a_key_column() -> None:
    class Org(Model):
        id: Mapped[int] = generated(primary_key=True)

    with pytest.raises(ModelError, match=r"A\.org_id is a column or relation"):

        class A(Model):
            id: Mapped[int] = generated(primary_key=True)
            org: One[Org] = foreign_key()

            @property
            def org_id(self) -> int:
                return 3


def test_an_unknown_option_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="field\\(\\) got an unexpected keyword argument 'uniqe'"):
        field(uniqe=True)  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("declare", "message"),
    [
        (
            lambda: field(default=1, default_factory=int),
            r"field\(\) got both default and default_factory\nHint: give one",
        ),
        (lambda: field(default=[]), r"would share one list among all objects\nHint: use default_factory=list"),
        (lambda: field(default={"a": 1}), r"would share one dict among all objects\nHint: use default_factory=lambda"),
        (lambda: field(max_length=0), r"field\(max_length=0\)\nHint: give a number of characters, 1 or more"),
        (lambda: field(max_length="9"), r"field\(max_length='9'\)\nHint: give a number"),
        (lambda: field(size="huge"), r"field\(size='huge'\)\nHint: use \"small\", \"normal\" or \"big\""),
        (lambda: field(precision=0), r"field\(precision=0\)\nHint: give a number of digits, 1 or more"),
        (lambda: field(precision=2, decimal_places=-1), r"field\(decimal_places=-1\)\nHint: give a number of digits"),
        (lambda: field(type=int), r"field\(type=<class 'int'>\)\nHint: use one of cormorant\.types"),
        (lambda: generated(), r"generated\(\) does not say what makes the value\nHint: use primary_key=True"),
        (lambda: generated(version=True, computed="1"), r"takes one of version, computed and server_default\nHint: "),
        (
            lambda: foreign_key(on_delete="casacde"),
            r"on_delete='casacde' does not exist\nHint: did you mean 'cascade'\?",
        ),
        (lambda: foreign_key(columns="org_id"), r"foreign_key\(columns='org_id'\)\nHint: .*columns=\(\"org_id\",\)"),
        (lambda: foreign_key(default=3), r"foreign_key\(default=3\)\nHint: the only default of a relation is None"),
        (lambda: reverse(""), r"reverse\(\) needs the name of the relation on the other side"),
        (lambda: check(True), r"True is a Python bool, not a condition\nHint: "),
        (lambda: index(), r"index\(\) has nothing to index\nHint: "),
        (lambda: unique(), r"unique\(\) names no column\nHint: "),
    ],
)
def test_a_declaration_refuses_what_it_cannot_mean(declare: Any, message: str) -> None:
    with pytest.raises((ModelError, WrongType), match=message):
        declare()


# ------------------------------------------------------------------ keys and generated columns


def test_a_key_is_never_none() -> None:
    class A(Model):
        id: Mapped[int | None] = generated(primary_key=True)

    with pytest.raises(
        ModelError, match=r"A\.id is part of the primary key and is never None\nHint: write Mapped\[int\]"
    ):
        resolve(A)


def test_a_relation_in_the_key_is_never_none() -> None:
    class Org(Model):
        id: Mapped[int] = generated(primary_key=True)

    class A(Model):
        org: One[Org | None] = foreign_key(primary_key=True)

    with pytest.raises(ModelError, match=r"A\.org_id is part of the primary key and is never None\nHint: "):
        resolve(A)


def test_a_generated_key_is_an_int_or_has_sql_to_make_it() -> None:
    class A(Model):
        id: Mapped[str] = generated(primary_key=True)

    with pytest.raises(
        ModelError, match=r"A\.id is a generated key of type text, .*\nHint: use an int, server_default="
    ):
        resolve(A)


def test_a_version_is_an_int() -> None:
    class A(Model):
        id: Mapped[int] = generated(primary_key=True)
        version: Mapped[str] = generated(version=True)

    with pytest.raises(ModelError, match=r"A\.version counts changes and is a text\nHint: write Mapped\[int\]"):
        resolve(A)


def test_a_model_has_one_version() -> None:
    with pytest.raises(ModelError, match=r"A has two version columns, v and w\nHint: keep one"):

        class A(Model):
            id: Mapped[int] = generated(primary_key=True)
            v: Mapped[int] = generated(version=True)
            w: Mapped[int] = generated(version=True)


def test_a_server_default_fits_its_column() -> None:
    class A(Model):
        id: Mapped[int] = generated(primary_key=True)
        n: Mapped[int] = field(server_default="x")

    with pytest.raises(WrongType, match=r"the server_default of A\.n: 'x' \(str\) is not an int"):
        DATABASES["sqlite"].create_sql(A)


def test_a_computed_column_is_sql() -> None:
    class A(Model):
        id: Mapped[int] = generated(primary_key=True)
        n: Mapped[int] = generated(computed=lambda m: 3)

    with pytest.raises(ModelError, match=r"A\.n is computed by 3\nHint: use a function of the model, or .*text"):
        DATABASES["sqlite"].create_sql(A)


def test_a_computed_column_is_not_given() -> None:
    class A(Model):
        id: Mapped[int] = generated(primary_key=True)
        n: Mapped[int] = generated(computed=lambda m: m.id + 1)

    with pytest.raises(TypeError, match="unexpected keyword argument 'n'"):
        A(n=3)


# ------------------------------------------------------------------ relations


def test_a_forward_reference_that_never_resolves() -> None:
    class A(Model):
        id: Mapped[int] = generated(primary_key=True)
        other: One[Nobody] = foreign_key()  # type: ignore[name-defined]  # noqa: F821

    for use in (lambda: resolve(A), lambda: A.other, lambda: DATABASES["sqlite"].create_sql(A)):
        with pytest.raises(UnresolvedReference) as caught:
            use()
        assert str(caught.value) == (
            f"A.other in module {__name__!r} is annotated 'One[Nobody]', and the name 'Nobody' was never found\n"
            "Hint: import the module that defines it before the first query; names imported under TYPE_CHECKING can"
            " only be models"
        )


def test_a_relation_to_what_is_no_model() -> None:
    class Base(Model, abstract=True):
        pass

    class A(Model):
        id: Mapped[int] = generated(primary_key=True)
        number: One[int] = foreign_key()  # type: ignore[type-var]
        base: One[Base] = foreign_key()

    with pytest.raises(
        UnresolvedReference, match=r"A\.number points to <class 'int'>, which is no concrete model\nHint"
    ):
        A.__info__.relation("number")
    with pytest.raises(UnresolvedReference, match=r"A\.base points to .*Base'>, which is no concrete model\nHint"):
        A.__info__.relation("base")


def test_several_models_of_one_name() -> None:
    def one() -> None:
        class Same(Model, table="same_1"):
            id: Mapped[int] = generated(primary_key=True)

    def two() -> None:
        class Same(Model, table="same_2"):
            id: Mapped[int] = generated(primary_key=True)

    one()
    two()
    wanted = r"several models are named 'Same': .*\nHint: write the whole path, One\[\".*Same\"\], or .*app="

    class A(Model):
        id: Mapped[int] = generated(primary_key=True)
        same: One[Same] = foreign_key()  # type: ignore[name-defined]  # noqa: F821

    with pytest.raises(UnresolvedReference, match=wanted):
        A.__info__.relation("same")


def test_a_composite_key_that_was_not_foreseen_tells_the_columns_to_declare() -> None:
    class Ticket(Model):
        id: Mapped[int] = generated(primary_key=True)
        stall: One[Stall] = foreign_key()

    class Stall(Model):
        row: Mapped[int] = field(primary_key=True)
        number: Mapped[int] = field(primary_key=True)

    with pytest.raises(ModelError) as caught:
        resolve(Ticket)
    assert str(caught.value) == (
        "Ticket.stall points to Stall, whose key has 2 columns\nHint: declare the columns stall_row, stall_number and"
        " foreign_key(init=False, columns=('stall_row', 'stall_number'))"
    )


def test_key_columns_that_are_not_declared() -> None:
    class Org(Model):
        id: Mapped[int] = generated(primary_key=True)

    with pytest.raises(
        ModelError, match=r"A\.org keeps its key in 'org_nr', which is not declared\nHint: .*org_nr: Map"
    ):

        class A(Model):
            id: Mapped[int] = generated(primary_key=True)
            org: One[Org] = foreign_key(columns=("org_nr",))


def test_on_delete_set_null_needs_a_relation_that_can_be_none() -> None:
    class Org(Model):
        id: Mapped[int] = generated(primary_key=True)

    class A(Model):
        id: Mapped[int] = generated(primary_key=True)
        org: One[Org] = foreign_key(on_delete="set_null")

    with pytest.raises(
        ModelError, match=r'A\.org has on_delete="set_null" and can never be None\nHint: annotate it One'
    ):
        resolve(A)


def test_a_reverse_names_a_relation_of_the_other_side() -> None:
    class Author(Model):
        id: Mapped[int] = generated(primary_key=True)
        books: Many[Book] = reverse("autor")

    class Book(Model):
        id: Mapped[int] = generated(primary_key=True)
        author: One[Author] = foreign_key()

    with pytest.raises(
        UnresolvedReference, match=r"Author\.books is the reverse of Book\.autor, .*\nHint: did you mean"
    ):
        resolve(Author)


def test_a_reverse_comes_back_to_its_own_model() -> None:
    class Author(Model):
        id: Mapped[int] = generated(primary_key=True)

    class Editor(Model):
        id: Mapped[int] = generated(primary_key=True)
        books: Many[Book] = reverse("author")

    class Book(Model):
        id: Mapped[int] = generated(primary_key=True)
        author: One[Author] = foreign_key()

    with pytest.raises(
        ModelError, match=r"Editor\.books is the reverse of Book\.author, which points to Author\nHint: "
    ):
        resolve(Editor)


def test_a_reverse_to_one_needs_a_unique_relation() -> None:
    class User(Model):
        id: Mapped[int] = generated(primary_key=True)
        profile: One[Profile | None] = reverse("user")
        tag: One[Tag | None] = reverse("users")

    class Profile(Model):
        id: Mapped[int] = generated(primary_key=True)
        user: One[User] = foreign_key()

    class Tag(Model):
        id: Mapped[int] = generated(primary_key=True)
        users: Many[User] = many_to_many()

    with pytest.raises(
        ModelError, match=r"User\.profile is one object, and many .*\nHint: write Many\[Profile\], or .*uniq"
    ):
        User.__info__.relation("profile")
    with pytest.raises(ModelError, match=r"User\.tag is one object, and many .*\nHint: write Many\[Tag\]"):
        User.__info__.relation("tag")


def test_a_reverse_to_one_may_be_missing() -> None:
    class User(Model):
        id: Mapped[int] = generated(primary_key=True)
        profile: One[Profile] = reverse("user")

    class Profile(Model):
        id: Mapped[int] = generated(primary_key=True)
        user: One[User] = foreign_key(unique=True)

    with pytest.raises(ModelError, match=r"User\.profile may be missing\nHint: annotate it One\[Profile \| None\]"):
        resolve(User)


def test_a_through_model_points_to_both_ends() -> None:
    class Club(Model):
        id: Mapped[int] = generated(primary_key=True)
        members: Many[Person] = many_to_many(through="Membership")
        others: Many[Person] = many_to_many(through="Nothing")

    class Person(Model):
        id: Mapped[int] = generated(primary_key=True)

    class Membership(Model):
        club: One[Club] = foreign_key(primary_key=True)

    with pytest.raises(
        ModelError, match=r"Membership, through which Club\.members goes, does not point to both.*\nHint: "
    ):
        Club.__info__.relation("members")
    with pytest.raises(
        UnresolvedReference, match=r"Club\.others goes through 'Nothing', and no model has that name\nHint"
    ):
        Club.__info__.relation("others")


def test_only_a_model_is_a_friend_of_itself() -> None:
    class Club(Model):
        id: Mapped[int] = generated(primary_key=True)
        members: Many[Member] = many_to_many(symmetrical=True)

    class Member(Model):
        id: Mapped[int] = generated(primary_key=True)
        knows: Many[Member] = many_to_many(symmetrical=True, through="Meeting")
        friends: Many[Member] = many_to_many(symmetrical=True)
        friend_of: Many[Member] = reverse("friends")

    class Meeting(Model):
        one: One[Member] = foreign_key(primary_key=True)
        other: One[Member] = foreign_key(primary_key=True)

    for model, name, message in (
        (Club, "members", r"Club\.members is symmetrical, and leads from Club to Member\nHint: only a relation"),
        (Member, "knows", r"Member\.knows is symmetrical and goes through a model"),
        (Member, "friend_of", r"Member\.friend_of is the reverse of Member\.friends, which is symmetrical\nHint: leav"),
    ):
        with pytest.raises(ModelError, match=message):
            model.__info__.relation(name)


# ------------------------------------------------------------------ table args


class Org(Model, table="bad_org"):
    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str]


class Task(Model, table="bad_task"):
    args: ClassVar[Any] = ()

    id: Mapped[int] = generated(primary_key=True)
    title: Mapped[str]
    org: One[Org] = foreign_key()

    @classmethod
    def __table_args__(cls) -> Iterable[TableArg]:
        yield from cls.args


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (lambda: [check(Task.org.name == "x")], r"check\(\) of Task reads Org\.name, which is in another table"),
        (lambda: [index(Task.org.name)], r"index\(\) of Task reads Org\.name, which is in another table"),
        (lambda: [unique(Org.name)], r"unique\(\) of Task got Org\.name\nHint: use columns of the model"),
        (lambda: [index("title")], r"'title' is no column, relation or expression of a model\nHint: "),
        (lambda: ["title"], r"__table_args__ of Task yields 'title'\nHint: yield index\(\), unique\(\) or check\(\)"),
        (lambda: [Task.title], r"__table_args__ of Task yields Task\.title\nHint: yield index"),
    ],
)
def test_table_args_stay_in_their_table(monkeypatch: pytest.MonkeyPatch, args: Any, message: str) -> None:
    monkeypatch.setattr(Task, "args", args())
    with pytest.raises(ModelError, match=message):
        DATABASES["sqlite"].create_sql(Task)


def test_indexes_of_two_tables_with_one_name() -> None:
    class First(Model, table="a_b"):
        id: Mapped[int] = generated(primary_key=True)
        c: Mapped[int] = field(index=True)

    class Other(Model, table="a"):
        id: Mapped[int] = generated(primary_key=True)
        b_c: Mapped[int] = field(index=True)

    message = r"tables a_b and a both have an index of the name 'ix_a_b_c'\nHint: give one of them another name"
    for made in (*(database.create_sql for database in DATABASES.values()), SchemaBuilder.wanted):
        with pytest.raises(ModelError, match=message):
            made(First, Other)


@pytest.mark.parametrize("name", ["", "a\x00b", "a\nb", "\ud800"])
def test_a_name_that_cannot_be_sql(name: str) -> None:
    class A(Model, table="bad_name"):
        id: Mapped[int] = generated(primary_key=True)
        x: Mapped[int] = field(column=name or "ok")

    A.__info__.table = name or ""
    for database in DATABASES.values():
        with pytest.raises(UnknownName.__mro__[1], match="cannot be a name in SQL\nHint: use printable characters"):
            database.create_sql(A)


def test_a_name_longer_than_the_database_keeps_it() -> None:
    class A(Model, table="t" * 64):
        id: Mapped[int] = generated(primary_key=True)

    assert DATABASES["sqlite"].create_sql(A)
    with pytest.raises(UnknownName.__mro__[1], match=r"is longer than 63 bytes\nHint: choose a shorter name"):
        DATABASES["postgresql"].create_sql(A)


def test_an_error_in_table_args_is_one_of_the_models() -> None:
    with registry.isolated():

        class Poem(Model):
            id: Mapped[int] = generated(primary_key=True)
            title: Mapped[str]

            @classmethod
            def __table_args__(cls) -> Iterable[TableArg]:
                yield index(cls.title.nowhere)  # type: ignore[attr-defined]

        with pytest.raises(ModelError, match=r"__table_args__ of Poem fails: .*nowhere") as caught:
            DATABASES["sqlite"].create_sql(Poem)
        assert isinstance(caught.value.__cause__, AttributeError)


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
def test_a_declared_key_column_has_the_type_of_the_key(dialect: str) -> None:
    with registry.isolated():

        class Poet(Model):
            id: Mapped[int] = generated(primary_key=True)

        class Verse(Model):
            id: Mapped[int] = generated(primary_key=True)
            poet_id: Mapped[str]
            poet: One[Poet] = foreign_key(init=False)

        with pytest.raises(ModelError) as caught:
            DATABASES[dialect].create_sql(Poet, Verse)
        assert "Verse.poet_id is of type text, and Poet.id, to which poet points, of type integer" in str(caught.value)


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
def test_a_declared_key_column_may_be_wider_than_the_key(dialect: str) -> None:
    with registry.isolated():

        class Poet(Model):
            id: Mapped[int] = field(primary_key=True)

        class Verse(Model):
            id: Mapped[int] = generated(primary_key=True)
            poet_id: Mapped[int] = field(size="big")
            poet: One[Poet] = foreign_key(init=False)

        assert "REFERENCES" in " ".join(DATABASES[dialect].create_sql(Poet, Verse))
