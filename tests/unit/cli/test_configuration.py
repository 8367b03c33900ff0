"""What is configured: options before the environment, the environment before pyproject.toml."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest

from cormorant import ConfigurationError
from cormorant.cli.configuration import Config, Options, Source, configuration, line_of

ROOT = Path("/srv/shop")


def of(body: str, environ: Mapping[str, str] | None = None, options: Options | None = None, head: str = "") -> Config:
    text = f"{head}[tool.cormorant]\n{body}\n"
    table = tomllib.loads(text)["tool"]["cormorant"]
    return configuration(Source(ROOT, ROOT / "pyproject.toml", table, text), environ or {}, options or Options())


def test_what_a_file_says() -> None:
    config = of('dsn = "sqlite:///app.db"\nmodels = ["shop.models"]\nmigrations = "db"\nsafe = true\nwait = 5')
    assert (config.dsn, config.dsn_of_file, config.models) == ("sqlite:///app.db", True, ("shop.models",))
    assert config.migrations == {"": ROOT / "db"}
    assert (config.safe, config.wait, config.lock_timeout, config.retries) == (True, 5.0, 2.0, 20)
    assert config.path == (ROOT / "src", ROOT)


def test_without_anything() -> None:
    config = configuration(Source(ROOT), {}, Options())
    assert (config.dsn, config.database, config.models) == (None, None, ())
    assert config.migrations == {"": ROOT / "migrations"}


def test_the_environment_is_stronger_than_the_file_and_options_are_strongest() -> None:
    body = 'dsn = "sqlite:///file.db"\nmodels = ["a"]\nmigrations = { shop = "shop/migrations" }'
    environ = {"CORMORANT_DSN": "sqlite:///env.db", "CORMORANT_MODELS": "b, c", "CORMORANT_MIGRATIONS": "elsewhere"}
    config = of(body, environ)
    assert (config.dsn, config.dsn_of_file, config.models) == ("sqlite:///env.db", False, ("b", "c"))
    assert config.migrations == {"": Path("elsewhere")}
    said = Options("sqlite:///said.db", None, ("d",), Path("here"))
    config = of(body, environ, said)
    assert (config.dsn, config.models, config.migrations) == ("sqlite:///said.db", ("d",), {"": Path("here")})


def test_several_apps() -> None:
    config = of('[tool.cormorant.migrations]\nshop = "shop/migrations"\nblog = "blog/migrations"')
    assert config.migrations == {"shop": ROOT / "shop/migrations", "blog": ROOT / "blog/migrations"}


def test_a_dsn_of_the_environment() -> None:
    body = 'dsn = { env = "DATABASE_URL" }'
    assert of(body, {"DATABASE_URL": "sqlite:///x.db"}).dsn == "sqlite:///x.db"
    missing = of(body)
    assert (missing.dsn, missing.dsn_variable) == (None, "DATABASE_URL")
    assert of(body, {"CORMORANT_DSN": "sqlite:///y.db"}).dsn_variable is None


def test_a_database_of_the_program_gives_way_to_the_environment() -> None:
    assert of('database = "shop.db:database"').database == "shop.db:database"
    assert of('database = "shop.db:database"', {"CORMORANT_DSN": "sqlite:///y.db"}).database is None


@pytest.mark.parametrize(
    ("body", "line", "problem", "hint"),
    [
        ('dns = "x"', 4, "dns is nothing that can be set", "did you mean 'dsn'?"),
        ('models = "shop.models"', 4, "models is no list of texts", 'write ["shop.models"]'),
        ('dsn = "sqlite://"\nmodels = [1]', 5, "models is no list of texts", 'write ["...", "..."]'),
        ("dsn = 5", 4, "dsn is no DSN", "dsn = { env = "),
        ('dsn = { env = "A", more = 1 }', 4, "dsn is no DSN", "dsn = { env = "),
        ("migrations = 5", 4, "migrations names no directory", "with one for each app"),
        ("migrations = {}", 4, "migrations names no directory", "with one for each app"),
        ("safe = 1", 4, "safe is neither true nor false", "without quotes"),
        ('wait = "5"', 4, "wait is no number of seconds", "or false for no limit"),
        ("lock_timeout = 0", 4, "lock_timeout is no number of seconds", "above 0"),
        ("retries = true", 4, "retries is no count", "whole number"),
        ('database = "shop.db"', 4, "database names no object", 'database = "shop.db:database"'),
        ('dsn = "sqlite://"\ndatabase = "a:b"', 4, "dsn stands beside database", "leave one of them out"),
    ],
)
def test_what_cannot_be_used_is_named_with_its_line(body: str, line: int, problem: str, hint: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        of(body, head='[project]\nname = "shop"\n')
    assert caught.value.message.startswith(f"{ROOT / 'pyproject.toml'}, line {line}: {problem}")
    assert hint in (caught.value.hint or "")


def test_no_limit() -> None:
    assert of("wait = false\nlock_timeout = false").wait is None


def test_no_password_is_shown() -> None:
    config = of('dsn = "postgresql://app:hunter2@db/app"', options=Options("postgresql://a:hunter3@db/app"))
    assert "hunter" not in repr(config)
    assert "hunter" not in repr(Options("postgresql://a:hunter3@db/app"))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[tool.cormorant]\nwait = 1", 2),
        ('[other]\nwait = 1\n[ tool . "cormorant" ]\n"wait" = 1', 4),
        ("[tool.cormorant.wait]\nx = 1", 1),
        ("[tool.cormorant]\nwaiting = 1", None),
    ],
)
def test_lines_are_found(text: str, line: int | None) -> None:
    assert line_of(text, "wait") == line
