"""What pyproject.toml, the environment and options say, as one value; nothing is read and nobody asked here."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn, TypeVar, cast

from cormorant.errors import ConfigurationError, suggest

T = TypeVar("T")

SECTION = "tool.cormorant"
MIGRATIONS = "migrations"

EXAMPLE = """\
[tool.cormorant]
dsn = "sqlite:///app.db"
models = ["app.models"]
migrations = "migrations\""""
"""What a program writes at least."""


@dataclass(frozen=True, slots=True)
class Source:
    """A file that may say something.

    Args:
        root: The folder that paths in it start from.
        path: The file; None if there is none.
        table: What its section says.
        text: The whole file, in which lines are looked for.
    """

    root: Path
    path: Path | None = None
    table: Mapping[str, object] = field(default_factory=dict[str, object], repr=False)
    text: str = field(default="", repr=False)

    @property
    def name(self) -> str:
        """What messages call it."""
        return "pyproject.toml" if self.path is None else str(self.path)


@dataclass(frozen=True, slots=True)
class Options:
    """What was said on the command line; None where nothing was.

    Args:
        dsn: The database.
        file: The file to be read instead of the pyproject.toml that is found.
        models: Modules with models.
        migrations: The directory of the migrations.
    """

    dsn: str | None = field(default=None, repr=False)
    file: Path | None = None
    models: tuple[str, ...] = ()
    migrations: Path | None = None


@dataclass(frozen=True, slots=True)
class Config:
    """What the commands work on.

    Args:
        source: The file that was read.
        dsn: The database; it may hold a password.
        dsn_of_file: Whether the file says it: a relative path of SQLite then starts from the file's folder.
        dsn_variable: The variable of the environment that the file names for it, and that is not set.
        database: Where the program has its Database: "shop.db:database".
        models: The modules that declare models.
        migrations: The directory of each app's migrations; "" where there is one for all.
        path: The folders that modules are imported from.
        safe: New migrations are written in the form that a live database can run.
        wait: Seconds to wait for another one who migrates.
        lock_timeout: Seconds that a statement of a migration waits for the lock of a table.
        retries: How often it is tried again.
    """

    source: Source
    dsn: str | None = field(default=None, repr=False)
    dsn_of_file: bool = False
    dsn_variable: str | None = None
    database: str | None = None
    models: tuple[str, ...] = ()
    migrations: Mapping[str, Path] = field(default_factory=dict[str, Path])
    path: tuple[Path, ...] = ()
    safe: bool = False
    wait: float | None = 60.0
    lock_timeout: float | None = 2.0
    retries: int = 20


def configuration(source: Source, environ: Mapping[str, str], options: Options) -> Config:
    """Gives what holds: options before the environment, the environment before the file.

    Args:
        source: The file.
        environ: The environment: CORMORANT_DSN, CORMORANT_MODELS and CORMORANT_MIGRATIONS.
        options: The command line.

    Raises:
        ConfigurationError: Something cannot be used, with the line that says it.
    """
    said = _Said(source)
    said.refuse_unknown()
    dsn = options.dsn or environ.get("CORMORANT_DSN") or None
    written, variable = said.dsn(environ)
    database = said.get("database", _reference)
    if database is not None and (written or variable):
        said.refuse("dsn", "stands beside database, which leads to one too", "leave one of them out")
    return Config(
        source=source,
        dsn=dsn or written,
        dsn_of_file=dsn is None and written is not None,
        dsn_variable=variable if dsn is None else None,
        database=database if dsn is None else None,
        models=options.models or _listed(environ.get("CORMORANT_MODELS")) or said.get("models", _texts) or (),
        migrations=_migrations(said, environ, options),
        path=_path(said),
        safe=said.get("safe", _flag) or False,
        wait=said.seconds("wait", 60.0),
        lock_timeout=said.seconds("lock_timeout", 2.0),
        retries=said.get("retries", _count) or 20,
    )


def _listed(text: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in (text or "").split(",") if part.strip())


def _migrations(said: _Said, environ: Mapping[str, str], options: Options) -> Mapping[str, Path]:
    if options.migrations is not None:
        return {"": options.migrations}
    if environ.get("CORMORANT_MIGRATIONS"):
        return {"": Path(environ["CORMORANT_MIGRATIONS"])}
    found = said.get("migrations", _places) or {"": MIGRATIONS}
    return {app: said.source.root / place for app, place in found.items()}


def _path(said: _Said) -> tuple[Path, ...]:
    root = said.source.root
    found = said.get("path", _texts)
    # a program in src is found without being told
    return tuple(root / part for part in (found if found is not None else ("src", ".")))


class _Said:
    """What a file says, key by key."""

    def __init__(self, source: Source) -> None:
        self.source = source

    def get(self, key: str, read: Callable[[object], T]) -> T | None:
        """Gives a key's value; None if there is none."""
        if key not in self.source.table:
            return None
        try:
            return read(self.source.table[key])
        except _Unfit as unfit:
            self.refuse(key, unfit.problem, unfit.hint)

    def seconds(self, key: str, default: float) -> float | None:
        """Gives a number of seconds; None for `false`, which is no limit."""
        if self.source.table.get(key) is False:
            return None
        found = self.get(key, _seconds)
        return default if found is None else found

    def dsn(self, environ: Mapping[str, str]) -> tuple[str | None, str | None]:
        """Gives the DSN, or the variable that should hold it and is not set."""
        found = self.get("dsn", _dsn)
        if not isinstance(found, _Variable):
            return found, None
        text = environ.get(found.name)
        return (text, None) if text else (None, found.name)

    def refuse_unknown(self) -> None:
        """Refuses keys that nothing reads."""
        for key in self.source.table:
            if key not in KEYS:
                self.refuse(key, "is nothing that can be set", suggest(key, KEYS))

    def refuse(self, key: str, problem: str, hint: str) -> NoReturn:
        """Refuses a key's value, with its line.

        Raises:
            ConfigurationError: Always.
        """
        line = line_of(self.source.text, key)
        place = self.source.name if line is None else f"{self.source.name}, line {line}"
        raise ConfigurationError(f"{place}: {key} {problem}", hint=hint)


def line_of(text: str, key: str) -> int | None:
    """Gives the number of the line of [tool.cormorant] that sets a key; None if it is not found."""
    inside = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("["):
            name = re.sub(r"[\s\"'\[\]]", "", line.partition("#")[0])
            inside = name == SECTION
            if name == f"{SECTION}.{key}":
                return number
        elif inside and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*[=.]", line):
            return number
    return None


# ------------------------------------------------------------------ values


class _Unfit(Exception):
    """A value that cannot be used."""

    def __init__(self, problem: str, hint: str) -> None:
        self.problem, self.hint = problem, hint


@dataclass(frozen=True, slots=True)
class _Variable:
    name: str


def _dsn(value: object) -> str | _Variable:
    match value:
        case str() if value:
            return value
        case {"env": str(name)} if len(cast("Mapping[str, object]", value)) == 1 and name:
            return _Variable(name)
        case _:
            raise _Unfit("is no DSN", 'write dsn = "sqlite:///app.db", or dsn = { env = "DATABASE_URL" }')


def _reference(value: object) -> str:
    if isinstance(value, str) and re.fullmatch(r"[\w.]+:[\w.]+", value):
        return value
    raise _Unfit("names no object", 'write the module and the name in it: database = "shop.db:database"')


def _texts(value: object) -> tuple[str, ...]:
    if isinstance(value, list):
        found = cast("list[object]", value)
        if all(isinstance(each, str) and each for each in found):
            return tuple(cast("list[str]", found))
    example = f'"{value}"' if isinstance(value, str) else '"...", "..."'
    raise _Unfit("is no list of texts", f"write [{example}]")


def _places(value: object) -> Mapping[str, str]:
    if isinstance(value, str) and value:
        return {"": value}
    if isinstance(value, dict) and value:
        found = cast("dict[str, object]", value)
        if all(isinstance(place, str) and place for place in found.values()):
            return cast("dict[str, str]", found)
    raise _Unfit(
        "names no directory", 'write migrations = "migrations", or { shop = "shop/migrations" } with one for each app'
    )


def _flag(value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise _Unfit("is neither true nor false", "write true or false, without quotes")


def _seconds(value: object) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0:
        return float(value)
    raise _Unfit("is no number of seconds", "write a number above 0, or false for no limit")


def _count(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    raise _Unfit("is no count", "write a whole number above 0")


KEYS = ("dsn", "database", "models", "migrations", "path", "safe", "wait", "lock_timeout", "retries")
"""What can be set."""
