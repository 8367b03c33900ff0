"""Models of a schema as it was: objects, relations and queries, beside the program's own models."""

from __future__ import annotations

import enum
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from cormorant import (
    AsyncSession,
    Database,
    Many,
    Mapped,
    Model,
    One,
    SchemaBuilder,
    TableArg,
    UnknownName,
    check,
    field,
    foreign_key,
    generated,
    many_to_many,
    reverse,
    unique,
)
from cormorant.migrations import HistoricalModels
from cormorant.models.registry import registry
from cormorant.schema import snapshot as s
from cormorant.schema.diff import diff


class Tone(enum.Enum):
    CALM = "calm"
    LOUD = "it's loud"


def declared() -> list[type[Model]]:
    """The models of an earlier time; a program's models of the same names are others."""
    with registry.isolated():

        class Writer(Model, app="historical"):
            id: Mapped[int] = generated(primary_key=True)
            name: Mapped[str] = field(max_length=40, unique=True)
            mentor: One[Writer | None] = foreign_key(default=None)
            essays: Many[Essay] = reverse("writer")

        class Essay(Model, app="historical"):
            id: Mapped[int] = generated(primary_key=True)
            title: Mapped[str]
            tone: Mapped[Tone] = field(default=Tone.CALM, native="historical_tone")
            price: Mapped[Decimal] = field(default=Decimal(0), precision=10, decimal_places=2)
            facts: Mapped[dict[str, int]] = field(default_factory=dict)
            words: Mapped[list[str]] = field(default_factory=list)
            printed: Mapped[datetime | None] = field(default=None)
            number: Mapped[UUID | None] = field(default=None)
            doubled: Mapped[int] = generated(computed=lambda m: m.id * 2)
            writer: One[Writer] = foreign_key(on_delete="cascade")
            tags: Many[Tag] = many_to_many()

            @classmethod
            def __table_args__(cls) -> Iterable[TableArg]:
                yield check(cls.price >= 0)
                yield unique(cls.title, cls.writer)

        class Tag(Model, app="historical"):
            code: Mapped[str] = field(primary_key=True)

        models = [Writer, Essay, Tag]
        for model in models:
            assert model.__info__.relations is not None
        return models


@pytest.fixture
async def wanted(database_dsn: str) -> AsyncIterator[tuple[Database, s.SchemaSnapshot]]:
    wanted = SchemaBuilder.wanted(*declared())
    async with Database(database_dsn) as database:
        operations = diff(s.SchemaSnapshot(), wanted)
        builder = SchemaBuilder(database)
        await builder.apply(operations)
        yield database, wanted
        await builder.apply([operation.reverse() for operation in reversed(operations)])


async def test_objects_are_written_and_read(wanted: tuple[Database, s.SchemaSnapshot]) -> None:
    database, snapshot = wanted
    known = list(registry)
    models = HistoricalModels(snapshot)
    assert list(registry) == known
    Writer, Essay, Tag = models["historical_writer"], models.HistoricalEssay, models.HistoricalTag
    moment = datetime(2024, 2, 3, 4, 5, tzinfo=UTC)
    number = UUID(int=7)
    async with AsyncSession(database) as session:
        ada = Writer(name="Ada", mentor=Writer(name="Bob"))
        many: dict[str, Any] = {"facts": {"a": 1}, "words": ["x", "y"], "printed": moment, "number": number}
        many |= {"price": Decimal("3.50"), "tone": models.HistoricalTone.IT_S_LOUD}
        essay = Essay(title="Notes", writer=ada, **many)
        essay.tags.add(Tag(code="math"))
        session.add(essay)
    async with AsyncSession(database) as session:
        essay = await session.query(Essay).filter(Essay.writer.name == "Ada", Essay.price > 3).one()
        assert (essay.price, essay.tone.value, essay.facts, essay.words) == (
            Decimal("3.50"),
            "it's loud",
            {"a": 1},
            ["x", "y"],
        )
        assert (essay.printed, essay.number, essay.doubled) == (moment, number, essay.id * 2)
        assert [tag.code for tag in await essay.tags] == ["math"]
        writer = await essay.writer
        assert (await writer.mentor).name == "Bob"
        assert await session.query(Essay).update(Essay.title.set("Other")) == 1
        assert [each.title for each in await writer.historical_essays] == ["Other"]


def test_names_that_are_not_there_are_told_what_is() -> None:
    models = HistoricalModels(s.SchemaSnapshot((s.Table("essay", (s.Column("id", "bigint"),), s.PrimaryKey(("id",))),)))
    with pytest.raises(UnknownName, match=r"(?s)no table of this time is called 'Esay'.*did you mean 'Essay'\?"):
        _ = models.Esay
    with pytest.raises(UnknownName, match="there is no table 'esay'"):
        _ = models["esay"]
    assert "essay" in models
    assert list(models) == [models.Essay]
    assert not hasattr(models, "__wrapped__")
    assert "Essay" in dir(models)


def test_a_schema_without_tables_has_no_models() -> None:
    assert list(HistoricalModels(s.SchemaSnapshot())) == []
