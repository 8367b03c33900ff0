"""Reads a CSV file into a table, batch by batch: each is a transaction, and so is how far the file has come with it."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from cormorant import Session, SyncDatabase, ValidationError, utcnow
from examples.scripts.models import City, ImportedFile

COLUMNS = ("code", "name", "population", "elevation")


class Line(NamedTuple):
    """A line of the file, the heading is line 1."""

    number: int
    texts: dict[str, str]


class Refused(NamedTuple):
    """A value that was not imported, and its line with it."""

    line: int
    column: str
    problem: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.column}: {self.problem}"


@dataclass
class Outcome:
    """What one run has done.

    Args:
        skipped: Lines that an earlier run had dealt with.
        read: Lines that this one has dealt with.
    """

    skipped: int = 0
    read: int = 0
    refused: list[Refused] = field(default_factory=list[Refused])


def import_file(
    db: SyncDatabase, path: Path, *, batch: int = 500, on_batch: Callable[[Outcome], None] | None = None
) -> Outcome:
    """Imports a file; one that was imported in part goes on where it stopped."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    with path.open(newline="", encoding="utf-8") as file:
        outcome = Outcome(skipped=lines_done(db, digest))
        lines = islice(lines_of(file), outcome.skipped, None)
        while chunk := list(islice(lines, batch)):
            # a unit of work: run again if the database refuses it for the sake of others
            outcome.refused += db.run(write, digest, path.name, chunk)
            outcome.read += len(chunk)
            if on_batch is not None:
                on_batch(outcome)
    return outcome


def lines_of(file: TextIO) -> Iterator[Line]:
    """Gives the lines below the heading."""
    reader = csv.DictReader(file)
    missing = set(COLUMNS) - set(reader.fieldnames or ())
    if missing:
        raise SystemExit(f"the heading lacks {', '.join(sorted(missing))}")
    for row in reader:
        yield Line(reader.line_num, {name: (row[name] or "").strip() for name in COLUMNS})


def lines_done(db: SyncDatabase, digest: str) -> int:
    """Gives how many lines of a file earlier runs have dealt with."""
    with db.session(read_only=True) as session:
        known = session.get(ImportedFile, digest)
        return 0 if known is None else known.lines


def write(session: Session, digest: str, name: str, chunk: Sequence[Line]) -> list[Refused]:
    """Writes a batch, and that it was written; gives what was refused."""
    progress = session.get(ImportedFile, digest, for_update=True)
    if progress is None:
        progress = session.create(ImportedFile, digest=digest, name=name)
    read, refused = parse(chunk)
    refused += upsert(session, read)
    progress.lines += len(chunk)
    progress.refused += len({each.line for each in refused})
    progress.updated = utcnow()
    return sorted(refused)


def parse(chunk: Sequence[Line]) -> tuple[list[tuple[int, dict[str, Any]]], list[Refused]]:
    """Makes values of texts, as far as that goes."""
    read: list[tuple[int, dict[str, Any]]] = []
    refused: list[Refused] = []
    for number, texts in chunk:
        values: dict[str, Any] = {"code": texts["code"], "name": texts["name"]}
        wrong = len(refused)
        for column, kind in (("population", int), ("elevation", float)):
            try:
                values[column] = kind(texts[column]) if texts[column] else None
            except ValueError:
                refused.append(Refused(number, column, f"{texts[column]!r} is no number"))
        if len(refused) == wrong:
            read.append((number, values))
    return read, refused


def upsert(session: Session, read: list[tuple[int, dict[str, Any]]]) -> list[Refused]:
    """Inserts the rows that are new and changes those that are there, but for those whose values are not valid."""
    refused: list[Refused] = []
    while read:
        try:
            # objects rather than mappings: every problem of a row is found, not the first
            cities = [City(**values) for _, values in read]
            session.query(City).upsert(cities, on=[City.code], dedupe="last")
            break
        except ValidationError as error:
            found = [problem for problem in error.fields if problem.row is not None]
            refused += [Refused(read[p.row - 1][0], p.field or "", p.message) for p in found if p.row]
            bad = {problem.row for problem in found}
            read = [each for row, each in enumerate(read, 1) if row not in bad]
    return refused
