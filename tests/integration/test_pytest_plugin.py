"""The pytest plugin, in projects that are run in processes of their own."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from cormorant.adapters.config import ConnectionConfig
from tests.support import postgres

pytest.importorskip("fastapi", reason="fastapi is not installed; pip install 'cormorant[test]'")

PROJECT = Path(__file__).with_name("testing_project.txt")
CONFTEST = 'pytest_plugins = ["cormorant.integrations.pytest_plugin"]\n'
INI = """
[pytest]
asyncio_default_fixture_loop_scope = function
filterwarnings =
    error
    ignore:Using .httpx. with .starlette.testclient.
"""


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    source = str(Path(__file__).parents[2] / "src")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([source, os.environ.get("PYTHONPATH", "")]))
    for name in ("CORMORANT_DSN", "CORMORANT_TEST_DSN", "PYTEST_XDIST_WORKER", "PYTEST_ADDOPTS"):
        monkeypatch.delenv(name, raising=False)
    pytester.makeini(INI)
    pytester.makeconftest(CONFTEST)
    return pytester


def nowhere(dsn: str) -> str:
    """Gives the address of a database of that kind which does not exist."""
    return "postgresql://127.0.0.1:1/nowhere" if dsn.startswith("postgresql") else "sqlite:////nowhere/at/all.db"


def databases_beside(dsn: str) -> list[str]:
    """Gives the names of the databases that were made beside one."""
    config = ConnectionConfig.from_dsn(dsn)
    if config.path is not None:
        folder, name = Path(config.path).parent, Path(config.path).stem
        return [path.name for path in folder.glob(f"{name}_*")]
    return postgres.run(_names(dsn, f"{config.database}_"))


async def _names(dsn: str, prefix: str) -> list[str]:
    connection = await asyncpg.connect(dsn)
    try:
        rows = await connection.fetch("SELECT datname FROM pg_database WHERE starts_with(datname, $1)", prefix)
    finally:
        await connection.close()
    return [row[0] for row in rows]


def run(project: pytest.Pytester, dsn: str, *options: str) -> Any:
    project.makepyfile(test_project=PROJECT.read_text().replace("DSN", nowhere(dsn)))
    return project.runpytest_subprocess("-p", "no:cacheprovider", *options, timeout=300)


def test_every_test_is_undone(project: pytest.Pytester, database_dsn: str) -> None:
    done = run(project, database_dsn, "-p", "no:xdist", f"--cormorant-dsn={database_dsn}")
    done.assert_outcomes(passed=16, failed=1)
    done.stdout.fnmatch_lines(["*ZeroDivisionError: on purpose*"])
    assert databases_beside(database_dsn) == []


def test_workers_have_databases_of_their_own(project: pytest.Pytester, postgres_database: str) -> None:
    pytest.importorskip("xdist")
    project.makeini(f"{INI}asyncio_mode = auto\ncormorant_dsn = {postgres_database}\n")
    project.makepyfile(
        test_worker="""
        import pytest


        @pytest.mark.parametrize("number", range(4))
        def test_name(cormorant_database, worker_id, number):
            assert cormorant_database.config.database.endswith(f"_{worker_id}")
        """
    )
    done = run(project, postgres_database, "-n", "2", "-k", "commits or name")
    done.assert_outcomes(passed=6)
    assert databases_beside(postgres_database) == []


def test_fixtures_can_be_overridden(project: pytest.Pytester, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CORMORANT_TEST_DSN", f"sqlite:///{tmp_path / 'birds.db'}")
    project.makepyfile(
        """
        import pytest

        from cormorant import Mapped, Model, Session, StatementError, generated


        class Bird(Model):
            id: Mapped[int] = generated(primary_key=True)


        class Fish(Model):
            id: Mapped[int] = generated(primary_key=True)


        @pytest.fixture(scope="session")
        def cormorant_models():
            return [Bird]


        def test_tables(cormorant_sandbox):
            assert cormorant_sandbox.config.path.endswith("birds_test.db")
            with Session() as session:
                assert session.query(Bird).count() == 0
                with pytest.raises(StatementError):
                    session.query(Fish).count()
        """
    )
    project.runpytest_subprocess("-p", "no:cacheprovider", timeout=300).assert_outcomes(passed=1)
    assert list(tmp_path.glob("birds*")) == []


def test_a_database_has_to_be_named(project: pytest.Pytester) -> None:
    project.makepyfile("def test_one(cormorant_session): ...")
    done = project.runpytest_subprocess("-p", "no:cacheprovider", timeout=300)
    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines(["*no database is named for the tests: give --cormorant-dsn*"])


def test_a_fixture_that_fails_leaves_no_session_behind(project: pytest.Pytester, database_dsn: str) -> None:
    # by then its loop is closed: the session was dropped with its transaction, and the warning failed another test
    project.makepyfile(
        """
        import gc

        import pytest
        import pytest_asyncio

        from cormorant import AsyncSession, Mapped, Model, generated


        class Bird(Model):
            id: Mapped[int] = generated(primary_key=True)


        @pytest_asyncio.fixture
        async def broken(cormorant_session):
            await cormorant_session.create(Bird)
            raise ZeroDivisionError("on purpose")


        @pytest.mark.asyncio
        async def test_errs(broken): ...


        @pytest.mark.asyncio
        async def test_goes_on(cormorant_session):
            gc.collect()
            assert await Bird.objects.count() == 0
        """
    )
    done = project.runpytest_subprocess("-p", "no:cacheprovider", f"--cormorant-dsn={database_dsn}", timeout=300)
    done.assert_outcomes(passed=1, errors=1)
    done.stdout.fnmatch_lines(["*ZeroDivisionError: on purpose*"])
    assert "was dropped" not in done.stdout.str() + done.stderr.str()


def test_fixtures_use_the_session_when_they_are_torn_down(project: pytest.Pytester, database_dsn: str) -> None:
    project.makepyfile(
        """
        import pytest
        import pytest_asyncio

        from cormorant import AsyncSession, Mapped, Model, field, generated


        class Bird(Model):
            id: Mapped[int] = generated(primary_key=True)
            name: Mapped[str]


        @pytest_asyncio.fixture
        async def heron(cormorant_session):
            bird = await cormorant_session.create(Bird, name="heron")
            await cormorant_session.commit()
            yield bird
            assert bird.name == "heron" and bird in cormorant_session.identity_map
            assert await cormorant_session.query(Bird).scalars(Bird.name) == ["heron"]
            cormorant_session.delete(bird)
            await cormorant_session.flush()


        @pytest.mark.asyncio
        async def test_leaves_changes(heron, cormorant_session):
            heron.name = "crane"
            await cormorant_session.create(Bird, name="stork")


        @pytest.mark.asyncio
        async def test_closes_it(cormorant_session):
            await cormorant_session.create(Bird, name="stork")
            await cormorant_session.close()


        @pytest.mark.asyncio
        async def test_finds_nothing(cormorant_session):
            assert await Bird.objects.count() == 0
        """
    )
    done = project.runpytest_subprocess("-p", "no:cacheprovider", f"--cormorant-dsn={database_dsn}", timeout=300)
    done.assert_outcomes(passed=3)


def test_data_of_the_session_are_there_for_each_test(project: pytest.Pytester, database_dsn: str) -> None:
    project.makepyfile(
        """
        import pytest

        from cormorant import Mapped, Model, Session, field, generated


        class Bird(Model):
            id: Mapped[int] = generated(primary_key=True)
            name: Mapped[str]


        @pytest.fixture(scope="session", autouse=True)
        def heron(cormorant_database):
            with Session(cormorant_database) as session:
                session.add(Bird(name="heron"))


        @pytest.mark.parametrize("time", [1, 2])
        def test_changes_them(cormorant_sandbox, time):
            with Session() as session:
                bird = session.query(Bird).one()
                assert bird.name == "heron"
                bird.name = "crane"


        @pytest.mark.asyncio
        async def test_deletes_them(cormorant_session):
            assert await cormorant_session.query(Bird).delete() == 1
            await cormorant_session.commit()


        @pytest.mark.asyncio
        async def test_finds_them(cormorant_session):
            assert await cormorant_session.query(Bird).scalars(Bird.name) == ["heron"]
        """
    )
    done = project.runpytest_subprocess("-p", "no:cacheprovider", f"--cormorant-dsn={database_dsn}", timeout=300)
    done.assert_outcomes(passed=4)
