"""Migrations that are not written yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cormorant.errors import Loss
from cormorant.migrations import files as writing
from cormorant.migrations.footprint import footprint
from cormorant.migrations.history import History
from cormorant.migrations.migration import Migration, MigrationFile, key_of, said_key
from cormorant.migrations.naming import automatic_title, automatic_words, file_name
from cormorant.migrations.source import depends_lines, docstring, migration_source
from cormorant.migrations.step import Step


@dataclass(frozen=True, slots=True)
class Draft:
    """A migration that is not written yet.

    Args:
        app: The app whose tables it changes.
        name: What its file will be called.
        migration: What it does.
        source: The text of its file.
        losses: What a database would lose by it.
    """

    app: str
    name: str
    migration: Migration
    source: str
    losses: tuple[Loss, ...] = ()

    @property
    def key(self) -> str:
        """What will stand for it."""
        return key_of(self.app, self.name)

    @property
    def file(self) -> MigrationFile:
        """The migration as it will be read."""
        return MigrationFile(self.app, self.name, None, writing.checksum(self.source), self.migration)

    def describe(self) -> list[str]:
        """Gives what it does in words, step by step."""
        return [step.describe() for step in self.migration.operations]

    def write(self, directory: str | Path) -> Path:
        """Writes its file, and gives the path; the directory is made if it is not there.

        Args:
            directory: The directory of its app.

        Raises:
            InvalidMigration: There is such a file already.
        """
        return writing.write(directory, self.name, self.source)


def draft_of(
    history: History,
    steps: Sequence[Step],
    *,
    app: str,
    name: str | None,
    losses: Sequence[Loss] = (),
    about: Sequence[Step] | None = None,
) -> Draft:
    """Gives steps as the next migration of an app, after all of its own, and those of other apps that it stands on.

    Args:
        history: The migrations that there are.
        steps: What it does.
        app: The app.
        name: What it is about, in words; made of what it does if None.
        losses: What a database would lose by it.
        about: What it does in fewer steps, for its name.
    """
    own, told = history.heads_of(app), steps if about is None else about
    words = automatic_words(told, first=not own) if name is None else name
    title = automatic_title(told, first=not own) if name is None else _sentence(name)
    depends = [said_key(key, app) for key in (*own, *_others(history, steps, app))]
    made = Migration(steps, depends=depends, description=title)
    return Draft(app, file_name(history, app, words), made, migration_source(made), tuple(losses))


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}{'' if words.endswith(('.', '!', '?')) else '.'}"


_WORK = '''"""{title}"""

from cormorant import AsyncSession
from cormorant.migrations import HistoricalModels, Migration, RunSession, nothing


async def forward(session: AsyncSession, models: HistoricalModels) -> None:
    """{title}"""
    # models.Essay is the model of the table essay as it is at this step


migration = Migration(
{depends}    operations=[
        # nothing is its way back; tables=("essay",) would say that it is about no other table
        RunSession(forward, nothing),
    ],
)
'''


def empty(history: History, name: str, *, app: str = "", work: bool = False) -> Draft:
    """Gives a migration to be filled in by hand.

    Args:
        history: The migrations that there are.
        name: What it is about, in words.
        app: The app whose migration it is.
        work: It has a function that does work in a session.
    """
    draft = draft_of(history, (), app=app, name=name)
    if not work:
        return draft
    depends = depends_lines(draft.migration)
    source = _WORK.format(title=docstring(draft.migration.description), depends=depends)
    return replace(draft, source=source, migration=writing.from_source(source, draft.name, app).migration)


def _others(history: History, steps: Sequence[Step], app: str) -> list[str]:
    """Gives the heads of other apps that have anything to do with the steps."""
    mine = footprint(steps)
    others = dict.fromkeys(
        file.app for file in history.ordered if file.app != app and mine.clashes(footprint(file.migration.operations))
    )
    return [key for other in others for key in history.heads_of(other)]
