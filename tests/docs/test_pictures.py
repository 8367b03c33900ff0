"""The pictures of the documentation show what is shown now; `python docs/pictures/make.py` makes them anew."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import pytest

FOLDER = Path(__file__).parents[2] / "docs" / "pictures"


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_pictures", FOLDER / "make.py")
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def words(picture: str) -> list[str]:
    """The words in it: how rich places them differs between its versions."""
    return " ".join(ElementTree.fromstring(picture).itertext()).split()


def test_every_picture_is_made_here(maker: ModuleType) -> None:
    assert {path.name for path in FOLDER.glob("*.svg")} == set(maker.PICTURES)


@pytest.mark.parametrize("name", ["report.svg", "timeline.svg"])
def test_a_picture_is_up_to_date(maker: ModuleType, name: str) -> None:
    kept = (FOLDER / name).read_text(encoding="utf-8")
    assert "@font-face" not in kept
    made = maker.PICTURES[name]()
    shown = [[word for word in words(text) if word[0] not in ".{"] for text in (made, kept)]
    assert shown[0] == shown[1]
    assert len(shown[0]) > 40
