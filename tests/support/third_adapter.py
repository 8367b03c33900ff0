"""The adapter that docs/adapters.md shows, as a module: what the page says is what the tests run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[2] / "docs" / "adapters.md"
_found = re.search(r"^```python adapter\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
assert _found is not None, "the page shows no adapter"
exec(compile(_found[1], str(PAGE), "exec"), globals())

ThreadAdapter: Any = globals()["ThreadAdapter"]
ThreadConnection: Any = globals()["ThreadConnection"]
