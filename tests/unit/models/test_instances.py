"""What an object of a model is: values, equality, copies, references, and attributes that have no value yet."""

from __future__ import annotations

import copy
import gc
import inspect
import pickle
import weakref
from decimal import Decimal
from typing import Any

import pytest

from cormorant import (
    Many,
    Mapped,
    Model,
    ModelError,
    NotLoadedError,
    One,
    UnsavedError,
    WrongType,
    field,
    foreign_key,
    generated,
    many_to_many,
    ref,
    reverse,
)


class Author(Model, table="instances_author"):
    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str] = field(max_length=100)
    secret: Mapped[str] = field(default="s3cret", sensitive=True)
    tags: Mapped[list[str]] = field(default_factory=list)
    books: Many[Book] = reverse("author")


class Label(Model, table="instances_label"):
    name: Mapped[str] = field(primary_key=True)


class Book(Model, table="instances_book"):
    id: Mapped[int] = generated(primary_key=True)
    title: Mapped[str]
    author: One[Author] = foreign_key()
    editor: One[Author | None] = foreign_key(default=None)
    labels: Many[Label] = many_to_many()


class Seat(Model, table="instances_seat"):
    row: Mapped[int] = field(primary_key=True)
    number: Mapped[int] = field(primary_key=True)


# ------------------------------------------------------------------ the constructor


def test_the_constructor_takes_columns_and_relations_by_name() -> None:
    ada = Author(id=1, name="Ada", tags=["x"])
    book = Book(title="Notes", author=ada)
    assert (ada.id, ada.name, ada.secret, ada.tags) == (1, "Ada", "s3cret", ["x"])
    assert book.author is ada
    assert book.editor is None


def test_its_signature_names_every_parameter() -> None:
    parameters = inspect.signature(Author).parameters
    assert list(parameters) == ["id", "name", "secret", "tags"]
    assert {p.kind for p in parameters.values()} == {inspect.Parameter.KEYWORD_ONLY}
    assert list(inspect.signature(Book).parameters) == ["id", "title", "author", "editor"]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "missing 1 required keyword-only argument: 'name'"),
        ({"name": "x", "nmae": "y"}, "unexpected keyword argument 'nmae'"),
        ({"name": "x", "books": []}, "unexpected keyword argument 'books'"),
    ],
)
def test_wrong_parameters_are_type_errors_as_of_any_class(values: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError, match=message) as caught:
        Author(**values)
    assert "Author.__init__()" in str(caught.value)


def test_positional_values_are_refused() -> None:
    with pytest.raises(TypeError, match="positional"):
        Author("Ada")  # type: ignore[call-arg]


def test_a_default_factory_makes_each_object_its_own_value() -> None:
    a, b = Author(name="a"), Author(name="b")
    a.tags.append("x")
    assert b.tags == []


def test_a_field_outside_of_the_constructor_has_its_default() -> None:
    class Counter(Model):
        id: Mapped[int] = generated(primary_key=True)
        count: Mapped[int] = field(default=0, init=False)

    assert Counter().count == 0
    assert "count" not in inspect.signature(Counter).parameters


def test_the_users_own_constructor_calls_super() -> None:
    class Money(Model):
        id: Mapped[int] = generated(primary_key=True)
        amount: Mapped[Decimal]
        currency: Mapped[str]

        def __init__(self, text: str, **more: Any) -> None:
            amount, currency = text.split()
            super().__init__(amount=Decimal(amount), currency=currency, **more)

    money = Money("3.50 EUR", id=7)
    assert money.to_dict() == {"id": 7, "amount": Decimal("3.50"), "currency": "EUR"}
    assert copy.copy(money).currency == "EUR"


def test_a_base_may_have_the_constructor() -> None:
    class Named(Model, abstract=True):
        name: Mapped[str]

        def __init__(self, name: str, **more: Any) -> None:
            super().__init__(name=name.strip(), **more)

    class Person(Named):
        id: Mapped[int] = generated(primary_key=True)

    assert Person(" Ada ").name == "Ada"


def test_a_mixin_may_have_the_constructor() -> None:
    class Quiet:
        __slots__ = ()

        def __init__(self, **values: Any) -> None:
            super().__init__(**{name: value.lower() for name, value in values.items()})

    class Word(Quiet, Model):
        text: Mapped[str] = field(primary_key=True)

    assert Word(text="LOUD").text == "loud"


def test_a_constructor_that_writes_too_early_is_told_so() -> None:
    class Early(Model):
        name: Mapped[str] = field(primary_key=True)

        def __init__(self) -> None:
            self.name = "x"

    with pytest.raises(ModelError, match=r"Early\.name is set before super\(\)\.__init__\(\)\nHint: call super"):
        Early()


def test_an_abstract_model_makes_no_objects() -> None:
    class Base(Model, abstract=True):
        name: Mapped[str]

    for cls in (Base, Model):
        with pytest.raises(ModelError, match=rf"{cls.__name__} is no model with a table\nHint: derive"):
            cls(name="x")


# ------------------------------------------------------------------ values


def test_values_are_read_and_written_as_of_any_object() -> None:
    ada = Author(name="Ada")
    ada.name = "Grace"
    ada.name += "!"
    assert ada.name == "Grace!"


def test_an_attribute_cannot_be_deleted() -> None:
    with pytest.raises(ModelError, match=r"Author\.name cannot be deleted\nHint: set it to None"):
        del Author(name="Ada").name


def test_a_collection_cannot_be_assigned() -> None:
    with pytest.raises(
        WrongType, match=r"Author\.books is a collection and cannot be assigned\nHint: use \.books\.add"
    ):
        Author(name="Ada").books = []  # type: ignore[assignment]


def test_what_the_library_remembers_cannot_be_set() -> None:
    with pytest.raises(ModelError, match="belongs to Cormorant"):
        Author(name="Ada").__orm_changes__ = {}


def test_to_dict_gives_what_has_a_value() -> None:
    assert Author(name="Ada", tags=["a"]).to_dict() == {"name": "Ada", "secret": "s3cret", "tags": ["a"]}
    assert ref(Author, 3).to_dict() == {"id": 3}
    assert Book(title="x", author=ref(Author, 3)).to_dict() == {"title": "x", "author_id": 3, "editor_id": None}


def test_to_dict_can_go_into_loaded_relations() -> None:
    ada = Author(id=1, name="Ada")
    book = Book(id=2, title="Notes", author=ada)
    book.labels.add(Label(name="math"))
    assert book.to_dict(relations=True) == {
        "id": 2,
        "title": "Notes",
        "author_id": 1,
        "editor_id": None,
        "author": {"id": 1, "name": "Ada", "secret": "s3cret", "tags": []},
        "editor": None,
        "labels": [{"name": "math"}],
    }
    assert "author" not in Book(title="x", author=ref(Author, 3)).to_dict(relations=True)


# ------------------------------------------------------------------ repr


def test_repr_shows_what_has_a_value_and_hides_what_is_sensitive() -> None:
    assert repr(Author(id=1, name="Ada")) == "<Author id=1 name='Ada' secret=*** tags=[]>"
    assert repr(Author(name="Ada")) == "<Author name='Ada' secret=*** tags=[]>"
    assert repr(ref(Author, 3)) == "<Author id=3 (reference)>"
    assert repr(Book(title="x", author=Author(name="y"))) == "<Book title='x' editor_id=None>"


def test_repr_cuts_long_values() -> None:
    assert len(repr(Author(name="x" * 10_000))) < 200


def test_repr_of_an_object_without_values() -> None:
    class Empty(Model):
        id: Mapped[int] = generated(primary_key=True)

    assert repr(Empty()) == "<Empty (new)>"


def test_repr_may_be_the_users_own() -> None:
    class Person(Model):
        name: Mapped[str] = field(primary_key=True)

        def __repr__(self) -> str:
            return f"Person {self.name}"

    assert repr(Person(name="Ada")) == "Person Ada"
    assert repr(ref(Person, "Ada")) == "Person Ada"


# ------------------------------------------------------------------ identity


def test_objects_are_equal_only_to_themselves() -> None:
    a, b = Author(id=1, name="Ada"), Author(id=1, name="Ada")
    assert a == a
    assert a != b
    assert len({a, b, a}) == 2


def test_equality_may_be_the_users_own() -> None:
    class Point(Model):
        x: Mapped[int] = field(primary_key=True)

        def __eq__(self, other: object) -> bool:
            return isinstance(other, Point) and self.x == other.x

        def __hash__(self) -> int:
            return hash(self.x)

    assert Point(x=1) == Point(x=1)
    assert ref(Point, 1) == Point(x=1)


def test_a_new_object_and_a_reference_are_instances_of_their_class() -> None:
    for author in (Author(name="x"), Author(id=1, name="x"), ref(Author, 1)):
        assert isinstance(author, Author)
        assert type(author).__name__ == "Author"
        assert type(author).__qualname__ == "Author"
        assert type(author).__module__ == __name__


def test_objects_can_be_weakly_referenced() -> None:
    for make in (lambda: Author(name="x"), lambda: ref(Author, 1)):
        author = make()
        seen = weakref.ref(author)
        assert seen() is author
        del author
        gc.collect()
        assert seen() is None


# ------------------------------------------------------------------ copies

COPIES = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    **{f"pickle{p}": lambda v, p=p: pickle.loads(pickle.dumps(v, p)) for p in range(pickle.HIGHEST_PROTOCOL + 1)},
}


@pytest.mark.parametrize("how", COPIES)
@pytest.mark.parametrize(
    "author", [Author(id=1, name="Ada", tags=["a"]), Author(name="new"), ref(Author, 3)], ids=["whole", "new", "ref"]
)
def test_a_copy_has_the_values_and_the_kind(how: str, author: Author) -> None:
    copied = COPIES[how](author)
    assert copied is not author
    assert copied.to_dict() == author.to_dict()
    assert type(copied) is type(author)
    assert repr(copied) == repr(author)
    copied.name = "other"
    assert author.to_dict().get("name") != "other"


def test_a_deep_copy_shares_no_mutable_value_and_a_shallow_one_does() -> None:
    author = Author(name="Ada", tags=["a"])
    assert copy.copy(author).tags is author.tags
    deep = copy.deepcopy(author)
    deep.tags.append("b")
    assert author.tags == ["a"]


def test_copies_of_graphs_take_columns_only() -> None:
    book = Book(id=1, title="x", author=Author(id=2, name="Ada"))
    copied = copy.deepcopy(book)
    assert copied.author.id == 2
    assert copied.author is not book.author


def test_a_composite_key_survives_a_pickle() -> None:
    assert pickle.loads(pickle.dumps(ref(Seat, 1, 2))).to_dict() == {"row": 1, "number": 2}


# ------------------------------------------------------------------ references


def test_ref_makes_an_object_with_nothing_but_its_key() -> None:
    author = ref(Author, 3)
    assert author.id == 3
    assert Book(title="x", author=author).to_dict()["author_id"] == 3


def test_ref_takes_composite_keys_by_place_or_as_a_tuple() -> None:
    assert ref(Seat, 1, 2).to_dict() == ref(Seat, (1, 2)).to_dict() == {"row": 1, "number": 2}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((Author, "x"), r"Author\.id: 'x' \(str\) is not an int"),
        ((Author, None), r"the key of Author is never None"),
        ((Author,), r"the key of Author has 1 columns, and 0 values were given\nHint: ref\(Author, id\)"),
        ((Seat, 1), r"the key of Seat has 2 columns, and 1 values were given\nHint: ref\(Seat, row, number\)"),
        ((Seat, 1, "a"), r"Seat\.number: 'a' \(str\) is not an int"),
        ((Author, True), r"Author\.id: True \(bool\) is not an int"),
    ],
)
def test_ref_refuses_what_is_no_key(arguments: Any, message: str) -> None:
    with pytest.raises(WrongType, match=message):
        ref(*arguments)


@pytest.mark.parametrize("thing", [int, Model, "Author"])
def test_ref_refuses_what_is_no_model(thing: Any) -> None:
    with pytest.raises(ModelError, match="is no model with a table"):
        ref(thing, 1)


# ------------------------------------------------------------------ attributes without a value


def test_a_key_that_is_not_made_yet_says_flush_first() -> None:
    with pytest.raises(UnsavedError, match=r"Author\.id of <Author name='Ada'.*> has no value yet.*\nHint: .*flush"):
        Author(name="Ada").id  # noqa: B018


def test_the_key_of_a_new_object_that_another_points_to_is_unsaved_too() -> None:
    book = Book(title="x", author=Author(name="Ada"))
    with pytest.raises(UnsavedError, match=r"Book\.author_id"):
        book.author_id  # type: ignore[attr-defined]  # noqa: B018


def test_an_attribute_of_a_reference_without_a_session_says_who_gives_it() -> None:
    with pytest.raises(
        NotLoadedError,
        match=r"Author\.name of <Author id=3 \(reference\)> was not loaded\nHint: it belongs to no session",
    ):
        ref(Author, 3).name  # noqa: B018


@pytest.mark.parametrize("author", [Author(name="Ada"), ref(Author, 3)], ids=["new", "reference"])
def test_a_missing_value_never_looks_like_a_missing_attribute(author: Author) -> None:
    missing = "id" if "id" not in author.to_dict() else "name"
    for attempt in (
        lambda: hasattr(author, missing),
        lambda: getattr(author, missing, None),
        lambda: getattr(author, missing),
    ):
        with pytest.raises((UnsavedError, NotLoadedError)) as caught:
            attempt()
        assert not isinstance(caught.value, AttributeError)


def test_an_attribute_that_does_not_exist_is_an_attribute_error() -> None:
    for author in (Author(name="Ada"), Author(id=1, name="Ada"), ref(Author, 3)):
        assert not hasattr(author, "nickname")
        assert getattr(author, "nickname", 7) == 7
        with pytest.raises(AttributeError, match=r"'Author' object has no attribute 'nickname'"):
            author.nickname  # type: ignore[attr-defined]  # noqa: B018


def test_a_property_over_a_missing_value_tells_of_that_value() -> None:
    class Person(Model):
        id: Mapped[int] = generated(primary_key=True)
        name: Mapped[str]

        @property
        def shout(self) -> str:
            return self.name.upper()

        @property
        def wrong(self) -> str:
            return self.nmae  # type: ignore[attr-defined,no-any-return]

    with pytest.raises(NotLoadedError, match=r"Person\.name"):
        ref(Person, 1).shout  # noqa: B018
    with pytest.raises(AttributeError, match="nmae"):
        ref(Person, 1).wrong  # noqa: B018


def test_a_value_given_to_a_new_object_is_there() -> None:
    author = Author(name="Ada")
    author.id = 5
    assert author.id == 5
    assert hasattr(author, "id")


def test_a_reference_can_be_written_without_being_read() -> None:
    author = ref(Author, 3)
    author.name = "Ada"
    assert author.name == "Ada"
    with pytest.raises(NotLoadedError):
        author.tags  # noqa: B018


# ------------------------------------------------------------------ tracked writes


def test_a_write_keeps_the_value_before_it() -> None:
    author = ref(Author, 3)
    author.name = "a"
    author.name = "b"
    assert set(author.__orm_changes__ or ()) == {"name"}


def test_a_new_object_tracks_nothing() -> None:
    author = Author(name="Ada")
    author.name = "Grace"
    assert author.__orm_changes__ is None
