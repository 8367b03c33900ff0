"""What the import writes: cities, and how far each file has come."""

from __future__ import annotations

from datetime import datetime

from cormorant import Mapped, Model, field, utcnow


class City(Model, app="places", table="places_city"):
    """One row of the file."""

    code: Mapped[str] = field(primary_key=True, max_length=8, pattern=r"[A-Z]{2}-[A-Z0-9]+")
    name: Mapped[str] = field(max_length=60, pattern="[^ ].*")
    population: Mapped[int] = field(ge=0)
    elevation: Mapped[float | None] = field(default=None)


class ImportedFile(Model, app="places", table="places_imported_file"):
    """How much of a file is in the database; changed in the transaction that writes its rows."""

    digest: Mapped[str] = field(primary_key=True)
    name: Mapped[str]
    lines: Mapped[int] = field(default=0)
    refused: Mapped[int] = field(default=0)
    updated: Mapped[datetime] = field(default_factory=utcnow)


MODELS: list[type[Model]] = [City, ImportedFile]
