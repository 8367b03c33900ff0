"""A short way to read JSON gives what the long one does."""

from __future__ import annotations

import json

import pytest

from cormorant._internal.json_text import load_json


@pytest.mark.parametrize("text", ['{"a": [1, 2.5, null]}', " [1] ", "3", '"ü"', "true", "[1]\n", b'{"a": 1}', "NaN"])
def test_it_gives_what_json_gives(text: str | bytes) -> None:
    assert repr(load_json(text)) == repr(json.loads(text))


@pytest.mark.parametrize("text", ["", "x", "[1", "[1] 2", "{1: 2}"])
def test_it_refuses_what_json_refuses(text: str) -> None:
    with pytest.raises(json.JSONDecodeError) as theirs:
        json.loads(text)
    with pytest.raises(json.JSONDecodeError) as ours:
        load_json(text)
    assert str(ours.value) == str(theirs.value)
