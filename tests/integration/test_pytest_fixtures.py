"""S2: sessions in fixtures, which pytest-asyncio sets up, uses and tears down in different tasks and contexts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).with_name("fixtures_project.txt")


def test_fixtures_of_every_scope(database_dsn: str, tmp_path: Path) -> None:
    (tmp_path / "test_project.py").write_text(PROJECT.read_text())
    (tmp_path / "pytest.ini").write_text("[pytest]\nasyncio_mode = auto\nfilterwarnings = error\n")
    path = os.pathsep.join([str(Path(__file__).parents[2] / "src"), os.environ.get("PYTHONPATH", "")])
    options = ["-p", "no:cacheprovider", "-o", "asyncio_default_fixture_loop_scope=function"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *options, "test_project.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path, "PROJECT_DSN": database_dsn},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, "10 passed" in done.stdout) == (0, True), done.stdout + done.stderr
