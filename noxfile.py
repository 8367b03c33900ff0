"""The same checks as .ci/run, one session each: `nox -s lint`; plain `nox` runs lint, types and tests."""

from __future__ import annotations

import nox

nox.options.default_venv_backend = "venv"
nox.options.reuse_existing_virtualenvs = True
nox.options.sessions = ["lint", "types", "tests"]

PYTHONS = ["3.11", "3.12", "3.13"]


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Runs the tests, those of the documentation included; arguments go to pytest."""
    session.install("-e", ".[test]")
    session.run("pytest", *session.posargs)


@nox.session
def coverage(session: nox.Session) -> None:
    """Runs the tests and shows the lines and branches they miss."""
    session.install("-e", ".[test]")
    session.run("coverage", "erase")
    session.run("coverage", "run", "-m", "pytest", *session.posargs)
    session.run("coverage", "combine")
    session.run("coverage", "report")


@nox.session
def lint(session: nox.Session) -> None:
    """Checks style and format; `nox -s lint -- --fix` mends what can be mended."""
    session.install("-e", ".[lint]")
    fix = "--fix" in session.posargs
    session.run("ruff", "check", *(["--fix"] if fix else []))
    session.run("ruff", "format", *([] if fix else ["--check"]))


@nox.session
def types(session: nox.Session) -> None:
    """Checks the package and tests/typing with both checkers, and the typed contract line by line."""
    session.install("-e", ".[test,lint]")
    session.run("mypy")
    session.run("pyright")
    session.run("pytest", "tests/typing", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """Executes the examples of README.md and docs/."""
    session.install("-e", ".[test]")
    session.run("pytest", "tests/docs", *session.posargs)


@nox.session
def examples(session: nox.Session) -> None:
    """Runs the example applications on SQLite, and on PostgreSQL where there is one."""
    session.install("-e", ".[test,examples]")
    with session.chdir(session.create_tmp()):
        sqlite = {"CORMORANT_DSN": "sqlite:///atlas.db", "PYTHONPATH": str(session.invoked_from)}
        session.run("python", "-m", "examples.atlas", *session.posargs, env=sqlite)
        # it says so by its exit code that some of its lines are refused
        session.run("python", "-m", "examples.scripts", env=sqlite, success_codes=[1])
        session.run("python", "-m", "examples.graphql", env=sqlite)
    atlas = ["python", "-m", "examples.atlas", *session.posargs]
    session.run("python", "-m", "tests.support.postgres", *atlas, success_codes=[0, 69])


@nox.session
def bench(session: nox.Session) -> None:
    """Runs the benchmarks beside all other libraries; arguments go to them."""
    session.install("-e", ".[bench-peers]")
    session.run("python", "-m", "benchmarks", *session.posargs)
