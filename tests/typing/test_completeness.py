"""Every name that users can import has a declared type, so that every checker sees the same."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from tests.typing.partial import ROOT, installed


@pytest.mark.skipif(not installed("pyright"), reason="pyright is not installed; pip install 'cormorant[lint]'")
def test_every_public_name_has_a_declared_type(tmp_path: Path) -> None:
    environment = tmp_path / "environment"
    # pyright looks at installed packages only
    venv.create(environment, symlinks=os.name != "nt")
    (site,) = environment.rglob("site-packages")
    # the types of the dependencies are known by their packages
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    shutil.copytree(ROOT / "src" / "cormorant", site / "cormorant", ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-m", "pyright", "--verifytypes", "cormorant", "--ignoreexternal", "--outputjson"]
    path = os.pathsep.join([str(environment / ("Scripts" if os.name == "nt" else "bin")), os.environ["PATH"]])
    done = subprocess.run(command, cwd=tmp_path, env={**os.environ, "PATH": path}, capture_output=True, text=True)
    report = json.loads(done.stdout)["typeCompleteness"]
    told = [symbol for symbol in report["symbols"] if not symbol["isTypeKnown"] or symbol["isTypeAmbiguous"]]
    assert [(symbol["name"], [each["message"] for each in symbol["diagnostics"]]) for symbol in told] == []
    assert report["completenessScore"] == 1
