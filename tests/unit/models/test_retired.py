"""What models have no more, and the database may have still."""

from __future__ import annotations

import pytest

from cormorant import Mapped, Model, ModelError, SchemaBuilder, UnknownName, field, generated, retired
from cormorant.models.registry import registry
from cormorant.schema import snapshot as s


def test_a_retired_column_is_no_attribute_and_in_no_table() -> None:
    class Essay(Model, app="retiring"):
        id: Mapped[int] = generated(primary_key=True)
        title: Mapped[str]
        subtitle = retired()
        mood = retired(column="Mood")

    assert list(Essay.__info__.fields) == ["id", "title"]
    with pytest.raises(UnknownName, match=r"Essay\.subtitle is retired"):
        _ = Essay.subtitle
    assert not hasattr(Essay(title="Notes"), "subtitle")
    table = SchemaBuilder.wanted(Essay).tables[0]
    assert [column.name for column in table.columns] == ["id", "title"]
    assert table.retired == ("subtitle", "Mood")


def test_what_a_base_declares_can_be_retired_and_declared_again() -> None:
    class Titled(Model, abstract=True):
        title: Mapped[str]
        mood = retired()

    class Essay(Titled, app="retiring_bases"):
        id: Mapped[int] = generated(primary_key=True)
        title = retired()  # type: ignore[assignment]
        mood: Mapped[str] = field(default="calm")

    table = SchemaBuilder.wanted(Essay).tables[0]
    assert [column.name for column in table.columns] == ["id", "mood"]
    assert table.retired == ("title",)


def test_a_retired_column_has_no_annotation() -> None:
    with pytest.raises(ModelError, match=r"Essay\.title is retired.*\n.*write title = retired\(\)"):

        class Essay(Model):
            id: Mapped[int] = generated(primary_key=True)
            title: Mapped[str] = retired()  # type: ignore[assignment]


def test_a_retired_model_has_no_table_and_names_the_one_it_had() -> None:
    with registry.isolated():

        class Essay(Model):
            id: Mapped[int] = generated(primary_key=True)

        class Pamphlet(Model, app="old", retired=True):
            title: Mapped[str]

        class Leaflet(Model, table="leaves", retired=True): ...

        wanted = SchemaBuilder.wanted()
        assert [table.key for table in wanted.tables] == ["essay"]
        assert wanted.retired == ("old_pamphlet", "leaves")
        with pytest.raises(ModelError):
            Pamphlet(title="x")
        assert Leaflet.__name__ == "Leaflet"
    assert registry.retired == ()


def test_a_program_may_give_up_all_of_its_models() -> None:
    with registry.isolated():

        class Pamphlet(Model, retired=True): ...

        assert SchemaBuilder.wanted() == s.SchemaSnapshot()
        assert SchemaBuilder.wanted().retired == ("pamphlet",)
        del Pamphlet
